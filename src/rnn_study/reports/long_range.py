"""What the report of long-range dependency finds, in sentences. Its figures are in `frontier_plots`, its tables in
`frontier_tables`."""

from collections.abc import Iterator
from typing import Any

from .display import show_list, show_table
from .frontier_plots import (
    axis_name,
    generalisation,
    heat_map,
    memory,
    survival_curves,
    updates_by_length,
)
from .frontier_tables import IMAGES, bounds, comparison_table, frontier_table, pixel_table, power_table, reach
from .study import Study
from .wording import NAMES, label, number, origin, p_value, sequence

__all__ = [
    "comparison_table",
    "frontier_table",
    "generalisation",
    "heat_map",
    "memory",
    "pixel_table",
    "power_table",
    "survival_curves",
    "updates_by_length",
]

Row = dict[str, Any]

CLAIMS = {
    "courses": "A plain RNN cannot remember 60 courses, an LSTM can",
    "reach": "LSTM and GRU (and other gated cells) reach further back than a plain RNN",
    "remedy": "An identity-initialised ReLU, an orthogonal start, clipping (and what else was tried) help a plain RNN "
    "reach further back",
    "converges": "An LSTM converges faster than a plain RNN",
    "easier": "The GRU is easier to train than the LSTM",
}
_PROBLEMS = (
    "adding",
    "copy_memory",
    "temporal_order",
    "delayed_recall",
    "parity",
    "menu",
    "agreement",
    *IMAGES,
)


def _case(study: Study, row: Row) -> str:
    """A case of a claim: where, what against what, and the figures behind it."""
    problem = row["problem"]
    place = f"{label(problem)}, {axis_name(row['axis'])}"
    names = [study.contender(problem, row[side]) for side in ("a", "b") if side in row]
    if row["claim"] == "courses":
        told = _reached(study, problem, row["axis"], row["a"])
        if "solved" in row:
            share = f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %"
            told = f"{row['solved']} of {row['seeds']} runs solve {row['steps']} ({share})"
        return f"{names[0]}, {axis_name(row['axis'])}: {told}"
    if row["claim"] in ("reach", "remedy"):
        sides = [f"{name} {_reached(study, problem, row['axis'], row[s])}" for name, s in zip(names, "ab", strict=True)]
        return f"{place}: {' against '.join(sides)}"
    updates = " against ".join(f"{mean:,.0f}" for mean in row["updates"])
    return f"{place}, T = {row['steps']}: {' against '.join(names)}, {updates} updates, {p_value(row['p_adjusted'])}"


def _reached(study: Study, problem: str, axis: str, variant: str) -> str:
    (row,) = study.rows("frontiers", problem, axis=axis, variant=variant)
    return f"reaches {reach(row)} ({bounds(row)})"


def verdicts(study: Study) -> Iterator[str]:
    """Each claim in a sentence: what of it was confirmed, refuted, not shown, not run."""
    for claim, text in CLAIMS.items():
        rows = [row for row in study.long_range["claims"] if row["claim"] == claim]
        if not rows:
            yield f"“{text}”: not run in the {study.summary['study']} study."
            continue
        told = [row["verdict"] for row in rows]
        counted = sequence([f"{verdict} in {told.count(verdict)}" for verdict in dict.fromkeys(told)])
        cases = "the one case" if len(rows) == 1 else f"{len(rows)} cases"
        clear = [row for row in rows if row["verdict"] in ("confirmed", "refuted")]
        shown = "; ".join(f"{row['verdict']}: {_case(study, row)}" for row in _one_each(clear or rows))
        yield f"“{text}”: of {cases}, {counted}. {shown}."


def _one_each(rows: list[Row]) -> list[Row]:
    """The first case of each verdict in each problem, or of each side of the claim about courses."""
    return list(
        {
            (row["problem"], row["verdict"], row["a"] if row["claim"] == "courses" else ""): row for row in rows[::-1]
        }.values()
    )[::-1]


def claims_table(study: Study) -> None:
    """Every case of every claim with its verdict."""
    for claim, text in CLAIMS.items():
        rows = [row for row in study.long_range["claims"] if row["claim"] == claim]
        if rows:
            shown = [[_case(study, row), str(row["seeds"]), row["verdict"]] for row in rows]
            show_table(["", "seeds", "verdict"], shown, f"“{text}”.")


