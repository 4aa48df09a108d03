"""How far long work has come: counted by a meter, shown on the terminal or in the log.

Whoever works takes a `Progress` and counts with a `Meter`:

    with Meter(progress, "Converted", total=len(images), unit="images") as meter:
        for image in images:
            ...
            meter.advance()
"""

import dataclasses
import logging
import sys
import time
from collections.abc import Callable

from slim_internal.ground.errors.escaping import escaped
from slim_internal.ground.progress import duration, human_bytes

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Status:
    """One moment of long work.

    Attributes:
      action: What is done: "Fetching", "Converted".
      name: The file it is done to; "" where that goes without saying.
      done: Units that are there, those of earlier runs included.
      total: Units there will be, or None if nobody knows.
      rate: Units per second since this run began.
      finished: Whether this is the last report, of all the work or of what came of it.
      unit: What is counted; "" for bytes.
    """

    action: str
    name: str
    done: int
    total: int | None
    rate: float
    finished: bool = False
    unit: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at this rate, or None where that cannot be told."""
        if self.total is None or self.rate <= 0:
            return None
        return max(self.total - self.done, 0) / self.rate

    def __str__(self):
        subject = f"{self.action} {escaped(self.name)}:" if self.name else self.action
        unit = f" {self.unit}" if self.unit else ""
        parts = [f"{subject} {self._count(self.done)}{unit}"]
        if self.total:
            counts = f"{self._count(self.done)} of {self._count(self.total)}{unit}"
            parts[0] = f"{subject} {counts} ({100 * self.done / self.total:.0f} %)"
        parts.append(f"{self._count(self.rate)}/s")
        if not self.finished and self.seconds_left is not None:
            parts.append(f"ETA {duration(self.seconds_left)}")
        return ", ".join(parts)

    def _count(self, number: float) -> str:
        return f"{number:,.0f}" if self.unit else human_bytes(number)


Progress = Callable[[Status], None]


def silent(status: Status) -> None:
    """Shows nothing."""


class Meter:
    """Turns counts into reports, at most one every `interval` seconds and one at the end.

    Args:
      progress: Is told.
      action: As in `Status`; so are `name`, `done`, `total` and `unit`.
      interval: Minimum seconds between two reports.
    """

    def __init__(
        self,
        progress: Progress,
        action: str,
        name: str = "",
        *,
        done: int = 0,
        total: int | None = None,
        unit: str = "",
        interval: float = 0.5,
    ):
        self.total = total
        self._progress = progress
        self._labels = (action, name)
        self._unit = unit
        self._interval = interval
        self._done = self._first = done
        self._start = self._reported = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Says that `count` more units are there."""
        self.reach(self._done + count)

    def reach(self, done: int) -> None:
        """Says how many units are there, those of earlier runs included."""
        self._done = done
        if time.monotonic() - self._reported >= self._interval:
            self._report()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *error) -> None:
        self._report(finished=True)

    def _report(self, finished: bool = False) -> None:
        self._reported = time.monotonic()
        rate = (self._done - self._first) / max(self._reported - self._start, 1e-6)
        self._progress(Status(*self._labels, self._done, self.total, rate, finished, self._unit))


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


class ProgressLog:
    """Logs a report every few seconds; short work passes in silence.

    Args:
      interval: Seconds until the first line, and between two lines.
    """

    def __init__(self, interval: float = 5.0):
        self._interval = interval
        self._next = time.monotonic() + interval

    def __call__(self, status: Status) -> None:
        """Logs one report."""
        if not status.finished and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._interval
            _LOG.info("%s", status)
