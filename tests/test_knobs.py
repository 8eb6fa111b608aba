"""Every option of a network: both frameworks against the oracle, and what the option is for."""

from dataclasses import replace

import numpy as np
import pytest
import stock_worker
from conftest import needs
from scipy import stats

from rnn_study.behaviour.parity import probes
from rnn_study.behaviour.parity.probes import Problem, tree_deviation
from rnn_study.behaviour.parity.problems import KNOBS, knob_problem, oracle
from rnn_study.behaviour.parity.run import Parity
from rnn_study.behaviour.parity.trainings import BETA, LATE, RATE
from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cell_check import require_steps
from rnn_study.model.cells import CELLS, Cell, Vector
from rnn_study.model.init import SCHEMES, Init, draw
from rnn_study.model.network import STATISTICS, Layer, Network, is_trained, shapes
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import END, GO, Batch
from rnn_study.support.errors import StudyError

ADAM = Optimiser(RATE, 2**-3, Adam(BETA, LATE))


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def rows(backend, pool):
    """The checks of all options in one framework, by option."""
    parity = Parity({backend: pool(backend)})
    parity.knobs()
    list(parity.finish())
    return {name: [row for row in parity.rows if row["case"].startswith(f"{name}, ")] for name in KNOBS}


@pytest.mark.parametrize("name", KNOBS)
def test_an_option_is_within_its_bounds(name, backend, rows):
    states = ["final states"] if KNOBS[name][0] or "decoder" in KNOBS[name][2] else []  # an MLP has none
    assert [row["check"] for row in rows[name]] == ["forward", *states, "gradients", "input gradient"]
    assert all(row["deviation"] <= row["bound"] == 1e-10 for row in rows[name])
    assert {(row["framework"], row["dtype"]) for row in rows[name]} == {(backend, "float64")}


# Options that change what a recurrent layer computes, not what stands above it or how much it answers.
WITHIN = [name for name in KNOBS if KNOBS[name][2] and not {"every_step", "dense", "decoder"} & KNOBS[name][2].keys()]


@pytest.mark.parametrize("name", WITHIN)
def test_an_option_left_out_would_be_noticed(name):
    problem = knob_problem(name)
    plain = Network(3, problem.network.layers, 2)
    cut = {array: problem.weights[array][tuple(map(slice, shape))] for array, shape in shapes(plain).items()}
    without, whole = reference.run(plain, cut, problem.batch, problem.loss), oracle(problem)
    if "frozen" in name:  # which neither the way up nor the way to the inputs sees
        assert set(whole.gradients) == {"head.W", "head.b"} < set(without.gradients)
        return
    assert probes.deviation(without.inputs, whole.inputs) > 1e-3
    if "window" not in name:  # which the way up does not see
        assert probes.deviation(without.outputs, whole.outputs) > 1e-3


def trained(problem, order):
    """Weights after the updates of `order` in NumPy, running statistics among them."""
    tree = dict(problem.weights)
    names = [name for name in tree if is_trained(problem.network, name)]
    slots = {f"{kind}.{name}": np.zeros_like(tree[name]) for kind in ("mean", "square") for name in names}
    slots["updates"] = np.array(0)
    for row in order:
        part = Batch(*(None if array is None else array[row] for array in problem.batch))
        gradients = reference.run(problem.network, tree, part, problem.loss).gradients
        seen = reference.climb(problem.network, tree, part.x, part.mask, training=True, told=part.y).statistics
        tree, slots = reference.update(problem.optimiser, "pytorch", tree, slots, gradients)
        tree |= seen
    return tree


