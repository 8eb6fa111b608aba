"""Statistics of problems that are solved or not: pure functions of documented arrays.

A run that has not solved its problem when its updates are spent is censored: it needs more than these, nobody knows
how many. It is never left out, and never counted as a number of updates.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from warnings import catch_warnings

import numpy as np
from scipy import optimize, stats

from .crossed import LEVEL

RESAMPLES = 9999
SPLITS = 20_000  # of a permutation test: all of 8 against 8 seeds, 12,870
_SLACK = 1e-12  # of shares that rounding has moved


class Curve(NamedTuple):
    """The share of runs that have solved a problem by these numbers of updates, with its interval; each (K,)."""

    updates: np.ndarray
    solved: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _censored(updates: np.ndarray, solved: np.ndarray) -> stats.CensoredData:
    return stats.CensoredData.right_censored(np.asarray(updates, float), ~np.asarray(solved, bool))


def kaplan_meier(updates: np.ndarray, solved: np.ndarray) -> Curve:
    """One minus the estimate of Kaplan and Meier (1958) for runs solved at, or censored after, `updates` (n,); its
    interval is Greenwood's on the scale of log(-log), NaN where nothing or everything is solved."""
    survival = stats.ecdf(_censored(updates, solved)).sf
    with np.errstate(divide="ignore", invalid="ignore"), catch_warnings(action="ignore"):
        interval = survival.confidence_interval(LEVEL, method="log-log")
    low, high = (1 - bound.probabilities for bound in (interval.high, interval.low))
    return Curve(survival.quantiles, 1 - survival.probabilities, low, high)


def median_updates(updates: np.ndarray, solved: np.ndarray) -> float | None:
    """The updates by which half of the runs have solved the problem; None where fewer do."""
    curve = kaplan_meier(updates, solved)
    reached = np.flatnonzero(curve.solved >= 0.5 - _SLACK)
    return float(curve.updates[reached[0]]) if len(reached) else None


