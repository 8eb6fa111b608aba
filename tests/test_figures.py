"""How reports show figures: what stands around a picture, that it is the same whatever the machine, and drawn alone."""

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import matplotlib
import nbformat
import numpy as np
import pytest
from conftest import ROOT, needs
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rnn_study.model.cells import CELLS
from rnn_study.reports import front, verdicts
from rnn_study.reports.comparison import plots as comparison
from rnn_study.reports.elements import display, figures
from rnn_study.reports.front import cell_diagrams
from rnn_study.reports.gradients import inside, plots
from rnn_study.reports.page import glossary
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


def test_on_a_phone_a_row_and_a_column_share_no_axis():
    """All panels may: they are in one column, each as high as on a screen."""
    for narrow, alike in ((False, True), (True, False)):
        figure, grid = figures.panels(narrow, 2, 2, height=2.0, sharex=True, sharey="row")
        assert figure.get_figheight() == pytest.approx(4 * 2.0 + 0.3 if narrow else 2 * 2.0 + 0.3)
        assert grid[0, 0].get_shared_x_axes().joined(grid[0, 0], grid[1, 1])
        assert grid[0, 0].get_shared_y_axes().joined(grid[0, 0], grid[0, 1]) == alike


def test_colours_come_again_after_seven():
    assert len({figures.colour(place) for place in range(7)}) == 7
    assert [figures.colour(place) for place in range(7, 14)] == [figures.colour(place) for place in range(7)]


@pytest.mark.parametrize(("size", "narrow", "columns"), [(22, True, 2), (23, True, 1), (23, False, 4)])
def test_long_names_stand_below_each_other_on_a_phone(size, narrow, columns):
    figure = Figure(figsize=(20, 5), layout="constrained")
    axes = figure.subplots()
    for place in range(4):
        axes.plot([place], label=f"{place}" * size)
    figures.legend(figure, axes, narrow)
    figure.draw_without_rendering()
    assert len({round(text.get_window_extent().x0) for text in figure.legends[0].get_texts()}) == columns


def test_each_width_of_a_page_gets_its_picture(tmp_path):
    """Which is shown is said by its place: the style sheet hides the other."""
    found = re.findall(r'<div class="(\w+)"><svg[^>]*? width="(\d+)"', shown(Study(tmp_path)))
    assert found == [("wide", str(round(96 * figures.WIDE))), ("narrow", str(round(96 * figures.NARROW)))]


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
    with pytest.raises(StudyError, match="gradient: not a report: expected one of front, benchmarks, comparison, "):
        page.redraw("gradient", "adding-error-flow")


