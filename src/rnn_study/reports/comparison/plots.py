"""Figures of the comparison: learning curves, scores, mistakes, forecast errors."""

import numpy as np
from matplotlib.figure import Figure

from rnn_study.model.task import Task
from rnn_study.reports.elements.figures import FAINT, INK, LINES, MARKERS, colour, legend, panels, show
from rnn_study.reports.elements.wording import data, digits, label, sequence
from rnn_study.reports.study import Study

_TICKS = 6  # on the axis of a series, or about so many


def pairs(study: Study, task: str) -> list[tuple[int, str, int, str]]:
    """Every framework and cell of a task with its place in the palette: (b, backend, c, cell)."""
    backends = study.tasks[task]["backends"]
    return [
        (b, backend, c, cell) for b, backend in enumerate(backends) for c, cell in enumerate(backends[backend]["cells"])
    ]


def _curves(study: Study, task: str, backend: str, cell: str) -> tuple[np.ndarray, np.ndarray]:
    """Validation loss (seeds, epochs) by epoch, up to where half of the seeds have stopped: a median of those that
    train longest alone would show a selection."""
    curves = [[row["validation_loss"] for row in rows] for rows in study.histories(task, backend, cell)]
    grid = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in enumerate(curves):
        grid[row, : len(curve)] = curve
    epochs = np.arange(1, grid.shape[1] + 1)[np.isfinite(grid).sum(axis=0) * 2 >= len(curves)]
    return epochs, grid[:, : len(epochs)]


def learning_curves(study: Study, task: str) -> None:
    """Validation loss by epoch: median over the seeds still training, band from the lowest to the highest."""

    def draw(narrow: bool) -> Figure:
        figure, ((axes,),) = panels(narrow, height=3.4)
        for b, backend, c, cell in pairs(study, task):
            epochs, grid = _curves(study, task, backend, cell)
            name = f"{label(cell)}, {label(backend)}"
            axes.plot(epochs, np.nanmedian(grid, axis=0), LINES[b], color=colour(c), label=name)
            low, high = np.nanmin(grid, axis=0), np.nanmax(grid, axis=0)
            axes.fill_between(epochs, low, high, color=colour(c), alpha=0.12, linewidth=0)
        axes.set(xlabel="epoch", ylabel="validation loss", yscale="log")
        axes.grid(alpha=0.3, which="both")
        legend(figure, axes, narrow, 3)
        return figure

    alt = (
        f"Learning curves of {label(task)}: validation loss by epoch, median and range over the seeds, "
        "a colour a cell, solid PyTorch, dashed TensorFlow. A curve ends where half of its seeds have stopped."
    )
    ends = {}
    for _, backend, _, cell in pairs(study, task):
        ends.setdefault(cell, []).append(float(np.nanmedian(_curves(study, task, backend, cell)[1], axis=0).min()))
    order = sorted(ends, key=lambda cell: np.mean(ends[cell]))
    first, last = label(order[0]), label(order[-1])
    lesson = f"{label(task)}: the {first} comes to the lowest validation loss, the {last} stays highest."
    if len(order) == 1:
        lesson = f"{label(task)}: the {first} comes to a validation loss of {digits(np.mean(ends[order[0]]))}."
    source = data(study.tasks[task])
    show(study, draw, lesson=lesson, alt=alt, source=source, task=task, name="learning-curves")


