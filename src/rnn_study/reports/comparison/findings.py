"""Sentences about scores, made from the statistics: cells, frameworks, baselines, equivalence.

All of it is exploratory: estimates with intervals. Verdicts stand on the study's questions, in `reports/verdicts.py`.
"""

from typing import Any

from rnn_study.reports.elements.wording import decimals, interval, label, number, p_value, scale_of, sequence
from rnn_study.reports.study import Study

Row = dict[str, Any]


def gap(task: Row, row: Row) -> str:
    """A difference with its interval."""
    scale, unit = scale_of(task)
    found, low, high = (scale * bound for bound in (row["difference"], *row["interval"]))
    places = 2 if unit == "points" else decimals(low, high)
    return f"{found:+z.{places}f} {unit} ({low:+z.{places}f} to {high:+z.{places}f})"


def _scores(task: Row, part: str) -> str:
    return sequence(
        [
            f"{label(cell)} {number(found[part]['mean'], task['score'])} "
            f"({interval(found[part]['interval'], task['score'])})"
            for cell, found in task["cells"].items()
        ]
    )


def findings(study: Study, name: str) -> list[str]:
    """What the comparison of task `name` found, a list of sentences, test part by test part."""
    task = study.tasks[name]
    sentences = []
    for part in task["parts"]:
        frameworks = sequence([label(backend) for backend in task["backends"]])
        sentences.append(
            f"{label(part).capitalize()}: {label(task['score'])} of {_scores(task, part)}, the mean over seeds and "
            f"over {frameworks}."
        )
        rows = [row for row in task["between_cells"] if row["part"] == part]
        if rows:
            told = [f"{label(row['a'])} less {label(row['b'])} {gap(task, row)}" for row in rows]
            sentences.append(f"Between cells: {'; '.join(told)}.")
        sentences += baselines(study, name, part)
        rows = [row for row in task["between_frameworks"] if row["part"] == part]
        if rows:
            told = [f"{label(row['cell'])} {gap(task, row)}" for row in rows]
            sentences.append(f"{label(rows[0]['a'])} less {label(rows[0]['b'])}: {'; '.join(told)}.")
            sentences.append(_equivalent(task, part))
    return sentences + diverged(study, name)


def _equivalent(task: Row, part: str) -> str:
    """One sentence about the tests of equivalence of the frameworks on one part."""
    rows = [row for row in task["equivalence"] if row["part"] == part]
    scale, unit = scale_of(task)
    told = []
    for verdict, words in (
        ("equivalent", "shown for"),
        ("not shown", "not shown for"),
        ("too few seeds", "untested for"),
    ):
        tested = verdict != "too few seeds"
        cells = [
            label(row["cell"]) + (f" ({p_value(row['p'])})" if tested else "")
            for row in rows
            if row["verdict"] == verdict
        ]
        if cells:
            told.append(f"{words} {sequence(cells)}")
    return f"Equivalence of the frameworks within ±{scale * rows[0]['margin']:g} {unit}: {'; '.join(told)}."


def baselines(study: Study, name: str, part: str) -> list[str]:
    """How far the cells of task `name` are from each baseline."""
    task = study.tasks[name]
    sentences = []
    for baseline, scores in task["baselines"].items():
        rows = [r for r in task["against_baselines"] if (r["part"], r["b"]) == (part, baseline)]
        told = "; ".join(f"{label(row['a'])} {gap(task, row)}" for row in rows)
        sentences.append(f"Baseline “{baseline}” reaches {number(scores[part], task['score'])}; from there {told}.")
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
