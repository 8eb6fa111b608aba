"""Losses and their gradients, back through time by derivatives worked out by hand, or by complex steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rnn_study.model.backend import Pass
from rnn_study.model.cells import Ops, State, activated
from rnn_study.model.network import Network, is_trained
from rnn_study.model.task import Batch, written

from .forward_pass import OPS, Tree, Weights, climb, last_valid, layer_weights, read, scan, sigmoid


def _labels(kind: str, y: np.ndarray) -> int:
    """How many axes of y number answers: rows, or rows and steps."""
    return y.ndim if kind == "cross_entropy" else y.ndim - 1


def _counted(places: int, y: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Which answers count, (N,) or (N, T): all, but for those past a row's end."""
    return np.ones(y.shape[:places], bool) if places == 1 or mask is None else mask


def loss(kind: str, outputs: np.ndarray, y: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Mean cross entropy (nats) of logits (..., N, K), or mean squared error; of (..., N, T, K) over the steps of
    `mask`. Complex numbers pass through."""
    if kind == "squared_error":
        errors = ((outputs - y) ** 2).mean(axis=-1)
    else:
        shifted = outputs - outputs.real.max(axis=-1, keepdims=True)
        own = (shifted * np.eye(outputs.shape[-1])[y]).sum(axis=-1)
        errors = np.log(np.exp(shifted).sum(axis=-1)) - own
    places = _labels(kind, y)
    return errors[..., _counted(places, y, mask)].mean(axis=-1)


def _answered(network: Network, batch: Batch) -> np.ndarray | None:
    """Which steps of the answers count: the valid ones, or those up to a written answer's end."""
    return written(batch.y) if network.decoder else batch.mask


def complex_step(network: Network, tree: Tree, batch: Batch, kind: str) -> tuple[Tree, np.ndarray]:
    """The loss's gradients, for every trained array and for what the first layer reads, whatever the network: each
    number in turn moved by an imaginary step, which gives derivatives exact to rounding (Squire & Trapp 1998)."""
    step, first, answered = 1e-30, read(network, tree, batch), _answered(network, batch)
    plain = replace(network, embedding=None)

    def loss_at(there: Tree, x: np.ndarray) -> np.ndarray:
        outputs = climb(plain, there, x, batch.mask, training=True, told=batch.y).outputs
        return loss(kind, outputs, batch.y, answered)

    def gradient(array: np.ndarray, moved: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        directions = np.eye(array.size).reshape(array.size, *array.shape)
        return moved(array + 1j * step * directions).imag.reshape(array.shape) / step

    def by(name: str) -> Callable[[np.ndarray], np.ndarray]:
        def losses(arrays: np.ndarray) -> np.ndarray:
            there = tree | {name: arrays}
            return loss_at(there, read(network, there, batch))

        return losses

    found = {name: gradient(array, by(name)) for name, array in tree.items() if is_trained(network, name)}
    return found, gradient(first, lambda x: loss_at(tree, x))


def loss_gradient(kind: str, outputs: np.ndarray, y: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """The gradient of `loss` for outputs (N, K) or (N, T, K)."""
    counted = _counted(_labels(kind, y), y, mask)
    if kind == "squared_error":
        each = 2 * (outputs - y) / outputs.shape[-1]
    else:
        odds = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        each = odds / odds.sum(axis=-1, keepdims=True) - np.eye(outputs.shape[-1])[y]
    return np.where(counted[..., None], each, 0) / counted.sum()


class Back(NamedTuple):
    """One step backwards: what the loss's gradient for the new state makes of what the step read.

    inputs, recurrent: its gradient for the step's a and s (N, G*H), the same array where the equations add the two.
    state: what reaches the old state past the kernel U, each (N, H).
    """

    inputs: np.ndarray
    recurrent: np.ndarray
    state: State


Slope = Callable[[np.ndarray], np.ndarray]  # of the activation, from its value
SLOPES: dict[str, Slope] = {
    "tanh": lambda y: 1 - y**2,
    "relu": lambda y: (y > 0).astype(y.dtype),
    "sigmoid": lambda y: y * (1 - y),
    "linear": np.ones_like,
}


def _vanilla_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    inputs = d[0] * slope(new[0])
    return Back(inputs, inputs, (np.zeros_like(inputs),))


def _lstm_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    (h, c), (dh, dc) = old, d
    i, f, g, o = np.split(a + s, 4, axis=-1)
    i, f, g, o = sigmoid(i), sigmoid(f), ops.tanh(g), sigmoid(o)
    m = ops.tanh(new[1])
    dc = dc + dh * o * slope(m)
    both = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * slope(g), dh * m * o * (1 - o)]
    inputs = np.concatenate(both, axis=-1)
    return Back(inputs, inputs, (np.zeros_like(h), dc * f))


def _gru_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    (h,), (dh,) = old, d
    a_r, a_z, a_n = np.split(a, 3, axis=-1)
    s_r, s_z, s_n = np.split(s, 3, axis=-1)
    r, z = sigmoid(a_r + s_r), sigmoid(a_z + s_z)
    n = ops.tanh(a_n + r * s_n)
    d_n = dh * (1 - z) * slope(n)
    d_r, d_z = d_n * s_n * r * (1 - r), dh * (h - n) * z * (1 - z)
    return Back(np.concatenate([d_r, d_z, d_n], axis=-1), np.concatenate([d_r, d_z, d_n * r], axis=-1), (dh * z,))


# By hand for the cells of the study's questions; any other cell has the complex step.
_BACK: dict[str, Callable[[Ops, Slope, np.ndarray, np.ndarray, State, State, State], Back]] = {
    "vanilla": _vanilla_back,
    "lstm": _lstm_back,
    "gru": _gru_back,
}


def by_hand(network: Network) -> bool:
    """Whether `back_through_time` knows everything in `network`."""
    plain = not (network.norm or network.window or network.bidirectional or network.dense or network.decoder)
    return plain and all(layer.cell in _BACK for layer in network.layers)


def back_through_time(
    cell: str, w: Weights, x: np.ndarray, states: State, d_h: np.ndarray, activation: str = "tanh"
) -> tuple[np.ndarray, Weights]:
    """The loss's gradients for x (N, T, D) and for each array of `w`, given d_h (N, T, H), that for every h_t as
    an output. `states` is what `scan` returned. Werbos 1990 (backpropagation through time), eq. 8 to 12."""
    ops, slope = activated(OPS, activation), SLOPES[activation]
    zero = tuple(np.zeros_like(history[:, 0]) for history in states)
    d_state, d_x = zero, np.zeros_like(x)
    d_W, d_U, d_b, d_rec = np.zeros_like(w.W), np.zeros_like(w.U), np.zeros_like(w.b), np.zeros_like(w.b)
    for t in reversed(range(x.shape[1])):
        old = tuple(history[:, t - 1] for history in states) if t else zero
        new = tuple(history[:, t] for history in states)
        a, s = x[:, t] @ w.W + w.b, old[0] @ w.U + (0 if w.b_rec is None else w.b_rec)
        back = _BACK[cell](ops, slope, a, s, old, new, (d_state[0] + d_h[:, t], *d_state[1:]))
        d_W += x[:, t].T @ back.inputs
        d_U += old[0].T @ back.recurrent
        d_b += back.inputs.sum(axis=0, keepdims=True)
        d_rec += back.recurrent.sum(axis=0, keepdims=True)
        d_x[:, t] = back.inputs @ w.W.T
        d_state = (back.state[0] + back.recurrent @ w.U.T, *back.state[1:])
    return d_x, Weights(d_W, d_U, d_b, None if w.b_rec is None else d_rec)


def _gradients_by_hand(network: Network, tree: Tree, batch: Batch, kind: str) -> tuple[Tree, np.ndarray]:
    x = read(network, tree, batch)
    weights = [layer_weights(network, tree, index) for index in range(len(network.layers))]
    reads, states = [], []
    for layer, w in zip(network.layers, weights, strict=True):
        reads.append(x)
        states.append(scan(layer.cell, w, x, network.activation))
        x = states[-1][0]
    top = x if network.every_step else last_valid(x, batch.mask)
    d_outputs = loss_gradient(kind, top @ tree["head.W"] + tree["head.b"], batch.y, batch.mask)
    flat = d_outputs.reshape(-1, network.outputs)
    found = {"head.W": top.reshape(len(flat), -1).T @ flat, "head.b": flat.sum(axis=0)}
    d_top = d_outputs @ tree["head.W"].T
    d_x = d_top
    if not network.every_step:
        ends = np.full(len(x), x.shape[1] - 1) if batch.mask is None else batch.mask.sum(axis=1) - 1
        d_x = np.zeros_like(x)
        d_x[np.arange(len(x)), ends] = d_top
    for index in reversed(range(len(network.layers))):
        cell = network.layers[index].cell
        d_x, d_w = back_through_time(cell, weights[index], reads[index], states[index], d_x, network.activation)
        arrays = {"W": d_w.W, "U": d_w.U, "b": d_w.b[0]} | ({} if d_w.b_rec is None else {"b_rec": d_w.b_rec[0]})
        found |= {f"layers.{index}.{name}": array for name, array in arrays.items()}
    if network.embedding and is_trained(network, "embedding"):
        found["embedding"] = np.zeros_like(tree["embedding"])
        np.add.at(found["embedding"], batch.x, d_x)
    return {name: found[name] for name in tree if name in found and is_trained(network, name)}, d_x


def run(network: Network, tree: Tree, batch: Batch, kind: str) -> Pass:
    """One pass forward and back with the loss `kind`: everything that `backend.Pass` names."""
    up = climb(network, tree, read(network, tree, batch), batch.mask, training=True, told=batch.y)
    back = _gradients_by_hand if by_hand(network) else complex_step
    gradients, d_x = back(network, tree, batch, kind)
    answered = _answered(network, batch)
    ended = (network.every_step or network.decoder) and answered is not None
    depth = len(network.layers)

    def to_end(number: int, h: np.ndarray) -> np.ndarray:
        mask = batch.mask if number < depth else answered
        return h if mask is None else np.where(mask[..., None], h, 0)

    return Pass(
        outputs=np.where(answered[..., None], up.outputs, 0) if ended else up.outputs,
        loss=float(loss(kind, up.outputs, batch.y, answered)),
        hidden=tuple(to_end(number, h) for number, h in enumerate(up.hidden)),
        final=tuple(up.final),
        gradients=gradients,
        inputs=d_x,
    )
