"""Whether a cell's step fits its entry in `cells.py`: asked before anything is trained with it."""

from functools import cache

import numpy as np

from rnn_study.support.errors import StudyError

from .cells import CELLS, Ops
from .network import Network

_ROWS = 16
_OPS = Ops(np.tanh, lambda a: 1 / (1 + np.exp(-a)), lambda a: np.maximum(a, 0))


@cache
def _runs(name: str) -> None:
    """Run the step of cell `name` once, on one unit."""
    cell = CELLS[name]
    products = [np.zeros((_ROWS, len(cell.gates)))] * (2 if cell.recurrent else 1)
    vectors = [np.zeros((1, 1)) for _ in cell.vectors]
    try:
        new = cell.step(_OPS, (np.zeros((_ROWS, 1)),) * cell.states, *products, *vectors)
        if not isinstance(new, tuple) or [np.shape(array) for array in new] != [(_ROWS, 1)] * cell.states:
            raise ValueError(f"it returned no tuple of {cell.states} arrays as wide as the state")
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        expected = "a step as docs/add-a-cell.md shows, for the gates, states and vectors that its entry names"
        raise StudyError(f"cell {name}: its step fails ({told}): expected {expected}") from None


@cache
def _forgotten(name: str) -> str | None:
    """What of cell `name` its step does not use: moved alone, it leaves the new state as it was."""
    cell, rng = CELLS[name], np.random.default_rng(0)
    kinds = ("W", "U") if cell.recurrent else ("W",)
    read = {kind: rng.normal(size=(_ROWS, len(cell.gates))) for kind in kinds}
    read |= {vector.name: rng.normal(size=(1, 1)) for vector in cell.vectors}
    state = tuple(rng.normal(size=(_ROWS, 1)) for _ in range(cell.states))

    def new(**moved: np.ndarray) -> np.ndarray:
        return np.concatenate(cell.step(_OPS, state, *(read | moved).values()), axis=1)

    moves = {kind: (kind, 0.1) for kind in read}
    for gate, column in zip(cell.gates, np.eye(len(cell.gates)), strict=True):
        moves |= {f"gate {gate} of {kind}": (kind, 0.1 * column) for kind in kinds}
    return next(
        (told for told, (kind, by) in moves.items() if np.array_equal(new(), new(**{kind: read[kind] + by}))), None
    )


@cache
def has_activation(name: str) -> bool:
    """Whether the step of cell `name` calls the activation, which a network may choose."""
    called: list[bool] = []
    cell, zero = CELLS[name], np.zeros((1, 1))
    products = [np.zeros((1, len(cell.gates)))] * (2 if cell.recurrent else 1)
    ops = _OPS._replace(tanh=lambda a: called.append(True) or np.tanh(a))
    cell.step(ops, (zero,) * cell.states, *products, *[zero] * len(cell.vectors))
    return bool(called)


def require_steps(network: Network) -> None:
    """A StudyError for a cell of `network` whose step does not fit its entry, or forgets what training would move: that
    would have no gradient."""
    for part in network.parts:
        for layer in part.layers:
            _runs(layer.cell)
            if kind := _forgotten(layer.cell):
                expected = "expected a step that uses it (recurrent=False where it has no h U)"
                raise StudyError(f"cell {layer.cell}: {kind} gets no gradient: {expected}")
