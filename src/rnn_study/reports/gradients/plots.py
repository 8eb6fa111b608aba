"""Figures of gradient behaviour by distance from the loss: error, spectra, memory."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.reports.elements.figures import FAINT, INK, colour, legend, panels, show
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics.crossed import Estimate

_THEORY = (0.8, 0.9, 1.0)  # kernels a Q of a linear RNN, drawn as dotted lines
TITLES = {INITIAL: "before training", TRAINED: "trained"}


def when(stage: str) -> str:
    """How a report writes a stage of training."""
    return TITLES.get(stage, f"after {stage}" if stage else "")


def apart(found: dict[str, Estimate]) -> tuple[list[str], list[str]]:
    """The cells in which a figure is largest and those in which it is least.

    Cells whose intervals overlap with that of the first, or of the last, share its place; where these meet none has it.
    """
    first, last = max(found.values()), min(found.values())
    top = [cell for cell, one in found.items() if one.high >= first.low]
    bottom = [cell for cell, one in found.items() if one.low <= last.high]
    return ([], []) if set(top) & set(bottom) else (top, bottom)


def ranked(found: dict[str, Estimate], best: str, worst: str) -> str:
    """`apart` in words; `best` and `worst` say what the largest figure means, and the least."""
    if len(found) == 1:
        return f"the {label(next(iter(found)))} stands alone"
    top, bottom = apart(found)
    if not top:
        return f"{sequence([label(cell) for cell in found])} do not clearly differ"
    return f"{best} in {_cells(top)}, {worst} in {_cells(bottom)}"


def _cells(names: Sequence[str]) -> str:
    return sequence([f"the {label(name)}" for name in names])


def estimates(study: Study, task: str, stage: str, quantity: str) -> dict[str, Estimate]:
    """A quantity of every cell that has it."""
    rows = {cell: study.quantity(task, cell, stage, quantity) for cell in study.cells(task)}
    return {cell: Estimate(row["value"], row["low"], row["high"]) for cell, row in rows.items() if row}


def _lesson(study: Study, task: str, quantity: str, best: str, worst: str) -> str:
    """`ranked` before training and after, by the figures that stand below the picture."""
    stages = {stage: estimates(study, task, stage, quantity) for stage in (INITIAL, TRAINED)}
    told = [f"{when(stage)} {ranked(found, best, worst)}" for stage, found in stages.items() if found]
    return f"{label(task)}: {'; '.join(told) or 'sequences too short to compare'}."


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
    """The norm of dL/dz by distance from the loss, relative to one step before the last."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        flow = np.nanmean(stage["flow"], axis=1)
        band(axes, np.arange(1, flow.shape[1]), flow[:, 1:] - flow[:, 1:2], c, name)

    def flow(narrow: bool) -> Figure:
        labels = {"xlabel": "steps back from the loss", "ylabel": "log₁₀ ‖dL/dz‖, first lag = 0"}
        figure = _by_stage(study, task, narrow, draw, **labels)
        for axes in figure.axes:
            low, high = axes.get_ylim()
            lags = np.arange(study.profiles(task)[study.cells(task)[0]][INITIAL]["flow"].shape[2])
            for scale in _THEORY:
                name = "linear RNN, a = 0.8, 0.9, 1" if scale == _THEORY[0] else None
                axes.plot(lags[1:], lags[:-1] * np.log10(scale), ":", color=FAINT, linewidth=1, label=name)
            axes.set_ylim(max(low, -12), min(high, 4))
        legend(figure, figure.axes[0], narrow)
        return figure

    alt = (
        f"{label(task)}: how large the error is that reaches each step, by distance from the loss, as a share of what "
        "reaches the step before the last; before and after training, on a logarithmic axis; a colour a cell, the "
        "median over seeds with the range as a band, theory for a linear RNN whose recurrent kernel is a times an "
        "orthogonal matrix dotted."
    )
    lesson = _lesson(study, task, "arrives", "the error reaches the first step best", "worst")
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
    lesson = f"{label(task)}: most of the error that reaches the {label(cells[0])}'s first step comes {told}."
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="states-apart")


def singular_values(study: Study, task: str) -> None:
    """The spectrum of dh_T/dz_t by distance: largest, quartiles, median and smallest singular value."""
    cells = study.cells(task)

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, 2, len(cells), height=2.0 if narrow else 2.3, sharex=True, sharey=True)
        for (row, column), axes in np.ndenumerate(grid):
            stage = (INITIAL, TRAINED)[row]
            spectrum = np.nanmedian(study.profiles(task)[cells[column]][stage]["singular"], axis=0)
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
    lesson = _lesson(study, task, "memory", "the most lasting direction lasts longest", "shortest")
    show(study, draw, lesson=lesson, alt=alt, source=study.source(task), task=task, name="singular-values")


def lyapunov(study: Study, task: str) -> None:
    """The Lyapunov spectrum at every stage of training."""
    cells = study.cells(task)

    def draw(narrow: bool) -> Figure:
        figure, row = panels(narrow, 1, len(cells), height=2.2 if narrow else 2.6, sharey=True)
        for c, (axes, cell) in enumerate(zip(row[0], cells, strict=True)):
            stages = study.profiles(task)[cell]
            for s, (stage, found) in enumerate(stages.items()):
                values = np.nanmedian(np.maximum(found["exponents"], -8), axis=0)
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
    lesson = _lesson(study, task, "exponent", "nearby states part most, or meet slowest,", "meet fastest")
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
    lesson = _lesson(study, task, "retained", "the last state tells most of what was read", "least")
    show(study, retained, lesson=lesson, alt=alt, source=study.source(task), task=task, name="retention")
