"""Short trainings of both frameworks from one start: update by update, and left to themselves.

Left to themselves two trainings part even if they differ by rounding alone, since training amplifies it. So the gap
between the frameworks is held against the gap between one framework and itself, one weight moved by the least amount.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from rnn_study.model import init
from rnn_study.model.defaults import DEFAULTS, Defaults
from rnn_study.model.network import Embedding, Layer, Network, default_impl, shapes
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import Batch, Task

from . import probes
from .probes import Problem, Trajectory

UNITS, EXAMPLES, LENGTH, BATCH = 16, 128, 8, 8  # they read the first steps of a task's first examples
CLIP = 0.25
LEADER, FOLLOWER = "tensorflow", "pytorch"  # the leader runs each network many times, which TensorFlow compiles once
# Numbers that float32 holds exactly, for Keras keeps its learning rate and betas in it.
RATE, BETA, LATE = 2**-8, 0.875, 1 - 2**-10
OWN = {"pytorch": DEFAULTS["pytorch"], "tensorflow": DEFAULTS["keras"]}  # what each framework does by itself
SETTINGS = {
    "units": UNITS,
    "examples": EXAMPLES,
    "steps": LENGTH,
    "batch": BATCH,
    "learning_rate": RATE,
    "betas": [BETA, LATE],
    "clip": CLIP,
}


@dataclass(frozen=True)
class Training:
    """Updates of one cell on the examples of a task, with the harmonised Adam, each gradient's norm clipped."""

    task: str
    cell: str
    dtype: str
    problem: Problem
    order: np.ndarray  # (S, B) indices into the examples
    starts: int  # that are moved by one unit in the last place

    def by(self, defaults: Defaults) -> Problem:
        """The same training by these defaults, but for the start and the betas: the same weights, a second bias at
        zero."""
        problem = self.problem
        network = replace(problem.network, second_bias=defaults.second_bias)
        optimiser = replace(
            problem.optimiser,
            rule=replace(problem.optimiser.rule, epsilon=defaults.epsilon, hat=defaults.hat),
            clip_margin=defaults.clip_margin,
        )
        weights = {
            name: problem.weights.get(name, np.zeros(shape, self.dtype)) for name, shape in shapes(network).items()
        }
        return replace(problem, network=network, optimiser=optimiser, weights=weights)

    def started(self, defaults: Defaults, draw: int) -> Problem:
        """`by` these defaults, from weights drawn as they draw them; `draw` seeds the generator."""
        problem = self.by(defaults)
        drawn = init.draw(problem.network, np.random.default_rng(draw), problem.weights.get("embedding"), defaults.init)
        return replace(problem, weights=drawn).cast(self.dtype)

    def perturbed(self) -> list[Problem]:
        """Starts with one weight of a kernel moved by one unit in the last place (biases start at zero,
        whose next number is too small to change anything)."""
        names = [name for name in self.problem.weights if name.endswith((".W", ".U"))]
        places = [(name, place) for name in names for place in np.ndindex(self.problem.weights[name].shape)]
        found = []
        for chosen in np.random.default_rng(0).choice(len(places), self.starts, replace=False):
            name, place = places[chosen]
            array = self.problem.weights[name].copy()
            array[place] = np.nextafter(array[place], array.dtype.type(np.inf))
            found.append(replace(self.problem, weights=self.problem.weights | {name: array}))
        return found


