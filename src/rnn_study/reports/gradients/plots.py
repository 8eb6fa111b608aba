"""Figures of gradient behaviour: error by distance, spectra, memory, gates, health, words."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.behaviour.diagnostics.profiles import BINS, INITIAL, LEFT, RIGHT, TRAINED
from rnn_study.reports.figures import FAINT, INK, colour, legend, panels, show
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label, sequence

_THEORY = (0.8, 0.9, 1.0)  # kernels a Q of a linear RNN, drawn as dotted lines
_UPDATES = 150  # points of a curve by update: more than that no screen shows
_TITLES = {INITIAL: "before training", TRAINED: "trained"}


def when(stage: str) -> str:
    """How a report writes a stage of training."""
    return _TITLES.get(stage, f"after {stage}" if stage else "")


def ranked(values: dict[str, float], many: str, few: str) -> str:
    """Which cell has the largest value and which the least, in words; `many` and `few` are what they do."""
    names = sorted(values, key=values.__getitem__, reverse=True)
    if len(names) < 2 or values[names[0]] == values[names[-1]]:
        return f"{sequence([label(name) for name in names])}: all alike"
    return f"the {label(names[0])} {many}, the {label(names[-1])} {few}"


def _lesson(study: Study, task: str, value: Callable[[dict[str, np.ndarray]], float], many: str, few: str) -> str:
    """`ranked` before training and after."""
    told = []
    for stage in (INITIAL, TRAINED):
        found = {cell: value(study.profiles(task)[cell][stage]) for cell in study.cells(task)}
        told.append(f"{when(stage)} {ranked(found, many, few)}")
    text = "; ".join(told) + "."
    return f"{label(task)}: {text}"


def _band(axes: Axes, x: np.ndarray, curves: np.ndarray, c: int, name: str | None, style: str = "-") -> None:
    """The median of curves (seeds, X) and a band from the lowest to the highest."""
    there = np.isfinite(curves).any(axis=0)
    x, curves = x[there], curves[:, there]
    axes.plot(x, np.nanmedian(curves, axis=0), style, color=colour(c), label=name)
    axes.fill_between(x, np.nanmin(curves, axis=0), np.nanmax(curves, axis=0), color=colour(c), alpha=0.15, linewidth=0)


def _by_stage(
    study: Study,
    task: str,
    narrow: bool,
    draw: Callable[[Axes, dict[str, np.ndarray], int, str], None],
    **labels: str,
) -> Figure:
    """A panel before training and one after, every cell in both."""
    figure, both = panels(narrow, 1, 2, sharey=True)
    for axes, stage in zip(both[0], (INITIAL, TRAINED), strict=True):
        for c, cell in enumerate(study.cells(task)):
            draw(axes, study.profiles(task)[cell][stage], c, label(cell))
        axes.set(**labels, title=_TITLES[stage])
    if not narrow:
        both[0, 1].set_ylabel("")
    return figure


def error_flow(study: Study, task: str) -> None:
    """The norm of dL/dz by distance from the loss, relative to the last step."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        flow = np.nanmean(stage["flow"], axis=1)
        _band(axes, np.arange(flow.shape[1]), flow - flow[:, :1], c, name)

    def flow(narrow: bool) -> Figure:
        labels = {"xlabel": "steps back from the loss", "ylabel": "log₁₀ ‖dL/dz‖, last step = 0"}
        figure = _by_stage(study, task, narrow, draw, **labels)
        for axes in figure.axes:
            low, high = axes.get_ylim()
            lags = np.arange(study.profiles(task)[study.cells(task)[0]][INITIAL]["flow"].shape[2])
            for scale in _THEORY:
                name = "linear RNN, a = 0.8, 0.9, 1" if scale == _THEORY[0] else None
                axes.plot(lags, lags * np.log10(scale), ":", color=FAINT, linewidth=1, label=name)
            axes.set_ylim(max(low, -12), min(high, 4))
        legend(figure, figure.axes[0], narrow)
        return figure

    alt = (
        f"{label(task)}: how large the error is that reaches each step, by distance from the loss, before and after "
        "training, on a logarithmic axis; a colour a cell, the median over seeds with the range as a band, theory for "
        "a linear RNN whose recurrent kernel is a times an orthogonal matrix dotted."
    )
    lesson = _lesson(
        study,
        task,
        lambda stage: float(
            np.median(np.nanmean(stage["flow"], axis=1)[:, -1] - np.nanmean(stage["flow"], axis=1)[:, 0])
        ),
        "passes most of the error to the first step",
        "least",
    )
    show(study, flow, lesson=lesson, alt=alt, source=study.source(task), task=task, name="error-flow")


