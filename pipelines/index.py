"""index: the page reports/index.html, which links every report and shows the study's figures at a glance."""

from pathlib import Path

from rnn_study import stage
from rnn_study.files import read_json
from rnn_study.reports import page


def main() -> None:
    summary = read_json(Path("metrics/summary.json"))
    page.render_index(sorted(Path("notebooks").glob("*.ipynb")), summary, Path("reports/index.html"))


if __name__ == "__main__":
    stage.run(main)
