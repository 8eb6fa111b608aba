"""MNIST by rows: an image is a sequence of its rows, read from the top; the last state names the digit."""

from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import MnistRows
from rnn_study.data.sources import mnist
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = ("mnist",)


def prepare(raw: Path, params: MnistRows) -> tuple[Task, dict[str, Any]]:
    """Images (N, R, C) scaled to 0..1 by the largest pixel value of the training part; labels 0..K - 1."""
    data = mnist.read(raw / "mnist")
    images, labels = data["train_images"], data["train_labels"].astype(np.int64)
    order = np.random.default_rng(params.seed).permutation(len(labels))
    held_out = round(params.validation * len(labels))
    validation, train = order[:held_out], order[held_out:]
    largest = images[train].max()
    if not largest:
        raise StudyError("mnist: no pixel of the images to learn from is above 0: expected images")

    def part(x: np.ndarray, y: np.ndarray) -> Batch:
        return Batch(x.astype(np.float32) / np.float32(largest), y)

    classes = int(labels.max()) + 1
    task = Task(
        name="mnist_rows",
        loss="cross_entropy",
        outputs=classes,
        train=part(images[train], labels[train]),
        validation=part(images[validation], labels[validation]),
        tests={"test": part(data["test_images"], data["test_labels"].astype(np.int64))},
        extras={"classes": np.array([str(digit) for digit in range(classes)])},
    )
    return task, {"largest_pixel": int(largest)}
