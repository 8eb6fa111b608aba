"""How a pipeline script runs: its arguments, one-line errors, and leaving when DVC does."""

import os
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
    with one_line_errors():
        typer.run(main)
