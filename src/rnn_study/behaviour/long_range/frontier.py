"""The runs of a length frontier: every cell from the shortest length up, until it solves nothing any more."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnn_study.behaviour.diagnostics.profile import SPECTRA, Start, longest_sequences, memory_length, start
from rnn_study.config import Config, FrontierParams
from rnn_study.config.frontier import ENOUGH
from rnn_study.data.problems import catalogue
from rnn_study.model.init import draw
from rnn_study.model.task import Batch, Data
from rnn_study.running import experiments
from rnn_study.running.execution.workers import spread
from rnn_study.running.run import results, store
from rnn_study.running.run.events import Finished, Follow
from rnn_study.running.run.spec import RunSpec, stream
from rnn_study.support.progress import ticking

Row = dict[str, Any]


class Trained(NamedTuple):
    """A run of the frontier and what is said of it."""

    row: Row
    run: Finished


def _row(axis: str, steps: int, run: Finished) -> Row:
    """What a report says of a run. updates: at which it was solved, or censored: all that it was given, even where it
    diverged, for it would never have solved anything."""
    summary, spec = results.read_summary(run.folder), run.spec
    given = spec.epochs * (summary["updates"] // summary["epochs"])
    return {
        "axis": axis,
        "variant": spec.variant,
        "cell": spec.network.layers[-1].cell,
        "learning_rate": spec.optimiser.learning_rate,
        "steps": steps,
        "seed": spec.seed,
        "units": spec.network.layers[0].units,
        "parameters": summary["parameters"],
        "solved": summary["solved"],
        "updates": summary.get("solved_at", given),
        "diverged": summary["diverged"],
        "scores": summary["scores"],
    }


def walk(config: Config, params: FrontierParams, name: str, lengths: Sequence[int], follow: Follow) -> list[Trained]:
    """Train every contender at one of `lengths` after the other, as long as it solves anything.

    In rounds: all lengths that a contender goes to whatever it solves before are asked for together, so that no
    process waits at the end of each.
    """
    found: dict[tuple[int, tuple[str, str]], list[Trained]] = {}
    place = dict.fromkeys(params.contenders, 0)
    unsolved = dict.fromkeys(params.contenders, 0)  # lengths in a row
    while True:
        asked = {}
        for steps in lengths:
            going = [
                contender
                for contender, at in place.items()
                if steps in lengths[at : at + max(0, ENOUGH - unsolved[contender])]
            ]
            if going:
                data = experiments.frontier_data(params, name, steps)
                task = catalogue.load(name, data)
            for axis, variant in going:
                own = experiments.frontier(config, params, task, data, axis, variant, params.runs(variant))
                asked[steps, (axis, variant)] = own
        if not asked:
            return [one for steps in lengths for key in place for one in found.get((steps, key), ())]
        specs = list(dict.fromkeys(spec for own in asked.values() for spec in own))
        told = ", ".join(str(steps) for steps in dict.fromkeys(steps for steps, _ in asked))
        finished = dict(zip(specs, follow(specs, f"frontier {name}: {told} steps"), strict=True))
        for (steps, contender), own in asked.items():
            rows = [Trained(_row(contender[0], steps, finished[spec]), finished[spec]) for spec in own]
            solved = any(one.row["solved"] for one in rows)
            unsolved[contender] = 0 if solved else unsolved[contender] + 1
            place[contender] += 1
            found[steps, contender] = rows


def generalise(config: Config, params: FrontierParams, name: str, follow: Follow) -> list[Finished]:
    """Train the cells at all lengths up to one and test them beyond."""
    if params.generalise is None:
        return []
    longest = params.generalise.longest
    data = experiments.frontier_data(params, name, longest, mixed=True)
    task, seeds = catalogue.load(name, data), params.seeds[: params.generalise.seeds]
    specs = [
        spec
        for variant in params.cells
        for spec in experiments.frontier(config, params, task, data, "budget", variant, seeds)
    ]
    return follow(specs, f"frontier {name}: lengths up to {longest}")


def tested(finished: Sequence[Finished]) -> list[Row]:
    """What a report says of these: a row for each run and tested length."""
    found = []
    for run in finished:
        summary, spec = results.read_summary(run.folder), run.spec
        about = {"variant": spec.variant, "seed": spec.seed, "solved": summary["solved"], "trained": spec.data.steps}
        found += [about | {"steps": steps, "score": summary["scores"][str(steps)]} for steps in spec.data.tests]
    return found


def publish(root: Path, found: Sequence[Trained], mixed: Sequence[Finished]) -> None:
    """Put every run's files under `root`: <axis>/<variant>/T-<steps>/seed-<n>, `mixed` in the place of an axis."""
    placed = [(one.row["axis"], one.row["steps"], one.run) for one in found]
    placed += [("mixed", run.spec.data.steps, run) for run in mixed]
    for axis, steps, run in placed:
        store.publish(run.folder, root / axis / run.spec.variant / f"T-{steps}" / f"seed-{run.spec.seed}")


@lru_cache(maxsize=2)
def _few(name: str, data: Data) -> tuple[Batch, np.ndarray | None]:
    """A few sequences, and the table that weights are drawn with."""
    task = catalogue.load(name, data)
    return longest_sequences(task.validation, SPECTRA), task.embedding


def _memory(job: tuple[RunSpec, Path]) -> float | None:
    """Of one run; None where training left no finite weights, or only the initial ones."""
    spec, folder = job
    summary, tree = results.read_summary(folder), results.read_weights(folder)
    if summary["diverged"] and not summary["best_epoch"]:
        return None
    if not all(np.isfinite(array).all() for array in tree.values()):
        return None
    return memory_length(spec.network, tree, _few(spec.task, spec.data)[0])


def _start(spec: RunSpec) -> Start:
    """Before its training."""
    few, table = _few(spec.task, spec.data)
    return start(spec.network, draw(spec.network, stream(spec.seed, "weights"), table, spec.init), few)


def with_gradients(found: Sequence[Trained], title: str) -> list[Row]:
    """The rows, each with the gradient memory length of its trained network at the length it was trained at, `memory`,
    and with what its gradient was before training, `initial`."""
    specs = [one.run.spec for one in found]
    alike = [(spec.network, spec.init, spec.seed, spec.data) for spec in specs]  # networks that start as one
    firsts = dict(zip(reversed(alike), reversed(specs), strict=True))
    starts = dict(zip(firsts, ticking(spread(_start, list(firsts.values())), f"{title} at the start"), strict=True))
    lengths = ticking(spread(_memory, [(one.run.spec, one.run.folder) for one in found]), title)
    return [
        one.row | {"memory": memory, "initial": starts[same]._asdict()}
        for one, same, memory in zip(found, alike, lengths, strict=True)
    ]
