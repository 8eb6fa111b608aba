"""The figures of the report of sequence shapes."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnn_study.reports.display import LINES, MARKERS, PALETTE, STYLE, colour, show
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label


def continued(study: Study) -> None:
    """Each series continued by the network alone."""
    for row in study.shape_samples["continued"]:
        figure = Figure(**STYLE)
        axes = figure.subplots()
        before, truth = (np.array(row["series"][key]) for key in ("before", "truth"))
        steps = np.arange(len(row["series"]["naive"]))
        axes.plot(np.arange(-len(before), 0), before, color="#3b4452", lw=1)
        axes.plot(np.arange(len(truth)), truth, color="#3b4452", lw=1, label="truth")
        axes.plot(steps, row["series"]["naive"], color=PALETTE[4], ls=":", lw=1.2, label="last season again")
        for place, run in enumerate(row["series"]["networks"]):
            told = label(row["variant"]) + ", alone" if place == 0 else None
            axes.plot(steps, run, color=PALETTE[0], lw=1, alpha=0.8, label=told)
        axes.axvline(0, color="#9aa3af", lw=0.8)
        known = np.concatenate([before, truth])
        low, high = known.min(), known.max()
        axes.set_ylim(low - 0.5 * (high - low), high + 0.5 * (high - low))  # a run that leaves these leaves the page
        axes.set_xlabel(f"steps from {row['from']}")
        axes.legend(frameon=False, fontsize=8)
        mean = np.mean(row["errors"])
        alt = (
            f"{label(row['system'])}: the network continued the series for {row['steps']} steps whose truth is known "
            f"with an RMSE of {mean:.1f}; the last season repeated has {row['naive_error']:.1f}."
        )
        show(figure, alt, study.shape_source(row["system"]), row["system"], "continued")


def attention(study: Study) -> None:
    """Where the decoder looked while it wrote."""
    for row in study.shape_samples["looked"]:
        if row["system"] != "numbers":
            continue
        weights = np.array(row["weights"])
        figure = Figure(figsize=(5.4, 4.6), dpi=STYLE["dpi"], layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(row["read"])), row["read"], rotation=45, ha="right")
        axes.set_yticks(range(len(row["written"])), row["written"])
        axes.set_xlabel("read")
        axes.set_ylabel("written")
        figure.colorbar(image, label="weight", shrink=0.7)
        firsts = ", ".join(
            f"{word} at {row['read'][place]}"
            for word, place in zip(row["written"], weights.argmax(axis=1), strict=True)
        )
        alt = f"{label(row['variant'])}: while writing, it looked most: {firsts}."
        show(figure, alt, study.shape_source(row["system"]), row["system"], f"attention_{row['variant']}")


def exact_by_width(study: Study) -> None:
    """Exact match by the width of the decoder, with and without attention: a panel a test part."""
    rows = study.shapes["found"]["widths"]
    parts = list(dict.fromkeys(row["part"] for row in rows))
    figure = Figure(figsize=(7.2, 3.4 * len(parts)), dpi=STYLE["dpi"], layout="constrained")
    told = []
    for axes, part in zip(np.atleast_1d(figure.subplots(len(parts), 1)), parts, strict=True):
        for (data, attended, backend), own in _lines(rows, part).items():
            style, name = int(backend == "tensorflow"), "with" if attended else "without"
            name = f"{label(data)}, {name} attention, {label(backend)}"
            place = 2 * [row["data"] for row in rows].index(data) + attended
            widths = [row["units"] for row in own]
            means = [100 * float(np.mean(row["scores"])) for row in own]
            axes.plot(widths, means, LINES[style], marker=MARKERS[style], color=colour(place), label=name)
            points = (f"{mean:.1f} % at {width} units" for mean, width in zip(means, widths, strict=True))
            told.append(f"{name}, {label(part)}: {', '.join(points)}")
        axes.set_xlabel("units")
        axes.set_ylabel("exact match, %")
        axes.set_ylim(-3, 103)
        axes.set_title(label(part), fontsize=9)
        axes.legend(frameon=False, fontsize=7)
    show(figure, "; ".join(told) + ".", study.shape_source("numbers"), "numbers", "exact_by_width")


def arrives(study: Study) -> None:
    """How much of the answer's error reaches each word read, before training and trained."""
    figure = Figure(figsize=(7.2, 3.4), dpi=STYLE["dpi"], layout="constrained")
    told, rows = [], [row for row in study.shapes["found"]["arrives"] if row["system"] == "numbers"]
    titles = {"initial": "before training", "trained": "trained"}
    for axes, (stage, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        for place, row in enumerate(rows):
            axes.plot(row[stage], marker=".", color=colour(place), label=label(row["variant"]))
            told.append(f"{title}, {label(row['variant'])}: {100 * row[stage][-1]:.3g} % at the first word")
        axes.axhline(1, color="#9aa3af", lw=0.8)
        axes.set_yscale("log")
        axes.set_xlabel("words before the last one read")
        axes.set_title(title, fontsize=9)
    figure.axes[0].set_ylabel("error that arrives / at the last word")
    figure.axes[0].legend(frameon=False, fontsize=7)
    show(figure, "; ".join(told) + ".", study.shape_source("numbers"), "numbers", "error_that_arrives")


def _lines(rows: list[dict[str, Any]], part: str) -> dict[tuple[str, bool, str], list[dict[str, Any]]]:
    """The rows of one test part, by data, attention and framework, narrow ones first."""
    found: dict[tuple[str, bool, str], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["units"]):
        if row["part"] == part:
            found.setdefault((row["data"], row["attention"], row["backend"]), []).append(row)
    return found


def map_of_words(study: Study) -> None:
    """The words that tell most, by their vectors' two main directions, before and after training."""
    for row in study.shape_samples["vectors"]:
        if not row["trained"]:
            continue
        figure = Figure(figsize=(7.2, 3.8), dpi=STYLE["dpi"], layout="constrained")
        positive = np.array(row["map"]["positive"])
        for axes, when in zip(figure.subplots(1, 2), ("before", "after"), strict=True):
            places = np.array(row["map"][when])
            for side, (name, mark) in enumerate((("mostly in negative tweets", "v"), ("mostly in positive ones", "^"))):
                chosen = (positive > 0.5) == bool(side)
                axes.scatter(*places[chosen].T, s=14, marker=mark, color=PALETTE[1 - side], label=name)
            for word, place in list(zip(row["map"]["words"], places, strict=True))[:16]:
                axes.annotate(word, place, fontsize=6, xytext=(2, 2), textcoords="offset points")
            axes.set_title(f"{when} training", fontsize=9)
            axes.set_xticks([])
            axes.set_yticks([])
        figure.axes[0].legend(frameon=False, fontsize=6, loc="lower left")
        shares = [f"{100 * row['alike'][when]:.0f} % {when}" for when in ("before", "after")]
        alt = (
            f"{label(row['system'])}: of a word's nearest words so many lean its way: {' and '.join(shares)} training."
        )
        show(figure, alt, study.shape_source(row["system"]), row["system"], "map_of_words")


def spelled(study: Study) -> None:
    """Images, and the names that were written for them."""
    row = next((r for r in study.shape_samples["answers"] if r["system"] == "spelled"), None)
    if row is None:
        return
    images = study.shape_task("spelled").tests["test"].x
    figure = Figure(figsize=(7.2, 2.9), dpi=STYLE["dpi"], layout="constrained")
    told = []
    for axes, one in zip(figure.subplots(2, 6).ravel(), row["samples"], strict=False):
        axes.imshow(images[one["place"]], cmap="Greys")
        name, right = "".join(one["said"]), "".join(one["expected"])
        axes.set_title(name + ("" if one["right"] else f" (is {right})"), fontsize=8)
        told.append(f"{right}: {name}")
    for axes in figure.axes:
        axes.set_axis_off()
    alt = f"Images and the names written for them: {'; '.join(told)}."
    show(figure, alt, study.shape_source("spelled"), "spelled", "spelled")


def unrolling(study: Study) -> None:
    """How graphs and calls grow with the number of steps."""
    rows = study.unrolling["rows"]
    figure = Figure(figsize=(7.2, 6.4), dpi=STYLE["dpi"], layout="constrained")
    told = []
    titles = {
        "nodes": "nodes of the graph",
        "build_growth": "time to build / shortest",
        "memory_mib": "memory, MiB",
        "step_ratio": "time of a call / native",
    }
    for axes, (key, title) in zip(figure.subplots(2, 2).ravel(), titles.items(), strict=True):
        for place, (framework, way) in enumerate(dict.fromkeys((r["framework"], r["way"]) for r in rows)):
            own = [r for r in rows if (r["framework"], r["way"]) == (framework, way) and r[key]]
            if own:
                name = f"{label(framework)}, {way}"
                style = LINES[int(framework == "tensorflow")]
                steps, values = ([row[name] for row in own] for name in ("steps", key))
                axes.plot(steps, values, style, marker=".", color=colour(place), label=name)
                told.append(f"{title}, {name}: {values[0]:g} at {steps[0]} steps, {values[-1]:g} at {steps[-1]}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("steps")
        axes.set_title(title, fontsize=9)
    figure.axes[0].legend(frameon=False, fontsize=7)
    show(figure, "; ".join(told) + ".", _machine(study.unrolling["machine"]), "shapes", "unrolling")


def _machine(machine: dict[str, Any]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in machine.items())
    return f"measured by benchmarks/unrolling.py: {told}"
