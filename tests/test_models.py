"""Models in MLflow: a stranger loads them with MLflow and a framework alone, and gets the stored predictions."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, Project, needs
from ruamel.yaml import YAML

from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.model.network import Layer, Network
from rnn_study.running.run import results
from rnn_study.running.tracking import models

pytestmark = needs("mlflow", "dvc", "torch", "tensorflow", "papermill", "optuna")

# What a stranger runs: nothing of the project can be imported.
LOAD = """
import json
import os
import sys

import mlflow
import numpy as np

folder, backend = sys.argv[1:]
os.chdir(folder)
mlflow.set_tracking_uri("sqlite:///" + os.path.join(folder, "mlflow.db"))
client, found = mlflow.MlflowClient(), []
for experiment in client.search_experiments():
    for model in client.search_logged_models([experiment.experiment_id]):
        if model.name.endswith(backend):
            x = np.load(f"data/prepared/{model.params['task']}.npz")["part/test/x"]
            own = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
            answers = own.predict(x)
            needs = open(mlflow.pyfunc.get_model_dependencies(f"models:/{model.model_id}")).read()
            about = {key: model.params[key] for key in ("task", "cell", "seed")}
            found.append(about | {"answers": np.asarray(answers).tolist(), "needs": needs.split()})
try:
    import rnn_study
except ImportError:
    print(json.dumps(found))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stranger_gets_the_stored_predictions(study: Project, backend, tmp_path):
    # An environment without the project: its packages, but not the file that names its source.
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in map(str, sys.path):
        if path.endswith("site-packages"):  # Ray puts a folder of its own among them
            for entry in os.scandir(path):
                if "rnn_study" not in entry.name:
                    (packages / entry.name).symlink_to(entry.path)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(packages)}
    command = [sys.executable, "-S", "-c", LOAD, str(study.folder), backend]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {(one["task"], one["cell"]): one for one in json.loads(done.stdout.splitlines()[-1])}
    table = json.loads((study.folder / f"data/models/{backend}.json").read_text())
    assert found.keys() == {(row["task"], row["cell"]) for row in table if row["model"]}
    assert {("mnist_rows", "lstm"), ("tweets", "lstm"), ("airline", "vanilla")} <= found.keys()
    for (task, cell), one in found.items():
        scores = json.loads((study.folder / f"metrics/train/{task}-{backend}.json").read_text())
        validation = scores["cells"][cell]["scores"]["validation"]
        best = (max if scores["higher_is_better"] else min)(validation)
        assert validation[[0, 1].index(int(one["seed"]))] == best
        folder = results.run_folder(study.folder / "runs", task, backend, cell, int(one["seed"]))
        stored = results.read_predictions(folder)["test"]
        assert np.abs(np.array(one["answers"]) - stored).max() <= 1e-6 * max(1.0, np.abs(stored).max())
        framework = {"pytorch": "torch==", "tensorflow": "tensorflow=="}[backend]
        assert any(need.startswith(framework) for need in one["needs"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_clone_begins_without_what_the_stage_writes(backend):
    """Else DVC would skip the stage where a clone's results are those in git, and its MLflow had no model."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    (out,) = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]["models"]["do"]["outs"]
    path = str(out).replace("${item}", backend)
    assert path == f"data/models/{backend}.json"
    assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0


def test_a_model_is_logged_once_and_replaced_by_another_run(study: Project):
    # In a process of its own: MLflow's client holds on to the file that it opened first.
    code = """
import json, mlflow
client = mlflow.MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("airline").experiment_id
print(json.dumps({one.name: one.model_id for one in client.search_logged_models([experiment])}))
"""

    def logged() -> dict[str, str]:
        return json.loads(study.run("python", "-c", code).stdout)

    with study.put_back():
        before = logged()
        study.run("python", "pipelines/models.py", "pytorch")
        assert logged() == before
        table = study.folder / "metrics/train/airline-pytorch.json"
        scores = json.loads(table.read_text())
        scores["cells"]["lstm"]["scores"]["validation"].reverse()
        table.write_text(json.dumps(scores))
        study.run("python", "pipelines/models.py", "pytorch")
        after = logged()
        assert after.keys() == before.keys()
        assert {name for name in after if after[name] != before[name]} == {"lstm-pytorch"}
        # Weights that do not give the predictions beside them are no model.
        folder = study.folder / "runs/airline-pytorch/vanilla"
        for one, other in (("seed-0", "seed-1"), ("seed-1", "seed-0")):
            shutil.copy(folder / one / "predictions.npz", folder / f"{other}.npz")
        for seed in ("seed-0", "seed-1"):
            (folder / seed / "predictions.npz").unlink()
            shutil.move(folder / f"{seed}.npz", folder / seed / "predictions.npz")
        done = study.run("python", "pipelines/models.py", "pytorch", check=False)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("error: runs/airline-pytorch/vanilla/seed-")
        assert done.stderr.splitlines()[-1].endswith("from the stored predictions: expected the same")


def test_what_no_stock_layer_can_do_is_named():
    plain = {cell: Network(2, (Layer(cell, 3),), 1) for cell in ("vanilla", "lstm", "gru")}
    for backend in BACKENDS:
        assert {cell: models.why_not(network, backend) for cell, network in plain.items()} == dict.fromkeys(plain)
        assert models.why_not(Network(2, (Layer("ugrnn", 3),), 1), backend) == "cell ugrnn"
        assert models.why_not(Network(2, (Layer("lstm", 3),), 1, bidirectional=True), backend) == "bidirectional"
        assert models.why_not(Network(2, (Layer("lstm", 3),), 1, every_step=True), backend) == "every step"
    assert "ugrnn" in CELLS


def test_the_best_seed_is_the_first_of_equals():
    assert models.best_seed([0.5, 0.75, 0.75], [7, 8, 9], True) == 8
    assert models.best_seed([3.0, 2.0, 2.0], [7, 8, 9], False) == 8
