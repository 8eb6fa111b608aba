"""The figures of the report of sequence shapes."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnn_study.reports.elements.figures import (
    FAINT,
    INK,
    LINES,
    NARROW,
    PALETTE,
    WIDE,
    colour,
    legend,
    panels,
    show,
)
from rnn_study.reports.elements.wording import label, machine, sequence
from rnn_study.reports.study import Study

Row = dict[str, Any]


def continued(study: Study, system: str) -> None:
    """The series of `system`, continued by the network alone; nothing where it did not run."""
    for place, row in enumerate(study.shape_samples["continued"]):
        if row["system"] == system:
            _continued(study, place)


def _continued(study: Study, place: int) -> None:
    def draw(narrow: bool) -> Figure:
        row = study.shape_samples["continued"][place]
        figure, ((axes,),) = panels(narrow, height=3.2)
        before, truth = (np.array(row["series"][key]) for key in ("before", "truth"))
        steps = np.arange(len(row["series"]["naive"]))
        axes.plot(np.arange(-len(before), 0), before, color=INK, lw=1)
        axes.plot(np.arange(len(truth)), truth, color=INK, lw=1, label="truth")
        axes.plot(steps, row["series"]["naive"], color=PALETTE[4], ls=":", lw=1.4, label="last season again")
        for number, run in enumerate(row["series"]["networks"]):
            told = label(row["variant"]) + ", alone" if number == 0 else None
            axes.plot(steps, run, color=PALETTE[0], lw=1, alpha=0.8, label=told)
        axes.axvline(0, color=FAINT, lw=0.8)
        known = np.concatenate([before, truth])
        low, high = known.min(), known.max()
        axes.set_ylim(low - 0.5 * (high - low), high + 0.5 * (high - low))  # a run that leaves these leaves the page
        axes.set_xlabel(f"steps from {row['from']}")
        legend(figure, axes, narrow)
        return figure

    row = study.shape_samples["continued"][place]
    mean = np.mean(row["errors"])
    alt = (
        f"{label(row['system'])}: the network continued the series for {row['steps']} steps whose truth is known "
        f"with an RMSE of {mean:.1f}; the last season repeated has {row['naive_error']:.1f}."
    )
    better = "forecasts better than" if mean < row["naive_error"] else "is no better than"
    lesson = (
        f"{label(row['system'])}: left alone, fed its own forecasts, the network {better} the last season repeated."
    )
    source = study.shape_source(row["system"])
    show(study, draw, lesson=lesson, alt=alt, source=source, task=row["system"], name="continued")


def map_of_words(study: Study) -> None:
    """The words that tell most, by their vectors' two main directions, before and after training."""
    for place, row in enumerate(study.shape_samples["vectors"]):
        if row["trained"]:
            _map_of_words(study, place)


def _map_of_words(study: Study, number: int) -> None:
    def draw(narrow: bool) -> Figure:
        row = study.shape_samples["vectors"][number]
        figure, both = panels(narrow, 1, 2, height=3.2)
        positive = np.array(row["map"]["positive"])
        for axes, when in zip(both[0], ("before", "after"), strict=True):
            places = np.array(row["map"][when])
            for side, (name, mark) in enumerate(zip(row["map"]["classes"], "v^", strict=True)):
                chosen = (positive > 0.5) == bool(side)
                axes.scatter(
                    *places[chosen].T, s=14, marker=mark, color=PALETTE[1 - side], label=f"mostly in {name} tweets"
                )
            for word, place in list(zip(row["map"]["words"], places, strict=True))[:16]:
                axes.annotate(word, place, fontsize=8.25, xytext=(2, 2), textcoords="offset points")
            axes.set(title=f"{when} training", xticks=[], yticks=[])
        legend(figure, both[0, 0], narrow)
        return figure

    row = study.shape_samples["vectors"][number]
    before, after = (row["alike"][when] for when in ("before", "after"))
    alt = (
        f"{label(row['system'])}: of a word's nearest words so many lean its way: {100 * before:.0f} % before and "
        f"{100 * after:.0f} % after training."
    )
    moved = (
        "moves words that lean one way closer together"
        if after > before
        else "does not bring words that lean alike together"
    )
    lesson = f"{label(row['system'])}: training {moved}."
    source = study.shape_source(row["system"])
    show(study, draw, lesson=lesson, alt=alt, source=source, task=row["system"], name="map_of_words")


