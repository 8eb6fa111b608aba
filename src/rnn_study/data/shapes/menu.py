"""The roommate's menu, three versions: from today's weather; from yesterday's dish; from both.

    weather   in sunshine apple pie, in rain a burger
    cycle     after apple pie a burger, after a burger chicken, after chicken apple pie
    both      in sunshine yesterday's dish again, in rain the one after it

What decides is read at each day, so nothing needs to be remembered; where the roommate is left alone, yesterday's dish
is what the network itself said. The version that needs a memory is `data/problems/menu.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Menu
from rnn_study.data.problems.menu import DISHES, WEATHER
from rnn_study.model.task import Batch, Task

SOURCES = ()


def dishes(version: str, first: np.ndarray, rain: np.ndarray) -> np.ndarray:
    """The dish of every day (N, T): `first` (N,) that of the day before the first, `rain` (N, T) 1 on rainy days."""
    if version == "weather":
        return rain.astype(np.int64)
    steps = rain if version == "both" else np.ones_like(rain)
    return (first[:, None] + steps.cumsum(axis=1)) % len(DISHES)


def inputs(version: str, yesterday: np.ndarray, rain: np.ndarray) -> np.ndarray:
    """What is read on days with these dishes before them and this weather, each (...,): one-hot (..., D)."""
    dish, weather = (np.eye(n, dtype=np.float32)[of] for n, of in ((len(DISHES), yesterday), (len(WEATHER), rain)))
    return {"weather": weather, "cycle": dish, "both": np.concatenate([dish, weather], axis=-1)}[version]


def draw(rng: np.random.Generator, version: str, count: int, days: int) -> Batch:
    """`count` sequences: x (N, T, D), y (N, T)."""
    first, rain = rng.integers(0, len(DISHES), count), rng.integers(0, 2, (count, days))
    y = dishes(version, first, rain)
    yesterday = np.concatenate([first[:, None], y[:, :-1]], axis=1)
    return Batch(inputs(version, yesterday, rain), y)


def prepare(raw: Path, params: Menu) -> tuple[Task, dict[str, Any]]:
    """Sequences of `days` days, a dish for every day."""
    rng = np.random.default_rng(params.seed)
    sizes = {"train": params.train, "validation": params.validation, "test": params.test}
    parts = {name: draw(rng, params.version, count, params.days) for name, count in sizes.items()}
    task = Task(
        name="menu",
        loss="cross_entropy",
        outputs=len(DISHES),
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        extras={"classes": np.array(DISHES)},
        scored=params.days,
    )
    return task, {"version": params.version}
