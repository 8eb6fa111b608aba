"""A run that was stopped goes on from where it was last saved, and ends where an undisturbed one ends, to the bit."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import resume_worker
from conftest import needs
from test_executor import airline, contents, specs  # noqa: F401

from rnn_study.model.backend import BACKENDS
from rnn_study.running.execution.local import Local, saving_seconds
from rnn_study.running.run import store
from rnn_study.running.run.events import Finished
from rnn_study.running.run.spec import RunSpec
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_arrays, write_arrays

pytestmark = needs("torch")


@pytest.mark.parametrize("case", resume_worker.CASES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_goes_on_after_any_epoch(case, backend, ask, tmp_path):
    epochs, different = ask(resume_worker.stopped_everywhere, backend, case, tmp_path / "states")
    assert epochs == resume_worker.CASES[case][-1]
    assert different == {epoch: [] for epoch in range(1, epochs + 1)}


def long(backend: str, epochs: int = 150) -> RunSpec:
    return replace(specs(backend)[-1], epochs=epochs, patience=epochs)


def epochs_told(spec: RunSpec) -> list[int]:
    """The epochs that a run of `spec` trains now."""
    with Local(spec.backend, "test", "cpu") as executor:
        events = list(executor.stream([spec]))
    assert isinstance(events[-1], Finished)
    return [event.row["epoch"] for event in events[:-1]]


@pytest.fixture
def interrupted(airline, monkeypatch):  # noqa: F811
    """A run that was killed, its worker too, after some of its epochs; and the epoch it was saved after."""
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", "0")
    monkeypatch.setenv("RNN_STUDY_WORKERS", "1")

    def interrupt(spec: RunSpec) -> int:
        script = (
            "import test_resume as t\nfrom rnn_study.running.execution.local import Local\n"
            "if __name__ == '__main__':\n"
            f"    with Local({spec.backend!r}, 'test', 'cpu') as executor:\n"
            f"        executor.run([t.long({spec.backend!r})])\n"
        )
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        words = [sys.executable, "-c", script]
        with subprocess.Popen(words, env=os.environ | {"PYTHONPATH": path}, start_new_session=True) as process:
            while not (saved := list(Path(".run-store/states").glob("*.npz"))):
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(0.05)
            os.killpg(process.pid, signal.SIGKILL)
        (path,) = saved
        assert not list(Path(".run-store").glob("*/result.json"))
        return len(json.loads(read_arrays(path)["told"].tobytes())["history"])

    return interrupt


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_killed_run_goes_on_and_ends_the_same(backend, interrupted):
    spec = long(backend)
    epoch = interrupted(spec)
    assert epochs_told(spec) == list(range(epoch + 1, 151))
    assert not list(Path(".run-store/states").glob("[!.]*"))  # it was killed while it wrote one, perhaps
    found = contents(Path(".run-store"))
    os.rename(".run-store", "resumed")
    assert epochs_told(spec) == list(range(1, 151))
    assert contents(Path(".run-store")) == found


def test_another_configuration_starts_at_the_beginning(interrupted):
    interrupted(long("pytorch"))
    other = replace(long("pytorch", 5), optimiser=replace(specs()[0].optimiser, learning_rate=0.02))
    assert epochs_told(other) == [1, 2, 3, 4, 5]
    assert len(list(Path(".run-store/states").glob("*.npz"))) == 1  # still there for its own


def test_a_damaged_state_is_not_used_and_a_line_says_so(interrupted, capsys):
    interrupted(long("pytorch"))
    (path,) = Path(".run-store/states").glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    assert epochs_told(long("pytorch"))[0] == 1
    for damaged in (b"", whole[:-1], whole[:1000] + b"\0" + whole[1001:], b"no archive"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(damaged)
        assert store.load_state(path.stem) is None
        assert capsys.readouterr().err == f"{path}: damaged: its run begins anew\n"
        assert not path.exists()


def test_a_state_that_cannot_be_written_costs_no_run(airline, monkeypatch):  # noqa: F811
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", "0")
    Path(".run-store").mkdir()
    Path(".run-store/states").write_text("no folder")
    with Local("pytorch", "test", "cpu") as executor:
        (run,) = executor.run(specs(seeds=(0,))[:1])
    assert (run.folder / "result.json").is_file()


def test_short_runs_are_not_saved(airline, monkeypatch):  # noqa: F811
    monkeypatch.delenv("RNN_STUDY_SAVE_SECONDS", raising=False)
    assert saving_seconds() == 60
    with Local("pytorch", "test", "cpu") as executor:
        executor.run(specs(seeds=(0,)))
    assert not Path(".run-store/states").exists()


def test_a_million_seconds_less_one_are_not_too_many(monkeypatch):
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", "999999")
    assert saving_seconds() == 999999


@pytest.mark.parametrize("text", ["-1", "soon", "1e3", "٣", "1" * 7])
def test_another_time_between_savings_is_one_clear_line(text, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", text)
    with pytest.raises(StudyError, match=r"^RNN_STUDY_SAVE_SECONDS: got .*: expected a whole number of 0 to 999999$"):
        saving_seconds()


def test_a_state_reads_back_as_it_was(tmp_path):
    arrays = {"weights/layers.0.W": np.arange(6, dtype=np.float32).reshape(2, 3), "slots/updates": np.array(7)}
    write_arrays(tmp_path / "state.npz", arrays)
    found = read_arrays(tmp_path / "state.npz")
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
