"""Many independent runs: one single-threaded process a core, finished runs taken from the run store."""

import multiprocessing
import os
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from . import run_store, task
from .events import Event, Finished, Progress, in_order
from .train import RunSpec, train
from .workers import Workers


def _take_rows(rows: multiprocessing.Queue) -> None:
    global _rows
    _rows = rows


_load_task = lru_cache(maxsize=4)(task.load)


def _work(run: str, spec: RunSpec) -> None:
    start = time.perf_counter()
    epochs = train(spec, _load_task(Path(spec.data)))
    while True:
        try:
            _rows.put((run, next(epochs)))
        except StopIteration as end:
            run_store.add(run, spec, end.value, time.perf_counter() - start)
            return


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
        waiting: dict[Future, str] = {}
        with self._workers.one_line():
            for run, spec in runs.items():
                if run_store.find(run) is None:
                    waiting[self._workers.submit(_work, run, spec)] = run
            fresh = set(waiting.values())
            for run, spec in runs.items():
                if run not in fresh:
                    yield Finished(run, spec, run_store.ROOT / run, self.environment, reused=True)
            while waiting:
                done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for run, row in _drain(self._rows):
                    if run in waiting.values():  # its end may have overtaken its last rows
                        yield Progress(run, runs[run], row)
                for future in done:
                    run = waiting.pop(future)
                    future.result()
                    yield Finished(run, runs[run], run_store.ROOT / run, self.environment, reused=False)

    def run(self, specs: Sequence[RunSpec]) -> list[Finished]:
        """`stream` to its end: the finished runs in the order of `specs`."""
        return in_order(specs, self.stream(specs))


def _drain(rows: multiprocessing.Queue) -> Iterator[tuple[str, dict[str, float]]]:
    while True:
        try:
            yield rows.get_nowait()
        except queue.Empty:
            return
