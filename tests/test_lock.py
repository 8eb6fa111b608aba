"""The locks: every package with an exact version and hashes, in requirements.lock all but PyTorch; and every one that
the project asks for."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENTRY = re.compile(r"^(\S+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.M)


def entries(lock: str) -> dict[str, str]:
    """Version by package, where nothing stands but comments and packages with hashes."""
    text = (ROOT / lock).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = ENTRY.findall(text)
    assert sum(1 + hashes.count("--hash") for _, _, hashes in found) == len(lines)
    names = [canonicalize_name(name) for name, *_ in found]
    assert names == sorted(set(names))
    return dict(zip(names, (its for _, its, _ in found), strict=True))


def pinned() -> dict[str, str]:
    (torch,) = re.findall(r"^# torch==(\S+) ", (ROOT / "requirements.lock").read_text(), re.M)  # stages depend on it
    return entries("requirements.lock") | {"torch": torch}


@pytest.mark.parametrize(("backend", "framework"), [("pytorch", "torch"), ("tensorflow", "tensorflow")])
def test_a_gpu_machine_gets_the_same_versions(backend, framework):
    own, everywhere = entries(f"requirements-gpu-{backend}.lock"), pinned()
    assert framework in own
    assert {name: its for name, its in own.items() if everywhere.get(name, its) != its} == {}


def test_every_package_has_a_version_and_hashes():
    assert len(pinned()) > 200


def test_no_package_lacks_another_one():
    """In the environment that was made of it: packages are installed without looking for what they need."""
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_project_asks_for_is_there_in_a_version_that_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = pinned()
    for requirement in map(Requirement, asked):
        its = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(its), f"{requirement}: {its} is locked"


@pytest.mark.parametrize("name", ["numpy", "tensorflow", "dvc", "mlflow", "optuna", "ray"])
def test_what_is_installed_is_what_is_locked(name):
    assert version(name) == pinned()[name]
