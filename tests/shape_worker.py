"""What tests of sequence shapes ask of a worker: decoding, and updates whose state is carried on."""

from functools import partial

import numpy as np

from rnn_study.behaviour.parity.probes import Problem, Tree
from rnn_study.model import decoding
from rnn_study.model.task import Batch
from rnn_study.running.run import backends


def _open(backend: str, problem: Problem) -> tuple:
    module, p = backends.load(backend), problem
    return module, module.build(p.network, p.loss, p.optimiser, p.weights, p.device, p.impl)


def _predict(module, model, batch: Batch) -> np.ndarray:
    return module.predict(model, module.place(batch, model))


def greedy(backend: str, problem: Problem, longest: int) -> np.ndarray:
    """What the network writes for the problem's batch."""
    module, model = _open(backend, problem)
    return decoding.greedy(partial(_predict, module, model), problem.batch.x, problem.batch.mask, longest)


def trained(backend: str, problem: Problem, orders: list[np.ndarray], keep: list | None) -> tuple[np.ndarray, Tree]:
    """Losses and weights after epochs with these orders; predictions of the batch come last."""
    module, model = _open(backend, problem)
    data = module.place(problem.batch, model)
    losses = [module.epoch(model, data, order, keep).losses for order in orders]
    return np.concatenate(losses), module.weights(model), module.predict(model, data)


def predicted_in_chunks(backend: str, problem: Problem, chunk: int) -> np.ndarray:
    """Predictions, `chunk` rows at a time."""
    module, model = _open(backend, problem)
    module._CHUNK, whole = chunk, module._CHUNK
    try:
        return _predict(module, model, problem.batch)
    finally:
        module._CHUNK = whole
