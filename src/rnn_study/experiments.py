"""From the configuration to lists of runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML

from .config import Config, read_yaml
from .errors import StudyError
from .files import atomic
from .habits import HABITS, OPTIMISERS
from .network import Embedding, Layer, Network, default_impl, units_for
from .optimisers import Optimiser
from .task import Task, prepared_file
from .train import RunSpec

TUNED = Path("tuned")

Settings = dict[str, float]  # learning_rate, clip, dropout


def network(config: Config, task: Task, name: str, dropout: float) -> Network:
    """The network of variant `name` in `task`: its own width if it names one, else equal units, else an equal
    budget."""
    params = config.task(task.name)
    shape, variant = params.network, params.cells[name]
    embedding = None
    if task.embedding is not None:
        embedding = Embedding(len(task.embedding), shape.finetune)
    layers = tuple(Layer(cell, 1) for cell in variant.cells(name, shape.depth))
    steps = task.train.x.shape[1] if variant.norm == "batch" else 0
    found = variant.network(task.inputs, layers, task.outputs, embedding=embedding, dropout=dropout, norm_steps=steps)
    units = variant.units or shape.units or units_for(shape.parameters, found)
    return replace(found, layers=tuple(Layer(layer.cell, units) for layer in layers))


def spec(config: Config, task: Task, name: str, backend: str, settings: Settings, seed: int) -> RunSpec:
    """One run of the study; what params.yaml says of variant `name` wins over `settings`."""
    params = config.task(task.name)
    variant = params.cells[name]
    settings, habits = settings | variant.fixed, HABITS[variant.habits]
    init = variant.model_dump(exclude_none=True, include={"kernel", "recurrent", "forget_bias"})
    return RunSpec(
        task=task.name,
        variant=name,
        data=prepared_file(task.name).as_posix(),
        backend=backend,
        impl=implementation(config, task, name),
        device=config.device,
        network=network(config, task, name, settings["dropout"]),
        init=replace(habits.init, **init),
        optimiser=Optimiser(
            settings["learning_rate"],
            settings["clip"] if math.isfinite(settings["clip"]) else None,
            OPTIMISERS[variant.optimiser](habits),
            habits.clip_margin,
            "value" if variant.clip_by == "value" else "norm",
        ),
        batch_size=params.training.batch_size,
        epochs=params.training.epochs,
        patience=params.training.patience,
        examples=None,
        tests=True,
        seed=seed,
    )


def implementation(config: Config, task: Task, name: str) -> str:
    """What params.yaml asks for, else the frameworks' own layers where they can do what the variant asks."""
    return config.task(task.name).cells[name].impl or default_impl(network(config, task, name, 0.0))


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
