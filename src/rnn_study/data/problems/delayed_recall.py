"""Delayed recall with distractors: the first symbol is marked, all others are there to be ignored.

    symbol  5  2  7  5  1  3
    mark    1  0  0  0  0  0      answer 5

Distractors come from the same eight symbols. Without a memory one is as good as another: an accuracy of 1/8.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

SYMBOLS = 8


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 9), the symbol one-hot and the mark; y (N,)."""
    read = rng.integers(0, SYMBOLS, (count, steps))
    x = np.zeros((count, steps, SYMBOLS + 1), np.float32)
    x[..., :SYMBOLS] = np.eye(SYMBOLS, dtype=np.float32)[read]
    x[:, 0, SYMBOLS] = 1
    return Batch(x, read[:, 0])


def chance(steps: int) -> Chance:
    return Chance(1 / SYMBOLS, np.log(SYMBOLS))


PROBLEM = Problem("cross_entropy", SYMBOLS, sample, chance, shortest=3)
