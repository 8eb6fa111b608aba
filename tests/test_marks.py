"""What runs make of single examples, and the comparisons made of that."""

from types import SimpleNamespace

import numpy as np
import pytest

from rnn_study.data import baselines_file
from rnn_study.model.task import WORST, Batch, Task
from rnn_study.statistics import crossed, marks, summary
from rnn_study.statistics.marks import Scored, as_scores
from rnn_study.support.files import write_arrays


def classes(count=30, seed=0):
    rng = np.random.default_rng(seed)
    batch = Batch(rng.random((count, 2, 1), np.float32), rng.integers(0, 3, count))
    return Task("t", "cross_entropy", 3, batch, batch, {"test": batch})


def months(count=20, seed=0):
    rng = np.random.default_rng(seed)
    batch = Batch(rng.random((count, 2, 1), np.float32), rng.random((count, 1), np.float32))
    inverse = {"scale": np.array(2.0), "logarithm": np.array(False)}
    inverse |= {f"offset_{part}": np.arange(count, dtype=float) for part in ("train", "validation", "test")}
    return Task(
        "m", "squared_error", 1, batch, batch, {"test": batch}, inverse=inverse, extras={"series": np.arange(9)}
    )


def test_the_mean_of_what_examples_count_for_is_the_score():
    rng = np.random.default_rng(1)
    task = classes()
    logits = rng.normal(size=(30, 3))
    right = task.marks(logits, "test")
    assert set(right) == {0.0, 1.0}
    assert right.mean() == task.score(logits, "test") == np.mean(logits.argmax(1) == task.tests["test"].y)
    task = months()
    outputs = rng.normal(size=(20, 1))
    errors = 2 * (outputs - task.tests["test"].y)[:, 0]
    np.testing.assert_allclose(task.marks(outputs, "test"), errors**2, rtol=1e-6)
    assert task.score(outputs, "test") == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert task.ordered
    assert not classes().ordered


def test_steps_that_count_are_shared_out():
    """Of three sequences that are scored on their last two valid steps."""
    x = np.zeros((3, 4, 1), np.float32)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
    batch = Batch(x, np.zeros((3, 4), int), mask)
    task = Task("s", "cross_entropy", 2, batch, batch, {"test": batch}, scored=2)
    logits = np.zeros((3, 4, 2))
    logits[0, 3, 1] = logits[2, 1:3, 1] = logits[0, 0, 1] = 1  # wrong: one that counts, two that do, one that does not
    np.testing.assert_array_equal(task.marks(logits, "test"), [0.5, 1.0, 0.0])
    assert task.score(logits, "test") == 0.5
    short = Task("s", "cross_entropy", 2, batch, batch, {"test": batch}, scored=4)  # more than some have
    np.testing.assert_allclose(short.marks(logits, "test"), [0.5, 1.0, 1 / 3])


def test_squared_errors_as_scores():
    """Their mean is the root mean squared error, and their spread that of the root: by redrawing the months."""
    rng = np.random.default_rng(2)
    errors = rng.normal(0, 3, (4, 300)) ** 2
    found = as_scores(errors, "rmse")
    np.testing.assert_allclose(found.mean(axis=1), np.sqrt(errors.mean(axis=1)), rtol=1e-12)
    roots = [np.sqrt(errors[0, rng.integers(0, 300, 300)].mean()) for _ in range(4000)]
    assert found[0].std() / np.sqrt(300) == pytest.approx(np.std(roots), rel=0.05)
    np.testing.assert_array_equal(as_scores(np.zeros(5), "rmse"), np.zeros(5))
    np.testing.assert_array_equal(as_scores(np.array([np.inf, 1.0]), "rmse"), [WORST, WORST])
    np.testing.assert_array_equal(as_scores(np.array([True, False]), "accuracy"), [1.0, 0.0])


def stored(folder, outputs):
    folder.mkdir(parents=True)
    write_arrays(folder / "predictions.npz", {"validation": outputs, "test": outputs})
    return folder


