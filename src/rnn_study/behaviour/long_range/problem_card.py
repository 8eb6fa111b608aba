"""What a reader must know of a problem: where its data comes from, what chance reaches, when it counts as solved."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import FrontierParams
from rnn_study.data.data_card import read_card
from rnn_study.data.problems import catalogue, pixels
from rnn_study.running import experiments
from rnn_study.support.errors import StudyError


def _ablations(params: FrontierParams) -> dict[str, Any]:
    found = {}
    for variant, one in params.ablated.items():
        called = variant.removeprefix(f"{one.of[0]}-")
        change = params.ablations[called].model_dump(exclude_unset=True, exclude={"of", "seeds"})
        found[variant] = {"of": one.of[0], "label": called, "change": change}
    return found


def card(params: FrontierParams, name: str) -> dict[str, Any]:
    """The head of metrics/frontier/<problem>.json. budget: updates of a run. sequence: by length T, how many steps its
    sequences have. chance: by length, what an answer reaches that sees nothing of the sequence. order: by length,
    which pixel comes at each step, where images are permuted. A StudyError for what cannot be run."""
    grid = [*params.lengths, *params.gpu_lengths]
    training, first = params.training, experiments.frontier_data(params, name, params.lengths[0])
    task = catalogue.load(name, first)
    count, each = experiments.epochs(params, task)
    for variant, one in params.variants.items():
        if one.window and task.scored is not None:
            raise StudyError(
                f"params.yaml: {name}: {variant}: window {one.window} with an answer for every step: expected none"
            )
    found: dict[str, Any] = {
        "problem": name,
        "framework": params.framework,
        "score": task.score_name,
        "cells": list(params.cells),
        "ablations": _ablations(params),
        "lengths": grid,
        "seeds": len(params.seeds),
        "goal": training.goal,
        "budget": count * each,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "clip": training.clip,
    }
    if params.prepare.images:
        chance = dict.fromkeys(map(str, grid), pixels.chance(task)._asdict())
        found |= {"chance": chance, "sequence": {str(steps): steps for steps in grid}}
        found["provenance"] = read_card(Path(f"metrics/data/{params.prepare.images}.json"))["provenance"]
        found["images"] = len(task.train.y)
        if params.prepare.permutation is not None:
            found["order"] = {str(steps): pixels.order(steps, params.prepare.permutation).tolist() for steps in grid}
        return found
    problem = catalogue.PROBLEMS[name]
    found["chance"] = {str(steps): problem.chance(steps)._asdict() for steps in grid}
    shown = {steps: problem.sample(np.random.default_rng(0), 1, steps).x for steps in grid}
    found["sequence"] = {str(steps): x.shape[1] for steps, x in shown.items()}
    return found
