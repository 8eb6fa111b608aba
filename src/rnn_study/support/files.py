"""Whole files or none: every file the study writes appears under its name complete."""

import fcntl
import glob
import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import StudyError

Arrays = dict[str, np.ndarray]  # by name


def _beside(path: Path) -> tuple[int, str]:
    """A new file beside `path` to write into, locked while it is open: handle and name. Such files of others that
    nobody has locked are deleted, for whoever wrote them was killed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with suppress(OSError):  # a file system without locks: there nothing is deleted
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else it was deleted before it was locked
            return handle, name
        os.close(handle)


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes its name only when the block ends well; nothing is left of it otherwise, and what a
    process leaves that is killed in the block, the next to write there deletes.

    An `OSError` (a full disk, say) carries `path` as its file name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = _beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


# What is raised of files that are cut off, empty, or something else: JSON, text, archives, arrays by name.
_DAMAGE = (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def whole(path: Path, *damage: type[Exception]) -> Iterator[None]:
    """Turn a `path` that is missing, or met with one of `_DAMAGE` and `damage` when it is read, into a `StudyError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise StudyError(f"{path}: not found: expected a file that a stage writes; run: dvc repro") from None
    except (*_DAMAGE, *damage) as error:
        raise StudyError(f"{path}: damaged ({error}): expected a whole file; delete it and run: dvc repro") from None


def write_json(path: Path, value: Any) -> None:
    """`value` as readable JSON; NaN and infinity are refused, for other readers do not know them."""
    with atomic(path) as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def _list(rows: Iterable[dict[str, Any]]) -> str:
    """A JSON list, a line a row."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    return f"[\n{lines}\n]"


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """`rows` as a JSON list, a line a row, so that a change of one is a change of one line."""
    with atomic(path) as file:
        file.write(f"{_list(rows)}\n".encode())


def write_tables(path: Path, head: dict[str, Any], tables: dict[str, Iterable[dict[str, Any]]]) -> None:
    """One JSON object: the keys of `head`, then each table as a list, a line a row."""
    parts = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in head.items()
    ]
    for name, rows in tables.items():
        parts.append(f"{json.dumps(name)}: {_list(rows)}")
    with atomic(path) as file:
        file.write(("{\n" + ",\n".join(parts) + "\n}\n").encode())


def read_json(path: Path) -> Any:
    with whole(path):
        return json.loads(path.read_text(encoding="utf-8"))


def write_arrays(path: Path, arrays: Arrays) -> None:
    """`arrays` as a compressed npz without pickles; equal arrays give equal bytes.

    By hand, for the headers that `np.savez` asks for (zip64) differ between releases of Python 3.11.
    """
    with atomic(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy")  # its time is 1980, for a clock is no result
            archive.writestr(member, content.getbuffer(), compress_type=zipfile.ZIP_DEFLATED)


def read_arrays(path: Path) -> Arrays:
    with whole(path), np.load(path, allow_pickle=False) as file:
        return dict(file)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
