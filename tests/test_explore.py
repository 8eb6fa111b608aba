"""The page to play with: what it computes is what the oracle computes, and a browser shows it as it should."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import browser_needed, needs, requested

from rnn_study.behaviour.diagnostics.linear import error_flow, unroll
from rnn_study.behaviour.diagnostics.profile import words as by_word
from rnn_study.data.problems import adding
from rnn_study.data.problems.agreement import OWNERS, SUBJECTS, THINGS, VERBS
from rnn_study.data.tasks.agreement import CLASSES, COUNTRIES, SENTENCES, vocabulary
from rnn_study.model.init import draw
from rnn_study.model.network import Embedding, Layer, Network
from rnn_study.model.reference import Tree, forward, run
from rnn_study.model.task import Batch
from rnn_study.reports import explore
from rnn_study.reports.explore.content import KNOWN

pytestmark = [needs("selenium", "IPython"), browser_needed]

NAUGHTY = "<img src=x onerror=alert(1)></script><b>bold</b>"
OWN = ["the", "women", "who", "saw", "my", "dogs", "and", "liked", "the", "car"]
MOMENTS = {"initial": 0, "epoch 1": 1, "trained": 2}


def weights(network: Network, seed: int) -> Tree:
    """A tree of float32 numbers in float64, as the page reads them; larger than drawn, so that gates move."""
    rng = np.random.default_rng(seed)
    tree = draw(network, rng, rng.normal(size=(network.embedding.words, network.inputs)) if network.embedding else None)
    tree = {name: 1.3 * array + 0.2 * rng.normal(size=array.shape) for name, array in tree.items()}
    return {name: array.astype(np.float32).astype(np.float64) for name, array in tree.items()}


@pytest.fixture(scope="module")
def networks() -> dict[tuple[str, str, int, str], tuple[Network, Tree]]:
    """By problem, cell, seed and moment: networks of both problems in every cell that the page knows."""
    table = Embedding(len(vocabulary()), trainable=True)
    found = {}
    for place, cell in enumerate(KNOWN):
        for problem, network in (
            ("adding", Network(2, (Layer(cell, 5 + place),), 1)),
            ("agreement", Network(4, (Layer(cell, 5 + place),), len(CLASSES), table)),
        ):
            for seed in (0, 3):
                for moment, epoch in MOMENTS.items():
                    found[problem, cell, seed, moment] = network, weights(network, 100 * place + 10 * seed + epoch)
    return found


def content(networks) -> dict:
    """What `explore.export` gives, of these networks."""

    def cells(problem: str) -> list[dict]:
        made = []
        for cell in KNOWN:
            entries = [
                explore.Entry(
                    seed,
                    [(0, None), (1, 0.4), (2, 0.3)],
                    {moment: (MOMENTS[moment], networks[problem, cell, seed, moment][1]) for moment in MOMENTS},
                )
                for seed in (0, 3)
            ]
            made.append(explore.entry(networks[problem, cell, 0, "initial"][0], entries))
        return made

    both = {"goal": 0.1, "chance": 0.4}
    language = {
        "words": [*vocabulary(), NAUGHTY],
        "classes": list(CLASSES),
        "cues": {noun: verb for verb, nouns in SUBJECTS.items() for noun in nouns}
        | {country: answer for answer, country in COUNTRIES.items()},
        "twins": dict(zip(*SUBJECTS.values(), strict=True)),
        "clause": [list(VERBS), list(OWNERS), list(THINGS)],
        "sentences": [text for text, *_ in SENTENCES],
    }
    first = {
        "name": "adding",
        "label": "Adding",
        "loss": "squared_error",
        "score": "rmse",
        "steps": 20,
        "source": "drawn",
    }
    second = {"name": "agreement", "label": NAUGHTY, "loss": "cross_entropy", "score": "accuracy", "steps": 27}
    problems = [
        first | both | {"cells": cells("adding")},
        second | both | {"source": NAUGHTY, "cells": cells("agreement")} | language,
    ]
    return {"study": "quick", "problems": problems}


@pytest.fixture(scope="module")
def page(networks, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("explore") / "explore.html"
    explore.write(content(networks), target)
    return target


@pytest.fixture
def opened(browser, page) -> Iterator:
    yield show(browser, page)
    assert browser.get_log("browser") == []


def show(browser, page: Path, width: int = 1280):
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(page.as_uri())
    return browser


def asked(browser, *arguments) -> dict:
    return browser.execute_script("return window.explorer.compute(...arguments)", *arguments)


def oracle(network: Network, tree: Tree, batch: Batch, loss: str) -> dict:
    """What the page must say of one sequence: the study's diagnostics and the reference."""
    x = tree["embedding"][batch.x] if network.embedding else batch.x.astype(np.float64)
    layers = unroll(network, tree, x, None)
    (flow,) = error_flow(tree, layers, batch.y, loss)
    told = by_word(network, tree, batch, loss)
    return {
        "outputs": forward(network, tree, Batch(batch.x, batch.y))[0],
        "flow": np.sqrt(sum((array**2).sum(axis=-1) for array in flow.states))[0],
        "x": told["gradient"][0],
        "share": told["gradient"][0] / told["gradient"][0].sum(),
        "keeps": told["keeps"][0],
        "gates": {name: gate[0] for name, gate in layers[0].gates.items()},
        "states": [history[0] for history in layers[0].states],
    }


