"""The one specification of a network, and the canonical tree of its weights.

A weight tree is a flat dict from a dotted name to an array. Kernels stand as (inputs, outputs), gates side by
side in the order of `cells.Cell.gates`:

    embedding     (V, D)      V words, row 0 is padding
    layers.0.W    (D, G*H)    layers.0.U (H, G*H)    layers.0.b (G*H,)
    layers.0.b_rec (G*H,)     the GRU's, and every layer's where the network has second biases
    head.W        (H, K)      head.b (K,)
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .cells import CELLS, Array, Cell, Weights


@dataclass(frozen=True)
class Layer:
    """One recurrent layer: a key of `cells.CELLS` and its number of units H."""

    cell: str
    units: int


@dataclass(frozen=True)
class Embedding:
    """A table of `words` rows that replaces token ids; `trainable` says whether it is fine-tuned."""

    words: int
    trainable: bool


@dataclass(frozen=True)
class Network:
    """Embedding, a stack of recurrent layers, and a dense head on the last valid state.

    `inputs` is the number of features a step: the embedding's width where there is one. `dropout` is the
    share of a layer's outputs that training zeroes; one mask serves all steps of a sequence (Gal &
    Ghahramani 2016, arXiv 1512.05287). `second_bias` gives every cell a bias b_rec beside the recurrent
    product, as PyTorch does; where the cell's equations have one bias, it is the sum of the two.
    """

    inputs: int
    layers: tuple[Layer, ...]
    outputs: int
    embedding: Embedding | None = None
    dropout: float = 0.0
    second_bias: bool = False


class Pass(NamedTuple):
    """All that one pass of a network over a batch computes, forward and back, without dropout.

    N sequences of T steps, a layer of H units at a time. The loss is a mean: over the batch, and over the outputs
    where it is squared.
    """

    outputs: np.ndarray  # (N, K)
    loss: float
    hidden: tuple[np.ndarray, ...]  # a layer's h at every step (N, T, H), zero past a row's end
    final: tuple[tuple[np.ndarray, ...], ...]  # a layer's states (N, H) at each row's last valid step
    gradients: dict[str, np.ndarray]  # of the loss, for every array that is trained
    inputs: np.ndarray  # its gradient for what the first layer reads (N, T, D)


def step_weights(cell: Cell, W: Array, U: Array, b: Array, b_rec: Array | None = None) -> Weights:
    """A layer's arrays, of any framework, as its cell's step takes them: a second bias is added to the first where
    the equations have one."""
    return Weights(W, U, b, b_rec) if b_rec is None or cell.recurrent_bias else Weights(W, U, b + b_rec)


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network's weight tree, in canonical order."""
    tree: dict[str, tuple[int, ...]] = {}
    if network.embedding:
        tree["embedding"] = (network.embedding.words, network.inputs)
    width = network.inputs
    for index, layer in enumerate(network.layers):
        cell = CELLS[layer.cell]
        columns = len(cell.gates) * layer.units
        tree[f"layers.{index}.W"] = (width, columns)
        tree[f"layers.{index}.U"] = (layer.units, columns)
        tree[f"layers.{index}.b"] = (columns,)
        if cell.recurrent_bias or network.second_bias:
            tree[f"layers.{index}.b_rec"] = (columns,)
        width = layer.units
    tree["head.W"] = (width, network.outputs)
    tree["head.b"] = (network.outputs,)
    return tree


def parameter_count(network: Network, *, embedding: bool) -> int:
    """Number of weights, the embedding's included or not (it is the same for every cell)."""
    return sum(math.prod(shape) for name, shape in shapes(network).items() if embedding or name != "embedding")


def units_for(budget: int, cell: str, *, inputs: int, depth: int, outputs: int) -> int:
    """The number of units whose stack of `depth` layers comes nearest to `budget` weights, embedding apart."""

    def distance(units: int) -> int:
        network = Network(inputs, (Layer(cell, units),) * depth, outputs)
        return abs(parameter_count(network, embedding=False) - budget)

    units = 1
    while distance(units + 1) < distance(units):  # the count grows with the units: one minimum
        units += 1
    return units
