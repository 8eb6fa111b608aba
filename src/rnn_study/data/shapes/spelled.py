"""One to many: the image of a digit, and its English name, letter by letter until the end token."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Spelled
from rnn_study.data.tasks import mnist_rows
from rnn_study.model.task import END, GO, Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = mnist_rows.SOURCES
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = ("[GO]", "[END]", *sorted(set("".join(NAMES))))


def spell(digits: np.ndarray) -> np.ndarray:
    """The names of `digits` (N,) as tokens (N, 6), indices into `LETTERS`."""
    rows = np.full((len(NAMES), max(map(len, NAMES)) + 1), GO, np.int64)
    for row, name in zip(rows, NAMES, strict=True):
        row[: len(name) + 1] = [*(LETTERS.index(letter) for letter in name), END]
    return rows[digits]


def prepare(raw: Path, params: Spelled) -> tuple[Task, dict[str, Any]]:
    """Images (N, R, C) as `mnist_rows` makes them, names (N, 6)."""
    images, details = mnist_rows.prepare(raw, params)
    if images.outputs > len(NAMES):
        expected = "expected the ten digits, or no such system"
        raise StudyError(f"shapes: spelled: {images.outputs} classes of images: {expected}")
    parts = {name: Batch(part.x, spell(part.y)) for name, part in images.parts().items()}
    task = replace(
        images,
        outputs=len(LETTERS),
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        extras={"classes": np.array(LETTERS)},
        writes=True,
    )
    return task, details
