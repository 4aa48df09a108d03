"""How fast something is done."""

import time
from collections.abc import Callable


def measure(work: Callable[[], int], seconds: float) -> float:
    """Returns how many images a second are worked on.

    Args:
      work: Does some of it, and returns how many images that were.
      seconds: Least time to measure.
    """
    done, start = 0, time.perf_counter()
    while not done or time.perf_counter() - start < seconds:
        done += work()
    return done / (time.perf_counter() - start)
