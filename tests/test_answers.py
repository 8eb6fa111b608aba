"""The study's questions: what each measures, and that nothing else has a say in its verdict."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import TypeAdapter
from test_marks import months, scored

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.config import Question
from rnn_study.data.tasks import TASKS
from rnn_study.statistics import crossed
from rnn_study.statistics.marks import Scored
from rnn_study.support.errors import StudyError
from rnn_study.support.files import write_json
from rnn_study.verdicts import measures
from rnn_study.verdicts.answers import answers
from rnn_study.verdicts.measures import Evidence, measure

assert TASKS


def asked(**values):
    return TypeAdapter(Question).validate_python({"claim": "a is better"} | values)


SCORE = asked(measure="score", of="tweets", a="b", b="a", smallest=0.1)
RULE = asked(measure="score", of="tweets", a="a", b="rule", smallest=0.1)
REACH = asked(measure="reach", of="adding", a="lstm", b="vanilla", lengths=[5, 10], smallest=1.0)
SPEED = asked(measure="speed", of="adding", a="lstm", b="vanilla", lengths=[5, 10], smallest=50.0)
START = asked(measure="arrives", of="agreement", a="gru", when="initial", than="less", share=0.01, smallest=3.0)
QUESTIONS = {"score": SCORE, "rule": RULE, "reach": REACH, "speed": SPEED, "start": START}


def run(variant, steps, seed, updates, solved):
    return {"axis": "budget", "variant": variant, "steps": steps, "seed": seed, "updates": updates, "solved": solved}


def frontier():
    """Both solve 5 steps, the LSTM faster; 10 steps the LSTM alone, in all but one seed."""
    rows = []
    for seed in range(8):
        rows += [run("lstm", 5, seed, 100 + 10 * seed, True), run("vanilla", 5, seed, 300 + 10 * seed, True)]
        rows += [run("lstm", 10, seed, 400, True) if seed else run("lstm", 10, seed, 1000, False)]
        rows += [run("vanilla", 10, seed, 1000, False)]
    return {"budget": 1000, "runs": rows}


def study(**more):
    flow = np.random.default_rng(7).normal(-1, 0.1, (8, 32, 5)).cumsum(axis=-1)
    config = SimpleNamespace(
        questions=QUESTIONS, task=lambda name: SimpleNamespace(cells={"a": {}, "b": {}}), frontiers={}
    )
    config.tuned, config.tuning, config.seeds = ["agreement"], SimpleNamespace(searches=1), tuple(range(8))
    of = {
        "config": config,
        "scored": lambda task: scored(shift=0.05),
        "frontier": lambda problem: frontier(),
        "profiles": lambda task: {"gru": {"initial": {"flow": flow, "seeds": np.arange(8)}}},
    }
    return SimpleNamespace(**(of | more))


def test_scores_average_the_frameworks_and_cross_seeds_with_examples():
    found = measure(study(), SCORE)
    expected = scored(shift=0.05).difference("test", "b", "a")
    assert found.case == (expected, expected.p(), 0.1, 1, 10)
    assert found.unit == "accuracy"
    rule = measure(study(), RULE).case.found
    assert rule == scored(shift=0.05).difference("test", "a", "rule")


def test_of_an_error_less_is_better():
    task = months(30)
    errors = {"one": {cell: {"test": np.random.default_rng(1).random((9, 30)) + (cell == "a")} for cell in "ab"}}
    one = study(scored=lambda _: Scored(task, 9, errors, {}))
    case = measure(one, asked(measure="score", of="airline", a="b", b="a", smallest=0.5)).case
    assert case.expected == -1
    assert case.found.value == pytest.approx(-1, abs=0.2)
    assert case.found.error == crossed.mean(errors["one"]["b"]["test"] - errors["one"]["a"]["test"], True).error


def test_reach_is_the_number_of_lengths_that_a_seed_solves():
    case = measure(study(), REACH).case
    assert case.found == crossed.between(np.array([1, *[2] * 7]), np.ones(8))
    # 7 of 8 seeds solve more: of all ways to share out seven 2s over two groups of 8, those as lopsided
    sums = [sum(one < 7 for one in chosen) for chosen in combinations(range(16), 8)]
    assert case.p == pytest.approx(np.mean([abs(count - 3.5) >= 3.5 for count in sums]), rel=1e-9)
    assert (case.expected, case.seeds) == (1, 8)


def test_speed_counts_a_censored_run_with_its_budget():
    case = measure(study(), SPEED).case
    lstm = np.array([100 + 10 * s + (400 if s else 1000) for s in range(8)]) / 2
    vanilla = (np.array([300 + 10 * s for s in range(8)]) + 1000) / 2
    assert case.found == pytest.approx(crossed.between(lstm, vanilla))
    assert case.p == pytest.approx(2 / 12870, rel=1e-6)  # every run of one side is solved before any of the other
    assert case.expected == -1


def test_lengths_that_one_side_never_came_to_say_nothing_of_speed():
    table = frontier()
    table["runs"] = [row for row in table["runs"] if (row["variant"], row["steps"]) != ("vanilla", 10)]
    one = study(frontier=lambda _: table)
    assert measure(one, SPEED).case.found.value == -200
    assert measure(one, REACH).case == measure(study(), REACH).case  # not solved there


def test_sides_that_share_no_length_are_compared_as_censored():
    table = frontier()
    table["runs"] = [row for row in table["runs"] if (row["variant"], row["steps"]) != ("vanilla", 10)]
    found = measure(study(frontier=lambda _: table), SPEED.model_copy(update={"lengths": [10]})).case
    assert found.found == pytest.approx(crossed.between(np.array([1000, *[400] * 7]), np.full(8, 1000)))
    assert found.p == measure(study(), SPEED.model_copy(update={"lengths": [10]})).case.p


def test_what_arrives_is_held_against_the_share_asked_for():
    one = study()
    flow = one.profiles("agreement")["gru"]["initial"]["flow"]
    case = measure(one, START).case
    assert case.found == pytest.approx(crossed.mean(flow[..., 4] - flow[..., 1] + 2))
    assert case.smallest == pytest.approx(np.log10(3))
    assert case.expected == -1
    assert measure(one, START.model_copy(update={"than": "more"})).case.expected == 1


def test_a_row_says_what_was_asked_and_what_was_answered():
    rows = {row["question"]: row for row in answers(study())}
    assert list(rows) == list(QUESTIONS)
    assert rows["speed"]["verdict"] == "holds"
    assert rows["start"]["verdict"] == "holds"
    assert rows["reach"]["verdict"] == "holds"
    assert rows["score"]["verdict"] == "no difference that matters"  # 0.05, surely less than 0.1
    found = scored(shift=0.05).difference("test", "b", "a")
    assert [rows["score"][key] for key in ("value", "low", "high")] == pytest.approx(list(found.interval()))
    assert (rows["score"]["claim"], rows["score"]["unit"], rows["score"]["seeds"]) == ("a is better", "accuracy", 10)


def test_each_question_looks_at_what_it_is_of():
    """And names its figures' unit."""
    one, looked = study(), []

    def noting(kind):
        given = getattr(one, kind)
        return lambda name: looked.append((kind, name)) or given(name)

    noted = study(**{kind: noting(kind) for kind in ("scored", "frontier", "profiles")})
    noted.config.task = lambda name: looked.append(("task", name)) or SimpleNamespace(cells={"a": {}, "b": {}})
    units = {name: measure(noted, question).unit for name, question in QUESTIONS.items()}
    assert units == {
        "score": "accuracy",
        "rule": "accuracy",
        "reach": "lengths",
        "speed": "updates",
        "start": "powers of ten",
    }
    assert set(looked) == {
        ("scored", "tweets"),
        ("task", "tweets"),
        ("frontier", "adding"),
        ("profiles", "agreement"),
    }


