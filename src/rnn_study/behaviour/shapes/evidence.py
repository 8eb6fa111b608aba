"""What the other stages found, as the rows of the table of systems need it. Reads files, computes nothing."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnn_study.support.files import read_json

from .trained import System

Row = dict[str, Any]
METRICS, UNROLLING = Path("metrics"), Path("benchmarks/results/unrolling.json")


@dataclass(frozen=True)
class Evidence:
    """The trained systems by name, what was measured of them, and the study's other files."""

    systems: dict[str, System]
    scores: list[Row]
    found: dict[str, Any]

    @cached_property
    def parity(self) -> list[Row]:
        return read_json(METRICS / "parity.json")

    @cached_property
    def worked(self) -> Row:
        return read_json(Path("runs/parity/worked.json"))

    @cached_property
    def tasks(self) -> dict[str, Row]:
        return read_json(METRICS / "summary.json")["tasks"]

    @cached_property
    def verdicts(self) -> dict[str, Row]:
        """By the name of the question."""
        return {row["question"]: row for row in read_json(METRICS / "verdicts.json")["verdicts"]}

    @cached_property
    def ablations(self) -> Row:
        return read_json(METRICS / "ablate" / "adding.json")["cells"]

    @cached_property
    def frontiers(self) -> list[Row]:
        return read_json(METRICS / "long_range.json")["frontiers"]

    @cached_property
    def unrolling(self) -> list[Row]:
        return read_json(UNROLLING)["rows"]

    def score(self, system: str, variant: str, part: str = "test") -> Row | None:
        """The row of scores of a variant, in the first framework that trained it; None where it was not run."""
        rows = (row for row in self.scores if (row["system"], row["variant"], row["part"]) == (system, variant, part))
        return next(rows, None)
