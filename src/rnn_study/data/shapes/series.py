"""Windows of a series: the value after each, or, shifted by one, the value after each of its steps.

The parts are cut as the airline tutorials cut theirs, 67 / 33, whose test part begins at the second value and ends
before the last; the targets of the test part are the same for every window, whose history may reach back into the
training part. Scored is the value after the last step, so shifted and plain windows answer for the same targets.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Series
from rnn_study.data.sources import airline, sunspots
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

TRAIN = 0.67
SUN = 11  # years after which it is alike, if not quite


def read(raw: Path, of: str) -> tuple[list[str], np.ndarray, str, int]:
    """The dates of a series, its values, their unit, and the steps after which they are alike."""
    if of == "airline":
        found = airline.read(raw / "airline")
        return found.dates, found.values, found.unit, found.season
    return *sunspots.read(), "sunspots", SUN


def scaling(values: np.ndarray, scale: str) -> tuple[float, float]:
    """What is taken off the values and what they are then divided by."""
    if scale == "all":
        return float(values.min()), float(values.max() - values.min())
    fitted = values[: int(TRAIN * len(values))]
    return float(fitted.mean()), float(fitted.std())


def prepare(raw: Path, params: Series) -> tuple[Task, dict[str, Any]]:
    """Windows (N, window, 1) with the next value (N, 1), or shifted with (N, window, 1)."""
    dates, values, unit, season = read(raw, params.of)
    cut, window = int(TRAIN * len(values)), params.window
    offset, scale = scaling(values, params.scale)
    scaled = ((values - offset) / scale).astype(np.float32)
    if season >= cut:
        raise StudyError(
            f"params.yaml: data.airline.season: got {season}: expected less than the {cut} values to learn from"
        )
    start = cut - 1 - params.validation
    if start - window < 2:
        raise StudyError(f"params.yaml: series: window {window}: expected at most {start - 2} in {cut} training values")
    targets = {
        "train": np.arange(window, start),
        "validation": np.arange(start, cut - 1) if params.validation else np.arange(window, start),
        "test": np.arange(cut + 1, len(values) - 1),
    }

    def part(indices: np.ndarray) -> Batch:
        places = indices[:, None] + np.arange(-window, 0)
        y = scaled[places + 1] if params.shifted else scaled[indices]
        return Batch(scaled[places][..., None], y[..., None])

    task = Task(
        name="series",
        loss="squared_error",
        outputs=1,
        train=part(targets["train"]),
        validation=part(targets["validation"]),
        tests={"test": part(targets["test"])},
        unit=unit,
        inverse={
            "scale": np.array(scale),
            "logarithm": np.array(False),
            **{f"offset_{name}": np.array(offset) for name in targets},
        },
        extras={
            "series": values,
            "dates": np.array(dates),
            "season": np.array(season),
            **{f"index_{name}": indices for name, indices in targets.items()},
        },
        scored=1 if params.shifted else None,
    )
    return task, {"of": params.of, "window": window, "offset": offset, "scale": scale}


def baselines(task: Task) -> dict[str, np.ndarray]:
    """Squared errors of two rules that fit nothing."""
    series, targets, season = task.extras["series"], task.extras["index_test"], int(task.extras["season"])
    rules = {"last value (persistence)": 1} | ({"a season ago (seasonal naive)": season} if season > 1 else {})
    return {rule: (series[targets - back] - series[targets]) ** 2 for rule, back in rules.items()}