def seed_scores(study: Study, task: str, part: str) -> None:
    """Each seed's score, the mean with its interval, the baselines as lines."""

    def draw(narrow: bool) -> Figure:
        found, all_pairs = study.tasks[task], pairs(study, task)
        scale = 100 if found["score"] == "accuracy" else 1
        figure, ((axes,),) = panels(narrow, height=4.2 if narrow else 3.6)
        ticks = []
        for place, (b, backend, c, cell) in enumerate(all_pairs):
            run = found["backends"][backend]["cells"][cell]
            scores = scale * np.array(run["scores"][part])
            spread = np.linspace(-0.18, 0.18, len(scores))
            axes.plot(place + spread, scores, MARKERS[b], color=colour(c), alpha=0.45, markersize=5)
            value = scale * run["mean"][part]
            low, high = (scale * bound for bound in run["interval"][part])
            axes.errorbar(place, value, [[value - low], [high - value]], fmt="_", color=INK, capsize=4)
            ticks.append(f"{label(cell)}, {label(backend)}" if narrow else f"{label(cell)}\n{label(backend)}")
        for line, (name, scores) in enumerate(found["baselines"].items()):
            axes.axhline(scale * scores[part], color=FAINT, linestyle=(":", "-.", "--")[line % 3], label=name)
        axes.set_xticks(range(len(ticks)), ticks, rotation=90 if narrow or len(ticks) > 8 else 0)
        unit = "%" if scale == 100 else found["unit"]
        axes.set(ylabel=f"{label(found['score'])}, {unit}")
        axes.grid(False, axis="x")
        legend(figure, axes, narrow, 2, title="baselines")
        return figure

    found = study.tasks[task]
    alt = (
        f"Scores of {label(task)} on the {label(part)}: a point a seed, the mean with its "
        "95 % interval in black, the baselines as grey lines. The table holds the same figures."
    )
    sign = 1 if found["higher_is_better"] else -1
    best = max(found["baselines"].items(), key=lambda item: sign * item[1][part])
    clear = [
        label(cell)
        for cell, one in found["cells"].items()
        if min(sign * bound for bound in one[part]["interval"]) > sign * best[1][part]
    ]
    above = f"{sequence(clear)} beat{'s' * (len(clear) == 1)}" if clear else "no cell clearly beats"
    lesson = f"{label(task)}, {label(part)}: {above} the best baseline, “{best[0]}”."
    show(study, draw, lesson=lesson, alt=alt, source=data(found), task=task, name=f"scores-{part}")


