"""The oracle: the network of `network.py` in plain NumPy float64, forward from the equations of `cells.py`, back
through time by derivatives worked out by hand or by complex steps, and the frameworks' update rules from their
documentation."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from .cells import CELLS, Array, Ops, State, activated
from .network import NORM_EPSILON, NORM_MOMENTUM, Network, Pass, is_trained, layer_shapes
from .optimisers import Optimiser
from .task import Batch

Tree = dict[str, np.ndarray]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(a / 2))  # the same function, without overflow


OPS = Ops(tanh=np.tanh, sigmoid=_sigmoid, relu=lambda a: np.where(a.real > 0, a, 0))


class Weights(NamedTuple):
    """The arrays of one layer as a step takes them: biases and vectors with a row axis."""

    W: Array
    U: Array
    b: Array
    b_rec: Array | None = None
    vectors: tuple[Array, ...] = ()


@dataclass
class Normal:
    """Normalisation of one layer's products (..., N, G*H), by its arrays; complex numbers pass through.

    With `training`, batch normalisation takes the statistics of the rows that count and leaves the running ones in
    `moved`.
    """

    kind: str
    arrays: Tree
    valid: np.ndarray  # (N, T)
    training: bool
    moved: Tree = field(default_factory=dict)

    def __call__(self, which: str, t: int, products: np.ndarray) -> np.ndarray:
        """`which` is a or s, `t` the step."""
        gain = self.arrays[f"gain_{which}"][..., None, :]
        if self.kind == "layer":
            mean = products.mean(axis=-1, keepdims=True)
            variance = ((products - mean) ** 2).mean(axis=-1, keepdims=True)
        elif self.training:
            counts = self.valid[:, t]
            rows = products[..., counts, :] if counts.any() else 0 * products
            mean = rows.mean(axis=-2, keepdims=True)
            variance = ((rows - mean) ** 2).mean(axis=-2, keepdims=True)
            self._learn(which, t, counts, mean, variance)
        else:
            mean, variance = (self._running(name, which, t) for name in ("mean", "variance"))
        return gain * (products - mean) / np.sqrt(variance + NORM_EPSILON)

    def _running(self, name: str, which: str, t: int) -> np.ndarray:
        array = self.arrays[f"{name}_{which}"]
        return array[..., [min(t, array.shape[-2] - 1)], :]

    def _learn(self, which: str, t: int, counts: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
        for name, found in ((f"mean_{which}", mean), (f"variance_{which}", variance)):
            running = self.moved.setdefault(name, self.arrays[name].copy())
            if counts.sum() > 1 and t < running.shape[-2] and running.ndim == 2:
                running[t] = NORM_MOMENTUM * running[t] + (1 - NORM_MOMENTUM) * found[0].real


def layer_weights(network: Network, tree: Tree, index: int, direction: str = "") -> Weights:
    """The arrays of one direction of layer `index`."""
    prefix = f"layers.{index}.{direction}"
    cell = CELLS[network.layers[index].cell]
    W, U = tree[prefix + "W"], tree[prefix + "U"]
    b, b_rec = (tree[prefix + name][..., None, :] if prefix + name in tree else None for name in ("b", "b_rec"))
    return Weights(W, U, b, b_rec, tuple(tree[prefix + name][..., None, :] for name in cell.vectors))


def scan(
    cell: str,
    w: Weights,
    x: np.ndarray,
    activation: str = "tanh",
    norm: Callable[[str, int, np.ndarray], np.ndarray] | None = None,
    cut: np.ndarray | None = None,
) -> State:
    """Run `cell` over x (N, T, D) from zero states; every state at every step, each (N, T, H).

    Before step `cut` (N,) the state loses what a complex step has put into it: no derivative passes.
    """
    ops, step = activated(OPS, activation), CELLS[cell].step
    norm = norm or (lambda which, t, products: products)
    arrays = [array for array in (*w[:4], *w.vectors) if array is not None]
    lead = np.broadcast_shapes(x.shape[:-3], *(array.shape[:-2] for array in arrays))
    zero = np.zeros((*lead, x.shape[-3], w.U.shape[-2]), np.result_type(x, *arrays))
    state, history = (zero,) * CELLS[cell].states, []
    for t in range(x.shape[-2]):
        if cut is not None:
            state = tuple(np.where((cut == t)[:, None], array.real, array) for array in state)
        a = norm("a", t, x[..., t, :] @ w.W) + w.b
        s = norm("s", t, state[0] @ w.U)
        state = step(ops, state, a, s if w.b_rec is None else s + w.b_rec, *w.vectors)
        history.append(state)
    return tuple(np.stack(states, axis=-2) for states in zip(*history, strict=True))


def turned(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """x (..., N, T, D) with the valid part of each row from its end to its start."""
    steps, last = np.arange(x.shape[-2]), valid.sum(axis=1) - 1
    places = np.where(valid, last[:, None] - steps, steps)
    return np.take_along_axis(x, places[..., None].reshape((1,) * (x.ndim - 3) + (*places.shape, 1)), axis=-2)


def last_valid(h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """From h (..., N, T, H) the state (..., N, H) at each row's last valid step."""
    return h[..., -1, :] if mask is None else h[..., np.arange(len(mask)), mask.sum(axis=1) - 1, :]


