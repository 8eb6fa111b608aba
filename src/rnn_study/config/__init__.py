"""params.yaml as frozen, strict models: every key is explained here, in `tasks.py`, `variants.py` or `frontier.py`.

A key that is unknown, missing or out of range is one clear line.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from rnn_study.support.errors import StudyError

from .base import Count, Interval, Model, Scale, Seed, Share
from .frontier import GENERATED, IMAGES, DrawnFrontier, FrontierParams, ImageFrontier
from .reading import read_yaml
from .tasks import Adding, Agreement, Airline, Grid, MnistRows, ProblemParams, Problems, TaskParams, Tasks, Tweets
from .variants import Ablation, Variant

__all__ = [
    "Ablation",
    "Adding",
    "Agreement",
    "Airline",
    "Config",
    "Data",
    "FrontierParams",
    "Grid",
    "Interval",
    "MnistRows",
    "ProblemParams",
    "TaskParams",
    "Tweets",
    "Variant",
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
    trials: Annotated[int, Field(ge=8)]  # for each cell, the same for all
    round: Count  # trials asked for before any of them is told: fixed, so that the search does not depend on cores
    seed: Seed  # of the sampler and of the trial runs; not one of `seeds`
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

    @model_validator(mode="after")
    def _fresh_seeds(self) -> "Config":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: expected each seed once")
        if self.tuning.seed in self.seeds:
            raise ValueError(f"tuning.seed {self.tuning.seed}: expected a seed that is not in seeds")
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

    def task(self, name: str) -> TaskParams | ProblemParams:
        """What params.yaml says of a task or a problem; a StudyError where there is none of that name."""
        known = [*Tasks.model_fields, *Problems.model_fields]
        if name not in known:
            raise StudyError(f"task: got {name!r}: expected one of {', '.join(known)}")
        return getattr(self.problems if name in Problems.model_fields else self.tasks, name)

    @property
    def frontiers(self) -> dict[str, FrontierParams]:
        """What params.yaml says of every problem whose length frontier is looked for."""
        return self.frontier | self.images


def load(path: Path = PARAMS) -> Config:
    """The validated parameters of the study in `path`."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise StudyError(f"{path}: expected a mapping at the top, got {type(value).__name__}")
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    place = f"{path}: {key}" if key else str(path)
    if fault["type"] == "extra_forbidden":
        raise StudyError(f"{place}: unknown key: expected the keys of studies/quick.yaml")
    if fault["type"] == "missing":
        raise StudyError(f"{place}: missing")
    shown = "" if fault["type"] == "value_error" else f" got {fault['input']!r}:"
    raise StudyError(f"{place}:{shown} {message[0].lower()}{message[1:]}")
