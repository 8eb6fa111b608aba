"""Statistics to sentences. No sentence states more than its numbers: where there is no difference it says so."""

from collections.abc import Sequence
from typing import Any

from .stats import CLAIM_FROM
from .study import Study
from .wording import deviation, interval, label, number, p_value


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _sentence(clauses: list[str]) -> str:
    text = "; ".join(clauses)
    return text[0].upper() + text[1:]


def _scores(task: dict[str, Any], part: str, backend: str) -> str:
    score = task["score"]
    return _list(
        [
            f"{label(cell)} {number(run['iqm'][part], score)} ({interval(run['interval'][part], score)})"
            for cell, run in task["backends"][backend]["cells"].items()
        ]
    )


def _gap(task: dict[str, Any], row: dict[str, Any]) -> str:
    """The size of a mean difference with its interval, both counted in favour of the better side."""
    scale, unit = (100, "points") if task["score"] == "accuracy" else (1, task["unit"])
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


def results(study: Study, name: str) -> list[str]:
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
        sentences += baselines(study, name, part)
    return sentences + diverged(study, name)


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
                told.append(f"{words}: {_list(runs)}")
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


def parity(study: Study) -> list[str]:
    """Whether the frameworks compute the same, from the rows of metrics/parity.json and the short trainings."""
    return [_free_running(study), _by_habit(study), *_within_bounds(study.parity)]


def short_trainings(study: Study) -> str:
    """How the short trainings of the parity checks are made."""
    of = study.training_settings
    return (
        f"Each training is {of['updates']} updates of one layer of {of['units']} units on batches of {of['batch']}, "
        f"from the first {of['steps']} steps of a task's first {of['examples']} examples, by Adam with learning rate "
        f"{of['learning_rate']} and betas {' and '.join(map(str, of['betas']))}, the gradient's norm clipped at "
        f"{of['clip']}; the floor is that of {of['perturbed']} perturbed starts."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _named(keys: Sequence[tuple[str, str, str]]) -> str:
    return _list([f"{label(cell)} on {label(task)} in {dtype}" for task, cell, dtype in keys])


def _free_running(study: Study) -> str:
    ratios = {key: float((found["gap"] / found["floor"]).max()) for key, found in study.curves.items()}
    bound = next(row["bound"] for row in study.parity if row["check"] == "free-running gap")
    beyond = [key for key, ratio in ratios.items() if ratio >= bound]
    steps = len(next(iter(study.curves.values()))["gap"])
    if beyond:
        return (
            f"In {len(beyond)} of {len(ratios)} trainings of {steps} updates the frameworks part further than rounding "
            f"explains, beyond {bound:.0f} times the gap of one framework to itself: {_named(beyond)}."
        )
    return (
        f"The frameworks disagree no more than rounding disagrees with itself: in {_count(len(ratios), 'training')} of "
        f"{steps} updates, from equal weights and with equal formulas, their losses were never further apart than "
        f"{max(ratios.values()):.1f} times the gap that one framework opens to itself when one weight is moved by one "
        f"unit in the last place (bound: {bound:.0f} times)."
    )


def _by_habit(study: Study) -> str:
    """How far the losses are apart when each framework keeps its habits, cell by cell over the tasks."""
    told = []
    for cell in dict.fromkeys(cell for _, cell, _ in study.curves):
        found = [found for (_, other, _), found in study.curves.items() if other == cell]
        worst = max(float(one["habits"].max()) for one in found)
        floors = min(float((one["habits"] / one["floor"]).max()) for one in found)
        told.append(f"{label(cell)} {worst:.2g} (in every training {float(f'{floors:.0g}'):,.0f} floors or more)")
    return (
        "Left to its own habits (epsilon, clipping, the number of biases) each framework goes its own way from the "
        f"same weights; at worst the losses were apart by {_list(told)}."
    )


def _within_bounds(rows: Sequence[dict[str, Any]]) -> list[str]:
    """For each check and precision the worst deviation beside its bound; what is beyond it by name."""
    sentences = []
    for check, dtype in dict.fromkeys((row["check"], row["dtype"]) for row in rows):
        if check == "free-running gap":  # has a sentence of its own
            continue
        found = [row for row in rows if (row["check"], row["dtype"]) == (check, dtype)]
        beyond = [row for row in found if not row["deviation"] <= row["bound"]]
        worst = max(found, key=lambda row: row["deviation"] / row["bound"])
        size = deviation(worst["deviation"], check)
        text = f"{check.capitalize()}, {dtype}: {_count(len(found), 'check')}, the worst {size}, "
        if beyond:
            names = [f"{label(row['cell'])} in {label(row['framework'])} ({row['case']})" for row in beyond]
            sentences.append(f"{text}beyond the bound of {deviation(worst['bound'], check)}: {'; '.join(names)}.")
        else:
            sentences.append(f"{text}within the bound of {deviation(worst['bound'], check)}.")
    return sentences


def through_time(study: Study) -> list[str]:
    """Which formula of back-propagation through time gives the gradient."""
    found = study.worked["bptt"]["deviations"]
    return [
        f"The formula “{name}” gives the gradient, to rounding."
        if value < 1e-12
        else f"The formula “{name}” does not: it is off by {100 * value:.0f} % of the gradient's largest entry."
        for name, value in found.items()
    ]
