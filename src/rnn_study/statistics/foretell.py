"""How well a number that is known before training foretells which runs will solve their problem."""

from typing import NamedTuple

import numpy as np

from .crossed import LEVEL
from .survival import RESAMPLES


class Foretold(NamedTuple):
    """auc: the chance that of a run that solved its problem and one that did not, alike in all else, the number tells
    which is which (0.5: it tells nothing), with its interval. larger: whether larger numbers foretell success. pairs:
    how many such pairs there are."""

    auc: float
    low: float
    high: float
    larger: bool
    pairs: int


def _wins(values: np.ndarray, solved: np.ndarray, strata: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """By seed of the solved run and seed of the other one, (S, S, 2): how often, within a stratum, the solved run has
    the larger number (ties half), and how many such pairs there are."""
    names, place = np.unique(seeds, return_inverse=True)
    found = np.zeros((len(names), len(names), 2))
    for stratum in np.unique(strata):
        yes, no = (np.flatnonzero((strata == stratum) & (solved == was)) for was in (True, False))
        if len(yes) and len(no):
            more = (np.sign(np.subtract.outer(values[yes], values[no])) + 1) / 2
            at = np.ix_(place[yes], place[no])
            np.add.at(found[..., 0], at, more)
            np.add.at(found[..., 1], at, 1.0)
    return found


def _auc(wins: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUC (B,) and pairs (B,) of samples that have each seed `counts` (B, S) times; 0.5 of no pair."""
    more, pairs = (np.einsum("bs,st,bt->b", counts, wins[..., k], counts) for k in (0, 1))
    return np.divide(more, pairs, out=np.full_like(more, 0.5), where=pairs > 0), pairs


def foretold(values: np.ndarray, solved: np.ndarray, strata: np.ndarray, seeds: np.ndarray) -> Foretold | None:
    """The AUC of `values` (n,) for `solved` (n,), over pairs of runs of one stratum (n,): an area under the ROC curve
    that what differs between strata, the length above all, can neither make nor hide.

    Which way success lies is fitted on one half of the seeds and judged on the other, both ways round; the interval is
    the percentile bootstrap over the seeds of each half. None where a half has no pair, or only one seed.
    """
    names = np.unique(seeds)
    halves = names[::2], names[1::2]
    if min(map(len, halves)) < 2:
        return None
    rng, judged, samples, total = np.random.default_rng(0), [], [], 0
    tables = []
    for half in halves:
        rows = np.isin(seeds, half)
        wins = _wins(values[rows], solved[rows], strata[rows], seeds[rows])
        if not wins[..., 1].any():
            return None
        draws = rng.integers(0, len(half), (RESAMPLES, len(half)))
        counts = np.stack([(draws == seed).sum(axis=1) for seed in range(len(half))], axis=1)
        tables.append((wins, counts))
    for (fit, fit_counts), (wins, counts) in (tables, tables[::-1]):
        once = np.ones((1, len(wins)))
        (own,), (pairs,) = _auc(wins, once)
        up = _auc(fit, np.ones((1, len(fit))))[0][0] >= 0.5
        judged.append(own if up else 1 - own)
        drawn, fitted = _auc(wins, counts)[0], _auc(fit, fit_counts)[0]
        samples.append(np.where(fitted >= 0.5, drawn, 1 - drawn))
        total += int(pairs)
    low, high = np.quantile(np.mean(samples, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    whole = _auc(_wins(values, solved, strata, seeds), np.ones((1, len(names))))[0][0]
    return Foretold(float(np.mean(judged)), float(low), float(high), bool(whole >= 0.5), total)
