"""Optuna: each cell's own settings, from the validation part alone.

Trials run in rounds. All trials of a round are asked for before any is told, each from a fresh sampler seeded
by its number, so the search is the same on any number of cores; the cells share these seeds, so their first
rounds try the same points. What a search finds is random too: a cell is searched as often as params.yaml says, each
time from seeds of its own. A search is always played from its first trial: the run store makes the trials that were
finished before free, which is how a killed or lengthened search goes on. Each search's study lies in one SQLite
file that Optuna's own tools open; deleting it changes no result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from sqlalchemy.exc import SQLAlchemyError

from rnn_study.config import Config, Interval
from rnn_study.model.task import Task
from rnn_study.support.errors import StudyError

from .events import Event, in_order
from .executor import Executor
from .experiments import TUNES, Settings, spec
from .run import results, store
from .run.spec import RunSpec

STORAGE = "sqlite:///optuna.db"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class _Search(NamedTuple):
    cell: str
    number: int  # from 0

    def seed(self, config: Config) -> int:
        return config.tuning.seed + self.number

    def name(self, task: Task) -> str:
        return f"{task.name}/{self.cell}/{self.number + 1}"


def _searches(config: Config, task: Task) -> list[_Search]:
    return [_Search(cell, k) for cell in config.task(task.name).cells for k in range(config.tuning.searches)]


def _trial_spec(config: Config, task: Task, search: _Search, settings: Settings) -> RunSpec:
    """A trial: shorter than a run of the study, on a seed the study does not use, blind to the test parts."""
    params = config.task(task.name).tuning
    full = spec(config, task, search.cell, TUNES, settings, search.seed(config))
    return replace(
        full, epochs=params.epochs, patience=params.epochs, examples=params.examples, tests=False, checkpoints=()
    )


def _space(config: Config, task: str, name: str) -> dict[str, FloatDistribution]:
    """The same space for every variant, without what variant `name` fixes."""

    def between(interval: Interval, log: bool) -> FloatDistribution:
        return FloatDistribution(interval.low, interval.high, log=log)

    space = config.tuning
    whole = {
        "learning_rate": between(space.learning_rate, log=True),
        "clip": between(space.clip, log=True),
        "dropout": between(space.dropout, log=False),
    }
    return {key: found for key, found in whole.items() if key not in config.task(task).cells[name].fixed}


def _open(task: Task, searches: Sequence[_Search]) -> dict[_Search, optuna.Study]:
    """An empty study of each search in the place of the one that is stored."""
    direction = "maximize" if task.higher_is_better else "minimize"
    own = tuple(f"{task.name}/{cell}/" for cell in dict.fromkeys(search.cell for search in searches))
    try:
        storage = optuna.storages.get_storage(STORAGE)  # once, for opening it checks its tables
        for name in optuna.get_all_study_names(storage):
            if name.startswith(own):
                optuna.delete_study(study_name=name, storage=storage)
        return {
            search: optuna.create_study(storage=storage, study_name=search.name(task), direction=direction)
            for search in searches
        }
    except (SQLAlchemyError, RuntimeError) as error:
        fault = str(error).splitlines()[0]
        raise StudyError(f"optuna.db: {fault}: expected Optuna's studies; move it away, it is made anew") from None


def _ask(study: optuna.Study, config: Config, task: Task, search: _Search) -> optuna.Trial:
    number = len(study.get_trials(deepcopy=False))
    seed = int(np.random.SeedSequence([search.seed(config), number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=config.tuning.round, seed=seed)
    return study.ask(_space(config, task.name, search.cell))


def folder(task: str) -> Path:
    """Where the pipeline keeps what the searches for the settings of `task` tried."""
    return Path("runs") / f"tune-{task}"


def tune(config: Config, task: Task, executor: Executor) -> Iterator[Event]:
    """Search for every cell of `task`, the rounds of all searches together; yields the events of the trials' runs.

    Each trial's files go to <cell>/search-<n>/trial-<n> in `folder`, searches counted from 1 and trials from 0.
    """
    studies = _open(task, _searches(config, task))
    for start in range(0, config.tuning.trials, config.tuning.round):
        size = min(config.tuning.round, config.tuning.trials - start)
        asked = [
            (study, search, _ask(study, config, task, search)) for search, study in studies.items() for _ in range(size)
        ]
        specs = [_trial_spec(config, task, search, trial.params) for _, search, trial in asked]
        events = []
        for event in executor.stream(list(dict.fromkeys(specs))):
            yield event
            events.append(event)
        for (study, search, trial), run in zip(asked, in_order(specs, events), strict=True):
            study.tell(trial, results.read_summary(run.folder)["scores"]["validation"])
            place = Path(search.cell) / f"search-{search.number + 1}" / f"trial-{trial.number}"
            store.publish(run.folder, folder(task.name) / place)


Trials = dict[str, list[list[dict[str, float]]]]  # of each cell its searches, of each its trials


def trials(config: Config, task: Task) -> Trials:
    """The trials of each search that has ended, in order: number, settings, validation score."""
    storage, table = optuna.storages.get_storage(STORAGE), {}
    for search in _searches(config, task):
        told = optuna.load_study(study_name=search.name(task), storage=storage).get_trials(deepcopy=False)
        rows = [{"number": trial.number, **trial.params, "score": trial.value} for trial in told]
        table.setdefault(search.cell, []).append(rows)
    return table


def best(config: Config, task: Task, table: Trials) -> dict[str, list[dict[str, Any]]]:
    """Of each cell and search the settings of the best trial (the first of equals), as tuned/<task>.yaml holds them."""
    sign = 1 if task.higher_is_better else -1
    chosen = {}
    for cell, searches in table.items():
        for rows in searches:
            row = max(rows, key=lambda row: sign * row["score"])
            settings = {name: float(f"{row[name]:.6g}") for name in _space(config, task.name, cell)}
            settings |= config.task(task.name).cells[cell].fixed
            found = {"settings": settings, "trials": len(rows), "validation_score": row["score"]}
            chosen.setdefault(cell, []).append(found)
    return chosen
