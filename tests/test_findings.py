"""From scores over seeds to sentences: claims, their direction, and claims that must not be made."""

import json
import re
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rnn_study.reports import comparison, parity
from rnn_study.reports.study import Study
from rnn_study.statistics.summary import task_summary

MARGIN = 0.5
NOISE = np.array([0.3, -1.1, 0.7, 0.2, -0.4, 1.2, -0.8, -0.1])
OTHER = np.array([-0.5, 0.9, 0.1, -1.2, 0.6, 0.4, -0.7, 0.4])


def stage(cells, backend="pytorch", score="accuracy", baselines=None, part="test"):
    """A training stage's file with `cells`' scores on one test part, and an interval of each given by hand."""
    found = {}
    for cell, scores in cells.items():
        scores = [float(value) for value in scores]
        middle, spread = float(np.mean(scores)), float(np.std(scores))
        found[cell] = {
            "scores": {"validation": scores, part: scores},
            "seeds": list(range(len(scores))),
            "diverged": [False] * len(scores),
            "iqm": {part: middle},
            "interval": {part: [middle - spread, middle + spread]},
        }
    return {
        "backend": backend,
        "framework": {"framework": backend, "version": "1"},
        "score": score,
        "unit": "" if score == "accuracy" else "thousand passengers",
        "higher_is_better": score == "accuracy",
        "cells": found,
        "baselines": {name: {part: value} for name, value in (baselines or {}).items()},
    }


def told(tmp_path, *stages):
    """The summary of the stages, and the sentences about it."""
    record = {"source": "x", "title": "X", "origin": "embedded", "generated": False, "complete": True}
    summary = task_summary({"provenance": [record]}, stages, MARGIN)
    (tmp_path / "metrics").mkdir(exist_ok=True)
    (tmp_path / "metrics" / "summary.json").write_text(json.dumps({"tasks": {"airline": summary}}, allow_nan=False))
    return summary, comparison.findings(Study(tmp_path), "airline")


class Claim(NamedTuple):
    """`better` is said to be better than `worse` by `size`, in one framework or, between them, of one cell."""

    where: str
    better: str
    worse: str
    size: float


CLAIM = re.compile(r"(?:(?P<cell>[\w ]+): )?(?P<better>[\w ]+) is better than (?P<worse>[\w ]+) by (?P<size>[\d.]+) ")


def claims(sentences):
    """Every claim that the sentences about comparisons make."""
    found = []
    for sentence in sentences:
        if sentence.startswith("Between"):
            place, text = sentence.split(", ", 1)
            told = [CLAIM.match(part.strip()) for part in text.split(";")]
            assert sentence.count("better") == sum(map(bool, told))
            for claim in filter(None, told):
                where = claim["cell"] or place.removeprefix("Between cells in ")
                found.append(Claim(where, claim["better"], claim["worse"], float(claim["size"])))
    return found


def p_of(a, b):
    return scipy_stats.ttest_rel(a, b).pvalue


def test_a_clear_difference_in_accuracy_is_stated(tmp_path):
    cells = {"vanilla": 0.80 + NOISE / 100, "lstm": 0.90 + OTHER / 100}
    summary, sentences = told(tmp_path, stage(cells))
    (row,) = summary["between_cells"]
    assert row["p_adjusted"] == row["p"] == pytest.approx(p_of(cells["vanilla"], cells["lstm"]), rel=1e-9)
    assert row["probability_of_improvement"] == 0  # no vanilla run is as good as the worst LSTM run
    assert claims(sentences) == [Claim("PyTorch", "LSTM", "vanilla RNN", 10.0)]
    assert "no difference" not in " ".join(sentences)
    assert re.search(r"vanilla RNN 80\.0 %.* LSTM 90\.0 %", sentences[0])


def test_a_lower_error_is_better(tmp_path):
    summary, sentences = told(tmp_path, stage({"vanilla": 20 + NOISE, "gru": 30 + OTHER}, score="rmse"))
    (row,) = summary["between_cells"]
    assert row["probability_of_improvement"] == 1
    assert row["difference"] == pytest.approx(-10)
    assert claims(sentences) == [Claim("PyTorch", "vanilla RNN", "GRU", 10.0)]
    assert "10.00 thousand passengers" in sentences[1]


