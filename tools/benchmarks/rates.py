"""How fast something is done, and in how much memory."""

import resource
import sys
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


def peak_memory() -> float:
    """Returns the peak resident memory, in MB, of the largest of this process and its children.

    Of children, those count that have ended.
    """
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(kind).ru_maxrss for kind in kinds)
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # Bytes or KiB.
