"""The frameworks against the oracle and each other, every check of `behaviour.parity`; and that the checks can fail."""

import itertools
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import stock_worker
from conftest import FRAMEWORK, needs

from rnn_study.behaviour.parity import checks, probes, problems, worked_examples
from rnn_study.behaviour.parity.probes import Problem
from rnn_study.behaviour.parity.problems import RULES, UPDATES, Options, layer_problem, oracle, update_problem
from rnn_study.behaviour.parity.run import Parity
from rnn_study.behaviour.parity.trainings import BETA, LATE, RATE, Curves, Training
from rnn_study.model import init, reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.model.network import NATIVE, Embedding, Layer, Network, shapes
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import Batch

IMPLS = ("native", "equations")
DTYPES = ("float64", "float32")
PASS = ("forward", "final states", "gradients", "input gradient")
COUNTS = dict.fromkeys(PASS, 4 * len(CELLS)) | {"worked case": 8, "update": 6}  # rows of one framework alone

TOLD = 4 * len(CELLS) + 8 + 6  # jobs of one framework alone
HOW = [(cell, impl) for cell in CELLS for impl in IMPLS if impl == "equations" or cell in NATIVE]

both = needs("torch", "tensorflow")


@pytest.fixture(scope="module")
def alone(pool):
    """The rows of one backend by itself, and the progress that was told."""

    @cache
    def check(backend):
        parity = Parity({backend: pool(backend)})
        parity.layers(problems.options())
        parity.worked()
        parity.updates()
        return list(parity.finish()), parity.rows

    return check


@pytest.fixture(params=BACKENDS)
def backend(request, pool):
    pool(request.param)
    return request.param


def beyond(rows):
    return [row for row in rows if not row["deviation"] <= row["bound"]]


def assert_close(found, expected, bound):
    """Trees of the same names whose arrays differ by less than `bound` of their largest number."""
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        assert np.abs(found[name] - array).max() <= bound * max(np.abs(array).max(), 1e-300), name


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


# The choice of options


@pytest.mark.parametrize("cells", [tuple(CELLS), (*CELLS, "fifth", "sixth")], ids=["now", "and two more"])
def test_every_pair_of_values_of_two_options_occurs(cells):
    values = {
        "cell": cells,
        "steps": (1, 2, 28, 100),
        "impl": IMPLS,
        "depth": (1, 3),
        "masked": (False, True),
        "words": (False, True),
        "dtype": DTYPES,
    }
    chosen = problems.options(cells)
    assert Counter(one.cell for one in chosen) == dict.fromkeys(cells, 4)
    for one, other in itertools.combinations(values, 2):
        expected = set(itertools.product(values[one], values[other]))
        if (one, other) == ("cell", "impl"):
            expected -= {(cell, "native") for cell in cells if cell not in NATIVE}
        assert {(getattr(o, one), getattr(o, other)) for o in chosen} == expected, (one, other)


def test_without_a_word_the_options_are_those_of_every_cell():
    assert problems.options() == problems.options(CELLS)


def test_a_row_names_the_options():
    assert str(Options("gru", 28, "native", 1, False, True, "float32")) == "native, 1 layer, T = 28, words"
    told = str(Options("gru", 2, "equations", 3, True, False, "float32"))
    assert told == "equations, 3 layers, T = 2, unequal lengths, numbers"


@pytest.mark.parametrize("chosen", problems.options(), ids=lambda one: f"{one.cell}, {one}")
def test_a_layers_problem_sets_the_traps(chosen):
    problem = layer_problem(chosen)
    assert all(array.dtype == chosen.dtype and (array != 0).all() for array in problem.weights.values())
    still = {name for name, array in oracle(problem).gradients.items() if not array.any()}
    cell = CELLS[chosen.cell]
    names = [*("U" for _ in range(cell.recurrent)), *(vector.name for vector in cell.vectors)]
    old = {f"layers.{index}.{name}" for index in range(chosen.depth) for name in names}
    assert still <= old if chosen.steps == 1 else not still  # what multiplies the state before the first step
    assert {name for name in old if name.endswith(".U")} <= still or chosen.steps > 1
    x, _, mask = problem.batch
    assert x.shape[:2] == (4, chosen.steps)
    if chosen.words:
        assert len(np.unique(x)) < x.size or chosen.steps < 3  # a word twice
    if chosen.masked and chosen.steps > 2:
        assert len(set(mask.sum(axis=1))) == 4
    other = layer_problem(replace(chosen, impl="native", dtype="float64"))
    assert_equal({name: array.astype(chosen.dtype) for name, array in other.weights.items()}, problem.weights)


# The oracle


