"""Seeds a second: the study against what a user would write, the same work, alternating.

    python benchmarks/speed.py                      # writes results/speed.json beside this file; half an hour
    python benchmarks/speed.py --quick [--to FILE]  # a fraction of the work, no file unless it is named

Theirs is Keras' `fit` and a plain PyTorch loop over the framework's own layer, each with its default threads, a seed
after the other. Ours is the study's executor with an empty store in either framework: one process a core, every number
that a run leaves. Both make the same updates of the same network (Adam, the same batches and epochs, validation after
each). Compiling counts, imports do not. The numbers trained on are random, in the shape of the data that names a case:
time does not depend on them. A row has

    ratio, low, high      ours to theirs in seeds a second: median and quartiles over the rounds
    ours_a_second, theirs_a_second   seeds a second on this machine: medians
    of_products           what ours computes in matrix products a second, to what NumPy's product of two 1024 x 1024
                          matrices of float32 reaches on all cores in the same round: the limit is 1
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import machine, rounded

from rnn_study.data.prepared import save_task
from rnn_study.model.backend import BACKENDS
from rnn_study.model.init import SCHEMES
from rnn_study.model.network import Layer, Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch, Task
from rnn_study.running.execution.local import Local
from rnn_study.running.run.spec import RunSpec
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "speed.json"
THEIRS = {"keras fit": "tensorflow", "torch loop": "pytorch"}


class Case(NamedTuple):
    """A network and its work: examples (N, T, D), `outputs` classes, or a number where that is 1."""

    cell: str
    units: int
    shape: tuple[int, int, int]
    outputs: int
    batch_size: int
    epochs: int

    @property
    def network(self) -> Network:
        return Network(self.shape[2], (Layer(self.cell, self.units),), self.outputs)

    @property
    def products(self) -> float:
        """Multiplications and additions of a run's training in its layer's matrix products, back-propagation being two
        more of each."""
        examples, steps, inputs = self.shape
        gates = {"vanilla": 1, "lstm": 4, "gru": 3}[self.cell]
        updates = examples // self.batch_size * self.epochs
        return 3 * 2 * updates * self.batch_size * steps * (inputs + self.units) * gates * self.units


IMAGES = (6400, 28, 28)
CASES = {
    "images by rows, LSTM of 30": Case("lstm", 30, IMAGES, 10, 128, 4),
    "images by rows, LSTM of 150": Case("lstm", 150, IMAGES, 10, 128, 4),
    "images by rows, GRU of 150": Case("gru", 150, IMAGES, 10, 128, 4),
    "images by rows, vanilla RNN of 150": Case("vanilla", 150, IMAGES, 10, 128, 4),
    "airline series, LSTM of 4": Case("lstm", 4, (96, 12, 1), 1, 1, 100),  # as its tutorial trains it
}


class Effort(NamedTuple):
    """Seeds of ours, and of theirs, whose rate does not depend on how many there are; rounds; a share of the work."""

    seeds: int
    theirs: int
    rounds: int
    share: float


FULL, QUICK = Effort(10, 2, 5, 1.0), Effort(2, 1, 1, 0.1)


def task(case: Case) -> Task:
    rng = np.random.default_rng(0)

    def part(count: int) -> Batch:
        x = rng.normal(size=(count, *case.shape[1:])).astype(np.float32)
        if case.outputs > 1:
            return Batch(x, rng.integers(0, case.outputs, count))
        return Batch(x, rng.normal(size=(count, 1)).astype(np.float32))

    sizes = {"train": case.shape[0], "validation": case.shape[0] // 8, "test": case.shape[0] // 8}
    train, validation, test = map(part, sizes.values())
    if case.outputs > 1:
        return Task("images", "cross_entropy", case.outputs, train, validation, {"test": test})
    inverse = {f"offset_{name}": np.zeros(size) for name, size in sizes.items()}
    inverse |= {"scale": np.array(1.0), "logarithm": np.array(False)}
    return Task("series", "squared_error", 1, train, validation, {"test": test}, "passengers", inverse=inverse)


def fit(case: Case, data: Task, seed: int) -> int:
    """What a user of Keras writes. Returns the updates made."""
    import keras

    keras.utils.set_random_seed(seed)
    layer = {"vanilla": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[case.cell]
    model = keras.Sequential([keras.Input(case.shape[1:]), layer(case.units), keras.layers.Dense(case.outputs)])
    loss = "mse" if case.outputs == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    held_out = (data.validation.x, data.validation.y)
    fitted = {"batch_size": case.batch_size, "epochs": case.epochs, "validation_data": held_out, "verbose": 0}
    model.fit(data.train.x, data.train.y, **fitted)
    return int(model.optimizer.iterations)


def loop(case: Case, data: Task, seed: int) -> int:
    """What a user of PyTorch writes. Returns the updates made."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(seed)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[case.cell]
            self.layer = layer(case.shape[2], case.units, batch_first=True)
            self.head = nn.Linear(case.units, case.outputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.layer(x)[0][:, -1])

    model, measure = Model(), nn.MSELoss() if case.outputs == 1 else nn.CrossEntropyLoss()
    rule = torch.optim.Adam(model.parameters())
    train, held_out = (TensorDataset(*map(torch.from_numpy, part[:2])) for part in (data.train, data.validation))
    for _ in range(case.epochs):
        model.train()
        for x, y in DataLoader(train, case.batch_size, shuffle=True):
            rule.zero_grad()
            measure(model(x), y).backward()
            rule.step()
        model.eval()
        with torch.no_grad():
            sum(measure(model(x), y).item() * len(x) for x, y in DataLoader(held_out, 1024))
    return len(DataLoader(train, case.batch_size)) * case.epochs


