"""Intervals and McNemar's test, compared with published values and with SciPy."""

import numpy as np
import pytest
from scipy import stats

from slim_internal.parts.metrics import intervals, mcnemar


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


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (3, 7), (0, 50), (960, 1000)])
def test_wilson_s_interval_is_scipy_s(count, total):
    expected = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert intervals.wilson(count, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


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


@pytest.mark.parametrize(
    ("became_right", "became_wrong"), [(0, 1), (1, 0), (3, 9), (6, 6), (121, 59), (500, 500)]
)
def test_mcnemar_s_exact_test_is_the_binomial_one(became_right, became_wrong):
    expected = stats.binomtest(became_right, became_right + became_wrong).pvalue
    assert mcnemar.p_value(became_right, became_wrong) == (pytest.approx(expected), "exact")


def test_mcnemar_s_test_of_nothing_says_nothing():
    assert mcnemar.p_value(0, 0) == (1.0, "exact")


@pytest.mark.parametrize(("became_right", "became_wrong"), [(600, 500), (700, 701), (5000, 4000)])
def test_mcnemar_s_test_of_many_is_the_chi_squared_one(became_right, became_wrong):
    statistic = (abs(became_right - became_wrong) - 1) ** 2 / (became_right + became_wrong)
    p_value, method = mcnemar.p_value(became_right, became_wrong)
    assert method == "chi-squared"
    assert p_value == pytest.approx(stats.chi2.sf(statistic, 1))
    exact = stats.binomtest(became_right, became_right + became_wrong).pvalue
    assert p_value == pytest.approx(exact, abs=0.002)
