"""Notebooks to pages: run by papermill, stripped of everything that differs between two equal runs, rendered."""

import io
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from html import unescape
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from matplotlib.figure import Figure
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets import default

from rnn_study.reports import front
from rnn_study.reports.elements import display, figures
from rnn_study.reports.study import Study, project_folder
from rnn_study.running.execution.workers import worker_count
from rnn_study.support import machine
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

from . import glossary

# Variables that change what a kernel does before a report's first line.
_OF_THE_USER = ("PYTHONSTARTUP", "PYTHONWARNINGS", "MPLBACKEND")


def _local_kernel(folder: str) -> type[AsyncKernelManager]:
    """A kernel that is reached through sockets in `folder`, nothing listens on a network; where there are none, through
    loopback. It is this Python's, and knows neither settings of IPython nor what Python is told to do at its start."""

    class Local(AsyncKernelManager):
        @default("transport")
        def _transport_default(self) -> str:
            return "ipc" if machine.has_unix_sockets() else "tcp"

        @default("ip")
        def _ip_default(self) -> str:
            return str(Path(folder) / "kernel") if self.transport == "ipc" else "127.0.0.1"

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

        async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
            env = {name: value for name, value in os.environ.items() if name not in _OF_THE_USER}
            return await super()._async_pre_start_kernel(**kw | {"env": env | {"IPYTHONDIR": folder}})

        async def _async_interrupt_kernel(self) -> None:
            """Before it is asked to end it need not be interrupted: it is idle, and would tell of it as an error."""

    return Local


def _stable(notebook: NotebookNode) -> NotebookNode:
    """Without times, random cell ids and the versions of the machine: equal results give equal bytes."""
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "title": title(notebook)}
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
        cell.metadata = {}
        if "outputs" in cell:  # what libraries say on stderr differs between machines, and is no result
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


def title(notebook: NotebookNode) -> str:
    """The text of the notebook's first heading."""
    first = notebook.cells[0].source.splitlines()[0]
    if not first.startswith("# "):
        raise StudyError(f"notebook: first line {first!r}: expected a heading '# Title'")
    return first.removeprefix("# ")


def execute(source: Path, target: Path) -> NotebookNode:
    """Run the notebook `source` in the project's folder and write it, with its outputs, to `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as sockets:
        try:
            notebook = papermill.execute_notebook(
                nbformat.read(source, as_version=4),
                None,
                kernel_name="python3",
                progress_bar=False,
                kernel_manager_class=_local_kernel(sockets),
            )
        except RuntimeError as error:
            raise StudyError(f"{source}: its kernel: {error}: expected it to start and to live; run it again") from None
    notebook = _stable(notebook)
    with atomic(target) as file:
        file.write(nbformat.writes(notebook).encode())
    return notebook


def execute_all(sources: Sequence[Path], folder: Path) -> Iterator[tuple[str, NotebookNode]]:
    """`execute` each of `sources` into `folder`, as many at a time as there are cores; their names and what they are
    then, in order. A StudyError for a notebook that is not there."""
    for source in sources:
        if not source.is_file():
            raise StudyError(f"{source}: not found: expected the name of a notebook")
    with ThreadPoolExecutor(worker_count()) as pool:
        running = {source.stem: pool.submit(execute, source, folder / source.name) for source in sources}
        for name, notebook in running.items():
            yield name, notebook.result()
            print(f"report {name}: done", file=sys.stderr, flush=True)


# The pages in the order of their links: file, and the word that stands for it.
PAGES = {
    "comparison": "comparison",
    "gradients": "gradients",
    "long_range": "how far back",
    "sequence_shapes": "sequence shapes",
    "tuning": "tuning",
    "parity": "parity",
    "benchmarks": "speed",
    "explore": "explore",
    "glossary": "glossary",
}
# Of every page's navigation: address and word.
LINKS = tuple({"href": f"{file}.html", "short": short} for file, short in PAGES.items())
_CONTENTS = 4  # headings from which on a page has a list of them


def write(target: Path, name: str, body: str) -> None:
    """Write one page that asks no other host for anything; `body` is HTML, its words linked to the glossary."""

    def held(file: str) -> str:
        return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(held("page.html.j2"))
    with atomic(target) as file:
        file.write(page.render(title=name, css=held("page.css"), links=LINKS, body=body).encode())


def _contents(body: str) -> str:
    """A list of the headings of `body` with their links."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link|</h2>)', body)
    if len(found) < _CONTENTS:
        return ""
    items = "".join(f'<li><a href="#{anchor}">{text}</a></li>' for anchor, text in found)
    return f'<nav class="contents" aria-label="contents"><ul>{items}</ul></nav>'


def render(notebook: NotebookNode, target: Path) -> None:
    """Write the outputs and texts of `notebook` as a page: before its first section a list of all of them."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    first = re.search("<h2 ", body)
    if first:
        body = body[: first.start()] + _contents(body) + body[first.start() :]
    write(target, title(notebook), glossary.linked(body))


def render_index(notebooks: list[Path], study: Study, target: Path) -> None:
    """Write the front page, which links every report in the order of `PAGES`, and the glossary beside it."""
    doors = []
    for path in sorted(notebooks, key=lambda path: [*PAGES, path.stem].index(path.stem)):
        notebook = nbformat.read(path, as_version=4)
        paragraph = notebook.cells[0].source.partition("\n\n")[2].partition("\n\n")[0]
        doors.append((f"{path.stem}.html", title(notebook), paragraph))
    write(target, front.TITLE, glossary.linked(front.body(study, doors)))
    write(target.with_name("glossary.html"), "Glossary", glossary.body())


def figures_by_task(notebook: NotebookNode) -> dict[str, dict[str, bytes]]:
    """The figures that `notebook` shows: SVG by name, by the task they belong to.

    From the notebook, for the page's attributes are in lower case, which a file of SVG does not bear.
    """
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    pattern = r'<figure id="[^"]*" data-task="([^"]*)" data-name="([^"]*)">.*?<div class="wide">(<svg.*?</svg>)</div>'
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for task, name, picture in re.findall(pattern, output.get("data", {}).get("text/html", ""), re.DOTALL):
                found[unescape(task)][unescape(name)] = picture.encode()
    return dict(found)


def redraw(report: str, name: str) -> Figure:
    """The figure `name` of `report` alone, drawn anew from the finished study; a StudyError where there is none."""
    source = project_folder() / "notebooks" / f"{report}.ipynb"
    with figures.wanting(name) as wanted, redirect_stdout(io.StringIO()), display.collected():
        if report == front.NAME:
            front.body(Study(), [])
        elif source.is_file():
            code = "\n".join(
                cell.source for cell in nbformat.read(source, as_version=4).cells if cell.cell_type == "code"
            )
            exec(compile(code, str(source), "exec"), {"__name__": report})  # the report's own code
        else:
            known = ", ".join([front.NAME, *sorted(path.stem for path in source.parent.glob("*.ipynb"))])
            raise StudyError(f"{report}: not a report: expected one of {known}")
    if wanted.draw is None:
        raise StudyError(f"{report}/{name}: no such figure: expected one of {', '.join(wanted.seen)}")
    with figures.style():
        return wanted.draw(False)
