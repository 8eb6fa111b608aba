"""Sentences about scores, made from the statistics: cells, frameworks, baselines, equivalence."""

from typing import Any

from rnn_study.reports.study import Study
from rnn_study.reports.wording import interval, label, number, p_value, sequence
from rnn_study.statistics.stats import CLAIM_FROM


def scale_of(task: dict[str, Any]) -> tuple[float, str]:
    """What differences of the score are multiplied by to be written, and their unit."""
    return (100, "points") if task["score"] == "accuracy" else (1, task["unit"])


def _sentence(clauses: list[str]) -> str:
    text = "; ".join(clauses)
    return text[0].upper() + text[1:]


def _scores(task: dict[str, Any], part: str, backend: str) -> str:
    score = task["score"]
    return sequence(
        [
            f"{label(cell)} {number(run['iqm'][part], score)} ({interval(run['interval'][part], score)})"
            for cell, run in task["backends"][backend]["cells"].items()
        ]
    )


def _gap(task: dict[str, Any], row: dict[str, Any]) -> str:
    """The size of a mean difference with its interval, both counted in favour of the better side."""
    scale, unit = scale_of(task)
    low, high = sorted(abs(scale * bound) for bound in row["interval"])
    size, p = abs(scale * row["difference"]), p_value(row["p_adjusted"])
    return f"{size:.2f} {unit} on average ({low:.2f} to {high:.2f}, {p})"


def _compared(task: dict[str, Any], rows: list[dict[str, Any]], where: str, subject: str | None = None) -> str:
    """One sentence about comparisons made in one place; `subject` is the key that names each, if not its pair."""
    if all(row["better"] == "too few seeds" for row in rows):
        return f"{where}, no claim is made from {rows[0]['n']} seeds; it takes {CLAIM_FROM}."
    told, alike = [], []
    for row in rows:
        name = label(row[subject]) + ": " if subject else ""
        if row["better"] == "none":
            pair = label(row[subject]) if subject else f"{label(row['a'])} and {label(row['b'])}"
            alike.append(f"{pair} ({p_value(row['p_adjusted'])})")
        else:
            better, worse = (row["a"], row["b"]) if row["better"] == "a" else (row["b"], row["a"])
            told.append(f"{name}{label(better)} is better than {label(worse)} by {_gap(task, row)}")
    if alike:
        told.append(f"no difference detected {'for' if subject else 'between'} {'; '.join(alike)}")
    return f"{where}, {'; '.join(told)}."


def findings(study: Study, name: str) -> list[str]:
    """What the comparison of task `name` found, a list of sentences, test part by test part."""
    task = study.tasks[name]
    sentences = []
    for part in task["parts"]:
        for backend in task["backends"]:
            found = f"{label(task['score'])} of {_scores(task, part, backend)}"
            sentences.append(f"{label(part).capitalize()}, {label(backend)}: {found}.")
            rows = [r for r in task["between_cells"] if (r["part"], r["backend"]) == (part, backend)]
            if rows:
                sentences.append(_compared(task, rows, f"Between cells in {label(backend)}"))
        rows = [r for r in task["between_frameworks"] if r["part"] == part]
        if rows:
            sentences.append(_compared(task, rows, "Between the frameworks", subject="cell"))
            sentences.append(_equivalent(task, part))
        sentences += baselines(study, name, part)
    return sentences + diverged(study, name)


def _equivalent(task: dict[str, Any], part: str) -> str:
    """One sentence about the tests of equivalence of the frameworks on one part."""
    rows = [row for row in task["equivalence"] if row["part"] == part]
    scale, unit = scale_of(task)
    margin = f"{scale * rows[0]['margin']:g} {unit}"
    told = []
    for verdict, words in (
        ("equivalent", "shown for"),
        ("not shown", "not shown for"),
        ("too few seeds", "untested for"),
    ):
        cells = []
        for row in rows:
            if row["verdict"] == verdict:
                power = "" if verdict == "equivalent" else f", power {100 * row['power']:.0f} %"
                cells.append(f"{label(row['cell'])} ({p_value(row['p_adjusted'])}{power})")
        if cells:
            told.append(f"{words} {sequence(cells)}")
    smallest = task["smallest_claim"]
    if smallest is None:
        rule = "nothing is claimed between cells that the margin could be held against"
    elif rows[0]["margin"] <= smallest / 2:
        rule = "the margin is at most half of the smallest difference between cells that is claimed"
    else:
        rule = (
            f"the margin is wider than half of the smallest difference claimed, {scale * smallest:.2f} {unit}: too wide"
        )
    return f"Equivalence of the frameworks within ±{margin}: {'; '.join(told)}; {rule}."


def baselines(study: Study, name: str, part: str) -> list[str]:
    """For each baseline of task `name`, which cells beat it, lose to it, or cannot be told from it."""
    task = study.tasks[name]
    sentences = []
    for baseline, scores in task["baselines"].items():
        rows = [r for r in task["against_baselines"] if (r["part"], r["b"]) == (part, baseline)]
        told = []
        verdicts = {"a": "better than it", "b": "worse", "none": "no difference detected"}
        for better, words in (verdicts | {"too few seeds": "no claim, too few seeds"}).items():
            runs = [f"{label(r['a'])} ({label(r['backend'])})" for r in rows if r["better"] == better]
            if runs:
                told.append(f"{words}: {sequence(runs)}")
        value = number(scores[part], task["score"])
        sentences.append(f"Baseline “{baseline}” reaches {value} on the {label(part)}. {_sentence(told)}.")
    return sentences


def diverged(study: Study, name: str) -> list[str]:
    """A sentence for each cell of task `name` of which runs diverged; none where none did."""
    sentences = []
    for backend, found in study.tasks[name]["backends"].items():
        for cell, run in found["cells"].items():
            if any(run["diverged"]):
                sentences.append(
                    f"{label(cell)} in {label(backend)} diverged in {sum(run['diverged'])} of {len(run['seeds'])} "
                    "runs; these count with the weights of their best epoch before."
                )
    return sentences
