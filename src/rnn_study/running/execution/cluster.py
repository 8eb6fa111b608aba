"""The runs of a stage on an existing Ray cluster: docs/scale.md.

A run is one task of Ray on one core, or on a share of a GPU. It tells of every epoch and ends with its result, which
the driver puts into the run store, as if the run had been computed there. Code and prepared data are sent to the
cluster once; a task whose node or process died is given to another one, from its beginning.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from rnn_study.data.problems import catalogue
from rnn_study.model.task import Generated, Task
from rnn_study.running.run import store
from rnn_study.running.run.code import PACKAGE, SRC
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.run.train import Training
from rnn_study.support.errors import StudyError

from .executor import Executor, Row, load_task
from .workers import OURS, clear_environment, environment, resolve

SHARE = "RNN_STUDY_GPU_SHARE"
_AHEAD = 2  # runs given to the cluster for each that it can compute at once, so that nobody waits for the driver
_PATIENCE = 10.0  # seconds in which a cluster must answer
_TRIES = 5  # of a run whose node or process dies


def _found(backend: str) -> dict[str, str]:
    """In a process of the cluster, before it imports a framework: what it finds."""
    clear_environment()
    return environment(backend)


def _train(spec: RunSpec, task: Task | None, expected: dict[str, str]) -> Iterator[Any]:
    """Train `spec` there: yields a row of the history an epoch, then the result and the seconds it took. Data that is
    drawn is drawn there (`task` None)."""
    found = _found(spec.backend)
    if any(found[key] != value for key, value in expected.items()):
        raise StudyError(f"a node of the cluster has {found}: expected {expected}, so that all runs are alike")
    start = time.perf_counter()
    training = Training(spec, task or load_task(spec.task, spec.data))
    yield from training
    yield training.result(), time.perf_counter() - start


def _share() -> float:
    """Of a GPU, what a run takes: RNN_STUDY_GPU_SHARE, else all of it. Results never depend on it."""
    text = os.environ.get(SHARE, "") or "1"
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 1:  # below, a hundred processes would share one GPU's memory
        raise StudyError(f"{SHARE}: got {text[:40]!r}: expected a share of a GPU, 0.01 to 1")
    return share


def _connect() -> None:
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS") or "auto"
    code = {"py_modules": [str(SRC / PACKAGE)], "env_vars": OURS, "excludes": ["**/__pycache__"]}
    try:
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if port.isdecimal():  # Ray itself asks for minutes where nobody answers
            socket.create_connection((host, int(port)), _PATIENCE).close()
        ray.init(address, runtime_env=code, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RayError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise StudyError(
            f"params.yaml: executor: got 'ray', but no cluster answers at {address} ({said}): expected one that "
            "RAY_ADDRESS names, or local"
        ) from None


@contextmanager
def _one_line(owner: str) -> Iterator[None]:
    """Turn what the cluster could not do into one clear line."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, StudyError | ImportError):
            raise StudyError(f"{owner}: on the cluster: {error.cause}") from None
        raise
    except RayError as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise StudyError(
            f"{owner}: the cluster gave up on a run ({said}): expected it to finish; run the stage again, finished "
            "runs are kept"
        ) from None


class Cluster(Executor):
    """A Ray cluster that is there already: the one RAY_ADDRESS names, else this machine's."""

    def __init__(self, backend: str, owner: str, device: str):
        super().__init__(backend, owner)
        _connect()
        there = ray.cluster_resources()
        gpu = device != "cpu" and there.get("GPU", 0) > 0
        needs = {"num_cpus": 1, "num_gpus": _share() if gpu else 0}
        with _one_line(owner):
            found = ray.get(ray.remote(_found).options(**needs).remote(backend))
        self.device = resolve(device, found)
        self.environment = {key: value for key, value in found.items() if key != "device"}
        self._train = ray.remote(_train).options(**needs, max_retries=_TRIES, num_returns="streaming")
        places = there["GPU"] / needs["num_gpus"] if gpu else there["CPU"]
        self._most = max(2, int(_AHEAD * places))
        self._tasks: dict[tuple[str, Any], Any] = {}  # data that was sent
        self._given: dict[Any, str] = {}

    def _data(self, spec: RunSpec) -> Any:
        if isinstance(spec.data, Generated):
            return None
        key = (spec.task, spec.data)
        if key not in self._tasks:
            self._tasks[key] = ray.put(catalogue.load(*key))
        return self._tasks[key]

    def _feed(self) -> None:
        for run, spec in self._waiting:
            self._given[self._train.remote(spec, self._data(spec), self.environment)] = run
            if len(self._given) >= self._most:
                return

    def _begin(self, fresh: dict[str, RunSpec]) -> None:
        self._waiting = iter(fresh.items())
        self._feed()

    def _told(self, fresh: dict[str, RunSpec]) -> Iterator[tuple[str, Row | None]]:
        while self._given:
            ready, _ = ray.wait(list(self._given), num_returns=1)
            for rows in ready:
                run = self._given[rows]
                with _one_line(self.owner):
                    told = ray.get(next(rows))
                if isinstance(told, dict):
                    yield run, told
                    continue
                del self._given[rows]
                self._feed()
                store.add(run, fresh[run], *told)
                yield run, None

    def _close(self, wait: bool = False) -> None:
        for rows in self._given:
            ray.cancel(rows, force=True)
        self._given = {}
