"""The study's questions: what it gives a verdict on, declared before it runs. All else that it shows is exploratory."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Model, Positive
from .frontier import GENERATED, IMAGES

MOST = 8  # questions: each one more makes all of them harder to answer


# What a task's cells may be compared with besides each other; a series without a season has the first rule alone.
BASELINES = {
    "mnist_rows": ("softmax regression",),
    "tweets": ("majority class", "TF-IDF + logistic regression"),
    "airline": (
        "last value (persistence)",
        "a season ago (seasonal naive)",
        "a season ago + the last value's change over a season",
    ),
}


Claim = Annotated[str, Field(min_length=1, max_length=300, pattern=r"\S")]


class Asked(Model):
    """What every question says."""

    claim: Claim  # the sentence that is judged: a against b
    a: str
    b: str


class Score(Asked):
    """Whether cell a scores better than cell, or baseline, b; both frameworks averaged seed by seed."""

    measure: Literal["score"]
    of: str  # a task
    part: str = "test"
    smallest: Positive  # difference that matters, in the score: 0.01 is a point of accuracy


class Frontier(Asked):
    """Contenders of a frontier at an equal budget of weights, over these lengths alone."""

    of: GENERATED | IMAGES
    lengths: Annotated[list[Count], Field(min_length=1)]


class Reach(Frontier):
    """Whether a solves more of the lengths than b."""

    measure: Literal["reach"]
    smallest: Positive  # difference that matters, in lengths


class Speed(Frontier):
    """Whether a solves them in fewer updates than b."""

    measure: Literal["speed"]
    smallest: Positive  # difference that matters, in updates a length, of the budget at most


class Arrives(Model):
    """Whether less, or more, than a share of the error one step from the end arrives at the first step, in cell a."""

    measure: Literal["arrives"]
    claim: Claim
    of: str  # a task or a generated problem
    a: str
    when: Literal["initial", "trained"]
    than: Literal["less", "more"]
    share: Annotated[float, Field(gt=0, lt=1)]
    smallest: Annotated[float, Field(gt=1)]  # difference that matters, as a factor of the share


Question = Annotated[Score | Reach | Speed | Arrives, Field(discriminator="measure")]
