"""Tables of gradient behaviour: kernels and gates, cures, the course of training."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics.shares import difference_of_shares

from .plots import when

Row = dict[str, Any]


def estimate(row: Row) -> str:
    """A value with its interval."""
    return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"


def as_factor(row: Row) -> Row:
    """An estimate on the scale of log10 as a factor."""
    return {key: 10 ** row[key] for key in ("value", "low", "high")}


def length(study: Study, task: str) -> Callable[[Row], str]:
    """How a memory length of `task` is written: at least so long, where it reaches the start of the sequences."""
    most = study.profiles(task)[study.cells(task)[0]][INITIAL]["singular"].shape[1] - 2

    def text(row: Row) -> str:
        if row["low"] >= most:
            return f"at least {most}"
        return estimate(row)

    return text


def kernels_table(study: Study, task: str) -> None:
    """Spectral radius of each gate's recurrent kernel, and shares of saturated gates, before and after training."""
    rows = []
    for cell in study.cells(task):
        names = [row["quantity"] for row in study.figures(task, cell, TRAINED)]
        told = [name.partition("_")[2] for name in names if name.startswith(("radius_", "left_"))]
        for gate in dict.fromkeys(told):
            row = [f"{label(cell)}, {gate}"]
            for quantity in (f"radius_{gate}", f"left_{gate}", f"right_{gate}"):
                for stage in (INITIAL, TRAINED):
                    found = study.quantity(task, cell, stage, quantity)
                    row.append(f"{found['value']:.2f}" if found else "–")
            rows.append(row)
    header = ["cell, gate", "radius before", "trained", "below 0.1 before", "trained", "above 0.9 before", "trained"]
    caption = (
        f"{label(task)}: spectral radius of recurrent kernels and shares of saturated gate values, mean over seeds"
        + (f"; {study.given}." if task in study.tasks else ".")
    )
    show_table(header, rows, caption)


# The stabilisers of the tutorials, and the settings that are one.
CURES = {
    "initialisation": ("kernel", "recurrent"),
    "non-saturating activation": ("activation",),
    "normalisation": ("norm",),
    "clipping": ("clip", "clip_by", "clip_times"),
    "faster or slower optimiser": ("optimiser",),
    "truncated back-propagation": ("window",),
    "forget bias": ("forget_bias",),
    "depth": ("depth",),
}


def cures_table(study: Study, problem: str) -> None:
    """For each stabiliser the ablations that try it, each beside the cell without it, and the effect."""
    table, rows = study.ablation(problem), []
    write, alone = length(study, problem), set()
    tried = {name: found for name, found in table["cells"].items() if "of" in found}
    for name, found in tried.items():
        base = table["cells"][found["of"]]
        cures = [cure for cure, keys in CURES.items() if any(key in found["change"] for key in keys)] or ["other"]
        if len(cures) == 1:
            alone.add(cures[0])
        memories = [write(study.quantity(problem, one, TRAINED, "memory")) for one in (name, found["of"])]
        change = ", ".join(f"{key} {value}" for key, value in found["change"].items())
        solved = [f"{sum(one['solved'])}/{len(one['solved'])}" for one in (found, base)]
        updates = [f"{np.median(one['updates']):,.0f}" for one in (found, base)]
        both = [f"{one}, was {other}" for one, other in (solved, updates, memories)]
        first = f"{' and '.join(cures)}: {label(found['of'])} with {change}"
        rows.append([first, both[0], _effect(found, base), *both[1:]])
    missing = [cure for cure in CURES if cure not in alone]
    header = ["what is changed", "solved", "points", "updates", "memory, steps"]
    caption = (
        f"{label(problem)}: what each stabiliser changes. Runs solved of those run, and the difference of their shares "
        "(95 % interval, exploratory); the median of the updates, which end at the goal or the budget; memory of the "
        "trained networks, in their top layer."
    )
    if missing:
        caption += f" Not tried alone in the {study.summary['study']} study: {sequence(missing)}."
    show_table(header, rows, caption)


def _effect(changed: Row, base: Row) -> str:
    """How many more of the runs are solved with a change than without it."""
    gap = difference_of_shares(*((sum(one["solved"]), len(one["solved"])) for one in (changed, base)))
    value, low, high = (100 * one for one in gap)
    return f"{value:+.0f} ({low:+.0f} to {high:+.0f})"


def training_table(study: Study, task: str) -> None:
    """How error flow, memory and the largest exponent move through training."""
    rows, write = [], length(study, task)
    for cell in study.cells(task):
        for stage in study.profiles(task)[cell]:
            found = [study.quantity(task, cell, stage, key) for key in ("rate", "memory", "exponent", "condition")]
            rate = estimate(as_factor(found[0])) if found[0] else "–"  # sequences may be too short for one
            texts = [rate, write(found[1]), estimate(found[2]), f"{found[3]['value']:.1f}"]
            rows.append([f"{label(cell)}, {when(stage)}", str(found[1]["n"]), *texts])
    header = ["", "seeds", "error, a step back", "memory, steps", "largest exponent", "log₁₀ condition"]
    caption = (
        f"{label(task)}, through training: mean over seeds (and sequences) with 95 % interval. The condition number is "
        "that of dh_T/dz_t at the middle of the sequence."
    )
    show_table(header, rows, caption)
