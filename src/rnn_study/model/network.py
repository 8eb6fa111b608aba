"""The one specification of a network, and the canonical tree of its weights.

A weight tree is a flat dict from a dotted name to an array. Kernels stand as (inputs, outputs), gates side by
side in the order of `cells.Cell.gates`:

    embedding     (V, D)      V words, row 0 is padding
    layers.0.W    (D, G*H)    layers.0.U (H, G*H)    layers.0.b (G*H,)   U where the cell has a recurrent product
    layers.0.b_rec (G*H,)     the GRU's, and every layer's where the network has second biases
    layers.0.p_i  (H,)        what `cells.Cell.vectors` names
    layers.0.gain_a, gain_s (G*H,)                       of normalisation
    layers.0.mean_a, variance_a, mean_s, variance_s (T, G*H)   of batch normalisation, at each step; never trained
    layers.0.back.W ...       the same arrays of the layer that reads backwards
    attention.query (H, A)    attention.key (E, A)    attention.score (A,)    attention.W (E + H, H)
    dense.0.W     (H, K)      dense.0.b (K,)
    head.W        (H, K)      head.b (K,)      twice H where layers read both ways
    decoder.layers.0.W ...    all arrays of the network that writes, in the place of a head
"""

import math
from dataclasses import dataclass, replace

from .cells import CELLS

NORM_EPSILON = 1e-5  # added to variances
NORM_MOMENTUM = 0.9  # what an update keeps of the running statistics
NATIVE = ("vanilla", "lstm", "gru")  # cells that every framework has a layer of its own for
STATISTICS = ("mean_a", "variance_a", "mean_s", "variance_s")
DECODER = "decoder."  # prefix of the arrays of the network that writes


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
class Dense:
    """A dense layer: its units, 0 for as many as `resized` gives, and its activation, a key of `cells.ACTIVATIONS`."""

    units: int
    activation: str


@dataclass(frozen=True)
class Attention:
    """A look back at what the encoder found at every one of its steps, E numbers each, `memory`.

    The decoder's state h_t scores step j as score . tanh(h_t query + m_j key) (Bahdanau et al. 2015, arXiv 1409.0473,
    section A.1.2); the softmax of the scores over the valid steps weighs them to a context c_t, and the head reads
    tanh([c_t, h_t] W) (Luong et al. 2015, arXiv 1508.04025, eq. 5). So the context comes after the recurrence, not
    into it, as Bahdanau's does: the frameworks' own layers can run all steps at once.
    """

    units: int
    memory: int


