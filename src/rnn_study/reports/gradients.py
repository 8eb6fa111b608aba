"""What the report of gradient behaviour says: findings and tables. The claims are in `gradient_claims`, the
figures in `gradient_plots`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_study import stats
from rnn_study.diagnostics.profiles import INITIAL, SENTENCES, TRAINED
from rnn_study.task import unpack_texts

from . import gradient_plots
from .display import show_table
from .gradient_claims import claims_table, verdicts
from .gradient_plots import (
    clip_map,
    error_flow,
    gates,
    health,
    lyapunov,
    retention,
    singular_values,
    states_apart,
    when,
)
from .parity import through_time, through_time_table
from .study import Study
from .wording import label, p_value, sequence

__all__ = [
    "claims_table",
    "clip_map",
    "error_flow",
    "gates",
    "health",
    "lyapunov",
    "retention",
    "singular_values",
    "states_apart",
    "through_time",
    "through_time_table",
    "verdicts",
]

Row = dict[str, Any]


def _told(study: Study, task: str, stage: str, quantity: str, write: Callable[[Row], str]) -> list[str]:
    """Of each cell that has it, the quantity with its interval."""
    rows = [study.quantity(task, cell, stage, quantity) for cell in study.cells(task)]
    return [f"{label(row['variant'])} {write(row)}" for row in rows if row]


def _number(row: Row) -> str:
    return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"


def _length(study: Study, task: str) -> Callable[[Row], str]:
    most = study.profiles(task)[study.cells(task)[0]][INITIAL]["singular"].shape[1] - 1

    def text(row: Row) -> str:
        if row["low"] >= most:
            return f"at least {most}"
        return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"

    return text


def order(study: Study) -> list[str]:
    """The tasks and problems that were looked at, the longest sequences first."""
    names = dict.fromkeys(row["task"] for row in study.gradients["figures"])
    return sorted(names, key=lambda name: -study.profiles(name)[study.cells(name)[0]][INITIAL]["flow"].shape[2])


def lost(study: Study, task: str) -> str:
    """How much of the error reaches the first step."""
    parts = []
    for stage in (INITIAL, TRAINED):
        reach = _told(study, task, stage, "lost", lambda row: f"{10 ** -row['value']:.2g}")
        rates = _told(study, task, stage, "rate", _number)
        parts.append(f"{when(stage)} {sequence(reach)}, by a factor a step of {sequence(rates)}")
    return f"{label(task)}: of an error of 1 at the last step there reaches the first {'; '.join(parts)}."


def memory(study: Study, task: str) -> str:
    """The effective memory length of each cell."""
    write = _length(study, task)
    parts = [f"{when(stage)} {sequence(_told(study, task, stage, 'memory', write))}" for stage in (INITIAL, TRAINED)]
    return f"{label(task)}: the largest singular value falls to 1/e after this many steps: {'; '.join(parts)}."


def exponents(study: Study, task: str) -> str:
    """The largest Lyapunov exponents, and whether any is above zero."""
    parts = []
    for stage in (INITIAL, TRAINED):
        rows = [study.quantity(task, cell, stage, "exponent") for cell in study.cells(task)]
        chaotic = [label(row["variant"]) for row in rows if row["low"] > 0]
        verdict = f"above zero in {sequence(chaotic)}" if chaotic else "above zero in none"
        parts.append(f"{when(stage)} {sequence(_told(study, task, stage, 'exponent', _number))}, {verdict}")
    return f"{label(task)}: the largest exponent along these sequences is {'; '.join(parts)}."


def retained(study: Study, task: str) -> str:
    """How many past inputs can be read from the last state."""
    parts = [
        f"{when(stage)} {sequence(_told(study, task, stage, 'retained', _number))}" for stage in (INITIAL, TRAINED)
    ]
    return f"{label(task)}: lags at which at least half of an input's variance can be read out: {'; '.join(parts)}."


def time_constants(study: Study, task: str) -> str:
    """How long the median unit keeps its memory, by its carry; cells without one are left out."""
    parts = []
    for stage in (INITIAL, TRAINED):
        if told := _told(study, task, stage, "time_constant", _number):
            parts.append(f"{when(stage)} {sequence(told)}")
    if not parts:
        return f"{label(task)}: no cell here carries memory past its recurrent kernel."
    return f"{label(task)}: the median unit forgets with a time constant -1/ln f of {'; '.join(parts)} steps."


def health_findings(study: Study, problem: str) -> list[str]:
    """For each cell how large its gradients were, how many were clipped, how far an update moved."""
    told = []
    for cell in study.cells(problem):
        found = study.ablation(problem)["cells"][cell]
        told.append(
            f"{label(cell)}: gradient norm {np.median(found['norm_median']):.2g} in the median update, "
            f"{np.median(found['norm_99']):.2g} or more in one update of a hundred, "
            f"{100 * np.mean(found['clipped_share']):.0f} % of updates clipped, "
            f"{np.median(found['update_ratio']):.2g} of the weights' norm moved by the median update; "
            f"{found['outcomes'].count('solved')} of {len(found['outcomes'])} runs solved."
        )
    return told


def theory(study: Study) -> str:
    """Whether the measured decay of a linear RNN is the one that theory gives."""
    rows = study.gradients["theory"]
    worst = max(row["deviation"] for row in rows)
    scales = sequence([f"{row['scale']:g}" for row in rows])
    return (
        f"In a linear RNN with recurrent kernel aQ, Q orthogonal, a = {scales}, the measured error over "
        f"{rows[0]['steps']} steps differs from theory, a to the power of the lag, by {worst:.0e} at most, relative."
    )


def kernels_table(study: Study, task: str) -> None:
    """Spectral radius of each gate's recurrent kernel, and shares of saturated gates, before and after training."""
    rows = []
    for cell in study.cells(task):
        names = [row["quantity"] for row in study.figures(task, cell, TRAINED)]
        for gate in (name.removeprefix("radius_") for name in names if name.startswith("radius_")):
            row = [f"{label(cell)}, {gate}"]
            for quantity in (f"radius_{gate}", f"left_{gate}", f"right_{gate}"):
                for stage in (INITIAL, TRAINED):
                    found = study.quantity(task, cell, stage, quantity)
                    row.append(f"{found['value']:.2f}" if found else "–")
            rows.append(row)
    header = ["cell, gate", "radius before", "trained", "below 0.1 before", "trained", "above 0.9 before", "trained"]
    caption = (
        f"{label(task)}: spectral radius of recurrent kernels and shares of saturated gate values, IQM over seeds."
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
    write, seen = _length(study, problem), set()
    for name, found in table["cells"].items():
        if "of" not in found:
            continue
        base = table["cells"][found["of"]]
        cures = [cure for cure, keys in CURES.items() if any(key in found["change"] for key in keys)]
        seen.update(cures)
        memories = [write(study.quantity(problem, one, TRAINED, "memory")) for one in (name, found["of"])]
        change = ", ".join(f"{key} {value}" for key, value in found["change"].items())
        solved = [f"{sum(one['solved'])}/{len(one['solved'])}" for one in (found, base)]
        updates = [f"{np.median(one['updates']):,.0f}" for one in (found, base)]
        both = [f"{one}, was {other}" for one, other in (solved, updates, memories)]
        first = f"{' and '.join(cures)}: {label(found['of'])} with {change}"
        rows.append([first, both[0], _effect(study, found, base), *both[1:]])
    missing = [cure for cure in CURES if cure not in seen]
    header = ["what is changed", "solved", "effect", "updates", "memory, steps"]
    caption = (
        f"{label(problem)}: each stabiliser tried alone. Runs solved of those run, compared by Fisher's exact test; "
        "the median of the updates, which end at the goal or the budget; memory of the trained networks."
    )
    if missing:
        caption += f" Not run in the {study.summary['study']} study: {sequence(missing)}."
    show_table(header, rows, caption)


def _effect(study: Study, found: Row, base: Row) -> str:
    """Whether more or fewer runs are solved than without the change."""
    counts = [(sum(one["solved"]), len(one["solved"])) for one in (found, base)]
    if min(n for _, n in counts) < study.gradients["seeds_for_a_claim"]:
        return "too few seeds"
    shares = stats.compare_shares(*counts)
    if shares.p >= stats.ALPHA:
        return f"none shown ({p_value(shares.p)})"
    return f"{'more' if shares.difference.value > 0 else 'fewer'} solved ({p_value(shares.p)})"


def training_table(study: Study, task: str) -> None:
    """How error flow, memory and the largest exponent move through training."""
    rows, write = [], _length(study, task)
    for cell in study.cells(task):
        for stage in study.profiles(task)[cell]:
            found = [study.quantity(task, cell, stage, key) for key in ("rate", "memory", "exponent", "condition")]
            texts = [_number(found[0]), write(found[1]), _number(found[2]), f"{found[3]['value']:.1f}"]
            rows.append([f"{label(cell)}, {when(stage)}", str(found[0]["n"]), *texts])
    header = ["", "seeds", "error, a step back", "memory, steps", "largest exponent", "log₁₀ condition"]
    caption = (
        f"{label(task)}, through training: IQM over seeds with 95 % interval. The condition number is that of "
        "dh_T/dz_t at the middle of the sequence."
    )
    show_table(header, rows, caption)


def words_found(study: Study, task: str) -> list[str]:
    """How much of the answer's gradient goes to the word that it depends on."""
    prepared, told = study.prepared(task), []
    known = unpack_texts(prepared.extras["words"], prepared.extras["words_offsets"])
    part = prepared.tests[SENTENCES]
    for place, cue in enumerate(prepared.extras["cues"]):
        length, shares = int(part.mask[place].sum()), []
        for cell in study.cells(task):
            gradient = study.profiles(task)[cell][TRAINED]["gradient"][:, place, :length].astype(float)
            found = stats.iqm(gradient[:, cue] / gradient.sum(axis=1))
            low, high = (100 * max(bound, 0.0) for bound in (found.low, found.high))
            shares.append(f"{label(cell)} {100 * found.value:.0f} % ({low:.0f} to {high:.0f})")
        word = known[part.x[place, cue]]
        told.append(
            f"“{word}”, {length - 1 - cue} words before the end, gets of the answer's gradient: {sequence(shares)}; an "
            f"equal share would be {100 / length:.0f} %."
        )
    return told


def sentences(study: Study, task: str) -> None:
    """Every sentence of the task's part of that name: gradient by word and memory kept."""
    prepared = study.prepared(task)
    known = unpack_texts(prepared.extras["words"], prepared.extras["words_offsets"])
    part = prepared.tests[SENTENCES]
    for place, (ids, mask, answer) in enumerate(zip(part.x, part.mask, part.y, strict=True)):
        text = [known[word] for word in ids[mask]]
        gradient_plots.words(study, task, place, text, str(prepared.extras["classes"][answer]))
