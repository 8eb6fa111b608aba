"""From profiles to figures with intervals: what metrics/gradients.json says of every variant and stage."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics.linear import sigmoid_gates
from rnn_study.behaviour.diagnostics.profiles import Profiles
from rnn_study.behaviour.diagnostics.theory import SCALES, linear_decay
from rnn_study.model.cells import CELLS
from rnn_study.statistics import stats

_POSITIVE = ("rate", "memory", "retained", "time_constant")  # an interval ends where they do
FEWEST_LAGS = 3  # for a slope
Stage = dict[str, np.ndarray]  # a figure of the profile -> (seeds, ...)


def slope(flow: np.ndarray) -> np.ndarray:
    """log10 lost or won a step (S,): least squares through the mean of flow (S, N, L) over examples, by lag."""
    curves = np.nanmean(flow, axis=1)
    return np.polyfit(np.arange(curves.shape[1]), curves.T, 1)[0]


def longest(stage: Stage) -> int:
    """The longest memory that sequences of this length can show: one that never falls to 1/e."""
    return max(stage["singular"].shape[1] - 2, 0)


def quantities(stage: Stage, cell: str) -> dict[str, np.ndarray]:
    """Of each seed one number (S,) for each quantity of a network whose last layer is `cell`.

    rate: the factor by which error changes a step back. lost: powers of ten between the last step and the first.
    memory: steps in which the largest singular value falls to 1/e. exponent: the largest. condition: log10 of largest
    over smallest singular value at the middle lag. retained: lags whose R² is at least a half. left_, right_: share of
    a gate's values saturated. time_constant: the median unit's -1 / ln(carry), steps. radius_: of each gate's kernel.
    """
    flow = np.nanmean(stage["flow"], axis=1)
    middle = stage["singular"].shape[1] // 2
    found = {"rate": 10 ** slope(stage["flow"])} if flow.shape[1] >= FEWEST_LAGS else {}
    found |= {
        "lost": flow[:, 0] - flow[:, -1],
        "memory": stage["memory"],
        "exponent": stage["exponents"][:, 0],
        "condition": stage["singular"][:, middle, 0] - stage["singular"][:, middle, -1],
    }
    if "retention" not in stage:
        return found
    found["retained"] = (stage["retention"] >= 0.5).sum(axis=1)
    if stage["carry"].any():
        found["time_constant"] = np.median(-1 / np.log(np.clip(stage["carry"], 1e-12, 1 - 1e-12)), axis=1)
    found |= {f"radius_{gate}": stage["radius"][:, place] for place, gate in enumerate(CELLS[cell].gates)}
    for place, gate in enumerate(sigmoid_gates(cell)):
        for side, end in enumerate(("left", "right")):
            found[f"{end}_{gate}"] = stage["saturated"][:, place, :, side].mean(axis=1)
    return found


def rows(task: str, profiles: Profiles, last: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Every quantity of every variant and stage with its interval; `last` names the cell of a variant's last layer."""
    for variant, stages in profiles.items():
        for stage, figures in stages.items():
            for quantity, values in quantities(figures, last[variant]).items():
                found = stats.iqm(values) if len(values) > 1 else stats.Estimate(*[float(values[0])] * 3)
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
