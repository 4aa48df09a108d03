"""McNemar's test: whether one classifier is right more often than another on the same examples."""

import math

# With more disagreements than this the chi-squared distribution is exact enough.
_MAX_EXACT = 1000


def p_value(became_right: int, became_wrong: int) -> tuple[float, str]:
    """Returns how likely so uneven a change is if both are equally good, 0 to 1, and the method.

    Up to 1,000 changes the two-sided binomial test is taken ("exact"), beyond it McNemar's
    statistic with Edwards' correction for continuity ("chi-squared").

    Args:
      became_right: Examples that only the second has right.
      became_wrong: Examples that only the first has right.
    """
    changed = became_right + became_wrong
    if changed <= _MAX_EXACT:
        tail = sum(math.comb(changed, n) for n in range(min(became_right, became_wrong) + 1))
        return min(1.0, 2 * tail / 2**changed), "exact"
    statistic = max(abs(became_right - became_wrong) - 1, 0) ** 2 / changed
    return math.erfc(math.sqrt(statistic / 2)), "chi-squared"
