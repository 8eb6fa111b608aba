"""Raw files as they lie on disk: opened with one-line errors, written reproducibly, digested and pinned."""

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic, read_json, write_json

# Archives say little of what comes out of them; beyond these it is no data set but a fault, or an attack.
LARGEST = 8 << 30  # bytes that a compressed file unpacks to: four times upstream's largest
LONGEST = 1 << 20  # bytes of a line: a vector of 100,000 numbers


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


def _too_large(path: Path) -> StudyError:
    return StudyError(f"{label(path)}: unpacks to more than {LARGEST} bytes: expected a data set's file")


class _Limited(io.RawIOBase):
    """The first `LARGEST` bytes of what a gzip file holds; a `StudyError` where there are more."""

    def __init__(self, stream: BinaryIO, path: Path):
        self._stream, self._path, self._read = stream, path, 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._read

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self._read += count
        if self._read > LARGEST:
            raise _too_large(self._path)
        return count


@contextmanager
def gunzip(path: Path) -> Iterator[BinaryIO]:
    """The decompressed content of `path`; a `StudyError` where the gzip file is damaged or cut off, or holds more than
    `LARGEST` bytes."""
    with readable(path, "gzip", EOFError, zlib.error, gzip.BadGzipFile), gzip.open(path) as stream:
        yield io.BufferedReader(_Limited(stream, path), 1 << 18)


def lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The lines of `stream`, which messages call `name`; a `StudyError` where one is longer than `LONGEST`."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise StudyError(f"{name}:{number}: a line of more than {LONGEST} bytes: expected shorter ones")
        yield line


@contextmanager
def unzip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive `path`, a `StudyError` where it is damaged, or its members say that they are larger than `LARGEST`
    together: no more than they say is read of them. Reading a member to its end checks its CRC."""
    # RuntimeError: encrypted, or compressed in a way that Python does not know.
    faults = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
    with readable(path, "zip", *faults), zipfile.ZipFile(path) as archive:
        if any(member.header_offset < 0 for member in archive.infolist()):
            raise zipfile.BadZipFile("a member before the file's beginning")
        if sum(member.file_size for member in archive.infolist()) > LARGEST:
            raise _too_large(path)
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
