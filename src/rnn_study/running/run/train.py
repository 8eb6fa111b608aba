"""One training run, the same loop for every framework."""

import math
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from rnn_study.model.backend import EpochTrace
from rnn_study.model.init import draw
from rnn_study.model.network import Network, parameter_count
from rnn_study.model.task import WORST, Task

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


def train(
    spec: RunSpec, task: Task, dtype: type[np.floating] = np.float32
) -> Generator[dict[str, float], None, RunResult]:
    """Train `spec` on `task`; yields a row of the history an epoch, returns the result.

    Each epoch is a new permutation of the training part in whole batches (see `_order`); the remainder waits for the
    next one. Where the task can draw a fresh part, each epoch has its own. The weights of the epoch with the best
    validation score are kept (on a tie, of the lower validation loss), or of the last one, where the spec says so. A
    loss that is not finite ends the run, marked as diverged; its curves stay. A goal is reached when two epochs in a
    row reach it: one alone may be luck.
    """
    backend = backends.load(spec.backend)
    if spec.examples:
        task = replace(task, train=task.train.rows(slice(spec.examples)))
    initial = draw(spec.network, stream(spec.seed, "weights"), task.embedding, spec.init)
    model = backend.build(
        spec.network,
        task.loss,
        spec.optimiser,
        {name: array.astype(dtype) for name, array in initial.items()},
        spec.device,
        spec.impl,
    )
    shuffle, drop, fresh = (stream(spec.seed, purpose) for purpose in ("order", "dropout", "data"))
    data = None if task.fresh else backend.place(task.train, model)
    validation = backend.place(task.validation, model)
    examples = len(task.train.y)
    batch_size = min(spec.batch_size, examples)
    steps = examples // batch_size
    sign = 1 if task.higher_is_better else -1

    best, best_epoch, solved_at, diverged, pruned = (-math.inf, -math.inf), 0, None, False, False
    bar = dict(spec.bar)
    in_a_row = 0  # epochs at the goal
    best_weights = backend.weights(model)
    history: list[dict[str, float]] = []
    traces: list[EpochTrace] = []
    checkpoints = {0: best_weights} if 0 in spec.checkpoints else {}
    for epoch in range(1, spec.epochs + 1):
        if task.fresh:
            data = backend.place(task.fresh(fresh), model)
        order = _order(spec.network, shuffle, examples, batch_size)
        trace = backend.epoch(model, data, order, _dropout_masks(spec.network, drop, order))
        outputs = backend.predict(model, validation)
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
        history.append(row)
        traces.append(trace)
        if epoch in spec.checkpoints:
            checkpoints[epoch] = backend.weights(model)
        yield row
        told = (row["train_loss"], row["validation_loss"])
        diverged = not all(map(math.isfinite, told)) or row["validation_score"] == WORST
        if diverged:
            break
        rank = (sign * row["validation_score"], -row["validation_loss"])
        if rank > best or spec.last:
            best, best_epoch, best_weights = rank, epoch, backend.weights(model)
        if spec.goal is not None and solved_at is None:
            in_a_row = in_a_row + 1 if sign * row["validation_score"] >= sign * spec.goal else 0
            if in_a_row == 2:
                solved_at = epoch * steps
                if not spec.beyond:
                    break
        pruned = epoch in bar and best[0] < sign * bar[epoch]
        if pruned or epoch - best_epoch >= spec.patience:
            break

    backend.set_weights(model, best_weights)
    parts = {"validation": task.validation, **(task.tests if spec.tests else {})}
    predictions = {name: backend.predict(model, backend.place(part, model)) for name, part in parts.items()}
    summary = {
        "scores": {name: task.score(outputs, name) for name, outputs in predictions.items()},
        "best_epoch": best_epoch,
        "epochs": len(history),
        "updates": len(history) * steps,
        "examples_seen": len(history) * steps * batch_size,
        "parameters": parameter_count(spec.network, embedding=False),
        "parameters_with_embedding": parameter_count(spec.network, embedding=True),
        "diverged": diverged,
    }
    if spec.bar:
        summary["pruned"] = pruned
    if spec.goal is not None:
        summary["solved"] = solved_at is not None
        if solved_at is not None:
            summary["solved_at"] = solved_at
    updates = {name: np.concatenate([getattr(trace, name) for trace in traces]) for name in EpochTrace._fields}
    in_unit = {name: task.to_unit(outputs, name) for name, outputs in predictions.items()} if task.inverse else {}
    return RunResult(history, updates, best_weights, checkpoints, predictions, in_unit, summary)