def banner(study: Study) -> None:
    """What the frontiers ran on, before any figure."""
    told = [
        f"{sequence([label(name) for name in study.walked if 'provenance' not in study.frontier(name)])}: generated"
    ]
    records = [record for name in study.walked for record in study.frontier(name).get("provenance", [])]
    told += list(
        dict.fromkeys(f"{origin(record)}. {record['note']}. Licence: {record['licence']}" for record in records)
    )
    show_list(f"This is the {study.summary['study']} study. What it ran on:", told)


def generalising(study: Study) -> list[str]:
    """The problems whose cells were tested beyond the lengths they trained on."""
    return [name for name in study.walked if study.rows("generalisation", name)]


def not_run(study: Study) -> list[str]:
    """The problems of the study that this run of it left out, and lengths that want a GPU."""
    missing = [label(name) for name in _PROBLEMS if name not in study.walked]
    told = [f"Not run in the {study.summary['study']} study: {sequence(missing)}."] if missing else []
    for problem in study.walked:
        found = study.frontier(problem)
        left = [steps for steps in found["lengths"] if steps not in found["tried"]]
        if left:
            told.append(f"{label(problem)}: T = {sequence([str(steps) for steps in left])} not run, for want of a GPU.")
    return told


def settings(study: Study, problem: str) -> str:
    """How the problem was trained, what chance reaches and what counts as solved."""
    found = study.frontier(problem)
    chance = found["chance"][str(found["lengths"][0])]["score"]
    better = "at least" if found["score"] == "accuracy" else "at most"
    unit = found["score"] if found["score"] == "accuracy" else NAMES["rmse"]
    digits = (
        (lambda value: number(value, "accuracy")) if found["score"] == "accuracy" else (lambda value: f"{value:.3g}")
    )
    few = found["seeds"] < study.long_range["seeds_for_a_claim"]
    return (
        f"{label(problem)}: {found['seeds']} seeds, {found['budget']:,} updates at most, batches of "
        f"{found['batch_size']}, learning rate {found['learning_rate']:g}, {label(found['framework'])}. Without a "
        f"memory the {unit} is {digits(chance)}; solved means {better} {digits(found['goal'])} on the validation part."
        + (" A description: too few seeds for a claim." if few else "")
    )


def frontiers_found(study: Study, problem: str) -> str:
    """How far each contender reaches."""
    told = []
    for axis in dict.fromkeys(row["axis"] for row in study.rows("frontiers", problem)):
        rows = study.rows("frontiers", problem, axis=axis)
        cells = [f"{study.contender(problem, row['variant'])} {reach(row)} ({bounds(row)})" for row in rows]
        told.append(f"at {axis_name(axis)}: {sequence(cells)}")
    return f"{label(problem)}: the length that half of the runs solve, with its interval, {'; '.join(told)}."


def memory_found(study: Study, problem: str) -> list[str]:
    """Whether the gradient of solved runs reaches further back."""
    told = []
    for row in study.rows("memories", problem):
        verdict = (
            "a longer one" if row["p_adjusted"] < 0.05 and row["probability"] > 0.5 else "no longer one that is shown"
        )
        if row["p_adjusted"] < 0.05 and row["probability"] < 0.5:
            verdict = "a shorter one"
        told.append(
            f"T = {row['steps']}: of {row['solved']} solved and {row['unsolved']} other runs, all cells together, the "
            f"solved have {verdict} (median {row['median_solved']:.0f} against {row['median_unsolved']:.0f} steps, "
            f"chance of a solved one's being longer {100 * row['probability']:.0f} %, {p_value(row['p_adjusted'])})."
        )
    return told


def generalised(study: Study, problem: str) -> list[str]:
    """The score of each cell at the trained length and the longest tested."""
    rows = study.rows("generalisation", problem)
    score = study.frontier(problem)["score"]
    told = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        near, *_, far = [row for row in rows if row["variant"] == variant]
        here, there = (f"{number(row['score'], score)} at T = {row['steps']}" for row in (near, far))
        told.append(
            f"{label(variant)}: {here}, {there} (medians of {near['seeds']} seeds, of which {near['solved']} solved "
            "what they trained on)."
        )
    return told
