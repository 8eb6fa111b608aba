"""Cells without credit through time: that they have none, and what is made of their scores."""

import numpy as np
import pytest
from scipy import optimize, stats
from test_long_range import QUICK, params, specs_of

from rnn_study import config
from rnn_study.behaviour.long_range import controls
from rnn_study.behaviour.parity import probes
from rnn_study.behaviour.parity.probes import Problem
from rnn_study.model.backend import BACKENDS
from rnn_study.model.init import draw
from rnn_study.model.network import Embedding, Layer, Network, clash, default_impl, parameter_count
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch, Task
from rnn_study.running import experiments
from rnn_study.running import settings as tuned_settings
from rnn_study.statistics import crossed
from rnn_study.support.files import write_json

BOTH = {"of": ["vanilla", "gru"], "kinds": ["frozen", "one-step"], "seeds": 3}


# What runs


def test_a_control_is_its_cell_without_credit_through_time():
    own = params(ablations={}, controls=BOTH)
    named = [name for axis, name in own.contenders if axis == "control"]
    assert named == ["vanilla-frozen", "vanilla-one-step", "gru-frozen", "gru-one-step"]
    plain = specs_of(own, variant="gru")
    frozen, step = (specs_of(own, axis="control", variant=f"gru-{kind}") for kind in ("frozen", "one-step"))
    assert [spec.seed for spec in frozen] == [spec.seed for spec in step] == [0, 1, 2]
    assert {spec.network.layers for spec in (*frozen, *step)} == {plain[0].network.layers}
    assert {(spec.network.frozen, spec.network.window) for spec in frozen} == {(True, None)}
    assert {(spec.network.frozen, spec.network.window) for spec in step} == {(False, 1)}
    assert {spec.optimiser for spec in (*frozen, *step)} == {plain[0].optimiser}


def test_the_controls_of_a_task_have_its_tuned_settings(monkeypatch):
    settings = [
        {"learning_rate": 0.02, "clip": 1.0, "dropout": 0.125},
        {"learning_rate": 0.03, "clip": 2.0, "dropout": 0.0},
    ]
    values = QUICK.model_dump(exclude_unset=True, mode="json")
    values["tasks"]["airline"]["controls"] = {"of": ["lstm"], "kinds": ["one-step"], "seeds": 4}
    own = config.Config.model_validate(values)
    monkeypatch.setattr(tuned_settings, "read_tuned", lambda *_: {"lstm": settings})
    part = Batch(np.zeros((9, 5, 1), np.float32), np.zeros((9, 1), np.float32))
    task = Task("airline", "squared_error", 1, part, part, {"test": part})
    specs = experiments.controls(own, task)
    assert [spec.optimiser.learning_rate for spec in specs] == [0.02, 0.03, 0.02, 0.03]
    assert [spec.network.dropout for spec in specs] == [0.125, 0.0, 0.125, 0.0]
    assert {(spec.variant, spec.backend, spec.network.window) for spec in specs} == {
        ("lstm-one-step", own.gradients.framework, 1)
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (BOTH | {"of": ["mlp"]}, "controls: of 'mlp': expected one of vanilla, lstm, gru"),
        (BOTH | {"seeds": 7}, "controls.seeds: got 7: expected at most 6, as many as seeds"),
        (BOTH | {"seeds": 1}, "greater than or equal to 2"),
        (BOTH | {"kinds": []}, "at least 1 item"),
    ],
)
def test_controls_that_cannot_be_are_told(change, told):
    with pytest.raises(ValueError, match=told):
        params(ablations={}, controls=change)


def test_a_gain_multiplies_the_recurrent_kernel():
    own = params(ablations={"half": {"of": ["gru"], "gain": 0.5}})
    one, half = (specs_of(own, variant=name)[0] for name in ("gru", "gru-half"))
    trees = [draw(spec.network, np.random.default_rng(0), None, spec.init) for spec in (one, half)]
    assert trees[0].keys() == trees[1].keys()
    for name in trees[0]:
        np.testing.assert_array_equal((0.5 if name.endswith(".U") else 1.0) * trees[0][name], trees[1][name])
    with pytest.raises(ValueError, match="gain with cell mingru: no recurrent kernel: expected none"):
        params(cells={"mingru": {}}, ablations={"half": {"of": ["mingru"], "gain": 0.5}})


def test_an_activation_of_a_cell_that_has_none_is_refused():
    with pytest.raises(ValueError, match="activation relu with cell mingru: its step has none: expected none"):
        params(cells={"mingru": {"activation": "relu"}}, ablations={})


# That no error goes back


FROZEN = Network(3, (Layer("lstm", 4),), 2, Embedding(6, True), frozen=True)


