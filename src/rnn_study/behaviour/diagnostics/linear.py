"""A recurrent layer along the sequences it read, with its exact derivatives; the error that a loss sends back.

z is the state that a step hands to the next: h, for the LSTM h and c. A step reads z from two places: column by
column, each unit its own (`by_state`), and through the recurrent product s = h U. Cells treat units alike and apart,
so one complex step for each gate and each array of the state (Squire & Trapp 1998) gives the derivatives of all units,
all steps and all sequences at once, exact to rounding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnn_study.model.cells import CELLS, Array, Cell, Ops, State, activated
from rnn_study.model.network import Network, layer_shapes
from rnn_study.model.reference import OPS, Normal, Tree, Weights, layer_weights, loss_gradient, scan

_STEP = 1e-30  # imaginary: its square vanishes beside any number
Slopes = tuple[tuple[np.ndarray, ...], ...]  # [moved][new state array]: (N, T, H)


@dataclass(frozen=True)
class Unrolled:
    """One layer over N sequences of T steps.

    x (N, T, D), states each (N, T, H): what it read and held. valid (N, T). gates: of each gate with a sigmoid its
    values (N, T, H). by_state, by_a, by_s, by_vector: derivatives of each new state array for each old one, for each
    gate's columns of a and of s (of s none where the cell has no recurrent product), and for each of the cell's
    vectors. start: the state (N, H) before the first step, each array of it. What lies past a row's end is not to be
    used.
    """

    weights: Weights
    norm: Normal | None
    x: np.ndarray
    states: State
    valid: np.ndarray
    gates: dict[str, np.ndarray]
    by_state: Slopes
    by_a: Slopes
    by_s: Slopes
    by_vector: Slopes
    start: State

    @property
    def last(self) -> np.ndarray:
        """(N,): each row's last valid step."""
        return self.valid.sum(axis=1) - 1

    @property
    def carry(self) -> np.ndarray:
        """(N, T, H): how much of its memory (the last array of the state) a unit keeps past the recurrent product.

        The forget gate of an LSTM, the update gate z of a GRU, 0 in a vanilla RNN.
        """
        return self.by_state[-1][-1]

    def _products(self, which: str, t: int) -> np.ndarray:
        """Derivative of a or s of step t for what it is a product of: (N, G*H, D) or (N, G*H, H), or 1 for N. There is
        an s where the cell has a recurrent product."""
        kernel = self.weights.W if which == "a" else self.weights.U
        if self.norm is None:
            return kernel.T[None]
        read = self.x[:, t] if which == "a" else self._old(t)[0]
        moved = read + 1j * _STEP * np.eye(read.shape[-1])[:, None, :]
        return np.moveaxis(self.norm(which, t, moved @ kernel).imag / _STEP, 0, -1)

    def _old(self, t: int) -> State:
        return tuple(history[:, t - 1] for history in self.states) if t else self.start

    def jacobian(self, t: int) -> np.ndarray:
        """dz_t / dz_{t-1}: (N, n, n), n the number of state arrays times H, rows the new state."""
        rows, units = len(self.x), self.states[0].shape[-1]
        through = self._products("s", t).reshape(-1, len(self.by_s), units, units) if self.by_s else None
        blocks = []
        for new in range(len(self.states)):
            line = [np.zeros((rows, units, units)) for _ in self.states]
            for slopes, gate in zip(self.by_s, range(len(self.by_s)), strict=True):
                line[0] += slopes[new][:, t, :, None] * through[:, gate]
            for old, slopes in enumerate(self.by_state):
                line[old][:, np.arange(units), np.arange(units)] += slopes[new][:, t]
            blocks.append(np.concatenate(line, axis=2))
        return np.concatenate(blocks, axis=1)

    def pull(self, t: int, d: State) -> tuple[State, np.ndarray]:
        """From a loss's gradient for z_t (each (N, H)) that for z_{t-1} and that for x_t (N, D)."""

        def sums(moved: Slopes) -> list[np.ndarray]:
            return [sum(slope[:, t] * part for slope, part in zip(slopes, d, strict=True)) for slopes in moved]

        old = sums(self.by_state)
        if self.by_s:
            old[0] = old[0] + _through(np.concatenate(sums(self.by_s), axis=-1), self._products("s", t))
        return tuple(old), _through(np.concatenate(sums(self.by_a), axis=-1), self._products("a", t))

    def jacobians(self) -> Iterator[np.ndarray]:
        """`jacobian` of every step, the last one first."""
        return (self.jacobian(t) for t in reversed(range(self.x.shape[1])))


