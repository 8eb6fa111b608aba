"""The data card of a prepared task: what is in it and where it came from."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.files import read_json
from rnn_study.task import Batch, Task


def _digest(batch: Batch) -> str:
    total = sha256()
    for array in batch:
        if array is not None:
            total.update(str((array.dtype.str, array.shape)).encode() + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _part(task: Task, batch: Batch) -> dict[str, Any]:
    described: dict[str, Any] = {"examples": len(batch.y), "x": list(batch.x.shape), "sha256": _digest(batch)}
    if task.loss == "cross_entropy":
        counts = np.bincount(batch.y, minlength=task.outputs)
        described["class_counts"] = dict(zip(task.extras["classes"].tolist(), counts.tolist(), strict=True))
    return described


def card(task: Task, details: dict[str, Any], sources: tuple[str, ...], raw: Path) -> dict[str, Any]:
    """Shapes, split sizes, class balance, digests; `details` of the task; the provenance of its `sources`."""
    return {
        "task": task.name,
        "score": task.score_name,
        "unit": task.unit,
        "parts": {name: _part(task, batch) for name, batch in task.parts().items()},
        "details": details,
        "provenance": [read_json(raw / source / "provenance.json") for source in sources],
    }
