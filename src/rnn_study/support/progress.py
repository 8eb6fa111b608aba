"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

T = TypeVar("T")
LINE_SECONDS = 10.0  # between two lines where there is no terminal
COLUMNS = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()


def ticking(items: Iterable[T], title: str) -> Iterator[T]:
    """Pass `items` on, showing how many there were so far."""
    start = said = time.monotonic()
    number, quiet = 0, not sys.stderr.isatty()
    columns = TextColumn("{task.description}"), TextColumn("{task.completed} done"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        shown = bar.add_task(title, total=None)
        for number, item in enumerate(items, start=1):
            yield item
            bar.advance(shown)
            if quiet and time.monotonic() - said > LINE_SECONDS:
                said = time.monotonic()
                print(f"{title}: {number} done, {said - start:.0f} s", file=sys.stderr, flush=True)
    if quiet:
        print(f"{title}: {number} done, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def count(steps: Iterable[tuple[int, int]], title: str) -> None:
    """Go through `steps`, each the jobs done and the jobs known so far, showing them."""
    start = said = time.monotonic()
    quiet = not sys.stderr.isatty()
    with Progress(*COLUMNS, console=Console(stderr=True), disable=quiet) as bar:
        shown = bar.add_task(title)
        for done, total in steps:
            bar.update(shown, completed=done, total=total)
            if quiet and (done == total or time.monotonic() - said > LINE_SECONDS):
                said = time.monotonic()
                print(f"{title}: {done}/{total} checks, {said - start:.0f} s", file=sys.stderr, flush=True)
