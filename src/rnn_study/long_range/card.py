"""What a reader must know of a problem: where its data comes from, what chance reaches, when it counts as solved."""

from pathlib import Path
from typing import Any

from rnn_study import task
from rnn_study.config import FrontierParams
from rnn_study.files import read_json
from rnn_study.problems import catalogue, pixels
from rnn_study.task import prepared_file


def card(params: FrontierParams, name: str) -> dict[str, Any]:
    """The head of metrics/frontier/<problem>.json. chance: by length, what no memory reaches. order: by length, which
    pixel comes at each step, where images are permuted."""
    grid = [*params.lengths, *params.gpu_lengths]
    training = params.training
    found: dict[str, Any] = {
        "problem": name,
        "framework": params.framework,
        "cells": list(params.cells),
        "ablations": {
            name: {
                "of": one.of[0],
                "label": name.removeprefix(f"{one.of[0]}-"),
                "change": params.ablations[name.removeprefix(f"{one.of[0]}-")].model_dump(
                    exclude_unset=True, exclude={"of", "seeds"}
                ),
            }
            for name, one in params.ablated.items()
        },
        "lengths": grid,
        "seeds": len(params.seeds),
        "goal": training.goal,
        "budget": training.updates,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "clip": training.clip,
    }
    if params.prepare.images:
        rows, source = task.load(prepared_file(params.prepare.images)), params.prepare.images
        chance = dict.fromkeys(map(str, grid), pixels.chance(rows)._asdict())
        found |= {"score": "accuracy", "chance": chance}
        found["provenance"] = read_json(Path(f"metrics/data/{source}.json"))["provenance"]
        found["images"] = len(rows.train.y)
        if params.prepare.permutation is not None:
            found["order"] = {str(steps): pixels.order(steps, params.prepare.permutation).tolist() for steps in grid}
        return found
    problem = catalogue.PROBLEMS[name]
    found["score"] = "rmse" if problem.loss == "squared_error" else "accuracy"
    found["chance"] = {str(steps): problem.chance(steps)._asdict() for steps in grid}
    return found


def tags(about: dict[str, Any]) -> dict[str, str]:
    """Where the data comes from, for MLflow."""
    if "provenance" not in about:
        return {"data": "generated"}
    return {f"data.{record['source']}": record["origin"] for record in about["provenance"]}
