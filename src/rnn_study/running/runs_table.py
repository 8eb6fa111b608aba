"""Every training run of the finished study as one tidy table, metrics/runs.csv; its columns: docs/runs-table.md."""

import csv
import io
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

from rnn_study.config import Problems, Tasks
from rnn_study.data.data_card import read_card
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic, read_json, sha256

from .run import results, store

STAGES = ("tune", "train", "untuned", "controls", "ablate", "frontier", "shapes")
PARTS = ("validation", "test")  # that every study scores; others come after them
OF_PART = "score_"  # before a part, the name of the column that holds the score on it

Row = dict[str, Any]


def stage_of(folder: Path, task: str) -> str:
    """The stage that published a run of `task` in `folder`, relative to runs/."""
    stage = folder.parts[0].partition("-")[0]
    if stage in STAGES:
        return stage
    return "ablate" if task in Problems.model_fields else "train"


def _place(folder: Path, task: str) -> Row:
    """What only the place of a run below runs/ tells: the stage that published it, a frontier's axis, a trial."""
    stage = stage_of(folder, task)
    return {
        "stage": stage,
        "axis": folder.parts[1] if stage == "frontier" else None,
        "trial": int(folder.name.removeprefix("trial-")) if stage == "tune" else None,
    }


def tasks(metrics: Path) -> set[str]:
    """The tasks, problems and systems of shapes that the study has: DVC leaves the runs of one that it had."""
    systems = metrics / "shapes" / "data.json"
    return {*Tasks.model_fields, *Problems.model_fields, *(read_json(systems) if systems.is_file() else ())}


def _about(metrics: Path, task: str, data: str | None) -> Row:
    """The card of what a run learned from: of the prepared file `data`, or of a frontier's problem."""
    if data is None:
        return read_json(metrics / "frontier" / f"{task}.json")
    if Path(data).parent.name == "shapes":
        return read_json(metrics / "shapes" / "data.json")[task]
    return read_card(metrics / "data" / f"{task}.json")


def _length(data: Any, about: Row) -> int:
    """T of the longest sequence in the training part; of a frontier's problem, the T that names it."""
    if isinstance(data, str):
        return about["parts"]["train"]["x"][1]
    return data["side"] ** 2 if "side" in data else data["steps"]


def _alike(values: list[Any]) -> Any:
    """What all layers have, else that of each, joined by `+`; None without layers."""
    different = list(dict.fromkeys(values))
    return "+".join(map(str, values)) if len(different) > 1 else different[0] if different else None


def _row(runs: Path, folder: Path, known: set[str], about_data: Callable[[str, str | None], Row]) -> Row | None:
    """The row of the run in `folder`; None where it learned from what is no longer `known`."""
    if not (folder / store.SPEC).is_file():
        raise StudyError(f"{folder / store.SPEC}: not found: expected what determined the run; run: dvc repro")
    spec, summary = read_json(folder / store.SPEC), results.read_summary(folder)
    network, data, task = spec["network"], spec["data"], spec["task"]
    if isinstance(data, str) and task not in known:
        return None
    # A network without recurrent layers that writes has them in its decoder.
    layers = network["layers"] or (network["decoder"] or network)["layers"]
    about = about_data(task, data if isinstance(data, str) else None)
    place = _place(folder.relative_to(runs), task)
    return {
        "stage": place["stage"],
        "task": task,
        "axis": place["axis"],
        "variant": spec["variant"],
        "cell": _alike([layer["cell"] for layer in layers]),
        "framework": spec["backend"],
        "impl": spec["impl"],
        "device": spec["device"],
        "length": _length(data, about),
        "seed": spec["seed"],
        "trial": place["trial"],
        "layers": len(layers),
        "units": _alike([layer["units"] for layer in layers]),
        "parameters": summary["parameters"],
        "parameters_with_embedding": summary["parameters_with_embedding"],
        "learning_rate": spec["optimiser"]["learning_rate"],
        "clip": spec["optimiser"]["clip"],
        "dropout": network["dropout"],
        "batch_size": spec["batch_size"],
        "epochs": summary["epochs"],
        "updates": summary["updates"],
        "examples_seen": summary["examples_seen"],
        "best_epoch": summary["best_epoch"],
        "solved": summary.get("solved"),
        "solved_at": summary.get("solved_at"),
        "diverged": summary["diverged"],
        "pruned": summary.get("pruned"),
        "score": about["score"],
        "unit": about.get("unit") or None,
        "higher_is_better": about["score"] == "accuracy",
        **{f"{OF_PART}{part}": value for part, value in summary["scores"].items()},
        "folder": folder.as_posix(),
    }


def _order(row: Row) -> tuple:
    place = (STAGES.index(row["stage"]), row["task"], row["axis"] or "", row["length"])
    return (*place, row["variant"], row["framework"], row["seed"], -1 if row["trial"] is None else row["trial"])


def rows(runs: Path, metrics: Path) -> list[Row]:
    """A row for every folder below `runs` that a stage published a run of `tasks` in, sorted; None where a column does
    not apply.

    Test parts are columns of the runs that have them. A StudyError where there is no run.
    """
    known, about_data = tasks(metrics), cache(partial(_about, metrics))
    found = [row for file in runs.rglob("result.json") if (row := _row(runs, file.parent, known, about_data))]
    if not found:
        raise StudyError(f"{runs}: no finished run: expected those of a study; run: dvc repro")
    return sorted(found, key=_order)


def columns(found: list[Row]) -> list[str]:
    """The columns of the table: those that all rows have, with a score for every part of the study before the last."""
    *head, folder = [name for name in found[0] if not name.startswith(OF_PART)]
    parts = {name.removeprefix(OF_PART) for row in found for name in row if name.startswith(OF_PART)} - {*PARTS}
    further = sorted(parts, key=lambda part: (part.isdigit(), int(part) if part.isdigit() else 0, part))
    return [*head, *(f"{OF_PART}{part}" for part in (*PARTS, *further)), folder]


def write(found: list[Row], path: Path) -> None:
    """`found` as CSV: numbers as Python writes them, which reads back the same; equal rows give equal bytes."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns(found), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    with atomic(path) as file:
        file.write(text.getvalue().encode())


def write_digests(folders: Iterable[Path], path: Path) -> None:
    """SHA-256 of every file below `folders`, as `sha256sum --check` reads them: what changes where any of them does."""
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    with atomic(path) as written:
        written.write("".join(f"{sha256(file)}  {file.as_posix()}\n" for file in files).encode())
