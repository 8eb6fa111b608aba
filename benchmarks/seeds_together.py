"""Do the seeds of one length train faster together? One update of S networks in one pass, against S updates in turn.

    python benchmarks/seeds_together.py pytorch | tensorflow

The equations broadcast over leading axes, so weights (S, D, G*H) train S seeds at once; in turn, each seed has the
layers that a run has (`native`). Adding problem, batches of 64. Prints how many times faster together is, a seed:
above 1 it pays.
"""

import sys
import time

import numpy as np

from rnn_study.data.problems import adding
from rnn_study.model.backend import Backend
from rnn_study.model.cells import CELLS, Ops
from rnn_study.model.init import draw
from rnn_study.model.network import Layer, Network, layer_shapes, units_for
from rnn_study.model.optimisers import Optimiser
from rnn_study.running.run import backends

BATCH, PARAMETERS, UPDATES, SEEDS = 64, 2000, 30, (1, 3, 6)


def in_turn(backend: Backend, network: Network, steps: int) -> float:
    """Seconds an update."""
    weights = {name: a.astype(np.float32) for name, a in draw(network, np.random.default_rng(0)).items()}
    model = backend.build(network, "squared_error", Optimiser(0.001, 1.0), weights, "cpu", "native")
    data = backend.place(adding.sample(np.random.default_rng(0), BATCH, steps), model)
    order = np.tile(np.arange(BATCH), (UPDATES, 1))
    backend.epoch(model, data, order, None)
    start = time.perf_counter()
    backend.epoch(model, data, order, None)
    return (time.perf_counter() - start) / UPDATES


def stacked(network: Network, seeds: int) -> dict[str, np.ndarray]:
    trees = [draw(network, np.random.default_rng(seed)) for seed in range(seeds)]
    return {name: np.stack([tree[name] for tree in trees]).astype(np.float32) for name in trees[0]}


def together_tensorflow(network: Network, steps: int, seeds: int) -> float:
    import tensorflow as tf

    cell, units = CELLS[network.layers[0].cell], network.layers[0].units
    ops = Ops(tf.tanh, tf.sigmoid, tf.nn.relu)
    names = [f"layers.0.{name}" for name in layer_shapes(network, 0)]
    held = {name: tf.Variable(array) for name, array in stacked(network, seeds).items()}
    rule = tf.keras.optimizers.Adam(0.001)
    rule.build(list(held.values()))
    batches = [adding.sample(np.random.default_rng(seed), BATCH, steps) for seed in range(seeds)]
    x, y = (tf.constant(np.stack([batch[k] for batch in batches])) for k in (0, 1))

    @tf.function(jit_compile=True)
    def update():
        with tf.GradientTape() as tape:
            W, U, b, *rec = (held[name] for name in names)
            a = tf.reshape(x, (seeds, BATCH * steps, -1)) @ W + b[:, None]
            a = tf.transpose(tf.reshape(a, (seeds, BATCH, steps, -1)), (2, 0, 1, 3))
            zero = tf.zeros((seeds, BATCH, units))

            def step(state, now):
                s = state[0] @ U
                return cell.step(ops, state, now, s + rec[0][:, None] if rec else s)

            h = tf.scan(step, a, (zero,) * cell.states)[0][-1]
            outputs = h @ held["head.W"] + held["head.b"][:, None]
            loss = tf.reduce_sum(tf.reduce_mean(tf.square(outputs - y), axis=(1, 2)))
        rule.apply(tape.gradient(loss, list(held.values())), list(held.values()))
        return loss

    @tf.function
    def epoch():
        for _ in tf.range(UPDATES):
            update()

    epoch()
    start = time.perf_counter()
    epoch()
    return (time.perf_counter() - start) / UPDATES


def together_pytorch(network: Network, steps: int, seeds: int) -> float:
    import torch
    from gpu import Together  # here, for it imports PyTorch

    trees = [draw(network, np.random.default_rng(seed)) for seed in range(seeds)]
    batches = [adding.sample(np.random.default_rng(seed), BATCH, steps) for seed in range(seeds)]
    x, y = (np.stack([batch[k] for batch in batches]) for k in (0, 1))
    together = Together(network, trees, x, y, "cpu", torch.float32)
    for _ in range(3):
        together.update()
    start = time.perf_counter()
    for _ in range(UPDATES):
        together.update()
    return (time.perf_counter() - start) / UPDATES


def main(name: str) -> None:
    backend = backends.load(name)  # one thread, as in a worker
    together = {"pytorch": together_pytorch, "tensorflow": together_tensorflow}[name]
    for steps in (20, 100):
        for cell in ("vanilla", "lstm", "gru"):
            network = Network(2, (Layer(cell, 1),), 1)
            network = Network(2, (Layer(cell, units_for(PARAMETERS, network)),), 1)
            alone = min(in_turn(backend, network, steps) for _ in range(3))
            ratios = [seeds * alone / min(together(network, steps, seeds) for _ in range(3)) for seeds in SEEDS]
            told = ", ".join(f"{ratio:.2f} with {seeds}" for seeds, ratio in zip(SEEDS, ratios, strict=True))
            print(f"{name} {steps} steps {cell}: together {told}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
