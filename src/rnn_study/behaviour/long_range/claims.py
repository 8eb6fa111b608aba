"""What the tutorials claim of long-range dependency, each case with an estimate and a verdict."""

from collections.abc import Iterator
from typing import Any

from rnn_study.config import Ablation, FrontierParams
from rnn_study.model.cells import CELLS
from rnn_study.statistics import stats
from rnn_study.statistics.survival import Frontier, beyond

from .quantities import CLAIM_FROM, Found, of, outcome

Row = dict[str, Any]
COURSES = 60  # of the tutorials' menu
PLAIN = "vanilla"
# The remedies of a plain RNN, each the only change of an ablation: claim, change, and whether it takes the remedy away,
# for the study's cells start orthogonal and are clipped anyway.
REMEDIES: tuple[tuple[str, dict[str, Any], bool], ...] = (
    ("irnn", {"activation": "relu", "recurrent": "identity"}, False),
    ("orthogonal", {"recurrent": "glorot"}, True),
    ("clipping", {"clip_by": "nothing"}, True),
)


def _verdict(seeds: int, confirmed: bool, refuted: bool) -> str:
    """What may be said: a share of few seeds has too wide an interval for any claim."""
    if seeds < CLAIM_FROM:
        return "too few seeds"
    return "confirmed" if confirmed else "refuted" if refuted else "not shown"


def menu(params: FrontierParams, found: Found, frontiers: list[Row]) -> Iterator[Row]:
    """“A plain RNN cannot remember 60 courses, an LSTM can”, within the budget: can means that half of the runs do.

    The intervals of all cases hold together (Bonferroni).
    """
    cases = [(axis, variant) for axis, variant in params.contenders if variant in (PLAIN, "lstm")]
    for axis, variant in cases:
        row = next(row for row in frontiers if (row["axis"], row["variant"]) == (axis, variant))
        about = {"claim": "courses", "problem": found["problem"], "axis": axis, "a": variant, "steps": COURSES}
        about |= {"seeds": row["seeds"], "budget": found["budget"]}
        rows = of(found, axis, variant, COURSES)
        few = many = False
        if rows:
            number = int(outcome(rows)[1].sum())
            share = stats.share(number, len(rows), 1 - stats.ALPHA / len(cases))
            about |= {"solved": number, "low": share.low, "high": share.high}
            few, many = share.high < 0.5, share.low > 0.5
        elif row["high"] is not None and row["high"] <= COURSES:
            few = True  # at shorter ones already
        else:
            yield about | {"verdict": "not run"}
            continue
        confirmed, refuted = (few, many) if variant == PLAIN else (many, few)
        yield about | {"verdict": _verdict(row["seeds"], confirmed, refuted)}


def _claim(params: FrontierParams, a: str, b: str) -> tuple[str, bool] | None:
    """Which claim says that a reaches further back than b, and whether the two change places in it."""
    if b != PLAIN:
        return None
    if not isinstance(params.variants[a], Ablation):
        cells = params.cells[a].cells(a, params.network.depth)
        return ("reach", False) if all(len(CELLS[cell].gates) > 1 for cell in cells) else None
    change = params.ablations[a.removeprefix(f"{b}-")].model_dump(exclude_unset=True, exclude={"of", "seeds"})
    return next(((claim, away) for claim, own, away in REMEDIES if own == change), None)


def further(params: FrontierParams, frontiers: list[Row], reaches: list[Row]) -> Iterator[Row]:
    """“LSTM and GRU reach further back than a plain RNN”, and the same of each remedy: the intervals of the two
    frontiers are apart, and the permutation test says so too, corrected."""
    known = {(row["axis"], row["variant"]): Frontier(*(row[key] for key in Frontier._fields)) for row in frontiers}
    for row in reaches:
        found = _claim(params, row["a"], row["b"])
        if found is None:
            continue
        claim, turned = found
        a, b = (row["b"], row["a"]) if turned else (row["a"], row["b"])
        one, other = known[row["axis"], a], known[row["axis"], b]
        sure, seeds = row["p_adjusted"] < stats.ALPHA, min(row["seeds"])
        verdict = _verdict(seeds, sure and beyond(one, other), sure and beyond(other, one))
        about = {"claim": claim, "problem": row["problem"], "axis": row["axis"], "a": a, "b": b, "seeds": seeds}
        yield about | {"p_adjusted": row["p_adjusted"], "verdict": verdict}


def faster(comparisons: list[Row]) -> Iterator[Row]:
    """“An LSTM converges faster than a plain RNN” and “the GRU is easier to train than the LSTM”: in updates to the
    solution."""
    for row in comparisons:
        claim = {("lstm", PLAIN): "converges", ("gru", "lstm"): "easier"}.get((row["a"], row["b"]))
        if claim:
            sure, seeds = row["p_adjusted"] < stats.ALPHA, min(row["seeds"])
            verdict = _verdict(seeds, sure and row["difference"] < 0, sure and row["difference"] > 0)
            yield {"claim": claim} | row | {"seeds": seeds, "verdict": verdict}


def claims(
    params: FrontierParams, found: Found, frontiers: list[Row], reaches: list[Row], comparisons: list[Row]
) -> Iterator[Row]:
    """Every case of every claim in one problem."""
    if found["problem"] == "menu":
        yield from menu(params, found, frontiers)
    yield from further(params, frontiers, reaches)
    yield from faster(comparisons)