@pytest.mark.parametrize("words", [False, True], ids=["numbers", "words"])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_sequences_run_alone_give_what_a_mask_gives(cell, depth, words):
    problem = layer_problem(Options(cell, 7, "native", depth, True, words, "float64"))
    found = oracle(problem)
    expected = reference.run(problem.network, problem.weights, problem.batch, problem.loss)
    np.testing.assert_allclose(found.outputs, expected.outputs, rtol=1e-13)
    assert found.loss == pytest.approx(expected.loss, rel=1e-14)
    assert_close(found.gradients, expected.gradients, 1e-13)
    np.testing.assert_allclose(found.inputs, expected.inputs, rtol=0, atol=1e-14 * np.abs(expected.inputs).max())
    for one, other in zip(found.hidden, expected.hidden, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)
    for layer, other in zip(found.final, expected.final, strict=True):
        np.testing.assert_allclose(layer, other, rtol=1e-13, atol=1e-15)


def test_the_oracle_owes_nothing_to_a_mask(monkeypatch):
    run, lengths = reference.run, []

    def note(network, weights, batch, kind):
        assert batch.mask is None
        lengths.append(batch.x.shape[1])
        return run(network, weights, batch, kind)

    monkeypatch.setattr(reference, "run", note)
    oracle(layer_problem(Options("gru", 7, "native", 3, True, True, "float64")))
    assert lengths == [7, 3, 1, 6]


def test_the_oracle_works_in_double_precision_whatever_the_problem():
    chosen = Options("lstm", 7, "native", 3, True, False, "float32")
    problem = layer_problem(chosen)
    found, exact = oracle(problem), oracle(problem.cast("float64"))
    assert all(array.dtype == np.float64 for array in (found.outputs, *found.hidden, *found.gradients.values()))
    assert_equal(found.gradients, exact.gradients)


# Each framework alone


@pytest.mark.parametrize("check", COUNTS)
def test_a_framework_is_within_its_bounds(backend, alone, check):
    found = [row for row in alone(backend)[1] if row["check"] == check]
    assert beyond(found) == []
    assert len(found) == COUNTS[check]


def test_the_rows_of_one_framework_hold_every_case(backend, alone):
    told, rows = alone(backend)
    assert told == [(done, TOLD) for done in range(1, TOLD + 1)]
    assert {row["framework"] for row in rows} == {backend}
    assert len(rows) == sum(COUNTS.values())
    layers = {(row["check"], row["dtype"], row["case"].split(",")[0]) for row in rows if row["check"] in PASS}
    assert layers == set(itertools.product(PASS, DTYPES, IMPLS))
    for check in PASS:
        chosen = {(row["cell"], row["dtype"], row["case"]) for row in rows if row["check"] == check}
        assert chosen == {(one.cell, one.dtype, str(one)) for one in problems.options()}
    cases = {row["case"] for row in rows if row["check"] == "worked case"}
    assert cases == {f"{name}; {impl}" for name in worked_examples.cases() for impl in IMPLS}
    assert {row["case"] for row in rows if row["check"] == "update"} == {f"{rule}, its formula" for rule in UPDATES}
    assert all(row["bound"] == checks.BOUNDS[row["dtype"]][row["check"]] for row in rows)
    order = [checks.CHECKS.index(row["check"]) for row in rows]
    assert order == sorted(order)


def test_every_choice_in_both_precisions_and_both_ways(backend, pool):
    """More than the stage does; what it does and the dearest, a hundred steps through three layers, left out."""
    cases = itertools.product(problems.options(), IMPLS, DTYPES)
    every = [replace(one, impl=impl, dtype=dtype) for one, impl, dtype in cases if (one.cell, impl) in HOW]
    chosen = [one for one in every if one not in problems.options() and (one.steps, one.depth) != (100, 3)]
    assert len(chosen) >= 8 * len(NATIVE)
    parity = Parity({backend: pool(backend)})
    parity.layers(chosen)
    assert len(list(parity.finish())) == len(chosen)
    assert len(parity.rows) == 4 * len(chosen)
    assert beyond(parity.rows) == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_pass_is_computed_in_the_weights_precision(backend, ask, dtype):
    for impl in IMPLS:
        found = ask(probes.probe, backend, layer_problem(Options("gru", 2, impl, 3, True, True, dtype)))
        arrays = (found.outputs, found.inputs, *found.hidden, *found.gradients.values(), *sum(found.final, ()))
        assert {str(array.dtype) for array in arrays} == {dtype}


NOTHING = Batch(np.zeros((1, 1, 3)), np.zeros((1, 2)))


