"""What the comparison of the cells and frameworks shows: figures and tables. What is said of them is made from
the statistics in `score_findings`."""

import numpy as np
from matplotlib.figure import Figure

from rnn_study.data.prepared import unpack_texts
from rnn_study.reports.display import LINES, MARKERS, STYLE, colour, show, show_table
from rnn_study.reports.study import Study
from rnn_study.reports.wording import data, interval, label, number, p_value
from rnn_study.statistics.searches import expected_best
from rnn_study.statistics.verdict import ALPHA

from .findings import findings, gap, scale_of

__all__ = ["findings"]


def _pairs(study: Study, task: str) -> list[tuple[int, str, int, str]]:
    """Every framework and cell of a task with its place in the palette: (b, backend, c, cell)."""
    backends = study.tasks[task]["backends"]
    return [
        (b, backend, c, cell) for b, backend in enumerate(backends) for c, cell in enumerate(backends[backend]["cells"])
    ]


def results_table(study: Study, task: str, part: str) -> None:
    """Score with interval, parameters and settings of every cell in both frameworks, then the baselines."""
    found = study.tasks[task]
    score = found["score"]
    rows = []
    for _, backend, _, cell in _pairs(study, task):
        run = found["backends"][backend]["cells"][cell]
        impl = "" if run["impl"] == "native" else f" ({run['impl']})"
        rows.append(
            [
                f"{label(cell)}, {label(backend)}{impl}",
                number(run["mean"][part], score),
                interval(run["interval"][part], score),
                str(len(run["seeds"])),
                "×".join(map(str, run["units"])),
                f"{run['parameters']:,}",
                f"{run['parameters_with_embedding']:,}",
                f"{np.mean(run['updates']):,.0f}",
                f"{run['learning_rate']:.2g}",
                "none" if run["clip"] is None else f"{run['clip']:.2g}",
                f"{run['dropout']:.2g}",
            ]
        )
    for name, scores in found["baselines"].items():
        rows.append([f"baseline: {name}", number(scores[part], score), *["–"] * 9])
    unit = f", {found['unit']}" if found["unit"] else ""
    header = ["", f"{label(score)}{unit}", "95 % interval", "seeds", "units", "parameters", "with embedding"]
    show_table(
        [*header, "updates", "learning rate", "clip", "dropout"],
        rows,
        f"{label(task)}, {label(part)}: mean over seeds, its interval over seeds and test examples; updates are the "
        f"mean over seeds; {study.given}; {data(found)}.",
    )


def learning_curves(study: Study, task: str) -> None:
    """Validation loss by epoch: median over the seeds still training, band from the lowest to the highest."""
    figure = Figure(**STYLE)
    axes = figure.subplots()
    for b, backend, c, cell in _pairs(study, task):
        curves = [[row["validation_loss"] for row in rows] for rows in study.histories(task, backend, cell)]
        longest = max(map(len, curves))
        grid = np.full((len(curves), longest), np.nan)
        for row, curve in enumerate(curves):
            grid[row, : len(curve)] = curve
        # A median of those that train longest alone would show a selection: stop where half have stopped.
        epochs = np.arange(1, longest + 1)[np.isfinite(grid).sum(axis=0) * 2 >= len(curves)]
        grid = grid[:, : len(epochs)]
        axes.plot(
            epochs,
            np.nanmedian(grid, axis=0),
            LINES[b],
            color=colour(c),
            label=f"{label(cell)}, {label(backend)}",
        )
        low, high = np.nanmin(grid, axis=0), np.nanmax(grid, axis=0)
        axes.fill_between(epochs, low, high, color=colour(c), alpha=0.12, linewidth=0)
    axes.set(xlabel="epoch", ylabel="validation loss", yscale="log", title=label(task))
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    alt = (
        f"Learning curves of {label(task)}: validation loss by epoch, median and range over the seeds, "
        "a colour a cell, solid PyTorch, dashed TensorFlow. A curve ends where half of its seeds have stopped."
    )
    show(figure, alt, data(study.tasks[task]), task, "learning-curves")


