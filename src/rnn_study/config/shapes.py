"""Every sequence shape: what is read and what is answered, through the same network."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Count, Fraction, Model, Positive, Rate, Seed
from .grid import Grid, Training
from .tasks import TaskTuning, Tweets
from .variants import Answers


class Digits(Model):
    """Images by rows; one answer."""

    kind: Literal["digits"]
    classifies: ClassVar[bool] = True
    validation: Fraction  # share of the training images
    seed: Seed  # of the split


class Spelled(Digits):
    """An image in, the digit's English name out, letter by letter until the end token."""

    kind: Literal["spelled"]


class Series(Model):
    """Windows of a series; the value after each, or, `shifted`, after each of its steps."""

    kind: Literal["series"]
    classifies: ClassVar[bool] = False
    of: Literal["airline", "sunspots"]
    window: Annotated[int, Field(ge=1, le=60)]
    shifted: bool
    scale: Literal["train", "all"]  # standardised by the training part; to 0..1 by all of it, as the tutorials do
    validation: Annotated[int, Field(ge=0, le=40)]  # the last targets of the training part; 0: the training part itself


class Frames(Model):
    """A dot that wanders over a small screen; for every frame the direction it came from."""

    kind: Literal["frames"]
    classifies: ClassVar[bool] = True
    side: Annotated[int, Field(ge=3, le=12)]  # of the screen, pixels
    frames: Annotated[int, Field(ge=2, le=200)]  # of the longest film; the shortest has two
    train: Count  # films
    validation: Count
    test: Count
    seed: Seed


class Numbers(Model):
    """Whole numbers in English words, translated into French ones."""

    kind: Literal["numbers"]
    classifies: ClassVar[bool] = True
    below: Annotated[int, Field(ge=200, le=1_000_000)]
    train: Count  # numbers
    validation: Count
    test: Count
    longest: Count | None  # English words that a number of these parts has at most; null: any
    longer: Annotated[int, Field(ge=0)]  # numbers of a further test part, all of more words than that
    reversed: bool  # whether the English words are read from the last to the first
    inputs: Count  # width of the word vectors, drawn at random
    seed: Seed

    @model_validator(mode="after")
    def _enough(self) -> "Numbers":
        if (asked := self.train + self.validation + self.test) > self.below:
            raise ValueError(f"below {self.below}: {asked} numbers asked for: expected at most as many as there are")
        if self.longer and self.longest is None:
            raise ValueError(f"longer {self.longer} with longest null: expected a number of words for longest")
        return self


class Language(Model):
    """A text, read piece by piece with the state carried on; at every step the next character or word."""

    kind: Literal["language"]
    classifies: ClassVar[bool] = True
    of: Literal["alice", "tweets"]
    unit: Literal["characters", "words"]
    symbols: Annotated[Count, Field(ge=1000)] | None  # of the text, from its start; null: all
    vocabulary: Annotated[Count, Field(ge=10)]  # characters or words that are told apart
    window: Annotated[Count, Field(ge=2)]  # steps that the gradient reaches back
    held_out: Fraction  # of the text, its end: the validation part, and as much again for the test
    inputs: Count  # width of the vectors, drawn at random
    seed: Seed


class Menu(Model):
    """The roommate's dish for every day: from today's weather, from yesterday's dish, or from both."""

    kind: Literal["menu"]
    classifies: ClassVar[bool] = True
    version: Literal["weather", "cycle", "both"]
    days: Annotated[Count, Field(ge=2)]
    train: Count  # sequences
    validation: Count
    test: Count
    seed: Seed


class TweetsTutorial(Model):
    """Tweets in the way of one tutorial."""

    kind: Literal["tweets_tutorial"]
    classifies: ClassVar[bool] = True
    version: Literal["coded", "embedded", "cleaned"]  # as it runs; embedding restored; stop words and lemmas too
    tweets: Annotated[Count, Field(ge=20)]  # so many, drawn at random, or all there are
    test: Fraction
    words: Annotated[Count, Field(ge=10)]  # the most frequent ones
    tokens: Count  # cut off before (!) these many last ones, padded after
    seed: Seed


class Vectors(Tweets):
    """Tweets as the study prepares them, with GloVe's vectors or random ones to begin with."""

    kind: Literal["vectors"]
    table: Literal["glove", "random"]
    inputs: Annotated[Count, Field(ge=2)] | None  # width of random vectors, drawn as a map; null: that of GloVe's

    @model_validator(mode="after")
    def _own_width(self) -> "Vectors":
        if self.table == "glove" and self.inputs is not None:
            raise ValueError(f"inputs {self.inputs} with table glove: expected null, its vectors have their own width")
        return self


Kind = Annotated[
    Digits | Spelled | Series | Frames | Numbers | Language | Menu | TweetsTutorial | Vectors,
    Field(discriminator="kind"),
]


class ShapeTraining(Training):
    learning_rate: Rate
    clip: Positive | None
    last: bool  # keep the weights of the last epoch, as the tutorials do, not of the one that validates best


class Shape(Grid[Kind]):
    """One system: data, a network, its training."""

    dense = "anywhere"
    training: ShapeTraining
    tuning: TaskTuning | None  # null: every cell has the settings of `training`, but for what a variant says itself
    seeds: dict[
        Literal["pytorch", "tensorflow"], Annotated[tuple[Seed, ...], Field(strict=False)]
    ]  # of each framework that is to train it

    @property
    def answers(self) -> Answers:
        if self.prepare.kind in ("spelled", "numbers"):
            return "written"
        every = self.prepare.kind in ("frames", "language", "menu")
        return "every step" if every or (isinstance(self.prepare, Series) and self.prepare.shifted) else "one"

    @model_validator(mode="after")
    def _seeds_once(self) -> "Shape":
        if not self.seeds:
            raise ValueError("seeds: expected some for pytorch, tensorflow or both")
        for framework, seeds in self.seeds.items():
            if not seeds or len(set(seeds)) < len(seeds):
                raise ValueError(f"seeds.{framework} {list(seeds)}: expected one or more, each once")
        return self