def _inputs(network: Network, tree: Tree, batch: Batch) -> np.ndarray:
    return tree["embedding"][..., batch.x, :] if network.embedding else batch.x


class Forward(NamedTuple):
    """What a network computes on its way up, leading axes of the weights first.

    outputs (N, K). hidden: a layer's h at every step (N, T, H), both directions side by side. final: its states (N, H)
    at the last step each direction read. statistics: the running ones as batch normalisation would leave them.
    """

    outputs: np.ndarray
    hidden: list[np.ndarray]
    final: list[State]
    statistics: Tree


def climb(
    network: Network,
    tree: Tree,
    x: np.ndarray,
    mask: np.ndarray | None,
    keep: list[np.ndarray] | None = None,
    training: bool = False,
) -> Forward:
    """The network over what its first layer reads, x (N, T, D); `keep` as in `forward`."""
    valid = np.ones(x.shape[-3:-1], bool) if mask is None else mask
    cut = valid.sum(axis=1) - network.window if network.window else None
    hidden, finals, statistics = [], [], {}
    for index, layer in enumerate(network.layers):
        sides, final = [], ()
        for direction in network.directions:
            prefix = f"layers.{index}.{direction}"
            norm = None
            if network.norm:
                arrays = {name: tree[prefix + name] for name in layer_shapes(network, index)}
                norm = Normal(network.norm, arrays, valid, training)
            w = layer_weights(network, tree, index, direction)
            read = turned(x, valid) if direction else x
            states = scan(layer.cell, w, read, network.activation, norm, cut)
            final = (*final, *(last_valid(history, mask) for history in states))
            sides.append(turned(states[0], valid) if direction else states[0])
            if norm:
                statistics |= {prefix + name: array for name, array in norm.moved.items()}
        x = _beside(sides)
        hidden.append(x)
        finals.append(final)
        if keep is not None:
            x = x * keep[index][:, None, :]
    end, units = last_valid(x, mask), network.layers[-1].units
    if network.bidirectional:  # what reads backwards ends at the first step
        end = _beside([end[..., :units], x[..., 0, units:]])
    return Forward(end @ tree["head.W"] + tree["head.b"][..., None, :], hidden, finals, statistics)


def _beside(arrays: list[np.ndarray]) -> np.ndarray:
    """Along the last axis, leading axes broadcast."""
    lead = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    return np.concatenate([np.broadcast_to(array, (*lead, array.shape[-1])) for array in arrays], axis=-1)


def forward(network: Network, tree: Tree, batch: Batch, keep: list[np.ndarray] | None = None) -> np.ndarray:
    """Outputs (N, K) of the network; `keep` holds each layer's dropout masks (N, H), already scaled.

    Arrays of `tree` may have a leading axis, the outputs then have it too.
    """
    return climb(network, tree, _inputs(network, tree, batch), batch.mask, keep).outputs


