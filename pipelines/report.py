"""report@<name>: run notebooks/<name>.ipynb into reports/<name>.ipynb and the page reports/<name>.html."""

from pathlib import Path

from rnn_study import stage
from rnn_study.reports import page
from rnn_study.tracking import log_figures

REPORTS = Path("reports")


def main(name: str) -> None:
    notebook = page.execute(Path("notebooks") / f"{name}.ipynb", REPORTS / f"{name}.ipynb")
    page.render(notebook, REPORTS / f"{name}.html")
    for task, figures in page.figures_by_task(notebook).items():
        log_figures(task, name, figures)


if __name__ == "__main__":
    stage.run(main)