WRITTEN: dict[str, Callable[[Case, Task, int], int]] = {"keras fit": fit, "torch loop": loop}


def load(way: str) -> None:
    __import__({"keras fit": "keras", "torch loop": "torch"}[way])


def theirs(way: str, case: Case, seeds: int) -> float:
    """Seeds a second, in the process that loaded the framework; making the data does not count."""
    data = task(case)
    start = time.perf_counter()
    for seed in range(seeds):
        WRITTEN[way](case, data, seed)
    return seeds / (time.perf_counter() - start)


def ours(backend: str, case: Case, seeds: int, data: Path) -> float:
    """Seeds a second, from an empty store and with new workers."""
    base = RunSpec(
        task="speed",
        variant=case.cell,
        data=data.absolute().as_posix(),
        backend=backend,
        impl="native",
        device="cpu",
        network=case.network,
        init=SCHEMES["study"],
        optimiser=Optimiser(0.001, None),
        batch_size=case.batch_size,
        epochs=case.epochs,
        patience=case.epochs,
        examples=None,
        tests=True,
        seed=0,
    )
    # Workers find the store in the folder too.
    with tempfile.TemporaryDirectory() as folder, chdir(folder), Local(backend, "speed", "cpu") as executor:
        for worker in executor._workers:
            worker.wait()
        start = time.perf_counter()
        executor.run([replace(base, seed=seed) for seed in range(seeds)])
        return seeds / (time.perf_counter() - start)


def products() -> float:
    """Multiplications and additions a second in a product of matrices, on all cores: the best of ten."""
    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(seconds)


def smaller(case: Case, share: float) -> Case:
    return case._replace(
        shape=(max(case.batch_size, int(case.shape[0] * share)), *case.shape[1:]),
        epochs=max(2, int(case.epochs * share)),
    )


def quartiles(found: list[float]) -> list[float]:
    return statistics.quantiles(found, n=4, method="inclusive") if len(found) > 1 else found * 3


def rows(effort: Effort, pools: dict[str, ProcessPoolExecutor]) -> Iterator[dict[str, Any]]:
    for name, whole in CASES.items():
        case, data = smaller(whole, effort.share), Path("data.npz")
        save_task(task(case), data)
        rates: dict[str, list[float]] = {way: [] for way in (*BACKENDS, *THEIRS, "products")}
        for _ in range(effort.rounds):
            for way, pool in pools.items():
                rates[way].append(pool.submit(theirs, way, case, effort.theirs).result())
                backend = THEIRS[way]
                rates[backend].append(ours(backend, case, effort.seeds, data))
            rates["products"].append(pools["torch loop"].submit(products).result())
            print(f"{name}: {len(rates['products'])} of {effort.rounds} rounds", file=sys.stderr, flush=True)
        for backend in BACKENDS:
            used = [rate * case.products / limit for rate, limit in zip(rates[backend], rates["products"], strict=True)]
            for way in THEIRS:
                low, ratio, high = quartiles([a / b for a, b in zip(rates[backend], rates[way], strict=True)])
                yield rounded(
                    {
                        "name": name,
                        "ours": backend,
                        "theirs": way,
                        "ratio": ratio,
                        "low": low,
                        "high": high,
                        "ours_a_second": statistics.median(rates[backend]),
                        "theirs_a_second": statistics.median(rates[way]),
                        "of_products": statistics.median(used),
                    }
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fraction of the work, and no file")
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked = parser.parse_args()
    effort, target = QUICK if asked.quick else FULL, asked.to or (None if asked.quick else RESULT)
    target = target and target.resolve()
    # First, for workers of the study are started without the threads that users have.
    pools = {way: ProcessPoolExecutor(1, get_context("spawn")) for way in THEIRS}
    for way, pool in pools.items():
        pool.submit(load, way).result()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        found = list(rows(effort, pools))
    for pool in pools.values():
        pool.shutdown()
    print("| case | ours in | against | times as fast | quartiles | of matrix products |\n|---|---|---|---|---|---|")
    for row in found:
        spread = f"{row['low']:g} to {row['high']:g}"
        cells = (row["name"], row["ours"], row["theirs"], f"{row['ratio']:g}", spread, f"{row['of_products']:g}")
        print(f"| {' | '.join(cells)} |")
    if target:
        write_tables(
            target, {"seeds": effort.seeds, "rounds": effort.rounds, "machine": machine(BACKENDS)}, {"rows": found}
        )


if __name__ == "__main__":
    main()
