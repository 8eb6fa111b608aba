"""What a network learns from: arrays, a loss, a score, and how data is named that is made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

WORST = 1e100  # the error of outputs whose error is infinite or no number: ranks last, and stays a number
GO, END = 0, 1  # tokens of an answer that is written: what stands before its first (and past its end), and its last


class _Arrays(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    mask: np.ndarray | None = None


class Batch(_Arrays):
    """N sequences of T steps: x (N, T, D) float32 or (N, T) int32 token ids; y (N,) int64 or (N, K) float32; or an
    answer for every step, (N, T) int64 or (N, T, K) float32; or one that is written, (N, T') int64.

    `mask` (N, T) is True on valid steps, which come first in every row; None where all are valid. A ValueError where
    a row has none or they do not come first: what is read would be another sequence, and nothing would show it.
    """

    __slots__ = ()

    def __new__(cls, x: np.ndarray, y: np.ndarray, mask: np.ndarray | None = None) -> "Batch":
        if len(x) != len(y):
            raise ValueError(f"{len(x)} sequences with {len(y)} answers: expected as many")
        if x.ndim > 1 and x.shape[1] == 0:
            raise ValueError("sequences of 0 steps: expected at least one")
        if mask is not None:
            if mask.shape != x.shape[:2]:
                raise ValueError(f"a mask of {mask.shape} for sequences of {x.shape[:2]}: expected the same shape")
            for fault, rows in (
                ("a sequence without a valid step: expected at least one", ~mask.any(axis=1)),
                ("a valid step after padding: expected padding at the end", (mask[:, 1:] > mask[:, :-1]).any(axis=1)),
            ):
                if rows.any():
                    raise ValueError(f"row {int(np.argmax(rows))}: {fault}")
        return super().__new__(cls, x, y, mask)

    def rows(self, which: slice | np.ndarray) -> "Batch":
        """Some of its sequences."""
        return Batch(*(None if array is None else array[which] for array in self))


def written(y: np.ndarray) -> np.ndarray:
    """Which places of written answers (N, T') count: all up to END. A ValueError where one has no end, or goes on."""
    ends = (y == END).sum(axis=1)
    counted = y != GO
    last = counted.sum(axis=1) - 1
    right = (ends == 1) & (y[np.arange(len(y)), last] == END) & ~(counted[:, 1:] > counted[:, :-1]).any(axis=1)
    if not right.all():
        row = int(np.argmin(right))
        raise ValueError(
            f"row {row}: an answer of {int(ends[row])} end tokens: expected one, after all its other tokens"
        )
    return counted


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
    else it has one for every step, and the score counts the last so many valid ones. `writes`: an answer is a row of
    tokens up to END, none of them GO, and counts where all of it is right. `continues`: the training part's rows follow
    one another in one text. `fresh` draws another training part, where there is no end of them. A ValueError where an
    answer that is to be written has no end.
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
    writes: bool = False
    continues: bool = False
    fresh: Callable[[np.random.Generator], Batch] | None = None

    def __post_init__(self) -> None:
        if self.writes:
            for name, part in self.parts().items():
                try:
                    written(part.y)
                except ValueError as error:
                    raise ValueError(f"part {name}, {error}") from None

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
        """Scaled outputs or targets (N, 1) or (N, T, 1) of `part` as values in `unit`, without the last axis; inverts
        log and differences."""
        values = self.inverse[f"offset_{part}"] + self.inverse["scale"] * values[..., 0].astype(np.float64)
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
        if self.writes:
            return float(errors[written(batch.y)].mean())
        return float(errors.mean() if self.scored is None or batch.mask is None else errors[batch.mask].mean())

    @property
    def ordered(self) -> bool:
        """Whether the examples of a part follow one another in time."""
        return "series" in self.extras

    def _counts(self, part: str) -> np.ndarray:
        """Which steps (N, T) of `part` the score counts, where each has an answer."""
        y, mask = self.parts()[part].y, self.parts()[part].mask
        steps = np.arange(y.shape[1])
        ends = np.full((len(y), 1), y.shape[1]) if mask is None else mask.sum(axis=1, keepdims=True)
        return (steps < ends) & (steps >= ends - self.scored)

    def marks(self, outputs: np.ndarray, part: str) -> np.ndarray:
        """What each example counts for, (N,): whether logits (N, K), or (N, T', K) at every token, name its answer;
        or the share of its scored steps at which logits (N, T, K) do; or the (mean) squared error in `unit` of outputs
        (N, 1) or (N, T, 1)."""
        y = self.parts()[part].y
        if self.loss != "cross_entropy":
            with np.errstate(over="ignore", invalid="ignore"):
                each = (self.to_unit(outputs, part) - self.to_unit(y, part)) ** 2
        else:
            each = (outputs.argmax(axis=-1) == y).astype(float)
        if self.writes:
            return (each.astype(bool) | ~written(y)).all(axis=1).astype(float)
        if self.scored is None:
            return each
        counts = self._counts(part)
        return np.where(counts, each, 0).sum(axis=1) / counts.sum(axis=1)

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
