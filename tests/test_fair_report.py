"""What the page says of learning rates, controls and the start: on tables that are given."""

import numpy as np
import pytest
from scipy import stats

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.reports import long_range as report
from rnn_study.reports.elements import display
from rnn_study.reports.long_range import controls as control_page
from rnn_study.reports.study import Study
from rnn_study.support.files import write_json


def chosen(cell, length, power, rates, edge=0, opened=None):
    bounds = {"length": length, "open": opened, "low": 10, "high": 20}
    return {"problem": "adding", "variant": cell, "seeds": 6, "lengths": [10, 20], "power": power, "rates": rates} | (
        bounds | {"edge": edge, "shares": [1.0, 0.0]}
    )


def control(cell, kind, full, without, needed, task="tweets", steps=None):
    about = {"task": task, "score": "accuracy", "steps": steps, "cell": cell, "kind": kind, "chance": 0.5}
    return about | {"full": full, "control": without, "seeds": [10, 5], "needed": needed}


def foretold(cell, measure, auc, low, high, larger=True):
    return {"problem": "adding", "cell": cell, "measure": measure, "auc": auc, "low": low, "high": high} | (
        {"larger": larger, "pairs": 40, "runs": 60}
    )


@pytest.fixture
def study(tmp_path):
    single = {
        "problem": "adding",
        "axis": "budget",
        "variant": "lstm",
        "length": 8.0,
        "open": None,
        "low": 5,
        "high": 10,
    }
    ran = {"problem": "adding", "seeds": 6, "solved": 3, "share": 0.5, "low": 0.2, "high": 0.8, "median_updates": 9.0}
    grid = [
        ran | {"variant": cell, "learning_rate": rate, "steps": steps}
        for cell in ("lstm", "gru")
        for rate in (0.003, 0.01)
        for steps in (10, 20)
    ]
    tables = {
        "frontiers": [single, single | {"variant": "gru"}],
        "map": grid,
        "chosen": [
            chosen("lstm", 14.2, [-0.75, -1.0, -0.5], [0.01, 0.003], edge=2),
            chosen("gru", 20.0, [0.0, -0.5, 0.5], [0.01, None], opened="above"),
        ],
        "controls": [
            control("lstm", "frozen", 0.9, 0.86, [0.1, 0.05, 0.15]),
            control("lstm", "one-step", 0.9, 0.52, [0.95, 0.9, 1.01], task="adding", steps=10),
            control("gru", "frozen", 0.5, 0.5, None),
        ],
        "foretold": [
            foretold("lstm", "memory", 0.8, 0.6, 0.9),
            foretold("lstm", "exponent", 0.55, 0.4, 0.7, larger=False),
            foretold("gru", "memory", None, None, None),
        ],
        "reaching": [
            {"problem": "adding", "cell": "lstm", "reached": True, "runs": 8, "solved": 6, "low": 0.4, "high": 0.9},
            {"problem": "adding", "cell": "lstm", "reached": False, "runs": 9, "solved": 3, "low": 0.1, "high": 0.6},
            {"problem": "adding", "cell": "gru", "reached": False, "runs": 5, "solved": 5, "low": 0.6, "high": 1.0},
        ],
    }
    write_json(tmp_path / "metrics/long_range.json", {"study": "quick", "left_out": []} | tables)
    about = {"learning_rate": 0.01, "tried": [10, 20], "ablations": {}}
    write_json(tmp_path / "metrics/frontier/adding.json", about)
    record = {
        "title": "Tweets of a corpus",
        "source": "tweets",
        "origin": "embedded",
        "generated": True,
        "complete": True,
    }
    tasks = {"tweets": {"card": {"provenance": [record]}}}
    write_json(tmp_path / "metrics/summary.json", {"study": "quick", "tasks": tasks})
    return Study(tmp_path)


def page_of(show, study):
    with display.collected() as pieces:
        show(study)
    return "".join(pieces)


def test_reach_at_the_best_rate_stands_beside_that_at_the_one_rate(study):
    assert report.rated(study) == ["adding"]
    lstm, gru = report.best_rates(study, "adding")
    assert lstm == (
        "LSTM: 14 steps at its own best rate (10 to 20), 8 at 0.01 (5 to 10). Its best rate goes with T to the power "
        "−0.75 (−1.00 to −0.50; at 2 lengths it is the smallest or largest tried)."
    )
    assert gru == (
        "GRU: ≥ 20 steps at its own best rate (10 to 20), 8 at 0.01 (5 to 10). Its best rate goes with T to the power "
        "0.00 (−0.50 to 0.50)."
    )
    study.long_range["chosen"][1]["power"] = None
    assert report.best_rates(study, "adding")[1].endswith("8 at 0.01 (5 to 10).")


