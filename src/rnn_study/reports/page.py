"""Notebooks to pages: run by papermill, stripped of everything that differs between two equal runs, rendered."""

import base64
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets import default

from rnn_study.running.workers import worker_count
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

from . import verdicts
from .study import Study
from .wording import interval, label, number, origin


def _local_kernel(folder: str) -> type[AsyncKernelManager]:
    """A kernel that is reached through sockets in `folder`: nothing listens on a network."""

    class Local(AsyncKernelManager):
        @default("transport")
        def _transport_default(self) -> str:
            return "ipc" if os.name == "posix" else "tcp"

        @default("ip")
        def _ip_default(self) -> str:
            return str(Path(folder) / "kernel") if self.transport == "ipc" else "127.0.0.1"

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
        notebook = papermill.execute_notebook(
            nbformat.read(source, as_version=4),
            None,
            kernel_name="python3",
            progress_bar=False,
            kernel_manager_class=_local_kernel(sockets),
        )
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


def _page(name: str, **values: Any) -> bytes:
    template = resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(title=name, **values).encode()


def render(notebook: NotebookNode, target: Path) -> None:
    """Write the outputs and texts of `notebook` as one page that asks no other host for anything."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True
    )
    body, _ = exporter.from_notebook_node(notebook)
    with atomic(target) as file:
        file.write(_page(title(notebook), body=body, links=[]))


def render_index(notebooks: list[Path], study: Study, target: Path) -> None:
    """Write the page that links every report, under what the study found."""
    links = []
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        paragraph = notebook.cells[0].source.partition("\n\n")[2].partition("\n\n")[0]
        links.append({"href": f"{path.stem}.html", "title": title(notebook), "text": paragraph})
    rows = []
    for name, task in study.tasks.items():
        origins = "; ".join(origin(record) for record in task["card"]["provenance"])
        for cell, found in task["cells"].items():
            score, bounds = (
                number(found["test"]["mean"], task["score"]),
                interval(found["test"]["interval"], task["score"]),
            )
            rows.append([label(name), label(cell), f"{score} ({bounds})", origins])
    asked = study.verdicts
    answers = {"answered": list(verdicts.headlines(asked)), "open": list(verdicts.unsettled(asked))}
    values = {"links": links, "rows": rows, "study": study.summary["study"], "given": study.given}
    with atomic(target) as file:
        file.write(_page("The RNN study", body="", **answers, **values))


def figures_by_task(notebook: NotebookNode) -> dict[str, dict[str, bytes]]:
    """The figures of an executed notebook: PNG by name, by the task they belong to."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            place = output.get("metadata", {}).get("study")
            if place:
                found[place["task"]][place["name"]] = base64.b64decode(output.data["image/png"])
    return dict(found)
