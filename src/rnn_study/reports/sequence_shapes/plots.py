"""The figures of the report of sequence shapes."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnn_study.reports.elements.figures import (
    FAINT,
    INK,
    LINES,
    MARKERS,
    NARROW,
    PALETTE,
    WIDE,
    colour,
    legend,
    panels,
    show,
)
from rnn_study.reports.elements.wording import label, sequence
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


def attention(study: Study) -> None:
    """Where the decoder looked while it wrote."""
    for place, row in enumerate(study.shape_samples["looked"]):
        if row["system"] == "numbers":
            _attention(study, place)


def _attention(study: Study, place: int) -> None:
    def draw(narrow: bool) -> Figure:
        row = study.shape_samples["looked"][place]
        figure, ((axes,),) = panels(narrow, height=3.2, width=5.0)
        image = axes.imshow(np.array(row["weights"]), cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(row["read"])), row["read"], rotation=45, ha="right")
        axes.set_yticks(range(len(row["written"])), row["written"])
        axes.set(xlabel="read", ylabel="written")
        axes.grid(False)
        figure.colorbar(image, label="weight", shrink=0.7)
        return figure

    row = study.shape_samples["looked"][place]
    firsts = ", ".join(
        f"{word} at {row['read'][at]}"
        for word, at in zip(row["written"], np.array(row["weights"]).argmax(axis=1), strict=True)
    )
    alt = f"{label(row['variant'])}: while writing, it looked most: {firsts}."
    lesson = "With attention each word that is written has its own look back at the words that were read."
    source, name = study.shape_source(row["system"]), f"attention_{row['variant']}"
    show(study, draw, lesson=lesson, alt=alt, source=source, task=row["system"], name=name)


def exact_by_width(study: Study) -> None:
    """Exact match by the width of the decoder, with and without attention: a panel a test part."""
    rows = study.shapes["found"]["widths"]
    if not rows:
        return
    parts = list(dict.fromkeys(row["part"] for row in rows))

    def of_one_width(narrow: bool) -> Figure:
        rows = study.shapes["found"]["widths"]
        figure, grid = panels(narrow, len(parts), 1, height=1.8)
        for axes, part in zip(grid[:, 0], parts, strict=True):
            lines = _lines(rows, part)
            means = [_means(own)[1][0] for own in lines.values()]
            names = [_series(key[0] if several else "", *key[1:]) for key in lines]
            axes.plot(means, range(len(means)), "o", color=PALETTE[0])
            axes.set_yticks(range(len(means)), [textwrap.fill(name, 20) for name in names] if narrow else names)
            axes.set(xlabel="exact match, %", xlim=(-3, 103), ylim=(len(means) - 0.5, -0.5), title=label(part))
        return figure

    def draw(narrow: bool) -> Figure:
        rows = study.shapes["found"]["widths"]
        figure, grid = panels(narrow, len(parts), 1, height=3.0)
        for axes, part in zip(grid[:, 0], parts, strict=True):
            for (data, attended, backend), own in _lines(rows, part).items():
                style = int(backend == "tensorflow")
                place = 2 * [row["data"] for row in rows].index(data) + attended
                widths, means = _means(own)
                name = _series(data if several else "", attended, backend)
                axes.plot(widths, means, LINES[style], marker=MARKERS[style], color=colour(place), label=name)
            axes.set(xlabel="units", ylabel="exact match, %", ylim=(-3, 103), title=label(part))
            axes.set_xticks(sorted({row["units"] for row in rows}))
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=1 if narrow else 2)
        return figure

    told, several = [], len({row["data"] for row in rows}) > 1
    for part in parts:
        for (data, attended, backend), own in _lines(rows, part).items():
            points = (f"{mean:.1f} % at {width} units" for width, mean in zip(*_means(own), strict=True))
            told.append(f"{_series(data if several else '', attended, backend)}, {label(part)}: {', '.join(points)}")
    lesson = f"Numbers translated word for word: {_attention_tells(rows)}."
    alt, source = "; ".join(told) + ".", study.shape_source("numbers")
    drawn = draw if len({row["units"] for row in rows}) > 1 else of_one_width
    show(study, drawn, lesson=lesson, alt=alt, source=source, task="numbers", name="exact_by_width")


def _means(rows: list[Row]) -> tuple[list[int], list[float]]:
    return [row["units"] for row in rows], [100 * float(np.mean(row["scores"])) for row in rows]


def _series(data: str, attended: bool, backend: str) -> str:
    """A line's name; of `data` only where there are several."""
    attention = f"{'with' if attended else 'without'} attention, {label(backend)}"
    return f"{label(data)}, {attention}" if data else attention


def _attention_tells(rows: list[Row]) -> str:
    """At the narrowest width that has both, whether attention writes more of the test part's numbers rightly."""
    own = [row for row in rows if row["part"] == "test"]
    sides = {row["attention"]: row for row in sorted(own, key=lambda row: -row["units"])}
    if sides.keys() != {True, False} or sides[True]["units"] != sides[False]["units"]:
        return "one answer is right only where every word of it is"
    more = np.mean(sides[True]["scores"]) - np.mean(sides[False]["scores"])
    told = "attention writes more of them rightly" if more > 0 else "attention writes no more of them rightly"
    return f"at {sides[True]['units']} units {told}"


def arrives(study: Study) -> None:
    """How much of the answer's error reaches each word read, before training and trained."""
    titles = {"initial": "before training", "trained": "trained"}

    def read() -> list[Row]:
        return [row for row in study.shapes["found"]["arrives"] if row["system"] == "numbers"]

    def draw(narrow: bool) -> Figure:
        figure, both = panels(narrow, 1, 2, sharey=True)
        for axes, (stage, title) in zip(both[0], titles.items(), strict=True):
            for place, row in enumerate(read()):
                axes.plot(row[stage], marker=".", color=colour(place), label=label(row["variant"]))
            axes.axhline(1, color=FAINT, lw=0.8)
            axes.set(yscale="log", xlabel="words before the last one read", title=title)
        both[0, 0].set_ylabel("error that arrives / at the last word")
        legend(figure, both[0, 0], narrow)
        return figure

    told = [
        f"{title}, {label(row['variant'])}: {100 * row[stage][-1]:.3g} % at the first word"
        for stage, title in titles.items()
        for row in read()
    ]
    first = {row["variant"]: row["trained"][-1] for row in read()}
    lesson = "Trained, how much of the answer's error reaches the first word read?"
    if len(first) > 1:
        order = sorted(first, key=first.__getitem__)
        lesson = f"Trained, the {label(order[-1])} passes more error to the first word read than the {label(order[0])}."
    alt, source = "; ".join(told) + ".", study.shape_source("numbers")
    show(study, draw, lesson=lesson, alt=alt, source=source, task="numbers", name="error_that_arrives")


def _lines(rows: list[Row], part: str) -> dict[tuple[str, bool, str], list[Row]]:
    """The rows of one test part, by data, attention and framework, narrow ones first."""
    found: dict[tuple[str, bool, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["units"]):
        if row["part"] == part:
            found.setdefault((row["data"], row["attention"], row["backend"]), []).append(row)
    return found


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
        rows, found = study.unrolling["rows"], []
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
    machine, alt = _machine(study.unrolling["machine"]), "; ".join(told) + "."
    show(study, draw, lesson=lesson, alt=alt, source=machine, task="shapes", name="unrolling")


def _machine(machine: dict[str, Any]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    return f"measured by benchmarks/unrolling.py: {told}"