def _confused(study: Study, task: str, cell: str, part: str) -> np.ndarray:
    """How often each class (rows) was taken for each (columns), as a share of the row, over all seeds."""
    truth = study.prepared(task).parts()[part].y
    size = len(study.prepared(task).extras["classes"])
    taken = study.predictions(task, next(iter(study.tasks[task]["backends"])), cell, part).argmax(axis=2)
    counts = np.zeros((size, size), int)
    np.add.at(counts, (np.broadcast_to(truth, taken.shape), taken), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def confusion_matrix(study: Study, task: str, part: str = "test") -> None:
    """How often each class was taken for each other one, summed over seeds, a matrix a cell."""
    backend = next(iter(study.tasks[task]["backends"]))
    cells = list(study.tasks[task]["backends"][backend]["cells"])
    classes = study.prepared(task).extras["classes"].tolist()

    def draw(narrow: bool) -> Figure:
        columns = min(len(cells), 2 if len(classes) > 5 else 4)
        figure, grid = panels(narrow, -(-len(cells) // columns), columns, height=3.3 if len(classes) > 5 else 2.3)
        for axes in grid.flat[len(cells) :]:
            axes.remove()
        for axes, cell in zip(grid.flat, cells, strict=False):
            share = _confused(study, task, cell, part)
            axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for row, column in np.argwhere(share > 0):
                ink = "white" if share[row, column] > 0.5 else "#10151d"
                text = f"{100 * share[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=8.25, color=ink)
            axes.set_xticks(range(len(classes)), classes)
            axes.set_yticks(range(len(classes)), classes)
            axes.set(title=label(cell), xlabel="predicted", ylabel="true")
            axes.grid(False)
        return figure

    worst = {}
    for cell in cells:
        share = _confused(study, task, cell, part)
        off = share - np.diag(np.diag(share))
        row, column = np.unravel_index(off.argmax(), off.shape)
        worst[cell] = classes[row], classes[column], off.max()
    told = [
        f"{label(cell)} takes {a} for {b} in {100 * rate:.1f} %" if rate else f"{label(cell)} makes no mistake"
        for cell, (a, b, rate) in worst.items()
    ]
    alt = (
        f"Confusion matrices of {label(task)}, {label(backend)}, all seeds, rows true, columns predicted, in "
        f"per cent of the row. Most often, {'; '.join(told)}."
    )
    pairs = {(a, b) if rate else None for a, b, rate in worst.values()}
    lesson = f"{label(task)}: the cells do not all make the same mistake most often."
    if pairs == {None}:
        lesson = f"{label(task)}: no cell makes a mistake."
    elif len(pairs) == 1:
        ((a, b),) = pairs
        lesson = f"{label(task)}: every cell makes the same mistake most often, {a} taken for {b}."
    show(study, draw, lesson=lesson, alt=alt, source=data(study.tasks[task]), task=task, name=f"confusion-{part}")


def _dates(prepared: Task, places: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Some of `places` in the series, whole seasons apart, and their dates: years where a step is a month or more."""
    season, dates = int(prepared.extras["season"]), prepared.extras["dates"]
    chosen = places[:: season * max(1, round(len(places) / season / _TICKS))]
    long = prepared.extras["step"] in ("month", "quarter", "year")
    return chosen, [str(dates[place])[: 4 if long else None] for place in chosen]


def forecast(study: Study) -> None:
    """What each cell's one-step forecasts of the test part miss, under the series: median and range over seeds."""
    backend = next(iter(study.tasks["airline"]["backends"]))
    cells = list(study.tasks["airline"]["backends"][backend]["cells"])

    def missed(cell: str) -> np.ndarray:
        prepared = study.prepared("airline")
        outputs = study.predictions("airline", backend, cell, "test")
        truth = prepared.extras["series"][prepared.extras["index_test"]]
        return np.stack([prepared.to_unit(seed, "test") for seed in outputs]) - truth

    def draw(narrow: bool) -> Figure:
        prepared = study.prepared("airline")
        series, test = prepared.extras["series"], prepared.extras["index_test"]
        figure, column = panels(narrow, 1 + len(cells), 1, height=1.7)
        top = column[0, 0]
        top.plot(series, color=INK, linewidth=1)
        for name, shade in {"train": "#0072B2", "validation": "#E69F00", "test": FAINT}.items():
            index = prepared.extras[f"index_{name}"]
            top.axvspan(index[0] - 0.5, index[-1] + 0.5, color=shade, alpha=0.12, linewidth=0)
            at = {"ha": "center", "va": "top", "transform": top.get_xaxis_transform()}
            top.text(index.mean(), 1.0 if name != "validation" else 0.86, name, **at)
        top.set_xticks(*_dates(prepared, np.arange(len(series))))
        top.set(ylabel=prepared.unit, title=f"the series, {prepared.unit}")
        errors = {cell: missed(cell) for cell in cells}
        most = max(np.abs(found).max() for found in errors.values())
        for c, (axes, cell) in enumerate(zip(column[1:, 0], cells, strict=True)):
            found = errors[cell]
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.plot(test, np.median(found, axis=0), color=colour(c))
            axes.fill_between(test, found.min(axis=0), found.max(axis=0), color=colour(c), alpha=0.2, linewidth=0)
            axes.set_xticks(*_dates(prepared, test))
            axes.set(ylim=(-1.05 * most, 1.05 * most), ylabel="forecast − truth", title=label(cell))
        return figure

    prepared = study.prepared("airline")
    dates, test = prepared.extras["dates"].tolist(), prepared.extras["index_test"]
    errors = {cell: np.median(missed(cell), axis=0) for cell in cells}
    told = [
        f"{label(cell)} {found.mean():+.3g} in the mean, {np.abs(found).max():.3g} at most"
        for cell, found in errors.items()
    ]
    alt = (
        f"Above, the series from {dates[0]} to {dates[-1]} with the targets of its parts shaded. Below, what each "
        f"cell's one-step forecasts ({label(backend)}) miss from {dates[test[0]]} to {dates[test[-1]]}, the median "
        f"over seeds with their range: {'; '.join(told)}, {prepared.unit}."
    )
    low = [label(cell) for cell, found in errors.items() if found.mean() < 0]
    lesson = f"{label('airline')}: no cell forecasts too little in the mean."
    if low:
        lesson = f"{label('airline')}: {sequence(low)} forecast{'s' * (len(low) == 1)} too little in the mean."
    source = data(study.tasks["airline"])
    show(study, draw, lesson=lesson, alt=alt, source=source, task="airline", name="forecast")
