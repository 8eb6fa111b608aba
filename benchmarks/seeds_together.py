"""Do the seeds of one length train faster together? One update of S networks in one pass, against S updates in turn.

    python benchmarks/seeds_together.py                      # writes results/seeds_together.json beside this file
    python benchmarks/seeds_together.py --quick [--to FILE]  # a fraction of the work, no file unless it is named

The equations broadcast over leading axes, so weights (S, D, G*H) train S seeds at once; in turn, each seed has the
layers that a run has (`native`). Adding problem, batches of 64, one framework a process, one thread, as in a worker;
compiling does not count. A row has

    ratio, low, high      how many times faster together is, a seed: median and quartiles over alternating rounds; above
                          1 it pays
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from measured import machine, rounded
from speed import quartiles

from rnn_study.data.problems import adding
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS, Ops
from rnn_study.model.init import draw
from rnn_study.model.network import Layer, Network, layer_shapes, units_for
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch
from rnn_study.running.run import backends
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "seeds_together.json"
BATCH, PARAMETERS, RULE = 64, 2000, Optimiser(0.001, 0.1)  # the clip is that of `gpu.Together`
Tree = dict[str, np.ndarray]


class Effort(NamedTuple):
    """Steps of a sequence, seeds in one pass, updates timed at once, rounds."""

    steps: tuple[int, ...]
    seeds: tuple[int, ...]
    updates: int
    rounds: int


FULL, QUICK = Effort((20, 100), (1, 3, 6), 30, 5), Effort((4,), (1, 2), 3, 2)


class Together(Protocol):
    """S networks that one pass updates."""

    def updates(self, count: int) -> None: ...

    def weights(self, seed: int) -> Tree: ...


def together_tensorflow(network: Network, trees: list[Tree], x: np.ndarray, y: np.ndarray) -> Together:
    """Trained on x (S, B, T, D) and y (S, B, 1), in their dtype, by one function compiled for all updates of a call."""
    from rnn_study.backends.tensorflow.runtime import keras, tf

    cell, (count, batch, steps, _) = CELLS[network.layers[0].cell], x.shape
    ops = Ops(tf.tanh, tf.sigmoid, tf.nn.relu)
    held = {name: keras.Variable(np.stack([tree[name] for tree in trees]), dtype=x.dtype.name) for name in trees[0]}
    rule, epsilon = keras.optimizers.Adam(RULE.learning_rate), RULE.rule.epsilon
    rule.build(list(held.values()))
    x, y = tf.constant(x), tf.constant(y)

    def update() -> None:
        values = {name: variable.value for name, variable in held.items()}
        with tf.GradientTape() as tape:
            W, U, b, *rec = (values[f"layers.0.{name}"] for name in layer_shapes(network, 0))
            a = tf.reshape(x, (count, batch * steps, -1)) @ W + b[:, None]
            a = tf.transpose(tf.reshape(a, (count, batch, steps, -1)), (2, 0, 1, 3))

            def step(state: tuple[tf.Tensor, ...], now: tf.Tensor) -> tuple[tf.Tensor, ...]:
                s = state[0] @ U
                return cell.step(ops, state, now, s + rec[0][:, None] if rec else s)

            zero = tf.zeros((count, batch, network.layers[0].units), x.dtype)
            h = tf.scan(step, a, (zero,) * cell.states)[0][-1]
            outputs = h @ values["head.W"] + values["head.b"][:, None]
            loss = tf.reduce_sum(tf.reduce_mean(tf.square(outputs - y), axis=(1, 2)))
        gradients = tape.gradient(loss, list(values.values()))
        squares = [tf.reduce_sum(tf.square(g), axis=list(range(1, len(g.shape)))) for g in gradients]
        scale = tf.minimum(tf.cast(1, x.dtype), RULE.clip / tf.sqrt(tf.add_n(squares)))
        gradients = [g * tf.reshape(scale, (-1, *[1] * (len(g.shape) - 1))) for g in gradients]
        # As in a run: Keras adds epsilon before the bias correction.
        correction = tf.sqrt(1 - tf.cast(rule.beta_2, x.dtype) ** tf.cast(rule.iterations.value + 1, x.dtype))
        rule.epsilon = epsilon * correction
        rule.apply(gradients, list(held.values()))

    @tf.function(jit_compile=True, autograph=False)
    def updates(count: tf.Tensor) -> None:
        def one(at: tf.Tensor) -> tf.Tensor:
            update()
            return at + 1

        tf.while_loop(lambda at: at < count, one, (tf.constant(0),))

    class Compiled:
        def updates(self, count: int) -> None:
            updates(tf.constant(count))

        def weights(self, seed: int) -> Tree:
            return {name: variable.numpy()[seed] for name, variable in held.items()}

    return Compiled()


def together_pytorch(network: Network, trees: list[Tree], x: np.ndarray, y: np.ndarray) -> Together:
    """As `together_tensorflow`, eager: the batched products of `gpu.Together`."""
    import gpu  # here, for it imports PyTorch

    class Eager(gpu.Together):
        def updates(self, count: int) -> None:
            for _ in range(count):
                self.update()

    return Eager(network, trees, x, y, "cpu", getattr(gpu.torch, x.dtype.name))


TOGETHER: dict[str, Callable[[Network, list[Tree], np.ndarray, np.ndarray], Together]] = {
    "pytorch": together_pytorch,
    "tensorflow": together_tensorflow,
}


def seeds_of(cell: str, steps: int, count: int, dtype: str, units: int | None = None) -> tuple[Any, ...]:
    """A network, and of `count` seeds the weights, x (S, B, T, 2) and y (S, B, 1)."""
    network = Network(2, (Layer(cell, units or units_for(PARAMETERS, Network(2, (Layer(cell, 1),), 1))),), 1)
    trees = [{k: a.astype(dtype) for k, a in draw(network, np.random.default_rng(s)).items()} for s in range(count)]
    batches = [adding.sample(np.random.default_rng(seed), BATCH, steps) for seed in range(count)]
    return network, trees, *(np.stack([batch[part] for batch in batches]).astype(dtype) for part in (0, 1))


def alone(backend: Any, network: Network, tree: Tree, x: np.ndarray, y: np.ndarray) -> tuple[Any, Callable[[int], Any]]:
    """The model of one seed as a run has it, and what makes updates of it."""
    model = backend.build(network, "squared_error", RULE, tree, "cpu", "native")
    data = backend.place(Batch(x, y), model)
    return model, lambda count: backend.epoch(model, data, np.tile(np.arange(len(x)), (count, 1)), None)


def seconds(do: Callable[[int], Any], count: int) -> float:
    start = time.perf_counter()
    do(count)
    return time.perf_counter() - start


def rows(framework: str, effort: Effort) -> list[dict[str, Any]]:
    backend, found = backends.load(framework), []
    for steps, cell in product(effort.steps, ("vanilla", "lstm", "gru")):
        for count in effort.seeds:
            network, trees, x, y = seeds_of(cell, steps, count, "float32")
            _, one = alone(backend, network, trees[0], x[0], y[0])
            every = TOGETHER[framework](network, trees, x, y).updates
            ratios = []
            for _ in range(1 + effort.rounds):  # the first compiles, and does not count
                ratios.append(count * seconds(one, effort.updates) / seconds(every, effort.updates))
            low, ratio, high = quartiles(ratios[1:])
            row = {"name": f"adding problem, {steps} steps", "cell": cell, "framework": framework, "seeds": count}
            found.append(rounded(row | {"ratio": ratio, "low": low, "high": high}))
        print(f"{framework}: {cell}, {steps} steps", file=sys.stderr, flush=True)
    return found


def measured(effort: Effort) -> Iterator[dict[str, Any]]:
    for framework in BACKENDS:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            yield from pool.submit(rows, framework, effort).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fraction of the work, and no file")
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked = parser.parse_args()
    target, found = asked.to or (None if asked.quick else RESULT), []
    print("| problem | cell | in | seeds | times as fast | quartiles |\n|---|---|---|---|---|---|")
    for row in measured(QUICK if asked.quick else FULL):
        found.append(row)
        spread = f"{row['low']:g} to {row['high']:g}"
        cells = (row["name"], row["cell"], row["framework"], str(row["seeds"]), f"{row['ratio']:g}", spread)
        print(f"| {' | '.join(cells)} |", flush=True)
    if target:
        write_tables(target, {"machine": machine(BACKENDS)}, {"rows": found})


if __name__ == "__main__":
    main()
