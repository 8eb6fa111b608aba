"""Diagnostics against automatic differentiation, derivatives worked out by hand, finite differences and maps whose
exponents are known."""

from dataclasses import replace

import autodiff_worker
import numpy as np
import pytest

from rnn_study.behaviour.diagnostics import memory, spectra, theory
from rnn_study.behaviour.diagnostics.linear import error_flow, sigmoid_gates, unroll
from rnn_study.behaviour.diagnostics.profile import SPECTRA, longest_sequences, memory_length, profile, subject, words
from rnn_study.behaviour.parity.probes import deviation
from rnn_study.data.problems import adding
from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS, activated
from rnn_study.model.network import Dense, Embedding, Layer, Network, shapes
from rnn_study.model.task import Batch, Task

ROWS, STEPS, INPUTS = 4, 9, 3
LENGTHS = np.array([9, 5, 1, 7])
MASK = np.arange(STEPS) < LENGTHS[:, None]
FULL = np.ones_like(MASK)


def network(*cells, outputs=2, **options):
    units = (5, 4, 3)
    return Network(INPUTS, tuple(Layer(cell, u) for cell, u in zip(cells, units, strict=False)), outputs, **options)


def weights(net, seed=0):
    """Random, biases too; variances are positive."""
    rng = np.random.default_rng(seed)
    tree = {name: rng.normal(0, 0.5, shape) for name, shape in shapes(net).items()}
    return {name: abs(array) + 0.5 if "variance" in name else array for name, array in tree.items()}


def data(kind, outputs=2, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, STEPS, INPUTS))
    y = rng.integers(0, outputs, ROWS) if kind == "cross_entropy" else rng.normal(size=(ROWS, outputs))
    return x, y


STACKS = {cell: ((cell,), {}) for cell in CELLS} | {
    "three layers": (("lstm", "gru", "vanilla"), {}),
    "rectifier": (("lstm",), {"activation": "relu"}),
    "linear": (("gru",), {"activation": "linear"}),
}


