"""The tutorials' claims of gradients beside their verdicts."""

from collections.abc import Callable, Iterator
from typing import Any

from rnn_study.reports.display import show_table
from rnn_study.reports.study import Study
from rnn_study.reports.wording import label, p_value, sequence

from .plots import when

Row = dict[str, Any]


def _factor(row: Row) -> str:
    low, high = 10 ** row["low"], 10 ** row["high"]
    return f"×{10 ** row['value']:.3g} ({low:.3g} to {high:.3g})"


def _difference(unit: str, scale: float = 1.0) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        value, low, high = (scale * row[key] for key in ("value", "low", "high"))
        return f"{value:+.3g} {unit} ({low:.3g} to {high:.3g})"

    return text


# What the tutorials say, and how an estimate of it is written.
CLAIMS: dict[str, tuple[str, str, Callable[[Row], str]]] = {
    "vanishes": ("In a vanilla RNN the gradient vanishes with distance", "error, a step back", _factor),
    "keeps": (
        "LSTM and GRU (and other gated cells) keep the gradient that a vanilla RNN loses",
        "error kept a step, over the vanilla RNN's",
        _factor,
    ),
    "clipping": ("Clipping cures exploding gradients", "runs solved", _difference("points", 100)),
    "forget bias": ("A forget bias of 1 lengthens memory", "steps, bias 1 against 0", _difference("steps")),
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
        _difference("points", 100),
    ),
}
_VERDICTS = {
    "holds": "it holds",
    "opposite": "the opposite holds",
    "not shown": "no difference is shown",
    "censored": "the sequences are too short to tell",
    "too few seeds": "there are too few seeds for a claim",
}


def _where(row: Row, study: Study) -> str:
    names = [label(row["task"])]
    names += [when(row["stage"])] if "stage" in row else []
    sides = [study.variant(row["task"], row[side]) + _solved(row, side) for side in ("a", "b") if side in row]
    return f"{', '.join(names)}: {' against '.join(sides)}"


def _solved(row: Row, side: str) -> str:
    return " (solved {} of {})".format(*row[f"solved_{side}"]) if f"solved_{side}" in row else ""


def verdicts(study: Study) -> Iterator[str]:
    """Each claim in a sentence: where it holds, where the opposite does, where nothing was shown or nothing ran."""
    for claim, (text, _, write) in CLAIMS.items():
        rows = [row for row in study.gradients["claims"] if row["claim"] == claim]
        if not rows:
            yield f"“{text}”: not run in the {study.summary['study']} study."
            continue
        told = []
        for stage in dict.fromkeys(row.get("stage", "") for row in rows):
            counted = _counted([row["verdict"] for row in rows if row.get("stage", "") == stage])
            told.append(f"{when(stage)}, {counted}" if stage else counted)
        shown = [row for row in rows if row["verdict"] in ("holds", "opposite")] or rows
        clearest = min(shown, key=lambda row: row["p_adjusted"])
        example = f"{_where(clearest, study)}, {write(clearest)}, {clearest['n']} seeds"
        yield f"“{text}”: {'; '.join(told)}. The clearest case: {example}: {_VERDICTS[clearest['verdict']]}."


def _counted(verdicts: list[str]) -> str:
    """How often each verdict was given."""
    told = [f"{_VERDICTS[one]} in {verdicts.count(one)}" for one in _VERDICTS if one in verdicts]
    cases = "the one case" if len(verdicts) == 1 else f"{len(verdicts)} cases"
    return f"of {cases} {sequence(told)}"


def claims_table(study: Study) -> None:
    """Every case of every claim with its estimate, interval, seeds and verdict."""
    for claim, (text, unit, write) in CLAIMS.items():
        rows = [
            [
                _where(row, study),
                write(row),
                str(row["n"]),
                p_value(row["p_adjusted"]),
                _VERDICTS[row["verdict"]],
            ]
            for row in study.gradients["claims"]
            if row["claim"] == claim
        ]
        if rows:
            show_table(["", unit + " (95 % interval)", "seeds", "corrected", "verdict"], rows, f"“{text}”.")
