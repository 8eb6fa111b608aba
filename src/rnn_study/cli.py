"""The command `rnn-study`: switch and check studies, prune the store, compare with another machine, draw, publish."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnn_study.support.errors import StudyError, one_line_errors
from rnn_study.support.files import atomic

from . import config

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A controlled comparison of recurrent cells.")


class Choice(StrEnum):
    quick = "quick"
    real = "real"


@app.command()
def use(study: Choice) -> None:
    """Write params.yaml from studies/STUDY.yaml."""
    source = Path("studies") / f"{study.value}.yaml"
    if not source.is_file():
        raise StudyError(f"{source}: not found: expected to be run in the project's folder")
    config.load(source)
    with atomic(config.PARAMS) as file:
        file.write(source.read_bytes())
    print(f"params.yaml now holds the {study.value} study; run: dvc repro")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="such as studies/real.yaml")] = config.PARAMS,
) -> None:
    """Say everything that is wrong with params.yaml, before anything runs."""
    wrong = config.faults(file)
    for fault in wrong:
        print(f"error: {fault}", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)
    print(f"{file}: the {config.load(file).study} study can run")


@app.command()
def prune() -> None:
    """Delete the stored runs that the last execution of no stage needs."""
    from rnn_study.running.run import store

    gone = store.prune()
    print(f"{len(gone)} runs deleted from {store.ROOT}")


@app.command()
def verify(
    where: Annotated[str, typer.Argument(metavar="[REV | FOLDER]", help="a commit, or a folder with metrics")] = "HEAD",
) -> None:
    """Compare metrics/ as just made with those of a commit or a folder.

    Fresh seeds move one figure in six out of its 95 % interval. Exit code 1 where a verdict changed that was `holds` or
    `opposite`.
    """
    from rnn_study.verdicts import verify

    found = verify.compare(verify.read("."), verify.read(where))
    for line in verify.told(found):
        print(line)
    if found.broken:
        raise typer.Exit(1)


@app.command()
def figure(
    name: Annotated[str, typer.Argument(metavar="REPORT/NAME", help="as it stands under the figure")],
    out: Annotated[Path | None, typer.Option(help="svg, png or pdf; by default NAME.svg here")] = None,
) -> None:
    """Draw one figure of a report anew, from the finished study."""
    from rnn_study.reports import figures, page

    report, _, key = name.partition("/")
    drawn = page.redraw(report, key)
    target = out or Path(f"{key}.svg")
    kinds = drawn.canvas.get_supported_filetypes()
    if target.suffix.removeprefix(".") not in kinds:
        raise StudyError(f"--out: got {str(target)!r}: expected it to end in one of .{', .'.join(sorted(kinds))}")
    with figures.style(), atomic(target) as file:
        drawn.savefig(file, format=target.suffix.removeprefix("."))
    print(target)


@app.command()
def site() -> None:
    """Put the finished study's reports and the documents into site/, as static pages."""
    from rnn_study.reports import site

    pages = site.build(Path("."), Path("site"))
    print(f"site: {pages} pages; open site/{site.FRONT}")


@app.command()
def readme() -> None:
    """Write what the finished study answers into README.md, between its marks."""
    from rnn_study.reports import readme

    changed = readme.write(Path("."))
    print(f"{readme.README}: {'headline written' if changed else 'headline is as it was'}")


def main() -> None:
    with one_line_errors():
        app()
