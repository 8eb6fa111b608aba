"""Figures of gradient behaviour by distance from the loss: error, spectra, memory."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.reports.figures import FAINT, INK, colour, legend, panels, show
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label, sequence

_THEORY = (0.8, 0.9, 1.0)  # kernels a Q of a linear RNN, drawn as dotted lines
TITLES = {INITIAL: "before training", TRAINED: "trained"}


def when(stage: str) -> str:
    """How a report writes a stage of training."""
    return TITLES.get(stage, f"after {stage}" if stage else "")


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


def band(axes: Axes, x: np.ndarray, curves: np.ndarray, c: int, name: str | None, style: str = "-") -> None:
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
        axes.set(**labels, title=TITLES[stage])
    if not narrow:
        both[0, 1].set_ylabel("")
    return figure


def error_flow(study: Study, task: str) -> None:
    """The norm of dL/dz by distance from the loss, relative to the last step."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        flow = np.nanmean(stage["flow"], axis=1)
        band(axes, np.arange(flow.shape[1]), flow - flow[:, :1], c, name)

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
                    band(axes, lags, flow[:, lags], c, f"{label(cell)}, {name}")
            axes.set(xlabel="steps back from the loss", ylabel="log₁₀ ‖dL/dh‖, ‖dL/dc‖", title=TITLES[stage])
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
            axes.set_title(f"{label(cells[column])}, {TITLES[stage]}")
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
        band(axes, np.arange(found.shape[1]), found, c, name)

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
