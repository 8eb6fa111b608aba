"""Optuna: each cell's own settings, from the validation part alone.

Trials run in rounds. All trials of a round are asked for before any is told, each from a fresh sampler seeded
by its number, so the search is the same on any number of cores; the cells share these seeds, so their first
rounds try the same points. A search is always played from its first trial: the run store makes the trials that
were finished before free, which is how a killed or lengthened search goes on. Each cell's study lies in one SQLite
file that Optuna's own tools open; deleting it changes no result.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

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
from .run import results
from .run.spec import RunSpec

STORAGE = "sqlite:///optuna.db"

optuna.logging.set_verbosity(optuna.logging.WARNING)


def _trial_spec(config: Config, task: Task, cell: str, settings: Settings) -> RunSpec:
    """A trial: shorter than a run of the study, on a seed the study does not use, blind to the test parts."""
    params = config.task(task.name).tuning
    full = spec(config, task, cell, TUNES, settings, config.tuning.seed)
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


def _name(task: Task, cell: str) -> str:
    return f"{task.name}/{cell}"


def _open(task: Task, cells: Iterable[str]) -> dict[str, optuna.Study]:
    """An empty study of each cell in the place of the one that is stored."""
    direction = "maximize" if task.higher_is_better else "minimize"
    names = {cell: _name(task, cell) for cell in cells}
    try:
        storage = optuna.storages.get_storage(STORAGE)  # once, for opening it checks its tables
        stored = optuna.get_all_study_names(storage)
        for name in names.values():
            if name in stored:
                optuna.delete_study(study_name=name, storage=storage)
        return {
            cell: optuna.create_study(storage=storage, study_name=name, direction=direction)
            for cell, name in names.items()
        }
    except (SQLAlchemyError, RuntimeError) as error:
        fault = str(error).splitlines()[0]
        raise StudyError(f"optuna.db: {fault}: expected Optuna's studies; move it away, it is made anew") from None


def _ask(study: optuna.Study, config: Config, space: dict[str, FloatDistribution]) -> optuna.Trial:
    number = len(study.get_trials(deepcopy=False))
    seed = int(np.random.SeedSequence([config.tuning.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=config.tuning.round, seed=seed)
    return study.ask(space)


def tune(config: Config, task: Task, executor: Executor) -> Iterator[Event]:
    """Search for every cell of `task`, the cells' rounds together; yields the events of the trials' runs."""
    cells = config.task(task.name).cells
    studies = _open(task, cells)
    spaces = {cell: _space(config, task.name, cell) for cell in cells}
    for start in range(0, config.tuning.trials, config.tuning.round):
        size = min(config.tuning.round, config.tuning.trials - start)
        asked = [
            (study, cell, _ask(study, config, spaces[cell])) for cell, study in studies.items() for _ in range(size)
        ]
        specs = [_trial_spec(config, task, cell, trial.params) for _, cell, trial in asked]
        events = []
        for event in executor.stream(list(dict.fromkeys(specs))):
            yield event
            events.append(event)
        for (study, _, trial), run in zip(asked, in_order(specs, events), strict=True):
            study.tell(trial, results.read_summary(run.folder)["scores"]["validation"])


def trials(config: Config, task: Task) -> dict[str, list[dict[str, float]]]:
    """Each cell's trials in order, of a search that has ended: number, settings, validation score."""
    storage, table = optuna.storages.get_storage(STORAGE), {}
    for cell in config.task(task.name).cells:
        told = optuna.load_study(study_name=_name(task, cell), storage=storage).get_trials(deepcopy=False)
        table[cell] = [{"number": trial.number, **trial.params, "score": trial.value} for trial in told]
    return table


def best(config: Config, task: Task, table: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """For each cell the settings of its best trial (the first of equals), as tuned/<task>.yaml holds them."""
    sign = 1 if task.higher_is_better else -1
    chosen = {}
    for cell, rows in table.items():
        row = max(rows, key=lambda row: sign * row["score"])
        settings = {name: float(f"{row[name]:.6g}") for name in _space(config, task.name, cell)}
        settings |= config.task(task.name).cells[cell].fixed
        chosen[cell] = {"settings": settings, "trials": len(rows), "validation_score": row["score"]}
    return chosen
