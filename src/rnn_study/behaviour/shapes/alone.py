"""Trained networks left alone: a series continued, a text written, a menu cooked, each fed what it said itself."""

from typing import Any

import numpy as np

from rnn_study.data.problems import menu as memory
from rnn_study.data.shapes import language, menu, series
from rnn_study.model import decoding, reference
from rnn_study.model.network import Network
from rnn_study.model.reference import Tree
from rnn_study.model.task import Batch
from rnn_study.running.run import results

from . import by_hand
from .trained import System

Row = dict[str, Any]
STEPS, COURSES = 100, 60
TEMPERATURES = (0.0, 0.5, 1.0)
_CHARACTERS = 160  # of a sample of text
_ORDERS = {"characters": 4, "words": 2}  # symbols before it that the n-gram model looks at


def continued(system: System, variant: str) -> Row:
    """The series continued by each seed for `STEPS` steps from the end of the training part, beside the truth, as far
    as it goes, and the last season repeated."""
    extras, task = system.task.extras, system.task
    values, season, window = extras["series"], int(extras["season"]), task.train.x.shape[1]
    cut = int(series.TRAIN * len(values))
    offset, scale = (float(task.inverse[key]) for key in ("offset_test", "scale"))
    start = ((values[cut - window : cut] - offset) / scale)[None, :, None]
    seeds = range(len(system.folders[system.first][variant]))
    forecasts = (decoding.go_on(system.predictor(system.first, variant, k), start, STEPS)[0] for k in seeds)
    runs = [offset + scale * forecast for forecast in forecasts]
    naive = values[cut - season + np.arange(STEPS) % season]
    truth = values[cut : cut + STEPS]

    def error(forecast: np.ndarray) -> float:
        return float(np.sqrt(np.mean((forecast[: len(truth)] - truth) ** 2)))

    return {
        "system": system.name,
        "variant": variant,
        "from": str(extras["dates"][cut]),
        "season": season,
        "steps": len(truth),
        "errors": [error(run) for run in runs],
        "naive_error": error(naive),
        "series": {
            "before": values[cut - 2 * window : cut].tolist(),
            "truth": truth.tolist(),
            "naive": naive.tolist(),
            "networks": [run.tolist() for run in runs],
        },
    }


def bits(system: System, backend: str, variant: str) -> list[float]:
    """Bits that each seed needs for a symbol of the test part."""
    runs = system.folders[backend][variant]
    outputs = (results.read_predictions(folder)["test"] for folder in runs)
    return [system.task.mean_loss(one, "test") / float(np.log(2)) for one in outputs]


def written(system: System, variant: str, unit: str) -> Row:
    """What the first seed writes after the test part's first symbols, at several temperatures; and what an n-gram
    model needs for the test part."""
    task, words = system.task, system.words
    start = task.tests["test"].x[:1, :20]
    samples = []
    for temperature in TEMPERATURES:
        rng = np.random.default_rng(0)
        said = decoding.generate(system.predictor(system.first, variant), start, _CHARACTERS, temperature, rng)
        samples.append({"temperature": temperature, "text": [words[token] for token in said[0]]})
    counted = np.concatenate([task.train.x.ravel(), task.train.y[-1:, -1]])
    order = _ORDERS[unit]
    grams = language.ngram_bits(counted, task.tests["test"], len(words), order)
    return {
        "system": system.name,
        "unit": unit,
        "start": [words[token] for token in start[0]],
        "samples": samples,
        "ngram": {"order": order, "bits": float(grams.mean())},
        "unigram_bits": float(language.ngram_bits(counted, task.tests["test"], len(words), 0).mean()),
    }


def courses(version: str, network: Network, tree: Tree, rain: np.ndarray, first: int) -> np.ndarray:
    """The dishes (COURSES,) that a network names, told the weather and, where its version has it, its own last dish."""
    said = np.empty(0, np.int64)
    for day in range(len(rain)):
        yesterday = np.concatenate([[first], said])[: day + 1]
        x = menu.inputs(version, yesterday, rain[: day + 1])[None]
        outputs = reference.forward(network, tree, Batch(x, np.zeros((1, day + 1), np.int64)))
        said = np.append(said, outputs[0, -1].argmax())
    return said


def roommate(systems: dict[str, System]) -> list[Row]:
    """Each version of the menu, `COURSES` courses long and alone: how many of them the weights written by hand, and
    trained ones, name rightly. The last version has a memory and no trained network here: its length frontier has."""
    rng = np.random.default_rng(0)
    rain, first = rng.integers(0, 2, COURSES), 1
    rows = []
    for version in ("weather", "cycle", "both"):
        truth = menu.dishes(version, np.array([first]), rain[None])[0]
        row = {"version": version, "courses": COURSES, "by_hand": 0, "trained": {}}
        row["by_hand"] = int((courses(version, *by_hand.network(version), rain, first) == truth).sum())
        if system := systems.get(f"menu_{version}"):
            for backend, variant in system.trained():
                row["trained"][backend] = [
                    int(
                        (
                            courses(version, system.networks[variant], system.weights(backend, variant, k), rain, first)
                            == truth
                        ).sum()
                    )
                    for k in range(len(system.folders[backend][variant]))
                ]
        rows.append(row)
    batch = memory.sample(rng, 20, COURSES)
    network, tree = by_hand.network("memory")
    right = reference.forward(network, tree, batch).argmax(axis=-1) == batch.y
    rows.append({"version": "memory", "courses": COURSES, "by_hand": int(right.all(axis=0).sum()), "trained": {}})
    return rows
