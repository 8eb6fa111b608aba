"""From scores and verdicts to sentences and tables: what is said, its figures, and what must not be said."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from scipy import stats
from test_answers import study as a_study
from test_report import Texts

from rnn_study.data.prepared import pack_texts
from rnn_study.model.task import Batch, Task
from rnn_study.reports import comparison, parity, verdicts
from rnn_study.reports.comparison.findings import gap as written_gap
from rnn_study.reports.comparison.tables import worst_tweets
from rnn_study.reports.elements import display, wording
from rnn_study.reports.study import Study
from rnn_study.statistics.marks import Scored
from rnn_study.statistics.summary import task_summary
from rnn_study.verdicts.answers import answers

MARGIN = 0.5
EXAMPLES = 30
NOISE = np.array([0.3, -1.1, 0.7, 0.2, -0.4, 1.2, -0.8, -0.1])
OTHER = np.array([-0.5, 0.9, 0.1, -1.2, 0.6, 0.4, -0.7, 0.4])
FRAMEWORKS = ("pytorch", "tensorflow")


def a_task(score, parts):
    """A task of that score; its examples are not read."""
    batch = Batch(np.zeros((EXAMPLES, 2, 1), np.float32), np.zeros(EXAMPLES, int))
    loss = {"accuracy": "cross_entropy", "rmse": "squared_error"}[score]
    return Task("airline", loss, 2, batch, batch, dict.fromkeys(parts, batch))


def stage(cells, backend, score, baselines):
    """A training stage's file with `cells`' scores by test part."""
    found = {}
    for cell, parts in cells.items():
        seeds = len(next(iter(parts.values())))
        found[cell] = {
            "impl": "equations" if cell == "gru" else "native",
            "device": "cpu",
            "units": [12, 7],
            "parameters": 1234,
            "parameters_with_embedding": 56789,
            "learning_rate": 0.0123,
            "clip": None if cell == "gru" else 1.5,
            "dropout": 0.25,
            "scores": {part: [float(value) for value in scores] for part, scores in parts.items()},
            "mean": {part: float(np.mean(scores)) for part, scores in parts.items()},
            "interval": {part: [float(bound) for bound in student(scores)[1:]] for part, scores in parts.items()},
            "seeds": list(range(seeds)),
            "updates": [100 * seed for seed in range(seeds)],
            "diverged": [False] * seeds,
        }
    return {
        "backend": backend,
        "framework": {"framework": backend, "version": "1"},
        "score": score,
        "unit": "" if score == "accuracy" else "thousand passengers",
        "higher_is_better": score == "accuracy",
        "cells": found,
        "baselines": baselines,
    }


def student(x):
    """SciPy's mean and 95 % interval."""
    return (np.mean(x), *stats.ttest_1samp(x, 0).confidence_interval())


def summarised(tmp_path, runs, score="accuracy", baselines=None, searches=1, diverged=()):
    """A finished study of one task, `runs` by framework, cell and test part the scores of seeds. Every example has its
    seed's score, so that seeds alone make a spread."""
    runs = {
        backend: {
            cell: {
                part: np.asarray(x, float)
                for part, x in (parts if isinstance(parts, dict) else {"test": parts}).items()
            }
            for cell, parts in cells.items()
        }
        for backend, cells in runs.items()
    }
    first = next(iter(next(iter(runs.values())).values()))
    baselines = {name: dict.fromkeys(first, value) for name, value in (baselines or {}).items()}
    stages = [stage(cells, backend, score, baselines) for backend, cells in runs.items()]
    for backend, cell, seed in diverged:
        (found,) = [one for one in stages if one["backend"] == backend]
        found["cells"][cell]["diverged"][seed] = True

    def marks(x):
        return np.repeat(np.asarray(x, float)[..., None], EXAMPLES, axis=-1)

    scored = Scored(
        a_task(score, first),
        len(next(iter(first.values()))),
        {b: {c: {p: marks(x) for p, x in parts.items()} for c, parts in cells.items()} for b, cells in runs.items()},
        {name: {part: marks(value) for part, value in parts.items()} for name, parts in baselines.items()},
    )
    record = {"source": "x", "title": "X", "origin": "embedded", "generated": False, "complete": True}
    summary = task_summary(scored, {"provenance": [record]}, stages, MARGIN / 100 if score == "accuracy" else MARGIN)
    (tmp_path / "metrics").mkdir(exist_ok=True)
    text = json.dumps({"study": "quick", "searches": searches, "tasks": {"airline": summary}}, allow_nan=False)
    (tmp_path / "metrics" / "summary.json").write_text(text)
    return Study(tmp_path)


