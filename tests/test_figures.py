"""How reports show figures: what stands around a picture, that it is the same whatever the machine, and drawn alone."""

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from conftest import ROOT, needs
from matplotlib.figure import Figure

from rnn_study.model.cells import CELLS
from rnn_study.reports import cell_diagrams, display, figures, front, glossary
from rnn_study.reports.gradients import inside, plots
from rnn_study.reports.study import Study
from rnn_study.statistics.crossed import Estimate
from rnn_study.support.errors import StudyError
from rnn_study.support.files import write_json

pytestmark = needs("papermill")
MARKUP = "<script>a & b</script>"


def drawing(narrow=False, text="one"):
    figure, ((axes,),) = figures.panels(narrow)
    axes.plot([1, 10, 1000], [0.001, 1, 100], "o-", color=figures.colour(0), label=text)
    axes.set(title=text, xscale="log", yscale="log")
    figures.legend(figure, axes, narrow)
    return figure


def shown(study, draw=drawing, **words):
    own = {"lesson": "a lesson", "alt": "what one sees", "source": "data: hand-made", "task": "adding", "name": "flow"}
    draw.__module__ = "rnn_study.reports.gradients.plots"
    with display.collected() as pieces:
        figures.show(study, draw, **own | words)
    return "".join(pieces)


def pictures(html):
    return re.findall(r"<svg.*?</svg>", html, re.DOTALL)


def test_a_figure_has_its_lesson_above_and_what_one_sees_and_its_files_below(tmp_path):
    write_json(tmp_path / "metrics/gradients.json", {"framework": "pytorch"})
    study = Study(tmp_path)
    assert study.gradients["framework"] == "pytorch"  # read before: it is named all the same

    def draw(narrow):
        assert study.gradients
        return drawing(narrow)

    html = shown(study, draw)
    places = [html.index(part) for part in ("a lesson", "<svg", "what one sees", "metrics/gradients.json")]
    assert places == sorted(places)
    digest = hashlib.sha256((tmp_path / "metrics/gradients.json").read_bytes()).hexdigest()
    assert f"(SHA-256 {digest[:12]}…)" in html
    assert "Drawn by rnn_study.reports.gradients.plots" in html
    assert "<code>rnn-study figure gradients/adding-flow</code>" in html