def test_the_interval_of_a_difference_is_told_in_favour_of_the_better_side(tmp_path):
    a, b = 20 + NOISE, 30 + OTHER
    low, high = scipy_stats.ttest_rel(b, a).confidence_interval(0.95)
    for cells in ({"lstm": a, "gru": b}, {"gru": b, "lstm": a}):
        _, sentences = told(tmp_path, stage(cells, score="rmse"))
        assert f"{low:.2f} to {high:.2f}" in sentences[1]


@pytest.mark.parametrize("score", ["accuracy", "rmse"])
def test_no_difference_is_said_to_be_none(score, tmp_path):
    scale = 100 if score == "accuracy" else 1
    cells = {"lstm": 0.80 + NOISE / scale, "gru": 0.80 + OTHER / scale}
    summary, sentences = told(tmp_path, stage(cells, score=score))
    (row,) = summary["between_cells"]
    assert row["p"] > 0.5
    assert row["better"] == "none"
    assert claims(sentences) == []
    assert "no difference detected between LSTM and GRU" in sentences[1]


def test_equal_scores_are_no_difference(tmp_path):
    summary, sentences = told(tmp_path, stage({"lstm": 0.8 + NOISE / 100, "gru": 0.8 + NOISE / 100}))
    assert summary["between_cells"][0]["probability_of_improvement"] == 0.5
    assert claims(sentences) == []
    assert "no difference detected between LSTM and GRU (p = 1.00)" in sentences[1]


def test_too_few_seeds_make_no_claim(tmp_path):
    cells = {"vanilla": 0.1 + NOISE[:2] / 1000, "lstm": 0.9 + OTHER[:2] / 1000}
    summary, sentences = told(tmp_path, stage(cells), stage(cells, "tensorflow"))
    assert {row["better"] for row in summary["between_cells"] + summary["between_frameworks"]} == {"too few seeds"}
    text = " ".join(sentences)
    assert "better" not in text
    assert "no difference" not in text
    compared = [sentence for sentence in sentences if sentence.startswith("Between")]
    assert len(compared) == 3
    assert all("no claim is made from 2 seeds" in sentence for sentence in compared)


def test_three_seeds_are_enough(tmp_path):
    _, sentences = told(tmp_path, stage({"vanilla": 0.1 + NOISE[:3] / 1000, "lstm": 0.9 + OTHER[:3] / 1000}))
    assert len(claims(sentences)) == 1


def test_diverged_runs_are_told(tmp_path):
    one = stage({"lstm": 0.8 + NOISE / 100})
    one["cells"]["lstm"]["diverged"][3] = True
    _, sentences = told(tmp_path, one)
    assert any("LSTM in PyTorch diverged in 1 of 8 runs" in sentence for sentence in sentences)


def test_the_correction_can_take_a_claim_back(tmp_path):
    """Alone the difference is significant; in a family of two, adjusted, it is not."""
    lstm, gru = 0.80 + NOISE / 40, 0.80 + OTHER / 40
    clear = next(gru + shift for shift in np.arange(0, 0.1, 0.0005) if p_of(lstm, gru + shift) < 0.04)
    p = p_of(lstm, clear)
    assert 0.025 < p < 0.05
    alone, sentences = told(tmp_path, stage({"lstm": lstm, "gru": clear}))
    assert alone["between_cells"][0]["better"] == "b"
    assert [claim[:3] for claim in claims(sentences)] == [("PyTorch", "GRU", "LSTM")]
    family, sentences = told(
        tmp_path, stage({"lstm": lstm, "gru": clear}), stage({"lstm": lstm, "gru": gru}, "tensorflow")
    )
    assert family["between_cells"][0]["p_adjusted"] == pytest.approx(2 * p)
    assert family["between_cells"][0]["better"] == "none"
    assert not [claim for claim in claims(sentences) if claim.where == "PyTorch"]


