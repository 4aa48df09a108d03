"""How long a program took to start: measured part by part, told in one line."""

import contextlib
import time
from collections.abc import Iterator

_seconds: dict[str, float] = {}  # A process starts once.


@contextlib.contextmanager
def measured(part: str) -> Iterator[None]:
    """Measures what is done within it, which is a part of the start."""
    start = time.monotonic()
    yield
    _seconds[part] = time.monotonic() - start


def told() -> str:
    """Returns what was measured in words, "graph 1.2 s, first step 3.4 s", and forgets it."""
    words = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in _seconds.items())
    _seconds.clear()
    return words