@pytest.mark.parametrize(("cell", "impl"), HOW)
def test_a_state_stands_still_where_its_sequence_ends(backend, ask, cell, impl):
    network = Network(3, (Layer(cell, 4), Layer(cell, 5)), 2)
    rng = np.random.default_rng(3)
    weights = {name: rng.normal(0, 0.5, shape) for name, shape in shapes(network).items()}
    x, y, lengths = rng.normal(size=(3, 5, 3)), rng.normal(size=(3, 2)), (5, 3, 1)
    mask = np.arange(5) < np.array(lengths)[:, None]
    problem = Problem(network, "squared_error", Optimiser(RATE, None), weights, Batch(x, y, mask), impl)
    found = ask(probes.probe, backend, problem)
    for row, length in enumerate(lengths):
        short = Batch(x[row : row + 1, :length], y[row : row + 1])
        cut = reference.run(network, weights, short, problem.loss)
        np.testing.assert_allclose(found.outputs[row], cut.outputs[0], rtol=1e-11)
        for layer in range(2):
            hidden = found.hidden[layer][row]
            assert (hidden[length:] == 0).all()
            np.testing.assert_allclose(hidden[:length], cut.hidden[layer][0], rtol=1e-11, atol=1e-14)
            np.testing.assert_allclose(found.final[layer][0][row], hidden[length - 1], rtol=1e-14)
            assert len(found.final[layer]) == CELLS[cell].states
            for state, expected in zip(found.final[layer], cut.final[layer], strict=True):
                np.testing.assert_allclose(state[row], expected[0], rtol=1e-11, atol=1e-14)


def test_a_cell_without_a_native_layer_is_refused(backend, ask):
    network = Network(3, (Layer("vanilla", 4), Layer("ugrnn", 4)), 2)
    problem = Problem(network, "squared_error", Optimiser(RATE, None), {"head.W": np.zeros((4, 2))}, NOTHING)
    with pytest.raises(ValueError, match=f"impl native: {backend} has no layer for cell ugrnn: expected equations"):
        ask(probes.probe, backend, problem)


# Two biases


def doubled(cell, impl):
    """Three layers with second biases, none of them zero, which read words of unequal length."""
    problem = layer_problem(Options(cell, 5, impl, 3, True, True, "float64"))
    network = replace(problem.network, second_bias=True)
    rng = np.random.default_rng(4)
    weights = {name: problem.weights.get(name, rng.normal(0, 0.5, shape)) for name, shape in shapes(network).items()}
    return replace(problem, network=network, weights=weights)


@pytest.mark.parametrize(("cell", "impl"), [(cell, impl) for cell, impl in HOW if CELLS[cell].recurrent])
def test_second_biases(backend, ask, cell, impl):
    problem = doubled(cell, impl)
    if backend == "tensorflow" and impl == "native" and cell != "gru":
        with pytest.raises(ValueError, match=f"tensorflow has no layer for a second bias with cell {cell}"):
            ask(probes.probe, backend, problem)
        return
    found = ask(probes.probe, backend, problem)
    assert all(deviation < 1e-12 for deviation in checks.pass_deviations(found, oracle(problem)).values())
    assert {f"layers.{index}.b_rec" for index in range(3)} < found.gradients.keys()
    zeroed = {name: 0 * a if name.endswith("b_rec") else a for name, a in problem.weights.items()}
    assert checks.pass_deviations(found, oracle(replace(problem, weights=zeroed)))["forward"] > 1e-3


@needs("torch")
def test_under_adam_two_biases_move_twice_as_far_as_one(ask):
    """What the study makes equal: by itself PyTorch's LSTM learns its biases at twice the rate."""
    single = layer_problem(Options("lstm", 5, "native", 1, False, True, "float64"))
    single = replace(single, optimiser=Optimiser(RATE, None, Adam(BETA, LATE)))
    start = single.weights["layers.0.b"]
    network = replace(single.network, second_bias=True)
    weights = {name: single.weights.get(name, np.zeros(shape)) for name, shape in shapes(network).items()}
    moves = []
    for problem in (single, replace(single, network=network, weights=weights)):
        slots = slots_of("Adam", problem.weights, np.zeros)
        after, _ = ask(stock_worker.continued, "pytorch", problem, slots, ORDER[:1])
        moves.append(after["layers.0.b"] + after.get("layers.0.b_rec", 0) - start)
    assert (np.abs(moves[0]) > 0.99 * RATE).all()  # Adam's first step is the rate, whatever the gradient
    np.testing.assert_allclose(moves[1], 2 * moves[0], rtol=1e-12)


# Updates


def formula(name, framework, **changes):
    """What `update_problem` should give in `framework`, by another optimiser where `changes` say so."""
    problem, slots, gradients = update_problem(name)
    optimiser = replace(problem.optimiser, **changes)
    return reference.update(optimiser, framework, problem.weights, slots, gradients)


@both
def test_the_frameworks_updates_agree_where_the_formula_is_one(pool):
    parity = Parity({name: pool(name) for name in BACKENDS})
    parity.updates()
    list(parity.finish())
    across = [row for row in parity.rows if row["framework"] == "both"]
    rules = [rule for rule in UPDATES if rule != "RMSprop"]
    assert sorted(row["case"] for row in across) == sorted(f"{rule}, one against the other" for rule in rules)
    assert all(row["deviation"] <= row["bound"] == 1e-12 for row in across)
    assert beyond(parity.rows) == []
    assert len(parity.rows) == 2 * 6 + 5


