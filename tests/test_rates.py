"""Learning rate by length: what runs, and the rows that are made of it, worked by hand."""

from dataclasses import replace

import pytest
from test_long_range import QUICK, follow, outcomes, params, specs_of  # noqa: F401

from rnn_study.behaviour.diagnostics.profile import SPECTRA, longest_sequences, start
from rnn_study.behaviour.long_range import foretelling, frontier, rates
from rnn_study.config.frontier import Rates
from rnn_study.data.problems import catalogue
from rnn_study.model.init import Init, draw
from rnn_study.running.run.events import Finished
from rnn_study.running.run.spec import stream

RATES = {"learning_rates": [0.003, 0.01, 0.03], "seeds": 4}


def rated(**update):
    return params(width=None, ablations={}, cells={"lstm": {}, "gru": {}}, rates=RATES, **update)


def test_every_cell_runs_at_every_rate_but_once_at_that_of_all():
    own = rated()
    assert own.contenders == [
        ("budget", "lstm"),
        ("budget", "gru"),
        *(("rate", f"{cell}-rate-{rate}") for cell in ("lstm", "gru") for rate in ("0.003", "0.03")),
    ]
    specs = specs_of(own, axis="rate", variant="gru-rate-0.03")
    assert [spec.seed for spec in specs] == [0, 1, 2, 3]
    assert {spec.optimiser.learning_rate for spec in specs} == {0.03}
    plain = specs_of(own, variant="gru")
    assert [spec.seed for spec in plain] == [0, 1, 2, 3, 4, 5]
    assert {spec.network for spec in specs} == {spec.network for spec in plain}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rates": {"learning_rates": [0.003, 0.03], "seeds": 4}}, "expected training.learning_rate among them"),
        ({"rates": RATES | {"seeds": 7}}, "rates.seeds: got 7: expected at most 6, as many as seeds"),
        ({"rates": RATES | {"learning_rates": [0.03, 0.01]}}, "expected rising numbers"),
        ({"rates": RATES, "cells": {"gru": {"learning_rate": 0.02}}}, "learning_rate 0.02 with rates"),
    ],
)
def test_rates_that_cannot_be_are_told(change, told):
    with pytest.raises(ValueError, match=told):
        params(**{"ablations": {}} | change)


def row(cell, rate, steps, seed, updates, axis=None):
    single = rate == 0.01
    return {
        "axis": axis or ("budget" if single else "rate"),
        "variant": cell if single else f"{cell}-rate-{rate:g}",
        "cell": cell,
        "learning_rate": rate,
        "steps": steps,
        "seed": seed,
        "updates": min(updates, 100),
        "solved": updates < 100,
        "diverged": updates > 500,
        "initial": {"memory": 1.0 * seed, "exponent": 0.0, "condition": -1.0 * seed},
    }


@pytest.fixture
def found():
    """The LSTM is best at 0.03 where T = 6, at 0.01 where T = 12; the GRU solves nothing at 0.003, and stops there."""
    lstm = {0.003: {6: 90, 12: 100}, 0.01: {6: 50, 12: 60}, 0.03: {6: 20, 12: 900}}
    gru = {0.003: {6: 100, 12: 100}, 0.01: {6: 40, 12: 50, 24: 100}, 0.03: {6: 50, 12: 50, 24: 90}}
    rows = [
        row(cell, rate, steps, seed, updates)
        for cell, grid in (("lstm", lstm), ("gru", gru))
        for rate, lengths in grid.items()
        for steps, updates in lengths.items()
        for seed in range(6 if rate == 0.01 else 4)
    ]
    # Two seeds that the other rates do not have: they may not choose.
    for one in rows:
        if one["seed"] > 3:
            one |= {"solved": False, "updates": 100}
    sequence = {"6": 6, "12": 12, "24": 24}
    about = {"problem": "adding", "budget": 100, "tried": [6, 12, 24], "sequence": sequence, "ablations": {}}
    return about | {"runs": rows}


