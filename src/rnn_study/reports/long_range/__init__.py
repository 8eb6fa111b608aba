"""What the report of long-range dependency finds, in sentences. Its figures are in `frontier_plots`, its tables in
`frontier_tables`."""

from collections.abc import Iterator
from typing import Any

from rnn_study.reports.display import show_list, show_table, show_text
from rnn_study.reports.study import Study
from rnn_study.reports.wording import NAMES, label, number, origin, p_value, sequence

from .plots import axis_name, generalisation, heat_map, memory, survival_curves, updates_by_length
from .tables import bounds, comparison_table, frontier_table, pixel_table, power_table, reach

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
    "irnn": "An identity-initialised ReLU lets a plain RNN reach further back",
    "orthogonal": "An orthogonal start lets a plain RNN reach further back",
    "clipping": "Clipping lets a plain RNN reach further back",
    "converges": "An LSTM converges faster than a plain RNN",
    "easier": "The GRU is easier to train than the LSTM",
}
_COURSES, _TIMES = ("courses",), ("converges", "easier")  # claims of a share, and of updates; the others of a reach


def _case(study: Study, row: Row) -> str:
    """A case of a claim: where, what against what, and the figures behind it."""
    problem, names = row["problem"], [study.contender(row["problem"], row[side]) for side in ("a", "b") if side in row]
    place = f"{label(problem)}, {axis_name(row['axis'])}"
    if row["claim"] in _COURSES:
        told = f"reaches {_reached(study, problem, row['axis'], row['a'])}"
        if "solved" in row:
            share = f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %"
            told = f"{row['solved']} of {row['seeds']} runs solve {row['steps']} courses ({share})"
        return f"{names[0]}, {axis_name(row['axis'])}: {told} within {row['budget']:,} updates"
    if row["claim"] in _TIMES:
        gap = f"{row['difference']:+,.0f} updates ({row['low']:,.0f} to {row['high']:,.0f})"
        return f"{place}, T = {row['steps']}: {' against '.join(names)} {gap}, {p_value(row['p_adjusted'])}"
    sides = [f"{name} {_reached(study, problem, row['axis'], row[s])}" for name, s in zip(names, "ab", strict=True)]
    return f"{place}: {' against '.join(sides)}, {p_value(row['p_adjusted'])}"


def _reached(study: Study, problem: str, axis: str, variant: str) -> str:
    (row,) = study.rows("frontiers", problem, axis=axis, variant=variant)
    interval = bounds(row, study.long_range["seeds_for_a_claim"])
    return reach(row) + (f" ({interval})" if interval else "")


_COUNTED = {
    "confirmed": "confirmed in {}",
    "refuted": "refuted in {}",
    "not shown": "not shown in {}",
    "too few seeds": "in {} only described, with too few seeds for a claim",
    "not run": "not run in {}",
}


def verdicts(study: Study) -> Iterator[str]:
    """Each claim in a sentence: what of it was confirmed, refuted, not shown, not run."""
    for claim, text in CLAIMS.items():
        rows = [row for row in study.long_range["claims"] if row["claim"] == claim]
        if not rows:
            yield f"“{text}”: not run in the {study.summary['study']} study."
            continue
        told = [row["verdict"] for row in rows]
        counted = sequence([words.format(told.count(one)) for one, words in _COUNTED.items() if one in told])
        cases = "the one case" if len(rows) == 1 else f"{len(rows)} cases"
        clear = [row for row in rows if row["verdict"] in ("confirmed", "refuted")]
        shown = "; ".join(f"{_case(study, row)}: {row['verdict']}" for row in _one_each(clear or rows))
        yield f"“{text}”: of {cases}, {counted}. {shown}."


