"""params.yaml as frozen, strict models: every key is explained here, in `tasks.py`, `variants.py` or `frontier.py`.

A key that is unknown, missing or out of range is one clear line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from rnn_study.support.errors import StudyError

from .base import NAME, Count, Interval, Model, Scale, Seed, Share
from .frontier import GENERATED, IMAGES, DrawnFrontier, FrontierParams, ImageFrontier
from .questions import MOST, Arrives, Question, Reach, Score, Speed
from .reading import read_yaml
from .shapes import (
    Digits,
    Frames,
    Kind,
    Language,
    Menu,
    Numbers,
    Series,
    Shape,
    Spelled,
    TweetsTutorial,
    Vectors,
)
from .tasks import Adding, Agreement, Airline, Grid, MnistRows, ProblemParams, Problems, TaskParams, Tasks, Tweets
from .variants import Ablation, Variant

__all__ = [
    "Ablation",
    "Adding",
    "Agreement",
    "Airline",
    "Arrives",
    "Config",
    "Data",
    "Digits",
    "Frames",
    "FrontierParams",
    "Grid",
    "Interval",
    "Kind",
    "Language",
    "Menu",
    "MnistRows",
    "Numbers",
    "ProblemParams",
    "Question",
    "Reach",
    "Score",
    "Series",
    "Shape",
    "Speed",
    "Spelled",
    "TaskParams",
    "Tweets",
    "TweetsTutorial",
    "Variant",
    "Vectors",
    "load",
    "read_yaml",
]

PARAMS = Path("params.yaml")


class Data(Model):
    """Where each raw source comes from. `upstream` means the mirror where RNN_STUDY_MIRROR names one."""

    mnist: Literal["embedded", "upstream"]
    tweets: Literal["embedded", "upstream"]
    glove: Literal["embedded", "upstream"]
    airline: Literal["embedded", "upstream"]
    vectors: Literal["glove.6B.50d", "glove.6B.100d", "glove.twitter.27B.50d", "glove.twitter.27B.200d"]


class Tuning(Model):
    searches: Count  # for each cell, independent of each other: what one finds is random too
    trials: Annotated[int, Field(ge=8)]  # of a search, the same for all cells
    round: Count  # trials asked for before any of them is told: fixed, so that the search does not depend on cores
    seed: Seed  # of the sampler and of the trial runs of the first search, the next number of each further one
    learning_rate: Scale
    clip: Scale
    dropout: Share


class Parity(Model):
    """The short trainings in which the frameworks are held against each other, in float64 for every task and cell."""

    updates: Count
    perturbed: Count  # trainings from a start moved by rounding, which set the floor
    float32: dict[Literal["mnist_rows", "tweets", "airline"], list[str]]  # cells, once more
    defaults: dict[Literal["mnist_rows", "tweets", "airline"], list[str]]  # cells, with each framework's defaults apart


class Gradients(Model):
    """How gradient behaviour is looked at."""

    framework: Literal["pytorch", "tensorflow"]  # whose runs of the tasks are diagnosed, and which trains the problems
    examples: Count  # sequences of the validation part, the longest ones
    checkpoints: list[Count]  # epochs after which weights are looked at, besides the initial and the trained


class Config(Model):
    study: Literal["quick", "real"]
    device: Literal["auto", "cpu", "gpu"]
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=2)]
    data: Data
    tuning: Tuning
    parity: Parity
    tasks: Tasks
    gradients: Gradients
    problems: Problems
    frontier: Annotated[dict[GENERATED, DrawnFrontier], Field(min_length=1)]
    images: dict[IMAGES, ImageFrontier]
    shapes: dict[Annotated[str, Field(pattern=NAME)], Shape]
    questions: Annotated[dict[str, Question], Field(max_length=MOST)]

    @model_validator(mode="after")
    def _fresh_seeds(self) -> "Config":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: expected each seed once")
        taken = set(range(self.tuning.seed, self.tuning.seed + self.tuning.searches)) & set(self.seeds)
        if taken:
            raise ValueError(f"tuning.seed {self.tuning.seed}: search with {min(taken)}: expected a seed not in seeds")
        if len(self.seeds) % self.tuning.searches:
            expected = "as many seeds for each search"
            raise ValueError(f"tuning.searches {self.tuning.searches}, {len(self.seeds)} seeds: expected {expected}")
        return self

    @model_validator(mode="after")
    def _names_once(self) -> "Config":
        for name in self.shapes:
            if name in (*Tasks.model_fields, *Problems.model_fields):
                raise ValueError(f"shapes: {name} is a task or a problem as well: expected another name")
        return self

    @model_validator(mode="after")
    def _parity_of_cells(self) -> "Config":
        for key in ("float32", "defaults"):
            for name, cells in getattr(self.parity, key).items():
                kinds = self.task(name).kinds
                for cell in cells:
                    if cell not in kinds:
                        expected = f"a cell of tasks.{name}: {', '.join(kinds)}"
                        raise ValueError(f"parity.{key}.{name}: got {cell!r}: expected {expected}")
        return self

    @model_validator(mode="after")
    def _questions_of_what_runs(self) -> "Config":
        for name, asked in self.questions.items():
            if fault := self._fault(asked):
                raise ValueError(f"questions.{name}: {fault}")
        return self

    def _fault(self, asked: Question) -> str | None:
        """What `asked` asks of something that is not run."""
        if isinstance(asked, Reach | Speed):
            if asked.of not in self.frontiers:
                return f"of {asked.of}: expected a problem of frontier: {', '.join(self.frontiers)}"
            params, sides = self.frontiers[asked.of], ("a", "b")
            for steps in asked.lengths:
                if steps not in params.lengths:
                    return f"lengths: got {steps}: expected some of frontier.{asked.of}.lengths"
            if isinstance(asked, Speed) and asked.smallest > params.training.updates:
                return f"smallest {asked.smallest:g}: expected at most the budget, {params.training.updates} updates"
        else:
            params, sides = self.task(asked.of), ("a",)  # b may be a baseline: the stage that reads these looks
        for side in sides:
            if getattr(asked, side) not in params.variants:
                return f"{side} {getattr(asked, side)!r}: expected one of {', '.join(params.variants)}"
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
    def frontiers(self) -> dict[str, FrontierParams]:
        """What params.yaml says of every problem whose length frontier is looked for."""
        return self.frontier | self.images


def _place(value: object, fault: ErrorDetails) -> Iterator[str]:
    """The keys that lead to a fault, without the tags that pydantic puts between those of a union."""
    *way, last = fault["loc"] or ("",)
    tagged = False  # a tag may be a key as well
    for part in way:
        if isinstance(value, dict) and (part not in value or (part == value.get("kind") and not tagged)):
            tagged = True
            continue
        value, tagged = value[part], False
        yield str(part)
    if fault["type"] == "missing" or not isinstance(value, dict) or last in value:
        yield str(last)


def load(path: Path = PARAMS) -> Config:
    """The validated parameters of the study in `path`."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise StudyError(f"{path}: expected a mapping at the top, got {type(value).__name__}")
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
    key = ".".join(_place(value, fault))
    message = fault["msg"].removeprefix("Value error, ")
    place = f"{path}: {key}" if key else str(path)
    if fault["type"] == "extra_forbidden":
        raise StudyError(f"{place}: unknown key: expected the keys of studies/quick.yaml")
    if fault["type"] == "missing":
        raise StudyError(f"{place}: missing")
    shown = "" if fault["type"] == "value_error" else f" got {fault['input']!r}:"
    raise StudyError(f"{place}:{shown} {message[0].lower()}{message[1:]}")
