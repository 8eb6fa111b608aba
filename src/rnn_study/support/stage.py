"""How a pipeline script runs: its arguments, one-line errors, and leaving when DVC does."""

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import typer

from .errors import StudyError, one_line_errors


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


def run(main: Callable[..., None]) -> None:
    """Run `main` with the command line's arguments. Under DVC the process ends when DVC is killed."""
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    try:
        with one_line_errors():
            with_own_code()
            typer.run(main)
    except SystemExit as end:
        if end.code:
            raise
    # All is written; libraries would take up to a second to clear away what the system clears at once.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None where it was closed
            stream.flush()
    os._exit(0)
