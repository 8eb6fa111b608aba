"""What the report of sequence shapes shows and finds. Its diagrams are in `diagrams`, its figures in `plots`."""

from typing import Any

from rnn_study.reports.elements.display import show_lessons, show_list, show_origins, show_table, show_text
from rnn_study.reports.elements.wording import interval, label, number, sequence
from rnn_study.reports.study import Study

from .diagrams import diagram
from .plots import continued, map_of_words, spelled, unrolling
from .translation import arrives, attention, exact_by_width

__all__ = ["arrives", "attention", "continued", "diagram", "exact_by_width", "map_of_words", "spelled", "unrolling"]

Row = dict[str, Any]
_UNITS = {"accuracy": "", "rmse": "RMSE", "deviation": "largest deviation", "bits": "bits"}


_HEAD = (14, 24, 15, 25, 8)  # the systems whose answers head the page


def headline(study: Study) -> list[tuple[str, str]]:
    """What became of the claims about some systems."""
    return [_told(row) for system in _HEAD for row in _rows(study, system)]


def _told(row: Row) -> tuple[str, str]:
    """Verdict on a system; claim and figure."""
    seeds = f", {row['seeds']} seed{'s' * (row['seeds'] > 1)}" if row["seeds"] else ""
    note = f"; {row['note']}" if row["note"] else ""
    return f"{row['system']}: {row['verdict']}.", f"Claim: {row['claim']}. {figure(row)}{seeds}{note}."


def banner(study: Study) -> None:
    """What the systems ran on, before any figure."""
    show_origins(
        study.shapes["study"], (record for card in study.shape_cards.values() for record in card["provenance"])
    )


def figure(row: Row) -> str:
    """The figure of a system with its interval."""
    if row["value"] is None:
        return "—"
    unit = row["unit"]
    if unit == "deviation":
        return f"{row['value']:.1e}"
    shown = number(row["value"], unit) if unit in ("accuracy", "rmse", "bits", "updates") else f"{row['value']:.3g}"
    if row["interval"]:
        shown += f" ({interval(row['interval'], unit)})"
    name = _UNITS.get(unit, unit)
    return f"{shown} {name}".strip()


def _rows(study: Study, *numbers: int) -> list[Row]:
    return [row for row in study.shapes["systems"] if not numbers or row["number"] in numbers]


def show_claims(study: Study, *numbers: int) -> None:
    """What became of the claims about these systems, in their order."""
    show_lessons(map(_told, _rows(study, *numbers)))


def systems_table(study: Study) -> None:
    """Every system of the tutorials."""
    table = [
        [
            f"{row['number']}. {row['system']}",
            row["claim"],
            f"{row['verdict']}: {figure(row)}",
            row["note"] or "—",
        ]
        for row in _rows(study)
    ]
    header = ["system", "claim", "found (95 % interval)", "what to know of it"]
    caption = "The 25 systems: a verdict follows from its figure by one rule, and is exploratory"
    show_table(header, table, caption, prose=range(4))


def tutorials_table(study: Study) -> None:
    """What the tutorials' code does where their text says something else."""
    table = [[r["says"], r["does"], r["measured"], str(r["system"])] for r in study.shapes["tutorials"]]
    header = ["the text says", "the code does", "measured here", "system"]
    show_table(header, table, "What the tutorials' code really does", prose=range(3))


def scores_table(study: Study, *systems: str) -> None:
    """What every network of some systems scored, or of all, beside rules that fit little."""
    table = []
    for row in study.shapes["scores"]:
        if systems and row["system"] not in systems:
            continue
        part = "" if row["part"] == "test" else f", {label(row['part'])}"
        table.append(
            [
                label(row["system"]) + part,
                label(row["variant"]),
                label(row["backend"]),
                number(row["mean"], row["score"]),
                interval(row["interval"], row["score"]),
                str(row["seeds"]),
                f"{row['parameters']:,}",
            ]
        )
    for system, rules in study.shapes["found"]["baselines"].items():
        if not systems or system in systems:
            score = next(row["score"] for row in study.shapes["scores"] if row["system"] == system)
            table += [[label(system), rule, "—", number(value, score), "—", "—", "—"] for rule, value in rules.items()]
    caption = (
        "Scores on the test part: accuracy, of written answers exact match, or RMSE. Intervals draw seeds and examples "
        "anew; of one seed the examples alone"
    )
    show_table(["system", "network", "framework", "score", "95 % interval", "seeds", "weights"], table, caption)


