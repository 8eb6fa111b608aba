"""The roommate's menu: the first dish is given once, then only the weather.

In sunshine the roommate cooks the dish of the day before, in rain the next one of the cycle of three; asked for is
each day's dish, scored the last one:

    given   burger  sun     rain     rain  sun       of apple pie, burger, chicken
    answer  burger  burger  chicken  pie   pie

The dish of a day is (first + rainy days) mod 3. Without a memory of the first dish and of every rainy day one dish is
as good as another: an accuracy of 1/3 from the second day on. Few days have few sequences: of three there are twelve,
half of which, to learn from, do not show the rule.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

DISHES = ("apple pie", "burger", "chicken")
WEATHER = ("sun", "rain")


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 5), dish and weather one-hot; y (N, T)."""
    first, rain = rng.integers(0, len(DISHES), count), rng.integers(0, 2, (count, steps))
    rain[:, 0] = 0
    x = np.zeros((count, steps, len(DISHES) + len(WEATHER)), np.float32)
    x[:, 0, : len(DISHES)] = np.eye(len(DISHES), dtype=np.float32)[first]
    x[:, 1:, len(DISHES) :] = np.eye(len(WEATHER), dtype=np.float32)[rain[:, 1:]]
    return Batch(x, (first[:, None] + rain.cumsum(axis=1)) % len(DISHES))


def chance(steps: int) -> Chance:
    return Chance(1 / len(DISHES), (steps - 1) * np.log(len(DISHES)) / steps)


PROBLEM = Problem("cross_entropy", len(DISHES), sample, chance, shortest=3, scored=1)