@pytest.mark.parametrize("masked", [True, False], ids=["unequal lengths", "equal lengths"])
@pytest.mark.parametrize("name", KNOBS)
def test_updates_and_predictions_equal_the_oracles(name, masked, backend, ask):
    """Batch normalisation learns statistics of each step, and predicts with those and not with the batch's."""
    problem = replace(knob_problem(name), optimiser=ADAM)
    if not masked:
        problem = replace(problem, batch=problem.batch._replace(mask=None))
    order = np.array([[0, 1, 2, 4], [3, 1, 0, 2], [4, 3, 2, 1]])
    expected = trained(problem, order)
    rng = np.random.default_rng(5)
    steps = problem.network.steps or 8  # longer than any sequence before, but for what reads all steps at once
    x, y = rng.normal(size=(3, steps, 3)), np.zeros(3, np.int64)
    if problem.network.decoder:
        y = np.array([[2, 4, 3, 3, 2, END], [END, GO, GO, GO, GO, GO], [4, END, GO, GO, GO, GO]])
    lengths = np.minimum(steps, [8, 2, 5])
    test = Batch(x, y, np.arange(steps) < lengths[:, None] if masked else None)
    weights, outputs = ask(stock_worker.trained, backend, problem, order, test)
    assert tree_deviation(weights, expected) < 1e-10
    assert list(weights) == list(shapes(problem.network))
    moved = [array for array in weights if not np.array_equal(weights[array], problem.weights[array])]
    assert moved == (["head.W", "head.b"] if "frozen" in name else list(weights))
    np.testing.assert_allclose(outputs, reference.forward(problem.network, expected, test), rtol=1e-9)
    if problem.network.norm == "batch":
        batch = reference.climb(problem.network, expected, test.x, test.mask, training=True).outputs
        assert not np.allclose(outputs, batch, rtol=1e-2)


@pytest.mark.parametrize("impl", ["native", "equations"])
def test_an_identity_initialised_rectifier_keeps_what_it_read(impl, backend, ask):
    """Le et al. 2015: with nothing more to read, the state stands still; so does the gradient on its way back."""
    network = Network(2, (Layer("vanilla", 6),), 1, activation="relu")
    weights = draw(network, np.random.default_rng(0), init=Init(recurrent="identity"))
    x = np.zeros((3, 40, 2))
    x[:, 0] = np.random.default_rng(1).normal(size=(3, 2))
    problem = Problem(network, "squared_error", ADAM, weights, Batch(x, np.ones((3, 1))), impl)
    (hidden,) = ask(probes.probe, backend, problem).hidden
    assert (hidden[:, 0] > 0).any(axis=1).all()
    np.testing.assert_array_equal(hidden, np.repeat(hidden[:, :1], 40, axis=1))
    other = replace(problem, weights=draw(network, np.random.default_rng(0)))
    assert not np.allclose(ask(probes.probe, backend, other).hidden[0][:, -1], hidden[:, -1])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_truncation_stops_gradients_exactly_at_the_window(cell, masked, backend, ask):
    rng = np.random.default_rng(3)
    network = Network(2, (Layer(cell, 4),), 1, window=3)
    weights = {name: rng.normal(0, 0.5, shape) for name, shape in shapes(network).items()}
    weights["layers.0.b"] += 2  # no rectifier is closed
    lengths = np.array([7, 5, 2]) if masked else np.array([7, 7, 7])
    mask = np.arange(7) < lengths[:, None] if masked else None
    batch = Batch(rng.normal(size=(3, 7, 2)), rng.normal(size=(3, 1)), mask)
    problem = Problem(network, "squared_error", ADAM, weights, batch, "equations")
    found = ask(probes.probe, backend, problem)
    within = (np.arange(7) >= lengths[:, None] - 3) & (np.arange(7) < lengths[:, None])
    np.testing.assert_array_equal((found.inputs != 0).any(axis=2), within)
    whole = ask(probes.probe, backend, replace(problem, network=replace(network, window=None)))
    np.testing.assert_array_equal(found.outputs, whole.outputs)  # the state is carried all the way
    assert ((whole.inputs != 0).any(axis=2) == (np.arange(7) < lengths[:, None])).all()


