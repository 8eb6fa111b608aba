"""Sentiment140: tweets labelled by the emoticons they held, and 498 labelled by hand. Embedded: corpus.py.

Rows have six quoted columns: polarity (0 negative, 2 neutral, 4 positive), id, date, query, user, text.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_study.config import Data, OwnTexts
from rnn_study.data.tokens import is_shortened, plain
from rnn_study.support.errors import StudyError

from . import corpus
from . import own as own_files
from .corpus import FILE, TRAINING
from .download import Remote, obtain
from .raw import About, gunzip, gzip_to, label, lines, shown, unzip

URL = f"https://cs.stanford.edu/people/alecmgo/{FILE}"
HAND_LABELLED = "testdata.manual.2009.06.14.csv"
PUBLISHED: dict[str, str] = {}
OWN = "texts.jsonl.gz"
ABOUT = {
    "embedded": corpus.ABOUT,
    "upstream": About(
        title="Sentiment140",
        note="training labels are guessed from emoticons, since removed; the hand-labelled file is separate",
        licence="none stated; offered for research",
        citation="Go, Bhayani & Huang 2009, Twitter Sentiment Classification using Distant Supervision",
    ),
}
_POLARITIES = {TRAINING: ("0", "4"), HAND_LABELLED: ("0", "2", "4")}


class RawTweets(NamedTuple):
    """N texts as `plain` gives them, labels (N,) int64, indices into `classes`; the same labelled by hand; of how many
    texts of both `plain` left characters out."""

    texts: list[str]
    labels: np.ndarray
    hand_texts: list[str] | None
    hand_labels: np.ndarray | None
    classes: tuple[str, str] = ("negative", "positive")
    shortened: int = 0


def full_rows(data: Data) -> dict[str, int]:
    return {"training": 1_600_000, "hand_labelled": 498}


def download(folder: Path, data: Data) -> dict[str, str]:
    """The archive; returns where it came from."""
    path, place = obtain("tweets", [Remote(f"sentiment140/{FILE}", (URL,))], folder)
    return {path.name: place}


def embed(folder: Path) -> None:
    corpus.write(folder)


def copy_own(folder: Path, own: OwnTexts) -> None:
    """Write a reader's own texts as `read` reads them."""
    texts, labels = own_files.texts(own)
    with gzip_to(folder / OWN) as stream:
        for text, label in zip(texts, labels, strict=True):
            stream.write(json.dumps([label, text]).encode() + b"\n")


def verify(folder: Path, data: Data) -> dict[str, int]:
    """Rows by file, after reading each to its end."""
    if (folder / OWN).is_file():
        return {"texts": len(read(folder).texts)}
    rows = {"training": sum(1 for _ in _rows(folder, TRAINING))}
    if data.tweets == "upstream":
        rows["hand_labelled"] = sum(1 for _ in _rows(folder, HAND_LABELLED))
    return rows


def read(folder: Path) -> RawTweets:
    """Both files, the second where the archive has it; rows labelled neutral by hand are left out. Of a reader's own
    texts the labels in the order of their spelling."""
    if (folder / OWN).is_file():
        with gunzip(folder / OWN) as stream:
            rows = [json.loads(line) for line in stream]
        classes = tuple(sorted({label for label, _ in rows}))
        labels = np.array([classes.index(label) for label, _ in rows], dtype=np.int64)
        shortened = sum(is_shortened(text) for _, text in rows)
        return RawTweets([plain(text) for _, text in rows], labels, None, None, classes, shortened)
    texts, labels, shortened = _read(folder, TRAINING)
    with unzip(folder / FILE) as archive:
        has_hand_labelled = HAND_LABELLED in archive.namelist()
    *hand, more = _read(folder, HAND_LABELLED) if has_hand_labelled else (None, None, 0)
    return RawTweets(texts, labels, *hand, shortened=shortened + more)


def _read(folder: Path, member: str) -> tuple[list[str], np.ndarray, int]:
    texts, labels, shortened = [], [], 0
    for polarity, text in _rows(folder, member):
        if polarity != "2":
            texts.append(plain(text))
            labels.append(polarity == "4")
            shortened += is_shortened(text)
    return texts, np.array(labels, dtype=np.int64), shortened


def _rows(folder: Path, member: str) -> Iterator[tuple[str, str]]:
    """Polarity and text of each row of `member`, checked; a `StudyError` names the line of a bad one."""
    path = folder / FILE
    name, polarities = f"{label(path)}/{member}", _POLARITIES[member]
    with unzip(path) as archive:
        if member not in archive.namelist():
            raise StudyError(f"{label(path)}: holds {shown(', '.join(archive.namelist()))}: expected {member} in it")
        with archive.open(member) as stream:
            reader = csv.reader(map(_decode, lines(stream, name)))
            row = None
            try:
                for row in reader:
                    where = f"{name}:{reader.line_num}"
                    if len(row) != 6:
                        raise StudyError(f"{where}: {len(row)} columns: expected 6")
                    if row[0] not in polarities:
                        raise StudyError(f"{where}: polarity {shown(row[0])}: expected one of {', '.join(polarities)}")
                    yield row[0], row[5]
            except csv.Error as error:
                raise StudyError(f"{name}:{reader.line_num}: {error}: expected six quoted columns") from None
            if row is None:
                raise StudyError(f"{name}:1: empty: expected rows of six columns")


def _decode(line: bytes) -> str:
    """Upstream's file is Latin-1, copies of it are UTF-8; Latin-1 letters are almost never valid UTF-8."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
