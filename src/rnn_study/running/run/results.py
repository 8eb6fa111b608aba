"""What a run leaves behind, and the files it leaves it in."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from rnn_study.support.files import atomic, read_arrays, read_json, whole, write_arrays, write_json

FILES = (
    "history.csv",
    "updates.npz",
    "weights.safetensors",
    "checkpoints.safetensors",
    "predictions.npz",
    "result.json",
)
ABOUT = "rnn_study"  # key of what weights.safetensors says of itself, a JSON object
_IN_UNIT = "unit/"  # prefix of predictions in the task's own unit


@dataclass(frozen=True)
class RunResult:
    """One finished run.

    history: a row an epoch (epoch, train_loss, validation_loss, validation_score, and the means over its updates of
    gradient_norm, clipped_norm, clipped_share, update_ratio). updates: what `backend.EpochTrace` names, of all
    updates. weights: the canonical tree of the best epoch. checkpoints: by epoch, those that the spec asks for and
    training reached. predictions: raw outputs (N, K), or (N, T, K), for validation and tests. in_unit: the same (N,) or
    (N, T) in the task's own unit, where it has one. summary: scores by part, best_epoch, epochs, updates,
    examples_seen, parameters, parameters_with_embedding, diverged; where there is a goal, solved, and if it was,
    solved_at: the updates made by then; where there is a bar, pruned: whether it fell short of it.
    """

    history: list[dict[str, float]]
    updates: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    checkpoints: dict[int, dict[str, np.ndarray]]
    predictions: dict[str, np.ndarray]
    in_unit: dict[str, np.ndarray]
    summary: dict[str, Any]


def write(result: RunResult, folder: Path, about: dict[str, Any]) -> None:
    """Write the run's files into `folder`, which must exist; equal results give equal bytes. `about`: what the weights
    say of themselves."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(result.history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.history)
    with atomic(folder / "history.csv") as file:
        file.write(text.getvalue().encode())
    with atomic(folder / "weights.safetensors") as file:
        # One key: safetensors writes several in any order.
        file.write(save(result.weights, {ABOUT: json.dumps(about, ensure_ascii=False)}))
    with atomic(folder / "checkpoints.safetensors") as file:
        trees = result.checkpoints.items()
        file.write(save({f"{epoch}/{name}": array for epoch, tree in trees for name, array in tree.items()}))
    write_arrays(folder / "updates.npz", result.updates)
    in_unit = {_IN_UNIT + part: array for part, array in result.in_unit.items()}
    write_arrays(folder / "predictions.npz", result.predictions | in_unit)
    write_json(folder / "result.json", result.summary)


def _tensors(path: Path) -> dict[str, np.ndarray]:
    with whole(path, SafetensorError):
        return load_file(path)


def read_history(folder: Path) -> list[dict[str, float]]:
    path = folder / "history.csv"
    with whole(path), path.open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def read_summary(folder: Path) -> dict[str, Any]:
    return read_json(folder / "result.json")


def read_predictions(folder: Path) -> dict[str, np.ndarray]:
    """The raw outputs by part."""
    found = read_arrays(folder / "predictions.npz")
    return {part: array for part, array in found.items() if not part.startswith(_IN_UNIT)}


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    return _tensors(folder / "weights.safetensors")


def read_updates(folder: Path) -> dict[str, np.ndarray]:
    return read_arrays(folder / "updates.npz")


def read_checkpoints(folder: Path) -> dict[int, dict[str, np.ndarray]]:
    found: dict[int, dict[str, np.ndarray]] = {}
    for key, array in _tensors(folder / "checkpoints.safetensors").items():
        epoch, _, name = key.partition("/")
        found.setdefault(int(epoch), {})[name] = array
    return dict(sorted(found.items()))


def run_folder(root: Path, task: str, backend: str, cell: str, seed: int) -> Path:
    """Where the pipeline publishes a run."""
    return root / f"{task}-{backend}" / cell / f"seed-{seed}"
