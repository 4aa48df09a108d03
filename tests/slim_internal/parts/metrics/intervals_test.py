"""Intervals compared with published values and with how often they hold the truth."""

import numpy as np
import pytest

from slim_internal.parts.metrics import intervals


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [  # Newcombe 1998, table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_s_interval_is_the_published_one(count, total, expected):
    assert intervals.wilson(count, total) == pytest.approx(expected, abs=5e-5)
    lower, upper = intervals.wilson(total - count, total)
    assert (1 - upper, 1 - lower) == pytest.approx(expected, abs=5e-5)


def test_the_ends_are_exact():
    assert intervals.wilson(0, 7)[0] == 0
    assert intervals.wilson(7, 7)[1] == 1


def test_the_interval_of_a_mean_holds_the_truth_19_times_of_20():
    random = np.random.RandomState(0)
    truth = np.array([0.95, 0.6, 0.8, 0.99])
    totals = (40, 25, 100, 60)
    held = 0
    for _ in range(2000):
        counts = random.binomial(totals, truth)
        lower, upper = intervals.mean_of_fractions(zip(counts.tolist(), totals, strict=True))
        held += lower <= truth.mean() <= upper
    assert 0.93 < held / 2000 < 0.98


def test_the_interval_of_one_fraction_is_wilson_s():
    assert intervals.mean_of_fractions([(3, 9)]) == pytest.approx(intervals.wilson(3, 9))
