"""How the cost of a profile grows with the number of steps and with the number of networks, side by side in one run.

`python benchmarks/diagnostics.py` prints the ratio of times; at most linear growth means a ratio of at most 4 for four
times the steps, and 2 for twice the networks.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import time
from collections.abc import Callable

import numpy as np

from rnn_study.behaviour.diagnostics.profile import profile, subject
from rnn_study.data.tasks.adding import sample
from rnn_study.model.init import draw
from rnn_study.model.network import Layer, Network
from rnn_study.model.task import Task

ROUNDS = 5


def work(cell: str, steps: int, networks: int) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    part = sample(rng, 512, steps)
    of = subject(Task("adding", "squared_error", 1, part, part, {}), 8)
    network = Network(2, (Layer(cell, 24),), 1)
    trees = [draw(network, rng) for _ in range(networks)]

    def run() -> None:
        for tree in trees:
            profile(network, tree, of, whole=True)

    return run


def ratio(one: Callable[[], None], other: Callable[[], None]) -> float:
    """The median over rounds of the time of `other` over that of `one`, in turns."""
    found = []
    for _ in range(ROUNDS):
        seconds = []
        for call in (one, other):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        found.append(seconds[1] / seconds[0])
    return float(np.median(found))


if __name__ == "__main__":
    for cell in ("vanilla", "lstm", "gru"):
        by_steps = ratio(work(cell, 50, 1), work(cell, 200, 1))
        by_networks = ratio(work(cell, 50, 2), work(cell, 50, 4))
        print(f"{cell}: 4 times the steps {by_steps:.1f}, twice the networks {by_networks:.1f}")