@pytest.mark.parametrize("mask", [FULL, MASK], ids=["full", "unequal lengths"])
@pytest.mark.parametrize("kind", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_error_flow_is_what_the_framework_differentiates(backend, name, kind, mask, ask):
    cells, options = STACKS[name]
    net = network(*cells, **options)
    tree, (x, y) = weights(net), data(kind)
    found = error_flow(tree, unroll(net, tree, x, mask), y, kind)
    states, inputs = ask(autodiff_worker.error_flow, backend, net, tree, x, y, kind, mask)
    for flow, expected in zip(found, states, strict=True):
        for one, other in zip(flow.states, expected, strict=True):
            assert deviation(one, other) < 1e-10
    assert deviation(found[0].inputs, inputs) < 1e-10


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_error_flow_is_back_propagation_through_time_by_hand(cell):
    net = network(cell)
    tree, (x, y) = weights(net), data("squared_error")
    expected = reference.run(net, tree, Batch(x, y, MASK), "squared_error").inputs * ROWS
    (flow,) = error_flow(tree, unroll(net, tree, x, MASK), y, "squared_error")
    assert deviation(flow.inputs, expected) < 1e-12


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_error_flow_of_an_answer_for_every_step_is_the_oracles(cell, masked):
    """Each example alone, where its loss is the mean over its own valid steps."""
    net = network(cell, every_step=True)
    tree, (x, _) = weights(net), data("squared_error")
    y = np.random.default_rng(1).integers(0, net.outputs, x.shape[:2])
    mask = MASK if masked else None
    (flow,) = error_flow(tree, unroll(net, tree, x, mask), y, "cross_entropy")
    for row in range(len(x)):
        length = MASK[row].sum() if masked else x.shape[1]
        alone = Batch(x[row : row + 1, :length], y[row : row + 1, :length])
        expected = reference.run(net, tree, alone, "cross_entropy").inputs[0]
        assert deviation(flow.inputs[row, :length], expected) < 1e-12
        assert not flow.inputs[row, length:].any()


def test_error_flow_does_not_pass_dense_layers():
    net = network("gru", dense=(Dense(4, "tanh"),))
    tree, (x, y) = weights(net), data("squared_error")
    layers = unroll(net, tree, x, MASK)
    with pytest.raises(ValueError, match="dense layers after the cells"):
        error_flow(tree, layers, y, "squared_error")


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_error_flow_passes_through_normalisation(norm):
    """Against finite differences of the prediction, whose statistics are the running ones."""
    net = network("lstm", norm=norm, norm_steps=6 if norm == "batch" else 0)
    tree, (x, y) = weights(net), data("squared_error")
    (flow,) = error_flow(tree, unroll(net, tree, x, MASK), y, "squared_error")

    def loss(x):
        return ((reference.climb(net, tree, x, MASK).outputs - y) ** 2).mean(axis=1)

    step = 1e-6
    for t, d in [(0, 0), (3, 1), (6, 2)]:
        moved = np.zeros_like(x)
        moved[:, t, d] = step
        slope = (loss(x + moved) - loss(x - moved)) / (2 * step)
        np.testing.assert_allclose(flow.inputs[:, t, d], np.where(MASK[:, t], slope, 0), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "options", [{}, {"norm": "layer"}, {"second_bias": True}], ids=["plain", "normalised", "biases"]
)
@pytest.mark.parametrize("cell", CELLS)
def test_jacobians_are_those_of_finite_differences(cell, options):
    net = network(cell, **options)
    tree, (x, _) = weights(net), data("squared_error")
    (layer,) = unroll(net, tree, x, None)
    w, units, t = layer.weights, 5, 4

    def step(z):
        """One step from the states z (n, N, states * H), through the oracle's own network."""
        old = np.split(z, CELLS[cell].states, axis=-1)
        ops = activated(reference.OPS, "tanh")
        products = {"a": x[:, t] @ w.W} | ({} if w.U is None else {"s": old[0] @ w.U})
        if layer.norm:
            products = {which: layer.norm(which, t, product) for which, product in products.items()}
        products["a"] = products["a"] + w.b
        if w.b_rec is not None:
            products["s"] = products["s"] + w.b_rec
        return np.concatenate(CELLS[cell].step(ops, tuple(old), *products.values(), *w.vectors), axis=-1)

    z = np.concatenate([history[:, t - 1] for history in layer.states], axis=-1)
    size = 1e-6
    moved = size * np.eye(units * CELLS[cell].states)[:, None, :]
    expected = np.moveaxis((step(z + moved) - step(z - moved)) / (2 * size), 0, -1)
    np.testing.assert_allclose(layer.jacobian(t), expected, atol=1e-8)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_treats_units_apart_and_calls_its_gates_in_order(cell):
    """What diagnostics rely on, of whatever cell is added."""
    found, rng, units = CELLS[cell], np.random.default_rng(3), 4
    columns = len(found.gates) * units
    state = tuple(rng.normal(size=(1, units)) for _ in range(found.states))
    a, *rest = rng.normal(size=(1 + found.recurrent, 1, columns))
    rest += [rng.normal(size=(1, units)) for _ in found.vectors]
    before = found.step(reference.OPS, state, a, *rest)
    unit = 2
    for moved in range(len(found.gates)):
        other = a.copy()
        other[0, moved * units + unit] += 0.5
        for one, two in zip(found.step(reference.OPS, state, other, *rest), before, strict=True):
            assert set(np.flatnonzero(one[0] != two[0])) <= {unit}
    calls = []

    def noting(function):
        return lambda values: calls.append((function, values)) or function(values)

    found.step(type(reference.OPS)(*map(noting, reference.OPS)), state, a, *rest)
    kinds = [function for function, _ in calls]
    # the first calls are the gates, linear ones last and unheard: each moves with its own columns of a
    for place in range(min(len(found.gates), len(kinds))):
        calls.clear()
        moved = a.copy()
        moved[0, place * units : (place + 1) * units] += 1.0
        found.step(type(reference.OPS)(*map(noting, reference.OPS)), state, moved, *rest)
        again = calls[place][1]
        calls.clear()
        found.step(type(reference.OPS)(*map(noting, reference.OPS)), state, a, *rest)
        np.testing.assert_allclose(again - calls[place][1], 1.0)
    assert [function for function, _ in calls] == kinds


def test_gates_and_carry_are_the_equations():
    x, _ = data("squared_error")
    for cell, gates in {"lstm": ("i", "f", "o"), "gru": ("r", "z"), "vanilla": (), "ugrnn": ("g",)}.items():
        net = network(cell)
        tree = weights(net)
        (layer,) = unroll(net, tree, x, None)
        assert tuple(layer.gates) == sigmoid_gates(cell) == gates
        assert sigmoid_gates("lstm_peephole") == ("i", "f", "o")
        if cell == "vanilla":
            assert not layer.carry.any()
            continue
        old = np.concatenate([np.zeros((ROWS, 1, 5)), layer.states[0][:, :-1]], axis=1)
        place = CELLS[cell].gates.index(gates[1] if len(gates) > 1 else "g")
        columns = slice(place * 5, place * 5 + 5)
        products = x @ tree["layers.0.W"] + tree["layers.0.b"] + old @ tree["layers.0.U"]
        products = products + tree.get("layers.0.b_rec", 0)
        expected = 1 / (1 + np.exp(-products[..., columns]))
        np.testing.assert_allclose(layer.carry, expected, rtol=1e-12)
        np.testing.assert_allclose(list(layer.gates.values())[1 if len(gates) > 1 else 0], expected, rtol=1e-12)


def test_lyapunov_exponents_of_a_linear_map_are_exact():
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    factors = np.array([0.1, 2.0, 0.5])
    diagonal = np.broadcast_to(np.diag(factors), (2, 3, 3))
    expected = np.log([[2.0, 0.5, 0.1]] * 2)
    np.testing.assert_allclose(spectra.lyapunov([diagonal] * 5), expected, rtol=1e-13)
    # in another basis the first steps turn: the rest converges to the same
    turned = (rotation * factors) @ rotation.T
    np.testing.assert_allclose(spectra.lyapunov([turned[None]] * 2000), expected[:1], atol=2e-3)
    # of a row that ends early only its own steps count
    valid = np.array([[True] * 5, [True, True, False, False, False]])
    steps = [diagonal, diagonal, *[diagonal * np.array([1, 7])[:, None, None]] * 3]
    np.testing.assert_allclose(spectra.lyapunov(steps, valid), expected, rtol=1e-13)


def test_lyapunov_exponents_of_the_henon_map():
    """0.419 (Sprott 2003, table A.5), and a sum of ln 0.3: the map shrinks every area by 0.3."""
    x, y, steps = 0.1, 0.1, []
    for _ in range(20_000):
        steps.append(np.array([[[-2.8 * x, 1.0], [0.3, 0.0]]]))
        x, y = 1 - 1.4 * x * x + y, 0.3 * x
    ((first, second),) = spectra.lyapunov(steps)
    assert first == pytest.approx(0.419, rel=0.01)
    assert first + second == pytest.approx(np.log(0.3), rel=1e-10)


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru"])
def test_exponents_over_a_stretch_are_the_products_singular_values(cell):
    net = network(cell)
    tree, (x, _) = weights(net), data("squared_error")
    (layer,) = unroll(net, tree, x, MASK)
    found = spectra.layer_exponents(layer)
    for row, length in enumerate(LENGTHS):
        product = np.linalg.multi_dot(
            [np.eye(found.shape[1])] * 2 + [layer.jacobian(t)[row] for t in reversed(range(length))]
        )
        expected = np.log(np.linalg.svd(product, compute_uv=False)) / length
        told = expected > expected[0] - 20 / length  # by an SVD of the product as a whole
        np.testing.assert_allclose(found[row][told], expected[told], atol=1e-6)
        volumes = [np.linalg.slogdet(layer.jacobian(t)[row]).logabsdet for t in range(length)]
        assert found[row].sum() == pytest.approx(np.mean(volumes), rel=1e-9)


@pytest.mark.parametrize("scale", [0.8, 0.95, 1.0, 1.1])
def test_a_linear_rnn_decays_by_its_kernels_scale(scale):
    found = theory.linear_decay(scale, 60, np.random.default_rng(4))
    np.testing.assert_allclose(found, scale ** np.arange(60), rtol=1e-9)


def linear(scale, units=6, seed=0):
    net = Network(1, (Layer("vanilla", units),), 1, activation="linear")
    tree = weights(net, seed)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))[0]
    return net, tree | {"layers.0.U": scale * q}


