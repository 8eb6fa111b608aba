"""reports: run every notebook, or those named, into reports/<name>.ipynb and the page reports/<name>.html; without
names the page reports/index.html too, which links them and shows the study's figures at a glance, and
reports/explore.html, to play with trained networks."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_study.reports import explore, page
from rnn_study.reports.front import notes
from rnn_study.reports.study import Study
from rnn_study.running.tracking import log_figures, write_notes
from rnn_study.support import stage

NOTEBOOKS, REPORTS = Path("notebooks"), Path("reports")


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    sources = [NOTEBOOKS / f"{name}.ipynb" for name in names] if names else sorted(NOTEBOOKS.glob("*.ipynb"))
    for name, notebook in page.execute_all(sources, REPORTS):
        page.render(notebook, REPORTS / f"{name}.html")
        for task, figures in page.figures_by_task(notebook).items():
            log_figures(task, name, figures)
    if not names:
        page.render_index(sources, Study(), REPORTS / "index.html")
        explore.render(Study(), REPORTS / "explore.html", page.LINKS)
        write_notes(notes.notes(Study()))


if __name__ == "__main__":
    stage.run(main)
