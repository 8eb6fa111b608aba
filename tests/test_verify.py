"""Metrics held against those of a folder or a commit: kept, moved, missing."""

import copy
import json
import subprocess

import pytest

from rnn_study.statistics.crossed import Estimate
from rnn_study.support.errors import StudyError
from rnn_study.verdicts import verify


def metrics():
    estimate = {"value": 1.0, "low": 0.5, "high": 1.5}
    gap = {"a": "lstm", "b": "vanilla", "part": "test", "difference": 0.1, "interval": [0.05, 0.15], "n": 10}
    task = {
        "cells": {"lstm": {"test": {"mean": 0.9, "interval": [0.88, 0.92]}}},
        "between_cells": [gap],
        "between_frameworks": [gap | {"cell": "lstm"}],
        "against_baselines": [gap | {"b": "rule"}],
    }
    pair = {"problem": "adding", "axis": "budget", "a": "lstm", "b": "vanilla"}
    return {
        "verdicts": {
            "verdicts": [
                {"question": "one", "verdict": "holds", "otherwise": 0.07},
                {"question": "two", "verdict": "open", "otherwise": 0.4},
            ]
        },
        "summary": {"tasks": {"tweets": task}},
        "gradients": {
            "figures": [{"task": "adding", "variant": "gru", "stage": "initial", "quantity": "rate", **estimate}],
            "contrasts": [
                {"task": "adding", "stage": "initial", "claim": "keeps", "a": "gru", "b": "vanilla", **estimate}
            ],
        },
        "long_range": {
            "successes": [
                pair | {"variant": "lstm", "steps": 5, "share": 1.0, "low": 0.7, "high": 1.0},
                pair | {"variant": "lstm", "steps": 9, "not_run": "no GPU"},
            ],
            "comparisons": [pair | {"lengths_difference": [2.0, 1.0, 3.0], "updates_difference": [-9.0, -12.0, -6.0]}],
        },
        "sequence_shapes": {
            "scores": [
                {
                    "system": "numbers",
                    "backend": "pytorch",
                    "variant": "gru",
                    "part": "test",
                    "mean": 0.99,
                    "interval": [0.97, 1.0],
                }
            ]
        },
    }


def write(folder, found):
    (folder / "metrics").mkdir(parents=True)
    for table, value in found.items():
        (folder / "metrics" / f"{table}.json").write_text(json.dumps(value))
    return folder


def test_every_figure_with_an_interval_is_compared():
    found = verify.figures(metrics())
    assert len(found) == 10
    assert found["sequence_shapes numbers pytorch gru test"] == Estimate(0.99, 0.97, 1.0)
    assert found["summary tweets lstm test"] == Estimate(0.9, 0.88, 0.92)
    assert found["summary tweets test: lstm less rule"] == Estimate(0.1, 0.05, 0.15)
    assert found["long_range adding budget: lstm less vanilla, updates"] == Estimate(-9, -12, -6)


def test_all_the_same():
    found = verify.compare(metrics(), metrics())
    assert found == (2, [], 10, [], 0)
    assert not found.broken
    assert list(verify.told(found)) == [
        "verdicts: 2 kept, 0 changed",
        "figures: 10 inside their interval, 0 moved, 0 missing, 0 new",
    ]


def test_moved_missing_and_new():
    here = metrics()
    here["summary"]["tasks"]["tweets"]["cells"]["lstm"]["test"]["mean"] = 0.93
    here["gradients"]["figures"][0]["quantity"] = "memory"
    here["long_range"]["comparisons"][0]["lengths_difference"][0] = 3.0  # at the very end: inside
    found = verify.compare(here, metrics())
    assert (found.inside, found.new) == (8, 1)
    assert list(verify.told(found))[1:] == [
        "figures: 8 inside their interval, 1 moved, 1 missing, 1 new",
        "  summary tweets lstm test: 0.9 (0.88 to 0.92) -> 0.93",
        "  gradients adding gru initial rate: 1 (0.5 to 1.5) -> missing",
    ]
    assert not found.broken


@pytest.mark.parametrize(
    ("place", "word", "broken", "line"),
    [
        (0, "open", True, "  one: holds -> open (chance of another verdict as printed: 7%)"),
        (0, "opposite", True, "  one: holds -> opposite (chance of another verdict as printed: 7%)"),
        (1, "holds", False, "  two: open -> holds (chance of another verdict as printed: 40%)"),
    ],
)
def test_a_changed_verdict(place, word, broken, line):
    here = metrics()
    here["verdicts"]["verdicts"][place]["verdict"] = word
    found = verify.compare(here, metrics())
    assert found.broken is broken
    assert list(verify.told(found))[:2] == ["verdicts: 1 kept, 1 changed", line]


def test_a_question_that_is_no_longer_asked_is_no_answer():
    here = metrics()
    del here["verdicts"]["verdicts"][0]
    found = verify.compare(here, metrics())
    assert found.broken
    assert "  one: holds -> not asked (chance" in list(verify.told(found))[1]


def git(folder, *words):
    own = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True)


def test_a_commit_a_project_and_a_folder_of_metrics(tmp_path, monkeypatch):
    project = write(tmp_path / "project", metrics())
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "a study")
    monkeypatch.chdir(project)
    assert verify.read("HEAD") == verify.read(".") == verify.read(str(project / "metrics")) == metrics()
    changed = copy.deepcopy(metrics())
    changed["verdicts"]["verdicts"][0]["verdict"] = "open"
    (project / "metrics/verdicts.json").write_text(json.dumps(changed["verdicts"]))
    assert verify.compare(verify.read("."), verify.read("HEAD")).broken


def test_where_nothing_has_run_that_is_said(tmp_path, monkeypatch, capsys):
    """A clone that is compared with its own commit holds its figures, whatever they are."""
    from rnn_study.cli import verify as command

    monkeypatch.chdir(write(tmp_path / "here", metrics()))
    command(".")
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first == "nothing has run here: metrics/ is as it came with the project; run: dvc repro"
    (tmp_path / "here/runs").mkdir()
    command(".")
    assert capsys.readouterr().out.splitlines()[0] == second == "verdicts: 2 kept, 0 changed"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("nowhere", "nowhere: neither a folder nor a commit: expected one of the two"),
        ("--help", "--help: neither a folder nor a commit: expected one of the two"),
        ("HEAD", "HEAD:metrics/verdicts.json: not found: expected a commit with the metrics of a finished study"),
        ("empty", "empty/verdicts.json: not found: expected the metrics of a finished study; run: dvc repro"),
        ("broken", "broken/metrics/summary.json: not readable: expected JSON that a study wrote; run: dvc repro"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(where, said, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "nothing", "--allow-empty")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "broken", metrics())
    (tmp_path / "broken/metrics/summary.json").write_text('{"tasks": ')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError) as fault:
        verify.read(where)
    assert str(fault.value) == said
