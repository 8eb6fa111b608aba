"""Optuna: each cell's own settings, from the validation part alone.

Trials run in rounds. All trials of a round are asked for before any is told, each from a fresh sampler seeded
by its number, so the search is the same on any number of cores; the cells share these seeds, so their first
rounds try the same points. What a search finds is random too: a cell is searched as often as params.yaml says, each
time from seeds of its own. A trial may be pruned by what the rounds before its own reached at the same epoch: that is
known when it is asked for and a part of its run, so no core's speed decides. A search is always played from its first
trial: the run store makes the trials that were finished before free, which is how a killed or lengthened search goes
on. Each search's study lies in one SQLite file that Optuna's own tools open; deleting it changes no result.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from rnn_study.config import Config, Interval
from rnn_study.model.task import Task
from rnn_study.support.errors import StudyError

from .execution.executor import Executor
from .experiments import TUNES, spec
from .run import results, store
from .run.events import Event, in_order
from .run.spec import RunSpec
from .settings import Settings

STORAGE = "sqlite:///optuna.db"
ENOUGH = 50  # trials of a cell from which on importance is told: below, one lucky trial decides it

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


Curve = Sequence[float]  # the validation score of each epoch of a trial


def median_bar(curves: Sequence[Curve], after: int) -> tuple[tuple[int, float], ...]:
    """The epochs beyond the first `after`, and the median score there of the trials that came so far: the rule of
    `optuna.pruners.MedianPruner`."""
    longest = max(map(len, curves), default=0)
    at = {epoch: [curve[epoch - 1] for curve in curves if len(curve) >= epoch] for epoch in range(1, longest + 1)}
    medians = {epoch: float(np.median(scores)) for epoch, scores in at.items() if epoch > after}
    return tuple((epoch, score) for epoch, score in medians.items() if np.isfinite(score))


def _trial_spec(
    config: Config, task: Task, search: _Search, settings: Settings, bar: tuple[tuple[int, float], ...]
) -> RunSpec:
    """A trial: shorter than a run of the study, on a seed the study does not use, blind to the test parts."""
    params = config.task(task.name).tuning
    full = spec(config, task, search.cell, TUNES, settings, search.seed(config))
    short = {"epochs": params.epochs, "patience": params.epochs, "examples": params.examples}
    return replace(full, **short, tests=False, checkpoints=(), bar=bar)


def _space(config: Config, task: str, name: str) -> dict[str, BaseDistribution]:
    """The same space for every variant, without what variant `name` fixes or has not."""

    def between(interval: Interval, log: bool = False) -> FloatDistribution:
        return FloatDistribution(interval.low, interval.high, log=log)

    space = config.tuning
    whole = {
        "learning_rate": between(space.learning_rate, log=True),
        "clip": between(space.clip, log=True),
        "dropout": between(space.dropout),
    }
    whole |= {key: CategoricalDistribution(given) for key in ("batch_size", "depth") if (given := getattr(space, key))}
    if space.forget_bias:
        whole["forget_bias"] = between(space.forget_bias)
    searched = config.searched(task, name)
    return {key: found for key, found in whole.items() if key in searched}


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
    # Settings are proposed together, and what is asked for but not told counts as a poor trial, so that those of one
    # round differ. Both are Optuna's defaults since 5.0; written out, for results stand on them.
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=config.tuning.round, multivariate=True, constant_liar=True, seed=seed
    )
    return study.ask(_space(config, task.name, search.cell))


def folder(task: str) -> Path:
    """Where the pipeline keeps what the searches for the settings of `task` tried."""
    return Path("runs") / f"tune-{task}"


def tune(config: Config, task: Task, executor: Executor) -> Iterator[Event]:
    """Search for every cell of `task`, the rounds of all searches together; yields the events of the trials' runs.

    Each trial's files go to <cell>/search-<n>/trial-<n> in `folder`, searches counted from 1 and trials from 0.
    """
    studies = _open(task, _searches(config, task))
    curves: dict[_Search, list[Curve]] = {search: [] for search in studies}  # of the trials that were not pruned
    for start in range(0, config.tuning.trials, config.tuning.round):
        size = min(config.tuning.round, config.tuning.trials - start)
        asked = [
            (study, search, _ask(study, config, task, search)) for search, study in studies.items() for _ in range(size)
        ]
        after = config.tuning.prune
        bars = {search: median_bar(told, after) if after else () for search, told in curves.items()}
        specs = [_trial_spec(config, task, search, trial.params, bars[search]) for _, search, trial in asked]
        events = []
        for event in executor.stream(list(dict.fromkeys(specs))):
            yield event
            events.append(event)
        for (study, search, trial), run in zip(asked, in_order(specs, events), strict=True):
            summary = results.read_summary(run.folder)
            score = summary["scores"]["validation"]
            if summary.get("pruned"):
                trial.report(score, summary["epochs"])
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, score)
                curves[search].append([row["validation_score"] for row in results.read_history(run.folder)])
            place = Path(search.cell) / f"search-{search.number + 1}" / f"trial-{trial.number}"
            store.publish(run.folder, folder(task.name) / place)


Trials = dict[str, list[list[dict[str, float]]]]  # of each cell its searches, of each its trials


def trials(config: Config, task: Task) -> Trials:
    """The trials of each search that has ended, in order: number, settings, validation score; of those that were pruned
    the epoch as well."""
    storage, table = optuna.storages.get_storage(STORAGE), {}
    for search in _searches(config, task):
        told = optuna.load_study(study_name=search.name(task), storage=storage).get_trials(deepcopy=False)
        rows = [
            {"number": trial.number, **trial.params, "score": trial.value}
            | ({"pruned": trial.last_step} if trial.state == TrialState.PRUNED else {})
            for trial in told
        ]
        table.setdefault(search.cell, []).append(rows)
    return table


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.6g}")


def best(config: Config, task: Task, table: Trials) -> dict[str, list[dict[str, Any]]]:
    """Of each cell and search the settings of the best trial (the first of equals), as tuned/<task>.yaml holds them."""
    sign = 1 if task.higher_is_better else -1
    chosen = {}
    for cell, searches in table.items():
        for rows in searches:
            row = max((row for row in rows if "pruned" not in row), key=lambda row: sign * row["score"])
            settings = {name: _rounded(row[name]) for name in _space(config, task.name, cell)}
            settings |= config.task(task.name).cells[cell].fixed
            found = {"settings": settings, "trials": len(rows), "validation_score": row["score"]}
            chosen.setdefault(cell, []).append(found)
    return chosen


def importance(config: Config, task: Task, cell: str, searches: Sequence[Sequence[Settings]]) -> Settings | None:
    """How much of what tells good trials of `cell` from all of them lies in each setting, in shares that add up to 1:
    PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) over all its searches; None below `ENOUGH` trials."""
    rows = [row for rows in searches for row in rows if "pruned" not in row]
    if len(rows) < ENOUGH:
        return None
    space = _space(config, task.name, cell)
    study = optuna.create_study(direction="maximize" if task.higher_is_better else "minimize")
    for row in rows:
        params = {name: row[name] for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=row["score"]))
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def summary(config: Config, task: Task, table: Trials) -> dict[str, dict[str, Any]]:
    """Of each cell what its `searches` chose (a clip of None clips nothing), the settings' `importance`, and how many
    `trials` were made, of which so many `pruned`."""
    chosen, cells = best(config, task, table), {}
    for one in (one for searches in chosen.values() for one in searches):
        if one["settings"]["clip"] == math.inf:
            one["settings"]["clip"] = None
    for cell, searches in table.items():
        rows = [row for rows in searches for row in rows]
        counts = {"trials": len(rows), "pruned": sum("pruned" in row for row in rows)}
        cells[cell] = {"searches": chosen[cell], "importance": importance(config, task, cell, searches)} | counts
    return cells
