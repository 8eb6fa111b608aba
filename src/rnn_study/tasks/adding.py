"""The adding problem (Hochreiter & Schmidhuber 1997, section 5.4; in the form of Le et al. 2015, arXiv 1504.00941).

Each step brings a number in 0..1 and a mark. Two steps are marked, one in each half; the target is the sum of their
numbers:

    number  0.3  0.7  0.1  0.9  0.5  0.2
    mark     0    1    0    0    1    0      target 1.2

Without a memory the best answer is always 1: the mean squared error is then the sum's variance, 1/6.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Adding
from rnn_study.task import Batch, Task

SOURCES = ()
VARIANCE = 1 / 6


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sequences: x (N, T, 2), numbers and marks; y (N, 1)."""
    rows = np.arange(count)
    x = np.zeros((count, steps, 2), np.float32)
    x[..., 0] = rng.random((count, steps), dtype=np.float32)
    x[rows, rng.integers(0, steps // 2, count), 1] = 1
    x[rows, rng.integers(steps // 2, steps, count), 1] = 1
    return Batch(x, (x[..., 0] * x[..., 1]).sum(axis=1, keepdims=True))


def prepare(raw: Path, params: Adding) -> tuple[Task, dict[str, Any]]:
    """Sequences of `steps` numbers, drawn from one generator: x (N, T, 2), y (N, 1)."""
    rng = np.random.default_rng(params.seed)
    sizes = {"train": params.train, "validation": params.validation, "test": params.test}
    parts = {name: sample(rng, count, params.steps) for name, count in sizes.items()}
    task = Task(
        name="adding",
        loss="squared_error",
        outputs=1,
        train=parts["train"],
        validation=parts["validation"],
        tests={"test": parts["test"]},
        inverse={
            "scale": np.array(1.0),
            "logarithm": np.array(False),
            **{f"offset_{name}": np.zeros(count) for name, count in sizes.items()},
        },
    )
    return task, {"steps": params.steps, "chance": {"rmse": VARIANCE**0.5}}
