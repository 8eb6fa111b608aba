"""What may be said of a question that was asked beforehand, and how likely fresh seeds are to say otherwise."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from .crossed import Mean

ALPHA = 0.005  # after correction: Benjamin et al. 2018, doi 10.1038/s41562-017-0189-z
DECIDES = 8  # seeds: a permutation test of 6 against 6 ends at p = 0.0022, of 8 against 8 at 0.00016
POWER = 0.8
MOST_SEEDS = 1000  # that a plan looks at

Word = Literal["holds", "opposite", "no difference that matters", "open"]


class Case(NamedTuple):
    """A question's figures: a - b, p of the test of no difference, the smallest difference that matters, the sign that
    the claim gives to a - b, and the seeds behind it, of the side that has fewer."""

    found: Mean
    p: float
    smallest: float
    expected: int
    seeds: int


class Verdict(NamedTuple):
    """verdict: one `Word`. p: the smaller one of the tests of no difference and of one that matters, p_adjusted: after
    correction for the family. otherwise: the chance that fresh seeds would say otherwise. power: the chance that a
    difference of the smallest size that matters is found at these seeds and this spread. needs: seeds for `POWER`, None
    where no number of them is enough, for the test examples are too few."""

    verdict: Word
    p: float
    p_adjusted: float
    otherwise: float
    power: float
    needs: int | None


def equivalence(found: Mean, margin: float) -> float:
    """p of two one-sided t tests (Schuirmann 1987) of a difference of at least `margin`, either way."""
    if found.error <= 1e-9 * margin:  # no spread for a t test: the sign test's exact p
        return 0.5**found.rows if abs(found.value) < margin else 1.0
    low, high = (found.value + margin) / found.error, (found.value - margin) / found.error
    return float(max(stats.t.sf(low, found.df), stats.t.cdf(high, found.df)))


def holm(p: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """p-values (m,) adjusted so that the error of the whole family stays bounded (Holm 1979), and by how much each was
    multiplied."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted, by = np.empty_like(p), np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    by[order] = factors
    return adjusted, by


class _Bounds(NamedTuple):
    """Where verdicts change, in units of a - b: beyond `apart` a difference is there, nearer than `near` none matters
    (nowhere, where that is not above 0)."""

    apart: float
    near: float


def _bounds(error: float, df: float, smallest: float, level: float) -> _Bounds:
    return _Bounds(float(stats.t.ppf(1 - level / 2, df)) * error, smallest - float(stats.t.ppf(1 - level, df)) * error)


def otherwise(case: Case, word: Word, level: float) -> float:
    """The chance that a rerun with as many fresh seeds gives another verdict than `word`, each test at `level`.

    The rerun's difference is predicted around this one's with twice its variance, as Goodman (1992, doi
    10.1002/sim.4780110705) does; of the variance counts what seeds redraw, for the test examples stay.
    """
    found = case.found
    apart, near = _bounds(found.error, found.df, case.smallest, level)
    spread = sqrt(2) * found.fresh

    def below(bound: float) -> float:
        if spread == 0:
            return float(found.value < bound)
        return float(stats.t.cdf((bound - found.value) / spread, found.rows - 1))

    none = below(near) - below(-near) if near > 0 else 0.0
    beyond = max(apart, near)
    sides = {1: 1 - below(beyond), -1: below(-beyond)}
    chances = {"no difference that matters": none, "holds": sides[case.expected], "opposite": sides[-case.expected]}
    chances["open"] = 1 - sum(chances.values())
    return float(np.clip(1 - chances[word], 0.0, 1.0))


def power(found: Mean, smallest: float, level: float, rows: int | None = None) -> float:
    """The chance that a t test at `level` finds a difference of `smallest`, at the spread of `found`, with another
    number of rows if one is given: what seeds redraw shrinks with it, what examples do stays."""
    error, df = found.error, found.df
    if rows is not None:
        error = sqrt(found.fresh**2 * found.rows / rows + max(found.error**2 - found.fresh**2, 0.0))
        df = max(found.df * rows / found.rows, rows - 1)
    if error == 0:
        return 1.0
    return float(stats.nct.sf(stats.t.ppf(1 - level / 2, df), df, smallest / error))


def seeds_needed(found: Mean, smallest: float, level: float, each: int = 1) -> int | None:
    """The fewest seeds, `DECIDES` or more, with which `power` is `POWER`; None where `MOST_SEEDS` are not enough.
    `each`: seeds that share a row of `found`, for they share a search for settings."""
    low, high = ceil(DECIDES / each), MOST_SEEDS // each
    if power(found, smallest, level, high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        if power(found, smallest, level, middle) < POWER:
            low = middle + 1
        else:
            high = middle
    return low * each


def _word(case: Case, near: float, p_adjusted: float, factor: float) -> Word:
    if case.seeds < DECIDES or p_adjusted >= ALPHA:
        return "open"
    if near * factor < ALPHA:
        return "no difference that matters"
    return "holds" if case.found.value * case.expected > 0 else "opposite"


def judge(family: Sequence[Case]) -> list[Verdict]:
    """The verdict on each question of a study, corrected for their number (Holm); never for what else was run.

    Of one true difference at most one of the two tests of a question can err, so a question counts once.
    """
    nearness = [equivalence(case.found, case.smallest) for case in family]
    smaller = [min(case.p, near) for case, near in zip(family, nearness, strict=True)]
    judged = []
    for case, near, p, p_adjusted, factor in zip(family, nearness, smaller, *holm(smaller), strict=True):
        word, level = _word(case, near, p_adjusted, factor), ALPHA / factor
        planned, each = (case.found, case.smallest, ALPHA / len(family)), max(case.seeds // case.found.rows, 1)
        chances = otherwise(case, word, level), power(*planned), seeds_needed(*planned, each)
        judged.append(Verdict(word, p, float(p_adjusted), *chances))
    return judged
