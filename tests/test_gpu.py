"""The GPU benchmark, on the CPU: what it computes is right, and it needs no more packages than a GPU machine has."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from conftest import ROOT, needs

pytestmark = needs("torch")
# The packages that a GPU machine has: those named in the script, and torch's own needs.
PACKAGES = "numpy scipy safetensors torch torchgen functorch filelock fsspec jinja2 networkx sympy typing_extensions"
PACKAGES += " numpy.libs scipy.libs markupsafe mpmath setuptools _distutils_hack pkg_resources"


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """The parts' rows, each number from a quick run on the CPU, where nothing else is installed."""
    folder, installed = tmp_path_factory.mktemp("gpu"), Path(sysconfig.get_path("purelib"))
    (folder / "packages").mkdir()
    for name in PACKAGES.split():
        for path in (installed / name, installed / f"{name}.py"):
            if path.exists():
                (folder / "packages" / path.name).symlink_to(path)
    command = [sys.executable, "-S", ROOT / "benchmarks/gpu.py", "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*command, "--to", folder / "rows.json"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "packages")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "rows.json").read_text())


def test_every_part_says_something(rows):
    parts = {"parity", "determinism", "lengths", "together", "limit"}
    assert rows.keys() == parts | {"machine"}
    assert rows["machine"]["device"] == "CPU"
    assert all(rows[part] and not any("failed" in row for row in rows[part]) for part in parts)


def test_layers_are_held_against_the_oracle(rows):
    assert {row["check"] for row in rows["parity"]} == {"forward", "final states", "gradients", "input gradient"}
    assert all(0 <= row["deviation"] <= row["bound"] <= 1e-4 for row in rows["parity"])


def test_seeds_together_are_the_seeds_alone(rows):
    """Each update in float64, with Adam's means and clipping of their own."""
    (row,) = rows["together"]
    assert row["deviation"] <= 1e-12
    assert row["captured"] is None
    assert min(row["fused_in_turn"], row["batched"]) > 0


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_so_are_those_of_every_cell(cell):
    code = f"import gpu; print(gpu.apart({cell!r}, 'cpu', seeds=2, updates=4, units=5))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= 1e-12


NUMBERS = """
import gpu, numpy as np
from rnn_study.behaviour.parity.probes import tree_deviation
from rnn_study.model import reference
network, rng = gpu.Network(2, (gpu.Layer("gru", 4),), 1), np.random.default_rng(0)
trees = [gpu.draw(network, np.random.default_rng(seed)) for seed in range(3)]
x, y = rng.normal(size=(3, 5, 6, 2)), rng.normal(size=(3, 5, 1))
together = gpu.Together(network, trees, x, y, "cpu", gpu.torch.float64)
together.loss().backward()
for seed, tree in enumerate(trees):
    alone = reference.run(network, tree, gpu.Batch(x[seed], y[seed]), "squared_error")
    found = {name: array.grad[seed].numpy() for name, array in together.held.items()}
    print(tree_deviation(found, alone.gradients))
"""


def test_seeds_that_learn_numbers_have_the_oracles_gradients():
    done = subprocess.run([sys.executable, "-c", NUMBERS], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = list(map(float, done.stdout.split()))
    assert len(found) == 3
    assert max(found) <= 1e-12


FAULTS = {
    "not clipped by itself": "gpu.Together._clip = lambda self: None",
    "clipped all as one": """
def clip(self):
    gpu.torch.nn.utils.clip_grad_norm_(list(self.held.values()), gpu.RULE.clip)
gpu.Together._clip = clip
""",
    "another rate": """
made = gpu.Together.__init__
def other(self, *a):
    made(self, *a)
    self.rule.param_groups[0]["lr"] = 0.002
gpu.Together.__init__ = other
""",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_seed_that_learns_otherwise_is_noticed(fault):
    code = f"import gpu\n{fault}\nprint(gpu.apart('lstm', 'cpu', 2, 2, 5))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "benchmarks", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 1e-6


def test_where_there_is_no_gpu_it_says_so():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = subprocess.run([sys.executable, ROOT / "benchmarks/gpu.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: --device: got 'gpu', but PyTorch finds none: expected cpu here\n"
