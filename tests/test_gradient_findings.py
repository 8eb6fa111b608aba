"""Sentences and tables of the gradient report, from figures that are made up."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from test_findings import shown

from rnn_study.data.prepared import pack_texts
from rnn_study.reports import gradients
from rnn_study.reports.gradients import contrasts as gradient_contrasts
from rnn_study.reports.gradients import tables as gradient_tables


class Figures:
    """As much of `study.Study` as sentences read."""

    def __init__(self, contrasts=(), figures=(), cells=None, deviation=1e-12):
        theory = [{"scale": scale, "steps": 50, "last": 1.0, "deviation": deviation} for scale in (0.8, 1.0)]
        self.gradients = {"contrasts": list(contrasts), "figures": list(figures), "theory": theory}
        self.summary = {"study": "quick"}
        self.tasks, self.given = {"airline": {}, "tweets": {}}, "given this one search for settings"
        self.tables = {"cells": cells or {}, "map": None}
        self.seen = {name: {"initial": {"singular": np.zeros((8, 50, 2))}} for name in ("lstm", "vanilla")}

    def variant(self, task, name):
        return {"lstm": "LSTM", "vanilla": "vanilla RNN"}.get(name, name)

    def cells(self, task):
        return list(dict.fromkeys(row["variant"] for row in self.gradients["figures"]))

    def quantity(self, task, variant, stage, quantity):
        wanted = {"task": task, "variant": variant, "stage": stage, "quantity": quantity}
        rows = self.gradients["figures"]
        return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)

    def profiles(self, task):
        return self.seen

    def ablation(self, problem):
        return self.tables


# The tutorials' claims


def contrast(claim, value, low, high, **more):
    row = {"claim": claim, "task": "adding", "a": "lstm", "b": "vanilla", "value": value, "low": low, "high": high}
    return row | {"n": 8} | more


CASES = [
    contrast("vanishes", -2, -3, -1, stage="initial", b=None),
    contrast("keeps", np.log10(1.25), 0, np.log10(2), stage="trained"),
    contrast("clipping", 0.75, 0.5, 1, solved_a=[6, 8], solved_b=[0, 8]),
    contrast("forget bias", 4.25, -1.5, 9, stage="initial", b="lstm-forget-0", censored=False),
    contrast("forget bias", 0, 0, 0, stage="trained", b="lstm-forget-0", censored=True),
    contrast("converges", -1, -2, 0, reached=[7, 8], n=7),
    contrast("window", 0.0321, -0.01, 0.07, b=None, window=10),
    contrast("new subject", -0.125, -0.25, 0.05, stage="trained", b=None),
]


def tables(monkeypatch, *rows):
    """What `contrasts_table` shows: tables by the claim's words, and the text below."""
    found, said = [], []
    monkeypatch.setattr(gradient_contrasts, "show_table", lambda *table: found.append(table))
    monkeypatch.setattr(gradient_contrasts, "show_text", said.append)
    gradient_contrasts.contrasts_table(
        Figures([{key: value for key, value in row.items() if value is not None} for row in rows])
    )
    assert all(
        caption.endswith("”: exploratory, not corrected; tasks given this one search for settings.")
        for *_, caption in found
    )
    assert all(len(header) == len(row) for header, body, _ in found for row in body)
    return {caption.split("”")[0].removeprefix("“"): (header, body) for header, body, caption in found}, said


@pytest.mark.parametrize(
    ("words", "unit", "rows"),
    [
        (
            "vanishes with distance",
            "error at the first step, of that one step from the end",
            [["Adding problem, before training: LSTM", "×0.01 (0.001 to 0.1)", "8"]],
        ),
        (
            "keep the gradient",
            "error kept a step, over the vanilla RNN's",
            [["Adding problem, trained: LSTM against vanilla RNN", "×1.25 (1 to 2)", "8"]],
        ),
        (
            "Clipping cures",
            "runs solved",
            [
                [
                    "Adding problem: LSTM (solved 6 of 8) against vanilla RNN (solved 0 of 8)",
                    "+75 points (50 to 100)",
                    "8",
                ]
            ],
        ),
        (
            "forget bias of 1",
            "steps, bias 1 against 0",
            [
                ["Adding problem, before training: LSTM against lstm-forget-0", "+4.25 steps (-1.5 to 9)", "8"],
                [
                    "Adding problem, trained: LSTM against lstm-forget-0",
                    "+0 steps (0 to 0) (sequences too short to tell)",
                    "8",
                ],
            ],
        ),
        (
            "converges faster",
            "updates to a loss that both reach, or to a problem's goal, over the vanilla RNN's",
            [["Adding problem: LSTM (7 got there) against vanilla RNN (8 got there)", "×0.1 (0.01 to 1)", "7"]],
        ),
        (
            "beyond its window",
            "RMSE beyond 0.289, that of not seeing the first number",
            [["Adding problem: LSTM", "+0.0321 (-0.01 to 0.07)", "8"]],
        ),
        (
            "drops the old subject",
            "memory kept at the new subject, against the other words",
            [["Adding problem, trained: LSTM", "-12.5 points (-25 to 5)", "8"]],
        ),
    ],
)
def test_every_case_of_a_claim_stands_with_its_interval_and_seeds(words, unit, rows, monkeypatch):
    found, said = tables(monkeypatch, *CASES)
    assert len(found) == len(gradient_contrasts.CLAIMS) == 7
    assert said == []
    ((header, body),) = [table for claim, table in found.items() if words in claim]
    assert header == ["", f"{unit} (95 % interval)", "seeds"]
    assert [[re.sub(" +", " ", text) for text in row] for row in body] == rows