def told(*words, **more):
    return comparison.findings(summarised(*words, **more), "airline")


PASSENGERS = "thousand passengers"


def difference(x, scale=1, unit=PASSENGERS):
    """A difference over seeds as a sentence writes it."""
    value, low, high = (scale * one for one in student(x))
    return f"{value:+.2f} {unit} ({low:+.2f} to {high:+.2f})"


def points(x):
    """The same of accuracy."""
    return difference(x, 100, "points")


# Scores, differences, baselines


def test_scores_are_means_over_seeds_and_both_frameworks(tmp_path):
    """Averaged seed by seed: the interval is Student's of the averages."""
    runs = {
        "pytorch": {"vanilla": 0.80 + NOISE / 100, "lstm": 0.90 + OTHER / 100},
        "tensorflow": {"vanilla": 0.82 + OTHER / 50, "lstm": 0.91 + OTHER / 100},
    }
    first, *_ = told(tmp_path, runs)
    parts = []
    for cell, name in (("vanilla", "vanilla RNN"), ("lstm", "LSTM")):
        value, low, high = 100 * np.array(student((runs["pytorch"][cell] + runs["tensorflow"][cell]) / 2))
        parts.append(f"{name} {value:.1f} % ({low:.1f} to {high:.1f} %)")
    assert first == (
        f"Test part: accuracy of {' and '.join(parts)}, the mean over seeds and over PyTorch and TensorFlow."
    )


def test_an_error_is_told_in_its_unit(tmp_path):
    runs = {"pytorch": {"vanilla": 20 + NOISE, "gru": 30 + OTHER}}
    first, second, *rest = told(tmp_path, runs, "rmse")
    value, low, high = student(20 + NOISE)
    assert first.startswith(f"Test part: RMSE of vanilla RNN {value:.2f} ({low:.2f} to {high:.2f}) and GRU 30.00 (")
    assert first.endswith("over PyTorch.")
    assert second == f"Between cells: GRU less vanilla RNN {difference(10 + OTHER - NOISE)}."
    assert rest == []  # one framework, no baseline, nothing diverged


def test_every_pair_of_cells_is_told_once_paired_by_seed(tmp_path):
    """The later cell less the one before it, both frameworks averaged."""
    runs = {
        "pytorch": {"vanilla": 0.5 + NOISE / 100, "lstm": 0.6 + OTHER / 100, "gru": 0.6 + NOISE / 50},
        "tensorflow": {"vanilla": 0.5 + OTHER / 100, "lstm": 0.6 - NOISE / 100, "gru": 0.55 + NOISE / 70},
    }
    mean = {cell: (runs["pytorch"][cell] + runs["tensorflow"][cell]) / 2 for cell in runs["pytorch"]}
    gaps = [
        f"{label} {points(mean[a] - mean[b])}"
        for a, b, label in (
            ("lstm", "vanilla", "LSTM less vanilla RNN"),
            ("gru", "vanilla", "GRU less vanilla RNN"),
            ("gru", "lstm", "GRU less LSTM"),
        )
    ]
    assert told(tmp_path, runs)[1] == f"Between cells: {'; '.join(gaps)}."


