"""How strongly a unit's state answers to the weight that sets how long it remembers.

Error that does not vanish is not enough to learn a long memory: near the edge a unit's state answers ever more steeply
to its own weight, so a small step of that weight changes much (the curse of memory: Zucchet & Orvieto 2024, arXiv
2405.21064).
"""

from typing import NamedTuple

import numpy as np

from .linear import Unrolled
from .profiles import LEAST


class Moments(NamedTuple):
    """Of a linear unit h_t = l h_{t-1} + x_t on white noise x of variance 1, in the long run: the variance of h and
    that of dh/dl."""

    state: float
    sensitivity: float


def linear_unit(factor: float) -> Moments:
    """Closed form: var(h) = 1 / (1 - l^2), var(dh/dl) = (1 + l^2) / (1 - l^2)^3 (Zucchet & Orvieto 2024)."""
    rest = 1 - factor**2
    return Moments(1 / rest, (1 + factor**2) / rest**3)


def _direct(layer: Unrolled, t: int) -> np.ndarray:
    """What unit i's own weights do to each array of its state in step t alone, (K, arrays, N, H).

    Its own weights are those from itself to itself: the diagonal of each gate's recurrent kernel and the cell's
    vectors; where there are none, the gates' biases, which then alone say what is kept whatever the input.
    """
    if layer.norm is not None:
        raise ValueError("norm: expected a layer without normalisation, in which a weight acts on its own unit alone")
    h = layer.states[0][:, t - 1] if t else layer.start[0]
    found = [[slope[:, t] * h for slope in slopes] for slopes in layer.by_s]
    found += [[slope[:, t] for slope in slopes] for slopes in layer.by_vector]
    return np.array(found or [[slope[:, t] for slope in slopes] for slopes in layer.by_a])


def own_weights(layer: Unrolled) -> np.ndarray:
    """The total derivative of h_i at each row's last valid step for each of unit i's own weights: (N, K, H), by the
    forward recursion dz_t/dw = dz_t/dz_{t-1} dz_{t-1}/dw + direct (Williams & Zipser 1989)."""
    rows, steps, units = layer.states[0].shape
    arrays, place = len(layer.states), np.arange(units)
    found = moved = None
    for t in range(steps):
        direct = _direct(layer, t)
        if moved is None:
            moved = np.zeros((rows, len(direct), arrays * units, units))
            found = np.zeros((rows, len(direct), units))
        moved = layer.jacobian(t)[:, None] @ moved
        for array in range(arrays):
            moved[:, :, array * units + place, place] += direct[:, array].swapaxes(0, 1)
        ends = layer.last == t
        found[ends] = moved[ends][:, :, place, place]
    return found


def sensitivity(layer: Unrolled) -> np.ndarray:
    """(H,): the variance over sequences of `own_weights`, the sum over a unit's own weights."""
    return own_weights(layer).var(axis=0).sum(axis=0)


def factors(layer: Unrolled) -> np.ndarray:
    """(H,): what a unit keeps of its memory (the last array of the state) in a step, its own recurrent weight among it:
    the geometric mean over valid steps of |dm_i,t / dm_i,t-1|."""
    units = layer.states[0].shape[-1]
    place = (len(layer.states) - 1) * units + np.arange(units)
    kept = np.stack([np.abs(layer.jacobian(t)[:, place, place]) for t in range(layer.x.shape[1])], axis=1)
    return np.exp(np.log(np.maximum(kept[layer.valid], LEAST)).mean(axis=0))
