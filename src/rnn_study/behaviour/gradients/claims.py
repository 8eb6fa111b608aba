"""What the tutorials claim of gradients, each put to the figures: an estimate with its interval, and a verdict."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED, Profiles
from rnn_study.config import Config, ProblemParams, Variant
from rnn_study.data.tasks import agreement
from rnn_study.model.defaults import DEFAULTS
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.statistics import stats
from rnn_study.support.files import read_json

from .quantities import FEWEST_LAGS, longest, slope

REFERENCE = "vanilla"  # the cell that the others are held against
CLOSE = 1.05  # how near to the best loss counts as there
FROM = 8  # seeds: with fewer, nothing is claimed
Row = dict[str, Any]


def _row(claim: str, estimate: stats.Estimate, p: float, n: int, expected: int, **named: Any) -> Row:
    """A row; `expected` is the sign that the claim gives to the estimate."""
    return {"claim": claim, **named, **estimate._asdict(), "p": p, "n": n, "expected": expected}


def judge(rows: list[Row]) -> list[Row]:
    """Correct each claim's family by Holm's method and name the verdict.

    `holds`, `opposite` (the difference is there, the other way round), `not shown`, `too few seeds`, or, of a row that
    has it already, `censored`.
    """
    for claim in dict.fromkeys(row["claim"] for row in rows):
        family = [row for row in rows if row["claim"] == claim]
        for row, p in zip(family, stats.holm(np.array([row["p"] for row in family])), strict=True):
            row["p_adjusted"] = float(p)
            agrees = row["value"] * row.pop("expected") > 0
            if row.get("verdict"):
                continue
            if row["n"] < FROM:
                row["verdict"] = "too few seeds"
            elif p < stats.ALPHA:
                row["verdict"] = "holds" if agrees else "opposite"
            else:
                row["verdict"] = "not shown"
    return rows


def _paired(a: np.ndarray, b: np.ndarray | float) -> tuple[stats.Estimate, float, int]:
    """a - b over seeds."""
    found = stats.compare(a, np.broadcast_to(b, a.shape))
    return found.difference, found.p, found.n


def _shared(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Where in two stages the seeds stand that both have."""
    seeds = np.intersect1d(a["seeds"], b["seeds"])
    return tuple(np.flatnonzero(np.isin(stage["seeds"], seeds)) for stage in (a, b))


def error(task: str, profiles: Profiles, cells: Mapping[str, Any]) -> Iterator[Row]:
    """`vanishes`: the error in a vanilla RNN shrinks with distance. `keeps`: another cell loses less of it a step.
    The estimates are powers of ten a step."""
    if REFERENCE not in profiles or REFERENCE not in cells:
        return
    for when in (INITIAL, TRAINED):
        looked_at = {name: profiles[name][when] for name in cells if when in profiles.get(name, {})}
        if REFERENCE not in looked_at or looked_at[REFERENCE]["flow"].shape[2] < FEWEST_LAGS:
            continue
        reference = looked_at.pop(REFERENCE)
        own = slope(reference["flow"])
        yield _row("vanishes", *_paired(own, 0.0), -1, task=task, stage=when, a=REFERENCE)
        for name, other in looked_at.items():
            one, two = _shared(other, reference)
            found = _paired(slope(other["flow"])[one], own[two])
            yield _row("keeps", *found, 1, task=task, stage=when, a=name, b=REFERENCE)


def _updates_to(level: float, curves: list[np.ndarray], every: int) -> np.ndarray:
    """Updates (S,) after which each curve is first at `level` or below; all it made where it never is."""
    found = [np.flatnonzero(curve <= level) for curve in curves]
    return np.array([(there[0] + 1 if len(there) else len(c)) * every for there, c in zip(found, curves, strict=True)])


def _best(curves: list[np.ndarray]) -> float:
    """The lowest value of the median curve's; what is no number counts as infinite."""
    return float(np.median([np.nanmin(np.append(curve, np.inf)) for curve in curves]))


def converges(task: str, curves: Mapping[str, list[np.ndarray]], every: Mapping[str, int]) -> Iterator[Row]:
    """`converges`: another cell needs fewer updates than the vanilla RNN to a validation loss that both reach.

    The level is one for all seeds: `CLOSE` times the best loss of the two cells' worse one, by its median seed, so that
    nothing is won by noise around a plateau. A run that never gets there counts with all its updates, which brings the
    two closer together, not apart. `curves`: of each variant and seed the validation loss by epoch; `every`: the
    updates of an epoch. The estimate is log10 of the ratio of updates.
    """
    if REFERENCE not in curves:
        return
    for name, others in curves.items():
        if name == REFERENCE:
            continue
        level = CLOSE * max(_best(others), _best(curves[REFERENCE]))
        one, other = (_updates_to(level, curves[cell], every[cell]) for cell in (name, REFERENCE))
        n = min(len(one), len(other))
        found = _paired(np.log10(one[:n] / other[:n]), 0.0)
        yield _row("converges", *found, -1, task=task, a=name, b=REFERENCE)


