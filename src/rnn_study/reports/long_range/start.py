"""Does the start foretell the end? Gradients before training, and how steeply units answer to their own weights."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.behaviour.diagnostics.sensitivity import linear_unit
from rnn_study.reports.elements.display import show_text
from rnn_study.reports.elements.figures import FAINT, INK, colour, legend, panels, show
from rnn_study.reports.elements.wording import label, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics import crossed
from rnn_study.statistics.crossed import Estimate

Row = dict[str, Any]
MEASURES = {"memory": "gradient memory", "exponent": "largest Lyapunov exponent", "condition": "condition number"}
SHOWN = "adding"  # the problem whose networks' sensitivity is drawn


def _told(study: Study) -> list[Row]:
    return [row for row in study.long_range["foretold"] if row["auc"] is not None]


def _lesson(rows: list[Row]) -> str:
    sure = [row for row in rows if row["low"] > 0.5]
    best = max(rows, key=lambda row: row["auc"])
    what = f"{MEASURES[best['measure']]} of the {label(best['cell'])} ({label(best['problem'])})"
    if not sure:
        return (
            "What gradients are before training is not shown to foretell which runs will solve their problem; the "
            f"best guess, by the {what}, tells {100 * best['auc']:.0f} of 100 pairs apart, and half are right by "
            "chance."
        )
    return (
        f"What gradients are before training foretells something: by the {what}, of a run that will solve its problem "
        f"and one that will not, {100 * best['auc']:.0f} of 100 pairs are told apart, where half are right by chance. "
        f"Of {len(rows)} measures of a cell the interval of {len(sure)} lies above chance, not corrected for their "
        "number."
    )


def foretold(study: Study) -> None:
    """How well each measure before training foretells which runs will solve their problem."""
    rows = _told(study)
    if not rows:
        return show_text(
            "Nothing can be foretold here: no cell has runs, alike in length and learning rate, of which some solved "
            "their problem and some did not, in either half of its seeds. The real study sweeps the gain of the "
            "recurrent kernel for it."
        )

    def draw(narrow: bool) -> Figure:
        rows = _told(study)
        places = list(dict.fromkeys((row["problem"], row["cell"]) for row in rows))
        figure, (line,) = panels(narrow, 1, len(MEASURES), height=0.32 * len(places) + 0.9, sharey=True, sharex=True)
        for axes, (measure, title) in zip(line, MEASURES.items(), strict=True):
            for row in rows:
                if row["measure"] == measure:
                    y = places.index((row["problem"], row["cell"]))
                    axes.hlines(y, row["low"], row["high"], color=colour(0), linewidth=1.3)
                    axes.plot(row["auc"], y, "o" if row["larger"] else "v", color=colour(0), markersize=5)
            axes.axvline(0.5, color=FAINT, linewidth=1)
            names = [f"{label(problem)}: {label(cell)}" for problem, cell in places]
            axes.set_yticks(range(len(places)), [name.replace(": ", ":\n") if narrow else name for name in names])
            axes.set(xlim=(0, 1), ylim=(len(places) - 0.5, -0.5), xlabel="AUC", title=title)
        return figure

    alt = (
        "The chance that a measure of the untrained network tells a run that will solve its problem from one of the "
        "same length and learning rate that will not (AUC; the line: 0.5, nothing is told), with its 95 % interval "
        "over seeds. Its direction is fitted on half of the seeds and judged on the other; a dot: larger foretells "
        "success, a triangle: smaller does."
    )
    show(study, draw, lesson=_lesson(rows), alt=alt, source="data: generated", task="start", name="foretold")


def started(study: Study) -> list[str]:
    """Is it enough that gradients do not vanish? How many runs solved their problem whose gradient reached the first
    step before training, and of the others."""
    rows = [row for row in study.long_range["reaching"] if row["reached"]]
    runs, solved = (sum(row[key] for row in rows) for key in ("runs", "solved"))
    told = ["Before training no gradient reached the first step."]
    if runs:
        told = [f"All {runs} runs whose gradient reached the first step before training solved their problem."]
    if solved < runs:
        told = [
            f"Gradients that reach the first step before training are not enough: {runs - solved} of {runs} runs that "
            "had them did not solve their problem."
        ]
    for problem in study.walked:
        sides = {}
        for row in study.rows("reaching", problem):
            sides.setdefault(row["cell"], {})[row["reached"]] = row
        for cell, found in sides.items():
            said = [
                f"{row['solved']} of {row['runs']} ({100 * row['low']:.0f} to {100 * row['high']:.0f} %) where it "
                + ("reached the first step" if reached else "did not")
                for reached, row in sorted(found.items(), reverse=True)
            ]
            told.append(f"{label(problem)}, {label(cell)}: solved {sequence(said)}.")
    return told


def _together(study: Study, cell: str) -> Estimate:
    """Spearman's rank correlation over the units of a trained network, of what they keep and how steeply they
    answer."""
    figures = study.profiles(SHOWN)[cell][TRAINED]
    pairs = zip(figures["factor"], figures["sensitivity"], strict=True)
    return crossed.over_seeds([stats.spearmanr(*pair, nan_policy="omit").statistic for pair in pairs]).interval()


def sensitivity(study: Study) -> None:
    """How strongly each unit's state answers to its own weights, against how long it remembers."""
    cells = [cell for cell in study.cells(SHOWN) if "sensitivity" in study.profiles(SHOWN)[cell].get(TRAINED, {})]
    if not cells:
        return

    def points(cell: str, stage: str) -> tuple[np.ndarray, np.ndarray]:
        """Of every unit and seed its factor, and log10 of its sensitivity."""
        found = study.profiles(SHOWN)[cell][stage]
        real = ~np.isnan(found["factor"])  # units that a narrower network has not
        return found["factor"][real].astype(float), found["sensitivity"][real].astype(float)

    def draw(narrow: bool) -> Figure:
        figure, (line,) = panels(narrow, 1, 2, height=2.9, sharex=True, sharey=True)
        curve = np.linspace(0.05, 0.995, 200)
        for axes, (stage, title) in zip(line, ((INITIAL, "before training"), (TRAINED, "trained")), strict=True):
            for place, cell in enumerate(cells):
                factor, size = points(cell, stage)
                shown = (factor > 0) & (size > -12)
                time = -1 / np.log(np.clip(factor[shown], 1e-3, 0.999))
                axes.plot(time, size[shown], ".", color=colour(place), alpha=0.5, label=label(cell), rasterized=True)
            theory = np.log10([linear_unit(one).sensitivity for one in curve])
            axes.plot(-1 / np.log(curve), theory, color=INK, linewidth=1.2, label="a linear unit on noise")
            axes.set(xscale="log", xlabel="a unit's time constant, steps", title=title)
        line[0].set_ylabel("log10 variance of dh/dw")
        legend(figure, line[0], narrow)
        return figure

    before, after = ({cell: np.median(points(cell, stage)[0]) for cell in cells} for stage in (INITIAL, TRAINED))
    long = max(cells, key=lambda cell: after[cell])
    found = _together(study, long)
    steeply = "more" if found.value > 0 else "less"
    numbers = f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f} over seeds)".replace("-", "−")
    lesson = (
        f"In the trained {label(long)} a unit that remembers longer answers {steeply} steeply to its own weights: rank "
        f"correlation {numbers}."
    )
    alt = (
        f"{label(SHOWN)}: each unit of every seed, its time constant (-1 / log of what it keeps of its memory in a "
        "step, at most 1,000 steps) against the variance over sequences of dh/dw at the end, w its weights from "
        "itself to itself, a colour a cell. Line: (1 + l²) / (1 - l²)³, a linear unit that keeps l, on white noise "
        "(Zucchet & Orvieto 2024). Median kept in a step, before and after: "
        + sequence([f"{label(cell)} {before[cell]:.2f} and {after[cell]:.2f}" for cell in cells])
        + "."
    )
    show(study, draw, lesson=lesson, alt=alt, source="data: generated", task=SHOWN, name="sensitivity")
