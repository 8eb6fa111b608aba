"""The finished study as reports read it: the summary, the runs, the prepared tasks. Reads files, computes nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.naming import changed
from rnn_study.data.prepared import load_task
from rnn_study.model.task import Task
from rnn_study.running.run import results
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_arrays, read_json

from .elements.wording import label, origin

T = TypeVar("T")


def project_folder() -> Path:
    """The folder that holds dvc.yaml: the working directory or the nearest one above it, so that a notebook runs in its
    own folder too. A StudyError where there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise StudyError("dvc.yaml: not found here or above: expected to be run in the project's folder or in one below it")


class Study:
    """What the pipeline left under `root`, the project's folder (None: `project_folder`)."""

    def __init__(self, root: Path | None = None):
        self.root = root or project_folder()
        self._held: dict[tuple[Path, Callable], Any] = {}
        self._noted: set[Path] | None = None

    @contextmanager
    def noting(self) -> Iterator[set[Path]]:
        """The files that are read meanwhile, those known from before too."""
        self._noted = read = set()
        try:
            yield read
        finally:
            self._noted = None

    def _read(self, name: str | Path, how: Callable[[Path], T], file: str = "") -> T:
        """What `how` makes of a file under the root, or of a folder, from its `file`; read once."""
        path = self.root / name
        if self._noted is not None:
            self._noted.add(path / file)
        if (path, how) not in self._held:
            self._held[path, how] = how(path)
        return self._held[path, how]

    @property
    def summary(self) -> dict[str, Any]:
        """metrics/summary.json."""
        return self._read("metrics/summary.json", read_json)

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        return self.summary["tasks"]

    def prepared(self, name: str) -> Task:
        return self._read(f"data/prepared/{name}.npz", load_task)

    def _folders(self, name: str, backend: str, cell: str) -> list[Path]:
        seeds = self.tasks[name]["backends"][backend]["cells"][cell]["seeds"]
        return [results.run_folder(Path("runs"), name, backend, cell, seed) for seed in seeds]

    def histories(self, name: str, backend: str, cell: str) -> list[list[dict[str, float]]]:
        """Each seed's rows of epochs."""
        return [
            self._read(folder, results.read_history, "history.csv") for folder in self._folders(name, backend, cell)
        ]

    def history(self, name: str, backend: str, variant: str, seed: int) -> list[dict[str, float]]:
        """One run's rows of epochs."""
        folder = results.run_folder(Path("runs"), name, backend, variant, seed)
        return self._read(folder, results.read_history, "history.csv")

    def predictions(self, name: str, backend: str, cell: str, part: str) -> np.ndarray:
        """Every seed's outputs on `part`: (seeds, N, K)."""
        folders = self._folders(name, backend, cell)
        return np.stack([self._read(run, results.read_predictions, "predictions.npz")[part] for run in folders])

    @property
    def given(self) -> str:
        """What the figures of tuned cells rest on, for captions."""
        count = self.summary["searches"]
        return "given this one search for settings" if count == 1 else f"over {count} searches for settings"

    def trials(self, task: str) -> dict[str, list[list[dict[str, float]]]]:
        """Of each cell and search every trial, see `tuning.trials`."""
        return self._read(f"runs/tune-{task}/trials.json", read_json)

    @property
    def tuning(self) -> dict[str, Any]:
        """metrics/tuning.json: by task and cell what its searches chose, and what that changed."""
        return self._read("metrics/tuning.json", read_json)

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The answers to the study's questions, see `verdicts.answers`."""
        return self._read("metrics/verdicts.json", read_json)["verdicts"]

    @property
    def parity(self) -> list[dict[str, Any]]:
        """metrics/parity.json: a row a check, see `parity.checks.Row`."""
        return self._read("metrics/parity.json", read_json)

    @property
    def curves(self) -> dict[tuple[str, str, str], dict[str, np.ndarray]]:
        """Of every short training, by (task, cell, dtype), what `parity.trainings.Curves` names."""
        found: dict[tuple[str, str, str], dict[str, np.ndarray]] = defaultdict(dict)
        for key, array in self._read("runs/parity/curves.npz", read_arrays).items():
            task, cell, dtype, name = key.split("/")
            found[task, cell, dtype][name] = array
        return dict(found)

    @property
    def defaults(self) -> dict[tuple[str, str], dict[str, float]]:
        """By (task, cell), how far apart each default leads a short training, see `parity.trainings.defaults`."""
        found = self._read("runs/parity/defaults.json", read_json)
        return {tuple(key.split("/")): gaps for key, gaps in found.items()}

    @property
    def worked(self) -> dict[str, Any]:
        """The worked cases, see `parity.worked_examples.figures`."""
        return self._read("runs/parity/worked.json", read_json)

    @property
    def training_settings(self) -> dict[str, Any]:
        """How the short trainings are made, see `parity.trainings.SETTINGS`."""
        return self._read("runs/parity/settings.json", read_json)

    @property
    def gradients(self) -> dict[str, Any]:
        """metrics/gradients.json: contrasts, theory, figures."""
        return self._read("metrics/gradients.json", read_json)

    def profiles(self, name: str) -> profiles.Profiles:
        """What was seen in the networks of a task or problem, see `diagnostics.profile`."""
        return self._read(profiles.profiles_file(name), profiles.load)

    def cells(self, name: str) -> list[str]:
        """The variants of a task that were looked at from all sides: its cells, without ablations."""
        return [
            variant for variant, stages in self.profiles(name).items() if "carry" in stages.get(profiles.TRAINED, {})
        ]

    def figures(self, name: str, variant: str, stage: str) -> list[dict[str, Any]]:
        """The rows of metrics/gradients.json about one variant at one stage."""
        wanted = (name, variant, stage)
        rows = self.gradients["figures"]
        return [row for row in rows if (row["task"], row["variant"], row["stage"]) == wanted]

    def quantity(self, name: str, variant: str, stage: str, quantity: str) -> dict[str, Any] | None:
        """One of these rows; None where there is none."""
        rows = self.figures(name, variant, stage)
        return next((row for row in rows if row["quantity"] == quantity), None)

    def sigmoids(self, name: str, variant: str) -> list[str]:
        """The gates of a variant's cell that are a sigmoid, in order."""
        rows = self.figures(name, variant, profiles.TRAINED)
        return [row["quantity"].removeprefix("left_") for row in rows if row["quantity"].startswith("left_")]

    def ablation(self, problem: str) -> dict[str, Any]:
        """metrics/ablate/<problem>.json."""
        return self._read(f"metrics/ablate/{problem}.json", read_json)

    @property
    def long_range(self) -> dict[str, Any]:
        """metrics/long_range.json: tables of figures."""
        return self._read("metrics/long_range.json", read_json)

    def rows(self, table: str, problem: str, **wanted: str) -> list[dict[str, Any]]:
        """The rows of one of its tables about one problem, and with these values."""
        wanted = {"problem": problem} | wanted
        return [row for row in self.long_range[table] if wanted.items() <= row.items()]

    @property
    def walked(self) -> list[str]:
        """The problems whose length frontier was looked for."""
        return list(dict.fromkeys(row["problem"] for row in self.long_range["frontiers"]))

    def frontier(self, problem: str) -> dict[str, Any]:
        """metrics/frontier/<problem>.json: what the problem is, and its runs."""
        return self._read(f"metrics/frontier/{problem}.json", read_json)

    def contender(self, problem: str, variant: str) -> str:
        """How a report writes a variant of a frontier: its cell and, of an ablation, what it is called."""
        found = self.frontier(problem)["ablations"].get(variant)
        return changed(found["of"], found["label"]) if found else label(variant)

    def drawn(self, problem: str) -> str:
        """The data behind a frontier, for captions."""
        records = self.frontier(problem).get("provenance")
        return "data: " + ("; ".join(map(origin, records)) if records else "generated, each run from its own seed")

    @property
    def controlled(self) -> str:
        """The data behind the controls, for captions."""
        names = dict.fromkeys(row["task"] for row in self.long_range["controls"])
        told = [record for name in names if name in self.tasks for record in self.tasks[name]["card"]["provenance"]]
        told += [
            record for name in names if name not in self.tasks for record in self.frontier(name).get("provenance", [])
        ]
        generated = [
            label(name) for name in names if name not in self.tasks and "provenance" not in self.frontier(name)
        ]
        return "data: " + "; ".join([*dict.fromkeys(map(origin, told)), *(f"{name} (generated)" for name in generated)])

    @property
    def shapes(self) -> dict[str, Any]:
        """metrics/sequence_shapes.json: systems, tutorials, scores, found."""
        return self._read("metrics/sequence_shapes.json", read_json)

    @property
    def shape_samples(self) -> dict[str, Any]:
        """data/sequence_shapes.json: what networks wrote and looked at, see `behaviour.shapes`."""
        return self._read("data/sequence_shapes.json", read_json)

    @property
    def shape_cards(self) -> dict[str, Any]:
        """metrics/shapes/data.json: the data card of every system."""
        return self._read("metrics/shapes/data.json", read_json)

    def shape_task(self, name: str) -> Task:
        return self._read(f"data/shapes/{name}.npz", load_task)

    def shape_source(self, name: str) -> str:
        """The data behind a system, for captions."""
        return "data: " + "; ".join(map(origin, self.shape_cards[name]["provenance"]))

    def benchmark(self, name: str) -> dict[str, Any]:
        """benchmarks/results/<name>.json: what the script of that name measured, and on which machine."""
        return self._read(f"benchmarks/results/{name}.json", read_json)

    def updates(self, name: str, variant: str) -> list[dict[str, np.ndarray]]:
        """Of each seed what every update saw, see `model.backend.EpochTrace`."""
        framework, seeds = self.gradients["framework"], self.profiles(name)[variant][profiles.TRAINED]["seeds"]
        folders = [results.run_folder(Path("runs"), name, framework, variant, int(seed)) for seed in seeds]
        return [self._read(folder, results.read_updates, "updates.npz") for folder in folders]

    def variant(self, name: str, variant: str) -> str:
        """How a report writes a variant: its cell and, of an ablation, what it is called."""
        if name in self.tasks:
            return label(variant)
        found = self.ablation(name)["cells"].get(variant, {})
        return changed(found["of"], found["label"]) if "of" in found else label(variant)

    def provenance(self, name: str) -> list[dict[str, Any]]:
        """Where the data of a task or problem comes from, from its data card."""
        return self._read(f"metrics/data/{name}.json", read_json)["provenance"]

    def is_generated(self, name: str) -> bool:
        """Whether what a task or problem is judged on is; sequences of a problem without a card always are. Word
        vectors, which stand after the texts, do not count."""
        if not (self.root / "metrics" / "data" / f"{name}.json").is_file():
            return True
        return self.provenance(name)[0]["generated"]

    def source(self, name: str) -> str:
        """The data behind a task or problem, for captions."""
        return "data: " + "; ".join(map(origin, self.provenance(name)))
