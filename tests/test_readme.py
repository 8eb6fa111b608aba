"""The table at the head of the README against metrics/, and how it is put there."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import ROOT, needs

from rnn_study.support.errors import StudyError

pytestmark = needs("IPython")


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The project as it was last committed: a study that ran here since has other metrics, on another machine."""
    packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True)
    if packed.returncode:
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("head")
    subprocess.run(["tar", "-x"], cwd=folder, input=packed.stdout, check=True)
    return folder


def test_the_headline_is_that_of_the_committed_metrics(head):
    from rnn_study.reports.front import readme
    from rnn_study.reports.study import Study

    text = (head / "README.md").read_text(encoding="utf-8")
    assert readme.with_headline(text, readme.headline(Study(head))) == text, "README.md: stale: run: rnn-study readme"


def test_the_picture_is_that_of_the_committed_runs(head):
    """Its title and the words for who does not see it, counted by hand."""
    about = json.loads((head / "metrics/frontier/adding.json").read_text())
    told = []
    for cell, name in (("vanilla", "vanilla RNN"), ("lstm", "LSTM"), ("gru", "GRU")):
        counts = []
        for steps in about["lengths"]:
            here = [
                r["solved"] for r in about["runs"] if (r["axis"], r["variant"], r["steps"]) == ("budget", cell, steps)
            ]
            counts.append(str(here.count(True)) if here else "none tried")
        told.append(f"{name} {', '.join(counts[:-1])} and {counts[-1]}")
    text = (head / "README.md").read_text()
    words, place = re.search(r"!\[(.*?)\]\((.*?)\)", text.partition("<!-- headline -->")[2]).groups()
    assert words.startswith(f"Seeds of {about['seeds']} that solved ")
    assert words.endswith(f" steps: {'; '.join(told)}."), "README.md: stale: run: rnn-study readme"
    root = ElementTree.parse(head / place).getroot()
    assert root[0].text == words, f"{place}: stale: run: rnn-study readme"
    assert root[1].attrib == {"width": "100%", "height": "100%", "fill": "#fff"}


def test_the_table_says_what_the_answers_say(head):
    """Every question once, its figures read off the file by hand."""
    block = (head / "README.md").read_text().partition("<!-- headline -->")[2].partition("<!-- /headline -->")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in block.splitlines() if line.startswith("| ")][2:]
    asked = json.loads((head / "metrics/verdicts.json").read_text())
    assert f"The **{asked['study']}** study" in block
    assert [row[0].removeprefix("| ") for row in rows] == [one["claim"] for one in asked["verdicts"]]
    answers = {"holds": "It holds", "opposite": "The opposite holds", "open": "Open"}
    for row, one in zip(rows, asked["verdicts"], strict=True):
        assert row[2] == answers.get(one["verdict"], f"There is {one['verdict']}")
        assert row[4] == str(one["seeds"])
        assert float(re.findall(r"\d+", row[5])[0]) == pytest.approx(100 * one["otherwise"], abs=1)
        found = [float(number.replace(",", "")) for number in re.findall(r"-?[\d,.]*\d", row[3].replace("−", "-"))]
        expected = [one["value"], one["low"], one["high"]]
        if one["measure"] == "arrives":
            expected = [100 * one["share"] * 10**value for value in expected]
        elif one["unit"] == "accuracy":
            expected = [100 * value for value in expected]
        expected = expected[:1] if one["low"] == one["high"] else expected
        assert found == pytest.approx(expected, rel=0.01, abs=0.5 if one["measure"] == "speed" else 0.05)


