"""What tuning chose: the settings of each cell and search, and the file they are kept in."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from rnn_study.config import Config, read_yaml
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

TUNED = Path("tuned")

Settings = dict[str, float]  # learning_rate, clip, dropout; where it is tuned, batch_size, depth, forget_bias


def write_tuned(task: str, settings: dict[str, list[dict]]) -> None:
    """Write tuned/<task>.yaml: for each cell and search its settings and the validation score they reached."""
    with atomic(TUNED / f"{task}.yaml") as file:
        file.write(b"# Found by the tune stage on the validation part; the train stage reads it.\n")
        YAML(typ="safe", pure=True).dump(settings, file)


class _Settings(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    learning_rate: float
    clip: float
    dropout: float
    batch_size: int | None = None
    depth: int | None = None
    forget_bias: float | None = None


class _Tuned(BaseModel):
    """What `write_tuned` wrote of one search."""

    model_config = ConfigDict(strict=True, extra="ignore")
    settings: _Settings


_SEARCHES = TypeAdapter(list[_Tuned])


def _fault(error: ValidationError) -> str:
    """What is wrong with a cell's settings."""
    places = [found["loc"] for found in error.errors() if found["type"] == "missing"]
    missing = sorted(key for _, *above, key in places if above)  # of one search: settings, and what is not in them
    return f".settings: expected {', '.join(missing)} as well" if missing else ": expected its tuned settings"


def read_tuned(config: Config, task: str) -> dict[str, list[Settings]]:
    """The settings that each search found for each cell of `task`."""
    searches, path = config.tuning.searches, TUNED / f"{task}.yaml"
    value = read_yaml(path)
    found = {}
    for cell in config.task(task).cells:
        try:
            tuned = _SEARCHES.validate_python(value[cell])
        except (KeyError, TypeError):
            raise StudyError(f"{path}: {cell}: expected its tuned settings; run: dvc repro tune") from None
        except ValidationError as error:
            raise StudyError(f"{path}: {cell}{_fault(error)}; run: dvc repro tune") from None
        found[cell] = [one.settings.model_dump(exclude_none=True) for one in tuned]
        if len(tuned) != searches:
            raise StudyError(f"{path}: {cell}: got {len(tuned)} searches: expected {searches}; run: dvc repro tune")
    return found


def chosen(config: Config, task: str, seeds: Sequence[int]) -> Callable[[str, int], Settings]:
    """The settings of a cell of `task` and one of `seeds`: each search's go to as many of these, one to each search in
    turn."""
    tuned, places = read_tuned(config, task), {seed: place for place, seed in enumerate(seeds)}
    return lambda cell, seed: tuned[cell][places[seed] % len(tuned[cell])]
