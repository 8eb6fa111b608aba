"""Everything that is looked at in one network, as arrays by name."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rnn_study.data.problems import adding
from rnn_study.model.cells import CELLS
from rnn_study.model.network import Network
from rnn_study.model.reference import Tree, climb
from rnn_study.model.task import Batch, Task

from . import memory, sensitivity, spectra
from .linear import Flow, Unrolled, error_flow, unroll
from .profiles import BINS, LEAST, LEFT, RIGHT, SENTENCES

STATES = ("h", "c")  # what a cell's state arrays are called, in order
MANY = 512  # sequences to fit and score a read-out with
MANY_MARKED = 6400  # the same where one sequence says something of two steps alone
SPECTRA = 6  # sequences whose Jacobians are multiplied out: they differ little, and cost most
_ROWS = 256  # of which a processor's cache holds all that a step reads


class Subject(NamedTuple):
    """What networks are looked at with: the loss, a few long sequences of the validation part, and many of the
    training part, for the read-out of the past; where the task has them, sentences to look at word by word.

    marked: of each step of the latter what is worth keeping, (N, T, D), NaN elsewhere; None where all that is read is.
    """

    loss: str
    few: Batch
    many: Batch
    marked: np.ndarray | None
    sentences: Batch | None


def longest_sequences(part: Batch, examples: int) -> Batch:
    """The `examples` longest sequences, in their order among equals, without the steps that none of them has."""
    lengths = np.full(len(part.y), part.x.shape[1]) if part.mask is None else part.mask.sum(axis=1)
    rows = np.sort(np.argsort(-lengths, kind="stable")[:examples])
    return Batch(
        part.x[rows, : lengths[rows].max()],
        part.y[rows],
        None if part.mask is None else part.mask[rows, : lengths[rows].max()],
    )


def subject(task: Task, examples: int) -> Subject:
    """The `examples` longest sequences of the validation part, and the first of the training part, `MANY` or more."""
    marked = adding.marked(task.train.x[:MANY_MARKED]) if task.name == "adding" else None
    count = MANY if marked is None else MANY_MARKED
    few, many = longest_sequences(task.validation, examples), task.train.rows(slice(count))
    return Subject(task.loss, few, many, marked, task.tests.get(SENTENCES))


def read(tree: Tree, x: np.ndarray) -> np.ndarray:
    """What the first layer reads (N, T, D) of inputs or token ids x."""
    return (tree["embedding"][x] if "embedding" in tree else x).astype(np.float64)


def log10(values: np.ndarray) -> np.ndarray:
    """log10 of what is not negative; zero counts as the smallest number there is."""
    return np.log10(np.maximum(values, LEAST))


def _sizes(arrays: Sequence[np.ndarray], last: np.ndarray) -> np.ndarray:
    """log10 of the norm over units, all arrays (N, T, H) together, by distance from the end: (N, L)."""
    return spectra.by_lag(log10(np.sqrt(sum((array**2).sum(axis=-1) for array in arrays))), last)


def _flow(flow: Flow, last: np.ndarray) -> Tree:
    found = {"flow": _sizes(flow.states, last), "flow_x": _sizes([flow.inputs], last)}
    if len(flow.states) > 1:
        found |= {f"flow_{name}": _sizes([array], last) for name, array in zip(STATES, flow.states, strict=False)}
    return found


def _gates(layer: Unrolled) -> Tree:
    """Over valid steps: the share of a gate's values in each bin (G, 20), each unit's shares saturated left and right
    (G, H, 2), and each unit's mean carry (H,)."""
    found = {"carry": layer.carry[layer.valid].mean(axis=0)}
    values = [gate[layer.valid] for gate in layer.gates.values()]
    if values:
        found["gates"] = np.stack([np.histogram(gate, BINS)[0] / gate.size for gate in values])
        found["saturated"] = np.stack(
            [np.stack([(gate < LEFT).mean(axis=0), (gate > RIGHT).mean(axis=0)], axis=-1) for gate in values]
        )
    return found


class Start(NamedTuple):
    """What a network's Jacobians say of its gradient, in the last layer, as means over sequences.

    memory: the steps, from lag 1 on, in which the largest singular value of dh_last/dz_t falls to 1/e. exponent: the
    largest Lyapunov exponent, in nats a step. condition: log10 of the largest over the smallest singular value of
    dh_last/dz_0.
    """

    memory: float
    exponent: float
    condition: float


