"""TensorFlow: the variables of a network, and the compiled functions over them: update, epoch, prediction."""

from collections.abc import Iterable
from itertools import islice

import numpy as np

from rnn_study.model.network import Network
from rnn_study.model.optimisers import Adam, RmsProp, Sgd

from .layers import Native, Plain, Recurrent, valid_steps
from .runtime import keras, tf


def _rule(rule: Sgd | RmsProp | Adam) -> keras.optimizers.Optimizer:
    match rule:
        case Sgd(momentum=momentum):
            return keras.optimizers.SGD(0.0, momentum)
        case RmsProp(rho=rho, epsilon=epsilon):
            return keras.optimizers.RMSprop(0.0, rho, epsilon=epsilon)
        case Adam(beta_1=beta_1, beta_2=beta_2):
            return keras.optimizers.Adam(0.0, beta_1, beta_2)


def _norm(tensors: list[tf.Tensor]) -> tf.Tensor:
    """The norm of all of them together."""
    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(tensor)) for tensor in tensors]))


class Graph:
    """The variables of a network and the compiled functions over them."""

    def __init__(
        self,
        network: Network,
        loss: str,
        rule: Sgd | RmsProp | Adam,
        clip_by: str,
        dtype: str,
        device: str,
        impl: str,
    ):
        self.network, self.loss, self.clip_by = network, loss, clip_by
        self.device = "/GPU:0" if device == "gpu" else "/CPU:0"
        depth = len(network.layers)
        with tf.device(self.device):
            self.embedding = None
            if network.embedding:
                shape = (network.embedding.words, network.inputs)
                self.embedding = Plain(dtype, {"embedding": shape}, network.embedding.trainable)
            self.layers = [Recurrent(network, index, dtype, impl) for index in range(depth)]
            self.head = Plain(dtype, {"W": (network.width(depth), network.outputs), "b": (network.outputs,)})
            self.clip, self.clip_margin = tf.Variable(np.inf, dtype=dtype), tf.Variable(0.0, dtype=dtype)
            self.epsilon, self.hat = tf.Variable(0.0, dtype=dtype), tf.Variable(False)
            self.rule, self.slots = _rule(rule), rule.slots
            self.rule.build(self.variables(trained=True))
        # On a CPU, XLA fuses the many small operations of a step; on a GPU it would keep Keras from cuDNN.
        self.update = tf.function(self._update, autograph=False, jit_compile=device == "cpu")
        self._epochs: dict[tuple, tf.types.experimental.ConcreteFunction] = {}
        words = tf.TensorSpec((None, None), tf.int32)
        x = tf.TensorSpec((None, None, network.inputs), dtype) if self.embedding is None else words
        last = tf.TensorSpec((None,), tf.int64)
        self.predict = tf.function(
            lambda x: self.forward(self.embed(x), None, False), input_signature=[x], autograph=False
        )
        self.predict_masked = tf.function(
            lambda x, last: self.forward(self.embed(x), last, False), input_signature=[x, last], autograph=False
        )

    def holders(self, trained: bool) -> list[tuple[str, Plain | Native]]:
        """What holds the arrays of the canonical tree, in its order, with the prefix of their names."""
        found = [] if self.embedding is None else [("", self.embedding)]
        for index, layer in enumerate(self.layers):
            for prefix, part in layer.parts.items():
                found += [(f"layers.{index}.{prefix}", holder) for holder in part.holders]
        found.append(("head.", self.head))
        return [(prefix, holder) for prefix, holder in found if holder.trainable or not trained]

    def variables(self, trained: bool) -> list[keras.Variable]:
        return [variable for _, holder in self.holders(trained) for variable in holder.variables]

    def canonical(self, arrays: Iterable[np.ndarray], trained: bool) -> dict[str, np.ndarray]:
        """Arrays in the layout and order of `variables`, as a canonical tree."""
        tree, arrays = {}, iter(arrays)
        for prefix, holder in self.holders(trained):
            part = holder.canonical(list(islice(arrays, len(holder.variables))))
            tree |= {prefix + kind: array for kind, array in part.items()}
        return tree

    def own(self, tree: dict[str, np.ndarray], trained: bool) -> list[np.ndarray]:
        """The way back."""
        found = []
        for prefix, holder in self.holders(trained):
            found += holder.own({name[len(prefix) :]: tree[name] for name in tree if name.startswith(prefix)})
        return found

    def embed(self, x: tf.Tensor) -> tf.Tensor:
        return x if self.embedding is None else tf.gather(self.embedding.variables[0].value, x)

    def forward(
        self, x: tf.Tensor, last: tf.Tensor | None, training: bool, keep: list[tf.Tensor] | None = None
    ) -> tf.Tensor:
        """Outputs (N, K), or (N, T, K), from what the first layer reads (N, T, D); `last` (N,) is each row's last
        valid step."""
        every = self.network.every_step
        for index, layer in enumerate(self.layers):
            sequence = every or last is not None or layer is not self.layers[-1]
            x = layer.hidden(x, last, training, sequence)
            if keep is not None:
                x = x * (keep[index][:, None, :] if sequence else keep[index])
        if last is not None and not every:
            x = self.layers[-1].ends(x, last)
        kernel, bias = self.head.variables
        return x @ kernel.value + bias.value

    def measure(self, outputs: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None) -> tf.Tensor:
        """The loss: the mean over rows, or over all their valid steps."""
        if self.loss == "cross_entropy":
            errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs)
        else:
            errors = tf.reduce_mean(tf.square(outputs - y), axis=-1)
        if last is None or not self.network.every_step:
            return tf.reduce_mean(errors)
        counted = tf.cast(valid_steps(outputs, last), errors.dtype)
        return tf.reduce_sum(counted * errors) / tf.reduce_sum(counted)

    def _update(
        self, x: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None, row: tf.Tensor, keep: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        """One update on the examples `row`: what `EpochTrace` names of it."""
        trained = self.variables(trained=True)
        with tf.GradientTape() as tape:
            read, ends = self.embed(tf.gather(x, row)), None if last is None else tf.gather(last, row)
            loss = self.measure(self.forward(read, ends, True, keep), tf.gather(y, row), ends)
        gradients = tape.gradient(loss, [variable.value for variable in trained])
        for layer in self.layers:
            layer.learn()
        # Dense first: the norm of a sparse gradient would not add up the rows of a repeated word.
        return loss, *self.apply([tf.convert_to_tensor(g) for g in gradients])

    def apply(self, gradients: list[tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Clip the gradients of the trained variables, take the optimiser's step; of `EpochTrace` what comes after
        the losses."""
        norm = _norm(gradients)
        if self.clip_by == "value":
            cut = tf.reduce_any([tf.reduce_max(tf.abs(g)) > self.clip for g in gradients])
            gradients = [tf.clip_by_value(g, -self.clip, self.clip) for g in gradients]
            clipped_norm = _norm(gradients)
        else:
            scale = tf.minimum(tf.ones_like(norm), self.clip / (norm + self.clip_margin))
            cut = scale < 1
            gradients = [g * scale for g in gradients]
            clipped_norm = scale * norm
        if isinstance(self.rule, keras.optimizers.Adam):
            # Keras adds epsilon before the bias correction; multiplied by the correction it acts as if after.
            updates = tf.cast(self.rule.iterations.value + 1, norm.dtype)
            correction = tf.sqrt(1 - tf.cast(self.rule.beta_2, norm.dtype) ** updates)
            self.rule.epsilon = tf.where(self.hat, self.epsilon, self.epsilon * correction)
        trained = self.variables(trained=True)
        before = [tf.identity(variable.value) for variable in trained]
        self.rule.apply(gradients, trained)
        ratio = _norm([variable.value - old for variable, old in zip(trained, before, strict=True)]) / _norm(before)
        return norm, clipped_norm, cut, ratio

    def epoch(self, *arguments: tf.Tensor | list[tf.Tensor] | None) -> tuple[tf.Tensor, ...]:
        """`_epoch` compiled for any number of examples and of updates."""

        def loose(array: tf.Tensor | None) -> tf.TensorSpec | None:
            return None if array is None else tf.TensorSpec((None, *array.shape[1:]), array.dtype)

        specs = tf.nest.map_structure(loose, arguments)
        kind = tuple(tf.nest.flatten(specs))
        if kind not in self._epochs:
            self._epochs[kind] = tf.function(self._epoch, autograph=False).get_concrete_function(*specs)
        return self._epochs[kind](*arguments)

    def _epoch(
        self, x: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None, order: tf.Tensor, keep: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        steps, real = tf.shape(order)[0], self.clip.dtype
        kinds = (real, real, real, tf.bool, real)  # of what `update` returns

        def one(step: tf.Tensor, *seen: tf.TensorArray) -> tuple[tf.Tensor | tf.TensorArray, ...]:
            dropped = None if keep is None else [mask[step] for mask in keep]
            found = self.update(x, y, last, order[step], dropped)
            return step + 1, *(array.write(step, value) for array, value in zip(seen, found, strict=True))

        start = (tf.constant(0), *(tf.TensorArray(kind, size=steps) for kind in kinds))
        _, *seen = tf.while_loop(lambda step, *_: step < steps, one, start)
        return tuple(array.stack() for array in seen)
