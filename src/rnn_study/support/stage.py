"""How a pipeline script runs: its arguments, one-line errors, and leaving when DVC does."""

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable

import typer

from .errors import one_line_errors


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def run(main: Callable[..., None]) -> None:
    """Run `main` with the command line's arguments. Under DVC the process ends when DVC is killed."""
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    try:
        with one_line_errors():
            typer.run(main)
    except SystemExit as end:
        if end.code:
            raise
    # All is written; libraries would take up to a second to clear away what the system clears at once.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
