"""From the runs of the frontiers to figures with intervals: what metrics/long_range.json holds."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from rnn_study.config import Ablation, FrontierParams
from rnn_study.config.frontier import ENOUGH
from rnn_study.statistics import stats, survival
from rnn_study.statistics.survival import Frontier

Row = dict[str, Any]
Found = dict[str, Any]  # the content of metrics/frontier/<problem>.json

CLAIM_FROM = 6  # seeds: the Wilson intervals of 0 of 3 and 3 of 3 overlap, those of 0 and 6 of 6 do not
POWER = ((1.0, 0.0), (1.0, 0.25), (1.0, 0.5), (0.9, 0.5), (0.9, 0.3), (0.75, 0.25))  # pairs of success rates
POWER_SEEDS = (3, 6, 8, 12, 20, 30)


def of(found: Found, axis: str, variant: str, steps: int | None = None) -> list[Row]:
    """The runs of a contender, by seed in the order they ran; at one length or all."""
    return [
        row
        for row in found["runs"]
        if (row["axis"], row["variant"]) == (axis, variant) and steps in (None, row["steps"])
    ]


def outcome(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Updates (n,) and whether the problem was solved by then (n,)."""
    return np.array([row["updates"] for row in rows]), np.array([row["solved"] for row in rows])


def _ended(found: Found, axis: str, variant: str) -> bool:
    """Whether a contender stopped, with nothing solved at the last lengths that it ran."""
    solved: dict[int, bool] = {}
    for row in of(found, axis, variant):
        solved[row["steps"]] = solved.get(row["steps"], False) or row["solved"]
    return len(solved) >= ENOUGH and not any(solved[steps] for steps in sorted(solved)[-ENOUGH:])


def _held(found: Found, row: Row) -> bool:
    sign = 1 if found["score"] == "accuracy" else -1
    return sign * row["scores"]["test"] >= sign * found["goal"]


def successes(params: FrontierParams, found: Found) -> Iterator[Row]:
    """For every contender and every length of the grid what became of its runs, or why there are none.

    held: solved runs that reach the goal on the test part too, which they were not stopped by.
    """
    for axis, variant in params.contenders:
        ended = _ended(found, axis, variant)
        for steps in found["lengths"]:
            rows = of(found, axis, variant, steps)
            about = {"problem": found["problem"], "axis": axis, "variant": variant, "steps": steps, "seeds": len(rows)}
            if not rows:
                yield about | {"not_run": "nothing solved at two lengths before" if ended else "no GPU"}
                continue
            updates, solved = outcome(rows)
            share = stats.share(int(solved.sum()), len(rows))
            yield about | {
                "solved": int(solved.sum()),
                "share": share.value,
                "low": share.low,
                "high": share.high,
                "median_updates": survival.median_updates(updates, solved),
                "censored": int((~solved).sum()),
                "diverged": sum(row["diverged"] for row in rows),
                "held": sum(_held(found, row) for row in rows if row["solved"]),
                "score": float(np.median([row["scores"]["test"] for row in rows])),
            }


def frontier(found: Found, axis: str, variant: str, level: float) -> Frontier:
    """The frontier of a contender, over the lengths that it ran."""
    rows = of(found, axis, variant)
    lengths = sorted({row["steps"] for row in rows})
    solved = [[row["solved"] for row in of(found, axis, variant, steps)] for steps in lengths]
    return survival.frontier(lengths, np.array(solved).T, level)


def frontiers(params: FrontierParams, found: Found) -> Iterator[Row]:
    """The frontier of every contender; its interval holds for all those of one axis together (Bonferroni)."""
    everyone = params.contenders
    for axis, variant in everyone:
        level = 1 - stats.ALPHA / sum(other == axis for other, _ in everyone)
        first = of(found, axis, variant)[0]
        yield {
            "problem": found["problem"],
            "axis": axis,
            "variant": variant,
            "units": first["units"],
            "parameters": first["parameters"],
            "seeds": len(params.runs(variant)),
            "level": level,
            **frontier(found, axis, variant, level)._asdict(),
        }


def pairs(params: FrontierParams, axis: str) -> list[tuple[str, str]]:
    """What is compared on an axis: the cells, the later one of the list first, and each ablation with its cell."""
    found = [(b, a) for a, b in combinations(params.cells, 2)]
    if axis == "budget":
        found += [(name, one.of[0]) for name, one in params.variants.items() if isinstance(one, Ablation)]
    return found


