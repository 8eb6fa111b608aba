"""The trained networks of params.yaml's shapes, as the pipeline left them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from rnn_study.config import Config
from rnn_study.data.prepared import load_task, unpack_texts
from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.decoding import Predict
from rnn_study.model.init import Init, draw
from rnn_study.model.network import Network
from rnn_study.model.reference import Tree
from rnn_study.model.task import Task
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.running.run.spec import stream
from rnn_study.statistics import marks
from rnn_study.statistics.crossed import Mean, mean, of_one_seed

RUNS, SHAPES = Path("runs"), Path("data/shapes")


@dataclass(frozen=True)
class System:
    """One entry of params.yaml's shapes, trained: `seeds` of the first framework, `folders` of its runs by framework
    and variant."""

    name: str
    task: Task
    networks: dict[str, Network]
    inits: dict[str, Init]
    seeds: tuple[int, ...]
    folders: dict[str, dict[str, list[Path]]]
    searches: int = field(default=1, kw_only=True)  # for its settings, which the seeds take in turn

    def marks(self, backend: str, variant: str, part: str) -> np.ndarray:
        """What every run makes of every example of `part`, (seeds, N), or (searches, N) where there were several."""
        return marks.of_runs(self.task, self.folders[backend][variant], self.searches)[part]

    def score(self, backend: str, variant: str, part: str = "test") -> Mean:
        """Its score; of one seed alone, whose spread is unknown, the test examples' alone."""
        x = self.marks(backend, variant, part)
        return mean(x, self.task.ordered) if len(x) > 1 else of_one_seed(x[0], self.task.ordered)

    def weights(self, backend: str, variant: str, place: int = 0) -> Tree:
        """The weights of the seed at `place`, in float64."""
        found = results.read_weights(self.folders[backend][variant][place])
        return {name: array.astype(np.float64) for name, array in found.items()}

    def initial(self, variant: str) -> Tree:
        """The weights that the first seed started with."""
        return draw(self.networks[variant], stream(self.seeds[0], "weights"), self.task.embedding, self.inits[variant])

    def predictor(self, backend: str, variant: str, place: int = 0) -> Predict:
        """The network of the seed at `place`, computed by NumPy."""
        return partial(reference.forward, self.networks[variant], self.weights(backend, variant, place))

    def trained(self) -> Iterator[tuple[str, str]]:
        """Every framework and variant."""
        return ((backend, variant) for backend, own in self.folders.items() for variant in own)

    @property
    def first(self) -> str:
        """The framework that samples are shown of: the first that trained it."""
        return next(iter(self.folders))

    @property
    def words(self) -> list[str]:
        """The symbols that its token ids stand for."""
        return unpack_texts(self.task.extras["words"], self.task.extras["words_offsets"])


def system(config: Config, name: str) -> System:
    """Read what the pipeline left of one entry."""
    params, task = config.shapes[name], load_task(SHAPES / f"{name}.npz")
    folders = {
        backend: {
            variant: [
                results.run_folder(RUNS / f"shapes-{backend}", name, backend, variant, seed)
                for seed in params.seeds[backend]
            ]
            for variant in params.cells
        }
        for backend in BACKENDS
        if backend in params.seeds
    }
    networks = {variant: experiments.network(params, task, variant) for variant in params.cells}
    inits = {variant: experiments.initialisation(params, variant) for variant in params.cells}
    searches = min(config.tuning.searches, *map(len, params.seeds.values())) if params.tuning else 1
    return System(name, task, networks, inits, params.seeds[next(iter(folders))], folders, searches=searches)
