"""Runs that a reader asks for himself: `rnn-study run`, and the example that leads into the code."""

import json
import re
import sys

import pytest
from conftest import ROOT, needs

from rnn_study.behaviour.long_range import own_run
from rnn_study.model.cells import CELLS
from rnn_study.support.errors import StudyError


def asked(problem="adding", **changes):
    return own_run.Asked(**{"problem": problem, "cells": ("gru",), "lengths": (6,), "seeds": 2} | changes)


@needs("torch")
def test_a_problem_is_trained_now_and_again_from_the_store(project):
    words = ("rnn-study", "run", "adding", "--cells", "mingru,gru", "--lengths", "6,4", "--seeds", "2")
    words += ("--updates", "20")
    before = (project.folder / "params.yaml").read_bytes()
    said = project.run(*words)
    assert "run adding: 8/8 runs, 0 reused" in said.stderr
    rows = re.findall(r"^│ (minGRU|GRU) +│ +(\d+) │ +(\d+) units, (\d+) weights │ +2 of 2 │ +(\d) │", said.stdout, re.M)
    assert [(row[0], row[1]) for row in rows] == [("minGRU", "4"), ("GRU", "4"), ("minGRU", "6"), ("GRU", "6")]
    # minGRU has two gates of 2 inputs and a bias, GRU three with a recurrent kernel and two biases; both a head.
    for _, _, units, weights, _ in rows[:1]:
        assert int(weights) == 2 * int(units) * 3 + int(units) + 1
    assert "8 runs in own-runs/adding" in said.stdout
    folder = project.folder / "own-runs/adding/mingru/T-6/seed-1"
    assert json.loads((folder / "spec.json").read_text())["data"]["steps"] == 6
    assert json.loads((folder / "result.json").read_text())["updates"] == 20  # though the study looks at every 10
    assert (project.folder / "params.yaml").read_bytes() == before
    again = project.run(*words)
    assert "run adding: 8/8 runs, 8 reused" in again.stderr
    assert again.stdout == said.stdout
    assert not project.run("git", "status", "--short").stdout


def test_what_is_not_asked_for_is_the_studys_or_the_real_studys(monkeypatch):
    monkeypatch.chdir(ROOT)
    parameters = own_run.config.load()
    own = own_run._section(parameters, asked(cells=(), lengths=(), learning_rate=0.5, framework="pytorch"))
    study = parameters.frontier["adding"]
    assert (own.lengths, list(own.cells), own.framework) == (study.lengths, list(study.cells), "pytorch")
    assert (own.training.learning_rate, own.training.updates) == (0.5, study.training.updates)
    assert own.seeds == (0, 1)
    assert not own.ablations
    assert "parity" not in parameters.frontier
    real = own_run.config.load(own_run.REAL).frontier["parity"]
    assert own_run._section(parameters, asked("parity")).training == real.training


@pytest.mark.parametrize(("asked_for", "made"), [(20, 20), (50, 50), (120, 100), (1, 1)])
def test_at_most_so_many_updates_are_made(asked_for, made, monkeypatch):
    """The study looks at the validation part every 50."""
    monkeypatch.chdir(ROOT)
    parameters = own_run.config.load()
    params = own_run._section(parameters, asked(updates=asked_for))
    (spec, _) = own_run._specs(parameters, params, "adding")
    assert spec.epochs * (spec.data.train // spec.batch_size) == made


def test_a_cell_with_a_name_of_its_own_is_shown(monkeypatch):
    monkeypatch.chdir(ROOT)
    parameters = own_run.config.load()
    params = own_run._section(parameters, asked(cells=("vanilla",)))
    named = params.model_copy(update={"cells": {"irnn": own_run.Variant(cell="vanilla"), "gru": own_run.Variant()}})
    board = own_run.Board(own_run._specs(parameters, named, "adding"))
    assert [row[0] for row in board.rows()] == ["irnn", "GRU"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"problem": "tweets"}, "problem: got 'tweets': expected one of adding, "),
        ({"cells": ("gru", "lstn")}, f"--cells: got 'lstn': expected some of {', '.join(CELLS)}"),
        ({"framework": "jax"}, "--framework: got 'jax': expected pytorch or tensorflow"),
        ({"lengths": (1,)}, "frontier.adding: got 1 steps: expected at least 2"),
    ],
)
def test_what_cannot_be_run_is_one_line(changes, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyError) as error:
        own_run.run(asked(**changes))
    assert said in str(error.value)


@needs("torch")
@pytest.mark.parametrize("words", [("--lengths", "4,x"), ("--lengths", "0"), ("--seeds", "0"), ("--cells", "nothing")])
def test_a_faulty_command_is_refused(words, project):
    done = project.run("rnn-study", "run", "adding", *words, check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert not (project.folder / "own-runs").exists()


@needs("torch", "tensorflow")
@pytest.mark.parametrize(("cell", "framework"), [("gru", "pytorch"), ("mingru", "tensorflow")])
def test_the_example_trains_and_numpy_finds_the_same(cell, framework, project):
    said = project.run(sys.executable, "examples/one_run.py", cell, framework).stdout
    found = re.search(rf"test RMSE: {framework} (\S+), NumPy with the same weights (\S+)", said)
    assert float(found[1]) == pytest.approx(float(found[2]), abs=2e-5)
    assert float(found[1]) < 0.3  # it has learned something: without looking 0.408
    assert "epoch  1: loss" in said
