"""One kind of error for everything a user can mend, and its one-line rendering."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# No space left on the device, over quota, file too large for the file system.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StudyError(Exception):
    """A fault in what was given (a file, a key, the machine): names it, its value and what was expected."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a `StudyError` or a full disk into one line on stderr and exit code 1, without a traceback."""
    try:
        yield
    except StudyError as error:
        message = str(error)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        message = f"{error.filename or 'a file of the study'}: {error.strerror}: expected room to write it"
    else:
        return
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(1)
