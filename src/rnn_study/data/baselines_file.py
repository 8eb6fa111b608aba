"""The file of what a task's baselines make of every test example, example by example."""

from pathlib import Path

import numpy as np

from rnn_study.support.files import read_arrays, write_arrays

Marks = dict[str, dict[str, np.ndarray]]  # baseline -> test part -> what each example counts for, see `Task.marks`


def baselines_file(task: str) -> Path:
    """Where the pipeline keeps the baselines of `task`."""
    return Path("data/prepared") / f"{task}-baselines.npz"


def write(task: str, found: Marks) -> None:
    arrays = {f"{name}/{part}": values for name, parts in found.items() for part, values in parts.items()}
    write_arrays(baselines_file(task), arrays)


def read(task: str) -> Marks:
    found: Marks = {}
    for key, values in read_arrays(baselines_file(task)).items():
        name, _, part = key.rpartition("/")
        found.setdefault(name, {})[part] = values
    return found
