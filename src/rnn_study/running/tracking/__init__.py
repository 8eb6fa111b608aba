"""MLflow: every run with its curves, files and circumstances. A mirror of the results, never their source.

Runs are written in a thread of their own, which also imports it: training waits for neither.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnn_study.data.data_card import read_card
from rnn_study.running.execution.executor import Executor
from rnn_study.running.execution.watch import watch
from rnn_study.running.run.events import Event, Finished, by_task, in_order
from rnn_study.running.run.spec import RunSpec
from rnn_study.support.files import read_json

if TYPE_CHECKING:
    from .mlflow_runs import Runs


def data_tags(task: str) -> dict[str, str]:
    """Where the data of a task, a problem or a system of shapes comes from and the digests of its parts, from its data
    card."""
    own = Path("metrics/data") / f"{task}.json"
    card = read_card(own) if own.is_file() else read_json(Path("metrics/shapes/data.json"))[task]
    origins = {f"data.{record['source']}": record["origin"] for record in card["provenance"]}
    return origins | {f"sha256.{name}": part["sha256"] for name, part in card["parts"].items()}


def card_tags(about: dict[str, Any]) -> dict[str, str]:
    """Where the data of a frontier's problem comes from, of the head of its metrics/frontier/<problem>.json."""
    if "provenance" not in about:
        return {"data": "generated"}
    return {f"data.{record['source']}": record["origin"] for record in about["provenance"]}


class Tracker:
    """Logs the events of one stage in one backend, the only writer meanwhile; `tags` by task, of which each is an
    experiment.

    `kind`: train, tune, untuned, controls, ablate, frontier or shapes. A store that cannot be opened, or is lost later,
    costs what would be logged, never a result: one line says so, `lost` is True, and training goes on. Any other fault
    is raised at the next event, or at the end.
    """

    def __init__(self, kind: str, backend: str, tags: dict[str, dict[str, str]]):
        self._kind, self._backend, self._tags = kind, backend, tags
        self._orders: queue.SimpleQueue[tuple[str, Callable[[Runs], None]] | None] = queue.SimpleQueue()
        self._fault: BaseException | None = None
        self._abandoned = self.lost = False
        self._thread = threading.Thread(target=self._write, daemon=True)

    def _write(self) -> None:
        try:
            from .connection import mirroring
            from .mlflow_runs import Runs

            with mirroring("no more runs of this stage are logged"):
                runs = {task: Runs(task, self._kind, self._backend, tags) for task, tags in self._tags.items()}
                while (order := self._orders.get()) is not None:
                    task, do = order
                    do(runs[task])
                for own in runs.values():
                    own.end(killed=self._abandoned)
                return
            self.lost = True
        except BaseException as fault:
            self._fault = fault

    def _ask(self, task: str, do: "Callable[[Runs], None]") -> None:
        if self._fault:
            raise self._fault
        if not self.lost:
            self._orders.put((task, do))

    def __enter__(self) -> "Tracker":
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:  # what still waits is dropped
            self._abandoned = True
            with suppress(queue.Empty):
                while True:
                    self._orders.get_nowait()
        self._orders.put(None)
        self._thread.join()
        if kind is None and self._fault:
            raise self._fault

    def log(self, event: Event) -> None:
        """Log an event of the executor."""
        self._ask(event.spec.task, lambda runs: runs.log(event))

    def follow(self, executor: Executor, specs: Sequence[RunSpec], title: str) -> list[Finished]:
        """Let `executor` run `specs` and log what it tells as it comes, showing progress; the finished runs in their
        order."""
        seen = []
        for event in watch(executor.stream(specs), title, len(specs)):
            self.log(event)
            seen.append(event)
        return in_order(specs, seen)

    def summarise(self, finished: Sequence[Finished], tables: dict[str, dict[str, Any]]) -> None:
        """Put each cell's mean and interval on its parent runs; `tables` as `summary.training` gives them, by task."""
        for task, own in by_task(finished).items():
            self._ask(task, lambda runs, task=task, own=own: runs.summarise(own, tables[task]))


def log_figures(task: str, report: str, figures: dict[str, bytes]) -> None:
    """Put a report's figures (SVG by name) into the task's experiment, replacing those of an earlier report."""
    from . import mlflow_runs
    from .connection import mirroring

    with mirroring(f"figures of {report} are not logged"):
        mlflow_runs.log_figures(task, report, figures)


def write_notes(notes: dict[str, str]) -> None:
    """Put a note, Markdown, at the head of each experiment that there is a text for."""
    from . import mlflow_runs
    from .connection import mirroring

    with mirroring("experiments have no notes"):
        for task, text in notes.items():
            mlflow_runs.note(task, text)
