"""What the tutorials claim of gradients, each put to the figures of every case: an estimate with its interval.

These are exploratory: a verdict stands on the study's questions alone, and no case changes another.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED, Profiles
from rnn_study.config import Config, ProblemParams, Variant
from rnn_study.data.tasks import agreement
from rnn_study.model.defaults import DEFAULTS
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.statistics import crossed
from rnn_study.statistics.crossed import Estimate
from rnn_study.statistics.marks import by_search
from rnn_study.statistics.shares import difference_of_shares
from rnn_study.support.files import read_json

from .quantities import FEWEST_LAGS, Rows, arrives, each_seed, longest, over_both, slope

REFERENCE = "vanilla"  # the cell that the others are held against
CLOSE = 1.05  # how near to the best loss counts as there
Row = dict[str, Any]


def _row(claim: str, estimate: Estimate, n: int, **named: Any) -> Row:
    return {"claim": claim, **named, **estimate._asdict(), "n": n}


def _of(found: crossed.Mean) -> tuple[Estimate, int]:
    return found.interval(), found.rows


def _shared(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where in two stages the seeds stand that both have."""
    seeds = np.intersect1d(a["seeds"], b["seeds"])
    return tuple(np.flatnonzero(np.isin(stage["seeds"], seeds)) for stage in (a, b))


def error(task: str, profiles: Profiles, cells: Mapping[str, Any], independent: Rows = each_seed) -> Iterator[Row]:
    """`vanishes`: the share of the error at the last step but one that arrives at the first, of every cell. `keeps`:
    another cell loses less of it a step than a vanilla RNN. Powers of ten, seeds and sequences crossed."""
    for when in (INITIAL, TRAINED):
        looked_at = {name: profiles[name][when] for name in cells if when in profiles.get(name, {})}
        looked_at = {name: one for name, one in looked_at.items() if len(independent(one["seeds"], one["seeds"])) > 1}
        for name, one in looked_at.items():
            if one["flow"].shape[2] > FEWEST_LAGS:
                found = over_both(independent(arrives(one["flow"]), one["seeds"])).interval()
                yield _row("vanishes", found, len(one["seeds"]), task=task, stage=when, a=name)
        reference = looked_at.pop(REFERENCE, None)
        if reference is None or reference["flow"].shape[2] <= FEWEST_LAGS:
            continue
        for name, other in looked_at.items():
            one, two = _shared(other, reference)
            apart = slope(other["flow"])[one] - slope(reference["flow"])[two]
            rows = independent(apart, other["seeds"][one]) if len(one) else apart
            if len(rows) > 1:
                found = over_both(rows).interval()
                yield _row("keeps", found, len(one), task=task, stage=when, a=name, b=REFERENCE)


def twice_at(level: float, curve: np.ndarray) -> int | None:
    """The epoch, from 1, at which a curve is at `level` or below for the second time in a row; None where it is not."""
    there = curve <= level
    twice = np.flatnonzero(there[1:] & there[:-1])
    return int(twice[0]) + 2 if len(twice) else None


def updates_to(level: float, curves: list[np.ndarray], every: ArrayLike, budget: ArrayLike) -> np.ndarray:
    """Updates (S,) after which each curve is at `level` or below for the second time in a row; the budget where it
    never is, wherever the run stopped. `every`: the updates of an epoch, and `budget`, of each curve or of all: where
    settings were searched for, batches differ in size."""
    found = [twice_at(level, curve) for curve in curves]
    each = zip(found, *(np.broadcast_to(x, len(curves)).tolist() for x in (every, budget)), strict=True)
    return np.array([most if epoch is None else epoch * updates for epoch, updates, most in each])


def _best(curves: list[np.ndarray]) -> float:
    """The lowest value of the median curve's; what is no number counts as infinite."""
    return float(np.median([np.nanmin(np.append(curve, np.inf)) for curve in curves]))


