"""Kaplan-Meier, log-rank and frontier: against published tables, exact counts and hand calculations."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from rnn_study.statistics import survival
from rnn_study.statistics.survival import Frontier, Runs

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


def column(values):
    """Runs at one length."""
    return np.array(values)[:, None]


def runs(*lengths, budget=100):
    """Runs at some lengths, each the updates by seed: None where a run is censored."""
    table = np.array(lengths, object).T
    solved = np.not_equal(table, None)
    return Runs(np.where(solved, table, budget).astype(int), solved, np.ones(len(lengths), bool))


def naive_parts(updates, solved, group):
    """Of one length, in loops: the first group's solved runs, those expected, and the variance."""
    observed = expected = variance = 0
    for time in sorted({u for u, s in zip(updates, solved, strict=True) if s}):
        waiting = [g for u, g in zip(updates, group, strict=True) if u >= time]
        ending = [g for u, s, g in zip(updates, solved, group, strict=True) if u == time and s]
        n, d, mine = len(waiting), len(ending), sum(waiting)
        observed += sum(ending)
        expected += d * mine / n
        if n > 1:  # hypergeometric
            variance += d * mine * (n - mine) * (n - d) / (n**2 * (n - 1))
    return observed, expected, variance


def naive_z(updates, solved, group):
    """The parts of all lengths, (n, L), summed before they are divided."""
    parts = [naive_parts(u, s, group) for u, s in zip(np.transpose(updates), np.transpose(solved), strict=True)]
    observed, expected, variance = map(sum, zip(*parts, strict=True))
    return (observed - expected) / math.sqrt(variance) if variance > 1e-9 else 0.0


def enumerated(a, b):
    """p of the stratified test by all ways to share out whole seeds: twice the smaller tail."""
    updates, solved = np.vstack([a.updates, b.updates]), np.vstack([a.solved, b.solved])
    n, mine = len(updates), len(a.updates)
    ways = itertools.combinations(range(n), mine)
    z = np.array([naive_z(updates, solved, [int(seed in chosen) for seed in range(n)]) for chosen in ways])
    return min(1.0, 2 * min(np.mean(z <= z[0] + 1e-9), np.mean(z >= z[0] - 1e-9)))  # the first way is the true one


def enumerated_reaches(a, b):
    """p of the difference of means in the same way."""
    both = np.concatenate([a, b])
    ways = itertools.combinations(range(len(both)), len(a))
    gaps = np.array([both[[*chosen]].mean() - np.delete(both, chosen).mean() for chosen in ways])
    return min(1.0, 2 * min(np.mean(gaps <= gaps[0] + 1e-9), np.mean(gaps >= gaps[0] - 1e-9)))


def test_the_log_rank_statistic_is_the_published_one():
    """Chi squared 16.79 with one degree of freedom."""
    (z,) = survival.logrank_statistic(column(TREATED + PLACEBO), column(RELAPSED + ALL), first(21, 21))
    assert z**2 == pytest.approx(16.79, abs=0.005)


def test_the_log_rank_statistic_by_hand():
    """a: 1, 2, 3 all solved; b: 4, 5 solved, 6 censored. Observed and expected events of a at each time."""
    expected = 3 / 6 + 2 / 5 + 1 / 4
    variance = (3 / 6) * (3 / 6) + (2 / 5) * (3 / 5) + (1 / 4) * (3 / 4)
    (z,) = survival.logrank_statistic(column([1, 2, 3, 4, 5, 6]), column([True] * 5 + [False]), first(3, 3))
    assert z == pytest.approx((3 - expected) / math.sqrt(variance), rel=1e-12)


def test_two_lengths_by_hand():
    """Two seeds of either. At one length a: 1, 2 and b: 2, 4; at the other a: 5 and b: 3, the others censored at 9."""
    updates, solved = np.array([[1, 5], [2, 9], [2, 3], [4, 9]]), np.array([[1, 1], [1, 0], [1, 1], [1, 0]], bool)
    # at 1 one of four ends, two of them a's; at 2 two of three, one of them a's; at 4 the last one, b's
    short = 2 - (1 / 2 + 2 / 3), 1 / 4 + 2 * (1 / 3) * (2 / 3) * (3 - 2) / (3 - 1)
    # at 3 one of four ends, two of them a's; at 5 one of three, two of them a's
    long = 1 - (1 / 2 + 2 / 3), 1 / 4 + (2 / 3) * (1 / 3)
    (z,) = survival.logrank_statistic(updates, solved, first(2, 2))
    assert z == pytest.approx((short[0] + long[0]) / math.sqrt(short[1] + long[1]), rel=1e-12)
    assert z == pytest.approx(math.sqrt(8 / 17), rel=1e-12)  # (2 / 3) over the root of 17 / 18


