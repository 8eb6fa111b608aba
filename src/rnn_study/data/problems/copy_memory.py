"""Copy memory (Hochreiter & Schmidhuber 1997; in the form of Arjovsky et al. 2016, arXiv 1511.06464, section 4.1).

Ten symbols of eight are read, then T - 1 blanks, a sign to answer, and ten more blanks, in which the symbols are to
be said again. There is an answer for every step, a blank until then; here with three symbols and T = 4:

    read    3  1  8  _  _  _  !  _  _  _
    answer  _  _  _  _  _  _  _  3  1  8

Whoever sees none of the symbols does best to answer blanks, then each of the eight alike: a mean cross entropy of
10 ln 8 / (T + 20), the memoryless loss. Scored are the ten symbols said again.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

LENGTH, SYMBOLS = 10, 8  # 1 to 8; 0 is the blank
SIGN = 9


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences of T + 20 steps: x (N, T + 20, 10) one-hot, y (N, T + 20)."""
    said = rng.integers(1, SYMBOLS + 1, (count, LENGTH))
    read = np.zeros((count, steps + 2 * LENGTH), np.int64)
    read[:, :LENGTH] = said
    read[:, LENGTH + steps - 1] = SIGN
    answer = np.zeros_like(read)
    answer[:, -LENGTH:] = said
    return Batch(np.eye(SIGN + 1, dtype=np.float32)[read], answer)


def chance(steps: int) -> Chance:
    return Chance(1 / SYMBOLS, LENGTH * np.log(SYMBOLS) / (steps + 2 * LENGTH))


PROBLEM = Problem("cross_entropy", SYMBOLS + 1, sample, chance, shortest=1, scored=LENGTH)
