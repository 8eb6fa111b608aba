"""TensorFlow: one network of `network.py` without its decoder, as a stack of layers over the canonical arrays."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rnn_study.model.cells import ACTIVATIONS
from rnn_study.model.network import Network, is_trained, shapes

from .layers import OPS, Native, Plain, Recurrent, States, valid_steps
from .runtime import tf

_ACTIVATIONS = {name: of(OPS) for name, of in ACTIVATIONS.items()}


class Climbed(NamedTuple):
    """What one part of a network found: outputs, or, of an encoder, what its decoder starts with and looks back at;
    and, where they were asked for, of each layer its h at every step and its states at each row's end."""

    outputs: tf.Tensor
    hidden: list[tf.Tensor]
    final: list[States]


class Part:
    """One network of `network.py` without its decoder."""

    def __init__(self, network: Network, dtype: str, impl: str):
        self.network, tree = network, shapes(network)
        self.embedding = None
        if network.embedding:
            shape = (network.embedding.words, network.inputs)
            self.embedding = Plain(dtype, {"embedding": shape}, is_trained(network, "embedding"))
        self.layers = [Recurrent(network, index, dtype, impl) for index in range(len(network.layers))]
        above = ("attention.", *(f"dense.{index}." for index in range(len(network.dense))), "head.")
        self.above = {}
        for prefix in above:
            own = {name.removeprefix(prefix): shape for name, shape in tree.items() if name.startswith(prefix)}
            if own:
                self.above[prefix] = Plain(dtype, own)

    def holders(self) -> list[tuple[str, Plain | Native]]:
        """What holds the arrays of the canonical tree, in its order, with the prefix of their names."""
        found = [] if self.embedding is None else [("", self.embedding)]
        for index, layer in enumerate(self.layers):
            for prefix, part in layer.parts.items():
                found += [(f"layers.{index}.{prefix}", holder) for holder in part.holders]
        return found + list(self.above.items())

    def embed(self, x: tf.Tensor) -> tf.Tensor:
        return x if self.embedding is None else tf.gather(self.embedding.variables[0].value, x)

    def _dense(self, prefix: str, x: tf.Tensor) -> tf.Tensor:
        kernel, bias = self.above[prefix].variables
        return x @ kernel.value + bias.value

    def _attend(self, h: tf.Tensor, memory: tf.Tensor, last: tf.Tensor | None) -> tf.Tensor:
        """`network.Attention`: what the head reads (N, T', H) of h (N, T', H), looking at memory (N, T, E)."""
        held = {name: variable.value for name, variable in self.above["attention."].named().items()}
        seen = tf.tanh((h @ held["query"])[:, :, None] + (memory @ held["key"])[:, None])
        scores = tf.reduce_sum(seen * held["score"], axis=-1)
        if last is not None:
            scores = tf.where(valid_steps(memory, last)[:, None], scores, -np.inf)
        context = tf.nn.softmax(scores, axis=-1) @ memory
        return tf.tanh(tf.concat([context, h], axis=2) @ held["W"])

    def climb(
        self,
        x: tf.Tensor,
        last: tf.Tensor | None,
        training: bool,
        keep: Iterator[tf.Tensor] | None,
        start: list[States] | None = None,
        memory: tuple[tf.Tensor, tf.Tensor | None] | None = None,
        ends: bool = False,
    ) -> Climbed:
        """What it finds in what its first layer reads (N, T, D); `last` (N,) is each row's last valid step, `start` the
        states its layers start with, `memory` what attention looks at and the last valid steps of that."""
        network, hidden, final = self.network, [], []
        every = network.every_step or ends
        for index, layer in enumerate(self.layers):
            first = start[index] if start else None
            sequence = every or last is not None or layer is not self.layers[-1]
            if ends:
                x, states = layer.states(x, last, training, first)
                hidden.append(x)
                final.append(states)
            else:
                x = layer.hidden(x, last, training, sequence, first)
            if keep is not None:
                mask = next(keep)
                x = x * (mask[:, None, :] if sequence else mask)
        if "attention." in self.above:
            x = self._attend(x, *memory)
        elif not self.layers:
            x = x if last is None else tf.where(valid_steps(x, last)[..., None], x, 0)
            x = tf.reshape(x, (tf.shape(x)[0], network.steps * network.inputs))
        elif not (network.every_step or network.decoder) and (ends or last is not None):
            steps = tf.shape(x, tf.int64)
            x = self.layers[-1].ends(x, tf.fill(steps[:1], steps[1] - 1) if last is None else last)
        for index, dense in enumerate(network.dense):
            x = _ACTIVATIONS[dense.activation](self._dense(f"dense.{index}.", x))
            if keep is not None:
                mask = next(keep)
                x = x * (mask[:, None, :] if network.every_step else mask)
        return Climbed(x if network.decoder else self._dense("head.", x), hidden, final)
