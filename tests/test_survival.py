"""Kaplan-Meier, log-rank, frontier and power: against published tables, exact counts and hand calculations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from rnn_study.statistics import survival
from rnn_study.statistics.survival import Frontier

# Weeks in remission of 42 children with leukaemia, 6-mercaptopurine against placebo (Freireich et al. 1963), the
# worked example of Kleinbaum & Klein's Survival Analysis, table 1.1; True: a relapse, False: censored.
TREATED = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
RELAPSED = [True] * 9 + [False] * 12
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
ALL = [True] * 21


def test_kaplan_meier_is_the_published_table():
    curve = survival.kaplan_meier(TREATED, RELAPSED)
    left = dict(zip(curve.updates, 1 - curve.solved, strict=True))
    published = {6: 0.8571, 7: 0.8067, 10: 0.7529, 13: 0.6902, 16: 0.6275, 22: 0.5378, 23: 0.4482}
    assert {week: round(left[week], 4) for week in published} == published
    assert left[35] == left[23]  # censored ones only
    assert survival.median_updates(TREATED, RELAPSED) == 23
    assert survival.median_updates(PLACEBO, ALL) == 8


def test_greenwoods_interval_by_hand():
    """At week 6 three of 21 relapse: log(-log S) has variance (d / (n (n - d))) / log(S)^2."""
    curve = survival.kaplan_meier(TREATED, RELAPSED)
    left = 18 / 21
    spread = 1.959963984540054 * math.sqrt(3 / (21 * 18)) / abs(math.log(left))
    low, high = left ** math.exp(spread), left ** math.exp(-spread)
    assert 1 - curve.high[0] == pytest.approx(low, rel=1e-12)
    assert 1 - curve.low[0] == pytest.approx(high, rel=1e-12)


def first(a, b):
    """The labels of a runs of one group and b of another."""
    return np.array([[1.0] * a + [0.0] * b])


def test_the_log_rank_statistic_is_the_published_one():
    """Chi squared 16.79 with one degree of freedom."""
    (z,) = survival.logrank_statistic(TREATED + PLACEBO, RELAPSED + ALL, first(21, 21))
    assert z**2 == pytest.approx(16.79, abs=0.005)


def test_the_log_rank_statistic_by_hand():
    """a: 1, 2, 3 all solved; b: 4, 5 solved, 6 censored. Observed and expected events of a at each time."""
    expected = 3 / 6 + 2 / 5 + 1 / 4
    variance = (3 / 6) * (3 / 6) + (2 / 5) * (3 / 5) + (1 / 4) * (3 / 4)
    (z,) = survival.logrank_statistic([1, 2, 3, 4, 5, 6], [True] * 5 + [False], first(3, 3))
    assert z == pytest.approx((3 - expected) / math.sqrt(variance), rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_log_rank_statistic_is_scipys(seed):
    """With ties and censored runs."""
    rng = np.random.default_rng(seed)
    updates, solved = 50 * rng.integers(1, 8, 13), rng.random(13) < 0.7
    groups = [stats.CensoredData.right_censored(updates[s], ~solved[s]) for s in (slice(6), slice(6, None))]
    (z,) = survival.logrank_statistic(updates, solved, first(6, 7))
    assert z == pytest.approx(stats.logrank(*groups).statistic, rel=1e-9)


def test_the_permutation_test_counts_orders():
    """Of 20 ways to choose three runs of six, two are as extreme as the three fastest; of 924 with six, two too."""
    fast, slow = ([1, 2, 3], [True] * 3), ([4, 5, 6], [True] * 3)
    assert survival.logrank(fast, slow) == survival.logrank(slow, fast) == 2 / 20
    six = ([*range(6)], [True] * 6), ([*range(10, 16)], [False] * 6)
    assert survival.logrank(*six) == 2 / 924
    assert survival.compare_reaches(np.array([4] * 6), np.array([1] * 6)) == 2 / 924
    assert survival.compare_reaches(np.array([4, 1, 1]), np.array([1, 1, 1])) == 1.0  # either sign


def test_the_permutation_test_is_scipys():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 5, 6), rng.integers(1, 6, 6)
    expected = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf).pvalue
    assert survival.compare_reaches(a, b) == pytest.approx(expected, rel=1e-9)
    assert 0.05 < expected < 0.95


def test_a_permutation_test_keeps_its_level():
    """Groups of one kind: p < 0.05 in at most one of twenty."""
    rng, found = np.random.default_rng(5), []
    for _ in range(400):
        updates, solved = 50 * rng.integers(1, 8, 12), rng.random(12) < 0.8
        found.append(survival.logrank((updates[:6], solved[:6]), (updates[6:], solved[6:])))
    assert np.mean(np.array(found) < 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_of_many_runs_some_splits_are_drawn():
    fast, slow = (np.arange(20), np.ones(20, bool)), (np.arange(20) + 30, np.ones(20, bool))
    assert survival.logrank(fast, slow) == 2 / (survival.SPLITS + 1)  # itself alone, on either side
    assert survival.logrank(fast, slow) == survival.logrank(fast, slow)


@pytest.mark.parametrize("solved", [False, True])
def test_runs_that_nothing_tells_apart(solved):
    group = (np.full(6, 50), np.full(6, solved))
    assert survival.logrank(group, group) == 1.0
    curve = survival.kaplan_meier(*group)
    assert curve.solved.tolist() == [float(solved)]
    assert np.isnan(curve.low).all()  # the formula has none at 0 and 1
    assert survival.median_updates(*group) == (50 if solved else None)


def walked(*shares, seeds=6):
    return np.array([[place < share * seeds for share in shares] for place in range(seeds)])


def test_the_frontier_lies_where_half_of_the_seeds_fail():
    sure = survival.frontier([10, 20, 40, 80], walked(1, 1, 0, 0))
    assert sure == Frontier(pytest.approx(20 * math.sqrt(2)), None, 20, 40)  # between 1 and 0, halfway in the logarithm
    late = survival.frontier([10, 20, 40], walked(1, 1, 1 / 3))
    assert late.length == pytest.approx(20 * 2 ** (0.5 / (1 - 1 / 3)))
    assert survival.frontier([10, 20], walked(1, 1)) == Frontier(20.0, "above", 20, None)
    assert survival.frontier([10, 20], walked(0, 0)) == Frontier(10.0, "below", 0, 10)
    assert survival.frontier([49, 196], walked(1 / 3, 1 / 3)).open == "below"
    half = survival.frontier([10, 20, 40], walked(1, 0.5, 0))
    assert half.length == pytest.approx(20)


def test_rates_that_rise_again_are_made_to_fall():
    """A failure at a short length and successes beyond it are averaged: (0, 1, 1) to 2/3 each."""
    assert survival.frontier([10, 20, 40], walked(0, 1, 1)).open == "above"
    assert survival.frontier([10, 20, 40, 80], walked(0, 1, 0, 0)).length == pytest.approx(20)


def test_the_bootstrap_interval_is_that_of_all_resamples():
    """Three seeds have 27 resamples; seed by seed they reach 10, 20 and 40."""
    lengths, solved = [10, 20, 40, 80], np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    reached = []
    for sample in itertools.product(range(3), repeat=3):
        rates = solved[list(sample)].mean(axis=0)
        reached.append(max(place for place, rate in enumerate(rates) if rate >= 0.5))
    counts = np.bincount(reached) / 27  # 7 of 27, 13 of 27, 7 of 27
    assert counts.tolist() == [7 / 27, 13 / 27, 7 / 27]
    wide = survival.frontier(lengths, solved, level=0.9)
    assert (wide.low, wide.high) == (10, 80)
    narrow = survival.frontier(lengths, solved, level=0.4)  # tails of 0.3, more than 7/27
    assert (narrow.low, narrow.high) == (20, 40)


def test_intervals_that_are_apart():
    near, far, open_ended = Frontier(8.0, None, 6, 12), Frontier(30.0, None, 12, 48), Frontier(48.0, "above", 24, None)
    assert survival.beyond(far, near)
    assert survival.beyond(open_ended, near)
    assert not survival.beyond(near, far)
    assert not survival.beyond(open_ended, far)
    assert not survival.beyond(near, open_ended)
    assert not survival.beyond(open_ended, open_ended)


def test_the_power_of_fishers_test_by_hand():
    assert survival.power(3, 1.0, 0.0) == 0.0  # 2 / C(6, 3) = 0.1 at best
    assert survival.power(4, 1.0, 0.0) == 1.0  # 2 / C(8, 4) = 0.029
    # 6 of 6 differs from k of 6 at p = 2 C(6, k) / C(12, 6 + k): from 0 and from 1, not from 2 any more.
    p = [2 * math.comb(6, k) / math.comb(12, 6 + k) for k in range(3)]
    assert p[1] < 0.05 < p[2]
    assert survival.power(6, 1.0, 0.5) == pytest.approx((1 + 6) / 2**6)
    assert survival.power(8, 0.5, 0.5) < 0.05  # a test keeps its level
    assert survival.power(20, 0.9, 0.5) == pytest.approx(survival.power(20, 0.5, 0.9), rel=1e-9)
