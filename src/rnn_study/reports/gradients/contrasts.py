"""The tutorials' claims of gradients beside what was found in every case: exploratory, with intervals."""

from collections.abc import Callable
from typing import Any

from rnn_study.reports.elements.display import show_table, show_text
from rnn_study.reports.elements.wording import label
from rnn_study.reports.study import Study

from .plots import when

Row = dict[str, Any]


def _factor(row: Row) -> str:
    low, high = 10 ** row["low"], 10 ** row["high"]
    return f"×{10 ** row['value']:.3g} ({low:.3g} to {high:.3g})"


def _difference(unit: str, scale: float = 1.0) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        value, low, high = (scale * row[key] for key in ("value", "low", "high"))
        return f"{value:+.3g}{unit} ({low:.3g} to {high:.3g})"

    return text


# What the tutorials say, and how an estimate of it is written.
CLAIMS: dict[str, tuple[str, str, Callable[[Row], str]]] = {
    "vanishes": (
        "The gradient vanishes with distance: less than 1 % of it arrives",
        "error at the first step, of that one step from the end",
        _factor,
    ),
    "keeps": (
        "LSTM and GRU (and other gated cells) keep the gradient that a vanilla RNN loses",
        "error kept a step, over the vanilla RNN's",
        _factor,
    ),
    "clipping": ("Clipping cures exploding gradients", "runs solved", _difference(" points", 100)),
    "forget bias": ("A forget bias of 1 lengthens memory", "steps, bias 1 against 0", _difference(" steps")),
    "converges": (
        "An LSTM (or another gated cell) converges faster than a vanilla RNN",
        "updates to a loss that both reach, or to a problem's goal, over the vanilla RNN's",
        _factor,
    ),
    "window": (
        "Truncated back-propagation cannot learn beyond its window",
        "RMSE beyond 0.289, that of not seeing the first number",
        _difference(""),
    ),
    "new subject": (
        "The forget gate drops the old subject at a new one",
        "memory kept at the new subject, against the other words",
        _difference(" points", 100),
    ),
}


_SHORT = " (sequences too short to tell)"


def _where(row: Row, study: Study) -> str:
    names = [label(row["task"])]
    names += [when(row["stage"])] if "stage" in row else []
    sides = [study.variant(row["task"], row[side]) + _solved(row, side) for side in ("a", "b") if side in row]
    return f"{', '.join(names)}: {' against '.join(sides)}"


def _solved(row: Row, side: str) -> str:
    if "reached" in row:
        return f" ({row['reached']['ab'.index(side)]} got there)"
    return " (solved {} of {})".format(*row[f"solved_{side}"]) if f"solved_{side}" in row else ""


def contrasts_table(study: Study) -> None:
    """Every case of every claim with its estimate, interval and seeds."""
    missing = []
    for claim, (text, unit, write) in CLAIMS.items():
        rows = [
            [
                _where(row, study),
                write(row) + _SHORT * row.get("censored", False),
                str(row["n"]),
            ]
            for row in study.gradients["contrasts"]
            if row["claim"] == claim
        ]
        if rows:
            caption = f"“{text}”: exploratory, not corrected; tasks {study.given}."
            show_table(["", unit + " (95 % interval)", "seeds"], rows, caption)
        else:
            missing.append(f"“{text}”")
    if missing:
        show_text(f"Not run in the {study.summary['study']} study: {'; '.join(missing)}.")
