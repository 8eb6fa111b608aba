"""The command `rnn-study`, run as a user runs it."""

import errno
import subprocess
import sys

import pytest
from conftest import ROOT

from rnn_study import cli, config
from rnn_study.support.errors import StudyError


def test_use_switches_between_the_studies(project):
    for name in ("real", "quick"):
        project.run("rnn-study", "use", name)
        assert (project.folder / "params.yaml").read_bytes() == (ROOT / f"studies/{name}.yaml").read_bytes()


def test_use_outside_the_project_is_one_line(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = project.run("sh", "-c", f"cd '{elsewhere}' && rnn-study use real", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: studies/real.yaml: not found: expected to be run in the project's folder\n"
    assert not list(elsewhere.iterdir())


def test_a_broken_study_does_not_replace_the_parameters(project):
    before = (project.folder / "params.yaml").read_bytes()
    project.edit("studies/real.yaml", "study: real", "study: unreal")
    done = project.run("rnn-study", "use", "real", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: studies/real.yaml: study: got 'unreal'")
    assert done.stderr.count("\n") == 1
    assert (project.folder / "params.yaml").read_bytes() == before


def test_a_changed_mirror_is_noticed(project, tmp_path):
    """By DVC too, which knows nothing of the environment."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "airline").mkdir(parents=True)
        (folder / "airline/international-airline-passengers.csv").write_text(folder.name)
    note = project.folder / "data/own/mirror.txt"
    (project.folder / "data/raw/airline").mkdir(parents=True)  # as if fetched

    def told(*words, mirror):
        return "RNN_STUDY_MIRROR: not as it was: " in project.run("rnn-study", *words, RNN_STUDY_MIRROR=mirror).stdout

    assert not told("check", mirror=str(first))  # of embedded data
    assert not note.exists()
    assert told("use", "real", mirror=str(first))
    changed = (first / "airline/international-airline-passengers.csv").stat().st_mtime_ns
    assert note.read_text().splitlines() == [str(first), f"airline/international-airline-passengers.csv 5 {changed}"]
    project.run("dvc", "commit", "--force", "fetch@airline")
    assert not told("check", mirror=f"{first}/")
    assert "up to date" in project.run("dvc", "status", "fetch@airline").stdout
    assert told("check", mirror=str(second))
    assert "data/own" in project.run("dvc", "status", "fetch@airline").stdout
    (second / "airline/international-airline-passengers.csv").write_text("longer than it was")
    assert told("check", mirror=str(second))
    (second / "airline/international-airline-passengers.csv").write_text("as long as before.")
    assert told("check", mirror=str(second))
    assert told("check", mirror="http://127.0.0.1:9/")
    assert note.read_text() == "http://127.0.0.1:9\n"
    assert told("use", "quick", mirror=str(second))
    assert not note.exists()


def test_a_folder_that_was_downloaded_without_git_starts(project):
    """DVC refuses to, unless it is told; and it is told again where git comes later."""
    (project.folder / ".git").rename(project.folder / "elsewhere")
    assert project.run("dvc", "status", "headline", check=False).returncode
    said = project.run("rnn-study", "check").stdout
    assert ".dvc/config.local: DVC works without git here\n" in said
    assert project.run("dvc", "status", "headline").returncode == 0
    assert "config.local" not in project.run("rnn-study", "check").stdout
    (project.folder / "elsewhere").rename(project.folder / ".git")
    assert ".dvc/config.local: DVC works with git here\n" in project.run("rnn-study", "check").stdout
    assert "no_scm" not in (project.folder / ".dvc/config.local").read_text()


def test_stages_need_no_open_streams(project):
    """Their progress, their workers and what libraries say have none."""
    for words in ("fetch.py airline", "prepare.py airline", "tune.py airline", "train.py pytorch airline"):
        done = project.run("sh", "-c", f"python pipelines/{words} <&- >&- 2>&-", check=False)
        assert done.returncode == 0, words
    assert (project.folder / "metrics/train/airline-pytorch.json").is_file()


def test_prune_of_nothing(project):
    assert project.run("rnn-study", "prune").stdout == "0 runs deleted from .run-store\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("train.py", "jax"), "error: backend: got 'jax': expected one of pytorch, tensorflow\n"),
        (
            ("prepare.py", "nothing"),
            "error: task: got 'nothing': expected one of mnist_rows, tweets, airline, adding, agreement\n",
        ),
        (
            ("diagnose.py", "airline"),
            "error: data/prepared/airline.npz: not found: expected a prepared task; run: dvc repro prepare\n",
        ),
    ],
)
def test_a_stage_that_cannot_be_run_is_one_line(project, words, line):
    script, *arguments = words
    done = project.run("python", f"pipelines/{script}", *arguments, check=False)
    assert done.returncode == 1
    assert done.stderr == line


def test_check_tells_of_a_machine_without_shared_memory(project, monkeypatch):
    """Before anything is trained, not at the first stage that needs processes."""
    monkeypatch.chdir(project.folder)

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    cli.check(config.PARAMS)
    monkeypatch.setattr("_multiprocessing.SemLock", refused)
    with pytest.raises(StudyError, match=r"^this machine: workers: Read-only file system: expected a system that lets"):
        cli.check(config.PARAMS)


def test_help_waits_for_nothing_that_a_subcommand_needs():
    heavy = "{'pydantic', 'scipy', 'ruamel', 'matplotlib', 'mlflow', 'optuna', 'torch', 'tensorflow'}"
    code = f"import sys, rnn_study.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
