"""What is compared: cells and what they do differently, alone or in ablations."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rnn_study.model.cell_check import has_activation
from rnn_study.model.cells import ACTIVATIONS, CELLS
from rnn_study.model.defaults import DEFAULTS, OPTIMISERS
from rnn_study.model.init import KERNELS
from rnn_study.model.network import Attention, Dense, Layer, Network, clash, resized, why_not_native

from .base import Count, Depth, Model, Positive, Rate

Answers = Literal["one", "every step", "written"]  # to a sequence: after its last step, after each, token by token
Kernel = Literal[(*KERNELS, "uniform")]


class DenseLayer(Model):
    """One dense layer."""

    units: Count | None  # null: as many as a recurrent layer has
    activation: Literal[tuple(ACTIVATIONS)]


class Variant(Model):
    """One thing that is compared in a task: a cell, and what it does differently. Every key may be left out."""

    cell: str | list[str] | None = None  # of each layer, if a list, none if empty; left out: the entry's own name
    dense: tuple[DenseLayer, ...] = Field(
        (), strict=False
    )  # after the cells; without a cell, or before a decoder, they read all steps at once
    attention: bool = False  # of a network that writes: looks back at what it read
    depth: Depth | None = None  # layers; left out: as `network` says
    units: Count | None = None  # of every layer; left out: as `network` says
    learning_rate: Rate | None = None  # this and the next two: left out: tuned
    clip: Positive | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    clip_by: Literal["norm", "value", "nothing"] = "norm"  # of all gradients together, each number, not at all
    optimiser: Literal[tuple(OPTIMISERS)] = "adam"
    activation: Literal[tuple(ACTIVATIONS)] = "tanh"
    norm: Literal["layer", "batch"] | None = None  # normalisation of the products with both kernels
    window: Count | None = None  # steps that the gradient reaches back: truncated back-propagation through time
    frozen: bool = False  # a reservoir: the recurrent layers stay as they start
    bidirectional: bool = False
    kernel: Kernel | None = None  # how the input kernel starts
    recurrent: Kernel | None = None  # how the recurrent kernel starts
    gain: Annotated[float, Field(gt=0, le=10)] | None = None  # and what that is multiplied by
    forget_bias: Annotated[float, Field(ge=-20, le=20)] | None = None  # what a forget gate's bias starts at
    defaults: Literal[tuple(DEFAULTS)] = "matched"  # or what a framework does by itself: defaults.py
    impl: Literal["native", "equations"] | None = None  # the frameworks' own layers (where they can) or cells.py

    @model_validator(mode="after")
    def _possible(self) -> "Variant":
        if clash := self.clash():
            raise ValueError(clash)
        return self

    def clash(self) -> str | None:
        """Keys that exclude each other."""
        if self.clip_by == "nothing" and self.clip is not None:
            return f"clip {self.clip} with clip_by nothing: expected one of the two"
        if self.clip_by == "value" and self.clip is None:
            return "clip_by value without clip: expected clip as well, for what is tuned is a norm"
        if isinstance(self.cell, list) and self.depth is not None:
            return f"depth {self.depth} with a list of cells: expected one of the two"
        return None

    @property
    def fixed(self) -> dict[str, float]:
        """The settings that are not tuned. A clip of infinity stands for none."""
        own = self.model_dump(exclude_none=True, include={"learning_rate", "clip", "dropout"})
        return own | ({"clip": math.inf} if self.clip_by == "nothing" else {})

    def searched(self, name: str) -> set[str]:
        """The settings of the entry `name` that tuning may choose, where params.yaml has it search for them."""
        found = {"learning_rate", "clip", "dropout", "batch_size"} - self.fixed.keys()
        if self.depth is None and not isinstance(self.cell, list):
            found.add("depth")
        if self.forget_bias is None and any("f" in CELLS[cell].gates for cell in self.cells(name, 1) if cell in CELLS):
            found.add("forget_bias")
        return found

    def cells(self, name: str, depth: int) -> tuple[str, ...]:
        """The cell of each layer, for the entry `name` where the task has `depth` layers."""
        if isinstance(self.cell, list):
            return tuple(self.cell)
        return (self.cell or name,) * (self.depth or depth)

    def network(
        self, inputs: int, cells: tuple[str, ...], outputs: int, answers: Answers = "one", **more: Any
    ) -> Network:
        """The network of these cells with what this variant says of all of them, one unit wide where no width is said:
        `resized` gives it one."""
        second = DEFAULTS[self.defaults].second_bias
        own = {"activation": self.activation, "norm": self.norm, "second_bias": second}
        dense = tuple(Dense(layer.units or 0, layer.activation) for layer in self.dense)
        layers = tuple(Layer(cell, 1) for cell in cells)
        more |= {"window": self.window, "frozen": self.frozen, "bidirectional": self.bidirectional, "dense": dense}
        if answers != "written":
            return Network(inputs, layers, outputs, every_step=answers == "every step", **own, **more)
        attention = Attention(1, 1) if self.attention else None
        decoder = Network(outputs, layers, outputs, every_step=True, attention=attention, **own)
        return Network(inputs, () if dense else layers, 0, decoder=decoder, **own, **more)

    def fault(self, name: str, depth: int, batch_size: int, classifies: bool, answers: Answers = "one") -> str | None:
        """What cannot be, in itself or as the entry `name` of a task with this depth and this batch size."""
        cells = self.cells(name, depth)
        if not (cells or self.dense):
            return "cell []: expected the cell of each layer, or dense layers"
        for cell in cells:
            if cell not in CELLS:
                return f"unknown cell {cell!r}: expected one of {', '.join(CELLS)}, in the name or in `cell`"
        if name in CELLS and set(cells) != {name}:
            return f"cell {', '.join(cells)}: expected another name, this one stands for {name}"
        if isinstance(self.cell, list) and depth not in (1, len(cells)):
            return f"{len(cells)} cells with network.depth {depth}: expected as many, or depth 1"
        if self.attention and answers != "written":
            return "attention in a task whose answers are not written: expected none"
        if self.attention and self.dense:
            return "attention with dense layers, which read all steps at once: expected cells to look back at"
        network = resized(self.network(1, cells, 1, answers, steps=1), 1)
        if reason := clash(network):
            return reason
        if self.impl == "native":
            for backend in ("pytorch", "tensorflow"):
                if reason := why_not_native(network, backend):
                    return f"impl native with {reason}: {backend} has no such layer: expected equations"
        if self.norm == "batch" and batch_size == 1:
            return "norm batch with training.batch_size 1: expected at least 2, one row has no variance"
        if self.bidirectional and not classifies:
            return "bidirectional in a task that forecasts: expected a classification"
        if self.forget_bias is not None and not any("f" in CELLS[cell].gates for cell in cells):
            return f"forget_bias with cell {', '.join(cells)}: no forget gate: expected none"
        for key in ("recurrent", "gain"):
            if getattr(self, key) is not None and not any(CELLS[cell].recurrent for cell in cells):
                return f"{key} with cell {', '.join(cells)}: no recurrent kernel: expected none"
        if self.activation != "tanh" and not any(map(has_activation, cells)):
            return f"activation {self.activation} with cell {', '.join(cells)}: its step has none: expected none"
        return None


class Ablation(Variant):
    """One thing changed alone, in each of some cells that run as they are as well."""

    of: Annotated[list[str], Field(min_length=1)]  # names under `cells`
    clip_times: Positive | None = None  # clip at so many times the mean norm of that cell's own gradients
    seeds: Count | None = None  # the first so many; left out: as many as the cells themselves

    @model_validator(mode="after")
    def _alone(self) -> "Ablation":
        if self.cell is not None:
            raise ValueError(f"cell {self.cell}: expected none, `of` names the cells")
        return self

    def clash(self) -> str | None:
        if self.clip_times is not None and (self.clip is not None or self.clip_by != "norm"):
            return f"clip_times {self.clip_times} with another clip: expected one of the two"
        return super().clash()


# Ways to learn without credit through time: nothing of the recurrence learns, or only from its last step.
CONTROLS: dict[str, dict[str, Any]] = {"frozen": {"frozen": True}, "one-step": {"window": 1}}


class Controls(Model):
    """Cells once more, with the same settings but without credit through time: what these reach needs none."""

    of: Annotated[list[str], Field(min_length=1)] | None = None  # names under `cells`; left out: all that can be
    kinds: Annotated[list[Literal[tuple(CONTROLS)]], Field(min_length=1)]
    seeds: Annotated[Count, Field(ge=2)]  # the first so many


class Map(Model):
    """Every learning rate with every clip, of one entry of `cells` or of an ablation, `<cell>-<ablation>`."""

    of: str
    learning_rates: Annotated[list[Rate], Field(min_length=1)]
    clips: Annotated[list[Positive | None], Field(min_length=1)]  # null: none
    seeds: Count