def _permuted(statistic: Callable[[np.ndarray], np.ndarray], a: int, b: int) -> float:
    """Two-sided p of `statistic` under all ways to call a of a + b runs the first group, or `SPLITS` of them drawn:
    it takes labels (splits, a + b), 1 for a run of the first group, the first a runs in truth."""

    def labelled(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        labels = np.zeros((*first.shape[:-1], a + b))
        np.put_along_axis(labels, first, 1.0, axis=-1)
        return statistic(labels)

    groups = np.arange(a), np.arange(a, a + b)
    rng = np.random.default_rng(0)
    return float(stats.permutation_test(groups, labelled, vectorized=True, n_resamples=SPLITS, rng=rng).pvalue)


class Runs(NamedTuple):
    """The runs of a contender at several lengths, by seed: `updates` (S, L), at which a run had solved its problem, or
    was censored; `solved` (S, L); `ran` (L,), False where the contender never came to a length: nothing is solved there
    and all of the budget spent."""

    updates: np.ndarray
    solved: np.ndarray
    ran: np.ndarray

    def at(self, lengths: np.ndarray) -> "Runs":
        """At the lengths (L,) that are True alone."""
        return Runs(self.updates[:, lengths], self.solved[:, lengths], self.ran[lengths])


def _logrank_parts(updates: np.ndarray, solved: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one length, for each way (splits,) to call runs the first group: its solved runs less those expected, and the
    variance of that (Mantel 1966). updates, solved (n,); first (splits, n), 1 for the first group."""
    times = np.unique(updates[solved])
    waiting, ending = updates[:, None] >= times, (updates[:, None] == times) & solved[:, None]
    n, d = waiting.sum(axis=0), ending.sum(axis=0)
    mine = first @ waiting
    expected = d * mine / n
    variance = d * mine / n * (1 - mine / n) * (n - d) / np.maximum(n - 1, 1)
    return (first @ ending - expected).sum(axis=-1), variance.sum(axis=-1)


def logrank_statistic(updates: np.ndarray, solved: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Z of the log-rank test stratified by length, (splits,); 0 where nothing varies. updates, solved (n, L), a row a
    seed; first (splits, n), 1 for a seed of the first group."""
    updates, solved = np.asarray(updates, float), np.asarray(solved, bool)
    parts = [_logrank_parts(*columns, first) for columns in zip(updates.T, solved.T, strict=True)]
    gap, variance = (np.sum(values, axis=0) for values in zip(*parts, strict=True))
    spread = np.sqrt(variance)
    return np.divide(gap, spread, out=np.zeros_like(gap), where=spread > 1e-12)


def logrank(a: Runs, b: Runs) -> float:
    """p of the log-rank test between two contenders, stratified by length, by permutation of whole seeds: exact for as
    few as there are here, where the normal distribution gives too small ones (Heinze et al. 2003)."""
    updates, solved = (np.concatenate(both) for both in zip(a[:2], b[:2], strict=True))
    if not updates.shape[1]:
        return 1.0
    return _permuted(lambda first: logrank_statistic(updates, solved, first), len(a.updates), len(b.updates))


def compare_reaches(a: np.ndarray, b: np.ndarray) -> float:
    """p of the permutation test between two groups of seeds, a and b the number of lengths that each seed solves."""
    reaches = np.concatenate([a, b]).astype(float)
    return _permuted(
        lambda first: first @ reaches, len(a), len(b)
    )  # the total is fixed: as good as the difference of means


class Frontier(NamedTuple):
    """The length that half of the seeds solve.

    length: between two lengths of the grid, along the logarithm. Where half still solve the longest of the grid it is
    that one, and `open` says `above`; where fewer solve the shortest it is that one, and `open` says `below`. low,
    high: the interval: lengths of the grid, low the longest within the frontier (0: none), high the first beyond it
    (None: none).
    """

    length: float
    open: str | None
    low: int
    high: int | None


def _falling(rates: np.ndarray) -> np.ndarray:
    return optimize.isotonic_regression(rates, increasing=False).x


def _reach(rates: np.ndarray) -> int:
    """The place of the last length that half solve, -1 where none, of rates made to fall."""
    return int(np.count_nonzero(_falling(rates) >= 0.5 - _SLACK)) - 1


def frontier(lengths: Sequence[int], solved: np.ndarray, level: float = LEVEL) -> Frontier:
    """The frontier from `solved` (n seeds, L lengths, in rising order), with its percentile bootstrap over seeds.

    The interval always reaches from one length of the grid to another: between two neighbours nothing is known. Seeds
    that all agree have no spread to draw from: it is approximate, and no test rests on it alone.
    """
    solved = np.asarray(solved, float)
    draws = np.random.default_rng(0).integers(0, len(solved), (RESAMPLES, len(solved)))
    return between_lengths(lengths, solved.mean(axis=0), solved[draws].mean(axis=1), level)


def between_lengths(lengths: Sequence[int], rates: np.ndarray, samples: np.ndarray, level: float = LEVEL) -> Frontier:
    """The frontier of the share solved at each length, `rates` (L,), with its percentile interval from bootstrap
    samples of them (B, L)."""
    last = len(lengths) - 1
    samples, counts = np.unique(samples, axis=0, return_counts=True)
    reached = np.repeat([_reach(sample) for sample in samples], counts)
    tail = (1 - level) / 2
    low, high = (int(np.quantile(reached, q, method="inverted_cdf")) for q in (tail, 1 - tail))
    bounds = lengths[low] if low >= 0 else 0, lengths[high + 1] if high < last else None
    place, falling = _reach(rates), _falling(rates)
    if place < 0:
        return Frontier(float(lengths[0]), "below", *bounds)
    if place == last:
        return Frontier(float(lengths[last]), "above", *bounds)
    share = (falling[place] - 0.5) / (falling[place] - falling[place + 1])
    return Frontier(float(lengths[place] * (lengths[place + 1] / lengths[place]) ** share), None, *bounds)