def seed_scores(study: Study, task: str, part: str) -> None:
    """Each seed's score, the mean with its interval, the baselines as lines."""
    found = study.tasks[task]
    scale = 100 if found["score"] == "accuracy" else 1
    pairs = _pairs(study, task)
    figure = Figure(**STYLE | {"figsize": (max(7.2, 0.95 * len(pairs)), 4.2)})
    axes = figure.subplots()
    ticks = []
    for place, (b, backend, c, cell) in enumerate(pairs):
        run = found["backends"][backend]["cells"][cell]
        scores = scale * np.array(run["scores"][part])
        spread = np.linspace(-0.18, 0.18, len(scores))
        axes.plot(place + spread, scores, MARKERS[b], color=colour(c), alpha=0.45, markersize=5)
        value = scale * run["mean"][part]
        low, high = (scale * bound for bound in run["interval"][part])
        axes.errorbar(place, value, [[value - low], [high - value]], fmt="_", color="black", capsize=4)
        ticks.append("\n".join([*label(cell).split(" with "), label(backend)]))
    for line, (name, scores) in enumerate(found["baselines"].items()):
        axes.axhline(scale * scores[part], color="grey", linestyle=(":", "-.", "--")[line % 3], label=name)
    axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
    unit = "%" if scale == 100 else found["unit"]
    axes.set(ylabel=f"{label(found['score'])}, {unit}", title=f"{label(task)}, {label(part)}")
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, title="baselines", title_fontsize=8)
    alt = (
        f"Scores of {label(task)} on the {label(part)}: a point a seed, the mean with its "
        "95 % interval in black, the baselines as grey lines. The table above holds the same figures."
    )
    show(figure, alt, data(study.tasks[task]), task, f"scores-{part}")


def confusion_matrix(study: Study, task: str, part: str = "test") -> None:
    """How often each class was taken for each other one, summed over seeds, a matrix a cell."""
    prepared = study.prepared(task)
    truth, classes = prepared.parts()[part].y, prepared.extras["classes"].tolist()
    backend = next(iter(study.tasks[task]["backends"]))
    cells = list(study.tasks[task]["backends"][backend]["cells"])
    figure = Figure(figsize=(3.2 * len(cells), 4.1), layout="constrained", dpi=110)
    size, worst = len(classes), []
    for axes, cell in zip(np.atleast_1d(figure.subplots(1, len(cells))), cells, strict=True):
        taken = study.predictions(task, backend, cell, part).argmax(axis=2)
        counts = np.zeros((size, size), int)
        np.add.at(counts, (np.broadcast_to(truth, taken.shape), taken), 1)
        share = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(size, size):
            if counts[row, column]:
                ink = "white" if share[row, column] > 0.5 else "black"
                text = f"{100 * share[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=6, color=ink)
        axes.set_xticks(range(size), classes, fontsize=7)
        axes.set_yticks(range(size), classes, fontsize=7)
        axes.set(
            title=label(cell),
            xlabel="predicted",
            ylabel="true" if axes.get_subplotspec().is_first_col() else "",
        )
        off = share - np.diag(np.diag(share))
        row, column = np.unravel_index(off.argmax(), off.shape)
        worst.append(f"{label(cell)} takes {classes[row]} for {classes[column]} in {100 * off.max():.1f} %")
    alt = (
        f"Confusion matrices of {label(task)}, {label(backend)}, all seeds, rows true, columns predicted, in "
        f"per cent of the row. Most often, {'; '.join(worst)}."
    )
    show(figure, alt, data(study.tasks[task]), task, f"confusion-{part}")


def worst_tweets(study: Study, part: str = "test", count: int = 8) -> None:
    """The tweets that all cells and seeds of the first framework together got most wrong."""
    prepared = study.prepared("tweets")
    texts = unpack_texts(prepared.extras[f"texts_{part}"], prepared.extras[f"offsets_{part}"])
    truth, classes = prepared.parts()[part].y, prepared.extras["classes"].tolist()
    backend = next(iter(study.tasks["tweets"]["backends"]))
    chances = []
    for cell in study.tasks["tweets"]["backends"][backend]["cells"]:
        outputs = study.predictions("tweets", backend, cell, part).astype(float)
        odds = np.exp(outputs - outputs.max(axis=2, keepdims=True))
        chances.append(odds / odds.sum(axis=2, keepdims=True))
    right = np.concatenate(chances)[:, np.arange(len(truth)), truth].mean(axis=0)
    rows = [[texts[i], classes[truth[i]], f"{100 * right[i]:.1f} %"] for i in np.argsort(right, kind="stable")[:count]]
    caption = (
        f"Tweets of the {label(part)} most confidently misjudged ({label(backend)}, all cells and seeds); "
        f"{data(study.tasks['tweets'])}"
    )
    show_table(["tweet", "label", "mean probability given to it"], rows, caption)


