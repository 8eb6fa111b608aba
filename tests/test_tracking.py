"""What MLflow shows of a finished study, read with MLflow's own client."""

import csv
import json
from pathlib import Path
from statistics import fmean
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Project, needs, told_of

from rnn_study.running.run.results import FILES

pytestmark = needs("mlflow", "dvc", "torch", "tensorflow", "papermill", "optuna")


@pytest.fixture(scope="module")
def client(study: Project):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{study.folder / 'mlflow.db'}")


def logged_lines(text: str) -> list[str]:
    assert "Traceback" not in text
    return [line for line in text.splitlines() if line.startswith("mlflow: ")]


def runs(client, task: str, kind: str) -> tuple[list, list]:
    """The parents and the children of one kind in the experiment of `task`."""
    experiment = client.get_experiment_by_name(task).experiment_id
    found = list(client.search_runs([experiment], f"tags.`study.kind` = '{kind}'", max_results=1000))
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    return [run for run in found if run not in children], children


@pytest.mark.parametrize("task", ["mnist_rows", "tweets"])
def test_a_parent_a_cell_and_backend_a_child_a_seed(client, task):
    parents, children = runs(client, task, "train")
    names = ["train lstm pytorch", "train lstm tensorflow", "train vanilla pytorch", "train vanilla tensorflow"]
    # one for the settings of each of two searches
    assert sorted(run.info.run_name for run in parents) == sorted(2 * names)
    assert len(children) == 8
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {run.info.run_id for run in parents}
    assert all(run.info.status == "FINISHED" for run in [*parents, *children])


def test_a_child_holds_everything_about_its_run(client, study):
    parents, children = runs(client, "mnist_rows", "train")
    run = next(run for run in children if run.info.run_name == "lstm pytorch seed 1")
    assert run.data.params["optimiser.learning_rate"]
    assert run.data.params["seed"] == "1"
    lacking = {key for key, value in run.data.params.items() if value in ("None", "False")}
    assert lacking == {"beyond", "examples", "goal", "last", "init.whole", "optimiser.rule.hat"}
    tags = run.data.tags
    assert len(tags["git.commit"]) == 40
    assert tags["git.dirty"] in ("True", "False")
    assert tags["version.framework"] == "torch"
    assert tags["version.numpy"]
    card = json.loads((study.folder / "metrics/data/mnist_rows.json").read_text())
    digest = card["parts"]["train"]["sha256"]
    assert {parent.data.tags["sha256.train"] for parent in parents} == {digest}
    assert digest.startswith(run.inputs.dataset_inputs[0].dataset.digest)
    assert tags["data.mnist"] == "embedded"
    folder = study.folder / "runs/mnist_rows-pytorch/lstm/seed-1"
    lines = (folder / "history.csv").read_text().splitlines()
    curve = client.get_metric_history(run.info.run_id, "curves/validation_loss")
    assert [point.step for point in curve] == list(range(1, len(lines)))
    column = lines[0].split(",").index("validation_loss")
    assert [point.value for point in curve] == [float(line.split(",")[column]) for line in lines[1:]]
    scores = json.loads((folder / "result.json").read_text())["scores"]
    assert run.data.metrics["final/scores.test"] == scores["test"]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == set(FILES) | {"spec.json", "timing.json", "digests.json"}


def test_a_parent_holds_the_figures_over_seeds(client, study):
    parents, _ = runs(client, "tweets", "train")
    both = [run for run in parents if run.info.run_name == "train lstm tensorflow"]
    assert len(both) == 2
    metrics = json.loads((study.folder / "metrics/train/tweets-tensorflow.json").read_text())["cells"]["lstm"]
    for run in both:
        assert run.data.metrics["mean.test"] == metrics["mean"]["test"]
        assert run.data.metrics["interval.test.0"] == metrics["interval"]["test"][0]


