"""What the page of tuning says: on tables that are given."""

import pytest

from rnn_study.reports import tuning as report
from rnn_study.reports.elements import display
from rnn_study.reports.study import Study
from rnn_study.support.files import write_json


def against(tuned, untuned, interval, part="test"):
    row = {"part": part, "tuned": tuned, "untuned": untuned, "difference": tuned - untuned, "interval": interval}
    return row | {"n": 5}


def cell(row, searches, trials=8, pruned=0, importance=None):
    about = {"trials": trials, "pruned": pruned, "importance": importance, "against_untuned": [row]}
    return about | {"searches": [{"settings": one, "trials": 8, "validation_score": 0.9} for one in searches]}


ONE = {"learning_rate": 0.01, "clip": 2.0, "dropout": 0.1}
OTHER = ONE | {"learning_rate": 0.03}
FREE = ONE | {"clip": None}


@pytest.fixture
def study(tmp_path):
    tweets = {
        "lstm": cell(against(0.9, 0.85, [0.03, 0.07]), [ONE, OTHER]),
        "gru": cell(against(0.8, 0.86, [-0.09, -0.03]), [ONE, ONE], importance={"clip": 0.25, "learning_rate": 0.75}),
        "vanilla": cell(against(0.7, 0.69, [-0.01, 0.03]), [FREE, FREE]),
    }
    airline = {
        "lstm": cell(against(20.0, 32.5, [-15.0, -10.0]), [ONE], pruned=1),
        "gru": cell(against(25.0, 30.0, [-9.0, 1.0]), [ONE], trials=0),
    }
    tables = {
        "tweets": {"score": "accuracy", "unit": "", "higher_is_better": True, "cells": tweets},
        "airline": {"score": "rmse", "unit": "passengers", "higher_is_better": False, "cells": airline},
    }
    untuned = {"learning_rate": 0.001, "clip": None, "dropout": 0.0, "seeds": 5}
    head = {"framework": "pytorch", "untuned": untuned, "needed": 50}
    write_json(tmp_path / "metrics/tuning.json", head | {"tasks": tables})
    record = {"title": "A corpus", "source": "tweets", "origin": "embedded", "generated": True, "complete": True}
    tasks = {name: {"card": {"provenance": [record]}} for name in tables}
    write_json(tmp_path / "metrics/summary.json", {"study": "quick", "searches": 2, "tasks": tasks})
    rows = [ONE | {"number": i, "score": score} for i, score in enumerate((0.5, 0.6, 0.9))]
    flat = [ONE | {"number": i, "score": 0.7} for i in range(3)]
    write_json(tmp_path / "runs/tune-tweets/trials.json", {"lstm": [rows, rows], "gru": [flat], "vanilla": [flat]})
    ended = [ONE | {"number": 0, "score": 9.0}, ONE | {"number": 1, "score": 30.0, "pruned": 2}]
    write_json(tmp_path / "runs/tune-airline/trials.json", {"lstm": [[*ended, ONE | {"number": 2, "score": 8.5}]]})
    return Study(tmp_path)


def page_of(show, *asked):
    with display.collected() as pieces:
        show(*asked)
    return "".join(pieces)


def test_the_headline_counts_what_is_beyond_chance_and_says_where_tuning_hurt(study):
    first, worse, leader = report.lessons(study)
    assert first == (
        "Tuning changes the score in 3 of 5 cases beyond what seeds and examples explain.",
        "In the others the interval holds 0. Untuned is a learning rate of 0.001, no clipping, no dropout; over "
        "2 searches for settings.",
    )
    assert worse[1] == "So it is here: GRU, Tweets, −6.0 points (−9.0 to −3.0)."
    assert leader == (
        "Which cell comes first can hang on tuning.",
        "By mean test score: Tweets, GRU untuned and LSTM tuned; The series, GRU untuned and LSTM tuned.",
    )
    study.tuning["tasks"]["tweets"]["cells"].pop("gru")
    study.tuning["tasks"]["tweets"]["cells"].pop("vanilla")
    study.tuning["tasks"]["airline"]["cells"].pop("gru")
    first, leader = report.lessons(study)
    assert first[0].startswith("Tuning changes the score in 2 of 2 cases")
    assert first[1].startswith("Untuned is ")  # there are no others
    assert leader[0] == "Which cell comes first does not hang on tuning here."


def test_a_lower_error_is_a_gain(study):
    page = page_of(report.changed, study, "airline")
    assert "The series: the LSTM gains most by tuning, +12.50 passengers (+10.00 to +15.00)." in page
    assert "From untuned to tuned: LSTM 32.50 to 20.00 and GRU 30.00 to 25.00." in page
    page = page_of(report.changed, study, "tweets")
    assert "Tweets: the GRU loses most by tuning, −6.0 points (−9.0 to −3.0)." in page
    assert "LSTM 85.0 % to 90.0 %, GRU 86.0 % to 80.0 % and vanilla RNN 69.0 % to 70.0 %" in page
    assert "over the same 5 seeds" in page


def test_trials_that_were_ended_early_are_crosses_and_no_part_of_the_spread(study):
    page = page_of(report.trials, study, "airline")
    assert "whose best and worst trial are 0.50 passengers apart" in page
    assert "Crosses: 1 that were ended early" in page
    page = page_of(report.trials, study, "tweets")
    assert "settings matter most to the LSTM, whose best and worst trial are 40.0 points apart" in page
    assert "each of 24 trials" in page
    assert "Crosses" not in page


def test_one_more_trial_would_gain_most_where_a_search_still_rises_last(study):
    """The best to expect of 5 and of 6 draws, with replacement, from 0.5, 0.5, 0.6, 0.6, 0.9 and 0.9."""
    page = page_of(report.search_curve, study, "tweets")

    def best(draws):
        share = [0, 2 / 6, 4 / 6, 1]
        return sum(s * (b**draws - a**draws) for s, a, b in zip((50, 60, 90), share[:-1], share[1:], strict=True))

    assert f"one more trial would still gain most for the LSTM, {best(6) - best(5):.2f} points." in page


def test_what_was_chosen_and_how_far_searches_are_apart(study):
    page = page_of(report.chosen_table, study, "tweets")
    assert page.count("<tr>") == 1 + 2 + 2 + 2
    assert '<td data-label="clip">none</td>' in page
    assert '<td data-label="learning rate">0.03</td>' in page
    cells = study.tuning["tasks"].pop("airline")["cells"]
    assert list(report.by_chance(study)) == [
        "Tweets, LSTM: learning rate 0.01 to 0.03.",
        "Tweets, GRU: the same settings.",
        "Tweets, vanilla RNN: the same settings.",
    ]
    study.tuning["tasks"]["tweets"]["cells"] = cells
    assert report.by_chance(study) == ["One search a cell: how far another would have chosen otherwise is not known."]


def test_importance_is_told_where_it_is_known(study):
    assert report.importance(study) == ["Tweets, GRU: learning rate 75 % and clip 25 %."]
    study.tuning["tasks"]["tweets"]["cells"]["gru"]["importance"] = None
    study.tuning["tasks"]["airline"]["cells"]["lstm"]["trials"] = 9
    assert report.importance(study) == [
        "Not told: a cell has 9 trials, and below 50 a lucky one decides which setting looks important."
    ]
