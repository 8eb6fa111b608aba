"""metrics/runs.csv against what the runs' own files say, and against tables made by hand."""

import csv
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, needs
from ruamel.yaml import YAML
from safetensors.numpy import load_file

from rnn_study.running import runs_table
from rnn_study.support.errors import StudyError


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def a_run(folder: Path, task: str, data: object, *, layers=(("lstm", 7),), seed=0, **changed) -> None:
    """What a run leaves of itself, with as many keys as the table reads."""
    spec = {
        "task": task,
        "variant": "lstm",
        "data": data,
        "backend": "pytorch",
        "impl": "native",
        "device": "cpu",
        "network": {
            "layers": [{"cell": cell, "units": units} for cell, units in layers],
            "dropout": 0.1,
            "decoder": changed.pop("decoder", None),
        },
        "optimiser": {"learning_rate": 0.1 + 0.2, "clip": changed.pop("clip", 1.0)},
        "batch_size": 8,
        "seed": seed,
    }
    result = {
        "scores": changed.pop("scores", {"validation": 2.5, "test": 1 / 3}),
        "best_epoch": 2,
        "epochs": 3,
        "updates": 30,
        "examples_seen": 240,
        "parameters": 100,
        "parameters_with_embedding": 120,
        "diverged": False,
    }
    write(folder / "spec.json", spec)
    write(folder / "result.json", result | changed)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """Runs of four stages, written by hand, in the working directory."""
    monkeypatch.chdir(tmp_path)
    card = {"score": "rmse", "unit": "thousand, passengers", "parts": {"train": {"x": [60, 12, 1]}}}
    rest = {"details": {}, "provenance": []}
    write(Path("metrics/data/airline.json"), {"task": "airline"} | card | rest)
    adding = {"task": "adding", "score": "rmse", "unit": "", "parts": {"train": {"x": [9, 50, 2]}}}
    write(Path("metrics/data/adding.json"), adding | rest)
    write(Path("metrics/shapes/data.json"), {"spelled": card | {"score": "accuracy", "unit": ""}})
    write(Path("metrics/frontier/adding.json"), {"score": "rmse"})
    write(Path("metrics/frontier/pixel_mnist.json"), {"score": "accuracy"})
    runs, drawn = Path("runs"), {"problem": "adding", "steps": 10}
    a_run(runs / "airline-pytorch/lstm/seed-10", "airline", "data/prepared/airline.npz", seed=10)
    a_run(runs / "airline-pytorch/lstm/seed-2", "airline", "data/prepared/airline.npz", seed=2)
    trial = runs / "tune-airline/lstm/search-1/trial-11"
    a_run(trial, "airline", "data/prepared/airline.npz", scores={"validation": 1e100}, seed=1000)
    a_run(runs / "adding-pytorch/lstm/seed-0", "adding", "data/prepared/adding.npz", clip=None, solved=False)
    lengths = {"validation": 0.5, "test": 0.5, "100": 0.9, "20": 0.8}
    place = runs / "frontier-adding/mixed/lstm/T-10/seed-0"
    a_run(place, "adding", drawn, scores=lengths, solved=True, solved_at=20)
    pixels = {"source": "data/prepared/mnist_rows.npz", "side": 4, "permutation": None}
    a_run(runs / "frontier-pixel_mnist/budget/lstm/T-16/seed-0", "pixel_mnist", pixels, solved=False)
    mixed = (("vanilla", 5), ("gru", 5))
    shape = runs / "shapes-pytorch/spelled-pytorch"
    a_run(shape / "lstm/seed-0", "spelled", "data/shapes/spelled.npz", layers=mixed)
    a_run(shape / "mlp/seed-1", "spelled", "data/shapes/spelled.npz", layers=(), seed=1)
    writes = {"layers": [{"cell": "gru", "units": 6}]}
    a_run(shape / "gru/seed-2", "spelled", "data/shapes/spelled.npz", layers=(), decoder=writes, seed=2)
    return runs


