"""What theory says where it can be said: a linear RNN whose recurrent kernel is a times an orthogonal matrix."""

import numpy as np

from rnn_study.model.init import orthogonal
from rnn_study.model.network import Layer, Network

from .linear import error_flow, unroll

SCALES = (0.8, 0.9, 1.0, 1.05)


def linear_decay(scale: float, steps: int, rng: np.random.Generator, units: int = 20) -> np.ndarray:
    """The measured norm of dL/dh by distance from the loss (T,), relative to that at the last step. Theory: scale^lag,
    for a product of orthogonal matrices changes no length (Saxe et al. 2013, arXiv 1312.6120, section 3)."""
    network = Network(1, (Layer("vanilla", units),), 1, activation="linear")
    tree = {
        "layers.0.W": rng.normal(size=(1, units)),
        "layers.0.U": scale * orthogonal(rng, units, units),
        "layers.0.b": np.zeros(units),
        "head.W": rng.normal(size=(units, 1)),
        "head.b": np.zeros(1),
    }
    layers = unroll(network, tree, rng.normal(size=(1, steps, 1)), None)
    (back,) = error_flow(tree, layers, np.zeros((1, 1)), "squared_error")[0].states
    norms = np.linalg.norm(back[0, ::-1], axis=-1)
    return norms / norms[0]