def states_apart(study: Study, task: str) -> None:
    """For cells whose state has two arrays, the error in each."""
    cells = [cell for cell in study.cells(task) if "flow_c" in study.profiles(task)[cell][INITIAL]]
    if not cells:
        return

    def draw(narrow: bool) -> Figure:
        figure, both = panels(narrow, 1, 2, sharey=True)
        for axes, stage in zip(both[0], (INITIAL, TRAINED), strict=True):
            for cell in cells:
                found = study.profiles(task)[cell][stage]
                for c, name in enumerate(("h", "c")):
                    flow = np.nanmean(found[f"flow_{name}"], axis=1)
                    lags = np.arange(flow.shape[1])[1 if name == "c" else 0 :]  # the loss reads h, no c
                    _band(axes, lags, flow[:, lags], c, f"{label(cell)}, {name}")
            axes.set(xlabel="steps back from the loss", ylabel="log₁₀ ‖dL/dh‖, ‖dL/dc‖", title=_TITLES[stage])
        legend(figure, both[0, 0], narrow)
        return figure

    alt = (
        f"{label(task)}: the error that reaches h and the error that reaches c at each step, before and after training."
    )
    more = {
        stage: np.median(
            [np.nanmean(study.profiles(task)[cells[0]][stage][f"flow_{name}"], axis=1)[:, -1] for name in "hc"], axis=1
        )
        for stage in (INITIAL, TRAINED)
    }
    told = sequence([f"{when(stage)} by {'c' if c > h else 'h'}" for stage, (h, c) in more.items()])
    lesson = f"Most of the error that reaches the first step comes {told}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="states-apart")


def singular_values(study: Study, task: str) -> None:
    """The spectrum of dh_T/dz_t by distance: largest, quartiles, median and smallest singular value."""
    cells = study.cells(task)

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, 2, len(cells), height=2.0 if narrow else 2.3, sharex=True, sharey=True)
        for (row, column), axes in np.ndenumerate(grid):
            stage = (INITIAL, TRAINED)[row]
            spectrum = np.median(study.profiles(task)[cells[column]][stage]["singular"], axis=0)
            spectrum = np.maximum(spectrum, -12)
            lags = np.arange(len(spectrum))
            low, quarter, middle, three, high = np.quantile(spectrum, [0, 0.25, 0.5, 0.75, 1], axis=1)
            axes.fill_between(lags, low, high, color=colour(column), alpha=0.15, linewidth=0, label="all")
            axes.fill_between(lags, quarter, three, color=colour(column), alpha=0.35, linewidth=0, label="middle half")
            axes.plot(lags, middle, color=colour(column), label="median")
            axes.plot(lags, high, color=INK, linewidth=1, label="largest")
            axes.axhline(np.log10(1 / np.e), color=FAINT, linestyle=":", linewidth=1)
            axes.set_title(f"{label(cells[column])}, {_TITLES[stage]}")
            if narrow or row == 1:
                axes.set_xlabel("steps back")
        figure.supylabel("log₁₀ singular values of dh_T/dz_t", fontsize=9)
        return figure

    alt = (
        f"{label(task)}: singular values of the product of Jacobians by distance, a column a cell, before and after "
        "training; the whole spectrum light, its middle half darker, the largest black, 1/e dotted; below 1e-12 cut."
    )
    lesson = _lesson(
        study,
        task,
        lambda stage: float(np.median(stage["singular"].max(axis=2)[:, -1])),
        "keeps its most lasting direction best over the whole sequence",
        "worst",
    )
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="singular-values")