BY_HAND = """\
stage,task,axis,variant,cell,framework,impl,device,length,seed,trial,layers,units,parameters,\
parameters_with_embedding,learning_rate,clip,dropout,batch_size,epochs,updates,examples_seen,best_epoch,solved,\
solved_at,diverged,pruned,score,unit,higher_is_better,score_validation,score_test,score_20,score_100,folder
tune,airline,,lstm,lstm,pytorch,native,cpu,12,1000,11,1,7,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,False,,\
rmse,"thousand, passengers",False,1e+100,,,,runs/tune-airline/lstm/search-1/trial-11
train,airline,,lstm,lstm,pytorch,native,cpu,12,2,,1,7,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,False,,\
rmse,"thousand, passengers",False,2.5,0.3333333333333333,,,runs/airline-pytorch/lstm/seed-2
train,airline,,lstm,lstm,pytorch,native,cpu,12,10,,1,7,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,False,,\
rmse,"thousand, passengers",False,2.5,0.3333333333333333,,,runs/airline-pytorch/lstm/seed-10
ablate,adding,,lstm,lstm,pytorch,native,cpu,50,0,,1,7,100,120,0.30000000000000004,,0.1,8,3,30,240,2,False,,False,,\
rmse,,False,2.5,0.3333333333333333,,,runs/adding-pytorch/lstm/seed-0
frontier,adding,mixed,lstm,lstm,pytorch,native,cpu,10,0,,1,7,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,True,\
20,False,,rmse,,False,0.5,0.5,0.8,0.9,runs/frontier-adding/mixed/lstm/T-10/seed-0
frontier,pixel_mnist,budget,lstm,lstm,pytorch,native,cpu,16,0,,1,7,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,\
False,,False,,accuracy,,True,2.5,0.3333333333333333,,,runs/frontier-pixel_mnist/budget/lstm/T-16/seed-0
shapes,spelled,,lstm,vanilla+gru,pytorch,native,cpu,12,0,,2,5,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,\
False,,accuracy,,True,2.5,0.3333333333333333,,,runs/shapes-pytorch/spelled-pytorch/lstm/seed-0
shapes,spelled,,lstm,,pytorch,native,cpu,12,1,,0,,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,\
False,,accuracy,,True,2.5,0.3333333333333333,,,runs/shapes-pytorch/spelled-pytorch/mlp/seed-1
shapes,spelled,,lstm,gru,pytorch,native,cpu,12,2,,1,6,100,120,0.30000000000000004,1.0,0.1,8,3,30,240,2,,,\
False,,accuracy,,True,2.5,0.3333333333333333,,,runs/shapes-pytorch/spelled-pytorch/gru/seed-2
"""


def test_the_table_of_some_runs_by_hand(finished):
    """To the byte: order by number, empty where nothing applies, numbers that read back the same, LF."""
    for _ in range(2):
        runs_table.write(runs_table.rows(finished, Path("metrics")), Path("metrics/runs.csv"))
        assert Path("metrics/runs.csv").read_bytes().decode() == BY_HAND


def test_lengths_stand_in_the_order_of_numbers(finished):
    for steps in (100, 9):
        place = finished / f"frontier-adding/mixed/lstm/T-{steps}/seed-0"
        a_run(place, "adding", {"problem": "adding", "steps": steps})
    found = [row for row in runs_table.rows(finished, Path("metrics")) if row["axis"] == "mixed"]
    assert [row["length"] for row in found] == [9, 10, 100]


def test_what_dvc_leaves_of_a_task_that_is_gone_is_no_run_of_the_study(finished):
    """Neither of a task nor of a system of shapes, of which no card is left."""
    a_run(finished / "waves-pytorch/lstm/seed-0", "waves", "data/prepared/waves.npz")
    a_run(finished / "tune-gone/lstm/search-0/trial-0", "gone", "data/shapes/gone.npz")
    runs_table.write(runs_table.rows(finished, Path("metrics")), Path("metrics/runs.csv"))
    assert Path("metrics/runs.csv").read_bytes().decode() == BY_HAND


