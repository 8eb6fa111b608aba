"""How a pipeline script runs: its arguments, one-line errors, and leaving when DVC does."""

import atexit
import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import typer

from .errors import StudyError, one_line_errors

_LEAVING = 5.0  # seconds that a process may take to leave when DVC was killed


def _leave_with(parent: int) -> None:
    while os.getppid() == parent and not _adopted(parent):
        time.sleep(1)
    os._exit(1)


def _adopted(parent: int) -> bool:
    """Whether DVC was gone before this process could look: then its parent is the first of all processes, which in a
    container may be DVC itself."""
    try:
        return parent == 1 and b"dvc" not in Path("/proc/1/cmdline").read_bytes()
    except OSError:  # no Linux, where it never is
        return True


def with_own_code() -> None:
    """Start this process again where the package it imported is not that of the checkout it works in: one environment
    may serve several, and what runs must be what the run store and DVC hash."""
    own = Path.cwd() / "src"
    if not (own / "rnn_study").is_dir() or Path(__file__).resolve().is_relative_to(own.resolve()):
        return
    before = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if str(own) in before[:1]:
        raise StudyError(f"PYTHONPATH: {own}: expected its rnn_study to be imported, got {Path(__file__).parents[1]}")
    sys.stdout.flush()
    path = os.pathsep.join([str(own), *before])
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONPATH": path})


def _held(file: TextIO) -> bool:
    """Whether another process has locked `file`; else this one has now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        pass
    return False


@contextmanager
def _alone() -> Iterator[None]:
    """Hold this checkout's lock of the command this process runs; a StudyError where another process holds it. DVC has
    a lock of its own, which whoever runs a script by hand does not meet."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    if not Path(".dvc").is_dir():  # not in a checkout
        yield
        return
    path = Path(".dvc/tmp") / f"{quote(command, safe=' ')[:200]}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        until = time.monotonic() + _LEAVING
        while _held(file):
            if time.monotonic() > until:
                file.seek(0)
                raise StudyError(
                    f"{command}: process {file.read() or '?'} is at it: expected one at a time; wait for it, or end it"
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def with_streams() -> None:
    """Open to nowhere what of stdin, stdout and stderr was closed: what is opened next would take its place, and
    libraries ask all three what they are."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def with_home() -> None:
    """A home folder for libraries where a container gives its user none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(Path(".dvc/tmp").resolve())


def run(main: Callable[..., None]) -> None:
    """Run `main` with the command line's arguments. Under DVC the process ends when DVC is killed."""
    with_streams()
    with_home()
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    try:
        with one_line_errors():
            with_own_code()
            with _alone():
                typer.run(main)
    except SystemExit as end:
        if end.code:
            raise
    # All is written; libraries would take up to a second to clear away what the system clears at once.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