def test_a_difference_is_never_a_claim(tmp_path):
    """However large: an interval, and no p, no better and no worse; verdicts are the questions' alone."""
    cells = {"vanilla": 0.1 + NOISE / 1000, "lstm": 0.9 + OTHER / 1000}
    sentences = told(tmp_path, {"pytorch": cells}, baselines={"rule": 0.3})
    assert len(sentences) == 3
    assert not re.search(r"better|worse|significant|p [<=]", " ".join(sentences))


def test_cells_are_held_against_each_baseline(tmp_path):
    runs = {
        "pytorch": {"vanilla": 20 + NOISE, "lstm": 30 + OTHER},
        "tensorflow": {"vanilla": 21 + NOISE, "lstm": 28 + NOISE},
    }
    sentences = told(tmp_path, runs, "rmse", {"a rule": 25.0, "another": 19.5})
    mean = {cell: (runs["pytorch"][cell] + runs["tensorflow"][cell]) / 2 for cell in runs["pytorch"]}
    for place, (name, value) in enumerate({"a rule": 25.0, "another": 19.5}.items()):
        from_there = f"vanilla RNN {difference(mean['vanilla'] - value)}; LSTM {difference(mean['lstm'] - value)}"
        assert sentences[2 + place] == f"Baseline “{name}” reaches {value:.2f}; from there {from_there}."


def test_frameworks_are_held_against_each_other_cell_by_cell(tmp_path):
    runs = {"pytorch": {"lstm": 20 + NOISE, "gru": 20 + NOISE}, "tensorflow": {"lstm": 25 + OTHER, "gru": 20 + NOISE}}
    sentences = told(tmp_path, runs, "rmse")
    same = "GRU +0.00 thousand passengers (+0.00 to +0.00)"
    assert sentences[2] == f"PyTorch less TensorFlow: LSTM {difference(NOISE - OTHER - 5)}; {same}."
    assert sentences[3].startswith("Equivalence of the frameworks within ±0.5 thousand passengers: ")


def test_every_test_part_has_its_own_sentences(tmp_path):
    lstm = {"test": 0.8 + NOISE / 100, "hand_labelled": 0.6 + NOISE / 100}
    gru = {"test": 0.7 + OTHER / 100, "hand_labelled": 0.65 + NOISE / 100}
    later = {part: scores + 0.01 + NOISE / 200 for part, scores in lstm.items()}
    runs = {"pytorch": {"lstm": lstm, "gru": gru}, "tensorflow": {"lstm": later, "gru": gru}}
    sentences = told(tmp_path, runs, baselines={"rule": 0.55})
    assert [sentence.split(" ")[0] for sentence in sentences] == [
        *("Test", "Between", "Baseline", "PyTorch", "Equivalence"),
        *("Hand-labelled", "Between", "Baseline", "PyTorch", "Equivalence"),
    ]
    assert sentences[5].startswith("Hand-labelled tweets: accuracy of LSTM 60.5 % (")
    for place, part in ((0, "test"), (5, "hand_labelled")):
        one, other = (lstm[part] + later[part]) / 2, gru[part]
        assert sentences[place + 1] == f"Between cells: GRU less LSTM {points(other - one)}."
        from_there = f"LSTM {points(one - 0.55)}; GRU {points(other - 0.55)}"
        assert sentences[place + 2] == f"Baseline “rule” reaches 55.0 %; from there {from_there}."
        gaps = f"LSTM {points(-0.01 - NOISE / 200)}; GRU +0.00 points (+0.00 to +0.00)"
        assert sentences[place + 3] == f"PyTorch less TensorFlow: {gaps}."
        assert (sentences[place + 4].count("LSTM"), sentences[place + 4].count("GRU")) == (1, 1)


def test_diverged_runs_are_told(tmp_path):
    sentences = told(tmp_path, {"pytorch": {"lstm": 0.8 + NOISE / 100}}, diverged=[("pytorch", "lstm", 3)])
    assert len(sentences) == 2
    assert sentences[1].startswith("LSTM in PyTorch diverged in 1 of 8 runs; these count")


