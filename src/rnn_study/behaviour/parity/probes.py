"""What the parity checks ask of one framework: functions that run in one of its workers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_study.model.backend import Backend, Pass
from rnn_study.model.network import Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch
from rnn_study.running.run import backends

Tree = dict[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """A network with its weights, whose dtype is the dtype of all, and what it is run or trained on."""

    network: Network
    loss: str
    optimiser: Optimiser
    weights: Tree
    batch: Batch
    impl: str = "native"
    device: str = "cpu"
    tf32: bool = False

    def cast(self, dtype: str) -> "Problem":
        """The same in another precision; data in float64 are rounded to it too."""
        x, y, mask = self.batch
        x, y = (array.astype(dtype) if array.dtype.kind == "f" else array for array in (x, y))
        weights = {name: array.astype(dtype) for name, array in self.weights.items()}
        return replace(self, weights=weights, batch=Batch(x, y, mask))


@dataclass(frozen=True)
class Trajectory:
    """S updates: the loss before each (S,), weights and slots before the first and after each, S + 1 of them."""

    losses: np.ndarray
    weights: list[Tree]
    slots: list[Tree]


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest expected number; infinite where a number is missing or none."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape or not (np.isfinite(found).all() and np.isfinite(expected).all()):
        return np.inf
    scale = np.abs(expected).max(initial=0.0)
    return float(np.abs(found - expected).max(initial=0.0) / (scale or 1.0))


def tree_deviation(found: Tree, expected: Tree) -> float:
    """The worst `deviation` over arrays of the same names."""
    if found.keys() != expected.keys():
        return np.inf
    return max(deviation(found[name], expected[name]) for name in expected)


def slots_deviation(found: Tree, expected: Tree) -> float:
    """The worst difference of an optimiser's slots, each kind relative to its largest number in any array: a running
    mean of a single number may pass through zero."""
    if found.keys() != expected.keys():
        return np.inf

    def joined(slots: Tree, kind: str) -> np.ndarray:
        return np.concatenate([np.ravel(array) for name, array in slots.items() if name.partition(".")[0] == kind])

    return max(deviation(joined(found, kind), joined(expected, kind)) for kind in {k.partition(".")[0] for k in found})


def _open(backend: str, problem: Problem) -> tuple[Backend, object, object]:
    module = backends.load(backend)
    module.allow_tf32(problem.tf32)
    model = module.build(
        problem.network, problem.loss, problem.optimiser, problem.weights, problem.device, problem.impl
    )
    return module, model, module.place(problem.batch, model)


def probe(backend: str, problem: Problem) -> Pass:
    """One pass of the problem, forward and back."""
    module, model, data = _open(backend, problem)
    return module.probe(model, data)


def updated(backend: str, problem: Problem, slots: Tree, gradients: Tree) -> tuple[Tree, Tree]:
    """Weights and slots after one update by `gradients`, started with `slots`."""
    module, model, _ = _open(backend, problem)
    module.set_slots(model, slots)
    module.apply(model, gradients)
    return module.weights(model), module.slots(model)


def record(backend: str, problem: Problem, order: np.ndarray) -> Trajectory:
    """Train freely, one update for each row of `order`, and keep everything."""
    module, model, data = _open(backend, problem)
    losses, weights, slots = [], [module.weights(model)], [module.slots(model)]
    for row in order:
        losses.append(module.epoch(model, data, row[None], None).losses[0])
        weights.append(module.weights(model))
        slots.append(module.slots(model))
    return Trajectory(np.array(losses), weights, slots)


def losses(backend: str, problems: Sequence[Problem], order: np.ndarray) -> np.ndarray:
    """The loss before each update (P, S) of problems trained freely on the same examples."""

    def one(problem: Problem) -> np.ndarray:  # its model is gone when it returns: the next one can have its graph
        module, model, data = _open(backend, problem)
        return module.epoch(model, data, order, None).losses

    return np.stack([one(problem) for problem in problems])


def follow(backend: str, problem: Problem, order: np.ndarray, leader: Trajectory) -> np.ndarray:
    """At each step (S,), start from the leader's weights and slots, update, and compare with what it had then:
    the worst deviation of the loss, of a weight array or of a slot."""
    module, model, data = _open(backend, problem)
    worst = []
    for step, row in enumerate(order):
        module.set_weights(model, leader.weights[step])
        module.set_slots(model, leader.slots[step])
        loss = module.epoch(model, data, row[None], None).losses[0]
        worst.append(
            max(
                deviation(loss, leader.losses[step]),
                tree_deviation(module.weights(model), leader.weights[step + 1]),
                slots_deviation(module.slots(model), leader.slots[step + 1]),
            )
        )
    return np.array(worst)


def predictions(backend: str, problem: Problem) -> np.ndarray:
    """Outputs (N, K) for the problem's batch."""
    module, model, data = _open(backend, problem)
    return module.predict(model, data)