def deviation(found: dict, true: dict) -> float:
    """The largest difference of anything the two say."""
    assert found.keys() == true.keys()
    assert found["gates"].keys() == true["gates"].keys()
    flat = [(found[name], true[name]) for name in true if name != "gates"]
    flat += [(found["gates"][name], true["gates"][name]) for name in true["gates"]]
    return max(float(np.abs(np.asarray(one) - np.asarray(other)).max()) for one, other in flat)


@pytest.mark.parametrize("cell", KNOWN)
def test_the_page_computes_what_the_oracle_computes(opened, networks, cell):
    batch = adding.sample(np.random.default_rng(5), 1, 30)
    ids = [vocabulary().index(word) for word in OWN]
    for seed, moment in ((0, "initial"), (3, "trained")):
        network, tree = networks["adding", cell, seed, moment]
        found = asked(opened, "adding", cell, seed, moment, batch.x[0].tolist(), batch.y[0].tolist())
        assert deviation(found, oracle(network, tree, batch, "squared_error")) < 1e-9
        network, tree = networks["agreement", cell, seed, moment]
        sentence = Batch(np.array([ids]), np.array([CLASSES.index("have")]))
        found = asked(opened, "agreement", cell, seed, moment, ids, CLASSES.index("have"))
        assert deviation(found, oracle(network, tree, sentence, "cross_entropy")) < 1e-9
        # by the hand-written gradients too, which share no line with the diagnostics
        gradient = np.linalg.norm(run(network, tree, sentence, "cross_entropy").inputs[0], axis=-1)
        np.testing.assert_allclose(found["x"], gradient, rtol=1e-9)


def choose(browser, group: str, value) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", f"#{group} input[value='{value}']")


def drawn(browser, where: str) -> str:
    return browser.execute_script("return document.getElementById(arguments[0]).innerHTML", where)


def write(browser, sentence: str) -> None:
    field = browser.find_element("id", "sentence")
    field.clear()
    field.send_keys(sentence)


def test_a_choice_changes_what_is_drawn(opened):
    before = {name: drawn(opened, name) for name in ("error", "strips", "answers", "training")}
    choose(opened, "cell", "gru")
    assert all(drawn(opened, name) != picture for name, picture in before.items())
    assert "gates of the GRU" in drawn(opened, "strips-title")
    chosen = opened.execute_script("return [...document.querySelectorAll('#error .chosen')].map(e => e.dataset.cell)")
    assert chosen == ["gru"]
    after = {name: drawn(opened, name) for name in before}
    choose(opened, "moment", "initial")
    assert all(drawn(opened, name) != picture for name, picture in after.items() if name != "training")
    seen = drawn(opened, "error")
    choose(opened, "seed", 3)
    assert drawn(opened, "error") != seen


MOVE = """const slider = document.getElementById(arguments[0]);
slider.value = arguments[1];
slider.dispatchEvent(new Event('input'))"""
MARKED = """const bars = [...document.querySelectorAll('#read .bar')];
return bars.map((bar, step) => bar.classList.contains('marked') ? step : -1).filter(step => step >= 0)"""
SMALL = """const said = e => [...e.childNodes].some(node => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll('main *')]
    .filter(e => said(e) && parseFloat(getComputedStyle(e).fontSize) < 11).map(e => e.outerHTML)"""
ROWS = "return [...document.querySelectorAll('#numbers tbody tr')].map(row => row.innerText.split('\\t'))"
COLOURS = """const all = getComputedStyle(document.documentElement);
return arguments[0].map(name => all.getPropertyValue('--' + name).trim())"""


def test_length_and_marks_move(opened):
    opened.execute_script(MOVE, "steps", 40)
    assert opened.execute_script("return document.querySelectorAll('#read .bar').length") == 40
    opened.execute_script(MOVE, "first", 2)
    opened.execute_script(MOVE, "second", 40)
    assert opened.execute_script(MARKED) == [1, 39]
    opened.execute_script(MOVE, "second", 1)  # never on the first one or before it
    assert opened.execute_script(MARKED) == [1, 2]
    picture = drawn(opened, "read")
    opened.find_element("id", "draw").click()
    assert drawn(opened, "read") != picture
    assert "of 40" in drawn(opened, "look-out")


def test_the_step_looked_at_is_told_in_numbers(opened, networks):
    """By the keyboard alone."""
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element("id", "look")
    slider.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert opened.find_element("id", "look-out").text == "3 of 20"
    rows = opened.execute_script(ROWS)
    assert [row[0] for row in rows] == ["vanilla RNN", "LSTM", "GRU", "UGRNN"]
    assert rows[0][3] == "0 %"  # a vanilla RNN keeps nothing beside its recurrent product


