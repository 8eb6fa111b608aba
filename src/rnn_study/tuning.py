"""Optuna: each cell's own settings, from the validation part alone.

Trials run in rounds. All trials of a round are asked for before any is told, each from a fresh sampler seeded
by its number, so the search is the same on any number of cores and after any interruption. The studies lie in
one SQLite file that Optuna's own tools open and that a later run resumes; deleting it changes no result.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from . import results
from .backends import BACKENDS
from .config import Config, Interval
from .executor import Event, Executor, Finished
from .experiments import Settings, spec
from .run_store import run_id
from .task import Task
from .train import RunSpec

STORAGE = "sqlite:///optuna.db"
BACKEND = BACKENDS[0]  # one framework tunes for both: they compute the same updates

optuna.logging.set_verbosity(optuna.logging.WARNING)


def _trial_spec(config: Config, task: Task, cell: str, settings: Settings) -> RunSpec:
    """A trial: shorter than a run of the study, on a seed the study does not use, blind to the test parts."""
    params = config.task(task.name).tuning
    full = spec(config, task, cell, BACKEND, settings, config.tuning.seed)
    return replace(full, epochs=params.epochs, patience=params.epochs, examples=params.examples, tests=False)


def _space(config: Config) -> dict[str, FloatDistribution]:
    """The same space for every cell."""

    def between(interval: Interval, log: bool) -> FloatDistribution:
        return FloatDistribution(interval.low, interval.high, log=log)

    space = config.tuning
    return {
        "learning_rate": between(space.learning_rate, log=True),
        "clip": between(space.clip, log=True),
        "dropout": between(space.dropout, log=False),
    }


def _open(config: Config, task: Task, cell: str, executor: Executor) -> optuna.Study:
    """The stored study of `cell`; whatever shapes the outcome of its trials is in its name."""
    base = _trial_spec(config, task, cell, dict.fromkeys(_space(config), 0.0))
    shape = [run_id(base, executor.environment), config.tuning.model_dump(exclude={"trials"})]
    name = f"{task.name}/{cell}/{sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:12]}"
    direction = "maximize" if task.higher_is_better else "minimize"
    return optuna.create_study(storage=STORAGE, study_name=name, direction=direction, load_if_exists=True)


def _running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.RUNNING])


def _ask_round(study: optuna.Study, config: Config) -> None:
    """Ask until the current round is full."""
    asked = len(study.get_trials(deepcopy=False))
    end = min((asked // config.tuning.round + 1) * config.tuning.round, config.tuning.trials)
    for number in range(asked, end):
        seed = int(np.random.SeedSequence([config.tuning.seed, number]).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=config.tuning.round, seed=seed)
        study.ask(_space(config))


def tune(config: Config, task: Task, executor: Executor) -> Iterator[Event]:
    """Search for every cell of `task`, the cells' rounds together; yields the events of the trials' runs."""
    studies = {cell: _open(config, task, cell, executor) for cell in config.task(task.name).cells}
    while True:
        asked: dict[RunSpec, list[tuple[str, int]]] = {}
        for cell, study in studies.items():
            if not _running(study):  # else an interrupted round, to be finished first
                _ask_round(study, config)
            for trial in _running(study):
                asked.setdefault(_trial_spec(config, task, cell, trial.params), []).append((cell, trial.number))
        if not asked:
            return
        scores: dict[RunSpec, float] = {}
        for event in executor.stream(list(asked)):
            yield event
            if isinstance(event, Finished):
                known = replace(event.spec, device=config.device)
                scores[known] = results.read_summary(event.folder)["scores"]["validation"]
        told = [(cell, number, scores[known]) for known, trials in asked.items() for cell, number in trials]
        for cell, number, score in sorted(told):
            studies[cell].tell(number, score)


def trials(config: Config, task: Task, executor: Executor) -> dict[str, list[dict[str, float]]]:
    """Each cell's trials in order: number, settings, validation score."""
    table = {}
    for cell in config.task(task.name).cells:
        told = _open(config, task, cell, executor).get_trials(deepcopy=False)[: config.tuning.trials]
        table[cell] = [{"number": trial.number, **trial.params, "score": trial.value} for trial in told]
    return table


def best(config: Config, task: Task, table: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """For each cell the settings of its best trial (the first of equals), as tuned/<task>.yaml holds them."""
    sign = 1 if task.higher_is_better else -1
    chosen = {}
    for cell, rows in table.items():
        row = max(rows, key=lambda row: sign * row["score"])
        settings = {name: float(f"{row[name]:.6g}") for name in _space(config)}
        chosen[cell] = {"settings": settings, "trials": len(rows), "validation_score": row["score"]}
    return chosen
