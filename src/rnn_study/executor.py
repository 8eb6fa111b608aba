"""Many independent runs: one single-threaded process a core, finished runs taken from the run store."""

import json
import multiprocessing
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from . import backends, run_store, task
from .closure import SRC
from .errors import StudyError
from .events import Event, Finished, Progress, in_order
from .train import RunSpec, train

# One thread in every library of a worker; they read these when they are first imported.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def worker_count() -> int:
    """Processes to keep busy: RNN_STUDY_WORKERS, else the cores this process may use. Results never depend on it."""
    text = os.environ.get("RNN_STUDY_WORKERS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or int(text) < 1:
        raise StudyError(f"RNN_STUDY_WORKERS: got {text!r}: expected a whole number from 1")
    return int(text)


def _start_worker(rows: multiprocessing.Queue) -> None:
    global _rows
    _rows = rows
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def _environment(backend: str) -> dict[str, str]:
    versions = {"python": platform.python_version(), "numpy": np.__version__, "threads": "1"}
    return backends.load(backend).environment() | versions


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


@contextmanager
def _inherited(interpreter: str) -> Iterator[None]:
    """What a process spawned now inherits: not the driver's script, for it would import all that the driver does,
    and, if another interpreter runs it, not the driver's import path either."""
    main, path = sys.modules["__main__"], sys.path
    if interpreter != sys.executable:
        ask = [interpreter, "-c", "import json, sys; print(json.dumps(sys.path))"]
        try:
            answer = json.loads(subprocess.run(ask, capture_output=True, check=True).stdout)
        except (OSError, ValueError, subprocess.CalledProcessError):
            raise StudyError(f"{interpreter}: does not answer: expected a Python interpreter") from None
        sys.path = [*answer, str(SRC)]
    hidden = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__dict__.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        main.__dict__.update(hidden)
        sys.path = path


class Executor:
    """The workers of one backend, for `owner` (a stage); they import its framework once and serve many lists.

    `environment` names the framework, its version, and Python's and NumPy's; `device` is the kind in use.
    """

    def __init__(self, backend: str, owner: str, device: str):
        variable = f"RNN_STUDY_PYTHON_{backend.upper()}"
        self._interpreter = os.environ.get(variable, sys.executable)
        if not Path(self._interpreter).is_file():
            raise StudyError(f"{variable}: got {self._interpreter!r}: expected the path of a Python interpreter")
        self.backend, self.owner = backend, owner
        os.environ.update(_ONE_THREAD)
        self._context = multiprocessing.get_context("spawn")
        self._context.set_executable(self._interpreter)
        self._rows = self._context.Queue()
        self._runs: set[str] = set()
        self._pool, found = self._start(worker_count())
        self.device = found["device"] if device == "auto" else device
        if device == "gpu" and found["device"] != "gpu":
            self._pool.shutdown()
            raise StudyError(
                f"params.yaml: device: got 'gpu', but {found['framework']} {found['version']} finds none: "
                "expected auto or cpu here"
            )
        if self.device == "gpu" and "RNN_STUDY_WORKERS" not in os.environ:
            self._pool.shutdown()  # processes beside each other would only share the one GPU
            self._pool, found = self._start(1)
        self.environment = {key: value for key, value in found.items() if key != "device"}

    def _start(self, workers: int) -> tuple[ProcessPoolExecutor, dict[str, str]]:
        """A pool of `workers` processes and what they found."""
        pool = ProcessPoolExecutor(workers, self._context, _start_worker, (self._rows,))
        try:
            with self._one_line(), _inherited(self._interpreter):
                # One question for each worker, so that all of them import the framework at the same time.
                probes = [pool.submit(_environment, self.backend) for _ in range(workers)]
                return pool, probes[0].result()
        except ModuleNotFoundError as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise StudyError(
                f"{self._interpreter}: {error}: expected what the {self.backend} backend imports: "
                f"pip install -e '.[{self.backend}]'"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is None:
            run_store.claim(self.owner, self._runs)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool:
            raise StudyError(
                f"{self.owner}: a {self.backend} worker died (killed, or out of memory): expected it to finish; "
                "run the stage again, finished runs are kept"
            ) from None

    def stream(self, specs: Sequence[RunSpec]) -> Iterator[Event]:
        """Run `specs`; yields events as they come. A run that the store holds comes at once."""
        resolved = [replace(spec, device=self.device) for spec in specs]
        runs = {run_store.run_id(spec, self.environment): spec for spec in resolved}
        self._runs |= runs.keys()
        run_store.claim(self.owner, self._runs | run_store.claimed(self.owner))  # what it needed stays until it ends
        waiting: dict[Future, str] = {}
        with self._one_line():
            for run, spec in runs.items():
                if run_store.find(run) is None:
                    waiting[self._pool.submit(_work, run, spec)] = run
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
