"""Figures of gradient behaviour: error by distance, spectra, memory, gates, health, words."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnn_study.behaviour.diagnostics.profiles import BINS, INITIAL, LEFT, RIGHT, TRAINED
from rnn_study.reports.display import colour, show
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label

_THEORY = (0.8, 0.9, 1.0)  # kernels a Q of a linear RNN, drawn as dotted lines
_TITLES = {INITIAL: "before training", TRAINED: "trained"}
_DPI = 110


def when(stage: str) -> str:
    """How a report writes a stage of training."""
    return _TITLES.get(stage, f"after {stage}" if stage else "")


def _panels(rows: int, columns: int, height: float = 3.0, **shared: bool | str) -> tuple[Figure, np.ndarray]:
    size = (max(7.2, 2.7 * columns), height * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained", dpi=_DPI)
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def _band(axes: Axes, x: np.ndarray, curves: np.ndarray, c: int, name: str | None, style: str = "-") -> None:
    """The median of curves (seeds, X) and a band from the lowest to the highest."""
    there = np.isfinite(curves).any(axis=0)
    x, curves = x[there], curves[:, there]
    axes.plot(x, np.nanmedian(curves, axis=0), style, color=colour(c), label=name, linewidth=1.4)
    axes.fill_between(x, np.nanmin(curves, axis=0), np.nanmax(curves, axis=0), color=colour(c), alpha=0.15, linewidth=0)


def _legend(figure: Figure, axes: Axes, columns: int = 5) -> None:
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside upper center", ncols=columns)


def _by_stage(
    study: Study, task: str, draw: Callable[[Axes, dict[str, np.ndarray], int, str], None], **labels: str
) -> Figure:
    """A panel before training and one after, every cell in both."""
    figure, panels = _panels(1, 2, sharey=True)
    for axes, stage in zip(panels[0], (INITIAL, TRAINED), strict=True):
        for c, cell in enumerate(study.cells(task)):
            draw(axes, study.profiles(task)[cell][stage], c, label(cell))
        axes.set_title(_TITLES[stage], fontsize=9)
        axes.set(**labels)
        axes.grid(alpha=0.3)
    panels[0, 1].set_ylabel("")
    return figure


def error_flow(study: Study, task: str) -> None:
    """The norm of dL/dz by distance from the loss, relative to the last step."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        flow = np.nanmean(stage["flow"], axis=1)
        _band(axes, np.arange(flow.shape[1]), flow - flow[:, :1], c, name)

    labels = {"xlabel": "steps back from the loss", "ylabel": "log₁₀ ‖dL/dz‖, last step = 0"}
    figure = _by_stage(study, task, draw, **labels)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        lags = np.arange(study.profiles(task)[study.cells(task)[0]][INITIAL]["flow"].shape[2])
        for scale in _THEORY:
            name = "linear RNN, U = aQ: aˡᵃᵍ, a = 0.8, 0.9, 1" if scale == _THEORY[0] else None
            axes.plot(lags, lags * np.log10(scale), ":", color="grey", linewidth=1, label=name)
        axes.set_ylim(max(low, -12), min(high, 4))
    _legend(figure, figure.axes[0])
    alt = (
        f"{label(task)}: how large the error is that reaches each step, by distance from the loss, before and after "
        "training, on a logarithmic axis; a colour a cell, the median over seeds with the range as a band, theory for "
        "a linear RNN dotted."
    )
    show(figure, alt, study.source(task), task, "error-flow")


def states_apart(study: Study, task: str) -> None:
    """For cells whose state has two arrays, the error in each."""
    cells = [cell for cell in study.cells(task) if "flow_c" in study.profiles(task)[cell][INITIAL]]
    if not cells:
        return
    figure, panels = _panels(1, 2, sharey=True)
    for axes, stage in zip(panels[0], (INITIAL, TRAINED), strict=True):
        for cell in cells:
            found = study.profiles(task)[cell][stage]
            for c, name in enumerate(("h", "c")):
                flow = np.nanmean(found[f"flow_{name}"], axis=1)
                lags = np.arange(flow.shape[1])[1 if name == "c" else 0 :]  # the loss reads h, no c
                _band(axes, lags, flow[:, lags], c, f"{label(cell)}, {name}")
        axes.set(xlabel="steps back from the loss", ylabel="log₁₀ ‖dL/dh‖, ‖dL/dc‖")
        axes.set_title(_TITLES[stage], fontsize=9)
        axes.grid(alpha=0.3)
    _legend(figure, panels[0, 0])
    alt = (
        f"{label(task)}: the error that reaches h and the error that reaches c at each step, before and after training."
    )
    show(figure, alt, study.source(task), task, "states-apart")


