"""Figures of long-range dependency: success by length, updates to the solution, generalisation, gradient memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.reports.display import colour, show
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label
from rnn_study.statistics import survival

Row = dict[str, Any]
_DPI = 110
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


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained", dpi=_DPI)


def _legend(figure: Figure, axes: Axes, problem: str, columns: int = 4) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(),
        fontsize=8,
        loc="outside upper center",
        ncols=columns,
        title=label(problem),
        frameon=False,
    )


def _steps(axes: Axes, lengths: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(lengths, [str(steps) for steps in lengths])
    axes.minorticks_off()


def heat_map(study: Study, problem: str) -> None:
    """Length by cell: how many seeds solved the problem."""
    lengths, contenders = study.frontier(problem)["lengths"], study.rows("frontiers", problem)
    figure = _figure(max(7.2, 1.2 * len(lengths) + 3), 0.42 * len(contenders) + 1.6)
    axes = figure.subplots()
    for y, contender in enumerate(contenders):
        rows = study.rows("successes", problem, axis=contender["axis"], variant=contender["variant"])
        for x, row in enumerate(rows):
            ran = "not_run" not in row
            shade = row["share"] if ran else 0.0
            axes.fill_between(
                [x, x + 1], y, y + 1, color="#009E73" if ran else "#dddddd", alpha=0.1 + 0.75 * shade if ran else 0.5
            )
            low, high = (f"{100 * row[key]:.0f}" for key in ("low", "high")) if ran else ("", "")
            text = f"{row['solved']}/{row['seeds']}  ({low}–{high} %)" if ran else "not run"
            axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7)
    names = [f"{study.contender(problem, row['variant'])}, {axis_name(row['axis'])}" for row in contenders]
    axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=8)
    axes.set_xticks(np.arange(len(lengths)) + 0.5, [f"T = {steps}" for steps in lengths], fontsize=8)
    axes.set(xlim=(0, len(lengths)), ylim=(len(contenders), 0))
    axes.set_title(label(problem), fontsize=10)
    alt = (
        f"{label(problem)}: seeds that solved it, by length and cell, with the 95 % Wilson interval of the share; "
        "greener means more, grey was not run: two shorter lengths had no seed solved, or there was no GPU."
    )
    show(figure, alt, study.drawn(problem), problem, "success")


def updates_by_length(study: Study, problem: str) -> None:
    """Updates to the solution against length: every run, censored ones as open triangles at their budget."""
    found, shades = study.frontier(problem), _shades(study, problem)
    figure = _figure(7.2, 4.1)
    axes = figure.subplots()
    for variant, shift in _mark_runs(axes, study, problem, "updates", named=False).items():
        medians = study.rows("successes", problem, axis="budget", variant=variant)
        medians = [row for row in medians if row.get("median_updates")]
        x = [shift * row["steps"] for row in medians]
        y = [row["median_updates"] for row in medians]
        name = study.contender(problem, variant)
        axes.plot(x, y, "_-", color=colour(shades[variant]), linewidth=1.3, markersize=14, label=name)
    _steps(axes, found["lengths"])
    axes.set(yscale="log", xlabel="length T", ylabel="updates to the solution")
    axes.grid(alpha=0.3)
    _legend(figure, axes, problem)
    alt = (
        f"{label(problem)}: updates until a run had solved it, against length; a dot a run, the line the median of "
        f"Kaplan and Meier's estimate; open triangles are runs censored at {found['budget']:,} updates."
    )
    show(figure, alt, study.drawn(problem), problem, "updates-by-length")


def survival_curves(study: Study, problem: str) -> None:
    """The share of runs that have solved the problem, by updates, a panel a length."""
    found, shades = study.frontier(problem), _shades(study, problem)
    tried, cells = found["tried"], found["cells"]
    figure = _figure(max(7.2, 2.3 * len(tried)), 3.2)
    panels = figure.subplots(1, len(tried), sharey=True, squeeze=False)[0]
    for axes, steps in zip(panels, tried, strict=True):
        for variant in cells:
            rows = [
                row
                for row in found["runs"]
                if (row["axis"], row["variant"], row["steps"]) == ("budget", variant, steps)
            ]
            if not rows:
                continue
            updates, solved = (np.array([row[key] for row in rows]) for key in ("updates", "solved"))
            curve = survival.kaplan_meier(updates, solved)
            x = np.concatenate([[0], curve.updates, [found["budget"]]])
            y, low, high = (
                np.concatenate([[first], side, side[-1:]])
                for first, side in ((0.0, curve.solved), (np.nan, curve.low), (np.nan, curve.high))
            )
            axes.step(x, y, where="post", color=colour(shades[variant]), label=label(variant))
            axes.fill_between(x, low, high, step="post", color=colour(shades[variant]), alpha=0.12, linewidth=0)
        axes.set_title(f"T = {steps}", fontsize=9)
        axes.set(xlabel="updates", ylim=(-0.03, 1.03))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share solved")
    _legend(figure, panels[0], problem)
    alt = (
        f"{label(problem)}: the share of runs that have solved it by a number of updates (Kaplan and Meier's estimate, "
        "with its 95 % interval where it has one), a panel a length, a colour a cell, at equal weights."
    )
    show(figure, alt, study.drawn(problem), problem, "survival")


def generalisation(study: Study, problem: str) -> None:
    """The score against length of cells that trained on shorter sequences."""
    rows, about = study.rows("generalisation", problem), study.frontier(problem)
    if not rows:
        return
    figure = _figure(7.2, 3.7)
    axes = figure.subplots()
    scale = 100 if about["score"] == "accuracy" else 1
    for place, variant in enumerate(about["cells"]):
        here = [row for row in rows if row["variant"] == variant]
        x = [row["steps"] for row in here]
        middle, low, high = (scale * np.array([row[key] for row in here]) for key in ("score", "lowest", "highest"))
        axes.plot(x, middle, "o-", color=colour(place), label=label(variant), markersize=4)
        axes.fill_between(x, low, high, color=colour(place), alpha=0.15, linewidth=0)
    chance = about["chance"][str(about["lengths"][0])]["score"]  # of these problems the same at every length
    axes.axhline(scale * chance, color="grey", linestyle=":", label="chance")
    axes.axhline(scale * about["goal"], color="grey", linestyle="--", linewidth=1, label="solved")
    axes.axvspan(axes.get_xlim()[0], rows[0]["trained"], color="grey", alpha=0.1, linewidth=0)
    _steps(axes, sorted({row["steps"] for row in rows}))
    axes.set(xlabel="length of the test sequences", ylabel="accuracy, %" if scale == 100 else "RMSE")
    axes.grid(alpha=0.3)
    _legend(figure, axes, problem, 5)
    alt = (
        f"{label(problem)}: the score at lengths far beyond those that were trained on (grey), a colour a cell, "
        "the median over seeds with the range as a band; dotted who sees nothing, dashed what counts as solved."
    )
    show(figure, alt, study.drawn(problem), problem, "generalisation")


def memory(study: Study, problem: str) -> None:
    """Each run's gradient memory length against its length and its success."""
    found = study.frontier(problem)
    figure = _figure(7.2, 3.9)
    axes = figure.subplots()
    _mark_runs(axes, study, problem, "memory", named=True)
    sequences = np.array([found["sequence"][str(steps)] for steps in found["lengths"]])
    axes.plot(found["lengths"], np.maximum(sequences - 2, 1), ":", color="grey", label="to the first step")
    _steps(axes, found["lengths"])
    axes.set(yscale="log", xlabel="length T", ylabel="gradient memory, steps")
    axes.grid(alpha=0.3)
    _legend(figure, axes, problem)
    alt = (
        f"{label(problem)}: how many steps back the trained network's gradient reaches (largest singular value of "
        "dh_T/dz_t down to 1/e), against length, a mark a run: dots solved the problem, open triangles did not."
    )
    show(figure, alt, study.drawn(problem), problem, "memory")
