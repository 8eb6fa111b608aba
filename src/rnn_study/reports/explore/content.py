"""What the page holds of a study: weights at every moment of training, training curves, words."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.diagnostics.linear import error_flow, unroll
from rnn_study.behaviour.diagnostics.profile import log10, longest_sequences, read
from rnn_study.behaviour.diagnostics.spectra import by_lag
from rnn_study.data.prepared import unpack_texts
from rnn_study.data.problems.agreement import OWNERS, SUBJECTS, THINGS, VERBS
from rnn_study.data.tasks.agreement import COUNTRIES
from rnn_study.model.cells import CELLS
from rnn_study.model.init import draw
from rnn_study.model.network import Embedding, Layer, Network, shapes
from rnn_study.model.reference import Tree, forward
from rnn_study.model.task import Batch, Task
from rnn_study.reports.elements.wording import label
from rnn_study.reports.study import Study
from rnn_study.running.run import results
from rnn_study.running.run.spec import stream
from rnn_study.support.files import read_json

PROBLEMS = ("adding", "agreement")
KNOWN = ("vanilla", "lstm", "gru", "ugrnn")  # the cells of network.js
SEEDS = 3
_COMPARED = 4  # sequences by which a network is known
_CHUNK = 128  # sequences at a time: products that small are several times as fast
_LARGEST = 1e6  # a score beyond it is that of a network that diverged


@dataclass(frozen=True)
class Entry:
    """One run as the page shows it. curve: (epoch, validation score), epoch 0 before training, None where it is no
    number. moments: of each name (`initial`, `epoch 3`, `trained`) the epoch, and the canonical weight tree then."""

    seed: int
    curve: list[tuple[int, float | None]]
    moments: dict[str, tuple[int, Tree]]


def plain(task: Task, cell: str, units: int) -> Network:
    """The network of one layer of `cell` that learns `task`: what the page computes."""
    embedding = None if task.embedding is None else Embedding(len(task.embedding), trainable=True)
    return Network(task.inputs, (Layer(cell, units),), task.outputs, embedding)


def packed(tree: Tree) -> str:
    """All arrays of a weight tree one after the other, little-endian float32, in base64."""
    numbers = np.concatenate([array.ravel() for array in tree.values()]).astype("<f4")
    return base64.b64encode(numbers.tobytes()).decode()


def entry(network: Network, entries: list[Entry]) -> dict[str, Any]:
    """A cell's place in the page: its networks, all of the shapes of `network`, one layer."""
    name, tree = network.layers[0].cell, shapes(network)
    return {
        "name": name,
        "label": CELLS[name].label,
        "gates": len(CELLS[name].gates),
        "units": network.layers[0].units,
        "shapes": [[array.removeprefix("layers.0."), list(shape)] for array, shape in tree.items()],
        "seeds": [
            {
                "seed": one.seed,
                "curve": one.curve,
                "moments": [
                    {"name": moment, "epoch": epoch, "weights": packed({array: found[array] for array in tree})}
                    for moment, (epoch, found) in one.moments.items()
                ],
            }
            for one in entries
        ],
    }


def _flow(network: Network, tree: Tree, few: Batch, loss: str) -> np.ndarray:
    """log10 of the norm of dL/dz by distance from the loss, (N, L), as `diagnostics.profile` has it."""
    layers = unroll(network, tree, read(tree, few.x), few.mask)
    (flow,) = error_flow(tree, layers, few.y, loss)
    norm = np.sqrt(sum((array**2).sum(axis=-1) for array in flow.states))
    return by_lag(log10(norm), layers[0].last)


def _folder(study: Study, task: Task, network: Network, seed: int) -> Path:
    framework, cell = study.gradients["framework"], network.layers[0].cell
    return results.run_folder(study.root / "runs", task.name, framework, cell, seed)


def _trees(folder: Path, task: Task, network: Network, seed: int) -> Iterator[tuple[str, int, Tree]]:
    """The moments of one run: name, epoch and weights."""
    yield profiles.INITIAL, 0, draw(network, stream(seed, "weights"), task.embedding)
    for epoch, tree in results.read_checkpoints(folder).items():
        yield f"epoch {epoch}", epoch, tree
    yield profiles.TRAINED, results.read_summary(folder)["best_epoch"], results.read_weights(folder)


