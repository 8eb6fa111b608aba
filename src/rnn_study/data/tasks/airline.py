"""Airline passengers: from the last months, the next month's total.

The series may be turned into logarithms, first differences and seasonal differences (12 months), in this
order; scores are always of thousand passengers. The targets of the test part are the same 46 months for every
variant and every look-back, the ones that the common tutorial's 67/33 split scores at look-back 1: 1957-02 to
1960-11. Their history reaches back into the training part, as it would on the day of the forecast.
"""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Airline
from rnn_study.data.sources import airline
from rnn_study.model.task import Batch, Task

SOURCES = ("airline",)
TRAIN_MONTHS = 96  # int(0.67 * 144)
TEST = range(97, 143)  # indices of the target months
SEASON = 12


def _transform(values: np.ndarray, params: Airline) -> tuple[np.ndarray, np.ndarray]:
    """The series as the network sees it and what to add to each value to invert the differences.

    Both (144,), NaN where the differences reach back beyond the first month.
    """
    level = np.log(values) if params.logarithm else values.copy()

    def back(months: int) -> np.ndarray:
        return np.concatenate([np.full(months, np.nan), level[:-months]])

    base = np.zeros_like(level)
    if params.first_difference:
        base = back(1)
    if params.seasonal_difference:
        base = base + back(SEASON) - (back(SEASON + 1) if params.first_difference else 0)
    return level - base, base


def prepare(raw: Path, params: Airline) -> tuple[Task, dict[str, Any]]:
    """Windows (N, look_back, 1) and next values (N, 1), standardised by the months before validation."""
    months, values = airline.read(raw / "airline")
    series, base = _transform(values, params)
    first = int(np.isnan(series).sum()) + params.look_back
    start = TRAIN_MONTHS - params.validation  # of the validation part
    fitted = series[:start][~np.isnan(series[:start])]
    mean, scale = fitted.mean(), fitted.std()
    scaled = ((series - mean) / scale).astype(np.float32)
    targets = {"train": range(first, start), "validation": range(start, TRAIN_MONTHS), "test": TEST}

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
        unit="thousand passengers",
        inverse={
            "scale": np.array(scale),
            "logarithm": np.array(params.logarithm),
            **{f"offset_{name}": base[list(indices)] + mean for name, indices in targets.items()},
        },
        extras={
            "series": values,
            "months": np.array(months),
            **{f"index_{name}": np.array(indices) for name, indices in targets.items()},
        },
    )
    details = {"look_back": params.look_back, "mean": float(mean), "scale": float(scale)}
    details |= {name: [months[indices[0]], months[indices[-1]]] for name, indices in targets.items()}
    return task, details
