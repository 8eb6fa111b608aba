"""What a network learns from: arrays, a loss, a score, and how data is named that is made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

WORST = 1e100  # the error of outputs whose error is infinite or no number: ranks last, and stays a number


class Batch(NamedTuple):
    """N sequences of T steps: x (N, T, D) float32 or (N, T) int32 token ids; y (N,) int64 or (N, K) float32, or an
    answer for every step, (N, T) int64 or (N, T, K) float32.

    `mask` (N, T) is True on valid steps, which come first in every row; None where all are valid.
    """

    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Generated:
    """Data that is drawn from a generator: the key `problem` of `problems.catalogue.PROBLEMS`.

    steps: T of its sequences; the longest where lengths are `mixed`. train: sequences an epoch, drawn anew for each.
    validation, test: sequences of these parts. tests: further lengths, a test part for each. seed: of the parts that
    stay the same for all runs.
    """

    problem: str
    steps: int
    mixed: bool
    train: int
    validation: int
    test: int
    tests: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Pixels:
    """Images of the prepared file `source`, averaged down to `side` by `side`, pixel by pixel; permuted with a seed."""

    source: str
    side: int
    permutation: int | None


Data = str | Generated | Pixels  # what a run learns from; a string is the path of a prepared file


@dataclass(frozen=True)
class Task:
    """A prepared problem.

    `tests` are the held-out parts by name; the one called "test" is the headline. `extras` holds what only
    reports and baselines read (texts, dates). A regression's outputs are turned back into `unit` by
    exp?(offset + scale * output), see `to_unit`. `scored`: None where a sequence has one answer, after its last step;
    else it has one for every step, and the score counts the last so many valid ones. `fresh` draws another training
    part, where there is no end of them.
    """

    name: str
    loss: str  # cross_entropy | squared_error
    outputs: int
    train: Batch
    validation: Batch
    tests: dict[str, Batch]
    unit: str = ""
    embedding: np.ndarray | None = None  # (V, D) initial table
    inverse: dict[str, np.ndarray] = field(default_factory=dict)  # scale (), logarithm (), offset_<part> (N,)
    extras: dict[str, np.ndarray] = field(default_factory=dict)
    scored: int | None = None
    fresh: Callable[[np.random.Generator], Batch] | None = None

    @property
    def score_name(self) -> str:
        return "accuracy" if self.loss == "cross_entropy" else "rmse"

    @property
    def higher_is_better(self) -> bool:
        return self.loss == "cross_entropy"

    @property
    def inputs(self) -> int:
        """Features a step: the embedding's width where there is one."""
        return (self.train.x if self.embedding is None else self.embedding).shape[-1]

    def parts(self) -> dict[str, Batch]:
        return {"train": self.train, "validation": self.validation, **self.tests}

    def to_unit(self, values: np.ndarray, part: str) -> np.ndarray:
        """Scaled outputs or targets (N, 1) of `part` as values (N,) in `unit`; inverts log and differences."""
        values = self.inverse[f"offset_{part}"] + self.inverse["scale"] * values[:, 0].astype(np.float64)
        if not self.inverse["logarithm"]:
            return values
        with np.errstate(over="ignore"):  # infinity: what a diverged network says
            return np.exp(values)

    def mean_loss(self, outputs: np.ndarray, part: str) -> float:
        """The training loss of `outputs` on `part`: cross entropy in nats, or squared error in scaled units."""
        batch, outputs = self.parts()[part], outputs.astype(np.float64)
        if self.loss == "cross_entropy":
            odds = log_softmax(outputs, axis=-1)
            errors = -np.take_along_axis(odds, batch.y[..., None], axis=-1)[..., 0]
        else:
            errors = np.mean((outputs - batch.y) ** 2, axis=-1)
        return float(errors.mean() if self.scored is None or batch.mask is None else errors[batch.mask].mean())

    @property
    def ordered(self) -> bool:
        """Whether the examples of a part follow one another in time."""
        return "series" in self.extras

    def marks(self, outputs: np.ndarray, part: str) -> np.ndarray:
        """What each example counts for, (N,): the share of its scored steps that logits (N, K) or (N, T, K) name
        rightly, or the squared error in `unit` of outputs (N, 1)."""
        y, mask = self.parts()[part].y, self.parts()[part].mask
        if self.loss != "cross_entropy":
            with np.errstate(over="ignore", invalid="ignore"):
                return (self.to_unit(outputs, part) - self.to_unit(y, part)) ** 2
        right = outputs.argmax(axis=-1) == y
        if self.scored is None:
            return right.astype(float)
        steps = np.arange(y.shape[1])
        ends = np.full((len(y), 1), y.shape[1]) if mask is None else mask.sum(axis=1, keepdims=True)
        counts = (steps < ends) & (steps >= ends - self.scored)
        return (right & counts).sum(axis=1) / counts.sum(axis=1)

    def score(self, outputs: np.ndarray, part: str) -> float:
        """Accuracy of logits, or root mean squared error in `unit` of outputs, `WORST` at most."""
        return score_of(self.score_name, self.marks(outputs, part))


def score_of(score: str, marks: np.ndarray) -> float:
    """The score, `accuracy` or `rmse`, of what each example counts for, (N,)."""
    if score == "accuracy":
        return float(marks.mean())
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.sqrt(np.mean(marks))
    return float(error) if error < WORST else WORST
