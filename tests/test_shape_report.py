"""The report of sequence shapes on a small study made by hand: what its tables and figures say, that text from data
stays text, and that the notebook asks for nothing that is not there."""

import ast
import json
import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from conftest import ROOT
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from test_report import Texts

from rnn_study.behaviour.shapes import systems
from rnn_study.data.prepared import save_task
from rnn_study.model.task import Batch, Task
from rnn_study.reports import page, sequence_shapes
from rnn_study.reports.elements import display
from rnn_study.reports.sequence_shapes import diagrams, plots, translation
from rnn_study.reports.study import Study
from rnn_study.support.files import write_json

MARKUP = "<script>a & b</script>"
NOT_RUN = "not run in this study"


def row(number, verdict=NOT_RUN, value=None, interval=None, unit="", seeds=None, note=""):
    system, claim, _ = systems.SYSTEMS[number]
    return {"number": number, "system": system, "claim": claim, "verdict": verdict, "value": value} | {
        "interval": interval,
        "unit": unit,
        "seeds": seeds,
        "note": note,
    }


def record(source, title, note="a note", **more):
    own = {"source": source, "title": title, "origin": "embedded", "note": note, "licence": f"licence of {source}"}
    return own | {"generated": False, "complete": True, "rows": {"train_examples": 1234}, "files": []} | more


DIGITS = record("mnist", "Digits", f"small {MARKUP}")
CARDS = {
    "digits": [DIGITS],
    "spelled": [DIGITS],
    "numbers": [record("numbers", "Numbers", origin="from a seed", generated=True)],
    "suns": [record("suns", "Suns", complete=False)],
    "vectors_random": [record("tweets", f"Tweets {MARKUP}"), record("glove", "GloVe")],
    "characters": [record("alice", "Alice")],
}
ROWS = {
    2: row(2, "holds", 16.0, None, "nodes a step", None, "a note"),
    3: row(3, "exact", 1.9e-6, None, "deviation", None, "60 checks"),
    4: row(4, "nearly always", 0.9988, None, "accuracy"),
    5: row(5, "another data set", 0.9108, [0.8877, 0.934], "accuracy", 10, MARKUP),
    7: row(7, "better than the season", 85.761, None, "rmse", 1),
    18: row(18, "holds", -1.7416, [-1.9661, -1.517], "powers of ten", 8),
    19: row(19, "worse than n-grams", 2.8617, None, "bits", 1),
}


def scored(system, variant, backend, mean, interval, part="test", score="accuracy", seeds=2, parameters=1234):
    keys = ("system", "variant", "backend", "mean", "interval", "part", "score", "seeds", "parameters")
    return dict(zip(keys, (system, variant, backend, mean, interval, part, score, seeds, parameters), strict=True))


SCORES = [
    scored("digits", "mlp", "pytorch", 0.9056, [0.876, 0.9352]),
    scored("digits", "lstm-3", "tensorflow", 0.8333, [0.7432, 0.9235], seeds=1),
    scored("numbers", "gru-attention", "pytorch", 0.985, [0.97, 1.0], parameters=56789),
    scored("numbers", "gru-attention", "tensorflow", 1.0, [1.0, 1.0]),
    scored("numbers", "gru-attention", "tensorflow", 0.125, [0.1, 0.15], part="longer"),
    scored("suns", f"v {MARKUP}", "pytorch", 17.158, [13.339, 20.978], score="rmse"),
    scored("frames", "vanilla", "pytorch", 0.75, [0.7, 0.8]),
]
TEXT = {
    "system": "characters",
    "variant": "gru",
    "bits": [2.0, 4.0],
    "written": {
        "unit": "characters",
        "start": ["A", "<b>", "c"],
        "samples": [{"temperature": 0.0, "text": ["a", MARKUP]}, {"temperature": 0.5, "text": ["b", " ", "c"]}],
        "ngram": {"order": 4, "bits": 2.754},
        "unigram_bits": 4.126,
    },
}
WORDS = {
    "system": "words",
    "variant": "lstm",
    "bits": [6.0],
    "written": {
        "unit": "words",
        "start": ["it", "is"],
        "samples": [{"temperature": 1.0, "text": ["good", "."]}],
        "ngram": {"order": 2, "bits": 7.5},
        "unigram_bits": 8.0,
    },
}


def width(data, units, attention, *scores, backend="pytorch", part="test"):
    return {
        "data": data,
        "backend": backend,
        "variant": "v",
        "units": units,
        "attention": attention,
        "part": part,
        "scores": list(scores),
    }


