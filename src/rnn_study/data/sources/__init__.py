"""Where raw data comes from: embedded, a mirror or upstream; always verified, always with its provenance."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rnn_study.config import Data, Own
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_json, sha256, write_json

from . import airline, glove, mnist, own, raw, tweets
from .download import Remote, is_mirrored, obtain
from .raw import About

SOURCES = {"mnist": mnist, "tweets": tweets, "glove": glove, "airline": airline}
PROVENANCE = "provenance.json"
_PLACES = "places.json"  # of downloads that are kept
_MIRRORED = {"mnist": "mnist", "tweets": "sentiment140", "glove": "glove", "airline": "airline"}  # folders of a mirror


def fetch(name: str, data: Data, root: Path) -> dict:
    """Make `root/<name>/`, the raw files of a source and provenance.json, as a whole; returns the provenance.

    Raises a `StudyError` for data that cannot be had or is not what it should be; what stood there stays.
    Digests that nobody has published are pinned in pins.json beside `root`. What was downloaded from its public
    address and found good stays in downloads/ beside it: DVC empties a stage's outputs whenever its code has changed.
    """
    source = SOURCES[name]
    choice = getattr(data, name)
    with _whole_folder(root / name) as folder:
        if isinstance(choice, Own):
            return _own(name, choice, folder, data)
        about = source.ABOUT[choice]
        if choice == "embedded":
            source.embed(folder)
            places = dict.fromkeys(sorted(path.name for path in folder.iterdir()), "embedded")
        else:
            kept = root.parent / "downloads" / (data.vectors if name == "glove" else name)
            places = _take(kept, folder) or source.download(folder, data)
        rows = source.verify(folder, data)
        full_rows = rows if choice == "embedded" else source.full_rows(data)
        origin = choice
        if any(place.startswith("mirror:") for place in places.values()):
            origin, about = "mirror", described(name, about)
        if origin == "upstream" and rows != full_rows:
            raise StudyError(f"{', '.join(places.values())}: rows {rows}: expected {full_rows}")
        if origin != "embedded" and hasattr(source, "is_upstreams") and not source.is_upstreams(folder):
            about = about._replace(title=f"{about.title} (not upstream's)")
        files = [
            {"file": entry["file"], "from": place, "sha256": entry["sha256"], "bytes": entry["bytes"]}
            for file, place in places.items()
            for entry in raw.digests(folder / file)
        ]
        if origin != "embedded":
            _check_digests(name, origin, files, source.PUBLISHED, root.parent / "pins.json")
        if origin == "upstream":
            _keep(kept, folder, places)
        record = {"source": name, "origin": origin, **about._asdict()}
        record |= {"files": files, "rows": rows, "complete": rows == full_rows, "full_rows": full_rows}
        write_json(folder / PROVENANCE, record)
    return record


def _own(name: str, choice: Own, folder: Path, data: Data) -> dict:
    """Fill `folder` from a reader's own file; the provenance is what he says and what was counted."""
    SOURCES[name].copy_own(folder, choice)
    rows = SOURCES[name].verify(folder, data)
    path = own.path_of(choice, name)
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [entry | {"from": str(one)} for one in paths for entry in raw.digests(one)]
    about = About(choice.title, choice.note, choice.licence, choice.citation)
    record = {"source": name, "origin": "own", **about._asdict()}
    record |= {"files": files, "rows": rows, "complete": True, "full_rows": rows}
    write_json(folder / PROVENANCE, record)
    return record


def described(name: str, about: About) -> About:
    """What a mirror says of its files in <source>/about.json: any of title, note, licence, citation, generated; `about`
    where it says nothing."""
    with TemporaryDirectory() as folder:
        try:
            path, place = obtain(name, [Remote(f"{_MIRRORED[name]}/about.json")], Path(folder))
        except StudyError:
            return about
        try:
            said = read_json(path)
        except (StudyError, RecursionError):
            said = None
    kinds = {key: type(value) for key, value in about._asdict().items()}
    if not isinstance(said, dict) or any(type(value) is not kinds.get(key) for key, value in said.items()):
        raise StudyError(
            f"{place}: {repr(said)[:200]}: expected a JSON object of title, note, licence, citation and generated"
        )
    return About(about.title, "not stated", "not stated", "none")._replace(**said)


def _check_digests(name: str, origin: str, files: list[dict], published: dict[str, str], pins: Path) -> None:
    pinned = {}
    for entry in files:
        file, digest = entry["file"], entry["sha256"]
        if file not in published:
            pinned[f"{origin}:{name}/{file}"] = digest
        elif digest != published[file]:
            raise StudyError(
                f"{name}/{file}: SHA-256 of the content is {digest}: expected {published[file]}, as published"
            )
    if pinned:
        raw.check_pins(pins, pinned)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _keep(kept: Path, folder: Path, places: dict[str, str]) -> None:
    """Keep these files of `folder` in `kept`, with where they came from."""
    with _whole_folder(kept) as fresh:
        for file in places:
            _link(folder / file, fresh / file)
        said = {file: {"from": place, "sha256": sha256(folder / file)} for file, place in places.items()}
        write_json(fresh / _PLACES, said)


def _take(kept: Path, folder: Path) -> dict[str, str]:
    """Put the files that are kept into `folder`; where they came from. Nothing where there are none, one of them is
    not as it was, or a mirror is asked for."""
    if is_mirrored() or not (kept / _PLACES).is_file():
        return {}
    try:
        said = read_json(kept / _PLACES)
        places = {file: str(entry["from"]) for file, entry in said.items() if file == Path(file).name}
        if any(sha256(kept / file) != said[file]["sha256"] for file in places):
            return {}
    except (StudyError, OSError, AttributeError, KeyError, TypeError):
        return {}
    for file in places:
        _link(kept / file, folder / file)
    return places


@contextmanager
def _whole_folder(final: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `final` only when the block ends well."""
    partial = final.parent / f".{final.name}.partial"  # a fixed name: the next run clears up after a killed one
    _settle(final, partial)
    try:
        folder = partial / final.name
        folder.mkdir(parents=True)
        yield folder
        if os.path.lexists(final):
            os.rename(final, partial / "replaced")
        os.rename(folder, final)
    finally:
        _settle(final, partial)


def _settle(final: Path, partial: Path) -> None:
    """Undo a swap that broke in the middle, and remove what is left of the attempt."""
    if os.path.lexists(partial / "replaced") and not os.path.lexists(final):
        os.rename(partial / "replaced", final)
    shutil.rmtree(partial, ignore_errors=True)
