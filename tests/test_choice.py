"""The best of several settings: by hand, and against every bootstrap sample that there is."""

from itertools import product

import numpy as np
import pytest

from rnn_study.statistics import choice, survival
from rnn_study.statistics.choice import Tried

BUDGET = 100


def runs(*settings):
    """Settings as rows of seeds of updates by length; the budget and more: not solved."""
    updates = np.array(settings)
    return Tried(np.minimum(updates, BUDGET), updates < BUDGET)


def test_more_solved_seeds_win_and_then_fewer_updates():
    tried = runs([[10], [BUDGET], [BUDGET]], [[90], [90], [BUDGET]], [[80], [90], [BUDGET]])
    assert choice.chosen(tried, BUDGET).tolist() == [2]
    assert choice.chosen(runs([[50], [60]], [[50], [60]]), BUDGET).tolist() == [0]  # of equals the first
    never = runs([[BUDGET], [BUDGET]], [[BUDGET], [BUDGET]])
    assert choice.chosen(never, BUDGET).tolist() == [0]


def test_one_more_solved_seed_outweighs_all_updates():
    late, early = [[99]] * 4 + [[BUDGET]], [[1]] * 3 + [[BUDGET]] * 2
    assert choice.chosen(runs(early, late), BUDGET).tolist() == [1]


def test_two_solved_lengths_are_enough_for_a_slope():
    """Four times the length at a tenth of the rate, by every seed."""
    tried = runs([[10, BUDGET, BUDGET]] * 3, [[BUDGET, 10, BUDGET]] * 3)
    found = choice.slope([5, 20, 80], [0.1, 0.01], tried, BUDGET)
    assert found == pytest.approx([np.log(0.1) / np.log(4)] * 3, abs=1e-9)


def test_a_seed_counts_at_the_setting_that_the_others_choose():
    """Each of three settings solves with one seed alone: the best looks like a third, and is nothing."""
    lucky = runs(*[[[10] if seed == setting else [BUDGET] for seed in range(3)] for setting in range(3)])
    assert choice.shares(lucky, BUDGET).tolist() == [0.0]
    assert choice.frontier([5], lucky, BUDGET).open == "below"
    sure = runs([[10], [10], [10]], [[20], [20], [BUDGET]])
    assert choice.shares(sure, BUDGET).tolist() == [1.0]
    # Without seed 0 both settings solve one of two, the second one faster; there seed 0 fails.
    mixed = runs([[10], [90], [BUDGET]], [[BUDGET], [20], [BUDGET]])
    assert choice.shares(mixed, BUDGET).tolist() == [pytest.approx(1 / 3)]


def some(seed, settings=3, seeds=4, lengths=3):
    rng = np.random.default_rng(seed)
    updates = rng.integers(1, 160, (settings, seeds, lengths))
    return Tried(np.minimum(updates, BUDGET), updates < BUDGET)


def rank(tried, setting, seeds, length):
    """What a setting is chosen by, over `seeds` as often as they stand there: solved, then updates, then its place."""
    solved = sum(tried.solved[setting, seed, length] for seed in seeds)
    return solved, -sum(tried.updates[setting, seed, length] for seed in seeds), -setting


def naive(tried, sample):
    """Of one bootstrap sample, a tuple of seeds: the share that solves each length, and the setting all choose."""
    settings, lengths = range(len(tried.updates)), range(tried.updates.shape[2])
    shares, choices = [], []
    for length in lengths:
        kept = []
        for seed in sample:
            others = [other for other in sample if other != seed]
            best = max(settings, key=lambda setting, others=others, length=length: rank(tried, setting, others, length))
            kept.append(tried.solved[best, seed, length])
        shares.append(np.mean(kept))
        choices.append(max(settings, key=lambda setting, length=length: rank(tried, setting, sample, length)))
    return shares, choices


@pytest.mark.parametrize("seed", range(6))
def test_shares_and_choices_are_those_of_the_definition(seed):
    tried = some(seed)
    shares, choices = naive(tried, range(4))
    np.testing.assert_allclose(choice.shares(tried, BUDGET), shares)
    assert choice.chosen(tried, BUDGET).tolist() == choices
    sample = (0, 0, 2, 3)
    counts = np.array([[2, 0, 1, 1]])
    assert choice.chosen(tried, BUDGET, counts).tolist() == [naive(tried, sample)[1]]


@pytest.mark.parametrize("seed", range(4))
def test_the_frontier_is_that_of_all_samples(seed):
    """Its interval against the one of all 27 bootstrap samples, each equally likely."""
    tried, lengths = some(seed, seeds=3), [5, 10, 20]
    samples = np.array([naive(tried, sample)[0] for sample in product(range(3), repeat=3)])
    expected = survival.between_lengths(lengths, np.array(naive(tried, range(3))[0]), samples)
    assert choice.frontier(lengths, tried, BUDGET) == expected


def test_one_setting_alone_is_the_plain_frontier_but_for_ties():
    tried = some(1, settings=1, seeds=6)
    assert choice.frontier([5, 10, 20], tried, BUDGET) == survival.frontier([5, 10, 20], tried.solved[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_slope_and_its_interval_are_those_of_all_samples(seed):
    tried, lengths, rates = some(seed, seeds=3, lengths=4), [5, 10, 20, 40], [0.003, 0.01, 0.03]
    solvable = [place for place in range(4) if tried.solved[:, :, place].any()]

    def slope(choices):
        x = np.log([lengths[place] for place in solvable])
        return np.polyfit(x, np.log([rates[choices[place]] for place in solvable]), 1)[0]

    found = choice.slope(lengths, rates, tried, BUDGET)
    samples = [slope(naive(tried, sample)[1]) for sample in product(range(3), repeat=3)]
    assert found.value == pytest.approx(slope(naive(tried, range(3))[1]), abs=1e-9)
    # Of 9,999 draws among 27 equally likely samples: between the neighbours of the quantile.
    for bound, q in ((found.low, 0.025), (found.high, 0.975)):
        low, high = np.quantile(samples, [max(q - 0.01, 0), min(q + 0.01, 1)], method="inverted_cdf")
        assert low - 1e-9 <= bound <= high + 1e-9


def test_no_slope_where_one_length_alone_was_solved():
    tried = runs([[10, BUDGET], [10, BUDGET]], [[20, BUDGET], [20, BUDGET]])
    assert choice.slope([5, 10], [0.003, 0.01], tried, BUDGET) is None