WIDTHS = [
    width("numbers", 48, False, 1.0, 0.5),
    width("numbers", 8, False, 0.125),
    width("numbers", 8, True, 0.9),
    width("numbers", 48, False, 0.8, backend="tensorflow"),
    width("numbers_longer", 64, True, 0.25, part="test"),
    width("numbers_longer", 64, True, 0.05, part="longer"),
]
FOUND = {
    "language": [TEXT, WORDS],
    "baselines": {"suns": {f"rule {MARKUP}": 29.632}, "frames": {"the way": 0.2657}},
    "roommate": [
        {"version": "weather", "courses": 60, "by_hand": 60, "trained": {"pytorch": [60, 59], "tensorflow": [3]}},
        {"version": "memory", "courses": 60, "by_hand": 58, "trained": {}},
    ],
    "order": [
        {"cell": "lstm", "ordered": 0.93, "shuffled": 0.796, "lost": 0.134, "interval": [0.1157, 0.1523], "seeds": 10},
        {"cell": "gru", "ordered": 0.9, "shuffled": 0.91, "lost": -0.01, "interval": [-0.021, 0.001], "seeds": 10},
    ],
    "single_words": 0.7637,
    "vectors": [
        {
            "system": "vectors_random",
            "neighbours": [
                {"word": MARKUP, "before": ["x", "y"], "after": ["<i>", "z"]},
                {"word": "hate", "before": ["a"], "after": ["b"]},
            ],
            "alike": {"before": 0.477, "after": 0.973},
        }
    ],
    "arrives": [
        {"system": "numbers", "variant": "gru", "initial": [1.0, 0.5, 0.125], "trained": [1.0, 2.0, 0.0433]},
        {"system": "numbers", "variant": "gru-attention", "initial": [1.0, 0.9, 0.8], "trained": [1.0, 0.7, 0.512]},
        {"system": "numbers_narrow", "variant": "gru", "initial": [1.0, 9.0, 9.0], "trained": [1.0, 9.0, 9.0]},
    ],
    "widths": WIDTHS,
}


def sample(place, read, said, expected):
    return {"place": place, "read": read, "said": said, "expected": expected, "right": said == expected}


ANSWERS = [
    {
        "system": "numbers",
        "variant": "gru-attention",
        "examples": 260,
        "greedy": 250,
        "beam": {"width": 4, "right": 251},
        "ended": 259,
        "samples": [
            sample(3, ["five", MARKUP], ["cinq", "cents"], ["cinq", "cents"]),
            sample(9, ["six"], [MARKUP], ["six"]),
        ],
    },
    {
        "system": "spelled",
        "variant": "gru",
        "examples": 3,
        "greedy": 1,
        "beam": {"width": 4, "right": 2},
        "ended": 3,
        "samples": [sample(2, [], ["o", "n", "e"], ["o", "n", "e"]), sample(0, [], ["t", "o"], ["t", "w", "o"])],
    },
]
SERIES = {
    "before": [10.0, 20.0, 30.0],
    "truth": [40.0, 30.0],
    "naive": [20.0, 30.0, 20.0],
    "networks": [[41.0, 33.0, 7.0], [39.0, 29.0, 1e9]],
}
SAMPLES = {
    "answers": ANSWERS,
    "continued": [
        {"system": "suns", "variant": "vanilla", "from": "1907", "season": 11, "steps": 2}
        | {"errors": [10.04, 20.04], "naive_error": 60.449, "series": SERIES}
    ],
    "looked": [
        {
            "system": "numbers",
            "variant": "gru-attention",
            "read": ["two", '"><script>'],
            "written": ["deux", "un", "[END]"],
            "weights": [[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]],
        },
        {"system": "numbers_narrow", "variant": "gru", "read": ["x"], "written": ["y"], "weights": [[1.0]]},
    ],
    "vectors": [
        {
            "system": "vectors_random",
            "trained": True,
            "alike": {"before": 0.477, "after": 0.973},
            "map": {
                "words": ["love", "hate", MARKUP],
                "classes": ["bad", "good"],
                "positive": [0.9, 0.1, 0.5],
                "before": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
                "after": [[5.0, 4.0], [3.0, 2.0], [1.0, 0.0]],
            },
        },
        {"system": "vectors_frozen", "trained": False},
    ],
}
UNROLLED = [
    {"framework": framework, "way": way, "steps": steps, "nodes": nodes, "build_growth": growth}
    | {"memory_mib": memory, "step_ratio": ratio}
    for framework, way, steps, nodes, growth, memory, ratio in (
        ("tensorflow", "static", 2, 99, 1.0, 6.5, 0.75),
        ("tensorflow", "static", 400, 6467, 66.5, 123.0, 0.32),
        ("pytorch", "loop", 2, 25, None, 10.1, 0.772),
        ("pytorch", "loop", 400, 2015, None, 12.3, 1.61),
    )
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study of a few systems; markup wherever data has words."""
    root = tmp_path_factory.mktemp("shapes")
    faults = [
        {"system": 15, "says": f"says {MARKUP}", "does": f"does {MARKUP}", "measured": f"measured {MARKUP}"},
        {"system": 8, "says": "it forecasts", "does": "it repeats", "measured": "RMSE 49.00"},
    ]
    table = [ROWS.get(number) or row(number) for number in range(1, 26)]
    shapes = {"study": f"quick {MARKUP}", "systems": table, "tutorials": faults, "scores": SCORES, "found": FOUND}
    write_json(root / "metrics/sequence_shapes.json", shapes)
    write_json(root / "data/sequence_shapes.json", SAMPLES)
    write_json(root / "metrics/shapes/data.json", {name: {"provenance": own} for name, own in CARDS.items()})
    write_json(root / "metrics/data/tweets.json", {"provenance": CARDS["vectors_random"]})
    machine = {"cores": 2, "cpu": MARKUP}
    write_json(root / "benchmarks/results/unrolling.json", {"rows": UNROLLED, "machine": machine})
    images = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2)
    part = Batch(images, np.array([[2, 1]] * 3))
    task = Task("spelled", "cross_entropy", 3, part, part, {"test": part}, writes=True)
    save_task(task, root / "data/shapes/spelled.npz")
    return Study(root)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are shown, each with its alternative text, the data it names, and where it is kept."""
    figures = []

    def note(study, draw, *, lesson, alt, source, task, name):
        figure = draw(False)
        assert len(draw(True).axes) == len(figure.axes)
        figures.append(
            SimpleNamespace(figure=figure, axes=figure.axes, alt=alt, source=source, place=(task, name), lesson=lesson)
        )

    for module in (plots, diagrams, translation):
        monkeypatch.setattr(module, "show", note)
    return figures


def shown(show, *words):
    """What a function displays: tables, their captions and rows of texts; all text, and the tags; alternative texts."""
    InteractiveShell.instance()
    with capture_output() as captured:
        show(*words)
    html = [output.data["text/html"] for output in captured.outputs if "text/html" in output.data]
    found = Texts()
    found.feed("".join(html))
    tables = []
    for text in html:
        rows = [
            [plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)]
            for line in re.findall(r"<tr>(.*?)</tr>", text)
        ]
        if rows:
            tables.append((plain(re.search("<caption>(.*?)</caption>", text)[1]), rows))
    html = [re.sub("</?strong>|<details>.*?</details>(?=</li>)", "", text) for text in html]
    lists = [[plain(item) for item in re.findall("<li>(.*?)</li>", text)] for text in html if "<li>" in text]
    alts = [plain(told) for text in html for told in re.findall('<p id="[^"]*-told">(.*?)</p>', text)]
    return SimpleNamespace(tables=tables, lists=lists, text=found.text, tags=found.tags, alts=alts, captured=captured)


