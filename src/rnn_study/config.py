"""params.yaml as frozen, strict models. A key that is unknown, missing or out of range is one clear line."""

import math
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from .cells import CELLS
from .errors import StudyError
from .habits import HABITS, OPTIMISERS
from .init import KERNELS
from .network import Layer, Network, why_not_native

PARAMS = Path("params.yaml")

Fraction = Annotated[float, Field(ge=0.01, le=0.5)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Interval(_Model):
    """Where tuning may look: low <= value <= high."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Interval":
        if self.low > self.high:
            raise ValueError(f"low {self.low}, high {self.high}: expected low <= high")
        return self


class Scale(Interval):
    """An interval searched on a logarithmic scale."""

    low: Annotated[float, Field(gt=0)]


class Share(Interval):
    """An interval of shares."""

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(lt=1)]


class Data(_Model):
    """Where each raw source comes from. `upstream` means the mirror where RNN_STUDY_MIRROR names one."""

    mnist: Literal["embedded", "upstream"]
    tweets: Literal["embedded", "upstream"]
    glove: Literal["embedded", "upstream"]
    airline: Literal["embedded", "upstream"]
    vectors: Literal["glove.6B.50d", "glove.6B.100d", "glove.twitter.27B.50d", "glove.twitter.27B.200d"]


class MnistRows(_Model):
    classifies: ClassVar[bool] = True
    validation: Fraction  # share of the training images held out
    seed: Seed  # of the split


class Tweets(_Model):
    classifies: ClassVar[bool] = True
    validation: Fraction  # share of the distinct tweets
    test: Fraction  # share of the distinct tweets
    seed: Seed  # of the split
    vocabulary: Annotated[int, Field(ge=10)]  # rows of the table, padding and [UNK] among them
    max_tokens: Count  # tokens after these are cut off

    @model_validator(mode="after")
    def _something_left(self) -> "Tweets":
        if self.validation + self.test > 0.9:
            raise ValueError(f"validation {self.validation}, test {self.test}: expected 0.9 together at most")
        return self


class Airline(_Model):
    classifies: ClassVar[bool] = False
    look_back: Annotated[int, Field(ge=1, le=36)]  # months in a window
    logarithm: bool
    first_difference: bool
    seasonal_difference: bool
    validation: Annotated[int, Field(ge=1, le=36)]  # the last months of the training part


class NetworkParams(_Model):
    """The architecture, the same for every cell. Exactly one of `parameters` and `units` sets the width."""

    parameters: Annotated[int, Field(ge=10)] | None  # budget, embedding apart; the width of each cell is solved
    units: Count | None  # equal width
    depth: Annotated[int, Field(ge=1, le=8)]
    finetune: bool  # train the embedding, where there is one

    @model_validator(mode="after")
    def _one_width(self) -> "NetworkParams":
        if (self.parameters is None) == (self.units is None):
            given = f"parameters {self.parameters}, units {self.units}"
            raise ValueError(f"{given}: expected a number for one of them and null for the other")
        return self


class Training(_Model):
    batch_size: Count
    epochs: Count  # at most
    patience: Count  # epochs without a better validation score before training stops


class TaskTuning(_Model):
    epochs: Count
    examples: Count | None  # of the training part, from its start; null: all


Kernel = Literal[(*KERNELS, "uniform")]


class Variant(_Model):
    """One thing that is compared in a task: a cell, and what it does differently. Every key may be left out."""

    cell: str | list[str] | None = None  # of each layer, if a list; left out: the entry's own name
    units: Count | None = None  # of every layer; left out: as `network` says
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None  # this and the next two: left out: tuned
    clip: Annotated[float, Field(gt=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    clip_by: Literal["norm", "value", "nothing"] = "norm"  # of all gradients together, each number, not at all
    optimiser: Literal[tuple(OPTIMISERS)] = "adam"
    activation: Literal["tanh", "relu"] = "tanh"
    norm: Literal["layer", "batch"] | None = None  # normalisation of the products with both kernels
    window: Count | None = None  # steps that the gradient reaches back: truncated back-propagation through time
    bidirectional: bool = False
    kernel: Kernel | None = None  # how the input kernel starts
    recurrent: Kernel | None = None  # how the recurrent kernel starts
    forget_bias: Annotated[float, Field(ge=-20, le=20)] | None = None  # what a forget gate's bias starts at
    habits: Literal[tuple(HABITS)] = "matched"  # or what a framework does by itself: habits.py
    impl: Literal["native", "equations"] | None = None  # the frameworks' own layers (where they can) or cells.py

    @model_validator(mode="after")
    def _possible(self) -> "Variant":
        if self.clip_by == "nothing" and self.clip is not None:
            raise ValueError(f"clip {self.clip} with clip_by nothing: expected one of the two")
        if self.clip_by == "value" and self.clip is None:
            raise ValueError("clip_by value without clip: expected clip as well, for what is tuned is a norm")
        return self

    @property
    def fixed(self) -> dict[str, float]:
        """The settings that are not tuned. A clip of infinity stands for none."""
        own = self.model_dump(exclude_none=True, include={"learning_rate", "clip", "dropout"})
        return own | ({"clip": math.inf} if self.clip_by == "nothing" else {})

    def cells(self, name: str, depth: int) -> tuple[str, ...]:
        """The cell of each layer, for the entry `name` where the task has `depth` layers."""
        if isinstance(self.cell, list):
            return tuple(self.cell)
        return (self.cell or name,) * depth

    def network(self, inputs: int, layers: tuple[Layer, ...], outputs: int, **more: Any) -> Network:
        """The network of these layers with what this variant says of all of them."""
        second = HABITS[self.habits].second_bias
        own = {"activation": self.activation, "norm": self.norm, "window": self.window}
        return Network(inputs, layers, outputs, bidirectional=self.bidirectional, second_bias=second, **own, **more)


P = TypeVar("P", bound=_Model)


class TaskParams(_Model, Generic[P]):
    prepare: P
    network: NetworkParams
    training: Training
    tuning: TaskTuning
    margin: Annotated[float, Field(gt=0)]  # of the score: frameworks closer than this count as equivalent
    cells: dict[str, Variant]  # what runs, in the order of the reports; a key is a cell, or names one in `cell`

    @model_validator(mode="after")
    def _possible(self) -> "TaskParams[P]":
        if not self.cells:
            raise ValueError("expected at least one cell")
        for name, variant in self.cells.items():
            if fault := self._fault(name, variant):
                raise ValueError(f"cells.{name}: {fault}")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The cells that occur, each once."""
        depth = self.network.depth
        return tuple(dict.fromkeys(cell for name, one in self.cells.items() for cell in one.cells(name, depth)))

    def _fault(self, name: str, variant: Variant) -> str | None:
        """What cannot be, in `variant` itself or in this task."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
            return f"got the name {name!r}: expected small letters, digits, - and _"
        cells = variant.cells(name, self.network.depth)
        if not cells:
            return "cell []: expected the cell of each layer"
        for cell in cells:
            if cell not in CELLS:
                return f"unknown cell {cell!r}: expected one of {', '.join(CELLS)}, in the name or in `cell`"
        if name in CELLS and set(cells) != {name}:
            return f"cell {', '.join(cells)}: expected another name, this one stands for {name}"
        if isinstance(variant.cell, list) and self.network.depth not in (1, len(cells)):
            return f"{len(cells)} cells with network.depth {self.network.depth}: expected as many, or depth 1"
        network = variant.network(1, tuple(Layer(cell, 1) for cell in cells), 1)
        if variant.impl == "native":
            for backend in ("pytorch", "tensorflow"):
                if reason := why_not_native(network, backend):
                    return f"impl native with {reason}: {backend} has no such layer: expected equations"
        if variant.norm == "batch" and self.training.batch_size == 1:
            return "norm batch with training.batch_size 1: expected at least 2, one row has no variance"
        if variant.bidirectional and not self.prepare.classifies:
            return "bidirectional in a task that forecasts: expected a classification"
        if variant.forget_bias is not None and not any("f" in CELLS[cell].gates for cell in cells):
            return f"forget_bias with cell {', '.join(cells)}: no forget gate: expected none"
        return None


class Tasks(_Model):
    mnist_rows: TaskParams[MnistRows]
    tweets: TaskParams[Tweets]
    airline: TaskParams[Airline]


class Tuning(_Model):
    trials: Annotated[int, Field(ge=8)]  # for each cell, the same for all
    round: Count  # trials asked for before any of them is told: fixed, so that the search does not depend on cores
    seed: Seed  # of the sampler and of the trial runs; not one of `seeds`
    learning_rate: Scale
    clip: Scale
    dropout: Share


class Parity(_Model):
    """The short trainings in which the frameworks are held against each other, in float64 for every task and cell."""

    updates: Count
    perturbed: Count  # trainings from a start moved by rounding, which set the floor
    float32: dict[Literal["mnist_rows", "tweets", "airline"], list[str]]  # cells, once more
    habits: dict[Literal["mnist_rows", "tweets", "airline"], list[str]]  # cells, with each framework's defaults apart


class Config(_Model):
    study: Literal["quick", "real"]
    device: Literal["auto", "cpu", "gpu"]
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=2)]
    data: Data
    tuning: Tuning
    parity: Parity
    tasks: Tasks

    @model_validator(mode="after")
    def _fresh_seeds(self) -> "Config":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)}: expected each seed once")
        if self.tuning.seed in self.seeds:
            raise ValueError(f"tuning.seed {self.tuning.seed}: expected a seed that is not in seeds")
        return self

    @model_validator(mode="after")
    def _parity_of_cells(self) -> "Config":
        for key in ("float32", "habits"):
            for name, cells in getattr(self.parity, key).items():
                kinds = self.task(name).kinds
                for cell in cells:
                    if cell not in kinds:
                        expected = f"a cell of tasks.{name}: {', '.join(kinds)}"
                        raise ValueError(f"parity.{key}.{name}: got {cell!r}: expected {expected}")
        return self

    def task(self, name: str) -> TaskParams:
        return getattr(self.tasks, name)


def read_yaml(path: Path) -> object:
    """The YAML 1.2 document in `path`; a syntax error or a repeated key is one line with its place."""
    try:
        return YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path}: not found: expected a YAML file here") from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: byte {error.start}: expected UTF-8 text") from None
    except (ValueError, RecursionError):
        raise StudyError(f"{path}: a value that cannot be read (a date, a huge number?): expected plain YAML") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not readable"
        raise StudyError(f"{where}: {problem}: expected YAML, each key once") from None
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}: expected a YAML file here") from None


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
