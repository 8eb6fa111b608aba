"""Statistics of problems that are solved or not: pure functions of documented arrays.

A run that has not solved its problem when its updates are spent is censored: it needs more than these, nobody knows
how many. It is never left out, and never counted as a number of updates.
"""

from collections.abc import Sequence
from typing import NamedTuple
from warnings import catch_warnings

import numpy as np
from scipy import optimize, stats

from .stats import ALPHA, LEVEL

RESAMPLES = 9999
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


def restricted_mean(updates: np.ndarray, solved: np.ndarray) -> float:
    """The mean updates to the solution, as far as these are: the area under the share not yet solved up to the last
    update seen (Royston & Parmar 2013)."""
    curve, end = kaplan_meier(updates, solved), float(np.max(updates))
    edges = np.concatenate([[0.0], curve.updates, [end]])
    left = np.concatenate([[1.0], 1 - curve.solved])
    return float(np.sum(np.diff(edges) * left))


def logrank(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """p of the log-rank test (Mantel 1966) between two groups, each (updates (n,), solved (n,)); 1 where nothing tells
    them apart: no run was solved, or all at once."""
    if not (np.any(a[1]) or np.any(b[1])):
        return 1.0
    with np.errstate(invalid="ignore"):
        p = float(stats.logrank(_censored(*a), _censored(*b)).pvalue)
    return 1.0 if np.isnan(p) else p


class Frontier(NamedTuple):
    """The length that half of the seeds solve.

    length: between two lengths of the grid, along the logarithm; None where fewer solve the shortest, `open` then says
    `below`. Where half still solve the longest of the grid it is that one, and `open` says `above`. low, high: the
    interval: lengths of the grid, low the longest that is surely within the frontier (0: none), high the first that is
    surely beyond it (None: none).
    """

    length: float | None
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

    The interval always reaches from one length of the grid to another: between two neighbours nothing is known.
    """
    solved = np.asarray(solved, float)
    rates, last = solved.mean(axis=0), len(lengths) - 1
    draws = np.random.default_rng(0).integers(0, len(solved), (RESAMPLES, len(solved)))
    samples, counts = np.unique(solved[draws].mean(axis=1), axis=0, return_counts=True)
    reached = np.repeat([_reach(sample) for sample in samples], counts)
    tail = (1 - level) / 2
    low, high = (int(np.quantile(reached, q, method="inverted_cdf")) for q in (tail, 1 - tail))
    bounds = lengths[low] if low >= 0 else 0, lengths[high + 1] if high < last else None
    place, falling = _reach(rates), _falling(rates)
    if place < 0:
        return Frontier(None, "below", *bounds)
    if place == last:
        return Frontier(float(lengths[last]), "above", *bounds)
    share = (falling[place] - 0.5) / (falling[place] - falling[place + 1])
    return Frontier(float(lengths[place] * (lengths[place + 1] / lengths[place]) ** share), None, *bounds)


def beyond(a: Frontier, b: Frontier) -> bool:
    """Whether the interval of a lies wholly beyond that of b."""
    return b.high is not None and a.low >= b.high


def power(n: int, a: float, b: float) -> float:
    """The chance that Fisher's exact test tells success rates a and b apart, with n seeds in each group."""
    counts = np.arange(n + 1)
    told = np.array([[stats.fisher_exact([[i, n - i], [j, n - j]]).pvalue < ALPHA for j in counts] for i in counts])
    return float(stats.binom.pmf(counts, n, a) @ told @ stats.binom.pmf(counts, n, b))