def test_a_parent_without_a_table_holds_the_means_of_its_children(client):
    solved = 0
    for task, kind in (("tweets", "untuned"), ("adding", "frontier")):
        parents, children = runs(client, task, kind)
        for parent in parents:
            own = [run.data.metrics for run in children if run.data.tags["mlflow.parentRunId"] == parent.info.run_id]
            assert parent.data.metrics["runs"] == len(own) >= 2
            assert parent.data.metrics["mean.test"] == pytest.approx(fmean(run["final/scores.test"] for run in own))
            if kind == "frontier":
                solved += parent.data.metrics["solved"] == fmean(run["final/solved"] for run in own)
            assert ("solved" in parent.data.metrics) == (kind == "frontier")
        assert parents
    assert solved == len(parents)
    assert "mean.validation" not in runs(client, "tweets", "tune")[0][0].data.metrics


def test_the_problems_have_experiments_too(client, tmp_path):
    parents, children = runs(client, "adding", "ablate")
    names = {run.info.run_name.split()[1] for run in parents}
    assert {"vanilla", "lstm", "ugrnn", "vanilla-unclipped", "lstm-window", "map-0-0"} <= names
    run = next(run for run in children if run.info.run_name == "lstm pytorch seed 1")
    curves = {name.removeprefix("curves/") for name in run.data.metrics if name.startswith("curves/")}
    assert curves == {"train_loss", "validation_loss", "validation_score", "gradient_norm"}
    assert "final/solved" in run.data.metrics
    client.download_artifacts(run.info.run_id, "history.csv", tmp_path)
    assert {"clipped_norm", "update_ratio"} < set((tmp_path / "history.csv").read_text().splitlines()[0].split(","))


def test_tuning_trials_are_nested(client):
    parents, children = runs(client, "tweets", "tune")
    assert len(parents) == 2
    assert len(children) == 2 * 2 * 8  # cells, searches, trials
    assert all("final/scores.test" not in run.data.metrics for run in children)


def test_the_figures_of_the_reports_are_there(client, tmp_path):
    found, _ = runs(client, "airline", "report")
    names = {
        run.info.run_name: {file.path for file in client.list_artifacts(run.info.run_id, "figures")} for run in found
    }
    assert len(found) == len(names) == 4
    expected = {"figures/forecast.svg", "figures/learning-curves.svg", "figures/scores-test.svg"}
    assert expected <= names["report comparison"]
    assert names["report parity"] == {"figures/loss-gaps.svg"}
    comparison = next(run for run in found if run.info.run_name == "report comparison")
    picture = client.download_artifacts(comparison.info.run_id, "figures/forecast.svg", tmp_path)
    assert "viewBox" in ElementTree.parse(picture).getroot().attrib  # a file by itself, unlike what stands in a page


def test_a_run_is_logged_once(client, study):
    before = len(runs(client, "airline", "train")[1])
    study.run("python", "pipelines/train.py", "pytorch", "airline")
    assert len(runs(client, "airline", "train")[1]) == before


def test_a_run_computed_again_is_not_logged_again(client, study):
    """The check of determinism empties the run store and keeps MLflow's."""
    before = len(runs(client, "airline", "train")[1])
    (study.folder / ".run-store").rename(study.folder / "store-aside")
    said = study.run("python", "pipelines/train.py", "pytorch", "airline").stderr
    assert "4/4 runs, 0 reused" in said
    assert len(runs(client, "airline", "train")[1]) == before


