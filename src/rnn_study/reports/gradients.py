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
    most = study.profiles(task)[study.cells(task)[0]][INITIAL]["singular"].shape[1] - 2

    def text(row: Row) -> str:
        if row["low"] >= most:
            return f"at least {most}"
        return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"

    return text


def present(study: Study, *names: str) -> list[str]:
    """Those of `names` that have a network that was looked at; one that reads both ways has no last step."""
    return [name for name in names if study.cells(name)]


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
    return (
        f"{label(task)}: from one step back on, the largest singular value falls to 1/e in this many steps: "
        f"{'; '.join(parts)}."
    )


def exponents(study: Study, task: str) -> str:
    """The largest Lyapunov exponents, and whether any is above zero."""
    parts = []
    for stage in (INITIAL, TRAINED):
        rows = [row for cell in study.cells(task) if (row := study.quantity(task, cell, stage, "exponent"))]
        chaotic = [label(row["variant"]) for row in rows if row["low"] > 0]
        verdict = f"above zero in {sequence(chaotic)}" if chaotic else "above zero in none"
        parts.append(f"{when(stage)} {sequence(_told(study, task, stage, 'exponent', _number))}, {verdict}")
    return f"{label(task)}: the largest exponent over these sequences is {'; '.join(parts)}."


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
    write, alone = _length(study, problem), set()
    tried = {name: found for name, found in table["cells"].items() if "of" in found}
    effects = _effects(study, [(found, table["cells"][found["of"]]) for found in tried.values()])
    for (name, found), effect in zip(tried.items(), effects, strict=True):
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
        rows.append([first, both[0], effect, *both[1:]])
    missing = [cure for cure in CURES if cure not in alone]
    header = ["what is changed", "solved", "effect", "updates", "memory, steps"]
    caption = (
        f"{label(problem)}: what each stabiliser changes. Runs solved of those run, compared by Fisher's exact test, "
        "corrected for the number of rows; the median of the updates, which end at the goal or the budget; memory of "
        "the trained networks, in their top layer."
    )
    if missing:
        caption += f" Not tried alone in the {study.summary['study']} study: {sequence(missing)}."
    show_table(header, rows, caption)


def _effects(study: Study, pairs: list[tuple[Row, Row]]) -> list[str]:
    """Whether more or fewer runs are solved with a change than without it."""
    counts = [[(sum(one["solved"]), len(one["solved"])) for one in pair] for pair in pairs]
    enough = [min(n for _, n in sides) >= study.gradients["seeds_for_a_claim"] for sides in counts]
    shares = [stats.compare_shares(*sides) for sides, is_enough in zip(counts, enough, strict=True) if is_enough]
    adjusted = iter(zip(shares, stats.holm(np.array([found.p for found in shares])) if shares else [], strict=True))
    told = []
    for is_enough in enough:
        if not is_enough:
            told.append("too few seeds")
            continue
        found, p = next(adjusted)
        more = "more" if found.difference.value > 0 else "fewer"
        told.append(f"{more} solved ({p_value(p)})" if p < stats.ALPHA else f"none shown ({p_value(p)})")
    return told


def states_found(study: Study, task: str) -> list[str]:
    """Which of two states carries the error to the first step, cell by cell."""
    told = []
    for cell in study.cells(task):
        parts = []
        for stage in (INITIAL, TRAINED):
            found = study.profiles(task)[cell][stage]
            if "flow_c" in found:
                ratio = np.nanmean(found["flow_c"] - found["flow_h"], axis=1)[:, -1].astype(float)
                parts.append(f"{when(stage)} {_number(_as_factor(stats.iqm(ratio)))}")
        if parts:
            told.append(f"{label(cell)}: at the first step the error in c is that in h times {'; '.join(parts)}.")
    return told


def _as_factor(found: stats.Estimate) -> Row:
    return {key: 10**value for key, value in found._asdict().items()}


def map_found(study: Study, problem: str) -> list[str]:
    """Where in the map runs were solved."""
    table = study.ablation(problem)
    if not table["map"]:
        return [f"{label(problem)}: no map in the {study.summary['study']} study."]
    points = [found for found in table["cells"].values() if "map" in found]
    rates, clips = table["map"]["learning_rates"], table["map"]["clips"]
    solved = [
        f"learning rate {rates[row]:g}, " + ("no clipping" if clips[column] is None else f"clip {clips[column]:g}")
        for row, column in (found["map"] for found in points if any(found["solved"]))
    ]
    seeds = len(points[0]["solved"])
    return [
        f"{study.variant(problem, table['map']['of'])}: solved in {len(solved)} of {len(points)} fields"
        + (f" ({'; '.join(solved)})" if solved else "")
        + f", {seeds} seed{'s' if seeds > 1 else ''} each: a description, no claim."
    ]


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