def test_one_cell_in_one_framework_compares_nothing(tmp_path):
    (sentence,) = told(tmp_path, {"pytorch": {"lstm": 0.8 + NOISE / 100}})
    assert "LSTM 80.0 %" in sentence


# Equivalence of the frameworks

CLOSE = np.array([0.1, -0.2, 0.15, 0.05, -0.1, 0.2, -0.15, 0.0, 0.1, -0.05])
LEVEL = np.linspace(70, 75, 10)


def equivalence_of(tmp_path, **apart):
    """The study where the second framework's cells are so far `apart` from the first one's, seed by seed."""
    first = {cell: LEVEL[: len(gap)] for cell, gap in apart.items()}
    second = {cell: first[cell] + gap for cell, gap in apart.items()}
    return summarised(tmp_path, {"pytorch": first, "tensorflow": second}, "rmse")


def two_one_sided(gap):
    """p of the two one-sided tests against the margin, by SciPy."""
    sides = (("greater", -MARGIN), ("less", MARGIN))
    return max(stats.ttest_1samp(gap, bound, alternative=side).pvalue for side, bound in sides)


def sentence_of(study):
    (sentence,) = [text for text in comparison.findings(study, "airline") if text.startswith("Equivalence")]
    return sentence.removeprefix("Equivalence of the frameworks within ±0.5 thousand passengers: ")


def test_close_frameworks_are_equivalent_and_others_are_not_shown_to_be(tmp_path):
    """Far apart, or as near in the mean but noisy: neither is shown."""
    apart = {"gru": CLOSE, "lstm": CLOSE + 0.6, "vanilla": 20 * CLOSE}
    p = {cell: two_one_sided(-gap) for cell, gap in apart.items()}
    assert p["gru"] < 0.001
    assert sentence_of(equivalence_of(tmp_path, **apart)) == (
        f"shown for GRU (p < 0.001); not shown for LSTM (p = {p['lstm']:.2f}) and vanilla RNN (p = {p['vanilla']:.2f})."
    )


def test_few_seeds_are_not_tested(tmp_path):
    assert sentence_of(equivalence_of(tmp_path, gru=CLOSE[:7])).endswith("untested for GRU.")
    assert sentence_of(equivalence_of(tmp_path, gru=CLOSE[:8] / 10)).startswith("shown for GRU (")


def test_a_margin_of_accuracy_is_told_in_points(tmp_path):
    runs = {backend: {"lstm": 0.8 + NOISE / 100} for backend in FRAMEWORKS}
    assert told(tmp_path, runs)[2].startswith("Equivalence of the frameworks within ±0.5 points: shown for LSTM (")


def shown(show, *words):
    """What a function displays: each table's caption and rows of cells, all text, and the tags."""
    InteractiveShell.instance()
    with capture_output() as captured:
        show(*words)
    html = [output.data["text/html"] for output in captured.outputs]
    page = Texts()
    page.feed("".join(html))
    tables = []
    for text in html:
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)]
        if rows:
            tables.append((re.search("<caption>(.*?)</caption>", text)[1], rows))
    return SimpleNamespace(tables=tables, text=page.text, tags=page.tags)


def test_the_table_of_equivalence(tmp_path):
    """The interval is the one within the margin exactly where p is below 0.005: 99 %."""
    study = equivalence_of(tmp_path, gru=CLOSE, lstm=CLOSE + 0.6)
    ((caption, (header, *rows)),) = shown(comparison.equivalence_table, study, "airline").tables
    assert header == [
        *("cell", "verdict", "99 % interval, thousand passengers", "margin, thousand passengers", "part", "p", "seeds")
    ]
    assert "p &lt; 0.005" in caption
    for row, name, gap, word in zip(
        rows, ("GRU", "LSTM"), (-CLOSE, -CLOSE - 0.6), ("equivalent", "not shown"), strict=True
    ):
        low, high = stats.ttest_1samp(gap, 0).confidence_interval(0.99)
        p = two_one_sided(gap)
        written = "p &lt; 0.001" if p < 0.001 else f"p = {p:.2f}"
        assert row == [name, word, f"{low:+.2f} to {high:+.2f}", "±0.5", "test part", written, "10"]


