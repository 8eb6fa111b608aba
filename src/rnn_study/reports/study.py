"""The finished study as reports read it: the summary, the runs, the prepared tasks. Reads files, computes nothing."""

from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study import results, task
from rnn_study.files import read_arrays, read_json
from rnn_study.task import Task


class Study:
    """What the pipeline left under `root`, the project's folder."""

    def __init__(self, root: Path = Path(".")):
        self.root = root

    @cached_property
    def summary(self) -> dict[str, Any]:
        """metrics/summary.json."""
        return read_json(self.root / "metrics" / "summary.json")

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        return self.summary["tasks"]

    def prepared(self, name: str) -> Task:
        return task.load(self.root / "data" / "prepared" / f"{name}.npz")

    def _folders(self, name: str, backend: str, cell: str) -> list[Path]:
        seeds = self.tasks[name]["backends"][backend]["cells"][cell]["seeds"]
        return [results.run_folder(self.root / "runs", name, backend, cell, seed) for seed in seeds]

    def histories(self, name: str, backend: str, cell: str) -> list[list[dict[str, float]]]:
        """Each seed's rows of epochs."""
        return [results.read_history(folder) for folder in self._folders(name, backend, cell)]

    def predictions(self, name: str, backend: str, cell: str, part: str) -> np.ndarray:
        """Every seed's outputs on `part`: (seeds, N, K)."""
        return np.stack([results.read_predictions(folder)[part] for folder in self._folders(name, backend, cell)])

    @cached_property
    def parity(self) -> list[dict[str, Any]]:
        """metrics/parity.json: a row a check, see `parity.checks.Row`."""
        return read_json(self.root / "metrics" / "parity.json")

    @cached_property
    def curves(self) -> dict[tuple[str, str, str], dict[str, np.ndarray]]:
        """Of every short training, by (task, cell, dtype), what `parity.trainings.Curves` names."""
        found: dict[tuple[str, str, str], dict[str, np.ndarray]] = defaultdict(dict)
        for key, array in read_arrays(self.root / "runs" / "parity" / "curves.npz").items():
            task, cell, dtype, name = key.split("/")
            found[task, cell, dtype][name] = array
        return dict(found)

    @cached_property
    def habits(self) -> dict[tuple[str, str], dict[str, float]]:
        """By (task, cell), how far apart each habit leads a short training, see `parity.trainings.habits`."""
        found = read_json(self.root / "runs" / "parity" / "habits.json")
        return {tuple(key.split("/")): gaps for key, gaps in found.items()}

    @cached_property
    def worked(self) -> dict[str, Any]:
        """The worked cases, see `parity.worked.figures`."""
        return read_json(self.root / "runs" / "parity" / "worked.json")

    @cached_property
    def training_settings(self) -> dict[str, Any]:
        """How the short trainings are made, see `parity.trainings.SETTINGS`."""
        return read_json(self.root / "runs" / "parity" / "settings.json")
