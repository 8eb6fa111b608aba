"""One kind of error for everything a user can mend, and its one-line rendering."""

import errno
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# No space left on the device, over quota, file too large for the file system.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


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
    """Turn a `StudyError`, a full disk or a broken store into one line on stderr and exit code 1."""
    try:
        yield
    except StudyError as error:
        message = str(error)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        message = f"{error.filename or 'a file of the study'}: {error.strerror}: expected room to write it"
    except Exception as error:
        fault = _store_fault(error)
        if fault is None:
            raise
        message = f"mlflow.db or optuna.db: {fault}: expected room and a whole store; finished runs are kept"
    else:
        return
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(1)