def test_the_table_of_differences_has_every_comparison(tmp_path):
    runs = {"pytorch": {"lstm": 20 + NOISE, "gru": 21 + OTHER}, "tensorflow": {"lstm": 25 + OTHER, "gru": 20 + NOISE}}
    study = summarised(tmp_path, runs, "rmse", {"a rule": 25.0}, searches=2)
    ((caption, (header, *rows)),) = shown(comparison.table, study, "airline").tables
    assert "exploratory" in caption
    assert "over 2 searches for settings" in caption
    mean = {cell: (runs["pytorch"][cell] + runs["tensorflow"][cell]) / 2 for cell in ("lstm", "gru")}
    part = "test part"
    assert rows == [
        ["GRU − LSTM", "both frameworks", part, difference(mean["gru"] - mean["lstm"]), "8"],
        ["LSTM − a rule", "both frameworks", part, difference(mean["lstm"] - 25), "8"],
        ["GRU − a rule", "both frameworks", part, difference(mean["gru"] - 25), "8"],
        ["PyTorch − TensorFlow", "LSTM", part, difference(NOISE - OTHER - 5), "8"],
        ["PyTorch − TensorFlow", "GRU", part, difference(1 + OTHER - NOISE), "8"],
    ]
    assert header[3] == "RMSE (95 % interval)"


def test_the_table_of_results_has_every_cell_in_each_framework(tmp_path):
    runs = {backend: {"lstm": 0.8 + NOISE / 100, "gru": 0.7 + OTHER / 100} for backend in FRAMEWORKS}
    study = summarised(tmp_path, runs, baselines={"<i>rule</i>": 0.655})
    ((caption, (header, *rows)),) = shown(comparison.results_table, study, "airline", "test").tables
    assert "given this one search for settings" in caption
    assert [row[0] for row in rows] == [
        *("LSTM, PyTorch", "GRU, PyTorch (equations)", "LSTM, TensorFlow", "GRU, TensorFlow (equations)"),
        "baseline: &lt;i&gt;rule&lt;/i&gt;",
    ]
    value, low, high = 100 * np.array(student(0.8 + NOISE / 100))
    settings = ["8", "12×7", "1,234", "56,789", "350", "0.012", "1.5", "0.25"]
    assert rows[0][1:] == [f"{value:.1f} %", f"{low:.1f} to {high:.1f} %", *settings]
    assert rows[1][9] == "none"  # clip
    assert rows[4][1:] == ["65.5 %", *["–"] * 9]
    assert {len(row) for row in rows} == {len(header)}


def test_a_name_from_data_is_text(tmp_path):
    """In sentences and in tables."""
    study = summarised(tmp_path, {"pytorch": {"lstm": 0.8 + NOISE / 100}}, baselines={"<i>A & B</i>": 0.5})
    sentences = comparison.findings(study, "airline")
    for page in (
        shown(display.show_findings, study, "airline", sentences),
        shown(comparison.table, study, "airline"),
        shown(comparison.results_table, study, "airline", "test"),
    ):
        assert "<i>A & B</i>" in page.text
        assert "i" not in page.tags


