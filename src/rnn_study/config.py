"""params.yaml as frozen, strict models. A key that is unknown, missing or out of range is one clear line."""

from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from .cells import CELLS
from .errors import StudyError

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
    validation: Fraction  # share of the training images held out
    seed: Seed  # of the split


class Tweets(_Model):
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


class CellParams(_Model):
    """What one cell does differently in one task: these win over the solved width and the tuned values."""

    units: Count | None = None
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    clip: Annotated[float, Field(gt=0)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    impl: Literal["native", "equations"] | None = None  # the frameworks' own layers (where they have one) or cells.py


P = TypeVar("P", bound=_Model)


class TaskParams(_Model, Generic[P]):
    prepare: P
    network: NetworkParams
    training: Training
    tuning: TaskTuning
    cells: dict[str, CellParams]  # which cells run, in the order of the reports

    @model_validator(mode="after")
    def _known_cells(self) -> "TaskParams[P]":
        for cell in self.cells:
            if cell not in CELLS:
                raise ValueError(f"unknown cell {cell!r}: expected one of {', '.join(CELLS)}")
        if not self.cells:
            raise ValueError("expected at least one cell")
        return self


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
        for name, cells in self.parity.float32.items():
            for cell in cells:
                if cell not in self.task(name).cells:
                    expected = ", ".join(self.task(name).cells)
                    raise ValueError(
                        f"parity.float32.{name}: got {cell!r}: expected one of tasks.{name}.cells: {expected}"
                    )
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
