"""What every report shows words and tables with; its figures are in `figures`. Text from data is escaped."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import islice
from typing import Any

from IPython.display import HTML, display

from rnn_study.reports.study import Study

from .wording import data, origin

HEADLINE = 5  # sentences: more than that nobody keeps
_open: list[list[str]] = []  # what stands in each collection that is open, the innermost last


def emit(html: str) -> None:
    """Put `html` where the report is: in the innermost collection, else on the page."""
    if _open:
        _open[-1].append(html)
    else:
        display(HTML(html))


@contextmanager
def collected() -> Iterator[list[str]]:
    """What is shown meanwhile, in pieces, instead of on the page."""
    _open.append([])
    try:
        yield _open[-1]
    finally:
        _open.pop()


@contextmanager
def folded(title: str) -> Iterator[None]:
    """What is shown meanwhile stands behind `title` until a reader opens it; nothing where there is nothing."""
    with collected() as inside:
        yield
    if inside:
        emit(f'<details class="fold"><summary>{escape(title)}</summary>{"".join(inside)}</details>')


@contextmanager
def beside() -> Iterator[None]:
    """What is shown meanwhile stands side by side where a page is wide enough, figures as drawn for a phone."""
    with collected() as inside:
        yield
    emit(f'<div class="beside">{"".join(inside)}</div>')


def show_headline(sentences: Iterable[tuple[str, str]]) -> None:
    """Display what a report found, `HEADLINE` times at most; see `show_lessons`."""
    show_lessons(islice(sentences, HEADLINE))


def show_lessons(sentences: Iterable[tuple[str, str]]) -> None:
    """Display what was found, in a frame: the lesson, and after it how much and how sure."""
    items = "".join(
        f"<li><strong>{escape(lesson)}</strong> {escape(numbers)}</li>" if lesson else f"<li>{escape(numbers)}</li>"
        for lesson, numbers in sentences
    )
    emit(f'<div class="headline"><ul>{items}</ul></div>')


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, prose: Collection[int] = ()) -> None:
    """Display a table; every cell is escaped, the first of a row is its heading. `prose`: columns of sentences, whose
    lines break. On a phone a row is a card, each cell under its column's name."""
    kinds = [' class="text"' * (column in prose) for column in range(len(header))]
    head = "".join(f'<th scope="col"{kind}>{escape(cell)}</th>' for cell, kind in zip(header, kinds, strict=True))
    body = "".join(
        f'<tr><th scope="row"{kinds[0]}>{escape(row[0])}</th>'
        + "".join(
            f'<td{kind} data-label="{escape(name)}">{escape(cell)}</td>'
            for cell, kind, name in zip(row[1:], kinds[1:], header[1:], strict=True)
        )
        + "</tr>"
        for row in rows
    )
    emit(
        f'<div class="table"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def show_findings(study: Study, task: str | None, sentences: Iterable[str]) -> None:
    """Display what was found, in `task` or in none, as a list, escaped, with its data above."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    about = f'<p class="data">Findings; {escape(data(study.tasks[task]))}.</p>' if task else ""
    emit(f"{about}<ul>{items}</ul>")


def show_text(text: str) -> None:
    """Display a paragraph, escaped."""
    emit(f"<p>{escape(text)}</p>")


def show_list(title: str, lines: Iterable[str]) -> None:
    """Display a list in a frame, escaped."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    emit(f'<div class="banner"><p><strong>{escape(title)}</strong></p><ul>{items}</ul></div>')


def _record(record: dict[str, Any]) -> str:
    """A provenance record as a line of a list."""
    rows = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in record["rows"].items())
    files = ", ".join(f"{file['file']} (SHA-256 {file['sha256'][:12]}…)" for file in record["files"])
    return (
        f"<li><strong>{escape(origin(record))}</strong>: {escape(rows)}. {escape(record['note'])}. "
        f"Licence: {escape(record['licence'])}. "
        + (f"<details><summary>files</summary>{escape(files)}</details></li>" if files else "</li>")
    )


def show_banner(study: Study, *problems: str) -> None:
    """Display where the data of the tasks, and of generated `problems`, comes from, before any figure."""
    records = [record for task in study.tasks.values() for record in task["card"]["provenance"]]
    records += [record for problem in problems for record in study.provenance(problem)]
    warnings = [task["card"]["details"].get("warning") for task in study.tasks.values()]
    show_origins(study.summary["study"], records, list(filter(None, warnings)))


def show_origins(name: str, records: Iterable[dict[str, Any]], warnings: Sequence[str] = ()) -> None:
    """Display what the study of this name ran on: in one line, the rest folded, and what to beware of."""
    records = list({record["source"]: record for record in records}.values())
    told = "; ".join(map(origin, records))
    beware = "".join(f"<p><strong>Beware:</strong> {escape(warning)}.</p>" for warning in warnings)
    emit(
        f'<div class="banner"><p>This is the <strong>{escape(name)}</strong> study, on: {escape(told)}.</p>{beware}'
        f"<details><summary>all about the data</summary><ul>{''.join(map(_record, records))}</ul></details></div>"
    )