def test_singular_values_and_memory_of_a_linear_rnn():
    net, tree = linear(0.9)
    x = np.random.default_rng(2).normal(size=(2, 30, 1))
    mask = np.arange(30) < np.array([[30], [12]])
    (layer,) = unroll(net, tree, x, mask)
    found = spectra.singular_values(layer)
    lags = np.arange(30)
    np.testing.assert_allclose(found[0], np.repeat(0.9 ** lags[:, None], 6, axis=1), rtol=1e-10)
    np.testing.assert_allclose(found[1, :12], found[0, :12], rtol=1e-10)
    assert np.isnan(found[1, 12:]).all()
    assert spectra.memory_length(found[0, :, 0]) == pytest.approx(-1 / np.log(0.9), rel=1e-10)
    assert spectra.memory_length(found[0, 1:, 0]) == pytest.approx(-1 / np.log(0.9), rel=1e-10)
    np.testing.assert_allclose(spectra.layer_exponents(layer), np.log(0.9), rtol=1e-10)
    assert spectra.spectral_radius(tree["layers.0.U"]) == pytest.approx(0.9)


def test_a_memory_that_never_falls_is_as_long_as_the_sequence():
    assert spectra.memory_length(np.ones(8)) == 7
    assert spectra.memory_length(np.array([2.0, 0.0, 0.0])) < 1
    assert spectra.memory_length(np.ones(1)) == spectra.memory_length(np.ones(0)) == 0


