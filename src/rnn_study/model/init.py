"""Initial weights, drawn once in NumPy from an explicit generator and handed to every framework alike."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .cells import CELLS
from .network import DECODER, Network, layer_shapes, shapes

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def glorot(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Uniform in +-sqrt(6 / (rows + columns)): Glorot & Bengio 2010, eq. 16."""
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


def he(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Normal with variance 2 / rows, for rectifiers: He et al. 2015 (arXiv 1502.01852), eq. 10."""
    return rng.normal(0.0, np.sqrt(2.0 / rows), (rows, columns))


def orthogonal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Orthonormal rows or columns, whichever are fewer: Saxe et al. 2013 (arXiv 1312.6120), section 3; Haar by
    Mezzadri 2006."""
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T


def identity(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """The identity matrix, nothing drawn: Le et al. 2015 (arXiv 1504.00941)."""
    return np.eye(rows, columns)


KERNELS: dict[str, Draw] = {"glorot": glorot, "he": he, "orthogonal": orthogonal, "identity": identity}


@dataclass(frozen=True)
class Init:
    """How weights start; a named scheme of `SCHEMES`, or one with other choices.

    kernel, recurrent: keys of `KERNELS` for W and U, or `uniform`, PyTorch's +-1/sqrt(H). gain: what U is multiplied
    by. whole: a kernel is drawn as one matrix, not gate by gate (the identity always is). biases: `zeros`, or `uniform`
    as PyTorch's. forget_bias: what is put in place of the bias of a forget gate, None: nothing. head: the dense
    kernels, a key of `KERNELS`, or `uniform`: kernel and bias in +-1/sqrt(inputs), PyTorch's. Attention's kernels are
    Glorot's in every scheme.
    """

    kernel: str = "glorot"
    recurrent: str = "orthogonal"
    whole: bool = False
    biases: str = "zeros"
    forget_bias: float | None = 1.0
    head: str = "glorot"
    gain: float = 1.0


SCHEMES = {
    "study": Init(),  # gate by gate; forget bias 1 (Jozefowicz et al. 2015)
    "keras": Init(whole=True),  # the defaults of keras.layers.LSTM and Dense
    "pytorch": Init("uniform", "uniform", whole=True, biases="uniform", forget_bias=None, head="uniform"),
}


def _uniform(rng: np.random.Generator, fan: int, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-1 / np.sqrt(fan), 1 / np.sqrt(fan), shape)


def _layer(network: Network, index: int, rng: np.random.Generator, init: Init) -> dict[str, np.ndarray]:
    """The arrays of one direction of layer `index`."""
    cell, units = CELLS[network.layers[index].cell], network.layers[index].units

    def kernel(choice: str, shape: tuple[int, ...]) -> np.ndarray:
        if choice == "uniform":
            return _uniform(rng, units, shape)
        if init.whole and choice != "identity":  # of which a gate would get the ones, the others nothing
            return KERNELS[choice](rng, *shape)
        return np.concatenate([KERNELS[choice](rng, shape[0], units) for _ in cell.gates], axis=1)

    drawn = {vector.name: (vector.low, vector.high) for vector in cell.vectors if vector.low < vector.high}
    found: dict[str, np.ndarray] = {}
    for name, shape in layer_shapes(network, index).items():
        if name in ("W", "U"):
            found[name] = kernel(init.kernel, shape) if name == "W" else init.gain * kernel(init.recurrent, shape)
        elif name.startswith(("gain", "variance")):
            found[name] = np.ones(shape)
        elif init.biases == "uniform" and not name.startswith("mean"):
            found[name] = _uniform(rng, units, shape)
        elif name in drawn:
            found[name] = rng.uniform(*drawn[name], shape)
        else:
            found[name] = np.zeros(shape)
    if "f" in cell.gates and init.forget_bias is not None:
        forget = slice(cell.gates.index("f") * units, (cell.gates.index("f") + 1) * units)
        found["b"][forget] = init.forget_bias
        if "b_rec" in found:
            found["b_rec"][forget] = 0.0  # the gate's bias is the sum of the two
    return found


def _dense(prefix: str, shape: tuple[int, int], rng: np.random.Generator, init: Init) -> dict[str, np.ndarray]:
    if init.head == "uniform":
        return {f"{prefix}W": _uniform(rng, shape[0], shape), f"{prefix}b": _uniform(rng, shape[0], shape[1:])}
    return {f"{prefix}W": KERNELS[init.head](rng, *shape), f"{prefix}b": np.zeros(shape[1])}


def draw(
    network: Network, rng: np.random.Generator, embedding: np.ndarray | None = None, init: Init = SCHEMES["study"]
) -> dict[str, np.ndarray]:
    """A canonical weight tree in float64; `embedding` (V, D) becomes the table, as it is.

    Gains of normalisation start at 1, running statistics at mean 0 and variance 1.
    """
    expected = shapes(network)
    tree: dict[str, np.ndarray] = {}
    if network.embedding:
        if embedding is None or embedding.shape != expected["embedding"]:
            raise ValueError(f"embedding: expected an array of shape {expected['embedding']}")
        tree["embedding"] = embedding.astype(np.float64)
    for index in range(len(network.layers)):
        for direction in network.directions:
            arrays = _layer(network, index, rng, init)
            tree |= {f"layers.{index}.{direction}{name}": array for name, array in arrays.items()}
    for name, shape in expected.items():
        if name.startswith("attention."):
            tree[name] = glorot(rng, shape[0], shape[1] if len(shape) > 1 else 1).reshape(shape)
        elif name.endswith(".W") and name.startswith(("dense.", "head.")):
            tree |= _dense(name.removesuffix("W"), shape, rng, init)
    if network.decoder:
        tree |= {DECODER + name: array for name, array in draw(network.decoder, rng, None, init).items()}
    return tree
