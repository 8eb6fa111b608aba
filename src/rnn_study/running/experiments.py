"""From the configuration to lists of runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnn_study.config import Ablation, Config, FrontierParams, Grid, ProblemParams, Shape
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

from .run.spec import RunSpec
from .settings import Settings, chosen

SHAPES = Path("data/shapes")
TUNES = BACKENDS[0]  # one framework tunes for both: they compute the same updates


def network(params: Grid, task: Task, name: str, settings: Settings | None = None) -> Network:
    """The network of variant `name` in `task` at these settings: its own width if it names one, else equal units, else
    an equal budget."""
    shape, variant, settings = params.network, params.variants[name], settings or {}
    embedding = None
    if task.embedding is not None:
        embedding = Embedding(len(task.embedding), shape.finetune)
    steps = task.train.x.shape[1]
    more = {"embedding": embedding, "dropout": settings.get("dropout", 0.0), "carried": task.continues}
    more |= {"norm_steps": steps if variant.norm == "batch" else 0, "steps": steps if variant.dense else 0}
    answers = "written" if task.writes else "one" if task.scored is None else "every step"
    cells = variant.cells(name, settings.get("depth", shape.depth))
    found = variant.network(task.inputs, cells, task.outputs, answers, **more)
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
        network=network(params, task, name, settings),
        init=initialisation(params, name, settings),
        optimiser=Optimiser(
            settings["learning_rate"],
            settings["clip"] if math.isfinite(settings["clip"]) else None,
            OPTIMISERS[variant.optimiser](defaults),
            defaults.clip_margin,
            "value" if variant.clip_by == "value" else "norm",
        ),
        batch_size=settings.get("batch_size", params.training.batch_size),
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


def initialisation(params: Grid, name: str, settings: Settings | None = None) -> Init:
    """How the weights of variant `name` start at these settings."""
    variant = params.variants[name]
    own = {key: value for key, value in (settings or {}).items() if key == "forget_bias"}
    own |= variant.model_dump(exclude_none=True, include={"kernel", "recurrent", "forget_bias", "gain"})
    return replace(DEFAULTS[variant.defaults].init, **own)


def implementation(params: Grid, task: Task, name: str) -> str:
    """What params.yaml asks for, else the frameworks' own layers where they can do what the variant asks."""
    return params.variants[name].impl or default_impl(network(params, task, name))


def grid(config: Config, task: Task, backend: str) -> list[RunSpec]:
    """Every cell of `task` with every seed in `backend`, at the settings of tuned/<task>.yaml: each search's go to as
    many seeds, one seed to each search in turn."""
    settings = chosen(config, task.name, config.seeds)
    cells = config.task(task.name).cells
    return [spec(config, task, cell, backend, settings(cell, seed), seed) for cell in cells for seed in config.seeds]


def controls(config: Config, task: Task) -> list[RunSpec]:
    """The cells of `task` without credit through time, in the framework whose runs are diagnosed; a seed has the
    settings that its cell has in `grid`."""
    params, settings = config.task(task.name), chosen(config, task.name, config.seeds)
    return [
        spec(config, task, name, config.gradients.framework, settings(one.of[0], seed), seed)
        for name, one in params.controlled.items()
        for seed in config.seeds[: params.controls.seeds]
    ]


def untuned(config: Config, task: Task) -> list[RunSpec]:
    """The cells of `task` as they are where nobody tunes, in the framework that tunes."""
    given, cells = config.tuning.untuned, config.task(task.name).cells
    settings, seeds = fixed(given) | {"dropout": given.dropout}, config.seeds[: given.seeds]
    return [
        replace(spec(config, task, cell, TUNES, settings, seed), checkpoints=()) for cell in cells for seed in seeds
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
    params, seeds = config.shapes[task.name], config.shapes[task.name].seeds.get(backend, ())
    tuned = chosen(config, task.name, seeds) if params.tuning else None
    return [
        spec(config, task, cell, backend, tuned(cell, seed) if tuned else fixed(params.training), seed)
        for cell in params.cells
        for seed in seeds
    ]