def comparisons(params: FrontierParams, found: Found) -> list[Row]:
    """Every pair at every length that both ran: who needed fewer updates. A family is one problem and axis (Holm).

    updates: the mean of each, in which a censored run counts with its whole budget, the least that it needs;
    difference: a - b over the seeds of both, with its t interval; p: of the log-rank test.
    """
    compared = []
    for axis in dict.fromkeys(axis for axis, _ in params.contenders):
        family = []
        for a, b in pairs(params, axis):
            for steps in found["tried"]:
                one, other = of(found, axis, a, steps), of(found, axis, b, steps)
                if not (one and other):
                    continue
                both = min(len(one), len(other))  # the first seeds are the same
                gap = stats.compare(outcome(one)[0][:both], outcome(other)[0][:both]).difference
                family.append(
                    {"problem": found["problem"], "axis": axis, "a": a, "b": b, "steps": steps}
                    | {"seeds": [len(one), len(other)]}
                    | {"solved": [sum(row["solved"] for row in rows) for rows in (one, other)]}
                    | {"updates": [float(outcome(rows)[0].mean()) for rows in (one, other)]}
                    | {"difference": gap.value, "low": gap.low, "high": gap.high}
                    | {"p": survival.logrank(outcome(one), outcome(other))}
                )
        compared += _corrected(family)
    return compared


def _corrected(family: list[Row]) -> list[Row]:
    for row, p in zip(family, stats.holm(np.array([row["p"] for row in family])), strict=True):
        row["p_adjusted"] = float(p)
    return family


def reaches(params: FrontierParams, found: Found) -> list[Row]:
    """Every pair: who reaches further. lengths: how many a seed solves, on average; p: of the permutation test over
    seeds, corrected over the pairs of a problem and axis (Holm)."""
    compared = []
    for axis in dict.fromkeys(axis for axis, _ in params.contenders):
        family = []
        for a, b in pairs(params, axis):
            solved = [_solved_lengths(found, axis, variant) for variant in (a, b)]
            family.append(
                {"problem": found["problem"], "axis": axis, "a": a, "b": b, "seeds": [len(side) for side in solved]}
                | {"lengths": [float(side.mean()) for side in solved], "p": survival.compare_reaches(*solved)}
            )
        compared += _corrected(family)
    return compared


def _solved_lengths(found: Found, axis: str, variant: str) -> np.ndarray:
    """How many lengths each seed solved (n,)."""
    rows = of(found, axis, variant)
    seeds = dict.fromkeys(row["seed"] for row in rows)
    return np.array([sum(row["solved"] for row in rows if row["seed"] == seed) for seed in seeds])


def generalisation(params: FrontierParams, found: Found) -> Iterator[Row]:
    """The score at every tested length of the cells that trained on all lengths up to one."""
    for variant in params.cells:
        rows = [row for row in found["generalisation"] if row["variant"] == variant]
        for steps in sorted({row["steps"] for row in rows}):
            here = [row for row in rows if row["steps"] == steps]
            scores = [row["score"] for row in here]
            yield {
                "problem": found["problem"],
                "variant": variant,
                "trained": here[0]["trained"],
                "steps": steps,
                "seeds": len(here),
                "solved": sum(row["solved"] for row in here),
                "score": float(np.median(scores)),
                "lowest": min(scores),
                "highest": max(scores),
            }


def memories(found: Found) -> Iterator[Row]:
    """At each length, over all runs: how far back the gradient of solved runs reaches, and that of the others.

    probability: that of a solved run having the longer gradient memory of the two, ties half. capped: how many of
    either reach the start of the sequence, where a memory is at least that long. A description: solved runs and others
    are runs of different cells.
    """
    for steps in found["tried"]:
        most = found["sequence"][str(steps)] - 2
        here = [row for row in found["runs"] if row["steps"] == steps and row["memory"] is not None]
        here = list({(row["variant"], row["units"], row["seed"]): row for row in here}.values())  # on both axes once
        sides = [np.array([row["memory"] for row in here if row["solved"] is solved]) for solved in (True, False)]
        if min(map(len, sides)) == 0:
            continue
        yield {
            "problem": found["problem"],
            "steps": steps,
            "runs": [len(side) for side in sides],
            "medians": [float(np.median(side)) for side in sides],
            "capped": [int((side >= most - 1e-9).sum()) for side in sides],
            "most": most,
            "probability": stats.probability_of_improvement(*sides),
        }


def power() -> Iterator[Row]:
    """How likely Fisher's exact test is to tell two success rates apart, by seeds a group, before any correction."""
    for a, b in POWER:
        yield {"a": a, "b": b} | {str(n): survival.power(n, a, b) for n in POWER_SEEDS}
