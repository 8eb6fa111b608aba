"""All of params.yaml, and what one of its sections says of another."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rnn_study.model.backend import BACKENDS
from rnn_study.model.cells import CELLS
from rnn_study.support.errors import StudyError

from .base import NAME, Bias, Count, Depth, Model, Positive, Rate, Rounds, Scale, Seed, Share, least, most, refuse
from .data import Data, OwnSeries
from .frontier import BY_RMSE, GENERATED, IMAGES, DrawnFrontier, FrontierParams, ImageFrontier
from .questions import BASELINES, MOST, Arrives, Question, Reach, Score, Speed
from .shapes import Shape
from .tasks import ProblemParams, Problems, TaskParams, Tasks


class Untuned(Model):
    """What a cell has where nobody tunes: the cells of every task run with these settings as well, to be compared."""

    learning_rate: Rate
    clip: Positive | None  # null: none
    dropout: Annotated[float, Field(ge=0, lt=1)]
    seeds: Annotated[Count, Field(ge=2)]  # the first so many


class Tuning(Model):
    searches: Count  # for each cell, independent of each other: what one finds is random too
    trials: Annotated[  # of a search, the same for all cells
        int,
        least(8, "the first ones are drawn at random, and what is proposed after them learns from these"),
        most(100_000, "a search would not end"),
    ]
    round: Count  # trials asked for before any of them is told: fixed, so that the search does not depend on cores
    seed: Seed  # of the sampler and of the trial runs of the first search, the next number of each further one
    learning_rate: Scale
    clip: Scale
    dropout: Share
    # What else is searched; left out: as the task says.
    batch_size: Annotated[tuple[Count, ...], Field(strict=False, min_length=2)] | None = None
    depth: Annotated[tuple[Depth, ...], Field(strict=False, min_length=2)] | None = None  # a budget of weights is split
    forget_bias: Bias | None = None  # of the cells that have a forget gate
    prune: Rounds | None = None  # epochs after which a trial may be ended, see `RunSpec.bar`; left out: none is
    untuned: Untuned

    @model_validator(mode="after")
    def _possible(self) -> "Tuning":
        if self.round > self.trials:
            raise ValueError(f"round: got {self.round}: expected at most {self.trials}, as many as trials")
        refuse(
            f"{key}: got {list(choices)}: expected each once"
            for key in ("batch_size", "depth")
            if (choices := getattr(self, key)) and len(set(choices)) < len(choices)
        )
        return self


class Parity(Model):
    """The short trainings in which the frameworks are held against each other, in float64 for every task and cell.

    A cell that a task has no longer is left out by itself: see `Config.held`.
    """

    updates: Rounds
    perturbed: Annotated[
        Count, most(100, "each moves another weight, and small networks have few")
    ]  # trainings from a start moved by rounding, which set the floor
    float32: dict[str, list[str]]  # by task cells, once more
    defaults: dict[str, list[str]]  # by task cells, with each framework's defaults apart


class Gradients(Model):
    """How gradient behaviour is looked at."""

    framework: Literal["pytorch", "tensorflow"]  # whose runs of the tasks are diagnosed, and which trains the problems
    examples: Count  # sequences of the validation part, the longest ones
    checkpoints: list[Count]  # epochs after which weights are looked at, besides the initial and the trained


class Config(Model):
    study: Literal["quick", "real"]
    device: Literal["auto", "cpu", "gpu"]
    executor: Literal["local", "ray"]  # no result depends on it
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=2)]
    data: Data
    tuning: Tuning
    parity: Parity
    tasks: Tasks
    gradients: Gradients
    problems: Problems
    frontier: Annotated[dict[GENERATED, DrawnFrontier], Field(min_length=1)]
    images: dict[IMAGES, ImageFrontier]
    shapes: Annotated[dict[Annotated[str, Field(pattern=NAME)], Shape], Field(min_length=1)]
    questions: Annotated[dict[str, Question], Field(max_length=MOST)]

    @model_validator(mode="after")
    def _whole(self) -> "Config":
        about = (
            self._seeds_wrong,
            self._data_wrong,
            self._tuning_wrong,
            self._names_wrong,
            self._goals_wrong,
            self._shapes_wrong,
            self._parity_wrong,
            self._questions_wrong,
        )
        refuse(fault for found in about for fault in found())
        return self

    def _seeds_wrong(self) -> Iterator[str]:
        if len(set(self.seeds)) < len(self.seeds):
            yield f"seeds {list(self.seeds)}: expected each seed once"
        first, last = self.tuning.seed, self.tuning.seed + self.tuning.searches - 1
        for seed in self.seeds:
            if first <= seed <= last:
                yield f"tuning.seed {first}: search with {seed}: expected a seed not in seeds"
        for name, task in self.tasks:
            if task.controls and task.controls.seeds > len(self.seeds):
                got = f"tasks.{name}.controls.seeds: got {task.controls.seeds}"
                yield f"{got}: expected at most {len(self.seeds)}, as many as seeds"
        if len(self.seeds) % self.tuning.searches:
            expected = "as many seeds for each search"
            yield f"tuning.searches {self.tuning.searches}, {len(self.seeds)} seeds: expected {expected}"

    def _data_wrong(self) -> Iterator[str]:
        if self._seasonless and self.tasks.airline.prepare.seasonal_difference:
            yield "tasks.airline.prepare.seasonal_difference: true with data.airline.season 1: expected false"

    @property
    def _seasonless(self) -> bool:
        """Whether the series is said to repeat nothing."""
        return isinstance(self.data.airline, OwnSeries) and self.data.airline.season == 1

    def _baselines(self, task: str) -> tuple[str, ...]:
        known = BASELINES.get(task, ())
        return known[:1] if task == "airline" and self._seasonless else known

    def _tuning_wrong(self) -> Iterator[str]:
        if (asked := self.tuning.untuned.seeds) > len(self.seeds) or asked % self.tuning.searches:
            expected = f"at most {len(self.seeds)}, as many for each of {self.tuning.searches} searches"
            yield f"tuning.untuned.seeds: got {asked}: expected {expected}"
        for name in self.tuned:
            params = self.task(name)
            for cell, variant in params.cells.items():
                for depth in self.tuning.depth or () if "depth" in self.searched(name, cell) else ():
                    of = depth, params.training.batch_size, params.prepare.classifies, params.answers
                    if fault := variant.fault(cell, *of):
                        yield f"tuning.depth {depth}: {name}.cells.{cell}: {fault}"
                if variant.norm == "batch" and 1 in (self.tuning.batch_size or ()):
                    yield f"tuning.batch_size 1: {name}.cells.{cell}: norm batch: expected at least 2"

    def _names_wrong(self) -> Iterator[str]:
        for name in self.shapes:
            if name in (*Tasks.model_fields, *Problems.model_fields):
                yield f"shapes: {name} is a task or a problem as well: expected another name"

    def _goals_wrong(self) -> Iterator[str]:
        for section in ("problems", "frontier", "images"):
            for name, grid in dict(getattr(self, section)).items():
                if (goal := grid.training.goal) > 1 and name not in BY_RMSE:
                    yield f"{section}.{name}.training.goal: got {goal:g}: expected an accuracy, at most 1"

    def _shapes_wrong(self) -> Iterator[str]:
        for backend in BACKENDS:
            if not any(backend in shape.seeds for shape in self.shapes.values()):
                yield f"shapes: no seeds for {backend} in any system: expected some, its stage has no other work"

    def _parity_wrong(self) -> Iterator[str]:
        for key in ("float32", "defaults"):
            for name, cells in getattr(self.parity, key).items():
                if name not in Tasks.model_fields:
                    yield f"parity.{key}.{name}: unknown key: expected a task: {', '.join(Tasks.model_fields)}"
                for cell in cells:
                    if cell not in CELLS:
                        yield f"parity.{key}.{name}: got {cell!r}: expected a cell: {', '.join(CELLS)}"

    def _questions_wrong(self) -> Iterator[str]:
        for name, asked in self.questions.items():
            if fault := self._fault(asked):
                yield f"questions.{name}: {fault}"

    def _fault(self, asked: Question) -> str | None:
        """What `asked` asks of something that is not run, or that can have no other answer."""
        if not isinstance(asked, Arrives) and asked.a == asked.b:
            return f"b {asked.b!r}: expected another one than a"
        if isinstance(asked, Reach | Speed):
            if asked.of not in self.frontiers:
                return f"of {asked.of}: expected a problem of frontier: {', '.join(self.frontiers)}"
            params, sides = self.frontiers[asked.of], ("a", "b")
            if len(set(asked.lengths)) < len(asked.lengths):
                return f"lengths {asked.lengths}: expected each once"
            if isinstance(asked, Reach) and asked.smallest > len(asked.lengths):
                return f"smallest {asked.smallest:g}: expected at most {len(asked.lengths)}, as many as lengths"
            for steps in asked.lengths:
                if steps not in params.lengths:
                    return f"lengths: got {steps}: expected some of frontier.{asked.of}.lengths"
            if isinstance(asked, Speed) and asked.smallest > params.training.updates:
                return f"smallest {asked.smallest:g}: expected at most the budget, {params.training.updates} updates"
        else:
            known = (*Tasks.model_fields, *(Problems.model_fields if isinstance(asked, Arrives) else ()))
            if asked.of not in known:
                return f"of: got {asked.of!r}: expected one of {', '.join(known)}"
            params, sides = self.task(asked.of), ("a",)
            if isinstance(asked, Score) and asked.b not in (known := (*params.cells, *self._baselines(asked.of))):
                return f"b {asked.b!r}: expected one of {', '.join(known)}"
            if isinstance(asked, Score) and asked.smallest > 1 and params.prepare.classifies:
                return f"smallest {asked.smallest:g}: expected at most 1, a difference of accuracies"
        for side in sides:
            if getattr(asked, side) not in (known := params.cells | params.ablated):
                return f"{side} {getattr(asked, side)!r}: expected one of {', '.join(known)}"
        return None

    def task(self, name: str) -> TaskParams | ProblemParams | Shape:
        """What params.yaml says of a task, a problem or a system of shapes; a StudyError where there is none of that
        name."""
        if name in self.shapes:
            return self.shapes[name]
        known = [*Tasks.model_fields, *Problems.model_fields]
        if name not in known:
            raise StudyError(f"task: got {name!r}: expected one of {', '.join(known)}")
        return getattr(self.problems if name in Problems.model_fields else self.tasks, name)

    @property
    def tuned(self) -> list[str]:
        """Every task and every system of shapes whose settings are searched for."""
        return [*Tasks.model_fields, *(name for name, shape in self.shapes.items() if shape.tuning)]

    def searched(self, name: str, cell: str) -> set[str]:
        """The settings of a cell that tuning may choose; a system of shapes keeps its depth: that is what it shows."""
        found = self.task(name).cells[cell].searched(cell)
        return found - {"depth"} if name in self.shapes else found

    def held(self, key: Literal["float32", "defaults"], name: str) -> tuple[str, ...]:
        """The cells of task `name` whose frameworks are held against each other once more."""
        kinds = self.task(name).kinds
        return tuple(cell for cell in getattr(self.parity, key).get(name, ()) if cell in kinds)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every cell that the study runs, in the order of `CELLS`."""
        grids = [value for section in (self.tasks, self.problems) for _, value in section]
        grids += [*self.frontiers.values(), *self.shapes.values()]
        used = {
            cell
            for grid in grids
            for name, one in grid.variants.items()
            for cell in one.cells(name, grid.network.depth)
        }
        return tuple(cell for cell in CELLS if cell in used)

    @property
    def frontiers(self) -> dict[str, FrontierParams]:
        """What params.yaml says of every problem whose length frontier is looked for."""
        return self.frontier | self.images
