"""A trained network as a Keras model, for others: to run it takes nothing of this package."""

import numpy as np

from rnn_study.model.backend import require_native
from rnn_study.model.network import Network

from .layers import Native
from .runtime import keras


def stock(network: Network, weights: dict[str, np.ndarray]) -> keras.Model:
    """The network with these weights; it has to be one of native layers that answers once.

    Of numbers (N, T, D), or of tokens (N, T) with 0 past a row's end, what the head makes of the last state: (N, K).
    """
    require_native(network, "tensorflow")
    if network.embedding:
        x = given = keras.Input((None,), dtype="int32", name="x")
        table = keras.layers.Embedding(network.embedding.words, network.inputs, mask_zero=True)
        x = table(x)
        table.set_weights([weights["embedding"]])
    else:
        x = given = keras.Input((None, network.inputs), name="x")
    for index in range(len(network.layers)):
        held = Native(network, index, "float32")
        held.layer.return_sequences = index + 1 < len(network.layers)
        held.layer.zero_output_for_mask = False  # past a row's end its last state stands
        prefix = f"layers.{index}."
        own = {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
        x = held.layer(x)
        held.layer.set_weights(held.own(own))
    head = keras.layers.Dense(network.outputs)
    model = keras.Model(given, head(x))
    head.set_weights([weights["head.W"], weights["head.b"]])
    return model


def answers(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """What `model` gives for x."""
    return np.asarray(model.predict(x, batch_size=1024, verbose=0))
