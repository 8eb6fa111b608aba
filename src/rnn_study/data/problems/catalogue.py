"""Every problem by name, and the task behind a run's data."""

from pathlib import Path

from rnn_study.data.prepared import load_task
from rnn_study.model.task import Data, Generated, Pixels, Task

from . import adding, agreement, copy_memory, delayed_recall, menu, parity, temporal_order
from .pixels import pixels
from .problem import Problem, generate

PROBLEMS: dict[str, Problem] = {  # by the name of its file
    "adding": adding.PROBLEM,
    "copy_memory": copy_memory.PROBLEM,
    "temporal_order": temporal_order.PROBLEM,
    "delayed_recall": delayed_recall.PROBLEM,
    "parity": parity.PROBLEM,
    "menu": menu.PROBLEM,
    "agreement": agreement.PROBLEM,
}


def load(name: str, data: Data) -> Task:
    """The task that a run named after `name` learns from: read from a prepared file, or made as `data` says."""
    match data:
        case Generated():
            return generate(PROBLEMS[data.problem], data)
        case Pixels():
            return pixels(name, data)
        case _:
            return load_task(Path(data))