def test_singular_values_of_two_states_are_those_of_the_product():
    """The LSTM's h_T by (h, c): from finite differences of a run that starts in the middle."""
    net = network("lstm")
    tree, (x, _) = weights(net), data("squared_error")
    (layer,) = unroll(net, tree, x, None)
    w, t, size = layer.weights, 5, 1e-6

    def end(z):
        h, c = np.split(z, 2, axis=-1)
        for later in range(t + 1, STEPS):
            h, c = CELLS["lstm"].step(reference.OPS, (h, c), x[:, later] @ w.W + w.b, h @ w.U)
        return h

    z = np.concatenate([history[:, t] for history in layer.states], axis=-1)
    moved = size * np.eye(10)[:, None, :]
    product = np.moveaxis((end(z + moved) - end(z - moved)) / (2 * size), 0, -1)
    expected = np.linalg.svd(product, compute_uv=False)
    np.testing.assert_allclose(spectra.singular_values(layer)[:, STEPS - 1 - t], expected, atol=1e-8)


def test_by_lag_counts_from_each_rows_end():
    found = spectra.by_lag(np.arange(8.0).reshape(2, 4), np.array([3, 1]))
    np.testing.assert_array_equal(found, [[3, 2, 1, 0], [5, 4, np.nan, np.nan]])


def test_the_probe_on_a_shift_register():
    """A rectified RNN whose kernel shifts: it holds its last 6 inputs, which are positive, and no other."""
    units = 6
    net = Network(1, (Layer("vanilla", units),), 1, activation="relu")
    tree = {name: np.zeros(shape) for name, shape in shapes(net).items()}
    tree["layers.0.W"][0, 0] = 1.0
    tree["layers.0.U"][np.arange(units - 1), np.arange(1, units)] = 1.0
    x = np.random.default_rng(0).random((400, 15, 1))
    h = reference.climb(net, tree, x, None).hidden[0][:, -1]
    found = memory.retention(h, x[:, ::-1])
    np.testing.assert_allclose(found[:units], 1.0, atol=1e-8)
    assert np.abs(found[units:]).max() < 0.1


def test_the_probe_finds_nothing_in_noise():
    """Many features and few sequences: what was fitted is not what is scored."""
    rng = np.random.default_rng(0)
    found = memory.retention(rng.normal(size=(80, 30)), rng.normal(size=(80, 20, 1)))
    assert found.mean() < 0


def test_the_probe_says_nothing_where_it_cannot():
    rng = np.random.default_rng(0)
    h, x = rng.normal(size=(100, 3)), rng.normal(size=(100, 4, 2))
    x[:, 1] = 5.0  # nothing varies
    x[memory.FEWEST - 1 :, 2] = np.nan  # too few had begun
    x[60:, 3] = np.nan
    found = memory.retention(h, x)
    assert np.isnan(found[[1, 2]]).all()
    assert np.isfinite(found[[0, 3]]).all()


