"""What the sizes in params.yaml ask of this machine's memory, before anything is made of them."""

from collections.abc import Iterator
from math import prod

from rnn_study.model.cells import CELLS
from rnn_study.model.network import resized, shapes
from rnn_study.support import machine

from .grid import Grid
from .study import Config
from .variants import Variant

_A_WEIGHT = 24  # bytes: itself, its gradient and two moments in float32, and once in NumPy in float64
_A_NUMBER = 4  # bytes
_LENGTHS = ("steps", "max_tokens", "distance", "frames", "days", "tokens", "window", "look_back")


def _size(count: float) -> str:
    """Bytes as one reads them."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:,.0f} TiB"


def _weights(grid: Grid, name: str, variant: Variant) -> int:
    """Weights of a variant, its input and its answer one number wide; at least the budget where there is one."""
    width = variant.units or grid.network.units or 1
    network = resized(variant.network(1, variant.cells(name, grid.network.depth), 1, grid.answers, steps=1), width)
    budget = 0 if variant.units else grid.network.parameters or 0
    return max(budget, sum(prod(shape) for shape in shapes(network).values()))


def _states(grid: Grid, name: str, variant: Variant) -> int:
    """Numbers that one step of one sequence keeps for the way back."""
    width = variant.units or grid.network.units or 1
    own = width * sum(len(CELLS[cell].gates) + 1 for cell in variant.cells(name, grid.network.depth)) or 1
    return own + (getattr(grid.prepare, "inputs", 0) or 0)  # with the word's vector


def _steps(grid: Grid) -> int:
    """Steps of the longest sequence."""
    walked = [*getattr(grid, "lengths", ()), *getattr(grid, "gpu_lengths", ())]
    if beyond := getattr(grid, "generalise", None):
        walked.append(beyond.longest * max(beyond.factors))
    return max([1, *walked, *(getattr(grid.prepare, key, 1) for key in _LENGTHS)])


def _grids(config: Config) -> Iterator[tuple[str, Grid]]:
    for section in ("tasks", "problems"):
        group = getattr(config, section)
        yield from ((f"{section}.{name}", getattr(group, name)) for name in type(group).model_fields)
    for section in ("frontier", "images", "shapes"):
        yield from ((f"{section}.{name}", grid) for name, grid in getattr(config, section).items())


def faults(config: Config) -> Iterator[str]:
    """What does not fit: a line for a part of a section whose sequences, or for each variant whose weights, do not.

    A lower bound: what fits here may still be too much.
    """
    have = machine.memory()
    limit = f"expected at most the {_size(have)} of this machine"
    for place, grid in _grids(config):
        steps = _steps(grid)
        drawn = sum(getattr(grid.prepare, part, 0) for part in ("train", "validation", "test"))
        if drawn >= 1 and (need := drawn * steps * _A_NUMBER) > have:
            yield f"{place}: {drawn:,.0f} sequences of {steps:,} steps take {_size(need)}: {limit}"
        # Controls and other learning rates are as large as their cells.
        for name, variant in (grid.cells | grid.ablated | grid.mapped).items():
            if (need := _weights(grid, name, variant) * _A_WEIGHT) > have:
                yield f"{place}: {name}: its weights and what training keeps of them take {_size(need)}: {limit}"
            elif (need := grid.training.batch_size * steps * _states(grid, name, variant) * _A_NUMBER) > have:
                batch = f"a batch of {grid.training.batch_size:,} sequences of {steps:,} steps takes"
                yield f"{place}: {name}: {batch} {_size(need)}: {limit}"
