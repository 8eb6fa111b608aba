"""Tables of long-range dependency: frontiers, comparisons, pixels beside the literature."""

from collections.abc import Iterator
from typing import Any

from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.wording import interval, label, number, p_value
from rnn_study.reports.study import Study
from rnn_study.statistics import crossed

from .plots import axis_name, compared

Row = dict[str, Any]
IMAGES = {"pixel_mnist": 0, "permuted_mnist": 1}

# What others report, test accuracy in per cent: pixels in order, permuted; and how they came by it.
LITERATURE = (
    ("Bai et al. 2018, arXiv 1803.01271", "vanilla", 21.5, 25.3, "784 steps, 70,000 weights, a single figure"),
    ("", "lstm", 87.2, 85.7, "the same"),
    ("", "gru", 96.2, 87.3, "the same"),
    ("Le et al. 2015, arXiv 1504.00941", "vanilla", 35.0, None, "784 steps, tanh, a single figure"),
    ("", "IRNN", 97.0, 82.0, "784 steps, rectifiers that start from the identity, a single figure"),
    ("Cooijmans et al. 2016, arXiv 1603.09025", "lstm", 98.9, 90.2, "784 steps, a single figure"),
)


def reach(row: Row) -> str:
    """A frontier as a report writes it."""
    if row["open"] == "above":
        return f"≥ {row['length']:.0f}"
    if row["open"] == "below":
        return f"< {row['length']:.0f}"
    return f"{row['length']:.0f}"


def bounds(row: Row) -> str:
    """Its interval, between two lengths of the grid."""
    if row["high"] is None:
        return f"from {row['low']}" if row["low"] else "anywhere"
    return f"{row['low']} to {row['high']}" if row["low"] else f"below {row['high']}"


def frontier_table(study: Study) -> None:
    """The frontier of every contender in every problem."""
    rows = []
    for problem in study.walked:
        for row in compared(study, problem):
            name = f"{label(problem)}: {study.contender(problem, row['variant'])}"
            size = f"{row['units']} units, {row['parameters']:,} weights"
            budget = f"{study.frontier(problem)['budget']:,}"
            rows.append([name, axis_name(row["axis"]), size, budget, str(row["seeds"]), reach(row), bounds(row)])
    header = ["", "", "", "updates", "seeds", "frontier T", "interval"]
    caption = (
        "The length that half of the seeds solve within these updates, and its approximate 95 % bootstrap interval, "
        "which reaches from one length of the grid to another. Runs that did not solve a length are censored: they may "
        "need more updates."
    )
    show_table(header, rows, caption)


def _differs(row: Row, quantity: str, digits: int) -> str:
    """a - b with its interval, and p of its permutation test."""
    value, low, high = row[f"{quantity}_difference"]
    bounds = f"{low:+,.{digits}f} to {high:+,.{digits}f}" if low < high else "all seeds alike"
    return f"{value:+,.{digits}f} ({bounds}), {p_value(row[f'p_{quantity}'])}".replace("-", "−")


def comparison_table(study: Study, problem: str) -> None:
    """Every pair over all lengths: who reaches further, who is faster."""
    rows = []
    for row in study.rows("comparisons", problem):
        names = [study.contender(problem, row[side]) for side in ("a", "b")]
        seeds = " and ".join(map(str, dict.fromkeys(row["seeds"])))
        about = f"{axis_name(row['axis'])}: {' against '.join(names)}"
        rows.append([about, seeds, _differs(row, "lengths", 1), _differs(row, "updates", 0)])
    header = ["", "seeds", "reach, in lengths", "speed, in updates a length"]
    caption = (
        f"{label(problem)}: a less b with 95 % intervals, exploratory, not corrected. Reach: how many of the lengths a "
        "seed solves (permutation test over seeds). Speed: over the lengths that both came to, a censored run with its "
        "whole budget, the least that it needs (log-rank test stratified by length, exact, by permutation of seeds)."
    )
    show_table(header, rows, caption)


def _ours(study: Study) -> Iterator[list[str]]:
    for problem, place in IMAGES.items():
        if problem not in study.walked:
            continue
        about = study.frontier(problem)
        for row in study.rows("successes", problem):
            if "not_run" in row or row["axis"] not in ("budget", "width"):
                continue
            runs = [run for run in about["runs"] if all(run[key] == row[key] for key in ("axis", "variant", "steps"))]
            scores = [run["scores"]["test"] for run in runs]
            found = crossed.over_seeds(scores).interval()
            text = f"{number(found.value, 'accuracy')} ({interval(found[1:], 'accuracy')})"
            columns = [text, "–"] if place == 0 else ["–", text]
            protocol = (
                f"{row['steps']} steps, {runs[0]['parameters']:,} weights, {about['budget']:,} updates at most, "
                f"{about['images']:,} training images, {row['seeds']} seeds, {axis_name(row['axis'])}"
            )
            yield ["this study", study.contender(problem, row["variant"]), *columns, protocol]


def pixel_table(study: Study) -> None:
    """Pixel by pixel: our accuracy beside what others report, the protocols side by side."""
    rows = [
        [source, label(cell), *("–" if value is None else f"{value:g} %" for value in (plain, permuted)), protocol]
        for source, cell, plain, permuted, protocol in LITERATURE
    ]
    ours = list(_ours(study)) or [["this study", "–", "–", "–", f"not run in the {study.summary['study']} study"]]
    header = ["", "cell", "in order", "permuted", "protocol"]
    caption = "Test accuracy on images read pixel by pixel. Ours is the mean over seeds with its 95 % interval."
    show_table(header, [*ours, *rows], caption)