def test_a_claim_that_was_not_run_is_said_to_be_so(monkeypatch):
    found, (said,) = tables(monkeypatch, CASES[0], CASES[2])
    assert len(found) == 2
    assert said.startswith("Not run in the quick study: ")
    for text, *_ in gradient_contrasts.CLAIMS.values():
        assert (f"“{text}”" in said) == (text not in found)


def test_names_from_parameters_are_escaped():
    """An ablation's name is whatever params.yaml says."""
    page = shown(gradient_contrasts.contrasts_table, Figures([contrast("keeps", 0, 0, 0, b="<b>&amp;</b>")]))
    assert "b" not in page.tags
    assert "LSTM against <b>&amp;</b>" in page.text
    assert len(page.tables) == 1


# Figures in sentences


def figure(variant, stage, quantity, value, spread=0.0):
    row = {"task": "adding", "variant": variant, "stage": stage, "quantity": quantity, "value": value}
    return row | {"low": value - spread, "high": value + spread, "n": 8}


def test_findings_say_what_the_figures_say():
    """Shares and factors are powers of ten in the figures: 10^-3 is 0.1 %."""
    figures = []
    for stage, values in {"initial": (-3.0, -0.5, 8.0, -0.1), "trained": (-0.25, -0.01, 48.0, 0.2)}.items():
        for quantity, value in zip(("arrives", "rate", "memory", "exponent"), values, strict=True):
            spread = {"arrives": 1.0, "rate": 0.5}.get(quantity, 0.0)
            figures.append(figure("lstm", stage, quantity, value, spread))
    study = Figures(figures=figures)
    assert gradients.lost(study, "adding") == (
        "Adding problem: of the error one step from the end there arrives at the first step before training "
        "LSTM 0.1 (0.01 to 1) %, by a factor a step of LSTM 0.316 (0.1 to 1); trained "
        "LSTM 56.2 (5.62 to 562) %, by a factor a step of LSTM 0.977 (0.309 to 3.09)."
    )
    assert gradients.memory(study, "adding").endswith("before training LSTM 8 (8 to 8); trained LSTM at least 48.")
    said = gradients.exponents(study, "adding")
    assert "before training LSTM -0.1 (-0.1 to -0.1), above zero in none" in said
    assert said.endswith("above zero in LSTM.")
    assert "no cell here carries memory" in gradients.time_constants(study, "adding")


def test_sequences_that_are_too_short_lose_nothing():
    study = Figures(figures=[figure("lstm", "initial", "memory", 1.0)])
    assert gradients.lost(study, "adding") == "Adding problem: sequences too short for a share that arrives."


def test_what_counts_as_read_out_is_said():
    study = Figures(figures=[figure("lstm", "trained", "retained", 12.0, 2.0)])
    assert gradients.retained(study, "adding") == (
        "Adding problem: lags at which at least 0.25 of the variance of a marked number (their sum tells 0.5 of "
        "either) can be read out: trained LSTM 12 (10 to 14)."
    )
    study.gradients["figures"][0]["task"] = "airline"
    assert "at least half of the variance of an input can be read out" in gradients.retained(study, "airline")


