"""From finished runs to the figures of the study: one file a training stage, and one over all of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Config
from rnn_study.model.task import Task
from rnn_study.running.run import results
from rnn_study.running.run.events import Finished, by_task
from rnn_study.support.files import read_json

from . import crossed, marks
from .crossed import Estimate, Mean
from .marks import Scored
from .verdict import ALPHA, DECIDES, equivalence

_BY_SEED = ("best_epoch", "updates", "examples_seen", "diverged", "solved")

Row = dict[str, Any]


def _bounded(found: Estimate, score: str) -> list[float]:
    """Its interval, cut where the score itself ends."""
    return [max(found.low, 0.0), min(found.high, 1.0 if score == "accuracy" else np.inf)]


def training(task: Task, card: Row, baselines: Row, finished: Sequence[Finished], searches: int = 1) -> Row:
    """The content of metrics/train/<task>-<backend>.json: for each cell what was run and what it scored."""
    cells: dict[str, Row] = {}
    for cell in dict.fromkeys(run.spec.variant for run in finished):
        runs = [run for run in finished if run.spec.variant == cell]
        summaries = [results.read_summary(run.folder) for run in runs]
        spec, first = runs[0].spec, summaries[0]
        of_part = marks.of_runs(task, [run.folder for run in runs], searches)
        means = {part: crossed.mean(x, task.ordered) for part, x in of_part.items()} if len(runs) > 1 else {}
        cells[cell] = {
            "impl": spec.impl,
            "device": spec.device,
            "units": [layer.units for layer in spec.network.layers],
            "parameters": first["parameters"],
            "parameters_with_embedding": first["parameters_with_embedding"],
            "learning_rate": spec.optimiser.learning_rate,
            "clip": spec.optimiser.clip,
            "dropout": spec.network.dropout,
            "seeds": [run.spec.seed for run in runs],
            "scores": {part: [summary["scores"][part] for summary in summaries] for part in first["scores"]},
            "mean": {part: found.value for part, found in means.items()},
            "interval": {part: _bounded(found.interval(), task.score_name) for part, found in means.items()},
            **{key: [s[key] for s in summaries] for key in _BY_SEED if key in first},
        }
    return {
        "task": task.name,
        "backend": finished[0].spec.backend,
        "framework": {key: finished[0].environment[key] for key in ("framework", "version")},
        "data": [
            {key: record[key] for key in ("source", "origin", "title", "note", "complete", "generated")}
            for record in card["provenance"]
        ],
        "score": task.score_name,
        "unit": task.unit,
        "higher_is_better": task.higher_is_better,
        "cells": cells,
        "baselines": baselines,
    }


def trained(config: Config, prepared: Mapping[str, Task], finished: Sequence[Finished]) -> dict[str, Row]:
    """`training` of each task, by its name, with its data card and its baselines' scores."""
    tables = {}
    for name, own in by_task(finished).items():
        card, baselines = (read_json(Path(f"metrics/{kind}/{name}.json")) for kind in ("data", "baselines"))
        tables[name] = training(prepared[name], card, baselines, own, config.tuning.searches)
    return tables


def _row(found: Mean, seeds: int, **named: str) -> Row:
    low, high = found.interval()[1:]
    return {**named, "difference": found.value, "interval": [low, high], "n": seeds}


def _equivalence(found: Mean, seeds: int, margin: float, **named: str) -> Row:
    """Whether two frameworks are within `margin` of each other: `equivalent`, `not shown`, or `too few seeds`. One cell
    is one question, whatever else runs."""
    low, high = found.interval(1 - 2 * ALPHA)[1:]
    p = equivalence(found, margin)
    verdict = "too few seeds" if seeds < DECIDES else "equivalent" if p < ALPHA else "not shown"
    return {**named, "margin": margin, "interval": [low, high], "p": p, "n": seeds, "verdict": verdict}


def between_frameworks(scored: Scored, part: str, margin: float) -> Iterator[tuple[Row, Row]]:
    """How far apart two frameworks are in each cell, and whether they are equivalent."""
    for one, other in combinations(scored.runs, 2):
        for cell in scored.runs[one]:
            found, named = scored.frameworks(part, cell, one, other), {"part": part, "cell": cell, "a": one, "b": other}
            yield _row(found, scored.seeds, **named), _equivalence(found, scored.seeds, margin, **named)


def task_summary(scored: Scored, card: Row, stages: Sequence[Row], margin: float) -> Row:
    """One task over its backends; `margin` is how far apart frameworks may be and still count as equivalent.

    Differences are exploratory: they have intervals, and verdicts stand on the study's questions alone.
    """
    first, task, seeds = stages[0], scored.task, scored.seeds
    cells, means = list(first["cells"]), {cell: {} for cell in first["cells"]}
    between, against, frameworks, closeness = [], [], [], []
    for part in task.tests:
        for cell in cells:
            found = scored.mean(cell, part)
            means[cell][part] = {"mean": found.value, "interval": _bounded(found.interval(), task.score_name)}
            for name in scored.baselines:
                against.append(_row(scored.difference(part, cell, name), seeds, part=part, a=cell, b=name))
        between += [_row(scored.difference(part, a, b), seeds, part=part, a=a, b=b) for b, a in combinations(cells, 2)]
        for row, close in between_frameworks(scored, part, margin):
            frameworks.append(row)
            closeness.append(close)
    return {
        "score": first["score"],
        "unit": first["unit"],
        "higher_is_better": first["higher_is_better"],
        "parts": list(task.tests),
        "card": card,
        "baselines": first["baselines"],
        "cells": means,
        "backends": {stage["backend"]: {"framework": stage["framework"], "cells": stage["cells"]} for stage in stages},
        "between_cells": between,
        "between_frameworks": frameworks,
        "against_baselines": against,
        "equivalence": closeness,
    }
