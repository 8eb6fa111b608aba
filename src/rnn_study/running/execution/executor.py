"""Many independent runs; finished ones come from the run store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from rnn_study.data.problems import catalogue
from rnn_study.running.run import store
from rnn_study.running.run.events import Event, Finished, Progress, in_order
from rnn_study.running.run.spec import RunSpec

Row = dict[str, float]  # an epoch of a history

load_task = lru_cache(maxsize=4)(catalogue.load)


class Executor:
    """Computes the runs of one backend for `owner` (a stage), those alone that the run store does not hold. One serves
    many lists.

    `environment` names the framework, its version, and Python's and NumPy's; `device` is the kind in use.
    """

    environment: dict[str, str]
    device: str

    def __init__(self, backend: str, owner: str):
        self.backend, self.owner = backend, owner
        self._runs: set[str] = set()

    def _begin(self, fresh: dict[str, RunSpec]) -> None:
        """Let work begin on these, by id."""
        raise NotImplementedError

    def _told(self, fresh: dict[str, RunSpec]) -> Iterator[tuple[str, Row | None]]:
        """What is told of each until all are in the store: a row of its history an epoch; None once it is there."""
        raise NotImplementedError

    def _close(self, wait: bool = False) -> None:
        """End what works for this."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._close(wait=kind is None)
        if kind is None:
            store.claim(self.owner, self._runs)

    def stream(self, specs: Sequence[RunSpec]) -> Iterator[Event]:
        """Run `specs`; yields events as they come. A run that the store holds comes at once."""
        resolved = [replace(spec, device=self.device) for spec in specs]
        runs = {store.run_id(spec, self.environment): spec for spec in resolved}
        self._runs |= runs.keys()
        store.claim(self.owner, self._runs | store.claimed(self.owner))  # what it needed stays until it ends
        fresh = {run: spec for run, spec in runs.items() if store.find(run) is None}
        if fresh:
            self._begin(fresh)
        for run, spec in runs.items():
            if run not in fresh:
                yield Finished(run, spec, store.ROOT / run, self.environment, reused=True)
        for run, row in self._told(fresh) if fresh else ():
            if row is None:
                yield Finished(run, runs[run], store.ROOT / run, self.environment, reused=False)
            else:
                yield Progress(run, runs[run], row)

    def run(self, specs: Sequence[RunSpec]) -> list[Finished]:
        """`stream` to its end: the finished runs in the order of `specs`."""
        return in_order(specs, self.stream(specs))
