"""Word vectors: tweets as the study prepares them, with GloVe's table or a random one to begin with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Vectors
from rnn_study.data.tasks import tweets
from rnn_study.model.task import Task

SOURCES = tweets.SOURCES


def prepare(raw: Path, params: Vectors) -> tuple[Task, dict[str, Any]]:
    """As `tasks.tweets`; a random table has the same words and, word for word, the same spread."""
    task, details = tweets.prepare(raw, params)
    if params.table == "random":
        rng, shape = np.random.default_rng(params.seed), task.embedding.shape
        shape = (shape[0], params.inputs or shape[1])
        table = rng.normal(0.0, task.embedding[1:].std(), shape).astype(np.float32)
        table[0] = 0.0
        task = replace(task, embedding=table)
    return task, details | {"table": params.table}
