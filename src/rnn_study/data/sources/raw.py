"""Raw files as they lie on disk: opened with one-line errors, written reproducibly, digested and pinned."""

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic, read_json, write_json


class About(NamedTuple):
    """What a report says about a source."""

    title: str
    note: str
    licence: str
    citation: str
    generated: bool = False


def label(path: Path) -> str:
    """How messages name a raw file: by its source, "mnist/t10k-labels-idx1-ubyte.gz"."""
    return f"{path.parent.name}/{path.name}"


def shown(value: str) -> str:
    """A value as messages quote it: the start of it is enough."""
    return repr(value[:40])


@contextmanager
def readable(path: Path, kind: str, *faults: type[Exception]) -> Iterator[None]:
    """Turn a missing `path`, and `faults` met while it is read, into a `StudyError`."""
    try:
        yield
    except FileNotFoundError:
        raise StudyError(f"{label(path)}: not found: expected a {kind} file, fetched before") from None
    except faults as error:
        raise StudyError(f"{label(path)}: {str(error)[:200]}: expected a whole {kind} file") from None


@contextmanager
def gunzip(path: Path) -> Iterator[BinaryIO]:
    """The decompressed content of `path`; a `StudyError` where the gzip file is damaged or cut off."""
    with readable(path, "gzip", EOFError, zlib.error, gzip.BadGzipFile), gzip.open(path) as stream:
        yield stream


@contextmanager
def unzip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive `path`, a `StudyError` where it is damaged. Reading a member to its end checks its CRC."""
    # RuntimeError: encrypted, or compressed in a way that Python does not know.
    faults = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
    with readable(path, "zip", *faults), zipfile.ZipFile(path) as archive:
        if any(member.header_offset < 0 for member in archive.infolist()):
            raise zipfile.BadZipFile("a member before the file's beginning")
        yield archive


@contextmanager
def gzip_to(path: Path) -> Iterator[BinaryIO]:
    """Write `path` compressed, without name or time in the header: equal content gives equal bytes."""
    with atomic(path) as file, gzip.GzipFile("", "wb", fileobj=file, compresslevel=6, mtime=0) as stream:
        yield stream


def digests(path: Path) -> list[dict]:
    """`file`, `sha256` and `bytes` of the decompressed content: one entry, or one a member of a zip."""
    if path.suffix == ".zip":
        with unzip(path) as archive:
            entries = []
            for member in sorted(archive.namelist()):
                with archive.open(member) as stream:
                    entries.append(_digest(f"{path.name}/{member}", stream))
            return entries
    if path.suffix == ".gz":
        with gunzip(path) as stream:
            return [_digest(path.name, stream)]
    with path.open("rb") as stream:
        return [_digest(path.name, stream)]


def _digest(name: str, stream: BinaryIO) -> dict:
    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"file": name, "sha256": sha256, "bytes": stream.tell()}


def check_pins(pins: Path, found: dict[str, str]) -> None:
    """Compare digests with those pinned in the JSON file `pins`, and pin those that it does not hold yet.

    `found` and the file map "<upstream|mirror>:<source>/<file>" to the SHA-256 of the decompressed content.
    """
    try:
        known = read_json(pins) if pins.exists() else {}
    except StudyError:
        known = None
    if not isinstance(known, dict):
        raise StudyError(f"{pins}: not readable as a JSON object: expected digests; remove it to pin anew")
    for key, digest in found.items():
        if known.get(key, digest) != digest:
            raise StudyError(
                f"{key}: SHA-256 of the content is {digest}: expected {known[key]}, pinned on first use; "
                f"remove its line in {pins} to accept the new content"
            )
    if not found.keys() <= known.keys():
        write_json(pins, dict(sorted((known | found).items())))