def singular_values(study: Study, task: str) -> None:
    """The spectrum of dh_T/dz_t by distance: largest, quartiles, median and smallest singular value."""
    cells = study.cells(task)
    figure, panels = _panels(2, len(cells), height=2.6, sharex=True, sharey=True)
    for (row, column), axes in np.ndenumerate(panels):
        stage = (INITIAL, TRAINED)[row]
        spectrum = np.median(study.profiles(task)[cells[column]][stage]["singular"], axis=0)
        spectrum = np.maximum(spectrum, -12)
        lags = np.arange(len(spectrum))
        low, quarter, middle, three, high = np.quantile(spectrum, [0, 0.25, 0.5, 0.75, 1], axis=1)
        axes.fill_between(lags, low, high, color=colour(column), alpha=0.15, linewidth=0, label="all")
        axes.fill_between(lags, quarter, three, color=colour(column), alpha=0.35, linewidth=0, label="middle half")
        axes.plot(lags, middle, color=colour(column), label="median")
        axes.plot(lags, high, color="black", linewidth=1, label="largest")
        axes.axhline(np.log10(1 / np.e), color="grey", linestyle=":", linewidth=1)
        axes.set_title(f"{label(cells[column])}, {_TITLES[stage]}", fontsize=9)
        axes.grid(alpha=0.3)
    figure.supylabel("log₁₀ singular values of dh_T/dz_t", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("steps back")
    alt = (
        f"{label(task)}: singular values of the product of Jacobians by distance, a column a cell, before and after "
        "training; the whole spectrum light, its middle half darker, the largest black, 1/e dotted; below 1e-12 cut."
    )
    show(figure, alt, study.source(task), task, "singular-values")


def lyapunov(study: Study, task: str) -> None:
    """The Lyapunov spectrum at every stage of training."""
    cells = study.cells(task)
    figure, panels = _panels(1, len(cells), sharey=True)
    for c, (axes, cell) in enumerate(zip(panels[0], cells, strict=True)):
        stages = study.profiles(task)[cell]
        for s, (stage, found) in enumerate(stages.items()):
            values = np.median(np.maximum(found["exponents"], -8), axis=0)
            shade = 0.35 + 0.65 * s / max(len(stages) - 1, 1)
            places = np.linspace(0, 1, len(values))
            axes.plot(places, values, color=colour(c), alpha=shade, linewidth=0.8 + s * 0.5, label=when(stage))
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(xlabel="direction, as a share of all", title=label(cell))
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    panels[0, 0].set_ylabel("exponent, nats a step")
    alt = (
        f"{label(task)}: Lyapunov exponents, largest first, a panel a cell, from before training (faint) to trained "
        "(strong); above zero nearby states part, far below they are forgotten at once; cut at -8."
    )
    show(figure, alt, study.source(task), task, "lyapunov")


def retention(study: Study, task: str) -> None:
    """How well a linear read-out of the last state tells what was read before."""

    def draw(axes: Axes, stage: dict[str, np.ndarray], c: int, name: str) -> None:
        found = np.clip(stage["retention"], -0.05, 1)
        _band(axes, np.arange(found.shape[1]), found, c, name)

    figure = _by_stage(study, task, draw, xlabel="steps back", ylabel="R² of a linear read-out")
    _legend(figure, figure.axes[0])
    alt = (
        f"{label(task)}: how much of an input of some steps ago a linear read-out finds in the last state, before and "
        "after training, a colour a cell; 1 is all of it."
    )
    show(figure, alt, study.source(task), task, "retention")


def gates(study: Study, task: str) -> None:
    """How a cell's gates are spread before training and after, and each unit's saturation."""
    cells = [cell for cell in study.cells(task) if "gates" in study.profiles(task)[cell][INITIAL]]
    if not cells:
        return
    figure, panels = _panels(2, len(cells), height=2.6)
    for column, cell in enumerate(cells):
        names = study.sigmoids(task, cell)
        for stage, style in ((INITIAL, ":"), (TRAINED, "-")):
            shares = study.profiles(task)[cell][stage]["gates"].mean(axis=0)
            for g, name in enumerate(names):
                axes = panels[0, column]
                shown = f"{name}, {_TITLES[stage]}"
                axes.stairs(shares[g], BINS, color=colour(g), linestyle=style, label=shown)
        axes.set(xlabel="gate value", ylabel="share", title=label(cell))
        axes.title.set_fontsize(9)
        axes.legend(fontsize=6)
        scatter = panels[1, column]
        saturated = study.profiles(task)[cell][TRAINED]["saturated"]
        for g, name in enumerate(names):
            left, right = saturated[:, g].reshape(-1, 2).T
            scatter.plot(right, left, "o", markersize=3, alpha=0.4, color=colour(g), label=name)
        scatter.plot([0, 1], [1, 0], color="grey", linewidth=0.8)
        scatter.set(
            xlabel=f"share of time above {RIGHT}", ylabel=f"share below {LEFT}", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03)
        )
        scatter.legend(fontsize=6)
    alt = (
        f"{label(task)}: above, how often a gate takes each value, dotted before training, solid after, a colour a "
        "gate; below, for every unit of the trained networks how often a gate is closed against how often it is open."
    )
    show(figure, alt, study.source(task), task, "gates")


