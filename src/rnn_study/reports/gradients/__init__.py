"""What the report of gradient behaviour finds, in sentences. The tutorials' claims are in `contrasts`, its figures
by distance in `plots`, those of gates and of training in `inside`, its tables in `tables`."""

from collections.abc import Callable

import numpy as np

from rnn_study.behaviour.diagnostics.profiles import INITIAL, SENTENCES, TRAINED
from rnn_study.behaviour.gradients.quantities import RETAINED, with_interval
from rnn_study.data.prepared import unpack_texts
from rnn_study.reports.elements.display import folded
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.parity import through_time, through_time_table
from rnn_study.reports.study import Study

from . import inside
from .contrasts import contrasts_table
from .inside import clip_map, gates, health
from .plots import error_flow, lyapunov, retention, singular_values, states_apart, when
from .tables import Row, as_factor, cures_table, estimate, kernels_table, length, training_table

__all__ = [
    "clip_map",
    "contrasts_table",
    "cures_table",
    "error_flow",
    "gates",
    "health",
    "kernels_table",
    "lyapunov",
    "retention",
    "singular_values",
    "states_apart",
    "through_time",
    "through_time_table",
    "training_table",
]


def _told(study: Study, task: str, stage: str, quantity: str, write: Callable[[Row], str]) -> list[str]:
    """Of each cell that has it, the quantity with its interval."""
    rows = [study.quantity(task, cell, stage, quantity) for cell in study.cells(task)]
    return [f"{label(row['variant'])} {write(row)}" for row in rows if row]


def _by_stage(study: Study, task: str, quantity: str, write: Callable[[Row], str]) -> str:
    """The quantity of each cell, before training and after."""
    told = {stage: _told(study, task, stage, quantity, write) for stage in (INITIAL, TRAINED)}
    return "; ".join(f"{when(stage)} {sequence(cells)}" for stage, cells in told.items() if cells)


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
        reach = _told(study, task, stage, "arrives", lambda row: estimate(_in_per_cent(row)) + " %")
        rates = _told(study, task, stage, "rate", lambda row: estimate(as_factor(row)))
        if reach:
            parts.append(f"{when(stage)} {sequence(reach)}, by a factor a step of {sequence(rates)}")
    if not parts:
        return f"{label(task)}: sequences too short for a share that arrives."
    return f"{label(task)}: of the error one step from the end there arrives at the first step {'; '.join(parts)}."


def memory(study: Study, task: str) -> str:
    """The effective memory length of each cell."""
    return (
        f"{label(task)}: from one step back on, the largest singular value falls to 1/e in this many steps: "
        f"{_by_stage(study, task, 'memory', length(study, task))}."
    )


def exponents(study: Study, task: str) -> str:
    """The largest Lyapunov exponents, and whether any is above zero."""
    parts = []
    for stage in (INITIAL, TRAINED):
        rows = [row for cell in study.cells(task) if (row := study.quantity(task, cell, stage, "exponent"))]
        chaotic = [label(row["variant"]) for row in rows if row["low"] > 0]
        verdict = f"above zero in {sequence(chaotic)}" if chaotic else "above zero in none"
        parts.append(f"{when(stage)} {sequence(_told(study, task, stage, 'exponent', estimate))}, {verdict}")
    return f"{label(task)}: the largest exponent over these sequences is {'; '.join(parts)}."


def retained(study: Study, task: str) -> str:
    """How many past inputs can be read from the last state."""
    told = _by_stage(study, task, "retained", estimate)
    what = "at least half of the variance of an input"
    if task in RETAINED:
        what = f"at least {RETAINED[task]:g} of the variance of a marked number (their sum tells 0.5 of either)"
    return f"{label(task)}: lags at which {what} can be read out: {told}."


def time_constants(study: Study, task: str) -> str:
    """How long the median unit keeps its memory, by its carry; cells without one are left out."""
    told = _by_stage(study, task, "time_constant", estimate)
    if not told:
        return f"{label(task)}: no cell here carries memory past its recurrent kernel."
    return f"{label(task)}: the median unit forgets with a time constant -1/ln f of {told} steps."


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


def states_found(study: Study, task: str) -> list[str]:
    """Which of two states carries the error to the first step, cell by cell."""
    told = []
    for cell in study.cells(task):
        parts = []
        for stage in (INITIAL, TRAINED):
            found = study.profiles(task)[cell][stage]
            if "flow_c" in found:
                ratio = (found["flow_c"] - found["flow_h"])[:, :, -1].astype(float)
                parts.append(f"{when(stage)} {estimate(as_factor(with_interval(ratio)._asdict()))}")
        if parts:
            told.append(f"{label(cell)}: at the first step the error in c is that in h times {'; '.join(parts)}.")
    return told


def _in_per_cent(row: Row) -> Row:
    return {key: 100 * value for key, value in as_factor(row).items()}


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


def words_found(study: Study, task: str) -> list[str]:
    """How much of the answer's gradient goes to the word that it depends on."""
    prepared, told = study.prepared(task), []
    known = unpack_texts(prepared.extras["words"], prepared.extras["words_offsets"])
    part = prepared.tests[SENTENCES]
    for place, cue in enumerate(prepared.extras["cues"]):
        length, shares = int(part.mask[place].sum()), []
        for cell in study.cells(task):
            gradient = study.profiles(task)[cell][TRAINED]["gradient"][:, place, :length].astype(float)
            found = with_interval(gradient[:, cue] / gradient.sum(axis=1))
            low, high = (100 * max(bound, 0.0) for bound in (found.low, found.high))
            shares.append(f"{label(cell)} {100 * found.value:.0f} % ({low:.0f} to {high:.0f})")
        word = known[part.x[place, cue]]
        told.append(
            f"“{word}”, {length - 1 - cue} words before the end, gets of the answer's gradient: {sequence(shares)}; an "
            f"equal share would be {100 / length:.0f} %."
        )
    return told


def sentences(study: Study, task: str) -> None:
    """Every sentence of the task's part of that name: gradient by word and memory kept; all but the first folded."""
    prepared = study.prepared(task)
    known = unpack_texts(prepared.extras["words"], prepared.extras["words_offsets"])
    part = prepared.tests[SENTENCES]

    def draw(place: int) -> None:
        text = [known[word] for word in part.x[place][part.mask[place]]]
        inside.words(study, task, place, text, str(prepared.extras["classes"][part.y[place]]))

    draw(0)
    with folded("the other sentences"):
        for place in range(1, len(part.y)):
            draw(place)
