"""What the equations cost: seconds an update takes with a framework's own layers and with those of `cells.py`.

    python benchmarks/equations.py pytorch
    python benchmarks/equations.py tensorflow

One process, one thread; the two take turns, and the ratio is that of their medians. MNIST's shape: 28 steps of 28.
"""

import sys
import time
from statistics import median

import numpy as np

from rnn_study.model import init
from rnn_study.model.network import NATIVE, Layer, Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch
from rnn_study.running.run import backends

ROUNDS, UPDATES, BATCH = 15, 8, 64


def main(name: str) -> None:
    backend = backends.load(name)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(512, 28, 28)).astype(np.float32), rng.integers(0, 10, 512)
    order = rng.integers(0, len(y), (UPDATES, BATCH))
    print(f"{backend.environment()}: milliseconds an update, batch {BATCH}, float32")
    for cell in NATIVE:
        for units in (30, 150):
            network = Network(28, (Layer(cell, units),), 10)
            weights = {key: array.astype(np.float32) for key, array in init.draw(network, rng).items()}
            models, seconds = {}, {"native": [], "equations": []}
            for impl in seconds:
                model = backend.build(network, "cross_entropy", Optimiser(1e-3, 1.0), weights, "cpu", impl)
                models[impl] = model, backend.place(Batch(x, y), model)
                backend.epoch(*models[impl], order, None)
            for _ in range(ROUNDS):
                for impl, model in models.items():
                    start = time.perf_counter()
                    backend.epoch(*model, order, None)
                    seconds[impl].append((time.perf_counter() - start) / UPDATES)
            native, equations = (1000 * median(found) for found in seconds.values())
            figures = f"native {native:6.2f}, equations {equations:6.2f}: {equations / native:.2f}x"
            print(f"{cell:12} {units:3} units: {figures}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
