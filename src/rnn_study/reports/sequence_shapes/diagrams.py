"""The five shapes as the tutorials draw them: what is read below, cells in the middle, what is answered above."""

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from rnn_study.reports.elements.figures import INK, PALETTE, panels, show
from rnn_study.reports.study import Study


class _Shape(NamedTuple):
    """A column a step: what is read at it and answered after it, None for nothing; `recurrent`: cells in between."""

    reads: tuple[str | None, ...]
    answers: tuple[str | None, ...]
    recurrent: bool
    about: str


SHAPES = {
    "one to one": _Shape(("image",), ("7",), False, "one input, dense layers, one answer: nothing is remembered"),
    "one to many": _Shape(
        ("image", "[GO]", "o", "n", "e"),
        (None, "o", "n", "e", "[END]"),
        True,
        "an image is read once; then each letter is written and read again, up to the end token",
    ),
    "many to one": _Shape(
        ("row 1", "row 2", "…", "row 8"), (None, None, None, "7"), True, "a sequence is read, its last state answers"
    ),
    "synced": _Shape(
        ("frame 1", "frame 2", "frame 3", "frame 4"),
        ("still", "left", "up", "left"),
        True,
        "an answer after each step, from the state at it",
    ),
    "many to many": _Shape(
        ("forty", "two", "[GO]", "quarante", "deux"),
        (None, None, "quarante", "deux", "[END]"),
        True,
        "a sentence is read to its end, then another one is written, each word read again",
    ),
}


def diagram(study: Study, name: str) -> None:
    """One shape: boxes and arrows."""
    shape = SHAPES[name]

    def draw(narrow: bool) -> Figure:
        figure, ((axes,),) = panels(narrow, height=2.0)
        axes.set_axis_off()
        axes.set_xlim(-0.6, len(shape.reads) - 0.4)
        axes.set_ylim(-0.5, 2.5)
        for step, (read, answer) in enumerate(zip(shape.reads, shape.answers, strict=True)):
            writes = "[GO]" in shape.reads[: step + 1]
            inner = "decoder" if writes else "dense" if read == "image" else "cell"
            _box(axes, step, 1, inner, PALETTE[2 if writes else 0])
            _box(axes, step, 0, read, PALETTE[4])
            _arrow(axes, step, 0.26, step, 0.74)
            if shape.recurrent and step:
                _arrow(axes, step - 0.6, 1, step - 0.4, 1)
            if answer:
                _box(axes, step, 2, answer, PALETTE[1])
                _arrow(axes, step, 1.26, step, 1.74)
        return figure

    lesson = f"{name.capitalize()}: {shape.about}."
    alt = f"Below, what is read at each step: {', '.join(filter(None, shape.reads))}; above, what is answered."
    key = f"diagram_{name.replace(' ', '_')}"
    show(study, draw, lesson=lesson, alt=alt, source="a drawing", task="shapes", name=key)


def _box(axes: Axes, x: int, y: float, text: str, colour: str) -> None:
    style = {"boxstyle": "round,pad=0.02", "fc": colour + "22", "ec": colour}
    axes.add_patch(FancyBboxPatch((x - 0.36, y - 0.22), 0.72, 0.44, **style))
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def _arrow(axes: Axes, x: float, y: float, to_x: float, to_y: float) -> None:
    axes.annotate("", (to_x, to_y), (x, y), arrowprops={"arrowstyle": "-|>", "color": INK})
