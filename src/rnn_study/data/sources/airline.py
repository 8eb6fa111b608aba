"""A regular series. The study's own: international airline passengers, monthly totals in thousands, January 1949 to
December 1960; or the reader's."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn_study.config import Data, OwnSeries
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic, read_json, write_json

from . import own as own_files
from .download import Remote, obtain
from .raw import About, label, readable, shown

FILE = "international-airline-passengers.csv"
URL = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv"
PUBLISHED: dict[str, str] = {}
# A year in each row, January to December. Series G of Box & Jenkins.
PASSENGERS = (
    *(112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118),
    *(115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140),
    *(145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166),
    *(171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194),
    *(196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201),
    *(204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229),
    *(242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278),
    *(284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306),
    *(315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336),
    *(340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337),
    *(360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405),
    *(417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432),
)
MONTHS = tuple(f"{year}-{month:02}" for year in range(1949, 1961) for month in range(1, 13))
_ABOUT = About(
    title="International airline passengers",
    note="144 monthly totals in thousands, January 1949 to December 1960",
    licence="none stated; published data",
    citation="Box & Jenkins 1976, Time Series Analysis: Forecasting and Control, Series G",
)
ABOUT = {"embedded": _ABOUT, "upstream": _ABOUT}
OWN, OWN_ABOUT = "series.csv", "series.json"
TRAINING = 96  # int(0.67 * 144): the split of the common tutorial, which scores the months 97 to 142 at look-back 1
TEST = range(97, 143)


class Series(NamedTuple):
    """N dates, values (N,) float64 in `unit`, steps after which they repeat themselves, and what a step is called; how
    many values belong to the training part, and the places of the test part's targets."""

    dates: list[str]
    values: np.ndarray
    unit: str
    season: int
    step: str
    training: int
    test: range


def full_rows(data: Data) -> dict[str, int]:
    return {"months": len(MONTHS)}


def download(folder: Path, data: Data) -> dict[str, str]:
    """The file; returns where it came from. Its public copy has another name."""
    path, place = obtain("airline", [Remote(f"airline/{FILE}", (URL,))], folder)
    return {path.name: place}


def embed(folder: Path) -> None:
    """Write the totals above in upstream's format."""
    rows = [f'"{month}",{value}' for month, value in zip(MONTHS, PASSENGERS, strict=True)]
    header = '"Month","International airline passengers: monthly totals in thousands. Jan 49 - Dec 60"'
    with atomic(folder / FILE) as file:
        file.write("\n".join([header, *rows, ""]).encode())


def copy_own(folder: Path, own: OwnSeries) -> None:
    """Write a reader's own series as `read` reads it."""
    found = own_files.series(own)
    rows = [json.dumps([date, value]) for date, value in zip(found.dates, found.values.tolist(), strict=True)]
    with atomic(folder / OWN) as file:
        file.write("\n".join([*rows, ""]).encode())
    about = {"unit": own.unit, "season": own.season, "step": found.step}
    write_json(folder / OWN_ABOUT, about | {"training": own_files.first_of_test(own, found)})


def verify(folder: Path, data: Data) -> dict[str, int]:
    """Rows, after `read`'s checks."""
    found = read(folder)
    return {f"{found.step}s": len(found.dates)}


def is_upstreams(folder: Path) -> bool:
    """Whether the values are those that were published."""
    return tuple(read(folder).values) == PASSENGERS


def read(folder: Path) -> Series:
    """The series that was fetched. A footer is left out.

    Raises a `StudyError` where a row of the passengers is not the next month and a whole number of 1 to 10,000.
    """
    if (folder / OWN).is_file():
        rows = [json.loads(line) for line in (folder / OWN).read_text(encoding="utf-8").splitlines()]
        about = read_json(folder / OWN_ABOUT)
        values = np.array([value for _, value in rows], dtype=np.float64)
        dates, training = [date for date, _ in rows], about["training"]
        test = range(training, len(rows))
        return Series(dates, values, about["unit"], about["season"], about["step"], training, test)
    values = np.array(_passengers(folder / FILE), dtype=np.float64)
    return Series(list(MONTHS), values, "thousand passengers", 12, "month", TRAINING, TEST)


def _passengers(path: Path) -> list[int]:
    """The totals of the months, "1949-01" first."""
    name = label(path)
    with readable(path, "CSV"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or _columns(lines[0])[:1] != ["Month"]:
        first = shown(lines[0]) if lines else "empty"
        raise StudyError(f"{name}:1: {first}: expected a header that starts with Month")
    end = next((number for number, line in enumerate(lines) if _is_over(number, line)), len(lines))
    values = []
    for number, (line, month) in enumerate(zip(lines[1:end], MONTHS, strict=False), start=2):
        columns = _columns(line)
        if len(columns) != 2:
            raise StudyError(f"{name}:{number}: {len(columns)} columns: expected 2, the month and its total")
        if columns[0] != month:
            raise StudyError(f"{name}:{number}: month {shown(columns[0])}: expected {month}")
        text = columns[1].strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 10_000):
            raise StudyError(f"{name}:{number}: value {shown(text)}: expected a whole number of 1 to 10000")
        values.append(int(text))
    if end - 1 != len(MONTHS):
        raise StudyError(f"{name}:{end}: {end - 1} rows of data: expected {len(MONTHS)}, 1949-01 to 1960-12")
    return values


def _is_over(number: int, line: str) -> bool:
    """Whether the months have ended: upstream's footer follows a blank line, that of many copies none."""
    return not line.strip() or (number > len(MONTHS) and len(_columns(line)) < 2)


def _columns(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # far too long
        return []
