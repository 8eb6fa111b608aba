"""The study's figures at a glance, in small flat files that `dvc metrics`, `dvc plots` and `dvc exp` show."""

import csv
import io
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Config
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.support.files import atomic

Row = dict[str, Any]


def figures(summary: Row, long_range: Row) -> dict[str, dict[str, float]]:
    """For each task the mean test score of each cell, over seeds and frameworks; for each problem of a length frontier
    the length that half of the seeds of each cell solve, as `<problem>_reach`."""
    found = {
        name: {cell: means["test"]["mean"] for cell, means in task["cells"].items()}
        for name, task in summary["tasks"].items()
    }
    cells = {cell for scores in found.values() for cell in scores}
    for row in long_range["frontiers"]:
        if row["axis"] == "budget" and row["variant"] in cells:
            found.setdefault(f"{row['problem']}_reach", {})[row["variant"]] = row["length"]
    return found


def curves(config: Config, task: str) -> Iterator[Row]:
    """The mean validation score of each cell of a task after each epoch, over the seeds that came so far, in the
    framework that tunes."""
    scores = {}
    for cell in config.task(task).cells:
        folders = [results.run_folder(Path("runs"), task, experiments.TUNES, cell, seed) for seed in config.seeds]
        rows = [results.read_history(folder) for folder in folders]
        epochs = zip_longest(*([row["validation_score"] for row in own] for own in rows))
        scores[cell] = [float(np.mean([score for score in epoch if score is not None])) for epoch in epochs]
    for at, epoch in enumerate(zip_longest(*scores.values()), 1):
        yield {"epoch": at} | dict(zip(scores, epoch, strict=True))


def solved(frontier: Row) -> Iterator[Row]:
    """The share of seeds that solve a problem at each length it was tried at, a column a cell; empty where a cell did
    not come."""
    for steps in frontier["tried"]:
        row: Row = {"steps": steps}
        for cell in frontier["cells"]:
            own = [
                run["solved"]
                for run in frontier["runs"]
                if (run["axis"], run["variant"], run["steps"]) == ("budget", cell, steps)
            ]
            row[cell] = float(np.mean(own)) if own else None
        yield row


def write(rows: Iterator[Row], path: Path) -> None:
    """Write rows as CSV, a column a key of the first."""
    table, text = list(rows), io.StringIO(newline="")
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    with atomic(path) as file:
        file.write(text.getvalue().encode())
