"""Runs under way, shown as they finish."""

import sys
import time
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import Progress, TextColumn

from rnn_study.running.run.events import Event, Finished
from rnn_study.support.progress import COLUMNS, LINE_SECONDS


def watch(events: Iterable[Event], title: str, total: int) -> Iterator[Event]:
    """Pass `events` on, showing how many of `total` runs are finished."""
    if sys.stderr.isatty():
        yield from _bar(events, title, total)
        return
    finished, reused, said, start = 0, 0, time.monotonic(), time.monotonic()
    for event in events:
        yield event
        if isinstance(event, Finished):
            finished += 1
            reused += event.reused
            if finished == total or time.monotonic() - said > LINE_SECONDS:
                said = time.monotonic()
                seconds = f"{said - start:.0f} s"
                print(
                    f"{title}: {finished}/{total} runs, {reused} reused, {seconds}",
                    file=sys.stderr,
                    flush=True,
                )


def _bar(events: Iterable[Event], title: str, total: int) -> Iterator[Event]:
    with Progress(*COLUMNS, TextColumn("{task.fields[now]}"), console=Console(stderr=True)) as bar:
        shown = bar.add_task(title, total=total, now="")
        for event in events:
            yield event
            if isinstance(event, Finished):
                bar.advance(shown)
            else:
                now = f"{event.spec.variant} seed {event.spec.seed} epoch {event.row['epoch']:.0f}"
                bar.update(shown, now=now)