def loss(kind: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross entropy (nats) of logits (..., N, K), or mean squared error; complex numbers pass through."""
    if kind == "squared_error":
        return ((outputs - y) ** 2).mean(axis=(-2, -1))
    shifted = outputs - outputs.real.max(axis=-1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=-1)) - shifted[..., np.arange(len(y)), y]).mean(axis=-1)


def complex_step(network: Network, tree: Tree, batch: Batch, kind: str) -> tuple[Tree, np.ndarray]:
    """The loss's gradients, for every trained array and for what the first layer reads, whatever the network: each
    number in turn moved by an imaginary step, which gives derivatives exact to rounding (Squire & Trapp 1998)."""
    step, read = 1e-30, _inputs(network, tree, batch)
    plain = replace(network, embedding=None)

    def gradient(array: np.ndarray, moved: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        directions = np.eye(array.size).reshape(array.size, *array.shape)
        return moved(array + 1j * step * directions).imag.reshape(array.shape) / step

    def by(name: str) -> Callable[[np.ndarray], np.ndarray]:
        def losses(arrays: np.ndarray) -> np.ndarray:
            there = tree | {name: arrays}
            x = _inputs(network, there, batch)
            return loss(kind, climb(plain, there, x, batch.mask, training=True).outputs, batch.y)

        return losses

    found = {name: gradient(array, by(name)) for name, array in tree.items() if is_trained(network, name)}

    def by_inputs(x: np.ndarray) -> np.ndarray:
        return loss(kind, climb(plain, tree, x, batch.mask, training=True).outputs, batch.y)

    return found, gradient(read, by_inputs)


def loss_gradient(kind: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The gradient of `loss` for outputs (N, K)."""
    if kind == "squared_error":
        return 2 * (outputs - y) / outputs.size
    odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True) - np.eye(outputs.shape[1])[y]) / len(y)


class Back(NamedTuple):
    """One step backwards: what the loss's gradient for the new state makes of what the step read.

    inputs, recurrent: its gradient for the step's a and s (N, G*H), the same array where the equations add the two.
    state: what reaches the old state past the kernel U, each (N, H).
    """

    inputs: np.ndarray
    recurrent: np.ndarray
    state: State


Slope = Callable[[np.ndarray], np.ndarray]  # of the activation, from its value
_SLOPES: dict[str, Slope] = {
    "tanh": lambda y: 1 - y**2,
    "relu": lambda y: (y > 0).astype(y.dtype),
    "linear": np.ones_like,
}


def _vanilla_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    inputs = d[0] * slope(new[0])
    return Back(inputs, inputs, (np.zeros_like(inputs),))


def _lstm_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    (h, c), (dh, dc) = old, d
    i, f, g, o = np.split(a + s, 4, axis=-1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), ops.tanh(g), _sigmoid(o)
    m = ops.tanh(new[1])
    dc = dc + dh * o * slope(m)
    both = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * slope(g), dh * m * o * (1 - o)]
    inputs = np.concatenate(both, axis=-1)
    return Back(inputs, inputs, (np.zeros_like(h), dc * f))


def _gru_back(ops: Ops, slope: Slope, a: np.ndarray, s: np.ndarray, old: State, new: State, d: State) -> Back:
    (h,), (dh,) = old, d
    a_r, a_z, a_n = np.split(a, 3, axis=-1)
    s_r, s_z, s_n = np.split(s, 3, axis=-1)
    r, z = _sigmoid(a_r + s_r), _sigmoid(a_z + s_z)
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
    plain = not (network.norm or network.window or network.bidirectional)
    return plain and all(layer.cell in _BACK for layer in network.layers)


