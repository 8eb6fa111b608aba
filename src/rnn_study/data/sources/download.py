"""Upstream files: from the mirror that RNN_STUDY_MIRROR names, else from their public addresses."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

MIRROR = "RNN_STUDY_MIRROR"
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of the body
TRIES = 3
BACKOFF = 0.5  # seconds before the second retry; doubles each time
_CHUNK = 1 << 16
_WEB = ("http://", "https://")


class Remote(NamedTuple):
    """A file upstream. `name` is its place in a mirror, `urls` are its public addresses, the best first."""

    name: str
    urls: tuple[str, ...] = ()


class _Unavailable(Exception):
    """An address that did not give the file; the message says why."""


def _mirror() -> str:
    return os.environ.get(MIRROR, "").strip().rstrip("/")


def is_mirrored() -> bool:
    """Whether files come from a mirror."""
    return bool(_mirror())


def note_mirror(note: Path, needed: bool) -> bool:
    """Write into `note` which mirror there is, and the sizes and times of a folder's files, or remove it where none is
    `needed`; whether that is news. DVC, which knows nothing of the environment, notices a changed mirror by this
    file."""
    lines = []
    if needed and (mirror := _mirror()):
        files = () if mirror.startswith(_WEB) else sorted(Path(mirror).expanduser().glob("*/*.*"))
        states = ((file, file.stat()) for file in files)
        lines = [mirror, *(f"{file.parent.name}/{file.name} {at.st_size} {at.st_mtime_ns}" for file, at in states)]
    before = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    if lines and lines != before:
        with atomic(note) as written:
            written.write("\n".join([*lines, ""]).encode())
    elif not lines:
        note.unlink(missing_ok=True)
    return lines != before


def obtain(source: str, candidates: Sequence[Remote], folder: Path) -> tuple[Path, str]:
    """Put the first of `candidates` that can be had into `folder`, under its own name.

    Returns its path and where it came from: a URL, or "mirror:<name>". Raises a `StudyError` that names every
    address that was tried and the ways out. Contents are the caller's to verify.
    """
    mirror = _mirror()
    failures = []
    for remote in candidates:
        target = folder / Path(remote.name).name
        for address in [f"{mirror}/{remote.name}"] if mirror else remote.urls:
            try:
                if address.startswith(_WEB):
                    _get(address, remote.name, target)
                else:
                    _copy(Path(address).expanduser(), target)
            except _Unavailable as failure:
                failures.append(f"{address}: {failure}")
            else:
                return target, f"mirror:{remote.name}" if mirror else address
    raise StudyError(
        f"{'; '.join(failures)}: expected the file there; set {MIRROR} to a folder or URL "
        f"laid out like upstream, or set data.{source}: embedded in params.yaml"
    )


def _copy(path: Path, target: Path) -> None:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _Unavailable(error.strerror) from None
    with stream, atomic(target) as file:
        shutil.copyfileobj(stream, file)


class _Session(requests.Session):
    """Follows redirects, but never from a protected address to an open one, or to another kind of address."""

    def get_redirect_target(self, response: requests.Response) -> str | None:
        target = super().get_redirect_target(response)
        if target:
            before, after = (urlsplit(url).scheme for url in (response.url, urljoin(response.url, target)))
            if after not in {"https", before}:
                raise _Unavailable(f"redirects to {after}://: expected {before}")
        return target


def _why(error: requests.RequestException) -> str:
    """What went wrong on the way, for one who has to mend it."""
    match error:
        case requests.HTTPError():
            return f"{error.response.status_code} {error.response.reason}"
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.ProxyError():
            return "the proxy that HTTP_PROXY or HTTPS_PROXY names does not answer"
        case requests.exceptions.SSLError():
            return "its certificate cannot be trusted; REQUESTS_CA_BUNDLE may name your network's own"
        case requests.ConnectionError() if "NameResolutionError" in str(error):
            return "no such host is known here"
        case requests.ConnectionError():
            return "cannot connect"
    return str(error)


def _get(url: str, name: str, target: Path) -> None:
    """Download `url`. The adapter retries until an answer begins, this loop where one breaks off: it goes on from
    there, if the server can."""
    retry = urllib3.Retry(
        total=TRIES - 1,
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server could ask for days
    )
    with _Session() as session, TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        for scheme in _WEB:
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        headers = {"Accept-Encoding": "identity"}
        for _ in range(TRIES):
            try:
                _stream(session, url, name, part, headers)
            except urllib3.exceptions.HTTPError as error:
                reason = f"the download broke off: {error}"
            except requests.RequestException as error:
                raise _Unavailable(_why(error)) from None
            except OSError as error:
                error.filename = error.filename or str(target)
                raise
            else:
                os.replace(part, target)
                return
            if part.is_file():
                headers |= {"Range": f"bytes={part.stat().st_size}-"}
    raise _Unavailable(reason)


def _stream(session: requests.Session, url: str, name: str, part: Path, headers: dict[str, str]) -> None:
    with session.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response:
        response.raise_for_status()
        start = part.stat().st_size if part.is_file() else 0
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0  # the server gives it from the beginning
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        with _progress(name, total) as advance, part.open("ab" if start else "wb") as file:
            advance(start)
            # Not decoded: some servers call the gzip file itself a content encoding.
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                file.write(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
            if total is not None and file.tell() != total:
                raise urllib3.exceptions.IncompleteRead(file.tell(), total - file.tell())


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A function to be told of each piece's bytes: a bar on a terminal, else a line at each 10 %."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (*Progress.get_default_columns(), DownloadColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(name, total=total)
            yield lambda count: bar.advance(task, count)
        return
    done = shown = 0

    def line(count: int) -> None:
        nonlocal done, shown
        done += count
        tenths = 10 * done // total if total else 0
        if tenths > shown:
            shown = tenths
            print(f"{name}: {10 * tenths} % of {total / 1e6:.1f} MB", file=sys.stderr, flush=True)

    yield line