def moments(study: Study, task: Task, network: Network, seed: int) -> dict[str, tuple[int, Tree]]:
    """Those moments at which the plain network is the one that the study looked at: a variant may have options that
    its weights do not show, and the page would compute another network."""
    looked, found = study.profiles(task.name)[network.layers[0].cell], {}
    examples = next(iter(looked.values()))["flow"].shape[1]
    few = longest_sequences(task.validation, examples).rows(slice(_COMPARED))
    for moment, epoch, tree in _trees(_folder(study, task, network, seed), task, network, seed):
        if seed not in looked.get(moment, {}).get("seeds", ()) or tree.keys() != shapes(network).keys():
            continue
        flow = looked[moment]["flow"][list(looked[moment]["seeds"]).index(seed)]
        own = _flow(network, tree, few, task.loss)
        if np.allclose(own, flow[: len(own)], rtol=0, atol=0.01, equal_nan=True):
            found[moment] = (epoch, tree)
    return found


def _score(value: float) -> float | None:
    return float(value) if abs(value) < _LARGEST else None


def _untrained(task: Task, network: Network, tree: Tree) -> float:
    """The validation score before training, which no run writes down."""
    part = task.validation
    chunks = [part.rows(slice(start, start + _CHUNK)) for start in range(0, len(part.y), _CHUNK)]
    return task.score(np.concatenate([forward(network, tree, chunk) for chunk in chunks]), "validation")


def _run(study: Study, task: Task, network: Network, seed: int) -> Entry | None:
    """None where no moment of the run can be shown."""
    found = moments(study, task, network, seed)
    if not found:
        return None
    rows = results.read_history(_folder(study, task, network, seed))
    curve = [(int(row["epoch"]), _score(row["validation_score"])) for row in rows]
    if profiles.INITIAL in found:
        curve.insert(0, (0, _score(_untrained(task, network, found[profiles.INITIAL][1]))))
    return Entry(seed, curve, found)


def _cells(study: Study, task: Task) -> Iterator[dict[str, Any]]:
    table = study.ablation(task.name)["cells"]
    for cell in study.cells(task.name):
        if cell not in KNOWN or len(table[cell]["units"]) != 1:
            continue
        network = plain(task, cell, table[cell]["units"][0])
        runs = [_run(study, task, network, seed) for seed in table[cell]["seeds"][:SEEDS]]
        if any(runs):
            yield entry(network, [run for run in runs if run])


def _language(task: Task) -> dict[str, Any]:
    """What the page must know of the sentences: words by id, answers, the word that each answer hangs on, the words
    of a clause, and a few sentences."""
    words = unpack_texts(task.extras["words"], task.extras["words_offsets"])
    part = task.tests[profiles.SENTENCES]
    return {
        "words": words,
        "classes": [str(answer) for answer in task.extras["classes"]],
        "cues": {noun: answer for answer, nouns in SUBJECTS.items() for noun in nouns}
        | {country: answer for answer, country in COUNTRIES.items()},
        "twins": dict(zip(*SUBJECTS.values(), strict=True)),
        "clause": [list(VERBS), list(OWNERS), list(THINGS)],
        "sentences": [" ".join(words[word] for word in x[mask]) for x, mask in zip(part.x, part.mask, strict=True)],
    }


def _problem(study: Study, name: str) -> dict[str, Any]:
    task, table = study.prepared(name), study.ablation(name)
    (chance,) = read_json(study.root / "metrics" / "data" / f"{name}.json")["details"]["chance"].values()
    found = {
        "name": name,
        "label": label(name),
        "loss": task.loss,
        "score": task.score_name,
        "goal": table["goal"],
        "chance": chance,
        "steps": task.train.x.shape[1],
        "source": study.source(name),
        "cells": list(_cells(study, task)),
    }
    return found | (_language(task) if task.embedding is not None else {})


def export(study: Study) -> dict[str, Any]:
    """The page's data: its problems, of each the cells that it can compute, with the first seeds of each."""
    problems = [_problem(study, name) for name in PROBLEMS]
    return {"study": study.summary["study"], "problems": [one for one in problems if one["cells"]]}
