"""Scores as what they are: means over seeds and over test examples, both drawn at random.

Every network of a study answers the same test examples, so seeds and examples are crossed random effects (Clark 1973;
Baayen et al. 2008; Owen & Eckles 2012, arXiv 1106.2125): more seeds make a score surer, but never surer than its test
part allows. Examples that follow one another in time are compared as Diebold & Mariano (1995) do.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Estimate(NamedTuple):
    """A value with its interval, 95 % unless said otherwise."""

    value: float
    low: float
    high: float


class Mean(NamedTuple):
    """A mean over seeds and examples.

    error: its standard error, seeds and examples drawn anew. fresh: with seeds alone drawn anew, as a rerun on the same
    test part does. df: degrees of freedom of `error`. rows: S, what seeds are independent in.
    """

    value: float
    error: float
    fresh: float
    df: float
    rows: int

    def interval(self, level: float = LEVEL) -> Estimate:
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.error
        return Estimate(self.value, self.value - half, self.value + half)

    def p(self) -> float:
        """Two-sided p of a t test against 0."""
        gap = abs(self.value)
        if self.error <= 1e-9 * gap:  # no spread for a t test: the sign test's exact p
            return 1.0 if gap == 0 else min(1.0, 2 * 0.5**self.rows)
        return float(2 * stats.t.sf(gap / self.error, self.df))


def long_run_error(series: np.ndarray) -> float:
    """The standard error of the mean of `series` (N,), whose values depend on those before them.

    Autocovariances up to lag N^(1/3), weighted so that no variance is negative (Newey & West 1987), and the correction
    of Harvey, Leybourne & Newbold (1997) for short series, eq. 8.
    """
    n = len(series)
    horizon = int(n ** (1 / 3) + 1e-9) + 1  # 64 ** (1 / 3) is a little below 4
    x = series - series.mean()
    covariances = np.array([x[lag:] @ x[: n - lag] for lag in range(horizon)]) / n
    weights = 1 - np.arange(horizon) / horizon
    variance = covariances[0] + 2 * weights[1:] @ covariances[1:]
    shrink = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    return float(np.sqrt(variance / n / shrink))


class _Squares(NamedTuple):
    """Mean squares of a table (S, N) without replication: of seeds, of examples, of the rest."""

    seeds: float
    examples: float
    rest: float


def _squares(x: np.ndarray) -> _Squares:
    s, n = x.shape
    rows, columns, mean = x.mean(axis=1), x.mean(axis=0), x.mean()
    rest = x - rows[:, None] - columns + mean
    return _Squares(
        float(n * rows.var(ddof=1)), float(s * columns.var(ddof=1)), float((rest**2).sum() / ((s - 1) * (n - 1)))
    )


def mean(x: np.ndarray, ordered: bool = False) -> Mean:
    """The mean of x (S seeds, N examples), S, N >= 2, its variance (MS_seeds + MS_examples - MS_rest) / (S N), no
    component of it below 0; degrees of freedom are Satterthwaite's (1946). `ordered`: examples depend on those before.
    """
    x = np.asarray(x, float)
    scale = float(np.abs(x).max()) or 1.0  # squares of squares of what a diverged run scores are beyond numbers
    x, (s, n) = x / scale, x.shape
    seeds, examples, rest = _squares(x)
    of_examples = max(examples, rest)
    if ordered:
        of_examples = max(s * n * long_run_error(x.mean(axis=0)) ** 2, rest)
    of_seeds = max(seeds - rest, 0.0)
    total = of_seeds + of_examples
    # Satterthwaite's weights: what the seeds add, and what the examples do, each with its own degrees of freedom.
    spread = seeds**2 / (s - 1) + of_examples**2 / (n - 1) if of_seeds else of_examples**2 / (n - 1)
    df = total**2 / spread if spread else float(s - 1)
    error, fresh = (scale * float(np.sqrt(squares / (s * n))) for squares in (total, seeds))
    return Mean(scale * float(x.mean()), error, fresh, float(df), s)


def of_one_seed(x: np.ndarray, ordered: bool = False) -> Mean:
    """The mean of x (N,), which one seed makes of each example: sure as far as the examples go, given that seed."""
    x = np.asarray(x, float)
    error = long_run_error(x) if ordered else float(x.std(ddof=1) / np.sqrt(len(x)))
    return Mean(float(x.mean()), error, 0.0, len(x) - 1.0, 1)


def over_seeds(x: np.ndarray) -> Mean:
    """The mean of x (S,), S >= 2, that says one number of each seed; its interval is Student's."""
    x = np.asarray(x, float)
    error = float(x.std(ddof=1)) / np.sqrt(len(x))
    return Mean(float(x.mean()), float(error), float(error), len(x) - 1.0, len(x))


def ratio(a: np.ndarray, b: np.ndarray) -> Estimate | None:
    """The mean of a (S,) over that of b (R,), each one number of a seed, with the interval of Fieller (1954): all
    ratios q of which mean(a) - q mean(b) is not told from 0. None where b is not told from 0, for then they have no
    bounds."""
    one, other = over_seeds(a), over_seeds(b)
    t = float(stats.t.ppf(0.5 + LEVEL / 2, min(one.df, other.df)))
    g = (t * other.error / other.value) ** 2 if other.value else np.inf
    if g >= 1:
        return None
    q = one.value / other.value
    half = t / abs(other.value) * np.sqrt(one.error**2 * (1 - g) + (q * other.error) ** 2)
    return Estimate(q, float((q - half) / (1 - g)), float((q + half) / (1 - g)))


def between(a: np.ndarray, b: np.ndarray) -> Mean:
    """The difference of the means of a (S,) and b (R,), each one number of a seed; Welch's (1947) t."""
    one, other = over_seeds(a), over_seeds(b)
    error = float(np.hypot(one.error, other.error))
    spread = one.error**4 / one.df + other.error**4 / other.df
    df = error**4 / spread if spread else one.df + other.df
    return Mean(one.value - other.value, error, error, df, min(one.rows, other.rows))
