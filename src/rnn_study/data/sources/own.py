"""A reader's own files, which lie in data/own: read as people write them, refused in one line that names the place."""

import csv
import io
import json
import math
import re
import zipfile
import zlib
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_study.config import OWN_FOLDER, SHORTEST, Own, OwnImages, OwnSeries, OwnTexts, OwnVectors
from rnn_study.support.errors import StudyError

from .raw import LARGEST, gunzip, lines, shown

_STEPS = {"1 day": "day", "7 days": "week", "1 hour": "hour", "1 month": "month", "3 months": "quarter"}
_STEPS |= {"12 months": "year"}
_SURROGATE = re.compile("[\ud800-\udfff]")  # of a character that takes two in JSON


def path_of(own: Own, key: str) -> Path:
    """Where the file of data.<key> lies."""
    path = OWN_FOLDER / own.file
    if not path.exists():
        raise StudyError(f"params.yaml: data.{key}.file: {path}: not found: expected the file there")
    if not (path.is_file() or path.is_dir()):  # a pipe, of which nobody knows when it ends
        raise StudyError(f"params.yaml: data.{key}.file: {path}: neither a file nor a folder: expected one of the two")
    return path


def _text(path: Path) -> str:
    """Of UTF-8 or UTF-16 with or without a byte-order mark, else of Windows' Western alphabet."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace").removeprefix("\ufeff")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    """Commas, semicolons or tabs, whichever the header has most of."""
    return max(",;\t", key=text.partition("\n")[0].count)


def _as_text(value: object) -> str:
    """What a table would hold of a value of JSON."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields of each row of a JSON-lines file, or of a table with a header, its columns parted by commas,
    semicolons or tabs."""
    text = _text(path)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        for number, line in enumerate(text.split("\n"), start=1):  # JSON may hold what else ends a line
            if line.strip():
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError):
                    found = None
                if not isinstance(found, dict) or not found:
                    raise StudyError(f"{path}:{number}: {shown(line)}: expected a JSON object in each line")
                fields = {key: _as_text(value) for key, value in found.items()}
                if half := next((text for text in fields.values() if _SURROGATE.search(text)), None):
                    raise StudyError(f"{path}:{number}: {shown(half)}: half a character: expected whole ones")
                yield number, fields
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        names = [name.strip() for name in next(reader, [])]
        if not any(names):
            raise StudyError(f"{path}:1: empty: expected a header with the names of the columns")
        if twice := next((name for name, count in Counter(names).items() if name and count > 1), None):
            raise StudyError(f"{path}:1: two columns {shown(twice)}: expected each name once")
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                expected = f"expected {len(names)}, as in the header"
                raise StudyError(f"{path}:{reader.line_num}: {len(row)} columns: {expected}")
            yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise StudyError(f"{path}:{reader.line_num}: {error}: expected a table with a header") from None


def _column(path: Path, fields: dict[str, str], name: str, key: str) -> str:
    if name not in fields:
        columns = ", ".join(fields)[:200]
        raise StudyError(f"params.yaml: {key}: got {name!r}: expected a column of {path}: {columns}")
    return fields[name]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


class Series(NamedTuple):
    """Dates as they were written, values (N,) float64, and what a step is called: month, day or such."""

    dates: list[str]
    values: np.ndarray
    step: str


def _moment(text: str) -> datetime:
    """Of 2020, 2020-01, 2020-01-31, with a time behind the day where there is one."""
    text = text.strip()
    if len(text) == 4 and text.isdecimal():
        text += "-01-01"
    elif len(text) == 7:
        text += "-01"
    return datetime.fromisoformat(text).replace(tzinfo=None)


def _gaps(moments: list[datetime]) -> list[str]:
    """What lies between neighbours: months where all are on one day of the month, or on its last; else days or
    hours."""
    ends = all(moment.day == monthrange(moment.year, moment.month)[1] for moment in moments)
    by_month = (ends or len({moment.day for moment in moments}) == 1) and len({m.time() for m in moments}) == 1

    def gap(one: datetime, other: datetime) -> str:
        if by_month:
            number, unit = 12 * (other.year - one.year) + other.month - one.month, "month"
        elif (other - one) % timedelta(days=1):
            number, unit = (other - one) / timedelta(hours=1), "hour"
        else:
            number, unit = (other - one).days, "day"
        return f"{number:g} {unit}{'s' * (number != 1)}"

    return [gap(*pair) for pair in pairwise(moments)]


def series(own: OwnSeries) -> Series:
    """The series of data.airline. A StudyError where a value is no number, or dates are not one step apart
    throughout."""
    path = path_of(own, "airline")
    decimal = "," if _delimiter(_text(path)) != "," else "."  # of 3,14 where commas part no columns
    numbers, dates, values = [], [], []
    for number, fields in _lines(path):
        if not numbers and _is_number(list(fields)[-1]):
            raise StudyError(f"{path}:1: {shown(','.join(fields))}: expected a header with the names of the columns")
        value = _column(path, fields, own.value or list(fields)[-1], "data.airline.value").strip()
        try:
            found = float(value.replace(decimal, "."))
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise StudyError(f"{path}:{number}: value {shown(value)}: expected a number, and every step to have one")
        numbers.append(number)
        values.append(found)
        if own.date or len(fields) > 1:
            dates.append(_column(path, fields, own.date or next(iter(fields)), "data.airline.date").strip())
    if len(values) < 2:
        raise StudyError(f"{path}: {len(values)} values: expected a series")
    if not dates:
        return Series([str(place + 1) for place in range(len(values))], np.array(values), "step")
    moments = []
    for number, date in zip(numbers, dates, strict=True):
        try:
            moments.append(_moment(date))
        except ValueError:
            raise StudyError(
                f"{path}:{number}: date {shown(date)}: expected one like 2020, 2020-01, 2020-01-31 or 2020-01-31 12:00"
            ) from None
    gaps = _gaps(moments)
    ((usual, _),) = Counter(gaps).most_common(1)
    if usual.startswith("-"):
        raise StudyError(f"{path}:{numbers[1]}: {dates[1]} after {dates[0]}: expected the oldest first")
    for place, gap in enumerate(gaps):
        if gap != usual or moments[place + 1] <= moments[place]:
            raise StudyError(
                f"{path}:{numbers[place + 1]}: {dates[place + 1]} after {dates[place]}: expected a step of {usual}, as "
                "between most rows"
            )
    return Series(dates, np.array(values), _STEPS.get(usual, "step"))


def first_of_test(own: OwnSeries, found: Series) -> int:
    """Where the test part begins."""
    size = len(found.values)
    if not isinstance(own.test, str):
        return size - max(SHORTEST, round(own.test * size))
    try:
        start = _moment(own.test)
        place = next((place for place, date in enumerate(found.dates) if _moment(date) >= start), size)
    except ValueError:
        place = size
    if not 0 < place <= size - SHORTEST:
        expected = f"a date after {found.dates[0]}, with {SHORTEST} values at least from it on, or a share"
        raise StudyError(f"params.yaml: data.airline.test: got {own.test!r}: expected {expected}")
    return place


def texts(own: OwnTexts) -> tuple[list[str], list[str]]:
    """The texts of data.tweets and their labels."""
    path = path_of(own, "tweets")
    found, labels, different = [], [], {}
    for number, fields in _lines(path):
        found.append(_column(path, fields, own.text, "data.tweets.text"))
        labels.append(_column(path, fields, own.label, "data.tweets.label").strip())
        if not labels[-1]:
            raise StudyError(f"{path}:{number}: no label: expected one of two in each row")
        different[labels[-1]] = None
        if len(different) > 2:
            told = ", ".join(map(shown, different))
            raise StudyError(f"{path}:{number}: labels {told}: expected two different ones in all")
    if len(different) < 2:
        told = ", ".join(map(shown, different)) or "none"
        raise StudyError(f"{path}: labels {told}: expected two different ones in all")
    return found, labels


def vectors(own: OwnVectors) -> Iterator[tuple[int, bytes]]:
    """The lines of a file of word vectors with their numbers, without word2vec's header; plain or gzipped."""
    path = path_of(own, "glove")
    opened = gunzip(path) if path.suffix == ".gz" else path.open("rb")
    with opened as stream:
        for number, line in enumerate(lines(stream, str(path)), start=1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            header = line.split() if number == 1 else []
            if not (len(header) == 2 and all(part.isdigit() for part in header)):
                yield number, line


def images(own: OwnImages) -> dict[str, np.ndarray]:
    """train_images, test_images (N, R, C) and train_labels, test_labels (N,), uint8, of a .npz file."""
    path = path_of(own, "mnist")
    keys = {"x_train": "train_images", "y_train": "train_labels", "x_test": "test_images", "y_test": "test_labels"}
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise StudyError(f"{path}: unpacks to {size} bytes: expected {LARGEST} at most")
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file]
            if missing:
                raise StudyError(f"{path}: holds {', '.join(file)}: expected {', '.join(missing)} in it")
            found = {name: np.asarray(file[key]) for key, name in keys.items()}
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise StudyError(f"{path}: {str(error)[:200]}: expected a .npz file, or a folder of IDX files") from None
    for key, name in keys.items():
        array = found[name]
        if array.ndim != (3 if key[0] == "x" else 1) or array.dtype.kind not in "biuf":
            expected = "(images, rows, columns)" if key[0] == "x" else "(images,)"
            raise StudyError(f"{path}: {key}: shape {array.shape}, {array.dtype}: expected numbers of shape {expected}")
        if not array.size:
            raise StudyError(f"{path}: {key}: empty: expected whole numbers of 0 to 255")
        if (wrong := array != np.clip(np.rint(array), 0, 255)).any():
            place = np.unravel_index(wrong.argmax(), array.shape)
            got = f"{array[place]} at {list(map(int, place))}"
            raise StudyError(f"{path}: {key}: {got}: expected whole numbers of 0 to 255")
    return {name: array.astype(np.uint8) for name, array in found.items()}