def test_the_worst_tweets_are_those_whose_label_got_least_over_cells_and_seeds():
    """Chances from outputs by softmax, by hand: of three tweets and two classes, log 3 is 3 to 1."""
    texts, offsets = pack_texts(["right", MARKUP, "mixed"])
    three = np.log(3)
    outputs = {
        # two seeds; the labels are the second, the first and the first class
        "lstm": [[[0, three], [0, three], [0, 0]], [[0, three], [0, three], [0, three]]],
        "gru": [[[0, three], [0, three], [three, 0]], [[0, three], [0, three], [0, 0]]],
    }
    prepared = SimpleNamespace(
        extras={"texts_test": texts, "offsets_test": offsets, "classes": np.array(["negative", "positive"])},
        parts=lambda: {"test": SimpleNamespace(y=np.array([1, 0, 0]))},
    )
    record = {"title": "X", "origin": "embedded", "generated": False, "complete": True}
    task = {"backends": {"pytorch": {"cells": outputs}, "tensorflow": {}}, "card": {"provenance": [record]}}
    study = SimpleNamespace(
        tasks={"tweets": task},
        prepared=lambda name: prepared,
        predictions=lambda name, backend, cell, part: np.array(outputs[cell], np.float16),
    )
    page = shown(lambda: worst_tweets(study, count=2))
    ((caption, (_, *rows)),) = page.tables
    assert rows == [
        ["An &lt;b&gt;LSTM&lt;/b&gt; &amp; more", "negative", "25.0 %"],
        ["mixed", "negative", "50.0 %"],  # 1/2, 1/4, 3/4 and 1/2
    ]
    assert "(PyTorch, all cells and seeds)" in caption


# Answers to the questions


def answer(**more):
    """A row of metrics/verdicts.json."""
    row = {
        "question": "one",
        "claim": "An LSTM is better",
        "measure": "score",
        "of": "airline",
        "part": "test",
        "smallest": 0.03,
        "value": 0.1234,
        "low": 0.05,
        "high": 0.2,
        "unit": "accuracy",
        "seeds": 10,
        "verdict": "holds",
        "p": 0.0001,
        "p_adjusted": 0.0008,
        "otherwise": 0.02,
        "power": 0.85,
        "needs": 9,
    }
    row |= more
    if row["measure"] != "score":
        del row["part"]
    return row


PASSENGER = {"unit": PASSENGERS, "value": -12.346, "low": -20.0, "high": 1234.5, "smallest": 30.0}
REACH = {
    "measure": "reach",
    "of": "adding",
    "unit": "lengths",
    "value": 1.626,
    "low": -0.5,
    "high": 3.75,
    "smallest": 1.0,
}
SPEED = {"measure": "speed", "of": "adding", "unit": "updates", "value": -1234.4, "low": -2000.0, "high": -0.6}
ARRIVES = {"measure": "arrives", "of": "adding", "unit": "powers of ten", "share": 0.01, "value": -1.0}


@pytest.mark.parametrize(
    ("more", "estimate", "smallest"),
    [
        ({}, "+12.3 points (+5.0 to +20.0)", "3.0 points"),
        ({"value": -0.1234, "low": -0.2, "high": 0.0049}, "−12.3 points (−20.0 to +0.5)", "3.0 points"),
        (PASSENGER, f"−12.35 {PASSENGERS} (−20.00 to +1,234.50)", f"30.00 {PASSENGERS}"),
        (REACH, "+1.6 more lengths solved (−0.5 to +3.8)", "1.0 more lengths solved"),
        (SPEED | {"smallest": 1500.0}, "−1,234 updates (−2,000 to −1)", "1,500 updates"),
        # 1 % times 10^-1, with 10^-2 and 10^0.5 around it; what matters is a factor of 5, 10^0.699
        (
            ARRIVES | {"low": -2.0, "high": 0.5, "smallest": np.log10(5)},
            "0.1 % of the error (0.01 % to 3.16 %)",
            "×5 of 1 %",
        ),
        ({"value": 0.05, "low": 0.05, "high": 0.05}, "+5.0 points (all seeds alike)", "3.0 points"),
    ],
)
def test_a_figure_is_written_in_its_unit(more, estimate, smallest):
    row = answer(**more)
    assert verdicts.estimate(row) == estimate
    assert verdicts.smallest(row) == smallest
    assert estimate in verdicts.sentence(row)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "< 1 %"), (0.0099, "< 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.99, "99 %"), (0.9901, "> 99 %"), (1, "> 99 %")],
)
def test_a_chance_is_never_0_or_100(share, text):
    assert verdicts.chance(share) == text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "“An LSTM is better”, The series: it holds, +12.3 points (+5.0 to +20.0), 10 seeds; fresh"),
        ({"verdict": "opposite"}, "The series: the opposite holds, +12.3"),
        ({"verdict": "no difference that matters"}, ": there is no difference that matters, +12.3"),
        ({"verdict": "open", "seeds": 8}, ": open, +12.3 points (+5.0 to +20.0), 8 seeds; fresh seeds"),
        ({"verdict": "open", "seeds": 7}, ", 7 seeds; a verdict takes 8; fresh seeds would"),
        ({"part": "hand_labelled"}, "The series, hand-labelled tweets: it holds"),
        (REACH, "“An LSTM is better”, Adding problem: it holds"),
        ({"otherwise": 0.001}, "; fresh seeds would say otherwise with a chance of < 1 %."),
        ({"otherwise": 0.234}, "; fresh seeds would say otherwise with a chance of 23 %."),
    ],
)
def test_an_answer_says_what_holds_how_much_and_how_sure(more, said):
    assert said in verdicts.sentence(answer(**more))


