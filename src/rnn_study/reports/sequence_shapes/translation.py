"""The figures of numbers translated: attention, exact match by width, how the error arrives."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnn_study.reports.elements.figures import (
    FAINT,
    LINES,
    MARKERS,
    PALETTE,
    colour,
    legend,
    panels,
    show,
)
from rnn_study.reports.elements.wording import label
from rnn_study.reports.study import Study

Row = dict[str, Any]


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
