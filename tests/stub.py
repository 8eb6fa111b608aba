"""A framework that trains nothing, in the process that asks: for what happens around training."""

import queue
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rnn_study.model.backend import BACKENDS, EpochTrace
from rnn_study.running.execution import frameworks, local, workers
from rnn_study.running.run import backends, store

ENVIRONMENT = {"framework": "stub", "version": "1"}


class Stub:
    """A framework whose weights shrink by the learning rate, and whose outputs are their mean."""

    environment = staticmethod(lambda: ENVIRONMENT | {"device": "cpu"})

    @staticmethod
    def build(network, loss, optimiser, weights, device, impl):
        keeps = np.float32(1 - optimiser.learning_rate)
        return SimpleNamespace(weights=dict(weights), keeps=keeps, updates=0, outputs=network.outputs)

    place = staticmethod(lambda batch, model: batch)

    @staticmethod
    def epoch(model, data, order, keep):
        model.updates += len(order)
        model.weights = {name: array * model.keeps + np.float32(0.01) for name, array in model.weights.items()}
        told = 1 / (model.updates + np.arange(len(order), dtype=np.float32))
        return EpochTrace(told, told, told, told > 1, told)

    @staticmethod
    def predict(model, data):
        mean = np.mean([array.mean() for array in model.weights.values()])
        return np.full((len(data.y), model.outputs), mean, np.float32)

    weights = staticmethod(lambda model: dict(model.weights))

    @staticmethod
    def set_weights(model, weights):
        model.weights = dict(weights)

    slots = staticmethod(lambda model: {"updates": np.array(model.updates)})

    @staticmethod
    def set_slots(model, slots):
        model.updates = int(slots["updates"])


class Inline:
    """A worker of the executor in its own process."""

    environment = ENVIRONMENT | {"device": "cpu"}

    def __init__(self, backend, owner):
        self.backend, self.owner = backend, owner
        self.given, self.shapes, self.context = {}, set(), SimpleNamespace(Queue=queue.Queue)
        self.closed: list[bool] = []  # whether each closing waited

    def start(self, initialise, rows):
        initialise(rows)

    def submit(self, function, *arguments):
        future = Future()
        future.set_result(function(*arguments))
        return future

    def resolve(self, device):
        return workers.resolve(device, self.environment)

    def close(self, wait=False):
        self.closed.append(wait)

    def one_line(self):
        return nullcontext()


def put_in(patch: pytest.MonkeyPatch) -> None:
    """Let this process train with the stub."""
    patch.setattr(backends, "load", dict.fromkeys(BACKENDS, Stub).__getitem__)
    patch.setattr(frameworks, "environment", dict.fromkeys(BACKENDS, ENVIRONMENT).__getitem__)
    patch.setattr(local, "_Worker", Inline)
    patch.setattr(local, "worker_count", lambda: 1)
    patch.setattr(store, "_whole", set())  # names of folders, which another test may have had


@pytest.fixture
def stubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, where the stub trains."""
    monkeypatch.chdir(tmp_path)
    put_in(monkeypatch)
    return tmp_path
