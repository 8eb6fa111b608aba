"""What the frameworks are checked on: layers with every pair of options, each option of a network, updates; and the
oracle's answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnn_study.model import reference
from rnn_study.model.backend import Pass
from rnn_study.model.cells import CELLS
from rnn_study.model.network import NATIVE, Attention, Dense, Embedding, Layer, Network, shapes
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import END, GO, Batch, written

from .probes import Problem, Tree
from .trainings import BETA, LATE, RATE

RULES = {
    "SGD": Sgd(),
    "momentum": Sgd(BETA),
    "RMSprop": RmsProp(BETA),
    "Adam": Adam(BETA, LATE),
    "Adam, epsilon hat": Adam(BETA, LATE, hat=True),
}
UPDATES = {name: Optimiser(RATE, 2**-4, rule) for name, rule in RULES.items()} | {
    "SGD, clipped by value": Optimiser(RATE, 2**-6, Sgd(), clip_by="value")
}
STEP_COUNTS = (1, 2, 28, 100)


@dataclass(frozen=True)
class Options:
    """What layers are checked with: one value of each option."""

    cell: str
    steps: int
    impl: str
    depth: int
    masked: bool
    words: bool
    dtype: str

    def __str__(self) -> str:
        layers = "1 layer" if self.depth == 1 else f"{self.depth} layers"
        lengths = ", unequal lengths" if self.masked else ""
        return f"{self.impl}, {layers}, T = {self.steps}{lengths}, {'words' if self.words else 'numbers'}"


def options(cells: Iterable[str] = CELLS) -> list[Options]:
    """Four choices a cell, which together hold every pair of values of any two options.

    An orthogonal array of strength 2 over the field of four elements (Rao 1947): the columns c, t, c + t, c + a t and
    c + (1 + a) t; the third and the fourth are two options of two values each, the last one is one.
    """
    times, more = (0, 2, 3, 1), (0, 3, 1, 2)  # products with a and with 1 + a; addition is exclusive or
    found = []
    for c, cell in enumerate(cells):
        for t, steps in enumerate(STEP_COUNTS):
            one, two, three = (c % 4 ^ other for other in (t, times[t], more[t]))
            impl = "native" if one & 1 and cell in NATIVE else "equations"
            dtype = "float32" if three & 1 else "float64"
            found.append(Options(cell, steps, impl, 3 if one & 2 else 1, bool(two & 1), bool(two & 2), dtype))
    return found


_BOTH_WAYS = {"norm": "batch", "norm_steps": 6, "bidirectional": True}
# What a network may ask for besides, each alone and some together: the cells of its layers, the implementation, the
# option. Every case reads sequences of unequal length, and writes answers of unequal length where it has a decoder.
KNOBS: dict[str, tuple[tuple[str, ...], str, dict[str, Any]]] = {
    "rectifier": (("vanilla", "vanilla"), "native", {"activation": "relu"}),
    "rectifier in equations": (("vanilla", "lstm"), "equations", {"activation": "relu"}),
    "rectifier in the GRU": (("gru", "ugrnn"), "equations", {"activation": "relu"}),
    "no saturation": (("vanilla", "gru"), "equations", {"activation": "linear"}),
    "different cells": (("lstm", "gru"), "native", {}),
    "layer normalisation": (("lstm", "gru"), "equations", {"norm": "layer"}),
    "batch normalisation": (("vanilla", "lstm"), "equations", {"norm": "batch", "norm_steps": 6}),
    "batch normalisation past its statistics": (
        ("gru", "gru"),
        "equations",
        {"norm": "batch", "norm_steps": 4},
    ),
    "batch normalisation both ways": (("gru", "lstm"), "equations", _BOTH_WAYS),
    "window of 2 steps": (("lstm", "lstm"), "equations", {"window": 2}),
    "frozen layers": (("lstm", "gru"), "native", {"frozen": True}),
    "frozen layers in equations": (("ugrnn", "vanilla"), "equations", {"frozen": True}),
    "both directions": (("gru", "lstm"), "native", {"bidirectional": True}),
    "both directions in equations": (("lstm_peephole", "vanilla"), "equations", {"bidirectional": True}),
    "second bias": (("vanilla", "lstm"), "equations", {"second_bias": True}),
    "an answer for every step": (("lstm", "gru"), "native", {"every_step": True}),
    "both ways with an answer for every step": (
        ("vanilla", "lstm_peephole"),
        "equations",
        {"every_step": True, "bidirectional": True},
    ),
    "all of it": (
        ("lstm_peephole", "gru"),
        "equations",
        {"activation": "relu", "norm": "layer", "window": 3, "bidirectional": True, "second_bias": True},
    ),
    "a multilayer perceptron": ((), "native", {"dense": (Dense(4, "relu"), Dense(3, "tanh")), "steps": 6}),
    "dense layers": (("vanilla",), "native", {"dense": (Dense(4, "sigmoid"), Dense(3, "relu"))}),
    "dense layers at every step": (("gru", "lstm"), "native", {"dense": (Dense(4, "tanh"),), "every_step": True}),
    "a decoder": (("gru", "lstm"), "native", {"decoder": False}),
    "a decoder in equations": (("lstm_peephole", "vanilla"), "equations", {"decoder": False, "norm": "layer"}),
    "a decoder after dense layers": ((), "native", {"dense": (Dense(4, "tanh"),), "steps": 6, "decoder": False}),
    "attention": (("lstm",), "native", {"decoder": True}),
    "attention in two layers": (("gru", "vanilla"), "native", {"decoder": True}),
    "attention in equations": (("ugrnn",), "equations", {"decoder": True, "activation": "relu"}),
}
WORDS = 5  # that a decoder writes, GO and END among them


def _knob_network(cells: tuple[str, ...], options: dict[str, Any]) -> Network:
    layers = tuple(Layer(cell, units) for cell, units in zip(cells, (4, 3), strict=False))
    if "decoder" not in options:
        return Network(3, layers, 2, **options)
    own = {key: value for key, value in options.items() if key not in ("decoder", "dense", "steps")}
    attention = Attention(3, layers[-1].units) if options["decoder"] else None
    decoder = Network(WORDS, layers or (Layer("lstm", 4),) * 2, WORDS, every_step=True, attention=attention, **own)
    return Network(3, layers, 0, **(options | {"decoder": decoder}))


def _knob_answers(network: Network, rng: np.random.Generator, rows: int, steps: int) -> np.ndarray:
    if not network.decoder:
        return rng.integers(0, network.outputs, (rows, steps) if network.every_step else rows)
    y = rng.integers(END + 1, WORDS, (rows, 4))
    ends = np.arange(rows) % 4
    y[np.arange(rows), ends] = END
    return np.where(np.arange(4) <= ends[:, None], y, GO)


def knob_problem(name: str) -> Problem:
    """A random network with the option `name` of KNOBS, and random data of unequal lengths."""
    cells, impl, options = KNOBS[name]
    rng = np.random.default_rng(list(name.encode()))
    network = _knob_network(cells, options)
    weights = {}
    for array, shape in shapes(network).items():
        weights[array] = rng.normal(0, 0.9 / np.sqrt(shape[0]) if array.endswith((".W", ".U")) else 0.5, shape)
        if "variance" in array or "gain" in array:
            weights[array] = rng.uniform(0.5, 1.5, shape)
    steps = 6
    mask = np.arange(steps) < np.array([6, 3, 5, 1, 6])[:, None]
    y = _knob_answers(network, rng, 5, steps)
    batch = Batch(rng.normal(size=(5, steps, 3)), y, mask)
    return Problem(network, "cross_entropy", Optimiser(RATE, None), weights, batch, impl)


def layer_problem(chosen: Options) -> Problem:
    """A random network with random biases, none of them zero, and random data."""
    rng = np.random.default_rng([chosen.steps, chosen.depth, *chosen.cell.encode()])
    layers = tuple(Layer(chosen.cell, units) for units in (5, 4, 3)[: chosen.depth])
    network = Network(3, layers, 2, Embedding(7, True) if chosen.words else None)
    weights = {
        name: rng.normal(0, 0.9 / np.sqrt(shape[0]), shape) if len(shape) == 2 else rng.normal(0, 0.5, shape)
        for name, shape in shapes(network).items()
    }
    rows, steps = 4, chosen.steps
    lengths = np.maximum(1, [steps, steps // 2, 1, steps - 1])
    mask = np.arange(steps) < lengths[:, None] if chosen.masked else None
    if chosen.words:
        batch = Batch(rng.integers(0, 7, (rows, steps), np.int32), rng.integers(0, 2, rows), mask)
    else:
        batch = Batch(rng.normal(size=(rows, steps, 3)), rng.normal(size=(rows, 2)), mask)
    loss = "cross_entropy" if chosen.words else "squared_error"
    return Problem(network, loss, Optimiser(RATE, None), weights, batch, chosen.impl).cast(chosen.dtype)


def oracle(problem: Problem) -> Pass:
    """The problem's pass in NumPy, in float64 whatever its precision.

    Where lengths are unequal, each sequence is cut to its own and run alone: zeros past its end, final states and
    gradients then owe nothing to a mask.
    """
    exact = problem.cast("float64")
    x, y, mask = exact.batch
    if mask is None or exact.network.norm == "batch":  # whose rows are not alone
        return reference.run(exact.network, exact.weights, exact.batch, exact.loss)
    network, lengths = exact.network, mask.sum(axis=1)
    ends = written(y).sum(axis=1) if network.decoder else lengths  # of the answers
    every = network.every_step or network.decoder is not None
    shares = ends / ends.sum() if every else np.full(len(x), 1 / len(x))

    def cut(n: int) -> Batch:
        row = x[n : n + 1, : lengths[n]]
        if not network.layers:  # it reads all steps at once
            row = _padded([row], x.shape[1])
        return Batch(row, y[n : n + 1, : ends[n]] if every else y[n : n + 1])

    alone = [reference.run(network, exact.weights, cut(n), exact.loss) for n in range(len(x))]
    depth = len(network.layers)

    def layer(number: int) -> np.ndarray:
        return _padded((f.hidden[number] for f in alone), x.shape[1] if number < depth else y.shape[1])

    layers = range(len(alone[0].hidden))
    finals = [[found.final[number] for found in alone] for number in layers]
    outputs = [found.outputs for found in alone]
    return Pass(
        outputs=_padded(outputs, y.shape[1]) if every else np.concatenate(outputs),
        loss=float(sum(share * found.loss for share, found in zip(shares, alone, strict=True))),
        hidden=tuple(map(layer, layers)),
        final=tuple(tuple(np.concatenate(states) for states in zip(*final, strict=True)) for final in finals),
        gradients={
            name: sum(share * found.gradients[name] for share, found in zip(shares, alone, strict=True))
            for name in alone[0].gradients
        },
        inputs=shares[:, None, None]
        * _padded((f.inputs[:, :length] for f, length in zip(alone, lengths, strict=True)), x.shape[1]),
    )


def _padded(arrays: Iterable[np.ndarray], steps: int) -> np.ndarray:
    """Rows (1, t, D) of their own lengths as one array (N, steps, D), zeros after each."""
    return np.concatenate([np.pad(array, ((0, 0), (0, steps - array.shape[1]), (0, 0))) for array in arrays])


def update_problem(rule: str) -> tuple[Problem, Tree, Tree]:
    """A network with an optimiser in the middle of a run, its slots, and a gradient that is clipped."""
    problem = layer_problem(Options("vanilla", 2, "native", 1, False, True, "float64"))
    rng = np.random.default_rng(0)
    slots = {"updates": np.array(3)}
    for name, array in problem.weights.items():
        slots |= {f"{slot}.{name}": rng.normal(0, 0.01, array.shape) for slot in ("mean", "velocity")}
        slots[f"square.{name}"] = rng.uniform(1e-5, 1e-3, array.shape)
    problem = replace(problem, optimiser=UPDATES[rule])
    return problem, slots, oracle(problem).gradients
