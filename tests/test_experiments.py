"""From parameters to runs, and the settings that tuning left."""

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from rnn_study import config
from rnn_study.model.init import SCHEMES, Init
from rnn_study.model.network import Layer, parameter_count
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import Batch, Task
from rnn_study.running import experiments, settings
from rnn_study.support.errors import StudyError

SETTINGS = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.25}


@pytest.fixture
def parameters() -> config.Config:
    return config.load(ROOT / "studies/quick.yaml")


@pytest.fixture
def task() -> Task:
    part = Batch(np.zeros((4, 12, 1), np.float32), np.zeros((4, 1), np.float32))
    return Task("airline", "squared_error", 1, part, part, {"test": part})


def changed(parameters: config.Config, **cells: config.Variant) -> config.Config:
    """The parameters with other cells in the airline task."""
    airline = parameters.tasks.airline.model_copy(update={"cells": cells})
    return parameters.model_copy(update={"tasks": parameters.tasks.model_copy(update={"airline": airline})})


@pytest.fixture
def tuned(tmp_path, monkeypatch):
    """Write what searches found, the same for every cell of the airline task."""
    monkeypatch.chdir(tmp_path)
    return lambda *searches: settings.write_tuned(
        "airline", {cell: [{"settings": one} for one in searches] for cell in ("vanilla", "lstm", "gru")}
    )


def test_the_grid_is_every_cell_with_every_seed(parameters, task, tuned):
    tuned(SETTINGS)
    specs = experiments.grid(parameters, task, "tensorflow")
    assert [(spec.variant, spec.seed) for spec in specs] == [
        (cell, seed) for cell in ("vanilla", "lstm", "gru") for seed in range(10)
    ]
    assert {spec.backend for spec in specs} == {"tensorflow"}
    assert {spec.optimiser for spec in specs} == {Optimiser(0.01, 1.0)}
    assert {spec.network.dropout for spec in specs} == {0.25}
    assert all(spec.tests for spec in specs)


def test_every_search_has_as_many_seeds(parameters, task, tuned):
    tuned(SETTINGS, SETTINGS | {"clip": 2.0})
    twice = parameters.model_copy(update={"tuning": parameters.tuning.model_copy(update={"searches": 2})})
    specs = experiments.grid(twice, task, "pytorch")
    assert [spec.optimiser.clip for spec in specs[:4]] == [1.0, 2.0, 1.0, 2.0]
    assert [spec.seed for spec in specs if spec.variant == "gru" and spec.optimiser.clip == 2.0] == [1, 3, 5, 7, 9]


def test_cells_have_an_equal_budget_as_near_as_units_come(parameters, task):
    for cell in ("vanilla", "lstm", "gru"):
        network = experiments.network(parameters.tasks.airline, task, cell)
        assert parameter_count(network, embedding=False) == pytest.approx(300, rel=0.1)


def test_what_a_cell_says_itself_wins(parameters, task):
    own = changed(parameters, lstm=config.Variant(units=5, learning_rate=0.5), gru=config.Variant())
    lstm, gru = (experiments.spec(own, task, cell, "pytorch", SETTINGS, 0) for cell in ("lstm", "gru"))
    assert lstm.network.layers[0].units == 5
    assert lstm.optimiser == Optimiser(0.5, 1.0)
    assert gru.optimiser == Optimiser(0.01, 1.0)


def test_a_cell_runs_in_native_layers_where_there_are_any_or_as_it_asks(parameters, task):
    own = changed(parameters, lstm=config.Variant(impl="equations"), gru=config.Variant())
    impls = [experiments.spec(own, task, cell, "pytorch", SETTINGS, 0).impl for cell in ("lstm", "gru")]
    assert impls == ["equations", "native"]


VARIANTS = {
    "irnn": {"cell": "vanilla", "activation": "relu", "recurrent": "identity"},
    "deep": {"cell": ["lstm", "gru"], "units": 4},
    "lstm": {"forget_bias": 5.0, "optimiser": "rmsprop"},
    "gru": {"norm": "batch", "window": 3, "clip_by": "nothing"},
    "ugrnn": {"defaults": "pytorch"},
    "value": {"cell": "lstm", "clip_by": "value", "clip": 0.1, "optimiser": "sgd", "impl": "equations"},
}


def variants(parameters, task):
    own = changed(parameters, **{name: config.Variant(**keys) for name, keys in VARIANTS.items()})
    return {name: experiments.spec(own, task, name, "pytorch", SETTINGS, 0) for name in VARIANTS}


def test_what_a_variant_asks_for_reaches_the_run(parameters, task):
    specs = variants(parameters, task)
    assert {name: spec.variant for name, spec in specs.items()} == {name: name for name in VARIANTS}
    irnn, deep, lstm, gru, ugrnn, value = (specs[name] for name in VARIANTS)
    assert (irnn.network.activation, irnn.init, irnn.impl) == ("relu", Init(recurrent="identity"), "native")
    assert deep.network.layers == (Layer("lstm", 4), Layer("gru", 4))
    assert lstm.init == Init(forget_bias=5.0)
    assert lstm.optimiser == Optimiser(0.01, 1.0, RmsProp(0.9, 1e-8))
    assert value.optimiser == Optimiser(0.01, 0.1, Sgd(), clip_by="value")
    assert value.impl == "equations"
    assert (gru.network.norm, gru.network.norm_steps, gru.network.window, gru.impl) == ("batch", 12, 3, "equations")
    assert gru.optimiser == Optimiser(0.01, None)
    assert ugrnn.init == SCHEMES["pytorch"]
    assert ugrnn.optimiser == Optimiser(0.01, 1.0, Adam(), 1e-6)
    assert (ugrnn.network.second_bias, ugrnn.impl) == (True, "equations")


def test_both_directions_reach_the_network():
    layers = (Layer("gru", 4),)
    assert config.Variant(bidirectional=True).network(3, layers, 2).bidirectional
    assert not config.Variant().network(3, layers, 2).bidirectional


def test_keras_defaults(parameters, task):
    own = changed(parameters, lstm=config.Variant(defaults="keras"))
    spec = experiments.spec(own, task, "lstm", "pytorch", SETTINGS, 0)
    assert spec.optimiser == Optimiser(0.01, 1.0, Adam(epsilon=1e-7, hat=True))
    assert (spec.init, spec.impl, spec.network.second_bias) == (SCHEMES["keras"], "native", False)


def test_every_variant_has_the_budget_unless_it_names_its_width(parameters, task):
    for name, spec in variants(parameters, task).items():
        if name != "deep":
            assert parameter_count(spec.network, embedding=False) == pytest.approx(300, rel=0.15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "lstm: expected its tuned settings"),
        ("gru: 3", "lstm: expected its tuned settings"),
        ("lstm: {}", "lstm: expected its tuned settings"),
        ("lstm: 3", "lstm: expected its tuned settings"),
        ("lstm: [{settings: {learning_rate: fast, clip: 1.0, dropout: 0.0}}]", "lstm: expected its tuned settings"),
        ("lstm: [{settings: {clip: 1.0}}]", "lstm.settings: expected dropout, learning_rate as well"),
        ("lstm: [", "expected YAML"),
        (None, "not found"),
    ],
)
def test_tuned_settings_that_cannot_be_read(text, expected, parameters, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tuned").mkdir()
    if text is not None:
        Path("tuned/airline.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"^tuned/airline.yaml") as fault:
        settings.read_tuned(changed(parameters, lstm=config.Variant()), "airline")
    assert expected in str(fault.value)
