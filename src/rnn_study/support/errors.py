"""One kind of error for everything a user can mend, and its one-line rendering."""

import errno
import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

DEBUG = "RNN_STUDY_DEBUG"  # set: a traceback stands before the line
# What the system refuses, and what it takes to do it.
_NEEDED = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "room to write it")
_NEEDED |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "a place that may be read and written")


class StudyError(Exception):
    """A fault in what was given (a file, a key, the machine): names it, its value and what was expected."""


def _store_fault(error: BaseException | None) -> str | None:
    """What SQLite said (a full disk, a damaged file) behind an error that MLflow or Optuna has wrapped."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what a user or a machine can mend (a `StudyError`, whatever the system refuses, a broken store) into one
    line on stderr and exit code 1."""
    try:
        yield
        return
    except StudyError as error:
        fault, message = error, str(error)
    except OSError as error:
        needed = _NEEDED.get(error.errno, "a system that can do this")
        fault, message = error, f"{error.filename or 'the system'}: {error.strerror or error}: expected {needed}"
    except MemoryError as error:
        fault, message = error, f"memory: {error or 'none is left'}: expected sizes that this machine bears"
    except Exception as error:
        said = _store_fault(error)
        if said is None:
            raise
        fault, message = (
            error,
            f"mlflow.db or optuna.db: {said}: expected room and a whole store; results are kept",
        )
    if os.environ.get(DEBUG):
        traceback.print_exception(fault)
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(1)