# On the adding problem: sequences of ten steps, of which two are marked


def additions(count=6400, steps=10):
    part = adding.sample(np.random.default_rng(5), count, steps)
    return Task("adding", "squared_error", 1, part, part, {"test": part})


def summing():
    """A rectified network that adds up what is marked: relu(number + mark - 1), then the sum of that."""
    net = Network(2, (Layer("vanilla", 1), Layer("vanilla", 1)), 1, activation="relu")
    tree = {name: np.zeros(shape) for name, shape in shapes(net).items()}
    tree["layers.0.W"][:], tree["layers.0.b"][:] = 1.0, -1.0
    tree["layers.1.W"][:] = tree["layers.1.U"][:] = tree["head.W"][:] = 1.0
    return net, tree


def test_marked_numbers_one_by_one():
    x = additions(50).train.x
    found = adding.marked(x)
    assert found.shape == (50, 10, 1)
    for row, step in np.ndindex(50, 10):
        number, mark = x[row, step]
        assert found[row, step, 0] == number if mark == 1 else np.isnan(found[row, step, 0])
    assert (np.isfinite(found[:, :5]).sum(axis=1) == 1).all()
    assert np.isfinite(found).sum() == 100


def test_a_sum_tells_half_of_either_number():
    """Of two numbers of equal variance; as NumPy's least squares on the same halves say, lag by lag."""
    task = additions()
    net, tree = summing()
    found = profile(net, tree, subject(task, 4), whole=True)["retention"]
    np.testing.assert_allclose(found, 0.5, atol=0.1)  # 640 to fit and as many to score
    sums = task.train.y[:, 0].astype(float)
    for lag in range(10):
        rows = np.flatnonzero(task.train.x[:, 9 - lag, 1] == 1)
        x, (fit, test) = task.train.x[:, 9 - lag, 0].astype(float), np.split(rows, [len(rows) // 2])
        missed = x[test] - np.polyval(np.polyfit(sums[fit], x[fit], 1), sums[test])
        assert found[lag] == pytest.approx(1 - (missed**2).sum() / ((x[test] - x[test].mean()) ** 2).sum(), abs=2e-3)


def test_the_first_number_is_read_out_of_a_state_that_holds_it():
    """At the lags of the first half, and at no other."""
    x = additions().train.x
    first = np.nansum(adding.marked(x[:, :5]), axis=1)
    found = memory.retention(first, adding.marked(x)[:, ::-1])
    np.testing.assert_allclose(found[5:], 1.0, atol=1e-6)
    np.testing.assert_allclose(found[:5], 0.0, atol=0.03)


def test_unmarked_numbers_do_not_matter():
    """To a network that does not hold them, nor to what is read out; unmarked, they are read from a task's state."""
    task, (net, tree) = additions(), summing()
    of = subject(task, 4)
    before = profile(net, tree, of, whole=True)["retention"]
    x = of.many.x.copy()
    x[..., 0] = np.where(x[..., 1] == 1, x[..., 0], np.random.default_rng(6).random(x.shape[:2]))
    other = Batch(x, of.many.y)
    moved = subject(replace(task, train=other), 4)
    np.testing.assert_array_equal(profile(net, tree, moved, whole=True)["retention"], before)
    assert subject(replace(task, name="airline"), 4).marked is None


def test_a_read_out_looks_at_as_many_sequences_as_it_takes():
    """512 of a task; on the adding problem, where one says something of two steps alone, 6400."""
    task = additions(6500)
    assert len(subject(task, 4).many.y) == len(subject(task, 4).marked) == 6400
    assert len(subject(replace(task, name="airline"), 4).many.y) == 512


def a_task(**more):
    x, y = data("cross_entropy")
    part = Batch(x.astype(np.float32), y, MASK)
    return Task("t", "cross_entropy", 2, part, part, {}, **more)


def test_a_profile_looks_at_the_longest_sequences():
    of = subject(a_task(), 2)
    np.testing.assert_array_equal(of.few.mask.sum(axis=1), [9, 7])
    assert of.few.x.shape == (2, 9, 3)
    assert len(of.many.y) == ROWS
    task = a_task()
    short = Batch(task.validation.x, task.validation.y, MASK & (np.arange(STEPS) < 6))
    of = subject(replace(task, validation=short), 2)
    assert of.few.x.shape == (2, 6, 3)  # no step that none of them has
    assert of.few.mask.all()


def test_jacobians_are_those_of_the_longest_sequences():
    """Of twelve sequences the six longest are multiplied out; error flows back through all of them."""
    rng, net = np.random.default_rng(2), network("lstm")
    tree, lengths = weights(net), np.array([9, 3, 9, 5, 9, 4, 8, 9, 2, 9, 6, 1])
    part = Batch(
        rng.normal(size=(12, 9, 3)).astype(np.float32), rng.integers(0, 2, 12), np.arange(9) < lengths[:, None]
    )
    task = Task("t", "cross_entropy", 2, part, part, {})
    found = profile(net, tree, subject(task, 12), whole=False)
    rows = [0, 2, 4, 6, 7, 9]  # those of 9 and of 8 steps
    assert len(rows) == SPECTRA
    few = Batch(part.x[rows], part.y[rows], part.mask[rows])
    alone = profile(net, tree, subject(replace(task, validation=few), 6), whole=False)
    for key in ("singular", "memory", "exponents"):
        np.testing.assert_array_equal(found[key], alone[key])
    assert found["flow"].shape == (12, 9)
    np.testing.assert_allclose(found["flow"][rows], alone["flow"], rtol=1e-12)
    assert memory_length(net, tree, few) == found["memory"]
    np.testing.assert_array_equal(longest_sequences(part, SPECTRA).x, few.x)


@pytest.mark.parametrize("cell", CELLS)
def test_a_profile_of_any_cell(cell):
    net = network(cell)
    found = profile(net, weights(net), subject(a_task(), 3), whole=True)
    n = 5 * CELLS[cell].states
    assert found["flow"].shape == found["flow_x"].shape == (3, STEPS)
    assert ("flow_c" in found) == (CELLS[cell].states == 2)
    assert found["singular"].shape == (STEPS, 5)
    np.testing.assert_allclose(found["singular"][0], 0, atol=1e-12)
    assert found["exponents"].shape == (n,)
    assert ("radius" in found) == CELLS[cell].recurrent
    assert len(found.get("radius", CELLS[cell].gates)) == len(CELLS[cell].gates)
    assert ("gates" in found) == bool(sigmoid_gates(cell))
    if "gates" in found:
        np.testing.assert_allclose(found["gates"].sum(axis=1), 1)


def test_memory_is_the_forget_gates_not_the_output_gates():
    """An LSTM without a recurrent kernel and without input: its memory decays by f a step, and the loss reads half of
    it, for the output gate is at 1/2."""
    net = Network(1, (Layer("lstm", 4),), 1)
    tree = {name: np.zeros(shape) for name, shape in shapes(net).items()}
    tree["layers.0.b"][4:8] = np.log(0.9 / 0.1)
    tree["head.W"][:] = 1.0
    part = Batch(np.zeros((3, 40, 1), np.float32), np.ones((3, 1), np.float32))
    found = profile(net, tree, subject(Task("t", "squared_error", 1, part, part, {}), 3), whole=False)
    np.testing.assert_allclose(10 ** found["singular"][1:, 0], 0.5 * 0.9 ** np.arange(1, 40), rtol=1e-10)
    assert found["memory"] == pytest.approx(-1 / np.log(0.9), rel=1e-10)


def test_words_have_the_gradient_of_their_vectors(ask):
    net = replace(network("gru"), embedding=Embedding(6, True))
    tree = weights(net)
    ids = np.array([[1, 2, 3, 0], [4, 5, 0, 0]], np.int32)
    part = Batch(ids, np.array([0, 1]), ids > 0)
    found = words(net, tree, part, "cross_entropy")
    whole = reference.run(net, tree, part, "cross_entropy")
    expected = 2 * np.linalg.norm(whole.inputs, axis=-1)
    np.testing.assert_allclose(found["gradient"], np.where(part.mask, expected, np.nan), rtol=1e-10)
    assert np.isnan(found["keeps"][~part.mask]).all()


def test_a_network_that_reads_both_ways_is_refused():
    net = network("gru", bidirectional=True)
    with pytest.raises(ValueError, match="bidirectional"):
        unroll(net, weights(net), data("squared_error")[0], None)
