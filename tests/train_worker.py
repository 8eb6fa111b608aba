"""PyTorch at work on the runs of test_train.py: `train_worker.py <folder>`.

Every run leaves its files and, where it was watched, what the loop asked of the backend.
"""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from rnn_study.model.init import Init
from rnn_study.model.network import Layer, Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch, Task
from rnn_study.running.run import backends, results
from rnn_study.running.run.results import RunResult
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.run.train import Training

BASE = RunSpec(
    task="digits",
    variant="gru",
    data="",
    backend="pytorch",
    impl="native",
    device="cpu",
    network=Network(3, (Layer("gru", 6),), 2, dropout=0.25),
    init=Init(),
    optimiser=Optimiser(0.02, 1.0),
    batch_size=8,
    epochs=4,
    patience=4,
    examples=None,
    tests=True,
    seed=3,
)
LONG = replace(BASE, epochs=200, patience=5)
NETWORKS = {cell: replace(BASE.network, layers=(Layer(cell, 6),)) for cell in ("vanilla", "lstm", "gru")}


def classification() -> Task:
    """Is the sum of the first feature positive? A fifth of the labels are turned, so that fitting ends badly."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Batch:
        x = rng.normal(size=(count, 4, 3)).astype(np.float32)
        y = (x[:, :, 0].sum(axis=1) > 0) ^ (rng.random(count) < 0.2)
        return Batch(x, y.astype(np.int64))

    return Task("digits", "cross_entropy", 2, part(45), part(30), {"test": part(20)})


def drawn() -> Task:
    """The same, with another training part for every epoch."""
    task = classification()

    def fresh(rng: np.random.Generator) -> Batch:
        return Batch(rng.normal(size=(45, 4, 3)).astype(np.float32), rng.integers(0, 2, 45))

    return replace(task, fresh=fresh)


def answers() -> Task:
    """Is the sum so far positive? An answer for every step, the last one scored."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Batch:
        x = rng.normal(size=(count, 4, 3)).astype(np.float32)
        return Batch(x, (x[:, :, 0].cumsum(axis=1) > 0).astype(np.int64))

    return Task("digits", "cross_entropy", 2, part(45), part(30), {"test": part(20)}, scored=1)


def regression(logarithm: bool) -> Task:
    rng = np.random.default_rng(1)

    def part() -> Batch:
        return Batch(*(rng.normal(size=shape).astype(np.float32) for shape in ((16, 4, 3), (16, 1))))

    offsets = {f"offset_{name}": np.zeros(16) for name in ("train", "validation", "test")}
    inverse = {"scale": np.array(1.0), "logarithm": np.array(logarithm), **offsets}
    return Task("series", "squared_error", 1, part(), part(), {"test": part()}, "thousands", inverse=inverse)


def first(batch: Batch, count: int) -> Batch:
    return Batch(batch.x[:count], batch.y[:count])


class Run(NamedTuple):
    spec: RunSpec
    task: Task


def runs() -> dict[str, Run]:
    task = classification()
    wild = replace(BASE, network=Network(3, (Layer("vanilla", 6),), 1), optimiser=Optimiser(1e25, None), epochs=9)
    # Finite in the scale of the loss, but not as exp of it.
    high = replace(wild, optimiser=Optimiser(1e4, None))
    return {
        "once": Run(BASE, task),
        "twice": Run(BASE, task),
        "other_seed": Run(replace(BASE, seed=4), task),
        "stopped": Run(LONG, task),
        "tied": Run(replace(LONG, seed=4), replace(task, validation=first(task.validation, 8))),
        "blind": Run(replace(BASE, tests=False), replace(task, tests={"test": None})),
        "few": Run(replace(BASE, examples=13), task),
        "tiny": Run(replace(BASE, batch_size=1000), task),
        "checked": Run(replace(BASE, checkpoints=(0, 1, 3, 9)), task),
        "solved": Run(replace(LONG, goal=0.6), task),
        "unsolved": Run(replace(BASE, goal=1.01), task),
        "beyond": Run(replace(LONG, goal=0.6, beyond=True), task),
        "fresh": Run(BASE, drawn()),
        "fresh_again": Run(BASE, drawn()),
        "fresh_other_cell": Run(replace(BASE, network=NETWORKS["lstm"]), drawn()),
        "fresh_other_seed": Run(replace(BASE, seed=4), drawn()),
        "every_step": Run(replace(BASE, network=replace(BASE.network, every_step=True)), answers()),
        "diverged": Run(wild, regression(logarithm=False)),
        "overflowed": Run(high, regression(logarithm=True)),
        **{f"cell_{cell}": Run(replace(BASE, network=network), task) for cell, network in NETWORKS.items()},
        "cell_other_framework": Run(replace(BASE, backend="tensorflow"), task),
    }


class Watched:
    """PyTorch's backend under either name, which notes the orders, weights and dropout masks it is given."""

    def __init__(self):
        self.real = backends.load("pytorch")
        self.arrays: dict[str, list[np.ndarray]] = {}
        functions = ("predict", "weights", "set_weights")
        watched = {"build": self._build, "epoch": self._epoch, "place": self._place}
        self.module = SimpleNamespace(**{name: getattr(self.real, name) for name in functions}, **watched)
        backends.load = lambda name: self.module

    def _build(self, network, loss, optimiser, weights, device, impl):
        self.arrays = {"order": [], "mask": [], "head": [weights["head.W"]], "placed": []}
        return self.real.build(network, loss, optimiser, weights, device, impl)

    def _place(self, batch, model):
        if len(batch.y) == 45:  # a training part
            self.arrays["placed"].append(batch.x)
        return self.real.place(batch, model)

    def _epoch(self, model, data, order, keep):
        self.arrays["order"].append(order)
        self.arrays["mask"] += keep or []
        return self.real.epoch(model, data, order, keep)


def finish(run: Run) -> RunResult:
    training = Training(run.spec, run.task)
    list(training)
    return training.result()


def leave(result: RunResult, folder: Path, watched: Watched) -> None:
    folder.mkdir()
    np.savez(folder / "watched.npz", **{name: np.array(found) for name, found in watched.arrays.items()})
    try:
        results.write(result, folder, {})
    except ValueError as error:  # a score that JSON does not know
        (folder / "refused.txt").write_text(f"{error}: {result.summary}")


def main(root: Path) -> None:
    watched = Watched()
    for name, run in runs().items():
        leave(finish(run), root / name, watched)
    # Stopped again at what the long run says was its best epoch.
    best = results.read_summary(root / "stopped")["best_epoch"]
    leave(finish(Run(replace(LONG, epochs=best), classification())), root / "until_best", watched)
    # A goal that is its one best score: only that epoch reaches it.
    score = max(row["validation_score"] for row in results.read_history(root / "stopped"))
    leave(finish(Run(replace(LONG, goal=score), classification())), root / "at_one_look", watched)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
