"""Statistics to sentences. No sentence states more than its numbers: where there is no difference it says so."""

from typing import Any

from .stats import CLAIM_FROM
from .study import Study
from .wording import label, number


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _scores(task: dict[str, Any], part: str, backend: str) -> str:
    cells = task["backends"][backend]["cells"]
    return _list([f"{label(cell)} {number(run['iqm'][part], task['score'])}" for cell, run in cells.items()])


def _between(task: dict[str, Any], rows: list[dict[str, Any]], where: str) -> str:
    """One sentence about one family of comparisons in one place."""
    if all(row["better"] == "too few seeds" for row in rows):
        return f"{where}, differences are described without a claim: {rows[0]['n']} seeds, a claim takes {CLAIM_FROM}."
    told = []
    for row in rows:
        if row["better"] in ("a", "b"):
            better, worse = (row["a"], row["b"]) if row["better"] == "a" else (row["b"], row["a"])
            size = abs(row["difference"])
            gap = f"{100 * size:.1f} points" if task["score"] == "accuracy" else f"{size:.2f} {task['unit']}"
            told.append(f"{label(better)} is better than {label(worse)} by {gap} (p = {row['p_adjusted']:.3f})")
        else:
            pair = f"{label(row['a'])} and {label(row['b'])}"
            told.append(f"no difference detected between {pair} (p = {row['p_adjusted']:.2f})")
    return f"{where}, {'; '.join(told)}."


def results(study: Study, name: str) -> list[str]:
    """What the comparison of task `name` found, a list of sentences, test part by test part."""
    task = study.tasks[name]
    sentences = []
    for part in task["parts"]:
        for backend in task["backends"]:
            sentences.append(
                f"{label(part).capitalize()}, {label(backend)}: {task['score']} {_scores(task, part, backend)}."
            )
            rows = [r for r in task["between_cells"] if (r["part"], r["backend"]) == (part, backend)]
            if rows:
                sentences.append(_between(task, rows, f"Between cells in {label(backend)}"))
        for cell in dict.fromkeys(row["cell"] for row in task["between_frameworks"]):
            rows = [r for r in task["between_frameworks"] if (r["part"], r["cell"]) == (part, cell)]
            sentences.append(_between(task, rows, f"Between frameworks, {label(cell)}"))
        sentences += baselines(study, name, part)
    return sentences


def baselines(study: Study, name: str, part: str) -> list[str]:
    """For each baseline of task `name`, which cells beat it, lose to it, or cannot be told from it."""
    task = study.tasks[name]
    sentences = []
    for baseline, scores in task["baselines"].items():
        rows = [r for r in task["against_baselines"] if (r["part"], r["baseline"]) == (part, baseline)]
        told = []
        for verdict, words in {"beats": "better than it", "loses": "worse", "none": "not told apart"}.items():
            runs = [f"{label(r['cell'])} ({label(r['backend'])})" for r in rows if r["verdict"] == verdict]
            if runs:
                told.append(f"{words}: {_list(runs)}")
        value = number(scores[part], task["score"])
        sentences.append(
            f"Baseline “{baseline}” reaches {value} on the {label(part)}. By the 95 % intervals, {'; '.join(told)}."
        )
    return sentences
