"""TensorFlow: the variables of a network, and the compiled functions over them: epoch and prediction."""

import math
from collections.abc import Iterable
from itertools import islice

import numpy as np

from rnn_study.model.cells import CELLS
from rnn_study.model.network import DECODER, Network
from rnn_study.model.optimisers import Adam, RmsProp, Sgd
from rnn_study.model.task import GO

from .layers import Native, Plain, States, valid_steps
from .part import Climbed, Part
from .runtime import keras, tf


def _rule(rule: Sgd | RmsProp | Adam) -> keras.optimizers.Optimizer:
    match rule:
        case Sgd(momentum=momentum):
            return keras.optimizers.SGD(0.0, momentum)
        case RmsProp(rho=rho, epsilon=epsilon):
            return keras.optimizers.RMSprop(0.0, rho, epsilon=epsilon)
        case Adam(beta_1=beta_1, beta_2=beta_2):
            return keras.optimizers.Adam(0.0, beta_1, beta_2)


def _norm(array: tf.Tensor) -> tf.Tensor:
    """By a product, for XLA adds up an array number by number."""
    return tf.sqrt(tf.tensordot(array, array, 1))


def flattened(arrays: Iterable[tf.Tensor]) -> tf.Tensor:
    """Every number of `arrays`, one after another: (W,)."""
    return tf.concat([tf.reshape(array, [-1]) for array in arrays], axis=0)


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
        with tf.device(self.device):
            self.parts = [Part(part, dtype, impl) for part in network.parts]
            self.clip, self.clip_margin = tf.Variable(np.inf, dtype=dtype), tf.Variable(0.0, dtype=dtype)
            self.epsilon, self.hat = tf.Variable(0.0, dtype=dtype), tf.Variable(False)
            self.rule, self.slots = _rule(rule), rule.slots
            # Updates are made on all that is trained as one array: a step, a norm and a clipping, each compiled once.
            self.shapes = [tuple(variable.shape) for variable in self.variables(trained=True)]
            self.flat = keras.Variable(np.zeros(sum(map(math.prod, self.shapes))), dtype=dtype)
            self.rule.build([self.flat])
        # On a CPU, XLA fuses the many small operations of a step, and goes through an epoch without coming back to
        # TensorFlow between its updates; on a GPU it would keep Keras from cuDNN.
        self._compile = device == "cpu"
        self._epochs: dict[tuple, tf.types.experimental.ConcreteFunction] = {}
        self._predictions: dict[tuple, tf.types.experimental.ConcreteFunction] = {}

    def holders(self, trained: bool) -> list[tuple[str, Plain | Native]]:
        """What holds the arrays of the canonical tree, in its order, with the prefix of their names."""
        found = [
            (prefix + own, holder)
            for prefix, part in zip(("", DECODER), self.parts, strict=False)
            for own, holder in part.holders()
        ]
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

    def shaped(self, flat: tf.Tensor) -> list[tf.Tensor]:
        """The way back: what `flattened` made (W,) of arrays like the trained variables' as these arrays."""
        parts = tf.split(flat, [math.prod(shape) for shape in self.shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def begin_updates(self) -> None:
        """From here to `end_updates` what is trained stands in `flat`."""
        self.flat.assign(flattened(variable.value for variable in self.variables(trained=True)))

    def end_updates(self) -> None:
        for variable, array in zip(self.variables(trained=True), self.shaped(self.flat.value), strict=True):
            variable.assign(array)

    def embed(self, x: tf.Tensor) -> tf.Tensor:
        return self.parts[0].embed(x)

    def forward(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        last: tf.Tensor | None,
        training: bool,
        keep: list[tf.Tensor] | None = None,
        start: list[States] | None = None,
        ends: bool = False,
    ) -> Climbed:
        """Outputs (N, K), (N, T, K) or (N, T', K) from what the first layer reads (N, T, D) and the answers, of which a
        decoder reads the tokens before; `last` (N,) is each row's last valid step. `start` as of `Part`; `ends` asks
        for h zero past a row's end, and states there; with a decoder, of the encoder's layers and then of its own."""
        masks = None if keep is None else iter(keep)
        writes = self.network.decoder
        found = self.parts[0].climb(x, last, training, masks, start, ends=ends or writes is not None)
        if writes is None:
            return found
        first, memory = found.final, (found.outputs, last)
        if not self.network.layers:
            h = found.outputs
            first = [(h, *[tf.zeros_like(h)] * (CELLS[layer.cell].states - 1)) for layer in writes.layers]
        words = tf.one_hot(tf.pad(y[:, :-1], [[0, 0], [1, 0]], constant_values=GO), writes.inputs, dtype=x.dtype)
        end = tf.math.count_nonzero(y != GO, axis=1) - 1 if ends else None
        own = self.parts[1].climb(words, end, training, masks, first, memory, ends)
        return Climbed(own.outputs, found.hidden + own.hidden, found.final + own.final)

    def counted(self, outputs: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None) -> tf.Tensor | None:
        """Which steps (N, T) or tokens (N, T') of the answers count, None where all do."""
        if self.network.decoder:
            return y != GO
        return valid_steps(outputs, last) if last is not None and self.network.every_step else None

    def measure(self, outputs: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None) -> tf.Tensor:
        """The loss: the mean over rows, or over all their valid steps or tokens."""
        if self.loss == "cross_entropy":
            errors = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs)
        else:
            errors = tf.reduce_mean(tf.square(outputs - y), axis=-1)
        counted = self.counted(outputs, y, last)
        if counted is None:
            return tf.reduce_mean(errors)
        counted = tf.cast(counted, errors.dtype)
        return tf.reduce_sum(counted * errors) / tf.reduce_sum(counted)

    def predict(self, *arguments: tf.Tensor | None) -> tf.Tensor:
        """Outputs from x, y and last, compiled for any number of examples and of steps."""

        def loose(array: tf.Tensor | None) -> tf.TensorSpec | None:
            shape = () if array is None else (None, None, *array.shape[2:])[: array.shape.rank]
            return None if array is None else tf.TensorSpec(shape, array.dtype)

        specs = tf.nest.map_structure(loose, arguments)
        if specs not in self._predictions:
            whole = tf.function(lambda x, y, last: self.forward(self.embed(x), y, last, False).outputs, autograph=False)
            self._predictions[specs] = whole.get_concrete_function(*specs)
        return self._predictions[specs](*arguments)

    def _update(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        last: tf.Tensor | None,
        row: tf.Tensor,
        keep: list[tf.Tensor] | None,
        start: list[States] | None,
    ) -> tuple[tuple[tf.Tensor, ...], list[States]]:
        """One update on the examples `row`: what `EpochTrace` names of it, and the states it ended with where these are
        carried on."""
        trained, carried = self.shaped(self.flat.value), self.network.carried
        named = zip(self.variables(trained=True), trained, strict=True)
        with keras.StatelessScope(list(named)), tf.GradientTape() as tape:
            tape.watch(trained)
            read, ends = self.embed(tf.gather(x, row)), None if last is None else tf.gather(last, row)
            answers = tf.gather(y, row)
            found = self.forward(read, answers, ends, True, keep, start, carried)
            loss = self.measure(found.outputs, answers, ends)
        gradients = tape.gradient(loss, trained)
        for part in self.parts:
            for layer in part.layers:
                layer.learn()
        # Dense first: the norm of a sparse gradient would not add up the rows of a repeated word.
        seen = (loss, *self.apply(flattened(tf.convert_to_tensor(g) for g in gradients)))
        return seen, found.final if carried else []

    def apply(self, gradient: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Clip the gradient (W,) of `flat`, take the optimiser's step; of `EpochTrace` what comes after the losses."""
        norm = _norm(gradient)
        if self.clip_by == "value":
            cut = tf.reduce_max(tf.abs(gradient)) > self.clip
            gradient = tf.clip_by_value(gradient, -self.clip, self.clip)
            clipped_norm = _norm(gradient)
        else:
            scale = tf.minimum(tf.ones_like(norm), self.clip / (norm + self.clip_margin))
            cut = scale < 1
            gradient = gradient * scale
            clipped_norm = scale * norm
        if isinstance(self.rule, keras.optimizers.Adam):
            # Keras adds epsilon before the bias correction; multiplied by the correction it acts as if after.
            updates = tf.cast(self.rule.iterations.value + 1, norm.dtype)
            correction = tf.sqrt(1 - tf.cast(self.rule.beta_2, norm.dtype) ** updates)
            self.rule.epsilon = tf.where(self.hat, self.epsilon, self.epsilon * correction)
        before = tf.identity(self.flat.value)
        self.rule.apply([gradient], [self.flat])
        ratio = _norm(self.flat.value - before) / _norm(before)
        return norm, clipped_norm, cut, ratio

    def epoch(self, *arguments: tf.Tensor | list[tf.Tensor] | None) -> tuple[tf.Tensor, ...]:
        """`_epoch`, traced for any number of examples and of updates; XLA compiles it for each that comes."""

        def loose(array: tf.Tensor | None) -> tf.TensorSpec | None:
            return None if array is None else tf.TensorSpec((None, *array.shape[1:]), array.dtype)

        specs = tf.nest.map_structure(loose, arguments)
        kind = tuple(tf.nest.flatten(specs))
        if kind not in self._epochs:
            whole = tf.function(self._epoch, autograph=False, jit_compile=self._compile)
            self._epochs[kind] = whole.get_concrete_function(*specs)
        return self._epochs[kind](*arguments)

    def _epoch(
        self, x: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None, order: tf.Tensor, keep: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        steps, real = tf.shape(order)[0], self.clip.dtype
        kinds = (real, real, real, tf.bool, real)  # of what `_update` returns

        state: list[States] = []
        if self.network.carried:
            rows = tf.shape(order)[1]
            for layer in self.network.layers:
                state.append(tuple(tf.zeros((rows, layer.units), real) for _ in range(CELLS[layer.cell].states)))

        def one(step: tf.Tensor, seen: tuple[tf.TensorArray, ...], state: list[States]) -> tuple:
            dropped = None if keep is None else [mask[step] for mask in keep]
            found, state = self._update(x, y, last, order[step], dropped, state or None)
            seen = tuple(array.write(step, value) for array, value in zip(seen, found, strict=True))
            return step + 1, seen, state

        start = (tf.constant(0), tuple(tf.TensorArray(kind, size=steps, element_shape=()) for kind in kinds), state)
        self.begin_updates()
        _, seen, _ = tf.while_loop(lambda step, *_: step < steps, one, start)
        self.end_updates()
        return tuple(array.stack() for array in seen)
