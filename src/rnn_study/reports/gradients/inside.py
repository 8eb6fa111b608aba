"""Figures of what happens inside a cell and in its training: gates, words, health of updates, learning rate by clip."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rnn_study.behaviour.diagnostics.profiles import BINS, INITIAL, LEFT, RIGHT, TRAINED
from rnn_study.reports.elements.figures import FAINT, colour, legend, panels, show
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics.crossed import over_seeds

from .plots import band, ranked

_UPDATES = 150  # points of a curve by update: more than that no screen shows


def gates(study: Study, task: str) -> None:
    """How a cell's gates are spread before training and after, and each unit's saturation."""
    cells = [cell for cell in study.cells(task) if "gates" in study.profiles(task)[cell][INITIAL]]
    if not cells:
        return

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, 2, len(cells), height=2.6, width=4.2 if len(cells) == 1 else 7.2)
        for column, cell in enumerate(cells):
            names = study.sigmoids(task, cell)
            for stage, line in ((INITIAL, ":"), (TRAINED, "-")):
                shares = study.profiles(task)[cell][stage]["gates"].mean(axis=0)
                for g, name in enumerate(names):
                    shown = name if stage == TRAINED else f"{name}, before"
                    grid[0, column].stairs(shares[g], BINS, color=colour(g), linestyle=line, label=shown)
            grid[0, column].set(xlabel="gate value", ylabel="share", title=label(cell))
            grid[0, column].legend()
            scatter = grid[1, column]
            saturated = study.profiles(task)[cell][TRAINED]["saturated"]
            for g, name in enumerate(names):
                left, right = saturated[:, g].reshape(-1, 2).T
                marks = {"markersize": 3, "alpha": 0.4, "rasterized": True}
                scatter.plot(right, left, "o", color=colour(g), label=name, **marks)
            scatter.plot([0, 1], [1, 0], color=FAINT, linewidth=0.8)
            scatter.set(
                xlabel=f"share of time above {RIGHT}",
                ylabel=f"share below {LEFT}",
                xlim=(-0.03, 1.03),
                ylim=(-0.03, 1.03),
            )
        return figure

    alt = (
        f"{label(task)}: above, how often a gate takes each value, dotted before training, solid after, a colour a "
        "gate; below, for every unit of the trained networks how often a gate is closed against how often it is open."
    )
    beyond = {
        (cell, stage): float(
            (study.profiles(task)[cell][stage]["gates"].mean(axis=0)[:, [0, 1, -2, -1]]).sum(axis=1).mean()
        )
        for cell in cells
        for stage in (INITIAL, TRAINED)
    }
    more = [label(cell) for cell in cells if beyond[cell, TRAINED] > beyond[cell, INITIAL]]
    lesson = f"{label(task)}: training makes no cell saturate its gates more."
    if more:
        opens = "opens or closes its" if len(more) == 1 else "open or close their"
        taken = f"{sequence(more)} {opens} gates fully more often than at the start"
        lesson = f"{label(task)}: training makes gates decide: {taken}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="gates")


def health(study: Study, task: str) -> None:
    """Gradient norm before and after clipping, and the size of updates, by update."""
    cells = study.cells(task)

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, 2, len(cells), height=2.1, sharex="col", sharey="row")
        for column, cell in enumerate(cells):
            runs = study.updates(task, cell)
            length = min(len(run["norms"]) for run in runs)
            seen = slice(0, length, -(-length // _UPDATES))
            x = np.arange(1, length + 1)[seen]
            for c, (key, name) in enumerate((("norms", "before clipping"), ("clipped_norms", "after"))):
                found = np.stack([run[key][seen] for run in runs]).astype(float)
                band(grid[0, column], x, np.where(found > 0, found, np.nan), c, name)
            ratios = np.stack([run["ratios"][seen] for run in runs]).astype(float)
            band(grid[1, column], x, np.where(ratios > 0, ratios, np.nan), 2, None)
            grid[0, column].set(yscale="log", title=label(cell))
            grid[1, column].set(yscale="log", xlabel="update")
            if narrow or column == 0:
                grid[0, column].set_ylabel("gradient norm")
                grid[1, column].set_ylabel("‖change‖ / ‖weights‖")
        legend(figure, grid[0, 0], narrow)
        return figure

    alt = (
        f"{label(task)}: by update, above the norm of the gradient before and after clipping, below the size of the "
        "update relative to the weights; the median over seeds with the range as a band, to the shortest run's end."
    )
    clipped = {
        cell: over_seeds([(run["clipped_norms"] < run["norms"]).mean() for run in study.updates(task, cell)]).interval()
        for cell in cells
    }
    lesson = f"{label(task)}: {ranked(clipped, 'gradients are clipped most often', 'least often')}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="health")


def clip_map(study: Study, problem: str) -> None:
    """Learning rate by clip: how many seeds diverged, were stuck, were solved, and the share of updates clipped."""
    table = study.ablation(problem)
    if not table["map"]:
        return
    rates, clips = table["map"]["learning_rates"], table["map"]["clips"]

    def draw(narrow: bool) -> Figure:
        figure, ((axes,),) = panels(narrow, height=0.5 * len(rates) + 1.0)
        colours = {"diverged": 1, "stuck": 4, "solved": 2}
        for found in study.ablation(problem)["cells"].values():
            if "map" in found:
                row, column = found["map"]
                kinds = found["outcomes"]
                most = max(dict.fromkeys(kinds), key=kinds.count)
                axes.fill_between([column, column + 1], row, row + 1, color=colour(colours[most]), alpha=0.35)
                text = f"{most} {kinds.count(most)}/{len(kinds)}\n{100 * np.mean(found['clipped_share']):.0f} % clipped"
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8.5)
        names = ["no clipping" if clip is None else f"clip {clip:g}" for clip in clips]
        axes.set_xticks(np.arange(len(clips)) + 0.5, names)
        axes.set_yticks(np.arange(len(rates)) + 0.5, [f"{rate:g}" for rate in rates])
        axes.set(xlim=(0, len(clips)), ylim=(0, len(rates)), ylabel="learning rate")
        axes.grid(False)
        return figure

    alt = (
        f"Learning rate against clipping for {study.variant(problem, table['map']['of'])}: what became of most runs, "
        "and the share of updates that were clipped; the text in each field says the same."
    )
    outcomes = {kind for found in table["cells"].values() if "map" in found for kind in found["outcomes"]}
    lesson = f"Learning rate and clipping decide together: runs of this map end as {sequence(sorted(outcomes))}."
    if len(outcomes) == 1:
        lesson = f"In this map of learning rate and clipping all runs end as {outcomes.pop()}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(problem), task=problem, name="clip-map")


def _shares(stage: dict[str, np.ndarray], sentence: int, text: Sequence[str]) -> np.ndarray:
    """Of every seed (seeds, words) the share of the answer's gradient that goes to each word."""
    gradient = stage["gradient"][:, sentence, : len(text)]
    return gradient / gradient.sum(axis=1, keepdims=True)


