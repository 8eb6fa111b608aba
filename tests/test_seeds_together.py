"""The benchmark of seeds together: each seed is updated as alone, and rows follow from what was timed."""

import json
import subprocess
import sys

import pytest
import seeds_together
from conftest import FRAMEWORK, ROOT, needs

from rnn_study.model.backend import BACKENDS

APART = """
import sys, numpy as np, seeds_together as s
framework, cell = sys.argv[1:]
backend = s.backends.load(framework)
network, trees, x, y = s.seeds_of(cell, steps=6, count=3, dtype="float64", units=5)
together = s.TOGETHER[framework](network, trees, x, y)
together.updates(4)
worst = 0.0
for seed, tree in enumerate(trees):
    model, one = s.alone(backend, network, tree, x[seed], y[seed])
    trace = one(4)
    assert trace.clipped.any()
    found, wanted = together.weights(seed), backend.weights(model)
    moved = max(np.abs(wanted[name] - tree[name]).max() for name in tree)
    assert moved > 1e-3
    worst = max(worst, *(np.abs(found[name] - wanted[name]).max() for name in wanted))
print(worst)
"""


@pytest.mark.parametrize("framework", [pytest.param(b, marks=needs(FRAMEWORK[b])) for b in BACKENDS])
@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_seeds_together_are_the_seeds_alone(cell, framework):
    """Four updates in float64, clipping and Adam's means of their own."""
    command = [sys.executable, "-c", APART, framework, cell]
    done = subprocess.run(command, cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) <= 1e-12


@needs("torch", "tensorflow")
def test_rows_hold_every_count_of_seeds(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/seeds_together.py", "--quick", "--to", tmp_path / "rows.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    cells = ("vanilla", "lstm", "gru")
    wanted = {(framework, cell, seeds) for framework in BACKENDS for cell in cells for seeds in (1, 2)}
    assert {(row["framework"], row["cell"], row["seeds"]) for row in rows} == wanted
    assert all(0 < row["low"] <= row["ratio"] <= row["high"] for row in rows)


def test_a_ratio_is_of_seeds_in_turn(monkeypatch):
    """Seconds made up: one seed's updates take 2 s, those of all in one pass 3 s; the first round is slower."""
    clock = iter([9.0, 90.0] + [2.0, 3.0] * 2)
    monkeypatch.setattr(seeds_together, "seconds", lambda do, count: next(clock))
    monkeypatch.setattr(seeds_together.backends, "load", lambda name: None)
    monkeypatch.setattr(seeds_together, "seeds_of", lambda *words: (None, [None], [None], [None]))
    monkeypatch.setattr(seeds_together, "alone", lambda *words: (None, None))
    monkeypatch.setattr(seeds_together, "TOGETHER", {"pytorch": lambda *words: type("T", (), {"updates": None})})
    monkeypatch.setattr(seeds_together, "product", lambda steps, cells: [(4, "gru")])
    (row,) = seeds_together.rows("pytorch", seeds_together.Effort((4,), (6,), 30, 2))
    assert row["ratio"] == row["low"] == row["high"] == 4.0
