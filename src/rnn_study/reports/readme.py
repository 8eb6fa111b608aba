"""The study's questions and answers as the table at the head of the README."""

from collections.abc import Sequence
from pathlib import Path

from rnn_study.support.errors import StudyError
from rnn_study.support.files import atomic

from . import verdicts
from .study import Study
from .wording import label

README = Path("README.md")
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
    """What stands between the marks: which study it is and on what data, then a row a question, all in Markdown."""
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
    return "\n".join([told.replace("<", "&lt;"), "", _line(_HEADER), rule, *map(_line, table)])


def with_headline(text: str, block: str) -> str:
    """The README `text` with `block` between its marks. A StudyError where these do not stand there once, in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise StudyError(f"{README}: headline: expected the marks {BEGIN} and {END}, once and in this order")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def write(root: Path) -> bool:
    """Write the headline of the finished study in `root` into its README; whether that changed it."""
    for name in ("summary", "verdicts"):
        if not (root / "metrics" / f"{name}.json").is_file():
            raise StudyError(f"metrics/{name}.json: not found: expected those of a finished study; run: make study")
    path = root / README
    text = path.read_text(encoding="utf-8")
    fresh = with_headline(text, headline(Study(root)))
    if fresh == text:
        return False
    with atomic(path) as file:
        file.write(fresh.encode())
    return True
