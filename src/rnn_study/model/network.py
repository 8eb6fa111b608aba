"""The one specification of a network, and the canonical tree of its weights.

A weight tree is a flat dict from a dotted name to an array. Kernels stand as (inputs, outputs), gates side by
side in the order of `cells.Cell.gates`:

    embedding     (V, D)      V words, row 0 is padding
    layers.0.W    (D, G*H)    layers.0.U (H, G*H)    layers.0.b (G*H,)
    layers.0.b_rec (G*H,)     the GRU's, and every layer's where the network has second biases
    layers.0.p_i  (H,)        what `cells.Cell.vectors` names
    layers.0.gain_a, gain_s (G*H,)                       of normalisation
    layers.0.mean_a, variance_a, mean_s, variance_s (T, G*H)   of batch normalisation, at each step; never trained
    layers.0.back.W ...       the same arrays of the layer that reads backwards
    head.W        (H, K)      head.b (K,)      twice H where layers read both ways
"""

import math
from dataclasses import dataclass, replace

from .cells import CELLS

NORM_EPSILON = 1e-5  # added to variances
NORM_MOMENTUM = 0.9  # what an update keeps of the running statistics
NATIVE = ("vanilla", "lstm", "gru")  # cells that every framework has a layer of its own for
STATISTICS = ("mean_a", "variance_a", "mean_s", "variance_s")


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
    """Embedding, a stack of recurrent layers, and a dense head on the last valid state, or on that of every step.

    `inputs` is the number of features a step: the embedding's width where there is one. What holds for every layer:

    dropout: the share of a layer's outputs that training zeroes; one mask serves all steps of a sequence (Gal &
    Ghahramani 2016, arXiv 1512.05287).
    second_bias: every cell has a bias b_rec beside the recurrent product, as in PyTorch.
    activation: a key of `cells.ACTIVATIONS`, in place of the cell's tanh.
    norm: `layer` or `batch`: the products x W and h U are each normalised and multiplied by a gain before the biases
    are added. Over the columns: Ba et al. 2016 (arXiv 1607.06450), eq. 20; over the valid rows of a batch, step by
    step: Cooijmans et al. 2016 (arXiv 1603.09025), eq. 6, with running statistics of each of the first `norm_steps`
    steps for prediction (later ones take the last). Neither normalises the LSTM's c, as both papers do besides.
    window: truncated back-propagation through time. The state is carried through the whole sequence, the loss's
    gradient through its last `window` valid steps.
    every_step: the head reads the state after each step, and the loss is the mean over all valid ones.
    bidirectional: a second layer reads each sequence from its last valid step to its first; what both find stands
    side by side, and the head reads the final state of each (Schuster & Paliwal 1997).
    """

    inputs: int
    layers: tuple[Layer, ...]
    outputs: int
    embedding: Embedding | None = None
    dropout: float = 0.0
    second_bias: bool = False
    activation: str = "tanh"
    norm: str | None = None
    norm_steps: int = 0
    window: int | None = None
    bidirectional: bool = False
    every_step: bool = False

    @property
    def directions(self) -> tuple[str, ...]:
        """Prefixes of a layer's arrays, the layer that reads forward first."""
        return ("", "back.") if self.bidirectional else ("",)

    def width(self, index: int) -> int:
        """How many numbers a step layer `index` reads; of the index after the last layer, the head."""
        return len(self.directions) * self.layers[index - 1].units if index else self.inputs


def layer_shapes(network: Network, index: int) -> dict[str, tuple[int, ...]]:
    """Shape of every array of one direction of layer `index`, in canonical order."""
    cell, units = CELLS[network.layers[index].cell], network.layers[index].units
    columns = len(cell.gates) * units
    found = {"W": (network.width(index), columns), "U": (units, columns), "b": (columns,)}
    if cell.recurrent_bias or network.second_bias:
        found["b_rec"] = (columns,)
    found |= dict.fromkeys(cell.vectors, (units,))
    if network.norm:
        found |= dict.fromkeys(("gain_a", "gain_s"), (columns,))
    if network.norm == "batch":
        found |= dict.fromkeys(STATISTICS, (network.norm_steps, columns))
    return found


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network's weight tree, in canonical order."""
    tree: dict[str, tuple[int, ...]] = {}
    if network.embedding:
        tree["embedding"] = (network.embedding.words, network.inputs)
    for index in range(len(network.layers)):
        for direction in network.directions:
            tree |= {f"layers.{index}.{direction}{name}": s for name, s in layer_shapes(network, index).items()}
    tree["head.W"] = (network.width(len(network.layers)), network.outputs)
    tree["head.b"] = (network.outputs,)
    return tree


def is_trained(network: Network, name: str) -> bool:
    """Whether training moves the array `name` by its gradient."""
    if name == "embedding":
        return network.embedding.trainable
    return name.rpartition(".")[2] not in STATISTICS


def parameter_count(network: Network, *, embedding: bool) -> int:
    """Number of weights, the embedding's included or not (it is the same for every cell)."""
    return sum(
        math.prod(shape)
        for name, shape in shapes(network).items()
        if (embedding if name == "embedding" else is_trained(network, name))
    )


def units_for(budget: int, network: Network) -> int:
    """The number of units, the same in every layer of `network`, that comes nearest to `budget` weights, embedding
    apart."""

    def distance(units: int) -> int:
        layers = tuple(Layer(layer.cell, units) for layer in network.layers)
        return abs(parameter_count(replace(network, layers=layers), embedding=False) - budget)

    units = 1
    while distance(units + 1) < distance(units):  # the count grows with the units: one minimum
        units += 1
    return units


def why_not_native(network: Network, backend: str) -> str | None:
    """What in `network` the framework's own layers cannot do; None where they can do all of it."""
    for layer in network.layers:
        if layer.cell not in NATIVE:
            return f"cell {layer.cell}"
        if network.activation == "linear" or (network.activation != "tanh" and layer.cell != "vanilla"):
            return f"activation {network.activation} with cell {layer.cell}"
        if network.second_bias and backend == "tensorflow" and not CELLS[layer.cell].recurrent_bias:
            return f"a second bias with cell {layer.cell}"
    if network.norm:
        return f"norm {network.norm}"
    if network.window:
        return f"window {network.window}"
    return None


def default_impl(network: Network) -> str:
    """The frameworks' own layers where all of them can do what the network asks."""
    return "equations" if any(why_not_native(network, backend) for backend in ("pytorch", "tensorflow")) else "native"