def test_the_map_has_a_row_for_every_rate_and_length(found):
    table = {(r["variant"], r["learning_rate"], r["steps"]): r for r in rates.rate_map(rated(), found)}
    assert len(table) == 2 * 3 * 3
    best = table["lstm", 0.03, 6]
    assert (best["seeds"], best["solved"], best["share"], best["median_updates"]) == (4, 4, 1.0, 20.0)
    assert (best["low"], best["high"]) == (pytest.approx(0.5101, abs=1e-4), 1.0)  # Wilson's of four of four
    assert (table["lstm", 0.01, 6]["seeds"], table["lstm", 0.01, 6]["solved"]) == (4, 4)
    assert table["lstm", 0.03, 12]["diverged"] == 4
    assert table["gru", 0.003, 24]["not_run"] == "nothing solved at two lengths before"


def test_each_cell_at_the_rate_that_its_length_chooses(found):
    lstm, gru = rates.chosen(rated(), found)
    assert lstm["rates"] == [0.03, 0.01, None]  # nobody solves 24
    assert lstm["shares"] == [1.0, 1.0, 0.0]
    assert lstm["edge"] == 1
    assert lstm["length"] == pytest.approx(12 * 2**0.5)  # half way between all and none, along the logarithm
    assert (lstm["low"], lstm["high"], lstm["open"]) == (12, 24, None)
    # log(0.01 / 0.03) / log(2) of two lengths, the same in every sample
    assert lstm["power"] == [pytest.approx(-1.58496, abs=1e-5)] * 3
    assert gru["rates"] == [0.01, 0.01, 0.03]  # of equals the smaller one
    assert (gru["length"], gru["open"]) == (24.0, "above")
    assert gru["power"][0] > 0


def test_a_frontier_of_one_rate_has_no_map(found):
    assert list(rates.rate_map(params(), found)) == list(rates.chosen(params(), found)) == []


def test_the_walk_tries_each_rate_as_a_contender_of_its_own(follow, monkeypatch):  # noqa: F811
    def outcome(spec):
        return spec.optimiser.learning_rate == 0.03 and spec.data.steps <= 24

    monkeypatch.setattr("test_long_range.outcomes", outcome)
    own = rated(lengths=[6, 12, 24, 48])
    rows = [one.row for one in frontier.walk(QUICK, own, "adding", own.lengths, follow)]
    came = {(r["variant"], r["steps"]) for r in rows}
    assert {steps for variant, steps in came if variant == "gru"} == {6, 12}
    assert {steps for variant, steps in came if variant == "gru-rate-0.03"} == {6, 12, 24, 48}
    assert {r["learning_rate"] for r in rows if r["variant"] == "gru-rate-0.03"} == {0.03}
    assert {r["cell"] for r in rows} == {"lstm", "gru"}


def test_what_foretells_counts_within_a_length_and_a_rate(found):
    for one in found["runs"]:  # where T = 12, those that start with the longer memory solve it
        if one["steps"] == 12 and one["cell"] == "lstm" and one["learning_rate"] == 0.01:
            one["solved"] = one["seed"] in (2, 3)
    table = {(r["cell"], r["measure"]): r for r in foretelling.auc(rated(), found)}
    assert set(table) == {(cell, m) for cell in ("lstm", "gru") for m in ("memory", "exponent", "condition")}
    assert table["lstm", "exponent"]["auc"] == 0.5  # all alike
    # In each half of the seeds, at one rate, of T = 12 one solved and two not, of T = 6 two solved and one not.
    assert table["lstm", "memory"]["pairs"] == 2 * (2 + 2)
    only = [r for r in found["runs"] if r["cell"] == "lstm"]
    assert table["lstm", "memory"]["runs"] == len(only)
    found["runs"].append(row("lstm", 0.01, 6, 0, 10, axis="control"))  # in which no error goes back
    found["runs"].append(row("lstm", 0.01, 6, 0, 10) | {"variant": "lstm-relu"})  # another network
    found["ablations"] = {"lstm-relu": {"change": {"activation": "relu"}}, "lstm-half": {"change": {"gain": 0.5}}}
    assert {r["runs"] for r in foretelling.auc(rated(), found) if r["cell"] == "lstm"} == {len(only)}
    found["runs"].append(row("lstm", 0.01, 6, 0, 10) | {"variant": "lstm-half"})
    assert {r["runs"] for r in foretelling.auc(rated(), found) if r["cell"] == "lstm"} == {len(only) + 1}


