"""Many independent runs: one single-threaded process a core, finished runs taken from the run store."""

import multiprocessing
import os
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import replace
from functools import lru_cache

from . import run_store
from .events import Event, Finished, Progress, in_order
from .init import Init
from .problems import catalogue
from .train import RunSpec, train
from .workers import Workers


def _take_rows(rows: multiprocessing.Queue) -> None:
    global _rows
    _rows = rows


_load_task = lru_cache(maxsize=4)(catalogue.load)


def _work(runs: dict[str, RunSpec]) -> None:
    """Train one after another; tells of every epoch, and of a run's end by None."""
    for run, spec in runs.items():
        start = time.perf_counter()
        epochs = train(spec, _load_task(spec.task, spec.data))
        while True:
            try:
                _rows.put((run, next(epochs)))
            except StopIteration as end:
                run_store.add(run, spec, end.value, time.perf_counter() - start)
                _rows.put((run, None))
                break


def _shares(runs: dict[str, RunSpec], workers: int) -> list[dict[str, RunSpec]]:
    """`runs` in shares for the workers: those of one shape, which a framework may compile for, stay together, in
    shares small enough that no worker waits long for another."""
    shapes: dict[RunSpec, list[str]] = {}
    for run, spec in runs.items():
        rule = replace(spec.optimiser, learning_rate=0.0, clip=None)
        shape = replace(spec, variant="", seed=0, init=Init(), optimiser=rule, goal=None, checkpoints=())
        shapes.setdefault(shape, []).append(run)
    most = max(1, len(runs) // (2 * workers))
    found = []
    for named in shapes.values():
        count = -(-len(named) // most)
        found += [{run: runs[run] for run in named[start::count]} for start in range(count)]
    return found


class Executor:
    """The workers of one backend, for `owner` (a stage); they import its framework once and serve many lists.

    `environment` names the framework, its version, and Python's and NumPy's; `device` is the kind in use.
    """

    def __init__(self, backend: str, owner: str, device: str):
        self.backend, self.owner = backend, owner
        self._runs: set[str] = set()
        self._start(None)
        try:
            self.device = self._workers.resolve(device)
        except BaseException:
            self._workers.close()
            raise
        if self.device == "gpu" and "RNN_STUDY_WORKERS" not in os.environ:
            self._workers.close()  # processes beside each other would only share the one GPU
            self._start(1)
        self.environment = {key: value for key, value in self._workers.environment.items() if key != "device"}

    def _start(self, count: int | None) -> None:
        self._workers = Workers(self.backend, self.owner, count)
        self._rows = self._workers.context.Queue()
        self._workers.start(_take_rows, self._rows)

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._workers.close(wait=kind is None)
        if kind is None:
            run_store.claim(self.owner, self._runs)

    def stream(self, specs: Sequence[RunSpec]) -> Iterator[Event]:
        """Run `specs`; yields events as they come. A run that the store holds comes at once."""
        resolved = [replace(spec, device=self.device) for spec in specs]
        runs = {run_store.run_id(spec, self.environment): spec for spec in resolved}
        self._runs |= runs.keys()
        run_store.claim(self.owner, self._runs | run_store.claimed(self.owner))  # what it needed stays until it ends
        fresh = {run: spec for run, spec in runs.items() if run_store.find(run) is None}
        with self._workers.one_line():
            waiting = {self._workers.submit(_work, share) for share in _shares(fresh, self._workers.count)}
            for run, spec in runs.items():
                if run not in fresh:
                    yield Finished(run, spec, run_store.ROOT / run, self.environment, reused=True)
            while fresh:  # told of an end, for a share's comes before the last rows do
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                for run, row in _drain(self._rows):
                    if row is None:
                        spec = fresh.pop(run)
                        yield Finished(run, spec, run_store.ROOT / run, self.environment, reused=False)
                    else:
                        yield Progress(run, runs[run], row)

    def run(self, specs: Sequence[RunSpec]) -> list[Finished]:
        """`stream` to its end: the finished runs in the order of `specs`."""
        return in_order(specs, self.stream(specs))


def _drain(rows: multiprocessing.Queue) -> Iterator[tuple[str, dict[str, float] | None]]:
    while True:
        try:
            yield rows.get_nowait()
        except queue.Empty:
            return