@dataclass(frozen=True)
class Network:
    """Embedding, a stack of recurrent layers, dense layers, and a dense head on the last valid state, or on that of
    every step; or in place of a head a decoder.

    `inputs` is the number of features a step: the embedding's width where there is one. What holds for every layer:

    dropout: the share of a layer's outputs that training zeroes; one mask serves all steps of a sequence (Gal &
    Ghahramani 2016, arXiv 1512.05287).
    second_bias: every cell has a bias b_rec beside its recurrent product, as in PyTorch.
    activation: a key of `cells.ACTIVATIONS`, in place of the cell's tanh.
    norm: `layer` or `batch`: the products x W and h U are each normalised and multiplied by a gain before the biases
    are added. Over the columns: Ba et al. 2016 (arXiv 1607.06450), eq. 20; over the valid rows of a batch, step by
    step: Cooijmans et al. 2016 (arXiv 1603.09025), eq. 6, with running statistics of each of the first `norm_steps`
    steps for prediction (later ones take the last). Neither normalises the LSTM's c, as both papers do besides.
    window: truncated back-propagation through time. The state is carried through the whole sequence, the loss's
    gradient through its last `window` valid steps.
    frozen: a reservoir: the layers, and the embedding, stay as they start, and what comes after them is all that learns
    (Jaeger 2001, GMD report 148). So no error goes back through time.
    every_step: the head reads the state after each step, and the loss is the mean over all valid ones.
    bidirectional: a second layer reads each sequence from its last valid step to its first; what both find stands
    side by side, and the head reads the final state of each (Schuster & Paliwal 1997).

    What not every network has:

    dense: layers between the recurrent ones and the head. With no recurrent layer at all, a multilayer perceptron:
    the first dense layer reads all of the `steps` steps side by side, those past a row's end as zeros.
    carried: row b of a batch goes on where row b of the batch before it ended: an epoch's first update starts from
    zero states, every later one from the states that the one before it ended with; no gradient passes from one to the
    other.
    decoder: a network that writes the answer token by token (Sutskever et al. 2014, arXiv 1409.3215). It reads,
    one-hot, the token before; its layers start with the final states of the encoder's, or, of an encoder without
    recurrent layers, with what its last dense layer found as h. It alone may have `attention`.
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
    frozen: bool = False
    bidirectional: bool = False
    every_step: bool = False
    dense: tuple[Dense, ...] = ()
    steps: int = 0
    carried: bool = False
    attention: Attention | None = None
    decoder: "Network | None" = None

    @property
    def directions(self) -> tuple[str, ...]:
        """Prefixes of a layer's arrays, the layer that reads forward first."""
        return ("", "back.") if self.bidirectional else ("",)

    def width(self, index: int) -> int:
        """How many numbers a step layer `index` reads; of the index after the last layer, what comes after it."""
        return len(self.directions) * self.layers[index - 1].units if index else self.inputs

    @property
    def found(self) -> int:
        """How many numbers the first dense layer reads, or the head where there is none."""
        return self.width(len(self.layers)) if self.layers else self.steps * self.inputs

    @property
    def dropped(self) -> tuple[int, ...]:
        """The widths of all that dropout acts on, in order: recurrent layers, dense layers, the decoder's."""
        own = (*(self.width(index + 1) for index in range(len(self.layers))), *(dense.units for dense in self.dense))
        return own + (self.decoder.dropped if self.decoder else ())

    @property
    def parts(self) -> "tuple[Network, ...]":
        """This network, and its decoder where it has one."""
        return (self, self.decoder) if self.decoder else (self,)


def clash(network: Network) -> str | None:
    """What in `network` cannot be together."""
    if not network.layers:
        for name in ("every_step", "bidirectional", "carried", "norm", "window", "frozen"):
            if getattr(network, name):
                return f"{name} without a recurrent layer: expected a cell"
        if network.decoder and not network.dense:
            return "a decoder after no layer at all: expected a cell or a dense layer"
    if network.carried and network.bidirectional:
        return "carried with bidirectional: expected one of the two, the end of a text is not known while it is read"
    if network.carried and not network.every_step:
        return "carried without every_step: expected an answer for every step"
    if network.frozen:
        for name in ("norm", "window"):
            if getattr(network, name):
                return f"{name} with frozen: expected one of the two, a layer that learns nothing has no use for it"
    if network.decoder:
        if network.layers and network.dense:
            return "dense layers between an encoder's cells and a decoder: expected one of the two"
        for name in ("bidirectional", "window", "carried", "frozen"):
            if getattr(network, name):
                return f"{name} with a decoder: expected an encoder that reads forward, its gradient whole"
        if network.norm == "batch":
            return "norm batch with a decoder: expected layer, for one row written alone has no statistics"
        starts = network.layers or (Layer(one.cell, network.dense[-1].units) for one in network.decoder.layers)
        if tuple(starts) != network.decoder.layers:
            return "a decoder of other layers than its encoder's: expected the same, for it starts with their states"
    return None


