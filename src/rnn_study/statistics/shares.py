"""Shares of runs that did something, with their intervals."""

import numpy as np
from scipy import stats

from .crossed import LEVEL, Estimate


def share(successes: int, n: int) -> Estimate:
    """A share with its Wilson interval (Wilson 1927)."""
    bounds = stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Estimate(successes / n, float(bounds.low), float(bounds.high))


def difference_of_shares(a: tuple[int, int], b: tuple[int, int]) -> Estimate:
    """The share of a less that of b, each (successes, n); its interval is Newcombe's (1998, method 10)."""
    one, other = share(*a), share(*b)
    low = np.hypot(one.value - one.low, other.high - other.value)
    high = np.hypot(one.high - one.value, other.value - other.low)
    gap = one.value - other.value
    return Estimate(gap, float(gap - low), float(gap + high))


def chance_of_more(a: np.ndarray, b: np.ndarray) -> float:
    """The chance that one of a (n,) is larger than one of b (m,), ties counting half: the Mann-Whitney U over n m."""
    return float((np.sign(np.subtract.outer(a, b)) + 1).mean() / 2)
