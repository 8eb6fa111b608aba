"""How a unit answers to its own weights: against both frameworks' differentiation, finite differences, closed forms."""

from dataclasses import replace

import autodiff_worker
import numpy as np
import pytest
from test_diagnostics import FULL, MASK, data, linear, network, weights

from rnn_study.behaviour.diagnostics import sensitivity
from rnn_study.behaviour.diagnostics.linear import unroll
from rnn_study.behaviour.diagnostics.profile import log10, memory_length, profile, start, subject
from rnn_study.behaviour.parity.probes import deviation
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.model.network import Layer, Network
from rnn_study.model.task import Batch, Task


@pytest.mark.parametrize("mask", [FULL, MASK], ids=["full", "unequal lengths"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_own_weights_are_what_the_framework_differentiates(backend, cell, mask, ask):
    net = network(cell)
    tree, (x, _) = weights(net), data("squared_error")
    (layer,) = unroll(net, tree, x, mask)
    expected = ask(autodiff_worker.own_weights, backend, net, tree, x, mask)
    assert expected.any()
    assert deviation(sensitivity.own_weights(layer), expected) < 1e-10


def linear_unit(factor, x):
    """h_t = factor h_{t-1} + x_t, as a network."""
    net = Network(1, (Layer("vanilla", 1),), 1, activation="linear")
    tree = {"layers.0.W": np.ones((1, 1)), "layers.0.U": np.full((1, 1), factor), "layers.0.b": np.zeros(1)}
    return unroll(net, tree | {"head.W": np.ones((1, 1)), "head.b": np.zeros(1)}, x, None)[0]


def test_a_linear_unit_is_its_sum():
    """dh_T/dl = sum over k of k l^(k-1) x_(T-k)."""
    x = np.random.default_rng(0).normal(size=(3, 40, 1))
    powers = np.arange(40)[::-1]
    expected = (powers * 0.9 ** np.maximum(powers - 1, 0)) @ x[:, :, 0].T
    np.testing.assert_allclose(sensitivity.own_weights(linear_unit(0.9, x))[:, 0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.9])
def test_a_linear_unit_on_noise_has_the_variances_of_the_closed_form(factor):
    x = np.random.default_rng(1).normal(size=(20_000, 120, 1))
    layer = linear_unit(factor, x)
    state, slope = sensitivity.linear_unit(factor)
    # The variance of a variance of normal numbers is 2 v^2 / n: five of its standard errors.
    assert layer.states[0][:, -1].var() == pytest.approx(state, rel=5 * np.sqrt(2 / 20_000))
    assert sensitivity.sensitivity(layer)[0] == pytest.approx(slope, rel=5 * np.sqrt(2 / 20_000))


def test_the_closed_form_at_a_long_memory():
    state, slope = sensitivity.linear_unit(0.99)
    assert state == pytest.approx(50.3, abs=0.05)
    assert slope == pytest.approx(2.51e5, rel=0.005)


def test_what_a_unit_keeps():
    """Of a linear unit its weight; of an LSTM the geometric mean of its forget gate over valid steps."""
    x = np.random.default_rng(0).normal(size=(3, 40, 1))
    np.testing.assert_allclose(sensitivity.factors(linear_unit(-0.9, x)), [0.9], rtol=1e-12)
    net = network("lstm")
    (layer,) = unroll(net, weights(net), data("squared_error")[0], MASK)
    expected = np.exp(np.log(layer.gates["f"][MASK]).mean(axis=0))
    np.testing.assert_allclose(sensitivity.factors(layer), expected, rtol=1e-12)
    tree = weights(net)
    gone = {"layers.0.b": np.where(np.arange(20) // 5 == 1, -1e4, tree["layers.0.b"])}  # a forget gate that is closed
    (layer,) = unroll(net, tree | gone, data("squared_error")[0], MASK)
    assert (sensitivity.factors(layer) >= 0).all()
    assert np.isfinite(log10(sensitivity.factors(layer))).all()


def test_a_normalised_layer_has_no_weight_of_one_unit_alone():
    net = network("lstm", norm="layer")
    (layer,) = unroll(net, weights(net), data("squared_error")[0], MASK)
    with pytest.raises(ValueError, match="norm: expected a layer without normalisation"):
        sensitivity.own_weights(layer)


@pytest.mark.parametrize("norm", [None, "layer"])
def test_a_profile_has_both_where_nothing_is_normalised(norm):
    net = replace(network("gru", outputs=1), norm=norm)
    x = np.random.default_rng(0).normal(size=(12, 9, 3)).astype(np.float32)
    part = Batch(x, np.zeros((12, 1), np.float32))
    found = profile(net, weights(net), subject(Task("t", "squared_error", 1, part, part, {}), 6), whole=True)
    assert ("sensitivity" in found) == ("factor" in found) == (norm is None)
    if norm is None:
        (layer,) = unroll(net, weights(net), x[:6].astype(float), None)
        np.testing.assert_allclose(10 ** found["sensitivity"], sensitivity.own_weights(layer).var(axis=0).sum(axis=0))
        assert found["factor"].shape == (5,)


# Before training


@pytest.mark.parametrize("scale", [0.5, 0.8])
def test_the_start_of_a_linear_rnn_is_its_kernels_scale(scale):
    """All singular values of a product of n kernels, scale times orthogonal, are scale^n."""
    net, tree = linear(scale)
    part = Batch(np.random.default_rng(0).normal(size=(3, 30, 1)), np.zeros((3, 1)))
    found = start(net, tree, part)
    assert found.exponent == pytest.approx(np.log(scale), abs=1e-9)
    assert found.condition == pytest.approx(0, abs=1e-6)
    assert found.memory == pytest.approx(-1 / np.log(scale), rel=1e-6)
    assert found.memory == memory_length(net, tree, part)


def test_the_condition_is_that_of_the_whole_product():
    """Two units that keep 0.9 and 0.3 of themselves, apart: over nine steps the ratio is 3^9."""
    net = Network(1, (Layer("vanilla", 2),), 1, activation="linear")
    tree = {"layers.0.W": np.ones((1, 2)), "layers.0.U": np.diag([0.9, 0.3]), "layers.0.b": np.zeros(2)}
    tree |= {"head.W": np.ones((2, 1)), "head.b": np.zeros(1)}
    found = start(net, tree, Batch(np.ones((2, 10, 1)), np.zeros((2, 1))))
    assert found.condition == pytest.approx(9 * np.log10(3), abs=1e-9)
    assert found.exponent == pytest.approx(np.log(0.9), abs=1e-2)  # of ten steps, the first from the zero state too
