"""What the parity checks show: figures, tables and findings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .elements.display import show_table
from .elements.figures import FAINT, INK, PALETTE, legend, panels, show
from .elements.wording import data, deviation, label, sequence
from .study import Study


def deviations(study: Study) -> None:
    """Every deviation of the parity checks beside its bound, but for the gaps, which are counted in floors."""
    lowest = 1e-17  # an exact agreement is drawn here: a logarithm has no zero

    def draw(narrow: bool) -> Figure:
        groups: dict[tuple[str, str], list[dict]] = {}
        for row in study.parity:
            if row["check"] != "free-running gap":
                groups.setdefault((row["check"], row["dtype"]), []).append(row)
        frameworks = list(dict.fromkeys(row["framework"] for row in study.parity))
        figure, ((axes,),) = panels(narrow, height=0.7 + 0.34 * len(groups))
        for place, rows in enumerate(groups.values()):
            for f, framework in enumerate(frameworks):
                found = [max(row["deviation"], lowest) for row in rows if row["framework"] == framework]
                at = np.full(len(found), place + 0.2 * (f - (len(frameworks) - 1) / 2))
                axes.plot(found, at, "o", color=PALETTE[f], alpha=0.5, markersize=4)
            axes.plot([rows[0]["bound"]] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=2)
        for f, framework in enumerate(frameworks):
            axes.plot([], [], "o", color=PALETTE[f], markersize=4, label=label(framework))
        joint = ",\n" if narrow else ", "
        axes.set_yticks(range(len(groups)), [f"{check}{joint}{dtype}" for check, dtype in groups])
        axes.set(xscale="log", xlabel="deviation (exact: 1e-17)", ylim=(len(groups) - 0.4, -0.6))
        axes.grid(False, axis="y")
        legend(figure, axes, narrow, 3)
        return figure

    alt = (
        "Every deviation of the parity checks on a logarithmic axis, a line for each check and precision, a point a "
        "case, coloured by framework, with the check's bound as a black bar. The tables below hold the same figures."
    )
    rows = [row for row in study.parity if row["check"] != "free-running gap"]
    beyond = sum(not row["deviation"] <= row["bound"] for row in rows)
    lesson = f"The frameworks compute the same, to rounding: all {len(rows)} checks are within their bounds."
    if beyond:
        lesson = f"The frameworks do not all compute the same: {beyond} of {len(rows)} checks are beyond their bounds."
    source = "random weights and data; trainings and transfers: the study's own"
    show(study, draw, lesson=lesson, alt=alt, source=source, task="parity", name="deviations")


def loss_gaps(study: Study, task: str) -> None:
    """The gap between the frameworks' losses at each update, beside the floor that rounding alone sets."""
    bound = next(row["bound"] for row in study.parity if row["check"] == "free-running gap")

    def draw(narrow: bool) -> Figure:
        curves = {key: found for key, found in study.curves.items() if key[0] == task}
        cells = list(dict.fromkeys(cell for _, cell, _ in curves))
        dtypes = list(dict.fromkeys(dtype for _, _, dtype in curves))
        figure, grid = panels(narrow, len(dtypes), len(cells), height=2.2, sharey="row")
        for (row, column), axes in np.ndenumerate(grid):
            dtype, cell = dtypes[row], cells[column]
            if (task, cell, dtype) not in curves:
                axes.remove()
                continue
            found = curves[task, cell, dtype]
            updates, least = np.arange(1, len(found["gap"]) + 1), found["floor"].min() / 1e3
            limit = bound * found["floor"]
            axes.plot(updates, np.maximum(found["defaults"], least), color=PALETTE[1], lw=1, label="own defaults")
            axes.fill_between(updates, least, limit, color=FAINT, alpha=0.2, label=f"{bound:.0f} floors")
            axes.plot(updates, found["floor"], color=INK, lw=1, label="floor: rounding against itself")
            axes.plot(updates, np.maximum(found["gap"], least), color=PALETTE[0], lw=1, label="harmonised")
            axes.set(yscale="log", xlabel="update", title=f"{label(cell)}, {dtype}")
            first = next(other for other in cells if (task, other, dtype) in curves)
            axes.tick_params(labelleft=narrow or cell == first)
        figure.supylabel("gap between the losses", fontsize=9)
        legend(figure, figure.axes[0], narrow)
        return figure

    own = {key: found for key, found in study.curves.items() if key[0] == task}
    updates = len(next(iter(own.values()))["gap"])
    alt = (
        f"{label(task)}: the gap between PyTorch's and TensorFlow's loss at each of {updates} updates from equal "
        "weights, on a logarithmic axis, a panel a cell and precision: blue with equal formulas, orange with each "
        "framework's own defaults, black the largest gap of one framework to itself with one weight moved by one unit "
        f"in the last place, grey up to {bound:.0f} times that."
    )
    within = all((found["gap"] <= bound * found["floor"]).all() for found in own.values())
    told = "no further than rounding parts one framework from itself" if within else "further than rounding explains"
    lesson = f"{label(task)}: with equal formulas the frameworks part {told}."
    show(study, draw, lesson=lesson, alt=alt, source=data(study.tasks[task]), task=task, name="loss-gaps")


