"""The adding problem of one length, prepared once: what gradient behaviour is looked at in.

The problem itself, at every length, is in `problems/adding.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Adding
from rnn_study.data.problems.adding import chance, sample
from rnn_study.model.task import Batch, Task

SOURCES = ()


def prepare(raw: Path, params: Adding) -> tuple[Task, dict[str, Any]]:
    """Sequences of `steps` numbers, drawn from one generator: x (N, T, 2), y (N, 1)."""
    rng = np.random.default_rng(params.seed)
    sizes = {"train": params.train, "validation": params.validation, "test": params.test}
    parts: dict[str, Batch] = {name: sample(rng, count, params.steps) for name, count in sizes.items()}
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
    return task, {"steps": params.steps, "chance": {"rmse": chance(params.steps).score}}
