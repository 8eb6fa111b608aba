"""The recurrent cells of the study, each defined once, as one step over three named functions.

Every implementation, NumPy's or a framework's, fused or not, is checked against these lines.

Glossary (`...` are leading axes that broadcast, seeds for example)

    x      (..., B, D)     input of this step, B sequences of D features
    h, c   (..., B, H)     hidden state, always the first of `state`; the LSTM's memory
    W      (..., D, G*H)   input kernel, G gates side by side in the order of `Cell.gates`
    U      (..., H, G*H)   recurrent kernel
    b      (..., 1, G*H)   bias, given a row axis so that it broadcasts over B
    b_rec  (..., 1, G*H)   the bias beside h U: the GRU's, and every cell's where a second one is asked for
    a, s   (..., B, G*H)   what the input and the old state add up to: a = x W + b, s = h U (+ b_rec)
    p_*, u (..., 1, H)     weights of single units, `Cell.vectors`

A step is what comes after the two products: a and s can then be normalised, or multiplied for many steps at once,
whatever the cell. It treats units alike and apart (unit j of the new state depends on column j of each gate and unit
j of the old state), and it calls its functions gate by gate in the order of `Cell.gates` before any other: diagnostics
rely on both, and tests hold every cell to them. `ops.tanh` is the cell's activation; a network may put another
function in its place.

A cell with `recurrent=False` has no recurrent product: no U, no b_rec, and its step is given no s. What it keeps of the
old state, it keeps unit by unit.

Variants: the GRU applies its reset gate after the recurrent product (`reset_after` in Keras, the only form in
PyTorch) and z = 1 keeps the old state.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any  # NumPy, PyTorch or TensorFlow: the steps use only + * - / and slicing
State = tuple[Array, ...]


class Ops(NamedTuple):
    """What a framework must offer to run the equations, and nothing more."""

    tanh: Callable[[Array], Array]
    sigmoid: Callable[[Array], Array]
    relu: Callable[[Array], Array]


ACTIVATIONS: dict[str, Callable[[Ops], Callable[[Array], Array]]] = {
    "tanh": lambda ops: ops.tanh,
    "relu": lambda ops: ops.relu,
    "sigmoid": lambda ops: ops.sigmoid,
    "linear": lambda ops: lambda a: a,  # for theory: what the recurrence does without saturation
}


def activated(ops: Ops, activation: str) -> Ops:
    """`ops` with another activation, a key of `ACTIVATIONS`, in the place of tanh."""
    return ops._replace(tanh=ACTIVATIONS[activation](ops))


class Vector(NamedTuple):
    """Weights of single units: their name in the tree, and between which values they are drawn."""

    name: str
    low: float = 0.0
    high: float = 0.0


class Cell(NamedTuple):
    """A recurrence: its name in reports, its gates in the order of the kernels, the arrays of its state, its step.

    `step(ops, state, a, s, *vectors)` returns the new state; without a recurrent product `step(ops, state, a,
    *vectors)`.
    """

    label: str
    gates: tuple[str, ...]
    states: int
    step: Callable[..., State]
    recurrent_bias: bool = False
    recurrent: bool = True
    vectors: tuple[Vector, ...] = ()


def vanilla_step(ops: Ops, state: State, a: Array, s: Array) -> State:
    """Elman 1990, eq. on p. 182 with tanh: h = tanh(x W + h U + b)."""
    return (ops.tanh(a + s),)


def lstm_step(ops: Ops, state: State, a: Array, s: Array) -> State:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000."""
    h, c = state
    n = h.shape[-1]
    a = a + s
    i = ops.sigmoid(a[..., :n])
    f = ops.sigmoid(a[..., n : 2 * n])
    g = ops.tanh(a[..., 2 * n : 3 * n])
    o = ops.sigmoid(a[..., 3 * n :])
    c = f * c + i * g
    return (o * ops.tanh(c), c)