def table(study: Study, check: str) -> None:
    """Every row of one parity check."""
    rows = [
        [
            label(row["cell"]),
            "within" if row["deviation"] <= row["bound"] else "BEYOND",
            deviation(row["deviation"], check),
            deviation(row["bound"], check),
            label(row["framework"]),
            row["dtype"],
            ", ".join(map(label, row["case"].split(", "))),
        ]
        for row in study.parity
        if row["check"] == check
    ]
    worst = "gap in floors" if check == "free-running gap" else "deviation"
    header = ["cell", "verdict", worst, "bound", "framework", "precision", "case"]
    show_table(header, rows, f"{check.capitalize()}: {len(rows)} checks.", prose=(6,))


def defaults_table(study: Study) -> None:
    """How far each default alone, and all together, lead one training apart, beside the gap of matched settings."""
    if not study.defaults:
        return
    defaults = list(next(iter(study.defaults.values())))
    rows = []
    for (task, cell), gaps in study.defaults.items():
        matched = float(study.curves[task, cell, "float64"]["gap"].max())
        rows.append(
            [f"{label(cell)}, {label(task)}", f"{matched:.1e}", *(f"{gaps[default]:.1e}" for default in defaults)]
        )
    caption = (
        "The largest gap between the losses of a short training: all matched, PyTorch against TensorFlow; then in one "
        "framework, PyTorch's default against Keras', one at a time and all of them. Another draw: by the same scheme."
    )
    show_table(["", "matched, two frameworks", *defaults], rows, caption)


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


def findings(study: Study) -> list[str]:
    """Whether the frameworks compute the same, from the rows of metrics/parity.json and the short trainings."""
    return [_free_running(study), _by_default(study), *_within_bounds(study.parity)]


def defaults(study: Study) -> list[str]:
    """How much of the gap between the frameworks is their defaults."""
    if not study.defaults:
        return ["Not run: parity.defaults in params.yaml names no cell."]
    told = []
    for (task, cell), gaps in study.defaults.items():
        matched = float(study.curves[task, cell, "float64"]["gap"].max())
        single = [default for default in gaps if default not in ("all of them", "another draw")]
        first, second = sorted(single, key=gaps.__getitem__, reverse=True)[:2]
        draw = ""
        if first == "initial weights":
            draw = f", though another draw by the same scheme already makes {gaps['another draw']:.2g}"
        told.append(
            f"{label(cell)} on {label(task)}: with the frameworks' defaults the losses part by up to "
            f"{gaps['all of them']:.2g}, with matched settings by {matched:.1g}. Most of it is {first} "
            f"({gaps[first]:.2g} alone{draw}), then {second} ({gaps[second]:.2g})."
        )
    return told