def test_no_run_is_one_clear_line(tmp_path):
    with pytest.raises(StudyError) as fault:
        runs_table.rows(tmp_path / "runs", tmp_path)
    assert str(fault.value) == f"{tmp_path}/runs: no finished run: expected those of a study; run: dvc repro"


def test_a_run_that_does_not_say_what_it_is_is_one_clear_line(finished):
    (finished / "airline-pytorch/lstm/seed-2/spec.json").unlink()
    with pytest.raises(StudyError) as fault:
        runs_table.rows(finished, Path("metrics"))
    said = "runs/airline-pytorch/lstm/seed-2/spec.json: not found: expected what determined the run; run: dvc repro"
    assert str(fault.value) == said


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics/runs.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def explained(name: str) -> bool:
    """Whether the document has a row for a column."""
    told = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/runs-table.md").read_text(), re.M)
    return name in {column.strip("`") for cell in told for column in cell.split(", ")}


def test_digests_are_those_of_sha256sum_and_tell_of_every_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/b/result.json", "runs/a b/history.csv", "runs/a b/.hidden", "runs/parity.json"):
        write(Path(name), name)
    list_ = Path("runs.sha256")
    runs_table.write_digests([Path("runs")], list_)
    lines = list_.read_text().splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == sorted(line.split("  ", 1)[1] for line in lines)
    assert len(lines) == 4
    check = ["sha256sum", "--check", "--quiet", "--strict", str(list_)]
    if shutil.which("sha256sum"):
        assert subprocess.run(check, capture_output=True).returncode == 0
    before = list_.read_bytes()
    for change in (
        lambda: Path("runs/parity.json").write_text("other"),
        lambda: Path("runs/b/result.json").rename("runs/b/other.json"),
        lambda: write(Path("runs/c/new.json"), 1),
        lambda: Path("runs/a b/.hidden").unlink(),
    ):
        change()
        runs_table.write_digests([Path("runs")], list_)
        assert list_.read_bytes() != before
        before = list_.read_bytes()


needs_study = needs("dvc", "mlflow", "optuna", "papermill", "torch", "tensorflow")


@needs_study
def test_every_run_of_a_study_has_a_row_that_says_what_its_files_say(study):
    """Counted in the folders, whatever stage made them, and computed from what training left there."""
    rows = {row["folder"]: row for row in table(study.folder)}
    folders = {path.parent for path in (study.folder / "runs").rglob("history.csv")}
    assert set(rows) == {folder.relative_to(study.folder).as_posix() for folder in folders}
    for folder in folders:
        row, result = (
            rows[folder.relative_to(study.folder).as_posix()],
            json.loads((folder / "result.json").read_text()),
        )
        with (folder / "history.csv").open() as file:
            history = list(csv.DictReader(file))
        weights = load_file(folder / "weights.safetensors")
        assert int(row["epochs"]) == len(history)
        assert int(row["updates"]) == len(np.load(folder / "updates.npz")["norms"])
        assert int(row["parameters_with_embedding"]) == sum(array.size for array in weights.values())
        embedding = weights["embedding"].size if "embedding" in weights else 0
        assert int(row["parameters"]) == int(row["parameters_with_embedding"]) - embedding
        if best := int(row["best_epoch"]):
            assert float(row["score_validation"]) == float(history[best - 1]["validation_score"])
        scores = {part: row[f"score_{part}"] for part in result["scores"]}
        assert {part: float(score) for part, score in scores.items()} == result["scores"]
        assert sum(row[name] != "" for name in row if name.startswith("score_")) == len(result["scores"])
        assert row["higher_is_better"] == str(row["score"] == "accuracy")
        assert f"seed-{row['seed']}" == folder.name or row["stage"] == "tune"
    assert {row["stage"] for row in rows.values()} == {
        "tune",
        "train",
        "untuned",
        "controls",
        "ablate",
        "frontier",
        "shapes",
    }
    assert all(explained(name) for name in next(iter(rows.values())) if not name.startswith("score_"))


