"""Results to figures and tables. Each figure comes with its alternative text; text from data is escaped."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from IPython.display import HTML, display
from matplotlib.figure import Figure

from .study import Study
from .task import unpack_texts
from .wording import data, deviation, interval, label, number, origin, p_value

# Okabe & Ito's palette, told apart by readers of every colour vision; cells take its colours in order.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
LINES = ("-", "--")  # a line style a framework
MARKERS = ("o", "s")
STYLE = {"figsize": (7.2, 4.2), "layout": "constrained", "dpi": 110}


def show(figure: Figure, alt: str, study: Study, task: str, name: str) -> None:
    """Display `figure` with its data below and its alternative text; MLflow keeps it as `name` of `task`."""
    _show(figure, alt, data(study.tasks[task]), task, name)


def _show(figure: Figure, alt: str, origin: str, task: str, name: str) -> None:
    figure.supxlabel(origin, fontsize=7, color="#5a6473")
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    bundle = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}, "study": {"task": task, "name": name}})


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> None:
    """Display a table; every cell is escaped, the first of a row is its heading."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    display(
        HTML(
            f'<div class="table"><table><caption>{escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    )


def show_findings(study: Study, task: str | None, sentences: Iterable[str]) -> None:
    """Display what was found, in `task` or in none, as a list, escaped, with its data above."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    about = f"; {data(study.tasks[task])}" if task else ""
    display(HTML(f'<p class="data">Findings{escape(about)}.</p><ul>{items}</ul>'))


def show_text(text: str) -> None:
    """Display a paragraph, escaped."""
    display(HTML(f"<p>{escape(text)}</p>"))


def show_banner(study: Study) -> None:
    """Display where the data comes from, before any figure."""
    lines = []
    for record in {r["source"]: r for t in study.tasks.values() for r in t["card"]["provenance"]}.values():
        rows = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in record["rows"].items())
        files = ", ".join(f"{file['file']} (SHA-256 {file['sha256'][:12]}…)" for file in record["files"])
        lines.append(
            f"<li><strong>{escape(origin(record))}</strong>: {escape(rows)}. {escape(record['note'])}. "
            f"Licence: {escape(record['licence'])}. "
            f"<details><summary>files</summary>{escape(files)}</details></li>"
        )
    title = f"This is the {escape(study.summary['study'])} study. What it ran on:"
    display(HTML(f'<div class="banner"><p><strong>{title}</strong></p><ul>{"".join(lines)}</ul></div>'))


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
                number(run["iqm"][part], score),
                interval(run["interval"][part], score),
                str(len(run["seeds"])),
                "×".join(map(str, run["units"])),
                f"{run['parameters']:,}",
                f"{run['parameters_with_embedding']:,}",
                f"{np.mean(run['updates']):,.0f}",
                f"{run['learning_rate']:.2g}",
                f"{run['clip']:.2g}",
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
        f"{label(task)}, {label(part)}: interquartile mean over seeds; updates are the mean over seeds; {data(found)}.",
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
            color=PALETTE[c],
            label=f"{label(cell)}, {label(backend)}",
        )
        low, high = np.nanmin(grid, axis=0), np.nanmax(grid, axis=0)
        axes.fill_between(epochs, low, high, color=PALETTE[c], alpha=0.12, linewidth=0)
    axes.set(xlabel="epoch", ylabel="validation loss", yscale="log", title=label(task))
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    alt = (
        f"Learning curves of {label(task)}: validation loss by epoch, median and range over the seeds, "
        "a colour a cell, solid PyTorch, dashed TensorFlow. A curve ends where half of its seeds have stopped."
    )
    show(figure, alt, study, task, "learning-curves")


def seed_scores(study: Study, task: str, part: str) -> None:
    """Each seed's score, the interquartile mean with its interval, the baselines as lines."""
    found = study.tasks[task]
    scale = 100 if found["score"] == "accuracy" else 1
    figure = Figure(**STYLE)
    axes = figure.subplots()
    ticks = []
    for place, (b, backend, c, cell) in enumerate(_pairs(study, task)):
        run = found["backends"][backend]["cells"][cell]
        scores = scale * np.array(run["scores"][part])
        spread = np.linspace(-0.18, 0.18, len(scores))
        axes.plot(place + spread, scores, MARKERS[b], color=PALETTE[c], alpha=0.45, markersize=5)
        value = scale * run["iqm"][part]
        low, high = (scale * bound for bound in run["interval"][part])
        axes.errorbar(place, value, [[value - low], [high - value]], fmt="_", color="black", capsize=4)
        ticks.append(f"{label(cell)}\n{label(backend)}")
    for line, (name, scores) in enumerate(found["baselines"].items()):
        axes.axhline(scale * scores[part], color="grey", linestyle=(":", "-.", "--")[line % 3], label=name)
    axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
    unit = "%" if scale == 100 else found["unit"]
    axes.set(ylabel=f"{label(found['score'])}, {unit}", title=f"{label(task)}, {label(part)}")
    axes.grid(alpha=0.3, axis="y")
    axes.legend(fontsize=8, title="baselines", title_fontsize=8)
    alt = (
        f"Scores of {label(task)} on the {label(part)}: a point a seed, the interquartile mean with its "
        "95 % interval in black, the baselines as grey lines. The table above holds the same figures."
    )
    show(figure, alt, study, task, f"scores-{part}")


def confusion_matrix(study: Study, task: str, part: str = "test") -> None:
    """How often each class was taken for each other one, summed over seeds, a matrix a cell."""
    prepared = study.prepared(task)
    truth, classes = prepared.parts()[part].y, prepared.extras["classes"].tolist()
    backend = next(iter(study.tasks[task]["backends"]))
    cells = list(study.tasks[task]["backends"][backend]["cells"])
    figure = Figure(figsize=(3.2 * len(cells), 3.6), layout="constrained", dpi=110)
    size, worst = len(classes), []
    for axes, cell in zip(np.atleast_1d(figure.subplots(1, len(cells))), cells, strict=True):
        taken = study.predictions(task, backend, cell, part).argmax(axis=2)
        counts = np.zeros((size, size), int)
        np.add.at(counts, (np.broadcast_to(truth, taken.shape), taken), 1)
        share = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(size, size):
            if counts[row, column]:
                colour = "white" if share[row, column] > 0.5 else "black"
                text = f"{100 * share[row, column]:.0f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
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
    show(figure, alt, study, task, f"confusion-{part}")


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
        axes.plot(test, np.median(values, axis=0), color=PALETTE[c], linewidth=1.2, label=label(cell))
        axes.fill_between(test, values.min(axis=0), values.max(axis=0), color=PALETTE[c], alpha=0.2, linewidth=0)
    spans = {"train": "#0072B2", "validation": "#E69F00", "test": "#999999"}
    for (name, colour), height in zip(spans.items(), (0.97, 0.9, 0.97), strict=True):
        index = prepared.extras[f"index_{name}"]
        axes.axvspan(index[0] - 0.5, index[-1] + 0.5, color=colour, alpha=0.08)
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
    show(figure, alt, study, "airline", "forecast")


def comparison_table(study: Study, task: str) -> None:
    """Every paired comparison of the task with its corrected p-value."""
    found = study.tasks[task]
    scale, unit = (100, "points") if found["score"] == "accuracy" else (1, found["unit"])
    rows = []
    for row in [*found["between_cells"], *found["between_frameworks"]]:
        where = label(row.get("backend") or row["cell"])
        low, high = (scale * bound for bound in row["interval"])
        verdict = {"a": label(row["a"]), "b": label(row["b"]), "none": "no difference detected"}
        rows.append(
            [
                f"{label(row['a'])} − {label(row['b'])}",
                where,
                label(row["part"]),
                f"{scale * row['difference']:+.2f}",
                f"{low:+.2f} to {high:+.2f}",
                p_value(row["p_adjusted"]),
                f"{row['probability_of_improvement']:.2f}",
                str(row["n"]),
                verdict.get(row["better"], row["better"]),
            ]
        )
    header = [
        "difference",
        "in",
        "part",
        f"{label(found['score'])}, {unit}",
        "95 % interval, uncorrected",
        "p, corrected",
    ]
    show_table(
        [*header, "P(first better)", "seeds", "better"],
        rows,
        f"{label(task)}: mean differences paired by seed, paired t test, corrected by Holm's method in each family; "
        f"{data(found)}.",
    )


def deviations(study: Study) -> None:
    """Every deviation of the parity checks beside its bound, but for the gaps, which are counted in floors."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in study.parity:
        if row["check"] != "free-running gap":
            groups.setdefault((row["check"], row["dtype"]), []).append(row)
    frameworks = list(dict.fromkeys(row["framework"] for row in study.parity))
    lowest = 1e-17  # an exact agreement is drawn here: a logarithm has no zero
    figure = Figure(figsize=(7.2, 0.9 + 0.36 * len(groups)), layout="constrained", dpi=110)
    axes = figure.subplots()
    for place, rows in enumerate(groups.values()):
        for f, framework in enumerate(frameworks):
            found = [max(row["deviation"], lowest) for row in rows if row["framework"] == framework]
            at = np.full(len(found), place + 0.2 * (f - (len(frameworks) - 1) / 2))
            name = label(framework) if place == 0 else None
            axes.plot(found, at, "o", color=PALETTE[f], alpha=0.5, markersize=4, label=name)
        axes.plot([rows[0]["bound"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
    for f, framework in enumerate(frameworks):  # every framework in the legend, wherever it first occurs
        axes.plot([], [], "o", color=PALETTE[f], markersize=4, label=label(framework))
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(handles.values(), handles.keys(), fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=3)
    axes.set_yticks(range(len(groups)), [f"{check}, {dtype}" for check, dtype in groups], fontsize=8)
    axes.set(xscale="log", xlabel="deviation; exact agreement at 1e-17; bound in black", ylim=(len(groups) - 0.4, -0.6))
    axes.grid(alpha=0.3, axis="x")
    alt = (
        "Every deviation of the parity checks on a logarithmic axis, a line for each check and precision, a point a "
        "case, coloured by framework, with the check's bound as a black bar. The tables below hold the same figures."
    )
    _show(figure, alt, "random weights and data; trainings and transfers: the study's own", "parity", "deviations")


def loss_gaps(study: Study, task: str) -> None:
    """The gap between the frameworks' losses at each update, beside the floor that rounding alone sets."""
    curves = {key: found for key, found in study.curves.items() if key[0] == task}
    cells = list(dict.fromkeys(cell for _, cell, _ in curves))
    dtypes = list(dict.fromkeys(dtype for _, _, dtype in curves))
    bound = next(row["bound"] for row in study.parity if row["check"] == "free-running gap")
    size = (2.6 * len(cells) + 0.6, 2.5 * len(dtypes) + 0.8)
    figure = Figure(figsize=size, layout="constrained", dpi=110)
    for axes, (dtype, cell) in zip(
        figure.subplots(len(dtypes), len(cells), sharex=True, sharey="row", squeeze=False).flat,
        [(dtype, cell) for dtype in dtypes for cell in cells],
        strict=True,
    ):
        found = curves[task, cell, dtype]
        updates = np.arange(1, len(found["gap"]) + 1)
        least = found["floor"].min() / 1e3
        axes.plot(updates, np.maximum(found["habits"], least), color=PALETTE[1], linewidth=1, label="own habits")
        axes.fill_between(updates, least, bound * found["floor"], color="grey", alpha=0.2, label=f"{bound:.0f} floors")
        axes.plot(updates, found["floor"], color="black", linewidth=1, label="floor: rounding against itself")
        axes.plot(updates, np.maximum(found["gap"], least), color=PALETTE[0], linewidth=1, label="harmonised")
        axes.set(yscale="log", title=f"{label(cell)}, {dtype}")
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.3)
    figure.supylabel("gap between the losses", fontsize=9)
    figure.axes[-1].set_xlabel("update")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, loc="outside upper center", ncols=4)
    alt = (
        f"{label(task)}: the gap between PyTorch's and TensorFlow's loss at each of {len(updates)} updates from equal "
        "weights, on a logarithmic axis, a panel a cell and precision: blue with equal formulas, orange with each "
        "framework's own habits, black the largest gap of one framework to itself with one weight moved by one unit "
        f"in the last place, grey up to {bound:.0f} times that."
    )
    show(figure, alt, study, task, "loss-gaps")


