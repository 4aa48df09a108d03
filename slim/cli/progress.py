"""Times and rates as people read them, for the progress lines of long-running programs."""

import math


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
