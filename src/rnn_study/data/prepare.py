"""From raw data and params.yaml to the files that networks learn from."""

from dataclasses import replace
from pathlib import Path

from rnn_study.config import SHORTEST, Config
from rnn_study.model.task import Task
from rnn_study.support.errors import StudyError
from rnn_study.support.files import write_json

from . import baselines, baselines_file
from .data_card import card
from .prepared import prepared_file, save_task
from .shapes import KINDS, origins
from .tasks import TASKS

RAW, SHAPES, METRICS = Path("data/raw"), Path("data/shapes"), Path("metrics")


def _refuse(task: Task) -> None:
    """A StudyError where a part is too small for an interval over its examples."""
    least = SHORTEST if task.ordered else 2
    for part, batch in task.parts().items():
        if part != "train" and len(batch.y) < least:
            raise StudyError(
                f"{task.name}: {part} part: {len(batch.y)} in it: expected {least} at least, for an interval over "
                "them: more data, or a larger part under its `prepare` in params.yaml"
            )


def one(parameters: Config, name: str) -> None:
    """A task, or a problem of one length, its card, and for a task what a result must beat; a generated problem's card
    says what chance reaches."""
    params = parameters.task(name)  # before TASKS: it says which names there are
    prepared, details = TASKS[name].prepare(RAW, params.prepare)
    _refuse(prepared)
    save_task(prepared, prepared_file(name))
    write_json(METRICS / "data" / f"{name}.json", card(prepared, details, TASKS[name].SOURCES, RAW))
    if name in type(parameters.tasks).model_fields:
        found = baselines.marks(prepared)
        baselines_file.write(name, found)
        write_json(METRICS / "baselines" / f"{name}.json", baselines.scores(prepared, found))


def shapes(parameters: Config) -> None:
    """What every system of params.yaml's shapes learns from, and their cards."""
    cards = {}
    for name, shape in parameters.shapes.items():
        task, details = KINDS[shape.prepare.kind].prepare(RAW, shape.prepare)
        task = replace(task, name=name)
        _refuse(task)
        save_task(task, SHAPES / f"{name}.npz")
        cards[name] = card(task, details, origins(shape.prepare), RAW)
    write_json(METRICS / "shapes" / "data.json", cards)
