"""The network of `network.py` in plain NumPy, forward from the equations of `cells.py`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rnn_study.model.cells import ACTIVATIONS, CELLS, Array, Ops, State, activated
from rnn_study.model.network import NORM_EPSILON, NORM_MOMENTUM, Network, decoder_tree, layer_shapes
from rnn_study.model.task import GO, Batch

Tree = dict[str, np.ndarray]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(a / 2))  # the same function, without overflow


OPS = Ops(tanh=np.tanh, sigmoid=sigmoid, relu=lambda a: np.where(a.real > 0, a, 0))


class Weights(NamedTuple):
    """The arrays of one layer as a step takes them: biases and vectors with a row axis. U is None where the cell has no
    recurrent product."""

    W: Array
    U: Array | None
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
    W, U = tree[prefix + "W"], tree.get(prefix + "U")
    b, b_rec = (tree[prefix + name][..., None, :] if prefix + name in tree else None for name in ("b", "b_rec"))
    return Weights(W, U, b, b_rec, tuple(tree[prefix + vector.name][..., None, :] for vector in cell.vectors))


def scan(
    cell: str,
    w: Weights,
    x: np.ndarray,
    activation: str = "tanh",
    norm: Callable[[str, int, np.ndarray], np.ndarray] | None = None,
    cut: np.ndarray | None = None,
    start: State | None = None,
) -> State:
    """Run `cell` over x (N, T, D) from the states `start`, zero if None; every state at every step, each (N, T, H).

    Before step `cut` (N,) the state loses what a complex step has put into it: no derivative passes.
    """
    ops, step = activated(OPS, activation), CELLS[cell].step
    norm = norm or (lambda which, t, products: products)
    arrays = [array for array in (*w[:4], *w.vectors) if array is not None]
    lead = np.broadcast_shapes(x.shape[:-3], *(array.shape[:-2] for array in arrays))
    units = w.b.shape[-1] // len(CELLS[cell].gates)
    zero = np.zeros((*lead, x.shape[-3], units), np.result_type(x, *arrays, *(start or ())))
    state, history = tuple(zero + array for array in start) if start else (zero,) * CELLS[cell].states, []
    for t in range(x.shape[-2]):
        if cut is not None:
            state = tuple(np.where((cut == t)[:, None], array.real, array) for array in state)
        a = norm("a", t, x[..., t, :] @ w.W) + w.b
        products = (a,)
        if w.U is not None:
            s = norm("s", t, state[0] @ w.U)
            products = (a, s if w.b_rec is None else s + w.b_rec)
        state = step(ops, state, *products, *w.vectors)
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


def read(network: Network, tree: Tree, batch: Batch) -> np.ndarray:
    """What the first layer reads (N, T, D)."""
    return tree["embedding"][..., batch.x, :] if network.embedding else batch.x


class Forward(NamedTuple):
    """What a network computes on its way up, leading axes of the weights first.

    outputs (N, K), or (N, T, K); of a decoder (N, T', K). hidden: a layer's h at every step (N, T, H), both directions
    side by side, the decoder's layers after the encoder's. final: its states (N, H) at the last step each direction
    read. statistics: the running ones as batch normalisation would leave them. looked: how much each step of the
    decoder looked at each step of the encoder (N, T', T), None without attention.
    """

    outputs: np.ndarray
    hidden: list[np.ndarray]
    final: list[State]
    statistics: Tree
    looked: np.ndarray | None = None


class Memory(NamedTuple):
    """What attention looks back at: h at every step (N, T, E), and which steps are valid (N, T)."""

    hidden: np.ndarray
    valid: np.ndarray


def one_hot(tokens: np.ndarray, words: int) -> np.ndarray:
    """What a decoder reads (N, T', V): the token before each of `tokens`, GO before the first."""
    before = np.concatenate([np.full_like(tokens[:, :1], GO), tokens[:, :-1]], axis=1)
    return np.eye(words)[before]


def attend(tree: Tree, h: np.ndarray, memory: Memory) -> tuple[np.ndarray, np.ndarray]:
    """`network.Attention` of h (N, T', H): what the head reads (N, T', H), and the weights (N, T', T)."""
    W = {name: tree[f"attention.{name}"] for name in ("query", "key", "score", "W")}
    query, key = h @ W["query"][..., None, :, :], memory.hidden @ W["key"][..., None, :, :]
    seen = np.tanh(query[..., :, None, :] + key[..., None, :, :])
    scores = (seen * W["score"][..., None, None, None, :]).sum(axis=-1)
    valid = memory.valid[:, None, :]
    highest = np.where(valid, scores.real, -np.inf).max(axis=-1, keepdims=True)
    odds = np.where(valid, np.exp(np.where(valid, scores, highest) - highest), 0)
    looked = odds / odds.sum(axis=-1, keepdims=True)
    return np.tanh(_beside([looked @ memory.hidden, h]) @ W["W"][..., None, :, :]), looked


def _flat(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """All steps of x (N, T, D) side by side, zeros past a row's end."""
    return np.where(valid[..., None], x, 0).reshape(*x.shape[:-2], -1)


def climb(
    network: Network,
    tree: Tree,
    x: np.ndarray,
    mask: np.ndarray | None,
    keep: list[np.ndarray] | None = None,
    training: bool = False,
    told: np.ndarray | None = None,
    start: list[State] | None = None,
    memory: Memory | None = None,
) -> Forward:
    """The network over what its first layer reads, x (N, T, D); `keep` as in `forward`. `told`: the tokens (N, T') of
    the answer, of which a decoder reads the ones before. start: the states (N, H) that layers start with, zero if
    None. memory: what attention looks at."""
    valid = np.ones(x.shape[-3:-1], bool) if mask is None else mask
    cut = valid.sum(axis=1) - network.window if network.window else None
    hidden, finals, statistics, looked = [], [], {}, None
    keep = None if keep is None else list(keep)
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
            states = scan(layer.cell, w, read, network.activation, norm, cut, start[index] if start else None)
            final = (*final, *(last_valid(history, mask) for history in states))
            sides.append(turned(states[0], valid) if direction else states[0])
            if norm:
                statistics |= {prefix + name: array for name, array in norm.moved.items()}
        x = _beside(sides)
        hidden.append(x)
        finals.append(final)
        if keep is not None:
            x = x * keep.pop(0)[:, None, :]
    if network.attention:
        x, looked = attend(tree, x, memory)
    elif not network.layers:
        x = _flat(x, valid)
    elif not (network.every_step or network.decoder):
        x = _end(network, x, mask)
    for index, dense in enumerate(network.dense):
        x = ACTIVATIONS[dense.activation](OPS)(_dense(tree, f"dense.{index}.", x, network.every_step))
        if keep is not None:
            x = x * (keep.pop(0)[:, None, :] if network.every_step else keep.pop(0))
    if network.decoder is None:
        return Forward(_dense(tree, "head.", x, network.every_step), hidden, finals, statistics, looked)
    own = decoder_tree(tree)
    first = finals if network.layers else [_as_state(x, layer.cell) for layer in network.decoder.layers]
    words, back = one_hot(told, network.decoder.inputs), Memory(x, valid) if network.layers else None
    up = climb(network.decoder, own, words, told != GO, keep, training, None, first, back)
    return Forward(up.outputs, hidden + up.hidden, finals + up.final, statistics, up.looked)


def _as_state(h: np.ndarray, cell: str) -> State:
    return (h, *(np.zeros_like(h) for _ in range(CELLS[cell].states - 1)))


def _end(network: Network, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The final state (N, H) of each direction side by side, of h (N, T, H)."""
    end, units = last_valid(x, mask), network.layers[-1].units
    # What reads backwards ends at the first step.
    return _beside([end[..., :units], x[..., 0, units:]]) if network.bidirectional else end


def _dense(tree: Tree, prefix: str, x: np.ndarray, every_step: bool) -> np.ndarray:
    """x W + b of (N, D), or at every step of (N, T, D)."""
    W, b = tree[prefix + "W"], tree[prefix + "b"]
    return x @ W[..., None, :, :] + b[..., None, None, :] if every_step else x @ W + b[..., None, :]


def _beside(arrays: list[np.ndarray]) -> np.ndarray:
    """Along the last axis, leading axes broadcast."""
    if len(arrays) == 1:
        return arrays[0]
    lead = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    return np.concatenate([np.broadcast_to(array, (*lead, array.shape[-1])) for array in arrays], axis=-1)


def forward(network: Network, tree: Tree, batch: Batch, keep: list[np.ndarray] | None = None) -> np.ndarray:
    """Outputs (N, K), (N, T, K) or (N, T', K) of the network; `keep` holds the dropout masks (N, H) of all that
    `Network.dropped` names, already scaled.

    Arrays of `tree` may have a leading axis, the outputs then have it too.
    """
    return climb(network, tree, read(network, tree, batch), batch.mask, keep, told=batch.y).outputs
