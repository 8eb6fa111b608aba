"""What determines a run."""

from dataclasses import dataclass

import numpy as np

from rnn_study.model.init import Init
from rnn_study.model.network import Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Data


@dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run. `variant` names what is compared: a cell of the task, an ablation or a place of
    the map.

    `data` is the prepared file, relative to the project, or how the data is made. `impl` says what computes the layers:
    `native`, the framework's own, or `equations`, those of `cells.py`. `examples` limits the training part to its
    first rows (None: all of it). `tests` says whether the test parts are read at all: tuning never does. `goal`:
    the run counts as solved once the validation score is as good, and ends then, unless it is to go `beyond`. `last`:
    what is kept are the weights of the last epoch, whatever the validation part says.
    `checkpoints`: epochs after which the weights are kept, 0 the initial ones. `bar`: epochs, and the validation score
    that the best one so far must not fall short of there, or the run is pruned: it ends.
    """

    task: str
    variant: str
    data: Data
    backend: str
    impl: str
    device: str  # auto | cpu | gpu
    network: Network
    init: Init
    optimiser: Optimiser
    batch_size: int
    epochs: int
    patience: int
    examples: int | None
    tests: bool
    seed: int
    goal: float | None = None
    beyond: bool = False
    last: bool = False
    checkpoints: tuple[int, ...] = ()
    bar: tuple[tuple[int, float], ...] = ()


def stream(seed: int, purpose: str) -> np.random.Generator:
    """The generator of one purpose in one run. Cells and frameworks share it, so that seeds are paired."""
    return np.random.default_rng([seed, *purpose.encode()])
