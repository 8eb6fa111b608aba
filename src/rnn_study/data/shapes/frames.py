"""Synced many to many: a film of a dot that wanders over a small screen; for every frame the way the dot came.

One frame does not show it: whoever sees no other can at best say what is most frequent where the dot stands.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Frames
from rnn_study.model.task import Batch, Task

SOURCES = ()
WAYS = ("still", "left", "right", "up", "down")
_MOVES = np.array([(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)])  # rows and columns


def film(rng: np.random.Generator, side: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, side * side) and ways (T,), the first of which is still: each way that stays on the screen is as
    likely as any other."""
    place, x, y = rng.integers(0, side, 2), np.zeros((frames, side, side), np.float32), np.zeros(frames, np.int64)
    x[0][tuple(place)] = 1
    for t in range(1, frames):
        there = place + _MOVES[1:]
        possible = 1 + np.flatnonzero(((there >= 0) & (there < side)).all(axis=1))
        y[t] = rng.choice(possible)
        place = place + _MOVES[y[t]]
        x[t][tuple(place)] = 1
    return x.reshape(frames, -1), y


def _films(rng: np.random.Generator, count: int, params: Frames) -> Batch:
    """Films of 2 to `frames` frames, all lengths alike."""
    lengths = rng.integers(2, params.frames + 1, count)
    lengths[0] = params.frames
    x = np.zeros((count, params.frames, params.side**2), np.float32)
    y = np.zeros((count, params.frames), np.int64)
    for row, length in enumerate(lengths):
        x[row, :length], y[row, :length] = film(rng, params.side, int(length))
    return Batch(x, y, np.arange(params.frames) < lengths[:, None])


def prepare(raw: Path, params: Frames) -> tuple[Task, dict[str, Any]]:
    """Films (N, T, side * side) of unequal length with a way (N, T) for every frame."""
    rng = np.random.default_rng(params.seed)
    sizes = {"train": params.train, "validation": params.validation, "test": params.test}
    parts = {name: _films(rng, count, params) for name, count in sizes.items()}
    task = Task(
        name="frames",
        loss="cross_entropy",
        outputs=len(WAYS),
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        extras={"classes": np.array(WAYS)},
        scored=params.frames,
    )
    return task, {"side": params.side, "frames": params.frames}


def baselines(task: Task) -> dict[str, np.ndarray]:
    """The most frequent way in the training part where the dot stands: all that one frame tells."""
    train, test = task.train, task.tests["test"]
    counts = np.zeros((train.x.shape[2], task.outputs), np.int64)
    np.add.at(counts, (train.x.argmax(axis=2)[train.mask], train.y[train.mask]), 1)
    outputs = np.eye(task.outputs)[counts.argmax(axis=1)[test.x.argmax(axis=2)]]
    return {"the most frequent way where the dot stands": task.marks(outputs, "test")}
