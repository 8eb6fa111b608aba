"""The checks of `checks.py`, spread over processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.model.optimisers import RmsProp
from rnn_study.running.execution import frameworks
from rnn_study.running.execution.workers import Workers
from rnn_study.running.run import kept, store
from rnn_study.support.files import Arrays, write_arrays, write_json, write_rows

from . import checks, probes, problems, trainings, worked_examples
from .checks import BOUNDS, CHECKS, Row, Trained
from .probes import Tree
from .problems import UPDATES, Options
from .trainings import Curves, Lead, Training


class Parity:
    """The checks, spread over the processes of one or both frameworks (`pools`, by backend).

    Ask for checks, then go through `finish`: `rows` then holds a row a check, `curves` every training's by (task,
    cell, dtype), `gaps` what `trainings.defaults` found by (task, cell). With `keep` trainings
    are kept in the run store, and those that it has come from there; `used` are their ids.
    """

    def __init__(self, pools: dict[str, Workers], keep: bool = False):
        self.pools, self._keep = pools, keep
        self.used: set[str] = set()
        self.rows: list[Row] = []
        self.curves: dict[tuple[str, str, str], Curves] = {}
        self.gaps: dict[tuple[str, str], dict[str, float]] = {}
        self._jobs: dict[Future, tuple[str, Callable[[Any], None]]] = {}
        self._total = 0
        self._updates: dict[str, dict[str, tuple[Tree, Tree]]] = {rule: {} for rule in UPDATES}

    def _ask(self, backend: str, then: Callable[[Any], None], function: Callable[..., Any], *arguments: Any) -> None:
        self._jobs[self.pools[backend].submit(function, backend, *arguments)] = backend, then
        self._total += 1

    def layers(self, chosen: Sequence[Options], device: str = "cpu", tf32: bool = False) -> None:
        """A pass for each of `chosen` in every framework."""
        for one in chosen:
            problem = replace(problems.layer_problem(one), device=device, tf32=tf32)
            expected = problems.oracle(problem)
            for backend in self.pools:
                then = partial(self._layers, backend, one, problem, expected)
                self._ask(backend, then, probes.probe, problem)

    def _layers(self, *case: Any) -> None:
        self.rows += checks.layer_rows(*case)

    def knobs(self) -> None:
        """A pass with each option of a network, in every framework."""
        for name in problems.KNOBS:
            problem = problems.knob_problem(name)
            expected = problems.oracle(problem)
            for backend in self.pools:
                self._ask(backend, partial(self._knobs, backend, name, problem, expected), probes.probe, problem)

    def _knobs(self, *case: Any) -> None:
        self.rows += checks.knob_rows(*case)

    def worked(self) -> None:
        """The worked cases, by native layers and by equations."""
        for name, case in worked_examples.cases().items():
            expected = problems.oracle(case)
            for backend in self.pools:
                for impl in ("native", "equations"):
                    problem = replace(case, impl=impl)
                    then = partial(self._worked, backend, name, problem, expected)
                    self._ask(backend, then, probes.probe, problem)

    def _worked(self, *case: Any) -> None:
        self.rows.append(checks.worked_row(*case))

    def updates(self) -> None:
        """One update by each rule, against the framework's formula, and across where the formula is the same."""
        for backend in self.pools:
            for rule in UPDATES:
                self._ask(backend, partial(self._update, backend, rule), probes.updated, *problems.update_problem(rule))

    def _update(self, backend: str, rule: str, found: tuple[Tree, Tree]) -> None:
        self.rows.append(checks.update_row(backend, rule, found))
        self._updates[rule][backend] = found
        if len(self._updates[rule]) == len(BACKENDS) and not isinstance(UPDATES[rule].rule, RmsProp):
            self.rows.append(checks.agreement_row(rule, *self._updates[rule].values()))

    @cached_property
    def _environments(self) -> dict[str, dict[str, str]]:
        return {name: frameworks.environment(name) or pool.environment for name, pool in self.pools.items()}

    def _kept(self, function: Callable[..., Any], work: Training) -> tuple[str, Arrays | None]:
        """The id of what `function` finds of a training, and that, where the store has it."""
        if not self._keep:
            return "", None
        key = kept.key(function, work, environment=self._environments, backends=BACKENDS)
        self.used.add(key)
        store.claim("parity", self.used | store.claimed("parity"))  # what it needed stays until it ends
        return key, kept.find(key)

    def trainings(self, works: Iterable[Training]) -> None:
        """One framework trains first, the other one follows."""
        for work in works:
            key, found = self._kept(trainings.follow, work)
            if found is None:
                self._ask(trainings.LEADER, partial(self._led, work, key), trainings.lead, work)
            else:
                self._followed(work, "", Curves(**found))

    def _led(self, work: Training, key: str, found: Lead) -> None:
        self._ask(trainings.FOLLOWER, partial(self._followed, work, key), trainings.follow, work, found)

    def _followed(self, work: Training, key: str, found: Curves) -> None:
        if key:
            kept.add(key, vars(found))
        self.curves[work.task, work.cell, work.dtype] = found
        self.rows += checks.training_rows(work, found)

    def defaults(self, works: Iterable[Training]) -> None:
        """What of the gap between the frameworks each of their defaults makes, in one of them."""
        for work in works:
            key, found = self._kept(trainings.defaults, work)
            if found is None:
                self._ask(trainings.FOLLOWER, partial(self._defaults, work, key), trainings.defaults, work)
            else:
                self._defaults(work, "", {what: gap.item() for what, gap in found.items()})

    def _defaults(self, work: Training, key: str, found: dict[str, float]) -> None:
        if key:
            kept.add(key, {what: np.array(gap) for what, gap in found.items()})
        self.gaps[work.task, work.cell] = found

    def transfers(self, runs: Iterable[Trained]) -> None:
        """Trained networks, each loaded in the framework that did not train it."""
        for run in runs:
            self._ask(run.other, partial(self._transferred, run), probes.predictions, run.problem)

    def _transferred(self, run: Trained, found: np.ndarray) -> None:
        self.rows.append(checks.transfer_row(run, found))

    def write(self, rows: Path, folder: Path, settings: dict[str, Any]) -> None:
        """Write the rows, and into `folder` what else the report shows, the worked cases and `settings` among it; what
        is kept is needed from now on."""
        curves = {"/".join((*key, name)): a for key, found in self.curves.items() for name, a in vars(found).items()}
        write_rows(rows, self.rows)
        write_arrays(folder / "curves.npz", curves)
        write_json(folder / "defaults.json", {"/".join(key): found for key, found in self.gaps.items()})
        write_json(folder / "worked.json", worked_examples.figures())
        write_json(folder / "settings.json", settings)
        if self._keep:
            store.claim("parity", self.used)

    def finish(self) -> Iterator[tuple[int, int]]:
        """Wait for everything; yields jobs done and jobs known so far. Leaves `rows` and `curves` in order."""
        for pool in self.pools.values():
            pool.wait()
        while self._jobs:
            done, _ = wait(self._jobs, return_when=FIRST_COMPLETED)
            for job in done:
                backend, then = self._jobs.pop(job)
                with self.pools[backend].one_line():
                    then(job.result())
                yield self._total - len(self._jobs), self._total
        cells = [*CELLS, checks.NO_CELL]
        self.rows.sort(
            key=lambda row: (
                CHECKS.index(row["check"]),
                list(BOUNDS).index(row["dtype"]),
                cells.index(row["cell"]),
                row["framework"],
                row["case"],
            )
        )
        self.gaps = dict(sorted(self.gaps.items(), key=lambda item: (item[0][0], cells.index(item[0][1]))))
        order = sorted(self.curves, key=lambda key: (key[0], cells.index(key[1]), list(BOUNDS).index(key[2])))
        self.curves = {key: self.curves[key] for key in order}
