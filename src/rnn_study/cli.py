"""The command `rnn-study`: switch and check studies, prune the store, compare with another machine, draw, publish.

Each subcommand imports what it needs: what the others need takes a second, for which `--help` should not wait.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnn_study.support import stage
from rnn_study.support.errors import DEBUG, StudyError, one_line_errors
from rnn_study.support.files import atomic

if TYPE_CHECKING:
    from rnn_study.config import Data

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A controlled comparison of recurrent cells.")


@app.callback()
def _every_command(
    debug: Annotated[bool, typer.Option("--debug", help="a traceback before the line of an error")] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


class Choice(StrEnum):
    quick = "quick"
    real = "real"


def _note_mirror(data: "Data") -> None:
    """Let DVC notice a changed RNN_STUDY_MIRROR."""
    from rnn_study import config
    from rnn_study.data.sources import download

    needed = "upstream" in dict(data).values()
    if download.note_mirror(config.OWN_FOLDER / "mirror.txt", needed):
        print(f"{download.MIRROR}: not as it was: the next dvc repro fetches upstream files anew")


def _tell_dvc_of_git() -> None:
    """DVC refuses to start without git, unless it is told to: in a folder that was downloaded as an archive."""
    import subprocess

    place = Path.cwd()
    within = any((folder / ".git").exists() for folder in (place, *place.parents))
    local = Path(".dvc/config.local")
    told = local.is_file() and "no_scm = true" in local.read_text(encoding="utf-8")
    if Path(".dvc").is_dir() and within == told:
        ask = ["--unset", "core.no_scm"] if within else ["core.no_scm", "true"]
        if subprocess.run([sys.executable, "-m", "dvc", "config", "--quiet", "--local", *ask]).returncode == 0:
            print(f"{local}: DVC works {'with' if within else 'without'} git here")


@app.command()
def use(study: Choice) -> None:
    """Write params.yaml from studies/STUDY.yaml."""
    from rnn_study import config

    source = Path("studies") / f"{study.value}.yaml"
    if not source.is_file():
        raise StudyError(f"{source}: not found: expected to be run in the project's folder")
    parameters = config.load(source)
    with atomic(config.PARAMS) as file:
        file.write(source.read_bytes())
    _note_mirror(parameters.data)
    print(f"params.yaml now holds the {study.value} study; run: dvc repro")


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="such as studies/real.yaml")] = None,
) -> None:
    """Say everything that is wrong with params.yaml, before anything runs."""
    import multiprocessing

    from rnn_study import config
    from rnn_study.running.execution.workers import starting

    file = file or config.PARAMS
    wrong = config.faults(file)
    for fault in wrong:
        print(f"error: {fault}", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)
    with starting("this machine"):  # told here, not after half a study
        multiprocessing.get_context("spawn").Queue()
    parameters = config.load(file)
    if file == config.PARAMS:
        _note_mirror(parameters.data)
        _tell_dvc_of_git()
    print(f"{file}: the {parameters.study} study can run")


@app.command()
def run(
    problem: Annotated[str, typer.Argument(help="a problem of any length, such as adding")],
    cells: Annotated[str, typer.Option(help="such as lstm,gru; by default the study's")] = "",
    lengths: Annotated[str, typer.Option(help="steps T, such as 40,80; by default the study's")] = "",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="runs of each")] = 3,
    framework: Annotated[str | None, typer.Option(help="pytorch or tensorflow; by default the study's")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="by default the study's", min=1e-6, max=10)] = None,
    updates: Annotated[int | None, typer.Option(help="at most so many; by default the study's", min=1)] = None,
) -> None:
    """Train a problem now, at lengths and with cells of your choice, without an edit of params.yaml."""
    from rnn_study.behaviour.long_range import own_run

    names = tuple(name.strip() for name in cells.split(",") if name.strip())
    asked = [word.strip() for word in lengths.split(",") if word.strip()]
    for word in asked:
        if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= 100_000):
            raise StudyError(f"--lengths: got {word!r}: expected whole numbers of 1 to 100000, such as 40,80")
    steps = tuple(map(int, asked))
    finished = own_run.run(own_run.Asked(problem, names, steps, seeds, framework, learning_rate, updates))
    print(f"{len(finished)} runs in {own_run.FOLDER / problem}: weights, curves, predictions of each")


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
    if not Path("runs").is_dir():
        print("nothing has run here: metrics/ is as it came with the project; run: dvc repro")
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
    from rnn_study.reports import page
    from rnn_study.reports.elements import figures

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
def track() -> None:
    """Log in MLflow every finished run that it does not have."""
    from rnn_study.running.tracking import rebuild

    print(f"track: {rebuild.log_all(Path('runs'))} runs are in MLflow")


@app.command()
def site() -> None:
    """Put the finished study's reports and the documents into site/, as static pages."""
    from rnn_study.reports.page import site

    pages = site.build(Path("."), Path("site"))
    print(f"site: {pages} pages; open site/{site.FRONT}")


@app.command()
def readme() -> None:
    """Write what the finished study answers into README.md, between its marks."""
    from rnn_study.reports.front import readme

    changed = readme.write(Path("."))
    print(f"{readme.README}: {'headline written' if changed else 'headline is as it was'}")


def main() -> None:
    stage.with_streams()
    stage.with_home()
    with one_line_errors():
        stage.with_own_code()
        app()
