"""Products of Jacobians: how far back a state still matters, and whether nearby states part."""

from collections.abc import Iterable

import numpy as np

from .linear import Unrolled

WIPED_OUT = 1e-16  # a step's factor, beyond what double precision tells from none


def by_lag(values: np.ndarray, last: np.ndarray) -> np.ndarray:
    """values (N, T, ...) by distance from each row's last valid step, `last` (N,): [:, 0] is that step itself. NaN
    before the start of a sequence."""
    places = last[:, None] - np.arange(values.shape[1])
    rows = np.arange(len(values))[:, None]
    found = values[rows, np.maximum(places, 0)].astype(np.float64)
    found[places < 0] = np.nan
    return found


def singular_values(layer: Unrolled) -> np.ndarray:
    """Of dh_last/dz_t by distance from the end, (N, T, H), largest first: the product of the step Jacobians that
    back-propagation through time names (Pascanu et al. 2013, arXiv 1211.5063, eq. 5). All are 1 at distance 0."""
    rows, steps, units = layer.states[0].shape
    found = np.full((rows, steps, units), np.nan)
    start = np.eye(units, units * len(layer.states))
    product = np.zeros((rows, *start.shape))
    for t, step in zip(reversed(range(steps)), layer.jacobians(), strict=True):
        product[layer.last == t] = start
        found[:, t] = np.linalg.svd(product, compute_uv=False)
        product = product @ step
    return by_lag(found, layer.last)


def memory_length(norms: np.ndarray) -> float:
    """The number of steps in which norms (L,), by lag, first fall to 1/e of the first one, between two lags along the
    logarithm; L - 1 where they never do: then it is at least that. 0 of less than two."""
    if len(norms) < 2:
        return 0.0
    level = np.log(np.maximum(norms, np.finfo(float).tiny)) - np.log(max(norms[0], np.finfo(float).tiny)) + 1
    below = np.flatnonzero(level <= 0)
    if not len(below):
        return float(len(norms) - 1)
    after = below[0]
    return float(after - 1 + level[after - 1] / (level[after - 1] - level[after]))


def lyapunov(
    steps: Iterable[np.ndarray], valid: np.ndarray | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """Lyapunov exponents in nats a step, (N, n), largest first, of the step Jacobians (N, n, n) in time order.

    By QR reiteration: Benettin et al. 1980; for recurrent networks Engelken et al. 2023 (arXiv 2006.02427). `valid`
    (N, T) says which steps a row has, None: all. `start` (N, n, n) is the frame it starts in, the axes by default: it
    is forgotten over many steps, but not over a few. A direction that is wiped out counts as shrunk to `WIPED_OUT`.
    """
    total, number, q = 0.0, 0, start
    for place, step in enumerate(steps):
        counted = np.ones(len(step), bool) if valid is None else valid[:, place]
        moved, r = np.linalg.qr(step if q is None else step @ q)
        q = moved if q is None else np.where(counted[:, None, None], moved, q)
        stretch = np.maximum(np.abs(np.diagonal(r, axis1=1, axis2=2)), WIPED_OUT)
        total = total + np.where(counted[:, None], np.log(stretch), 0.0)
        number = number + counted.astype(int)
    return -np.sort(-total / number[:, None], axis=1)


def layer_exponents(layer: Unrolled) -> np.ndarray:
    """`lyapunov` of a layer along the sequences it read: over such a stretch, of T steps, the logarithms of the
    singular values of dz_T/dz_0, over T, whatever the axes are.

    The frame that this needs is the product's right singular vectors. Rounding hides all but the largest in a long
    product; one sweep there and back (subspace iteration) finds the others, which such a product has far apart.
    """
    steps = [layer.jacobian(t) for t in range(layer.x.shape[1])]
    there = [np.where(layer.valid[:, t, None, None], step, np.eye(step.shape[1])) for t, step in enumerate(steps)]
    product = there[0]
    for step in there[1:]:
        product = step @ product
        product = product / np.maximum(np.abs(product).max(axis=(1, 2), keepdims=True), np.finfo(float).tiny)
    q = np.linalg.svd(product)[2].swapaxes(1, 2)
    for step in (*there, *(step.swapaxes(1, 2) for step in reversed(there))):
        q = np.linalg.qr(step @ q)[0]
    return lyapunov(steps, layer.valid, q)


def spectral_radius(kernel: np.ndarray) -> float:
    """The largest absolute eigenvalue of kernel (H, H)."""
    return float(np.abs(np.linalg.eigvals(kernel)).max())