@pytest.fixture
def finished(tmp_path):
    """The metrics of a study of one question about a task and one about a frontier, and a README."""

    def write(name: str, value: object) -> None:
        (tmp_path / "metrics" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "metrics" / name).write_text(json.dumps(value))

    about = {"seeds": 9, "smallest": 1.0, "p": 0.1, "p_adjusted": 0.2, "power": 0.5, "needs": 12, "otherwise": 0.25}
    score = {"measure": "score", "of": "tweets", "part": "test", "a": "lstm", "b": "vanilla", "unit": "accuracy"}
    reach = {"measure": "reach", "of": "menu", "a": "gru", "b": "lstm", "unit": "lengths"}
    figures = {"value": 0.125, "low": 0.1, "high": 0.15}, {"value": 1.0, "low": -1.0, "high": 3.0}
    rows = [
        {"question": "one", "claim": "<b> a | b", "verdict": "holds"} | score | figures[0] | about,
        {"question": "two", "claim": "A GRU reaches further", "verdict": "open"} | reach | figures[1] | about,
    ]
    write("verdicts.json", {"study": "real", "verdicts": rows})
    write("summary.json", {"study": "real", "searches": 3, "tasks": {}})
    record = {"title": "Sentiment140", "origin": "mirror", "complete": False, "generated": False}
    write("data/tweets.json", {"provenance": [record]})
    write("frontier/menu.json", {"problem": "menu", "ablations": {}})
    (tmp_path / "README.md").write_text("# T\n\n<!-- headline -->\nold\n<!-- /headline -->\n\nmore\n")
    return tmp_path


def test_the_headline_of_a_study_by_hand(finished):
    from rnn_study.reports.front import readme

    assert readme.write(finished)
    assert (finished / "README.md").read_text() == (
        "# T\n\n<!-- headline -->\n\n"
        "The **real** study, scores over 3 searches for settings. Its data: Sentiment140 (mirror, an excerpt); "
        "The roommate's menu (generated, each run from its own seed).\n\n"
        "| asked beforehand | on | answer | measured (95 % interval) | seeds | fresh seeds would say otherwise |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| &lt;b> a \\| b | Tweets | It holds | +12.5 points (+10.0 to +15.0) | 9 | 25 % |\n"
        "| A GRU reaches further | The roommate's menu | Open | +1.0 more lengths solved (−1.0 to +3.0) | 9 | 25 % |\n"
        "\n<!-- /headline -->\n\nmore\n"
    )
    assert not readme.write(finished)  # nothing to change


def test_markup_in_a_claim_stays_text_in_the_table(finished):
    from markdown_it import MarkdownIt

    from rnn_study.reports.front import readme
    from rnn_study.reports.study import Study

    html = MarkdownIt("commonmark").enable("table").render(readme.headline(Study(finished)))
    assert re.search(r"<td>(.*?)</td>", html)[1] == "&lt;b&gt; a | b"
    assert unescape(html).count("<td>") == 2 * 6


def test_markup_in_the_name_of_a_study_stays_text(finished):
    from rnn_study.reports.front import readme
    from rnn_study.reports.study import Study

    study = Study(finished)
    study.summary["study"] = "<b>"
    assert readme.headline(study).startswith("The **&lt;b>** study, scores over 3 searches")


@pytest.mark.parametrize("name", ["summary", "verdicts"])
def test_metrics_that_are_not_there_are_one_clear_line(finished, name):
    from rnn_study.reports.front import readme

    (finished / f"metrics/{name}.json").unlink()
    with pytest.raises(StudyError, match=rf"^metrics/{name}.json: not found: expected those of a finished study; run"):
        readme.write(finished)


@pytest.mark.parametrize(
    "text",
    [
        "# T\n",
        "<!-- headline -->",
        "<!-- /headline --> <!-- headline -->",
        "<!-- /headline --> <!-- headline --><!-- /headline -->",
        2 * "<!-- headline --><!-- /headline -->",
    ],
)
def test_marks_that_are_not_there_once_are_one_clear_line(finished, text):
    from rnn_study.reports.front import readme

    (finished / "README.md").write_text(text)
    with pytest.raises(StudyError, match=r"^README.md: headline: expected the marks <!-- headline --> and"):
        readme.write(finished)
    assert (finished / "README.md").read_text() == text


def test_without_metrics_the_command_says_what_makes_them(project):
    before = (project.folder / "README.md").read_bytes()
    done = project.run("rnn-study", "readme", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: metrics/summary.json: not found: expected those of a finished study; run: make study\n"
    )
    assert (project.folder / Path("README.md")).read_bytes() == before
