"""The finished study as reports read it: the summary, the runs, the prepared tasks. Reads files, computes nothing."""

from collections import defaultdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.data.prepared import load_task
from rnn_study.model.task import Task
from rnn_study.running.run import results
from rnn_study.support.files import read_arrays, read_json

from .wording import label, origin


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
        return load_task(self.root / "data" / "prepared" / f"{name}.npz")

    def _folders(self, name: str, backend: str, cell: str) -> list[Path]:
        seeds = self.tasks[name]["backends"][backend]["cells"][cell]["seeds"]
        return [results.run_folder(self.root / "runs", name, backend, cell, seed) for seed in seeds]

    def histories(self, name: str, backend: str, cell: str) -> list[list[dict[str, float]]]:
        """Each seed's rows of epochs."""
        return [results.read_history(folder) for folder in self._folders(name, backend, cell)]

    def predictions(self, name: str, backend: str, cell: str, part: str) -> np.ndarray:
        """Every seed's outputs on `part`: (seeds, N, K)."""
        return np.stack([results.read_predictions(folder)[part] for folder in self._folders(name, backend, cell)])

    @property
    def given(self) -> str:
        """What the figures of tuned cells rest on, for captions."""
        count = self.summary["searches"]
        return "given this one search for settings" if count == 1 else f"over {count} searches for settings"

    def trials(self, task: str) -> dict[str, list[list[float]]]:
        """Of each cell and search the validation score of every trial."""
        found = read_json(self.root / "runs" / f"tune-{task}" / "trials.json")
        return {cell: [[row["score"] for row in rows] for rows in searches] for cell, searches in found.items()}

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """The answers to the study's questions, see `verdicts.answers`."""
        return read_json(self.root / "metrics" / "verdicts.json")["verdicts"]

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
    def defaults(self) -> dict[tuple[str, str], dict[str, float]]:
        """By (task, cell), how far apart each default leads a short training, see `parity.trainings.defaults`."""
        found = read_json(self.root / "runs" / "parity" / "defaults.json")
        return {tuple(key.split("/")): gaps for key, gaps in found.items()}

    @cached_property
    def worked(self) -> dict[str, Any]:
        """The worked cases, see `parity.worked_examples.figures`."""
        return read_json(self.root / "runs" / "parity" / "worked.json")

    @cached_property
    def training_settings(self) -> dict[str, Any]:
        """How the short trainings are made, see `parity.trainings.SETTINGS`."""
        return read_json(self.root / "runs" / "parity" / "settings.json")

    @cached_property
    def gradients(self) -> dict[str, Any]:
        """metrics/gradients.json: contrasts, theory, figures."""
        return read_json(self.root / "metrics" / "gradients.json")

    @cache  # noqa: B019 (a study lives as long as its report)
    def profiles(self, name: str) -> profiles.Profiles:
        """What was seen in the networks of a task or problem, see `diagnostics.profile`."""
        return profiles.load(self.root / profiles.profiles_file(name))

    def cells(self, name: str) -> list[str]:
        """The variants of a task that were looked at from all sides: its cells, without ablations."""
        return [
            variant for variant, stages in self.profiles(name).items() if "carry" in stages.get(profiles.TRAINED, {})
        ]

    @cache  # noqa: B019
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
        return read_json(self.root / "metrics" / "ablate" / f"{problem}.json")

    @cached_property
    def long_range(self) -> dict[str, Any]:
        """metrics/long_range.json: tables of figures."""
        return read_json(self.root / "metrics" / "long_range.json")

    def rows(self, table: str, problem: str, **wanted: str) -> list[dict[str, Any]]:
        """The rows of one of its tables about one problem, and with these values."""
        wanted = {"problem": problem} | wanted
        return [row for row in self.long_range[table] if wanted.items() <= row.items()]

    @property
    def walked(self) -> list[str]:
        """The problems whose length frontier was looked for."""
        return list(dict.fromkeys(row["problem"] for row in self.long_range["frontiers"]))

    @cache  # noqa: B019
    def frontier(self, problem: str) -> dict[str, Any]:
        """metrics/frontier/<problem>.json: what the problem is, and its runs."""
        return read_json(self.root / "metrics" / "frontier" / f"{problem}.json")

    def contender(self, problem: str, variant: str) -> str:
        """How a report writes a variant of a frontier: its cell and, of an ablation, what it is called."""
        found = self.frontier(problem)["ablations"].get(variant)
        return f"{label(found['of'])} {found['label'].replace('_', ' ')}" if found else label(variant)

    def drawn(self, problem: str) -> str:
        """The data behind a frontier, for captions."""
        records = self.frontier(problem).get("provenance")
        return "data: " + ("; ".join(map(origin, records)) if records else "generated, each run from its own seed")

    @cached_property
    def shapes(self) -> dict[str, Any]:
        """metrics/sequence_shapes.json: systems, tutorials, scores, found."""
        return read_json(self.root / "metrics" / "sequence_shapes.json")

    @cached_property
    def shape_samples(self) -> dict[str, Any]:
        """data/sequence_shapes.json: what networks wrote and looked at, see `behaviour.shapes`."""
        return read_json(self.root / "data" / "sequence_shapes.json")

    @cached_property
    def shape_cards(self) -> dict[str, Any]:
        """metrics/shapes/data.json: the data card of every system."""
        return read_json(self.root / "metrics" / "shapes" / "data.json")

    def shape_task(self, name: str) -> Task:
        return load_task(self.root / "data" / "shapes" / f"{name}.npz")

    def shape_source(self, name: str) -> str:
        """The data behind a system, for captions."""
        return "data: " + "; ".join(map(origin, self.shape_cards[name]["provenance"]))

    @cached_property
    def unrolling(self) -> dict[str, Any]:
        """benchmarks/results/unrolling.json."""
        return read_json(self.root / "benchmarks" / "results" / "unrolling.json")

    def updates(self, name: str, variant: str) -> list[dict[str, np.ndarray]]:
        """Of each seed what every update saw, see `model.backend.EpochTrace`."""
        framework, seeds = self.gradients["framework"], self.profiles(name)[variant][profiles.TRAINED]["seeds"]
        folders = [results.run_folder(self.root / "runs", name, framework, variant, int(seed)) for seed in seeds]
        return [results.read_updates(folder) for folder in folders]

    def variant(self, name: str, variant: str) -> str:
        """How a report writes a variant: its cell and, of an ablation, what it is called."""
        if name in self.tasks:
            return label(variant)
        found = self.ablation(name)["cells"].get(variant, {})
        return f"{label(found['of'])} {found['label'].replace('_', ' ')}" if "of" in found else label(variant)

    def provenance(self, name: str) -> list[dict[str, Any]]:
        """Where the data of a task or problem comes from, from its data card."""
        return read_json(self.root / "metrics" / "data" / f"{name}.json")["provenance"]

    def source(self, name: str) -> str:
        """The data behind a task or problem, for captions."""
        return "data: " + "; ".join(map(origin, self.provenance(name)))
