"""What tasks, problems, frontiers and systems of shapes share: data, a network, cells, and what is changed in them."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field, model_validator

from rnn_study.model.defaults import DEFAULTS

from .base import NAME, Count, Depth, Model, Rounds, Seed, refuse
from .variants import CONTROLS, Ablation, Answers, Controls, Variant


class NetworkParams(Model):
    """The architecture, the same for every cell. Exactly one of `parameters` and `units` sets the width."""

    parameters: Annotated[Count, Field(ge=10)] | None  # budget, embedding apart; the width of each cell is solved
    units: Count | None  # equal width
    depth: Depth
    finetune: bool  # train the embedding, where there is one

    @model_validator(mode="after")
    def _one_width(self) -> "NetworkParams":
        if (self.parameters is None) == (self.units is None):
            given = f"parameters {self.parameters}, units {self.units}"
            raise ValueError(f"{given}: expected a number for one of them and null for the other")
        return self


class Training(Model):
    batch_size: Count
    epochs: Rounds  # at most
    patience: Rounds  # epochs without a better validation score before training stops


P = TypeVar("P", bound=Model)


def said(entry: Variant) -> dict[str, Any]:
    """What an entry says itself, by key."""
    return {key: getattr(entry, key) for key in entry.model_fields_set}


class Grid(Model, Generic[P]):
    """What tasks and problems share."""

    prepare: P
    network: NetworkParams
    training: Any  # of which every kind has a batch_size
    dense: ClassVar[Literal["none", "after cells", "anywhere"]] = "after cells"  # where a variant may have such layers
    cells: dict[str, Variant]  # what runs, in the order of the reports; a key is a cell, or names one in `cell`
    controls: Controls | None = None

    @model_validator(mode="after")
    def _possible(self) -> "Grid[P]":
        if not self.cells:
            raise ValueError("expected at least one cell")
        refuse(self._faults("cells", self.cells))
        if self.controls:
            of = (cell for cell in self.controls.of or () if cell not in self.cells)
            refuse(f"controls: of {cell!r}: expected one of {', '.join(self.cells)}" for cell in of)
            if clash := self.cells.keys() & self.controlled.keys():
                raise ValueError(f"controls: {min(clash)} is in cells as well: expected another name")
            refuse(self._faults("controls", self.controlled))
        return self

    def _faults(self, key: str, variants: dict[str, Variant]) -> Iterator[str]:
        for name, variant in variants.items():
            fault = f"got the name {name!r}: expected small letters, digits, - and _"
            if re.fullmatch(NAME, name):
                of = self.network.depth, self.training.batch_size, self.prepare.classifies, self.answers
                fault = variant.clash() or variant.fault(name, *of) or self._dense_fault(variant)
            if fault:
                yield f"{key}.{name}: {fault}"

    def _dense_fault(self, variant: Variant) -> str | None:
        if variant.cell == [] and self.dense != "anywhere":
            return "cell []: expected a cell: a network without one is a system of shapes"
        if variant.dense and self.dense == "none":
            return "dense: expected none along lengths, where the memory of recurrent layers is measured"
        return None

    @property
    def answers(self) -> Answers:
        """What a sequence is answered with."""
        return "one"

    @property
    def ablated(self) -> dict[str, Ablation]:
        """Ablations of the cells, by name."""
        return {}

    @property
    def mapped(self) -> dict[str, Variant]:
        """The points of a map, by name."""
        return {}

    @property
    def controlled(self) -> dict[str, Ablation]:
        """Each control of each of its cells, named <cell>-<control>, as `ablated`."""
        if self.controls is None:
            return {}
        of, kinds = self.controls.of or self.cells, self.controls.kinds
        made = {f"{cell}-{kind}": self.changed(cell, CONTROLS[kind]) for cell in of for kind in kinds}
        if self.controls.of:
            return made
        return {name: one for name, one in made.items() if not any(self._faults("controls", {name: one}))}

    def changed(self, cell: str, change: dict[str, Any]) -> Ablation:
        """What the entry `cell` says itself, and the change. Its `of` is that cell alone."""
        own = said(self.cells[cell])
        return Ablation.model_construct(**{"cell": cell} | own | change | {"of": [cell]})

    @property
    def variants(self) -> dict[str, Variant]:
        """All that runs, by name."""
        return self.cells | self.ablated | self.mapped | self.controlled

    @property
    def kinds(self) -> tuple[str, ...]:
        """The cells that occur, each once."""
        depth = self.network.depth
        return tuple(dict.fromkeys(cell for name, one in self.cells.items() for cell in one.cells(name, depth)))


class Ablated(Grid[P], Generic[P]):
    """Cells with seeds of their own, and what is changed in some of them."""

    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=2)]
    ablations: dict[str, Ablation]

    def counts(self) -> dict[str, int | None]:
        """Every key that asks for some of the seeds."""
        found = {f"ablations.{label}.seeds": ablation.seeds for label, ablation in self.ablations.items()}
        return found | {"controls.seeds": self.controls.seeds if self.controls else None}

    @model_validator(mode="after")
    def _ablations_possible(self) -> "Ablated[P]":
        refuse(self._seed_faults())
        refuse(
            f"ablations.{label}: of {cell!r}: expected one of {', '.join(self.cells)}"
            for label, ablation in self.ablations.items()
            for cell in ablation.of
            if cell not in self.cells
        )
        if clash := (self.cells | self.controlled).keys() & self.ablated.keys():
            raise ValueError(f"ablations: {min(clash)} is in cells or controls as well: expected another name")
        refuse(self._faults("ablations", self.ablated))
        refuse(self._idle())
        return self

    def _idle(self) -> Iterator[str]:
        """Ablations that are another one by name, or no change."""
        seen = set()
        for label, ablation in self.ablations.items():
            for cell in ablation.of:
                name = f"{cell}-{label}"
                if name in seen:
                    yield f"ablations.{label}: {name} is another one's name as well: expected another name"
                elif self._said(name, self.ablated[name]) == self._said(cell, self.cells[cell]):
                    yield f"ablations.{label}: changes nothing in {cell}: expected it to differ"
                seen.add(name)

    def _said(self, name: str, variant: Variant) -> dict[str, Any]:
        """What decides how the entry `name` runs, whether it says so itself or leaves it open."""
        start = DEFAULTS[variant.defaults].init
        open_ = {key: getattr(start, key) for key in ("kernel", "recurrent", "gain", "forget_bias")}
        open_ |= {
            "dropout": 0.0,
            "learning_rate": self.training.learning_rate,
            "clip": self.training.clip,
            "units": self.network.units,
        }
        said = variant.model_dump(exclude={"of", "seeds", "depth", "cell"})
        said |= {key: value for key, value in open_.items() if said[key] is None}
        if variant.clip_by == "nothing" or said["clip"] is None:
            said |= {"clip_by": "nothing", "clip": None}
        return said | {"clip_times": said.get("clip_times"), "cells": variant.cells(name, self.network.depth)}

    def _seed_faults(self) -> Iterator[str]:
        if len(set(self.seeds)) < len(self.seeds):
            yield f"seeds {list(self.seeds)}: expected each seed once"
        for key, count in self.counts().items():
            if count and count > len(self.seeds):
                yield f"{key}: got {count}: expected at most {len(self.seeds)}, as many as seeds"

    @property
    def ablated(self) -> dict[str, Ablation]:
        """Each ablation of each of its cells, named <cell>-<ablation>."""
        return {
            f"{name}-{label}": self.changed(name, said(ablation))
            for label, ablation in self.ablations.items()
            for name in ablation.of
        }