@needs_study
def test_the_rows_of_a_study_agree_with_its_metrics(study):
    """Each stage's with the table that it wrote itself."""
    rows = table(study.folder)
    trials = [row for row in rows if row["stage"] == "tune"]
    for task in ("mnist_rows", "tweets", "airline"):
        told = json.loads((study.folder / f"runs/tune-{task}/trials.json").read_text())
        for cell, searches in told.items():
            for search, expected in enumerate(searches):
                own = [r for r in trials if (r["task"], r["variant"], r["seed"]) == (task, cell, str(1000 + search))]
                assert [int(row["trial"]) for row in own] == [one["number"] for one in expected]
                assert [float(row["score_validation"]) for row in own] == [one["score"] for one in expected]
                for key in ("learning_rate", "clip", "dropout"):
                    assert [float(row[key]) for row in own] == [one[key] for one in expected]
        tuned = YAML(typ="safe").load((study.folder / f"tuned/{task}.yaml").read_text())
        for backend in ("pytorch", "tensorflow"):
            scored = json.loads((study.folder / f"metrics/train/{task}-{backend}.json").read_text())
            for cell, found in scored["cells"].items():
                wanted = ("train", task, cell, backend)
                own = [r for r in rows if (r["stage"], r["task"], r["variant"], r["framework"]) == wanted]
                assert [float(row["score_test"]) for row in own] == found["scores"]["test"]
                assert [row["score"] for row in own] == [scored["score"]] * len(found["seeds"])
                layers = [tuned[cell][place % 2]["settings"]["depth"] for place in range(len(own))]  # a search a seed
                assert [int(row["layers"]) for row in own] == layers
                assert own[0]["units"] == str(found["units"][0])
                settings = [one["settings"]["learning_rate"] for one in tuned[cell]]
                assert [float(row["learning_rate"]) for row in own] == settings  # a seed to each of two searches
    scored = json.loads((study.folder / "metrics/ablate/adding.json").read_text())["cells"]
    own = [row for row in rows if (row["stage"], row["task"]) == ("ablate", "adding")]
    assert {row["variant"] for row in own} == set(scored)
    assert [row["clip"] for row in own if row["variant"] == "vanilla-unclipped"] == ["", ""]
    assert {row["length"] for row in own} == {"8"}
    for problem in ("adding", "menu", "permuted_mnist"):
        told = json.loads((study.folder / f"metrics/frontier/{problem}.json").read_text())
        own = {
            (r["axis"], r["variant"], int(r["length"]), int(r["seed"])): r
            for r in rows
            if (r["stage"], r["task"]) == ("frontier", problem)
        }
        for one in told["runs"]:
            row = own.pop((one["axis"], one["variant"], one["steps"], one["seed"]))
            assert row["solved"] == str(one["solved"])
            assert row["solved_at"] == (str(one["updates"]) if one["solved"] else "")
            assert float(row["score_test"]) == one["scores"]["test"]
        for one in told["generalisation"]:
            score = own["mixed", one["variant"], one["trained"], one["seed"]][f"score_{one['steps']}"]
            assert math.isclose(float(score), one["score"], rel_tol=0)
        assert {axis for axis, *_ in own} <= {"mixed"}


@needs("pandas")
def test_the_example_of_the_document(monkeypatch):
    """It runs on the study that is there, and finds the means of the tables that the train stage wrote."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/runs-table.md").read_text(), re.S)[1]
    monkeypatch.chdir(ROOT)
    names = {}
    exec(code, names)
    for path in (ROOT / "metrics/train").glob("*.json"):
        scored = json.loads(path.read_text())
        for cell, found in scored["cells"].items():
            mean, _, count = names["scores"].loc[scored["task"], cell, scored["backend"]]
            assert mean == pytest.approx(np.mean(found["scores"]["test"]))
            assert count == len(found["seeds"])
