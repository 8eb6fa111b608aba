"""What every report shows things with. A figure comes with its alternative text; text from data is escaped."""

import base64
import io
from collections.abc import Collection, Iterable, Sequence
from html import escape

from IPython.display import HTML, display
from matplotlib.figure import Figure

from .study import Study
from .wording import data, origin

# Okabe & Ito's palette, told apart by readers of every colour vision; cells take its colours in order.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
LINES = ("-", "--")  # a line style a framework
MARKERS = ("o", "s")
STYLE = {"figsize": (7.2, 4.2), "layout": "constrained", "dpi": 110}


def colour(place: int) -> str:
    """The colour of the cell at `place`; they come again after seven."""
    return PALETTE[place % len(PALETTE)]


def show(figure: Figure, alt: str, source: str, task: str, name: str) -> None:
    """Display `figure` with its data below and its alternative text; MLflow keeps it as `name` of `task`."""
    figure.supxlabel(source, fontsize=7, color="#5a6473")
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    bundle = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}, "study": {"task": task, "name": name}})


def show_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, prose: Collection[int] = ()) -> None:
    """Display a table; every cell is escaped, the first of a row is its heading. `prose`: columns of sentences, whose
    lines break."""
    texts = [' class="text"' * (column in prose) for column in range(len(header))]
    head = "".join(f'<th scope="col"{text}>{escape(cell)}</th>' for cell, text in zip(header, texts, strict=True))
    body = "".join(
        f'<tr><th scope="row"{texts[0]}>{escape(row[0])}</th>'
        + "".join(f"<td{text}>{escape(cell)}</td>" for cell, text in zip(row[1:], texts[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    display(
        HTML(
            f'<div class="table"><table><caption>{escape(caption)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    )


def show_findings(study: Study, task: str | None, sentences: Iterable[str]) -> None:
    """Display what was found, in `task` or in none, as a list, escaped, with its data above."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    about = f"; {data(study.tasks[task])}" if task else ""
    display(HTML(f'<p class="data">Findings{escape(about)}.</p><ul>{items}</ul>'))


def show_text(text: str) -> None:
    """Display a paragraph, escaped."""
    display(HTML(f"<p>{escape(text)}</p>"))


def show_list(title: str, lines: Iterable[str]) -> None:
    """Display a list in a frame, escaped."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    display(HTML(f'<div class="banner"><p><strong>{escape(title)}</strong></p><ul>{items}</ul></div>'))


def show_banner(study: Study, *problems: str) -> None:
    """Display where the data of the tasks, and of generated `problems`, comes from, before any figure."""
    lines = []
    records = [record for task in study.tasks.values() for record in task["card"]["provenance"]]
    records += [record for problem in problems for record in study.provenance(problem)]
    for record in {record["source"]: record for record in records}.values():
        rows = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in record["rows"].items())
        files = ", ".join(f"{file['file']} (SHA-256 {file['sha256'][:12]}…)" for file in record["files"])
        lines.append(
            f"<li><strong>{escape(origin(record))}</strong>: {escape(rows)}. {escape(record['note'])}. "
            f"Licence: {escape(record['licence'])}. "
            + (f"<details><summary>files</summary>{escape(files)}</details></li>" if files else "</li>")
        )
    title = f"This is the {escape(study.summary['study'])} study. What it ran on:"
    display(HTML(f'<div class="banner"><p><strong>{title}</strong></p><ul>{"".join(lines)}</ul></div>'))
