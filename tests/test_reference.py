"""The NumPy oracle against a loop over single sequences and single numbers."""

import naive
import numpy as np
import pytest

from rnn_study import reference
from rnn_study.cells import CELLS
from rnn_study.network import Embedding, Layer, Network, shapes
from rnn_study.task import Batch

LENGTHS = np.array([5, 1, 3, 2])
MASK = np.arange(5) < LENGTHS[:, None]


def random_tree(network, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.7, shape) for name, shape in shapes(network).items()}


def batch(network, mask):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 7, (4, 5), np.int32) if network.embedding else rng.normal(size=(4, 5, network.inputs))
    return Batch(x, np.zeros(4, np.int64), mask)


def make(cell, depth, words, units=(4, 3)):
    return Network(3, tuple(Layer(cell, width) for width in units[:depth]), 2, Embedding(7, True) if words else None)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("words", [False, True], ids=["dense", "words"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_equal_the_loop(cell, depth, words, masked):
    network = make(cell, depth, words)
    tree, data = random_tree(network), batch(network, MASK if masked else None)
    expected = [naive.forward(network, tree, x, n if masked else 5) for x, n in zip(data.x, LENGTHS, strict=True)]
    np.testing.assert_allclose(reference.forward(network, tree, data), expected, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_masks_act_on_each_layers_outputs_at_every_step(cell):
    network = make(cell, 2, words=False)
    tree, data = random_tree(network), batch(network, MASK)
    rng = np.random.default_rng(2)
    keep = [(rng.random((4, layer.units)) < 0.6) / 0.6 for layer in network.layers]
    found = reference.forward(network, tree, data, keep)
    expected = [
        naive.forward(network, tree, data.x[row], LENGTHS[row], [mask[row] for mask in keep]) for row in range(4)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not np.allclose(found, reference.forward(network, tree, data))


@pytest.mark.parametrize("words", [False, True], ids=["dense", "words"])
def test_what_stands_in_the_padding_has_no_influence(words):
    network = make("lstm", 2, words)
    tree, data = random_tree(network), batch(network, MASK)
    other = np.where(MASK if words else MASK[:, :, None], data.x, data.x[::-1] + (0 if words else 100))
    assert not np.array_equal(other, data.x)
    found = reference.forward(network, tree, data._replace(x=other.astype(data.x.dtype)))
    np.testing.assert_array_equal(found, reference.forward(network, tree, data))


@pytest.mark.parametrize("cell", CELLS)
def test_scan_returns_every_state_at_every_step(cell):
    network = make(cell, 1, words=False)
    tree, x = random_tree(network), batch(network, None).x
    found = reference.scan(cell, reference.layer_weights(tree, 0), x)
    w = {name.removeprefix("layers.0."): array for name, array in tree.items() if name.startswith("layers.0.")}
    assert [history.shape for history in found] == [(4, 5, 4)] * CELLS[cell].states
    for row in range(4):
        state = ([0.0] * 4,) * CELLS[cell].states
        for t in range(5):
            state = naive.step(cell, w, state, x[row, t])
            np.testing.assert_allclose([history[row, t] for history in found], state, rtol=1e-12)


def test_a_long_and_saturated_sequence_does_not_overflow():
    network = make("gru", 1, words=False)
    tree = {name: 1000 * array for name, array in random_tree(network).items()}
    assert np.isfinite(reference.forward(network, tree, batch(network, None))).all()
