"""What the tutorials claim of gradients, each put to the figures: an estimate with its interval, and a verdict."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study import experiments, results, stats
from rnn_study.config import Config, ProblemParams, Variant
from rnn_study.diagnostics.profiles import INITIAL, TRAINED, Profiles
from rnn_study.files import read_json
from rnn_study.tasks import agreement

from .quantities import slope

REFERENCE = "vanilla"  # the cell that the others are held against
FROM = 8  # seeds: with fewer, nothing is claimed
Row = dict[str, Any]


def _row(claim: str, estimate: stats.Estimate, p: float, n: int, expected: int, **named: Any) -> Row:
    """A row; `expected` is the sign that the claim gives to the estimate."""
    return {"claim": claim, **named, **estimate._asdict(), "p": p, "n": n, "expected": expected}


def judge(rows: list[Row]) -> list[Row]:
    """Correct each claim's family by Holm's method and name the verdict.

    `holds`, `opposite` (the difference is there, the other way round), `not shown`, or `too few seeds`.
    """
    for claim in dict.fromkeys(row["claim"] for row in rows):
        family = [row for row in rows if row["claim"] == claim]
        for row, p in zip(family, stats.holm(np.array([row["p"] for row in family])), strict=True):
            row["p_adjusted"] = float(p)
            agrees = row["value"] * row.pop("expected") > 0
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
    if REFERENCE not in cells:
        return
    for when in (INITIAL, TRAINED):
        reference = profiles[REFERENCE][when]
        own = slope(reference["flow"])
        yield _row("vanishes", *_paired(own, 0.0), -1, task=task, stage=when, a=REFERENCE)
        for name in cells:
            if name != REFERENCE and name in profiles:
                other = profiles[name][when]
                one, two = _shared(other, reference)
                found = _paired(slope(other["flow"])[one], own[two])
                yield _row("keeps", *found, 1, task=task, stage=when, a=name, b=REFERENCE)


def converges(task: str, curves: Mapping[str, list[np.ndarray]], every: Mapping[str, int]) -> Iterator[Row]:
    """`converges`: another cell needs fewer updates than the vanilla RNN to the lowest validation loss that both reach.

    `curves`: of each variant and seed the validation loss by epoch; `every`: the updates of an epoch. The estimate is
    log10 of the ratio of updates.
    """
    if REFERENCE not in curves:
        return

    def reached(curve: np.ndarray, level: float) -> int:
        return int(np.flatnonzero(curve <= level)[0]) + 1

    for name, others in curves.items():
        if name == REFERENCE:
            continue
        ratios = []
        for one, other in zip(others, curves[REFERENCE], strict=False):
            level = max(np.nanmin(one), np.nanmin(other))
            ratios.append(np.log10(reached(one, level) * every[name] / (reached(other, level) * every[REFERENCE])))
        yield _row("converges", *_paired(np.array(ratios), 0.0), -1, task=task, a=name, b=REFERENCE)


def _apart_from_clipping(variant: Variant) -> dict[str, Any]:
    left_out = {"clip", "clip_by", "clip_times", "of", "seeds"}
    return variant.model_dump(exclude=left_out)


def clipping(task: str, params: ProblemParams, table: dict[str, Any]) -> Iterator[Row]:
    """`clipping`: what would explode without it ends with a smaller error. The estimate is log10 of the ratio of test
    errors (an error beyond 1e6 counts as that), with the runs that were solved beside it."""
    variants = params.cells | params.ablated
    for name, variant in variants.items():
        if variant.clip_by != "nothing":
            continue
        own = _apart_from_clipping(variant)
        for other, clipped in variants.items():
            named = _apart_from_clipping(clipped) | {"cell": clipped.cell or other}
            if clipped.clip_by == "norm" and clipped.clip is None and named == own and not _times(clipped):
                sides = [table["cells"][one] for one in (other, name)]
                errors = [np.minimum(side["scores"]["test"], 1e6) for side in sides]
                n = min(map(len, errors))
                found = _paired(np.log10(errors[0][:n] / errors[1][:n]), 0.0)
                counts = {
                    f"solved_{key}": [sum(side["solved"]), len(side["solved"])]
                    for key, side in zip("ab", sides, strict=True)
                }
                yield _row("clipping", *found, -1, task=task, a=other, b=name, **counts)


def _times(variant: Variant) -> float | None:
    return getattr(variant, "clip_times", None)


def forgetting(task: str, params: ProblemParams, profiles: Profiles) -> Iterator[Row]:
    """`forget bias`: a cell with its forget bias of 1 remembers longer than with 0. The estimate is in steps."""
    for name, ablation in params.ablated.items():
        if ablation.forget_bias != 0 or ablation.of[0] not in profiles:
            continue
        for when in (INITIAL, TRAINED):
            base, other = profiles[ablation.of[0]][when], profiles[name][when]
            one, two = _shared(base, other)
            found = _paired(base["memory"][one].astype(float), other["memory"][two].astype(float))
            yield _row("forget bias", *found, 1, task=task, stage=when, a=ablation.of[0], b=name)


def truncation(task: str, params: ProblemParams, table: dict[str, Any]) -> Iterator[Row]:
    """`window`: what truncation trains is no better than if the first number of the adding problem were never seen,
    whose error would then be the spread of a uniform number, 1/12. The estimate is the RMSE beyond that."""
    for name, ablation in params.ablated.items():
        if ablation.window is not None and ablation.window <= params.prepare.steps // 2:
            scores = np.array(table["cells"][name]["scores"]["test"])
            yield _row("window", *_paired(scores, (1 / 12) ** 0.5), 1, task=task, a=name, window=ablation.window)


def new_subject(task: str, profiles: Profiles, cells: Mapping[str, Any], sentence: int, place: int) -> Iterator[Row]:
    """`new subject`: at a new subject a cell keeps less of its memory than at the other words. The estimate is the
    difference of the mean shares kept."""
    for name in cells:
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
    curves, every = ({cell: pair[place] for cell, pair in found.items()} for place in (0, 1))
    yield from converges(task, curves, every)
    if isinstance(params, ProblemParams):
        table = read_json(Path("metrics/ablate") / f"{task}.json")
        yield from clipping(task, params, table)
        yield from forgetting(task, params, profiles)
        if task == "adding":
            yield from truncation(task, params, table)
        if task == "agreement":
            yield from new_subject(
                task, profiles, params.cells, agreement.NEW_SUBJECT, agreement.CUES[agreement.NEW_SUBJECT]
            )