def spelled(study: Study) -> None:
    """Images, and the names that were written for them."""

    def found() -> Row | None:
        return next((row for row in study.shape_samples["answers"] if row["system"] == "spelled"), None)

    row = found()
    if row is None:
        return

    def draw(narrow: bool) -> Figure:
        images = study.shape_task("spelled").tests["test"].x
        columns = 4 if narrow else 6
        figure, ((axes,),) = panels(False, height=3.4 if narrow else 2.6, width=NARROW if narrow else WIDE)
        axes.remove()
        grid = figure.subplots(12 // columns, columns)
        for axes, one in zip(grid.ravel(), found()["samples"], strict=False):
            axes.imshow(images[one["place"]], cmap="Greys")
            name, right = "".join(one["said"]), "".join(one["expected"])
            axes.set_title(name + ("" if one["right"] else f"\n(is {right})"))
        for axes in figure.axes:
            axes.set_axis_off()
        return figure

    told = [f"{''.join(one['expected'])}: {''.join(one['said'])}" for one in row["samples"][:12]]
    alt = f"Images and the names written for them: {'; '.join(told)}."
    wrong = sum(not one["right"] for one in row["samples"][:12])
    lesson = "An image goes in once; its name comes out letter by letter, " + (
        f"wrong in {wrong} of the {len(told)} shown." if wrong else f"right in all {len(told)} shown."
    )
    source = study.shape_source("spelled")
    show(study, draw, lesson=lesson, alt=alt, source=source, task="spelled", name="spelled")


def unrolling(study: Study) -> None:
    """How graphs and calls grow with the number of steps."""
    titles = {
        "nodes": "nodes of the graph",
        "build_growth": "time to build / shortest",
        "memory_mib": "memory, MiB",
        "step_ratio": "time of a call / native",
    }

    def lines(key: str) -> list[tuple[int, str, str, list[int], list[float]]]:
        """Of each way that has the quantity: its place, framework and name, steps and values."""
        rows, found = study.benchmark("unrolling")["rows"], []
        for place, (framework, way) in enumerate(dict.fromkeys((r["framework"], r["way"]) for r in rows)):
            own = [r for r in rows if (r["framework"], r["way"]) == (framework, way) and r[key]]
            if own:
                steps, values = ([row[name] for row in own] for name in ("steps", key))
                found.append((place, framework, f"{label(framework)}, {way}", steps, values))
        return found

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, 2, 2, height=2.6)
        for axes, (key, title) in zip(grid.flat, titles.items(), strict=True):
            for place, framework, name, steps, values in lines(key):
                style = LINES[int(framework == "tensorflow")]
                axes.plot(steps, values, style, marker=".", color=colour(place), label=name)
            axes.set(xscale="log", yscale="log", xlabel="steps", title=title)
        legend(figure, grid[0, 0], narrow, 3)
        return figure

    told = [
        f"{title}, {name}: {values[0]:g} at {steps[0]} steps, {values[-1]:g} at {steps[-1]}"
        for key, title in titles.items()
        for _, _, name, steps, values in lines(key)
    ]
    growth = {name: values[-1] / values[0] for _, _, name, _, values in lines("nodes")}
    grown = [name for name, factor in growth.items() if factor > 2]
    same = [name for name in growth if name not in grown]
    groups = {"a graph that grows with the sequence": grown, "a graph that does not": same}
    built = [f"{what} ({sequence(names)})" for what, names in groups.items() if names]
    lesson = f"Unrolled over more steps there is {' and '.join(built)}."
    source = f"measured by benchmarks/unrolling.py: {machine(study.benchmark('unrolling')['machine'])}"
    alt = "; ".join(told) + "."
    show(study, draw, lesson=lesson, alt=alt, source=source, task="shapes", name="unrolling")
