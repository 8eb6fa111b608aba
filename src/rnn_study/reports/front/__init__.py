"""The front page: one question, one picture, what was found in five sentences, and the doors to the reports."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.reports import verdicts
from rnn_study.reports.elements import display
from rnn_study.reports.elements.figures import FAINT, colour, panels, show
from rnn_study.reports.elements.wording import interval, label, number, origin, sequence
from rnn_study.reports.gradients.plots import apart, estimates, ranked
from rnn_study.reports.study import Study

from .cell_diagrams import diagram

NAME, TITLE, PICTURE = "front", "Can it remember?", "one-figure"
PROBLEM = "adding"
_ONE_MARK = 12**-0.5  # RMSE of who sees one of the two numbers: the standard deviation of the other, uniform in 0 to 1
_LEAST = -4  # powers of ten: less error than that is drawn as none


def _flows(study: Study, cell: str) -> dict[str, np.ndarray]:
    """By stage of training the error that arrives at each lag, in powers of ten of that one step from the end: the
    median over seeds of the mean over sequences."""
    found = {}
    for stage, profile in study.profiles(PROBLEM)[cell].items():
        flow = np.nanmean(profile["flow"], axis=1)
        found[stage] = np.median(flow - flow[:, 1:2], axis=0)
    return found


def _curves(study: Study, cell: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of every seed the updates and the validation error after each epoch."""
    backend = study.gradients["framework"]
    seeds, updates = (study.ablation(PROBLEM)["cells"][cell][key] for key in ("seeds", "updates"))
    curves = []
    for seed, total in zip(seeds, updates, strict=True):
        error = np.array([row["validation_score"] for row in study.history(PROBLEM, backend, cell, seed)])
        curves.append((total / len(error) * np.arange(1, len(error) + 1), error))
    return curves


def _stage(study: Study, stage: str) -> str:
    """A stage of training as the picture names it, checkpoints by their updates."""
    if stage in (INITIAL, TRAINED):
        return {INITIAL: "before training", TRAINED: "trained"}[stage]
    (updates, _), *_ = _curves(study, study.cells(PROBLEM)[0])
    return f"after {int(stage.split()[1]) * updates[0]:.0f} updates"  # that run may have ended before


def _arriving(axes: Axes, study: Study, cell: str, named: bool) -> AxesImage:
    flows = _flows(study, cell)
    image = np.stack([flow[::-1] for flow in flows.values()])
    steps = image.shape[1]
    shown = axes.imshow(
        image, cmap="magma", vmin=_LEAST, vmax=0, aspect="auto", extent=(0.5, steps + 0.5, len(image), 0)
    )
    names = [_stage(study, stage) for stage in flows]
    axes.set_yticks(np.arange(len(names)) + 0.5, names if named else [""] * len(names))
    axes.set(title=label(cell), xlabel=f"step (the loss is at {steps})")
    axes.grid(False)
    return shown


def _learning(axes: Axes, study: Study, cell: str, place: int, narrow: bool, last: bool) -> None:
    goal = study.ablation(PROBLEM)["goal"]
    chance = next(iter(study.frontier(PROBLEM)["chance"].values()))["score"]
    for value, name, line in (
        (chance, "saw nothing", ":"),
        (_ONE_MARK, "saw one\nnumber", "-."),
        (goal, "solved", "--"),
    ):
        axes.axhline(value, color=FAINT, linestyle=line, linewidth=1)
        across = {"transform": axes.get_yaxis_transform(), "fontsize": 8.25}
        if narrow:
            behind = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
            axes.text(0.98, value + 0.012, name, ha="right", bbox=behind, zorder=3, **across)
        elif last:  # below the bar of colours, which has kept the room
            axes.text(1.04, value, name, va="center", **across).set_in_layout(False)
    for updates, error in _curves(study, cell):
        axes.plot(updates, error, "o-", color=colour(place), markersize=2.5, alpha=0.7, linewidth=1.2)
    axes.set(xlabel="updates", ylim=(0, 0.5), xlim=(0, None), ylabel="error (RMSE)" if place == 0 else "")


