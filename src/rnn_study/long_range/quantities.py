"""From the runs of the frontiers to figures with intervals: what metrics/long_range.json holds."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu

from rnn_study import stats, survival
from rnn_study.config import Ablation, FrontierParams
from rnn_study.survival import Frontier

from .walk import contenders

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


def successes(params: FrontierParams, found: Found) -> Iterator[Row]:
    """For every contender and every length of the grid what became of its runs, or why there are none."""
    for axis, variant in contenders(params):
        for steps in found["lengths"]:
            rows = of(found, axis, variant, steps)
            about = {"problem": found["problem"], "axis": axis, "variant": variant, "steps": steps, "seeds": len(rows)}
            if not rows:
                why = "nothing solved at two lengths before" if steps in found["tried"] else "no GPU"
                yield about | {"not_run": why}
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
    everyone = contenders(params)
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
    """The log-rank test of every pair at every length that both ran; a family is one problem and axis (Holm).

    faster: which of the two has solved the larger share by the average update.
    """
    compared = []
    for axis in dict.fromkeys(axis for axis, _ in contenders(params)):
        family = []
        for a, b in pairs(params, axis):
            for steps in found["tried"]:
                one, other = of(found, axis, a, steps), of(found, axis, b, steps)
                if not (one and other):
                    continue
                p = survival.logrank(outcome(one), outcome(other))
                areas = [survival.restricted_mean(*outcome(rows)) for rows in (one, other)]
                about = {"problem": found["problem"], "axis": axis, "a": a, "b": b, "steps": steps}
                sides = {"solved": [sum(row["solved"] for row in rows) for rows in (one, other)]}
                family.append(about | {"seeds": [len(one), len(other)]} | sides | {"updates": areas, "p": p})
        for row, p in zip(family, stats.holm(np.array([row["p"] for row in family])), strict=True):
            row["p_adjusted"] = float(p)
        compared += family
    return compared


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
                **dict(zip(("score", "lowest", "highest"), (np.median(scores), min(scores), max(scores)), strict=True)),
            }


def memories(found: Found) -> list[Row]:
    """At each length, over all runs: does the gradient of solved runs reach further back than that of the others?

    probability: that of a solved run having the longer gradient memory of the two, ties half; p of the Mann-Whitney
    test, corrected over the lengths of a problem (Holm).
    """
    rows = []
    for steps in found["tried"]:
        here = [row for row in found["runs"] if row["steps"] == steps and row["memory"] is not None]
        here = list({(row["variant"], row["units"], row["seed"]): row for row in here}.values())  # on both axes once
        solved, others = ([row["memory"] for row in here if row["solved"] is is_solved] for is_solved in (True, False))
        about = {"problem": found["problem"], "steps": steps, "solved": len(solved), "unsolved": len(others)}
        if min(len(solved), len(others)) < 2:
            continue
        chance = stats.probability_of_improvement(np.array(solved), np.array(others))
        medians = {"median_solved": float(np.median(solved)), "median_unsolved": float(np.median(others))}
        p = 1.0 if np.ptp(solved + others) == 0 else float(mannwhitneyu(solved, others).pvalue)
        rows.append(about | medians | {"probability": chance, "p": p})
    for row, p in zip(rows, stats.holm(np.array([row["p"] for row in rows])), strict=True):
        row["p_adjusted"] = float(p)
    return rows


def power() -> Iterator[Row]:
    """How likely Fisher's exact test is to tell two success rates apart, by seeds a group."""
    for a, b in POWER:
        yield {"a": a, "b": b} | {str(n): survival.power(n, a, b) for n in POWER_SEEDS}
