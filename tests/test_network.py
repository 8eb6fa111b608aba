"""Shapes, parameter counts and initial weights, against formulas worked by hand."""

import numpy as np
import pytest

from rnn_study.model import init
from rnn_study.model.cells import CELLS
from rnn_study.model.network import (
    Dense,
    Embedding,
    Layer,
    Network,
    default_impl,
    is_trained,
    parameter_count,
    shapes,
    units_for,
    why_not_native,
)


def test_shapes_and_their_order():
    network = Network(5, (Layer("gru", 4), Layer("lstm", 3)), 2, Embedding(10, True))
    assert list(shapes(network).items()) == [
        ("embedding", (10, 5)),
        ("layers.0.W", (5, 12)),
        ("layers.0.U", (4, 12)),
        ("layers.0.b", (12,)),
        ("layers.0.b_rec", (12,)),
        ("layers.1.W", (4, 12)),
        ("layers.1.U", (3, 12)),
        ("layers.1.b", (12,)),
        ("head.W", (3, 2)),
        ("head.b", (2,)),
    ]


@pytest.mark.parametrize(
    ("cell", "depth", "expected"),
    [
        # inputs 28, units 150, 10 classes; the head has (150 + 1) * 10 weights
        ("vanilla", 1, 150 * (28 + 150 + 1) + 1510),
        ("lstm", 1, 4 * 150 * (28 + 150 + 1) + 1510),
        ("gru", 1, 3 * 150 * (28 + 150 + 2) + 1510),
        ("vanilla", 2, 150 * (28 + 150 + 1) + 150 * (150 + 150 + 1) + 1510),
        ("lstm", 2, 4 * 150 * (28 + 150 + 1) + 4 * 150 * (150 + 150 + 1) + 1510),
        ("gru", 2, 3 * 150 * (28 + 150 + 2) + 3 * 150 * (150 + 150 + 2) + 1510),
        # without a recurrent product: W, b and what single units have
        ("indrnn", 1, 150 * (28 + 1 + 1) + 1510),
        ("mingru", 1, 2 * 150 * (28 + 1) + 1510),
        ("minlstm", 2, 3 * 150 * (28 + 1) + 3 * 150 * (150 + 1) + 1510),
    ],
)
def test_parameter_counts(cell, depth, expected):
    network = Network(28, (Layer(cell, 150),) * depth, 10)
    assert parameter_count(network, embedding=True) == expected
    assert parameter_count(network, embedding=False) == expected


@pytest.mark.parametrize("options", [{"second_bias": True}, {"norm": "layer"}, {"norm": "batch", "norm_steps": 5}])
def test_a_cell_without_a_recurrent_product_has_nothing_of_it(options):
    network = Network(3, (Layer("mingru", 4),), 2, **options)
    own = {"layers.0.W": (3, 8), "layers.0.b": (8,)}
    if "norm" in options:
        own["layers.0.gain_a"] = (8,)
    if "norm_steps" in options:
        own |= {"layers.0.mean_a": (5, 8), "layers.0.variance_a": (5, 8)}
    assert shapes(network) == own | {"head.W": (4, 2), "head.b": (2,)}


def test_weights_of_single_units_start_where_their_cell_says():
    u = init.draw(Network(3, (Layer("indrnn", 2000),), 2), np.random.default_rng(0))["layers.0.u"]
    assert 0 < u.min() < 0.01
    assert 0.99 < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=0.03)  # 2000 draws: a spread of 0.006
    peepholes = init.draw(Network(3, (Layer("lstm_peephole", 5),), 2), np.random.default_rng(0))
    assert not any(peepholes[f"layers.0.p_{gate}"].any() for gate in "ifo")


def test_the_embedding_counts_only_where_asked():
    network = Network(25, (Layer("vanilla", 7),), 2, Embedding(400, False))
    assert parameter_count(network, embedding=False) == 7 * (25 + 7 + 1) + (7 + 1) * 2
    assert parameter_count(network, embedding=True) == 400 * 25 + 7 * (25 + 7 + 1) + (7 + 1) * 2


@pytest.mark.parametrize("trainable", [False, True])
def test_only_a_table_that_is_fine_tuned_is_trained(trainable):
    network = Network(3, (Layer("gru", 4),), 2, Embedding(9, trainable))
    fixed = [name for name in shapes(network) if not is_trained(network, name)]
    assert fixed == ([] if trainable else ["embedding"])


def test_running_statistics_are_no_parameters():
    network = Network(3, (Layer("gru", 4),), 2, norm="batch", norm_steps=5)
    assert shapes(network)["layers.0.mean_a"] == (5, 12)
    assert parameter_count(network, embedding=False) == 12 * (3 + 4 + 2) + 2 * 12 + (4 + 1) * 2  # two gains


def test_dropout_acts_on_all_that_layers_find_in_the_order_they_run():
    both = Network(3, (Layer("gru", 4), Layer("lstm", 2)), 2, bidirectional=True, dense=(Dense(5, "relu"),))
    assert both.dropped == (2 * 4, 2 * 2, 5)
    decoder = Network(9, (Layer("gru", 3), Layer("gru", 3)), 9, every_step=True)
    assert Network(3, (), 0, dense=(Dense(7, "relu"), Dense(3, "tanh")), decoder=decoder).dropped == (7, 3, 3, 3)


NOT_TANH = "activation {} with cell {}"


