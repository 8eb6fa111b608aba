"""Several checkouts with one environment and one run store: each runs its own code, none empties another's shelf."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

SCRIPT = """
import os
import sys

import rnn_study
from rnn_study.support import stage


def main(word: str) -> None:
    print(rnn_study.__file__, word, os.getpid())


stage.run(main)
"""


def python(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RNN_STUDY_", "PYTHONPATH"))}
    done = [sys.executable, *words]
    return subprocess.run(done, cwd=cwd, env=inherited | environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def test_a_checkout_runs_its_own_code(checkout):
    done = python("script.py", "hello", cwd=checkout, PYTHONPATH=str(ROOT / "src"))
    assert done.stderr == ""
    file, word, _ = done.stdout.split()
    assert file == str(checkout / "src/rnn_study/__init__.py")
    assert word == "hello"


def test_what_follows_it_in_the_search_path_stays(checkout):
    (checkout / "more").mkdir()
    (checkout / "more/theirs.py").write_text("")
    (checkout / "script.py").write_text(SCRIPT.replace("import sys\n", "import sys\nimport theirs\n"))
    path = os.pathsep.join([str(ROOT / "src"), str(checkout / "more")])
    done = python("script.py", "hello", cwd=checkout, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(checkout))


def test_it_starts_again_once_at_most(checkout):
    """Where the package cannot be had from the checkout, one line says so."""
    (checkout / "script.py").write_text(f"import sys\n\nsys.path.insert(0, {str(ROOT / 'src')!r})\n{SCRIPT}")
    done = python("script.py", "hello", cwd=checkout)
    assert done.returncode == 1
    assert done.stdout == ""
    own = checkout / "src"
    assert done.stderr == (
        f"error: PYTHONPATH: {own}: expected its rnn_study to be imported, got {ROOT / 'src/rnn_study'}\n"
    )


def test_it_stays_the_process_that_was_started(checkout):
    """For DVC, which waits for it and may kill it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "script.py", "hello"]
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate(timeout=60)[0].split()[2] == str(process.pid)


def test_outside_any_checkout_the_installed_package_runs(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = python("script.py", "hello", cwd=tmp_path, PYTHONPATH=str(ROOT / "src"))
    assert done.stdout.startswith(str(ROOT / "src/rnn_study/__init__.py"))


CLAIM = "import sys; from rnn_study.running.run import store; store.claim('train', sys.argv[1:])"
PRUNE = "from rnn_study.running.run import store; print(*store.prune())"


def test_checkouts_that_share_a_store_claim_apart(tmp_path):
    for name in ("one", "other", "store/a", "store/b", "store/c"):
        (tmp_path / name).mkdir(parents=True)
    shared = {"RNN_STUDY_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT / "src")}
    python("-c", CLAIM, "a", "c", cwd=tmp_path / "one", **shared)
    python("-c", CLAIM, "b", cwd=tmp_path / "other", **shared)
    assert python("-c", PRUNE, cwd=tmp_path / "one", **shared).stdout == "\n"
    python("-c", CLAIM, "a", cwd=tmp_path / "one", **shared)  # it needs c no more
    assert python("-c", PRUNE, cwd=tmp_path / "other", **shared).stdout == "c\n"
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["a", "b", "claims"]


def test_an_empty_name_is_no_store(tmp_path):
    code = "from rnn_study.running.run import store; print(store.ROOT)"
    done = python("-c", code, cwd=tmp_path, RNN_STUDY_STORE="", PYTHONPATH=str(ROOT / "src"))
    assert done.stdout == ".run-store\n"


def test_started_by_a_git_hook_tests_leave_the_users_repository_alone(project):
    def state() -> str:
        return project.run("git", "log", "--oneline").stdout + project.run("git", "status", "--porcelain").stdout

    before = state()
    repository = project.folder / ".git"
    hook = {"GIT_DIR": str(repository), "GIT_INDEX_FILE": str(repository / "index"), "GIT_PREFIX": ""}
    project.run("python", "-m", "pytest", "-q", "tests/test_cli.py", "-k", "prune_of_nothing", **hook)
    assert state() == before