def short_trainings(study: Study) -> str:
    """How the short trainings of the parity checks are made."""
    of = study.training_settings
    return (
        f"Each training is {of['updates']} updates of one layer of {of['units']} units on batches of {of['batch']}, "
        f"from the first {of['steps']} steps of a task's first {of['examples']} examples, by Adam with learning rate "
        f"{of['learning_rate']} and betas {' and '.join(map(str, of['betas']))}, the gradient's norm clipped at "
        f"{of['clip']}; the floor is that of {of['perturbed']} perturbed starts."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _named(keys: Sequence[tuple[str, str, str]]) -> str:
    return sequence([f"{label(cell)} on {label(task)} in {dtype}" for task, cell, dtype in keys])


def _free_running(study: Study) -> str:
    ratios = {key: float((found["gap"] / found["floor"]).max()) for key, found in study.curves.items()}
    bound = next(row["bound"] for row in study.parity if row["check"] == "free-running gap")
    beyond = [key for key, ratio in ratios.items() if ratio >= bound]
    steps = len(next(iter(study.curves.values()))["gap"])
    if beyond:
        return (
            f"In {len(beyond)} of {len(ratios)} trainings of {steps} updates the frameworks part further than rounding "
            f"explains, beyond {bound:.0f} times the gap of one framework to itself: {_named(beyond)}."
        )
    return (
        f"The frameworks disagree no more than rounding disagrees with itself: in {_count(len(ratios), 'training')} of "
        f"{steps} updates, from equal weights and with equal formulas, their losses were never further apart than "
        f"{max(ratios.values()):.1f} times the gap that one framework opens to itself when one weight is moved by one "
        f"unit in the last place (bound: {bound:.0f} times)."
    )


def _by_default(study: Study) -> str:
    """How far the losses are apart when each framework keeps its defaults, cell by cell over the tasks."""
    told = []
    for cell in dict.fromkeys(cell for _, cell, _ in study.curves):
        found = [found for (_, other, _), found in study.curves.items() if other == cell]
        worst = max(float(one["defaults"].max()) for one in found)
        least = min(float((one["defaults"] / one["floor"]).max()) for one in found)
        told.append(f"{label(cell)} {worst:.2g} (always at least {least:.0e} times what rounding alone moves)")
    return (
        "Left to its own defaults (epsilon, clipping, the number of biases) each framework goes its own way from the "
        f"same weights; at worst the losses were apart by {sequence(told)}."
    )


def _within_bounds(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For each check and precision the worst deviation beside its bound; what is beyond it by name."""
    sentences = []
    for check, dtype in dict.fromkeys((row["check"], row["dtype"]) for row in rows):
        if check == "free-running gap":  # has a sentence of its own
            continue
        found = [row for row in rows if (row["check"], row["dtype"]) == (check, dtype)]
        beyond = [row for row in found if not row["deviation"] <= row["bound"]]
        worst = max(found, key=lambda row: row["deviation"] / row["bound"])
        size = deviation(worst["deviation"], check)
        text = f"{check.capitalize()}, {dtype}: {_count(len(found), 'check')}, the worst {size}, "
        if beyond:
            names = [f"{label(row['cell'])} in {label(row['framework'])} ({row['case']})" for row in beyond]
            sentences.append(f"{text}beyond the bound of {deviation(worst['bound'], check)}: {'; '.join(names)}.")
        else:
            sentences.append(f"{text}within the bound of {deviation(worst['bound'], check)}.")
    return sentences


def through_time(study: Study) -> list[str]:
    """Which formula of back-propagation through time gives the gradient."""
    found = study.worked["bptt"]["deviations"]
    return [
        f"The formula “{name}” gives the gradient, to rounding."
        if value < 1e-12
        else f"The formula “{name}” does not: it is off by {100 * value:.0f} % of the gradient's largest entry."
        for name, value in found.items()
    ]
