"""How long a program took to start: measured part by part, told in one line."""

import contextlib
import time
from collections.abc import Iterator

_seconds: dict[str, float] = {}  # A process starts once.


@contextlib.contextmanager
def measured(part: str) -> Iterator[None]:
    """Measures what is done within it, a part of the start, without the parts inside.

    What is done at several places is added up.
    """
    start, before = time.monotonic(), sum(_seconds.values())
    yield
    inside = sum(_seconds.values()) - before
    _seconds[part] = _seconds.get(part, 0.0) + time.monotonic() - start - inside


def told() -> str:
    """Returns what was measured in words, "graph 1.2 s, first step 3.4 s", and forgets it."""
    words = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in _seconds.items())
    _seconds.clear()
    return words
