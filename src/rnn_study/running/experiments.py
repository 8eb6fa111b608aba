"""From the configuration to lists of runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from rnn_study.config import Ablation, Config, FrontierParams, Grid, ProblemParams, Shape, read_yaml
from rnn_study.data.prepared import prepared_file
from rnn_study.data.problems.catalogue import PROBLEMS
from rnn_study.model.backend import BACKENDS
from rnn_study.model.cell_check import require_steps
from rnn_study.model.defaults import DEFAULTS, OPTIMISERS
from rnn_study.model.init import Init
from rnn_study.model.network import Embedding, Network, default_impl, resized, units_for
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Data, Generated, Pixels, Task
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

from .run.spec import RunSpec

TUNED, SHAPES = Path("tuned"), Path("data/shapes")
TUNES = BACKENDS[0]  # one framework tunes for both: they compute the same updates

Settings = dict[str, float]  # learning_rate, clip, dropout


def network(params: Grid, task: Task, name: str, dropout: float) -> Network:
    """The network of variant `name` in `task`: its own width if it names one, else equal units, else an equal
    budget."""
    shape, variant = params.network, params.variants[name]
    embedding = None
    if task.embedding is not None:
        embedding = Embedding(len(task.embedding), shape.finetune)
    steps = task.train.x.shape[1]
    more = {"embedding": embedding, "dropout": dropout, "carried": task.continues}
    more |= {"norm_steps": steps if variant.norm == "batch" else 0, "steps": steps if variant.dense else 0}
    answers = "written" if task.writes else "one" if task.scored is None else "every step"
    found = variant.network(task.inputs, variant.cells(name, shape.depth), task.outputs, answers, **more)
    require_steps(found)
    return resized(found, variant.units or shape.units or units_for(shape.parameters, found))


def _run(
    params: Grid, task: Task, name: str, data: Data, settings: Settings, backend: str, seed: int, **more: Any
) -> RunSpec:
    """One run; what params.yaml says of variant `name` wins over `settings`."""
    variant = params.variants[name]
    settings, defaults = settings | variant.fixed, DEFAULTS[variant.defaults]
    return RunSpec(
        task=task.name,
        variant=name,
        data=data,
        backend=backend,
        impl=implementation(params, task, name),
        network=network(params, task, name, settings["dropout"]),
        init=initialisation(params, name),
        optimiser=Optimiser(
            settings["learning_rate"],
            settings["clip"] if math.isfinite(settings["clip"]) else None,
            OPTIMISERS[variant.optimiser](defaults),
            defaults.clip_margin,
            "value" if variant.clip_by == "value" else "norm",
        ),
        batch_size=params.training.batch_size,
        examples=None,
        tests=True,
        seed=seed,
        **more,
    )


def data_file(config: Config, name: str) -> Path:
    """What the pipeline prepared for a task, a problem or a system of shapes."""
    return SHAPES / f"{name}.npz" if name in config.shapes else prepared_file(name)


def spec(config: Config, task: Task, name: str, backend: str, settings: Settings, seed: int) -> RunSpec:
    """One run of a task, of a prepared problem or of a system of shapes."""
    params = config.task(task.name)
    shape = isinstance(params, Shape)
    looked_at = name in params.cells and backend == config.gradients.framework and not shape
    return _run(
        params,
        task,
        name,
        data_file(config, task.name).as_posix(),
        settings,
        backend,
        seed,
        device=config.device,
        epochs=params.training.epochs,
        patience=params.training.patience,
        goal=params.training.goal if isinstance(params, ProblemParams) else None,
        last=shape and params.training.last,
        checkpoints=tuple(config.gradients.checkpoints) if looked_at else (),
    )


def initialisation(params: Grid, name: str) -> Init:
    """How the weights of variant `name` start."""
    variant = params.variants[name]
    own = variant.model_dump(exclude_none=True, include={"kernel", "recurrent", "forget_bias", "gain"})
    return replace(DEFAULTS[variant.defaults].init, **own)


def implementation(params: Grid, task: Task, name: str) -> str:
    """What params.yaml asks for, else the frameworks' own layers where they can do what the variant asks."""
    return params.variants[name].impl or default_impl(network(params, task, name, 0.0))


def grid(config: Config, task: Task, backend: str) -> list[RunSpec]:
    """Every cell of `task` with every seed in `backend`, at the settings of tuned/<task>.yaml: each search's go to as
    many seeds, one seed to each search in turn."""
    tuned = read_tuned(config, task.name)
    return [
        spec(config, task, cell, backend, tuned[cell][place % len(tuned[cell])], seed)
        for cell in config.task(task.name).cells
        for place, seed in enumerate(config.seeds)
    ]


def controls(config: Config, task: Task) -> list[RunSpec]:
    """The cells of `task` without credit through time, in the framework whose runs are diagnosed; a seed has the
    settings that its cell has in `grid`."""
    params, tuned = config.task(task.name), read_tuned(config, task.name)
    return [
        spec(config, task, name, config.gradients.framework, tuned[one.of[0]][place % len(tuned[one.of[0]])], seed)
        for name, one in params.controlled.items()
        for place, seed in enumerate(config.seeds[: params.controls.seeds])
    ]


def seeds(config: Config, task: str, name: str) -> tuple[int, ...]:
    """The seeds that variant `name` runs with."""
    params = config.task(task)
    if not isinstance(params, ProblemParams):
        return config.seeds
    count, variant = None, params.variants[name]
    if name in params.mapped:
        count = params.map.seeds
    elif isinstance(variant, Ablation):
        count = variant.seeds
    return params.seeds[:count]