def test_the_error_in_c_is_told_as_a_factor_of_that_in_h():
    """At the longest lag, of the sequences that reach it in every seed; 10^1 and 10^3 have the geometric mean 100."""
    flow = np.zeros((2, 3, 5))
    flow[:, 2, 4] = np.nan
    apart = flow + np.array([1.0, 3.0])[:, None, None] * (np.arange(5) == 4)
    study = Figures(figures=[figure("lstm", "trained", "memory", 9.0), figure("gru", "trained", "memory", 9.0)])
    study.seen = {
        "lstm": {when: {"flow_h": flow, "flow_c": apart} for when in ("initial", "trained")},
        "gru": {when: {"flow": flow} for when in ("initial", "trained")},
    }
    low, high = 10 ** np.array(stats.ttest_1samp([1, 3], 0).confidence_interval())
    same = f"100 ({low:.3g} to {high:.3g})"
    assert gradients.states_found(study, "adding") == [
        f"LSTM: at the first step the error in c is that in h times before training {same}; trained {same}."
    ]


@pytest.mark.parametrize("deviation", [1e-12, 0.5])
def test_theory_says_how_far_it_is_off(deviation):
    assert f"by {deviation:.0e} at most" in gradients.theory(Figures(deviation=deviation))


def test_theory_is_off_by_the_worst_of_its_cases():
    study = Figures(deviation=1e-12)
    study.gradients["theory"][1]["deviation"] = 3e-4
    assert "by 3e-04 at most" in gradients.theory(study)


def test_an_exponent_whose_interval_holds_zero_is_not_above_it():
    figures = [
        figure(cell, stage, "exponent", 0.2, spread)
        for stage in ("initial", "trained")
        for cell, spread in (("lstm", 0.3), ("gru", 0.1))
    ]
    assert gradients.exponents(Figures(figures=figures), "adding").endswith(", above zero in GRU.")


def test_the_longest_sequences_come_first():
    study = Figures(figures=[figure("lstm", "trained", "memory", 9.0) | {"task": task} for task in ("a", "b", "a")])
    study.profiles = lambda task: {"lstm": {"initial": {"flow": np.zeros((1, 9, {"a": 5, "b": 7}[task]))}}}
    assert gradients.order(study) == ["b", "a"]


def test_the_health_of_a_training_is_of_all_its_seeds():
    cell = {
        "norm_median": [0.5, 1.0, 9.0],
        "norm_99": [4.0, 8.0, 90.0],
        "clipped_share": [0.0, 0.25, 0.5],
        "update_ratio": [0.01, 0.02, 0.5],
        "outcomes": ["solved", "stuck", "solved"],
    }
    study = Figures(figures=[figure("gru", "trained", "memory", 9.0)], cells={"gru": cell})
    assert gradients.health_findings(study, "adding") == [
        "GRU: gradient norm 1 in the median update, 8 or more in one update of a hundred, 25 % of updates clipped, "
        "0.02 of the weights' norm moved by the median update; 2 of 3 runs solved."
    ]


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ([True, False], "solved in 1 of 2 fields (learning rate 0.1, no clipping), 2 seeds each: a description"),
        ([False, False], "solved in 0 of 2 fields, 2 seeds each: a description"),
        ([True], "solved in 1 of 2 fields (learning rate 0.1, no clipping), 1 seed each: a description"),
    ],
)
def test_a_field_of_the_map_counts_as_solved_where_any_seed_did(first, told):
    study = Figures()
    study.tables = {
        "map": {"learning_rates": [0.01, 0.1], "clips": [None, 2.0], "of": "lstm"},
        "cells": {
            "x": {"map": [1, 0], "solved": first},
            "y": {"map": [0, 1], "solved": [False] * len(first)},
            "beside": {"solved": [True]},
        },
    }
    assert gradients.map_found(study, "adding") == [f"LSTM: {told}, no claim."]


def test_a_clip_that_solved_is_told():
    study = Figures()
    study.tables = {
        "map": {"learning_rates": [0.01], "clips": [None, 2.0], "of": "lstm"},
        "cells": {"x": {"map": [0, 1], "solved": [True, True]}},
    }
    assert "solved in 1 of 1 fields (learning rate 0.01, clip 2), 2 seeds" in gradients.map_found(study, "adding")[0]


@pytest.fixture
def sentences():
    """Two sentences of the words a, b and c, one word to look at in each; all of one cell's gradient, of two seeds."""
    study = Figures(figures=[figure("lstm", "trained", "memory", 9.0)])
    words, offsets = pack_texts(["a", "b", "c"])
    part = SimpleNamespace(
        x=np.array([[0, 1, 2, 0], [2, 1, 0, 0], [1, 1, 0, 0]]),
        mask=np.array([[True] * 4, [True, True, True, False], [True, True, False, False]]),
        y=np.array([1, 0, 1]),
    )
    extras = {"words": words, "words_offsets": offsets, "cues": np.array([1, 0]), "classes": np.array(["no", "yes"])}
    study.prepared = lambda task: SimpleNamespace(extras=extras, tests={"sentences": part})
    first = np.array([[[2, 4, 1, 1], [3, 1, 0, 99]], [[3, 4, 1, 0], [4, 0, 0, 99]]], float)
    study.seen = {"lstm": {"trained": {"gradient": first}}}
    return study


