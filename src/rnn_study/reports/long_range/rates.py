"""Learning rate by length: each cell at its own best rate."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rnn_study.reports.elements.figures import panels, show
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study

from .plots import Row, paint
from .tables import bounds, reach


def rated(study: Study) -> list[str]:
    """The problems whose cells were trained at several learning rates."""
    return [name for name in study.walked if study.rows("map", name)]


def _lesson(study: Study, problem: str) -> str:
    rows = study.rows("chosen", problem)
    told = [f"the {label(row['variant'])} {reach(row)}" for row in rows]
    return (
        f"{label(problem)}, each cell at its own best learning rate: {sequence(told)} steps are solved by half of the "
        "seeds."
    )


def rate_map(study: Study, problem: str) -> None:
    """Learning rate by length, a panel a cell: how many seeds solved the problem, the chosen rate framed."""

    def draw(narrow: bool) -> Figure:
        cells = {row["variant"]: row for row in study.rows("chosen", problem)}
        rates = sorted({row["learning_rate"] for row in study.rows("map", problem)}, reverse=True)
        lengths = study.frontier(problem)["tried"]
        figure, (line,) = panels(narrow, 1, len(cells), height=0.5 * len(rates) + 0.9, sharey=True)
        for axes, (cell, chosen) in zip(line, cells.items(), strict=True):
            for row in study.rows("map", problem, variant=cell):
                paint(axes, lengths.index(row["steps"]), rates.index(row["learning_rate"]), row, narrow=True)
            for x, rate in enumerate(chosen["rates"]):
                if rate is not None:
                    at = (x + 0.04, rates.index(rate) + 0.04)
                    axes.add_patch(Rectangle(at, 0.92, 0.92, fill=False, edgecolor="#D55E00", linewidth=2))
            axes.set_yticks(np.arange(len(rates)) + 0.5, [f"{rate:g}" for rate in rates])
            axes.set_xticks(np.arange(len(lengths)) + 0.5, [str(steps) for steps in lengths])
            axes.set(xlim=(0, len(lengths)), ylim=(len(rates), 0), xlabel="length T", title=label(cell))
            axes.grid(False)
        line[0].set_ylabel("learning rate")
        return figure

    seeds = study.rows("chosen", problem)[0]["seeds"]
    alt = (
        f"{label(problem)}: how many of {seeds} seeds solved it at each learning rate and length, a panel a cell; "
        "greener means more, grey was not run: two shorter lengths had no seed solved. Framed: the rate that the "
        "validation part chooses at that length."
    )
    show(study, draw, lesson=_lesson(study, problem), alt=alt, source=study.drawn(problem), task=problem, name="rates")


def _single(study: Study, problem: str, cell: str) -> Row:
    (row,) = study.rows("frontiers", problem, axis="budget", variant=cell)
    return row


def best_rates(study: Study, problem: str) -> list[str]:
    """How far each cell reaches at its own best rate and at the one rate of all, and by which power of the length the
    best one goes: below 0 it shrinks."""
    told, one = [], study.frontier(problem)["learning_rate"]
    for row in study.rows("chosen", problem):
        name, single = label(row["variant"]), _single(study, problem, row["variant"])
        said = (
            f"{name}: {reach(row)} steps at its own best rate ({bounds(row)}), {reach(single)} at {one:g} "
            f"({bounds(single)})."
        )
        if row["power"]:
            value, low, high = row["power"]
            power = f"{value:.2f} ({low:.2f} to {high:.2f}".replace("-", "−")
            places = "a length" if row["edge"] == 1 else f"{row['edge']} lengths"
            edge = f"; at {places} it is the smallest or largest tried" if row["edge"] else ""
            said += f" Its best rate goes with T to the power {power}{edge})."
        told.append(said)
    return told