def solves(task: str, updates: Mapping[str, np.ndarray]) -> Iterator[Row]:
    """`converges`, of a problem with a goal: another cell needs fewer updates to the goal than the vanilla RNN.

    `updates` (S,) of each variant: those made until the goal, or the whole budget where it was not reached, which
    brings the two closer together, not apart. The estimate is log10 of their ratio.
    """
    for name, own in updates.items():
        if name != REFERENCE and REFERENCE in updates:
            n = min(len(own), len(updates[REFERENCE]))
            found = _paired(np.log10(own[:n] / updates[REFERENCE][:n]), 0.0)
            yield _row("converges", *found, -1, task=task, a=name, b=REFERENCE)


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
    difference of the shares, tested by Fisher's exact test."""
    variants, cells = params.cells | params.ablated, table["cells"]
    for name, variant in variants.items():
        for other, clipped in variants.items():
            clip = cells[other]["clip"]
            same = _apart_from_clipping(name, variant) == _apart_from_clipping(other, clipped)
            if not same or cells[name]["clip"] is not None or clip is None or clipped.clip_by != "norm":
                continue
            if _explodes(cells[name], clip):
                with_, without = _solved(cells[other]), _solved(cells[name])
                found = stats.compare_shares(with_, without)
                counts = {"solved_a": list(with_), "solved_b": list(without)}
                n = min(with_[1], without[1])
                yield _row("clipping", found.difference, found.p, n, 1, task=task, a=other, b=name, **counts)


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
            named = {"task": task, "stage": when, "a": ablation.of[0], "b": name}
            if max(np.mean(one >= longest(sides[0])), np.mean(two >= longest(sides[1]))) > 0.5:
                named["verdict"] = "censored"
            yield _row("forget bias", *_paired(one, two), 1, **named)


def truncation(task: str, params: ProblemParams, table: dict[str, Any]) -> Iterator[Row]:
    """`window`: a cell that solves the adding problem does, truncated, no better than if it never saw the first number,
    whose error would then be the spread of a uniform number, 1/12. The estimate is the RMSE beyond that."""
    for name, ablation in params.ablated.items():
        if ablation.window is None or ablation.window > params.prepare.steps // 2:
            continue
        solved, n = _solved(table["cells"][ablation.of[0]])
        if 2 * solved > n:
            scores = np.array(table["cells"][name]["scores"]["test"])
            yield _row("window", *_paired(scores, (1 / 12) ** 0.5), 1, task=task, a=name, window=ablation.window)


def new_subject(task: str, profiles: Profiles, cells: Mapping[str, Any], sentence: int, place: int) -> Iterator[Row]:
    """`new subject`: at a new subject a cell keeps less of its memory than at the other words. The estimate is the
    difference of the mean shares kept."""
    for name in cells:
        if TRAINED not in profiles.get(name, {}):  # it reads both ways, or diverged at once
            continue
        keeps = profiles[name][TRAINED]["keeps"][:, sentence].astype(float)
        if np.nanmax(np.abs(keeps)) > 0:
            others = np.delete(keeps, place, axis=1)
            found = _paired(keeps[:, place], np.nanmean(others, axis=1))
            yield _row("new subject", *found, -1, task=task, stage=TRAINED, a=name)


def _curves(config: Config, task: str, cell: str) -> tuple[list[np.ndarray], int]:
    """The validation loss of each seed by epoch, and the updates of an epoch."""
    framework, seeds = config.gradients.framework, experiments.seeds(config, task, cell)
    folders = [results.run_folder(Path("runs"), task, framework, cell, seed) for seed in seeds]
    summary = results.read_summary(folders[0])
    histories = [results.read_history(folder) for folder in folders]
    curves = [np.array([row["validation_loss"] for row in history]) for history in histories]
    return curves, summary["updates"] // summary["epochs"]


def of_task(config: Config, task: str, profiles: Profiles) -> Iterator[Row]:
    """Every claim that the task `task` has something to say of, not judged yet."""
    params = config.task(task)
    yield from error(task, profiles, params.cells)
    found = {cell: _curves(config, task, cell) for cell in params.cells}
    if not isinstance(params, ProblemParams):
        curves, every = ({cell: pair[place] for cell, pair in found.items()} for place in (0, 1))
        yield from converges(task, curves, every)
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