def layer_shapes(network: Network, index: int) -> dict[str, tuple[int, ...]]:
    """Shape of every array of one direction of layer `index`, in canonical order."""
    cell, units = CELLS[network.layers[index].cell], network.layers[index].units
    columns = len(cell.gates) * units
    found = {"W": (network.width(index), columns), "b": (columns,)}
    if cell.recurrent:
        found = {"W": found["W"], "U": (units, columns), "b": (columns,)}
        if cell.recurrent_bias or network.second_bias:
            found["b_rec"] = (columns,)
    found |= {vector.name: (units,) for vector in cell.vectors}
    products = ("a", "s") if cell.recurrent else ("a",)
    if network.norm:
        found |= {f"gain_{product}": (columns,) for product in products}
    if network.norm == "batch":
        statistics = [name for name in STATISTICS if name.endswith(products)]
        found |= dict.fromkeys(statistics, (network.norm_steps, columns))
    return found


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network's weight tree, in canonical order."""
    tree: dict[str, tuple[int, ...]] = {}
    if network.embedding:
        tree["embedding"] = (network.embedding.words, network.inputs)
    for index in range(len(network.layers)):
        for direction in network.directions:
            tree |= {f"layers.{index}.{direction}{name}": s for name, s in layer_shapes(network, index).items()}
    width = network.found
    if network.attention:
        units, memory = network.attention.units, network.attention.memory
        tree |= {"attention.query": (width, units), "attention.key": (memory, units), "attention.score": (units,)}
        tree["attention.W"] = (memory + width, width)
    for index, dense in enumerate(network.dense):
        tree |= {f"dense.{index}.W": (width, dense.units), f"dense.{index}.b": (dense.units,)}
        width = dense.units
    if network.decoder:
        return tree | {DECODER + name: shape for name, shape in shapes(network.decoder).items()}
    return tree | {"head.W": (width, network.outputs), "head.b": (network.outputs,)}


def decoder_tree(tree: dict) -> dict:
    """What of a tree belongs to the decoder, by the names it has there."""
    return {name.removeprefix(DECODER): array for name, array in tree.items() if name.startswith(DECODER)}


def is_trained(network: Network, name: str) -> bool:
    """Whether training moves the array `name` by its gradient."""
    if network.frozen and name.startswith(("embedding", "layers.")):
        return False
    if name == "embedding":
        return network.embedding.trainable
    return name.rpartition(".")[2] not in STATISTICS


def parameter_count(network: Network, *, embedding: bool) -> int:
    """Number of weights, frozen ones among them, the embedding's included or not (it is the same for every cell)."""
    return sum(
        math.prod(shape)
        for name, shape in shapes(network).items()
        if (embedding if name == "embedding" else name.rpartition(".")[2] not in STATISTICS)
    )


def resized(network: Network, units: int) -> Network:
    """`network` with as many units in every recurrent layer, in the dense ones that have none of their own, and in what
    attention scores with."""
    layers = tuple(Layer(layer.cell, units) for layer in network.layers)
    dense = tuple(Dense(one.units or units, one.activation) for one in network.dense)
    found = replace(network, layers=layers, dense=dense)
    if found.attention:
        found = replace(found, attention=Attention(units, units))
    return replace(found, decoder=resized(found.decoder, units)) if found.decoder else found


def units_for(budget: int, network: Network) -> int:
    """The number of units, the same in every layer of `network` (see `resized`), that comes nearest to `budget`
    weights, embedding apart."""

    def distance(units: int) -> int:
        return abs(parameter_count(resized(network, units), embedding=False) - budget)

    units = 1
    while distance(units + 1) < distance(units):  # the count grows with the units: one minimum
        units += 1
    return units


def why_not_native(network: Network, backend: str) -> str | None:
    """What in `network` the framework's own layers cannot do; None where they can do all of it."""
    for layer in network.layers:
        if layer.cell not in NATIVE:
            return f"cell {layer.cell}"
        if network.activation in ("linear", "sigmoid") or (network.activation != "tanh" and layer.cell != "vanilla"):
            return f"activation {network.activation} with cell {layer.cell}"
        if network.second_bias and backend == "tensorflow" and not CELLS[layer.cell].recurrent_bias:
            return f"a second bias with cell {layer.cell}"
    if network.norm:
        return f"norm {network.norm}"
    if network.window:
        return f"window {network.window}"
    return why_not_native(network.decoder, backend) if network.decoder else None


def default_impl(network: Network) -> str:
    """The frameworks' own layers where all of them can do what the network asks."""
    return "equations" if any(why_not_native(network, backend) for backend in ("pytorch", "tensorflow")) else "native"
