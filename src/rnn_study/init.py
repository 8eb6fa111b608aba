"""Initial weights, drawn once in NumPy from an explicit generator and handed to every framework alike."""

import numpy as np

from .cells import CELLS
from .network import Network, shapes


def _glorot(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Uniform in +-sqrt(6 / (rows + columns)): Glorot & Bengio 2010, eq. 16."""
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


def _orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random orthogonal matrix: Saxe et al. 2013 (arXiv 1312.6120), section 3; Haar by Mezzadri 2006."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))


def draw(network: Network, rng: np.random.Generator, embedding: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """A canonical weight tree in float64.

    Gate by gate: input kernels Glorot uniform, recurrent kernels orthogonal; biases zero, but 1 for the
    LSTM's forget gate (Jozefowicz et al. 2015). `embedding` (V, D) becomes the table, as it is.
    """
    tree: dict[str, np.ndarray] = {}
    for name, shape in shapes(network).items():
        kind = name.rpartition(".")[2]
        if name == "embedding":
            if embedding is None or embedding.shape != shape:
                raise ValueError(f"embedding: expected an array of shape {shape}")
            tree[name] = embedding.astype(np.float64)
        elif name == "head.W":
            tree[name] = _glorot(rng, *shape)
        elif kind in ("b", "b_rec"):
            tree[name] = np.zeros(shape)
        else:
            layer = network.layers[int(name.split(".")[1])]
            rows, units = shape[0], layer.units
            gates = CELLS[layer.cell].gates
            blocks = [_glorot(rng, rows, units) if kind == "W" else _orthogonal(rng, units) for _ in gates]
            tree[name] = np.concatenate(blocks, axis=1)
    for index, layer in enumerate(network.layers):
        gates = CELLS[layer.cell].gates
        if "f" in gates:
            start = gates.index("f") * layer.units
            tree[f"layers.{index}.b"][start : start + layer.units] = 1.0
    return tree