def health(study: Study, task: str) -> None:
    """Gradient norm before and after clipping, and the size of updates, by update."""
    cells = study.cells(task)
    figure, panels = _panels(2, len(cells), height=2.3, sharex="col", sharey="row")
    for column, cell in enumerate(cells):
        runs = study.updates(task, cell)
        length = min(len(run["norms"]) for run in runs)
        x = np.arange(1, length + 1)
        for c, (key, name) in enumerate((("norms", "before clipping"), ("clipped_norms", "after"))):
            found = np.stack([run[key][:length] for run in runs]).astype(float)
            _band(panels[0, column], x, np.where(found > 0, found, np.nan), c, name)
        ratios = np.stack([run["ratios"][:length] for run in runs]).astype(float)
        _band(panels[1, column], x, np.where(ratios > 0, ratios, np.nan), 2, None)
        panels[0, column].set(yscale="log", title=label(cell))
        panels[0, column].title.set_fontsize(9)
        panels[1, column].set(yscale="log", xlabel="update")
    panels[0, 0].set_ylabel("gradient norm")
    panels[1, 0].set_ylabel("‖change‖ / ‖weights‖")
    panels[0, 0].legend(fontsize=7)
    for axes in panels.flat:
        axes.grid(alpha=0.3)
    alt = (
        f"{label(task)}: by update, above the norm of the gradient before and after clipping, below the size of the "
        "update relative to the weights; the median over seeds with the range as a band, to the shortest run's end."
    )
    show(figure, alt, study.source(task), task, "health")


def clip_map(study: Study, problem: str) -> None:
    """Learning rate by clip: how many seeds diverged, were stuck, were solved, and the share of updates clipped."""
    table = study.ablation(problem)
    if not table["map"]:
        return
    rates, clips = table["map"]["learning_rates"], table["map"]["clips"]
    figure, panels = _panels(1, 1, height=0.5 * len(rates) + 1.2)
    axes, colours = panels[0, 0], {"diverged": 1, "stuck": 4, "solved": 2}
    for found in table["cells"].values():
        if "map" in found:
            row, column = found["map"]
            kinds = found["outcomes"]
            most = max(dict.fromkeys(kinds), key=kinds.count)
            axes.fill_between([column, column + 1], row, row + 1, color=colour(colours[most]), alpha=0.35)
            text = f"{most} {kinds.count(most)}/{len(kinds)}\n{100 * np.mean(found['clipped_share']):.0f} % clipped"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8)
    axes.set_xticks(
        np.arange(len(clips)) + 0.5, ["no clipping" if clip is None else f"clip {clip:g}" for clip in clips]
    )
    axes.set_yticks(np.arange(len(rates)) + 0.5, [f"{rate:g}" for rate in rates])
    axes.set(xlim=(0, len(clips)), ylim=(0, len(rates)), ylabel="learning rate")
    alt = (
        f"Learning rate against clipping for {study.variant(problem, table['map']['of'])}: what became of most runs, "
        "and the share of updates that were clipped; the text in each field says the same."
    )
    show(figure, alt, study.source(problem), problem, "clip-map")


def words(study: Study, task: str, sentence: int, text: Sequence[str], answer: str) -> None:
    """For each cell, the share of the answer's gradient that goes to each word, and how much memory is kept there."""
    cells = study.cells(task)
    found = {cell: study.profiles(task)[cell][TRAINED] for cell in cells}
    keeping = [cell for cell in cells if np.nanmax(np.abs(found[cell]["keeps"][:, sentence])) > 0]
    figure, panels = _panels(1 + bool(keeping), 1, height=2.0, sharex=True)
    x = np.arange(len(text))
    for c, cell in enumerate(cells):
        gradient = found[cell]["gradient"][:, sentence, : len(text)]
        shares = gradient / gradient.sum(axis=1, keepdims=True)
        width = 0.8 / len(cells)
        panels[0, 0].bar(x + (c + 0.5) * width - 0.4, shares.mean(axis=0), width, color=colour(c), label=label(cell))
        if cell in keeping:
            _band(panels[1, 0], x, found[cell]["keeps"][:, sentence, : len(text)], c, label(cell))
    panels[0, 0].set_ylabel("share of gradient", fontsize=8)
    panels[0, 0].legend(fontsize=7)
    if keeping:
        panels[1, 0].set_ylabel("share of memory kept", fontsize=8)
        panels[1, 0].set_ylim(0, 1)
    panels[-1, 0].set_xticks(x, text, rotation=45, ha="right", fontsize=8)
    panels[0, 0].set_title(f"{' '.join(text)} … {answer}", fontsize=9)
    alt = (
        f"“{' '.join(text)}”, asked for “{answer}”: above, the share of the answer's gradient that goes to each word, "
        "a bar a cell, mean over seeds; below, the mean share of its memory that a cell keeps at each word."
    )
    show(figure, alt, study.source(task), task, f"words-{sentence}")