def answers_table(study: Study, system: str) -> None:
    """Answers that a network wrote, right ones and wrong ones."""
    for row in study.shape_samples["answers"]:
        if row["system"] != system:
            continue
        joint = "" if system == "spelled" else " "
        table = [
            [
                " ".join(one["read"]) or f"image {one['place']}",
                joint.join(one["said"]),
                joint.join(one["expected"]),
                "right" if one["right"] else "wrong",
            ]
            for one in row["samples"]
        ]
        caption = (
            f"{label(row['variant'])}, first seed: {row['greedy']} of {row['examples']} answers right, "
            f"{row['beam']['right']} with a beam of {row['beam']['width']}; {row['ended']} found an end"
        )
        show_table(["read", "written", "expected", ""], table, caption)


def generated(study: Study) -> None:
    """What language models write, and what a symbol costs them."""
    for row in study.shapes["found"]["language"]:
        told, joint = row["written"], "" if row["written"]["unit"] == "characters" else " "
        unit = told["unit"].removesuffix("s")
        mean = sum(row["bits"]) / len(row["bits"])
        show_text(
            f"{label(row['variant'])}: {mean:.2f} bits a {unit}, a perplexity of {2**mean:.1f}; "
            f"{told['ngram']['order'] + 1}-grams need {told['ngram']['bits']:.2f}, single {told['unit']} "
            f"{told['unigram_bits']:.2f}. It began to write after “{joint.join(told['start'])}”."
        )
        samples = [f"temperature {one['temperature']:g}: {joint.join(one['text'])}" for one in told["samples"]]
        show_list("What it wrote", samples)


def roommate_table(study: Study) -> None:
    """How many of 60 courses were named rightly, by hand and trained."""
    rows = study.shapes["found"]["roommate"]
    table = [
        [
            row["version"],
            f"{row['by_hand']} of {row['courses']}",
            sequence([f"{label(b)} {', '.join(map(str, counts))}" for b, counts in row["trained"].items()] or ["—"]),
        ]
        for row in rows
    ]
    show_table(["version", "weights by hand", "trained, each seed"], table, "Courses named rightly, left alone")


def order_table(study: Study) -> None:
    """What shuffling the words of the test tweets costs each cell."""
    found = study.shapes["found"]
    table = [
        [
            label(row["cell"]),
            number(row["ordered"], "accuracy"),
            number(row["shuffled"], "accuracy"),
            f"{100 * row['lost']:.1f} points ({100 * row['interval'][0]:.1f} to {100 * row['interval'][1]:.1f})",
        ]
        for row in found["order"]
    ]
    alike = number(found["single_words"], "accuracy")
    table.append(["single words, TF-IDF", alike, alike, "0: it sees no order"])
    show_table(
        ["who reads", "in order", "shuffled", "lost"],
        table,
        f"Accuracy on the tweets' test part; {study.source('tweets')}",
    )


def neighbours_table(study: Study) -> None:
    """A word's nearest words before and after training."""
    for row in study.shapes["found"]["vectors"]:
        table = [[one["word"], ", ".join(one["before"]), ", ".join(one["after"])] for one in row["neighbours"]]
        before, after = (number(row["alike"][when], "accuracy") for when in ("before", "after"))
        caption = f"{label(row['system'])}: nearest words; {before} of them lean the word's way before, {after} after"
        show_table(["word", "before training", "after"], table, caption)


def not_run(study: Study) -> list[str]:
    """The systems that this study left out, and frameworks that trained less."""
    left = [row["system"] for row in _rows(study) if row["verdict"] == "not run in this study"]
    told = [f"Not run: {sequence(left)}"] if left else []
    missing = {row["system"] for row in study.shapes["scores"]} - {
        row["system"] for row in study.shapes["scores"] if row["backend"] == "tensorflow"
    }
    if missing:
        names = sequence(sorted(map(label, missing)))
        told.append(
            f"Trained in PyTorch alone, for the time it takes to compile them: {names}. The real study (rnn-study use "
            "real) trains each in both frameworks, on the tutorials' data, with more seeds"
        )
    return told
