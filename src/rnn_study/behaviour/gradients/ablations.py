"""What became of a generated problem's runs: its cells, their ablations, and the map."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from rnn_study.config import Ablation, Config
from rnn_study.model.task import Task
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.running.run.events import Finished, Follow, by_task
from rnn_study.statistics import summary


def train(config: Config, problems: Collection[Task], follow: Follow) -> dict[str, list[Finished]]:
    """Train the cells of all `problems`, then their ablations and maps, which may clip by the mean gradient norm of a
    cell: each problem's runs, by its name."""
    cells = by_task(follow([spec for task in problems for spec in experiments.problem(config, task)], "ablate: cells"))
    norms = {name: mean_norms(own) for name, own in cells.items()}
    more = [spec for task in problems for spec in experiments.problem(config, task, norms[task.name])]
    ablated = by_task(follow(more, "ablate: ablations"))
    return {name: own + ablated.get(name, []) for name, own in cells.items()}


def mean_norms(finished: Sequence[Finished]) -> dict[str, float]:
    """The mean gradient norm before clipping over all updates and seeds, by variant. What is not finite is left out,
    and a variant of which nothing is left."""
    found: dict[str, list[np.ndarray]] = {}
    for run in finished:
        norms = results.read_updates(run.folder)["norms"]
        found.setdefault(run.spec.variant, []).append(norms[np.isfinite(norms)])
    joined = {variant: np.concatenate(norms) for variant, norms in found.items()}
    return {variant: float(norms.mean()) for variant, norms in joined.items() if len(norms)}


def outcome(solved: bool, diverged: bool) -> str:
    """How a run ended: its loss was no number any more, it reached the goal, or neither within its updates."""
    return "diverged" if diverged else "solved" if solved else "stuck"


def _health(runs: Sequence[Finished]) -> dict[str, list[float]]:
    """Of each run's updates: quantiles of the gradient norm before clipping, the share clipped, the median ratio."""
    found: dict[str, list[float]] = {"norm_median": [], "norm_99": [], "clipped_share": [], "update_ratio": []}
    for run in runs:
        updates = results.read_updates(run.folder)
        norms = np.nan_to_num(updates["norms"].astype(np.float64), nan=np.inf)
        largest = np.finfo(np.float32).max  # a number in JSON, where infinity is none
        found["norm_median"].append(float(min(np.median(norms), largest)))
        found["norm_99"].append(float(min(np.quantile(norms, 0.99, method="higher"), largest)))
        found["clipped_share"].append(float(updates["clipped"].mean()))
        ratios = updates["ratios"][np.isfinite(updates["ratios"])]
        found["update_ratio"].append(float(np.median(ratios)) if len(ratios) else 0.0)
    return found


def table(config: Config, task: Task, card: dict[str, Any], finished: Sequence[Finished]) -> dict[str, Any]:
    """The content of metrics/ablate/<problem>.json: as `summary.training`, and for each variant the outcome of each
    seed, the health of its updates, and the cell it belongs to and what was changed, or its place in the map."""
    params = config.task(task.name)
    found = summary.training(task, card, {}, finished)
    for name, cell in found["cells"].items():
        runs = [run for run in finished if run.spec.variant == name]
        cell |= _health(runs)
        cell["outcomes"] = [outcome(*ends) for ends in zip(cell["solved"], cell["diverged"], strict=True)]
        variant = params.variants[name]
        if name in params.mapped:
            cell["map"] = [int(place) for place in name.split("-")[1:]]
        elif isinstance(variant, Ablation):
            named = name.removeprefix(f"{variant.of[0]}-")
            changed = params.ablations[named].model_dump(exclude_unset=True, exclude={"of", "seeds"})
            cell |= {"of": variant.of[0], "label": named, "change": changed}
    grid = params.map
    found["map"] = grid.model_dump(include={"of", "learning_rates", "clips"}) if grid else None
    found["goal"], found["limit"] = params.training.goal, params.training.epochs
    return found
