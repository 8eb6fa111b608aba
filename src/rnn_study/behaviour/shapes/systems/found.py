"""What is found of a system, and the rules that several systems share."""

from typing import NamedTuple

from rnn_study.behaviour.naming import changed
from rnn_study.behaviour.shapes.evidence import Evidence, Row
from rnn_study.model.cells import CELLS

NOT_RUN = "not run in this study"


class Found(NamedTuple):
    """One figure: its value, interval and unit (accuracy, rmse, or what it counts), in how many seeds, what it says,
    and a note that a reader needs."""

    verdict: str
    value: float | None = None
    interval: list[float] | None = None
    unit: str = ""
    seeds: int | None = None
    note: str = ""


def named(variant: str) -> str:
    """A cell, or a change of it, as one reads it: lstm-forget-0 is LSTM (forget bias 0)."""
    cell, _, change = variant.partition("-")
    return changed(cell, change) if change else CELLS[cell].label


def error(value: float) -> str:
    """An error in the unit of its series."""
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"


def images(evidence: Evidence) -> str:
    """What the images are called."""
    return evidence.tasks["mnist_rows"]["card"]["provenance"][0]["title"].partition(",")[0]


def scored(row: Row, verdict: str, note: str = "") -> Found:
    return Found(verdict, row["mean"], row["interval"], row["score"], row["seeds"], note)


def difference(a: Row, b: Row, holds: str, otherwise: str) -> str:
    """`holds` where a's interval lies above b's, `otherwise` where below, else that nothing is shown."""
    if a["interval"][0] > b["interval"][1]:
        return holds
    return otherwise if a["interval"][1] < b["interval"][0] else "no difference shown"


def question(evidence: Evidence, name: str) -> Found:
    """One of the study's questions."""
    row = evidence.verdicts.get(name)
    if row is None:
        return Found(NOT_RUN)
    return Found(row["verdict"], row["value"], [row["low"], row["high"]], row["unit"], row["seeds"], row["claim"])
