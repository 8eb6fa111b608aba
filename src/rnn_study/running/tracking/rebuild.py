"""Every finished run logged once more, from its files: for a store that was lost, or that was not there."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from rnn_study.running.execution import frameworks
from rnn_study.running.run import store
from rnn_study.running.run.events import Finished
from rnn_study.running.runs_table import stage_of, tasks
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json
from rnn_study.support.progress import ticking

from . import Tracker, card_tags, data_tags

# The stages that give each cell's mean an interval, and where.
_TABLES = {"train": "metrics/train/{task}-{backend}.json", "ablate": "metrics/ablate/{task}.json"}


def _finished(folder: Path, here: Callable[[str], dict[str, str] | None]) -> Finished:
    """The run that is published in `folder`; its versions are told where they are those of this environment, which
    `here` gives by framework."""
    spec, run = store.read_spec(folder), store.read_id(folder)
    environment = here(spec.backend) or {}
    if not environment or store.run_id(spec, environment) != run:
        environment = {}
    return Finished(run, spec, store.find(run) or folder, environment, reused=True)


def _tags(task: str, kind: str) -> dict[str, str]:
    return card_tags(read_json(Path(f"metrics/frontier/{task}.json"))) if kind == "frontier" else data_tags(task)


def _groups(root: Path) -> Iterator[tuple[str, str, list[Finished]]]:
    """Every kind and framework with its runs, each once."""
    here, known = cache(frameworks.environment), tasks(Path("metrics"))
    found: dict[tuple[str, str], dict[tuple[str, str], Finished]] = defaultdict(dict)
    for file in sorted(root.rglob(store.SPEC)):
        run = _finished(file.parent, here)
        if isinstance(run.spec.data, str) and run.spec.task not in known:
            continue
        kind = stage_of(file.parent.relative_to(root), run.spec.task)
        found[kind, run.spec.backend][run.spec.task, run.run] = run
    for (kind, backend), runs in found.items():
        yield kind, backend, list(runs.values())


def log_all(root: Path) -> int:
    """Log all runs published under `root` that MLflow does not have; how many there are. A StudyError where it cannot
    be reached."""
    if not any(root.rglob(store.SPEC)):
        raise StudyError(f"{root}: no finished run: expected those of a study; run: dvc repro")
    count = 0
    for kind, backend, runs in _groups(root):
        names = dict.fromkeys(run.spec.task for run in runs)
        with Tracker(kind, backend, {task: _tags(task, kind) for task in names}) as tracker:
            for run in ticking(runs, f"track: {kind} {backend}"):
                tracker.log(run)
            if kind in _TABLES:
                tables = {task: read_json(Path(_TABLES[kind].format(task=task, backend=backend))) for task in names}
                tracker.summarise(runs, tables)
        if tracker.lost:
            raise StudyError(f"MLflow: lost before all of {kind} {backend} were logged: expected it to last")
        count += len(runs)
    return count