def test_runs_by_seed_or_by_search(tmp_path):
    task, rng = classes(), np.random.default_rng(3)
    outputs = [rng.normal(size=(30, 3)) for _ in range(6)]
    folders = [stored(tmp_path / str(seed), one) for seed, one in enumerate(outputs)]
    right = np.stack([one.argmax(1) == task.tests["test"].y for one in outputs])
    np.testing.assert_array_equal(marks.of_runs(task, folders)["test"], right)
    # each search has every third seed
    by_search = marks.of_runs(task, folders, 3)["validation"]
    np.testing.assert_allclose(by_search, [right[[0, 3]].mean(0), right[[1, 4]].mean(0), right[[2, 5]].mean(0)])


def test_baselines_come_back_as_they_were(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/prepared").mkdir(parents=True)
    found = {"a rule + another": {"test": np.array([1.0, 0.0]), "more": np.array([4.0])}}
    baselines_file.write("t", found)
    back = baselines_file.read("t")
    assert back.keys() == found.keys()
    for part, values in found["a rule + another"].items():
        np.testing.assert_array_equal(back["a rule + another"][part], values)


def scored(task=None, seeds=10, count=30, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    task = task or classes(count)
    runs = {
        backend: {cell: {"test": rng.normal(0.9, 0.05, (seeds, count)) + shift * (cell == "b")} for cell in "ab"}
        for backend in ("one", "two")
    }
    return Scored(task, seeds, runs, {"rule": {"test": rng.normal(0.8, 0.05, count)}})


def test_the_frameworks_are_one_experiment():
    """Averaged seed by seed: copying one framework's runs into the other makes nothing surer."""
    found = scored()
    copied = found._replace(runs={"one": found.runs["one"], "two": found.runs["one"]})
    alone = crossed.mean(found.runs["one"]["a"]["test"] - found.runs["one"]["b"]["test"])
    assert copied.difference("test", "a", "b") == pytest.approx(alone)
    both = np.mean([cells["a"]["test"] for cells in found.runs.values()], axis=0)
    assert found.mean("a", "test") == pytest.approx(crossed.mean(both))
    assert found.difference("test", "a", "rule") == pytest.approx(crossed.mean(both - found.baselines["rule"]["test"]))
    gap = found.runs["one"]["a"]["test"] - found.runs["two"]["a"]["test"]
    assert found.frameworks("test", "a", "one", "two") == pytest.approx(crossed.mean(gap))


def test_months_are_compared_as_a_series():
    task = months(30)
    walk = np.cumsum(np.random.default_rng(4).normal(size=30))
    runs = {"one": {"a": {"test": walk + np.zeros((5, 1))}, "b": {"test": np.zeros((5, 30))}}}
    apart = Scored(task, 5, {"one": {"a": runs["one"]["a"]}, "two": {"a": runs["one"]["b"]}}, {})
    assert apart.frameworks("test", "a", "one", "two").error == pytest.approx(crossed.long_run_error(walk))
    found = Scored(task, 5, runs, {})
    assert found.difference("test", "a", "b").error == pytest.approx(crossed.long_run_error(walk))
    assert found.mean("a", "test").error == pytest.approx(crossed.long_run_error(walk))


def test_seeds_of_a_search_are_one_row_wherever_they_stand():
    """By hand: of four seeds the first and third are of one search. One may be missing, and they may come in any
    order."""
    config = SimpleNamespace(tuned=["tweets"], tuning=SimpleNamespace(searches=2), seeds=(3, 1, 7, 5))
    x = np.array([[1.0, 2.0], [10.0, 20.0], [3.0, 6.0]])
    assert marks.by_search(config, "tweets", x, [7, 5, 3]).tolist() == [[2.0, 4.0], [10.0, 20.0]]
    assert marks.by_search(config, "tweets", x[:, 0], np.array([3, 7, 1])).tolist() == [5.5, 3.0]
    assert marks.by_search(config, "adding", x, [7, 5, 3]) is x  # nobody searched
    config.tuning.searches = 1
    assert marks.by_search(config, "tweets", x, [7, 5, 3]) is x


def test_rules_are_scored_as_their_task_is(monkeypatch):
    right = np.array([0.0, 1.0, 1.0])
    config = SimpleNamespace(
        task=lambda name: SimpleNamespace(cells={}), tuning=SimpleNamespace(searches=1), seeds=[0, 1]
    )
    monkeypatch.setattr(marks, "read", lambda name: {"rule": {"test": right}})
    for task, expected in ((classes(), right), (months(), as_scores(right, "rmse"))):
        monkeypatch.setattr(marks, "load_task", lambda _, task=task: task)
        found = marks.of_task(config, "a task")
        assert (found.task, found.seeds) == (task, 2)
        np.testing.assert_allclose(found.baselines["rule"]["test"], expected)


def stages(found):
    cell = {"scores": {"validation": [0.5], "test": [0.5]}}
    common = {
        "score": "accuracy",
        "unit": "",
        "higher_is_better": True,
        "framework": {},
        "baselines": {"rule": {"test": 0.8}},
    }
    return [common | {"backend": backend, "cells": dict.fromkeys(cells, cell)} for backend, cells in found.runs.items()]


def test_a_summary_has_every_comparison_once():
    found = scored(shift=0.1)
    told = summary.task_summary(found, {"provenance": []}, stages(found), margin=0.05)
    (between,) = told["between_cells"]
    mean = found.difference("test", "b", "a")
    assert (between["a"], between["b"], between["n"]) == ("b", "a", 10)
    assert between["difference"] == pytest.approx(mean.value)
    assert between["interval"] == pytest.approx(mean.interval()[1:])
    assert [(row["a"], row["b"]) for row in told["against_baselines"]] == [("a", "rule"), ("b", "rule")]
    assert [(row["cell"], row["a"], row["b"]) for row in told["between_frameworks"]] == [
        ("a", "one", "two"),
        ("b", "one", "two"),
    ]
    assert told["cells"]["a"]["test"]["mean"] == pytest.approx(found.mean("a", "test").value)
    rest = {key: told[key] for key in ("score", "unit", "higher_is_better", "parts", "card", "baselines", "backends")}
    assert rest == {
        "score": "accuracy",
        "unit": "",
        "higher_is_better": True,
        "parts": ["test"],
        "card": {"provenance": []},
        "baselines": {"rule": {"test": 0.8}},
        "backends": {one["backend"]: {"framework": {}, "cells": one["cells"]} for one in stages(found)},
    }
    assert not any(
        "p" in row or "verdict" in row
        for kind in ("between_cells", "between_frameworks", "against_baselines")
        for row in told[kind]
    )


def test_an_interval_ends_where_its_score_does():
    found = scored()
    for cells in found.runs.values():
        cells["a"]["test"][:] = 1.0 - 0.01 * (np.arange(30) == 3)
    told = summary.task_summary(found, {"provenance": []}, stages(found), margin=0.05)
    assert told["cells"]["a"]["test"]["interval"][1] == 1.0
    for cells in found.runs.values():
        cells["a"]["test"][:] = 0.01 * (np.arange(30) == 3)
    told = summary.task_summary(found, {"provenance": []}, stages(found), margin=0.05)
    assert told["cells"]["a"]["test"]["interval"][0] == 0.0


@pytest.mark.parametrize(
    ("gap", "seeds", "verdict"),
    [(0.0, 10, "equivalent"), (0.05, 10, "not shown"), (0.0, 8, "equivalent"), (0.0, 7, "too few seeds")],
)
def test_frameworks_are_equivalent_where_both_tests_say_so(gap, seeds, verdict):
    found = scored(seeds=seeds)
    for cell in "ab":
        found.runs["two"][cell]["test"] = (
            found.runs["one"][cell]["test"] + gap + 0.01 * np.random.default_rng(5).normal(size=(seeds, 30))
        )
    rows = [close for _, close in summary.between_frameworks(found, "test", 0.05)]
    assert [row["verdict"] for row in rows] == [verdict, verdict]
    mean = found.frameworks("test", "a", "one", "two")
    assert rows[0]["interval"] == pytest.approx(mean.interval(0.99)[1:])  # it lies within the margin where p < 0.005


def test_adding_a_cell_changes_no_other_row():
    found = scored()
    before = summary.task_summary(found, {"provenance": []}, stages(found), margin=0.05)
    for cells in found.runs.values():
        cells["c"] = {"test": np.random.default_rng(6).random((10, 30))}
    after = summary.task_summary(found, {"provenance": []}, stages(found), margin=0.05)
    for kind in ("between_cells", "between_frameworks", "against_baselines", "equivalence"):
        kept = [row for row in after[kind] if "c" not in (row["a"], row["b"], row.get("cell"))]
        assert kept == before[kind]
    assert {cell: after["cells"][cell] for cell in "ab"} == before["cells"]
