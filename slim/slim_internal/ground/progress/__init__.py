"""Progress reporting: readable durations and sizes; `reporting` has meters and displays."""

import math


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
