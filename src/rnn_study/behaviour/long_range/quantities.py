"""From the runs of the frontiers to figures with intervals: what metrics/long_range.json holds."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from rnn_study.config import FrontierParams
from rnn_study.config.frontier import ENOUGH
from rnn_study.statistics import crossed, survival
from rnn_study.statistics.shares import chance_of_more, share

Row = dict[str, Any]
Found = dict[str, Any]  # the content of metrics/frontier/<problem>.json


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
            found_share = share(int(solved.sum()), len(rows))
            yield about | {
                "solved": int(solved.sum()),
                "share": found_share.value,
                "low": found_share.low,
                "high": found_share.high,
                "median_updates": survival.median_updates(updates, solved),
                "censored": int((~solved).sum()),
                "diverged": sum(row["diverged"] for row in rows),
                "held": sum(_held(found, row) for row in rows if row["solved"]),
                "score": float(np.median([row["scores"]["test"] for row in rows])),
            }


def seed_table(found: Found, axis: str, variant: str, lengths: Sequence[int]) -> survival.Runs:
    """The runs of a contender at `lengths` by seed; where it never came to a length, for it had solved nothing at
    shorter ones, all of its seeds are censored."""
    rows = {(row["seed"], row["steps"]): row for row in of(found, axis, variant)}
    seeds = dict.fromkeys(seed for seed, _ in rows)
    never = {"updates": found["budget"], "solved": False}
    table = [[rows.get((seed, steps), never) for steps in lengths] for seed in seeds]
    updates, solved = (np.array([[row[key] for row in line] for line in table]) for key in ("updates", "solved"))
    return survival.Runs(updates, solved, np.isin(lengths, [steps for _, steps in rows]))


def frontiers(params: FrontierParams, found: Found) -> Iterator[Row]:
    """The frontier of every contender, over the lengths that it ran, with its interval."""
    for axis, variant in params.contenders:
        rows = of(found, axis, variant)
        lengths = sorted({row["steps"] for row in rows})
        yield {
            "problem": found["problem"],
            "axis": axis,
            "variant": variant,
            "units": rows[0]["units"],
            "parameters": rows[0]["parameters"],
            "seeds": len(params.runs(variant)),
            **survival.frontier(lengths, seed_table(found, axis, variant, lengths).solved)._asdict(),
        }


def pairs(params: FrontierParams, axis: str) -> list[tuple[str, str]]:
    """What is compared on an axis: the cells, the later one of the list first, and each ablation with its cell."""
    found = [(b, a) for a, b in combinations(params.cells, 2)]
    if axis == "budget":
        found += [(name, one.of[0]) for name, one in params.ablated.items()]
    return found


class Compared(NamedTuple):
    """Two contenders by one number a seed, `sides` (S,) and (R,): their difference with Welch's spread, and p of the
    permutation test over seeds."""

    sides: tuple[np.ndarray, np.ndarray]
    found: crossed.Mean
    p: float


def shared(a: survival.Runs, b: survival.Runs) -> np.ndarray:
    """At which lengths (L,) two contenders are compared in speed: those that both came to. All, where there is none:
    who never came to one is censored there."""
    both = a.ran & b.ran
    return both if both.any() else np.ones_like(both)


def reach(a: survival.Runs, b: survival.Runs) -> Compared:
    """Who solves more of the lengths: how many each seed does. Lengths that a side never came to are not solved."""
    sides = a.solved.sum(axis=1), b.solved.sum(axis=1)
    return Compared(sides, crossed.between(*sides), survival.compare_reaches(*sides))


def speed(a: survival.Runs, b: survival.Runs) -> Compared:
    """Who is faster where both came to: updates a length, of the budget at most; p of the log-rank test that is
    stratified by length."""
    one, other = (side.at(shared(a, b)) for side in (a, b))
    sides = one.updates.mean(axis=1), other.updates.mean(axis=1)
    return Compared(sides, crossed.between(*sides), survival.logrank(one, other))


def comparisons(params: FrontierParams, found: Found) -> Iterator[Row]:
    """Every pair over all lengths: who reaches further, and who is faster where both came to. Each on its own: another
    pair changes nothing.

    lengths: how many a seed solves, on average, of each. updates: a length, of each, over the lengths that both came
    to, in which a censored run counts with its whole budget, the least that it needs. The differences a - b have their
    Welch intervals; p_lengths: of the permutation test over seeds; p_updates: of the log-rank test stratified by
    length.
    """
    for axis in ("budget", "width") if params.width else ("budget",):
        for a, b in pairs(params, axis):
            sides = [seed_table(found, axis, name, found["tried"]) for name in (a, b)]
            row = {"problem": found["problem"], "axis": axis, "a": a, "b": b, "seeds": [len(s.updates) for s in sides]}
            row["shared"] = np.array(found["tried"])[shared(*sides)].tolist()
            for name, compared in (("lengths", reach(*sides)), ("updates", speed(*sides))):
                row[name] = [float(side.mean()) for side in compared.sides]
                row[f"{name}_difference"] = list(compared.found.interval())
                row[f"p_{name}"] = compared.p
            yield row


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


def memories(params: FrontierParams, found: Found) -> Iterator[Row]:
    """At each length, over all runs: how far back the gradient of solved runs reaches, and that of the others.

    probability: that of a solved run having the longer gradient memory of the two, ties half. capped: how many of
    either reach the start of the sequence, where a memory is at least that long. A description: solved runs and others
    are runs of different cells.
    """
    for steps in found["tried"]:
        most = found["sequence"][str(steps)] - 2
        here = [row for row in found["runs"] if row["steps"] == steps and row["memory"] is not None]
        here = [row for row in here if row["axis"] in ("budget", "width")]
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
            "probability": chance_of_more(*sides),
        }