@dataclass(frozen=True)
class Lead:
    """What the leader hands on: its trajectory, its losses with its own defaults, and the floor (see `Curves`)."""

    trajectory: Trajectory
    defaults: np.ndarray
    floor: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Of one training, at each of its S updates (S,):

    loss: the leader's. gap: how far the follower's is from it. defaults: how far they are apart, each as it is by
    itself. floor: the largest gap so far between the leader and itself from the perturbed starts, and at least one
    unit in the last place of the loss. steps: how far the follower is after one update from the leader's weights and
    slots from where the leader is, in float64; empty elsewhere.
    """

    loss: np.ndarray
    gap: np.ndarray
    defaults: np.ndarray
    floor: np.ndarray
    steps: np.ndarray


def training(task: Task, cell: str, dtype: str, updates: int, perturbed: int) -> Training:
    """The training of `cell` on the beginnings of the first examples of `task`, with the words that occur there."""
    x, y, mask = (None if array is None else array[:EXAMPLES] for array in task.train)
    x, mask = x[:, :LENGTH], None if mask is None else mask[:, :LENGTH]
    table, embedding = None, None
    if task.embedding is not None:
        words, ids = np.unique(x, return_inverse=True)
        x, table = ids.reshape(x.shape).astype(np.int32), task.embedding[words]
        embedding = Embedding(len(words), True)
    network = Network(task.inputs, (Layer(cell, UNITS),), task.outputs, embedding)
    rng = np.random.default_rng(0)
    weights = init.draw(network, rng, table)
    optimiser = Optimiser(RATE, CLIP, Adam(BETA, LATE))
    problem = Problem(network, task.loss, optimiser, weights, Batch(x, y, mask), default_impl(network))
    order = np.concatenate([rng.permutation(len(y)) for _ in range(updates * BATCH // len(y) + 1)])
    order = order[: updates * BATCH].reshape(updates, BATCH)
    return Training(task.name, cell, dtype, problem.cast(dtype), order, perturbed)


def lead(backend: str, work: Training) -> Lead:
    """The leader's part: the training step by step, with its own defaults, and from the perturbed starts."""
    trajectory = probes.record(backend, work.problem, work.order)
    loss = trajectory.losses.astype(np.float64)
    defaults, *moved = probes.losses(backend, [work.by(OWN[backend]), *work.perturbed()], work.order)
    unit = np.spacing(trajectory.losses).astype(np.float64)
    floor = np.maximum.accumulate(np.maximum(np.abs(np.array(moved, np.float64) - loss).max(axis=0), unit))
    return Lead(trajectory, defaults.astype(np.float64), floor)


def follow(backend: str, work: Training, lead: Lead) -> Curves:
    """The follower's: each update from the leader's weights and slots, then the free runs."""
    steps = np.empty(0)
    if work.dtype == "float64":
        steps = probes.follow(backend, work.problem, work.order, lead.trajectory)
    own, defaults = probes.losses(backend, [work.problem, work.by(OWN[backend])], work.order).astype(np.float64)
    loss = lead.trajectory.losses.astype(np.float64)
    return Curves(loss, np.abs(loss - own), np.abs(lead.defaults - defaults), lead.floor, steps)


def defaults(backend: str, work: Training) -> dict[str, float]:
    """How far the frameworks' defaults lead one training apart: for each, the largest gap between the losses with
    PyTorch's and with Keras' choice, all else matched; `all of them` together last. In one framework, for either can
    have the other's.

    Initial weights are drawn twice by each scheme: their gap is the mean over the pairs of two schemes, and `another
    draw` the mean over the pairs of one.
    """
    one, other, matched = DEFAULTS["pytorch"], DEFAULTS["keras"], DEFAULTS["matched"]
    settings = {
        "Adam's epsilon": ("epsilon", "hat"),
        "clipping": ("clip_margin",),
        "number of biases": ("second_bias",),
    }
    pairs = {
        what: [[(replace(matched, **{name: getattr(side, name) for name in fields}), 0) for side in (one, other)]]
        for what, fields in settings.items()
    }
    drawn = [[(replace(matched, init=side.init), draw) for draw in (0, 1)] for side in (one, other)]
    pairs = {"initial weights": list(product(*drawn)), "another draw": drawn} | pairs
    pairs["all of them"] = [[(one, 0), (other, 0)]]
    runs = list(dict.fromkeys(run for several in pairs.values() for pair in several for run in pair))
    found = probes.losses(backend, [work.started(*run) for run in runs], work.order).astype(np.float64)
    losses = dict(zip(runs, found, strict=True))
    return {
        what: float(np.mean([np.abs(losses[a] - losses[b]).max() for a, b in several]))
        for what, several in pairs.items()
    }
