"""What the page of benchmarks says, from rows made up."""

from types import SimpleNamespace

import pytest
from conftest import needs

pytestmark = needs("IPython")


def row(name, ours, theirs, ratio, low, of_products):
    return {"name": name, "ours": ours, "theirs": theirs, "ratio": ratio, "low": low, "high": ratio + 1} | {
        "ours_a_second": 3.0,
        "theirs_a_second": 1.0,
        "of_products": of_products,
    }


MACHINE = {"cpu": "a processor", "cores": 2, "pytorch": "2.13.0", "python": "3.11.7"}


def study(slope=0.9):
    rows = []
    for theirs in ("keras fit", "torch loop"):
        rows += [row("large", "pytorch", theirs, 1.5, 0.9, 0.4), row("large", "tensorflow", theirs, 2.0, 1.8, 0.75)]
        rows += [row("small", "pytorch", theirs, 0.5, 0.4, 0.001), row("small", "tensorflow", theirs, 0.4, 0.3, 0.002)]
    grown = [
        {"name": "seeds", "framework": "pytorch", "slope": 0.5, "sizes": [4, 32], "seconds": [1.0, 3.0]},
        {"name": "length", "framework": "tensorflow", "slope": slope, "sizes": [14, 112], "seconds": [1.0, 7.0]},
        {"name": "units", "framework": "pytorch", "slope": 1.6, "sizes": [32, 256], "seconds": [1.0, 30.0]},
    ]
    data = [
        {"name": "<b>", "seconds": 5.0, "peak_gib": 0.1, "theirs_seconds": None, "theirs_peak_gib": None},
        {"name": "2 vectors", "seconds": 6.0, "peak_gib": 0.2, "theirs_seconds": 24.0, "theirs_peak_gib": 1.5},
    ]
    both = [
        {"cell": "gru", "framework": "pytorch", "seeds": 1, "ratio": 0.75, "low": 0.5, "high": 0.8},
        {"cell": "gru", "framework": "pytorch", "seeds": 3, "ratio": 2.5, "low": 2.25, "high": 3.0},
        {"cell": "lstm", "framework": "tensorflow", "seeds": 1, "ratio": 1.5, "low": 1.4, "high": 1.6},
        {"cell": "lstm", "framework": "tensorflow", "seeds": 3, "ratio": 0.5, "low": 0.4, "high": 1.0},
    ]
    spent = [
        {"name": "train", "share": 70.0, "training": 50.0, "compiling": 15.0, "imports": 5.0},
        {"name": "diagnose", "share": 30.0, "diagnosing": 20.0, "DVC": 10.0},
        {"name": "all", "share": 100.0, "training": 50.0, "diagnosing": 20.0, "compiling": 15.0},
    ]
    found = {
        "speed": {"rows": rows, "machine": MACHINE, "seeds": 10, "rounds": 5},
        "growth": {"rows": grown, "machine": MACHINE},
        "preprocessing": {"rows": data, "machine": MACHINE},
        "seeds_together": {"rows": [{"name": "5 steps"} | row for row in both], "machine": MACHINE},
        "breakdown": {"rows": spent, "machine": MACHINE, "none": 26, "neither": 44},
    }
    return SimpleNamespace(benchmark=found.__getitem__)


def test_lessons_count_what_is_surely_faster_in_its_better_framework():
    from rnn_study.reports import benchmarks

    (keras, told), (loop, _), (products, shares), (passes, times), (cost, steepest) = benchmarks.lessons(study())
    assert keras == "10 seeds are done sooner than with Keras' fit in 1 of 2 cases."
    assert told == "large: 2 times (1.8 to 3, TensorFlow); small: 0.5 times (0.4 to 1.5, PyTorch)."
    assert loop == "10 seeds are done sooner than with a plain PyTorch loop in 1 of 2 cases."
    assert products == "The smaller the network, the less of the processor it uses."
    of = "Of the machine's own matrix products it gets"
    assert shares == f"{of} 75 % with the large (TensorFlow), and 0.1 % with the small (PyTorch)."
    assert passes == "Seeds in one pass pay in 1 of 1 cases in PyTorch and 0 of 1 cases in TensorFlow."
    assert times == "Times as fast as in turn: 2.5 to 2.5 in PyTorch; 0.5 to 0.5 in TensorFlow."
    assert cost == "Twice the seeds, the length or the examples take at most twice as long."  # units are no cost
    assert steepest == "The steepest grows as the power 0.90 of the length, TensorFlow."
    *_, (cost, _) = benchmarks.lessons(study(slope=1.2))
    assert cost == "The cost grows faster than the length."


def test_tables_hold_every_row_and_what_was_not_measured():
    from rnn_study.reports import benchmarks
    from rnn_study.reports.elements import display

    with display.collected() as shown:
        benchmarks.limit(study())
        benchmarks.growth(study())
        benchmarks.preprocessing(study())
        benchmarks.together(study())
    limit, growth, data, together = shown
    assert limit.count("<tr>") == 1 + 4
    assert ">75.0 %<" in limit
    assert growth.count("<tr>") == 1 + 3
    assert ">14 to 112<" in growth
    assert ">1.60<" in growth
    assert data.count("–") == 2
    assert "<b>" not in data
    assert together.count("<tr>") == 1 + 2
    assert together.index(">0.75 (0.5 to 0.8)<") < together.index(">2.5 (2.25 to 3)<")  # a column a count
    assert all("a processor, 2 cores; PyTorch 2.13.0, python 3.11.7" in table for table in shown)


@pytest.mark.parametrize(
    ("high", "said"),
    [
        (0.0, "the study is faster in 1 of 4 cases, right of 1, and slower in none."),
        (-0.6, "right of 1, and slower in 2."),
    ],
)
def test_a_figure_says_where_the_study_is_slower(monkeypatch, high, said):
    from rnn_study.reports import benchmarks

    seen, made = {}, study()
    for one in made.benchmark("speed")["rows"]:
        one["high"] += high
    monkeypatch.setattr(benchmarks, "show", lambda _, draw, **words: seen.update(words, draw=draw))
    benchmarks.ratios(made, "keras fit")
    assert seen["lesson"].endswith(said)
    assert "large: PyTorch 1.5 (0.9 to" in seen["alt"]
    for narrow in (False, True):
        axes = seen["draw"](narrow).axes[0]
        assert [label.get_text() for label in axes.get_yticklabels()] == ["large", "small"]
        lines = sorted(tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 1)
        assert lines == [(0.4,), (0.5,), (1.5,), (2.0,)]


def test_the_bars_of_a_stage_add_up_to_its_share(monkeypatch):
    from rnn_study.reports import benchmarks

    seen = {}
    monkeypatch.setattr(benchmarks, "show", lambda _, draw, **words: seen.update(words, draw=draw))
    benchmarks.shares(study())
    assert seen["lesson"] == "In 26 % of the time no core trains or diagnoses; the longest stage is train."
    assert "train 70 %; diagnose 30 %. Of all, training is 50 %, diagnosing 20 %, compiling 15 %. a proc" in seen["alt"]
    for narrow in (False, True):
        axes = seen["draw"](narrow).axes[0]
        bars = [[(bar.get_x(), bar.get_width()) for bar in kind] for kind in axes.containers]
        assert bars == [
            [(0.0, 50.0), (0.0, 0.0)],
            [(50.0, 0.0), (0.0, 20.0)],
            [(50.0, 15.0), (20.0, 0.0)],
            [(65.0, 5.0), (20.0, 10.0)],
        ]
