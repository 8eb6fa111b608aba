"""The oracle: the network of `network.py` in plain NumPy float64, forward from the equations of `cells.py`,
back through time by derivatives worked out by hand, and the frameworks' update rules from their documentation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .cells import CELLS, Ops, State, Weights
from .network import Network, Pass, step_weights
from .optimisers import Optimiser
from .task import Batch

Tree = dict[str, np.ndarray]


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(a / 2))  # the same function, without overflow


OPS = Ops(tanh=np.tanh, sigmoid=_sigmoid, relu=lambda a: np.where(a.real > 0, a, 0))


def layer_weights(network: Network, tree: Tree, index: int) -> Weights:
    """The arrays of layer `index` as its cell's step takes them: biases with a row axis, one where it has one."""
    prefix = f"layers.{index}."
    w = step_weights(
        CELLS[network.layers[index].cell],
        **{name.removeprefix(prefix): array for name, array in tree.items() if name.startswith(prefix)},
    )
    row = None if w.b_rec is None else w.b_rec[..., None, :]
    return w._replace(b=w.b[..., None, :], b_rec=row)


def scan(cell: str, w: Weights, x: np.ndarray) -> State:
    """Run `cell` over x (N, T, D) from zero states; every state at every step, each (N, T, H)."""
    step, units = CELLS[cell].step, w.U.shape[-2]
    state = tuple(np.zeros((len(x), units), np.result_type(x, w.U)) for _ in range(CELLS[cell].states))
    history = []
    for t in range(x.shape[1]):
        state = step(OPS, w, state, x[:, t])
        history.append(state)
    return tuple(np.stack(states, axis=-2) for states in zip(*history, strict=True))


