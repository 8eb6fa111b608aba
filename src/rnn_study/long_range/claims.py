"""What the tutorials claim of long-range dependency, each case with an estimate and a verdict."""

from collections.abc import Iterator
from typing import Any

from rnn_study import stats
from rnn_study.config import Ablation, FrontierParams, Variant
from rnn_study.survival import Frontier, beyond

from .quantities import CLAIM_FROM, Found, comparisons, of, outcome
from .walk import contenders

Row = dict[str, Any]
COURSES = 60  # of the tutorials' menu
PLAIN, GATED = "vanilla", ("lstm", "gru")


def _frontier(row: Row) -> Frontier:
    return Frontier(*(row[name] for name in Frontier._fields))


def _verdict(seeds: int, confirmed: bool, refuted: bool) -> str:
    """What may be said: a share of few seeds has too wide an interval for any claim."""
    if seeds < CLAIM_FROM:
        return "too few seeds"
    return "confirmed" if confirmed else "refuted" if refuted else "not shown"


def menu(params: FrontierParams, found: Found, frontiers: list[Row]) -> Iterator[Row]:
    """“A plain RNN cannot remember 60 courses, an LSTM can”: can means that half of the runs do."""
    for axis, variant in contenders(params):
        if variant not in (PLAIN, "lstm") or variant not in params.cells:
            continue
        row = next(row for row in frontiers if (row["axis"], row["variant"]) == (axis, variant))
        about = {"claim": "courses", "problem": found["problem"], "axis": axis, "a": variant, "steps": COURSES}
        rows = of(found, axis, variant, COURSES)
        fails = works = False
        if rows:
            share = stats.share(int(outcome(rows)[1].sum()), len(rows))
            about |= {"solved": int(outcome(rows)[1].sum()), "low": share.low, "high": share.high}
            fails, works = share.high < 0.5, share.low > 0.5
        elif row["high"] is not None and row["high"] <= COURSES:
            fails = True  # at shorter ones already
        else:
            yield about | {"seeds": row["seeds"], "verdict": "not run"}
            continue
        confirmed, refuted = (fails, works) if variant == PLAIN else (works, fails)
        yield about | {"seeds": row["seeds"], "verdict": _verdict(row["seeds"], confirmed, refuted)}


def _takes_away(one: Ablation, cell: Variant) -> bool:
    """Whether an ablation does without something that helps: the orthogonal start of its cell, or clipping."""
    start = one.recurrent not in (None, "orthogonal", "identity") and cell.recurrent in (None, "orthogonal")
    return start or (one.clip_by == "nothing" and cell.clip_by != "nothing")


def reaches(params: FrontierParams, found: Found, frontiers: list[Row]) -> Iterator[Row]:
    """“LSTM and GRU reach further than a plain RNN”, and “identity-initialised rectifiers, orthogonal kernels, clipping
    help a plain RNN reach further”: the intervals of the two frontiers are apart, a's further out.

    A remedy that the study's cell has already is tried by taking it away: then a is that cell.
    """
    known = {(row["axis"], row["variant"]): row for row in frontiers}
    for axis, variant in contenders(params):
        one = params.variants[variant]
        if isinstance(one, Ablation):
            claim, a, b = "remedy", variant, one.of[0]
            if _takes_away(one, params.cells[b]):
                a, b = b, a
        elif variant != PLAIN and PLAIN in params.cells:
            claim, a, b = "reach", variant, PLAIN
        else:
            continue
        sides = [known[axis, name] for name in (a, b)]
        further, other = (_frontier(row) for row in sides)
        seeds = min(row["seeds"] for row in sides)
        about = {"claim": claim, "problem": found["problem"], "axis": axis, "a": a, "b": b, "seeds": seeds}
        yield about | {"verdict": _verdict(seeds, beyond(further, other), beyond(other, further))}


def faster(params: FrontierParams, found: Found) -> Iterator[Row]:
    """“An LSTM converges faster than a plain RNN” and “the GRU is easier to train than the LSTM”: in updates to the
    solution, by the log-rank test."""
    for row in comparisons(params, found):
        claim = {("lstm", PLAIN): "converges", ("gru", "lstm"): "easier"}.get((row["a"], row["b"]))
        if claim:
            sure, (a, b) = row["p_adjusted"] < stats.ALPHA, row["updates"]
            verdict = _verdict(min(row["seeds"]), sure and a < b, sure and a > b)
            yield {"claim": claim} | row | {"seeds": min(row["seeds"]), "verdict": verdict}


def claims(params: FrontierParams, found: Found, frontiers: list[Row]) -> Iterator[Row]:
    """Every case of every claim in one problem."""
    if found["problem"] == "menu":
        yield from menu(params, found, frontiers)
    yield from reaches(params, found, frontiers)
    yield from faster(params, found)
