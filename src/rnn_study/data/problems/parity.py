"""Parity: is the number of ones odd?

    bit  1  0  1  1  0      answer 1

Every bit counts, and all but one say nothing: without a memory the accuracy is 1/2.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 1), y (N,)."""
    bits = rng.integers(0, 2, (count, steps))
    return Batch(bits[..., None].astype(np.float32), bits.sum(axis=1) % 2)


def chance(steps: int) -> Chance:
    return Chance(1 / 2, np.log(2))


PROBLEM = Problem("cross_entropy", 2, sample, chance, shortest=5)
