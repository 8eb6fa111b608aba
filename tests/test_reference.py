"""The NumPy oracle against a loop over single sequences and numbers, complex steps, and updates worked by hand."""

import copy
import dataclasses
import itertools
import math

import naive
import numpy as np
import pytest

from rnn_study.model import reference
from rnn_study.model.cells import CELLS
from rnn_study.model.network import Embedding, Layer, Network, shapes
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import Batch

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
@pytest.mark.parametrize("cell", naive.CELLS)
def test_outputs_equal_the_loop(cell, depth, words, masked):
    network = make(cell, depth, words)
    tree, data = random_tree(network), batch(network, MASK if masked else None)
    expected = [naive.forward(network, tree, x, n if masked else 5) for x, n in zip(data.x, LENGTHS, strict=True)]
    np.testing.assert_allclose(reference.forward(network, tree, data), expected, rtol=1e-12)


@pytest.mark.parametrize("cell", naive.CELLS)
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


@pytest.mark.parametrize("cell", naive.CELLS)
def test_scan_returns_every_state_at_every_step(cell):
    network = make(cell, 1, words=False)
    tree, x = random_tree(network), batch(network, None).x
    found = reference.scan(cell, reference.layer_weights(network, tree, 0), x)
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


SETTINGS = [  # masked, words, kind of loss, second bias
    dict(zip(("masked", "words", "kind", "second_bias"), values, strict=True))
    for values in itertools.product((False, True), (False, True), ("cross_entropy", "squared_error"), (False, True))
]