def _solving(axes: Axes, study: Study, cell: str, place: int) -> None:
    about = study.frontier(PROBLEM)
    rows = [run for run in about["runs"] if (run["axis"], run["variant"]) == ("budget", cell)]
    for x, steps in enumerate(about["lengths"]):
        here = sorted((run["seed"], run["solved"]) for run in rows if run["steps"] == steps)
        for y, (_, solved) in enumerate(here):
            axes.plot(x, y, "o", color=colour(place), fillstyle="full" if solved else "none", markersize=6)
        if not here:
            axes.text(x, (about["seeds"] - 1) / 2, "not tried", rotation=90, ha="center", va="center", fontsize=8.25)
    axes.set_xticks(range(len(about["lengths"])), about["lengths"])
    axes.set(xlim=(-0.6, len(about["lengths"]) - 0.4), yticks=[], xlabel="length of the sequences")
    axes.set_ylabel(f"{about['seeds']} seeds" if place == 0 else "")
    axes.grid(False)


def _example(axes: Axes, study: Study) -> None:
    """One sequence of the problem with its two marks."""
    part = study.prepared(PROBLEM).tests["test"]
    numbers, marks = part.x[0, :, 0], part.x[0, :, 1] > 0.5
    steps = np.arange(1, len(numbers) + 1)
    axes.bar(steps, numbers, color=[colour(1) if mark else "#9aa3af" for mark in marks], width=0.8)
    for step in np.flatnonzero(marks):
        axes.text(step + 1, numbers[step] + 0.03, f"{numbers[step]:.2f}", ha="center", fontsize=8.5)
    told = " + ".join(f"{number:.2f}" for number in numbers[marks])
    axes.set(title=f"one example: {told} = {numbers[marks].sum():.2f}", xlabel="step", ylim=(0, 1.2), yticks=[0, 1])
    axes.grid(False)


def picture(study: Study) -> None:
    """The study in one figure: the problem, and of each cell the error that arrives, learning, and reach."""

    def draw(narrow: bool) -> Figure:
        cells = study.cells(PROBLEM)
        if narrow:
            figure, column = panels(True, 1 + 3 * len(cells), 1, height=2.2)
            top, grid = column[0, 0], column[1:, 0].reshape(len(cells), 3).T
        else:
            figure = Figure(figsize=(9.2, 8.0), layout="constrained")
            mosaic = [["example"] * len(cells), *([f"{row}{c}" for c in range(len(cells))] for row in range(3))]
            found = figure.subplot_mosaic(mosaic, height_ratios=(1.0, 1.75, 1.75, 1.3))
            top, grid = found["example"], np.array([[found[name] for name in row] for row in mosaic[1:]])
        _example(top, study)
        for c, cell in enumerate(cells):
            shown = _arriving(grid[0, c], study, cell, named=narrow or c == 0)
            _learning(grid[1, c], study, cell, c, narrow, cell == cells[-1])
            _solving(grid[2, c], study, cell, c)
        bar = {"location": "bottom", "aspect": 30, "shrink": 0.8} if narrow else {"location": "right", "aspect": 12}
        bar["ticks"] = range(_LEAST, 1)
        key = figure.colorbar(shown, ax=list(grid[0][-1:] if narrow else grid[0]), label="error that arrives", **bar)
        key.ax.tick_params(labelrotation=45 if narrow else 0)
        key.set_ticklabels([f"{100 * 10.0**power:g} %" for power in range(_LEAST, 1)])
        return figure

    alt = (
        "At the top one example of the adding problem: the sum of the two marked numbers is asked for, after the last "
        "step. Then a column a cell. The dark and light field: how much error reaches each step, one line a moment of "
        "training, dark where next to none arrives. The curves: every seed's error on new sequences. The dots: a seed "
        f"each, filled where it solved sequences of that length. {solved(study)}"
    )
    source = study.source(PROBLEM)
    show(study, draw, lesson=surprise(study), alt=alt, source=source, task=PROBLEM, name=PICTURE)


