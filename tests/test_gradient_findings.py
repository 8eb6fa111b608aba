"""Sentences and tables of the gradient report, from figures that are made up."""

import re

import numpy as np
import pytest

from rnn_study.reports import gradients
from rnn_study.reports.gradients import claims as gradient_claims
from rnn_study.reports.gradients import tables as gradient_tables


class Figures:
    """As much of `study.Study` as sentences read."""

    def __init__(self, claims=(), figures=(), cells=None, deviation=1e-12):
        theory = [{"scale": scale, "steps": 50, "last": 1.0, "deviation": deviation} for scale in (0.8, 1.0)]
        self.gradients = {"claims": list(claims), "figures": list(figures), "theory": theory, "seeds_for_a_claim": 8}
        self.summary = {"study": "quick"}
        self.tables = {"cells": cells or {}, "map": None}

    def variant(self, task, name):
        return {"lstm": "LSTM", "vanilla": "vanilla RNN"}.get(name, name)

    def cells(self, task):
        return list(dict.fromkeys(row["variant"] for row in self.gradients["figures"]))

    def quantity(self, task, variant, stage, quantity):
        wanted = {"task": task, "variant": variant, "stage": stage, "quantity": quantity}
        rows = self.gradients["figures"]
        return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)

    def profiles(self, task):
        return {name: {"initial": {"singular": np.zeros((8, 50, 2))}} for name in ("lstm", "vanilla")}

    def ablation(self, problem):
        return self.tables


def claim(name, verdict, value=0.1, stage=None, **more):
    row = {"claim": name, "task": "adding", "a": "lstm", "b": "vanilla", "value": value, "low": value - 0.05}
    row |= {"high": value + 0.05, "n": 8, "p": 0.01, "p_adjusted": 0.02, "verdict": verdict}
    return row | ({"stage": stage} if stage else {}) | more


def sentences(*claims):
    return {text.split("”")[0].removeprefix("“"): text for text in gradient_claims.verdicts(Figures(claims))}


def test_every_claim_has_a_sentence_run_or_not():
    found = sentences(claim("vanishes", "holds", -0.1))
    assert len(found) == len(gradient_claims.CLAIMS)
    assert sum("not run in the quick study" in text for text in found.values()) == len(found) - 1


def test_a_sentence_counts_verdicts_by_stage_and_shows_the_clearest_case():
    found = sentences(
        claim("keeps", "holds", 0.3, "trained"),
        claim("keeps", "opposite", -0.3, "initial", p_adjusted=1e-6),
        claim("keeps", "not shown", 0.9, "initial", p_adjusted=0.6),
    )
    (text,) = [text for text in found.values() if "keep the gradient" in text]
    assert "trained, of the one case it holds in 1" in text
    assert "before training, of 2 cases the opposite holds in 1 and no difference is shown in 1" in text
    # 10^-0.3, of the case with the smallest p among those that show something
    assert text.endswith(
        "Adding problem, before training: LSTM against vanilla RNN, ×0.501 (0.447 to 0.562), 8 seeds: "
        "the opposite holds."
    )


def test_what_was_solved_stands_beside_clipping():
    rows = claim("clipping", "holds", 0.75, solved_a=[6, 8], solved_b=[0, 8])
    (text,) = [text for text in sentences(rows).values() if "Clipping" in text]
    assert "LSTM (solved 6 of 8) against vanilla RNN (solved 0 of 8), +75 points" in text


def test_few_seeds_are_said():
    (text,) = [text for text in sentences(claim("window", "too few seeds")).values() if "Truncated" in text]
    assert "there are too few seeds for a claim in 1" in text


def figure(variant, stage, quantity, value, spread=0.0):
    row = {"task": "adding", "variant": variant, "stage": stage, "quantity": quantity, "value": value}
    return row | {"low": value - spread, "high": value + spread, "n": 8}


def test_findings_say_what_the_figures_say():
    figures = []
    for stage, values in {"initial": (2.0, 0.93, 8.0, -0.1), "trained": (0.3, 0.99, 48.0, 0.2)}.items():
        for quantity, value in zip(("lost", "rate", "memory", "exponent"), values, strict=True):
            figures.append(figure("lstm", stage, quantity, value))
    study = Figures(figures=figures)
    assert "before training LSTM 0.01, by a factor a step of LSTM 0.93" in gradients.lost(study, "adding")
    assert "trained LSTM 0.5" in gradients.lost(study, "adding")
    assert gradients.memory(study, "adding").endswith("before training LSTM 8 (8 to 8); trained LSTM at least 48.")
    said = gradients.exponents(study, "adding")
    assert "before training LSTM -0.1 (-0.1 to -0.1), above zero in none" in said
    assert said.endswith("above zero in LSTM.")
    assert "no cell here carries memory" in gradients.time_constants(study, "adding")


@pytest.mark.parametrize("deviation", [1e-12, 0.5])
def test_theory_says_how_far_it_is_off(deviation):
    assert f"by {deviation:.0e} at most" in gradients.theory(Figures(deviation=deviation))


def outcome(solved, n=8, **more):
    return {"solved": [True] * solved + [False] * (n - solved), "updates": [100 * (n - solved)] * n} | more


def test_a_cure_stands_beside_its_cell_and_what_was_not_run_is_named(monkeypatch):
    shown = []
    monkeypatch.setattr(gradient_tables, "show_table", lambda *table: shown.append(table))
    cells = {
        "lstm": outcome(8),
        "lstm-f": outcome(1, of="lstm", label="f", change={"forget_bias": 0.0}),
        "lstm-w": outcome(8, of="lstm", label="w", change={"window": 9}),
        "lstm-s": outcome(0, 3, of="lstm", label="s", change={"optimiser": "sgd"}),
    }
    figures = [figure(name, "trained", "memory", 9.0, 1.0) for name in cells]
    study = Figures(figures=figures, cells=cells)
    study.cells = lambda task: ["lstm"]
    gradients.cures_table(study, "adding")
    ((header, rows, caption),) = shown
    assert len({len(header), *map(len, rows)}) == 1
    by_name = {row[0]: row for row in rows}
    forget = by_name["forget bias: LSTM with forget_bias 0.0"]
    assert forget[1:4] == ["1/8, was 8/8", "fewer solved (p = 0.0028)", "700, was 0"]
    assert by_name["truncated back-propagation: LSTM with window 9"][2] == "none shown (p = 1.00)"
    assert by_name["faster or slower optimiser: LSTM with optimiser sgd"][2] == "too few seeds"
    assert (
        "Not tried alone in the quick study: initialisation, non-saturating activation, normalisation, clipping"
        in caption
    )
    assert not re.search(r"Not tried.*forget bias", caption)
