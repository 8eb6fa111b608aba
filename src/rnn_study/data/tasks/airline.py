"""A series: from the last values, the next one. The study's own is that of the airline passengers.

The series may be turned into logarithms, first differences and seasonal differences, in this order; scores are always
in its own unit. The targets of the test part are the same for every variant and every look-back. Their history reaches
back into the training part, as it would on the day of the forecast. Those of the passengers are the 46 months that the
common tutorial's 67/33 split scores at look-back 1: 1957-02 to 1960-11.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Airline
from rnn_study.data.sources import airline
from rnn_study.data.sources.airline import Series
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = ("airline",)


def _transform(series: Series, params: Airline) -> tuple[np.ndarray, np.ndarray]:
    """The series as the network sees it and what to add to each value to invert the differences.

    Both (N,), NaN where the differences reach back beyond the first value.
    """
    level = np.log(series.values) if params.logarithm else series.values.copy()

    def back(steps: int) -> np.ndarray:
        return np.concatenate([np.full(steps, np.nan), level[:-steps]])[: len(level)]

    base = np.zeros_like(level)
    if params.first_difference:
        base = back(1)
    if params.seasonal_difference:
        base = base + back(series.season) - (back(series.season + 1) if params.first_difference else 0)
    return level - base, base


def _refuse(series: Series, params: Airline) -> None:
    """A StudyError for a series that these settings cannot be used on."""
    key = "params.yaml: tasks.airline.prepare"
    if params.logarithm and (series.values <= 0).any():
        place = int(np.argmax(series.values <= 0))
        found = f"true with {series.values[place]:g} at {series.dates[place]}"
        raise StudyError(f"{key}.logarithm: {found}: expected false, or a series above 0")
    if params.seasonal_difference and series.season == 1:
        raise StudyError(f"{key}.seasonal_difference: true with data.airline.season 1: expected false")
    lost = params.first_difference + (series.season if params.seasonal_difference else 0)
    left = series.training - params.validation - lost - params.look_back
    if left < 2:
        taken = f"look_back {params.look_back}, validation {params.validation} and {lost} for differences"
        raise StudyError(
            f"{key}: {series.training} training values: {taken} leave {max(left, 0)} to learn from: expected 2 at least"
        )
    if series.season >= series.training:
        expected = f"less than the training part, {series.training} values"
        raise StudyError(f"params.yaml: data.airline.season: got {series.season}: expected {expected}")


def prepare(raw: Path, params: Airline) -> tuple[Task, dict[str, Any]]:
    """Windows (N, look_back, 1) and next values (N, 1), standardised by the values before validation."""
    found = airline.read(raw / "airline")
    _refuse(found, params)
    series, base = _transform(found, params)
    first = int(np.isnan(series).sum()) + params.look_back
    start = found.training - params.validation  # of the validation part
    fitted = series[:start][~np.isnan(series[:start])]
    mean, scale = fitted.mean(), fitted.std()
    if not scale > 0:
        raise StudyError("data.airline: the training values do not vary: expected a series to learn from")
    scaled = ((series - mean) / scale).astype(np.float32)
    targets = {"train": range(first, start), "validation": range(start, found.training), "test": found.test}

    def part(indices: range) -> Batch:
        windows = np.stack([scaled[i - params.look_back : i] for i in indices])
        return Batch(windows[:, :, None], scaled[list(indices)][:, None])

    task = Task(
        name="airline",
        loss="squared_error",
        outputs=1,
        train=part(targets["train"]),
        validation=part(targets["validation"]),
        tests={"test": part(targets["test"])},
        unit=found.unit,
        inverse={
            "scale": np.array(scale),
            "logarithm": np.array(params.logarithm),
            **{f"offset_{name}": base[list(indices)] + mean for name, indices in targets.items()},
        },
        extras={
            "series": found.values,
            "dates": np.array(found.dates),
            "season": np.array(found.season),
            "step": np.array(found.step),
            **{f"index_{name}": np.array(indices) for name, indices in targets.items()},
        },
    )
    details = {"look_back": params.look_back, "mean": float(mean), "scale": float(scale), "step": found.step}
    details |= {name: [found.dates[indices[0]], found.dates[indices[-1]]] for name, indices in targets.items()}
    return task, details