def last_valid(h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """From h (..., N, T, H) the state (..., N, H) at each row's last valid step."""
    return h[..., -1, :] if mask is None else h[..., np.arange(len(mask)), mask.sum(axis=1) - 1, :]


def _inputs(network: Network, tree: Tree, batch: Batch) -> np.ndarray:
    return tree["embedding"][batch.x] if network.embedding else batch.x


def forward(network: Network, tree: Tree, batch: Batch, keep: list[np.ndarray] | None = None) -> np.ndarray:
    """Outputs (N, K) of the network; `keep` holds each layer's dropout masks (N, H), already scaled."""
    x = _inputs(network, tree, batch)
    for index, layer in enumerate(network.layers):
        x = scan(layer.cell, layer_weights(network, tree, index), x)[0]
        if keep is not None:
            x = x * keep[index][:, None, :]
    return last_valid(x, batch.mask) @ tree["head.W"] + tree["head.b"]


def loss(kind: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean cross entropy (nats) of logits (N, K), or mean squared error; complex numbers pass through."""
    if kind == "squared_error":
        return ((outputs - y) ** 2).mean()
    shifted = outputs - outputs.real.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]).mean()


def _loss_gradient(kind: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    if kind == "squared_error":
        return 2 * (outputs - y) / outputs.size
    odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True) - np.eye(outputs.shape[1])[y]) / len(y)


class Back(NamedTuple):
    """One step backwards: what the loss's gradient for the new state makes of what the step read.

    inputs, recurrent: its gradient for the sums x W + b and h U + b_rec before the nonlinearities (N, G*H), the
    same array where the equations add the two. state: what reaches the old state past the kernel U, each (N, H).
    """

    inputs: np.ndarray
    recurrent: np.ndarray
    state: State


def _vanilla_back(w: Weights, old: State, new: State, x: np.ndarray, d: State) -> Back:
    a = d[0] * (1 - new[0] ** 2)
    return Back(a, a, (np.zeros_like(a),))


def _vanilla_relu_back(w: Weights, old: State, new: State, x: np.ndarray, d: State) -> Back:
    a = d[0] * (new[0] > 0)
    return Back(a, a, (np.zeros_like(a),))


def _lstm_back(w: Weights, old: State, new: State, x: np.ndarray, d: State) -> Back:
    (h, c), (dh, dc) = old, d
    i, f, g, o = np.split(x @ w.W + h @ w.U + w.b, 4, axis=-1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    m = np.tanh(new[1])
    dc = dc + dh * o * (1 - m**2)
    a = np.concatenate([dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * m * o * (1 - o)], axis=-1)
    return Back(a, a, (np.zeros_like(h), dc * f))


def _gru_back(w: Weights, old: State, new: State, x: np.ndarray, d: State) -> Back:
    (h,), (dh,) = old, d
    a_r, a_z, a_n = np.split(x @ w.W + w.b, 3, axis=-1)
    s_r, s_z, s_n = np.split(h @ w.U + w.b_rec, 3, axis=-1)
    r, z = _sigmoid(a_r + s_r), _sigmoid(a_z + s_z)
    n = np.tanh(a_n + r * s_n)
    d_n = dh * (1 - z) * (1 - n**2)
    d_r, d_z = d_n * s_n * r * (1 - r), dh * (h - n) * z * (1 - z)
    return Back(np.concatenate([d_r, d_z, d_n], axis=-1), np.concatenate([d_r, d_z, d_n * r], axis=-1), (dh * z,))


_BACK: dict[str, Callable[[Weights, State, State, np.ndarray, State], Back]] = {
    "vanilla": _vanilla_back,
    "vanilla_relu": _vanilla_relu_back,
    "lstm": _lstm_back,
    "gru": _gru_back,
}


def back_through_time(
    cell: str, w: Weights, x: np.ndarray, states: State, d_h: np.ndarray
) -> tuple[np.ndarray, Weights]:
    """The loss's gradients for x (N, T, D) and for each array of `w`, given d_h (N, T, H), that for every h_t as
    an output. `states` is what `scan` returned. Werbos 1990 (backpropagation through time), eq. 8 to 12."""
    zero = tuple(np.zeros_like(history[:, 0]) for history in states)
    d_state, d_x = zero, np.zeros_like(x)
    d_W, d_U, d_b, d_rec = (0.0 if array is None else np.zeros_like(array) for array in w)
    for t in reversed(range(x.shape[1])):
        old = tuple(history[:, t - 1] for history in states) if t else zero
        new = tuple(history[:, t] for history in states)
        back = _BACK[cell](w, old, new, x[:, t], (d_state[0] + d_h[:, t], *d_state[1:]))
        d_W = d_W + x[:, t].T @ back.inputs
        d_U = d_U + old[0].T @ back.recurrent
        d_b = d_b + back.inputs.sum(axis=0, keepdims=True)
        d_rec = d_rec + back.recurrent.sum(axis=0, keepdims=True)
        d_x[:, t] = back.inputs @ w.W.T
        d_state = (back.state[0] + back.recurrent @ w.U.T, *back.state[1:])
    return d_x, Weights(d_W, d_U, d_b, None if w.b_rec is None else d_rec)


def run(network: Network, tree: Tree, batch: Batch, kind: str) -> Pass:
    """One pass forward and back with the loss `kind`: everything that `network.Pass` names."""
    x = _inputs(network, tree, batch)
    weights = [layer_weights(network, tree, index) for index in range(len(network.layers))]
    read, states = [], []
    for layer, w in zip(network.layers, weights, strict=True):
        read.append(x)
        states.append(scan(layer.cell, w, x))
        x = states[-1][0]
    top = last_valid(x, batch.mask)
    outputs = top @ tree["head.W"] + tree["head.b"]

    d_outputs = _loss_gradient(kind, outputs, batch.y)
    found = {"head.W": top.T @ d_outputs, "head.b": d_outputs.sum(axis=0)}
    ends = np.full(len(x), x.shape[1] - 1) if batch.mask is None else batch.mask.sum(axis=1) - 1
    d_x = np.zeros_like(x)
    d_x[np.arange(len(x)), ends] = d_outputs @ tree["head.W"].T
    for index in reversed(range(len(network.layers))):
        d_x, d_w = back_through_time(network.layers[index].cell, weights[index], read[index], states[index], d_x)
        found |= {f"layers.{index}.W": d_w.W, f"layers.{index}.U": d_w.U, f"layers.{index}.b": d_w.b[0]}
        if f"layers.{index}.b_rec" in tree:
            found[f"layers.{index}.b_rec"] = (d_w.b if d_w.b_rec is None else d_w.b_rec)[0]
    if network.embedding and network.embedding.trainable:
        found["embedding"] = np.zeros_like(tree["embedding"])
        np.add.at(found["embedding"], batch.x, d_x)
    return Pass(
        outputs=outputs,
        loss=float(loss(kind, outputs, batch.y)),
        hidden=tuple(h if batch.mask is None else np.where(batch.mask[..., None], h, 0) for h, *_ in states),
        final=tuple(tuple(last_valid(history, batch.mask) for history in layer) for layer in states),
        gradients={name: found[name] for name in tree if name in found},
        inputs=d_x,
    )


def update(optimiser: Optimiser, framework: str, weights: Tree, slots: Tree, gradients: Tree) -> tuple[Tree, Tree]:
    """Weights and slots after one update by the formulas of `optimisers.py` in the way of `framework`.

    `slots` is what `Backend.slots` describes; arrays without a gradient stay as they are.
    """
    rule, rate = optimiser.rule, optimiser.learning_rate
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    least = norm + optimiser.clip_margin
    scale = 1.0 if optimiser.clip is None or least <= optimiser.clip else optimiser.clip / least
    weights, slots = dict(weights), dict(slots)
    slots["updates"] = slots["updates"] + 1
    t = int(slots["updates"])
    for name, gradient in gradients.items():
        g = scale * gradient
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
