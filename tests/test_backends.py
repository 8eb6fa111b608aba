"""Both frameworks against NumPy: outputs, weights, updates, and models that must not share anything.

The oracle of an update is written here: gradients by complex step through reference.py, Adam from the paper.
"""

import importlib.util
import subprocess
import sys
from functools import cache

import backend_worker
import numpy as np
import pytest
from backend_worker import OPTIMISER, ORDER, TRAINED

from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.network import parameter_count, shapes
from rnn_study.model.task import Batch
from rnn_study.running.run import backends

CASES = backend_worker.cases()
TRAINED_CASES = [name for name in CASES if name.endswith(TRAINED)]
FRAMEWORK = {"pytorch": "torch", "tensorflow": "tensorflow"}


class Recorded(dict):
    """What a backend gave, by name; what a case that failed should have given is its failure."""

    def __missing__(self, key):
        error = self.get(f"{key.partition('/')[0]}/error")
        raise KeyError(key) if error is None else AssertionError(str(error))


def test_a_case_that_fails_fails_alone():
    recorder = object.__new__(backend_worker.Recorder)
    recorder.arrays = {}
    recorder.attempt("good", lambda: recorder.arrays.update({"good/outputs": np.ones(1)}))
    recorder.attempt("bad", lambda: 1 / 0)
    found = Recorded(recorder.arrays)
    assert found["good/outputs"] == 1
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        found["bad/outputs"]
    with pytest.raises(KeyError):
        found["good/others"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What a backend gave, by name; each works once, in a process of its own."""

    @cache
    def work(backend):
        if importlib.util.find_spec(FRAMEWORK[backend]) is None:
            pytest.skip(f"{FRAMEWORK[backend]} is not installed")
        path = tmp_path_factory.mktemp(backend) / "results.npz"
        done = subprocess.run(
            [sys.executable, backend_worker.__file__, backend, path], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with np.load(path, allow_pickle=False) as file:
            return Recorded(file)

    return work


@pytest.fixture(params=BACKENDS)
def results(request, recorded):
    return recorded(request.param)


def tree(results, prefix):
    """The weight tree recorded under `prefix`, in the order in which the backend gave it."""
    return {str(name): results[f"{prefix}/{name}"] for name in results[f"{prefix}/names"]}


def assert_same_trees(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def loss_of(case, weights, rows, keep=None):
    """The mean loss on `rows`, in arithmetic that complex numbers pass through."""
    batch = Batch(*(None if array is None else array[rows] for array in case.batch))
    outputs = reference.forward(case.network, weights, batch, keep)
    if case.loss == "squared_error":
        return ((outputs - batch.y) ** 2).mean()
    return (np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(rows)), batch.y]).mean()


def gradient(case, weights, rows, keep=None):
    """By complex step, of every array but a frozen embedding: exact to rounding."""
    found = {}
    for name, array in weights.items():
        if name == "embedding" and not case.network.embedding.trainable:
            continue
        found[name] = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[place] += 1e-30j
            found[name][place] = loss_of(case, weights | {name: moved}, rows, keep).imag / 1e-30
    return found


def length(arrays):
    return np.sqrt(sum((array**2).sum() for array in arrays.values()))


def adam(case, keep=None):
    """What every update of ORDER sees, and the weights after them: Kingma & Ba's algorithm 1, its gradient clipped."""
    o, rule, weights = OPTIMISER, OPTIMISER.rule, {name: array.copy() for name, array in case.weights.items()}
    m = v = dict.fromkeys(weights, 0.0)
    seen = {name: [] for name in ("losses", "norms", "clipped_norms", "ratios")}
    for t, rows in enumerate(ORDER, start=1):
        masks = None if keep is None else [mask[t - 1] for mask in keep]
        seen["losses"].append(loss_of(case, weights, rows, masks))
        gradients = gradient(case, weights, rows, masks)
        seen["norms"].append(length(gradients))
        scale = min(1, o.clip / seen["norms"][-1])
        seen["clipped_norms"].append(scale * seen["norms"][-1])
        before = {name: weights[name] for name in gradients}
        for name, g in gradients.items():
            g = g * scale
            m = m | {name: rule.beta_1 * m[name] + (1 - rule.beta_1) * g}
            v = v | {name: rule.beta_2 * v[name] + (1 - rule.beta_2) * g**2}
            step = (m[name] / (1 - rule.beta_1**t)) / (np.sqrt(v[name] / (1 - rule.beta_2**t)) + rule.epsilon)
            weights[name] = weights[name] - o.learning_rate * step
        seen["ratios"].append(length({name: weights[name] - before[name] for name in before}) / length(before))
    return {name: np.array(values) for name, values in seen.items()}, weights


@cache
def expected_updates(name):
    return adam(CASES[name])


def assert_updates(results, name, expected):
    """What the updates saw and the weights after them, to within rounding that Adam's division may have enlarged."""
    seen, weights = expected
    for kind, values in seen.items():
        np.testing.assert_allclose(results[f"{name}/{kind}"], values, rtol=1e-9, err_msg=kind)
    found = tree(results, f"{name}/trained")
    assert list(found) == list(weights)
    for key, array in weights.items():
        np.testing.assert_allclose(found[key], array, rtol=0, atol=1e-9, err_msg=key)


def relative_gap(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_the_reference(name, results):
    case = CASES[name]
    for outputs, weights in (("outputs", case.weights), ("others_outputs", case.others)):
        expected = reference.forward(case.network, weights, case.batch)
        assert results[f"{name}/{outputs}"].dtype == np.float64
        assert relative_gap(results[f"{name}/{outputs}"], expected) < 1e-10


@pytest.mark.parametrize("name", CASES)
def test_outputs_in_single_precision(name, results):
    case = CASES[name]
    found = results[f"{name}/outputs32"]
    assert found.dtype == np.float32
    assert relative_gap(found, reference.forward(case.network, case.weights, case.batch)) < 1e-5


@pytest.mark.parametrize("name", CASES)
def test_weights_come_back_as_they_were_given(name, results):
    case = CASES[name]
    assert list(case.weights) == list(shapes(case.network))
    assert_same_trees(tree(results, f"{name}/given"), case.weights)
    assert_same_trees(tree(results, f"{name}/others"), case.others)


def test_the_cases_set_the_traps():
    for name in TRAINED_CASES:
        seen, _ = expected_updates(name)
        assert (seen["norms"] > OPTIMISER.clip).all()  # every update is clipped
        case = CASES[name]
        assert all((array != 0).all() for array in case.weights.values())
        if case.network.embedding:
            first = case.batch.x[ORDER[0]][case.batch.mask[ORDER[0]]]
            assert len(np.unique(first)) < len(first)  # a word twice in one batch


@pytest.mark.parametrize("name", ["gru-dense-1", "lstm-words-2"])
def test_the_complex_step_equals_finite_differences(name):
    case = CASES[name]
    found, rng = gradient(case, case.weights, ORDER[0]), np.random.default_rng(0)
    for array, derivative in ((key, found[key]) for key in case.weights):
        place = tuple(rng.integers(size) for size in derivative.shape)
        if array == "embedding":
            place = (3, 0)
        ends = []
        for move in (1e-5, -1e-5):
            moved = case.weights[array].copy()
            moved[place] += move
            ends.append(loss_of(case, case.weights | {array: moved}, ORDER[0]))
        assert derivative[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-9)


@pytest.mark.parametrize("name", TRAINED_CASES)
def test_three_clipped_updates_equal_the_oracle(name, results):
    assert_updates(results, name, expected_updates(name))


@pytest.mark.parametrize("name", TRAINED_CASES)
def test_the_frameworks_agree_after_the_updates(name, recorded):
    one, other = recorded("pytorch"), recorded("tensorflow")
    for key in ("losses", "norms"):
        np.testing.assert_allclose(one[f"{name}/{key}"], other[f"{name}/{key}"], rtol=1e-12)
    trained = tree(other, f"{name}/trained")
    for key, array in tree(one, f"{name}/trained").items():
        np.testing.assert_allclose(array, trained[key], rtol=0, atol=1e-12, err_msg=key)


def test_a_frozen_embedding_does_not_move_and_does_not_count(results):
    case = backend_worker.frozen()
    assert_updates(results, "frozen", adam(case))
    np.testing.assert_array_equal(tree(results, "frozen/trained")["embedding"], case.weights["embedding"])


def test_dropout_masks_act_in_training_and_not_in_prediction(results):
    case, keep = backend_worker.dropped()
    expected = adam(case, keep)
    assert not np.allclose(expected[0]["losses"], adam(case)[0]["losses"], rtol=1e-3)  # the masks matter here
    assert_updates(results, "dropped", expected)
    outputs = reference.forward(case.network, tree(results, "dropped/trained"), case.batch)
    assert relative_gap(results["dropped/outputs"], outputs) < 1e-10


def test_two_models_of_one_shape_share_nothing(results):
    alone, one, two = (tree(results, f"apart/{name}") for name in ("alone", "one", "two"))
    np.testing.assert_array_equal(results["apart/one_after"], results["apart/one_before"])
    assert_same_trees(one, alone)
    assert all(not np.array_equal(one[name], two[name]) for name in one)


def test_a_model_built_after_others_is_the_same_to_the_bit(results):
    assert_same_trees(tree(results, "apart/again"), tree(results, "apart/alone"))
    assert_same_trees(tree(results, "apart/loose"), tree(results, "apart/two"))


def test_torchs_second_bias_stays_zero(recorded):
    results = recorded("pytorch")
    for cell in ("vanilla", "lstm"):
        np.testing.assert_array_equal(results[f"second_bias/{cell}"], 0)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="unknown backend 'jax': expected one of pytorch, tensorflow"):
        backends.load("jax")


def test_counts_equal_the_weights_a_backend_holds(results):
    for name, case in CASES.items():
        held = sum(array.size for array in tree(results, f"{name}/given").values())
        assert held == parameter_count(case.network, embedding=True)


def test_the_loop_above_the_backends_imports_no_framework():
    frameworks = "[m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules]"
    script = f"import sys, rnn_study.running.run.train; print({frameworks})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
