"""What every network of every shape scored, beside rules that fit little."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from rnn_study.config import Config
from rnn_study.data.shapes import KINDS
from rnn_study.model.network import parameter_count
from rnn_study.model.task import score_of
from rnn_study.running.run import results
from rnn_study.statistics.shares import share

from .trained import System

Row = dict[str, Any]


def scores(systems: Iterable[System]) -> list[Row]:
    """A row for each system, framework, variant and test part."""
    rows = []
    for system in systems:
        task = system.task
        for backend, variant in system.trained():
            runs = system.folders[backend][variant]
            for part in task.tests:
                found = system.score(backend, variant, part)
                rows.append(
                    {
                        "system": system.name,
                        "backend": backend,
                        "variant": variant,
                        "part": part,
                        "score": task.score_name,
                        "unit": task.unit,
                        "mean": found.value,
                        "interval": _interval(system, backend, variant, part),
                        "seeds": len(runs),
                        "examples": len(task.tests[part].y),
                        "parameters": parameter_count(system.networks[variant], embedding=False),
                        "by_seed": [results.read_summary(run)["scores"][part] for run in runs],
                    }
                )
    return rows


def _interval(system: System, backend: str, variant: str, part: str) -> list[float]:
    """That of the score within what a score can be; Wilson's of one seed that is right or wrong in each example, which
    is not sure where all examples are alike."""
    marks = system.marks(backend, variant, part)
    if len(marks) == 1 and system.task.score_name == "accuracy" and np.isin(marks, (0, 1)).all():
        return list(share(int(marks.sum()), marks.size)[1:])
    low, high = system.score(backend, variant, part).interval()[1:]
    return [max(low, 0.0), min(high, 1.0 if system.task.score_name == "accuracy" else float("inf"))]


def baselines(config: Config, systems: Iterable[System]) -> dict[str, dict[str, float]]:
    """The score of each rule on each system's test part."""
    found = {}
    for system in systems:
        kind = KINDS[config.shapes[system.name].prepare.kind]
        if hasattr(kind, "baselines"):
            rules = kind.baselines(system.task)
            found[system.name] = {rule: score_of(system.task.score_name, marks) for rule, marks in rules.items()}
    return found
