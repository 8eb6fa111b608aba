"""The benchmark against what a user would write: the same work, and rows that follow from what was timed."""

import json
import subprocess
import sys

import numpy as np
import pytest
import speed
from conftest import FRAMEWORK, ROOT, needs

from rnn_study.data.prepared import load_task, save_task
from rnn_study.model.backend import BACKENDS
from rnn_study.running.execution.local import Local

SMALL = {
    "classes": speed.Case("gru", 3, (48, 4, 2), 5, 16, 2),
    "a number": speed.Case("lstm", 2, (12, 3, 1), 1, 1, 2),
}


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_a_case_is_a_task_of_its_shape(case, tmp_path):
    save_task(speed.task(case), tmp_path / "data.npz")
    task = load_task(tmp_path / "data.npz")
    assert task.train.x.shape == case.shape
    assert task.outputs == case.outputs
    outputs = np.zeros((len(task.validation.y), case.outputs), np.float32)
    assert np.isfinite(task.score(outputs, "validation"))


@pytest.mark.parametrize("way", [pytest.param(w, marks=needs(FRAMEWORK[b])) for w, b in speed.THEIRS.items()])
@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL)
def test_both_do_the_same_work(case, way, tmp_path):
    """As many updates as ours makes, counted by the optimiser, or the loop, of theirs."""
    script = f"import speed; case = speed.{case!r}; print(speed.WRITTEN[{way!r}](case, speed.task(case), 0))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) == case.shape[0] // case.batch_size * case.epochs


def test_products_are_counted_as_by_hand():
    """LSTM of 30 on 28 steps of 28 numbers, one update of one sequence: a step forward is 58 x 120 of each kind. A
    remainder of a batch would be a batch to them and none to us."""
    one = speed.Case("lstm", 30, (1, 28, 28), 10, 1, 1)
    assert one.products == 3 * (2 * 28 * 58 * 120)
    assert one._replace(cell="vanilla").products * 4 == one.products == one._replace(cell="gru").products * 4 / 3
    assert one._replace(shape=(9, 28, 28), batch_size=4, epochs=5).products == 8 * 5 * one.products
    assert all(case.shape[0] % case.batch_size == 0 for case in speed.CASES.values())


def test_a_row_says_what_was_timed(monkeypatch, tmp_path):
    """Rates of two rounds, made up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speed, "CASES", {"one": SMALL["a number"]})
    told = {"pytorch": [4.0, 8.0], "tensorflow": [2.0, 2.0], "keras fit": [1.0, 1.0], "torch loop": [2.0, 2.0]}
    left = {way: iter(rates) for way, rates in told.items()}
    monkeypatch.setattr(speed, "ours", lambda backend, *_: next(left[backend]))

    class Pool:
        def submit(self, function, way=None, *_):
            rate = next(left[way]) if way else 2 * SMALL["a number"].products * 8.0

            class Answer:
                result = staticmethod(lambda: rate)

            return Answer

    found = list(speed.rows(speed.Effort(2, 1, 2, 1.0), dict.fromkeys(speed.THEIRS, Pool())))
    rows = {(row["ours"], row["theirs"]): row for row in found}
    assert len(rows) == len(found) == len(BACKENDS) * len(speed.THEIRS)
    row = rows["pytorch", "torch loop"]
    assert (row["low"], row["ratio"], row["high"]) == (2.5, 3.0, 3.5)  # ratios of the rounds: 2 and 4
    assert (row["ours_a_second"], row["theirs_a_second"]) == (6.0, 2.0)
    assert row["of_products"] == 0.375  # 4/16 and 8/16
    assert rows["tensorflow", "keras fit"]["ratio"] == 2.0


@needs("torch")
def test_ours_starts_from_an_empty_store_and_trains_every_seed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    case, seen = SMALL["a number"], []
    save_task(speed.task(case), tmp_path / "data.npz")
    run = Local.run

    def watched(self, specs):
        seen.extend(run(self, specs))
        seen.extend(json.loads((one.folder / "result.json").read_text())["updates"] for one in seen[:])
        return seen

    monkeypatch.setattr(Local, "run", watched)
    for _ in range(2):
        seen.clear()
        assert speed.ours("pytorch", case, 3, tmp_path / "data.npz") > 0
        assert [one.reused for one in seen[:3]] == [False] * 3
        assert seen[3:] == [24] * 3


def test_the_committed_rows_are_whole():
    found = json.loads(speed.RESULT.read_text())
    rows = {(row["name"], row["ours"], row["theirs"]): row for row in found["rows"]}
    assert set(rows) == {(name, ours, theirs) for name in speed.CASES for ours in BACKENDS for theirs in speed.THEIRS}
    assert len(rows) == len(found["rows"])
    assert (found["seeds"], found["rounds"]) == (speed.FULL.seeds, speed.FULL.rounds)
    for row in rows.values():
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["ratio"] == pytest.approx(row["ours_a_second"] / row["theirs_a_second"], rel=0.3)
        assert 0 < row["of_products"] < 1.2  # the limit, but for a clock's mood