def solved(study: Study) -> str:
    """How many seeds of each cell solved each length."""
    about = study.frontier(PROBLEM)
    told = []
    for cell in about["cells"]:
        runs = [run for run in about["runs"] if (run["axis"], run["variant"]) == ("budget", cell)]
        tried = [[run["solved"] for run in runs if run["steps"] == steps] for steps in about["lengths"]]
        counts = sequence([str(sum(seeds)) if seeds else "none tried" for seeds in tried])
        told.append(f"{label(cell)} {counts}")
    lengths = sequence([str(steps) for steps in about["lengths"]])
    return f"Seeds of {about['seeds']} that solved {lengths} steps: {'; '.join(told)}."


def surprise(study: Study) -> str:
    """What the cells do before training, and what they have learned after the last checkpoint."""
    stages = [stage for stage in study.profiles(PROBLEM)[study.cells(PROBLEM)[0]] if stage != TRAINED]
    told, worst = [], []
    for stage in dict.fromkeys((stages[0], stages[-1])):
        found = estimates(study, PROBLEM, stage, "arrives")
        worst.append(set(apart(found)[1]))
        told.append(f"{_stage(study, stage)} {ranked(found, 'the error reaches the first step best', 'worst')}")
    text = "; ".join(told)
    turned = len(worst) > 1 and all(worst) and not worst[0] & worst[1]
    return f"{text[:1].upper()}{text[1:]}." + (" What reaches far back is learned." if turned else "")


def _glance(study: Study) -> None:
    """Every cell's score on every task."""
    rows = []
    for name, task in study.tasks.items():
        origins = "; ".join(origin(record) for record in task["card"]["provenance"])
        for cell, found in task["cells"].items():
            score, bounds = (
                number(found["test"]["mean"], task["score"]),
                interval(found["test"]["interval"], task["score"]),
            )
            rows.append([f"{label(name)}, {label(cell)}", f"{score} ({bounds})", origins])
    units = list(dict.fromkeys(task["unit"] for task in study.tasks.values() if task["unit"])) or ["its own unit"]
    caption = (
        "Score on the test part: mean over seeds and both frameworks with its 95 % interval, over seeds and test "
        f"examples. Accuracy, or RMSE in {sequence(units)}; {study.given}."
    )
    display.show_table(["task and cell", "score", "data"], rows, caption, prose=(2,))


def _opening(study: Study) -> Iterator[str]:
    cells = sequence([label(cell) for cell in study.cells(PROBLEM)])
    yield f"<h1>{escape(TITLE)}</h1>"
    yield (
        f"<p>A recurrent network reads a sequence step by step and answers at the end. Can a {escape(cells)} still use "
        "what it read long before? A controlled experiment, in PyTorch and TensorFlow, with several seeds and "
        f"intervals. These pages show the <strong>{escape(study.summary['study'])}</strong> study.</p>"
    )


def body(study: Study, doors: Sequence[tuple[str, str, str]]) -> str:
    """The page as HTML; `doors`: address, title and text of every report."""
    with display.collected() as pieces:
        pieces += _opening(study)
        verdicts.show_headline(study)
        picture(study)
        links = "".join(
            f'<li><a href="{escape(href)}">{escape(title)}</a>: {escape(text)}</li>' for href, title, text in doors
        )
        explore = (
            '<a href="explore.html">Play with trained networks</a>: see what they keep, on a sentence of your own.'
        )
        pieces.append(f'<h2 id="reports">Reports</h2><p>{explore}</p><ul class="doors">{links}</ul>')
        pieces.append('<h2 id="cells">The cells</h2>')
        cells = study.cells(PROBLEM)
        show(
            study,
            lambda narrow: diagram(cells, narrow),
            lesson="Gates multiply: what a gate of 1 lets through unchanged can be kept for long.",
            alt="From left to right, or downwards on a phone: what is read and the last state, products with the "
            "kernels W and U, gates (σ) and candidates (tanh), products and sums, the new state. Drawn from the "
            "equations that the study runs.",
            source="the equations of src/rnn_study/model/cells.py",
            task="cells",
            name="diagram",
        )
        pieces.append('<h2 id="asked">What was asked, and answered</h2>')
        with display.folded("every question, with its answer"):
            verdicts.show_questions(study)
        pieces.append('<h2 id="glance">At a glance</h2>')
        with display.folded("every cell's score on every task"):
            _glance(study)
    return "".join(pieces)