def _ratio(
    a: np.ndarray, b: np.ndarray, independent: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> tuple[Estimate, int]:
    """log10 of the ratio of updates a (S,) to b (R,), of geometric means, within the budget; and the seeds."""
    one, other = (independent(np.log10(side)) for side in (a, b))
    return crossed.between(one, other).interval(), min(len(a), len(b))


def converges(
    task: str,
    curves: Mapping[str, list[np.ndarray]],
    every: Mapping[str, ArrayLike],
    epochs: int,
    independent: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Iterator[Row]:
    """`converges`: another cell needs fewer updates than the vanilla RNN to a validation loss that both reach.

    The level is one for all seeds: `CLOSE` times the best loss of the two cells' worse one, by its median seed, so that
    nothing is won by noise around a plateau. `curves`: of each variant and seed the validation loss by epoch; `every`:
    the updates of an epoch; `epochs`: the budget. The estimate is log10 of the ratio of updates; reached: how many of
    either got there.
    """
    if REFERENCE not in curves:
        return
    for name, others in curves.items():
        if name == REFERENCE:
            continue
        level = CLOSE * max(_best(others), _best(curves[REFERENCE]))
        cells = (name, REFERENCE)
        sides = [updates_to(level, curves[cell], every[cell], epochs * np.asarray(every[cell])) for cell in cells]
        reached = [sum(twice_at(level, curve) is not None for curve in curves[cell]) for cell in cells]
        yield _row("converges", *_ratio(*sides, independent), task=task, a=name, b=REFERENCE, reached=reached)


def solves(task: str, updates: Mapping[str, np.ndarray]) -> Iterator[Row]:
    """`converges`, of a problem with a goal: another cell needs fewer updates to the goal than the vanilla RNN.

    `updates` (S,) of each variant: those made until the goal, or the whole budget where it was not reached. The
    estimate is log10 of their ratio.
    """
    for name, own in updates.items():
        if name != REFERENCE and REFERENCE in updates:
            yield _row("converges", *_ratio(own, updates[REFERENCE]), task=task, a=name, b=REFERENCE)


def _solved(found: dict[str, Any]) -> tuple[int, int]:
    return sum(found["solved"]), len(found["solved"])


def _apart_from_clipping(name: str, variant: Variant) -> dict[str, Any]:
    left_out = {"clip", "clip_by", "clip_times", "of", "seeds"}
    return variant.model_dump(exclude=left_out) | {"cell": variant.cell or name}


def _explodes(found: dict[str, Any], clip: float) -> bool:
    """Whether a run diverged, or in the median seed one update of a hundred is beyond ten times the clip."""
    return any(found["diverged"]) or float(np.median(found["norm_99"])) > 10 * clip


def clipping(task: str, params: ProblemParams, table: dict[str, Any]) -> Iterator[Row]:
    """`clipping`: of networks whose gradients explode without it, more runs are solved with it. The estimate is the
    difference of the shares."""
    variants, cells = params.cells | params.ablated, table["cells"]
    for name, variant in variants.items():
        for other, clipped in variants.items():
            clip = cells[other]["clip"]
            same = _apart_from_clipping(name, variant) == _apart_from_clipping(other, clipped)
            if not same or cells[name]["clip"] is not None or clip is None or clipped.clip_by != "norm":
                continue
            if _explodes(cells[name], clip):
                with_, without = _solved(cells[other]), _solved(cells[name])
                gap = difference_of_shares(with_, without)
                counts = {"solved_a": list(with_), "solved_b": list(without)}
                yield _row("clipping", gap, min(with_[1], without[1]), task=task, a=other, b=name, **counts)


def forgetting(task: str, params: ProblemParams, profiles: Profiles) -> Iterator[Row]:
    """`forget bias`: a cell with its forget bias of 1 remembers longer than with 0. The estimate is in steps.

    Where most networks of a side remember to the start of their sequences, these are too short to tell: `censored`.
    """
    for name, ablation in params.ablated.items():
        base = params.cells[ablation.of[0]]
        starts = DEFAULTS[base.defaults].init.forget_bias if base.forget_bias is None else base.forget_bias
        changed = params.ablations[name.removeprefix(f"{ablation.of[0]}-")].model_fields_set - {"of", "seeds"}
        if changed != {"forget_bias"} or ablation.forget_bias != 0 or starts != 1:
            continue
        for when in (INITIAL, TRAINED):
            sides = [profiles.get(one, {}).get(when) for one in (ablation.of[0], name)]
            if None in sides:
                continue
            pairs = zip(sides, _shared(*sides), strict=True)
            one, two = (side["memory"][rows].astype(float) for side, rows in pairs)
            if len(one) < 2:
                continue
            censored = max(np.mean(one >= longest(sides[0])), np.mean(two >= longest(sides[1]))) > 0.5
            named = {"task": task, "stage": when, "a": ablation.of[0], "b": name, "censored": bool(censored)}
            yield _row("forget bias", *_of(crossed.over_seeds(one - two)), **named)


def truncation(task: str, params: ProblemParams, table: dict[str, Any]) -> Iterator[Row]:
    """`window`: a cell that solves the adding problem does, truncated, no better than if it never saw the first number,
    whose error would then be the spread of a uniform number, 1/12. The estimate is the RMSE beyond that."""
    for name, ablation in params.ablated.items():
        if ablation.window is None or ablation.window > params.prepare.steps // 2:
            continue
        solved, n = _solved(table["cells"][ablation.of[0]])
        scores = np.array(table["cells"][name]["scores"]["test"])
        if 2 * solved > n and len(scores) > 1:
            found = crossed.over_seeds(scores - (1 / 12) ** 0.5)
            yield _row("window", *_of(found), task=task, a=name, window=ablation.window)


def new_subject(task: str, profiles: Profiles, cells: Mapping[str, Any], sentence: int, place: int) -> Iterator[Row]:
    """`new subject`: at a new subject a cell keeps less of its memory than at the other words. The estimate is the
    difference of the mean shares kept."""
    for name in cells:
        if TRAINED not in profiles.get(name, {}):  # it reads both ways, or diverged at once
            continue
        keeps = profiles[name][TRAINED]["keeps"][:, sentence].astype(float)
        if np.nanmax(np.abs(keeps)) > 0 and len(keeps) > 1:
            others = np.nanmean(np.delete(keeps, place, axis=1), axis=1)
            found = crossed.over_seeds(keeps[:, place] - others)
            yield _row("new subject", *_of(found), task=task, stage=TRAINED, a=name)


def _curves(config: Config, task: str, cell: str) -> tuple[list[np.ndarray], np.ndarray]:
    """The validation loss of each seed by epoch, and the updates of an epoch of each."""
    framework, seeds = config.gradients.framework, experiments.seeds(config, task, cell)
    folders = [results.run_folder(Path("runs"), task, framework, cell, seed) for seed in seeds]
    summaries = [results.read_summary(folder) for folder in folders]
    histories = [results.read_history(folder) for folder in folders]
    curves = [np.array([row["validation_loss"] for row in history]) for history in histories]
    return curves, np.array([summary["updates"] // summary["epochs"] for summary in summaries])


def of_task(config: Config, task: str, profiles: Profiles) -> Iterator[Row]:
    """Every claim that the task `task` has something to say of."""
    params, independent = config.task(task), partial(by_search, config, task)
    yield from error(task, profiles, params.cells, independent)
    found = {cell: _curves(config, task, cell) for cell in params.cells}
    if not isinstance(params, ProblemParams):
        curves, every = ({cell: pair[place] for cell, pair in found.items()} for place in (0, 1))
        yield from converges(
            task, curves, every, params.training.epochs, lambda updates: independent(updates, config.seeds)
        )
        return
    table = read_json(Path("metrics/ablate") / f"{task}.json")
    cells = {cell: table["cells"][cell] for cell in params.cells}
    budget = {cell: params.training.epochs * found[cell][1] for cell in params.cells}
    yield from solves(
        task, {cell: np.where(one["solved"], one["updates"], budget[cell]) for cell, one in cells.items()}
    )
    yield from clipping(task, params, table)
    yield from forgetting(task, params, profiles)
    if task == "adding":
        yield from truncation(task, params, table)
    if task == "agreement":
        yield from new_subject(
            task, profiles, params.cells, agreement.NEW_SUBJECT, agreement.CUES[agreement.NEW_SUBJECT]
        )
