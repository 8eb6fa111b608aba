"""The recurrent cells of the study, each defined once, as one step over three named functions.

Every implementation, NumPy's or a framework's, fused or not, is checked against these lines.

Glossary (`...` are leading axes that broadcast, seeds for example)

    x      (..., B, D)     input of this step, B sequences of D features
    h, c   (..., B, H)     hidden state; the LSTM's memory
    W      (..., D, G*H)   input kernel, G gates side by side in the order of `Cell.gates`
    U      (..., H, G*H)   recurrent kernel
    b      (..., 1, G*H)   bias, given a row axis so that it broadcasts over B
    b_rec  (..., 1, G*H)   the bias beside h U, of the GRU alone; None for the others

Variants: the GRU applies its reset gate after the recurrent product (`reset_after` in Keras, the only form in
PyTorch) and z = 1 keeps the old state; the LSTM has no peepholes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any  # NumPy, PyTorch or TensorFlow: the steps use only @ + * - and slicing
State = tuple[Array, ...]


class Ops(NamedTuple):
    """What a framework must offer to run the equations, and nothing more."""

    tanh: Callable[[Array], Array]
    sigmoid: Callable[[Array], Array]
    relu: Callable[[Array], Array]


class Weights(NamedTuple):
    """The arrays of one recurrent layer; shapes in the glossary above."""

    W: Array
    U: Array
    b: Array
    b_rec: Array | None = None


class Cell(NamedTuple):
    """A recurrence: its gates in the order of the kernels, the arrays of its state, its step."""

    gates: tuple[str, ...]
    states: int
    recurrent_bias: bool
    step: Callable[[Ops, Weights, State, Array], State]


def vanilla_step(ops: Ops, w: Weights, state: State, x: Array) -> State:
    """Elman 1990, eq. on p. 182 with tanh: h = tanh(x W + h U + b)."""
    (h,) = state
    return (ops.tanh(x @ w.W + h @ w.U + w.b),)


def vanilla_relu_step(ops: Ops, w: Weights, state: State, x: Array) -> State:
    """The vanilla cell with a rectifier (Le et al. 2015, arXiv 1504.00941): h = max(0, x W + h U + b)."""
    (h,) = state
    return (ops.relu(x @ w.W + h @ w.U + w.b),)


def lstm_step(ops: Ops, w: Weights, state: State, x: Array) -> State:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000."""
    h, c = state
    n = h.shape[-1]
    a = x @ w.W + h @ w.U + w.b
    i = ops.sigmoid(a[..., :n])
    f = ops.sigmoid(a[..., n : 2 * n])
    g = ops.tanh(a[..., 2 * n : 3 * n])
    o = ops.sigmoid(a[..., 3 * n :])
    c = f * c + i * g
    return (o * ops.tanh(c), c)


def gru_step(ops: Ops, w: Weights, state: State, x: Array) -> State:
    """Cho et al. 2014 (arXiv 1406.1078v1), reset after the product: n = tanh(x W_n + b_n + r * (h U_n + b_rec_n))."""
    (h,) = state
    n = h.shape[-1]
    a = x @ w.W + w.b
    s = h @ w.U + w.b_rec
    r = ops.sigmoid(a[..., :n] + s[..., :n])
    z = ops.sigmoid(a[..., n : 2 * n] + s[..., n : 2 * n])
    g = ops.tanh(a[..., 2 * n :] + r * s[..., 2 * n :])
    return (z * h + (1 - z) * g,)


CELLS = {
    "vanilla": Cell(gates=("h",), states=1, recurrent_bias=False, step=vanilla_step),
    "vanilla_relu": Cell(gates=("h",), states=1, recurrent_bias=False, step=vanilla_relu_step),
    "lstm": Cell(gates=("i", "f", "g", "o"), states=2, recurrent_bias=False, step=lstm_step),
    "gru": Cell(gates=("r", "z", "n"), states=1, recurrent_bias=True, step=gru_step),
}
