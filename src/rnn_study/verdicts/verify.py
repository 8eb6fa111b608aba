"""Whether a study says here what it said elsewhere: its figures and verdicts against those of a commit or a folder."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnn_study.statistics.crossed import Estimate
from rnn_study.support.errors import StudyError

TABLES = ("verdicts", "summary", "gradients", "long_range", "sequence_shapes")  # files of metrics/
DECIDED = ("holds", "opposite")
Row = dict[str, Any]
Metrics = dict[str, Row]  # by table


def _in_folder(root: Path) -> Callable[[str], tuple[str, str | None]]:
    """Where a table of metrics lies in a folder, and its text; None where it is not there."""
    metrics = root / "metrics" if (root / "metrics").is_dir() else root

    def text(table: str) -> tuple[str, str | None]:
        path = metrics / f"{table}.json"
        try:
            return str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return str(path), None

    return text


def _in_commit(revision: str) -> Callable[[str], tuple[str, str | None]]:
    """The same in a commit."""

    def git(*words: str) -> str | None:
        done = subprocess.run(["git", *words], capture_output=True, text=True, encoding="utf-8")
        return done.stdout if done.returncode == 0 else None

    try:
        known = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except FileNotFoundError:
        raise StudyError("git: not found: expected it installed, or a folder to compare with") from None
    if known is None:
        raise StudyError(f"{revision}: neither a folder nor a commit: expected one of the two")
    return lambda table: (
        f"{revision}:metrics/{table}.json",
        git("show", f"{known.strip()}:./metrics/{table}.json"),
    )


def read(where: str) -> Metrics:
    """The metrics of a folder (a project, or its metrics/), or of a commit; a StudyError where there are none."""
    folder, found = Path(where).is_dir(), {}
    text_of = _in_folder(Path(where)) if folder else _in_commit(where)
    whole = "the metrics of a finished study"
    expected = f"{whole}; run: dvc repro" if folder else f"a commit with {whole}"
    for table in TABLES:
        place, text = text_of(table)
        if text is None:
            raise StudyError(f"{place}: not found: expected {expected}")
        try:
            found[table] = json.loads(text)
        except ValueError:
            raise StudyError(f"{place}: not readable: expected JSON that a study wrote; run: dvc repro") from None
    return found


def _named(row: Mapping[str, Any], *keys: str) -> str:
    return " ".join(str(row[key]) for key in keys if key in row)


def _summary(found: Row) -> Iterator[tuple[str, Estimate]]:
    for task, one in found["tasks"].items():
        for cell, parts in one["cells"].items():
            for part, score in parts.items():
                yield f"{task} {cell} {part}", Estimate(score["mean"], *score["interval"])
        for kind in ("between_cells", "between_frameworks", "against_baselines"):
            for row in one[kind]:
                name = f"{task} {_named(row, 'cell', 'part')}: {row['a']} less {row['b']}"
                yield name, Estimate(row["difference"], *row["interval"])


def _gradients(found: Row) -> Iterator[tuple[str, Estimate]]:
    for row in found["figures"]:
        yield _named(row, "task", "variant", "stage", "quantity"), Estimate(row["value"], row["low"], row["high"])
    for row in found["contrasts"]:
        yield _named(row, "task", "stage", "claim", "a", "b"), Estimate(row["value"], row["low"], row["high"])


def _long_range(found: Row) -> Iterator[tuple[str, Estimate]]:
    for row in found["successes"]:
        if "share" in row:
            name = _named(row, "problem", "axis", "variant", "steps")
            yield f"{name}: share solved", Estimate(row["share"], row["low"], row["high"])
    for row in found["comparisons"]:
        for quantity in ("lengths", "updates"):
            name = f"{_named(row, 'problem', 'axis')}: {row['a']} less {row['b']}, {quantity}"
            yield name, Estimate(*row[f"{quantity}_difference"])
    for row in found.get("map", ()):  # which studies before it have not, as the next three
        if "share" in row:
            name = _named(row, "problem", "variant", "steps")
            yield f"{name} at {row['learning_rate']:g}: share solved", Estimate(row["share"], row["low"], row["high"])
    for row in found.get("chosen", ()):
        if row["power"]:
            yield f"{_named(row, 'problem', 'variant')}: best rate by length", Estimate(*row["power"])
    for row in found.get("controls", ()):
        if row["needed"]:
            name = _named(row, "task", "steps", "cell", "kind")
            yield f"{name}: needs a gradient through time", Estimate(*row["needed"])
    for row in found.get("foretold", ()):
        if row["auc"] is not None:
            name = _named(row, "problem", "cell", "measure")
            yield f"{name}: foretells", Estimate(row["auc"], row["low"], row["high"])


def _sequence_shapes(found: Row) -> Iterator[tuple[str, Estimate]]:
    for row in found["scores"]:
        yield _named(row, "system", "backend", "variant", "part"), Estimate(row["mean"], *row["interval"])


_FIGURES: dict[str, Callable[[Row], Iterator[tuple[str, Estimate]]]] = {
    "summary": _summary,
    "gradients": _gradients,
    "long_range": _long_range,
    "sequence_shapes": _sequence_shapes,
}


def figures(found: Metrics) -> dict[str, Estimate]:
    """Every figure that has an interval, by name."""
    return {f"{table} {name}": one for table, rows in _FIGURES.items() for name, one in rows(found[table])}


class Moved(NamedTuple):
    """A figure here, None where it is missing, and what it was there."""

    name: str
    here: float | None
    there: Estimate


class Changed(NamedTuple):
    """A question's verdict here, None where it is not asked, what it was there, and the chance of another one that was
    printed."""

    question: str
    here: str | None
    there: str
    otherwise: float


class Comparison(NamedTuple):
    """kept: verdicts, inside: figures within their interval, new: those that were not there; changed, moved: the
    others."""

    kept: int
    changed: list[Changed]
    inside: int
    moved: list[Moved]
    new: int

    @property
    def broken(self) -> bool:
        """Whether a question that held, or whose opposite did, has another verdict here."""
        return any(one.there in DECIDED for one in self.changed)


def compare(here: Metrics, there: Metrics) -> Comparison:
    """What a study says `here`, held against what it said `there`."""
    verdicts = {row["question"]: row["verdict"] for row in here["verdicts"]["verdicts"]}
    asked = there["verdicts"]["verdicts"]
    changed = [
        Changed(row["question"], verdicts.get(row["question"]), row["verdict"], row["otherwise"])
        for row in asked
        if verdicts.get(row["question"]) != row["verdict"]
    ]
    own, other = figures(here), figures(there)
    moved = []
    for name, was in other.items():
        value = own[name].value if name in own else None
        if value is None or not was.low <= value <= was.high:
            moved.append(Moved(name, value, was))
    return Comparison(
        len(asked) - len(changed), changed, len(other) - len(moved), moved, len(own.keys() - other.keys())
    )


def told(found: Comparison) -> Iterator[str]:
    """The comparison in lines."""
    yield f"verdicts: {found.kept} kept, {len(found.changed)} changed"
    for one in found.changed:
        here = one.here or "not asked"
        yield f"  {one.question}: {one.there} -> {here} (chance of another verdict as printed: {one.otherwise:.0%})"
    missing = [one for one in found.moved if one.here is None]
    counts = f"{found.inside} inside their interval, {len(found.moved) - len(missing)} moved, {len(missing)} missing"
    yield f"figures: {counts}, {found.new} new"
    for one in found.moved:
        was = f"{one.there.value:.4g} ({one.there.low:.4g} to {one.there.high:.4g})"
        yield f"  {one.name}: {was} -> {'missing' if one.here is None else f'{one.here:.4g}'}"
