"""The report and MLflow's UI as a person sees them: in a browser, without a network."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Project, asked_for, browser_needed, needs

from rnn_study.reports import front
from rnn_study.reports.elements import figures
from rnn_study.reports.study import Study
from rnn_study.support.errors import StudyError

pytestmark = needs("dvc", "mlflow", "optuna", "papermill", "torch", "tensorflow", "selenium")


# What is smaller than 11 pixels, as it is drawn: text in a picture shrinks with it.
SMALL = """
const found = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode, range = document.createRange();
  range.selectNodeContents(text);
  if (!text.textContent.trim() || !range.getBoundingClientRect().width) continue;
  let size = parseFloat(getComputedStyle(text.parentElement).fontSize);
  const picture = text.parentElement.closest('svg');
  if (picture) size *= picture.getBoundingClientRect().width / picture.viewBox.baseVal.width;
  if (size < 10.95) found.push([size, text.textContent.trim()]);
}
return found;
"""
CUT = """
return [...document.querySelectorAll('.table, pre, figure')]
  .filter(one => one.clientWidth && one.scrollWidth > one.clientWidth + 1).map(one => one.textContent.slice(0, 60));
"""


@browser_needed
@pytest.mark.parametrize(
    ("page", "count"),
    [
        ("comparison.html", 9),
        ("tuning.html", 9),
        ("parity.html", 4),
        ("gradients.html", 18),
        ("long_range.html", 16),
        ("sequence_shapes.html", 10),
        ("benchmarks.html", 3),
        ("index.html", 2),
        ("glossary.html", 0),
    ],
)
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_in_a_browser(study, browser, page, count, width, scheme):
    scheme = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    address = (study.folder / "reports" / page).as_uri()
    assert asked_for(browser, address, width) == {address}
    if width == 1280:  # with all folds closed, no longer than a reader scrolls
        assert browser.execute_script("return document.documentElement.scrollHeight") <= 6000
    browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(SMALL) == []
    assert browser.execute_script(CUT) == []
    shown = browser.execute_script(
        "return [...document.querySelectorAll('figure')].map(one => ["
        "one.querySelector('.lesson').textContent, one.querySelector('figcaption p').textContent,"
        "[...one.querySelectorAll('svg')].filter(s => s.clientWidth).map(s => s.clientWidth),"
        "one.querySelector('.made').textContent])"
    )
    for lesson, caption, (size,), made in shown:  # one picture of the two
        assert len(lesson) > 20
        assert len(caption) > 40
        assert 200 < size <= width
        assert "SHA-256" in made or "src/" in made or "drawing" in made
        assert "rnn-study figure " in made
    assert len(shown) == count
    if page == "index.html":
        links = browser.execute_script("return [...document.querySelectorAll('.doors a:not(.term)')].map(a => a.href)")
        assert [link.rpartition("/")[2] for link in links] == [
            "comparison.html",
            "gradients.html",
            "long_range.html",
            "sequence_shapes.html",
            "tuning.html",
            "parity.html",
            "benchmarks.html",
        ]


@pytest.mark.parametrize("narrow", [True, False])
def test_the_picture_of_a_study(study, narrow):
    """One scale of colours for every cell, a dot a seed and length, an error curve a seed."""
    found = Study(study.folder)
    with figures.wanting("adding-one-figure") as wanted:
        front.picture(found)
    with figures.style():
        drawn = wanted.draw(narrow)
    (bar,) = (axes for axes in drawn.axes if axes.get_label() == "<colorbar>")
    assert {image.get_clim() for axes in drawn.axes if axes is not bar for image in axes.get_images()} == {(-4, 0)}
    labels = bar.get_xticklabels() if narrow else bar.get_yticklabels()
    assert [text.get_text() for text in labels] == ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"]
    filled = [
        [line.get_fillstyle() == "full" for line in axes.get_lines()]
        for axes in drawn.axes
        if axes.get_xlabel() == "length of the sequences"
    ]
    runs = json.loads((study.folder / "metrics/frontier/adding.json").read_text())["runs"]
    told = {}
    for run in runs:
        if run["axis"] == "budget" and run["variant"] in found.cells("adding"):
            told.setdefault(run["variant"], []).append(run["solved"])
    assert sorted(map(sum, filled)) == sorted(sum(told.get(cell, [])) for cell in found.cells("adding"))
    assert sorted(map(len, filled)) == sorted(len(told.get(cell, [])) for cell in found.cells("adding"))
    learning = [axes for axes in drawn.axes if axes.get_xlabel() == "updates"]
    assert [len(axes.get_lines()) for axes in learning] == [3 + 2] * 3  # three levels and two seeds


class Texts(HTMLParser):
    """The text of a page and the tags in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Texts:
    page = Texts()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_the_report_says_what_it_ran_on(study):
    page = read(study.folder / "reports/comparison.html")
    assert "Generated tweets (embedded, generated)" in page.text
    assert "This is the quick study" in page.text
    assert "TF-IDF + logistic regression" in page.text
    for name in ("comparison", "gradients", "index"):
        assert "over 2 searches for settings" in read(study.folder / f"reports/{name}.html").text
    assert "“An LSTM <reads> better”, Images by rows: open, " in page.text
    assert "2 seeds; a verdict takes 8" in page.text
    assert "script" not in page.tags