def test_seeds_of_one_search_are_one_row():
    """Eight seeds of two searches in turn: two rows, and eight seeds."""
    one = study()
    flow = one.profiles("agreement")["gru"]["initial"]["flow"]
    one.config.tuning.searches = 2
    case = measure(one, START).case
    halves = np.stack([flow[0::2].mean(axis=0), flow[1::2].mean(axis=0)])
    assert case.found == pytest.approx(crossed.mean(halves[..., 4] - halves[..., 1] + 2))
    assert (case.found.rows, case.seeds) == (2, 8)
    few = {"flow": flow[:3], "seeds": np.array([0, 2, 4])}  # of one search alone
    alike = study(config=one.config, profiles=lambda _: {"gru": {"initial": few}})
    with pytest.raises(StudyError, match="3 seeds, 5 steps: expected 2 seeds"):
        measure(alike, START)
    one.config.tuned = []  # a problem, whose settings nobody searched for
    assert measure(one, START).case.found.rows == 8


@pytest.mark.parametrize(("seeds", "steps", "enough"), [(2, 4, True), (1, 4, False), (8, 3, False)])
def test_what_arrives_needs_two_seeds_and_some_steps(seeds, steps, enough):
    flow = np.random.default_rng(7).normal(-1, 0.1, (seeds, 32, steps)).cumsum(axis=-1)
    one = study(profiles=lambda _: {"gru": {"initial": {"flow": flow, "seeds": np.arange(seeds)}}})
    if enough:
        assert measure(one, START).case.seeds == seeds
    else:
        with pytest.raises(StudyError, match=f"{seeds} seeds, {steps} steps"):
            measure(one, START)


