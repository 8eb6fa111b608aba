"""From the files of runs to tables, on runs of a stub: what stands in them is what the files say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from stub import ENVIRONMENT, stubbed  # noqa: F401

from rnn_study import config
from rnn_study.config import Config
from rnn_study.data import prepare, sources
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.data.shapes import KINDS
from rnn_study.data.tasks import TASKS
from rnn_study.model.backend import BACKENDS
from rnn_study.model.task import Task
from rnn_study.running import experiments
from rnn_study.running.execution.local import Local
from rnn_study.running.run import results, store
from rnn_study.running.run.events import Finished
from rnn_study.statistics import crossed, marks, searches, summary
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json

SETTINGS = {"learning_rate": 0.02, "clip": 1.5, "dropout": 0.25}
UNTUNED = {"learning_rate": 0.001, "clip": float("inf"), "dropout": 0.0}


@pytest.fixture
def parameters(stubbed: Path) -> Config:  # noqa: F811
    """Of a study whose airline task is prepared."""
    Path("params.yaml").write_text(TINY.replace("seeds: [0, 1]\n", "seeds: [0, 1, 4, 5]\n", 1))
    found = config.load()
    for source in ("airline", "mnist"):
        sources.fetch(source, found.data, Path("data/raw"))
    prepare.one(found, "airline")
    return found


@pytest.fixture
def task(parameters) -> Task:
    return load_task(prepared_file("airline"))


def trained(parameters, task, backend="pytorch", settings=SETTINGS, seeds=(0, 1, 4, 5)) -> list[Finished]:
    """Each cell with each seed."""
    specs = [
        experiments.spec(parameters, task, cell, backend, settings, seed)
        for cell in ("vanilla", "lstm")
        for seed in seeds
    ]
    with Local(backend, "test", "cpu") as executor:
        return executor.run(specs)


CARD = {
    "provenance": [
        {
            "source": "airline",
            "origin": "embedded",
            "title": "The series",
            "note": "of a book",
            "complete": True,
            "generated": False,
            "sha256": "not looked at",
        }
    ]
}


def rmse(run: Finished, task: Task, part: str) -> float:
    """From the outputs in the task's own unit."""
    with np.load(run.folder / "predictions.npz") as file:
        found = file[f"unit/{part}"]
    where = task.tests.get(part, task.validation)
    actual = task.to_unit(where.y, part)
    return float(np.sqrt(np.mean((found - actual) ** 2)))


def test_the_table_of_a_training_says_what_was_run_and_what_it_scored(parameters, task):
    finished = trained(parameters, task)
    found = summary.training(task, CARD, {"a rule": {"test": 3.0}}, finished, 2)
    assert found | {"cells": None} == {
        "task": "airline",
        "backend": "pytorch",
        "framework": ENVIRONMENT,
        "data": [{key: value for key, value in CARD["provenance"][0].items() if key != "sha256"}],
        "score": "rmse",
        "unit": "thousand passengers",
        "higher_is_better": False,
        "cells": None,
        "baselines": {"a rule": {"test": 3.0}},
    }
    assert list(found["cells"]) == ["vanilla", "lstm"]
    for cell, about in found["cells"].items():
        runs = [run for run in finished if run.spec.variant == cell]
        told = [read_json(run.folder / "result.json") for run in runs]
        spec = runs[0].spec
        assert about | {"scores": None, "mean": None, "interval": None} == {
            "impl": "native",
            "device": "cpu",
            "units": [spec.network.layers[0].units],
            "parameters": told[0]["parameters"],
            "parameters_with_embedding": told[0]["parameters_with_embedding"],
            "learning_rate": 0.02,
            "clip": 1.5,
            "dropout": 0.25,
            "seeds": [0, 1, 4, 5],
            "scores": None,
            "mean": None,
            "interval": None,
            "best_epoch": [one["best_epoch"] for one in told],
            "updates": [one["updates"] for one in told],
            "examples_seen": [one["examples_seen"] for one in told],
            "diverged": [False] * 4,
        }
        for part in ("validation", "test"):
            scores = [rmse(run, task, part) for run in runs]
            assert about["scores"][part] == pytest.approx(scores, rel=1e-5)
            assert about["mean"][part] == pytest.approx(np.mean(scores), rel=1e-5)
            by_search = marks.of_runs(task, [run.folder for run in runs], 2)[part]
            assert by_search.shape[0] == 2
            low, high = crossed.mean(by_search, True).interval()[1:]
            assert about["interval"][part] == pytest.approx([max(low, 0), high])
            assert about["interval"][part][0] < about["mean"][part] < about["interval"][part][1]


def test_one_run_has_a_score_and_no_mean(parameters, task):
    found = summary.training(task, CARD, {}, trained(parameters, task, seeds=(1,))[:1])
    (about,) = found["cells"].values()
    assert (about["seeds"], about["mean"], about["interval"]) == ([1], {}, {})
    assert list(about["scores"]) == ["validation", "test"]
    assert (found["backend"], found["framework"]) == ("pytorch", ENVIRONMENT)


def test_two_runs_have_a_mean_that_ends_where_the_score_does(parameters, task, monkeypatch):
    finished = trained(parameters, task, seeds=(0, 1))[:2]
    right = 1.0 - 0.01 * (np.arange(30) == 3) + np.zeros((2, 1))
    monkeypatch.setattr(marks, "of_runs", lambda *_: {"test": right})
    above = float(crossed.mean(right, True).interval().high)
    assert above > 1
    (about,) = summary.training(task, CARD, {}, finished)["cells"].values()
    assert about["interval"]["test"][1] == above  # an error has no end
    (about,) = summary.training(replace(task, loss="cross_entropy"), CARD, {}, finished)["cells"].values()
    assert about["interval"]["test"][1] == 1.0