def test_files_of_one_name_are_named_together(tmp_path):
    paths = [tmp_path / f"runs/adding-pytorch/lstm/seed-{seed}/history.csv" for seed in (1, 0)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("epoch,validation_score\n1,0.5\n")

    def told():
        study = Study(tmp_path)

        def draw(narrow):
            for seed in (0, 1):
                assert study.history("adding", "pytorch", "lstm", seed)[0]["epoch"] == 1
            return drawing(narrow)

        (found,) = re.findall(r"From (.*?)\. Drawn", shown(study, draw))
        return found

    before = told()
    assert before.startswith("runs/adding-pytorch/…/history.csv (2 files, SHA-256 ")
    paths[0].write_text("epoch,validation_score\n1,0.6\n")
    assert told() != before


def test_one_picture_for_a_page_and_one_for_a_phone(tmp_path):
    wide, narrow = pictures(shown(Study(tmp_path)))
    sizes = [
        [float(re.search(rf' {side}="([\d.]+)"', one)[1]) for side in ("width", "height")] for one in (wide, narrow)
    ]
    assert sizes[0][0] == round(96 * figures.WIDE)
    assert sizes[1][0] == round(96 * figures.NARROW) <= 390 - 32  # the page's margins
    for one, (width, _) in zip((wide, narrow), sizes, strict=True):
        unit = width / float(re.search(r'viewBox="0 0 ([\d.]+)', one)[1])
        fonts = [float(size) for size in re.findall(r"font(?:-size)?: ?([\d.]+)px", one)]
        assert fonts
        assert min(fonts) * unit >= 11


def test_equal_figures_are_equal_bytes_whatever_a_user_has_set(tmp_path, monkeypatch):
    plain = shown(Study(tmp_path))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    own = {"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 9, "axes.formatter.use_locale": True}
    with matplotlib.rc_context(own):
        assert shown(Study(tmp_path)) == plain
        assert matplotlib.rcParams["font.size"] == 30  # and are left as they were
    assert "<metadata" not in plain
    assert "<?xml" not in plain


def test_the_ink_is_the_page_s_and_ids_are_found_and_no_others(tmp_path):
    html = shown(Study(tmp_path)) + shown(Study(tmp_path), name="other")
    assert "currentColor" in html
    assert figures.INK not in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    named = set(re.findall(r'(?:url\(|href=")#([^")]+)', html)) | set(re.findall(r'aria-labelledby="([^"]+)"', html))
    assert named <= set(ids)


def test_raised_digits_are_not_needed(tmp_path):
    words = [text for one in pictures(shown(Study(tmp_path))) for text in re.findall(r"<text[^>]*>([^<]+)<", one)]
    assert {"0.001", "1", "100"} <= set(words)
    assert not any("^" in word or "$" in word for word in words)


def test_text_from_data_stays_text(tmp_path):
    html = shown(Study(tmp_path), lambda narrow: drawing(narrow, MARKUP), lesson=MARKUP, alt=MARKUP, source=MARKUP)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5
    for one in pictures(html):
        ElementTree.fromstring(one)


def test_a_row_of_panels_is_a_column_on_a_phone():
    for narrow, columns in ((False, 3), (True, 1)):
        figure, grid = figures.panels(narrow, 2, 3, height=2.0, sharex="col", sharey="row")
        assert grid.shape == (2, 3)
        figure.draw_without_rendering()
        lefts = {round(axes.get_position().x0, 1) for axes in grid.flat}
        assert len(lefts) == columns


def test_the_figure_that_is_wanted_is_the_only_one_that_is_drawn(tmp_path):
    def never(narrow):
        raise AssertionError("drawn")

    with figures.wanting("adding-other") as wanted:
        assert shown(Study(tmp_path), never) == ""
        shown(Study(tmp_path), drawing, name="other")
    assert wanted.seen == ["adding-flow", "adding-other"]
    assert wanted.draw is drawing
    assert "<svg" in shown(Study(tmp_path))  # after it everything is drawn again


@pytest.mark.skipif(not (ROOT / "runs/diagnose-adding/profiles.npz").is_file(), reason="no finished study: dvc repro")
def test_a_figure_of_the_finished_study_is_drawn_alone(monkeypatch):
    from rnn_study.reports import page

    monkeypatch.chdir(ROOT)
    assert isinstance(page.redraw("gradients", "adding-error-flow"), Figure)
    assert isinstance(page.redraw("front", "adding-one-figure"), Figure)
    with pytest.raises(StudyError, match="gradients/nothing: no such figure: expected one of adding-error-flow, "):
        page.redraw("gradients", "nothing")
    with pytest.raises(StudyError, match="gradient: not a report: expected one of front, comparison, gradients, "):
        page.redraw("gradient", "adding-error-flow")


# Folds, headlines, the glossary --------------------------------------------------------------------------------------


def test_a_fold_holds_what_is_shown_in_it():
    with display.collected() as pieces:
        display.show_text("before")
        with display.folded("more & more"):
            display.show_text("inside")
            with display.folded("deeper"):
                display.show_text("at the bottom")
            with display.folded("empty"):
                pass
        display.show_text("after")
    assert pieces == [
        "<p>before</p>",
        '<details class="fold"><summary>more &amp; more</summary><p>inside</p>'
        '<details class="fold"><summary>deeper</summary><p>at the bottom</p></details></details>',
        "<p>after</p>",
    ]


def test_a_headline_has_five_sentences_at_most():
    with display.collected() as pieces:
        display.show_headline([("It <holds>.", "by 3 & more")] + [("", f"sentence {place}") for place in range(9)])
    (html,) = pieces
    assert html.count("<li>") == 5
    assert "<strong>It &lt;holds&gt;.</strong> by 3 &amp; more" in html


def test_a_term_is_linked_where_it_is_first_met():
    page = (
        "<h2>Seeds</h2><p>An LSTM of 8 seeds; each seed, a GRU’s <code>seed</code>.</p><svg><text>baseline</text></svg>"
        '<p>A <a href="#">baseline</a>, a Baseline.</p><p title="gradient">subgradient</p>'
    )
    linked = glossary.linked(page)
    assert re.sub(r'<a class="term"[^>]*>(.*?)</a>', r"\1", linked) == page
    found = re.findall(r'<a class="term" href="glossary.html#([\w-]+)" title="[^"]+">(.*?)</a>', linked)
    assert found == [("lstm", "LSTM"), ("seed", "seed"), ("gru", "GRU"), ("baseline", "Baseline")]
    ids = set(re.findall(r'id="([^"]+)"', glossary.body()))
    assert ids == {glossary.anchor(term) for term in glossary.TERMS}
    assert len(ids) == len(glossary.TERMS)


# The diagrams of the cells -------------------------------------------------------------------------------------------


def value(node, given, size):
    """What a diagram computes, by hand from its boxes."""
    sources = [value(source, given, size) for source in node.sources]
    match node.made:
        case "part":
            place = node.sources[0].gates.index(node.gate)
            return sources[0][..., place * size : (place + 1) * size]
        case "+":
            return sources[0] + sources[1]
        case "×":
            return sources[0] * sources[1]
        case "1 −":
            return 1 - sources[0]
        case "σ":
            return 1 / (1 + np.exp(-sources[0]))
        case "tanh":
            return np.tanh(sources[0])
        case made if made in given:
            return given[made]
        case _:
            return sources[0]


@pytest.mark.parametrize("name", CELLS)
def test_a_diagram_computes_what_the_cell_computes(name):
    cell, size, rng = CELLS[name], 3, np.random.default_rng(0)
    a, s = rng.normal(size=(2, 4, len(cell.gates) * size))
    state = tuple(rng.normal(size=(cell.states, 4, size)))
    vectors = {vector: rng.normal(size=size) for vector in cell.vectors}

    class Ops:
        tanh = staticmethod(np.tanh)
        sigmoid = staticmethod(lambda x: 1 / (1 + np.exp(-x)))

    given = {"x W + b": a, "h U": s, "h U + b": s, **vectors}
    given |= dict(zip(("h, last", "c, last"), state, strict=False))
    new = cell.step(Ops, state, a, s, *vectors.values())
    nodes = cell_diagrams.traced(cell)
    assert len(nodes) == len(new)
    for node, array in zip(nodes, new, strict=True):
        np.testing.assert_allclose(value(node, given, size), array, rtol=1e-12)


def test_a_diagram_names_every_gate_and_reads_from_left_to_right():
    figure = cell_diagrams.diagram(["lstm", "gru"], narrow=False)
    lstm, gru = (
        {text.get_text(): text.get_position() for text in axes.texts if text.get_text()} for axes in figure.axes
    )
    assert {"σ i", "σ f", "tanh g", "σ o", "c new", "h new"} <= lstm.keys()
    assert {"σ r", "σ z", "tanh n", "1 −", "h U + b"} <= gru.keys()
    assert lstm["h last"][0] < lstm["σ f"][0] < lstm["h new"][0]
    assert lstm["x W + b"][0] == lstm["h U"][0]  # beside the sum that needs both, so that no arrow crosses the other
    assert lstm["c last"][0] == lstm["σ f"][0]


# Lessons say what was measured --------------------------------------------------------------------------------------


def test_a_lesson_names_who_has_most_and_who_least_as_far_as_intervals_part():
    vanilla, lstm, gru = Estimate(2.0, 1.5, 2.5), Estimate(1.0, 0.5, 1.4), Estimate(3.0, 2.6, 3.5)

    def told(**found):
        return plots.ranked(found, "most is kept", "least")

    assert told(lstm=lstm, gru=gru, vanilla=vanilla) == "most is kept in the GRU, least in the LSTM"
    assert told(vanilla=vanilla, gru=Estimate(3.0, 2.5, 3.5), lstm=lstm) == (
        "most is kept in the vanilla RNN and the GRU, least in the LSTM"
    )
    assert told(vanilla=Estimate(2.0, 1.4, 2.5), gru=gru, lstm=lstm) == (
        "most is kept in the GRU, least in the vanilla RNN and the LSTM"
    )
    apart = "LSTM and GRU do not clearly differ"
    assert told(lstm=lstm, gru=Estimate(1.5, 1.4, 1.6)) == apart
    assert told(lstm=lstm, gru=Estimate(1.0, 0.5, 1.4)) == apart
    assert (
        told(vanilla=Estimate(2.0, 1.4, 2.6), lstm=lstm, gru=gru) == "vanilla RNN, LSTM and GRU do not clearly differ"
    )


def quantities(**by_stage):
    """A study whose vanilla RNN, LSTM and GRU have these values at each stage, each surely."""
    cells = ("vanilla", "lstm", "gru")
    rows = {
        (cell, stage): {"value": value, "low": value - 0.1, "high": value + 0.1}
        for stage, values in by_stage.items()
        for cell, value in zip(cells, values, strict=True)
    }
    return SimpleNamespace(
        cells=lambda name: list(cells),
        quantity=lambda name, cell, stage, quantity: rows.get((cell, stage)) if quantity == "arrives" else None,
        profiles=lambda name: dict.fromkeys(cells, dict.fromkeys(("initial", "epoch 3", "trained"))),
        gradients={"framework": "pytorch"},
        ablation=lambda name: {"cells": {cell: {"seeds": [0], "updates": [400]} for cell in cells}},
        history=lambda *place: [{"validation_score": 0.4}] * 4,
    )


def test_a_lesson_of_distance_says_what_the_table_says():
    study = quantities(initial=(3, 1, 2), trained=(0, 2, 1))
    assert plots._lesson(study, "adding", "arrives", "best", "worst") == (
        "Adding problem: before training best in the vanilla RNN, worst in the LSTM; trained best in the LSTM, worst "
        "in the vanilla RNN."
    )
    assert plots._lesson(study, "adding", "memory", "best", "worst") == (
        "Adding problem: sequences too short to compare."
    )


@pytest.mark.parametrize(
    ("before", "worst", "learned"), [((-1, -2, -6), "GRU", True), ((-6, -2, -1), "vanilla RNN", False)]
)
def test_the_front_page_states_where_error_arrives_and_whether_that_turned(before, worst, learned):
    """Powers of ten of the error at the first step, of vanilla RNN, LSTM and GRU."""
    study = quantities(**{"initial": before, "epoch 3": (-7, 0, -1), "trained": (0, -5, 0)})
    best = "GRU" if worst == "vanilla RNN" else "vanilla RNN"
    assert front.surprise(study) == (
        f"Before training the error reaches the first step best in the {best}, worst in the {worst}; after 300 updates "
        "the error reaches the first step best in the LSTM, worst in the vanilla RNN."
        + " What reaches far back is learned."
        * learned
    )


def test_the_word_of_the_largest_share_is_named(monkeypatch):
    """The mean of the seeds' shares, as the bars show them: a seed with large gradients has no larger say."""
    told = []
    monkeypatch.setattr(inside, "show", lambda study, draw, *, lesson, **words: told.append(lesson))
    gradient = np.array([[[90.0, 10.0, 0.0]], [[1.0, 8.0, 1.0]], [[1.0, 8.0, 1.0]]])  # seeds, sentences, words
    study = SimpleNamespace(
        cells=lambda name: ["gru"],
        profiles=lambda name: {"gru": {"trained": {"gradient": gradient, "keeps": np.zeros((3, 1, 3))}}},
        source=lambda name: "data",
    )
    inside.words(study, "agreement", 0, ["the", "man"], "has")
    assert told == ["“the man …” (has): the largest share of the answer's gradient goes in the GRU to “man”."]


def test_a_map_says_what_became_of_its_own_runs(monkeypatch):
    told = []
    monkeypatch.setattr(inside, "show", lambda study, draw, *, lesson, **words: told.append(lesson))
    for outcomes in (["stuck", "solved"], ["stuck", "stuck"]):
        table = {
            "map": {"learning_rates": [0.1], "clips": [None], "of": "x"},
            "cells": {"x": {"map": [0, 0], "outcomes": outcomes}},
        }
        study = SimpleNamespace(
            ablation=lambda name, table=table: table, variant=lambda *names: "x", source=lambda name: "data"
        )
        inside.clip_map(study, "adding")
    assert told == [
        "Learning rate and clipping decide together: runs of this map end as solved and stuck.",
        "In this map of learning rate and clipping all runs end as stuck.",
    ]