def parity_table(study: Study, check: str) -> None:
    """Every row of one parity check."""
    rows = [
        [
            label(row["cell"]),
            label(row["framework"]),
            row["dtype"],
            row["case"],
            deviation(row["deviation"], check),
            deviation(row["bound"], check),
            "within" if row["deviation"] <= row["bound"] else "BEYOND",
        ]
        for row in study.parity
        if row["check"] == check
    ]
    worst = "gap in floors" if check == "free-running gap" else "deviation"
    header = ["cell", "framework", "precision", "case", worst, "bound", ""]
    show_table(header, rows, f"{check.capitalize()}: {len(rows)} checks.")


def hello_table(study: Study) -> None:
    """The probabilities of the next letter after each letter of "hell", in both variants of the worked example."""
    rows = [
        [f"{variant}, after “{'hell'[: n + 1]}”", *(f"{p:.4f}" for p in odds), "helo"[int(np.argmax(odds))]]
        for variant, found in study.worked["hello"].items()
        for n, odds in enumerate(found)
    ]
    caption = "“hello” with the weights of the worked example, untrained: probability of each next letter."
    show_table(["recurrent kernel", *"helo", "likeliest"], rows, caption)


def through_time_table(study: Study) -> None:
    """The gradient by each formula of back-propagation through time."""
    found = study.worked["bptt"]
    rows = [
        [name, f"{value:.6f}", f"{found['deviations'][name]:.1e}" if name in found["deviations"] else "–"]
        for name, value in found["norms"].items()
    ]
    rows += [[f"term k = {k}", f"{norm:.6f}", "–"] for k, norm in enumerate(found["terms"])]
    caption = "dE₃/dU on “hell”: norm of the gradient by each formula and of the terms of the corrected one."
    show_table(["formula", "norm", "deviation from the gradient"], rows, caption)
