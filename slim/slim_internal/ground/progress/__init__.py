"""How long work tells how far it has come: times and sizes as people read them, and a log."""

import logging
import math
import time

_INTERVAL = 5.0  # Seconds between two lines of a log.


def human_bytes(count: float) -> str:
    """Returns a number of bytes in the unit that leaves at most four digits: "228.8 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Returns a time in its two largest units: "42 s", "3 min 05 s", "2 h 07 min", "3 d 04 h"."""
    if not math.isfinite(seconds):
        return "unknown"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def eta(done: int, total: int, seconds: float) -> str:
    """Returns the time that the rest will take at the pace so far.

    Args:
      done: How many units are finished.
      total: How many there are.
      seconds: How long the finished ones took.
    """
    return duration((total - done) * seconds / done if done else math.inf)


class ProgressLog:
    """Logs share, rate and time left of a long count; a short one passes in silence.

    Args:
      what: What was done to the units.
      unit: What is counted; None for bytes.
    """

    def __init__(self, what: str = "Converted", unit: str | None = "pictures"):
        self._what = what
        self._unit = unit
        self._first: tuple[float, int] | None = None
        self._logged = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Takes note that `done` of `total` are there, those of earlier runs included."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._logged = (now, done), now
        if now - self._logged < _INTERVAL:
            return
        self._logged = now
        start, already = self._first
        moved, seconds = done - already, now - start
        logging.getLogger(__name__).info(
            f"{self._what} {self._count(done)} of {self._count(total)}"
            f"{f' {self._unit}' if self._unit else ''} ({100 * done / total:.0f} %), "
            f"{self._count(moved / seconds)}/s, ETA {eta(moved, total - already, seconds)}"
        )

    def _count(self, number: float) -> str:
        return f"{number:,.0f}" if self._unit else human_bytes(number)
