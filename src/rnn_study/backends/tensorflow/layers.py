"""A recurrent layer in TensorFlow: Keras' own, or the equations of `cells.py`.

Keras' kernels stand as in the canonical tree but for the GRU's: its gates are z, r, n, its two biases two rows.
"""

from functools import partial

import numpy as np

from rnn_study.cells import CELLS, Ops
from rnn_study.network import step_weights

from .runtime import keras, tf

_LAYERS = {
    "vanilla": keras.layers.SimpleRNN,
    "vanilla_relu": partial(keras.layers.SimpleRNN, activation="relu"),
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}
_OPS = Ops(tanh=tf.tanh, sigmoid=tf.sigmoid, relu=tf.nn.relu)


def _zrn(array: np.ndarray) -> np.ndarray:
    """Gates r, z, n as z, r, n along the last axis, or back."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


class Plain:
    """Variables that hold canonical arrays as they are."""

    def __init__(self, dtype: str, trainable: bool = True, **shapes: tuple[int, ...]):
        self.variables = [
            keras.Variable(np.zeros(shape), dtype=dtype, trainable=trainable) for shape in shapes.values()
        ]
        self.kinds = list(shapes)

    def canonical(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays in the layout and order of `variables`, as canonical ones by kind."""
        return dict(zip(self.kinds, arrays, strict=True))

    def own(self, tree: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The way back."""
        return [tree[kind] for kind in self.kinds]


class Native:
    """Keras' own layer; `variables`, `canonical` and `own` as in `Plain`."""

    def __init__(self, cell: str, width: int, units: int, second_bias: bool, dtype: str):
        if second_bias and not CELLS[cell].recurrent_bias:
            raise ValueError(f"impl native: TensorFlow's {cell} layer has one bias: expected equations")
        self.cell = cell
        self.layer = _LAYERS[cell](units, dtype=dtype, zero_output_for_mask=True)
        self.layer.build((None, None, width))
        self.variables = self.layer.trainable_variables

    def canonical(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        W, U, b = arrays
        if self.cell != "gru":
            return {"W": W, "U": U, "b": b}
        return {"W": _zrn(W), "U": _zrn(U), "b": _zrn(b[0]), "b_rec": _zrn(b[1])}

    def own(self, tree: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self.cell != "gru":
            return [tree["W"], tree["U"], tree["b"]]
        return [_zrn(tree["W"]), _zrn(tree["U"]), _zrn(np.stack([tree["b"], tree["b_rec"]]))]

    def hidden(self, x: tf.Tensor, sequence: bool) -> tf.Tensor:
        """h at every step (N, T, H), or at the last one (N, H), whose gradient is a third to a half cheaper."""
        self.layer.return_sequences, self.layer.return_state = sequence, False
        return self.layer(x)

    def states(self, x: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """h at every step (N, T, H), zero past a row's end, and each state (N, H) at the end of its row."""
        self.layer.return_sequences, self.layer.return_state = True, True
        hidden, *final = self.layer(x, mask=mask)
        return hidden, tuple(final)


class Equations(Plain):
    """A cell of `cells.py`, stepped over time by TensorFlow."""

    def __init__(self, cell: str, width: int, units: int, second_bias: bool, dtype: str):
        self.cell = CELLS[cell]
        columns = len(self.cell.gates) * units
        biases = ["b", "b_rec"][: 1 + (self.cell.recurrent_bias or second_bias)]
        super().__init__(dtype, W=(width, columns), U=(units, columns), **dict.fromkeys(biases, (columns,)))

    def _scan(self, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Every state at every step, each (T, N, H)."""
        w = step_weights(self.cell, *(variable.value for variable in self.variables))
        zero = tf.zeros((tf.shape(x)[0], w.U.shape[0]), x.dtype)
        start = (zero,) * self.cell.states
        return tf.scan(lambda state, now: self.cell.step(_OPS, w, state, now), tf.transpose(x, (1, 0, 2)), start)

    def hidden(self, x: tf.Tensor, sequence: bool) -> tf.Tensor:
        """As `Native.hidden`."""
        h = self._scan(x)[0]
        return tf.transpose(h, (1, 0, 2)) if sequence else h[-1]

    def states(self, x: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """As `Native.states`."""
        every = [tf.transpose(states, (1, 0, 2)) for states in self._scan(x)]
        if mask is None:
            return every[0], tuple(states[:, -1] for states in every)
        last = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1
        final = tuple(tf.gather(states, last, axis=1, batch_dims=1) for states in every)
        return tf.where(mask[..., None], every[0], 0), final


IMPLS = {"native": Native, "equations": Equations}
