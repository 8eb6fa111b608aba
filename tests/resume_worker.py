"""What test_resume.py asks of a worker: a training stopped after each of its epochs, and gone on with elsewhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from train_worker import BASE, classification, drawn, regression

from rnn_study.model.init import Init
from rnn_study.model.network import Attention, Dense, Embedding, Layer, Network
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import END, Batch, Task
from rnn_study.running.run import results
from rnn_study.running.run.train import Training
from rnn_study.support.files import read_arrays, write_arrays


def _copied() -> Task:
    """Tokens to be written as they were read."""
    rng = np.random.default_rng(2)

    def part(count: int) -> Batch:
        x = rng.integers(2, 6, (count, 3)).astype(np.int32)
        return Batch(x, np.concatenate([x, np.full((count, 1), END)], axis=1).astype(np.int64))

    table = rng.normal(size=(6, 3)).astype(np.float32)
    return Task("copy", "cross_entropy", 6, part(32), part(8), {"test": part(8)}, embedding=table, writes=True)


def _text() -> Task:
    """An answer for every step of pieces that follow one another; some end early."""
    rng = np.random.default_rng(3)

    def part(count: int) -> Batch:
        x = rng.normal(size=(count, 4, 3)).astype(np.float32)
        return Batch(x, (x[:, :, 0].cumsum(axis=1) > 0).astype(np.int64))

    return Task("text", "cross_entropy", 2, part(32), part(8), {"test": part(8)}, scored=1, continues=True)


def _padded() -> Task:
    task = classification()
    rng = np.random.default_rng(4)

    def cut(batch: Batch) -> Batch:
        return Batch(batch.x, batch.y, np.arange(4) < rng.integers(1, 5, (len(batch.y), 1)))

    return replace(
        task, train=cut(task.train), validation=cut(task.validation), tests={"test": cut(task.tests["test"])}
    )


# What a training can carry from one epoch to the next: the optimisers' slots, the generators of order, masks and fresh
# data, running statistics, the best epoch so far, a goal once reached, a bar, checkpoints. Each with the epochs it has.
CASES = {
    "momentum, masks, fresh data": (
        replace(BASE, optimiser=Optimiser(0.02, 1.0, Sgd(0.9)), checkpoints=(0, 1, 3)),
        drawn,
        4,
    ),
    "running statistics, both ways, squares": (
        replace(
            BASE,
            impl="equations",
            network=Network(3, (Layer("lstm", 4),), 2, norm="batch", norm_steps=3, bidirectional=True, dropout=0.2),
            optimiser=Optimiser(0.02, 0.1, RmsProp(), clip_by="value"),
            goal=0.4,
            beyond=True,
            epochs=3,
        ),
        _padded,
        3,
    ),
    "carried states, the goal": (
        replace(
            BASE, network=Network(3, (Layer("vanilla", 5),), 2, every_step=True, carried=True), goal=0.01, patience=2
        ),
        _text,
        2,
    ),
    "a decoder that attends": (
        replace(
            BASE,
            network=Network(
                3,
                (Layer("gru", 5),),
                6,
                Embedding(6, True),
                dropout=0.1,
                decoder=Network(6, (Layer("gru", 5),), 6, dropout=0.1, every_step=True, attention=Attention(4, 5)),
            ),
            optimiser=Optimiser(0.02, None, Adam(hat=True)),
            init=Init(forget_bias=1.0),
        ),
        _copied,
        4,
    ),
    "the last epoch, a dense layer": (
        replace(
            BASE,
            network=Network(3, (Layer("lstm", 5),), 1, dense=(Dense(4, "tanh"),)),
            last=True,
            bar=((3, 1e-9),),
        ),
        lambda: regression(logarithm=False),
        3,
    ),
    "diverged": (
        replace(BASE, network=Network(3, (Layer("vanilla", 6),), 1), optimiser=Optimiser(1e25, None), epochs=9),
        lambda: regression(logarithm=False),
        1,
    ),
}


def _left(training: Training, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    results.write(training.result(), folder, {})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def stopped_everywhere(backend: str, case: str, folder: Path) -> tuple[int, dict[int, list[str]]]:
    """The epochs of an undisturbed training; and by the epoch after which another was stopped, the files in which what
    it went on to differs. Between the two its state lies in a file."""
    spec, task, _ = CASES[case]
    spec, task = replace(spec, backend=backend), task()
    folder.mkdir(parents=True)
    whole = Training(spec, task)
    for row in whole:
        write_arrays(folder / f"{row['epoch']}.npz", whole.state())
    expected = _left(whole, folder / "whole")
    epochs, different = row["epoch"], {}
    for epoch in range(1, epochs + 1):
        other = Training(spec, task, state=read_arrays(folder / f"{epoch}.npz"))
        assert [row["epoch"] for row in other] == list(range(epoch + 1, epochs + 1))
        found = _left(other, folder / f"from-{epoch}")
        different[epoch] = [name for name in expected if found[name] != expected[name]]
    return epochs, different
