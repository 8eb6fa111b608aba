"""The whole pipeline, run for real in a copy of the project with tiny parameters."""

import hashlib
import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Project, needs
from ruamel.yaml import YAML

from rnn_study.behaviour.parity.checks import CHECKS
from rnn_study.data.prepared import load_task
from rnn_study.model.backend import BACKENDS
from rnn_study.running.run import code
from rnn_study.running.run.store import PUBLISHED
from rnn_study.support.files import read_arrays

REPORTS = ("benchmarks", "comparison", "gradients", "long_range", "parity", "sequence_shapes", "tuning")
FRONTIERS = ("adding", "menu", "permuted_mnist")  # of the tiny study

pytestmark = needs("dvc", "mlflow", "optuna", "papermill", "torch", "tensorflow")


def reused(project: Project, *script: str) -> tuple[int, int]:
    """Run a stage's script: how many of its runs came from the run store, and how many there are."""
    said = project.run("python", *script).stderr
    finished, total, again = map(int, re.findall(r"(\d+)/(\d+) runs, (\d+) reused", said)[-1])
    assert finished == total
    return again, total


def stages() -> dict[str, dict]:
    return YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]


# What a stage imports by a name, which no import statement shows: the frameworks that its workers load, the modules
# that its notebooks name.
LOADED = {
    "tune": ["backends/pytorch"],
    "parity": [f"backends/{backend}" for backend in BACKENDS],
    "train": ["backends/${item}"],
    "untuned": ["backends/pytorch"],
    "models": ["backends/${item}"],
    "ablate": ["backends/${gradients.framework}"],
    "controls": ["backends/${gradients.framework}"],
    "frontier": ["backends/${item.framework}"],
    "frontier-images": ["backends/${item.framework}"],
    "shapes": ["backends/${item}"],
    "reports": [f"reports/{name}" for name in REPORTS],
}


def rooms(*names: str) -> set[str]:
    """The rooms (folders of the package, a framework's own) of what these files import, but for files that do
    nothing."""
    package = ROOT / "src/rnn_study"
    found = set()
    for path in code.closure(*(ROOT / name for name in names)):
        if path.is_relative_to(package) and code.does(path):
            room, *rest = path.relative_to(package).parts
            found.add(f"{room}/{rest[0]}" if room == "backends" else room)
    return found


def modules(loaded: list[str]) -> list[str]:
    """The files behind names of LOADED, of a framework that a variable chooses those of every one."""
    found = []
    for name in loaded:
        for backend in BACKENDS if "$" in name else [""]:
            module = f"src/rnn_study/{re.sub('[$].*', backend, name)}"
            found.append(f"{module}/__init__.py" if (ROOT / module).is_dir() else f"{module}.py")
    return found


@pytest.mark.parametrize("name", stages())
def test_a_stage_depends_on_the_rooms_that_its_script_imports(name):
    stage = stages()[name].get("do", stages()[name])
    script, loaded = stage["cmd"].split()[1], LOADED.get(name, [])
    needed = rooms(script, *modules(loaded))
    if any("$" in one for one in loaded):  # the one framework in the place of both
        needed = {room for room in needed if not room.startswith("backends/")} | set(loaded)
    listed = [dep for dep in stage["deps"] if dep.startswith("src/")]
    assert sorted(f"src/rnn_study/{room}" for room in needed) == sorted(listed)
    assert {dep for dep in stage["deps"] if dep.endswith((".py", ".lock"))} == {script, "requirements.lock"}


def git(*words: str) -> bytes | None:
    """What git says here; None where it has no answer."""
    said = subprocess.run(["git", *words], cwd=ROOT, capture_output=True)
    return said.stdout if said.returncode == 0 else None


def committed(path: str) -> str | None:
    """The digest that DVC gives to a file or folder as it is in the last commit; None for what git does not hold."""
    names = (git("ls-tree", "-r", "--name-only", "HEAD", "--", path) or b"").decode().splitlines()
    digests = {name: hashlib.md5(git("cat-file", "blob", f"HEAD:{name}")).hexdigest() for name in names}
    if path in digests:
        return digests[path]
    listed = [{"md5": md5, "relpath": name.removeprefix(f"{path}/")} for name, md5 in sorted(digests.items())]
    return hashlib.md5(json.dumps(listed).encode()).hexdigest() + ".dir" if listed else None


