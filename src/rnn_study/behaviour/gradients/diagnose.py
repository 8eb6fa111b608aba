"""Tasks' networks, at the start, on their way and trained, each to its profile."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from rnn_study import config
from rnn_study.behaviour.diagnostics.profile import profile, subject
from rnn_study.behaviour.diagnostics.profiles import INITIAL, TRAINED
from rnn_study.config import Config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.model.init import Init, draw
from rnn_study.model.network import Network
from rnn_study.model.reference import Tree
from rnn_study.model.task import Task
from rnn_study.running import experiments
from rnn_study.running.execution.workers import spread
from rnn_study.running.run import kept, results
from rnn_study.running.run.spec import stream
from rnn_study.running.settings import chosen


def looked_at(parameters: Config, of: str) -> list[str]:
    """The variants of a task that are diagnosed: its cells and their ablations, but for networks that read both ways
    or have dense layers."""
    params = parameters.task(of)
    return [name for name, one in (params.cells | params.ablated).items() if not (one.bidirectional or one.dense)]


_Job = tuple[str, str, int]  # task, variant and seed
_load = lru_cache(maxsize=1)(lambda name: load_task(prepared_file(name)))


def _stages(task: Task, name: str, network: Network, init: Init, seed: int) -> Iterator[tuple[str, Tree]]:
    yield INITIAL, draw(network, stream(seed, "weights"), task.embedding, init)
    folder = results.run_folder(Path("runs"), task.name, _config.gradients.framework, name, seed)
    for epoch, tree in results.read_checkpoints(folder).items():
        yield f"epoch {epoch}", tree
    summary = results.read_summary(folder)
    if not summary["diverged"] or summary["best_epoch"]:  # else its weights are the initial ones
        yield TRAINED, results.read_weights(folder)


def _take() -> None:
    global _config
    _config = config.load()  # anew: pydantic's parametrised models cannot be pickled


def _work(job: _Job) -> list[tuple[str, str, int, str, Tree]]:
    """Of one task, variant and seed the profile of every stage, with the id it is kept under; of the cells themselves a
    whole one."""
    of, name, seed = job
    task, params = _load(of), _config.task(of)
    looked, own, found = subject(task, _config.gradients.examples), name in params.cells, []
    tuned = (chosen(_config, of, _config.seeds)(name, seed) if of in _config.tuned else {}) | {"dropout": 0.0}
    network, init = experiments.network(params, task, name, tuned), experiments.initialisation(params, name, tuned)
    for stage, tree in _stages(task, name, network, init, seed):
        if not all(np.isfinite(array).all() for array in tree.values()):
            continue  # a checkpoint of a run that diverged
        asked = network, tree, looked, own
        key = kept.key(profile, *asked, environment=kept.libraries("numpy", "scipy", "scikit-learn"))
        figures = kept.find(key) or kept.add(key, profile(*asked))
        found.append((name, stage, seed, key, figures))
    return found


def profiles(parameters: Config, tasks: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, str, int, str, Tree]]]]:
    """For every variant and seed of `tasks`, one task after the other and spread over processes: the task, and of each
    stage variant, stage, seed, the profile's id in the store, and the profile."""
    jobs = [
        (of, name, seed)
        for of in tasks
        for name in looked_at(parameters, of)
        for seed in experiments.seeds(parameters, of, name)
    ]
    for (of, *_), found in zip(jobs, spread(_work, jobs, _take), strict=True):
        yield of, found
