"""The short trainings: what they start from, and that the frameworks stay in step from there."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import needs

from rnn_study.behaviour.parity import probes, trainings
from rnn_study.behaviour.parity.run import Parity
from rnn_study.behaviour.parity.trainings import BATCH, BETA, EXAMPLES, LATE, LENGTH, RATE, UNITS
from rnn_study.model import init
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.model.network import Embedding, Layer, Network, shapes
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import Batch, Task
from rnn_study.running.execution.workers import Workers

UPDATES = 200
UNUSED = Batch(np.empty((0, 1, 1)), np.empty(0))


def numbers(rows=60, steps=20):
    """A regression over two features, without a mask."""
    rng = np.random.default_rng(1)
    train = Batch(rng.normal(size=(rows, steps, 2)).astype(np.float32), rng.normal(size=(rows, 1)).astype(np.float32))
    return Task("numbers", "squared_error", 1, train, UNUSED, {})


def words(rows=150, steps=20):
    """Three classes of texts of unequal length, from a vocabulary larger than what they use."""
    rng = np.random.default_rng(2)
    mask = np.arange(steps) < rng.integers(1, steps + 1, rows)[:, None]
    x = np.where(mask, rng.integers(1, 40, (rows, steps)) * 7, 0).astype(np.int32)
    table = rng.normal(size=(400, 4)).astype(np.float32)
    return Task("words", "cross_entropy", 3, Batch(x, rng.integers(0, 3, rows), mask), UNUSED, {}, embedding=table)


def training(task, cell, dtype, updates=UPDATES):
    return trainings.training(task, cell, dtype, updates, perturbed=8)


def differing(one, other):
    """Names of the arrays that are not the same to the bit."""
    assert list(one) == list(other)
    return [name for name in one if one[name].tobytes() != other[name].tobytes()]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_on_numbers_reads_the_beginnings_of_the_first_examples(dtype):
    task = numbers(rows=200)
    work = training(task, "gru", dtype)
    problem = work.problem
    assert (work.task, work.cell, work.dtype) == ("numbers", "gru", dtype)
    assert problem.network == Network(2, (Layer("gru", UNITS),), 1)
    np.testing.assert_array_equal(problem.batch.x, task.train.x[:EXAMPLES, :LENGTH])
    np.testing.assert_array_equal(problem.batch.y, task.train.y[:EXAMPLES])
    assert problem.batch.mask is None
    assert {str(array.dtype) for array in (*problem.weights.values(), *problem.batch[:2])} == {dtype}
    assert {name: array.shape for name, array in problem.weights.items()} == shapes(problem.network)
    drawn = init.draw(problem.network, np.random.default_rng(0))
    assert differing({name: array.astype(dtype) for name, array in drawn.items()}, problem.weights) == []
    assert problem.optimiser == Optimiser(RATE, 0.25, Adam(BETA, LATE))
    assert (problem.loss, problem.impl, problem.device) == ("squared_error", "native", "cpu")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_on_words_keeps_only_those_that_occur_and_the_right_vectors(dtype):
    task = words()
    problem = training(task, "lstm", dtype).problem
    x, y, mask = problem.batch
    first = task.train.x[:EXAMPLES, :LENGTH]
    used = len(np.unique(first))
    assert used < len(task.embedding) / 2
    assert problem.network == Network(4, (Layer("lstm", UNITS),), 3, Embedding(used, trainable=True))
    assert problem.weights["embedding"].shape == (used, 4)
    assert x.dtype == np.int32
    np.testing.assert_array_equal(problem.weights["embedding"][x], task.embedding[first])
    assert len(np.unique(x)) == used
    np.testing.assert_array_equal(y, task.train.y[:EXAMPLES])
    np.testing.assert_array_equal(mask, task.train.mask[:EXAMPLES, :LENGTH])


@pytest.mark.parametrize("rows", [1, 60, 200])
def test_every_example_has_its_turn_before_any_has_another(rows):
    order = training(numbers(rows), "vanilla", "float64").order
    assert order.shape == (UPDATES, BATCH)
    used = min(rows, EXAMPLES)
    passes = order.ravel()[: order.size // used * used].reshape(-1, used)
    assert (np.sort(passes, axis=1) == np.arange(used)).all()
    assert set(order.ravel()) <= set(range(used))


@pytest.mark.parametrize("task", [numbers(), words()], ids=["numbers", "words"])
def test_a_training_is_the_same_every_time(task):
    one, other = (training(task, "vanilla", "float64") for _ in range(2))
    assert differing(one.problem.weights, other.problem.weights) == []
    np.testing.assert_array_equal(one.order, other.order)


def test_a_cell_without_a_native_layer_is_trained_as_equations(monkeypatch):
    monkeypatch.setitem(CELLS, "fifth", CELLS["vanilla"])
    assert training(numbers(), "fifth", "float64").problem.impl == "equations"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("task", [numbers(), words()], ids=["numbers", "words"])
def test_a_perturbed_start_has_one_number_moved_by_one_unit_in_the_last_place(task, dtype):
    work = training(task, "gru", dtype)
    start, found = work.problem.weights, work.perturbed()
    assert len(found) == 8
    moves = set()
    for problem in found:
        (name,) = differing(start, problem.weights)
        assert name != "embedding"
        (place,) = np.argwhere(start[name] != problem.weights[name])
        old, new = start[name][tuple(place)], problem.weights[name][tuple(place)]
        assert new.dtype == dtype
        assert new == np.nextafter(old, np.inf, dtype=dtype) > old
        assert old != 0  # a unit in the last place of zero is lost in the first sum
        moves.add((name, *place))
        assert replace(problem, weights=start) == work.problem
    assert len(moves) == 8
    again = [differing(*(other.weights for other in pair)) for pair in zip(found, work.perturbed(), strict=True)]
    assert again == [[]] * 8


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_each_framework_does_by_default(cell, dtype):
    work = training(words(), cell, dtype)
    one, other = (work.by(trainings.OWN[backend]) for backend in ("pytorch", "tensorflow"))
    assert one.optimiser == Optimiser(RATE, 0.25, Adam(BETA, LATE, 1e-8, hat=False), clip_margin=1e-6)
    assert other.optimiser == Optimiser(RATE, 0.25, Adam(BETA, LATE, 1e-7, hat=True), clip_margin=0.0)
    assert other.network == work.problem.network
    assert one.network == replace(work.problem.network, second_bias=True)
    recurrent = CELLS[cell].recurrent  # without a recurrent product there is no second bias
    assert ("layers.0.b_rec" in one.weights) == recurrent
    assert differing(work.problem.weights, other.weights) == []
    assert {name: array.shape for name, array in one.weights.items()} == shapes(one.network)
    assert {str(array.dtype) for array in one.weights.values()} == {dtype}
    assert not recurrent or (one.weights["layers.0.b_rec"] == 0).all()
    shared = {name: array for name, array in one.weights.items() if name in work.problem.weights}
    assert differing(work.problem.weights, shared) == []
    assert one.weights.keys() - shared.keys() == ({"layers.0.b_rec"} if recurrent and cell != "gru" else set())


@needs("torch", "tensorflow")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_frameworks_stay_in_step(pools, dtype):
    work = training(words(), "vanilla", dtype, updates=30)
    assert len(work.order) == 30
    parity = Parity(pools)
    parity.trainings([work])
    assert list(parity.finish())[-1] == (2, 2)
    (curves,) = parity.curves.values()
    assert list(parity.curves) == [("words", "vanilla", dtype)]
    assert all(len(curve) == 30 for curve in (curves.loss, curves.gap, curves.defaults, curves.floor))
    losses = {
        name: pools[name].submit(probes.losses, name, [work.problem, work.by(trainings.OWN[name])], work.order).result()
        for name in BACKENDS
    }
    one, other = (losses[name].astype(np.float64) for name in BACKENDS)
    np.testing.assert_array_equal([curves.gap, curves.defaults], np.abs(one - other))
    np.testing.assert_array_equal(curves.loss, losses[trainings.LEADER][0])
    assert (curves.gap < 30 * curves.floor).all()
    assert curves.defaults[0] == curves.gap[0]  # one start, no default has acted yet
    assert (curves.defaults[1:] > 1e6 * curves.floor[1:] if dtype == "float64" else curves.defaults.max() > 0).all()
    assert (curves.floor >= np.spacing(curves.loss.astype(dtype))).all()
    assert (np.diff(curves.floor) >= 0).all()
    assert curves.loss[-8:].mean() < 0.99 * curves.loss[0]  # it learns
    assert all(row["deviation"] <= row["bound"] for row in parity.rows)
    ratio = float((curves.gap / curves.floor).max())
    assert parity.rows[-1] == {
        "check": "free-running gap",
        "cell": "vanilla",
        "framework": "both",
        "dtype": dtype,
        "case": "words, 30 updates",
        "deviation": pytest.approx(ratio, rel=0.06),
        "bound": 30.0,
    }
    if dtype == "float64":
        assert curves.steps.shape == (30,)
        assert 0 < curves.steps.max() < 1e-12
        assert [row["check"] for row in parity.rows] == ["updates in step", "free-running gap"]
    else:
        assert curves.steps.shape == (0,)
        assert len(parity.rows) == 1


@pytest.fixture(scope="module")
def pools():
    """A worker of each framework."""
    with Workers(BACKENDS[0], "test", 1) as first, Workers(BACKENDS[1], "test", 1) as second:
        yield {BACKENDS[0]: first, BACKENDS[1]: second}