def test_a_word_s_share_of_the_gradient_is_of_the_whole_sentence(sentences):
    """What stands behind it was never read; the interval of 3/4 and 4/4 reaches below nothing, where there is none."""
    first, second = gradients.words_found(sentences, "agreement")
    assert first == (
        "“b”, 2 words before the end, gets of the answer's gradient: LSTM 50 % (50 to 50); an equal share would be "
        "25 %."
    )
    low, high = stats.ttest_1samp([0.75, 1.0], 0).confidence_interval()
    assert low < 0
    assert second == (
        f"“c”, 2 words before the end, gets of the answer's gradient: LSTM 88 % (0 to {100 * high:.0f}); an equal "
        "share would be 33 %."
    )


def test_every_sentence_is_drawn_in_its_own_words(sentences, monkeypatch):
    drawn = []
    monkeypatch.setattr(gradients.inside, "words", lambda study, task, *told: drawn.append(told))
    gradients.sentences(sentences, "agreement")
    assert drawn == [(0, ["a", "b", "c", "a"], "yes"), (1, ["c", "b", "a"], "no"), (2, ["b", "b"], "yes")]


def outcome(solved, n=8, **more):
    return {"solved": [True] * solved + [False] * (n - solved), "updates": [100 * (n - solved)] * n} | more


def newcombe(*counts):
    """The interval of a difference of shares by statsmodels, as the table writes it."""
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    return f"({100 * low:+.0f} to {100 * high:+.0f})"


def test_a_cure_stands_beside_its_cell_and_what_was_not_run_is_named(monkeypatch):
    found = []
    monkeypatch.setattr(gradient_tables, "show_table", lambda *table: found.append(table))
    cells = {
        "lstm": outcome(8),
        "lstm-f": outcome(1, of="lstm", label="f", change={"forget_bias": 0.0}),
        "lstm-w": outcome(8, of="lstm", label="w", change={"window": 9}),
        "lstm-s": outcome(0, 3, of="lstm", label="s", change={"optimiser": "sgd"}),
        "lstm-b": outcome(7, of="lstm", label="b", change={"activation": "relu", "norm": "layer"}),
    }
    figures = [figure(name, "trained", "memory", 9.0, 1.0) for name in cells]
    study = Figures(figures=figures, cells=cells)
    study.cells = lambda task: ["lstm"]
    gradients.cures_table(study, "adding")
    ((header, rows, caption),) = found
    assert len({len(header), *map(len, rows)}) == 1
    by_name = {row[0]: row for row in rows}
    forget = by_name["forget bias: LSTM with forget_bias 0.0"]
    assert forget[1:] == [
        "1/8, was 8/8",
        f"-88 {newcombe(1, 8, 8, 8)}",
        "700, was 0",
        "9 (8 to 10), was 9 (8 to 10)",
    ]
    window = by_name["truncated back-propagation: LSTM with window 9"]
    assert window[2] == f"+0 {newcombe(8, 8, 8, 8)}"
    assert by_name["faster or slower optimiser: LSTM with optimiser sgd"][2] == f"-100 {newcombe(0, 3, 8, 8)}"
    assert "non-saturating activation and normalisation: LSTM with activation relu, norm layer" in by_name
    assert (
        "Not tried alone in the quick study: initialisation, non-saturating activation, normalisation, clipping"
        in caption
    )
    assert not re.search(r"Not tried.*forget bias", caption)


def test_training_is_told_stage_by_stage(monkeypatch):
    found = []
    monkeypatch.setattr(gradient_tables, "show_table", lambda *table: found.append(table))
    quantities = {"rate": (-0.5, 0.5), "memory": (49.0, 0.5), "exponent": (-0.1, 0.0), "condition": (2.0, 0.1)}
    figures = [figure("lstm", "initial", name, *values) for name, values in quantities.items()]
    gradients.training_table(Figures(figures=figures), "adding")
    ((header, rows, _),) = found
    assert rows == [
        ["LSTM, before training", "8", "0.316 (0.1 to 1)", "at least 48", "-0.1 (-0.1 to -0.1)", "2.0"],
    ]
    assert len(header) == len(rows[0])
