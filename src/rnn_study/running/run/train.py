"""One training run, the same loop for every framework. It can stop after any epoch and go on in another process."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from rnn_study.model.backend import EpochTrace
from rnn_study.model.init import draw
from rnn_study.model.network import Network, parameter_count
from rnn_study.model.task import WORST, Task
from rnn_study.support.files import Arrays

from . import backends
from .results import RunResult
from .spec import RunSpec, stream


def _dropout_masks(network: Network, rng: np.random.Generator, order: np.ndarray) -> list[np.ndarray] | None:
    """Each layer's masks (S, B, H) float32, scaled by 1 / (1 - p); None without dropout."""
    p = network.dropout
    if p == 0:
        return None
    sizes = [(*order.shape, width) for width in network.dropped]
    return [(rng.random(size, dtype=np.float32) >= p).astype(np.float32) / np.float32(1 - p) for size in sizes]


def _order(network: Network, rng: np.random.Generator, examples: int, batch_size: int) -> np.ndarray:
    """The examples (S, B) of each update of an epoch: a new permutation; or, where the network's state is carried, row
    after row of each batch what follows in the text, of which the training part holds the pieces in order."""
    steps = examples // batch_size
    if network.carried:
        return np.arange(steps * batch_size).reshape(batch_size, steps).T
    return rng.permutation(examples)[: steps * batch_size].reshape(steps, batch_size)


