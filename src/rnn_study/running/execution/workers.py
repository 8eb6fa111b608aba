"""Processes of one backend: each imports its framework once, runs single-threaded, and leaves with its parent."""

import gc
import multiprocessing
import os
import platform
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cached_property
from multiprocessing.util import Finalize
from typing import Any, TypeVar

import numpy as np

from rnn_study.running.run import backends
from rnn_study.running.run.code import SRC
from rnn_study.support import machine
from rnn_study.support.errors import StudyError

from . import frameworks

J, R = TypeVar("J"), TypeVar("R")
# One thread in every library of a worker, and no settings of the user's for Keras; they read these when they are first
# imported.
OURS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"KERAS_HOME": os.devnull}
# What else libraries read can change a run's bytes and stands in no run's id, but for memory and messages.
_FOREIGN = re.compile(
    r"(XLA|TF2?|KERAS|TORCH\w*|PYTORCH|G?OMP|KMP|MKL|OPENBLAS|BLIS|VECLIB|ONEDNN|DNNL|CUDNN|CUBLAS|NPY|NVIDIA_TF32)_"
)
_HARMLESS = {"TF_CPP_MIN_LOG_LEVEL", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "PYTORCH_CUDA_ALLOC_CONF"}
_MOST = 1000  # workers: each is a process with a framework in its memory


def worker_count() -> int:
    """Processes to keep busy: RNN_STUDY_WORKERS, else as many as there are cores for. Results never depend on it."""
    text = os.environ.get("RNN_STUDY_WORKERS", "")
    if not text:
        return machine.cores()
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= _MOST):
        raise StudyError(
            f"RNN_STUDY_WORKERS: got {text[:40]!r}: expected a whole number of 1 to {_MOST}, each is a process with a "
            "framework in its memory"
        )
    return int(text)


def clear_environment() -> None:
    """Leave what would change results out of the environment that workers inherit."""
    for name in list(os.environ):
        if _FOREIGN.match(name) and name not in _HARMLESS and name not in OURS:
            del os.environ[name]
    os.environ.update(OURS)


def _leave() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None where it was closed
            stream.flush()
    os._exit(0)


def _start(initialise: Callable[..., None] | None, arguments: tuple) -> None:
    gc.freeze()  # what came with the fork stays as long as this process
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def leave_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    # After all else that is to be done at the end: a framework takes half a second to clear its memory away.
    Finalize(None, _leave, exitpriority=-100)
    if initialise:
        initialise(*arguments)


def environment(backend: str) -> dict[str, str]:
    """What a worker finds: framework, version, device (the kind that `auto` means), Python, NumPy."""
    versions = {"python": platform.python_version(), "numpy": np.__version__, "threads": "1"}
    return backends.load(backend).environment() | versions


def resolve(device: str, found: dict[str, str]) -> str:
    """The kind of device that `device` (auto | cpu | gpu) means where a worker found this (`environment`)."""
    if device == "gpu" and found["device"] != "gpu":
        raise StudyError(
            f"params.yaml: device: got 'gpu', but {found['framework']} {found['version']} finds none: expected auto or "
            "cpu here"
        )
    return found["device"] if device == "auto" else device


@contextmanager
def _inherited(interpreter: str) -> Iterator[None]:
    """What a process spawned now inherits: not the driver's script, for it would import all that the driver does,
    and, if another interpreter runs it, not the driver's import path either."""
    main, path = sys.modules["__main__"], sys.path
    if interpreter != sys.executable:
        its_path, *_ = frameworks.ask(interpreter)
        sys.path = [*its_path, str(SRC)]
    hidden = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__dict__.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        main.__dict__.update(hidden)
        sys.path = path


_forked: tuple[str, str] | None = None  # backend and interpreter of this process' one fork server


