"""Tells how far a conversion has come, now and then, through the log."""

import logging
import time

from downloads.status import human_bytes, human_seconds

_INTERVAL = 5.0  # Seconds between two lines.


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
        rate = (done - already) / (now - start)
        left = human_seconds((total - done) / rate) if rate else "unknown time"
        logging.getLogger(__name__).info(
            f"{self._what} {self._count(done)} of {self._count(total)}"
            f"{f' {self._unit}' if self._unit else ''} ({100 * done / total:.0f} %), "
            f"{self._count(rate)}/s, {left} left"
        )

    def _count(self, number: float) -> str:
        return f"{number:,.0f}" if self._unit else human_bytes(number)
