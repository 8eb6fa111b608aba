"""Static against dynamic unrolling: that all ways compute the oracle's values, how their graphs grow, and that what is
said of them follows from the committed figures."""

import json
import sys
from functools import cache
from importlib.metadata import version
from itertools import pairwise, product

import numpy as np
import pytest
import unrolling
from conftest import FRAMEWORK, needs

from rnn_study.support.files import read_json

LENGTHS = (1, 2, 3, 10, 11)
frameworks = [pytest.param(name, marks=needs(FRAMEWORK[name])) for name in unrolling.WAYS]


@cache
def checked(framework):
    """Rows of `checks` by way and length, from one process a framework."""
    return {(row["way"], row["steps"]): row for row in unrolling.ask(unrolling.checks, framework, LENGTHS)}


@cache
def committed():
    """The committed rows by framework, way and length."""
    rows = read_json(unrolling.RESULT)["rows"]
    return {(row["framework"], row["way"], row["steps"]): row for row in rows}


def column(framework, way, name):
    """A committed column at every length."""
    return np.array([committed()[framework, way, steps][name] for steps in unrolling.FULL.lengths])


def per_step(nodes):
    """From nodes by length, the nodes of each added step."""
    return [(nodes[b] - nodes[a]) / (b - a) for a, b in pairwise(sorted(nodes))]


def test_the_problem_hides_nothing():
    """The answers hang on every array and every input: the gradient of none is near zero."""
    weights, batch = unrolling.problem(10)
    expected = unrolling.expected(10)
    assert batch.x.shape == (4, 10, 3)
    assert expected["hidden"].shape == (4, 10, 5)
    assert expected.keys() == {"hidden", "outputs", "loss", "inputs", *weights}
    assert weights["layers.0.U"].shape == (5, 5)
    assert all(np.abs(array).max() > 1e-2 for array in (*weights.values(), *expected.values()))
    assert (np.abs(expected["inputs"]).max(axis=(0, 2)) > 1e-3).all()


@pytest.mark.parametrize("framework", frameworks)
def test_every_way_computes_the_oracles_values_and_gradients(framework):
    rows = checked(framework)
    assert set(rows) == set(product(unrolling.WAYS[framework], LENGTHS))
    assert {key: row["deviation"] for key, row in rows.items() if not row["deviation"] < 1e-10} == {}


@needs("tensorflow")
def test_the_static_graph_grows_by_the_same_nodes_with_every_step_and_a_loop_does_not_grow():
    nodes = {way: {steps: checked("tensorflow")[way, steps]["nodes"] for steps in LENGTHS} for way in ("static",)}
    nodes |= {way: {checked("tensorflow")[way, steps]["nodes"] for steps in LENGTHS} for way in ("dynamic", "native")}
    del nodes["static"][1]  # a single step has nothing before it, and its gradients are not added to others
    step, *others = per_step(nodes["static"])
    assert step >= 5  # two products, two sums and tanh, without what brings their gradients back
    assert others == [step] * len(others)
    assert len(nodes["dynamic"]) == len(nodes["native"]) == 1


@needs("torch")
def test_autograd_notes_the_same_nodes_for_every_step():
    for way in unrolling.WAYS["pytorch"]:
        nodes = {steps: checked("pytorch")[way, steps]["nodes"] for steps in LENGTHS if steps > 1}
        step, *others = per_step(nodes)
        assert step > 0
        assert others == [step] * len(others)


@pytest.mark.parametrize("framework", frameworks)
def test_the_committed_nodes_are_those_of_this_version(framework):
    """Library functions and all: they are what a loop's body is."""
    if version(FRAMEWORK[framework]) != read_json(unrolling.RESULT)["machine"][framework]:
        pytest.skip("the figures are another version's")
    for (way, steps), row in checked(framework).items():
        if steps in unrolling.FULL.lengths:
            assert row["nodes"] == committed()[framework, way, steps]["nodes"]


@needs("torch")
def test_the_script_writes_a_row_for_every_way_and_length(tmp_path, monkeypatch, capfd):
    path = tmp_path / "new" / "unrolling.json"
    monkeypatch.setattr(unrolling, "WAYS", {"pytorch": unrolling.WAYS["pytorch"]})  # TensorFlow's processes are slow
    monkeypatch.setattr(sys, "argv", ["unrolling.py", "--quick", "--to", str(path)])
    unrolling.main()
    written = read_json(path)
    assert written["machine"].keys() == {"cores", "cpu", "python", "pytorch"}
    assert [(row["way"], row["steps"]) for row in written["rows"]] == list(product(("loop", "native"), (2, 10)))
    for row in written["rows"]:
        assert tuple(row) == unrolling.COLUMNS
        assert row["build_ratio"] is row["build_growth"] is None
        assert 0 < row["step_low"] <= row["step_ratio"] <= row["step_high"]
        assert 0 <= row["memory_mib"] < 500
    said = capfd.readouterr()
    assert "pytorch: calls: 8 done" in said.err
    assert "memory: 4 done" in said.err
    assert len(said.out.splitlines()) == 2 + 4