@pytest.mark.parametrize(
    ("verdict", "otherwise", "heads"),
    [
        ("holds", 0.0999, True),
        ("holds", 0.1, False),
        ("opposite", 0.0999, True),
        ("opposite", 0.5, False),
        ("no difference that matters", 0.0999, True),
        ("no difference that matters", 0.1, False),
        ("open", 0.0, False),
        ("open", 0.9, False),
    ],
)
def test_what_heads_a_page_is_answered_and_would_be_again(verdict, otherwise, heads):
    """Every question stands once, on one side or the other."""
    row = answer(verdict=verdict, otherwise=otherwise)
    assert list(verdicts.headlines([row])) == ([verdicts.sentence(row)] if heads else [])
    assert list(verdicts.unsettled([row])) == ([] if heads else [verdicts.sentence(row)])


def asked(tmp_path, *rows):
    (tmp_path / "metrics").mkdir(exist_ok=True)
    (tmp_path / "metrics/verdicts.json").write_text(json.dumps({"verdicts": rows}))
    (tmp_path / "metrics/summary.json").write_text(json.dumps({"study": "quick", "searches": 1}))
    return Study(tmp_path)


MARKUP = "An <b>LSTM</b> & more"


def test_answers_are_shown_apart_and_escaped(tmp_path):
    rows = [answer(claim=MARKUP), answer(claim="Second", otherwise=0.4), answer(claim="Third", of="adding")]
    page = shown(verdicts.show_answers, asked(tmp_path, *rows))
    assert "b" not in page.tags
    assert f"“{MARKUP}”" in page.text
    assert (page.tags.count("li"), page.tags.count("div")) == (3, 2)
    answered, unsettled = page.text.split("Not settled")
    assert answered.startswith("Answered")
    assert [claim in answered for claim in (MARKUP, "Second", "Third")] == [True, False, True]
    assert "Second" in unsettled


def test_a_page_shows_what_was_asked_of_its_tasks(tmp_path):
    rows = [answer(claim="First"), answer(claim="Second", of="adding"), answer(claim="Third", of="tweets")]
    study = asked(tmp_path, *rows)
    page = shown(verdicts.show_answers, study, "adding", "tweets")
    assert [claim in page.text for claim in ("First", "Second", "Third")] == [False, True, True]
    assert "Not settled" not in page.text
    ((_, (_, *table)),) = shown(verdicts.show_questions, study, "airline").tables
    assert [row[0] for row in table] == ["First"]
    assert [row["claim"] for row in verdicts.rows(study)] == ["First", "Second", "Third"]


