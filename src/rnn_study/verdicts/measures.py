"""What a question measures: a - b with its spread, and p of no difference."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients.quantities import FEWEST_LAGS, arrives, over_both
from rnn_study.behaviour.long_range.quantities import reach, seed_table, speed
from rnn_study.config import Arrives, Config, Question, Reach, Score, Speed
from rnn_study.statistics import marks, survival
from rnn_study.statistics.verdict import Case
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json

AXIS = "budget"  # contenders of a question have as many weights


class Evidence:
    """What the finished study `config` left that questions are asked of, each file read once."""

    def __init__(self, config: Config):
        self.config = config
        self.scored = cache(lambda task: marks.of_task(config, task))
        self.frontier = cache(lambda problem: read_json(Path(f"metrics/frontier/{problem}.json")))
        self.profiles = cache(lambda task: profiles.load(profiles.profiles_file(task)))


class Measured(NamedTuple):
    """A case, and what its figures are: their unit."""

    case: Case
    unit: str


def _score(evidence: Evidence, asked: Score) -> Measured:
    """Frameworks averaged seed by seed, seeds and test examples crossed."""
    scored = evidence.scored(asked.of)
    for key, value, expected in (
        ("part", asked.part, list(scored.task.tests)),
        ("b", asked.b, [*evidence.config.task(asked.of).cells, *scored.baselines]),
    ):
        if value not in expected:
            raise StudyError(f"params.yaml: questions: {key} {value!r} of {asked.of}: expected {', '.join(expected)}")
    found = scored.difference(asked.part, asked.a, asked.b)
    expected = 1 if scored.task.higher_is_better else -1
    return Measured(
        Case(found, found.p(), asked.smallest, expected, scored.seeds), scored.task.unit or scored.task.score_name
    )


def _sides(evidence: Evidence, asked: Reach | Speed) -> list[survival.Runs]:
    return [seed_table(evidence.frontier(asked.of), AXIS, name, asked.lengths) for name in (asked.a, asked.b)]


def _reach(evidence: Evidence, asked: Reach) -> Measured:
    """How many of the lengths a seed solves."""
    compared = reach(*_sides(evidence, asked))
    return Measured(Case(compared.found, compared.p, asked.smallest, 1, compared.found.rows), "lengths")


def _speed(evidence: Evidence, asked: Speed) -> Measured:
    """Updates a length, of the budget at most."""
    compared = speed(*_sides(evidence, asked))
    return Measured(Case(compared.found, compared.p, asked.smallest, -1, compared.found.rows), "updates")


def _arrives(evidence: Evidence, asked: Arrives) -> Measured:
    """Powers of ten by which the share of the error that arrives differs from the share asked for, seeds and sequences
    crossed."""
    stages = evidence.profiles(asked.of).get(asked.a, {})
    if asked.when not in stages:
        raise StudyError(f"params.yaml: questions: a {asked.a!r} of {asked.of}: not diagnosed: expected a cell that is")
    flow, seeds = stages[asked.when]["flow"], stages[asked.when]["seeds"]
    rows = marks.by_search(evidence.config, asked.of, flow[:, 0], seeds)
    if len(rows) < 2 or flow.shape[2] <= FEWEST_LAGS:
        got = f"{len(flow)} seeds, {flow.shape[2]} steps"
        raise StudyError(
            f"params.yaml: questions: a {asked.a!r} of {asked.of}: {got}: expected 2 seeds, 4 steps at least"
        )
    apart = arrives(flow) - np.log10(asked.share)
    found = over_both(marks.by_search(evidence.config, asked.of, apart, seeds))
    return Measured(
        Case(found, found.p(), float(np.log10(asked.smallest)), 1 if asked.than == "more" else -1, len(flow)),
        "powers of ten",
    )


_MEASURES: dict[type, Callable[[Evidence, Any], Measured]] = {
    Score: _score,
    Reach: _reach,
    Speed: _speed,
    Arrives: _arrives,
}


def measure(evidence: Evidence, asked: Question) -> Measured:
    """The figures of a question in a finished study; a StudyError where it asks of what was not run."""
    return _MEASURES[type(asked)](evidence, asked)