def words():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 6, (8, 5)).astype(np.int32)
    return Batch(x, rng.integers(0, 2, 8)), rng.normal(size=(6, 3))


@pytest.mark.parametrize("impl", ["native", "equations"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_of_a_frozen_network_the_head_alone_learns(backend, impl, ask):
    batch, table = words()
    weights = draw(FROZEN, np.random.default_rng(1), table)
    problem = Problem(FROZEN, "cross_entropy", Optimiser(0.1, None), weights, batch, impl)
    assert set(ask(probes.probe, backend, problem).gradients) == {"head.W", "head.b"}
    moved = ask(probes.record, backend, problem, np.arange(8)[None].repeat(3, axis=0)).weights[-1]
    assert moved.keys() == weights.keys()
    same = {name for name in weights if np.array_equal(moved[name], weights[name])}
    assert same == weights.keys() - {"head.W", "head.b"}


def test_a_frozen_network_is_as_large_as_one_that_learns():
    learns = Network(3, (Layer("lstm", 4),), 2)
    frozen = Network(3, (Layer("lstm", 4),), 2, frozen=True)
    assert parameter_count(frozen, embedding=False) == parameter_count(learns, embedding=False) == 16 * (3 + 4 + 1) + 10
    assert default_impl(frozen) == "native"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"norm": "layer"}, "norm with frozen"),
        ({"window": 2}, "window with frozen"),
        ({"layers": (), "dense": (), "steps": 3}, "frozen without a recurrent layer"),
        ({"decoder": Network(4, (Layer("lstm", 4),), 4, every_step=True)}, "frozen with a decoder"),
    ],
)
def test_what_cannot_be_frozen_is_told(more, told):
    network = Network(**{"inputs": 3, "layers": (Layer("lstm", 4),), "outputs": 2, "frozen": True} | more)
    assert clash(network).startswith(told)


# What is made of them


def test_chance_is_the_best_answer_that_sees_nothing():
    x = np.zeros((8, 2, 1), np.float32)
    train = Batch(x, np.array([0, 1, 1, 2, 1, 0, 1, 1]))
    test = Batch(x[:5], np.array([1, 1, 0, 2, 1]))
    assert controls.chance(Task("t", "cross_entropy", 3, train, train, {"test": test})) == pytest.approx(3 / 5)
    train = Batch(x[:4], np.array([[1.0], [2.0], [3.0], [6.0]], np.float32))
    test = Batch(x[:2], np.array([[3.0], [5.0]], np.float32))
    inverse = {"scale": np.array(10.0), "logarithm": np.array(False), "offset_test": np.zeros(2)}
    found = controls.chance(Task("t", "squared_error", 1, train, train, {"test": test}, inverse=inverse))
    assert found == pytest.approx(10 * np.sqrt(2))  # answers 3: errors 0 and 2, in tenths of the unit


def fieller(a, b):
    """The ratios q at which the t statistic of mean(a) - q mean(b) is at its bounds, found numerically."""
    t = stats.t.ppf(0.975, min(len(a), len(b)) - 1)

    def beyond(q):
        error = np.sqrt(np.var(a, ddof=1) / len(a) + q**2 * np.var(b, ddof=1) / len(b))
        return abs(np.mean(a) - q * np.mean(b)) - t * error

    q = np.mean(a) / np.mean(b)
    return q, optimize.brentq(beyond, q - 50, q), optimize.brentq(beyond, q, q + 50)