def test_runs_whose_gradient_reached_the_first_step(found):
    """With T = 6 a memory of 4 steps reaches it: seeds 4 and 5 at the one rate."""
    table = {(r["cell"], r["reached"]): r for r in foretelling.reaching(rated(), found)}
    reached = [r for r in found["runs"] if r["cell"] == "lstm" and r["seed"] >= 4 and r["steps"] == 6]
    assert table["lstm", True]["runs"] == len(reached) == 2
    assert table["lstm", True]["solved"] == 0
    assert table["lstm", False]["runs"] == len([r for r in found["runs"] if r["cell"] == "lstm"]) - 2
    assert table["lstm", False]["solved"] == sum(r["solved"] for r in found["runs"] if r["cell"] == "lstm")


def test_the_rates_of_the_studies():
    from test_long_range import REAL

    assert isinstance(QUICK.frontier["adding"].rates, Rates)
    assert (len(QUICK.frontier["adding"].rates.learning_rates), QUICK.frontier["adding"].rates.seeds) == (3, 6)
    assert all(len(one.rates.learning_rates) >= 4 and one.rates.seeds >= 6 for one in REAL.frontier.values())


def test_what_a_run_was_before_training_is_said_of_it(tmp_path, monkeypatch):
    """Of the weights that its seed draws, on its problem's sequences; one that runs at three rates started once."""
    own = rated(lengths=[6])
    specs = [
        spec
        for axis, variant in (("budget", "gru"), ("rate", "gru-rate-0.03"))
        for spec in specs_of(own, axis=axis, variant=variant)[:2]
    ]
    tree = draw(specs[0].network, stream(0, "weights"), None, specs[0].init)
    monkeypatch.setattr(frontier.results, "read_weights", lambda _: tree)
    monkeypatch.setattr(frontier.results, "read_summary", lambda _: {"diverged": False, "best_epoch": 1})
    asked = []
    monkeypatch.setattr(frontier, "spread", lambda work, jobs: [work(job) for job in (asked.append(len(jobs)) or jobs)])
    found = [frontier.Trained({"seed": spec.seed}, Finished("", spec, tmp_path, {}, reused=False)) for spec in specs]
    titles = []
    monkeypatch.setattr(frontier, "ticking", lambda told, title: titles.append(title) or told)
    rows = frontier.with_gradients(found, "test")
    assert asked == [2, 4]
    assert titles == ["test at the start", "test"]
    few = longest_sequences(catalogue.load("adding", specs[0].data).validation, SPECTRA)
    expected = start(specs[0].network, tree, few)
    assert rows[0]["initial"] == rows[2]["initial"] == expected._asdict()
    assert rows[1]["initial"] == rows[3]["initial"] != rows[0]["initial"]
    assert rows[0]["memory"] == expected.memory
    assert [row["seed"] for row in rows] == [0, 1, 0, 1]
    other = replace(specs[0], init=Init(recurrent="identity"))
    (row,) = frontier.with_gradients([frontier.Trained({}, Finished("", other, tmp_path, {}, reused=False))], "test")
    drawn = draw(other.network, stream(0, "weights"), None, other.init)
    assert row["initial"] == start(other.network, drawn, few)._asdict() != rows[0]["initial"]