def test_a_figure_drawn_alone_is_that_of_a_wide_page(tmp_path, monkeypatch):
    """Of a report's own code, its text left out; what it shows otherwise is not shown."""
    from rnn_study.reports import page

    (tmp_path / "notebooks").mkdir()
    shows = "show(None, lambda narrow: ('own', narrow), lesson='', alt='', source='', task='adding', name={!r})"
    code = [
        f"from rnn_study.reports.elements.figures import show\nprint('said')\n{shows.format('flow')}",
        shows.format("x"),
    ]
    cells = [nbformat.v4.new_markdown_cell("# no code"), *map(nbformat.v4.new_code_cell, code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks/own.ipynb")
    monkeypatch.setattr(page, "project_folder", lambda: tmp_path)
    assert page.redraw("own", "adding-flow") == ("own", False)
    with pytest.raises(StudyError, match=r"^own/flow: no such figure: expected one of adding-flow, adding-x$"):
        page.redraw("own", "flow")
    with pytest.raises(StudyError, match=r"^other: not a report: expected one of front, own$"):
        page.redraw("other", "adding-flow")


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


def test_a_cell_of_a_table_bears_its_own_column_s_name():
    with display.collected() as pieces:
        display.show_table(["name", "a <b>", "c"], [["row", "1", "2"]], "what")
    assert re.findall(r"<td.*?</td>", pieces[0]) == ['<td data-label="a &lt;b&gt;">1</td>', '<td data-label="c">2</td>']


def test_sources_of_one_title_are_told_apart():
    about = {"title": "Digits", "origin": "embedded", "generated": False, "complete": True, "rows": {"train": 3}}
    about |= {"note": "n", "licence": "l", "files": [{"file": MARKUP, "sha256": "0123456789abcdef"}]}
    with display.collected() as pieces:
        display.show_origins("quick", [{**about, "source": source} for source in ("one", "two", "one")])
    assert pieces[0].count("<li>") == 2
    assert "<script" not in pieces[0]
    assert "&lt;/script&gt; (SHA-256 0123456789ab…)" in pieces[0]


def test_of_two_terms_the_longer_is_linked(monkeypatch):
    monkeypatch.setattr(glossary, "TERMS", {"state": 'a "word" & <more>', "state of a cell": "the whole"})
    assert glossary.linked("<p>A state of a cell, a state.</p>") == (
        '<p>A <a class="term" href="glossary.html#state-of-a-cell" title="the whole">state of a cell</a>, a '
        '<a class="term" href="glossary.html#state" title="a &quot;word&quot; &amp; &lt;more&gt;">state</a>.</p>'
    )


def test_terms_stand_in_alphabetical_order_whatever_their_case(monkeypatch):
    monkeypatch.setattr(glossary, "TERMS", {"gate": "g", "RMSE": "r", "LSTM": "l", "seed": "s"})
    assert re.findall("<dt[^>]*>(.*?)</dt>", glossary.body()) == ["gate", "LSTM", "RMSE", "seed"]


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
        case "÷":
            return sources[0] / sources[1]
        case "1 −":
            return 1 - sources[0]
        case "σ":
            return 1 / (1 + np.exp(-sources[0]))
        case "tanh":
            return np.tanh(sources[0])
        case "relu":
            return np.maximum(sources[0], 0)
        case made if made in given:
            return given[made]
        case _:
            return sources[0]


@pytest.mark.parametrize("name", CELLS)
def test_a_diagram_computes_what_the_cell_computes(name):
    cell, size, rng = CELLS[name], 3, np.random.default_rng(0)
    a, s = rng.normal(size=(2, 4, len(cell.gates) * size))
    read = (a, s) if cell.recurrent else (a,)
    state = tuple(rng.normal(size=(cell.states, 4, size)))
    vectors = {vector.name: rng.normal(size=size) for vector in cell.vectors}

    class Ops:
        tanh = staticmethod(np.tanh)
        sigmoid = staticmethod(lambda x: 1 / (1 + np.exp(-x)))
        relu = staticmethod(lambda x: np.maximum(x, 0))

    given = {"x W + b": a, "h U": s, "h U + b": s, **vectors}
    given |= dict(zip(("h, last", "c, last"), state, strict=False))
    new = cell.step(Ops, state, *read, *vectors.values())
    nodes = cell_diagrams.traced(cell)
    assert len(nodes) == len(new)
    for node, array in zip(nodes, new, strict=True):
        np.testing.assert_allclose(value(node, given, size), array, rtol=1e-12)


def test_one_cell_alone_is_not_compared():
    assert plots.ranked({"lstm": plots.Estimate(1.0, 0.5, 1.5)}, "best", "worst") == "the LSTM stands alone"


def test_on_a_phone_a_diagram_runs_downwards():
    """Every box lies within its panel, and what follows another lies below it, wide enough for its words."""
    wide, narrow = (cell_diagrams.diagram(["lstm"], shape) for shape in (False, True))
    for figure, downwards in ((wide, False), (narrow, True)):
        figure.draw_without_rendering()
        (axes,) = figure.axes
        texts = [text for text in axes.texts if text.get_text()]
        places = {text.get_text(): text.get_position() for text in texts}
        (x0, y0), (x1, y1) = places["h last"], places["h new"]
        assert (y1 < y0 - 3) == downwards
        assert (x1 > x0 + 3) == (not downwards)
        boxes = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
        for text in texts:
            extent = text.get_window_extent()
            assert any(box.x0 <= extent.x0 and extent.x1 <= box.x1 for box in boxes if box.overlaps(extent))


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


def quantities(asked="arrives", **by_stage):
    """A study whose vanilla RNN, LSTM and GRU have these values of a quantity at each stage, each surely."""
    cells = ("vanilla", "lstm", "gru")
    rows = {
        (cell, stage): {"value": value, "low": value - 0.1, "high": value + 0.1}
        for stage, values in by_stage.items()
        for cell, value in zip(cells, values, strict=True)
    }
    return SimpleNamespace(
        cells=lambda name: list(cells),
        quantity=lambda name, cell, stage, quantity: rows.get((cell, stage)) if quantity == asked else None,
        source=lambda name: "data: hand-made",
        profiles=lambda name: dict.fromkeys(cells, dict.fromkeys(("initial", "epoch 1", "epoch 3", "trained"))),
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
    study = quantities(**{"initial": before, "epoch 1": (0, -7, 0), "epoch 3": (-7, 0, -1), "trained": (0, -5, 0)})
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


def test_the_front_page_says_learned_only_where_intervals_part():
    """Before training the GRU is last by 0.05, within intervals of 0.1 either way."""
    study = quantities(**{"initial": (-1, -0.9, -1.05), "epoch 3": (-7, 0, -1), "trained": (0, 0, 0)})
    assert front.surprise(study) == (
        "Before training vanilla RNN, LSTM and GRU do not clearly differ; after 300 updates the error reaches the "
        "first step best in the LSTM, worst in the vanilla RNN."
    )


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


def looked_at(found, **more):
    return SimpleNamespace(
        profiles=lambda task: found, cells=lambda task: list(found), source=lambda task: "data: hand-made", **more
    )


@pytest.fixture
def stated(monkeypatch):
    """What figures state, each with its lesson and what one sees; none is drawn until it is asked for."""
    told = []
    for module in (inside, plots, comparison):
        monkeypatch.setattr(
            module, "show", lambda study, draw, **words: told.append(SimpleNamespace(draw=draw, **words))
        )
    return told


@pytest.mark.parametrize(
    ("figure", "quantity", "best", "worst"),
    [
        (plots.error_flow, "arrives", "the error reaches the first step best", "worst"),
        (plots.singular_values, "memory", "the most lasting direction lasts longest", "shortest"),
        (plots.lyapunov, "exponent", "nearby states part most, or meet slowest,", "meet fastest"),
        (plots.retention, "retained", "the last state tells most of what was read", "least"),
    ],
)
def test_a_lesson_of_distance_ranks_the_figure_of_its_picture(figure, quantity, best, worst, stated):
    study = quantities(quantity, initial=(2, 1, 3), trained=(3, 2, 1))
    figure(study, "adding")
    (found,) = stated
    assert found.lesson == (
        f"Adding problem: before training {best} in the GRU, {worst} in the LSTM; trained {best} in the vanilla RNN, "
        f"{worst} in the GRU."
    )


def test_a_checkpoint_is_told_by_its_updates_though_the_first_seed_ended_before():
    study = quantities()
    study.history = lambda *place: [{"validation_score": 0.4}] * 2
    study.ablation = lambda name: {"cells": {"vanilla": {"seeds": [0], "updates": [200]}}}
    assert front._stage(study, "epoch 3") == "after 300 updates"


def test_error_that_arrives_is_the_median_of_seeds_of_the_mean_of_sequences_from_one_step_back():
    flow = np.array([[[9, 0, -1], [9, 0, -3]], [[9, 1, -4], [9, 1, -4]], [[9, 0, -7], [9, 0, np.nan]]], float)
    study = looked_at({"lstm": {"initial": {"flow": flow}}})
    np.testing.assert_allclose(front._flows(study, "lstm")["initial"], [9, 0, -5])


def test_a_lesson_says_by_which_state_the_error_comes(stated):
    low, high = np.array([[[0.0, -5.0]]]), np.array([[[-3.0, -1.0]]])
    stages = {"initial": {"flow_h": low, "flow_c": high}, "trained": {"flow_h": high, "flow_c": low}}
    plots.states_apart(looked_at({"gru": {"initial": {}}, "lstm": stages}), "adding")
    plots.states_apart(looked_at({"gru": {"initial": {}}}), "adding")  # shows nothing
    (found,) = stated
    told = "most of the error that reaches the LSTM's first step comes before training by c and trained by h."
    assert found.lesson == f"Adding problem: {told}"


def test_a_band_is_the_median_with_the_range_of_seeds_where_there_are_any():
    axes = Figure().subplots()
    curves = np.array([[0.0, np.nan, 1.0], [1.0, np.nan, np.nan], [5.0, np.nan, 3.0]])
    plots.band(axes, np.arange(3), curves, 0, "LSTM")
    (line,) = axes.get_lines()
    assert line.get_xydata().tolist() == [[0, 1], [2, 2]]
    (found,) = axes.collections
    assert found.get_datalim(axes.transData).extents.tolist() == [0, 0, 2, 5]


@pytest.mark.parametrize(
    ("lstm", "gru", "lesson"),
    [
        (0.3, 0.1, "training makes gates decide: LSTM opens or closes its gates fully more often than at the start."),
        (0.3, 0.3, "training makes gates decide: LSTM and GRU open or close their gates fully more often than"),
        (0.1, 0.1, "training makes no cell saturate its gates more."),
    ],
)
def test_gates_decide_where_they_are_more_often_below_a_tenth_or_above_nine(lstm, gru, lesson, stated):
    """Of 20 bins the outer two on either side; all that is gained here is open."""

    def spread(opened):
        shares = np.zeros((2, 1, 20))
        shares[:, :, 0] = 0.2 - opened / 2
        shares[:, :, -2] = opened
        shares[:, :, 10] = 1 - shares.sum(axis=2)
        return {"gates": shares}

    found = {name: {"initial": spread(0.2), "trained": spread(value)} for name, value in (("lstm", lstm), ("gru", gru))}
    inside.gates(looked_at({"vanilla": {"initial": {}}, **found}), "adding")
    assert stated[0].lesson.startswith(f"Adding problem: {lesson}")


def test_who_is_clipped_most_often_is_of_all_seeds(stated):
    def run(*after):
        return {"norms": np.full(4, 2.0), "clipped_norms": np.array(after, float)}

    seldom, often, always = run(2, 2, 2, 2), run(1, 1, 1, 2), run(1, 1, 1, 1)
    runs = {"lstm": [often, always, always], "gru": [seldom, run(1, 2, 2, 2), seldom]}
    inside.health(looked_at(runs, updates=lambda task, cell: runs[cell]), "adding")
    runs = {"lstm": [seldom, always, always], "gru": [seldom, often, seldom]}
    inside.health(looked_at(runs, updates=lambda task, cell: runs[cell]), "adding")
    assert [one.lesson for one in stated] == [
        "Adding problem: gradients are clipped most often in the LSTM, least often in the GRU.",
        "Adding problem: LSTM and GRU do not clearly differ.",
    ]


def test_the_map_counts_no_run_beside_it(stated):
    table = {
        "map": {"learning_rates": [0.1], "clips": [None], "of": "x"},
        "cells": {"x": {"map": [0, 0], "outcomes": ["stuck"]}, "other": {"outcomes": ["solved"]}},
    }
    study = looked_at({}, ablation=lambda name: table, variant=lambda *names: "x")
    inside.clip_map(study, "adding")
    assert stated[0].lesson == "In this map of learning rate and clipping all runs end as stuck."


def test_a_field_of_the_map_says_what_became_of_most_runs_and_how_many_updates_were_clipped(stated):
    field = {"map": [1, 0], "outcomes": ["solved", "stuck", "stuck"], "clipped_share": [0.0, 0.25, 0.5]}
    table = {"map": {"learning_rates": [0.1, 1.0], "clips": [None], "of": "x"}, "cells": {"x": field}}
    study = looked_at({}, ablation=lambda name: table, variant=lambda *names: "x")
    inside.clip_map(study, "adding")
    (axes,) = stated[0].draw(False).axes
    (text,) = axes.texts
    assert (text.get_text(), text.get_position()) == ("stuck 2/3\n25 % clipped", (0.5, 1.5))
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.1", "1"]


def test_a_sentence_s_gradient_goes_to_the_word_that_gets_most_over_all_seeds(stated):
    """Of the sentence that is asked for; what stands behind it was never read."""
    other = [9, 0, 0, 0]
    lstm = np.array([[other, [5, 1, 1, 99]], [other, [0, 9, 1, 99]]], float)
    gru = np.array([[other, [1, 1, 5, 99]], [other, [1, 2, 3, 99]]], float)
    found = {
        name: {"trained": {"gradient": gradient, "keeps": np.zeros((2, 2, 4))}}
        for name, gradient in (("lstm", lstm), ("gru", gru))
    }
    inside.words(looked_at(found), "agreement", 1, ["the", "dogs", "near"], "run")
    assert stated[0].lesson == (
        "“the dogs near …” (run): the largest share of the answer's gradient goes in the LSTM to “dogs” and in the GRU "
        "to “near”."
    )


# Of the comparison

RECORD = {"title": "Series", "origin": "embedded", "generated": False, "complete": True}


def compared(found, **more):
    """A study of the one task `airline`."""
    return SimpleNamespace(tasks={"airline": {"card": {"provenance": [RECORD]}, **found}}, **more)


def backends(*names):
    return {"backends": {name: {"cells": {cell: {} for cell in ("lstm", "gru")}} for name in names}}


def test_a_curve_ends_where_fewer_than_half_of_the_seeds_train_on():
    runs = [[{"validation_loss": 1.0}] * length for length in (2, 2, 3, 4)]
    epochs, grid = comparison._curves(compared({}, histories=lambda *place: runs), "airline", "pytorch", "lstm")
    assert epochs.tolist() == [1, 2, 3]
    assert np.isfinite(grid).sum(axis=0).tolist() == [4, 4, 2]


def test_the_lowest_loss_is_the_lowest_of_a_curve_in_the_mean_of_frameworks(stated):
    """Not its last, nor in the first framework alone."""
    losses = {
        ("pytorch", "lstm"): [3, 1, 9],
        ("tensorflow", "lstm"): [3, 1, 9],
        ("pytorch", "gru"): [3, 0.5, 0.5],
        ("tensorflow", "gru"): [4, 4, 4],
    }
    study = compared(
        backends("pytorch", "tensorflow"),
        histories=lambda task, backend, cell: [[{"validation_loss": loss} for loss in losses[backend, cell]]],
    )
    comparison.learning_curves(study, "airline")
    assert stated[0].lesson == ("The series: the LSTM comes to the lowest validation loss, the GRU stays highest.")


def test_one_cell_alone_is_compared_with_none(stated):
    study = compared(
        {
            "backends": {"pytorch": {"cells": {"lstm": {}}}},
        },
        histories=lambda *place: [[{"validation_loss": loss} for loss in (3, 0.25)]],
    )
    comparison.learning_curves(study, "airline")
    assert stated[0].lesson == "The series: the LSTM comes to a validation loss of 0.25."


@pytest.mark.parametrize(
    ("score", "baselines", "lstm", "gru", "told"),
    [
        ("rmse", (20.0, 15.0), (10.0, 14.9), (14.0, 15.1), "LSTM beats the best baseline, “second”"),
        ("rmse", (15.0, 20.0), (10.0, 14.9), (11.0, 12.0), "LSTM and GRU beat the best baseline, “first”"),
        ("accuracy", (0.6, 0.5), (0.61, 0.7), (0.59, 0.8), "LSTM beats the best baseline, “first”"),
        ("accuracy", (0.5, 0.6), (0.55, 0.7), (0.4, 0.45), "no cell clearly beats the best baseline, “second”"),
    ],
)
def test_who_beats_a_baseline_has_all_of_its_interval_beyond_the_best(score, baselines, lstm, gru, told, stated):
    found = {
        "score": score,
        "higher_is_better": score == "accuracy",
        "baselines": {name: {"test": value} for name, value in zip(("first", "second"), baselines, strict=True)},
        "cells": {name: {"test": {"interval": bounds}} for name, bounds in (("lstm", lstm), ("gru", gru))},
    }
    comparison.seed_scores(compared(found), "airline", "test")
    assert stated[0].lesson == f"The series, test part: {told}."


@pytest.mark.parametrize(
    ("alike", "lesson"),
    [
        (True, "every cell makes the same mistake most often, b taken for a."),
        (False, "the cells do not all make the same mistake most often."),
    ],
)
def test_the_most_frequent_mistake_is_a_share_of_the_true_class(alike, lesson, stated):
    """Of two seeds one is always right; a was taken for c more often than b for a, but there are more of a."""
    truth = np.array([0] * 6 + [1] * 2 + [2] * 2)
    mistaken = np.array([0] * 4 + [2] * 2 + [1, 0] + [2] * 2)
    other = mistaken if alike else np.array([0] * 6 + [1] * 2 + [2, 1])
    outputs = {"lstm": np.eye(3)[np.stack([mistaken, truth])], "gru": np.eye(3)[np.stack([other, truth])]}
    prepared = SimpleNamespace(
        parts=lambda: {"test": SimpleNamespace(y=truth)}, extras={"classes": np.array(["a", "b", "c"])}
    )
    study = compared(
        backends("pytorch"), prepared=lambda task: prepared, predictions=lambda task, b, cell, part: outputs[cell]
    )
    comparison.confusion_matrix(study, "airline")
    assert stated[0].lesson == f"The series: {lesson}"
    assert "Most often, LSTM takes b for a in 25.0 %; GRU takes " in stated[0].alt


def test_who_makes_no_mistake_makes_none_most_often(stated):
    truth = np.array([0, 1])
    prepared = SimpleNamespace(
        parts=lambda: {"test": SimpleNamespace(y=truth)}, extras={"classes": np.array(["a", "b"])}
    )
    outputs = {"lstm": np.eye(2)[truth][None], "gru": np.eye(2)[truth][None]}
    study = compared(
        backends("pytorch"), prepared=lambda task: prepared, predictions=lambda task, b, cell, part: outputs[cell]
    )
    comparison.confusion_matrix(study, "airline")
    outputs["gru"] = np.eye(2)[[0, 0]][None]
    comparison.confusion_matrix(study, "airline")
    assert [one.lesson for one in stated] == [
        "The series: no cell makes a mistake.",
        "The series: the cells do not all make the same mistake most often.",
    ]


@pytest.mark.parametrize(
    ("shift", "lesson"),
    [
        (0, "LSTM forecasts too little in the mean."),
        (-9, "LSTM and GRU forecast too little in the mean."),
        (9, "no cell forecasts too little in the mean."),
    ],
)
def test_a_forecast_is_the_median_of_seeds_less_the_truth(shift, lesson, stated):
    series = np.array([5.0, 100.0, 200.0])
    errors = {"lstm": [[9, 9], [-1, -4], [-1, -4]], "gru": [[2, 2], [2, 2], [-9, -9]]}
    extras = {"series": series, "index_test": np.array([1, 2]), "dates": np.array(["1960-10", "1960-11", "1960-12"])}
    extras |= {"season": np.array(12), "step": np.array("month")}
    study = compared(
        backends("pytorch"),
        prepared=lambda task: SimpleNamespace(extras=extras, unit="thousand", to_unit=lambda outputs, part: outputs),
        predictions=lambda task, backend, cell, part: np.array(errors[cell]) + shift + series[1:],
    )
    comparison.forecast(study)
    (found,) = stated
    assert found.lesson == f"The series: {lesson}"
    if not shift:
        assert "LSTM -2.5 in the mean, 4 at most; GRU +2 in the mean, 2 at most, thousand" in found.alt
        assert "miss from 1960-11 to 1960-12" in found.alt


# Of the front page


def frontier():
    runs = [("budget", "lstm", 10, True), ("budget", "lstm", 10, False), ("budget", "lstm", 20, False)]
    runs += [("mixed", "lstm", 20, True), ("budget", "gru", 10, True), ("budget", "gru", 10, True)]
    keys = ("axis", "variant", "steps", "solved")
    return {
        "seeds": 2,
        "lengths": [10, 20],
        "cells": ["lstm", "gru"],
        "runs": [dict(zip(keys, run, strict=True)) for run in runs],
    }


def test_seeds_that_solved_a_length_are_counted_among_those_that_tried():
    study = SimpleNamespace(frontier=lambda name: frontier())
    told = "Seeds of 2 that solved 10 and 20 steps: LSTM 1 and 0; GRU 2 and none tried."
    assert front.solved(study) == told


def test_levels_and_curves_of_learning_stand_where_they_are_measured():
    """Who sees one number of two misses the other by the standard deviation of what is uniform in 0 to 1."""
    study = SimpleNamespace(
        gradients={"framework": "pytorch"},
        ablation=lambda name: {"goal": 0.04, "cells": {"lstm": {"seeds": [7], "updates": [100]}}},
        frontier=lambda name: {"chance": {"10": {"score": 0.41}}},
        history=lambda *place: [{"validation_score": 0.3}, {"validation_score": 0.1}],
    )
    axes = Figure().subplots()
    front._learning(axes, study, "lstm", 0, narrow=False, last=False)
    *levels, curve = axes.get_lines()
    deviation = np.std((np.arange(100_000) + 0.5) / 100_000)
    assert [line.get_ydata()[0] for line in levels] == pytest.approx([0.41, deviation, 0.04], abs=1e-6)
    assert curve.get_xydata().tolist() == [[50, 0.3], [100, 0.1]]


def test_the_example_adds_the_marked_numbers():
    x = np.array([[[0.25, 1], [0.9, 0], [0.5, 1]]])
    study = SimpleNamespace(prepared=lambda name: SimpleNamespace(tests={"test": SimpleNamespace(x=x)}))
    axes = Figure().subplots()
    front._example(axes, study)
    assert axes.get_title() == "one example: 0.25 + 0.50 = 0.75"


def test_the_front_page_shows_text_from_data_as_text_and_scores_in_their_unit(monkeypatch):
    for name in ("show_headline", "show_questions"):
        monkeypatch.setattr(verdicts, name, lambda study: None)
    for name in ("picture", "show"):
        monkeypatch.setattr(front, name, lambda *words, **more: None)
    cells = {"lstm": {"test": {"mean": 0.805, "interval": [0.7, 0.9]}}}
    task = {"score": "accuracy", "unit": "", "cells": cells, "card": {"provenance": [RECORD | {"title": MARKUP}]}}
    study = SimpleNamespace(
        cells=lambda name: ["lstm"], summary={"study": MARKUP}, tasks={"tweets": task}, given="given"
    )
    html = front.body(study, [(f"{MARKUP}.html", MARKUP, MARKUP)])
    assert "<script" not in html
    assert html.count("&lt;script&gt;a &amp; b&lt;/script&gt;") == 5
    assert ">80.5 % (70.0 to 90.0 %)</td>" in html