def test_only_one_formula_of_rmsprop_is_the_frameworks(backend, ask):
    (other,) = {*BACKENDS} - {backend}
    found = ask(probes.updated, backend, *update_problem("RMSprop"))
    assert beyond([checks.update_row(backend, "RMSprop", found)]) == []
    assert beyond([checks.update_row(other, "RMSprop", found)])
    assert beyond([checks.agreement_row("RMSprop", found, formula("RMSprop", other))])


def test_the_formulas_of_rmsprop_differ():
    one, other = (formula("RMSprop", name, rule=RmsProp(BETA, 2**-4))[0] for name in BACKENDS)
    assert all(np.abs(one[name] - other[name]).max() > 1e-6 for name in one)
    for rule in ("SGD", "momentum", "Adam", "Adam, epsilon hat"):
        assert_equal(*(formula(rule, name)[0] for name in BACKENDS))


SLOTS = {
    "SGD": (),
    "momentum": ("velocity",),
    "RMSprop": ("square",),
    "Adam": ("mean", "square"),
    "Adam, epsilon hat": ("mean", "square"),
}
ORDER = np.array([[0, 1, 2, 3], [3, 3, 0, 1], [2, 0, 1, 1], [1, 2, 3, 0], [0, 2, 2, 3], [3, 1, 0, 2]])


def slots_of(rule, weights, draw, updates=0):
    """Slots of `rule` for every array of `weights`."""
    found = {f"{kind}.{name}": draw(array.shape) for kind in SLOTS[rule] for name, array in weights.items()}
    return {"updates": np.array(updates)} | found


@pytest.mark.parametrize("trainable", [True, False], ids=["trained words", "frozen words"])
@pytest.mark.parametrize("rule", RULES)
def test_slots_come_back_as_they_were_given(backend, ask, rule, trainable):
    problem = layer_problem(Options("gru", 2, "native", 3, False, True, "float64"))
    network = replace(problem.network, embedding=Embedding(7, trainable))
    problem = replace(problem, network=network, optimiser=Optimiser(0.003, None, RULES[rule]))
    arrays = {name: array for name, array in problem.weights.items() if trainable or name != "embedding"}
    slots = slots_of(rule, arrays, np.random.default_rng(6).random, 5)
    fresh, found = ask(stock_worker.slots_read_back, backend, problem, slots)
    assert fresh.keys() == found.keys() == slots.keys()
    assert fresh["updates"] == 0
    assert all((array == 0).all() for array in fresh.values())
    exact = (backend, rule) != ("tensorflow", "momentum")  # Keras keeps the step: its rate times the velocity
    for name, array in slots.items():
        np.testing.assert_allclose(found[name], array, rtol=0 if exact else 1e-15, err_msg=name)


@pytest.mark.parametrize("rule", RULES)
def test_one_update_moves_every_slot(backend, ask, rule):
    problem = update_problem(rule)[0]
    slots = slots_of(rule, problem.weights, np.zeros)
    _, found = ask(stock_worker.continued, backend, problem, slots, ORDER[:1])
    assert found.keys() == slots.keys()
    assert found["updates"] == 1
    assert all(array.any() for array in found.values())


@pytest.mark.parametrize("rule", RULES)
def test_a_training_goes_on_in_a_new_model_as_if_never_interrupted(backend, ask, rule):
    problem = update_problem(rule)[0]
    whole = ask(probes.record, backend, problem, ORDER)
    assert whole.slots[3]["updates"] == 3
    later = replace(problem, weights=whole.weights[3])
    weights, slots = ask(stock_worker.continued, backend, later, whole.slots[3], ORDER[3:])
    assert_equal(weights, whole.weights[6])
    assert_equal(slots, whole.slots[6])
    forgetful, _ = ask(stock_worker.continued, backend, later, whole.slots[0], ORDER[3:])
    assert (rule == "SGD") == all((forgetful[name] == weights[name]).all() for name in weights)


@both
@pytest.mark.parametrize(("cell", "rule"), [*(("vanilla", rule) for rule in RULES), ("gru", "Adam")])
def test_a_training_goes_from_one_framework_to_the_other_and_back(ask, cell, rule):
    problem = layer_problem(Options(cell, 2, "native", 1, False, True, "float64"))
    problem = replace(problem, optimiser=Optimiser(RATE, 2**-4, RULES[rule]))
    exact = found = problem.weights, slots_of(rule, problem.weights, np.zeros)
    for place, name in enumerate(("pytorch", "pytorch", "tensorflow", "tensorflow", "pytorch", "tensorflow")):
        row = ORDER[place]
        found = ask(stock_worker.continued, name, replace(problem, weights=found[0]), found[1], row[None])
        some = Batch(problem.batch.x[row], problem.batch.y[row])
        gradients = reference.run(problem.network, exact[0], some, problem.loss).gradients
        exact = reference.update(problem.optimiser, name, *exact, gradients)
        assert_close(found[0], exact[0], 1e-12)
        assert probes.slots_deviation(found[1], exact[1]) < 1e-12