def lyapunov(study: Study, task: str) -> None:
    """The Lyapunov spectrum at every stage of training."""
    cells = study.cells(task)

    def draw(narrow: bool) -> Figure:
        figure, row = panels(narrow, 1, len(cells), height=2.2 if narrow else 2.6, sharey=True)
        for c, (axes, cell) in enumerate(zip(row[0], cells, strict=True)):
            stages = study.profiles(task)[cell]
            for s, (stage, found) in enumerate(stages.items()):
                values = np.median(np.maximum(found["exponents"], -8), axis=0)
                shade = 0.35 + 0.65 * s / max(len(stages) - 1, 1)
                places = np.linspace(0, 1, len(values))
                axes.plot(places, values, color=colour(c), alpha=shade, linewidth=0.8 + s * 0.5, label=when(stage))
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.set(xlabel="direction, as a share of all", title=label(cell))
            if narrow or c == 0:
                axes.set_ylabel("exponent, nats a step")
        legend(figure, row[0, 0], narrow)
        return figure

    alt = (
        f"{label(task)}: Lyapunov exponents, largest first, a panel a cell, from before training (faint) to trained "
        "(strong); above zero nearby states part, far below they are forgotten at once; cut at -8."
    )
    lesson = _lesson(
        study,
        task,
        lambda stage: float(np.median(stage["exponents"].max(axis=1))),
        "lets nearby states part most, or meet slowest",
        "makes them meet fastest",
    )
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="lyapunov")


def retention(study: Study, task: str) -> None:
    """How well a linear read-out of the last state tells what was read before."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        found = np.clip(stage["retention"], -0.05, 1)
        _band(axes, np.arange(found.shape[1]), found, c, name)

    def retained(narrow: bool) -> Figure:
        figure = _by_stage(study, task, narrow, draw, xlabel="steps back", ylabel="R² of a linear read-out")
        legend(figure, figure.axes[0], narrow)
        return figure

    alt = (
        f"{label(task)}: how much of an input of some steps ago a linear read-out finds in the last state, before and "
        "after training, a colour a cell; 1 is all of it."
    )
    lesson = _lesson(
        study,
        task,
        lambda stage: float(np.nanmean(np.clip(stage["retention"], 0, 1))),
        "holds most of what was read in its last state",
        "least",
    )
    show(study, retained, lesson=lesson, alt=alt, source=study.source(task), task=task, name="retention")


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
    taken = (
        "open or close their gates fully more often than at the start" if more else "no cell saturates its gates more"
    )
    lesson = (
        f"{label(task)}: training makes gates decide: {sequence(more)} {taken}." if more else f"{label(task)}: {taken}."
    )
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
                _band(grid[0, column], x, np.where(found > 0, found, np.nan), c, name)
            ratios = np.stack([run["ratios"][seen] for run in runs]).astype(float)
            _band(grid[1, column], x, np.where(ratios > 0, ratios, np.nan), 2, None)
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
        cell: float(np.mean([(run["clipped_norms"] < run["norms"]).mean() for run in study.updates(task, cell)]))
        for cell in cells
    }
    lesson = f"{label(task)}: {ranked(clipped, 'has its gradient clipped most often', 'least often')}."
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
    lesson = "Learning rate and clipping decide together whether a run is solved, stuck or diverges."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(problem), task=problem, name="clip-map")


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
            gradient = found[cell]["gradient"][:, sentence, : len(text)]
            shares = gradient / gradient.sum(axis=1, keepdims=True)
            width = 0.8 / len(cells)
            places = x + (c + 0.5) * width - 0.4
            column[0, 0].bar(places, shares.mean(axis=0), width, color=colour(c), label=label(cell))
            if cell in keeping:
                _band(column[1, 0], x, found[cell]["keeps"][:, sentence, : len(text)], c, label(cell))
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
    most = {cell: text[int(found[cell]["gradient"][:, sentence, : len(text)].mean(axis=0).argmax())] for cell in cells}
    told = sequence([f"in the {label(cell)} to “{word}”" for cell, word in most.items()])
    lesson = f"“{' '.join(text)} …” ({answer}): most of the answer's gradient goes {told}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name=f"words-{sentence}")
