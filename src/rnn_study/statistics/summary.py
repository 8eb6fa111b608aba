"""From finished runs to the figures of the study: one file a training stage, and one over all of them."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from rnn_study.model.task import Task
from rnn_study.running.events import Finished
from rnn_study.running.run import results

from . import stats


def _estimate(scores: Sequence[float], score: str) -> stats.Estimate:
    """The IQM with its interval, cut where the score itself ends."""
    found = stats.iqm(np.array(scores))
    highest = 1.0 if score == "accuracy" else np.inf
    return found._replace(low=max(found.low, 0.0), high=min(found.high, highest))


_BY_SEED = ("best_epoch", "updates", "examples_seen", "diverged", "solved")


def training(
    task: Task, card: dict[str, Any], baselines: dict[str, Any], finished: Sequence[Finished]
) -> dict[str, Any]:
    """The content of metrics/train/<task>-<backend>.json: for each cell what was run and what it scored."""
    cells: dict[str, dict[str, Any]] = {}
    for cell in dict.fromkeys(run.spec.variant for run in finished):
        runs = [run for run in finished if run.spec.variant == cell]
        summaries = [results.read_summary(run.folder) for run in runs]
        spec, first = runs[0].spec, summaries[0]
        scores = {part: [summary["scores"][part] for summary in summaries] for part in first["scores"]}
        estimates = {part: _estimate(values, task.score_name) for part, values in scores.items()}
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
            "scores": scores,
            "iqm": {part: estimate.value for part, estimate in estimates.items()},
            "interval": {part: [estimate.low, estimate.high] for part, estimate in estimates.items()},
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


def _pair(a: Sequence[float], b: Sequence[float], higher_is_better: bool) -> dict[str, Any]:
    """The paired comparison of scores a and b: a - b in units of the score, and the chance that a is better."""
    sign = 1 if higher_is_better else -1
    found = stats.compare(np.array(a), np.array(b))
    improvement = found.probability_of_improvement
    return {
        "difference": found.difference.value,
        "interval": [found.difference.low, found.difference.high],
        "p": found.p,
        "probability_of_improvement": improvement if sign == 1 else 1 - improvement,
        "n": found.n,
    }


def _judge(rows: list[dict[str, Any]], score: str, higher_is_better: bool) -> list[dict[str, Any]]:
    """Correct a family of comparisons and name the better side: `a`, `b`, `none`, or `too few seeds`.

    A difference too small to print is `none` however certain it is: rounding differs between frameworks too.
    """
    adjusted = stats.holm(np.array([row["p"] for row in rows])) if rows else []
    sign = 1 if higher_is_better else -1
    for row, p in zip(rows, adjusted, strict=True):
        row["p_adjusted"] = float(p)
        if row["n"] < stats.CLAIM_FROM:
            row["better"] = "too few seeds"
        elif p < stats.ALPHA and abs(row["difference"]) >= stats.SMALLEST[score]:
            row["better"] = "a" if sign * row["difference"] > 0 else "b"
        else:
            row["better"] = "none"
    return rows


def _against_baselines(stage: dict[str, Any], part: str) -> Iterator[dict[str, Any]]:
    """Each cell against each baseline, which has one score and no seeds: a one-sample t test."""
    for cell, found in stage["cells"].items():
        for name, scores in stage["baselines"].items():
            row = {"part": part, "backend": stage["backend"], "a": cell, "b": name}
            seeds = found["scores"][part]
            yield row | _pair(seeds, [scores[part]] * len(seeds), stage["higher_is_better"])


def _equivalence(a: Sequence[float], b: Sequence[float], margin: float) -> dict[str, Any]:
    """Whether paired scores are within `margin` of each other, in units of the score."""
    found = stats.equivalence(np.array(a), np.array(b), margin)
    interval = [found.interval.low, found.interval.high]
    return {"margin": margin, "interval": interval, "p": found.p, "power": found.power, "n": found.n}


def _settle(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Correct a family of equivalence tests and name the verdict: `equivalent`, `not shown`, or `too few seeds`."""
    adjusted = stats.holm(np.array([row["p"] for row in rows])) if rows else []
    for row, p in zip(rows, adjusted, strict=True):
        row["p_adjusted"] = float(p)
        few = row["n"] < stats.EQUIVALENCE_FROM
        row["verdict"] = "too few seeds" if few else "equivalent" if p < stats.ALPHA else "not shown"
    return rows


def task_summary(card: dict[str, Any], stages: Sequence[dict[str, Any]], margin: float) -> dict[str, Any]:
    """One task over its backends; `margin` is how far apart frameworks may be and still count as equivalent.

    A family of comparisons is one test part: its cells, its frameworks (for a difference, and for equivalence), or its
    cells against the baselines.
    """
    first = stages[0]
    higher = first["higher_is_better"]
    cells = list(first["cells"])
    parts = [part for part in first["cells"][cells[0]]["scores"] if part != "validation"]
    between_cells, between_frameworks, against, equivalence = [], [], [], []
    for part in parts:
        family = []
        for stage in stages:
            scores = {cell: found["scores"][part] for cell, found in stage["cells"].items()}
            for a, b in combinations(cells, 2):
                row = {"part": part, "backend": stage["backend"], "a": a, "b": b}
                family.append(row | _pair(scores[a], scores[b], higher))
        between_cells += _judge(family, first["score"], higher)
        against += _judge([row for s in stages for row in _against_baselines(s, part)], first["score"], higher)
        family, closeness = [], []
        for one, other in combinations(stages, 2):
            for cell in cells:
                row = {"part": part, "cell": cell, "a": one["backend"], "b": other["backend"]}
                a, b = (stage["cells"][cell]["scores"][part] for stage in (one, other))
                family.append(row | _pair(a, b, higher))
                closeness.append(row | _equivalence(a, b, margin))
        between_frameworks += _judge(family, first["score"], higher)
        equivalence += _settle(closeness)
    claimed = [abs(row["difference"]) for row in between_cells if row["better"] in ("a", "b")]
    return {
        "score": first["score"],
        "unit": first["unit"],
        "higher_is_better": higher,
        "parts": parts,
        "card": card,
        "baselines": first["baselines"],
        "backends": {stage["backend"]: {"framework": stage["framework"], "cells": stage["cells"]} for stage in stages},
        "between_cells": between_cells,
        "between_frameworks": between_frameworks,
        "against_baselines": against,
        "equivalence": equivalence,
        "smallest_claim": min(claimed, default=None),
    }