def gru_step(ops: Ops, state: State, a: Array, s: Array) -> State:
    """Cho et al. 2014 (arXiv 1406.1078v1), reset after the product: n = tanh(x W_n + b_n + r * (h U_n + b_rec_n))."""
    (h,) = state
    n = h.shape[-1]
    r = ops.sigmoid(a[..., :n] + s[..., :n])
    z = ops.sigmoid(a[..., n : 2 * n] + s[..., n : 2 * n])
    g = ops.tanh(a[..., 2 * n :] + r * s[..., 2 * n :])
    return (z * h + (1 - z) * g,)


def ugrnn_step(ops: Ops, state: State, a: Array, s: Array) -> State:
    """Collins et al. 2016 (arXiv 1611.09913), section 1: the gate g keeps the old state or takes the candidate c."""
    (h,) = state
    n = h.shape[-1]
    a = a + s
    keep = ops.sigmoid(a[..., :n])
    return (keep * h + (1 - keep) * ops.tanh(a[..., n:]),)


def lstm_peephole_step(ops: Ops, state: State, a: Array, s: Array, p_i: Array, p_f: Array, p_o: Array) -> State:
    """Gers et al. 2002 (JMLR 3), the gates see the memory: i and f the old one, o the new one."""
    h, c = state
    n = h.shape[-1]
    a = a + s
    i = ops.sigmoid(a[..., :n] + p_i * c)
    f = ops.sigmoid(a[..., n : 2 * n] + p_f * c)
    g = ops.tanh(a[..., 2 * n : 3 * n])
    c = f * c + i * g
    o = ops.sigmoid(a[..., 3 * n :] + p_o * c)
    return (o * ops.tanh(c), c)


def indrnn_step(ops: Ops, state: State, a: Array, u: Array) -> State:
    """Li et al. 2018 (arXiv 1803.04831), eq. 2, with the rectifier: each unit hears itself alone."""
    return (ops.relu(a + u * state[0]),)


def mingru_step(ops: Ops, state: State, a: Array) -> State:
    """Feng et al. 2024 (arXiv 2410.01201), section 3.1: neither gate nor candidate sees the state."""
    (h,) = state
    n = h.shape[-1]
    z = ops.sigmoid(a[..., :n])
    return ((1 - z) * h + z * a[..., n:],)


def minlstm_step(ops: Ops, state: State, a: Array) -> State:
    """Feng et al. 2024 (arXiv 2410.01201), section 3.2: f and i normalised to sum to one."""
    (h,) = state
    n = h.shape[-1]
    f = ops.sigmoid(a[..., :n])
    i = ops.sigmoid(a[..., n : 2 * n])
    return ((f * h + i * a[..., 2 * n :]) / (f + i),)


CELLS = {
    "vanilla": Cell("vanilla RNN", gates=("h",), states=1, step=vanilla_step),
    "lstm": Cell("LSTM", gates=("i", "f", "g", "o"), states=2, step=lstm_step),
    "gru": Cell("GRU", gates=("r", "z", "n"), states=1, step=gru_step, recurrent_bias=True),
    "ugrnn": Cell("UGRNN", gates=("g", "c"), states=1, step=ugrnn_step),
    "lstm_peephole": Cell(
        "LSTM with peepholes",
        gates=("i", "f", "g", "o"),
        states=2,
        step=lstm_peephole_step,
        vectors=(Vector("p_i"), Vector("p_f"), Vector("p_o")),
    ),
    "indrnn": Cell(
        "IndRNN", gates=("h",), states=1, step=indrnn_step, recurrent=False, vectors=(Vector("u", 0.0, 1.0),)
    ),
    "mingru": Cell("minGRU", gates=("z", "h"), states=1, step=mingru_step, recurrent=False),
    "minlstm": Cell("minLSTM", gates=("f", "i", "h"), states=1, step=minlstm_step, recurrent=False),
}
