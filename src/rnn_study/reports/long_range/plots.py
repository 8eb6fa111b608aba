"""Figures of long-range dependency: success by length, updates to the solution, generalisation, gradient memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.reports.elements.figures import FAINT, colour, legend, panels, show
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics import survival
from rnn_study.statistics.shares import share

Row = dict[str, Any]
_AXES = {"budget": "equal weights", "width": "equal width"}


def axis_name(axis: str) -> str:
    """How a report writes what is made equal."""
    return _AXES[axis]


def _shades(study: Study, problem: str) -> dict[str, int]:
    """A colour for each variant at equal weights."""
    names = [row["variant"] for row in study.rows("frontiers", problem, axis="budget")]
    return {name: place for place, name in enumerate(names)}


def _mark_runs(axes: Axes, study: Study, problem: str, quantity: str, named: bool) -> dict[str, float]:
    """Mark a quantity of every run at equal weights by length, dots for solved ones, open triangles for others; a
    legend entry for each variant where `named`. By variant the factor its lengths are moved by, to lie apart."""
    shades, shifts = _shades(study, problem), {}
    for variant, shade in shades.items():
        shifts[variant] = shift = 1.0 + 0.035 * (shade - (len(shades) - 1) / 2)
        for solved, style in ((True, {"marker": "o"}), (False, {"marker": "^", "markerfacecolor": "none"})):
            rows = [
                row
                for row in study.frontier(problem)["runs"]
                if (row["axis"], row["variant"], row["solved"]) == ("budget", variant, solved)
                and row[quantity] is not None
            ]
            x, y = [shift * row["steps"] for row in rows], [max(row[quantity], 0.5) for row in rows]
            name = study.contender(problem, variant) if named and solved else None
            axes.plot(x, y, linestyle="", color=colour(shade), markersize=4.5, alpha=0.7, label=name, **style)
    return shifts


def _steps(axes: Axes, lengths: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(lengths, [str(steps) for steps in lengths])
    axes.minorticks_off()


def _reached(study: Study, problem: str) -> str:
    """Which cell solves the longest sequences at equal weights, in words."""
    rows = [row for row in study.rows("successes", problem, axis="budget") if row.get("solved")]
    cells = study.frontier(problem)["cells"]
    longest = {cell: max((row["steps"] for row in rows if row["variant"] == cell), default=0) for cell in cells}
    most = max(longest.values())
    if not most:
        return f"{label(problem)}: no cell solved any length."
    first = [label(cell) for cell, steps in longest.items() if steps == most]
    behind = [
        f"the {label(cell)} " + (f"up to {steps}" if steps else "none")
        for cell, steps in longest.items()
        if steps < most
    ]
    told = f"{label(problem)}: {sequence(first)} solved sequences of up to {most} steps"
    return f"{told}, {sequence(behind)}." if behind else f"{told}, all of them alike."


def compared(study: Study, problem: str) -> list[Row]:
    """The frontiers of one learning rate with credit through time, at equal weights and at equal width."""
    return [row for row in study.rows("frontiers", problem) if row["axis"] in _AXES]


def paint(axes: Axes, x: int, y: int, row: Row, narrow: bool) -> None:
    """Cell (x, y) of a map: how many seeds solved it; greener means more, grey was not run."""
    ran = "not_run" not in row
    strength = 0.1 + 0.75 * row["share"] if ran else 0.5
    axes.fill_between([x, x + 1], y, y + 1, color="#009E73" if ran else "#c8ccd2", alpha=strength, linewidth=0)
    text = f"{row['solved']}/{row['seeds']}" if ran else "–"
    if ran and not narrow:
        text += f"\n{100 * row['low']:.0f} to {100 * row['high']:.0f} %"
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8.25)


def heat_map(study: Study, problem: str) -> None:
    """Length by cell: how many seeds solved the problem."""

    def draw(narrow: bool) -> Figure:
        lengths, contenders = study.frontier(problem)["lengths"], compared(study, problem)
        figure, ((axes,),) = panels(narrow, height=0.42 * len(contenders) + 0.6)
        for y, contender in enumerate(contenders):
            rows = study.rows("successes", problem, axis=contender["axis"], variant=contender["variant"])
            for x, row in enumerate(rows):
                paint(axes, x, y, row, narrow)
        names = [f"{study.contender(problem, row['variant'])}, {axis_name(row['axis'])}" for row in contenders]
        axes.set_yticks(np.arange(len(names)) + 0.5, [name.replace(", ", ",\n") if narrow else name for name in names])
        axes.set_xticks(np.arange(len(lengths)) + 0.5, [str(steps) for steps in lengths])
        axes.set(xlim=(0, len(lengths)), ylim=(len(contenders), 0), xlabel="length T")
        axes.grid(False)
        return figure

    alt = (
        f"{label(problem)}: seeds that solved it, by length and cell, with the 95 % Wilson interval of the share; "
        "greener means more, grey was not run: two shorter lengths had no seed solved, or there was no GPU."
    )
    lesson = _reached(study, problem)
    show(study, draw, lesson=lesson, alt=alt, source=study.drawn(problem), task=problem, name="success")


def updates_by_length(study: Study, problem: str) -> None:
    """Updates to the solution against length: every run, censored ones as open triangles at their budget."""

    def draw(narrow: bool) -> Figure:
        shades = _shades(study, problem)
        figure, ((axes,),) = panels(narrow, height=3.4)
        for variant, shift in _mark_runs(axes, study, problem, "updates", named=False).items():
            medians = study.rows("successes", problem, axis="budget", variant=variant)
            medians = [row for row in medians if row.get("median_updates")]
            x = [shift * row["steps"] for row in medians]
            y = [row["median_updates"] for row in medians]
            name = study.contender(problem, variant)
            axes.plot(x, y, "_-", color=colour(shades[variant]), linewidth=1.3, markersize=14, label=name)
        _steps(axes, study.frontier(problem)["lengths"])
        axes.set(yscale="log", xlabel="length T", ylabel="updates to the solution")
        legend(figure, axes, narrow)
        return figure

    alt = (
        f"{label(problem)}: updates until a run had solved it, against length; a dot a run, the line the median of "
        f"Kaplan and Meier's estimate; open triangles are runs censored at {study.frontier(problem)['budget']:,} "
        "updates."
    )
    rows = [row for row in study.rows("successes", problem, axis="budget") if row.get("median_updates")]
    shared = [row for row in rows if row["variant"] in study.frontier(problem)["cells"]]
    steps = max((row["steps"] for row in shared if sum(r["steps"] == row["steps"] for r in shared) > 1), default=None)
    lesson = f"{label(problem)}: no two cells solved the same length."
    if steps:
        here = {row["variant"]: row["median_updates"] for row in shared if row["steps"] == steps}
        order = sorted(here, key=here.__getitem__)
        first, last = label(order[0]), label(order[-1])
        few, many = (f"{here[name]:,.0f}" for name in (order[0], order[-1]))
        lesson = (
            f"{label(problem)}: of the cells that solved {steps} steps the {first} needed fewest updates, {few} in the "
            f"median, the {last} most, {many}."
        )
    show(study, draw, lesson=lesson, alt=alt, source=study.drawn(problem), task=problem, name="updates-by-length")


def survival_curves(study: Study, problem: str) -> None:
    """The share of runs that have solved the problem, by updates, a panel a length."""

    def draw(narrow: bool) -> Figure:
        found, shades = study.frontier(problem), _shades(study, problem)
        tried, cells = found["tried"], found["cells"]
        columns = min(len(tried), 4)
        rows = -(-len(tried) // columns)
        figure, grid = panels(narrow, rows, columns, height=2.0, sharey=True)
        for axes in grid.flat[len(tried) :]:
            axes.remove()
        for place, (axes, steps) in enumerate(zip(grid.flat, tried, strict=False)):
            for c, variant in enumerate(cells):
                runs = [
                    row
                    for row in found["runs"]
                    if (row["axis"], row["variant"], row["steps"]) == ("budget", variant, steps)
                ]
                if not runs:
                    continue
                updates, solved = (np.array([row[key] for row in runs]) for key in ("updates", "solved"))
                curve = survival.kaplan_meier(updates, solved)
                x = np.concatenate([[0], curve.updates, [found["budget"]]])
                y = np.concatenate([[0.0], curve.solved, curve.solved[-1:]])
                # Where none or all have solved, the estimate has no interval of its own: Wilson's of the share has.
                none, whole = share(0, len(solved)), share(len(solved), len(solved))
                low = np.concatenate([[np.nan], curve.low, curve.low[-1:]])
                high = np.concatenate([[np.nan], curve.high, curve.high[-1:]])
                low = np.where(np.isfinite(low), low, np.where(y == 0, 0, whole.low))
                high = np.where(np.isfinite(high), high, np.where(y == 1, 1, none.high))
                shift = 0.012 * (c - (len(cells) - 1) / 2)  # curves on top of each other stay apart
                axes.step(x, y + shift, where="post", color=colour(shades[variant]), label=label(variant))
                axes.fill_between(x, low, high, step="post", color=colour(shades[variant]), alpha=0.1, linewidth=0)
            axes.set(title=f"T = {steps}", xlabel="updates", ylim=(-0.05, 1.05))
            if narrow or place % columns == 0:
                axes.set_ylabel("share solved")
        legend(figure, grid[0, 0], narrow)
        return figure

    alt = (
        f"{label(problem)}: the share of runs that have solved it by a number of updates (Kaplan and Meier's estimate "
        "with its 95 % interval, Wilson's where all or none have), a panel a length, a colour a cell, at equal "
        "weights. Equal curves are drawn a little apart."
    )
    lesson = (
        f"{label(problem)}: a run that had not solved its length when its updates were spent may need more of them."
    )
    show(study, draw, lesson=lesson, alt=alt, source=study.drawn(problem), task=problem, name="survival")


def generalisation(study: Study, problem: str) -> None:
    """The score against length of cells that trained on shorter sequences."""
    if not study.rows("generalisation", problem):
        return

    def draw(narrow: bool) -> Figure:
        rows, about = study.rows("generalisation", problem), study.frontier(problem)
        figure, ((axes,),) = panels(narrow, height=3.0)
        scale = 100 if about["score"] == "accuracy" else 1
        for place, variant in enumerate(about["cells"]):
            here = [row for row in rows if row["variant"] == variant]
            x = [row["steps"] for row in here]
            middle, low, high = (scale * np.array([row[key] for row in here]) for key in ("score", "lowest", "highest"))
            axes.plot(x, middle, "o-", color=colour(place), label=label(variant), markersize=4)
            axes.fill_between(x, low, high, color=colour(place), alpha=0.15, linewidth=0)
        chance = about["chance"][str(about["lengths"][0])]["score"]  # of these problems the same at every length
        axes.axhline(scale * chance, color=FAINT, linestyle=":", label="chance")
        axes.axhline(scale * about["goal"], color=FAINT, linestyle="--", linewidth=1, label="solved")
        axes.axvspan(axes.get_xlim()[0], rows[0]["trained"], color=FAINT, alpha=0.1, linewidth=0)
        _steps(axes, sorted({row["steps"] for row in rows}))
        axes.set(xlabel="length of the test sequences", ylabel="accuracy, %" if scale == 100 else "RMSE")
        legend(figure, axes, narrow, 5)
        return figure

    alt = (
        f"{label(problem)}: the score at lengths far beyond those that were trained on (grey), a colour a cell, "
        "the median over seeds with the range as a band; dotted who sees nothing, dashed what counts as solved."
    )
    lesson = f"{label(problem)}: {_generalised(study, problem)}"
    show(study, draw, lesson=lesson, alt=alt, source=study.drawn(problem), task=problem, name="generalisation")


def _generalised(study: Study, problem: str) -> str:
    """Which cells still solve the longest sequences tested, in words."""
    rows, about = study.rows("generalisation", problem), study.frontier(problem)
    sign = 1 if about["score"] == "accuracy" else -1
    far = {variant: [row for row in rows if row["variant"] == variant][-1] for variant in about["cells"]}
    held = [label(variant) for variant, row in far.items() if sign * row["score"] >= sign * about["goal"]]
    steps = max(row["steps"] for row in far.values())
    return f"{sequence(held) if held else 'no cell'} still solved sequences of {steps} steps."


def memory(study: Study, problem: str) -> None:
    """Each run's gradient memory length against its length and its success."""

    def draw(narrow: bool) -> Figure:
        found = study.frontier(problem)
        figure, ((axes,),) = panels(narrow, height=3.2)
        _mark_runs(axes, study, problem, "memory", named=True)
        sequences = np.array([found["sequence"][str(steps)] for steps in found["lengths"]])
        axes.plot(found["lengths"], np.maximum(sequences - 2, 1), ":", color=FAINT, label="to the first step")
        _steps(axes, found["lengths"])
        axes.set(yscale="log", xlabel="length T", ylabel="gradient memory, steps")
        legend(figure, axes, narrow)
        return figure

    alt = (
        f"{label(problem)}: how many steps back the trained network's gradient reaches (largest singular value of "
        "dh_T/dz_t down to 1/e), against length, a mark a run: dots solved the problem, open triangles did not."
    )
    longer = [row["probability"] > 0.5 for row in study.rows("memories", problem)]
    lesson = f"{label(problem)}: at no length were some runs solved and some not."
    if longer:
        lesson = (
            f"{label(problem)}: where some runs were solved and some not, the solved ones' gradient reached further at "
            f"{sum(longer)} of {len(longer)} lengths."
        )
    show(study, draw, lesson=lesson, alt=alt, source=study.drawn(problem), task=problem, name="memory")
