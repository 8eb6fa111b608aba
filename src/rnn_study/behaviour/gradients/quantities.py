"""From profiles to figures with intervals: what metrics/gradients.json says of every variant and stage."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics.linear import sigmoid_gates
from rnn_study.behaviour.diagnostics.profiles import Profiles
from rnn_study.behaviour.diagnostics.theory import SCALES, linear_decay
from rnn_study.model.cells import CELLS
from rnn_study.statistics import crossed
from rnn_study.statistics.crossed import Estimate

_POSITIVE = ("memory", "retained", "time_constant")  # an interval ends where they do
FEWEST_LAGS = 3  # for a slope
# R² that counts as read out, where it is not a half: the sum of two numbers tells a half of the variance of either, and
# more than their sum nobody needs to keep.
RETAINED = {"adding": 0.25}
Stage = dict[str, np.ndarray]  # a figure of the profile -> (seeds, ...)


def slope(flow: np.ndarray) -> np.ndarray:
    """log10 lost or won a step (S, N): least squares along the lags of flow (S, N, L) from 1 on, where the error has
    been through the state's own step; NaN where a sequence has fewer than `FEWEST_LAGS`."""
    y = flow[..., 1:].astype(float)
    there = np.isfinite(y)
    count = there.sum(axis=-1)
    lags = np.arange(1, flow.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(there, lags - (there * lags).sum(axis=-1, keepdims=True) / count[..., None], 0.0)
        found = (centred * np.where(there, y, 0.0)).sum(axis=-1) / (centred**2).sum(axis=-1)
    return np.where(count >= FEWEST_LAGS, found, np.nan)


def arrives(flow: np.ndarray) -> np.ndarray:
    """log10 of the share of the error at lag 1 that arrives at the first step of each sequence: (S, N) of flow
    (S, N, L), NaN before a sequence begins."""
    last = (~np.isnan(flow)).sum(axis=-1, keepdims=True) - 1
    return (np.take_along_axis(flow, last, axis=-1)[..., 0] - flow[..., 1]).astype(float)


def over_both(x: np.ndarray) -> crossed.Mean:
    """The mean of x (S, N) over seeds and sequences, crossed; sequences that say nothing (NaN) are left out, one of
    them at least does."""
    x = x[:, np.isfinite(x).all(axis=0)]
    return crossed.mean(x) if x.shape[1] > 1 else crossed.over_seeds(x.mean(axis=1))


# From values (S, ...) and their seeds to rows that are independent of each other: `marks.by_search`.
Rows = Callable[[np.ndarray, Sequence[int]], np.ndarray]


def each_seed(values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """Of what was not tuned seeds are independent."""
    return values


def with_interval(values: np.ndarray) -> Estimate:
    """The mean of values (S,) or (S, N) with its interval; one seed has none."""
    if len(values) == 1:
        return Estimate(*[float(np.nanmean(values))] * 3)
    return (over_both(values) if values.ndim == 2 else crossed.over_seeds(values)).interval()


def longest(stage: Stage) -> int:
    """The longest memory that sequences of this length can show: one that never falls to 1/e."""
    return max(stage["singular"].shape[1] - 2, 0)


def quantities(stage: Stage, cell: str, retained: float) -> dict[str, np.ndarray]:
    """Of each seed one number (S,), or one of each sequence (S, N), for each quantity of a network whose last layer is
    `cell`.

    rate: log10 of the factor by which error changes a step back. arrives: log10 of the share of the error at lag 1 that
    arrives at the first step. memory: steps in which the largest singular value falls to 1/e. exponent: the largest.
    condition: log10 of largest over smallest singular value at the middle lag. retained: lags whose R² is at least
    `retained`. left_, right_: share of a gate's values saturated. time_constant: the median unit's -1 / ln(carry),
    steps. radius_: of each gate's kernel.
    """
    flow, middle = stage["flow"], stage["singular"].shape[1] // 2
    found = {"rate": slope(flow), "arrives": arrives(flow)} if flow.shape[2] > FEWEST_LAGS else {}
    found |= {
        "memory": stage["memory"],
        "exponent": stage["exponents"][:, 0],
        "condition": stage["singular"][:, middle, 0] - np.nanmin(stage["singular"][:, middle], axis=1),
    }
    if "retention" not in stage:
        return found
    found["retained"] = (stage["retention"] >= retained).sum(axis=1)
    if np.nan_to_num(stage["carry"]).any():
        found["time_constant"] = np.nanmedian(-1 / np.log(np.clip(stage["carry"], 1e-12, 1 - 1e-12)), axis=1)
    if "radius" in stage:
        found |= {f"radius_{gate}": stage["radius"][:, place] for place, gate in enumerate(CELLS[cell].gates)}
    for place, gate in enumerate(sigmoid_gates(cell)):
        for side, end in enumerate(("left", "right")):
            found[f"{end}_{gate}"] = np.nanmean(stage["saturated"][:, place, :, side], axis=1)
    return found


def rows(
    task: str, profiles: Profiles, last: dict[str, str], independent: Rows = each_seed
) -> Iterator[dict[str, Any]]:
    """Every quantity of every variant and stage with its interval; `last` names the cell of a variant's last layer."""
    for variant, stages in profiles.items():
        for stage, figures in stages.items():
            for quantity, values in quantities(figures, last[variant], RETAINED.get(task, 0.5)).items():
                found = with_interval(independent(values, figures["seeds"]))
                if quantity in _POSITIVE:
                    most = longest(figures) if quantity == "memory" else np.inf
                    found = found._replace(low=max(found.low, 0.0), high=min(found.high, most))
                named = {"task": task, "variant": variant, "stage": stage, "quantity": quantity}
                yield named | found._asdict() | {"n": len(values)}


def theory(steps: int) -> Iterator[dict[str, Any]]:
    """Measured decays of linear RNNs beside theory's, scale^lag, and how far they are apart."""
    for scale in SCALES:
        measured = linear_decay(scale, steps, np.random.default_rng(0))
        expected = scale ** np.arange(steps)
        deviation = float(np.max(np.abs(measured / expected - 1)))
        yield {"scale": scale, "steps": steps, "last": float(measured[-1]), "deviation": deviation}
