"""One backend at work on the cases of test_backends.py: `backend_worker.py <backend> <results.npz>`.

One process may import one framework, so the tests start this script once for each and read what it wrote.
"""

import gc
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_study.model.cells import CELLS
from rnn_study.model.network import Embedding, Layer, Network, default_impl, shapes
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import Batch
from rnn_study.running.run import backends

# Numbers that float32 holds exactly, for Keras passes them through it; the norm is clipped in every update.
OPTIMISER = Optimiser(2**-7, 2**-3, Adam(0.875, 1 - 2**-10))
ROWS, STEPS, WORDS = 6, 5, 7
ORDER = np.array([[0, 1, 2, 3], [4, 5, 0, 2], [3, 1, 5, 4]])
TRAINED = ("dense-1", "words-2")  # the kinds of cases that are trained too: compiling an epoch takes seconds


class Case(NamedTuple):
    """A network with a loss, its weights (no bias is zero), other weights, and data."""

    network: Network
    loss: str
    weights: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    batch: Batch


def tree(network: Network, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.normal(0, 0.5, shape) for name, shape in shapes(network).items()}


def make(network: Network, loss: str, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    mask = None
    if network.embedding:
        x = rng.integers(1, WORDS, (ROWS, STEPS), np.int32)
        mask = np.arange(STEPS) < np.array([5, 1, 3, 4, 2, 5])[:, None]
        x = np.where(mask, x, 0).astype(np.int32)
        x[0, :2] = 3  # one word twice in the first batch
    else:
        x = rng.normal(size=(ROWS, STEPS, network.inputs))
    y = rng.integers(0, network.outputs, ROWS) if loss == "cross_entropy" else rng.normal(size=(ROWS, network.outputs))
    return Case(network, loss, tree(network, rng), tree(network, rng), Batch(x, y, mask))


def cases() -> dict[str, Case]:
    """Every cell, with dense inputs and with words and masks, in one layer and in two."""
    found = {}
    for number, cell in enumerate(CELLS):
        for depth in (1, 2):
            layers = (Layer(cell, 4), Layer(cell, 3))[:depth]
            loss = "squared_error" if depth == 1 else "cross_entropy"
            outputs = 1 if depth == 1 else 3
            found[f"{cell}-dense-{depth}"] = make(Network(3, layers, outputs), loss, 10 * number + depth)
            words = Network(3, layers, 3, Embedding(WORDS, trainable=True))
            found[f"{cell}-words-{depth}"] = make(words, "cross_entropy", 10 * number + depth + 5)
    return found


def frozen() -> Case:
    return make(Network(3, (Layer("vanilla", 4),), 3, Embedding(WORDS, trainable=False)), "cross_entropy", 77)


def dropped() -> tuple[Case, list[np.ndarray]]:
    """A case and its dropout masks (S, B, H), one for each layer."""
    case = make(Network(3, (Layer("vanilla", 4), Layer("vanilla", 3)), 3, dropout=0.5), "cross_entropy", 88)
    rng = np.random.default_rng(99)
    return case, [2.0 * (rng.random((*ORDER.shape, layer.units)) < 0.5) for layer in case.network.layers]


class Recorder:
    """Runs cases in one backend and keeps what they gave under dotted names."""

    def __init__(self, backend: str):
        self.backend = backends.load(backend)
        self.arrays: dict[str, np.ndarray] = {}

    def build(self, case: Case, optimiser: Optimiser = OPTIMISER, dtype: type = np.float64):
        weights = {name: array.astype(dtype) for name, array in case.weights.items()}
        return self.backend.build(case.network, case.loss, optimiser, weights, "cpu", default_impl(case.network))

    def train(self, model, case: Case, keep: list[np.ndarray] | None = None):
        return self.backend.epoch(model, self.backend.place(case.batch, model), ORDER, keep)

    def predict(self, model, case: Case) -> np.ndarray:
        return self.backend.predict(model, self.backend.place(case.batch, model))

    def keep_tree(self, prefix: str, model) -> None:
        found = self.backend.weights(model)
        self.arrays[f"{prefix}/names"] = np.array(list(found))
        self.arrays |= {f"{prefix}/{name}": array for name, array in found.items()}

    def keep_trace(self, prefix: str, model, case: Case, keep=None) -> None:
        for kind, found in self.train(model, case, keep)._asdict().items():
            self.arrays[f"{prefix}/{kind}"] = found

    def case(self, name: str, case: Case) -> None:
        model = self.build(case)
        self.keep_tree(f"{name}/given", model)
        self.arrays[f"{name}/outputs"] = self.predict(model, case)
        if name.endswith(TRAINED):
            self.keep_trace(name, model, case)
            self.keep_tree(f"{name}/trained", model)
        self.backend.set_weights(model, case.others)
        self.keep_tree(f"{name}/others", model)
        self.arrays[f"{name}/others_outputs"] = self.predict(model, case)
        self.arrays[f"{name}/outputs32"] = self.predict(self.build(case, dtype=np.float32), case)

    def apart(self, case: Case) -> None:
        """One model alone, in a process that has built none of its shape; two at once; one after all of them."""
        other = case._replace(weights=case.others)
        loose = Optimiser(2**-4, None, Adam(0.875, 1 - 2**-10))
        alone = self.build(case)
        self.train(alone, case)
        self.train(alone, case)
        self.keep_tree("apart/alone", alone)
        del alone
        gc.collect()

        one, two = self.build(case), self.build(other, loose)
        self.train(one, case)
        self.train(two, other)
        self.arrays["apart/one_before"] = self.predict(one, case)
        self.train(two, other)
        self.arrays["apart/one_after"] = self.predict(one, case)
        self.train(one, case)
        self.keep_tree("apart/one", one)
        self.keep_tree("apart/two", two)
        del one, two
        gc.collect()

        # Graphs, slots and settings of the models above may serve again: nothing of them may be left.
        for prefix, again, optimiser in (("again", case, OPTIMISER), ("loose", other, loose)):
            model = self.build(again, optimiser)
            self.train(model, again)
            self.train(model, again)
            self.keep_tree(f"apart/{prefix}", model)
            del model
            gc.collect()

    def frozen(self) -> None:
        case = frozen()
        model = self.build(case)
        self.keep_trace("frozen", model, case)
        self.keep_tree("frozen/trained", model)

    def dropped(self) -> None:
        case, keep = dropped()
        model = self.build(case)
        self.keep_trace("dropped", model, case, keep)
        self.keep_tree("dropped/trained", model)
        self.arrays["dropped/outputs"] = self.predict(model, case)

    def attempt(self, name: str, work: Callable[[], None]) -> None:
        """Do `work`; if it fails, keep why, for what it should have recorded under `name`."""
        try:
            work()
        except Exception:
            self.arrays[f"{name}/error"] = np.array(traceback.format_exc())

    def run(self) -> None:
        everything = cases()
        self.attempt("apart", lambda: self.apart(everything["lstm-dense-1"]))
        for name, case in everything.items():
            self.attempt(name, partial(self.case, name, case))
        self.attempt("frozen", self.frozen)
        self.attempt("dropped", self.dropped)


def second_biases(recorder: Recorder) -> None:
    """What torch's second bias of the RNN and the LSTM holds after training."""
    for cell in ("vanilla", "lstm"):
        case = cases()[f"{cell}-dense-2"]
        model = recorder.build(case)
        recorder.train(model, case)
        biases = [layer.directions[0].layer.bias_hh_l0.detach().numpy() for layer in model.parts[0].layers]
        recorder.arrays[f"second_bias/{cell}"] = np.concatenate(biases)


if __name__ == "__main__":
    work = Recorder(sys.argv[1])
    work.run()
    if sys.argv[1] == "pytorch":
        work.attempt("second_bias", lambda: second_biases(work))
    np.savez(Path(sys.argv[2]), **work.arrays)
