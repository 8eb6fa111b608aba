"""Where each raw source comes from, or what a reader says of his own file: docs/own-data.md."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from .base import Count, Model

_DATE = re.compile(r"[0-9][-0-9: T]{3,18}")


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise ValueError(f"got {name!r}: expected the name of a file in data/own")
    return name


def _source(name: Any) -> str:
    if name not in ("embedded", "upstream"):
        raise ValueError(f"got {name!r}: expected embedded, upstream, or file: and what is in it (docs/own-data.md)")
    return name


def _test(value: Any) -> float | str:
    share = isinstance(value, float) and 0.01 <= value <= 0.5
    if not (share or (isinstance(value, str) and _DATE.fullmatch(value))):
        expected = "a share of 0.01 to 0.5, or the first date of the test part in quotes"
        raise ValueError(f"got {value!r}: expected {expected}")
    return value


FOLDER = Path("data/own")
Words = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Own(Model):
    """A file of the reader's in data/own, and what pages say of it. `upstream`, `embedded`: of the study's own data."""

    file: Annotated[str, AfterValidator(_inside)]
    title: Words
    note: Words = "Given by the person who ran this study"
    licence: Words = "not stated"
    citation: Words = "none"


class OwnSeries(Own):
    """A regular series: CSV with a header, a row a step."""

    unit: Words  # of the values: what RMSE is told in
    season: Count  # steps after which it repeats itself; 1: it does not
    date: Words | None = None  # the column of dates; left out: the first of several
    value: Words | None = None  # the column of values; left out: the last
    test: Annotated[Any, AfterValidator(_test)] = 0.33  # the last share of it, or the test part's first date


class OwnTexts(Own):
    """Labelled texts: CSV, TSV or JSON lines; labels are any two."""

    text: Words  # the column of texts
    label: Words  # the column of labels


class OwnVectors(Own):
    """Word vectors as text, a word a line: GloVe's format, or word2vec's with its header."""


class OwnImages(Own):
    """Square or oblong grey images: a .npz with x_train, y_train, x_test and y_test, or a folder of four IDX files that
    are named as MNIST's."""


def _of(own: type[Own]) -> Any:
    """The name of a source, or what a reader says of his own."""
    named = Annotated[Any, AfterValidator(_source), Tag("named")]
    choice = Discriminator(lambda value: "own" if isinstance(value, dict | Own) else "named")
    return Annotated[named | Annotated[own, Tag("own")], choice]


class Data(Model):
    """Where each raw source comes from. `upstream` means the mirror where RNN_STUDY_MIRROR names one."""

    mnist: _of(OwnImages)
    tweets: _of(OwnTexts)
    glove: _of(OwnVectors)
    airline: _of(OwnSeries)
    vectors: Literal["glove.6B.50d", "glove.6B.100d", "glove.twitter.27B.50d", "glove.twitter.27B.200d"]

    @property
    def own(self) -> dict[str, Own]:
        """The reader's own sources, by name."""
        return {name: value for name, value in self if isinstance(value, Own)}

    def missing(self) -> list[str]:
        """The reader's own files that do not lie in this project, whichever file names them."""
        own = ((f"data.{name}.file", FOLDER / one.file) for name, one in self.own.items())
        return [f"{key}: {path}: not found: expected the file there" for key, path in own if not path.exists()]
