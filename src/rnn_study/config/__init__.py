"""params.yaml as frozen, strict models: every key is explained in `study.py`, `data.py`, `tasks.py`, `grid.py`,
`variants.py`, `frontier.py`, `shapes.py` or `questions.py`.

A key that is unknown, missing or out of range is one clear line.
"""

from pathlib import Path

from pydantic import ValidationError

from rnn_study.support.errors import StudyError

from . import memory
from .base import SHORTEST, Interval
from .data import FOLDER as OWN_FOLDER
from .data import Data, Own, OwnImages, OwnSeries, OwnTexts, OwnVectors
from .frontier import FrontierParams
from .grid import Grid
from .questions import Arrives, Question, Reach, Score, Speed
from .reading import read_yaml, told
from .shapes import Digits, Frames, Kind, Language, Menu, Numbers, Series, Shape, Spelled, TweetsTutorial, Vectors
from .study import Config
from .tasks import Adding, Agreement, Airline, MnistRows, ProblemParams, Problems, TaskParams, Tasks, Tweets
from .variants import Ablation, Variant

__all__ = [
    "OWN_FOLDER",
    "SHORTEST",
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
    "Own",
    "OwnImages",
    "OwnSeries",
    "OwnTexts",
    "OwnVectors",
    "ProblemParams",
    "Problems",
    "Question",
    "Reach",
    "Score",
    "Series",
    "Shape",
    "Speed",
    "Spelled",
    "TaskParams",
    "Tasks",
    "Tweets",
    "TweetsTutorial",
    "Variant",
    "Vectors",
    "faults",
    "load",
    "read_yaml",
]

PARAMS = Path("params.yaml")


def _read(path: Path) -> tuple[Config | None, list[str]]:
    """The parameters in `path` where they can be, and all faults, a line each."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        return None, [f"{path}: expected a mapping at the top, got {type(value).__name__}"]
    try:
        found = Config.model_validate(value)
    except ValidationError as error:
        return None, [f"{path}{line}" for line in told(value, error.errors())]
    return found, [f"{path}: {fault}" for fault in memory.faults(found)]


def faults(path: Path = PARAMS) -> list[str]:
    """Everything that is wrong with the parameters in `path`, a line each.

    What is wrong within a section comes first, then what one section says of another, then what all of it asks of this
    machine's memory; last the reader's own files that are not there.
    """
    try:
        found, wrong = _read(path)
        return wrong or [f"{path}: {fault}" for fault in found.data.missing()]
    except StudyError as error:
        return [str(error)]


def load(path: Path = PARAMS) -> Config:
    """The validated parameters of the study in `path`; a StudyError with the first fault."""
    found, wrong = _read(path)
    if wrong:
        more = f" ({len(wrong) - 1} more: rnn-study check)" if len(wrong) > 1 else ""
        raise StudyError(wrong[0] + more)
    return found