@pytest.mark.parametrize("rule", RULES)
def test_following_ones_own_training_is_exact_and_following_another_one_is_not(backend, ask, rule):
    problem = update_problem(rule)[0]
    teacher = ask(probes.record, backend, problem, ORDER)
    np.testing.assert_array_equal(ask(probes.follow, backend, problem, ORDER, teacher), 0)
    later = probes.Trajectory(teacher.losses[3:], teacher.weights[3:], teacher.slots[3:])
    np.testing.assert_array_equal(ask(probes.follow, backend, problem, ORDER[3:], later), 0)
    other = replace(problem, optimiser=replace(problem.optimiser, clip_margin=1e-6))
    assert (ask(probes.follow, backend, other, ORDER, teacher) > 1e-12).all()
    assert (ask(probes.follow, backend, problem, ORDER[:, :1].repeat(4, axis=1), teacher) > 1e-12).all()


# A check that cannot fail says nothing: mistakes of every kind, and the checks that must notice them


def with_weights(problem, change):
    """The pass of a framework that has other weights than it was given."""
    return oracle(replace(problem, weights=problem.weights | change(problem.weights)))


def with_gradient(problem, name, change):
    found = oracle(problem)
    return found._replace(gradients=found.gradients | {name: change(found.gradients[name])})


def exchanged(array, first, second, gates):
    """Two gates' blocks exchanged."""
    blocks = np.split(array, gates, axis=-1)
    blocks[first], blocks[second] = blocks[second], blocks[first]
    return np.concatenate(blocks, axis=-1)


def spoilt(array):
    array = array.copy()
    array.flat[-1] = np.nan
    return array


def unmasked(problem):
    return reference.run(problem.network, problem.weights, problem.batch._replace(mask=None), problem.loss)


def early(problem):
    """Final states of one step before the last valid one."""
    found, ends = oracle(problem), problem.batch.mask.sum(axis=1) - 1
    hidden = [np.pad(h, ((0, 0), (1, 0), (0, 0)))[np.arange(4), ends] for h in found.hidden]
    return found._replace(final=tuple((h, *layer[1:]) for h, layer in zip(hidden, found.final, strict=True)))


def each_word_once(problem):
    """The gradient of a table in which a repeated word's last place wins."""
    found = oracle(problem)
    table = np.zeros_like(found.gradients["embedding"])
    table[problem.batch.x[problem.batch.mask]] = found.inputs[problem.batch.mask]
    return found._replace(gradients=found.gradients | {"embedding": table})


