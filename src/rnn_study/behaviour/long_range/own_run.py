"""A problem at lengths that a reader names at the command line: trained now, params.yaml untouched."""

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rnn_study import config
from rnn_study.config import Config, FrontierParams, Variant
from rnn_study.data.problems import catalogue
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.running import experiments
from rnn_study.running.execution import start
from rnn_study.running.execution.watch import watch
from rnn_study.running.run import results, store
from rnn_study.running.run.events import Event, Finished
from rnn_study.running.run.spec import RunSpec
from rnn_study.support.errors import StudyError

FOLDER, REAL = Path("own-runs"), Path("studies/real.yaml")


@dataclass(frozen=True)
class Asked:
    """What a reader asks for; None: as params.yaml says of the problem, or else the real study."""

    problem: str
    cells: tuple[str, ...]
    lengths: tuple[int, ...]
    seeds: int
    framework: str | None = None
    learning_rate: float | None = None
    updates: int | None = None


def _section(parameters: Config, asked: Asked) -> FrontierParams:
    """How the problem is trained, with what was asked for in its place."""
    found = parameters.frontier.get(asked.problem) or config.load(REAL).frontier.get(asked.problem)
    if found is None or asked.problem not in catalogue.PROBLEMS:
        known = sorted({*parameters.frontier, *config.load(REAL).frontier})
        raise StudyError(f"problem: got {asked.problem!r}: expected one of {', '.join(known)}")
    for cell in asked.cells:
        if cell not in CELLS:
            raise StudyError(f"--cells: got {cell!r}: expected some of {', '.join(CELLS)}")
    if asked.framework not in (None, *BACKENDS):
        raise StudyError(f"--framework: got {asked.framework!r}: expected {' or '.join(BACKENDS)}")
    training = {"learning_rate": asked.learning_rate, "updates": asked.updates}
    if asked.updates:
        training["check"] = min(asked.updates, found.training.check)
    own = {
        "lengths": sorted(set(asked.lengths)) or found.lengths,
        "seeds": tuple(range(asked.seeds)),
        "cells": dict.fromkeys(asked.cells, Variant()) or found.cells,
        "framework": asked.framework or found.framework,
        "training": found.training.model_copy(update={key: value for key, value in training.items() if value}),
    }
    return found.model_copy(
        update=own
        | {"ablations": {}, "gpu_lengths": [], "generalise": None, "width": None, "rates": None, "controls": None}
    )


def _specs(parameters: Config, params: FrontierParams, problem: str) -> list[RunSpec]:
    found = []
    for steps in params.lengths:
        data = experiments.frontier_data(params, problem, steps)
        task = catalogue.load(problem, data)
        for cell in params.cells:
            found += experiments.frontier(parameters, params, task, data, "budget", cell, params.seeds)
    return found


class Board:
    """What became of the runs so far, a row a cell and length."""

    def __init__(self, specs: Sequence[RunSpec]):
        self.places = list(dict.fromkeys((spec.variant, spec.data.steps) for spec in specs))
        self.asked = len(specs) // len(self.places)
        self.goal = specs[0].goal
        self.finished: dict[tuple[str, int], list[Finished]] = {place: [] for place in self.places}
        self.now: dict[tuple[str, int], str] = {}

    def hear(self, event: Event) -> None:
        place = event.spec.variant, event.spec.data.steps
        if isinstance(event, Finished):
            self.finished[place].append(event)
            self.now.pop(place, None)
        else:
            self.now[place] = f"seed {event.spec.seed}: {event.row['validation_score']:.3f}"

    def rows(self) -> Iterator[list[str]]:
        for place, runs in self.finished.items():
            summaries = [results.read_summary(run.folder) for run in runs]
            solved = [summary["solved_at"] for summary in summaries if summary["solved"]]
            scores = [summary["scores"]["test"] for summary in summaries]
            weights = summaries[0]["parameters"] if summaries else "–"
            yield [
                CELLS[place[0]].label if place[0] in CELLS else place[0],
                str(place[1]),
                f"{runs[0].spec.network.layers[0].units} units, {weights} weights" if runs else "–",
                f"{len(runs)} of {self.asked}",
                str(len(solved)),
                f"{statistics.median(solved):.0f}" if solved else "–",
                f"{statistics.median(scores):.4g}" if scores else "–",
                self.now.get(place, ""),
            ]

    def table(self) -> Table:
        solved = f"solved: a validation score of {self.goal:g}, at two looks in a row"
        table = Table(caption=f"{solved}; after updates, test score: medians; now: the validation score of a run")
        for name in ("cell", "T", "network", "seeds", "solved", "after updates", "test score", "now"):
            table.add_column(name, justify="left" if name in ("cell", "network", "now") else "right")
        for row in self.rows():
            table.add_row(*row)
        return table


def run(asked: Asked) -> list[Finished]:
    """Train what was asked for through the study's executor and store, show it, and put it into `FOLDER`."""
    parameters = config.load()
    params = _section(parameters, asked)
    specs = _specs(parameters, params, asked.problem)
    board, console, finished = Board(specs), Console(width=None if sys.stdout.isatty() else 120), []
    terminal = sys.stdout.isatty()
    with start(parameters, params.framework, f"run-{asked.problem}") as executor:
        events = executor.stream(specs)
        shown = Live(console=console, refresh_per_second=4) if terminal else nullcontext()
        with shown:
            for event in events if terminal else watch(events, f"run {asked.problem}", len(specs)):
                board.hear(event)
                finished += [event] if isinstance(event, Finished) else []
                if terminal:
                    shown.update(board.table())
    if not terminal:
        console.print(board.table())
    for one in finished:
        place = FOLDER / asked.problem / one.spec.variant / f"T-{one.spec.data.steps}" / f"seed-{one.spec.seed}"
        store.publish(one.folder, place)
    return finished