@pytest.mark.parametrize("score", ["accuracy", "rmse"])
@pytest.mark.parametrize("seed", range(20))
def test_claims_are_exactly_the_significant_differences(seed, score, tmp_path):
    rng = np.random.default_rng(seed)
    runs = {
        (backend, cell): 0.5 + rng.normal(0, 0.03) + 0.03 * rng.normal(size=8)
        for backend in ("pytorch", "tensorflow")
        for cell in ("vanilla", "lstm", "gru")
    }
    stages = [
        stage({cell: scores for (b, cell), scores in runs.items() if b == backend}, backend, score)
        for backend in ("pytorch", "tensorflow")
    ]
    names = {"vanilla": "vanilla RNN", "lstm": "LSTM", "gru": "GRU", "pytorch": "PyTorch", "tensorflow": "TensorFlow"}
    pairs = [("vanilla", "lstm"), ("vanilla", "gru"), ("lstm", "gru")]
    cells = [
        (backend, a, b, runs[backend, a], runs[backend, b]) for backend in ("pytorch", "tensorflow") for a, b in pairs
    ]
    frameworks = [
        (cell, "pytorch", "tensorflow", runs["pytorch", cell], runs["tensorflow", cell])
        for cell in ("vanilla", "lstm", "gru")
    ]
    expected = set()
    for family in (cells, frameworks):
        family = sorted(family, key=lambda row: p_of(*row[3:]))
        for rank, (where, a, b, x, y) in enumerate(family):
            if p_of(x, y) * (len(family) - rank) >= 0.05:
                break  # Holm's procedure as he wrote it: stop at the first that fails
            a_is_better = (x.mean() > y.mean()) == (score == "accuracy")
            better, worse = (a, b) if a_is_better else (b, a)
            expected.add((names[where], names[better], names[worse]))
    _, sentences = told(tmp_path, *stages)
    found = claims(sentences)
    assert {claim[:3] for claim in found} == expected
    assert len(found) == len(expected)


def test_frameworks_are_compared_cell_by_cell(tmp_path):
    one = stage({"lstm": 20 + NOISE, "gru": 20 + NOISE}, "pytorch", "rmse")
    other = stage({"lstm": 25 + OTHER, "gru": 20 + NOISE}, "tensorflow", "rmse")
    _, sentences = told(tmp_path, one, other)
    assert Claim("LSTM", "PyTorch", "TensorFlow", 5.0) in claims(sentences)
    assert not [claim for claim in claims(sentences) if claim.where == "GRU"]


@pytest.mark.parametrize(
    ("score", "baseline", "verdicts"),
    [
        # vanilla at 0.70, LSTM at 0.80, each with an interval of +- 0.0072 (the spread of NOISE / 100)
        ("accuracy", 0.75, {"vanilla": "b", "lstm": "a"}),
        ("rmse", 0.75, {"vanilla": "a", "lstm": "b"}),
        ("accuracy", 0.805, {"vanilla": "b", "lstm": "none"}),
        ("rmse", 0.699, {"vanilla": "none", "lstm": "b"}),
    ],
)
def test_baselines_are_met_by_a_corrected_one_sample_test(score, baseline, verdicts, tmp_path):
    cells = {"vanilla": 0.70 + NOISE / 100, "lstm": 0.80 + NOISE / 100}
    summary, sentences = told(tmp_path, stage(cells, score=score, baselines={"rule": baseline}))
    assert {row["a"]: row["better"] for row in summary["against_baselines"]} == verdicts
    for row in summary["against_baselines"]:
        assert row["p"] == pytest.approx(scipy_stats.ttest_1samp(cells[row["a"]], baseline).pvalue)
    (sentence,) = [sentence for sentence in sentences if "“rule”" in sentence]
    words = {"a": "etter than it: ", "b": "orse: ", "none": "o difference detected: "}
    names = {"vanilla": "vanilla RNN", "lstm": "LSTM"}
    for cell, verdict in verdicts.items():
        assert f"{words[verdict]}{names[cell]} (PyTorch)" in sentence


def test_every_test_part_is_a_family_of_its_own(tmp_path):
    clear = stage({"lstm": 0.8 + NOISE / 100, "gru": 0.7 + OTHER / 100})
    for found in clear["cells"].values():
        found["scores"]["hand_labelled"] = (0.6 + NOISE / 100).tolist()
        found["iqm"]["hand_labelled"], found["interval"]["hand_labelled"] = 0.6, [0.59, 0.61]
    summary, sentences = told(tmp_path, clear)
    assert summary["parts"] == ["test", "hand_labelled"]
    test, hand = summary["between_cells"]
    assert (test["part"], test["better"], test["p_adjusted"]) == ("test", "a", test["p"])
    assert (hand["part"], hand["better"]) == ("hand_labelled", "none")
    start = [sentence.split(":")[0] for sentence in sentences]
    assert start.index("Hand-labelled tweets, PyTorch") > start.index("Test part, PyTorch")
    assert claims(sentences[: start.index("Hand-labelled tweets, PyTorch")]) == claims(sentences)


