"""A diagram of each cell, drawn from its own equations: its step is run on symbols, and what it does to them noted."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rnn_study.model.cells import CELLS, Cell
from rnn_study.reports.elements.figures import INK, PALETTE, panels

_COLOURS = {"read": PALETTE[4], "σ": PALETTE[0], "tanh": PALETTE[2], "relu": PALETTE[2], "state": PALETTE[1]}


@dataclass(eq=False)
class Node:
    """A value of the step: what made it, from what, and of which gate it is a part."""

    made: str
    sources: tuple["Node", ...] = ()
    gate: str = ""
    gates: tuple[str, ...] = ()  # of a value that holds all of them side by side
    shape = (1,)  # a gate is one number wide, so a slice's start is its gate's place

    def __getitem__(self, index: tuple) -> "Node":
        return Node("part", (self,), self.gates[index[-1].start or 0])

    def __add__(self, other: "Node") -> "Node":
        return Node("+", (self, other), self.gate or other.gate, self.gates or other.gates)

    def __mul__(self, other: "Node") -> "Node":
        return Node("×", (self, other))

    def __truediv__(self, other: "Node") -> "Node":
        return Node("÷", (self, other))

    def __rsub__(self, one: int) -> "Node":
        return Node(f"{one} −", (self,))


class _Symbols:
    """What a step computes with, on symbols."""

    @staticmethod
    def sigmoid(x: Node) -> Node:
        return Node("σ", (x,), x.gate)

    @staticmethod
    def tanh(x: Node) -> Node:
        return Node("tanh", (x,), x.gate)

    @staticmethod
    def relu(x: Node) -> Node:
        return Node("relu", (x,), x.gate)


def traced(cell: Cell) -> tuple[Node, ...]:
    """The new state of a cell as its step makes it: h, and c where it has one."""
    state = tuple(Node(f"{name}, last") for name in ("h", "c")[: cell.states])
    recurrent = "h U + b" if cell.recurrent_bias else "h U"
    read = [Node("x W + b", gates=cell.gates)]
    if cell.recurrent:
        read.append(Node(recurrent, (state[0],), gates=cell.gates))
    new = cell.step(_Symbols, state, *read, *(Node(vector.name) for vector in cell.vectors))
    return tuple(Node(f"{name}, new", (node,)) for name, node in zip(("h", "c"), new, strict=False))


def _whole(node: Node) -> Node:
    """The value that a part was taken from: a part is no step of its own."""
    return _whole(node.sources[0]) if node.made == "part" else node


def _columns(ends: Sequence[Node]) -> list[list[Node]]:
    """All values in columns, each to the right of what it is made from; the new state last."""
    depth: dict[Node, int] = {}

    def visit(node: Node) -> int:
        node = _whole(node)
        if node not in depth:
            depth[node] = 1 + max((visit(source) for source in node.sources), default=-1)
        return depth[node]

    last = max(map(visit, ends))
    depth |= dict.fromkeys(ends, last)
    for read in [node for node in depth if not node.sources]:  # beside who needs it first: no arrow crosses a box
        depth[read] = min(depth[node] for node in depth if read in map(_whole, node.sources)) - 1
    return [[node for node, column in depth.items() if column == place] for place in range(last + 1)]


def _box(axes: Axes, node: Node, x: float, y: float) -> FancyBboxPatch:
    kind = "state" if "," in node.made else "read" if "W" in node.made or "U" in node.made else node.made
    text = f"{node.made} {node.gate}" if node.made in ("σ", "tanh", "relu") else node.made.replace(",", "")
    shade = _COLOURS.get(kind, "#9aa3af")
    box = FancyBboxPatch((x - 0.36, y - 0.3), 0.72, 0.6, boxstyle="round,pad=0.02", fc=shade + "33", ec=shade)
    axes.add_patch(box)
    axes.text(x, y, text.strip(), ha="center", va="center", fontsize=8.25)
    return box


def _draw(axes: Axes, cell: Cell, down: bool) -> None:
    columns = _columns(traced(cell))
    tallest = max(map(len, columns))
    places: dict[Node, tuple[float, float]] = {}
    for x, column in enumerate(columns):
        middle = {node: sum(places[_whole(s)][1] for s in node.sources) / max(len(node.sources), 1) for node in column}
        gap = tallest / len(column)
        for rank, node in enumerate(sorted(column, key=middle.__getitem__) if x else column[::-1]):
            places[node] = x, gap * (rank + 0.5)

    def at(node: Node) -> tuple[float, float]:
        x, y = places[node]
        return (y, -x) if down else (x, y)

    boxes = {node: _box(axes, node, *at(node)) for node in places}
    for node, (x, y) in places.items():
        for source in map(_whole, node.sources):
            from_x, from_y = places[source]
            # past what lies between, on its own side of the middle
            above = from_y - tallest / 2 or y - from_y
            bend = f"arc3,rad={-0.25 if above > 0 else 0.25}" if x - from_x > 1 else "arc3"
            ends = {"patchA": boxes[source], "patchB": boxes[node], "shrinkA": 0, "shrinkB": 0}
            arrow = {"arrowstyle": "-|>", "color": INK, "lw": 0.8, "alpha": 0.7, "connectionstyle": bend} | ends
            axes.annotate("", at(node), at(source), arrowprops=arrow)
    along, across = (-0.6, len(columns) - 0.4), (-0.1, tallest + 0.1)
    limits = {"xlim": across, "ylim": (-along[1], -along[0])} if down else {"xlim": along, "ylim": across}
    axes.set(title=cell.label, **limits)
    axes.set_axis_off()


def diagram(names: Sequence[str], narrow: bool) -> Figure:
    """Cells below each other, each read from left to right; on a phone downwards."""
    figure, column = panels(narrow, len(names), 1, height=4.4 if narrow else 2.1)
    for axes, name in zip(column[:, 0], names, strict=True):
        _draw(axes, CELLS[name], narrow)
    return figure