@pytest.mark.parametrize("seed", range(4))
def test_the_ratio_of_two_means_has_fiellers_interval(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(rng.normal(), 0.2, 6), rng.normal(-1.0, 0.2, 9)
    np.testing.assert_allclose(crossed.ratio(a, b), fieller(a, b), rtol=1e-9, atol=1e-9)


def test_no_ratio_to_what_is_not_told_from_nothing():
    assert crossed.ratio(np.ones(4), np.array([-1.0, 1.0, 0.5, -0.4])) is None
    assert crossed.ratio(np.ones(4), np.zeros(4)) is None


def test_the_share_that_needs_a_gradient_through_time():
    """(full - control) / (full - chance), of accuracies and of errors alike."""
    rng = np.random.default_rng(0)
    full, control = rng.normal(0.9, 0.01, 6), rng.normal(0.7, 0.01, 4)
    row = controls._needed(full, control, 0.5)
    value = (full.mean() - control.mean()) / (full.mean() - 0.5)
    _, low, high = fieller(control - 0.5, full - 0.5)
    np.testing.assert_allclose(row["needed"], [value, 1 - high, 1 - low], rtol=1e-9)
    assert (row["full"], row["control"], row["seeds"]) == (full.mean(), control.mean(), [6, 4])
    errors = controls._needed(1 - full, 1 - control, 0.5)
    np.testing.assert_allclose(errors["needed"], row["needed"], rtol=1e-9)
    assert controls._needed(rng.normal(0.5, 0.1, 6), control, 0.5)["needed"] is None


def frontier_rows(axis, variant, scores, steps):
    return [
        {"axis": axis, "variant": variant, "steps": steps, "seed": seed, "scores": {"test": score}}
        for seed, score in enumerate(scores)
    ]


def test_the_controls_of_a_frontier_stand_at_every_length_that_both_ran():
    own = params(ablations={}, controls=BOTH)
    runs = frontier_rows("budget", "gru", [0.9, 0.91, 0.92], 6) + frontier_rows("control", "gru-frozen", [0.5, 0.52], 6)
    runs += frontier_rows("budget", "gru", [0.8, 0.81], 12) + frontier_rows("width", "gru", [0.1, 0.1], 6)
    chance = {"6": {"score": 0.5}, "12": {"score": 0.25}}
    found = {"problem": "parity", "score": "accuracy", "tried": [6, 12], "chance": chance, "runs": runs}
    (row,) = controls.of_frontier(own, found)
    named = ("parity", "accuracy", 6, "gru", "frozen", 0.5)
    assert tuple(row[key] for key in ("task", "score", "steps", "cell", "kind", "chance")) == named
    assert row["full"] == pytest.approx(0.91)
    assert row["needed"][0] == pytest.approx(0.40 / 0.41)


def test_the_controls_of_tasks_stand_beside_their_cells_in_the_same_framework(tmp_path):
    values = QUICK.model_dump(exclude_unset=True, mode="json")
    values["tasks"]["tweets"]["controls"] = {"of": ["lstm"], "kinds": ["frozen"], "seeds": 2}
    for name in ("mnist_rows", "airline"):
        values["tasks"][name]["controls"] = None
    own = config.Config.model_validate(values)
    runs = [{"variant": "lstm-frozen", "seed": seed, "score": 0.6 + 0.01 * seed} for seed in (0, 1)]
    told = {"score": "accuracy", "chance": 0.5, "runs": runs}
    write_json(tmp_path / "controls.json", {"framework": "pytorch", "tasks": {"tweets": told}})
    for framework, score in (("pytorch", 0.8), ("tensorflow", 0.1)):
        cells = {"lstm": {"seeds": [0, 1, 2], "scores": {"test": [score, score + 0.01, score - 0.01]}}}
        write_json(tmp_path / f"train/tweets-{framework}.json", {"cells": cells})
    (row,) = controls.of_tasks(own, tmp_path)
    assert (row["task"], row["steps"], row["cell"], row["kind"]) == ("tweets", None, "lstm", "frozen")
    assert (row["full"], row["control"]) == (pytest.approx(0.8), pytest.approx(0.605))
    assert row["needed"][0] == pytest.approx((0.8 - 0.605) / 0.3)
    assert row["seeds"] == [3, 2]


def test_seeds_of_one_search_are_one_row(tmp_path):
    """Of a tuned task with two searches: two rows on either side, each the mean of its seeds; the seeds are told."""
    values = QUICK.model_dump(exclude_unset=True, mode="json")
    values["tuning"]["searches"] = values["tuning"]["untuned"]["seeds"] = 2
    values["tasks"]["tweets"]["controls"] = {"of": ["lstm"], "kinds": ["frozen"], "seeds": 4}
    for name in ("mnist_rows", "airline"):
        values["tasks"][name]["controls"] = None
    own, rng = config.Config.model_validate(values), np.random.default_rng(0)
    full, control = rng.normal(0.8, 0.02, 4), rng.normal(0.6, 0.02, 4)
    runs = [{"variant": "lstm-frozen", "seed": own.seeds[k], "score": control[k]} for k in (0, 3, 2, 1)]  # in any order
    told = {"score": "accuracy", "chance": 0.5, "runs": runs}
    write_json(tmp_path / "controls.json", {"framework": "pytorch", "tasks": {"tweets": told}})
    cells = {"lstm": {"seeds": own.seeds[:4], "scores": {"test": full.tolist()}}}
    write_json(tmp_path / "train/tweets-pytorch.json", {"cells": cells})
    (row,) = controls.of_tasks(own, tmp_path)
    of_searches = [np.array([x[[0, 2]].mean(), x[[1, 3]].mean()]) for x in (full, control)]
    expected = controls._needed(*of_searches, 0.5)
    assert (row["full"], row["control"], row["needed"]) == tuple(expected[key] for key in ("full", "control", "needed"))
    assert row["seeds"] == [4, 4]
