"""The study's questions and what was answered, in sentences: the lesson, then the number, then how sure."""

from collections.abc import Iterator
from typing import Any

from rnn_study.statistics.verdict import ALPHA, DECIDES, POWER

from .elements import display
from .elements.display import show_list, show_table
from .elements.wording import decimals, label, p_value
from .study import Study

Row = dict[str, Any]
HEADLINE = 0.1  # chance that fresh seeds would say otherwise, below which an answer may head a page
_UNITS = {"accuracy": " points", "powers of ten": " of the error", "lengths": " more lengths solved"}
_DIGITS = {"speed": 0, "reach": 1}
WORDS = {
    "holds": "It holds",
    "opposite": "The opposite holds",
    "no difference that matters": "There is no difference that matters",
    "open": "Open",
}


def _number(row: Row, value: float, sign: str = "+") -> str:
    """A figure of a question in its unit."""
    if row["measure"] == "arrives":
        return f"{100 * row['share'] * 10**value:.3g} %"
    if row["unit"] == "accuracy":
        value, digits = 100 * value, 1
    else:
        digits = _DIGITS.get(row["measure"], decimals(row["low"], row["high"]))
    return f"{value:{sign}z,.{digits}f}".replace("-", "−")


def _unit(row: Row) -> str:
    return _UNITS.get(row["unit"], f" {row['unit']}")


def estimate(row: Row) -> str:
    """a - b with its 95 % interval."""
    bounds = " to ".join(_number(row, row[key]) for key in ("low", "high"))
    alike = row["low"] == row["high"]
    return f"{_number(row, row['value'])}{_unit(row)} ({'all seeds alike' if alike else bounds})"


def smallest(row: Row) -> str:
    """The smallest difference that matters."""
    if row["measure"] == "arrives":
        return f"×{10 ** row['smallest']:.2g} of {100 * row['share']:g} %"
    return _number(row, row["smallest"], "") + _unit(row)


def chance(share: float) -> str:
    """A chance in per cent, never as 0 or 100."""
    return "< 1 %" if share < 0.01 else "> 99 %" if share > 0.99 else f"{100 * share:.0f} %"


def _where(row: Row) -> str:
    return label(row["of"]) + (f", {label(row['part'])}" if row.get("part", "test") != "test" else "")


def sentence(row: Row) -> str:
    """One answer: what holds, how much, how sure."""
    told = f"“{row['claim']}”, {_where(row)}: {WORDS[row['verdict']].lower()}, {estimate(row)}, {row['seeds']} seeds"
    why = f"; a verdict takes {DECIDES}" if row["seeds"] < DECIDES else ""
    return f"{told}{why}; fresh seeds would say otherwise with a chance of {chance(row['otherwise'])}."


def headline(row: Row, generated: bool = False) -> tuple[str, str]:
    """One answer for the head of a page: what holds; then how much, and how sure."""
    claim = row["claim"]
    if claim.split()[0] in ("A", "An", "Over"):
        claim = claim[0].lower() + claim[1:]
    lesson = f"{WORDS[row['verdict']]}: {claim}."
    if row["verdict"] == "no difference that matters":
        lesson = f"Asked whether {claim}: no difference that matters, which is {smallest(row)}."
    sure = f"{row['seeds']} seeds; chance that a repeat with new seeds says otherwise {chance(row['otherwise'])}"
    return lesson, f"{_where(row)}{' (generated)' * generated}: {estimate(row)}, {sure}."


def show_headline(study: Study, *about: str) -> None:
    """The answers, those first that a rerun is likely to give again; which, see `rows`."""
    found = sorted(rows(study, *about), key=lambda row: not _settled(row))
    display.show_headline(headline(row, study.is_generated(row["of"])) for row in found)


def _settled(row: Row) -> bool:
    return row["verdict"] != "open" and row["otherwise"] < HEADLINE


def rows(study: Study, *about: str) -> list[Row]:
    """The questions about these tasks or problems, or of these measures; all of them where none is named."""
    return [row for row in study.verdicts if not about or row["of"] in about or row["measure"] in about]


def headlines(found: list[Row]) -> Iterator[str]:
    """The answers that a rerun is likely to give again."""
    for row in found:
        if _settled(row):
            yield sentence(row)


def unsettled(found: list[Row]) -> Iterator[str]:
    """The answers that a rerun may not give again, and the questions without one."""
    for row in found:
        if not _settled(row):
            yield sentence(row)


def show_answers(study: Study, *about: str) -> None:
    """What was asked beforehand, and what was answered; which, see `rows`."""
    found = rows(study, *about)
    for title, lines in (("Answered", list(headlines(found))), ("Not settled", list(unsettled(found)))):
        if lines:
            show_list(title, lines)


def show_questions(study: Study, *about: str) -> None:
    """How the answers came about; which, see `rows`."""
    table = [
        [
            row["claim"],
            row["verdict"],
            estimate(row),
            smallest(row),
            p_value(row["p_adjusted"]),
            chance(row["otherwise"]),
            str(row["seeds"]),
            chance(row["power"]),
            "the test part is too small" if row["needs"] is None else str(row["needs"]),
        ]
        for row in rows(study, *about)
    ]
    header = ["question", "verdict", "difference (95 % interval)", "smallest that matters", "p, corrected"]
    header += ["chance of another verdict", "seeds", "power", "seeds needed"]
    caption = (
        f"The questions that params.yaml declares, corrected for their number (Holm); a verdict takes p < {ALPHA} and "
        f"{DECIDES} seeds. Power: the chance to find the smallest difference that matters with these seeds; needed: "
        f"seeds for a power of {100 * POWER:.0f} %. Scores: {study.given}."
    )
    show_table(header, table, caption)
