"""What the report of long-range dependency finds, in sentences. Its figures are in `plots`, its tables in
`tables`."""

from typing import Any

from rnn_study.reports.elements.display import show_list, show_text
from rnn_study.reports.elements.wording import NAMES, label, number, origin, sequence
from rnn_study.reports.study import Study

from .controls import control_table, needed
from .plots import generalisation, heat_map, memory, survival_curves, updates_by_length
from .rates import best_rates, rate_map, rated
from .start import foretold, sensitivity, started
from .tables import comparison_table, frontier_table, pixel_table

__all__ = [
    "best_rates",
    "comparison_table",
    "control_table",
    "foretold",
    "frontier_table",
    "generalisation",
    "heat_map",
    "memory",
    "needed",
    "pixel_table",
    "rate_map",
    "rated",
    "sensitivity",
    "started",
    "survival_curves",
    "updates_by_length",
]

Row = dict[str, Any]


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
    solved = [
        row for row in study.rows("successes", problem) if row.get("solved") and row["axis"] in ("budget", "width")
    ]
    held, all_solved = (sum(row[key] for row in solved) for key in ("held", "solved"))
    better = "at least" if found["score"] == "accuracy" else "at most"
    unit = found["score"] if found["score"] == "accuracy" else NAMES["rmse"]
    digits = (
        (lambda value: number(value, "accuracy")) if found["score"] == "accuracy" else (lambda value: f"{value:.3g}")
    )
    return (
        f"{label(problem)}: {found['seeds']} seeds, {found['budget']:,} updates at most, batches of "
        f"{found['batch_size']}, learning rate {found['learning_rate']:g}, {label(found['framework'])}. The best "
        f"answer that sees nothing of the sequence has an {unit} of {digits(chance)}; solved means {better} "
        f"{digits(found['goal'])} on the validation part; {held} of {all_solved} solved runs hold it on the test part."
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