def test_the_map_frames_what_is_chosen(study):
    page = page_of(lambda study: report.rate_map(study, "adding"), study)
    assert (
        "Adding problem, each cell at its own best learning rate: the LSTM 14 and the GRU ≥ 20 steps are solved by "
        "half of the seeds."
    ) in page
    # Three frames, of two cells at two lengths, where one length of the GRU has none; on a page and on a phone.
    assert page.count("stroke: #d55e00") == 2 * 3
    assert page.count(">3/6<") == 2 * 8
    assert "how many of 6 seeds solved it" in page


def test_the_least_and_the_most_that_needs_a_gradient_through_time(study):
    page = page_of(report.needed, study)
    assert (
        "A score alone is no evidence of memory that was learned: on Tweets the LSTM has 90.0 %, and 86.0 % without "
        "any gradient through time (frozen, a reservoir). On Adding problem, T = 10 95 % of what the LSTM learned "
        "needs one."
    ) in page
    assert "Tweets of a corpus (embedded, generated); Adding problem (generated)" in page
    study.long_range["controls"][:] = study.long_range["controls"][2:]
    assert "No cell was told from chance" in page_of(report.needed, study)
    study.long_range["controls"].clear()
    assert page_of(report.needed, study) == ""


def test_every_control_stands_beside_its_cell(study, monkeypatch):
    shown = []
    monkeypatch.setattr(control_page, "show_table", lambda *table: shown.append(table))
    report.control_table(study)
    ((header, rows, caption),) = shown
    assert {len(row) for row in rows} == {len(header)}
    assert rows[0] == [
        "Tweets: LSTM, frozen, a reservoir",
        *("90.0 %", "86.0 %", "50.0 %", "10 % (5 to 15)", "10 and 5"),
    ]
    assert rows[1][0] == "Adding problem, T = 10: LSTM, gradient of one step"
    assert rows[2][4] == "not told from chance"
    assert "96.55 % without a gradient through time and 98.30 % with it (Zucchet et al. 2026; tuned, three" in caption


def test_what_the_start_foretells(study):
    page = page_of(report.foretold, study)
    assert "by the gradient memory of the LSTM (Adding problem), of a run that will solve its problem" in page
    assert (
        "80 of 100 pairs are told apart, where half are right by chance. Of 2 measures of a cell the interval" in page
    )
    assert "of 1 lies above chance, not corrected for their number." in page
    study.long_range["foretold"][0]["low"] = 0.45
    assert "is not shown to foretell which runs will solve their problem" in page_of(report.foretold, study)
    study.long_range["foretold"][:] = study.long_range["foretold"][2:]
    assert page_of(report.foretold, study).startswith("<p>Nothing can be foretold here")


def test_runs_whose_gradient_reached_the_first_step(study):
    first, lstm, gru = report.started(study)
    assert first == (
        "Gradients that reach the first step before training are not enough: 2 of 8 runs that had them did not solve "
        "their problem."
    )
    assert lstm == (
        "Adding problem, LSTM: solved 6 of 8 (40 to 90 %) where it reached the first step and 3 of 9 (10 to 60 %) "
        "where it did not."
    )
    assert gru == "Adding problem, GRU: solved 5 of 5 (60 to 100 %) where it did not."
    for row in study.long_range["reaching"]:
        row["solved"] = row["runs"]
    assert (
        report.started(study)[0]
        == "All 8 runs whose gradient reached the first step before training solved their problem."
    )
    study.long_range["reaching"][:] = study.long_range["reaching"][1:]
    assert report.started(study)[0] == "Before training no gradient reached the first step."


@pytest.mark.parametrize(("turn", "told"), [(1, "more steeply"), (-1, "less steeply")])
def test_units_that_remember_longer_beside_the_rest(study, turn, told):
    """In one seed the ranks agree, in the other but for one swap of neighbours among five: 1 and 0.9."""
    factor = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    sizes = turn * np.array([[0.0, 1, 2, 3, 4], [1.0, 0, 2, 3, 4]])
    found = {
        ("lstm", stage): [
            (seed, {"factor": factor, "sensitivity": size, "carry": factor}) for seed, size in enumerate(sizes)
        ]
        for stage in ("initial", "trained")
    }
    profiles.write(study.root / profiles.profiles_file("adding"), found)
    page = page_of(report.sensitivity, study)
    assert f"In the trained LSTM a unit that remembers longer answers {told} to its own weights" in page
    half = stats.t.ppf(0.975, 1) * 0.05
    value, low, high = (
        f"{number:.2f}".replace("-", "−") for number in (turn * 0.95, turn * 0.95 - half, turn * 0.95 + half)
    )
    assert f"rank correlation {value} ({low} to {high} over seeds)." in page
    assert "LSTM 0.50 and 0.50" in page
