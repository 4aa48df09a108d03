"""How much time a run gives to evaluations that nobody asked for."""

import time

# Of the time of a run, for what nobody asked for; and what is never too much.
_FRACTION = 0.1
_LITTLE_SECONDS = 5.0


class Allowance:
    """How much time may go into evaluations that nobody asked for.

    All together a tenth of the time of training, or little; the one at the end of a run, which is
    worth more, a fifth.

    Args:
      num_images: Images of an evaluation.
      images_per_step: Images of a step of training, which takes longer for each.
    """

    def __init__(self, num_images: int, images_per_step: int):
        self._num_images = num_images
        self._images_per_step = images_per_step
        self._start: float | None = None
        self._steps = 0
        self._spent = 0.0
        self._last: float | None = None

    def begin_step(self) -> None:
        """Counts a step, and the time from the first one on."""
        self._start = time.monotonic() if self._start is None else self._start
        self._steps += 1

    def spend(self, seconds: float) -> None:
        """Counts an evaluation."""
        self._spent += seconds
        self._last = seconds

    def expected(self) -> float:
        """Returns the seconds that the next evaluation takes, before the first one at most."""
        if self._last is not None:
            return self._last
        return self._trained() * self._num_images / max(1, self._steps * self._images_per_step)

    def allows_one(self, *, at_end: bool = False) -> bool:
        """Returns whether there is time for the next evaluation."""
        if at_end:
            return self.expected() <= max(6 * _LITTLE_SECONDS, 2 * _FRACTION * self._trained())
        total = self._spent + self.expected()
        return total <= max(_LITTLE_SECONDS, _FRACTION * self._trained())

    def _trained(self) -> float:
        return time.monotonic() - self._start - self._spent if self._start is not None else 0.0
