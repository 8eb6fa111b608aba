"""Every check of the frameworks, with its bound.

Layers, updates and worked cases are held against the oracle (`reference/`); the trainings of the two frameworks
against each other (`trainings.py`); trained networks are moved from one framework into the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS, Pass
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import WORST, Task
from rnn_study.running.run import results

from .probes import Problem, Tree, deviation, slots_deviation, tree_deviation
from .problems import UPDATES, Options, update_problem
from .trainings import Curves, Training

if TYPE_CHECKING:
    from rnn_study.config import Config

CHECKS = (
    *(_PASS := ("forward", "final states", "gradients", "input gradient")),
    *("worked case", "update", "updates in step", "free-running gap", "transfer"),
)
# The bound of every check by precision. Deviations are relative to the largest number of an array; the gap between
# two free trainings is counted in floors (`trainings.Curves`).
BOUNDS = {
    "float64": dict.fromkeys((*_PASS, "worked case"), 1e-10)
    | {"update": 1e-12, "updates in step": 1e-12, "free-running gap": 30.0},
    "float32": dict.fromkeys((*_PASS, "transfer"), 1e-4) | {"free-running gap": 30.0},
    # A GPU adds in another order; TensorFloat-32 keeps 10 bits of a factor's fraction, half a unit is 5e-4.
    "float64 on a GPU": dict.fromkeys(_PASS, 1e-10),
    "float32 on a GPU": dict.fromkeys(_PASS, 5e-4),
    "TF32 on a GPU": dict.fromkeys(_PASS, 5e-2),
}

NO_CELL = "mlp"  # in the place of a cell, where there is none
Row = dict[str, Any]  # check, cell, framework, dtype, case, deviation, bound


def _row(check: str, cell: str, framework: str, dtype: str, case: str, found: float) -> Row:
    return {
        "check": check,
        "cell": cell,
        "framework": framework,
        "dtype": dtype,
        "case": case,
        "deviation": float(f"{found if np.isfinite(found) else WORST:.1e}"),
        "bound": BOUNDS[dtype][check],
    }


def precision(problem: Problem) -> str:
    """The key of BOUNDS for a problem."""
    dtype = str(next(iter(problem.weights.values())).dtype)
    if problem.device == "cpu":
        return dtype
    return "TF32 on a GPU" if problem.tf32 and dtype == "float32" else f"{dtype} on a GPU"


def knob_rows(backend: str, name: str, problem: Problem, expected: Pass, found: Pass) -> list[Row]:
    layers = max((part.layers for part in problem.network.parts), key=len)
    cells = [layer.cell for layer in layers] or [NO_CELL]
    where = (cells[0], backend, precision(problem), f"{name}, {'/'.join(cells)}")
    return [_row(check, *where, value) for check, value in pass_deviations(found, expected).items()]


def pass_deviations(found: Pass, expected: Pass) -> dict[str, float]:
    """How far a pass is from another one, check by check; without recurrent layers there are no states."""

    def worst(some: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> float:
        return max(deviation(one, other) for one, other in zip(some, others, strict=True))

    forward = ((one.outputs, one.loss, *one.hidden) for one in (found, expected))
    final = ([state for states in one.final for state in states] for one in (found, expected))
    return {
        "forward": worst(*forward),
        **({"final states": worst(*final)} if expected.final else {}),
        "gradients": tree_deviation(found.gradients, expected.gradients),
        "input gradient": deviation(found.inputs, expected.inputs),
    }


def layer_rows(backend: str, chosen: Options, problem: Problem, expected: Pass, found: Pass) -> list[Row]:
    """The four checks of one pass of `problem`, which was made for `chosen`."""
    deviations = pass_deviations(found, expected)
    where = (chosen.cell, backend, precision(problem), str(chosen))
    return [_row(check, *where, value) for check, value in deviations.items()]


def worked_row(backend: str, name: str, problem: Problem, expected: Pass, found: Pass) -> Row:
    worst = max(pass_deviations(found, expected).values())
    return _row("worked case", "vanilla", backend, precision(problem), f"{name}; {problem.impl}", worst)


def update_row(backend: str, rule: str, found: tuple[Tree, Tree]) -> Row:
    """One framework's update against its own formula."""
    problem, slots, gradients = update_problem(rule)
    weights, after = reference.update(problem.optimiser, backend, problem.weights, slots, gradients)
    kept = ["updates", *(f"{slot}.{name}" for slot in UPDATES[rule].rule.slots for name in gradients)]
    worst = max(tree_deviation(found[0], weights), slots_deviation(found[1], {name: after[name] for name in kept}))
    return _row("update", "vanilla", backend, "float64", f"{rule}, its formula", worst)


def agreement_row(rule: str, one: tuple[Tree, Tree], other: tuple[Tree, Tree]) -> Row:
    """One framework's update against the other's."""
    worst = max(tree_deviation(one[0], other[0]), slots_deviation(one[1], other[1]))
    return _row("update", "vanilla", "both", "float64", f"{rule}, one against the other", worst)


def training_rows(work: Training, curves: Curves) -> list[Row]:
    """Updates in step, and the worst ratio of gap to floor of the free runs."""
    where = (work.cell, "both", work.dtype, f"{work.task}, {len(work.order)} updates")
    rows = [_row("free-running gap", *where, float((curves.gap / curves.floor).max()))]
    if len(curves.steps):
        rows.append(_row("updates in step", *where, float(curves.steps.max())))
    return rows


@dataclass(frozen=True)
class Trained:
    """A trained network of the study: what it was trained in, and what it predicted there for the test part."""

    task: str
    variant: str
    backend: str
    problem: Problem
    outputs: np.ndarray

    @property
    def other(self) -> str:
        return BACKENDS[1 - BACKENDS.index(self.backend)]


def trained(config: "Config", task: Task, runs: Path) -> list[Trained]:
    """The networks of `task` that the study trained with its first seed, published under `runs`."""
    # Here, for benchmarks/gpu.py needs the other checks, where there are few packages.
    from rnn_study.running import experiments
    from rnn_study.running.settings import chosen

    found, settings = [], chosen(config, task.name, config.seeds)
    for name in config.task(task.name).cells:
        tuned = settings(name, config.seeds[0]) | {"dropout": 0.0}
        network = experiments.network(config.task(task.name), task, name, tuned)
        for backend in BACKENDS:
            folder = results.run_folder(runs, task.name, backend, name, config.seeds[0])
            weights, outputs = results.read_weights(folder), results.read_predictions(folder)["test"]
            impl = experiments.implementation(config.task(task.name), task, name)
            problem = Problem(network, task.loss, Optimiser(0.0, None), weights, task.tests["test"], impl)
            found.append(Trained(task.name, name, backend, problem, outputs))
    return found


def transfer_row(run: Trained, found: np.ndarray) -> Row:
    """What the other framework predicts with the weights of `run`, against what its own one did."""
    cell = run.problem.network.layers[0].cell
    case = f"{run.task}, {'' if run.variant == cell else run.variant + ', '}trained in {run.backend}"
    return _row("transfer", cell, run.other, precision(run.problem), case, deviation(found, run.outputs))