def test_every_option_shows(project):
    """Its value in the parameters of a run, its effect in the curves."""
    from mlflow import MlflowClient

    for stage in ("fetch.py airline", "prepare.py airline"):
        project.run("python", *f"pipelines/{stage}".split())
    options = {
        "plain": ("", None, None),
        "relu": ("activation: relu", "network.activation", "relu"),
        "identity": ("recurrent: identity", "init.recurrent", "identity"),
        "he": ("kernel: he", "init.kernel", "he"),
        "forgets": ("forget_bias: -3.0", "init.forget_bias", "-3.0"),
        "deep": ("cell: [lstm, gru]", "network.layers.1.cell", "gru"),
        "dropped": ("dropout: 0.4", "network.dropout", "0.4"),
        "layer_norm": ("norm: layer", "network.norm", "layer"),
        "batch_norm": ("norm: batch", "network.norm", "batch"),
        "momentum": ("optimiser: momentum", "optimiser.rule.momentum", "0.9"),
        "value": ("clip_by: value, clip: 0.01", "optimiser.clip_by", "value"),
        "unclipped": ("clip_by: nothing", "optimiser.clip", "None"),
        "sgd": ("optimiser: sgd", "optimiser.rule.kind", "sgd"),
        "rmsprop": ("optimiser: rmsprop", "optimiser.rule.rho", "0.9"),
        "kerass": ("defaults: keras", "optimiser.rule.hat", "True"),
        "truncated": ("window: 2", "network.window", "2"),
        "pytorchs": ("defaults: pytorch", "network.second_bias", "True"),
    }
    settings = "[{settings: &x {learning_rate: 0.01, clip: 1.0, dropout: 0.0}}, {settings: *x}]"
    (project.folder / "tuned").mkdir()
    project.write("tuned/airline.yaml", "".join(f"{name}: {settings}\n" for name in options))
    cells = ", ".join(
        f"{name}: {{{keys}}}" if "cell:" in keys else f"{name}: {{cell: lstm, {keys}}}"
        for name, (keys, *_) in options.items()
    ).replace(", }", "}")
    text = (project.folder / "params.yaml").read_text()
    start = text.rindex("    cells: ")
    project.write(
        "params.yaml",
        text[:start].replace("defaults: {airline: [lstm]}", "defaults: {}")
        + f"    cells: {{{cells}}}\nquestions: {{}}\n",
    )
    project.run("python", "pipelines/train.py", "pytorch", "airline")
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    _, children = runs(client, "airline", "train")
    found = {run.data.params["variant"]: run for run in children if run.data.params["seed"] == "0"}
    assert found.keys() == options.keys()
    curves = set()
    for name, (_, key, value) in options.items():
        assert key is None or found[name].data.params[key] == value
        curve = client.get_metric_history(found[name].info.run_id, "curves/train_loss")
        curves.add(tuple(point.value for point in curve))
    assert len(curves) == len(options)  # none is like another
    (history,) = (project.folder / "runs/airline-pytorch/value").glob("seed-0/history.csv")
    *_, last = csv.DictReader(history.open())
    assert float(last["clipped_share"]) > 0.5
    impls = {name: run.data.params["impl"] for name, run in found.items()}
    others = {"relu", "layer_norm", "batch_norm", "truncated", "pytorchs"}
    assert {name for name, impl in impls.items() if impl == "equations"} == others


def test_a_broken_store_is_one_clear_line_and_training_goes_on(project):
    for stage in ("fetch.py airline", "prepare.py airline"):
        project.run("python", *f"pipelines/{stage}".split())
    (project.folder / "tuned").mkdir()
    settings = "[{settings: &x {learning_rate: 0.01, clip: 1.0, dropout: 0.0}}, {settings: *x}]"
    project.write("tuned/airline.yaml", f"vanilla: {settings}\nlstm: {settings}\n")
    project.write("mlflow.db", "this is no database")
    (line,) = logged_lines(project.run("python", "pipelines/train.py", "pytorch", "airline").stderr)
    assert line.startswith("mlflow: mlflow.db: ")
    assert line.endswith("no more runs of this stage are logged; results are kept, log them with: rnn-study track")
    assert (project.folder / "metrics/train/airline-pytorch.json").is_file()
    done = project.run("rnn-study", "track", check=False)
    assert done.returncode == 1
    assert len(logged_lines(done.stderr)) == 1
    (project.folder / "mlflow.db").unlink()
    assert project.run("rnn-study", "track").stdout == "track: 4 runs are in MLflow\n"


