"""What every run makes of every test example: the figures behind scores and their comparisons."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_study.config import Config
from rnn_study.data.baselines_file import read
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.model.backend import BACKENDS
from rnn_study.model.task import WORST, Task, score_of
from rnn_study.running import experiments
from rnn_study.running.run import results

from . import crossed
from .crossed import Mean

Marks = dict[str, np.ndarray]  # test part -> (seeds, examples); the mean over examples is a seed's score


def as_scores(marks: np.ndarray, score: str) -> np.ndarray:
    """`Task.marks` (..., N) such that their mean over examples is the score.

    Of squared errors e these are r / 2 + e / (2 r), r their root mean: the root's linearisation (the delta method).
    """
    if score == "accuracy":
        return np.asarray(marks, float)
    roots = np.apply_along_axis(lambda row: score_of(score, row), -1, marks)[..., None]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = roots / 2 + marks / (2 * roots)
    return np.where((roots == 0) | (roots == WORST), roots, found)


def of_runs(task: Task, folders: Sequence[Path], searches: int = 1) -> Marks:
    """Of runs, a seed each, what every example of the validation and test parts adds to its score.

    Where settings were searched for more than once, seeds of one search are not independent of each other: a row is
    then a search, the mean of its seeds.
    """
    seeds = [results.read_predictions(folder) for folder in folders]
    found = {
        part: as_scores(np.stack([task.marks(outputs[part], part) for outputs in seeds]), task.score_name)
        for part in seeds[0]
    }
    if searches == 1:
        return found
    return {part: _means(x, np.arange(len(x)) % searches) for part, x in found.items()}


def _means(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Of x (S, ...) the mean of the rows of each search, where `of` (S,) names them."""
    return np.stack([x[of == k].mean(axis=0) for k in np.unique(of)])


def by_search(config: Config, task: str, x: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
    """x (S, ...) of `seeds` as rows that are independent of each other, as in `of_runs`: of a task whose settings were
    searched for more than once the mean of the seeds of each search, which the study's seeds take in turn."""
    searches = config.tuning.searches if task in config.tuned else 1
    if searches == 1:
        return x
    return _means(x, np.array([config.seeds.index(seed) % searches for seed in seeds]))


class Scored(NamedTuple):
    """Everything that was tried on a task, example by example: `runs` by backend and cell, with so many `seeds`;
    `baselines` by name, whose marks are of no seed, (examples,)."""

    task: Task
    seeds: int
    runs: dict[str, dict[str, Marks]]
    baselines: dict[str, Marks]

    def averaged(self, cell: str, part: str) -> np.ndarray:
        """What the runs of a cell make of each example, (seeds, examples), the frameworks averaged seed by seed: they
        are one experiment that was computed twice."""
        return np.mean([cells[cell][part] for cells in self.runs.values()], axis=0)

    def mean(self, cell: str, part: str) -> Mean:
        return crossed.mean(self.averaged(cell, part), self.task.ordered)

    def difference(self, part: str, a: str, b: str) -> Mean:
        """Cell a less cell, or baseline, b."""
        other = self.baselines[b][part] if b in self.baselines else self.averaged(b, part)
        return crossed.mean(self.averaged(a, part) - other, self.task.ordered)

    def frameworks(self, part: str, cell: str, a: str, b: str) -> Mean:
        """The cell in framework a less the same in b."""
        return crossed.mean(self.runs[a][cell][part] - self.runs[b][cell][part], self.task.ordered)


def of_task(config: Config, name: str) -> Scored:
    """Read what the pipeline left of the task `name`."""
    task = load_task(prepared_file(name))

    def runs(backend: str, cell: str) -> Marks:
        seeds = experiments.seeds(config, name, cell)
        folders = [results.run_folder(Path("runs"), name, backend, cell, seed) for seed in seeds]
        return of_runs(task, folders, config.tuning.searches)

    found = {backend: {cell: runs(backend, cell) for cell in config.task(name).cells} for backend in BACKENDS}
    baselines = {
        rule: {part: as_scores(values, task.score_name) for part, values in parts.items()}
        for rule, parts in read(name).items()
    }
    return Scored(task, len(config.seeds), found, baselines)