EVERY = set(PASS)
MISTAKES = {  # name: cell, the wrong pass, the checks that are beyond their bound
    "two gates of a gradient exchanged": (
        "lstm",
        lambda p: with_gradient(p, "layers.1.W", lambda g: exchanged(g, 0, 1, 4)),
        {"gradients"},
    ),
    "Keras' order of gates": (
        "gru",
        lambda p: with_weights(p, lambda w: {"layers.2.U": exchanged(w["layers.2.U"], 0, 1, 3)}),
        EVERY,
    ),
    "Keras' order of gates in a bias's gradient": (
        "gru",
        lambda p: with_gradient(p, "layers.0.b_rec", lambda g: exchanged(g, 0, 1, 3)),
        {"gradients"},
    ),
    "a bias dropped": ("vanilla", lambda p: with_weights(p, lambda w: {"layers.0.b": 0 * w["layers.0.b"]}), EVERY),
    "one bias for two": (
        "gru",
        lambda p: with_weights(
            p,
            lambda w: {"layers.0.b": w["layers.0.b"] + w["layers.0.b_rec"], "layers.0.b_rec": 0 * w["layers.0.b_rec"]},
        ),
        EVERY,
    ),
    "a kernel transposed": ("vanilla", lambda p: with_weights(p, lambda w: {"layers.1.U": w["layers.1.U"].T}), EVERY),
    "a square gradient transposed": (
        "vanilla",
        lambda p: with_gradient(p, "layers.1.U", np.transpose),
        {"gradients"},
    ),
    "a gradient of another shape": ("lstm", lambda p: with_gradient(p, "head.W", np.transpose), {"gradients"}),
    "a gradient missing": (
        "lstm",
        lambda p: (found := oracle(p))._replace(
            gradients={name: g for name, g in found.gradients.items() if name != "head.b"}
        ),
        {"gradients"},
    ),
    "gradients of the sum": (
        "lstm",
        lambda p: (found := oracle(p))._replace(
            gradients={name: 4 * g for name, g in found.gradients.items()}, inputs=4 * found.inputs
        ),
        {"gradients", "input gradient"},
    ),
    "a loss that is the sum": ("lstm", lambda p: (found := oracle(p))._replace(loss=4 * found.loss), {"forward"}),
    "states that go on past the end": ("lstm", lambda p: oracle(p)._replace(hidden=unmasked(p).hidden), {"forward"}),
    "final states after the padding": ("gru", lambda p: oracle(p)._replace(final=unmasked(p).final), {"final states"}),
    "final states one step early": ("lstm", early, {"final states"}),
    "h and c exchanged": (
        "lstm",
        lambda p: (found := oracle(p))._replace(final=tuple(layer[::-1] for layer in found.final)),
        {"final states"},
    ),
    "no mask at all": ("vanilla", unmasked, EVERY),
    "a repeated word counted once": ("gru", each_word_once, {"gradients"}),
    "no number among the outputs": (
        "gru",
        lambda p: (found := oracle(p))._replace(outputs=spoilt(found.outputs)),
        {"forward"},
    ),
    "no number for a loss": ("gru", lambda p: oracle(p)._replace(loss=np.nan), {"forward"}),
    "no number in a state": (
        "gru",
        lambda p: (found := oracle(p))._replace(hidden=(*found.hidden[:2], spoilt(found.hidden[2]))),
        {"forward"},
    ),
    "no number in a final state": (
        "lstm",
        lambda p: (found := oracle(p))._replace(
            final=(*found.final[:2], (found.final[2][0], spoilt(found.final[2][1])))
        ),
        {"final states"},
    ),
    "no number in a gradient": ("gru", lambda p: with_gradient(p, "head.b", spoilt), {"gradients"}),
    "an infinite input gradient": (
        "gru",
        lambda p: (found := oracle(p))._replace(inputs=found.inputs / 0.0),
        {"input gradient"},
    ),
}


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_pass_is_noticed(mistake, dtype):
    cell, wrong, noticed = MISTAKES[mistake]
    words = mistake == "a repeated word counted once"
    chosen = Options(cell, 7, "native", 3, True, words, dtype)
    problem = layer_problem(chosen)
    right = checks.layer_rows("pytorch", chosen, problem, oracle(problem), oracle(problem))
    assert beyond(right) == []
    rows = checks.layer_rows("pytorch", chosen, problem, oracle(problem), wrong(problem.cast("float64")))
    assert [row["check"] for row in rows] == list(PASS)
    assert {row["check"] for row in beyond(rows)} == noticed


@pytest.mark.parametrize("name", worked_examples.cases())
def test_a_wrong_worked_case_is_noticed(name):
    problem = worked_examples.cases()[name]
    assert beyond([checks.worked_row("pytorch", name, problem, oracle(problem), oracle(problem))]) == []
    for array in problem.weights:
        wrong = with_weights(problem, lambda w, array=array: {array: w[array] + 1e-8})
        assert beyond([checks.worked_row("pytorch", name, problem, oracle(problem), wrong)]), array


def trees(rule, change):
    """The right weights and slots of a rule, with one array changed or, by None, left out."""
    weights, slots = formula(rule, "pytorch")
    slots = {name: slots[name] for name in slots_of(rule, weights, np.zeros)}
    for tree in (weights, slots):
        for name in tree.keys() & change.keys():
            tree[name] = change[name](tree[name]) if change[name] else None
    return tuple({name: a for name, a in tree.items() if a is not None} for tree in (weights, slots))


UPDATE_MISTAKES = {
    "a plain step for momentum": ("momentum", lambda: formula("momentum", "pytorch", rule=Sgd())),
    "no clipping": ("SGD", lambda: formula("SGD", "pytorch", clip=None)),
    "torch's margin": ("SGD", lambda: formula("SGD", "pytorch", clip_margin=1e-6)),
    "Keras' epsilon": ("Adam", lambda: formula("Adam", "pytorch", rule=Adam(BETA, LATE, 1e-7))),
    "Keras' place of epsilon": ("Adam", lambda: formula("Adam", "pytorch", rule=Adam(BETA, LATE, hat=True))),
    "torch's place of epsilon": ("Adam, epsilon hat", lambda: formula("Adam", "pytorch")),
    "an epsilon inside the root": ("RMSprop", lambda: formula("RMSprop", "tensorflow")),
    "beta_2 in single precision": (
        "Adam",
        lambda: formula("Adam", "pytorch", rule=Adam(BETA, float(np.float32(0.999)))),
    ),
    "a rate in single precision": ("SGD", lambda: formula("SGD", "pytorch", learning_rate=RATE * (1 + 2**-24))),
    "an update not counted": ("Adam", lambda: trees("Adam", {"updates": lambda a: a - 1})),
    "a weight that did not move": (
        "SGD",
        lambda: trees("SGD", {"head.b": lambda a: update_problem("SGD")[0].weights["head.b"]}),
    ),
    "Keras' own velocity": ("momentum", lambda: trees("momentum", {"velocity.head.W": lambda a: -RATE * a})),
    "a transposed slot": ("Adam", lambda: trees("Adam", {"mean.layers.0.U": np.transpose})),
    "no number in a weight": ("Adam", lambda: trees("Adam", {"embedding": spoilt})),
    "no number in a slot": ("Adam", lambda: trees("Adam", {"square.head.b": spoilt})),
    "a weight missing": ("Adam", lambda: trees("Adam", {"head.b": None})),
    "a slot missing": ("Adam", lambda: trees("Adam", {"square.head.b": None})),
    "a kind of slot missing": (
        "Adam",
        lambda: trees("Adam", {f"mean.{name}": None for name in update_problem("Adam")[0].weights}),
    ),
}


