"""Pixel by pixel: an image is read as a sequence of single pixels (Le et al. 2015, arXiv 1504.00941, section 4.2).

    image   1 2        sequence  1 2 3 4        permuted, the same way for all images  3 1 4 2
            3 4

The length is a dial here too: an image of S by S is averaged down to `side` by `side`, T = side * side steps. Without a
memory of the pixels the best answer is the most frequent digit.
"""

from pathlib import Path

import numpy as np

from rnn_study.data.prepared import load_task
from rnn_study.model.task import Batch, Pixels, Task
from rnn_study.support.errors import StudyError

from .problem import Chance


def order(steps: int, seed: int | None) -> np.ndarray:
    """Which pixel comes at each step (T,): row by row, or, with a seed, one permutation of that."""
    return np.arange(steps) if seed is None else np.random.default_rng(seed).permutation(steps)


def read(images: np.ndarray, side: int, seed: int | None) -> np.ndarray:
    """Images (N, S, S) as sequences (N, side * side, 1)."""
    size, columns = images.shape[1:]
    if size != columns:
        raise StudyError(f"{side * side} steps: images are {size} by {columns}: expected square ones, pixel by pixel")
    if size % side:
        raise StudyError(
            f"{side * side} steps: images are {size} by {size}: expected the square of a divisor of {size}"
        )
    block = size // side
    small = images.reshape(len(images), side, block, side, block).mean(axis=(2, 4), dtype=np.float64)
    pixels = small.reshape(len(images), side * side).astype(np.float32)
    return pixels[:, order(side * side, seed), None]


def pixels(name: str, of: Pixels) -> Task:
    """The images of the prepared task `of.source`, whose steps are rows, pixel by pixel."""
    rows = load_task(Path(of.source))
    parts = {part: Batch(read(batch.x, of.side, of.permutation), batch.y) for part, batch in rows.parts().items()}
    train, validation = parts.pop("train"), parts.pop("validation")
    return Task(name, rows.loss, rows.outputs, train, validation, parts)


def chance(rows: Task) -> Chance:
    """Of the most frequent class of the training part, on the test part; of the classes' frequencies."""
    shares = np.bincount(rows.train.y, minlength=rows.outputs) / len(rows.train.y)
    y = rows.tests["test"].y
    return Chance(float(np.mean(y == shares.argmax())), float(-np.log(shares[y]).mean()))