def test_a_page_shows_what_was_asked_by_a_measure(tmp_path):
    """Which may stand beside tasks: a question about either stands there once."""
    study = asked(tmp_path, answer(claim="First"), answer(claim="Second", **REACH), answer(claim="Third", **SPEED))
    assert [row["claim"] for row in verdicts.rows(study, "speed")] == ["Third"]
    assert [row["claim"] for row in verdicts.rows(study, "reach", "airline")] == ["First", "Second"]
    assert [row["claim"] for row in verdicts.rows(study, "adding", "speed")] == ["Second", "Third"]
    page = shown(verdicts.show_answers, study, "speed")
    assert [claim in page.text for claim in ("First", "Second", "Third")] == [False, False, True]


def test_how_the_answers_came_about(tmp_path):
    rows = [
        answer(claim=MARKUP, needs=None, power=0.004),
        answer(claim="Second", verdict="open", p=0.01, p_adjusted=0.08, otherwise=0.995, **REACH | {"smallest": 2.0}),
    ]
    page = shown(verdicts.show_questions, asked(tmp_path, *rows))
    assert "b" not in page.tags
    assert MARKUP in page.text
    ((caption, (header, *table)),) = page.tables
    assert caption.endswith("Scores: given this one search for settings.")
    assert header == [
        *("question", "verdict", "difference (95 % interval)", "smallest that matters", "p, corrected"),
        *("chance of another verdict", "seeds", "power", "seeds needed"),
    ]
    assert table == [
        [
            *("An &lt;b&gt;LSTM&lt;/b&gt; &amp; more", "holds", "+12.3 points (+5.0 to +20.0)", "3.0 points"),
            *("p &lt; 0.001", "2 %", "10", "&lt; 1 %", "the test part is too small"),
        ],
        [
            *("Second", "open", "+1.6 more lengths solved (−0.5 to +3.8)", "2.0 more lengths solved"),
            *("p = 0.08", "&gt; 99 %", "10", "85 %", "9"),
        ],
    ]
    assert "p &lt; 0.005 and 8 seeds" in caption
    assert "a power of 80 %" in caption


def test_the_answers_of_a_study_can_be_told(tmp_path):
    """As the verdicts stage leaves them: a row of every kind, its figures those of the question."""
    rows = answers(a_study())
    study = asked(tmp_path, *rows)
    by_name = {row["question"]: row for row in rows}
    settled, open_ones = list(verdicts.headlines(study.verdicts)), list(verdicts.unsettled(study.verdicts))
    assert len(settled) + len(open_ones) == len(rows) == 5
    speed = verdicts.sentence(by_name["speed"])
    assert "“a is better”, Adding problem: it holds, −" in speed
    assert f"−{abs(round(by_name['speed']['value'])):,} updates (" in speed
    start = verdicts.sentence(by_name["start"])
    assert f"{100 * 0.01 * 10 ** by_name['start']['value']:.3g} % of the error (" in start
    assert verdicts.smallest(by_name["start"]) == "×3 of 1 %"
    assert verdicts.smallest(by_name["score"]) == "10.0 points"
    ((_, (_, *table)),) = shown(verdicts.show_questions, study).tables
    assert [row[1] for row in table] == [row["verdict"] for row in rows]


# Parity


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
    assert "LSTM on The series in float64" in free
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


@pytest.mark.parametrize(
    ("value", "told"),
    [(48.664, "48.66"), (1.0, "1.00"), (0.5, "0.50"), (0.0678, "0.068"), (0.00312, "0.0031"), (0.0, "0.00")],
)
def test_an_error_is_told_with_two_digits_at_least(value, told):
    assert wording.number(value, "rmse") == told


def test_a_small_difference_is_told_with_its_digits():
    row = {"difference": -0.012, "interval": [-0.0213, 0.0041]}
    assert written_gap({"score": "rmse", "unit": "metres"}, row) == "-0.012 metres (-0.021 to +0.004)"
    assert written_gap({"score": "accuracy"}, row) == "-1.20 points (-2.13 to +0.41)"