def test_text_from_data_is_escaped(capsys):
    """A tweet that is markup stays text."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    from rnn_study.reports.elements import display

    InteractiveShell.instance()
    with capture_output() as captured:
        display.show_table(["tweet", "<b>"], [["<script>alert(1)</script>", "&lt;"]], "a & b")
    html = captured.outputs[0].data["text/html"]
    page = Texts()
    page.feed(html)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "&lt;" in page.text


def test_a_notebook_that_fails_leaves_no_page(project: Project):
    project.write(
        "notebooks/comparison.ipynb",
        '{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# T"},'
        '{"cell_type": "code", "id": "b", "metadata": {}, "source": "1/0", "outputs": [], "execution_count": null}],'
        '"metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}},'
        '"nbformat": 4, "nbformat_minor": 5}',
    )
    done = project.run("python", "pipelines/reports.py", "comparison", check=False)
    assert done.returncode == 1
    assert not list((project.folder / "reports").glob("*.html"))


def test_a_notebook_runs_in_its_own_folder_too(study, tmp_path):
    """As Jupyter starts it, and shows what the report shows."""
    target = tmp_path / "parity.ipynb"
    script = "from pathlib import Path; from rnn_study.reports.page import execute; execute(Path('parity.ipynb'), "
    study.run("sh", "-c", 'cd notebooks && python -c "$SCRIPT"', SCRIPT=f"{script}Path({str(target)!r}))")
    assert target.read_bytes() == (study.folder / "reports/parity.ipynb").read_bytes()


def test_a_study_is_found_from_below_or_not_at_all(tmp_path, monkeypatch):
    from rnn_study.reports.study import Study

    (tmp_path / "project/notebooks/old").mkdir(parents=True)
    (tmp_path / "project/dvc.yaml").touch()
    for folder in ("project", "project/notebooks", "project/notebooks/old"):
        monkeypatch.chdir(tmp_path / folder)
        assert Study().root == tmp_path / "project"
    monkeypatch.chdir(tmp_path)
    assert Study(Path("project")).root == Path("project")
    with pytest.raises(StudyError, match=r"^dvc.yaml: not found here or above: expected to be run in the project's"):
        Study()


def test_a_report_that_is_not_there_is_one_clear_line(project: Project):
    done = project.run("python", "pipelines/reports.py", "comparisons", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: notebooks/comparisons.ipynb: not found: expected the name of a notebook\n"


def _notebook(source: str) -> None:
    import nbformat

    cells = [nbformat.v4.new_markdown_cell("# A & B\n\nText."), nbformat.v4.new_code_cell(source)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), "x.ipynb")


def test_a_kernel_that_dies_is_one_clear_line(tmp_path, monkeypatch):
    from rnn_study.reports import page

    monkeypatch.chdir(tmp_path)
    _notebook("import os; os._exit(1)")
    with pytest.raises(StudyError, match=r"^x\.ipynb: its kernel: Kernel died: expected it to start and to live"):
        page.execute(Path("x.ipynb"), Path("out.ipynb"))
    assert not Path("out.ipynb").exists()


def test_a_kernel_that_is_done_is_not_interrupted(tmp_path, monkeypatch):
    """Now and then it would say so on stderr, as an error."""
    from jupyter_client.provisioning import LocalProvisioner

    from rnn_study.reports import page

    sent, send = [], LocalProvisioner.send_signal

    async def noted(self: LocalProvisioner, signum: int) -> None:
        sent.append(signum)
        await send(self, signum)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(LocalProvisioner, "send_signal", noted)
    _notebook("print('of the study')")
    page.execute(Path("x.ipynb"), Path("out.ipynb"))
    assert signal.SIGINT not in sent


def test_a_users_settings_of_ipython_jupyter_and_python_reach_no_report(tmp_path, monkeypatch):
    from rnn_study.reports import page

    start = tmp_path / "ipython/profile_default/startup"
    start.mkdir(parents=True)
    (start / "first.py").write_text("print('of the user')")
    (start.parent / "ipython_config.py").write_text(
        "c = get_config()\nc.DisplayFormatter.active_types = ['text/plain']\n"
    )
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    (tmp_path / "start.py").write_text("print('of the user')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.chdir(tmp_path)
    _notebook("import matplotlib\nfrom IPython.display import HTML\nHTML('<b>of the study</b>')")
    (output,) = page.execute(Path("x.ipynb"), Path("out.ipynb")).cells[1].outputs
    assert output.data["text/html"] == "<b>of the study</b>"


def test_without_unix_sockets_a_kernel_is_met_on_loopback(tmp_path, monkeypatch):
    from rnn_study.reports import page

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rnn_study.support.machine.has_unix_sockets", lambda: False)
    _notebook("import json, sys; print(json.load(open(sys.argv[sys.argv.index('-f') + 1]))['ip'])")
    notebook = page.execute(Path("x.ipynb"), Path("out.ipynb"))
    assert notebook.cells[1].outputs[0].text == "127.0.0.1\n"


def test_what_libraries_say_on_stderr_is_not_in_the_report(tmp_path, monkeypatch):
    from rnn_study.reports import page

    monkeypatch.chdir(tmp_path)
    _notebook("import sys; print('of the', 'machine', file=sys.stderr); print('of the study')")
    page.render(page.execute(Path("x.ipynb"), Path("out.ipynb")), Path("out.html"))
    page = read(Path("out.html"))
    assert "of the study" in page.text
    assert "of the machine" not in page.text + Path("out.ipynb").read_text()
    assert "A & B" in page.text


def text(source: str):
    """A notebook of that text alone."""
    import nbformat

    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])


@pytest.mark.parametrize("first", ["Title", "## Title", "#Title"])
def test_a_notebook_without_a_title_is_one_clear_line(first):
    from rnn_study.reports import page

    assert page.title(text("# A title\n\n# Another")) == "A title"
    with pytest.raises(StudyError, match=f"^notebook: first line '{first}': expected a heading '# Title'$"):
        page.title(text(first))


@pytest.mark.parametrize(("count", "listed"), [(3, []), (4, ["Part 0", "Part 1", "Part 2", "Part 3"])])
def test_a_page_of_four_parts_lists_them_before_the_first(tmp_path, count, listed):
    from rnn_study.reports import page

    parts = "".join(f"\n\n## Part {place}\n\nText." for place in range(count))
    page.render(text(f"# A title\n\nOpening.{parts}"), tmp_path / "x.html")
    html = (tmp_path / "x.html").read_text()
    assert re.findall(r'<li><a href="#Part-\d">(.*?)</a></li>', html) == listed
    if listed:
        places = [html.index(one) for one in ("Opening.", '<nav class="contents"', "<h2 ")]
        assert places == sorted(places)


def test_a_door_to_a_report_bears_its_first_paragraph(tmp_path, monkeypatch):
    import nbformat

    from rnn_study.reports import page

    nbformat.write(text("# A title\n\nOne line,\nanother.\n\nMore."), tmp_path / "x.ipynb")
    monkeypatch.setattr(front, "body", lambda study, doors: str(doors))
    page.render_index([tmp_path / "x.ipynb"], Study(tmp_path), tmp_path / "index.html")
    doors = [("x.html", "A title", "One line,\nanother.")]
    assert str(doors) in (tmp_path / "index.html").read_text()
    assert "<h1>Glossary</h1>" in (tmp_path / "glossary.html").read_text()


def test_a_figure_is_kept_as_it_is_on_a_wide_page_by_its_task():
    import nbformat

    from rnn_study.reports import page

    shown = "".join(
        f'<figure id="x" data-task="a &amp; b" data-name="{name}"><div class="wide"><svg>\n{name}</svg></div>'
        f'<div class="narrow"><svg>small</svg></div></figure>'
        for name in ("one", "&lt;two&gt;")
    )
    notebook = text("# T")
    output = nbformat.v4.new_output("display_data", data={"text/html": shown})
    notebook.cells.append(nbformat.v4.new_code_cell(outputs=[output]))
    assert page.figures_by_task(notebook) == {
        "a & b": {"one": b"<svg>\none</svg>", "<two>": b"<svg>\n&lt;two&gt;</svg>"}
    }


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@browser_needed
def test_the_ui_shows_runs_with_curves(study, browser):
    port = free_port()
    server = subprocess.Popen(
        f"{sys.executable} -m mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port {port}".split(),
        cwd=study.folder,
        env=study.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the UI does not answer"
                time.sleep(0.5)
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{study.folder / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("mnist_rows").experiment_id
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 1400, "height": 1000, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(f"{address}/#/experiments/{experiment}/runs")
        wait_for(browser, "train lstm pytorch")
        (run, *_) = client.search_runs([experiment], "tags.`study.kind` = 'train' and params.seed = '1'")
        browser.get(f"{address}/#/experiments/{experiment}/runs/{run.info.run_id}/model-metrics")
        wait_for(browser, "gradient_norm")  # the first curve; the others are drawn when scrolled to
        deadline = time.monotonic() + 30
        while not browser.execute_script(
            "return document.querySelectorAll('svg.main-svg .scatterlayer .trace').length"
        ):
            assert time.monotonic() < deadline, "no curve is drawn"
            time.sleep(0.5)
    finally:
        import os
        import signal

        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def wait_for(browser, text: str) -> None:
    deadline = time.monotonic() + 45
    while text not in browser.execute_script("return document.body ? document.body.innerText : ''"):
        assert time.monotonic() < deadline, f"{text!r} does not appear"
        time.sleep(0.5)
