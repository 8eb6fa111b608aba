"""What an executor tells of its runs, and whoever logs or shows them hears."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .spec import RunSpec


@dataclass(frozen=True)
class Progress:
    """An epoch of a run that is under way: its row of the history."""

    run: str
    spec: RunSpec
    row: dict[str, float]


@dataclass(frozen=True)
class Finished:
    """A run in the store: computed now, or `reused`."""

    run: str
    spec: RunSpec
    folder: Path
    environment: dict[str, str]
    reused: bool


Event = Progress | Finished


# Computes specs under a title, and shows and logs it: the finished runs in their order.
Follow = Callable[[Sequence[RunSpec], str], list[Finished]]


def by_task(finished: Iterable[Finished]) -> dict[str, list[Finished]]:
    """The runs of each task, in the order in which they and the tasks come."""
    found: dict[str, list[Finished]] = {}
    for run in finished:
        found.setdefault(run.spec.task, []).append(run)
    return found


def in_order(specs: Sequence[RunSpec], events: Iterable[Event]) -> list[Finished]:
    """The finished runs among `events`, in the order of `specs`."""
    found = {replace(event.spec, device=""): event for event in events if isinstance(event, Finished)}
    return [found[replace(spec, device="")] for spec in specs]
