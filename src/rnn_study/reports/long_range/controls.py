"""What needs a gradient through time: each cell beside itself without one."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.figures import FAINT, colour, legend, panels, show
from rnn_study.reports.elements.wording import digits, label, number
from rnn_study.reports.study import Study

Row = dict[str, Any]
CONTROLS = {"frozen": "frozen, a reservoir", "one-step": "gradient of one step"}


def _place(row: Row) -> str:
    """The task or problem of a row, and its length."""
    return label(row["task"]) if row["steps"] is None else f"{label(row['task'])}, T = {row['steps']}"


def _score(row: Row, value: float) -> str:
    return number(value, "accuracy") if row["score"] == "accuracy" else f"an {label('rmse')} of {digits(value)}"


def _lesson(rows: list[Row]) -> str:
    """Where most is learned without a gradient through time."""
    known = [row for row in rows if row["needed"]]
    if not known:
        return "No cell was told from chance, so nothing can be said of what needs a gradient through time."
    least = min(known, key=lambda row: row["needed"][0])
    most = max(known, key=lambda row: row["needed"][0])
    less = "" if least["score"] == "accuracy" else "; less is better"
    with_it, without = (_score(least, least[key]) for key in ("full", "control"))
    return (
        f"A score alone is no evidence of memory that was learned: on {_place(least)} the {label(least['cell'])} has "
        f"{with_it}, and {without} without any gradient through time ({CONTROLS[least['kind']]}{less}). On "
        f"{_place(most)} {100 * min(most['needed'][0], 1):.0f} % of what the {label(most['cell'])} learned needs one."
    )


def needed(study: Study) -> None:
    """The share of what each cell has learned that needs a gradient through time."""
    rows = study.long_range["controls"]
    if not rows:
        return

    def draw(narrow: bool) -> Figure:
        rows = study.long_range["controls"]
        places = list(dict.fromkeys(map(_place, rows)))
        cells = list(dict.fromkeys(row["cell"] for row in rows))
        figure, (line,) = panels(narrow, 1, len(CONTROLS), height=0.36 * len(places) + 0.9, sharey=True, sharex=True)
        for axes, (kind, title) in zip(line, CONTROLS.items(), strict=True):
            for c, cell in enumerate(cells):
                here = [row for row in rows if (row["kind"], row["cell"]) == (kind, cell) and row["needed"]]
                y = [places.index(_place(row)) + 0.2 * (c - (len(cells) - 1) / 2) for row in here]
                value, low, high = (100 * np.array([row["needed"] for row in here]).reshape(-1, 3)).T
                low, high = np.maximum(low, -50), np.minimum(high, 150)
                axes.hlines(y, low, high, color=colour(c), linewidth=1.3)
                axes.plot(np.clip(value, -50, 150), y, "o", color=colour(c), markersize=4, label=label(cell))
            axes.axvline(0, color=FAINT, linewidth=1)
            axes.axvline(100, color=FAINT, linewidth=1, linestyle=":")
            axes.set_yticks(range(len(places)), places)
            axes.set(ylim=(len(places) - 0.5, -0.5), xlabel="% of it that needs one", title=title)
        legend(figure, line[0], narrow)
        return figure

    alt = (
        "How much of what each cell learned needs a gradient through time: (its score - that of its control) / (its "
        "score - that of an answer that sees nothing), in per cent with 95 % intervals, a colour a cell. Left "
        "against recurrent layers that stay as they start, right against a gradient of the last step alone. 0: none "
        "of it; 100: all of it."
    )
    show(study, draw, lesson=_lesson(rows), alt=alt, source=study.controlled, task="controls", name="needed")


def control_table(study: Study) -> None:
    """Every control beside its cell."""
    rows = []
    for row in study.long_range["controls"]:
        score = row["score"]
        seeds = " and ".join(map(str, dict.fromkeys(row["seeds"])))
        share = "not told from chance"
        if row["needed"]:
            value, low, high = (100 * one for one in row["needed"])
            share = f"{value:.0f} % ({low:.0f} to {high:.0f})".replace("-", "−")
        scores = [number(row[key], score) for key in ("full", "control", "chance")]
        rows.append([f"{_place(row)}: {label(row['cell'])}, {CONTROLS[row['kind']]}", *scores, share, seeds])
    header = ["", "with it", "without", "sees nothing", "needs a gradient through time", "seeds"]
    caption = (
        "Test scores (accuracy, or RMSE) as means over seeds; the share with Fieller's 95 % interval over seeds. A "
        "control has its cell's settings, so a share is what these settings give. Elsewhere: on images pixel by "
        "pixel 96.55 % without a gradient through time and 98.30 % with it (Zucchet et al. 2026; tuned, three seeds)."
    )
    show_table(header, rows, caption)
