"""The study's picture and its questions with their answers, as they stand at the head of the README."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from rnn_study.reports import front, verdicts
from rnn_study.reports.elements import figures
from rnn_study.reports.elements.wording import label
from rnn_study.reports.study import Study
from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

README, PICTURE = Path("README.md"), Path("docs/one-figure.svg")
BEGIN, END = "<!-- headline -->", "<!-- /headline -->"
_HEADER = ("asked beforehand", "on", "answer", "measured (95 % interval)", "seeds", "fresh seeds would say otherwise")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _data(study: Study, name: str) -> str:
    """The data behind a task or a problem that a question is about."""
    if (study.root / "metrics" / "data" / f"{name}.json").is_file():
        return study.source(name).removeprefix("data: ")
    return f"{label(name)} ({study.drawn(name).removeprefix('data: ')})"


def headline(study: Study) -> str:
    """What stands between the marks, in Markdown: the picture of a study that has its problem, which study it is and on
    what data, then a row a question."""
    found = verdicts.rows(study)
    data = dict.fromkeys(_data(study, row["of"]) for row in found)
    told = f"The **{study.summary['study']}** study, scores {study.given}. Its data: {'; '.join(data)}."
    table = [
        [
            row["claim"],
            label(row["of"]),
            verdicts.WORDS[row["verdict"]],
            verdicts.estimate(row),
            str(row["seeds"]),
            verdicts.chance(row["otherwise"]),
        ]
        for row in found
    ]
    rule = _line(["---"] * len(_HEADER))
    drawn = (study.root / "metrics" / "frontier" / f"{front.PROBLEM}.json").is_file()
    shown = [f"![{front.solved(study)}]({PICTURE.as_posix()})", ""] if drawn else []
    return "\n".join([*shown, told.replace("<", "&lt;"), "", _line(_HEADER), rule, *map(_line, table)])


def picture(study: Study) -> str:
    """The picture as a file of SVG by itself, on white: who shows it may have a dark page without saying so."""
    with figures.wanting(f"{front.PROBLEM}-{front.PICTURE}") as wanted:
        front.picture(study)
    with figures.style():
        drawn = figures.svg(wanted.draw(False), PICTURE.stem)
    head, mark, rest = drawn.partition(">")
    title = f"<title>{escape(front.solved(study))}</title>"
    return f'{head} color="{figures.INK}"{mark}\n{title}\n<rect width="100%" height="100%" fill="#fff"/>{rest}\n'


def with_headline(text: str, block: str) -> str:
    """The README `text` with `block` between its marks. A StudyError where these do not stand there once, in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise StudyError(f"{README}: headline: expected the marks {BEGIN} and {END}, once and in this order")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def write(root: Path) -> bool:
    """Write the headline of the finished study in `root` into its README, its picture beside; whether that changed
    either."""
    for name in ("summary", "verdicts"):
        if not (root / "metrics" / f"{name}.json").is_file():
            raise StudyError(f"metrics/{name}.json: not found: expected those of a finished study; run: make study")
    study, text = Study(root), (root / README).read_text(encoding="utf-8")
    fresh = {README: with_headline(text, headline(study))}
    if PICTURE.as_posix() in fresh[README]:
        fresh[PICTURE] = picture(study)
    changed = {path: new for path, new in fresh.items() if _held(root / path) != new}
    for path, new in changed.items():
        with atomic(root / path) as file:
            file.write(new.encode())
    return bool(changed)


def _held(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
