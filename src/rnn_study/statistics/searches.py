"""How good a search for settings is, how much of that is luck, and what it changes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Config
from rnn_study.model.task import Task
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.running.run.events import Finished

from . import crossed, marks

Row = dict[str, Any]

BAND = 0.8  # of the best of so many trials: what a reader's own search would mostly give


def expected_best(scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """The best score (T,) to expect of 1 to T trials that are drawn, with replacement, from scores (T,) of all that
    were made (Dodge et al. 2019, arXiv 1909.03004, eq. 5 and 6)."""
    ordered = np.sort(scores) if higher_is_better else np.sort(scores)[::-1]
    total = len(scores)
    below = np.arange(total + 1) / total  # the chance that a trial is among the i worst
    chances = np.diff(below[None, :] ** np.arange(1, total + 1)[:, None], axis=1)  # of the best of n being the i-th
    return chances @ ordered


def best_so_far(scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """The best of the first 1 to T of scores (T,), in the order they were made."""
    return np.maximum.accumulate(scores) if higher_is_better else np.minimum.accumulate(scores)


def band_of_best(scores: np.ndarray, higher_is_better: bool, level: float = BAND) -> tuple[np.ndarray, np.ndarray]:
    """Between which scores, the lower one first, the best of 1 to T trials lies with chance `level`, as much beyond it
    on either side, where trials are drawn, with replacement, from scores (T,): the quantiles of `expected_best`."""
    ordered = np.sort(scores) if higher_is_better else np.sort(scores)[::-1]
    total, draws = len(scores), np.arange(1, len(scores) + 1)

    def quantile(share: float) -> np.ndarray:
        place = np.ceil(total * share ** (1 / draws) - 1e-9)  # the best of n is among the i worst with chance (i / T)^n
        return ordered[np.maximum(place.astype(int), 1) - 1]

    low, high = quantile((1 - level) / 2), quantile((1 + level) / 2)
    return (low, high) if higher_is_better else (high, low)


def _against_untuned(config: Config, task: Task, cell: str, untuned: Sequence[Path]) -> Iterator[Row]:
    """For each test part the mean score of a cell with the settings that tuning found, without, and the difference with
    its interval, over the same seeds and test examples."""
    seeds, searches = config.seeds[: len(untuned)], config.tuning.searches
    tuned = [results.run_folder(Path("runs"), task.name, experiments.TUNES, cell, seed) for seed in seeds]
    with_, without = (marks.of_runs(task, folders, searches) for folders in (tuned, untuned))
    for part in task.tests:
        found = crossed.mean(with_[part] - without[part], task.ordered)
        low, high = found.interval()[1:]
        scores = {"tuned": float(with_[part].mean()), "untuned": float(without[part].mean())}
        yield {"part": part, **scores, "difference": found.value, "interval": [low, high], "n": len(seeds)}


def table(config: Config, task: Task, found: Mapping[str, Row], finished: Sequence[Finished]) -> Row:
    """What the searches for settings of a task gave: of each cell what `found` holds of it, and how it compares with
    the untuned runs."""
    cells = {}
    for cell, about in found.items():
        untuned = [run.folder for run in finished if (run.spec.task, run.spec.variant) == (task.name, cell)]
        cells[cell] = dict(about) | {"against_untuned": list(_against_untuned(config, task, cell, untuned))}
    about = {"score": task.score_name, "unit": task.unit, "higher_is_better": task.higher_is_better}
    return about | {"cells": cells}
