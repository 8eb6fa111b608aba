"""Temporal order with three symbols (Hochreiter & Schmidhuber 1997, experiment 6b).

Among distractors a to d stand three symbols, each X or Y; their order is one of eight classes. E begins a sequence, B
ends it:

    E  a  X  d  b  Y  c  a  d  X  b  c  B       XYX: class 2

As in the paper the three stand between 10 and 20, 33 and 43, and 66 and 76 hundredths of the sequence. Without a
memory one class is as good as another: an accuracy of 1/8.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

SYMBOLS = "abcdXYEB"
WINDOWS = ((10, 20), (33, 43), (66, 76))  # hundredths of the sequence


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 8) one-hot in the order of `SYMBOLS`, y (N,)."""
    rows, y = np.arange(count), np.zeros(count, np.int64)
    read = rng.integers(0, 4, (count, steps))
    read[:, 0], read[:, -1] = SYMBOLS.index("E"), SYMBOLS.index("B")
    for low, high in WINDOWS:
        first = -(-low * steps // 100)
        place = rng.integers(first, max(first, high * steps // 100) + 1, count)
        second = rng.integers(0, 2, count)
        read[rows, place] = SYMBOLS.index("X") + second
        y = 2 * y + second
    return Batch(np.eye(len(SYMBOLS), dtype=np.float32)[read], y)


def chance(steps: int) -> Chance:
    return Chance(1 / 8, np.log(8))


PROBLEM = Problem("cross_entropy", 8, sample, chance, shortest=6)
