"""MLflow's store lost, moved, emptied by hand or on a server that dies: one true line each, and no result is lost."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Project, needs, told_of

from rnn_study.model.init import Init
from rnn_study.model.network import Layer, Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.running.run import store
from rnn_study.running.run.events import Finished, Progress
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.tracking import Tracker
from rnn_study.support.files import write_json

pytestmark = needs("mlflow")

NETWORK = Network(1, (Layer("lstm", 3),), 1)
SPEC = RunSpec(
    "t", "lstm", "data/t.npz", "pytorch", "native", "cpu", NETWORK, Init(), Optimiser(0.1, 1.0), 1, 9, 9, None, True, 0
)
TAGS = {"t": {"sha256.train": "0123456789abcdef", "data.t": "embedded"}}


def finished(folder: Path, seed: int = 0, spec: RunSpec = SPEC) -> Finished:
    """A run that left the two files that are read of it."""
    folder.mkdir(parents=True)
    rows = [told_of(1, 0.5), told_of(2, 0.25)]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (folder / "history.csv").write_text("\n".join([*lines, ""]))
    write_json(folder / "result.json", {"scores": {"validation": 0.75}, "epochs": 2})
    return Finished(f"run{seed}", replace(spec, seed=seed), folder, {"framework": "torch"}, reused=False)


def client(where: str):
    from mlflow import MlflowClient

    return MlflowClient(where)


def children(client) -> dict[str, object]:
    found = client.search_runs([client.get_experiment_by_name("t").experiment_id])
    return {run.info.run_name: run for run in found if "mlflow.parentRunId" in run.data.tags}


def log(*runs: Finished) -> None:
    with Tracker("train", "pytorch", TAGS) as tracker:
        for run in runs:
            tracker.log(run)


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "project"


@pytest.fixture
def server(tmp_path):
    """A real server with SQLite behind it: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "server").mkdir()
    command = [Path(sys.executable).parent / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", "sqlite:///server.db", "--workers", "1"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path / "server",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}", process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_an_empty_name_asks_for_no_server(here, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    log(finished(here / "a"))
    assert children(client(f"sqlite:///{here}/mlflow.db")).keys() == {"lstm pytorch seed 0"}
    assert (here / "mlartifacts/t").is_dir()
    assert not (here / "mlruns").exists()


def test_what_is_no_address_is_one_line(here, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@[bad")
    log(finished(here / "a"))
    assert capfd.readouterr().err == (
        "mlflow: MLFLOW_TRACKING_URI: got 'http://[bad': Invalid IPv6 URL: no more runs of this stage are logged; "
        "results are kept, log them with: rnn-study track\n"
    )


def test_a_dead_server_is_told_of_within_seconds_and_without_its_password(here, monkeypatch, capfd):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    before = time.monotonic()
    log(finished(here / "a"))
    assert time.monotonic() - before < 60
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("mlflow: ")]
    assert line.startswith(f"mlflow: MLFLOW_TRACKING_URI: http://127.0.0.1:{port}: ")
    assert "expected a running MLflow server, or none, then runs go to mlflow.db: no more runs of this stage" in line
    assert "secret" not in line
    # The same process says it once, and waits for the server once.
    before = time.monotonic()
    log(finished(here / "b"))
    assert time.monotonic() - before < 1
    assert "mlflow: " not in capfd.readouterr().err


def test_an_experiment_that_was_deleted_comes_back(here, capfd):
    log(finished(here / "a"))
    own = client(f"sqlite:///{here}/mlflow.db")
    own.delete_experiment(own.get_experiment_by_name("t").experiment_id)
    log(finished(here / "b", seed=1))
    assert children(own).keys() == {"lstm pytorch seed 0", "lstm pytorch seed 1"}
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("mlflow: ")]
    assert told == ["mlflow: experiment t had been deleted: restored"]


def test_files_are_found_and_written_where_a_moved_project_is(here, monkeypatch, tmp_path):
    log(finished(here / "a"))
    moved = tmp_path / "elsewhere, 100 % moved"
    here.rename(moved)
    monkeypatch.chdir(moved)
    log(finished(moved / "b", seed=1))
    own = client(f"sqlite:///{moved / 'mlflow.db'}")
    found = children(own)
    for name in ("lstm pytorch seed 0", "lstm pytorch seed 1"):
        files = {file.path for file in own.list_artifacts(found[name].info.run_id)}
        assert files == {"history.csv", "result.json"}
    assert not here.exists()


def test_runs_can_be_filtered_by_what_they_trained_on(here):
    from rnn_study.model.task import Generated

    drawn = replace(SPEC, data=Generated("adding", 40, False, 64, 8, 8, (), 0))
    log(finished(here / "a"), finished(here / "b", seed=1, spec=drawn), finished(here / "c", seed=2, spec=drawn))
    own = client(f"sqlite:///{here}/mlflow.db")
    experiment = own.get_experiment_by_name("t").experiment_id
    asked = "dataset.name = 't' and dataset.digest = '0123456789ab' and dataset.context = 'training'"
    (one,) = own.search_runs([experiment], asked)
    assert one.info.run_name == "lstm pytorch seed 0"
    assert '"data.t": "embedded"' in one.inputs.dataset_inputs[0].dataset.source
    assert len(own.search_runs([experiment], "dataset.name = 't T 40'")) == 2


def test_a_server_takes_a_network_of_many_layers(here, server, monkeypatch):
    """It refuses more than 100 parameters in one call."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server[0])
    deep = replace(SPEC, network=replace(NETWORK, layers=(Layer("lstm", 3),) * 60))
    log(finished(here / "a", spec=deep))
    (run,) = children(client(server[0])).values()
    assert len(run.data.params) > 140
    assert run.data.params["network.layers.59.cell"] == "lstm"
    assert run.data.metrics["final/scores.validation"] == 0.75
    assert not (here / "mlflow.db").exists()


def test_a_server_that_dies_costs_no_result(here, server, monkeypatch, capfd):
    address, process = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with Tracker("train", "pytorch", TAGS) as tracker:
        tracker.log(finished(here / "a"))
        deadline = time.monotonic() + 60
        while not (own := client(address)).get_experiment_by_name("t") or not children(own):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        tracker.log(finished(here / "b", seed=1))
        for epoch in range(1, 30):  # training goes on meanwhile
            tracker.log(Progress("run2", replace(SPEC, seed=2), told_of(epoch, 1.0)))
            time.sleep(0.05)
        tracker.log(finished(here / "c", seed=2))
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("mlflow: ")]
    assert line.endswith("no more runs of this stage are logged; results are kept, log them with: rnn-study track")


# What MLflow says of every run, told by a process of its own: its client holds on to the file that it opened first.
TOLD = """
import json, mlflow, sys
client, found = mlflow.MlflowClient(sys.argv[1]), {}
for experiment in client.search_experiments(filter_string="name != 'Default'"):
    for run in client.search_runs([experiment.experiment_id], max_results=5000):
        if run.data.tags["study.kind"] != "report":
            tags = {key: value for key, value in run.data.tags.items() if key.startswith(("data", "sha256", "version"))}
            scores = {key: value for key, value in run.data.metrics.items() if key.startswith("final/score")}
            key = "/".join([experiment.name, run.data.tags["study.kind"], run.data.tags.get("study.run", "")])
            found.setdefault(key, []).append([run.info.run_name, run.data.params, tags, scores])
print(json.dumps({key: sorted(rows, key=str) for key, rows in found.items()}, sort_keys=True))
"""


@needs("dvc", "torch", "tensorflow", "papermill", "optuna")
def test_a_lost_store_is_filled_again_from_the_results_and_a_server_too(study: Project, server):
    def told(where: str = "sqlite:///mlflow.db") -> dict[str, list]:
        return json.loads(study.run("python", "-c", TOLD, where).stdout)

    whole = told()
    assert len(whole) > 100
    # Some of each stage are enough.
    some = {
        "tune": "tune-airline",
        "train": "airline-pytorch",
        "untuned": "untuned",
        "controls": "controls",
        "ablate": "adding-pytorch",
        "frontier": "frontier-adding",
        "shapes": "shapes-tensorflow",
    }
    with study.put_back():
        for folder in (study.folder / "runs").iterdir():
            if folder.name not in some.values():
                shutil.rmtree(folder)
        runs = {store.read_id(file.parent) for file in (study.folder / "runs").rglob(store.SPEC)}
        expected = {key: rows for key, rows in whole.items() if key.split("/")[1] in some and key.split("/")[2] in runs}
        assert len(expected) > 50

        def of_runs(found: dict[str, list]) -> dict[str, list]:
            parents = {key for key in found if key.endswith("/")}
            assert {key.split("/")[1] for key in parents} == set(some)
            assert all(row in whole[key] for key in parents for row in found[key])
            return {key: rows for key, rows in found.items() if key not in parents}

        (study.folder / "mlflow.db").unlink()
        shutil.rmtree(study.folder / "mlartifacts")
        shutil.rmtree(study.folder / ".run-store")  # what is published is enough
        study.run("rnn-study", "track")
        again = told()
        assert of_runs(again) == expected
        assert study.run("rnn-study", "track").stdout.endswith(" runs are in MLflow\n")
        assert told() == again  # nothing twice
        address, _ = server
        study.run("rnn-study", "track", MLFLOW_TRACKING_URI=address)
        assert of_runs(told(address)) == expected


def test_without_results_there_is_nothing_to_log(project):
    done = project.run("rnn-study", "track", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: runs: no finished run: expected those of a study; run: dvc repro\n"
