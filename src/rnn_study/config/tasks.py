"""The tasks, and the generated problems: what is made of their data, how they are trained, and what is tuned."""

from typing import Annotated, ClassVar, Generic

from pydantic import Field, model_validator

from .base import SHORTEST, Count, Fraction, Model, Positive, Rate, Rounds, Seed
from .grid import Ablated, Grid, P, Training
from .variants import Map, Variant


class MnistRows(Model):
    classifies: ClassVar[bool] = True
    validation: Fraction  # share of the training images held out
    seed: Seed  # of the split


class Tweets(Model):
    classifies: ClassVar[bool] = True
    validation: Fraction  # share of the distinct tweets
    test: Fraction  # share of the distinct tweets
    seed: Seed  # of the split
    vocabulary: Annotated[Count, Field(ge=10)]  # rows of the table, padding and [UNK] among them
    max_tokens: Count  # tokens after these are cut off

    @model_validator(mode="after")
    def _something_left(self) -> "Tweets":
        if self.validation + self.test > 0.9:
            raise ValueError(f"validation {self.validation}, test {self.test}: expected 0.9 together at most")
        return self


class Airline(Model):
    classifies: ClassVar[bool] = False
    look_back: Annotated[int, Field(ge=1, le=1000)]  # values in a window
    logarithm: bool
    first_difference: bool
    seasonal_difference: bool
    validation: Annotated[int, Field(ge=SHORTEST, le=100_000)]  # the last values of the training part


class Adding(Model):
    classifies: ClassVar[bool] = False
    steps: Annotated[Count, Field(ge=2)]  # T
    train: Count  # sequences
    validation: Count
    test: Count
    seed: Seed


class Agreement(Model):
    classifies: ClassVar[bool] = True
    distance: Annotated[int, Field(ge=4, le=60)]  # words between the cue and the answer, at most
    train: Count  # sentences
    validation: Count
    test: Count
    inputs: Count  # width of the word vectors, drawn at random
    seed: Seed


class TaskTuning(Model):
    epochs: Rounds
    examples: Count | None  # of the training part, from its start; null: all


class TaskParams(Grid[P], Generic[P]):
    training: Training
    tuning: TaskTuning
    margin: Positive  # of the score: frameworks closer than this count as equivalent


class Tasks(Model):
    mnist_rows: TaskParams[MnistRows]
    tweets: TaskParams[Tweets]
    airline: TaskParams[Airline]


class ProblemTraining(Training):
    """Nothing is tuned: every cell has these settings, but for what a variant says itself."""

    learning_rate: Rate
    clip: Positive | None
    goal: Positive  # the validation score that, after two epochs in a row, solves the problem and ends the run


class ProblemParams(Ablated[P], Generic[P]):
    training: ProblemTraining
    map: Map | None

    def counts(self) -> dict[str, int | None]:
        return super().counts() | {"map.seeds": self.map.seeds if self.map else None}

    @model_validator(mode="after")
    def _map_possible(self) -> "ProblemParams[P]":
        if self.map and self.map.of not in self.cells | self.ablated:
            raise ValueError(f"map.of: got {self.map.of!r}: expected one of {', '.join(self.cells | self.ablated)}")
        if clash := self.mapped.keys() & (self.cells | self.ablated | self.controlled).keys():
            raise ValueError(f"map: {min(clash)} is in cells, ablations or controls as well: expected another name")
        return self

    @property
    def mapped(self) -> dict[str, Variant]:
        """The points of the map, named map-<row>-<column>."""
        if self.map is None:
            return {}
        of, found = (self.cells | self.ablated)[self.map.of], {}
        own = {"cell": of.cell or self.map.of}
        for row, rate in enumerate(self.map.learning_rates):
            for column, clip in enumerate(self.map.clips):
                point = own | {"learning_rate": rate, "clip": clip, "clip_by": "norm" if clip else "nothing"}
                found[f"map-{row}-{column}"] = of.model_copy(update=point)
        return found


class Problems(Model):
    adding: ProblemParams[Adding]
    agreement: ProblemParams[Agreement]
