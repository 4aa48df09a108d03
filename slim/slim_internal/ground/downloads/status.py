"""How far a long copy of bytes has come: share, rate and time left."""

import dataclasses
import sys
import time
from collections.abc import Callable

from slim_internal.ground.progress import duration, human_bytes


@dataclasses.dataclass(frozen=True)
class Status:
    """One moment of a transfer.

    Attributes:
      action: What is being done: "Fetching" or "Checking".
      name: The file it is done to.
      done: Bytes that are there, those of earlier runs included.
      total: Bytes there will be, or None if the server did not say.
      rate: Bytes per second since this run began.
      finished: Whether this is the last report, of a whole file or of what came of it.
    """

    action: str
    name: str
    done: int
    total: int | None
    rate: float
    finished: bool = False

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at this rate, or None where that cannot be told."""
        if self.total is None or self.rate <= 0:
            return None
        return max(self.total - self.done, 0) / self.rate

    def __str__(self):
        parts = [f"{self.action} {self.name}: {human_bytes(self.done)}"]
        if self.total:
            parts[0] += f" of {human_bytes(self.total)} ({100 * self.done / self.total:.0f} %)"
        parts.append(f"{human_bytes(self.rate)}/s")
        if not self.finished and self.seconds_left is not None:
            parts.append(f"ETA {duration(self.seconds_left)}")
        return ", ".join(parts)


Progress = Callable[[Status], None]


class Meter:
    """Turns chunks into reports, at most one every `interval` seconds and one at the end.

    with Meter(progress, "Fetching", name, total=size) as meter:
        meter.advance(len(chunk))
    """

    def __init__(
        self,
        progress: Progress,
        action: str,
        name: str,
        *,
        done: int = 0,
        total: int | None = None,
        interval: float = 0.5,
    ):
        self.total = total
        self._progress = progress
        self._labels = (action, name)
        self._interval = interval
        self._done = done
        self._moved = 0
        self._start = self._reported = time.monotonic()

    def advance(self, count: int) -> None:
        """Says that `count` more bytes are there."""
        self._done += count
        self._moved += count
        if time.monotonic() - self._reported >= self._interval:
            self._report()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *error) -> None:
        self._report(finished=True)

    def _report(self, finished: bool = False) -> None:
        self._reported = time.monotonic()
        rate = self._moved / max(self._reported - self._start, 1e-6)
        self._progress(Status(*self._labels, self._done, self.total, rate, finished))


class StatusLine:
    """Shows reports on a terminal as one line that renews itself, elsewhere as a line now and then.

    What takes less than two seconds is not worth a line and shows nothing.
    """

    def __init__(self, stream=None):
        self._stream = stream or sys.stderr
        self._interactive = self._stream.isatty()
        self._next = time.monotonic() + 2
        self._shown = False

    def __call__(self, status: Status) -> None:
        """Shows one report."""
        if status.finished:
            if self._shown:
                self._write(str(status), end="\n")
            self._shown = False
        elif time.monotonic() >= self._next:
            self._write(str(status), end="" if self._interactive else "\n")
            self._next = time.monotonic() + (0.5 if self._interactive else 10)
            self._shown = True

    def _write(self, text: str, end: str) -> None:
        # Carriage return and "erase to the end of the line" renew the line in place.
        renewed = f"\r{text}\x1b[K" if self._interactive else text
        print(renewed, end=end, file=self._stream, flush=True)