def start(network: Network, tree: Tree, few: Batch) -> Start:
    """`Start` of a network with the weights `tree`, on a few sequences."""
    layer = unroll(network, tree, read(tree, few.x), few.mask)[-1]
    singular = np.nanmean(log10(spectra.singular_values(layer)), axis=0)
    exponent = spectra.layer_exponents(layer)[:, 0].mean()
    return Start(_memory_length(singular), float(exponent), float(singular[-1, 0] - singular[-1, -1]))


def memory_length(network: Network, tree: Tree, few: Batch) -> float:
    """`Start.memory` alone."""
    layer = unroll(network, tree, read(tree, few.x), few.mask)[-1]
    return _memory_length(np.nanmean(log10(spectra.singular_values(layer)), axis=0))


def _memory_length(singular: np.ndarray) -> float:
    return spectra.memory_length(10 ** singular[1:, 0])


def _last(part: Batch) -> np.ndarray:
    """(N,): each row's last valid step."""
    return np.full(len(part.y), part.x.shape[1] - 1) if part.mask is None else part.mask.sum(axis=1) - 1


def _last_states(network: Network, tree: Tree, part: Batch) -> np.ndarray:
    """h of the last layer at each row's end, (N, H). In single precision, as the network was trained: these are many,
    and a read-out does not see the difference."""
    single = {name: array.astype(np.float32) for name, array in tree.items()}
    found = []
    for start in range(0, len(part.y), _ROWS):
        rows = part.rows(slice(start, start + _ROWS))
        hidden = climb(network, single, read(tree, rows.x).astype(np.float32), rows.mask).hidden[-1]
        found.append(hidden[np.arange(len(hidden)), _last(rows)])
    return np.concatenate(found).astype(np.float64)


def profile(network: Network, tree: Tree, of: Subject, whole: bool) -> Tree:
    """Figures of the last layer of `network`, whose last state the loss reads; lags L count back from there.

    flow, flow_h, flow_c, flow_x (N, L): log10 of the norm of dL/dz, dL/dh, dL/dc, dL/dx. Of the `SPECTRA` longest of
    these sequences: singular (L, H), mean log10 of the singular values of dh_last/dz; memory (), the steps in which the
    largest falls to 1/e, from lag 1 on, where the state is read by a step, not by the loss; exponents (n,). With
    `whole` besides: retention (L,), gates (G, 20), saturated (G, H, 2), carry (H,), radius (all gates,), the last where
    the cell has a recurrent kernel, and `words` of the sentences; where nothing is normalised sensitivity (H,), its
    log10, and factor (H,).
    """
    layers = unroll(network, tree, read(tree, of.few.x), of.few.mask)
    layer, flow = layers[-1], error_flow(tree, layers, of.few.y, of.loss)[-1]
    fewer = longest_sequences(of.few, SPECTRA)
    jacobians = unroll(network, tree, read(tree, fewer.x), fewer.mask)[-1]
    singular = np.nanmean(log10(spectra.singular_values(jacobians)), axis=0)
    found = _flow(flow, layer.last) | {
        "singular": singular,
        "memory": np.array(_memory_length(singular)),
        "exponents": spectra.layer_exponents(jacobians).mean(axis=0),
    }
    if whole:
        told = read(tree, of.many.x) if of.marked is None else of.marked
        last = _last(of.many)
        found["retention"] = memory.retention(_last_states(network, tree, of.many), spectra.by_lag(told, last))
        found |= _gates(layer)
        if network.norm is None:
            found["sensitivity"] = log10(sensitivity.sensitivity(layer))
            found["factor"] = sensitivity.factors(layer)
        if layer.weights.U is not None:
            kernels = np.split(layer.weights.U, len(CELLS[network.layers[-1].cell].gates), axis=1)
            found["radius"] = np.array([spectra.spectral_radius(kernel) for kernel in kernels])
        if of.sentences is not None:
            found |= words(network, tree, of.sentences, of.loss)
    return found


def words(network: Network, tree: Tree, part: Batch, loss: str) -> Tree:
    """Word by word of each sentence, in time order: the norm of the answer's gradient for the word (N, T), and the
    mean over units of what the memory keeps (N, T); NaN past the end."""
    x = read(tree, part.x)
    layers = unroll(network, tree, x, part.mask)
    layer, flow = layers[-1], error_flow(tree, layers, part.y, loss)[0]
    past = ~layer.valid
    found = {"gradient": np.linalg.norm(flow.inputs, axis=-1), "keeps": layer.carry.mean(axis=-1)}
    return {name: np.where(past, np.nan, array) for name, array in found.items()}
