"""Answers that are written token by token: translations and spelled digits, greedy and by beam, and what attention
looks at."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnn_study.behaviour.diagnostics.profile import longest_sequences
from rnn_study.behaviour.diagnostics.spectra import by_lag
from rnn_study.behaviour.diagnostics.written import error_flow
from rnn_study.config import Config
from rnn_study.model import decoding, reference
from rnn_study.model.task import END, GO, Batch

from .trained import System

Row = dict[str, Any]
SHOWN = 6  # samples of each kind
BEAM = 4
EXAMPLES = 32  # whose error is followed back


def tokens(row: np.ndarray) -> list[int]:
    """An answer without its end, and without what stands past it."""
    ends = np.flatnonzero(row == END)
    return [int(token) for token in row[: ends[0] if len(ends) else None] if token != GO]


def right(said: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which answers (N,) are the expected ones, end token and all."""
    width = max(said.shape[1], y.shape[1])
    said, y = (np.pad(array, ((0, 0), (0, width - array.shape[1]))) for array in (said, y))
    return (said == y).all(axis=1)


def answers(system: System, variant: str) -> Row:
    """What the first seed writes for the test part: how many are right, greedily and by beam, and how many end; right
    and wrong samples; exact match by the number of tokens read."""
    task = system.task
    part, classes = task.tests["test"], task.extras["classes"].tolist()
    longest = 2 * part.y.shape[1]

    predict = system.predictor(system.first, variant)
    said = decoding.greedy(predict, part.x, part.mask, longest)
    beam, _ = decoding.beam(predict, part.x, part.mask, longest, BEAM)
    good = right(said, part.y)
    read = np.full(len(part.y), part.x.shape[1]) if part.mask is None else part.mask.sum(axis=1)
    chosen = [*np.flatnonzero(good)[:SHOWN], *np.flatnonzero(~good)[:SHOWN]]
    return {
        "system": system.name,
        "variant": variant,
        "examples": len(part.y),
        "greedy": int(good.sum()),
        "beam": {"width": BEAM, "right": int(right(beam, part.y).sum())},
        "ended": int((said == END).any(axis=1).sum()),
        "by_length": [
            {"read": int(n), "right": int(good[read == n].sum()), "examples": int((read == n).sum())}
            for n in np.unique(read)
        ],
        "samples": [
            {
                "place": int(row),
                "read": _read(system, part, row),
                "expected": [classes[token] for token in tokens(part.y[row])],
                "said": [classes[token] for token in tokens(said[row])],
                "right": bool(good[row]),
            }
            for row in chosen
        ],
    }


def _read(system: System, part: Batch, row: int) -> list[str]:
    """The words that were read; of an image nothing."""
    if system.task.embedding is None:
        return []
    words = system.words
    return [words[token] for token in part.x[row][: None if part.mask is None else part.mask[row].sum()]]


def looked(system: System, variant: str) -> Row:
    """What the first seed looked at while it wrote the longest answer that it wrote rightly, or, where none is right,
    would have written: weights, a row for each word of it, a column for each word read."""
    part, network, tree = system.task.tests["test"], system.networks[variant], system.weights(system.first, variant)
    said = decoding.greedy(system.predictor(system.first, variant), part.x, part.mask, 2 * part.y.shape[1])
    good = right(said, part.y)
    lengths = np.where(good, (part.y != GO).sum(axis=1), 0) if good.any() else (part.y != GO).sum(axis=1)
    row = int(lengths.argmax())
    one = part.rows(slice(row, row + 1))
    x = reference.read(network, tree, one)
    weights = reference.climb(network, tree, x, one.mask, told=one.y).looked[0]
    reads, writes = int(one.mask.sum()), int((one.y != GO).sum())
    classes = system.task.extras["classes"].tolist()
    return {
        "system": system.name,
        "variant": variant,
        "read": _read(system, part, row),
        "written": [classes[token] for token in one.y[0][:writes]],
        "weights": weights[:writes, :reads].round(4).tolist(),
    }


def arrives(system: System, variant: str) -> Row:
    """How much of an answer's error reaches each word read, counted from the end: the mean, over the longest answers
    of the test part, of the norm of the gradient for the word's vector, over that for the last word; before training
    and trained, of the first seed."""
    part, network = longest_sequences(system.task.tests["test"], EXAMPLES), system.networks[variant]
    found: dict[str, list[float]] = {}
    for stage, tree in (
        ("initial", system.initial(variant)),
        ("trained", system.weights(system.first, variant)),
    ):
        sizes = np.linalg.norm(error_flow(network, tree, part).encoder[0].inputs, axis=-1)
        back = by_lag(sizes, part.mask.sum(axis=1) - 1)
        means = np.nanmean(back, axis=0)
        found[stage] = (means / means[0]).tolist()
    return {"system": system.name, "variant": variant, "examples": len(part.y), **found}


def exact_by_width(systems: Sequence[System], config: Config) -> list[Row]:
    """Exact match of every variant, framework and seed, with its width: of the test part, and of longer numbers than
    any trained on, where there are some. `data` names the first system of those with the same numbers."""
    rows, first = [], {}
    for system in systems:
        data = first.setdefault(config.shapes[system.name].prepare, system.name)
        for backend, variant in system.trained():
            network = system.networks[variant]
            for part in system.task.tests:
                scores = system.marks(backend, variant, part).mean(axis=1)
                rows.append(
                    {
                        "data": data,
                        "backend": backend,
                        "variant": variant,
                        "units": network.decoder.layers[0].units,
                        "attention": network.decoder.attention is not None,
                        "part": part,
                        "scores": scores.tolist(),
                    }
                )
    return rows
