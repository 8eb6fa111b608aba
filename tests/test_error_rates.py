"""How often verdicts are wrong, and how often they find what is there: the benchmark, on a made-up study, in short."""

from types import SimpleNamespace

import error_rates
import numpy as np
import pytest
from test_answers import QUESTIONS, asked, study
from test_marks import classes, months

from rnn_study.statistics import crossed
from rnn_study.statistics.marks import Scored

STUDIES = 60
SERIES = asked(measure="score", of="airline", a="b", b="a", smallest=2.0)


def stored(task):
    """Ten seeds of two cells that get other examples right: most of the spread is the test part's."""
    rng, count = np.random.default_rng(0), len(task.tests["test"].y)
    walk = np.cumsum(rng.normal(0, 0.5, count)) if task.ordered else rng.normal(0, 0.5, count)
    spread = {"a": 0.0, "b": walk}
    runs = {
        cell: {"test": own + rng.normal(0, 0.1, (10, 1)) + rng.normal(0, 0.2, (10, count))}
        for cell, own in spread.items()
    }
    return Scored(task, 10, {"pytorch": runs, "tensorflow": runs}, {"rule": {"test": rng.normal(0, 0.5, count)}})


@pytest.fixture(scope="module")
def made_up():
    tasks = {"tweets": stored(classes(200)), "airline": stored(months(48))}
    wide = {key: QUESTIONS[key].model_copy(update={"smallest": 0.5}) for key in ("score", "rule")}
    params = SimpleNamespace(cells={"a": {}, "b": {}}, margin=0.2)
    config = SimpleNamespace(questions=QUESTIONS | wide | {"series": SERIES}, task=lambda name: params)
    config.tuned, config.tuning, config.seeds = [], SimpleNamespace(searches=1), tuple(range(10))
    return study(config=config, scored=tasks.__getitem__)


def test_drawn_studies_have_the_truth_that_is_asked_for(made_up):
    drawn = error_rates.Drawn(made_up, 10, np.random.default_rng(1))
    for name in ("score", "rule", "series"):
        question = made_up.config.questions[name]
        for truth in (0.0, 0.3):
            values = [drawn.case(question, truth).found.value for _ in range(200)]
            assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(200))
    cases = [drawn.case(made_up.config.questions["start"], truth).found.value for truth in (0.0, -0.4)]
    assert cases == pytest.approx([0.0, -0.4], abs=0.1)


def test_redrawing_the_test_part_is_most_of_the_spread_and_is_counted(made_up):
    """The spread over drawn studies is what one study says of itself."""
    drawn = error_rates.Drawn(made_up, 10, np.random.default_rng(2))
    question = made_up.config.questions["score"]
    found = [drawn.case(question, 0.0).found for _ in range(300)]
    error = np.mean([one.error for one in found])
    assert np.std([one.value for one in found]) == pytest.approx(error, rel=0.12)
    x = made_up.scored("tweets").averaged("b", "test") - made_up.scored("tweets").averaged("a", "test")
    assert error > 1.2 * crossed.over_seeds(x.mean(axis=1)).error  # which seeds alone would say


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
def test_no_more_than_one_study_in_twenty_says_something_wrong(made_up, seeds):
    drawn = error_rates.Drawn(made_up, seeds, np.random.default_rng(3))
    wrong = sum(any(word in ("holds", "opposite") for word in drawn.verdicts(0.0).values()) for _ in range(STUDIES))
    assert wrong <= STUDIES / 20
    missed = ("opposite", "no difference that matters")
    wrong = sum(any(word in missed for word in drawn.verdicts(1.0).values()) for _ in range(STUDIES))
    assert wrong <= STUDIES / 20
    called = [drawn.frameworks(task, 0.2) for task in ("tweets", "airline") for _ in range(STUDIES)]
    assert sum("equivalent" in words for words in called) <= STUDIES / 20


@pytest.mark.slow
def test_what_is_planted_is_found(made_up):
    """Differences of half as much again as the smallest that these seeds were planned for."""
    drawn = error_rates.Drawn(made_up, 10, np.random.default_rng(4))
    told = [drawn.verdicts(1.5) for _ in range(STUDIES // 2)]
    for name in ("score", "rule", "start", "reach", "speed", "series"):
        assert np.mean([words[name] == "holds" for words in told]) >= 0.8, name