@pytest.mark.parametrize("mistake", UPDATE_MISTAKES)
def test_a_wrong_update_is_noticed(mistake):
    rule, wrong = UPDATE_MISTAKES[mistake]
    assert beyond([checks.update_row("pytorch", rule, trees(rule, {}))]) == []
    assert beyond([checks.update_row("pytorch", rule, wrong())])


@pytest.mark.parametrize("name", ["embedding", "head.b", "mean.embedding", "square.head.b"])
@pytest.mark.parametrize("change", [lambda a: a * (1 + 1e-10), spoilt, None], ids=["another", "no number", "missing"])
def test_updates_that_disagree_are_noticed(name, change):
    right, wrong = trees("Adam", {}), trees("Adam", {name: change})
    assert beyond([checks.agreement_row("Adam", right, right)]) == []
    assert beyond([checks.agreement_row("Adam", wrong, right)])
    assert beyond([checks.agreement_row("Adam", right, wrong)])


def training_rows(dtype, **changes):
    flat = np.full(5, 1e-12)
    steps = np.full(5, 1e-13) if dtype == "float64" else np.empty(0)
    curves = Curves(loss=np.ones(5), gap=29 * flat, defaults=flat, floor=flat, steps=steps)
    return checks.training_rows(
        Training("a task", "gru", dtype, None, np.zeros((200, 8)), 8), replace(curves, **changes)
    )


def test_what_a_training_is_held_against():
    rows = training_rows("float64")
    assert beyond(rows) == []
    assert {row["check"]: row["deviation"] for row in rows} == {"free-running gap": 29, "updates in step": 1e-13}
    assert [row["check"] for row in training_rows("float32")] == ["free-running gap"]


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize(
    ("curve", "value", "check"),
    [
        ("gap", 31e-12, "free-running gap"),
        ("gap", np.nan, "free-running gap"),
        ("steps", 1.1e-12, "updates in step"),
        ("steps", np.nan, "updates in step"),
        ("steps", np.inf, "updates in step"),
    ],
)
def test_a_wrong_training_is_noticed(curve, value, check, place):
    array = np.full(5, 1e-13)
    array[place] = value
    assert [row["check"] for row in beyond(training_rows("float64", **{curve: array}))] == [check]


# Trained networks moved


@pytest.fixture(scope="module")
def signs(pool, ask):
    """A network trained in a backend to tell the sign of the sum of six numbers, and its outputs for other numbers."""

    @cache
    def learn(backend, cell):
        rng = np.random.default_rng(8)
        x = rng.normal(size=(512, 6, 1)).astype(np.float32)
        y = (x.sum(axis=(1, 2)) > 0).astype(np.int64)
        network = Network(1, (Layer(cell, 8),), 2)
        problem = Problem(
            network, "cross_entropy", Optimiser(0.01, 1.0), init.draw(network, rng), Batch(x[:256], y[:256])
        ).cast("float32")
        order = np.concatenate([rng.permutation(256).reshape(8, 32) for _ in range(40)])
        test = Batch(x[256:], y[256:])
        weights, outputs = ask(stock_worker.trained, backend, problem, order, test)
        assert (outputs.argmax(axis=1) == test.y).mean() > 0.9
        # Biases that did not learn would hide a mistake.
        assert all(np.abs(weights[name] - problem.weights[name]).min() > 0 for name in weights)
        return checks.Trained("signs", cell, backend, replace(problem, weights=weights, batch=test), outputs)

    return learn


@both
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_trained_network_predicts_the_same_in_the_other_framework(backend, pool, signs, cell):
    run = signs(backend, cell)
    parity = Parity({name: pool(name) for name in BACKENDS})
    parity.transfers([run])
    list(parity.finish())
    (row,) = parity.rows
    assert row["framework"] == run.other != backend
    assert (row["check"], row["cell"], row["dtype"], row["bound"]) == ("transfer", cell, "float32", 1e-4)
    assert row["case"] == f"signs, trained in {backend}"
    assert row["deviation"] <= 1e-4


