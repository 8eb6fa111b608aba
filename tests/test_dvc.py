"""Every command that docs/dvc.md names, on a finished tiny study."""

import csv
import io
import re
import subprocess

import pytest
from conftest import ROOT, Project, needs

pytestmark = needs("dvc", "torch", "tensorflow", "mlflow", "optuna", "papermill")

SHORTER = "tasks.airline.training.epochs=1"
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")


@pytest.fixture
def committed(study: Project):
    """The study as its last commit has it; what a test does to it is undone."""
    with study.put_back():
        study.run("git", "add", "-A")
        study.run(*GIT, "commit", "-qm", "a finished study")
        yield study


def words(table: str) -> dict[str, list[str]]:
    """A table of DVC's, by the name in each row's second column."""
    return {row[1]: row[2:] for row in (line.split() for line in table.splitlines()[1:])}


def test_no_command_is_documented_that_is_not_tried():
    text = (ROOT / "docs/dvc.md").read_text()
    tried = (ROOT / "tests/test_dvc.py").read_text()
    named = set(re.findall(r"`(dvc \w+ \w+)[^`]*`", text)) | set(re.findall(r"^(dvc \w+(?: \w+)?)", text, re.MULTILINE))
    assert len(named) > 7
    for command in named:
        assert ", ".join(f'"{word}"' for word in command.split()) in tried, command


def test_the_headline_figures(committed):
    table = committed.run("dvc", "metrics", "show").stdout
    assert "mnist_rows.lstm" in table
    assert "adding_reach.vanilla" in table
    assert committed.run("dvc", "metrics", "diff").stdout == ""  # nothing has changed


def test_the_plots(committed):
    committed.run("dvc", "plots", "show")
    page = (committed.folder / "dvc_plots/index.html").read_text()
    for name in ("validation_accuracy__images_by_rows", "validation_accuracy__tweets", "adding_problem__share"):
        assert name in page


def test_an_experiment_here(committed):
    committed.run("dvc", "exp", "run", "-S", SHORTER, "headline")
    changed = words(committed.run("dvc", "params", "diff").stdout)
    assert changed == {"tasks.airline.training.epochs": ["3", "1"]}
    figures = words(committed.run("dvc", "metrics", "diff").stdout)
    assert figures
    assert {name.partition(".")[0] for name in figures} == {"airline"}


def test_experiments_elsewhere_compute_no_run_twice(committed):
    shared = {"RNN_STUDY_STORE": str(committed.folder / ".run-store")}
    more = ("-S", "frontier.adding.seeds=[0,1,2]", "frontier@adding")
    said = committed.run("dvc", "exp", "run", "--temp", *more, **shared)
    told = re.findall(r"frontier adding: 4, 6 steps: (\d+)/\1 runs, (\d+) reused", said.stdout + said.stderr)
    done, reused = told[-1]
    assert 0 < int(reused) < int(done)  # all but those of the third seed
    assert committed.run("dvc", "params", "diff").stdout == ""  # the folder is as it was
    committed.run("dvc", "exp", "run", "--queue", *more, **shared)
    said = committed.run("dvc", "exp", "run", "--run-all", **shared)
    assert f"{done}/{done} runs, {done} reused" in said.stdout + said.stderr
    table = committed.run("dvc", "exp", "show", "--only-changed", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["frontier.adding.seeds"] for row in rows if row["Experiment"]] == ["[0, 1, 2]"] * 2


def test_a_remote_gives_reports_without_training(committed, tmp_path):
    committed.run("dvc", "remote", "add", "-d", "shelf", str(tmp_path / "shelf"))
    committed.run("dvc", "push")
    committed.run(*GIT, "commit", "-qam", "a shelf")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(committed.folder), str(clone)], check=True)
    environment = committed.environment | {"PYTHONPATH": str(clone / "src")}
    for command in (("dvc", "pull"), ("dvc", "status")):
        done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert "up to date" in done.stdout
    for page in committed.folder.glob("reports/*.html"):
        assert (clone / "reports" / page.name).read_bytes() == page.read_bytes()