def test_a_sentence_of_ones_own(opened, networks):
    choose(opened, "problem", "agreement")
    write(opened, " ".join(OWN[:6]))
    assert opened.find_element("id", "fault").text == ""
    assert "women" in opened.find_element("id", "read-caption").text
    ids = [vocabulary().index(word) for word in OWN[:6]]
    assert opened.execute_script("return window.explorer.state.answer") == CLASSES.index("have")
    for cell, row in zip(KNOWN, opened.find_elements("css selector", "#chips .row"), strict=True):
        network, tree = networks["agreement", cell, 0, "trained"]
        true = oracle(network, tree, Batch(np.array([ids]), np.array([CLASSES.index("have")])), "cross_entropy")
        odds = np.exp(true["outputs"] - true["outputs"].max())
        best = odds.argmax()
        assert f"“{CLASSES[best]}”, " in row.text
        shares = [float(small.text.removesuffix(" %")) / 100 for small in row.find_elements("css selector", "small")]
        np.testing.assert_allclose(shares, true["share"], atol=0.006)
    choose(opened, "value", "keeps")
    kept = [small.text for small in opened.find_elements("css selector", "#chips .row:first-child small")]
    assert kept == ["0 %"] * 6


def test_an_unknown_word_is_one_clear_line(opened):
    choose(opened, "problem", "agreement")
    write(opened, "the man who ate my")
    picture = drawn(opened, "read")
    write(opened, "the man who ate my <b>zebra</b>")
    assert opened.find_element("id", "fault").text.startswith(
        "Not among the task's words: “<b>zebra</b>”. Below is still “"
    )
    assert drawn(opened, "read") == picture  # the last sentence that can be read
    write(opened, "[PAD]")
    assert opened.find_element("id", "fault").text.startswith("Not among the task's words: “[pad]”.")
    write(opened, "the girls w")  # it may become one
    assert opened.find_element("id", "fault").text == ""
    opened.find_element("id", "sentence").send_keys("\n")
    assert opened.find_element("id", "fault").text.startswith("Not among the task's words: “w”.")
    write(opened, "the girls who")
    assert opened.find_element("id", "fault").text == ""


def test_markup_from_data_stays_text(opened):
    choose(opened, "problem", "agreement")
    assert NAUGHTY in opened.find_element("id", "problem").text
    opened.execute_script("window.explorer.state.sentence = arguments[0]", f"the man {NAUGHTY}")
    assert opened.execute_script("return document.querySelectorAll('img, b').length") == 0
    assert NAUGHTY in opened.execute_script("return document.getElementById('words').textContent")
    assert NAUGHTY in opened.execute_script("return document.querySelector('main > section:last-child ul').textContent")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_asked_for_and_nothing_sticks_out(browser, page, width):
    show(browser, page, width)
    for problem in ("adding", "agreement"):
        choose(browser, "problem", problem)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script(SMALL) == []
    assert browser.get_log("browser") == []
    asked_for = requested(browser)
    assert asked_for == {page.as_uri()}


def luminance(colour: str) -> float:
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_have_contrast(browser, page, scheme):
    """WCAG 2.2, AA: 4.5 for text, 3 for lines."""
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    show(browser, page)
    names = [
        "paper",
        "tint",
        "heat",
        "ink",
        "muted",
        "accent",
        "on-accent",
        "fault",
        "mark",
        *(f"cell-{k}" for k in range(4)),
    ]
    colours = dict(zip(names, browser.execute_script(COLOURS, names), strict=True))
    colours = {n: "#" + "".join(2 * d for d in c[1:]) if len(c) == 4 else c for n, c in colours.items()}

    def contrast(one: str, other: str) -> float:
        low, high = sorted(luminance(colours[name]) for name in (one, other))
        return (high + 0.05) / (low + 0.05)

    texts = [("ink", "paper"), ("ink", "tint"), ("ink", "heat"), ("muted", "paper"), ("muted", "tint")]
    texts += [("accent", "paper"), ("accent", "tint"), ("on-accent", "accent"), ("fault", "paper"), ("mark", "paper")]
    assert {pair: contrast(*pair) for pair in texts if contrast(*pair) < 4.5} == {}
    assert {k: contrast(f"cell-{k}", "paper") for k in range(4) if contrast(f"cell-{k}", "paper") < 3} == {}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_equal_content_gives_equal_bytes(networks, tmp_path):
    for name in ("one", "two"):
        explore.write(content(networks), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_study_without_a_network_that_the_page_knows_says_so(browser, tmp_path):
    explore.write({"study": "quick", "problems": []}, tmp_path / "explore.html")
    browser.get((tmp_path / "explore.html").as_uri())
    said = browser.find_element("tag name", "main").text
    assert (
        "None of this study's networks can be computed here: the page knows the cells vanilla, lstm, gru, ugrnn" in said
    )
    assert browser.find_elements("css selector", "form, input, script") == []
    assert browser.get_log("browser") == []