def test_a_store_whose_creation_was_killed_is_created_again_and_two_at_once_share_one(tmp_path):
    """MLflow writes its tables in seconds and does not open half of them."""
    import signal
    import subprocess
    import sys
    import time

    from mlflow import MlflowClient

    opens = "from rnn_study.running.tracking.mlflow_runs import Runs; Runs('t', 'train', 'pytorch', {})"

    def start():
        return subprocess.Popen([sys.executable, "-c", opens], cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    fresh = tmp_path / ".mlflow.db.new"
    first = start()
    deadline = time.monotonic() + 60
    while not (fresh.exists() and fresh.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert fresh.exists()
    assert not (tmp_path / "mlflow.db").exists()
    both = [start(), start()]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert not fresh.exists()
    assert [run.name for run in MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").search_experiments()].count(
        "t"
    ) == 1


@pytest.fixture
def under_way(tmp_path, monkeypatch):
    """MLflow's own folder, rows that are written at once, and an epoch of a run."""
    from rnn_study.model.init import Init
    from rnn_study.model.network import Layer, Network
    from rnn_study.model.optimisers import Optimiser
    from rnn_study.running.run.events import Progress
    from rnn_study.running.run.spec import RunSpec
    from rnn_study.running.tracking import mlflow_runs

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mlflow_runs, "_FLUSH_SECONDS", 0.1)
    network = Network(1, (Layer("lstm", 3),), 1)
    spec = RunSpec(
        "t", "lstm", "d", "pytorch", "native", "cpu", network, Init(), Optimiser(0.1, 1.0), 1, 9, 9, None, True, 0
    )
    return lambda epoch: Progress("abc", spec, told_of(epoch, 1 / epoch))


def test_a_stage_that_fails_marks_its_runs_as_killed(under_way):
    """And ends, whatever still waits to be written."""
    import time

    from mlflow import MlflowClient

    from rnn_study.running.tracking import Tracker

    client = MlflowClient("sqlite:///mlflow.db")

    def stage():
        with Tracker("train", "pytorch", {"t": {}, "u": {}}) as tracker:
            for epoch in range(1, 200):
                tracker.log(under_way(epoch))
                if Path("mlflow.db").exists() and client.get_experiment_by_name("t") and runs(client, "t", "train")[1]:
                    break
                time.sleep(0.2)
            for epoch in range(200, 400):
                tracker.log(under_way(epoch))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stage()
    parents, children = runs(client, "t", "train")
    assert [run.info.status for run in [*parents, *children]] == ["KILLED", "KILLED"]


def test_curves_appear_while_a_run_trains(tmp_path, under_way):
    """The rows of epochs are in MLflow before the run ends, and a stage that dies leaves it marked as killed."""
    import time

    from mlflow import MlflowClient

    from rnn_study.running.tracking import mlflow_runs

    tracker = mlflow_runs.Runs("t", "train", "pytorch", {})
    for epoch in (1, 2):
        tracker.log(under_way(epoch))
        time.sleep(0.2)
    tracker.log(under_way(3))
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    _, (run,) = runs(client, "t", "train")
    assert run.info.status == "RUNNING"
    curve = client.get_metric_history(run.info.run_id, "curves/train_loss")
    assert [point.value for point in curve] == [1.0, 0.5, 1 / 3]
    mlflow_runs.Runs("t", "train", "pytorch", {})  # the next stage finds what the dead one left
    assert client.get_run(run.info.run_id).info.status == "KILLED"


def test_the_curves_of_a_run_that_went_on_are_whole(tmp_path, under_way):
    """It was killed after its first two epochs: what is told of it begins at the third."""
    from mlflow import MlflowClient

    from rnn_study.running.run import results, store
    from rnn_study.running.run.events import Finished
    from rnn_study.running.tracking import mlflow_runs

    tracker = mlflow_runs.Runs("t", "train", "pytorch", {})
    events = [under_way(epoch) for epoch in (3, 4)]
    for event in events:
        tracker.log(event)
    tracker._flush()
    history = [told_of(epoch, 1 / epoch) for epoch in (1, 2, 3, 4, 5)]
    scores = {"validation": 0.5, "test": 0.5}
    result = results.RunResult(history, {}, {"W": np.ones(2, np.float32)}, {}, {}, {}, {"scores": scores})
    folder = store.add("abc", events[0].spec, result, 1.0)
    tracker.log(Finished("abc", events[0].spec, folder, {}, reused=False))
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    _, (run,) = runs(client, "t", "train")
    curve = client.get_metric_history(run.info.run_id, "curves/train_loss")
    assert sorted((point.step, point.value) for point in curve) == [(epoch, 1 / epoch) for epoch in (1, 2, 3, 4, 5)]


def test_runs_that_the_study_no_longer_has_are_told_from_those_that_it_has(tmp_path, under_way):
    """Other settings make another parent, one seed less a child less; what comes back is current again."""
    from dataclasses import replace

    from mlflow import MlflowClient

    from rnn_study.model.optimisers import Optimiser
    from rnn_study.running.run import results, store
    from rnn_study.running.run.events import Finished
    from rnn_study.running.tracking import mlflow_runs

    spec = under_way(1).spec
    scores = {"validation": 0.5, "test": 0.5}
    result = results.RunResult([told_of(1, 1.0)], {}, {"W": np.ones(2, np.float32)}, {}, {}, {}, {"scores": scores})
    specs = {
        "slow 0": spec,
        "slow 1": replace(spec, seed=1),
        "fast 0": replace(spec, optimiser=Optimiser(0.3, 1.0)),
    }
    folders = {name: store.add(name, one, result, 1.0) for name, one in specs.items()}
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")

    def stage(*names: str, killed: bool = False) -> dict[str, str]:
        """What the stage has; afterwards what is said of every child, and how many parents are current."""
        logged = mlflow_runs.Runs("t", "train", "pytorch", {})
        for name in names:
            logged.log(Finished(name, specs[name], folders[name], {}, reused=False))
        logged.end(killed=killed)
        parents, children = runs(client, "t", "train")
        told = {run.data.tags["study.run"]: run.data.tags["study.current"] for run in children}
        return told | {"parents": [run.data.tags["study.current"] for run in parents].count("True")}

    assert stage("slow 0", "slow 1") == {"slow 0": "True", "slow 1": "True", "parents": 1}
    assert stage("fast 0") == {"slow 0": "False", "slow 1": "False", "fast 0": "True", "parents": 1}
    assert stage("slow 0") == {"slow 0": "True", "slow 1": "False", "fast 0": "False", "parents": 1}
    assert stage("fast 0", killed=True)["slow 0"] == "True"  # it did not come to its end
    assert stage() == stage("slow 0")  # nor did one that had nothing to do
    cut_short = mlflow_runs.Runs("t", "train", "pytorch", {})
    cut_short.log(replace(under_way(1), run="slow 2", spec=replace(spec, seed=2)))
    cut_short._flush()
    folders["slow 2"] = store.add("slow 2", replace(spec, seed=2), result, 1.0)
    specs["slow 2"] = replace(spec, seed=2)
    stage("slow 2")
    stage("slow 2")
    both = [run for run in runs(client, "t", "train")[1] if run.data.tags["study.run"] == "slow 2"]
    said = {run.info.status: run.data.tags["study.current"] for run in both}
    assert said == {"KILLED": "False", "FINISHED": "True"}


def test_runs_of_a_frontier_say_how_long_their_sequences_are(client):
    parents, children = runs(client, "adding", "frontier")
    names = {run.info.run_name for run in children}
    assert {"vanilla pytorch T 4 seed 0", "ugrnn pytorch T 6 seed 1", "ugrnn pytorch T up to 6 seed 0"} <= names
    assert "frontier vanilla-irnn pytorch T 4" in {run.info.run_name for run in parents}
    one = next(run for run in children if run.info.run_name == "vanilla pytorch T 4 seed 0")
    assert one.data.params["data.steps"] == "4"
    assert one.data.tags["data"] == "generated"
    _, pixels = runs(client, "permuted_mnist", "frontier")
    assert {run.info.run_name for run in pixels} == {"gru pytorch T 16 seed 0", "gru pytorch T 16 seed 1"}
    assert {run.data.tags["data.mnist"] for run in pixels} == {"embedded"}