def test_one_cell_in_one_framework_compares_nothing(tmp_path):
    summary, sentences = told(tmp_path, stage({"lstm": 0.8 + NOISE / 100}))
    assert summary["between_cells"] == summary["between_frameworks"] == []
    (sentence,) = sentences
    assert "LSTM 80.0 %" in sentence


def test_a_small_p_is_not_written_as_zero(tmp_path):
    _, sentences = told(tmp_path, stage({"vanilla": 0.2 + NOISE / 100, "lstm": 0.9 + OTHER / 100}))
    assert len(claims(sentences)) == 1
    assert not re.search(r"p = 0\.0+\b", " ".join(sentences))


def parity_of(tmp_path, rows, curves, bptt=None):
    """The sentences about parity checks of which the named keys are given."""
    blank = {"check": "update", "cell": "gru", "framework": "both", "dtype": "float64", "case": "case", "bound": 1e-12}
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/parity.json").write_text(json.dumps([blank | row for row in rows]))
    (tmp_path / "runs/parity").mkdir(parents=True)
    arrays = {f"{key}/{name}": np.array(array) for key, found in curves.items() for name, array in found.items()}
    np.savez(tmp_path / "runs/parity/curves.npz", **arrays)
    (tmp_path / "runs/parity/worked.json").write_text(json.dumps({"bptt": {"deviations": bptt or {}}}))
    return Study(tmp_path)


GAP = {"check": "free-running gap", "deviation": 2.0, "bound": 30.0}
CALM = {"gap": [0.0, 2e-16], "floor": [1e-16, 1e-16], "defaults": [0.0, 0.25]}
WILD = {"gap": [0.0, 31e-16], "floor": [1e-16, 1e-16], "defaults": [0.0, 0.5]}


def test_frameworks_that_part_no_further_than_rounding_does(tmp_path):
    rows = [GAP, {"deviation": 3e-15}, {"deviation": 1e-13, "case": "worst"}]
    free, defaults, *checks = parity.findings(parity_of(tmp_path, rows, {"airline/gru/float64": CALM}))
    assert free.startswith("The frameworks disagree no more than rounding disagrees with itself: in 1 training of 2 ")
    assert "2.0 times the gap" in free
    assert "at worst the losses were apart by GRU 0.25" in defaults
    assert checks == ["Update, float64: 2 checks, the worst 1.0e-13, within the bound of 1.0e-12."]


def test_frameworks_that_part_further_are_named(tmp_path):
    curves = {"airline/gru/float64": CALM, "airline/lstm/float64": WILD}
    free, *_ = parity.findings(parity_of(tmp_path, [GAP], curves))
    assert "In 1 of 2 trainings of 2 updates the frameworks part further than rounding explains" in free
    assert "LSTM on Airline passengers in float64" in free
    assert "GRU" not in free
    assert "no more than" not in free


@pytest.mark.parametrize("deviation", [2e-12, float("nan")])
def test_a_check_beyond_its_bound_is_named(deviation, tmp_path):
    rows = [GAP, {"deviation": 1e-13}, {"deviation": deviation, "cell": "lstm", "case": "momentum"}]
    *_, check = parity.findings(parity_of(tmp_path, rows, {"airline/gru/float64": CALM}))
    assert "beyond the bound of 1.0e-12: LSTM in PyTorch against TensorFlow (momentum)" in check
    assert "within" not in check


def test_which_formula_gives_the_gradient(tmp_path):
    deviations = {"corrected": 2e-16, "product twice": 0.2}
    sentences = parity.through_time(parity_of(tmp_path, [GAP], {"airline/gru/float64": CALM}, deviations))
    assert sentences == [
        "The formula “corrected” gives the gradient, to rounding.",
        "The formula “product twice” does not: it is off by 20 % of the gradient's largest entry.",
    ]


# Equivalence of the frameworks

CLOSE = np.array([0.1, -0.2, 0.15, 0.05, -0.1, 0.2, -0.15, 0.0, 0.1, -0.05])
LEVEL = np.linspace(70, 75, 10)


