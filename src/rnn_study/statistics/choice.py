"""What the best of several settings reaches, where the same runs also say which one is the best.

Of several settings the best one looks better than it is, for it is the one that luck favoured. So each seed counts at
the setting that the other seeds choose (leave one out: Stone 1974), and in every bootstrap sample the choice is made
anew: it is a part of the randomness.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .crossed import LEVEL, Estimate
from .survival import RESAMPLES, Frontier, between_lengths


class Tried(NamedTuple):
    """Runs at R settings, by seed and length, each (R, S, L): the updates at which a run had solved its problem, or was
    censored, and whether it had."""

    updates: np.ndarray
    solved: np.ndarray


def _merit(tried: Tried, budget: int) -> np.ndarray:
    """What a setting is chosen by, (R, S, L), whole numbers to be summed over seeds: the share solved, among equals the
    fewer updates, of which a censored run counts its budget."""
    seeds = tried.solved.shape[1]
    return tried.solved * (seeds * budget + 1) + budget - np.minimum(tried.updates, budget)


def _counts(seeds: int) -> np.ndarray:
    """How often each bootstrap sample has each seed, (RESAMPLES, S)."""
    draws = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    return np.stack([(draws == seed).sum(axis=1) for seed in range(seeds)], axis=1)


def chosen(tried: Tried, budget: int, counts: np.ndarray | None = None) -> np.ndarray:
    """The setting that all seeds choose at each length, (L,), or, by samples that have each seed `counts` (B, S) times,
    (B, L); the first of equals."""
    merit = _merit(tried, budget)
    if counts is None:
        return merit.sum(axis=1).argmax(axis=0)
    return np.einsum("bs,rsl->brl", counts, merit).argmax(axis=1)


def _at_the_others_choice(tried: Tried, budget: int, counts: np.ndarray) -> np.ndarray:
    """Whether each seed (B, S, L) solved each length at the setting that the other seeds of its sample choose."""
    merit = _merit(tried, budget)
    whole = np.einsum("bs,rsl->brl", counts, merit)
    seeds = range(merit.shape[1])
    others = [(whole - counts[:, seed, None, None] * merit[:, seed]).argmax(axis=1) for seed in seeds]  # each (B, L)
    picked = [np.take_along_axis(tried.solved[:, seed], choice, axis=0) for seed, choice in enumerate(others)]
    return np.stack(picked, axis=1)


def shares(tried: Tried, budget: int) -> np.ndarray:
    """The share of seeds (L,) that solve each length at the setting that the others choose."""
    once = np.ones((1, tried.solved.shape[1]), int)
    return _at_the_others_choice(tried, budget, once)[0].mean(axis=0)


def frontier(lengths: Sequence[int], tried: Tried, budget: int) -> Frontier:
    """`survival.frontier` at the chosen settings."""
    counts = _counts(tried.solved.shape[1])
    solved = _at_the_others_choice(tried, budget, counts)
    samples = (counts[:, :, None] * solved).sum(axis=1) / counts.sum(axis=1)[:, None]
    return between_lengths(lengths, shares(tried, budget), samples)


def slope(lengths: Sequence[int], settings: Sequence[float], tried: Tried, budget: int) -> Estimate | None:
    """By which power of the length the chosen setting grows, with its percentile bootstrap over seeds: least squares of
    the logarithms, over the lengths that some run solved. None where these are fewer than two."""
    solvable = tried.solved.any(axis=(0, 1))
    if solvable.sum() < 2:
        return None
    x = np.log(np.asarray(lengths, float)[solvable])
    x = x - x.mean()
    logs = np.log(np.asarray(settings, float))

    def of(choice: np.ndarray) -> np.ndarray:
        return logs[choice[..., solvable]] @ x / (x @ x)

    samples = of(chosen(tried, budget, _counts(tried.solved.shape[1])))
    bounds = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # Rounded, for the slope of one rate at every length is 0, and not what rounding leaves of it.
    return Estimate(*(round(float(one), 9) + 0.0 for one in (of(chosen(tried, budget)), *bounds)))