def plain(html):
    found = Texts()
    found.feed(html)
    assert found.tags == []
    return found.text


EVERYTHING = (
    (sequence_shapes.banner, ()),
    (sequence_shapes.show_claims, ()),
    (sequence_shapes.systems_table, ()),
    (sequence_shapes.tutorials_table, ()),
    (sequence_shapes.scores_table, ()),
    (sequence_shapes.answers_table, ("numbers",)),
    (sequence_shapes.answers_table, ("spelled",)),
    (sequence_shapes.generated, ()),
    (sequence_shapes.roommate_table, ()),
    (sequence_shapes.order_table, ()),
    (sequence_shapes.neighbours_table, ()),
    (sequence_shapes.continued, ("suns",)),
    (sequence_shapes.attention, ()),
    (sequence_shapes.exact_by_width, ()),
    (sequence_shapes.arrives, ()),
    (sequence_shapes.map_of_words, ()),
    (sequence_shapes.spelled, ()),
    (sequence_shapes.unrolling, ()),
    *((sequence_shapes.diagram, (name,)) for name in diagrams.SHAPES),
)
SAFE = {"div", "p", "strong", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary"}
SAFE |= {
    "figure",
    "figcaption",
    "code",
    "svg",
    "style",
    "g",
    "defs",
    "path",
    "use",
    "text",
    "image",
    "clippath",
    "rect",
}


@pytest.mark.parametrize(("show", "words"), EVERYTHING, ids=lambda given: getattr(given, "__name__", str(given)))
def test_text_from_data_stays_text(show, words, finished):
    """Words, tweets, rules, notes, titles: markup in them is shown, not obeyed; also in the page that is rendered."""
    found = shown(show, finished, *words)
    assert set(found.tags) <= SAFE
    outputs = [
        nbformat.v4.new_output("display_data", data=dict(output.data), metadata=dict(output.metadata or {}))
        for output in found.captured.outputs
    ]
    assert outputs
    cells = [nbformat.v4.new_markdown_cell("# T"), nbformat.v4.new_code_cell("", outputs=outputs)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    target = finished.root / "page.html"
    page.render(notebook, target)
    rendered = Alts()
    rendered.feed(target.read_text(encoding="utf-8"))
    assert not {"script", "b", "i"} & set(rendered.tags)
    assert rendered.alts == found.alts
    assert set(rendered.named) <= rendered.ids


class Alts(Texts):
    """A page with the texts that say what its images show, and the ids of those that its images name."""

    def __init__(self):
        super().__init__()
        self.alts, self.ids, self.named, self.inside = [], set(), [], False

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        own = dict(attrs)
        self.ids.add(own.get("id"))
        if tag == "svg":
            assert own["role"] == "img"
            self.named.append(own["aria-labelledby"])
        if tag == "p":
            self.inside = own.get("id", "").endswith("-told")
            self.alts += [""] * self.inside

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "p"

    def handle_data(self, data):
        super().handle_data(data)
        if self.inside:
            self.alts[-1] += data


@pytest.mark.parametrize(
    ("show", "words", "times"),
    [
        (sequence_shapes.banner, (), 4),  # the study, a note, a title, and that in the first line too
        (sequence_shapes.show_claims, (), 1),
        (sequence_shapes.systems_table, (), 1),
        (sequence_shapes.tutorials_table, (), 3),
        (sequence_shapes.scores_table, (), 2),
        (sequence_shapes.answers_table, ("numbers",), 2),
        (sequence_shapes.generated, (), 1),
        (sequence_shapes.order_table, (), 1),
        (sequence_shapes.neighbours_table, (), 1),
    ],
    ids=lambda given: getattr(given, "__name__", str(given)),
)
def test_markup_is_shown_as_it_stands(show, words, times, finished):
    assert shown(show, finished, *words).text.count(MARKUP) == times


# What it ran on, and what was left out -------------------------------------------------------------------------------


def test_the_report_says_what_it_ran_on_once_a_source(finished):
    found = shown(sequence_shapes.banner, finished)
    assert f"This is the quick {MARKUP} study, on: Digits (embedded, all of it); Numbers (from a s" in found.text
    rows = ": 1,234 train examples."
    assert found.lists == [
        [
            f"Digits (embedded, all of it){rows} small {MARKUP}. Licence: licence of mnist. ",
            f"Numbers (from a seed, generated){rows} a note. Licence: licence of numbers. ",
            f"Suns (embedded, an excerpt){rows} a note. Licence: licence of suns. ",
            f"Tweets {MARKUP} (embedded, all of it){rows} a note. Licence: licence of tweets. ",
            f"GloVe (embedded, all of it){rows} a note. Licence: licence of glove. ",
            f"Alice (embedded, all of it){rows} a note. Licence: licence of alice. ",
        ]
    ]


def given(table, scores):
    return SimpleNamespace(shapes={"systems": table, "scores": scores})


def test_what_was_not_run_is_named():
    table = [row(1), row(3, "exact", 0.0), row(12), row(25)]
    both = [scored("numbers", "gru", backend, 1, [1, 1]) for backend in ("pytorch", "tensorflow")]
    assert sequence_shapes.not_run(given(table, both)) == ["Not run: Two steps of an RNN by hand, GRU and Word order"]
    assert sequence_shapes.not_run(given(table[:2], both)) == ["Not run: Two steps of an RNN by hand"]
    assert sequence_shapes.not_run(given(table[1:2], both)) == []


def test_what_one_framework_alone_trained_is_named():
    alone = [scored(name, "gru", "pytorch", 1, [1, 1]) for name in ("words", "frames", "numbers", "words")]
    (told,) = sequence_shapes.not_run(given([], [*alone, scored("numbers", "gru", "tensorflow", 1, [1, 1])]))
    assert told.startswith(
        "Trained in PyTorch alone, for the time it takes to compile them: A way for every frame and Words. The real"
    )


# Figures in words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "interval", "unit", "said"),
    [
        (None, None, "", "—"),
        (0.9108, [0.8877, 0.934], "accuracy", "91.1 % (88.8 to 93.4 %)"),
        (0.5, None, "accuracy", "50.0 %"),
        (0.0, None, "accuracy", "0.0 %"),
        (49.003, [39.257, 58.75], "rmse", "49.00 (39.26 to 58.75) RMSE"),
        (2.8617, None, "bits", "2.86 bits"),
        (-110.9375, [-147.671, -74.204], "updates", "-110.94 (-147.67 to -74.20) updates"),
        (-1.7416, [-1.9661, -1.517], "powers of ten", "-1.74 (-1.97 to -1.52) powers of ten"),
        (16.0, None, "nodes a step", "16 nodes a step"),
        (5.0, None, "of 5 shapes", "5 of 5 shapes"),
    ],
)
def test_a_figure_is_written_with_its_interval_and_unit(value, interval, unit, said):
    assert sequence_shapes.figure({"value": value, "interval": interval, "unit": unit}) == said


def test_a_deviation_is_a_power_of_ten():
    assert sequence_shapes.figure({"value": 1.93e-6, "interval": None, "unit": "deviation"}).startswith("1.9e-06")


def test_a_claim_stands_beside_what_was_found(finished):
    found = shown(sequence_shapes.show_claims, finished, 5, 7, 4, 6)
    assert found.lists == [
        [
            "Output of variable length: nearly always. Claim: an end token ends it. 99.9 %.",
            f"MNIST by rows, 150 units: another data set. Claim: 98 %. 91.1 % (88.8 to 93.4 %), 10 seeds; {MARKUP}.",
            "MNIST by rows, LSTM(30), RMSprop: not run in this study. Claim: what that code reaches. —.",
            "A series, sequence to sequence, then alone: better than the season. Claim: it continues the series. "
            "85.76 RMSE, 1 seed.",
        ]
    ]
    assert len(shown(sequence_shapes.show_claims, finished).lists[0]) == 25


def test_the_table_of_systems_has_all_25(finished):
    ((caption, (header, *rows)),) = shown(sequence_shapes.systems_table, finished).tables
    assert header == ["system", "claim", "found (95 % interval)", "what to know of it"]
    assert "exploratory" in caption
    assert [line[0] for line in rows] == [f"{number}. {systems.SYSTEMS[number][0]}" for number in range(1, 26)]
    assert rows[1][1:] == [systems.SYSTEMS[2][1], "holds: 16 nodes a step", "a note"]
    assert rows[2][2:] == ["exact: 1.9e-06", "60 checks"]
    assert rows[4][2:] == ["another data set: 91.1 % (88.8 to 93.4 %)", MARKUP]
    assert rows[17][2:] == ["holds: -1.74 (-1.97 to -1.52) powers of ten", "—"]
    assert rows[18][2] == "worse than n-grams: 2.86 bits"
    assert rows[0][2:] == ["not run in this study: —", "—"]


@pytest.mark.parametrize(
    ("show", "prose"), [(sequence_shapes.systems_table, range(4)), (sequence_shapes.tutorials_table, range(3))]
)
def test_sentences_in_tables_break_their_lines(show, prose, finished):
    (output,) = shown(show, finished).captured.outputs
    for line in re.findall(r"<tr>(.*?)</tr>", output.data["text/html"]):
        classes = re.findall(r"<t[hd]([^>]*)>", line)
        assert [place for place, given in enumerate(classes) if 'class="text"' in given] == list(prose)


def test_the_table_of_faults(finished):
    ((_, (header, *rows)),) = shown(sequence_shapes.tutorials_table, finished).tables
    assert header == ["the text says", "the code does", "measured here", "system"]
    assert rows == [
        [f"says {MARKUP}", f"does {MARKUP}", f"measured {MARKUP}", "15"],
        ["it forecasts", "it repeats", "RMSE 49.00", "8"],
    ]


def test_scores_stand_beside_rules(finished):
    ((caption, (header, *rows)),) = shown(sequence_shapes.scores_table, finished).tables
    assert header == ["system", "network", "framework", "score", "95 % interval", "seeds", "weights"]
    assert "of one seed the examples alone" in caption
    numbers, longer = "Numbers, English to French", "Numbers, English to French, longer numbers"
    assert rows == [
        ["Images by rows, shapes", "MLP", "PyTorch", "90.6 %", "87.6 to 93.5 %", "2", "1,234"],
        ["Images by rows, shapes", "LSTM, three layers", "TensorFlow", "83.3 %", "74.3 to 92.3 %", "1", "1,234"],
        [numbers, "GRU with attention", "PyTorch", "98.5 %", "97.0 to 100.0 %", "2", "56,789"],
        [numbers, "GRU with attention", "TensorFlow", "100.0 %", "100.0 to 100.0 %", "2", "1,234"],
        [longer, "GRU with attention", "TensorFlow", "12.5 %", "10.0 to 15.0 %", "2", "1,234"],
        ["suns", f"v {MARKUP}", "PyTorch", "17.16", "13.34 to 20.98", "2", "1,234"],
        ["A way for every frame", "vanilla RNN", "PyTorch", "75.0 %", "70.0 to 80.0 %", "2", "1,234"],
        ["suns", f"rule {MARKUP}", "—", "29.63", "—", "—", "—"],
        ["A way for every frame", "the way", "—", "26.6 %", "—", "—", "—"],
    ]
    ((_, (_, *some)),) = shown(sequence_shapes.scores_table, finished, "suns", "digits").tables
    assert some == [rows[0], rows[1], rows[5], rows[7]]


def test_answers_are_shown_with_what_was_read(finished):
    ((caption, (header, *rows)),) = shown(sequence_shapes.answers_table, finished, "numbers").tables
    assert header[:3] == ["read", "written", "expected"]
    assert caption == (
        "GRU with attention, first seed: 250 of 260 answers right, 251 with a beam of 4; 259 found an end"
    )
    assert rows == [[f"five {MARKUP}", "cinq cents", "cinq cents", "right"], ["six", MARKUP, "six", "wrong"]]
    ((caption, (_, *rows)),) = shown(sequence_shapes.answers_table, finished, "spelled").tables
    assert caption == "GRU, first seed: 1 of 3 answers right, 2 with a beam of 4; 3 found an end"
    assert rows == [["image 2", "one", "one", "right"], ["image 0", "to", "two", "wrong"]]


def test_what_a_language_model_writes_is_shown_with_what_a_symbol_costs(finished):
    found = shown(sequence_shapes.generated, finished)
    assert (
        "GRU: 3.00 bits a character, a perplexity of 8.0; 5-grams need 2.75, single characters 4.13. It began to write "
        "after “A<b>c”."
    ) in found.text
    assert (
        "LSTM: 6.00 bits a word, a perplexity of 64.0; 3-grams need 7.50, single words 8.00. It began to write after "
        "“it is”."
    ) in found.text
    assert found.lists == [
        [f"temperature 0: a{MARKUP}", "temperature 0.5: b c"],
        ["temperature 1: good ."],
    ]


def test_courses_are_counted(finished):
    ((_, (_, *rows)),) = shown(sequence_shapes.roommate_table, finished).tables
    assert rows == [["weather", "60 of 60", "PyTorch 60, 59 and TensorFlow 3"], ["memory", "58 of 60", "—"]]


def test_what_shuffling_costs_is_told_in_points_and_names_its_data(finished):
    ((caption, (_, *rows)),) = shown(sequence_shapes.order_table, finished).tables
    assert caption == (
        f"Accuracy on the tweets' test part; data: Tweets {MARKUP} (embedded, all of it); GloVe (embedded, all of it)"
    )
    assert rows == [
        ["LSTM", "93.0 %", "79.6 %", "13.4 points (11.6 to 15.2)"],
        ["GRU", "90.0 %", "91.0 %", "-1.0 points (-2.1 to 0.1)"],
        ["single words, TF-IDF", "76.4 %", "76.4 %", "0: it sees no order"],
    ]


def test_neighbours_before_and_after(finished):
    ((caption, (_, *rows)),) = shown(sequence_shapes.neighbours_table, finished).tables
    assert caption == ("Vectors from scratch: nearest words; 47.7 % of them lean the word's way before, 97.3 % after")
    assert rows == [[MARKUP, "x, y", "<i>, z"], ["hate", "a", "b"]]


# Figures -------------------------------------------------------------------------------------------------------------


def lines(axes):
    """The lines of a panel with a name, by it: where they go."""
    named = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    return {line.get_label(): line.get_xydata().tolist() for line in named}


def test_a_continued_series_is_drawn_beside_the_truth(finished, drawn):
    sequence_shapes.continued(finished, "nothing")
    assert drawn == []
    sequence_shapes.continued(finished, "suns")
    (one,) = drawn
    assert one.alt == (
        "suns: the network continued the series for 2 steps whose truth is known with an RMSE of 15.0; the last season "
        "repeated has 60.4."
    )
    assert one.source == "data: Suns (embedded, an excerpt)"
    assert one.place == ("suns", "continued")
    (axes,) = one.axes
    assert lines(axes) == {
        "truth": [[0, 40], [1, 30]],
        "last season again": [[0, 20], [1, 30], [2, 20]],
        "vanilla RNN, alone": [[0, 41], [1, 33], [2, 7]],
    }
    others = [line.get_xydata().tolist() for line in axes.get_lines() if line.get_label().startswith("_")]
    assert [[-3, 10], [-2, 20], [-1, 30]] in others
    assert [[0, 39], [1, 29], [2, 1e9]] in others
    assert axes.get_ylim() == (
        -5,
        55,
    )  # half the range of what is known beyond it: a run that leaves it leaves the page
    assert axes.get_xlabel() == "steps from 1907"


def test_attention_is_drawn_word_by_word(finished, drawn):
    sequence_shapes.attention(finished)
    (one,) = drawn  # of the first system alone
    assert one.alt == (
        'GRU with attention: while writing, it looked most: deux at two, un at "><script>, [END] at two.'
    )
    assert one.source == "data: Numbers (from a seed, generated)"
    assert one.place == ("numbers", "attention_gru-attention")
    axes = one.axes[0]
    assert axes.get_images()[0].get_array().tolist() == [[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["two", '"><script>']
    assert [text.get_text() for text in axes.get_yticklabels()] == ["deux", "un", "[END]"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("read", "written")
    assert axes.get_images()[0].get_clim() == (0, 1)


def test_exact_match_at_one_width_is_a_dot_for_each_network(finished, drawn, monkeypatch):
    found = finished.shapes["found"]
    monkeypatch.setitem(found, "widths", [row for row in found["widths"] if row["units"] == 8])
    sequence_shapes.exact_by_width(finished)
    (one,) = drawn
    (axes,) = one.axes
    (dots,) = axes.get_lines()
    assert dots.get_linestyle() == "None"
    assert dots.get_xydata().tolist() == [[12.5, 0], [90, 1]]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "without attention, PyTorch",
        "with attention, PyTorch",
    ]
    monkeypatch.setitem(found, "widths", [])
    sequence_shapes.exact_by_width(finished)  # shows nothing
    assert len(drawn) == 1


def test_exact_match_is_drawn_by_width_a_panel_a_part(finished, drawn):
    sequence_shapes.exact_by_width(finished)
    (one,) = drawn
    plain_lines, longer = (lines(axes) for axes in one.axes)
    numbers, other = "Numbers, English to French", "Numbers, trained on short ones"
    assert plain_lines == {
        f"{numbers}, without attention, PyTorch": [[8, 12.5], [48, 75]],
        f"{numbers}, with attention, PyTorch": [[8, 90]],
        f"{numbers}, without attention, TensorFlow": [[48, 80]],
        f"{other}, with attention, PyTorch": [[64, 25]],
    }
    assert longer == {f"{other}, with attention, PyTorch": [[64, 5]]}
    assert [axes.get_title() for axes in one.axes] == ["test part", "longer numbers"]
    assert one.alt == (
        f"{numbers}, without attention, PyTorch, test part: 12.5 % at 8 units, 75.0 % at 48 units; "
        f"{numbers}, with attention, PyTorch, test part: 90.0 % at 8 units; "
        f"{numbers}, without attention, TensorFlow, test part: 80.0 % at 48 units; "
        f"{other}, with attention, PyTorch, test part: 25.0 % at 64 units; "
        f"{other}, with attention, PyTorch, longer numbers: 5.0 % at 64 units."
    )
    assert one.source == "data: Numbers (from a seed, generated)"
    assert one.place == ("numbers", "exact_by_width")
    styles = {line.get_label(): (line.get_linestyle(), line.get_color()) for line in one.axes[0].get_lines()}
    assert len({colour for _, colour in styles.values()}) == 3  # a colour for data with or without attention
    assert {style for name, (style, _) in styles.items() if "TensorFlow" in name} == {"--"}
    assert {style for name, (style, _) in styles.items() if "PyTorch" in name} == {"-"}
    found = finished.shapes["found"]
    found["widths"] = [row for row in found["widths"] if row["data"] == found["widths"][0]["data"]]
    sequence_shapes.exact_by_width(finished)
    assert list(lines(drawn[1].axes[0])) == [
        "without attention, PyTorch",
        "with attention, PyTorch",
        "without attention, TensorFlow",
    ]
    assert drawn[1].axes[0].get_xticks().tolist() == [8, 48]


def test_error_that_arrives_is_drawn_before_and_after_training(finished, drawn):
    sequence_shapes.arrives(finished)
    (one,) = drawn
    assert [lines(axes) for axes in one.axes] == [
        {"GRU": [[0, 1], [1, 0.5], [2, 0.125]], "GRU with attention": [[0, 1], [1, 0.9], [2, 0.8]]},
        {"GRU": [[0, 1], [1, 2], [2, 0.0433]], "GRU with attention": [[0, 1], [1, 0.7], [2, 0.512]]},
    ]
    assert [axes.get_title() for axes in one.axes] == ["before training", "trained"]
    assert {axes.get_yscale() for axes in one.axes} == {"log"}
    assert one.alt == (
        "before training, GRU: 12.5 % at the first word; before training, GRU with attention: 80 % at the first word; "
        "trained, GRU: 4.33 % at the first word; trained, GRU with attention: 51.2 % at the first word."
    )
    assert one.source == "data: Numbers (from a seed, generated)"
    assert one.place == ("numbers", "error_that_arrives")


def test_words_are_mapped_by_the_way_they_lean(finished, drawn):
    sequence_shapes.map_of_words(finished)
    (one,) = drawn  # a frozen table has no after
    assert one.alt == (
        "Vectors from scratch: of a word's nearest words so many lean its way: 48 % before and 97 % after training."
    )
    assert one.source == f"data: Tweets {MARKUP} (embedded, all of it); GloVe (embedded, all of it)"
    assert one.place == ("vectors_random", "map_of_words")
    for axes, title, negative, positive in zip(
        one.axes,
        ("before training", "after training"),
        ([[2, 3], [4, 5]], [[3, 2], [1, 0]]),
        ([[0, 1]], [[5, 4]]),
        strict=True,
    ):
        assert axes.get_title() == title
        found = {group.get_label(): group.get_offsets().tolist() for group in axes.collections}
        assert found == {"mostly in bad tweets": negative, "mostly in good tweets": positive}
        assert [text.get_text() for text in axes.texts] == ["love", "hate", MARKUP]
        assert [list(text.xy) for text in axes.texts] == [positive[0], *negative]


def test_images_are_shown_with_the_names_written_for_them(finished, drawn):
    sequence_shapes.spelled(finished)
    (one,) = drawn
    assert one.alt == "Images and the names written for them: one: one; two: to."
    assert one.source == "data: Digits (embedded, all of it)"
    assert one.place == ("spelled", "spelled")
    used = [axes for axes in one.axes if axes.get_images()]
    assert [axes.get_title() for axes in used] == ["one", "to\n(is two)"]
    assert [axes.get_images()[0].get_array().tolist() for axes in used] == [[[8, 9], [10, 11]], [[0, 1], [2, 3]]]
    assert not any(axes.axison for axes in one.axes)


def test_a_study_that_spells_nothing_shows_no_images(drawn):
    sequence_shapes.spelled(SimpleNamespace(shape_samples={"answers": ANSWERS[:1]}))
    assert drawn == []


def test_graphs_and_calls_are_drawn_by_their_steps(finished, drawn):
    sequence_shapes.unrolling(finished)
    (one,) = drawn
    loop, static = "PyTorch, loop", "TensorFlow, static"
    assert [lines(axes) for axes in one.axes] == [
        {static: [[2, 99], [400, 6467]], loop: [[2, 25], [400, 2015]]},
        {static: [[2, 1], [400, 66.5]]},  # nothing is built
        {static: [[2, 6.5], [400, 123]], loop: [[2, 10.1], [400, 12.3]]},
        {static: [[2, 0.75], [400, 0.32]], loop: [[2, 0.772], [400, 1.61]]},
    ]
    titles = [axes.get_title() for axes in one.axes]
    assert titles == ["nodes of the graph", "time to build / shortest", "memory, MiB", "time of a call / native"]
    assert one.alt == (
        f"{titles[0]}, {static}: 99 at 2 steps, 6467 at 400; {titles[0]}, {loop}: 25 at 2 steps, 2015 at 400; "
        f"{titles[1]}, {static}: 1 at 2 steps, 66.5 at 400; "
        f"{titles[2]}, {static}: 6.5 at 2 steps, 123 at 400; {titles[2]}, {loop}: 10.1 at 2 steps, 12.3 at 400; "
        f"{titles[3]}, {static}: 0.75 at 2 steps, 0.32 at 400; {titles[3]}, {loop}: 0.772 at 2 steps, 1.61 at 400."
    )
    assert one.source == f"measured by benchmarks/unrolling.py: {MARKUP}, 2 cores"
    assert (
        one.lesson == f"Unrolled over more steps there is a graph that grows with the sequence ({static} and {loop})."
    )
    assert one.place == ("shapes", "unrolling")
    assert {axes.get_yscale() for axes in one.axes} == {"log"}
    styles = {line.get_label(): (line.get_linestyle(), line.get_color()) for line in one.axes[0].get_lines()}
    assert (styles[loop][0], styles[static][0]) == ("-", "--")
    assert styles[loop][1] != styles[static][1]


@pytest.mark.parametrize(
    ("name", "answers", "cells"),
    [
        ("one to one", ["7"], ["dense"]),
        ("one to many", ["o", "n", "e", "[END]"], ["dense", *["decoder"] * 4]),
        ("many to one", ["7"], ["cell"] * 4),
        ("synced", ["still", "left", "up", "left"], ["cell"] * 4),
        ("many to many", ["quarante", "deux", "[END]"], ["cell"] * 2 + ["decoder"] * 3),
    ],
)
def test_a_shape_is_drawn_as_it_is_read_and_answered(name, answers, cells, finished, drawn):
    sequence_shapes.diagram(finished, name)
    (one,) = drawn
    shape = diagrams.SHAPES[name]
    boxes = [(text.get_position(), text.get_text()) for text in one.axes[0].texts if text.get_text()]
    rows = {
        height: [text for (_, y), text in sorted(boxes, key=lambda box: box[0]) if y == height] for height in range(3)
    }
    assert rows == {0: list(shape.reads), 1: cells, 2: answers}
    assert one.lesson == f"{name.capitalize()}: {shape.about}."
    assert all(read in one.alt for read in shape.reads)
    steps, arrows = len(shape.reads), [text for text in one.axes[0].texts if not text.get_text()]
    assert len(arrows) == steps + len(answers) + (steps - 1 if len(set(cells)) > 1 or cells[0] != "dense" else 0)
    assert {read for (x, y), read in boxes if y == 0} == set(shape.reads)
    where = {x: text for (x, y), text in boxes if y == 2}
    assert where == {step: answer for step, answer in enumerate(shape.answers) if answer}


def test_what_a_decoder_reads_is_what_it_wrote():
    """A step later; before its first word it reads [GO]."""
    for shape in diagrams.SHAPES.values():
        assert len(shape.reads) == len(shape.answers)
        if "[GO]" in shape.reads:
            start = shape.reads.index("[GO]")
            assert shape.answers[start:-1] == shape.reads[start + 1 :]
            assert shape.answers[-1] == "[END]"


# The notebook, and the study that is there ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(ROOT / "notebooks/sequence_shapes.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def calls(cells):
    """Every call of a function of the report: its name, and the words it is given."""
    for node in ast.walk(ast.parse("\n".join(cells))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func, [one.value for one in node.args if isinstance(one, ast.Constant)]


def test_the_notebook_asks_for_what_there_is(cells):
    """Functions, systems and shapes; no system is shown twice in sentences."""
    asked, claims, named, diagrams_shown = set(), [], set(), []
    for function, words in calls(cells):
        module = {"sequence_shapes": sequence_shapes, "display": display}[function.value.id]
        assert callable(getattr(module, function.attr))
        asked.add(function.attr)
        if function.attr == "show_claims":
            claims += words
        elif function.attr in ("scores_table", "answers_table", "continued"):
            named |= set(words)
        elif function.attr == "diagram":
            diagrams_shown += words
    assert {*sequence_shapes.__all__, "banner", "systems_table", "tutorials_table", "not_run"} <= asked
    assert len(set(claims)) == len(claims)
    assert set(claims) <= set(range(1, 26))
    assert diagrams_shown == list(diagrams.SHAPES)
    study = json.loads((ROOT / "metrics/sequence_shapes.json").read_text(encoding="utf-8"))
    assert named <= {one["system"] for one in study["scores"]}


def test_the_notebook_shows_every_score_of_every_system(cells):
    """Those of a system that somebody added, too."""
    assert [] in [words for function, words in calls(cells) if function.attr == "scores_table"]


def test_every_system_is_in_the_notebook_that_is_run(finished, cells, monkeypatch):
    """On the study made by hand: every cell runs, and all 25 numbers stand in what it shows."""
    (finished.root / "dvc.yaml").touch()  # the project's folder
    monkeypatch.chdir(finished.root)
    own = {}
    found = [shown(exec, compile(cell, "notebook", "exec"), own) for cell in cells]
    text = "".join(one.text for one in found)
    assert all(f"{number}. {systems.SYSTEMS[number][0]}" in text for number in range(1, 26))
    assert "what this study leaves to the real one" in found[0].text
    assert sum(len(one.alts) for one in found) == 5 + 6
    assert not any({"script", "b", "i"} & set(one.tags) for one in found)


def test_the_committed_study_is_shown():
    """All that needs files in git: each figure of the table as it was measured, and none that is not a number."""
    study = Study(ROOT)
    ((_, (_, *rows)),) = shown(sequence_shapes.systems_table, study).tables
    assert len(rows) == 25
    for line, own in zip(rows, study.shapes["systems"], strict=True):
        assert line[2].startswith(f"{own['verdict']}: ")
        if own["unit"] == "accuracy":
            assert f": {100 * own['value']:.1f} %" in line[2]
    texts = []
    for show in ("banner", "show_claims", "tutorials_table", "generated", "roommate_table", "order_table"):
        found = shown(getattr(sequence_shapes, show), study)
        texts.append(found.text)
        assert set(found.tags) <= SAFE
    ((_, (_, *scores)),) = shown(sequence_shapes.scores_table, study).tables
    rules = sum(len(own) for own in study.shapes["found"]["baselines"].values())
    assert len(scores) == len(study.shapes["scores"]) + rules
    neighbours = shown(sequence_shapes.neighbours_table, study).tables
    assert len(neighbours) == len(study.shapes["found"]["vectors"])
    figures = [shown(getattr(sequence_shapes, name), study) for name in ("exact_by_width", "arrives", "unrolling")]
    assert all(len(one.alts) == 1 for one in figures)
    texts += [alt for one in figures for alt in one.alts]
    assert not re.search(r"\bnan\b|\binf\b|None", " ".join(texts))


@pytest.mark.skipif(not (ROOT / "data/sequence_shapes.json").is_file(), reason="no finished study: dvc repro")
def test_the_finished_study_is_shown():
    """What needs samples and prepared data, which are not in git."""
    study = Study(ROOT)
    for name, *words in (("continued", "sunspots_shifted"), ("attention",), ("map_of_words",), ("spelled",)):
        found = shown(getattr(sequence_shapes, name), study, *words)
        assert found.alts
        assert all(re.search(r"\w", alt) and "nan" not in alt for alt in found.alts)
    for system in ("numbers", "spelled"):
        tables = shown(sequence_shapes.answers_table, study, system).tables
        rows = [one for one in study.shape_samples["answers"] if one["system"] == system]
        assert len(tables) == len(rows) > 0
        for (caption, (_, *lines_shown)), own in zip(tables, rows, strict=True):
            assert f"{own['greedy']} of {own['examples']} answers right" in caption
            assert [line[3] == "right" for line in lines_shown] == [one["right"] for one in own["samples"]]
