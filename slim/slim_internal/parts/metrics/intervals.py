"""Confidence intervals of fractions that were counted."""

import math
from collections.abc import Iterable

_Z = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations.


def wilson(count: int, total: int) -> tuple[float, float]:
    """Returns Wilson's 95 % interval of a fraction, 0 to 1.

    Unlike the mean plus or minus two standard errors it has a width where all are right or none.

    Args:
      count: How many were right.
      total: Of how many, at least 1.
    """
    fraction = count / total
    spread = _Z**2 / total
    center = (fraction + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(fraction * (1 - fraction) / total + spread / (4 * total)) / (1 + spread)
    # The bounds are exact at both ends; rounding would leave 1e-17.
    lower = 0.0 if count == 0 else center - half
    upper = 1.0 if count == total else center + half
    return lower, upper


def mean_of_fractions(counts: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Returns a 95 % interval of the mean of independent fractions, 0 to 1.

    The distances from each fraction to the bounds of its Wilson interval are added as independent
    errors are ("square-and-add", Zou and Donner 2008).

    Args:
      counts: How many were right, and of how many, for each fraction; at least one.
    """
    fractions, below, above = [], [], []
    for count, total in counts:
        lower, upper = wilson(count, total)
        fractions.append(count / total)
        below.append(count / total - lower)
        above.append(upper - count / total)
    mean = sum(fractions) / len(fractions)
    return mean - math.hypot(*below) / len(below), mean + math.hypot(*above) / len(above)
