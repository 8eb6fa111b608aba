"""TensorFlow: `keras.layers.SimpleRNN`, `LSTM` and `GRU` under the network of `network.py`.

Kernels stand as in the canonical tree; only the GRU's gates do, as z, r, n, and its two biases as two rows.
A whole epoch is one compiled graph, which is several times faster than `fit` for networks of this size, and
models of one shape share one graph: their weights, slots and settings are assigned into it.
"""

import os
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnn_study.network import Network
from rnn_study.task import Batch

from . import EpochTrace, Optimiser


@contextmanager
def _hushed() -> Iterator[None]:
    """TensorFlow's C++ start-up notes come before any setting that could hush them."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _hushed():
    import keras
    import tensorflow as tf

_LAYERS = {"vanilla": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
_CHUNK = 1024  # rows predicted at a time: bounds memory, not results

tf.get_logger().setLevel("ERROR")  # several graphs, one for each shape, are meant

# What makes runs repeatable on one machine; one thread, for a study keeps its cores busy with processes.
tf.config.experimental.enable_op_determinism()
tf.config.experimental.enable_tensor_float_32_execution(False)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
for _gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(_gpu, True)


class _Graph:
    """The variables of a network and the compiled functions over them."""

    def __init__(self, network: Network, loss: str, optimiser: Optimiser, dtype: str, device: str):
        self.network, self.loss, self.optimiser = network, loss, optimiser
        self.device = "/GPU:0" if device == "gpu" else "/CPU:0"
        width = network.inputs
        with tf.device(self.device):
            self.embedding = None
            if network.embedding:
                shape = (network.embedding.words, width)
                self.embedding = keras.Variable(np.zeros(shape), dtype=dtype, trainable=network.embedding.trainable)
            self.layers = []
            for layer in network.layers:
                self.layers.append(_LAYERS[layer.cell](layer.units, return_sequences=True, dtype=dtype))
                self.layers[-1].build((None, None, width))
                width = layer.units
            self.head_kernel = keras.Variable(np.zeros((width, network.outputs)), dtype=dtype)
            self.head_bias = keras.Variable(np.zeros(network.outputs), dtype=dtype)
            variables = [v for layer in self.layers for v in layer.trainable_variables]
            if self.embedding is not None and network.embedding.trainable:
                variables.append(self.embedding)
            self.trained = [*variables, self.head_kernel, self.head_bias]
            self.clip = tf.Variable(np.inf, dtype=dtype)
            self.adam = keras.optimizers.Adam(0.0, optimiser.beta_1, optimiser.beta_2)
            self.adam.build(self.trained)
        # On a CPU, XLA fuses the many small operations of a step; on a GPU it would keep Keras from cuDNN.
        self.epoch = tf.function(self._epoch, jit_compile=device == "cpu")
        words = tf.TensorSpec((None, None), tf.int32)
        x = tf.TensorSpec((None, None, network.inputs), dtype) if self.embedding is None else words
        last = tf.TensorSpec((None,), tf.int64)
        self.predict = tf.function(lambda x: self._forward(x, None, None), input_signature=[x])
        self.predict_masked = tf.function(lambda x, last: self._forward(x, last, None), input_signature=[x, last])

    def _forward(self, x: tf.Tensor, last: tf.Tensor | None, keep: list[tf.Tensor] | None) -> tf.Tensor:
        if self.embedding is not None:
            x = tf.gather(self.embedding.value, x)
        for index, layer in enumerate(self.layers):
            # The whole sequence only where something reads it: its gradient is half of the time.
            layer.return_sequences = last is not None or layer is not self.layers[-1]
            x = layer(x)
            if keep is not None:
                x = x * (keep[index][:, None, :] if layer.return_sequences else keep[index])
        if last is not None:
            # Valid steps come first, so what padding does after them cannot reach the state that is read.
            x = tf.gather(x, last, axis=1, batch_dims=1)
        return x @ self.head_kernel.value + self.head_bias.value

    def _measure(self, outputs: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        if self.loss == "cross_entropy":
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs))
        return tf.reduce_mean(tf.square(outputs - y))

    def _epoch(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        last: tf.Tensor | None,
        order: tf.Tensor,
        keep: list[tf.Tensor] | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        steps = order.shape[0]
        losses = tf.TensorArray(self.clip.dtype, size=steps)
        norms = tf.TensorArray(self.clip.dtype, size=steps)
        for step in tf.range(steps):
            row = order[step]
            with tf.GradientTape() as tape:
                outputs = self._forward(
                    tf.gather(x, row),
                    None if last is None else tf.gather(last, row),
                    None if keep is None else [mask[step] for mask in keep],
                )
                loss = self._measure(outputs, tf.gather(y, row))
            gradients = tape.gradient(loss, [v.value for v in self.trained])
            # Dense first: the norm of a sparse gradient would not add up the rows of a repeated word.
            gradients = [tf.convert_to_tensor(g) for g in gradients]
            norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients]))
            scale = tf.where(norm > self.clip, self.clip / norm, tf.ones_like(norm))
            self._update([g * scale for g in gradients])
            losses = losses.write(step, loss)
            norms = norms.write(step, norm)
        return losses.stack(), norms.stack()

    def _update(self, gradients: list[tf.Tensor]) -> None:
        # Keras adds epsilon before the bias correction (Kingma & Ba's "epsilon hat"), torch after it; scaled
        # like this the two are one formula.
        step = tf.cast(self.adam.iterations.value + 1, self.clip.dtype)
        beta_2 = tf.cast(self.optimiser.beta_2, step.dtype)
        self.adam.epsilon = self.optimiser.epsilon * tf.sqrt(1 - beta_2**step)
        self.adam.apply(gradients, self.trained)

    def variables(self) -> dict[str, Any]:
        """Each array of the canonical tree but the GRU's: the variable that holds it."""
        tree = {} if self.embedding is None else {"embedding": self.embedding}
        for index, layer in enumerate(self.layers):
            names = (f"layers.{index}.W", f"layers.{index}.U", f"layers.{index}.b")
            tree |= dict(zip(names, layer.trainable_variables, strict=True))
        return tree | {"head.W": self.head_kernel, "head.b": self.head_bias}