def _context(backend: str, interpreter: str, fork: bool) -> multiprocessing.context.BaseContext:
    """How processes start: spawned; or forked from a server that has imported the framework, so that this is done once
    for all of them. Neither framework starts a thread when it is imported, and where there may be a GPU nothing is
    forked, for CUDA does not survive it. A fork server is met at a Unix socket."""
    global _forked
    own = _forked in (None, (backend, interpreter))
    if fork and own and frameworks.surely_no_gpu() and machine.has_unix_sockets():
        _forked = backend, interpreter
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(frameworks.MODULES[backend]))
    else:
        context = multiprocessing.get_context("spawn")
    context.set_executable(interpreter)
    return context


@contextmanager
def starting(owner: str) -> Iterator[None]:
    """Turn what the system refuses when processes are started into one clear line."""
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"{owner}: {error.filename or 'workers'}: {error.strerror or error}: expected a system that lets processes "
            "start and share memory (/dev/shm)"
        ) from None


class Workers:
    """The processes of one backend, working for `owner` (a stage), in the interpreter that the environment names.

    With `fork` all of them share one import of the framework, if no other backend of this process does.
    """

    def __init__(self, backend: str, owner: str, count: int | None = None, fork: bool = False):
        self._interpreter = frameworks.interpreter(backend)
        self.backend, self.owner = backend, owner
        clear_environment()
        self.context = _context(backend, self._interpreter, fork)
        self.count = count or worker_count()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(wait=kind is None)

    def start(self, initialise: Callable[..., None] | None = None, *arguments: Any) -> None:
        """Start the processes, each with a call of `initialise`; they import the framework meanwhile."""
        try:
            with starting(self.owner), self.one_line(), _inherited(self._interpreter):
                self._pool = ProcessPoolExecutor(self.count, self.context, _start, (initialise, arguments))
                # One question for each worker, so that all of them import the framework at the same time.
                self._found, *_ = (self._pool.submit(environment, self.backend) for _ in range(self.count))
        except BaseException:
            self.close()
            raise

    @cached_property
    def environment(self) -> dict[str, str]:
        """What they found: framework, version, device (the kind that `auto` means), Python, NumPy."""
        try:
            with self.one_line():
                return self._found.result()
        except ImportError as error:  # not installed, or a library that it needs is not
            self.close()
            raise StudyError(
                f"{self._interpreter}: {error}: expected what the {self.backend} backend imports: "
                f"pip install -e '.[{self.backend}]'"
            ) from None
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Wait until the framework is imported; one clear line where it cannot be."""
        _ = self.environment

    def resolve(self, device: str) -> str:
        """The kind of device that `device` (auto | cpu | gpu) means here."""
        return resolve(device, self.environment)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        """Run `function`, a module's own, in one of the processes."""
        with self.one_line():
            return self._pool.submit(function, *arguments)

    def close(self, wait: bool = False) -> None:
        """End the processes; what is still waiting is dropped. Without `wait` at once, in the middle of what they do:
        nobody would hear of its end, and it may take hours."""
        if self._pool:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=wait, cancel_futures=True)
            for process in () if wait else processes:
                process.terminate()

    @contextmanager
    def one_line(self) -> Iterator[None]:
        """Turn the death of a worker into one clear line."""
        try:
            yield
        except (BrokenProcessPool, ConnectionError, EOFError):  # the latter two of a fork server
            raise StudyError(
                f"{self.owner}: a {self.backend} worker died (killed, out of memory, or of what it said above): "
                "expected it to finish; run the stage again, finished runs are kept"
            ) from None


def _nothing() -> None:
    pass


def spread(
    function: Callable[[J], R], jobs: Iterable[J], initialise: Callable[..., None] = _nothing, *arguments: Any
) -> Iterator[R]:
    """The results of `function` on `jobs`, in their order, from processes that need no framework."""
    clear_environment()
    context = multiprocessing.get_context("spawn")
    with starting("processes"):
        made = ProcessPoolExecutor(worker_count(), context, _start, (initialise, arguments))
    with made as pool:
        try:
            # All jobs are handed over, and all processes started, in this call.
            with starting("processes"), _inherited(sys.executable):
                found = pool.map(function, jobs)
            yield from found
        except BrokenProcessPool:
            raise StudyError("a worker died (killed, or out of memory): expected it to finish; run it again") from None
