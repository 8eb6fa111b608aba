"""How a report shows a figure: a lesson above, the picture for a wide page and for a phone, what one sees and where it
is from below. Drawn as SVG whose ink is the page's, in one style whatever a user's settings of Matplotlib are."""

import hashlib
import io
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter, LogFormatterSciNotation, NullFormatter

from rnn_study.reports.study import Study
from rnn_study.support.files import sha256

from .display import emit

# Okabe & Ito's palette, told apart by readers of every colour vision; cells take its colours in order.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
LINES = ("-", "--")  # a line style a framework
MARKERS = ("o", "s")
INK, FAINT = "#1c2330", "#808891"  # in a page the first becomes its own ink, light or dark
WIDE, NARROW = 7.2, 3.4  # inches, of 96 pixels each in a page: text is as large on a phone as on a screen

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,  # points: 8.25 are 11 pixels, and nothing is smaller
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",  # text stays text
    "savefig.dpi": 150,  # of what is drawn as pixels, for it has thousands of marks
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "grid.color": FAINT,
}

Draw = Callable[[bool], Figure]  # for a phone?


def colour(place: int) -> str:
    """The colour of the cell at `place`; they come again after seven."""
    return PALETTE[place % len(PALETTE)]


def panels(
    narrow: bool, rows: int = 1, columns: int = 1, height: float = 2.6, width: float = WIDE, **shared: bool | str
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes (rows, columns), each `height` inches high; on a phone all of them in one column."""
    size = (rows * columns, 1) if narrow else (rows, columns)
    if narrow:  # a row or a column that shares an axis is none there
        shared = {key: value is True for key, value in shared.items()}
    figure = Figure(figsize=(NARROW if narrow else width, height * size[0] + 0.3), layout="constrained")
    return figure, figure.subplots(*size, squeeze=False, **shared).reshape(rows, columns)


def legend(figure: Figure, axes: Axes, narrow: bool, columns: int = 4, **style: str) -> None:
    """The legend of all panels, above them."""
    handles, names = axes.get_legend_handles_labels()
    if narrow:
        names = [textwrap.fill(name, 44) for name in names]
    long = max(map(len, names), default=0) > 22
    figure.legend(handles, names, loc="outside upper center", ncols=(1 if long else 2) if narrow else columns, **style)


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's own defaults and the study's style, whatever a user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def svg(figure: Figure, salt: str) -> str:
    """`figure` as an element of a page; equal figures give equal text. `salt` keeps its ids apart from others'."""
    for axes in figure.axes:  # 1e-3 in one size, for the raised digits of a power of ten are too small to read
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log" and isinstance(axis.get_major_formatter(), LogFormatterSciNotation):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                low, high = axis.get_view_interval()
                labelled = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
                few = LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5))  # of one power of ten, or none
                axis.set_minor_formatter(NullFormatter() if len(labelled) > 1 else few)
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    text = re.sub(r"<metadata>.*?</metadata>", "", file.getvalue()[file.getvalue().index("<svg") :], flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)
    width, height = (96 * inches for inches in figure.get_size_inches())
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', rf'\1 width="{width:.0f}"', text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', rf'\1 height="{height:.0f}"', text, count=1)
    return re.sub(r"\s*\n\s*", "\n", text.replace(INK, "currentColor")).strip()


def _digest(paths: Sequence[Path]) -> str:
    """The beginning of a file's SHA-256; of several files, of theirs one after the other."""
    digests = [sha256(path) for path in paths]
    return (digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest())[:12]


def _files(study: Study, read: Sequence[Path]) -> str:
    """The files a figure was drawn from with their digests, those of one name and folder together."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(read):
        parts = path.relative_to(study.root).parts
        groups.setdefault((parts[:2] if parts[0] == "runs" else parts[:-1], parts[-1]), []).append(path)
    told = []
    for (folder, name), paths in groups.items():
        many = f"{'/'.join(folder)}/…/{name} ({len(paths)} files, " if len(paths) > 1 else None
        told.append(f"{many or paths[0].relative_to(study.root).as_posix() + ' ('}SHA-256 {_digest(paths)}…)")
    return "; ".join(told)


class Wanted:
    """The one figure that is asked for; what is shown meanwhile, by name, and that figure where it came by."""

    def __init__(self, name: str):
        self.name, self.seen, self.draw = name, list[str](), None

    def offer(self, name: str, draw: Draw) -> None:
        self.seen.append(name)
        if name == self.name:
            self.draw = draw


_wanted: Wanted | None = None


@contextmanager
def wanting(name: str) -> Iterator[Wanted]:
    """While it lasts figures are not drawn, but noted: see `Wanted`."""
    global _wanted
    _wanted = Wanted(name)
    try:
        yield _wanted
    finally:
        _wanted = None


def show(study: Study, draw: Draw, *, lesson: str, alt: str, source: str, task: str, name: str) -> None:
    """Show what `draw` makes: the lesson in words above it, what one sees and the numbers (`alt`) below, then its data.

    It is called for a wide page and for a phone, and reads its files itself, so that the page can name them. MLflow
    keeps the wide one as `name` of `task`.
    """
    key = f"{task}-{name}"
    if _wanted:
        return _wanted.offer(key, draw)
    with style(), study.noting() as read:
        pictures = [svg(draw(narrow), f"{key}-{narrow}") for narrow in (False, True)]
    _, _, report, *_ = draw.__module__.split(".")
    files = f" From {_files(study, read)}." if read else ""
    made = f"{source[:1].upper()}{source[1:]}.{files} Drawn by {draw.__module__}. Again: "
    told = f'<p id="{escape(key)}-told">{escape(alt)}</p>'
    images = "".join(
        f'<div class="{place}">'
        + picture.replace("<svg", f'<svg role="img" aria-labelledby="{escape(key)}-told"', 1)
        + "</div>"
        for place, picture in zip(("wide", "narrow"), pictures, strict=True)
    )
    again = f"<code>rnn-study figure {escape(report)}/{escape(key)}</code>"
    origin = f'<details class="made"><summary>its data, its code</summary>{escape(made)}{again}</details>'
    emit(
        f'<figure id="{escape(key)}" data-task="{escape(task)}" data-name="{escape(name)}">'
        f'<p class="lesson">{escape(lesson)}</p>{images}<figcaption>{told}{origin}</figcaption></figure>'
    )