def test_every_task_has_a_table_with_its_card_and_baselines(parameters, task):
    finished = trained(parameters, task)
    card, baselines = (read_json(Path(f"metrics/{kind}/airline.json")) for kind in ("data", "baselines"))
    assert card["provenance"]
    assert baselines
    found = summary.trained(parameters, {"airline": task}, finished)
    assert found == {"airline": summary.training(task, card, baselines, finished, 2)}  # settings of two searches


def test_all_that_was_tried_on_a_task_example_by_example(parameters, task):
    runs = {}
    for backend in BACKENDS:
        runs[backend] = trained(parameters, task, backend)
        store.publish_all(runs[backend], Path("runs"))
    found = marks.of_task(parameters, "airline")
    assert (found.task.name, found.seeds, list(found.runs)) == ("airline", 4, list(BACKENDS))
    for backend, finished in runs.items():
        assert list(found.runs[backend]) == ["vanilla", "lstm"]
        for cell, parts in found.runs[backend].items():
            own = [run for run in finished if run.spec.variant == cell]
            for part, values in parts.items():
                scores = np.array([rmse(run, task, part) for run in own])
                expected = [scores[0::2].mean(), scores[1::2].mean()]  # seeds 0 and 4 are of the first search
                assert values.mean(axis=1) == pytest.approx(expected, rel=1e-5)
    told = read_json(Path("metrics/baselines/airline.json"))
    assert found.baselines.keys() == told.keys()
    for rule, parts in found.baselines.items():
        for part, values in parts.items():
            assert values.mean() == pytest.approx(told[rule][part], rel=1e-5)


@pytest.mark.parametrize("seeds", [(0, 1), (0, 1, 4, 5)])
def test_what_tuning_changed_is_told_of_the_same_seeds(seeds, parameters, task):
    tuned = trained(parameters, task)
    store.publish_all(tuned, Path("runs"))
    untuned = trained(parameters, task, settings=UNTUNED, seeds=seeds)
    stray = trained(parameters, task, "tensorflow", seeds=(9,))
    others = [replace(run, spec=replace(run.spec, task="tweets")) for run in stray]  # of a task beside this one
    asked = {"lstm": {"trials": 3}, "vanilla": {"trials": 4}}
    found = searches.table(parameters, task, asked, [*others, *untuned])
    assert found | {"cells": None} == {
        "score": "rmse",
        "unit": "thousand passengers",
        "higher_is_better": False,
        "cells": None,
    }
    assert list(found["cells"]) == ["lstm", "vanilla"]
    for cell, about in found["cells"].items():
        assert about["trials"] == asked[cell]["trials"]
        (row,) = about["against_untuned"]
        assert (row["part"], row["n"]) == ("test", len(seeds))
        sides = {}
        for side, runs in {"tuned": tuned, "untuned": untuned}.items():
            own = [run for run in runs if run.spec.variant == cell and run.spec.seed in seeds]
            assert row[side] == pytest.approx(np.mean([rmse(run, task, "test") for run in own]), rel=1e-5)
            sides[side] = marks.of_runs(task, [run.folder for run in own], 2)["test"]
        assert row["difference"] == pytest.approx(row["tuned"] - row["untuned"])
        expected = crossed.mean(sides["tuned"] - sides["untuned"], True).interval()
        assert row["interval"] == pytest.approx(expected[1:])
        assert row["interval"][0] < row["difference"] < row["interval"][1]


@pytest.mark.parametrize(("size", "said"), [(3, None), (2, "validation part: 2 in it: expected 3"), (1, "part: 1 in")])
def test_a_part_that_is_too_small_for_an_interval_is_one_line(size, said, parameters, monkeypatch):
    """Of a series two values tell no error of their mean."""
    made, details = TASKS["airline"].prepare(Path("data/raw"), parameters.tasks.airline.prepare)
    small = replace(made, validation=made.validation.rows(slice(size)))
    monkeypatch.setattr(TASKS["airline"], "prepare", lambda *_: (small, details))
    Path("data/prepared/airline.npz").unlink()
    if said is None:
        prepare.one(parameters, "airline")
        return
    with pytest.raises(StudyError, match=f"^airline: .*{said}.*: more data, or a larger part"):
        prepare.one(parameters, "airline")
    assert not Path("data/prepared/airline.npz").exists()


def test_two_examples_without_an_order_are_enough(parameters, monkeypatch):
    made, details = TASKS["adding"].prepare(Path("data/raw"), parameters.problems.adding.prepare)
    for size in (2, 1):
        small = replace(made, tests={"test": made.tests["test"].rows(slice(size))})
        monkeypatch.setattr(TASKS["adding"], "prepare", lambda *_, small=small: (small, details))
        if size == 2:
            prepare.one(parameters, "adding")
        else:
            with pytest.raises(StudyError, match=r"^adding: test part: 1 in it: expected 2 at least"):
                prepare.one(parameters, "adding")


def test_so_are_the_parts_of_a_system_of_shapes(parameters, monkeypatch):
    made, details = KINDS["digits"].prepare(Path("data/raw"), parameters.shapes["digits"].prepare)
    small = replace(made, tests={"test": made.tests["test"].rows(slice(1))})
    monkeypatch.setattr(KINDS["digits"], "prepare", lambda *_: (small, details))
    only = parameters.model_copy(update={"shapes": {"digits": parameters.shapes["digits"]}})
    with pytest.raises(StudyError, match=r"^digits: test part: 1 in it: expected 2 at least"):
        prepare.shapes(only)


def test_a_run_knows_its_place(parameters, task):
    (first, *_) = trained(parameters, task)
    store.publish_all([first], Path("runs"))
    assert results.run_folder(Path("runs"), "airline", "pytorch", "vanilla", 0).is_dir()