@pytest.mark.parametrize("bias", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "f" in cell.gates and cell.states == 2])
@pytest.mark.parametrize("biases", ["zeros", "uniform"])
def test_the_forget_bias_moves_the_initial_gate_to_its_sigmoid(cell, bias, biases):
    """With nothing to read and no state but a memory of 1, the new memory is the gate."""
    network = Network(2, (Layer(cell, 4),), 1, second_bias=True)
    init = Init(biases=biases, forget_bias=bias)
    w = reference.layer_weights(network, draw(network, np.random.default_rng(0), init=init), 0)
    h, c = np.zeros((1, 4)), np.ones((1, 4))
    vectors = [np.zeros_like(array) for array in w.vectors]
    a, gate = w.b + 0, CELLS[cell].gates.index("i")
    a[..., 4 * gate : 4 * gate + 4] = -1e3  # nothing is taken in
    _, memory = CELLS[cell].step(reference.OPS, (h, c), a, h @ w.U + w.b_rec, *vectors)
    np.testing.assert_allclose(memory, 1 / (1 + np.exp(-bias)), rtol=1e-12)


@pytest.mark.parametrize("decodes", [False, True])
@pytest.mark.parametrize("forgotten", ["W", "U", "p"])
def test_an_array_that_a_step_forgets_is_named_in_one_line(forgotten, decodes, backend, ask):
    with pytest.raises(StudyError) as error:
        ask(stock_worker.forgetful, backend, forgotten, decodes)
    told = f"cell no_{forgotten}: {forgotten} gets no gradient: expected a step that uses it"
    assert str(error.value) == f"{told} (recurrent=False where it has no h U)"


def _of_two_states(ops, state, a, s):
    return (ops.tanh(a + s),)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"step": lambda ops, state, a, s: (ops.exp(a + s),)}, "AttributeError: 'Ops' object has no attribute 'exp'"),
        ({"step": lambda ops, state, a, s: ops.tanh(a + s)}, "no tuple of 1 arrays as wide as the state"),
        ({"step": _of_two_states, "states": 2}, "no tuple of 2 arrays as wide as the state"),
        ({"step": _of_two_states, "gates": ("g", "h")}, "no tuple of 1 arrays as wide as the state"),
        ({"step": _of_two_states, "recurrent": False}, "missing 1 required positional argument: 's'"),
        ({"step": _of_two_states, "vectors": (Vector("v"),)}, "takes 4 positional arguments but 5 were given"),
    ],
)
def test_a_step_that_does_not_fit_its_entry_is_one_line(entry, said, monkeypatch):
    monkeypatch.setitem(CELLS, f"own {said}", Cell("Own", **{"gates": ("h",), "states": 1} | entry))
    with pytest.raises(StudyError) as error:
        require_steps(Network(2, (Layer(f"own {said}", 3),), 1))
    assert str(error.value).startswith(f"cell own {said}: its step fails (")
    assert said in str(error.value).partition(": its step fails (")[2]
    assert "expected a step as docs/add-a-cell.md shows" in str(error.value)


def test_a_step_that_uses_all_is_let_through(backend, ask):
    ask(stock_worker.forgetful, backend, "nothing", False)