def equivalence_of(tmp_path, apart, others=None):
    """The rows and the sentence where the second framework's GRU is `apart` from the first one's."""
    cells = [{"gru": LEVEL}, {"gru": LEVEL + apart}]
    if others is not None:
        cells = [one | {"lstm": LEVEL + others} for one in cells]
    stages = [stage(one, backend, score="rmse") for one, backend in zip(cells, ("pytorch", "tensorflow"), strict=True)]
    summary, sentences = told(tmp_path, *stages)
    (sentence,) = [text for text in sentences if text.startswith("Equivalence")]
    return summary, sentence


def test_close_frameworks_are_equivalent_and_far_ones_are_not(tmp_path):
    summary, sentence = equivalence_of(tmp_path, CLOSE)
    (row,) = summary["equivalence"]
    assert (row["verdict"], row["margin"], row["n"], row["cell"]) == ("equivalent", MARGIN, 10, "gru")
    assert sentence.startswith(
        "Equivalence of the frameworks within ±0.5 thousand passengers: shown for GRU (p < 0.001)"
    )
    summary, sentence = equivalence_of(tmp_path, CLOSE + 0.6)
    assert summary["equivalence"][0]["verdict"] == "not shown"
    assert "not shown for GRU (p = " in sentence
    assert ", power 100 %)" in sentence


def test_noise_is_not_equivalence(tmp_path):
    """No difference is detected, and yet none is excluded: the power says so."""
    summary, sentence = equivalence_of(tmp_path, 20 * CLOSE)
    assert summary["between_frameworks"][0]["better"] == "none"
    assert summary["equivalence"][0]["verdict"] == "not shown"
    assert re.search(r"not shown for GRU \(p = 0\.\d+, power \d %\)", sentence)


def test_few_seeds_are_not_tested(tmp_path):
    stages = [stage({"gru": LEVEL[:8]}, backend, score="rmse") for backend in ("pytorch", "tensorflow")]
    summary, sentences = told(tmp_path, *stages)
    assert summary["equivalence"][0]["verdict"] == "too few seeds"
    assert any("untested for GRU" in text for text in sentences)


def test_equivalence_is_corrected_for_the_number_of_cells(tmp_path):
    summary, _ = equivalence_of(tmp_path, CLOSE, others=CLOSE[::-1] + 30)
    rows = {row["cell"]: row for row in summary["equivalence"]}
    small, large = sorted(row["p"] for row in rows.values())
    found = sorted(row["p_adjusted"] for row in rows.values())
    assert found == pytest.approx([2 * small, max(2 * small, large)], rel=1e-12)  # Holm 1979, of two


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        (0.7, "wider than half of the smallest difference claimed, 0.7"),
        (3.0, "the margin is at most half of the smallest difference between cells"),
        (None, "nothing is claimed between cells"),
    ],
)
def test_the_margin_is_held_against_the_smallest_claim(tmp_path, others, rule):
    apart = None if others is None else others + CLOSE[::-1] / 10
    summary, sentence = equivalence_of(tmp_path, CLOSE / 10, apart)
    assert (summary["smallest_claim"] is None) == (others is None)
    assert rule in sentence


# What the frameworks' defaults make

GAPS = {"initial weights": 0.7, "another draw": 0.6, "Adam's epsilon": 1e-4, "clipping": 1e-7, "number of biases": 0.08}


def test_the_defaults_are_told_in_the_order_of_their_weight():
    curves = {("airline", "lstm", "float64"): {"gap": np.array([1e-16, 3e-14])}}
    defaults = {("airline", "lstm"): GAPS | {"all of them": 0.9}}
    (sentence,) = parity.defaults(SimpleNamespace(defaults=defaults, curves=curves))
    assert "with the frameworks' defaults the losses part by up to 0.9, with matched settings by 3e-14" in sentence
    assert (
        "Most of it is initial weights (0.7 alone, though another draw by the same scheme already makes 0.6)"
        in sentence
    )
    assert sentence.endswith("then number of biases (0.08).")


def test_defaults_that_were_not_run_are_said_to_be_so():
    study = SimpleNamespace(defaults={}, curves={})
    assert parity.defaults(study) == ["Not run: parity.defaults in params.yaml names no cell."]
    parity.defaults_table(study)  # shows nothing
