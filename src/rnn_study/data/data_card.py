"""The data card of a prepared task: what is in it and where it came from."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.data.sources import alice, sunspots
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json, whole

_KEYS = ("task", "score", "unit", "parts", "details", "provenance")  # of a card
BUILT_IN = {"sunspots": sunspots.ABOUT, "alice": alice.ABOUT}  # sources that are never fetched


def _digest(batch: Batch) -> str:
    total = sha256()
    for array in batch:
        if array is not None:
            total.update(str((array.dtype.str, array.shape)).encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _part(task: Task, batch: Batch) -> dict[str, Any]:
    described: dict[str, Any] = {"examples": len(batch.y), "x": list(batch.x.shape), "sha256": _digest(batch)}
    if task.loss == "cross_entropy" and batch.y.ndim == 1:
        if "classes" not in task.extras:
            raise StudyError(f"{task.name}: extras: no classes: expected how pages write its {task.outputs} classes")
        counts = np.bincount(batch.y, minlength=task.outputs)
        described["class_counts"] = dict(zip(task.extras["classes"].tolist(), counts.tolist(), strict=True))
    return described


def _generated(task: Task) -> dict[str, Any]:
    """The record of a problem without raw data, with the keys of `sources`' own."""
    return {
        "source": task.name,
        "title": f"The {task.name} problem",
        "origin": "from a seed",
        "note": "Every sequence is drawn by this project from a seeded generator",
        "licence": "that of this project",
        "rows": {name: len(part.y) for name, part in task.parts().items()},
        "files": [],
        "complete": True,
        "generated": True,
    }


def read_card(path: Path) -> dict[str, Any]:
    """What `card` gave, as the file `path` holds it."""
    found = read_json(path)
    with whole(path):
        if missing := [key for key in _KEYS if not isinstance(found, dict) or key not in found]:
            raise ValueError(f"no {', '.join(missing)}")
    return found


def card(task: Task, details: dict[str, Any], sources: tuple[str, ...], raw: Path) -> dict[str, Any]:
    """Shapes, split sizes, class balance, digests; `details` of the task; the provenance of its `sources`, or of what
    was generated where it has none."""
    records = [
        BUILT_IN[source] if source in BUILT_IN else read_json(raw / source / "provenance.json") for source in sources
    ]
    records = records or [_generated(task)]
    return {
        "task": task.name,
        "score": task.score_name,
        "unit": task.unit,
        "parts": {name: _part(task, batch) for name, batch in task.parts().items()},
        "details": details,
        "provenance": records,
    }
