"""What a question measures: a - b with its spread, and p of no difference."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients.quantities import FEWEST_LAGS, arrives, over_both
from rnn_study.behaviour.long_range.quantities import seed_table
from rnn_study.config import Arrives, Config, Question, Reach, Score, Speed
from rnn_study.statistics import crossed, marks, survival
from rnn_study.statistics.verdict import Case
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json

AXIS = "budget"  # contenders of a question have as many weights


class Study:
    """The figures of the finished study `config`, each file read once."""

    def __init__(self, config: Config):
        self.config = config
        self.scored = cache(lambda task: marks.of_task(config, task))
        self.frontier = cache(lambda problem: read_json(Path(f"metrics/frontier/{problem}.json")))
        self.profiles = cache(lambda task: profiles.load(profiles.profiles_file(task)))


class Measured(NamedTuple):
    """A case, and what its figures are: their unit."""

    case: Case
    unit: str


def _score(study: Study, asked: Score) -> Measured:
    """Frameworks averaged seed by seed, seeds and test examples crossed."""
    scored = study.scored(asked.of)
    for key, value, expected in (
        ("part", asked.part, list(scored.task.tests)),
        ("b", asked.b, [*study.config.task(asked.of).cells, *scored.baselines]),
    ):
        if value not in expected:
            raise StudyError(f"params.yaml: questions: {key} {value!r} of {asked.of}: expected {', '.join(expected)}")
    found = scored.difference(asked.part, asked.a, asked.b)
    expected = 1 if scored.task.higher_is_better else -1
    return Measured(
        Case(found, found.p(), asked.smallest, expected, scored.seeds), scored.task.unit or scored.task.score_name
    )


def _sides(study: Study, asked: Reach | Speed) -> list[survival.Runs]:
    return [seed_table(study.frontier(asked.of), AXIS, name, asked.lengths) for name in (asked.a, asked.b)]


def _reach(study: Study, asked: Reach) -> Measured:
    """How many of the lengths a seed solves; lengths that a contender never came to count as not solved."""
    one, other = (side.solved.sum(axis=1) for side in _sides(study, asked))
    found = crossed.between(one, other)
    return Measured(Case(found, survival.compare_reaches(one, other), asked.smallest, 1, found.rows), "lengths")


def _speed(study: Study, asked: Speed) -> Measured:
    """Updates a length, of the budget at most, over the lengths that both came to (where there is none, all: whoever
    never came to one is censored there); p of the log-rank test that is stratified by length."""
    one, other = _sides(study, asked)
    both = one.ran & other.ran
    both |= not both.any()
    one, other = (side.at(both) for side in (one, other))
    found = crossed.between(one.updates.mean(axis=1), other.updates.mean(axis=1))
    return Measured(Case(found, survival.logrank(one, other), asked.smallest, -1, found.rows), "updates")


def _arrives(study: Study, asked: Arrives) -> Measured:
    """Powers of ten by which the share of the error that arrives differs from the share asked for, seeds and sequences
    crossed."""
    stages = study.profiles(asked.of).get(asked.a, {})
    if asked.when not in stages:
        raise StudyError(f"params.yaml: questions: a {asked.a!r} of {asked.of}: not diagnosed: expected a cell that is")
    flow = stages[asked.when]["flow"]
    if len(flow) < 2 or flow.shape[2] <= FEWEST_LAGS:
        got = f"{len(flow)} seeds, {flow.shape[2]} steps"
        raise StudyError(
            f"params.yaml: questions: a {asked.a!r} of {asked.of}: {got}: expected 2 seeds, 4 steps at least"
        )
    found = over_both(arrives(flow) - np.log10(asked.share))
    return Measured(
        Case(found, found.p(), float(np.log10(asked.smallest)), 1 if asked.than == "more" else -1, found.rows),
        "powers of ten",
    )


_MEASURES: dict[type, Callable[[Study, Any], Measured]] = {
    Score: _score,
    Reach: _reach,
    Speed: _speed,
    Arrives: _arrives,
}


def measure(study: Study, asked: Question) -> Measured:
    """The figures of a question in a finished study; a StudyError where it asks of what was not run."""
    return _MEASURES[type(asked)](study, asked)
