"""Whether a cell's step fits its entry in `model/cells.py`: asked before anything is trained with it."""

from functools import cache

import numpy as np

from rnn_study.model.cells import CELLS
from rnn_study.model.network import Network
from rnn_study.model.reference import OPS
from rnn_study.support.errors import StudyError


@cache
def _check(name: str) -> None:
    """Run the step of cell `name` once, on one unit."""
    cell, rows = CELLS[name], 3
    products = [np.zeros((rows, len(cell.gates)))] * (2 if cell.recurrent else 1)
    try:
        new = cell.step(OPS, (np.zeros((rows, 1)),) * cell.states, *products, *[np.zeros((1, 1)) for _ in cell.vectors])
        if not isinstance(new, tuple) or [np.shape(array) for array in new] != [(rows, 1)] * cell.states:
            raise ValueError(f"it returned no tuple of {cell.states} arrays as wide as the state")
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        expected = "a step as docs/add-a-cell.md shows, for the gates, states and vectors that its entry names"
        raise StudyError(f"cell {name}: its step fails ({told}): expected {expected}") from None


def require_steps(network: Network) -> None:
    """A StudyError for a cell of `network` whose step does not fit its entry."""
    for part in network.parts:
        for layer in part.layers:
            _check(layer.cell)
