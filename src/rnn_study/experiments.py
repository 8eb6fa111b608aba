"""From the configuration to lists of runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML

from .backends import NATIVE, default_impl
from .config import Config, read_yaml
from .errors import StudyError
from .files import atomic
from .network import Embedding, Layer, Network, units_for
from .optimisers import Optimiser
from .task import Task, prepared_file
from .train import RunSpec

TUNED = Path("tuned")

Settings = dict[str, float]  # learning_rate, clip, dropout


def network(config: Config, task: Task, cell: str, dropout: float) -> Network:
    """The network of `cell` in `task`: its own width if it names one, else equal units, else an equal budget."""
    params = config.task(task.name)
    shape = params.network
    units = params.cells[cell].units or shape.units
    if units is None:
        units = units_for(shape.parameters, cell, inputs=task.inputs, depth=shape.depth, outputs=task.outputs)
    embedding = None
    if task.embedding is not None:
        embedding = Embedding(len(task.embedding), shape.finetune)
    return Network(task.inputs, (Layer(cell, units),) * shape.depth, task.outputs, embedding, dropout)


def spec(config: Config, task: Task, cell: str, backend: str, settings: Settings, seed: int) -> RunSpec:
    """One run of the study; what params.yaml says of the cell wins over `settings`."""
    params = config.task(task.name)
    own = params.cells[cell].model_dump(exclude_none=True, include={"learning_rate", "clip", "dropout"})
    settings = settings | own
    return RunSpec(
        task=task.name,
        data=prepared_file(task.name).as_posix(),
        backend=backend,
        impl=implementation(config, task.name, cell),
        device=config.device,
        network=network(config, task, cell, settings["dropout"]),
        optimiser=Optimiser(settings["learning_rate"], settings["clip"]),
        batch_size=params.training.batch_size,
        epochs=params.training.epochs,
        patience=params.training.patience,
        examples=None,
        tests=True,
        seed=seed,
    )


def implementation(config: Config, task: str, cell: str) -> str:
    """What params.yaml asks for, else the frameworks' own layer where they have one."""
    asked = config.task(task).cells[cell].impl
    if asked == "native" and cell not in NATIVE:
        raise StudyError(
            f"params.yaml: tasks.{task}.cells.{cell}.impl: got 'native', but no framework has such a layer: "
            "expected equations"
        )
    return asked or default_impl(cell)


def grid(config: Config, task: Task, backend: str, tuned: dict[str, Settings]) -> list[RunSpec]:
    """Every cell of `task` with every seed in `backend`, at the tuned settings."""
    cells = config.task(task.name).cells
    return [spec(config, task, cell, backend, tuned[cell], seed) for cell in cells for seed in config.seeds]


def write_tuned(task: str, settings: dict[str, dict]) -> None:
    """Write tuned/<task>.yaml: for each cell its settings and the validation score they reached."""
    with atomic(TUNED / f"{task}.yaml") as file:
        file.write(b"# Found by the tune stage on the validation part; the train stage reads it.\n")
        YAML(typ="safe", pure=True).dump(settings, file)


class _Tuned(BaseModel):
    """What `write_tuned` wrote of one cell."""

    model_config = ConfigDict(strict=True, extra="ignore")
    settings: dict[Literal["learning_rate", "clip", "dropout"], float]


def read_tuned(task: str, cells: Sequence[str]) -> dict[str, Settings]:
    """The settings that tuning found for each of `cells`."""
    path = TUNED / f"{task}.yaml"
    value = read_yaml(path)
    found = {}
    for cell in cells:
        try:
            found[cell] = _Tuned.model_validate(value[cell]).settings
        except (KeyError, TypeError, ValidationError):
            raise StudyError(f"{path}: {cell}: expected its tuned settings; run: dvc repro tune@{task}") from None
        if missing := {"learning_rate", "clip", "dropout"} - found[cell].keys():
            raise StudyError(f"{path}: {cell}.settings: expected {', '.join(sorted(missing))} as well")
    return found