@pytest.mark.parametrize(
    ("cell", "options", "pytorch", "tensorflow"),
    [
        ("ugrnn", {}, "cell ugrnn", "cell ugrnn"),
        ("vanilla", {"activation": "relu"}, None, None),
        ("vanilla", {"activation": "sigmoid"}, *2 * (NOT_TANH.format("sigmoid", "vanilla"),)),
        ("gru", {"activation": "relu"}, *2 * (NOT_TANH.format("relu", "gru"),)),
        ("gru", {"second_bias": True}, None, None),
        ("lstm", {"second_bias": True}, None, "a second bias with cell lstm"),
        ("lstm", {"norm": "layer"}, "norm layer", "norm layer"),
        ("lstm", {"window": 3}, "window 3", "window 3"),
        ("lstm", {"bidirectional": True}, None, None),
    ],
)
@pytest.mark.parametrize("writes", [False, True], ids=["read", "written"])
def test_what_a_framework_has_no_layer_for(cell, options, pytorch, tensorflow, writes):
    """The same of a network that reads and of one that writes, after dense layers, which every framework has."""
    network = Network(3, (Layer(cell, 4),), 2, **options)
    if writes:
        network = Network(3, (), 0, dense=(Dense(4, "tanh"),), steps=2, decoder=network)
    assert why_not_native(network, "pytorch") == pytorch
    assert why_not_native(network, "tensorflow") == tensorflow
    assert default_impl(network) == ("equations" if pytorch or tensorflow else "native")


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("budget", [10, 299, 300, 4000, 30_000])
def test_units_for_finds_the_nearest_width(cell, depth, budget):
    gates, biases = {"vanilla": (1, 1), "lstm": (4, 1), "gru": (3, 2)}[cell]

    def count(units):
        below = gates * units * (8 + units + biases) + (depth - 1) * gates * units * (units + units + biases)
        return below + (units + 1) * 10

    best = min(range(1, 400), key=lambda units: abs(count(units) - budget))
    assert units_for(budget, Network(8, (Layer(cell, 1),) * depth, 10)) == best


def stack(cell):
    return Network(5, (Layer(cell, 4), Layer(cell, 6)), 3)


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.recurrent])
def test_each_gate_of_a_recurrent_kernel_is_orthogonal(cell):
    tree = init.draw(stack(cell), np.random.default_rng(0))
    for name, units in (("layers.0.U", 4), ("layers.1.U", 6)):
        blocks = np.split(tree[name], len(CELLS[cell].gates), axis=1)
        for block in blocks:
            np.testing.assert_allclose(block.T @ block, np.eye(units), atol=1e-14)
        assert all(not np.allclose(blocks[0], other) for other in blocks[1:])


def test_recurrent_kernels_are_spread_evenly_over_the_rotations():
    rng = np.random.default_rng(0)
    network = Network(1, (Layer("vanilla", 2),), 1)
    corners = np.array([init.draw(network, rng)["layers.0.U"][0, 0] for _ in range(2000)])
    # By Haar's measure the corner is the cosine of an even angle: mean 0, mean square 1/2 (spread sqrt(1/8)).
    assert abs(corners.mean()) < 4 * np.sqrt(1 / 2 / 2000)
    assert abs((corners**2).mean() - 1 / 2) < 4 * np.sqrt(1 / 8 / 2000)


@pytest.mark.parametrize("cell", CELLS)
def test_input_kernels_fill_the_limits_of_glorot(cell):
    tree = init.draw(Network(30, (Layer(cell, 40),), 20), np.random.default_rng(0))
    for block in np.split(tree["layers.0.W"], len(CELLS[cell].gates), axis=1):
        limit = (6 / (30 + 40)) ** 0.5
        assert 0.99 * limit < np.abs(block).max() <= limit
        assert block.var() == pytest.approx(2 / (30 + 40), rel=0.1)  # 1200 draws: a spread of 2.6 %
    limit = (6 / (40 + 20)) ** 0.5
    assert 0.98 * limit < np.abs(tree["head.W"]).max() <= limit


@pytest.mark.parametrize("cell", CELLS)
def test_biases_are_zero_but_for_the_forget_gate(cell):
    tree = init.draw(stack(cell), np.random.default_rng(0))
    for name, array in tree.items():
        if name.rpartition(".")[2].startswith("b"):
            expected = np.zeros(len(array))
            if "f" in CELLS[cell].gates and name != "head.b":
                units = len(array) // len(CELLS[cell].gates)
                at = CELLS[cell].gates.index("f") * units
                expected[at : at + units] = 1
            np.testing.assert_array_equal(array, expected, err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_a_tree_has_the_canonical_shapes_and_repeats_to_the_bit(cell):
    network = stack(cell)
    one, same, other = (init.draw(network, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert {name: array.shape for name, array in one.items()} == shapes(network)
    assert list(one) == list(shapes(network))
    assert all(array.dtype == np.float64 and array.tobytes() == same[name].tobytes() for name, array in one.items())
    assert one["layers.0.W"].tobytes() != other["layers.0.W"].tobytes()


def test_an_embedding_is_kept_as_it_is():
    network = Network(3, (Layer("gru", 4),), 2, Embedding(6, True))
    table = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    tree = init.draw(network, np.random.default_rng(0), table)
    np.testing.assert_array_equal(tree["embedding"], table)
    assert tree["embedding"].dtype == np.float64


@pytest.mark.parametrize("table", [None, np.zeros((6, 4)), np.zeros((3, 6))])
def test_a_missing_or_wrong_embedding_is_refused(table):
    network = Network(3, (Layer("gru", 4),), 2, Embedding(6, True))
    with pytest.raises(ValueError, match=r"embedding: expected an array of shape \(6, 3\)"):
        init.draw(network, np.random.default_rng(0), table)