@needs("torch")
@pytest.mark.parametrize(("cell", "layer"), [("vanilla", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")])
def test_both_directions_are_torchs(cell, layer, backend, ask, pool):
    rng = np.random.default_rng(2)
    network = Network(3, (Layer(cell, 4),), 2, bidirectional=True, second_bias=True)
    weights = {name: rng.normal(0, 0.5, shape) for name, shape in shapes(network).items()}
    x = rng.normal(size=(2, 6, 3))
    problem = Problem(network, "squared_error", ADAM, weights, Batch(x, np.zeros((2, 2))), "equations")
    found = ask(probes.probe, backend, problem)
    sides = [
        {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
        for prefix in ("layers.0.", "layers.0.back.")
    ]
    expected = pool("pytorch").submit(stock_worker.torch_both_ways, layer, sides, x).result()
    np.testing.assert_allclose(found.hidden[0], expected, rtol=1e-11)
    ends = np.concatenate([expected[:, -1, :4], expected[:, 0, 4:]], axis=1)
    np.testing.assert_allclose(found.outputs, ends @ weights["head.W"] + weights["head.b"], rtol=1e-11)


@pytest.mark.parametrize("norm", ["layer", "batch"])
def test_normalised_products_do_not_know_the_scale_of_their_kernels(norm, backend, ask):
    rng = np.random.default_rng(6)
    network = Network(3, (Layer("lstm", 5),), 2, norm=norm, norm_steps=6 if norm == "batch" else 0)
    weights = draw(network, rng)
    x, y = rng.normal(size=(16, 6, 3)), rng.normal(size=(16, 2))
    problem = Problem(network, "squared_error", ADAM, weights, Batch(x, y), "equations")
    scaled = weights | {f"layers.0.{name}": 30 * weights[f"layers.0.{name}"] for name in ("W", "U")}
    one, other = (ask(probes.probe, backend, replace(problem, weights=tree)) for tree in (weights, scaled))
    np.testing.assert_allclose(one.outputs, other.outputs, rtol=1e-2, atol=1e-3)
    plain = replace(network, norm=None, norm_steps=0)
    kept = {name: scaled[name] for name in shapes(plain)}
    far = ask(probes.probe, backend, replace(problem, network=plain, weights=kept))
    assert not np.allclose(far.outputs, one.outputs, atol=0.05)


def test_statistics_are_never_trained():
    network = Network(3, (Layer("gru", 4),), 2, norm="batch", norm_steps=5, bidirectional=True)
    fixed = [name for name in shapes(network) if not is_trained(network, name)]
    assert fixed == [f"layers.0.{side}{name}" for side in ("", "back.") for name in STATISTICS]


# How weights start


def uniform(sample, limit):
    """The p-value of a sample being uniform in +-limit (Kolmogorov and Smirnov)."""
    return stats.kstest(np.ravel(sample), stats.uniform(-limit, 2 * limit).cdf).pvalue


@pytest.mark.parametrize(("cell", "layer"), [("vanilla", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")])
def test_pytorchs_scheme_is_what_torch_does(cell, layer, pool):
    own = pool("pytorch").submit(stock_worker.drawn, "pytorch", layer, 30, 50).result()
    network = Network(30, (Layer(cell, 50),), 20, second_bias=True)
    tree = draw(network, np.random.default_rng(0), init=SCHEMES["pytorch"])
    limit = 50**-0.5
    pairs = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "b_rec": "bias_hh_l0"}
    for name, theirs in pairs.items():
        assert min(uniform(tree[f"layers.0.{name}"], limit), uniform(own[theirs], limit)) > 1e-4
    assert min(uniform(tree["head.W"], limit), uniform(tree["head.b"], limit)) > 1e-4  # of Linear's 50 inputs


@pytest.mark.parametrize(("cell", "layer"), [("vanilla", "SimpleRNN"), ("lstm", "LSTM"), ("gru", "GRU")])
def test_keras_scheme_is_what_keras_does(cell, layer, pool):
    own = pool("tensorflow").submit(stock_worker.drawn, "tensorflow", layer, 30, 50).result()
    network = Network(30, (Layer(cell, 50),), 20)
    tree = draw(network, np.random.default_rng(0), init=SCHEMES["keras"])
    limit = (6 / (30 + tree["layers.0.W"].shape[1])) ** 0.5
    for kernel in (tree["layers.0.W"], own["kernel"]):
        assert uniform(kernel, limit) > 1e-4
    for kernel in (tree["layers.0.U"], own["recurrent_kernel"]):
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(50), atol=1e-5)  # the rows of the whole kernel
    biases = [tree[f"layers.0.{name}"] for name in ("b", "b_rec") if f"layers.0.{name}" in tree]
    np.testing.assert_array_equal(np.concatenate(biases), np.ravel(own["bias"]))


def test_hes_kernels_have_the_variance_for_rectifiers():
    network = Network(60, (Layer("lstm", 80),), 2)
    tree = draw(network, np.random.default_rng(0), init=Init(kernel="he", recurrent="he"))
    assert tree["layers.0.W"].var() == pytest.approx(2 / 60, rel=0.05)  # 19,200 draws: a spread of 1 %
    assert tree["layers.0.U"].var() == pytest.approx(2 / 80, rel=0.05)
