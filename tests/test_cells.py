"""The steps of cells.py against hand calculations, a loop over single numbers, and finite differences."""

import ast
import math
from pathlib import Path

import naive
import numpy as np
import pytest

from rnn_study.model import cells
from rnn_study.model.cells import CELLS, Ops
from rnn_study.model.reference import Weights

OPS = Ops(tanh=np.tanh, sigmoid=lambda a: 1 / (1 + np.exp(-a)), relu=lambda a: np.maximum(a, 0))
BATCH, INPUTS, UNITS = 3, 2, 4


def column(*values):
    return np.array([values], dtype=float)


def step(cell, w, state, x):
    """The new state, from the two sums that a step is given."""
    recurrent = () if w.U is None else (state[0] @ w.U + (0 if w.b_rec is None else w.b_rec),)
    return CELLS[cell].step(OPS, state, x @ w.W + w.b, *recurrent, *w.vectors)


def part(w, index):
    """The weights of one of several seeds."""
    return Weights(*(None if array is None else array[index] for array in w[:4]), tuple(p[index] for p in w.vectors))


def draw(cell, seed=0, lead=()):
    """Random weights, state and input, all of them non-zero."""
    rng = np.random.default_rng(seed)
    width = len(CELLS[cell].gates) * UNITS
    biases = [rng.normal(size=(*lead, 1, width)) for _ in range(1 + CELLS[cell].recurrent_bias)]
    vectors = tuple(rng.normal(size=(*lead, 1, UNITS)) for _ in CELLS[cell].vectors)
    biases = [*biases, None][:2]
    W, U = rng.normal(size=(*lead, INPUTS, width)), rng.normal(size=(*lead, UNITS, width))
    w = Weights(W, U if CELLS[cell].recurrent else None, *biases, vectors)
    state = tuple(rng.normal(size=(*lead, BATCH, UNITS)) for _ in range(CELLS[cell].states))
    return w, state, rng.normal(size=(*lead, BATCH, INPUTS))


def test_vanilla_by_hand():
    w = Weights(column(0.5), column(-0.25), column(0.1))
    (h,) = step("vanilla", w, (column(0.8),), column(2.0))
    assert h.item() == pytest.approx(math.tanh(0.5 * 2 - 0.25 * 0.8 + 0.1), rel=1e-15)


def test_lstm_by_hand():
    w = Weights(column(0.1, 0.2, 0.3, 0.4), column(0.5, 0.6, 0.7, 0.8), column(0.01, 0.02, 0.03, 0.04))
    h, c = step("lstm", w, (column(0.5), column(-1.5)), column(2.0))
    i = 1 / (1 + math.exp(-(0.2 + 0.25 + 0.01)))
    f = 1 / (1 + math.exp(-(0.4 + 0.30 + 0.02)))
    g = math.tanh(0.6 + 0.35 + 0.03)
    o = 1 / (1 + math.exp(-(0.8 + 0.40 + 0.04)))
    assert c.item() == pytest.approx(f * -1.5 + i * g, rel=1e-15)
    assert h.item() == pytest.approx(o * math.tanh(f * -1.5 + i * g), rel=1e-15)


def test_gru_by_hand():
    w = Weights(column(0.1, 0.2, 0.3), column(0.5, 0.6, 0.7), column(0.01, 0.02, 0.03), column(0.04, 0.05, 0.06))
    (h,) = step("gru", w, (column(0.5),), column(2.0))
    r = 1 / (1 + math.exp(-(0.2 + 0.01 + 0.25 + 0.04)))
    z = 1 / (1 + math.exp(-(0.4 + 0.02 + 0.30 + 0.05)))
    n = math.tanh(0.6 + 0.03 + r * (0.35 + 0.06))
    assert h.item() == pytest.approx(z * 0.5 + (1 - z) * n, rel=1e-15)


@pytest.mark.parametrize("cell", naive.CELLS)
def test_a_step_equals_a_loop_over_single_numbers(cell):
    w, state, x = draw(cell)
    found = step(cell, w, state, x)
    arrays = {"W": w.W, "U": w.U, "b": w.b[0]} | ({} if w.b_rec is None else {"b_rec": w.b_rec[0]})
    arrays |= {vector.name: array[0] for vector, array in zip(CELLS[cell].vectors, w.vectors, strict=True)}
    assert len(found) == CELLS[cell].states
    for row in range(BATCH):
        expected = naive.step(cell, arrays, tuple(list(s[row]) for s in state), list(x[row]))
        for new, numbers in zip(found, expected, strict=True):
            np.testing.assert_allclose(new[row], numbers, rtol=1e-13, atol=0)


