"""Sentences and tables of the gradient report, from figures that are made up."""

import re

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from test_findings import shown

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