def test_evidence_is_read_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = SimpleNamespace()
    evidence = Evidence(config)
    assert evidence.config is config
    write_json(tmp_path / "metrics/frontier/adding.json", {"runs": 1})
    profiles.write(profiles.profiles_file("agreement"), {("gru", "initial"): [(0, {"flow": np.ones((2, 3))})]})
    monkeypatch.setattr(measures.marks, "of_task", lambda *asked: list(asked))
    first = evidence.frontier("adding"), evidence.profiles("agreement"), evidence.scored("tweets")
    assert first[0] == {"runs": 1}
    assert first[1]["gru"]["initial"]["flow"].shape == (1, 2, 3)
    assert first[2] == [config, "tweets"]
    write_json(tmp_path / "metrics/frontier/adding.json", {"runs": 2})
    again = evidence.frontier("adding"), evidence.profiles("agreement"), evidence.scored("tweets")
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_what_is_not_asked_has_no_say():
    """An ablation, a cell, a length and a task more: every verdict, chance and figure stays."""
    table, others = frontier(), scored(shift=0.05)
    for cells in others.runs.values():
        cells["c"] = {"test": np.random.default_rng(9).random((10, 30))}
    table["runs"] += [run("vanilla-irnn", steps, seed, 50, True) for steps in (5, 10) for seed in range(8)]
    table["runs"] += [run(cell, 20, seed, 1000, False) for cell in ("lstm", "vanilla") for seed in range(8)]
    table["runs"] += [row | {"axis": "width", "updates": 1} for row in table["runs"]]
    profiles = study().profiles("agreement")
    profiles["lstm"] = profiles["gru"]
    more = study(scored=lambda _: others, frontier=lambda _: table, profiles=lambda _: profiles)
    assert answers(more) == answers(study())


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (SCORE.model_copy(update={"b": "nobody"}), "params.yaml: questions: b 'nobody' of tweets: expected a, b, rule"),
        (SCORE.model_copy(update={"part": "x"}), "params.yaml: questions: part 'x' of tweets: expected test"),
        (START.model_copy(update={"a": "x"}), "params.yaml: questions: a 'x' of agreement: not diagnosed: expected"),
    ],
)
def test_a_question_about_nothing_is_one_clear_line(question, said):
    with pytest.raises(StudyError, match="^" + said):
        measure(study(), question)


@pytest.mark.parametrize(
    ("flow", "got"), [(np.zeros((1, 32, 9)), "1 seeds, 9 steps"), (np.zeros((8, 32, 3)), "8 seeds, 3 steps")]
)
def test_too_little_to_see_what_arrives_is_one_clear_line(flow, got):
    one = study(profiles=lambda _: {"gru": {"initial": {"seeds": np.arange(len(flow)), "flow": flow}}})
    with pytest.raises(StudyError, match=f"a 'gru' of agreement: {got}: expected 2 seeds, 4 steps at least"):
        measure(one, START)