def test_the_committed_lock_belongs_to_the_committed_files():
    """What is committed was made by what is committed: code, parameters and results together."""
    lock = git("cat-file", "blob", "HEAD:dvc.lock")
    if lock is None:
        pytest.skip("not a git checkout")
    parameters = YAML(typ="safe").load(git("cat-file", "blob", "HEAD:params.yaml"))
    checked = set()
    for name, stage in YAML(typ="safe").load(lock)["stages"].items():
        for entry in [*stage["deps"], *stage["outs"]]:
            digest = committed(entry["path"])
            if digest is not None and not entry["path"].startswith(("data/", "runs/", "reports/")):
                assert digest == entry["md5"], f"{name}: {entry['path']}: run dvc repro"
                checked.add(entry["path"])
        for key, value in stage.get("params", {}).get("params.yaml", {}).items():
            found = parameters
            for part in key.split("."):
                found = found[part]
            assert found == value, f"{name}: {key}: run dvc repro"
    assert {"src/rnn_study/model", "requirements.lock", "metrics/summary.json", "tuned/tweets.yaml"} <= checked


def test_a_notebook_imports_only_what_its_report_depends_on():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        imported = re.findall(r"^(?:from|import) .+$", code, re.M)
        # Whether frameworks agree is no question to seeds; what is found of shapes is exploratory.
        asked = [] if path.stem in ("benchmarks", "parity", "sequence_shapes", "tuning") else ["verdicts"]
        assert imported == [
            f"from rnn_study.reports import {', '.join(sorted([path.stem, *asked]))}",
            "from rnn_study.reports.elements import display",
            "from rnn_study.reports.study import Study",
        ]
        assert all(not cell.get("outputs") for cell in cells), f"{path.name}: outputs are not stripped"


def test_a_second_repro_has_nothing_to_do(study):
    assert study.repro() == []


def test_everything_promised_is_there(study):
    for task in ("mnist_rows", "tweets", "airline"):
        assert (study.folder / f"data/prepared/{task}.npz").is_file()
        assert (study.folder / f"metrics/data/{task}.json").is_file()
        assert (study.folder / f"tuned/{task}.yaml").is_file()
        for backend in BACKENDS:
            metrics = json.loads((study.folder / f"metrics/train/{task}-{backend}.json").read_text())
            assert metrics["baselines"]
            assert metrics["data"][0]["origin"] == "embedded"
            for cell in ("vanilla", "lstm"):
                found = metrics["cells"][cell]
                assert found["impl"] == "native"
                assert found["seeds"] == [0, 1]
                assert len(found["scores"]["test"]) == 2
                low, high = found["interval"]["test"]
                assert low <= found["mean"]["test"] <= high
                for seed in (0, 1):
                    folder = study.folder / f"runs/{task}-{backend}/{cell}/seed-{seed}"
                    assert {path.name for path in folder.iterdir()} == set(PUBLISHED)
    for source in ("mnist", "tweets", "glove", "airline"):
        assert (study.folder / f"data/raw/{source}/provenance.json").is_file()
    rows = json.loads((study.folder / "metrics/parity.json").read_text())
    assert all(row["deviation"] <= row["bound"] for row in rows)
    assert {row["check"] for row in rows} == set(CHECKS)
    trained = [row["case"] for row in rows if row["check"] == "transfer"]
    assert len(trained) == 3 * 2 * len(BACKENDS)  # tasks, cells
    for name in ("curves.npz", "worked.json", "settings.json"):
        assert (study.folder / "runs/parity" / name).is_file()
    for report in REPORTS:
        assert (study.folder / f"reports/{report}.html").is_file()
        assert (study.folder / f"reports/{report}.ipynb").is_file()
    assert (study.folder / "reports/index.html").is_file()


def test_every_question_is_answered(study):
    rows = json.loads((study.folder / "metrics/verdicts.json").read_text())["verdicts"]
    assert [row["question"] for row in rows] == ["digits", "season", "reach", "speed", "start"]
    assert {row["verdict"] for row in rows} == {"open"}  # two seeds decide nothing
    scores = json.loads((study.folder / "metrics/summary.json").read_text())["tasks"]["mnist_rows"]
    (gap,) = scores["between_cells"]
    assert rows[0]["value"] == pytest.approx(gap["difference"])
    assert (gap["a"], gap["b"]) == ("lstm", "vanilla")


