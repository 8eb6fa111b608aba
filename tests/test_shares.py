"""Shares of runs, as published and by hand."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from rnn_study.statistics.shares import chance_of_more, difference_of_shares, share


def test_wilson_by_hand():
    # 8 of 8: both bounds in closed form, n / (n + z^2) and 1
    z = stats.norm.ppf(0.975)
    assert share(8, 8) == pytest.approx((1.0, 8 / (8 + z**2), 1.0), rel=1e-12)
    assert share(0, 8) == pytest.approx((0.0, 0.0, z**2 / (8 + z**2)), abs=1e-12)
    # Newcombe 1998 (Statistics in Medicine 17, 857), table I: 81 of 263
    assert share(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)


def test_the_difference_of_two_shares_as_published():
    # Newcombe 1998 (Statistics in Medicine 17, 873), table II, method 10: 56/70 against 48/80
    assert difference_of_shares((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    for a, b in (((6, 8), (1, 8)), ((0, 8), (8, 8)), ((3, 5), (2, 9))):
        bounds = confint_proportions_2indep(*a, *b, method="newcomb")
        assert difference_of_shares(a, b)[1:] == pytest.approx(bounds, abs=1e-9)


def draws(n, seed):
    return np.random.default_rng(seed).normal(0.9, 0.01, n)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (draws(8, 1), draws(8, 2)),
        (np.array([1, 1, 2, 3, 3]), np.array([1, 2, 2, 3])),
        (np.array([5, 6]), np.array([1, 2, 3])),
        (np.array([1, 1]), np.array([1, 1])),
    ],
)
def test_the_chance_of_more_is_mann_whitneys_u(a, b):
    expected = stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))
    assert chance_of_more(a, b) == pytest.approx(expected, abs=1e-15)