@pytest.mark.parametrize("seed", range(8))
def test_the_log_rank_statistic_is_scipys(seed):
    """Of one length, with ties and censored runs."""
    rng = np.random.default_rng(seed)
    updates, solved = 50 * rng.integers(1, 8, 13), rng.random(13) < 0.7
    groups = [stats.CensoredData.right_censored(updates[s], ~solved[s]) for s in (slice(6), slice(6, None))]
    (z,) = survival.logrank_statistic(column(updates), column(solved), first(6, 7))
    assert z == pytest.approx(stats.logrank(*groups).statistic, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_lengths_are_strata_whose_parts_are_summed(seed):
    """With ties, censored runs, a length that all solve and one that none does; several ways to share out the seeds."""
    rng = np.random.default_rng(seed)
    updates = 50 * rng.integers(1, 8, (11, 4))
    solved = rng.random((11, 4)) < (0.4, 0.8, 1.0, 0.0)
    groups = np.array([rng.permutation([1.0] * 5 + [0.0] * 6) for _ in range(6)])
    found = survival.logrank_statistic(updates, solved, groups)
    assert found == pytest.approx([naive_z(updates, solved, group) for group in groups], rel=1e-9)
    backwards = survival.logrank_statistic(updates[:, ::-1], solved[:, ::-1], groups)
    assert backwards == pytest.approx(found, rel=1e-9)


def test_the_permutation_test_counts_orders():
    """Of 20 ways to choose three runs of six, two are as extreme as the three fastest."""
    fast, slow = runs([1, 2, 3]), runs([4, 5, 6])
    assert survival.logrank(fast, slow) == survival.logrank(slow, fast) == 2 / 20
    assert survival.compare_reaches(np.array([4] * 6), np.array([1] * 6)) == 2 / 924
    assert survival.compare_reaches(np.array([4, 1, 1]), np.array([1, 1, 1])) == 1.0  # either sign


@pytest.mark.parametrize(("seeds", "ways"), [(6, 924), (8, 12870)])
@pytest.mark.parametrize("lengths", [1, 2, 5])
def test_sides_that_are_wholly_apart_have_the_smallest_p_there_is(seeds, ways, lengths):
    """However many lengths say so, for each way to share out the seeds counts once."""
    assert ways == math.comb(2 * seeds, seeds)
    fast = runs(*[range(1 + length, 1 + length + seeds) for length in range(lengths)])
    never = runs(*[[None] * seeds for _ in range(lengths)])
    slow = runs(*[range(30 + length, 30 + length + seeds) for length in range(lengths)])
    assert survival.logrank(fast, never) == survival.logrank(never, fast) == 2 / ways
    assert survival.logrank(fast, slow) == 2 / ways


@pytest.mark.parametrize(("a", "b"), [(3, 3), (4, 4), (2, 5), (5, 2), (3, 6)])
@pytest.mark.parametrize("lengths", [1, 3])
def test_the_permutation_test_is_that_of_all_ways_to_share_out_the_seeds(a, b, lengths):
    """Groups of unequal size too, a of them with a head start, none of the p at an end."""
    rng, found = np.random.default_rng(17 * a + b), []
    for _ in range(4):
        sides = []
        for seeds, start in ((a, 0), (b, 1)):
            updates = 10 * (start + rng.integers(1, 8, (seeds, lengths)))
            sides.append(Runs(updates, rng.random((seeds, lengths)) < 0.7, np.ones(lengths, bool)))
        found.append(survival.logrank(*sides))
        assert found[-1] == pytest.approx(enumerated(*sides), rel=1e-9)
    assert len(set(found)) > 1


def test_whole_seeds_are_permuted():
    """A length that repeats another says nothing new, and p stays. Runs shared out anew at each of the two would make
    more of it."""
    a, b = [1, 2, 5, 7], [3, 6, 8, None]
    once, twice = survival.logrank(runs(a), runs(b)), survival.logrank(runs(a, a), runs(b, b))
    assert twice == once == pytest.approx(enumerated(runs(a), runs(b)), rel=1e-9)
    ways = [[int(run in chosen) for run in range(8)] for chosen in itertools.combinations(range(8), 4)]
    parts = [naive_parts([*a, *b[:3], 100], [True] * 7 + [False], group) for group in ways]
    gaps, variances = np.array([(o - e, v) for o, e, v in parts]).T
    z = np.add.outer(gaps, gaps) / np.sqrt(np.add.outer(variances, variances))  # each length with a way of its own
    assert 2 * np.mean(z >= z[0, 0] - 1e-9) < once / 2


def test_lengths_that_contradict_each_other_say_nothing():
    """Fast at one length and slow at the other, as much: nothing is left. Where the other is lost by one rank less, a
    little is."""
    fast, slow = [1, 2, 3], [4, 5, 6]
    assert survival.logrank(runs(fast, slow), runs(slow, fast)) == 1.0
    a, b = runs(fast, [3, 5, 6]), runs(slow, [1, 2, 4])
    assert survival.logrank(a, b) == pytest.approx(enumerated(a, b), rel=1e-9)
    assert 2 / 20 < survival.logrank(a, b) < 1


def test_of_no_length_nothing_is_said():
    none = np.zeros(2, bool)
    assert survival.logrank(runs([1, 2, 3], [1, 2, 3]).at(none), runs([4, 5, 6], [4, 5, 6]).at(none)) == 1.0


def test_runs_at_some_lengths():
    all_of_them = Runs(np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3) > 2, np.array([True, True, False]))
    updates, solved, ran = all_of_them.at(np.array([True, False, True]))
    assert updates.tolist() == [[0, 2], [3, 5]]
    assert solved.tolist() == [[False, False], [True, True]]
    assert ran.tolist() == [True, False]