def as_torch(cell, w):
    """The state of nn.LSTM or nn.GRU, and of nn.Linear: outputs are rows there, gates stand below each other."""
    W, U, b = (w[f"layers.0.{name}"] for name in ("W", "U", "b"))
    if cell == "lstm":
        (Wi, Wf, Wg, Wo), (Ui, Uf, Ug, Uo) = np.split(W, 4, axis=1), np.split(U, 4, axis=1)
        kernels = np.vstack([Wi.T, Wf.T, Wg.T, Wo.T]), np.vstack([Ui.T, Uf.T, Ug.T, Uo.T])
        biases = b, np.zeros_like(b)
    else:
        (Wr, Wz, Wn), (Ur, Uz, Un) = np.split(W, 3, axis=1), np.split(U, 3, axis=1)
        kernels = np.vstack([Wr.T, Wz.T, Wn.T]), np.vstack([Ur.T, Uz.T, Un.T])
        biases = b, w["layers.0.b_rec"]
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return dict(zip(names, (*kernels, *biases), strict=True)), {"weight": w["head.W"].T.copy(), "bias": w["head.b"]}


def as_keras(cell, w):
    """The arrays of keras.layers.LSTM or GRU, and of Dense: the GRU's gates are z, r, h, its biases two rows."""
    W, U, b = (w[f"layers.0.{name}"] for name in ("W", "U", "b"))
    if cell == "lstm":
        (Wi, Wf, Wc, Wo), (Ui, Uf, Uc, Uo) = np.split(W, 4, axis=1), np.split(U, 4, axis=1)
        arrays = [np.hstack([Wi, Wf, Wc, Wo]), np.hstack([Ui, Uf, Uc, Uo]), b]
    else:
        (Wr, Wz, Wh), (Ur, Uz, Uh) = np.split(W, 3, axis=1), np.split(U, 3, axis=1)
        (br, bz, bh), (cr, cz, ch) = np.split(b, 3), np.split(w["layers.0.b_rec"], 3)
        biases = np.array([np.hstack([bz, br, bh]), np.hstack([cz, cr, ch])])
        arrays = [np.hstack([Wz, Wr, Wh]), np.hstack([Uz, Ur, Uh]), biases]
    return arrays, [w["head.W"], w["head.b"]]


STOCK = {"pytorch": (stock_worker.torch_outputs, as_torch), "tensorflow": (stock_worker.keras_outputs, as_keras)}


@pytest.mark.parametrize("stock", BACKENDS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_trained_network_predicts_the_same_in_stock_layers(backend, pool, signs, cell, stock):
    function, arranged = STOCK[stock]
    worker, run = pool(stock), signs(backend, cell)
    found = worker.submit(function, cell.upper(), *arranged(cell, run.problem.weights), run.problem.batch.x).result()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, run.outputs, rtol=0, atol=1e-4)
    assert np.abs(run.outputs).max() > 1
    assert (found.argmax(axis=1) == run.problem.batch.y).mean() > 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        lambda outputs: outputs + 1e-2,
        lambda outputs: outputs[:, ::-1],
        lambda outputs: outputs[:-1],
        lambda outputs: outputs.T,
        spoilt,
    ],
    ids=["moved", "classes exchanged", "a row missing", "transposed", "no number"],
)
def test_a_wrong_transfer_is_noticed(wrong):
    problem = layer_problem(Options("lstm", 2, "native", 1, False, True, "float32"))
    outputs = oracle(problem).outputs.astype(np.float32)
    run = checks.Trained("a task", "lstm", "pytorch", problem, outputs)
    assert beyond([checks.transfer_row(run, outputs)]) == []
    assert beyond([checks.transfer_row(run, wrong(outputs))])


# On a GPU


@pytest.mark.parametrize("tf32", [False, True], ids=["exact", "TF32"])
def test_layers_on_a_gpu_are_within_their_bounds(backend, pool, tf32):
    if pool(backend).environment["device"] != "gpu":
        pytest.skip(f"{FRAMEWORK[backend]} finds no GPU here")
    parity = Parity({backend: pool(backend)})
    parity.layers(problems.options(), device="gpu", tf32=tf32)
    list(parity.finish())
    assert beyond(parity.rows) == []
    single = "TF32 on a GPU" if tf32 else "float32 on a GPU"
    assert Counter(row["dtype"] for row in parity.rows) == {"float64 on a GPU": 32, single: 32}


def test_every_precision_has_bounds_of_its_own():
    names = set()
    for dtype, device, tf32 in itertools.product(DTYPES, ("cpu", "gpu"), (False, True)):
        problem = layer_problem(Options("gru", 2, "native", 1, False, False, dtype))
        names.add(checks.precision(replace(problem, device=device, tf32=tf32)))
    assert names == checks.BOUNDS.keys()
    assert all(set(PASS) < bounds.keys() or set(PASS) == bounds.keys() for bounds in checks.BOUNDS.values())
