"""A stage that is killed at any write, rename or commit loses nothing and leaves no half file. `make faults` tries all
points, and kills real frameworks at random."""

import json
import os
import subprocess
import sys
from pathlib import Path

import crash_worker
import pytest
from conftest import TINY

# One search of two rounds, one cell, two seeds.
PARAMS = TINY.replace("searches: 2", "searches: 1")
PARAMS, _, AIRLINE = PARAMS.rpartition("    cells: {vanilla: {}, lstm: {}}")
PARAMS += "    cells: {lstm: {}}" + AIRLINE


def crash(folder: Path, scenario: str, every: int) -> dict:
    folder.mkdir()
    (folder / "params.yaml").write_text(PARAMS)
    words = [sys.executable, crash_worker.__file__, str(folder), scenario, str(every)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("scenario", "every", "least"),
    [("fetch", 1, 15), ("prepare", 1, 20), ("runs", 1, 8), ("train", 3, 50), ("tune", 97, 6)],
)
def test_a_stage_killed_anywhere_ends_as_if_undisturbed(scenario, every, least, tmp_path):
    found = crash(tmp_path / "project", scenario, every)
    assert found["faults"] == []
    assert found["points"] >= least