def _named(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _under(prefix: str, arrays: Arrays) -> Arrays:
    """The way back."""
    start = f"{prefix}/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


@dataclass
class _Course:
    """What the epochs so far amount to, apart from arrays."""

    history: list[dict[str, float]] = field(default_factory=list)
    best: tuple[float, float] = (-math.inf, -math.inf)  # the validation score, up is better, and minus the loss
    best_epoch: int = 0
    in_a_row: int = 0  # epochs at the goal
    solved_at: int | None = None
    diverged: bool = False
    pruned: bool = False


class Training:
    """Trains `spec` on `task`: iterate over it for a row of the history an epoch, then take the `result`.

    Each epoch is a new permutation of the training part in whole batches (see `_order`); the remainder waits for the
    next one. Where the task can draw a fresh part, each epoch has its own. The weights of the epoch with the best
    validation score are kept (on a tie, of the lower validation loss), or of the last one, where the spec says so. A
    loss that is not finite ends the run, marked as diverged; its curves stay. A goal is reached when two epochs in a
    row reach it: one alone may be luck.

    `state`: what `state` gave after an epoch of the same training, to go on from there, to the same bits.
    """

    def __init__(self, spec: RunSpec, task: Task, dtype: type[np.floating] = np.float32, state: Arrays | None = None):
        if spec.examples:
            task = replace(task, train=task.train.rows(slice(spec.examples)))
        self.spec, self.task, self._backend = spec, task, backends.load(spec.backend)
        initial = draw(spec.network, stream(spec.seed, "weights"), task.embedding, spec.init)
        self._model = self._backend.build(
            spec.network,
            task.loss,
            spec.optimiser,
            {name: array.astype(dtype) for name, array in initial.items()},
            spec.device,
            spec.impl,
        )
        self._streams = {purpose: stream(spec.seed, purpose) for purpose in ("order", "dropout", "data")}
        self._data = None if task.fresh else self._backend.place(task.train, self._model)
        self._validation = self._backend.place(task.validation, self._model)
        self._batch_size = min(spec.batch_size, len(task.train.y))
        self._steps = len(task.train.y) // self._batch_size
        self._sign = 1 if task.higher_is_better else -1
        self._course = _Course()
        self._updates: list[Arrays] = []
        self._best_weights = self._backend.weights(self._model)
        self._checkpoints = {0: self._best_weights} if 0 in spec.checkpoints else {}
        if state is not None:
            self._go_on(state)

    def state(self) -> Arrays:
        """All that the epochs to come and the result depend on: of the model, its optimiser, the generators, and the
        course so far."""
        backend, model = self._backend, self._model
        streams = {name: rng.bit_generator.state for name, rng in self._streams.items()}
        told = json.dumps(asdict(self._course) | {"streams": streams})
        found = {"told": np.frombuffer(told.encode(), np.uint8)}
        found |= _named("weights", backend.weights(model)) | _named("slots", backend.slots(model))
        found |= _named("best", self._best_weights) | _named("updates", self._all_updates())
        for epoch, weights in self._checkpoints.items():
            found |= _named(f"checkpoint/{epoch}", weights)
        return found

    def _go_on(self, state: Arrays) -> None:
        told = json.loads(state["told"].tobytes())
        for name, rng in self._streams.items():
            rng.bit_generator.state = told["streams"][name]
        del told["streams"]
        self._course = _Course(**told | {"best": tuple(told["best"])})
        self._backend.set_weights(self._model, _under("weights", state))
        self._backend.set_slots(self._model, _under("slots", state))
        self._best_weights, self._updates = _under("best", state), [_under("updates", state)]
        self._checkpoints = {
            epoch: weights for epoch in self.spec.checkpoints if (weights := _under(f"checkpoint/{epoch}", state))
        }

    def _all_updates(self) -> Arrays:
        return {name: np.concatenate([one[name] for one in self._updates]) for name in EpochTrace._fields}

    def __iter__(self) -> Iterator[dict[str, float]]:
        while not self._ended():
            yield self._epoch()

    def _ended(self) -> bool:
        spec, course = self.spec, self._course
        epoch = len(course.history)
        solved = course.solved_at is not None and not spec.beyond
        stale = epoch > 0 and epoch - course.best_epoch >= spec.patience
        return epoch >= spec.epochs or course.diverged or solved or course.pruned or stale

    def _epoch(self) -> dict[str, float]:
        """One more epoch: its row of the history."""
        spec, task, backend, model = self.spec, self.task, self._backend, self._model
        epoch = len(self._course.history) + 1
        if task.fresh:
            self._data = backend.place(task.fresh(self._streams["data"]), model)
        order = _order(spec.network, self._streams["order"], len(task.train.y), self._batch_size)
        trace = backend.epoch(model, self._data, order, _dropout_masks(spec.network, self._streams["dropout"], order))
        outputs = backend.predict(model, self._validation)
        row = {
            "epoch": epoch,
            "train_loss": float(trace.losses.mean()),
            "validation_loss": task.mean_loss(outputs, "validation"),
            "validation_score": task.score(outputs, "validation"),
            "gradient_norm": float(trace.norms.mean()),
            "clipped_norm": float(trace.clipped_norms.mean()),
            "clipped_share": float(trace.clipped.mean()),
            "update_ratio": float(trace.ratios.mean()),
        }
        self._updates.append(trace._asdict())
        if epoch in spec.checkpoints:
            self._checkpoints[epoch] = backend.weights(model)
        self._judge(row)
        return row

    def _judge(self, row: dict[str, float]) -> None:
        """Take an epoch's row into the course."""
        spec, course, epoch = self.spec, self._course, row["epoch"]
        course.history.append(row)
        score = self._sign * row["validation_score"]
        told = (row["train_loss"], row["validation_loss"])
        course.diverged = not all(map(math.isfinite, told)) or row["validation_score"] == WORST
        if course.diverged:
            return
        rank = (score, -row["validation_loss"])
        if rank > course.best or spec.last:
            course.best, course.best_epoch, self._best_weights = rank, epoch, self._backend.weights(self._model)
        if spec.goal is not None and course.solved_at is None:
            course.in_a_row = course.in_a_row + 1 if score >= self._sign * spec.goal else 0
            if course.in_a_row == 2:
                course.solved_at = epoch * self._steps
                if not spec.beyond:
                    return
        bar = dict(spec.bar)
        course.pruned = epoch in bar and course.best[0] < self._sign * bar[epoch]

    def result(self) -> RunResult:
        """What the run leaves behind."""
        spec, task, backend, model, course = self.spec, self.task, self._backend, self._model, self._course
        backend.set_weights(model, self._best_weights)
        parts = {"validation": task.validation, **(task.tests if spec.tests else {})}
        predictions = {name: backend.predict(model, backend.place(part, model)) for name, part in parts.items()}
        epochs = len(course.history)
        summary = {
            "scores": {name: task.score(outputs, name) for name, outputs in predictions.items()},
            "best_epoch": course.best_epoch,
            "epochs": epochs,
            "updates": epochs * self._steps,
            "examples_seen": epochs * self._steps * self._batch_size,
            "parameters": parameter_count(spec.network, embedding=False),
            "parameters_with_embedding": parameter_count(spec.network, embedding=True),
            "diverged": course.diverged,
        }
        if spec.bar:
            summary["pruned"] = course.pruned
        if spec.goal is not None:
            summary["solved"] = course.solved_at is not None
            if course.solved_at is not None:
                summary["solved_at"] = course.solved_at
        in_unit = {name: task.to_unit(outputs, name) for name, outputs in predictions.items()} if task.inverse else {}
        return RunResult(
            course.history, self._all_updates(), self._best_weights, self._checkpoints, predictions, in_unit, summary
        )