def _one_each(rows: list[Row]) -> list[Row]:
    """The first case of each verdict in each problem; of the claim about courses, of each cell."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        cell = row["a"] if row["claim"] in _COURSES else ""
        found.setdefault((row["problem"], row["verdict"], cell), row)
    return list(found.values())


def claims_table(study: Study) -> None:
    """Every case of every claim with its verdict."""
    for claim, text in CLAIMS.items():
        rows = [row for row in study.long_range["claims"] if row["claim"] == claim]
        if rows:
            shown = [[_case(study, row), str(row["seeds"]), row["verdict"]] for row in rows]
            show_table(["", "seeds", "verdict"], shown, f"“{text}”.")


def banner(study: Study) -> None:
    """What the frontiers ran on, before any figure."""
    drawn = [label(name) for name in study.walked if "provenance" not in study.frontier(name)]
    records = [record for name in study.walked for record in study.frontier(name).get("provenance", [])]
    told = [f"{origin(record)}. {record['note']}. Licence: {record['licence']}" for record in records]
    title = f"This is the {study.summary['study']} study. What it ran on:"
    show_list(title, [f"{sequence(drawn)}: generated", *dict.fromkeys(told)])


def generalising(study: Study) -> list[str]:
    """The problems whose cells were tested beyond the lengths they trained on."""
    return [name for name in study.walked if study.rows("generalisation", name)]


def show_permutations(study: Study) -> None:
    """In which order permuted pixels come, where images were read so."""
    for problem in study.walked:
        for steps, order in study.frontier(problem).get("order", {}).items():
            first = ", ".join(map(str, order[:8]))
            show_text(
                f"{label(problem)}, T = {steps}: pixels come in the order {first}, …; all of it stands in "
                f"metrics/frontier/{problem}.json."
            )


def not_run(study: Study) -> list[str]:
    """The problems of the study that this run of it left out, and lengths that want a GPU."""
    missing = [label(name) for name in study.long_range["left_out"]]
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
    solved = [row for row in study.rows("successes", problem) if row.get("solved")]
    held, all_solved = (sum(row[key] for row in solved) for key in ("held", "solved"))
    better = "at least" if found["score"] == "accuracy" else "at most"
    unit = found["score"] if found["score"] == "accuracy" else NAMES["rmse"]
    digits = (
        (lambda value: number(value, "accuracy")) if found["score"] == "accuracy" else (lambda value: f"{value:.3g}")
    )
    few = found["seeds"] < study.long_range["seeds_for_a_claim"]
    return (
        f"{label(problem)}: {found['seeds']} seeds, {found['budget']:,} updates at most, batches of "
        f"{found['batch_size']}, learning rate {found['learning_rate']:g}, {label(found['framework'])}. The best "
        f"answer that sees nothing of the sequence has an {unit} of {digits(chance)}; solved means {better} "
        f"{digits(found['goal'])} on the validation part; {held} of {all_solved} solved runs hold it on the test part."
        + (" A description: too few seeds for a claim." if few else "")
        + "".join(f" {study.contender(problem, name)}: {_change(one)}." for name, one in found["ablations"].items())
    )


def _change(ablation: Row) -> str:
    """What an ablation changes."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in ablation["change"].items())


def memory_found(study: Study, problem: str) -> list[str]:
    """How far back the gradient of solved runs reaches, and that of the others: a description."""
    told = []
    for row in study.rows("memories", problem):
        columns = zip(("solved", "other"), row["medians"], row["runs"], row["capped"], strict=True)
        sides = [
            f"{'at least ' * (middle >= row['most'])}{middle:.0f} steps in {runs} {name} runs ({cut} reach the start)"
            for name, middle, runs, cut in columns
        ]
        told.append(
            f"{label(problem)}, T = {row['steps']}: median memory {' and '.join(sides)}; a solved run's is the longer "
            f"of two with probability {row['probability']:.2f}."
        )
    return told or [f"{label(problem)}: at no length were some runs solved and some not."]


def generalised(study: Study, problem: str) -> list[str]:
    """The score of each cell at the trained length and the longest tested."""
    rows, about = study.rows("generalisation", problem), study.frontier(problem)
    score, chance, told = about["score"], about["chance"][str(about["lengths"][0])]["score"], []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        near, *_, far = [row for row in rows if row["variant"] == variant]
        here, there = (f"{number(row['score'], score)} at T = {row['steps']}" for row in (near, far))
        told.append(
            f"{label(problem)}, {label(variant)}: {here}, {there} (medians of {near['seeds']} seeds, of which "
            f"{near['solved']} solved what they trained on); who sees nothing has {number(chance, score)}."
        )
    return told