def saturated(cell, **gates):
    """The new state where the named gates' biases are +-50 and everything else is random."""
    w, state, x = draw(cell)
    b = w.b.copy()
    for name, bias in gates.items():
        at = CELLS[cell].gates.index(name) * UNITS
        b[..., at : at + UNITS] = bias
    return w._replace(b=b), state, x, step(cell, w._replace(b=b), state, x)


def test_the_lstm_gates_stand_in_the_order_of_their_names():
    _, state, _, (_, c) = saturated("lstm", i=-50, f=50)
    np.testing.assert_allclose(c, state[1], rtol=1e-12)  # nothing taken in, nothing forgotten
    _, _, _, (_, c) = saturated("lstm", i=50, f=-50, g=50)
    np.testing.assert_allclose(c, 1, rtol=1e-12)  # all taken in, all forgotten
    _, _, _, (h, _) = saturated("lstm", o=-50)
    np.testing.assert_allclose(h, 0, atol=1e-12)
    _, _, _, (h, c) = saturated("lstm", o=50)
    np.testing.assert_allclose(h, np.tanh(c), rtol=1e-12)


def test_the_gru_gates_stand_in_the_order_of_their_names():
    _, state, _, (h,) = saturated("gru", z=50)
    np.testing.assert_allclose(h, state[0], rtol=1e-12)  # z = 1 keeps the state
    w, state, x, (h,) = saturated("gru", z=-50, r=-50)
    inputs = (x @ w.W + w.b)[..., 2 * UNITS :]
    np.testing.assert_allclose(h, np.tanh(inputs), rtol=1e-12)  # r = 0 hides the state
    w, state, x, (h,) = saturated("gru", z=-50, r=50)
    recurrent = (state[0] @ w.U + w.b_rec)[..., 2 * UNITS :]
    np.testing.assert_allclose(h, np.tanh((x @ w.W + w.b)[..., 2 * UNITS :] + recurrent), rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_broadcasts_over_a_leading_seeds_axis(cell):
    w, state, x = draw(cell, lead=(5,))
    found = step(cell, w, state, x)
    for seed in range(5):
        expected = step(cell, part(w, seed), tuple(s[seed] for s in state), x[seed])
        for new, array in zip(found, expected, strict=True):
            assert new.shape == (5, BATCH, UNITS)
            np.testing.assert_allclose(new[seed], array, rtol=1e-14)


def test_weights_of_many_seeds_read_one_batch():
    w, _, _ = draw("gru", lead=(5,))
    _, state, x = draw("gru", seed=1)
    (found,) = step("gru", w, state, x)
    (expected,) = step("gru", part(w, 2), state, x)
    np.testing.assert_allclose(found[2], expected, rtol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_the_complex_step_jacobian_equals_central_differences(cell):
    w, state, x = draw(cell)
    state, x = tuple(s[:1] for s in state), x[:1]
    flat = np.concatenate([*(s[0] for s in state), x[0]])
    cuts = np.cumsum([len(s[0]) for s in state])

    def new_state(values):
        *states, inputs = np.split(values, cuts)
        return np.concatenate([s[0] for s in step(cell, w, tuple(s[None] for s in states), inputs[None])])

    exact, differences = [], []
    for direction in np.eye(len(flat)):
        exact.append(new_state(flat + 1e-30j * direction).imag / 1e-30)
        differences.append((new_state(flat + 1e-5 * direction) - new_state(flat - 1e-5 * direction)) / 2e-5)
    assert np.abs(exact).max() > 0.1
    np.testing.assert_allclose(exact, differences, atol=1e-9)


def test_a_framework_offers_three_functions_and_no_more():
    assert Ops._fields == ("tanh", "sigmoid", "relu")


def test_the_definition_imports_no_numpy_and_no_framework():
    tree = ast.parse(Path(cells.__file__).read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in imported} <= {"collections", "typing"}