def back_through_time(
    cell: str, w: Weights, x: np.ndarray, states: State, d_h: np.ndarray, activation: str = "tanh"
) -> tuple[np.ndarray, Weights]:
    """The loss's gradients for x (N, T, D) and for each array of `w`, given d_h (N, T, H), that for every h_t as
    an output. `states` is what `scan` returned. Werbos 1990 (backpropagation through time), eq. 8 to 12."""
    ops, slope = activated(OPS, activation), _SLOPES[activation]
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
    x = _inputs(network, tree, batch)
    weights = [layer_weights(network, tree, index) for index in range(len(network.layers))]
    read, states = [], []
    for layer, w in zip(network.layers, weights, strict=True):
        read.append(x)
        states.append(scan(layer.cell, w, x, network.activation))
        x = states[-1][0]
    top = last_valid(x, batch.mask)
    d_outputs = loss_gradient(kind, top @ tree["head.W"] + tree["head.b"], batch.y)
    found = {"head.W": top.T @ d_outputs, "head.b": d_outputs.sum(axis=0)}
    ends = np.full(len(x), x.shape[1] - 1) if batch.mask is None else batch.mask.sum(axis=1) - 1
    d_x = np.zeros_like(x)
    d_x[np.arange(len(x)), ends] = d_outputs @ tree["head.W"].T
    for index in reversed(range(len(network.layers))):
        cell = network.layers[index].cell
        d_x, d_w = back_through_time(cell, weights[index], read[index], states[index], d_x, network.activation)
        arrays = {"W": d_w.W, "U": d_w.U, "b": d_w.b[0]} | ({} if d_w.b_rec is None else {"b_rec": d_w.b_rec[0]})
        found |= {f"layers.{index}.{name}": array for name, array in arrays.items()}
    if network.embedding and network.embedding.trainable:
        found["embedding"] = np.zeros_like(tree["embedding"])
        np.add.at(found["embedding"], batch.x, d_x)
    return {name: found[name] for name in tree if name in found}, d_x


def run(network: Network, tree: Tree, batch: Batch, kind: str) -> Pass:
    """One pass forward and back with the loss `kind`: everything that `network.Pass` names."""
    up = climb(network, tree, _inputs(network, tree, batch), batch.mask, training=True)
    back = _gradients_by_hand if by_hand(network) else complex_step
    gradients, d_x = back(network, tree, batch, kind)
    return Pass(
        outputs=up.outputs,
        loss=float(loss(kind, up.outputs, batch.y)),
        hidden=tuple(h if batch.mask is None else np.where(batch.mask[..., None], h, 0) for h in up.hidden),
        final=tuple(up.final),
        gradients=gradients,
        inputs=d_x,
    )


def _clipped(optimiser: Optimiser, gradients: Tree) -> Tree:
    clip = np.inf if optimiser.clip is None else optimiser.clip
    if optimiser.clip_by == "value":
        return {name: np.clip(g, -clip, clip) for name, g in gradients.items()}
    least = np.sqrt(sum((g**2).sum() for g in gradients.values())) + optimiser.clip_margin
    scale = 1.0 if least <= clip else clip / least
    return {name: scale * g for name, g in gradients.items()}


def update(optimiser: Optimiser, framework: str, weights: Tree, slots: Tree, gradients: Tree) -> tuple[Tree, Tree]:
    """Weights and slots after one update by the formulas of `optimisers.py` in the way of `framework`.

    `slots` is what `Backend.slots` describes; arrays without a gradient stay as they are.
    """
    rule, rate = optimiser.rule, optimiser.learning_rate
    gradients = _clipped(optimiser, gradients)
    weights, slots = dict(weights), dict(slots)
    slots["updates"] = slots["updates"] + 1
    t = int(slots["updates"])
    for name, g in gradients.items():
        if rule.kind == "sgd":
            step = g
            if rule.momentum:
                step = slots[f"velocity.{name}"] = rule.momentum * slots[f"velocity.{name}"] + g
        elif rule.kind == "rmsprop":
            s = slots[f"square.{name}"] = rule.rho * slots[f"square.{name}"] + (1 - rule.rho) * g**2
            step = g / (np.sqrt(s) + rule.epsilon) if framework == "pytorch" else g / np.sqrt(s + rule.epsilon)
        else:
            m = slots[f"mean.{name}"] = rule.beta_1 * slots[f"mean.{name}"] + (1 - rule.beta_1) * g
            s = slots[f"square.{name}"] = rule.beta_2 * slots[f"square.{name}"] + (1 - rule.beta_2) * g**2
            first, second = 1 - rule.beta_1**t, np.sqrt(1 - rule.beta_2**t)
            step = (m / first) / (
                (np.sqrt(s) + rule.epsilon) / second if rule.hat else np.sqrt(s) / second + rule.epsilon
            )
        weights[name] = weights[name] - rate * step
    return weights, slots