def words(study: Study, task: str, sentence: int, text: Sequence[str], answer: str) -> None:
    """For each cell, the share of the answer's gradient that goes to each word, and how much memory is kept there."""
    cells = study.cells(task)
    found = {cell: study.profiles(task)[cell][TRAINED] for cell in cells}
    keeping = [cell for cell in cells if np.nanmax(np.abs(found[cell]["keeps"][:, sentence])) > 0]
    x = np.arange(len(text))

    def draw(narrow: bool) -> Figure:
        found = {cell: study.profiles(task)[cell][TRAINED] for cell in cells}
        figure, column = panels(narrow, 1 + bool(keeping), 1, height=2.0, sharex=True)
        for c, cell in enumerate(cells):
            shares = _shares(found[cell], sentence, text)
            width = 0.8 / len(cells)
            places = x + (c + 0.5) * width - 0.4
            column[0, 0].bar(places, shares.mean(axis=0), width, color=colour(c), label=label(cell))
            if cell in keeping:
                band(column[1, 0], x, found[cell]["keeps"][:, sentence, : len(text)], c, label(cell))
        column[0, 0].set_ylabel("share of gradient")
        if keeping:
            column[1, 0].set(ylabel="share of memory kept", ylim=(0, 1))
        column[-1, 0].set_xticks(x, text, rotation=90 if narrow else 45, ha="center" if narrow else "right")
        legend(figure, column[0, 0], narrow)
        return figure

    alt = (
        f"“{' '.join(text)}”, asked for “{answer}”: above, the share of the answer's gradient that goes to each word, "
        "a bar a cell, mean over seeds; below, the mean share of its memory that a cell keeps at each word."
    )
    most = {cell: text[int(_shares(found[cell], sentence, text).mean(axis=0).argmax())] for cell in cells}
    told = sequence([f"in the {label(cell)} to “{word}”" for cell, word in most.items()])
    lesson = f"“{' '.join(text)} …” ({answer}): the largest share of the answer's gradient goes {told}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name=f"words-{sentence}")