@needs("tensorflow")
def test_tensorflow_is_timed_and_weighed():
    rows = {(row["way"], row["steps"]): row for row in unrolling.ask(unrolling.times, "tensorflow", (2, 40), 1, 3)}
    assert set(rows) == set(product(unrolling.WAYS["tensorflow"], (2, 40)))
    for steps in (2, 40):
        assert {value for key, value in rows["native", steps].items() if key.endswith(("ratio", "low", "high"))} == {1}
    assert {rows[way, 2][name] for way, _ in rows for name in ("build_growth", "step_growth")} == {1}
    assert rows["static", 40]["build_growth"] > 2 * rows["dynamic", 40]["build_growth"]
    assert 0 < unrolling.ask(unrolling.memory, "tensorflow", "static", 2) < 500


def test_ratios_are_taken_within_a_round():
    spent = {("native", 2): [1.0, 10.0], ("loop", 2): [2.0, 20.0], ("native", 4): [4.0, 10.0], ("loop", 4): [1.0, 40.0]}
    ratios = unrolling.relative({key: np.array(found) for key, found in spent.items()}, 2)
    assert {key: [found.tolist() for found in both] for key, both in ratios.items()} == {
        ("native", 2): [[1, 1], [1, 1]],
        ("loop", 2): [[2, 2], [1, 1]],
        ("native", 4): [[1, 1], [4, 1]],
        ("loop", 4): [[0.25, 4], [0.5, 2]],
    }


def test_values_that_are_not_the_oracles_are_not_written(tmp_path, monkeypatch):
    row = next(iter(committed().values()))
    monkeypatch.setattr(unrolling, "measure", lambda effort: [row, row | {"deviation": unrolling.BOUND}])
    monkeypatch.setattr(sys, "argv", ["unrolling.py", "--to", str(tmp_path / "unrolling.json")])
    with pytest.raises(SystemExit, match="not the oracle's values"):
        unrolling.main()
    assert not list(tmp_path.iterdir())


def test_the_committed_figures_are_whole_and_rounded():
    stored = read_json(unrolling.RESULT)
    keys = [(row["framework"], row["way"], row["steps"]) for row in stored["rows"]]
    assert keys == sorted(keys)
    assert keys == [
        (f, w, steps) for f, ways in unrolling.WAYS.items() for w in ways for steps in unrolling.FULL.lengths
    ]
    assert (stored["cell"], stored["units"], stored["batch"]) == ("vanilla", 5, 4)
    assert {"cpu", "cores", "python", "pytorch", "tensorflow"} <= stored["machine"].keys()
    for row in stored["rows"]:
        assert tuple(row) == unrolling.COLUMNS
        assert json.dumps(row) == json.dumps(unrolling.rounded(row))
        assert 0 < row["step_low"] <= row["step_ratio"] <= row["step_high"]
        assert (row["build_ratio"] is None) == (row["framework"] == "pytorch")


def test_the_tutorials_claims_follow_from_the_committed_figures():
    """All ways compute the same; what is traced step by step grows with the steps in nodes, time to build and memory,
    and what is traced once does not."""
    assert max(row["deviation"] for row in committed().values()) < unrolling.BOUND
    lengths = unrolling.FULL.lengths
    steps = lengths[-1] / lengths[0]
    nodes = dict(zip(lengths, column("tensorflow", "static", "nodes"), strict=True))
    assert len(set(per_step(nodes))) == 1
    for name in ("build_growth", "memory_mib"):
        assert (np.diff(column("tensorflow", "static", name)) > 0).all()
    assert column("tensorflow", "static", "build_growth")[-1] > 0.05 * steps
    grown = {}
    for way in unrolling.WAYS["tensorflow"]:
        memory = column("tensorflow", way, "memory_mib")
        grown[way] = memory[-1] - memory[0]
    for way in ("dynamic", "native"):
        assert len(set(column("tensorflow", way, "nodes"))) == 1
        assert column("tensorflow", way, "build_growth").max() < 3
        assert grown["static"] > 10 * grown[way]
