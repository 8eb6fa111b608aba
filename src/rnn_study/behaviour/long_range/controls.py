"""How much of a score needs a gradient through time: each cell against itself without one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Config, FrontierParams
from rnn_study.model.task import Task
from rnn_study.running.run import results
from rnn_study.running.run.events import Finished
from rnn_study.statistics import crossed
from rnn_study.statistics.marks import by_search
from rnn_study.support.files import read_json

from .quantities import Found, Row, of

FOLDER = Path("runs/controls")


def chance(task: Task) -> float:
    """The test score of the best answer that sees nothing of the sequence: the training part's class shares, or its
    mean."""
    y = task.train.y
    if task.loss == "cross_entropy":
        shares = np.bincount(y.ravel(), minlength=task.outputs) / y.size
        answer = np.log(np.maximum(shares, np.finfo(float).tiny))
    else:
        answer = y.reshape(-1, y.shape[-1]).mean(axis=0)
    tests = task.tests["test"]
    return float(task.score(np.broadcast_to(answer, (len(tests.y), len(answer))).astype(np.float32), "test"))


def table(task: Task, finished: Sequence[Finished]) -> dict[str, Any]:
    """What became of the controls of a task: chance, and a row a run."""
    own = [run for run in finished if run.spec.task == task.name]
    scores = [results.read_summary(run.folder)["scores"]["test"] for run in own]
    runs = [
        {"variant": run.spec.variant, "seed": run.spec.seed, "score": score}
        for run, score in zip(own, scores, strict=True)
    ]
    return {"score": task.score_name, "chance": chance(task), "runs": runs}


def _needed(whole: Sequence[float], without: Sequence[float], chance: float) -> Row:
    """The scores of a cell and of its control, by seed, and the share of what the cell has learned that needs a
    gradient through time: (full - control) / (full - chance), with Fieller's interval; None where the cell is not told
    from chance."""
    whole, without = np.asarray(whole), np.asarray(without)
    kept = crossed.ratio(without - chance, whole - chance)
    needed = None if kept is None else [1 - kept.value, 1 - kept.high, 1 - kept.low]
    seeds = [len(whole), len(without)]
    return {"full": float(whole.mean()), "control": float(without.mean()), "seeds": seeds, "needed": needed}


def of_frontier(params: FrontierParams, found: Found) -> Iterator[Row]:
    """The controls of a problem, at every length that they and their cells ran."""
    for variant, one in params.controlled.items():
        for steps in found["tried"]:
            sides = of(found, "budget", one.of[0], steps), of(found, "control", variant, steps)
            if not all(sides):
                continue
            scores = ([row["scores"]["test"] for row in side] for side in sides)
            nothing = found["chance"][str(steps)]["score"]
            about = {"task": found["problem"], "score": found["score"], "steps": steps, "cell": one.of[0]}
            kind = variant.removeprefix(f"{one.of[0]}-")
            yield about | {"kind": kind, "chance": nothing} | _needed(*scores, nothing)


def of_tasks(config: Config, metrics: Path) -> Iterator[Row]:
    """The controls of the tasks, from `metrics`/controls.json and the scores of the cells in the same framework."""
    controls = read_json(metrics / "controls.json")
    for name, found in controls["tasks"].items():
        trained = read_json(metrics / f"train/{name}-{controls['framework']}.json")["cells"]
        for variant, one in config.task(name).controlled.items():
            without = [row for row in found["runs"] if row["variant"] == variant]
            whole = trained[one.of[0]]
            sides = [(whole["scores"]["test"], whole["seeds"])]
            sides.append(([row["score"] for row in without], [row["seed"] for row in without]))
            rows = (by_search(config, name, np.array(scores), seeds) for scores, seeds in sides)
            about = {"task": name, "score": found["score"], "steps": None, "cell": one.of[0]}
            kind = variant.removeprefix(f"{one.of[0]}-")
            told = _needed(*rows, found["chance"]) | {"seeds": [len(seeds) for _, seeds in sides]}
            yield about | {"kind": kind, "chance": found["chance"]} | told