def problem(config: Config, task: Task, norms: dict[str, float] | None = None) -> list[RunSpec]:
    """The runs of a generated problem: those of its cells, or, given the mean gradient norm of each of these, those of
    its ablations and its map."""
    params, found = config.task(task.name), []
    training = params.training
    for name, variant in (params.cells if norms is None else params.ablated | params.mapped).items():
        clip = math.inf if training.clip is None else training.clip
        if isinstance(variant, Ablation) and variant.clip_times:
            if variant.of[0] not in norms:
                raise StudyError(
                    f"params.yaml: problems.{task.name}.ablations: {name}: clip_times {variant.clip_times}, "
                    f"but no gradient of {variant.of[0]} was finite: expected clip"
                )
            clip = variant.clip_times * norms[variant.of[0]]
        settings = fixed(training) | {"clip": clip}
        framework = config.gradients.framework
        runs = seeds(config, task.name, name)
        found += [spec(config, task, name, framework, settings, seed) for seed in runs]
    return found


def frontier_data(params: FrontierParams, name: str, steps: int, mixed: bool = False) -> Data:
    """The data of a frontier's problem at `steps` steps; with `mixed` lengths up to these, tested at further ones.

    A StudyError where the problem has no sequences as short.
    """
    if params.prepare.images:
        source = prepared_file(params.prepare.images).as_posix()
        return Pixels(source, math.isqrt(steps), params.prepare.permutation)
    if steps < (shortest := PROBLEMS[name].shortest):
        raise StudyError(f"params.yaml: frontier.{name}: got {steps} steps: expected at least {shortest}")
    of, training = params.prepare, params.training
    tests = tuple(steps * factor for factor in params.generalise.factors) if mixed else ()
    return Generated(name, steps, mixed, training.check * training.batch_size, of.validation, of.test, tests, of.seed)


def epochs(params: FrontierParams, task: Task) -> tuple[int, int]:
    """Of a frontier's runs on `task`: how many epochs the budget of updates gives, and the updates of one."""
    training = params.training
    each = training.check if task.fresh else max(1, len(task.train.y) // training.batch_size)
    return max(1, training.updates // each), each


def frontier(
    config: Config, params: FrontierParams, task: Task, data: Data, axis: str, name: str, seeds: Sequence[int]
) -> list[RunSpec]:
    """The runs of variant `name` on `task`, made from `data`: with an equal budget of weights (`axis` budget), or as
    many units in every cell (`width`)."""
    training = params.training
    if axis == "width":
        wide = params.network.model_copy(update={"parameters": None, "units": params.width})
        params = params.model_copy(update={"network": wide})
    count, _ = epochs(params, task)
    settings = fixed(training)
    return [
        _run(
            params,
            task,
            name,
            data,
            settings,
            params.framework,
            seed,
            device=config.device,
            epochs=count,
            patience=count,
            goal=training.goal,
            beyond=task.fresh is None,
        )
        for seed in seeds
    ]


def fixed(training: Any) -> Settings:
    """The settings of what is not tuned, of a `training` that names a learning rate and a clip."""
    clip = math.inf if training.clip is None else training.clip
    return {"learning_rate": training.learning_rate, "clip": clip, "dropout": 0.0}


def shape(config: Config, task: Task, backend: str) -> list[RunSpec]:
    """The runs in `backend` of the system `task` of params.yaml's shapes, at its own settings or at tuned ones."""
    params, found = config.shapes[task.name], []
    tuned = read_tuned(config, task.name) if params.tuning else {}
    for cell in params.cells:
        settings = tuned.get(cell, [fixed(params.training)])
        for place, seed in enumerate(params.seeds.get(backend, ())):
            found.append(spec(config, task, cell, backend, settings[place % len(settings)], seed))
    return found


def write_tuned(task: str, settings: dict[str, list[dict]]) -> None:
    """Write tuned/<task>.yaml: for each cell and search its settings and the validation score they reached."""
    with atomic(TUNED / f"{task}.yaml") as file:
        file.write(b"# Found by the tune stage on the validation part; the train stage reads it.\n")
        YAML(typ="safe", pure=True).dump(settings, file)


class _Tuned(BaseModel):
    """What `write_tuned` wrote of one search."""

    model_config = ConfigDict(strict=True, extra="ignore")
    settings: dict[Literal["learning_rate", "clip", "dropout"], float]


_SEARCHES = TypeAdapter(list[_Tuned])


def read_tuned(config: Config, task: str) -> dict[str, list[Settings]]:
    """The settings that each search found for each cell of `task`."""
    searches, path = config.tuning.searches, TUNED / f"{task}.yaml"
    value = read_yaml(path)
    found = {}
    for cell in config.task(task).cells:
        try:
            found[cell] = [one.settings for one in _SEARCHES.validate_python(value[cell])]
        except (KeyError, TypeError, ValidationError):
            raise StudyError(f"{path}: {cell}: expected its tuned settings; run: dvc repro tune") from None
        if len(found[cell]) != searches:
            raise StudyError(
                f"{path}: {cell}: got {len(found[cell])} searches: expected {searches}; run: dvc repro tune"
            )
        for settings in found[cell]:
            if missing := {"learning_rate", "clip", "dropout"} - settings.keys():
                raise StudyError(f"{path}: {cell}.settings: expected {', '.join(sorted(missing))} as well")
    return found
