"""A recurrent layer in TensorFlow: Keras' own, or the equations of `cells.py`; read forward or both ways.

Keras' kernels stand as in the canonical tree but for the GRU's: its gates are z, r, n, its two biases two rows.
"""

import numpy as np

from rnn_study.model.cells import CELLS, Ops, activated
from rnn_study.model.network import NORM_EPSILON, NORM_MOMENTUM, STATISTICS, Network, layer_shapes

from .runtime import keras, tf

States = tuple[tf.Tensor, ...]
_LAYERS = {"vanilla": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
OPS = Ops(tanh=tf.tanh, sigmoid=tf.sigmoid, relu=tf.nn.relu)


def valid_steps(x: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """Which steps (N, T) of x (N, T, ...) are not past `last` (N,), each row's last valid one."""
    return tf.range(tf.shape(x, tf.int64)[1]) <= last[:, None]


def turned(x: tf.Tensor, last: tf.Tensor | None) -> tf.Tensor:
    """x (N, T, D) with the valid part of each row from its end to its start."""
    if last is None:
        return tf.reverse(x, [1])
    steps = tf.range(tf.shape(x, tf.int64)[1])
    return tf.gather(x, tf.where(valid_steps(x, last), last[:, None] - steps, steps), axis=1, batch_dims=1)


def _zrn(array: np.ndarray) -> np.ndarray:
    """Gates r, z, n as z, r, n along the last axis, or back."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


class Plain:
    """Variables that hold canonical arrays as they are."""

    def __init__(self, dtype: str, shapes: dict[str, tuple[int, ...]], trainable: bool = True):
        self.trainable = trainable
        self.variables = [
            keras.Variable(np.zeros(shape), dtype=dtype, trainable=trainable) for shape in shapes.values()
        ]
        self.kinds = list(shapes)

    def named(self) -> dict[str, keras.Variable]:
        return dict(zip(self.kinds, self.variables, strict=True))

    def canonical(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays in the layout and order of `variables`, as canonical ones by kind."""
        return dict(zip(self.kinds, arrays, strict=True))

    def own(self, tree: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The way back."""
        return [tree[kind] for kind in self.kinds]


class Native:
    """Keras' own layer; it holds its arrays itself, as a `Plain` does."""

    def __init__(self, network: Network, index: int, dtype: str):
        self.cell, self.trainable = network.layers[index].cell, not network.frozen
        self.layer = _LAYERS[self.cell](
            network.layers[index].units, activation=network.activation, dtype=dtype, zero_output_for_mask=True
        )
        self.layer.build((None, None, network.width(index)))
        self.variables = self.layer.trainable_variables
        self.holders = [self]

    def canonical(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        W, U, b = arrays
        if self.cell != "gru":
            return {"W": W, "U": U, "b": b}
        return {"W": _zrn(W), "U": _zrn(U), "b": _zrn(b[0]), "b_rec": _zrn(b[1])}

    def own(self, tree: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.cell != "gru":
            return [tree["W"], tree["U"], tree["b"]]
        return [_zrn(tree["W"]), _zrn(tree["U"]), _zrn(np.stack([tree["b"], tree["b_rec"]]))]

    def hidden(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, sequence: bool, start: States | None
    ) -> tf.Tensor:
        """h at every step (N, T, H), or at the last one (N, H), whose gradient is a third to a half cheaper. start: the
        states (N, H) before the first step, zero if None."""
        self.layer.return_sequences, self.layer.return_state = sequence, False
        return self.layer(x, initial_state=None if start is None else list(start))

    def states(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, start: States | None
    ) -> tuple[tf.Tensor, States]:
        """h at every step (N, T, H), zero past a row's end, and each state (N, H) at the end of its row."""
        self.layer.return_sequences, self.layer.return_state = True, True
        mask = None if last is None else valid_steps(x, last)
        hidden, *final = self.layer(x, mask=mask, initial_state=None if start is None else list(start))
        return hidden, tuple(final)

    def learn(self) -> None:
        """It has no running statistics."""


class Equations:
    """A cell of `cells.py`, stepped over time by TensorFlow."""

    def __init__(self, network: Network, index: int, dtype: str):
        self.network, self.cell, self.units = network, CELLS[network.layers[index].cell], network.layers[index].units
        self.ops = activated(OPS, network.activation)
        shapes = layer_shapes(network, index)
        fixed = {name: shapes.pop(name) for name in STATISTICS if name in shapes}
        self.holders = [Plain(dtype, shapes, not network.frozen), Plain(dtype, fixed, trainable=False)]
        self.held = {name: variable for one in self.holders for name, variable in one.named().items()}
        self.seen: dict[str, tf.Tensor] = {}  # of the last pass: statistics of each step (T, G*H)
        self.enough: tf.Tensor | None = None  # and (T, 1) whether its rows were more than one, which has no variance

    def _spread(self, products: tf.Tensor, counted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and variance over the rows of products (..., N, G*H) that count (..., N, 1)."""
        number = tf.maximum(tf.reduce_sum(counted, axis=-2), 1)
        mean = tf.reduce_sum(counted * products, axis=-2) / number
        variance = tf.reduce_sum(counted * tf.square(products - mean[..., None, :]), axis=-2) / number
        return mean, variance

    def _normalised(self, kind: str, products: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        """Products by mean and variance that broadcast over them, times the gain."""
        return self.held[f"gain_{kind}"].value * (products - mean) / tf.sqrt(variance + NORM_EPSILON)

    def _over_columns(self, kind: str, products: tf.Tensor) -> tf.Tensor:
        return self._normalised(kind, products, *tf.nn.moments(products, [-1], keepdims=True))

    def _scan(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, first: States | None
    ) -> tuple[tf.Tensor, ...]:
        """Every state at every step, each (T, N, H)."""
        held = {name: variable.value for name, variable in self.held.items()}
        norm, window = self.network.norm, self.network.window
        rows, steps, columns = tf.shape(x)[0], tf.shape(x)[1], held["b"].shape[0]
        read = tf.transpose(x, (1, 0, 2)) @ held["W"]
        counted = tf.ones((steps, rows, 1), x.dtype)
        if last is not None:
            counted = tf.cast(tf.transpose(valid_steps(x, last))[..., None], x.dtype)
        fixed = {}
        if norm == "layer":
            read = self._over_columns("a", read)
        elif norm == "batch":
            places = tf.minimum(tf.range(steps), self.network.norm_steps - 1)
            fixed = {name: tf.gather(held[name], places) for name in STATISTICS if name in held}
            mean, variance = self._spread(read, counted) if training else (fixed["mean_a"], fixed["variance_a"])
            self.seen = {"mean_a": mean, "variance_a": variance}
            read = self._normalised("a", read, mean[:, None], variance[:, None])
        read = read + held["b"]
        end = tf.fill([rows], steps) if last is None else tf.cast(last, tf.int32) + 1
        vectors = [held[vector.name] for vector in self.cell.vectors]
        zero = tf.zeros((rows, self.units), x.dtype)
        measured = norm == "batch" and self.cell.recurrent  # of s, whose statistics only its step knows
        nothing = (tf.zeros(columns, x.dtype),) * (2 if measured else 0)

        def step(before: tuple[tf.Tensor, ...], now: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            t, a, counts, *known = now
            state = before[: self.cell.states]
            if window:
                here = tf.equal(end - window, t)[:, None]
                state = tuple(tf.where(here, tf.stop_gradient(array), array) for array in state)
            if not self.cell.recurrent:
                return self.cell.step(self.ops, state, a, *vectors)
            s, used = state[0] @ held["U"], ()
            if norm == "layer":
                s = self._over_columns("s", s)
            elif norm == "batch":
                used = self._spread(s, counts) if training else tuple(known)
                s = self._normalised("s", s, *(array[None] for array in used))
            if "b_rec" in held:
                s = s + held["b_rec"]
            return (*self.cell.step(self.ops, state, a, s, *vectors), *used)

        known = (fixed["mean_s"], fixed["variance_s"]) if measured else ()
        start = (first or (zero,) * self.cell.states) + nothing
        found = tf.scan(step, (tf.range(steps), read, counted, *known), start)
        if measured:
            self.seen |= {"mean_s": found[-2], "variance_s": found[-1]}
        if norm == "batch":
            self.enough = tf.reduce_sum(counted, axis=1) > 1
        return found[: self.cell.states]

    def learn(self) -> None:
        """Keep the running statistics of the last pass."""
        for name, found in self.seen.items():
            variable = self.held[name]
            here = variable.value[: tf.shape(found)[0]]
            found, counted = found[: variable.shape[0]], self.enough[: variable.shape[0]]
            moved = tf.where(counted, NORM_MOMENTUM * here + (1 - NORM_MOMENTUM) * found, here)
            variable.assign(tf.concat([moved, variable.value[tf.shape(moved)[0] :]], axis=0))

    def hidden(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, sequence: bool, start: States | None
    ) -> tf.Tensor:
        """As `Native.hidden`."""
        h = self._scan(x, last, training, start)[0]
        return tf.transpose(h, (1, 0, 2)) if sequence else h[-1]

    def states(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, start: States | None
    ) -> tuple[tf.Tensor, States]:
        """As `Native.states`."""
        every = [tf.transpose(states, (1, 0, 2)) for states in self._scan(x, last, training, start)]
        if last is None:
            return every[0], tuple(states[:, -1] for states in every)
        final = tuple(tf.gather(states, last, axis=1, batch_dims=1) for states in every)
        return tf.where(valid_steps(x, last)[..., None], every[0], 0), final


_IMPLS = {"native": Native, "equations": Equations}


class Recurrent:
    """Layer `index` of `network`, in each of its directions."""

    def __init__(self, network: Network, index: int, dtype: str, impl: str):
        self.parts = {prefix: _IMPLS[impl](network, index, dtype) for prefix in network.directions}

    def hidden(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, sequence: bool, start: States | None
    ) -> tf.Tensor:
        """What it finds at every step (N, T, H), or (N, T, 2 H) both ways, anything past a row's end; or, without
        `sequence` and where no row ends early, what `ends` makes of that."""
        first, *back = self.parts.values()
        found = [first.hidden(x, last, training, sequence, start)]
        for part in back:
            h = part.hidden(turned(x, last), last, training, sequence, start)
            found.append(turned(h, last) if sequence else h)
        return tf.concat(found, axis=-1)

    def ends(self, found: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """Of what it found at every step, the final state of each direction side by side."""
        end = tf.gather(found, last, axis=1, batch_dims=1)
        if len(self.parts) == 1:
            return end
        units = found.shape[2] // 2
        return tf.concat([end[:, :units], found[:, 0, units:]], axis=1)

    def states(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, start: States | None
    ) -> tuple[tf.Tensor, States]:
        """As `Native.states`, the states of the second direction after those of the first."""
        first, *back = self.parts.values()
        hidden, final = first.states(x, last, training, start)
        for part in back:
            h, more = part.states(turned(x, last), last, training, start)
            hidden, final = tf.concat([hidden, turned(h, last)], axis=2), (*final, *more)
        return hidden, final

    def learn(self) -> None:
        for part in self.parts.values():
            part.learn()
