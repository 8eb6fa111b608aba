"""The adding problem (Hochreiter & Schmidhuber 1997, section 5.4; in the form of Arjovsky et al. 2016, arXiv
1511.06464, section 4.2).

Each step brings a number in 0..1 and a mark. Two steps are marked, one in each half; the target is the sum of their
numbers:

    number  0.3  0.7  0.1  0.9  0.5  0.2
    mark     0    1    0    0    1    0      target 1.2

Whoever sees nothing of the sequence does best to answer 1: the mean squared error is then the sum's variance, 1/6.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

VARIANCE = 1 / 6


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 2), numbers and marks; y (N, 1)."""
    rows = np.arange(count)
    x = np.zeros((count, steps, 2), np.float32)
    x[..., 0] = rng.random((count, steps), dtype=np.float32)
    x[rows, rng.integers(0, steps // 2, count), 1] = 1
    x[rows, rng.integers(steps // 2, steps, count), 1] = 1
    return Batch(x, (x[..., 0] * x[..., 1]).sum(axis=1, keepdims=True))


def marked(x: np.ndarray) -> np.ndarray:
    """The numbers (N, T, 1) of sequences x (N, T, 2) that are marked, NaN elsewhere: all that is worth keeping."""
    return np.where(x[..., 1:] == 1, x[..., :1], np.nan)


def chance(steps: int) -> Chance:
    return Chance(VARIANCE**0.5, VARIANCE)


PROBLEM = Problem("squared_error", 1, sample, chance, shortest=2, finite=False)