@dataclass(eq=False)
class _Model:
    graph: _Graph


_free: dict[tuple, list[_Graph]] = defaultdict(list)  # graphs whose model is gone, by what shaped them


def _swap_gates(array: np.ndarray) -> np.ndarray:
    """r, z, n to z, r, n along the last axis, or back."""
    first, second, third = np.split(array, 3, axis=-1)
    return np.concatenate([second, first, third], axis=-1)


def environment() -> dict[str, str]:
    device = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    return {
        "framework": "tensorflow",
        "version": tf.__version__,
        "keras": keras.__version__,
        "device": device,
    }


def build(network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str) -> _Model:
    dtype = str(weights["head.W"].dtype)
    # What is assigned below does not shape the graph.
    shape = (
        replace(network, dropout=0.0),
        loss,
        replace(optimiser, learning_rate=0.0, clip=None),
        dtype,
        device,
    )
    graph = _free[shape].pop() if _free[shape] else _Graph(*shape)
    model = _Model(graph)
    weakref.finalize(model, _free[shape].append, graph)
    set_weights(model, weights)
    for slot in graph.adam.variables:
        slot.assign(tf.zeros_like(slot))
    graph.adam.learning_rate = optimiser.learning_rate
    graph.clip.assign(np.inf if optimiser.clip is None else optimiser.clip)
    return model


def place(batch: Batch, model: _Model) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    dtype = model.graph.clip.dtype
    with tf.device(model.graph.device):
        x, y = tf.constant(batch.x), tf.constant(batch.y)
        x = tf.cast(x, dtype) if x.dtype.is_floating else x
        y = tf.cast(y, dtype) if y.dtype.is_floating else y
        return x, y, None if batch.mask is None else tf.constant(batch.mask.sum(axis=1) - 1)


def epoch(
    model: _Model,
    data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None],
    order: np.ndarray,
    keep: list[np.ndarray] | None,
) -> EpochTrace:
    with tf.device(model.graph.device):
        masks = None if keep is None else [tf.constant(mask, model.graph.clip.dtype) for mask in keep]
        losses, norms = model.graph.epoch(*data, tf.constant(order), masks)
    return EpochTrace(losses.numpy(), norms.numpy())


def predict(model: _Model, data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]) -> np.ndarray:
    x, _, last = data
    chunks = []
    with tf.device(model.graph.device):
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            if last is None:
                chunks.append(model.graph.predict(x[part]).numpy())
            else:
                chunks.append(model.graph.predict_masked(x[part], last[part]).numpy())
    return np.concatenate(chunks)


def weights(model: _Model) -> dict[str, np.ndarray]:
    tree = {}
    for name, variable in model.graph.variables().items():
        array = variable.numpy().copy()
        layer = model.graph.network.layers[int(name.split(".")[1])].cell if name.startswith("layers") else ""
        if layer == "gru":
            array = _swap_gates(array)
        if array.ndim == 2 and name.endswith(".b"):
            tree[name], tree[name + "_rec"] = array
        else:
            tree[name] = array
    return tree


def set_weights(model: _Model, weights: dict[str, np.ndarray]) -> None:
    for name, variable in model.graph.variables().items():
        array = weights[name]
        prefix, _, kind = name.rpartition(".")
        if prefix + ".b_rec" in weights:
            if kind == "b":
                array = np.stack([array, weights[prefix + ".b_rec"]])
            array = _swap_gates(array)
        variable.assign(array)