def test_a_study_verifies_against_its_own_commit(changed):
    """And no longer where a figure is gone, or a question."""
    changed.run("git", "add", "-A", "metrics")
    changed.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "a study")
    said = changed.run("rnn-study", "verify").stdout.splitlines()
    assert said[0] == "verdicts: 5 kept, 0 changed"
    assert re.fullmatch(r"figures: \d{3,} inside their interval, 0 moved, 0 missing, 0 new", said[1])
    path = changed.folder / "metrics/verdicts.json"
    path.write_text(path.read_text().replace('"verdict": "open"', '"verdict": "holds"', 1))
    changed.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-aqm", "it held")
    path.write_text(path.read_text().replace('"verdict": "holds"', '"verdict": "opposite"', 1))
    done = changed.run("rnn-study", "verify", "HEAD", check=False)
    assert done.returncode == 1
    assert "digits: holds -> opposite (chance of another verdict as printed: " in done.stdout
    done = changed.run("rnn-study", "verify", "nowhere", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere: neither a folder nor a commit: expected one of the two\n"


def test_what_the_gradient_report_rests_on_is_there(study):
    for problem in ("adding", "agreement"):
        table = json.loads((study.folder / f"metrics/ablate/{problem}.json").read_text())
        assert table["backend"] == "pytorch"
        for name, found in table["cells"].items():
            assert len(found["outcomes"]) == len(found["seeds"]) == len(found["norm_99"])
            folder = study.folder / f"runs/{problem}-pytorch/{name}/seed-0"
            assert {path.name for path in folder.iterdir()} == set(PUBLISHED)
    table = json.loads((study.folder / "metrics/ablate/adding.json").read_text())
    assert table["cells"]["lstm-window"]["change"] == {"window": 3, "clip_times": 1.0}
    assert table["cells"]["lstm-window"]["of"] == "lstm"
    assert table["cells"]["vanilla-unclipped"]["clip"] is None
    assert table["cells"]["map-0-1"]["clip"] == 1.0
    # clipped at the mean norm of the cell's own runs
    norms = [np.load(study.folder / f"runs/adding-pytorch/lstm/seed-{seed}/updates.npz")["norms"] for seed in (0, 1)]
    assert table["cells"]["lstm-window"]["clip"] == pytest.approx(np.concatenate(norms).mean(), rel=1e-6)
    found = json.loads((study.folder / "metrics/gradients.json").read_text())
    assert {row["task"] for row in found["figures"]} == {"mnist_rows", "tweets", "airline", "adding", "agreement"}
    stages = {row["stage"] for row in found["figures"] if row["task"] == "airline"}
    assert stages == {"initial", "epoch 1", "trained"}
    assert {"vanishes", "keeps", "converges", "forget bias"} <= {row["claim"] for row in found["contrasts"]}
    assert all(row["low"] <= row["value"] <= row["high"] for row in found["contrasts"])
    assert all(row["deviation"] < 1e-9 for row in found["theory"])


def test_a_cell_that_was_added_is_in_the_whole_gradient_report(study):
    """The UGRNN, of which no line of diagnostics or reports knows, stands wherever cells are listed."""
    page = (study.folder / "reports/gradients.html").read_text()
    assert page.count("UGRNN") > 30
    assert "Adding problem, trained: UGRNN against vanilla RNN" in page
    assert "UGRNN, g" in page
    assert "Not tried alone in the quick study: initialisation" in page


def test_what_the_report_of_sequence_shapes_rests_on_is_there(study):
    """Systems that params.yaml does not name are said to be missing, the others have scores and files."""
    found = json.loads((study.folder / "metrics/sequence_shapes.json").read_text())
    assert [row["number"] for row in found["systems"]] == list(range(1, 26))
    verdicts = {row["number"]: row["verdict"] for row in found["systems"]}
    assert {number for number, verdict in verdicts.items() if verdict == "not run in this study"} == {
        *(6, 8, 9, 12, 13, 15, 18, 22, 23, 24)
    }
    scores = {(row["system"], row["backend"], row["variant"]): row for row in found["scores"]}
    assert set(scores) == {
        ("digits", "pytorch", "mlp"),
        ("numbers", "pytorch", "gru-attention"),
        ("numbers", "tensorflow", "gru-attention"),
        ("airline_shifted", "pytorch", "vanilla"),
        ("characters", "pytorch", "gru"),
    }
    assert scores["numbers", "tensorflow", "gru-attention"]["seeds"] == 2
    for (system, backend, variant), row in scores.items():
        assert row["interval"][0] <= row["mean"] <= row["interval"][1]
        folder = study.folder / f"runs/shapes-{backend}/{system}-{backend}/{variant}/seed-0"
        assert {path.name for path in folder.iterdir()} == set(PUBLISHED)
    assert scores["airline_shifted", "pytorch", "vanilla"]["examples"] == 46
    page = (study.folder / "reports/sequence_shapes.html").read_text()
    assert "Not run: MNIST by rows, LSTM(30), RMSprop, A series" in page
    alone = re.search("Trained in PyTorch alone, for the time it takes to compile them: (.*?)[.]", page)[1]
    assert "The series, shifted by one" in alone


def test_what_the_long_range_report_rests_on_is_there(study):
    found = {name: json.loads((study.folder / f"metrics/frontier/{name}.json").read_text()) for name in FRONTIERS}
    assert {name: about["device"] for name, about in found.items()} == dict.fromkeys(FRONTIERS, "cpu")
    adding = found["adding"]["runs"]
    assert {(r["axis"], r["variant"]) for r in adding} == {
        *(("budget", name) for name in ("vanilla", "ugrnn", "vanilla-irnn")),
        *(("width", name) for name in ("vanilla", "ugrnn")),
        *(("rate", f"{name}-rate-0.03") for name in ("vanilla", "ugrnn")),
        ("control", "ugrnn-frozen"),
    }
    assert {r["steps"] for r in adding} == {4, 6}
    assert all(r["updates"] <= 20 for r in adding)
    assert {r["steps"] for r in found["adding"]["generalisation"]} == {6, 18}
    for place in ("budget/vanilla-irnn/T-4/seed-1", "width/ugrnn/T-6/seed-0", "mixed/vanilla/T-6/seed-0"):
        folder = study.folder / "runs/frontier-adding" / place
        assert {path.name for path in folder.iterdir()} == set(PUBLISHED)
    assert all(set(r["initial"]) == {"memory", "exponent", "condition"} for r in adding)
    pixels = found["permuted_mnist"]
    assert sorted(pixels["order"]["16"]) == list(range(16))
    assert pixels["provenance"][0]["origin"] == "embedded"
    assert {r["steps"] for r in pixels["runs"]} == {16}
    assert pixels["lengths"] == [16, 64]  # the second one wants a GPU
    table = json.loads((study.folder / "metrics/long_range.json").read_text())
    pairs = {(row["axis"], row["a"], row["b"]) for row in table["comparisons"] if row["problem"] == "adding"}
    both = {("budget", "ugrnn", "vanilla"), ("width", "ugrnn", "vanilla")}
    assert pairs == both | {("budget", "vanilla-irnn", "vanilla")}
    assert {row["not_run"] for row in table["successes"] if row["steps"] == 64} == {"no GPU"}
    assert {(row["variant"], row["learning_rate"], row["steps"]) for row in table["map"]} == {
        (cell, rate, steps) for cell in ("vanilla", "ugrnn") for rate in (0.01, 0.03) for steps in (4, 6)
    }
    assert {row["variant"] for row in table["chosen"]} == {"vanilla", "ugrnn"}
    without = {(row["task"], row["cell"], row["kind"], row["steps"]) for row in table["controls"]}
    tasks = {("airline", "lstm", "frozen", None), ("airline", "lstm", "one-step", None)}
    assert without == {("adding", "ugrnn", "frozen", steps) for steps in (4, 6)} | tasks
    told = json.loads((study.folder / "metrics/controls.json").read_text())
    assert [run["seed"] for run in told["tasks"]["airline"]["runs"]] == [0, 1, 0, 1]
    folder = study.folder / "runs/controls/airline-pytorch/lstm-one-step/seed-1"
    assert {path.name for path in folder.iterdir()} == set(PUBLISHED)
    page = (study.folder / "reports/long_range.html").read_text()
    assert "UGRNN" in page  # a cell that no line of the report knows
    assert "Not run in the quick study: Copy memory, Temporal order, Delayed recall, Parity, Agreement" in page
    assert "Permuted pixels: T = 64 not run, for want of a GPU" in page
    assert "784 steps, 70,000 weights" in page
    assert "Permuted pixels, T = 16: pixels come in the order" in page
    assert pixels["budget"] == 2 * 9  # 1,221 training images in batches of 128 are 9 updates an epoch, 20 are asked for


def test_a_rerun_from_an_empty_run_store_gives_identical_frontiers(changed):
    files = [changed.folder / f"metrics/frontier/{name}.json" for name in FRONTIERS]
    before = [file.read_bytes() for file in files]
    shutil.rmtree(changed.folder / ".run-store")
    for name, file in zip(FRONTIERS, files, strict=True):
        file.unlink()
        said = changed.run("python", "pipelines/frontier.py", name).stderr
        assert " 0 reused" in said
    assert [file.read_bytes() for file in files] == before


def test_a_length_added_trains_that_length_alone(changed):
    changed.edit("params.yaml", "lengths: [4, 6]\n", "lengths: [4, 6, 9]\n")
    said = changed.run("python", "pipelines/frontier.py", "adding").stderr
    told = re.findall(r"frontier adding: ([\d, ]+) steps: (\d+)/\d+ runs, (\d+) reused", said)
    assert [(length, again) for length, total, again in told if again != total] in ([("9", "0")], [])
    assert {length: again for length, total, again in told}["4, 6"] == "32"


def test_no_output_holds_a_path_of_the_machine_a_time_or_a_users_taste(study, tmp_path, tmp_path_factory):
    """What would differ between two machines, two runs or two users must not stand in an output."""
    made = tmp_path_factory.getbasetemp().parent  # the study was made somewhere in it
    secrets = (str(made).encode(), str(ROOT).encode(), str(Path.home()).encode() + b"/")
    locked = YAML(typ="safe").load((study.folder / "dvc.lock").read_text())["stages"]
    for name, stage in locked.items():
        for out in stage["outs"]:
            path = study.folder / out["path"]
            for file in path.rglob("*") if path.is_dir() else [path]:
                if file.is_file():
                    content = file.read_bytes()
                    assert not any(secret in content for secret in secrets), f"{name}: {file}"
    # reports made at another time, in another place and by someone who draws otherwise are the first ones to the byte
    taste = tmp_path / "matplotlibrc"
    taste.write_text("font.size: 20\nfont.family: serif\nlines.linewidth: 5\naxes.facecolor: red\nsvg.fonttype: path\n")
    files = sorted((study.folder / "reports").iterdir())
    before = [file.read_bytes() for file in files]
    study.run("python", "pipelines/reports.py", TZ="Pacific/Kiritimati", LC_ALL="C", MATPLOTLIBRC=str(taste))
    assert [file.read_bytes() for file in files] == before
    assert len(files) == 2 * len(REPORTS) + 3  # the front page, the page to play with, the glossary


def test_one_cell_of_one_task_changed(changed):
    """Only the stages that tune and train the tasks run, and in them only that cell of that task trains."""
    plain = "training: {batch_size: 8, epochs: 3, patience: 2}\n    tuning: {epochs: 1, examples: 32}\n    cells: "
    changed.edit("params.yaml", plain + "{vanilla: {}, lstm: {}}", plain + "{vanilla: {}, lstm: {units: 3}}")
    ran = changed.repro("train")
    assert {"tune", "train@pytorch", "train@tensorflow"} == set(ran)
    spec = {
        path.parent.name: json.loads(path.read_text()) for path in (changed.folder / ".run-store").glob("*/spec.json")
    }
    new = [s for s in spec.values() if s["task"] == "airline" and s["network"]["layers"][0]["units"] == 3]
    assert {s["network"]["layers"][0]["cell"] for s in new} == {"lstm"}
    vanilla = [
        s
        for s in spec.values()
        if s["task"] == "airline" and s["network"]["layers"][0]["cell"] == "vanilla" and s["tests"]
    ]
    untuned = [s for s in vanilla if s["optimiser"]["clip"] is None]
    assert (len(vanilla), len(untuned)) == (2 * len(BACKENDS) + 2, 2)  # two seeds a backend, none computed again


def test_a_seed_added_trains_that_seed_alone(changed):
    changed.edit("params.yaml", "local\nseeds: [0, 1]", "local\nseeds: [0, 1, 2, 3]")  # one more for each search
    assert reused(changed, "pipelines/train.py", "pytorch", "airline") == (4, 8)


def test_an_ablation_added_trains_that_one_alone(changed):
    """The cells, the other ablations and the map come from the run store."""
    text = "      forget-0: {of: [lstm], forget_bias: 0.0}\n"
    changed.edit("params.yaml", text, text + "      deep: {of: [vanilla], depth: 2}\n")
    said = changed.run("python", "pipelines/ablate.py").stderr
    assert "ablate: cells: 12/12 runs, 12 reused" in said  # six of each problem
    assert "ablate: ablations: 9/9 runs, 7 reused" in said
    table = json.loads((changed.folder / "metrics/ablate/adding.json").read_text())
    assert len(table["cells"]["vanilla-deep"]["units"]) == 2


def edit(project: Project, file: str, old: str, new: str) -> None:
    project.edit(f"src/rnn_study/{file}", old, new)


def all_reused(project: Project, *script: str) -> bool:
    again, total = reused(project, *script)
    return again == total


def test_an_edited_figure_renders_the_reports_alone(changed):
    edit(changed, "reports/comparison/plots.py", "colour(c), alpha=0.12", "colour(c), alpha=0.2")
    assert changed.repro() == ["reports"]


def test_an_edited_comment_trains_nothing(changed):
    """Every stage that trains runs again, for it depends on the room, and takes each of its runs from the store."""
    edit(
        changed,
        "model/cells.py",
        "    c = f * c + i * g\n    return",
        "    c = f * c + i * g  # the cell's state\n\n    return",
    )
    edit(changed, "model/network.py", '"""One recurrent layer:', '"""A recurrent layer:')
    done = changed.run("dvc", "repro", "train", "ablate", "frontier", "shapes")
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert {name.partition("@")[0] for name in ran} >= {"fetch", "prepare", "tune", "train", "ablate", "frontier"}
    told = re.findall(r"^(\w+).*: (\d+)/(\d+) runs, (\d+) reused", done.stderr + done.stdout, re.MULTILINE)
    assert {name for name, *_ in told} == {"tune", "train", "ablate", "frontier", "shapes"}
    assert len(told) > 10
    assert all(again == finished for _, finished, _, again in told)


def test_an_edited_statistic_trains_nothing(changed):
    edit(changed, "statistics/crossed.py", "LEVEL = 0.95\n", "LEVEL = 0.9\n")
    status = json.loads(changed.run("dvc", "status", "--json").stdout)
    assert {"train@pytorch", "ablate", "summarise"} <= status.keys()
    assert not any(name.startswith(("fetch", "prepare", "tune", "frontier@", "diagnose")) for name in status)
    before = json.loads((changed.folder / "metrics/train/airline-pytorch.json").read_text())
    assert all_reused(changed, "pipelines/train.py", "pytorch", "airline")
    assert all_reused(changed, "pipelines/ablate.py")
    after = json.loads((changed.folder / "metrics/train/airline-pytorch.json").read_text())
    assert after["cells"]["lstm"]["interval"] != before["cells"]["lstm"]["interval"]


def test_an_edited_framework_leaves_the_other_ones_stages_alone(changed):
    edit(changed, "backends/tensorflow/__init__.py", "_CHUNK = 1024", "_CHUNK = 2 * 512")
    stale = json.loads(changed.run("dvc", "status", "--json").stdout)
    assert {name for name in stale if "@" in name} == {"train@tensorflow", "shapes@tensorflow", "models@tensorflow"}
    assert "parity" in stale
    assert not {"ablate", "tune", "frontier"} & {name.partition("@")[0] for name in stale}


def test_an_edited_backend_retrains_its_runs(changed):
    edit(changed, "backends/pytorch/__init__.py", "_CHUNK = 1024", "_CHUNK = 2 * 512")
    assert reused(changed, "pipelines/train.py", "pytorch", "airline") == (0, 4)


def test_an_edited_cell_retrains_its_own_runs_alone(changed):
    edit(changed, "model/cells.py", "c = f * c + i * g\n    return", "c = i * g + f * c\n    return")
    for backend in BACKENDS:
        assert reused(changed, "pipelines/train.py", backend, "airline") == (2, 4)
    trained = [json.loads(path.read_text()) for path in (changed.folder / ".run-store").glob("*/spec.json")]
    lstms = [s for s in trained if s["task"] == "airline" and s["tests"] and s["variant"] == "lstm"]
    tuned = [s for s in lstms if s["optimiser"]["clip"] is not None]
    assert len(tuned) == 2 * 2 * len(BACKENDS)  # two seeds of the old LSTM, two of the new one
    assert len(lstms) == len(tuned) + 2  # and those that nobody tuned
    assert reused(changed, "pipelines/frontier.py", "adding") == (4, 4)  # vanilla and UGRNN, the last list


def test_a_new_cell_trains_alone_and_appears_in_the_report(changed):
    before = (changed.folder / "params.yaml").read_text()
    start = before.rindex("    cells: ")
    cells, end = "    cells: {vanilla: {}, lstm: {}, ugrnn: {clip_by: nothing}}\n", before.index("questions:")
    changed.write("params.yaml", before[:start] + cells + before[end:])
    changed.run("python", "pipelines/tune.py", "airline")
    for backend in BACKENDS:
        assert reused(changed, "pipelines/train.py", backend, "airline") == (4, 6)
    changed.run("python", "pipelines/summarise.py")
    changed.run("python", "pipelines/reports.py", "comparison")
    page = (changed.folder / "reports/comparison.html").read_text()
    assert "UGRNN, PyTorch (equations)" in page
    assert "UGRNN, TensorFlow (equations)" in page
    found = YAML(typ="safe").load((changed.folder / "tuned/airline.yaml").read_text())["ugrnn"]
    assert [one["settings"]["clip"] for one in found] == [math.inf] * 2  # it is not clipped


def test_digests_tell_of_every_file_that_a_stage_trained(study):
    """Who depends on them sees a change of any run, also after a script that trained one task alone."""
    study.run("python", "pipelines/train.py", "pytorch", "airline")
    folders = {
        f"train-{backend}": [f"{task}-{backend}" for task in ("mnist_rows", "tweets", "airline")]
        for backend in BACKENDS
    }
    for name, published in (folders | {"ablate": ["adding-pytorch", "agreement-pytorch"]}).items():
        files = [path for one in published for path in (study.folder / "runs" / one).rglob("*.*")]
        said = [line.split("  ") for line in (study.folder / f"data/digests/{name}.sha256").read_text().splitlines()]
        assert {study.folder / path: digest for digest, path in said} == {
            path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        }
        assert len(files) > 50


def test_the_store_of_mlflow_is_a_mirror_only(study):
    """Without it the study gives the same files, and it fills again."""
    store, aside = study.folder / "mlflow.db", study.folder / "aside.db"
    before = (study.folder / "metrics/train/airline-pytorch.json").read_bytes()
    store.rename(aside)
    try:
        assert reused(study, "pipelines/train.py", "pytorch", "airline") == (4, 4)
        assert (study.folder / "metrics/train/airline-pytorch.json").read_bytes() == before
        assert store.is_file()
    finally:
        aside.replace(store)


def test_the_weights_work_without_the_project(study):
    """Every example of docs/use-the-weights.md, as it stands there, where only NumPy and one framework are imported."""
    text = (ROOT / "docs/use-the-weights.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert ["rnn_study" in block.replace('"rnn_study"', "") for block in blocks] == [False] * 3
    *said, about = [study.run("python", "-c", block, KERAS_BACKEND="tensorflow").stdout for block in blocks]
    for line in said:
        assert float(re.fullmatch(r"at most (\S+) from the stored predictions\n", line)[1]) < 1e-5
    assert re.fullmatch(r"\[{'cell': 'lstm', 'units': \d+}\] {'lstm': \['i', 'f', 'g', 'o'\]} mnist_rows\n", about)


def test_forecasts_are_stored_in_the_series_own_unit(study):
    folder = study.folder / "runs/airline-pytorch/lstm/seed-1"
    stored, task = read_arrays(folder / "predictions.npz"), load_task(study.folder / "data/prepared/airline.npz")
    truth = task.extras["series"][task.extras["index_test"]]
    error = float(np.sqrt(np.mean((stored["unit/test"] - truth) ** 2)))
    assert error == pytest.approx(json.loads((folder / "result.json").read_text())["scores"]["test"], rel=1e-6)
    assert stored["unit/validation"].shape == (12,)
    assert set(np.load(study.folder / "runs/tweets-pytorch/lstm/seed-1/predictions.npz")) == {"validation", "test"}
