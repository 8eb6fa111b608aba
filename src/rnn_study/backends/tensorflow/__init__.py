"""TensorFlow: the network of `network.py`, its training and its probes.

An update is one compiled function and an epoch a loop over it inside the framework, which is several times faster
than `fit` for networks of this size. Models of one shape share these functions: their weights, slots and settings
are assigned into them.
"""

import weakref
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from rnn_study.backends import EpochTrace, require_native
from rnn_study.network import Network, Pass
from rnn_study.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.task import Batch

from .layers import Native, Plain, Recurrent
from .runtime import allow_tf32, keras, tf

__all__ = ["allow_tf32"]

_CHUNK = 1024  # rows predicted at a time: bounds memory, not results


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


class _Graph:
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
        self.predict = tf.function(lambda x: self.forward(self.embed(x), None, False), input_signature=[x])
        self.predict_masked = tf.function(
            lambda x, last: self.forward(self.embed(x), last, False), input_signature=[x, last]
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
        """Outputs (N, K) from what the first layer reads (N, T, D); `last` (N,) is each row's last valid step."""
        for index, layer in enumerate(self.layers):
            sequence = last is not None or layer is not self.layers[-1]
            x = layer.hidden(x, last, training, sequence)
            if keep is not None:
                x = x * (keep[index][:, None, :] if sequence else keep[index])
        if last is not None:
            x = self.layers[-1].ends(x, last)
        kernel, bias = self.head.variables
        return x @ kernel.value + bias.value

    def measure(self, outputs: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        if self.loss == "cross_entropy":
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs))
        return tf.reduce_mean(tf.square(outputs - y))

    def _update(
        self, x: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None, row: tf.Tensor, keep: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        """One update on the examples `row`: what `EpochTrace` names of it."""
        trained = self.variables(trained=True)
        with tf.GradientTape() as tape:
            read = self.embed(tf.gather(x, row))
            outputs = self.forward(read, None if last is None else tf.gather(last, row), True, keep)
            loss = self.measure(outputs, tf.gather(y, row))
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
            self._epochs[kind] = tf.function(self._epoch).get_concrete_function(*specs)
        return self._epochs[kind](*arguments)

    def _epoch(
        self, x: tf.Tensor, y: tf.Tensor, last: tf.Tensor | None, order: tf.Tensor, keep: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, ...]:
        steps = tf.shape(order)[0]
        losses, norms, clipped_norms, ratios = (tf.TensorArray(self.clip.dtype, size=steps) for _ in range(4))
        clipped = tf.TensorArray(tf.bool, size=steps)
        for step in tf.range(steps):
            dropped = None if keep is None else [mask[step] for mask in keep]
            loss, norm, clipped_norm, cut, ratio = self.update(x, y, last, order[step], dropped)
            losses = losses.write(step, loss)
            norms = norms.write(step, norm)
            clipped_norms = clipped_norms.write(step, clipped_norm)
            clipped = clipped.write(step, cut)
            ratios = ratios.write(step, ratio)
        return tuple(array.stack() for array in (losses, norms, clipped_norms, clipped, ratios))


@dataclass(eq=False)
class _Model:
    graph: _Graph


_free: dict[tuple, list[_Graph]] = defaultdict(list)  # graphs whose model is gone, by what shaped them


def environment() -> dict[str, str]:
    device = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    return {
        "framework": "tensorflow",
        "version": tf.__version__,
        "keras": keras.__version__,
        "device": device,
    }


def build(
    network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str, impl: str
) -> _Model:
    if impl == "native":
        require_native(network, "tensorflow")
    rule = optimiser.rule
    adam = isinstance(rule, Adam)
    # What is assigned below does not shape the graph.
    shape = (
        replace(network, dropout=0.0),
        loss,
        replace(rule, epsilon=0.0, hat=False) if adam else rule,
        optimiser.clip_by,
        str(weights["head.W"].dtype),
        device,
        impl,
    )
    graph = _free[shape].pop() if _free[shape] else _Graph(*shape)
    model = _Model(graph)
    weakref.finalize(model, _free[shape].append, graph)
    set_weights(model, weights)
    for slot in graph.rule.variables:
        slot.assign(tf.zeros_like(slot))
    graph.rule.learning_rate = optimiser.learning_rate
    graph.clip.assign(np.inf if optimiser.clip is None else optimiser.clip)
    graph.clip_margin.assign(optimiser.clip_margin)
    if adam:
        graph.epsilon.assign(rule.epsilon)
        graph.hat.assign(rule.hat)
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
        found = model.graph.epoch(*data, tf.constant(order), masks)
    return EpochTrace(*(array.numpy() for array in found))


def apply(model: _Model, gradients: dict[str, np.ndarray]) -> None:
    graph = model.graph
    with tf.device(graph.device):
        own = graph.own(gradients, trained=True)
        graph.apply([tf.constant(gradient, graph.clip.dtype) for gradient in own])


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


def probe(model: _Model, data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]) -> Pass:
    graph, (x, y, last) = model.graph, data
    with tf.device(graph.device):
        with tf.GradientTape() as tape:
            read = graph.embed(x)
            tape.watch(read)
            outputs = graph.forward(read, last, True)
            loss = graph.measure(outputs, y)
        variables = [variable.value for variable in graph.variables(trained=True)]
        d_inputs, *gradients = tape.gradient(loss, [read, *variables])
        hidden, final = [], []
        now = read
        for layer in graph.layers:
            now, states = layer.states(now, last)
            hidden.append(now.numpy())
            final.append(tuple(state.numpy() for state in states))
    return Pass(
        outputs=outputs.numpy(),
        loss=float(loss),
        hidden=tuple(hidden),
        final=tuple(final),
        gradients=graph.canonical((tf.convert_to_tensor(g).numpy() for g in gradients), trained=True),
        inputs=d_inputs.numpy(),
    )


def weights(model: _Model) -> dict[str, np.ndarray]:
    held = model.graph.variables(trained=False)
    return model.graph.canonical((variable.numpy().copy() for variable in held), trained=False)


def set_weights(model: _Model, weights: dict[str, np.ndarray]) -> None:
    held = model.graph.variables(trained=False)
    for variable, array in zip(held, model.graph.own(weights, trained=False), strict=True):
        variable.value.assign(array)


def _slots(graph: _Graph) -> dict[str, tuple[list[keras.Variable], float]]:
    """Keras' variables of each slot, in the order of the trained ones, and what they are of the canonical slot:
    its momentum is the step itself, -rate times the others'."""
    own = graph.rule.variables[2:]  # after the number of updates and the learning rate, an array's slots in turn
    scale = -float(graph.rule.learning_rate) if graph.slots == ("velocity",) else 1.0
    return {slot: (own[index :: len(graph.slots)], scale) for index, slot in enumerate(graph.slots)}


def slots(model: _Model) -> dict[str, np.ndarray]:
    found = {"updates": np.array(int(model.graph.rule.iterations))}
    for slot, (variables, scale) in _slots(model.graph).items():
        tree = model.graph.canonical((variable.numpy() / scale for variable in variables), trained=True)
        found |= {f"{slot}.{name}": array for name, array in tree.items()}
    return found


def set_slots(model: _Model, slots: dict[str, np.ndarray]) -> None:
    model.graph.rule.iterations.assign(int(slots["updates"]))
    for slot, (variables, scale) in _slots(model.graph).items():
        prefix = f"{slot}."
        tree = {name.removeprefix(prefix): array for name, array in slots.items() if name.startswith(prefix)}
        for variable, array in zip(variables, model.graph.own(tree, trained=True), strict=True):
            variable.value.assign(scale * array)
