"""The runs of a stage on this machine, one single-threaded process a core."""

import math
import multiprocessing
import os
import queue
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace

import numpy as np

from rnn_study.model.init import Init
from rnn_study.running.run import store
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.run.train import Training
from rnn_study.support.errors import StudyError

from . import frameworks
from .executor import Executor, Row, load_task
from .workers import Workers, starting, worker_count


def _take_rows(rows: multiprocessing.Queue) -> None:
    global _rows
    _rows = rows


_COMPILING = {"pytorch": 0.0, "tensorflow": 2.0}  # seconds that a worker may lose on a shape that is new to it


def _shape(spec: RunSpec) -> RunSpec:
    """`spec` without what may differ between runs that share compiled code."""
    rule = replace(spec.optimiser, learning_rate=0.0, clip=None)
    network = replace(spec.network, dropout=float(spec.network.dropout > 0))
    return replace(spec, variant="", seed=0, network=network, init=Init(), optimiser=rule, goal=None, checkpoints=())


def saving_seconds() -> float:
    """Seconds after which a run under way is saved: RNN_STUDY_SAVE_SECONDS, else 60. Results never depend on it."""
    text = os.environ.get("RNN_STUDY_SAVE_SECONDS", "") or "60"
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise StudyError(f"RNN_STUDY_SAVE_SECONDS: got {text[:40]!r}: expected a whole number of 0 to 999999")
    return float(text)


def _work(run: str, spec: RunSpec, saving: float) -> None:
    """Train one, from where it was last saved; tells of every epoch, and at the run's end of the seconds it took."""
    start = saved = time.perf_counter()
    state = store.load_state(run)
    before = float(state["seconds"]) if state else 0.0
    training = Training(spec, load_task(spec.task, spec.data), state=state)
    for row in training:
        _rows.put((run, row))
        if time.perf_counter() - saved >= saving:
            saved = time.perf_counter()
            store.save_state(run, training.state() | {"seconds": np.array(before + saved - start)})
    result = training.result()
    seconds = before + time.perf_counter() - start
    store.add(run, spec, result, seconds)
    _rows.put((run, seconds))


class _Shapes:
    """Runs that wait, by shape: what a framework compiles for, once in each worker."""

    def __init__(self, runs: dict[str, RunSpec], compiling: float):
        self._compiling = compiling
        self._shapes = {run: _shape(spec) for run, spec in runs.items()}
        self._left: dict[RunSpec, deque[str]] = {}
        self._seconds: dict[RunSpec, float] = {}
        for run, shape in self._shapes.items():
            self._left.setdefault(shape, deque()).append(run)

    def __len__(self) -> int:
        return sum(map(len, self._left.values()))

    def took(self, run: str, seconds: float) -> None:
        """What is told of a finished run; the shortest of its shape is one that compiled nothing."""
        shape = self._shapes[run]
        self._seconds[shape] = min(seconds, self._seconds.get(shape, seconds))

    def take(self, own: set[RunSpec], others: set[RunSpec]) -> str | None:
        """A run for a worker that has compiled the shapes `own`: one of these, else of a shape that no other worker
        has either (`others`), else, if there is enough left to do, of the shape with most runs left."""

        def worth(shape: RunSpec, runs: deque[str]) -> bool:
            return (
                shape in own or shape not in others or len(runs) * self._seconds.get(shape, math.inf) > self._compiling
            )

        waiting = [shape for shape, runs in self._left.items() if runs and worth(shape, runs)]
        if not waiting:
            return None
        shape = max(waiting, key=lambda shape: (shape in own, shape not in others, len(self._left[shape])))
        own.add(shape)
        return self._left[shape].popleft()


class _Worker(Workers):
    """One process, with the runs it was given and the shapes it has compiled."""

    def __init__(self, backend: str, owner: str):
        super().__init__(backend, owner, 1, fork=True)
        self.given: dict[str, Future] = {}
        self.shapes: set[RunSpec] = set()


class Local(Executor):
    """Workers on this machine. They import their framework once, and start at once, but where all that `owner` needed
    last time is still in the store: then at the first run that is not."""

    def __init__(self, backend: str, owner: str, device: str):
        super().__init__(backend, owner)
        self._saving = saving_seconds()
        self._workers: list[_Worker] = []
        told = frameworks.environment(backend)
        if told and (device == "cpu" or (device == "auto" and frameworks.surely_no_gpu())):
            self.environment, self.device = told, "cpu"
            last = store.claimed(owner)
            if not last or not all(map(store.find, last)):
                self._start(worker_count())
        else:
            self._start(worker_count())
            try:
                self.device = self._workers[0].resolve(device)
                self.environment = self._found()
            except BaseException:
                self._close()
                raise
            if self.device == "gpu" and not os.environ.get("RNN_STUDY_WORKERS"):
                self._close()  # processes beside each other would only share the one GPU
                self._start(1)

    def _start(self, count: int) -> None:
        self._workers = [_Worker(self.backend, self.owner) for _ in range(count)]
        try:
            with starting(self.owner):
                self._rows = self._workers[0].context.Queue()
            for worker in self._workers:
                worker.start(_take_rows, self._rows)
        except BaseException:
            self._close()
            raise

    def _close(self, wait: bool = False) -> None:
        for worker in self._workers:
            worker.close(wait)

    def _found(self) -> dict[str, str]:
        """What the workers found."""
        return {key: value for key, value in self._workers[0].environment.items() if key != "device"}

    def _ready(self) -> None:
        """Wait for the workers, which must be what was told of them, for the runs' ids hold it."""
        if not self._workers:
            self._start(worker_count())
        if (found := self._found()) != self.environment:
            self._close()
            raise StudyError(f"{self.owner}: a {self.backend} worker found {found}: expected {self.environment}")

    def _feed(self, waiting: _Shapes, fresh: dict[str, RunSpec]) -> None:
        """Give every worker a run, and a second one, so that it need not wait for the driver, while there are many."""
        for worker in self._workers:
            others = set().union(*(other.shapes for other in self._workers if other is not worker))
            while len(worker.given) < (2 if len(waiting) > len(self._workers) else 1):
                run = waiting.take(worker.shapes, others)
                if run is None:  # nothing that is worth its while; another worker may have more to do
                    break
                worker.given[run] = worker.submit(_work, run, fresh[run], self._saving)

    def _begin(self, fresh: dict[str, RunSpec]) -> None:
        self._waiting = _Shapes(fresh, _COMPILING[self.backend])
        self._ready()
        self._feed(self._waiting, fresh)

    def _told(self, fresh: dict[str, RunSpec]) -> Iterator[tuple[str, Row | None]]:
        left = set(fresh)
        while left:
            for run, told in _said(self._rows):
                if isinstance(told, dict):
                    yield run, told
                    continue
                self._waiting.took(run, told)
                for worker in self._workers:
                    worker.given.pop(run, None)
                self._feed(self._waiting, fresh)
                left.remove(run)
                yield run, None
            for worker in self._workers:
                with worker.one_line():
                    for future in worker.given.values():
                        if future.done():
                            future.result()


def _said(rows: multiprocessing.Queue) -> Iterator[tuple[str, Row | float]]:
    """What workers tell within a fifth of a second, then what else is there."""
    with suppress(queue.Empty):
        yield rows.get(timeout=0.2)
        while True:
            yield rows.get_nowait()
