"""The Makefile, run by make with a Python that only notes what it is asked for."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

# `python -m venv` puts itself into the environment; whatever else it is asked for, it says that it did.
PYTHON = """#!/bin/sh
case "$*" in
  --version) echo "Python $(cat "$(dirname "$0")/version")" ;;
  "-c import sys;"*) exit 0 ;;
  "-m venv --clear "*)
    mkdir -p "$4/bin"; echo built >&2
    for name in python rnn-study dvc mlflow; do cp "$0" "$4/bin/$name"; done
    cp "$(dirname "$0")/version" "$4/bin/version" ;;
  *) echo "$(basename "$0") $* as $LOGNAME at $HOME" ;;
esac
"""


def python(folder: Path, version: str) -> Path:
    folder.mkdir()
    (folder / "version").write_text(version)
    (folder / "python3").write_text(PYTHON)
    (folder / "python3").chmod(0o755)
    return folder / "python3"


class Made:
    def __init__(self, folder: Path, path: Path):
        self.folder, self.path = folder, path

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess:
        base = {"PATH": f"{self.path}:{os.environ['PATH']}", "HOME": "/a/home", "LOGNAME": "me"} | environment
        kept = {key: value for key, value in base.items() if value}
        return subprocess.run(["make", *words], cwd=self.folder, env=kept, capture_output=True, text=True, timeout=60)

    def builds(self, *words: str) -> bool:
        """Whether `make study` builds the environment."""
        done = self("study", *words)
        assert done.returncode == 0, done.stderr
        assert "dvc repro as me" in done.stdout
        return "built" in done.stderr


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "a folder, named (oddly)"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
        os.utime(folder / name, (1, 1))
    return Made(folder, python(tmp_path / "first", "3.11.7").parent)


def test_the_environment_is_built_once(made):
    assert made.builds()
    assert not made.builds()
    (made.folder / "requirements.lock").touch()
    os.utime(made.folder / "requirements.lock", (2e9, 2e9))
    assert made.builds()


def test_a_moved_project_gets_its_environment_anew(made):
    assert made.builds()
    made.folder = made.folder.rename(made.folder.with_name("moved"))
    assert made.builds()
    assert not made.builds()


def test_another_python_is_not_ignored(made, tmp_path):
    other = python(tmp_path / "other", "3.13.1")
    assert made.builds()
    assert made.builds(f"PYTHON={other}")
    assert not made.builds(f"PYTHON={other}")
    assert not made.builds()  # none is asked for
    assert made.builds(f"PYTHON={made.path / 'python3'}")


def test_a_user_without_a_name_or_a_home(made):
    said = made("study", HOME="", LOGNAME="").stdout
    assert f"at {made.folder}/.dvc/tmp" in said
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"dvc repro as {name} " in said


def test_programs_are_named_by_their_path(made):
    """make 3.81 looks for them in the PATH it was started with."""
    for target in ("study", "test", "lint", "ui", "site"):
        lines = made("-n", target).stdout.splitlines()
        own = [
            line for line in lines if any(f"bin/{name}" in line for name in ("rnn", "dvc", "pytest", "mlflow", "ruff"))
        ]
        assert own
        assert all(line.startswith(".venv/bin/") for line in own), target


def test_clean_leaves_what_is_the_users_and_what_was_fetched(made):
    """Of what stages write and git ignores nothing else stays."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("/")]
    names = {name.replace("*", "") for name in ignored if not name.startswith((".dvc", ".venv", ".site", "data"))}
    assert {"runs", "own-runs", ".run-store", "mlflow.db"} <= names
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    outs = [
        next(iter(out), "") if isinstance(out, dict) else out for one in stages for out in one.get("do", one)["outs"]
    ]
    written = {out.split("$")[0].rstrip("/") for out in outs if out.startswith("data/")} - {"data/raw"}
    assert {"data/prepared", "data/digests/train-", "data/models", "data/runs.sha256"} <= written
    stays = {"data/raw/mnist/x", "data/downloads/x", "data/own/my.csv", ".venv/x", "metrics/x.json", "tuned/x.yaml"}
    for name in {f"{name}/x" for name in {*names, *written, ".dvc/cache/files"}} | stays:
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).touch()
    assert made("clean").returncode == 0
    left = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*") if path.is_file()}
    assert left == stays | {"Makefile", "requirements.lock", "pyproject.toml"}


def test_a_taken_port_is_one_line_and_another_can_be_named(made):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made.builds()
        (made.folder / ".venv/bin/python").unlink()
        (made.folder / ".venv/bin/python").symlink_to(sys.executable)
        done = made("ui", f"PORT={port}")
        assert done.returncode
        assert done.stdout == f"error: port {port}: in use: expected a free one; try: make ui PORT=5001\n"
    said = made("ui", f"PORT={port}").stdout
    assert f"--host 127.0.0.1 --port {port} as me" in said