def _through(d: np.ndarray, products: np.ndarray) -> np.ndarray:
    return d @ products[0] if len(products) == 1 else np.einsum("ng,ngd->nd", d, products)


def _recording(ops: Ops, heard: list[tuple[str, Array]]) -> Ops:
    """`ops` that note what they return, in the order they are called."""

    def noting(kind: str, function):
        def call(a: Array) -> Array:
            heard.append((kind, function(a)))
            return heard[-1][1]

        return call

    return Ops(*(noting(kind, function) for kind, function in ops._asdict().items()))


def _heard(cell: Cell, ops: Ops, state: State, read: tuple[Array, ...]) -> dict[str, Array]:
    """What a step's sigmoids return, by gate; `read`: what it is given besides the state."""
    heard: list[tuple[str, Array]] = []
    cell.step(_recording(ops, heard), state, *read)
    return {gate: value for gate, (kind, value) in zip(cell.gates, heard, strict=False) if kind == "sigmoid"}


def sigmoid_gates(name: str) -> tuple[str, ...]:
    """The gates of a cell that are a sigmoid, in order."""
    cell, zero = CELLS[name], np.zeros((1, 1))
    columns = np.zeros((1, len(cell.gates)))
    products = (columns, columns) if cell.recurrent else (columns,)
    return tuple(_heard(cell, OPS, (zero,) * cell.states, (*products, *[zero] * len(cell.vectors))))


def _unrolled(
    name: str,
    activation: str,
    w: Weights,
    norm: Normal | None,
    x: np.ndarray,
    valid: np.ndarray,
    start: State | None,
) -> Unrolled:
    cell, ops = CELLS[name], activated(OPS, activation)
    units = w.b.shape[-1] // len(cell.gates)
    start = start or (np.zeros((len(x), units)),) * cell.states
    states = scan(name, w, x, activation, norm, start=start)
    old = tuple(np.concatenate([first[:, None], h[:, :-1]], axis=1) for first, h in zip(start, states, strict=True))
    products = {"a": x @ w.W} | ({"s": old[0] @ w.U} if cell.recurrent else {})
    if norm is not None:
        products = {
            which: np.stack([norm(which, t, product[:, t]) for t in range(x.shape[1])], axis=1)
            for which, product in products.items()
        }
    products["a"] = products["a"] + w.b
    if w.b_rec is not None:
        products["s"] = products["s"] + w.b_rec

    def slopes(old: State, which: str | int | None = None, column: Array = 0) -> tuple[np.ndarray, ...]:
        read = [product + column if name == which else product for name, product in products.items()]
        vectors = [vector + column if place == which else vector for place, vector in enumerate(w.vectors)]
        return tuple(new.imag / _STEP for new in cell.step(ops, old, *read, *vectors))

    columns = np.repeat(np.eye(len(cell.gates)), units, axis=1) * 1j * _STEP  # of each gate
    return Unrolled(
        weights=w,
        norm=norm,
        x=x,
        states=states,
        valid=valid,
        gates=_heard(cell, ops, old, (*products.values(), *w.vectors)),
        by_state=tuple(
            slopes(tuple(h + 1j * _STEP * (k == moved) for k, h in enumerate(old))) for moved in range(cell.states)
        ),
        by_a=tuple(slopes(old, "a", column) for column in columns),
        by_s=tuple(slopes(old, "s", column) for column in columns) if cell.recurrent else (),
        by_vector=tuple(slopes(old, place, 1j * _STEP) for place in range(len(w.vectors))),
        start=start,
    )


