"""Statistics of scores over seeds: pure functions of documented arrays.

The interquartile mean (IQM) is the 25 % trimmed mean (Agarwal et al. 2021, arXiv 2108.13264). Percentile
bootstrap intervals of it cover too little below ten seeds, so there the interval is Tukey and McLaughlin's
(1963): Student's t on the winsorised spread, plain t where nothing is trimmed.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

TRIM = 0.25
LEVEL = 0.95
BOOTSTRAP_FROM = 10  # seeds
ALPHA = 0.05
SMALLEST = {"accuracy": 0.0005, "rmse": 0.005}  # what a report would round to nothing is never claimed
EQUIVALENCE_FROM = 10  # seeds
CLAIM_FROM = 3  # seeds: below, a t test has no spread to speak of, and no claim is made


class Estimate(NamedTuple):
    """A value with its interval, 95 % unless said otherwise."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """a - b over n paired seeds: mean difference with t interval, p of the paired t test, P(a > b)."""

    difference: Estimate
    p: float
    probability_of_improvement: float
    n: int


def iqm(scores: np.ndarray, level: float = LEVEL) -> Estimate:
    """IQM of scores (n,), n >= 2, with its interval."""
    x = np.asarray(scores, float)
    value = float(stats.trim_mean(x, TRIM))
    if np.ptp(x) == 0:
        return Estimate(value, value, value)
    if len(x) >= BOOTSTRAP_FROM:
        interval = stats.bootstrap(
            (x,),
            lambda sample, axis: stats.trim_mean(sample, TRIM, axis=axis),
            confidence_level=level,
            method="percentile",
            n_resamples=9999,
            rng=np.random.default_rng(0),
        ).confidence_interval
        return Estimate(value, float(interval.low), float(interval.high))
    cut = int(TRIM * len(x))  # from each end
    kept = len(x) - 2 * cut
    winsorised = np.clip(x, np.sort(x)[cut], np.sort(x)[-1 - cut])
    if np.ptp(winsorised) == 0:  # the middle is all ties: the ends are the only spread there is
        winsorised, kept = x, len(x)
    error = np.sqrt(np.sum((winsorised - winsorised.mean()) ** 2) / (kept * (kept - 1)))
    half = float(stats.t.ppf(0.5 + level / 2, kept - 1) * error)
    return Estimate(value, value - half, value + half)


def probability_of_improvement(a: np.ndarray, b: np.ndarray) -> float:
    """P(a > b) for scores a (n,) and b (m,), ties counting half: the Mann-Whitney U over n m."""
    return float((np.sign(np.subtract.outer(a, b)) + 1).mean() / 2)


def compare(a: np.ndarray, b: np.ndarray, level: float = LEVEL) -> Comparison:
    """Compare scores a (n,) and b (n,) of the same seeds, in the same order."""
    differences = np.asarray(a, float) - np.asarray(b, float)
    n, mean = len(differences), float(differences.mean())
    improvement = probability_of_improvement(np.asarray(a), np.asarray(b))
    if np.ptp(differences) <= 1e-9 * abs(mean):  # no spread for a t test: the sign test's exact p-value
        return Comparison(Estimate(mean, mean, mean), 1.0 if mean == 0 else min(1.0, 2 * 0.5**n), improvement, n)
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(level)
    estimate = Estimate(mean, float(interval.low), float(interval.high))
    return Comparison(estimate, float(test.pvalue), improvement, n)


class Equivalence(NamedTuple):
    """Two one-sided t tests of n paired differences against -margin and margin.

    p: the larger of the two p-values. interval: the mean difference with its 90 % interval, which lies within the
    margin exactly where p < 0.05. power: the chance that both tests succeed if there is no difference, at the spread
    that was seen; at least this much.
    """

    p: float
    interval: Estimate
    power: float
    n: int


def equivalence(a: np.ndarray, b: np.ndarray, margin: float) -> Equivalence:
    """Are scores a (n,) and b (n,) of the same seeds closer together than `margin`? Schuirmann 1987, paired.

    The power is from the noncentral t distributions of the two tests (Phillips 1990), their overlap left out.
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    n, mean = len(differences), float(differences.mean())
    error = float(differences.std(ddof=1)) / np.sqrt(n)
    if np.ptp(differences) <= 1e-9 * max(abs(mean), margin):  # no spread for a t test: the sign test's exact p-value
        inside = abs(mean) < margin
        return Equivalence(0.5**n if inside else 1.0, Estimate(mean, mean, mean), 1.0 if 0.5**n < ALPHA else 0.0, n)
    p = max(stats.t.sf((mean + margin) / error, n - 1), stats.t.cdf((mean - margin) / error, n - 1))
    critical = float(stats.t.ppf(1 - ALPHA, n - 1))
    missed = float(stats.nct.cdf(critical, n - 1, margin / error))  # by either of the two
    half = critical * error
    return Equivalence(float(p), Estimate(mean, mean - half, mean + half), max(0.0, 1 - 2 * missed), n)


class Shares(NamedTuple):
    """The shares of two groups that succeeded, a - b, each with its interval; p of Fisher's exact test."""

    a: Estimate
    b: Estimate
    difference: Estimate
    p: float


def share(successes: int, n: int, level: float = LEVEL) -> Estimate:
    """A share with its Wilson interval (Wilson 1927)."""
    bounds = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return Estimate(successes / n, float(bounds.low), float(bounds.high))


def compare_shares(a: tuple[int, int], b: tuple[int, int]) -> Shares:
    """Compare (successes, n) of two groups; the interval of the difference is Newcombe's (1998, method 10)."""
    one, other = share(*a), share(*b)
    low = np.hypot(one.value - one.low, other.high - other.value)
    high = np.hypot(one.high - one.value, other.value - other.low)
    gap = one.value - other.value
    table = [[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]
    found = Estimate(gap, float(gap - low), float(gap + high))
    return Shares(one, other, found, float(stats.fisher_exact(table).pvalue))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values (m,) adjusted for m comparisons so that the family's error stays bounded (Holm 1979)."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
