"""What a generated problem is, and tasks of any length drawn from it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rnn_study.model.task import Batch, Generated, Task
from rnn_study.support.errors import StudyError

_TRIES = 200  # draws in which a part must find an example of its own


class Chance(NamedTuple):
    """What the best answer reaches that sees nothing of the sequence: its score (accuracy or RMSE) and its loss."""

    score: float
    loss: float


class Problem(NamedTuple):
    """A family of tasks, one for each number of steps T.

    sample(rng, count, steps): `count` sequences from `shortest` steps on, x (N, T, D) or token ids (N, T), and their
    answers. chance(steps). scored: None where the answer comes after the last step, else there is one for every step
    and the last so many are scored. finite: whether an example may come twice; the parts then share none. words:
    how many token ids there are, 0 without.
    """

    loss: str
    outputs: int
    sample: Callable[[np.random.Generator, int, int], Batch]
    chance: Callable[[int], Chance]
    shortest: int
    scored: int | None = None
    finite: bool = True
    words: int = 0


INPUTS = 12  # width of word vectors


def _mixed(z: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele et al. 2014): every bit of z (uint64) moves every bit of the result."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def quarter(x: np.ndarray) -> np.ndarray:
    """Which of four equal shares each example of x (N, T, ...) belongs to, by a hash of all it shows."""
    shown = x.reshape(len(x), -1).astype(np.uint64)
    places = _mixed(np.arange(1, shown.shape[1] + 1, dtype=np.uint64))
    return (_mixed((shown + np.uint64(1)) @ places) >> np.uint64(62)).astype(np.int64)


QUARTERS = {"train": (2, 3), "validation": (1,), "test": (0,)}


def draw(problem: Problem, rng: np.random.Generator, count: int, steps: int, part: str) -> Batch:
    """`count` sequences of `steps` steps for one part: where examples may repeat, of that part's share of them."""
    if not problem.finite:
        return problem.sample(rng, count, steps)
    kept, found, tries = [], 0, 0
    while found < count:
        batch = problem.sample(rng, count, steps)
        rows = np.isin(quarter(batch.x), QUARTERS[part])
        kept.append(Batch(batch.x[rows], batch.y[rows]))
        found, tries = found + int(rows.sum()), tries + 1
        if tries == _TRIES and not found:
            raise StudyError(f"{steps} steps: no example left for the {part} part: expected more steps")
    return Batch(*(np.concatenate(arrays)[:count] for arrays in zip(*((b.x, b.y) for b in kept), strict=True)))


def draw_mixed(problem: Problem, rng: np.random.Generator, count: int, longest: int, part: str) -> Batch:
    """As `draw`, each sequence of its own length, all lengths from the shortest to `longest` alike."""
    lengths = rng.integers(problem.shortest, longest + 1, count)
    whole = problem.sample(rng, 1, longest)
    width = whole.x.shape[1]
    x = np.zeros((count, *whole.x.shape[1:]), whole.x.dtype)
    y = np.zeros((count, *whole.y.shape[1:]), whole.y.dtype)
    mask = np.zeros((count, width), bool)
    for steps in np.unique(lengths):
        rows = np.flatnonzero(lengths == steps)
        batch = draw(problem, rng, len(rows), int(steps), part)
        x[rows, : batch.x.shape[1]] = batch.x
        mask[rows, : batch.x.shape[1]] = True
        if problem.scored is None:
            y[rows] = batch.y
        else:
            y[rows, : batch.y.shape[1]] = batch.y
    return Batch(x, y, mask)


def generate(problem: Problem, of: Generated) -> Task:
    """The task that `of` describes. Its parts come from generators of their own, whatever the others' sizes."""

    def rng(*purpose: int | str) -> np.random.Generator:
        return np.random.default_rng([of.seed, *"/".join(map(str, purpose)).encode()])

    def fresh(rng: np.random.Generator, count: int = of.train, part: str = "train") -> Batch:
        return (draw_mixed if of.mixed else draw)(problem, rng, count, of.steps, part)

    tests = {"test": fresh(rng("test"), of.test, "test")}
    tests |= {str(steps): draw(problem, rng("test", steps), of.test, steps, "test") for steps in of.tests}
    parts = {"train": fresh(rng("train")), "validation": fresh(rng("validation"), of.validation, "validation")}
    inverse = {}
    if problem.loss == "squared_error":
        inverse = {"scale": np.array(1.0), "logarithm": np.array(False)}
        inverse |= {f"offset_{name}": np.zeros(len(part.y)) for name, part in (parts | tests).items()}
    table = rng("words").normal(0.0, 1.0, (problem.words, INPUTS)).astype(np.float32) if problem.words else None
    return Task(
        name=of.problem,
        loss=problem.loss,
        outputs=problem.outputs,
        train=parts["train"],
        validation=parts["validation"],
        tests=tests,
        embedding=table,
        inverse=inverse,
        scored=problem.scored,
        fresh=fresh,
    )