def test_the_permutation_test_is_scipys():
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 5, 6), rng.integers(1, 6, 6)
    expected = stats.permutation_test((a, b), lambda x, y: x.mean() - y.mean(), n_resamples=np.inf).pvalue
    assert survival.compare_reaches(a, b) == pytest.approx(expected, rel=1e-9)
    assert 0.05 < expected < 0.95


@pytest.mark.parametrize("a", [5, 3])
def test_reaches_by_all_ways_to_share_out_the_seeds(a):
    """Groups of unequal size too."""
    reaches = np.array([3, 4, 2, 4, 3, 1, 2, 0])
    expected = enumerated_reaches(reaches[:a], reaches[a:])
    assert 0.01 < expected < 0.9
    assert survival.compare_reaches(reaches[:a], reaches[a:]) == pytest.approx(expected, rel=1e-9)


def test_a_permutation_test_keeps_its_level():
    """Groups of one kind, seeds that are alike at all lengths: p < 0.05 in at most one of twenty."""
    rng, found = np.random.default_rng(5), []
    for _ in range(400):
        of_seed = 50 * rng.integers(1, 8, (12, 1))
        updates, solved = of_seed + rng.integers(0, 2, (12, 3)), np.repeat(rng.random((12, 1)) < 0.8, 3, axis=1)
        sides = [Runs(updates[s], solved[s], np.ones(3, bool)) for s in (slice(6), slice(6, None))]
        found.append(survival.logrank(*sides))
    assert np.mean(np.array(found) < 0.05) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert min(found) < 0.05  # it can say something


def test_of_many_runs_some_splits_are_drawn():
    fast, slow = runs(range(20)), runs(range(30, 50))
    assert survival.logrank(fast, slow) == 2 / (survival.SPLITS + 1)  # itself alone, on either side
    assert survival.logrank(fast, slow) == survival.logrank(fast, slow)


@pytest.mark.parametrize("solved", [False, True])
@pytest.mark.parametrize("lengths", [1, 3])
def test_runs_that_nothing_tells_apart(solved, lengths):
    group = np.full(6, 50), np.full(6, solved)
    side = runs(*[[50 if solved else None] * 6] * lengths)
    assert survival.logrank(side, side) == 1.0
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


def test_an_interval_reaches_to_lengths_that_samples_reach():
    """Of two samples one reaches the first length, the other the last but one: no length between."""
    samples = np.array([[1, 0, 0, 0], [1, 1, 1, 0]], float)
    found = survival.between_lengths([10, 20, 40, 80], samples.mean(axis=0), samples)
    assert (found.low, found.high) == (10, 80)


@pytest.mark.parametrize(("seeds", "solve", "low"), [(9, 7, 0), (7, 6, 10)])
def test_an_interval_of_a_frontier_leaves_a_fortieth_out_at_either_end(seeds, solve, low):
    """7 of 9 seeds: in 3.0 % of the resamples fewer than half solve the length; 6 of 7: in 1.0 %."""
    missed = stats.binom.cdf((seeds - 1) // 2, seeds, solve / seeds)
    assert (missed > 0.025) == (low == 0)
    assert 0.005 < missed < 0.05
    solved = np.array([[place < solve, False] for place in range(seeds)])
    assert survival.frontier([10, 20], solved).low == low
    turned = np.array([[True, place >= solve] for place in range(seeds)])  # the longer one by few
    assert survival.frontier([10, 20], turned).high == (None if low == 0 else 20)