def forecast(study: Study) -> None:
    """The true series and each cell's one-step forecasts of the test months: median and range over seeds."""
    prepared = study.prepared("airline")
    series, months = prepared.extras["series"], prepared.extras["months"].tolist()
    test = prepared.extras["index_test"]
    backend = next(iter(study.tasks["airline"]["backends"]))
    figure = Figure(**STYLE)
    axes = figure.subplots()
    axes.plot(series, color="black", linewidth=1, label="passengers")
    for c, cell in enumerate(study.tasks["airline"]["backends"][backend]["cells"]):
        outputs = study.predictions("airline", backend, cell, "test")
        values = np.stack([prepared.to_unit(seed, "test") for seed in outputs])
        axes.plot(test, np.median(values, axis=0), color=colour(c), linewidth=1.2, label=label(cell))
        axes.fill_between(test, values.min(axis=0), values.max(axis=0), color=colour(c), alpha=0.2, linewidth=0)
    spans = {"train": "#0072B2", "validation": "#E69F00", "test": "#999999"}
    for (name, shade), height in zip(spans.items(), (0.97, 0.9, 0.97), strict=True):
        index = prepared.extras[f"index_{name}"]
        axes.axvspan(index[0] - 0.5, index[-1] + 0.5, color=shade, alpha=0.08)
        middle = index.mean()
        axes.text(middle, height, name, transform=axes.get_xaxis_transform(), ha="center", va="top", fontsize=8)
    axes.set_xticks(range(0, len(months), 24), [month[:4] for month in months[::24]])
    axes.set(xlabel="month", ylabel="thousand passengers", title="One-step forecasts of the test months")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left")
    alt = (
        f"The airline series 1949 to 1960 with the targets of the training, validation and test parts shaded, "
        f"and each cell's forecasts ({label(backend)}) of the test months {months[test[0]]} to {months[test[-1]]}: "
        "the median over seeds with their range."
    )
    show(figure, alt, data(study.tasks["airline"]), "airline", "forecast")


def table(study: Study, task: str) -> None:
    """Every comparison of the task with its interval."""
    found = study.tasks[task]
    rows = [
        [f"{label(row['a'])} − {label(row['b'])}", where, label(row["part"]), gap(found, row), str(row["n"])]
        for kind in ("between_cells", "against_baselines", "between_frameworks")
        for row in found[kind]
        for where in [label(row["cell"]) if "cell" in row else "both frameworks"]
    ]
    show_table(
        ["difference", "in", "part", f"{label(found['score'])} (95 % interval)", "seeds"],
        rows,
        f"{label(task)}: mean differences, exploratory: seeds and test examples crossed, seed by seed, not corrected; "
        f"{study.given}; {data(found)}.",
    )


def equivalence_table(study: Study, task: str) -> None:
    """Every test of equivalence of the frameworks, with its margin."""
    found = study.tasks[task]
    scale, unit = scale_of(found)
    rows = []
    for row in found["equivalence"]:
        low, high = (scale * bound for bound in row["interval"])
        rows.append(
            [
                label(row["cell"]),
                label(row["part"]),
                f"±{scale * row['margin']:g}",
                f"{low:+.2f} to {high:+.2f}",
                p_value(row["p"]),
                str(row["n"]),
                row["verdict"],
            ]
        )
    level = f"{100 * (1 - 2 * ALPHA):g} %"
    header = ["cell", "part", f"margin, {unit}", f"{level} interval, {unit}", "p", "seeds", "verdict"]
    show_table(
        header,
        rows,
        f"{label(task)}: are PyTorch and TensorFlow equivalent? Two one-sided tests against the margin that params.yaml"
        f" declares, seeds and test examples crossed, p < {ALPHA}; {study.given}; {data(found)}.",
    )


def search_curve(study: Study, task: str) -> None:
    """The expected best validation score against the number of trials, a curve a cell and search."""
    found = study.tasks[task]
    scale, unit = (100, "%") if found["score"] == "accuracy" else (1, found["unit"])
    figure = Figure(**STYLE)
    axes = figure.subplots()
    for c, (cell, searches) in enumerate(study.trials(task).items()):
        for place, scores in enumerate(searches):
            curve = scale * expected_best(np.array(scores), found["higher_is_better"])
            name = label(cell) if place == 0 else None
            axes.plot(np.arange(1, len(curve) + 1), curve, "o-", color=colour(c), label=name, markersize=3)
    axes.set(xlabel="trials", ylabel=f"expected best validation {label(found['score'])}, {unit}", title=label(task))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    alt = (
        f"{label(task)}: the best validation score to expect of so many trials drawn from those that were made (Dodge "
        "et al. 2019), a curve a cell and search. A curve that still rises would gain from more trials."
    )
    show(figure, alt, data(found), task, "search")
