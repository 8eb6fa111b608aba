"""The length frontier: generated problems at every length, nothing tuned."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from .base import Count, Model, Positive, Rate, Rounds, Seed, refuse
from .grid import Ablated
from .variants import Ablation, Variant

GENERATED = Literal["adding", "copy_memory", "temporal_order", "delayed_recall", "parity", "menu", "agreement"]
IMAGES = Literal["pixel_mnist", "permuted_mnist"]
BY_RMSE: frozenset[str] = frozenset({"adding"})  # answered by a number; of the others the score is an accuracy
ENOUGH = 2  # lengths in a row with no seed solved, after which a contender stops
KNOWN: tuple[str, ...] = (*get_args(GENERATED), *get_args(IMAGES))


class Drawn(Model):
    """Sequences drawn from a generator; each epoch of training has its own."""

    classifies: ClassVar[bool] = True
    images: ClassVar[None] = None
    validation: Count  # sequences
    test: Count
    seed: Seed  # of these two parts


class Images(Model):
    """The images of a prepared task, read pixel by pixel; a length of T steps is a side of sqrt(T) pixels."""

    classifies: ClassVar[bool] = True
    images: ClassVar[str] = "mnist_rows"
    permutation: Seed | None  # null: row by row; a seed: every image in the same random order


class FrontierTraining(Model):
    """The same for every cell, but for what a variant says itself."""

    batch_size: Count
    updates: Rounds  # at most: a run that has not solved the problem by then is censored
    learning_rate: Rate
    clip: Positive | None
    goal: (
        Positive  # the validation score that solves the problem, at two looks in a row; images are trained on beyond it
    )


class DrawnTraining(FrontierTraining):
    check: Rounds  # updates between two looks at the validation part

    @model_validator(mode="after")
    def _whole(self) -> "DrawnTraining":
        if self.updates % self.check:
            raise ValueError(f"updates {self.updates}, check {self.check}: expected a multiple of check")
        return self


class Generalise(Model):
    """Training at all lengths up to one, and tests far beyond it."""

    longest: Count  # trained at lengths up to this
    factors: Annotated[list[Count], Field(min_length=2)]  # tested at so many times that length, 1 the first
    seeds: Count  # the first so many

    @model_validator(mode="after")
    def _rising(self) -> "Generalise":
        if self.factors[0] != 1 or self.factors != sorted(set(self.factors)):
            raise ValueError(f"factors {self.factors}: expected rising numbers from 1")
        return self


class Rates(Model):
    """Every cell at other learning rates as well: each reaches as far as its own best one lets it."""

    learning_rates: Annotated[list[Rate], Field(min_length=2)]  # rising, that of `training` among them
    seeds: Annotated[Count, Field(ge=2)]  # the first so many

    @model_validator(mode="after")
    def _rising(self) -> "Rates":
        if self.learning_rates != sorted(set(self.learning_rates)):
            raise ValueError(f"learning_rates {self.learning_rates}: expected rising numbers")
        if len({f"{rate:g}" for rate in self.learning_rates}) < len(self.learning_rates):
            raise ValueError(f"learning_rates {self.learning_rates}: expected them to differ in six digits")
        return self


class FrontierParams(Ablated):
    dense = "none"
    framework: Literal["pytorch", "tensorflow"]
    lengths: Annotated[list[Count], Field(min_length=1)]  # steps T, rising
    gpu_lengths: list[Count]  # longer ones, that run where the device is a GPU and stay "not run" elsewhere
    width: Count | None  # units of every cell in the second comparison, at equal width; null: none
    training: FrontierTraining
    rates: Rates | None = None
    generalise: Generalise | None = None

    def counts(self) -> dict[str, int | None]:
        asked = {key: getattr(self, key) for key in ("rates", "generalise")}
        return super().counts() | {f"{key}.seeds": one.seeds for key, one in asked.items() if one}

    @property
    def rated(self) -> dict[str, Ablation]:
        """Each cell at each learning rate but that of `training`, named <cell>-rate-<learning rate>."""
        rates = self.rates.learning_rates if self.rates else []
        return {
            f"{cell}-rate-{rate:g}": self.changed(cell, {"learning_rate": rate})
            for cell in self.cells
            for rate in rates
            if rate != self.training.learning_rate
        }

    @property
    def variants(self) -> dict[str, Variant]:
        return super().variants | self.rated

    @property
    def contenders(self) -> list[tuple[str, str]]:
        """Every axis and variant. budget: cells and ablations, with an equal budget of weights, as the controls and the
        other learning rates have it (`control`, `rate`); width: the cells at equal width."""
        axes = {"budget": self.cells | self.ablated, "control": self.controlled, "rate": self.rated}
        axes["width"] = self.cells if self.width else {}
        return [(axis, name) for axis, names in axes.items() for name in names]

    def runs(self, name: str) -> tuple[int, ...]:
        """The seeds that variant `name` runs with."""
        if name in self.controlled:
            return self.seeds[: self.controls.seeds]
        if name in self.rated:
            return self.seeds[: self.rates.seeds]
        return self.seeds[: self.ablated[name].seeds if name in self.ablated else None]

    @model_validator(mode="after")
    def _lengths_possible(self) -> "FrontierParams":
        grid = [*self.lengths, *self.gpu_lengths]
        if grid != sorted(set(grid)):
            raise ValueError(f"lengths {self.lengths}, gpu_lengths {self.gpu_lengths}: expected rising numbers")
        refuse(self._walk_faults())
        return self

    def _walk_faults(self) -> Iterator[str]:
        for name, variant in self.variants.items():
            if variant.bidirectional:
                yield f"{name}: bidirectional: expected a network that reads forward, whose memory has an end"
        for name, ablation in self.ablated.items():
            if ablation.seeds == 1:
                yield f"ablations: {name}: seeds 1: expected 2 or more, one has no spread to compare"
            if ablation.clip_times:
                yield f"ablations: {name}: clip_times {ablation.clip_times}: expected clip, no norm is known"
        for name in self.rated.keys() & (self.cells | self.ablated | self.controlled).keys():
            yield f"rates: {name} is in cells, ablations or controls as well: expected another name"
        if self.rates:
            if self.training.learning_rate not in self.rates.learning_rates:
                yield f"rates: {self.rates.learning_rates}: expected training.learning_rate among them"
            for name, cell in self.cells.items():
                if cell.learning_rate:
                    yield f"cells: {name}: learning_rate {cell.learning_rate:g} with rates: expected one of the two"


class DrawnFrontier(FrontierParams):
    prepare: Drawn
    training: DrawnTraining


class ImageFrontier(FrontierParams):
    prepare: Images

    @model_validator(mode="after")
    def _squares(self) -> "ImageFrontier":
        refuse(
            f"lengths: got {steps}: expected squares, one step for each pixel of an image"
            for steps in [*self.lengths, *self.gpu_lengths]
            if int(steps**0.5 + 0.5) ** 2 != steps
        )
        if self.generalise:
            raise ValueError("generalise: expected none, images have one size")
        return self