def unroll(
    network: Network, tree: Tree, x: np.ndarray, mask: np.ndarray | None, start: Sequence[State] | None = None
) -> list[Unrolled]:
    """Every layer of `network` over what its first layer reads, x (N, T, D), as it predicts: without dropout, with
    the running statistics of normalisation. start: the states that the layers start with, zero if None. A network that
    reads both ways is a ValueError."""
    if network.bidirectional:
        raise ValueError("bidirectional: expected a network that reads forward, of which the last step is the end")
    tree = {name: array.astype(np.float64) for name, array in tree.items()}
    valid = np.ones(x.shape[:2], bool) if mask is None else mask
    found = []
    for index, layer in enumerate(network.layers):
        norm = None
        if network.norm:
            arrays = {name: tree[f"layers.{index}.{name}"] for name in layer_shapes(network, index)}
            norm = Normal(network.norm, arrays, valid, training=False)
        w, first = layer_weights(network, tree, index), start[index] if start else None
        found.append(_unrolled(layer.cell, network.activation, w, norm, x, valid, first))
        x = found[-1].states[0]
    return found


@dataclass(frozen=True)
class Flow:
    """dL/dz_t of one layer, L an example's own loss: each array of the state (N, T, H), zero past a row's end;
    dL/dx_t (N, T, D); and that for the state before the first step, each array (N, H)."""

    states: State
    inputs: np.ndarray
    start: State


def flow_back(layer: Unrolled, told: State) -> Flow:
    """What comes back through one layer of what is `told` its states from above and from after it, each array
    (N, T, H)."""
    back = tuple(np.zeros_like(history) for history in layer.states)
    d_x = np.zeros_like(layer.x)
    d = tuple(np.zeros_like(history[:, 0]) for history in layer.states)
    for t in reversed(range(layer.x.shape[1])):
        d = tuple(part + own[:, t] for part, own in zip(d, told, strict=True))
        for history, part in zip(back, d, strict=True):
            history[:, t] = part
        d, d_x[:, t] = layer.pull(t, d)
    return Flow(back, d_x, d)


def told_h(layer: Unrolled, d_h: np.ndarray) -> State:
    """What only h is told, d_h (N, T, H), as `flow_back` takes it."""
    return (d_h, *(np.zeros_like(history) for history in layer.states[1:]))


def error_flow(tree: Tree, layers: list[Unrolled], y: np.ndarray, kind: str) -> list[Flow]:
    """What the loss `kind` of each example sends back to every layer, as `unroll` gave them: after its last step, or,
    where y (N, T, ...) has an answer for each, the mean over its valid steps.

    dL/dh_t is that for h_t as the next step, and a layer above, read it; dL/dc_t that for c_t as the next step reads
    it. Backward recursion d_{t-1} = d_t dz_t/dz_{t-1}: Werbos 1990, eq. 8 to 12. Dense layers below the head are a
    ValueError.
    """
    if "dense.0.W" in tree:
        raise ValueError("dense layers after the cells: expected a head that reads what the last cell says")
    head, bias = (tree[name].astype(np.float64) for name in ("head.W", "head.b"))
    top, valid = layers[-1].states[0], layers[-1].valid
    if y.ndim == (2 if kind == "cross_entropy" else 3):
        share = valid.sum() / valid.sum(axis=1)
        d_h = share[:, None, None] * loss_gradient(kind, top @ head + bias, y, valid) @ head.T
    else:
        ends = np.arange(len(y)), layers[-1].last
        d_h = np.zeros_like(top)
        d_h[ends] = len(y) * loss_gradient(kind, top[ends] @ head + bias, y) @ head.T
    found = []
    for layer in reversed(layers):
        found.append(flow_back(layer, told_h(layer, d_h)))
        d_h = found[-1].inputs
    return found[::-1]