def problem(cell, depth=3, *, steps=5, masked=True, words=False, kind="cross_entropy", second_bias=False):
    """A small network with modest recurrent kernels, and 4 sequences of unequal length.

    Positive biases and the seed keep enough rectifiers at work for every array to matter.
    """
    layers = tuple(Layer(cell, units) for units in (5, 4, 3)[:depth])
    network = Network(3, layers, 2, Embedding(7, True) if words else None, second_bias=second_bias)
    rng = np.random.default_rng(7)
    tree = {name: rng.normal(0, 0.7, shape) for name, shape in shapes(network).items()}
    for name, array in tree.items():
        if name.endswith(".U"):
            array *= 0.9 / 0.7 / math.sqrt(len(array))
        elif ".b" in name:
            np.abs(array, out=array)
    x = rng.integers(0, 7, (4, steps), np.int32) if words else rng.normal(size=(4, steps, 3))
    y = np.array([0, 1, 1, 0]) if kind == "cross_entropy" else rng.normal(size=(4, 2))
    lengths = np.array([(steps + 1) // 2, 1, steps, max(1, steps - 2)])
    return network, tree, Batch(x, y, np.arange(steps) < lengths[:, None] if masked else None), kind


def mean_loss(kind, outputs, y):
    """The losses from their definitions; complex numbers pass through."""
    if kind == "squared_error":
        return sum((o - t) ** 2 for o, t in zip(outputs.flat, y.flat, strict=True)) / y.size
    return sum(np.log(np.exp(row).sum()) - row[label] for row, label in zip(outputs, y, strict=True)) / len(y)


def moved_losses(network, tree, data, kind, name, change):
    """The losses where `change` is added to one entry after the other of the array `name`, or of the `inputs`."""
    if name == "inputs" and network.embedding:
        data = data._replace(x=tree["embedding"][data.x])
        network = dataclasses.replace(network, embedding=None)
    array = data.x if name == "inputs" else tree[name]
    found = np.zeros(array.shape, np.result_type(array, change))
    for at in np.ndindex(array.shape):
        moved = array.astype(found.dtype)
        moved[at] += change
        there = (tree, data._replace(x=moved)) if name == "inputs" else (tree | {name: moved}, data)
        found[at] = mean_loss(kind, reference.forward(network, *there), data.y)
    return found


def complex_step(network, tree, data, kind, name):
    """The loss's gradient (Squire & Trapp 1998): no difference is taken, so it is exact to rounding."""
    return moved_losses(network, tree, data, kind, name, 1e-30j).imag / 1e-30


def assert_close(found, expected, tolerance, name):
    """Within `tolerance` of the largest number of the whole array."""
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize(
    ("steps", "setting"),
    # neighbours and the kernels' first use in all settings; none and many recurrent steps in two opposite ones
    [*((2, setting) for setting in SETTINGS), *((steps, SETTINGS[at]) for steps in (1, 28) for at in (0, -1))],
    ids=lambda value: f"{value}" if isinstance(value, int) else "-".join(str(part) for part in value.values()),
)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_equals_the_complex_step(cell, depth, steps, setting):
    case = problem(cell, depth, steps=steps, **setting)
    found = reference.run(*case)
    assert list(found.gradients) == list(case[1])
    for name, gradient in (found.gradients | {"inputs": found.inputs}).items():
        expected = complex_step(*case, name)
        moved, of_units = np.abs(expected).max() > 1e-6, tuple(f".{vector.name}" for vector in CELLS[cell].vectors)
        if steps == 1 and name.endswith(".U"):  # the first step's old state is zero
            assert not moved
        # a rectifier may be closed throughout
        elif not (steps == 1 and name.endswith(of_units)) and "relu" not in CELLS[cell].step.__code__.co_names:
            assert moved
        assert_close(gradient, expected, 1e-12, name)


@pytest.mark.parametrize("cell", CELLS)
def test_the_complex_step_equals_central_differences(cell):
    case = problem(cell, words=True)
    for name in [*case[1], "inputs"]:
        differences = (moved_losses(*case, name, 1e-5) - moved_losses(*case, name, -1e-5)) / 2e-5
        assert_close(complex_step(*case, name), differences, 1e-7, name)


def naive_states(network, tree, x):
    """Every layer's states after every step of one sequence: a list for each layer, a tuple of lists in it a step."""
    rows, layers = [[float(v) for v in (tree["embedding"][row] if network.embedding else row)] for row in x], []
    for index, layer in enumerate(network.layers):
        prefix = f"layers.{index}."
        w = {name.removeprefix(prefix): array for name, array in tree.items() if name.startswith(prefix)}
        states = [([0.0] * layer.units,) * CELLS[layer.cell].states]
        for row in rows:
            states.append(naive.step(layer.cell, w, states[-1], row))
        layers.append(states[1:])
        rows = [state[0] for state in states[1:]]
    return layers


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda value: "-".join(str(part) for part in value.values()))
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", naive.CELLS)
def test_a_pass_equals_the_loop_over_each_sequence_cut_to_its_length(cell, depth, setting):
    network, tree, data, kind = problem(cell, depth, **setting)
    found = reference.run(network, tree, data, kind)
    lengths = [3, 1, 5, 3] if setting["masked"] else [5] * 4
    outputs = [naive.forward(network, tree, x, n) for x, n in zip(data.x, lengths, strict=True)]
    np.testing.assert_allclose(found.outputs, outputs, rtol=1e-12)
    assert found.loss == pytest.approx(mean_loss(kind, np.array(outputs), data.y), rel=1e-12)
    assert [h.shape for h in found.hidden] == [(4, 5, layer.units) for layer in network.layers]
    assert [len(states) for states in found.final] == [CELLS[cell].states] * depth
    for row, n in enumerate(lengths):
        for index, states in enumerate(naive_states(network, tree, data.x[row, :n])):
            np.testing.assert_allclose(found.hidden[index][row, :n], [h for h, *_ in states], 1e-12, 1e-14)
            assert (found.hidden[index][row, n:] == 0).all()
            np.testing.assert_allclose([array[row] for array in found.final[index]], states[-1], 1e-12, 1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_past_a_rows_end_has_a_gradient(cell):
    network, tree, data, kind = problem(cell, words=True)
    tail = np.where(data.mask, data.x % 6, 6)  # word 6 stands in the padding alone
    found = reference.run(network, tree, data._replace(x=tail), kind)
    assert ((found.inputs != 0).any(axis=2) == data.mask).all()
    assert (found.gradients["embedding"][6] == 0).all()
    assert (found.gradients["embedding"][np.unique(tail[data.mask])] != 0).any(axis=1).all()


def test_a_frozen_embedding_has_no_gradient_and_changes_no_other():
    network, tree, data, kind = problem("gru", words=True)
    trained = reference.run(network, tree, data, kind)
    frozen = reference.run(dataclasses.replace(network, embedding=Embedding(7, False)), tree, data, kind)
    assert list(frozen.gradients) == [name for name in tree if name != "embedding"]
    for name, gradient in frozen.gradients.items():
        np.testing.assert_array_equal(gradient, trained.gradients[name])
    np.testing.assert_array_equal(frozen.inputs, trained.inputs)


@pytest.mark.parametrize("cell", ["vanilla", "lstm"])
def test_a_second_bias_is_added_to_the_first(cell):
    network, tree, data, kind = problem(cell, second_bias=True)
    one = {name: array for name, array in tree.items() if not name.endswith(".b_rec")}
    summed = one | {f"layers.{i}.b": tree[f"layers.{i}.b"] + tree[f"layers.{i}.b_rec"] for i in range(3)}
    single = dataclasses.replace(network, second_bias=False)
    assert list(single_shapes := shapes(single)) == list(one)
    assert single_shapes == {name: array.shape for name, array in one.items()}
    found, expected = reference.run(network, tree, data, kind), reference.run(single, summed, data, kind)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-13)
    assert not np.allclose(found.outputs, reference.run(single, one, data, kind).outputs)
    for i in range(3):
        for bias in (f"layers.{i}.b", f"layers.{i}.b_rec"):
            assert_close(found.gradients[bias], expected.gradients[f"layers.{i}.b"], 1e-13, bias)


def test_a_second_bias_changes_nothing_for_the_gru():
    network, tree, data, kind = problem("gru")
    double = dataclasses.replace(network, second_bias=True)
    assert shapes(double) == shapes(network)
    found, expected = reference.run(double, tree, data, kind), reference.run(network, tree, data, kind)
    np.testing.assert_array_equal(found.outputs, expected.outputs)
    assert all((found.gradients[name] == gradient).all() for name, gradient in expected.gradients.items())


# What is subtracted at rate 1 for the gradients 2, 1, -2, and the slots after the third. By hand: with rho or beta_2
# 3/4 the mean square is 4/4 = 1, 3/4 + 1/4 = 1, 3/4 + 4/4 = 7/4; with momentum or beta_1 1/2 the rest is as easy.
S3, C2, C3 = 1.75, 1 - 0.75**2, 1 - 0.75**3  # the last mean square, and what Adam's is divided by
RULES = {
    "sgd": (Sgd(), "pytorch", [2, 1, -2], {}),
    "momentum": (Sgd(momentum=0.5), "tensorflow", [2, 1 + 1, -2 + 1], {"velocity": -1}),
    "rmsprop pytorch": (RmsProp(0.75, 1.0), "pytorch", [2 / 2, 1 / 2, -2 / (math.sqrt(S3) + 1)], {"square": S3}),
    "rmsprop tensorflow": (
        RmsProp(0.75, 1.0),
        "tensorflow",
        [2 / math.sqrt(2), 1 / math.sqrt(2), -2 / math.sqrt(S3 + 1)],
        {"square": S3},
    ),
    "adam": (  # corrected means 1 / (1/2), 1 / (3/4), -1/2 / (7/8)
        Adam(0.5, 0.75, 1.0),
        "tensorflow",
        [2 / (2 + 1), 4 / 3 / (math.sqrt(1 / C2) + 1), -4 / 7 / (math.sqrt(S3 / C3) + 1)],
        {"mean": -0.5, "square": S3},
    ),
    "adam hat": (
        Adam(0.5, 0.75, 1.0, hat=True),
        "pytorch",
        [2 / (2 * 2), 4 / 3 / (2 / math.sqrt(C2)), -4 / 7 / ((math.sqrt(S3) + 1) / math.sqrt(C3))],
        {"mean": -0.5, "square": S3},
    ),
}
SIGNS = {"a": np.array([1.0, -1.0]), "b": np.array([[-1.0], [1.0]])}  # four numbers: the norm is twice one of them


@pytest.mark.parametrize(
    ("clip", "margin", "sizes"),
    [
        (None, 0.0, [2, 1, -2]),
        (4.0, 0.0, [4, 1, -8]),  # norms 8, 2, 16: halved, left, quartered
        (8.0, 8.0, [4, 4 / 3, -4]),  # norms 8, 8/3, 8: times 8 / 16, 8 / (32/3), 8 / 16
    ],
    ids=["unclipped", "clipped", "clipped with a margin"],
)
@pytest.mark.parametrize("rule", RULES)
def test_three_updates_by_hand(rule, clip, margin, sizes):
    rule, framework, steps, last = RULES[rule]
    optimiser = Optimiser(0.1, clip, rule, margin)
    weights = {"a": np.array([5.0, 6.0]), "frozen": np.array([7.0]), "b": np.array([[8.0], [9.0]])}
    slots = {f"{kind}.{name}": np.zeros_like(SIGNS[name]) for kind in last for name in SIGNS} | {"updates": np.array(0)}
    expected = dict(weights)
    for count, (size, step) in enumerate(zip(sizes, steps, strict=True), start=1):
        gradients = {name: size * signs for name, signs in SIGNS.items()}
        before = copy.deepcopy((weights, slots, gradients))
        new, new_slots = reference.update(optimiser, framework, weights, slots, gradients)
        for given, copied in zip((weights, slots, gradients), before, strict=True):
            assert given.keys() == copied.keys()
            assert all((given[name] == array).all() for name, array in copied.items())
        expected |= {name: expected[name] - 0.1 * step * signs for name, signs in SIGNS.items()}
        weights, slots = new, new_slots
        assert list(weights) == ["a", "frozen", "b"]
        for name, array in expected.items():
            np.testing.assert_allclose(weights[name], array, rtol=1e-14, err_msg=name)
        assert slots["updates"] == count
    assert slots.keys() == {"updates"} | {f"{kind}.{name}" for kind in last for name in SIGNS}
    for kind, value in last.items():
        for name, signs in SIGNS.items():
            expected_slot = value * (signs**2 if kind == "square" else signs)
            np.testing.assert_allclose(slots[f"{kind}.{name}"], expected_slot, rtol=1e-14)


@pytest.mark.parametrize("rule", [Sgd(), Sgd(momentum=0.5), Adam(), Adam(hat=True)])
def test_only_rmsprop_asks_for_the_framework(rule):
    weights, gradients = {"a": np.array([5.0])}, {"a": np.array([0.3])}
    slots = {"updates": np.array(6)} | {f"{kind}.a": np.array([0.2]) for kind in ("velocity", "mean", "square")}
    one, other = (
        reference.update(Optimiser(0.1, None, rule), framework, weights, slots, gradients)[0]["a"]
        for framework in ("pytorch", "tensorflow")
    )
    np.testing.assert_array_equal(one, other)
