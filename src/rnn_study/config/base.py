"""What every model of params.yaml is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

NAME = r"^[a-z0-9][a-z0-9_-]{0,40}$"  # a folder in every file system
Fraction = Annotated[float, Field(ge=0.01, le=0.5)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Rate = Annotated[float, Field(gt=0, le=10)]
Positive = Annotated[float, Field(gt=0)]


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


class Share(Interval):
    """An interval of shares."""

    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(lt=1)]
