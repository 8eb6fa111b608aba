"""What every model of params.yaml is made of."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def least(bound: int, why: str) -> AfterValidator:
    """Refuses a number below `bound`, and says why."""

    def checked(value: int) -> int:
        if value < bound:
            raise ValueError(f"got {value}: expected at least {bound:,}: {why}")
        return value

    return AfterValidator(checked)


def most(bound: int, why: str) -> AfterValidator:
    """Refuses a number above `bound`, and says why."""

    def checked(value: int) -> int:
        if value > bound:
            raise ValueError(f"got {value}: expected at most {bound:,}: {why}")
        return value

    return AfterValidator(checked)


def refuse(faults: Iterable[str]) -> None:
    """Raise one ValueError for all `faults`, a line each, if there are any."""
    if lines := list(faults):
        raise ValueError("\n".join(lines))


NAME = r"^[a-z0-9][a-z0-9_-]{0,40}$"  # a folder in every file system
Fraction = Annotated[float, Field(ge=0.01, le=0.5)]
SHORTEST = 3  # values of a part of a series: of two that depend on each other no error of their mean is known
Count = Annotated[int, Field(ge=1), most(10**9, "no machine gets through more")]
Rounds = Annotated[int, Field(ge=1), most(10**7, "training would not end")]  # epochs, updates
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Rate = Annotated[float, Field(gt=0, le=10)]
Positive = Annotated[float, Field(gt=0)]
Depth = Annotated[int, Field(ge=1, le=8)]  # recurrent layers


class Model(BaseModel):
    """Frozen and strict: no other key, no value of another type, no infinity."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Interval(Model):
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


class Bias(Interval):
    """An interval of biases."""

    low: Annotated[float, Field(ge=-20)]
    high: Annotated[float, Field(le=20)]


class Share(Interval):
    """An interval of shares."""

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(lt=1)]
