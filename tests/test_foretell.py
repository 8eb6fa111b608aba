"""What a number foretells: against scikit-learn's AUC, by hand, and on runs that it says nothing of."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rnn_study.statistics import foretell
from rnn_study.statistics.foretell import foretold


def runs(rng, seeds=8, strata=3, tells=0.0):
    """Runs of every seed in every stratum; a stratum shifts numbers and success alike, `tells` is what a number
    says."""
    seed, stratum = (axis.ravel() for axis in np.meshgrid(np.arange(seeds), np.arange(strata)))
    values = rng.normal(size=len(seed)) + 5 * stratum
    chance = tells * (values - 5 * stratum) + rng.normal(size=len(seed)) + stratum - 1
    return values, chance > 0, stratum, seed


def test_with_one_stratum_it_is_the_auc_of_each_half():
    values, solved, _, seeds = runs(np.random.default_rng(3), seeds=12, strata=1, tells=1.0)
    found = foretold(values, solved, np.zeros(12, int), seeds)
    halves = [slice(0, None, 2), slice(1, None, 2)]
    aucs = [roc_auc_score(solved[half], values[half]) for half in halves]
    assert min(aucs) > 0.5  # either half says that larger is better
    assert found.auc == pytest.approx(np.mean(aucs))
    assert found.larger
    assert found.pairs == sum(int(solved[half].sum() * (~solved[half]).sum()) for half in halves)
    turned = foretold(-values, solved, np.zeros(12, int), seeds)
    assert turned.auc == pytest.approx(found.auc)
    assert not turned.larger


def test_what_differs_between_strata_alone_tells_nothing():
    """Numbers and success both grow with the stratum, so over all runs they agree; within one all numbers are alike."""
    stratum, seeds = np.repeat([0, 1], 8), np.tile(np.arange(8), 2)
    solved = np.where(stratum == 0, seeds < 2, seeds >= 2)
    values = 10.0 * stratum
    assert roc_auc_score(solved, values) > 0.7
    found = foretold(values, solved, stratum, seeds)
    assert found.auc == found.low == found.high == 0.5
    assert found.larger
    assert found.pairs == 2 * 2 * 3  # strata, halves, one against three


def test_which_way_success_lies_is_told_within_strata():
    """In either stratum the larger number solves; but numbers are larger where less is solved."""
    stratum, seeds = np.repeat([0, 1], 8), np.tile(np.arange(8), 2)
    solved = np.where(stratum == 0, seeds >= 2, seeds >= 6)
    values = 10.0 * stratum + seeds
    assert roc_auc_score(solved, values) < 0.5
    assert foretold(values, solved, stratum, seeds).larger
    assert not foretold(-values, solved, stratum, seeds).larger


def test_a_direction_that_one_half_says_alone_counts_against_it():
    """In one half larger solves, in the other smaller does: each is judged by the other's direction, and is wrong."""
    seeds = np.arange(8)
    values = np.array([1.0, 8, 2, 7, 3, 6, 4, 5])
    solved = np.array([0, 0, 0, 0, 1, 1, 1, 1], bool)  # even seeds: the larger two, odd ones: the smaller two
    found = foretold(values, solved, np.zeros(8, int), seeds)
    assert found.auc == 0.0


def test_the_interval_holds_the_truth_as_often_as_it_says_where_nothing_is_told():
    """Of 200 studies of a number that tells nothing, few intervals lie above one half."""
    rng, above, known = np.random.default_rng(0), 0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foretell, "RESAMPLES", 400)
        for _ in range(200):
            found = foretold(*runs(rng, seeds=12, strata=4))
            known += found is not None
            above += found is not None and found.low > 0.5
    assert known > 190
    assert above <= 12  # 2.5 % would be five


def test_a_number_that_tells_is_found():
    found = foretold(*runs(np.random.default_rng(1), seeds=12, strata=4, tells=3.0))
    assert found.auc > 0.8
    assert found.low > 0.5


@pytest.mark.parametrize("solved", [[True] * 8, [True, False] * 4])
def test_none_where_a_half_has_no_pair(solved):
    assert foretold(np.arange(8.0), np.array(solved), np.zeros(8, int), np.arange(8)) is None


def naive(values, solved, strata, seeds, sample):
    """Of the runs of a sample of seeds, each as often as it stands there: the share of pairs in which the solved run
    has the larger number, a tie a half; 0.5 of no pair."""
    won = [
        (values[a] > values[b]) + (values[a] == values[b]) / 2
        for one in sample
        for other in sample
        for a in np.flatnonzero((seeds == one) & solved)
        for b in np.flatnonzero((seeds == other) & ~solved)
        if strata[a] == strata[b]
    ]
    return np.mean(won) if won else 0.5


@pytest.mark.parametrize("seed", [0, 1, 2, 5, 6, 7])
def test_the_interval_is_that_of_all_samples(seed):
    """Three seeds a half: 27 samples of each, every two of which are equally likely."""
    data = runs(np.random.default_rng(seed), seeds=6, strata=3, tells=1.0)
    found = foretold(*data)

    def judged(first, second):
        aucs = naive(*data, first), naive(*data, second)
        return np.mean([auc if other >= 0.5 else 1 - auc for auc, other in (aucs, aucs[::-1])])

    assert found.auc == pytest.approx(judged((0, 2, 4), (1, 3, 5)))
    assert found.larger == (naive(*data, range(6)) >= 0.5)
    samples = [judged(a, b) for a in product((0, 2, 4), repeat=3) for b in product((1, 3, 5), repeat=3)]
    assert found.low < found.high
    for bound, q in ((found.low, 0.025), (found.high, 0.975)):  # of 9,999 draws among 729
        low, high = np.quantile(samples, [q - 0.008, q + 0.008], method="inverted_cdf")
        assert low - 1e-9 <= bound <= high + 1e-9


def test_two_seeds_a_half_are_enough():
    values, solved = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 1], bool)
    assert foretold(values, solved, np.zeros(4, int), np.arange(4))[:4] == (1.0, 0.5, 1.0, True)


def test_none_of_three_seeds():
    assert foretold(np.arange(3.0), np.array([1, 0, 1], bool), np.zeros(3, int), np.arange(3)) is None
