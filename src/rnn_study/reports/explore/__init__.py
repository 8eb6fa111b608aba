"""The page that a reader plays with: trained networks, run forward and back in the browser. What it holds comes from
`content`; `network.js` has the equations, `pictures.js` draws, `panels.js` says what is drawn where,
`explore.js` answers the reader's controls."""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from rnn_study.reports.study import Study
from rnn_study.support.files import atomic

from .content import KNOWN, Entry, entry, export

__all__ = ["Entry", "entry", "export", "render", "write"]

SCRIPTS = ("network.js", "pictures.js", "panels.js", "explore.js")


def render(study: Study, target: Path, links: Sequence[dict[str, str]] = ()) -> None:
    """Write the page of a finished study: one file that asks no host for anything. links: `page.LINKS`."""
    write(export(study), target, links)


def write(content: dict[str, Any], target: Path, links: Sequence[dict[str, str]] = ()) -> None:
    """Write the page of what `export` gives; equal content gives equal bytes."""
    folder = resources.files(__package__)
    script = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    # No text of the data can end the script element that holds it.
    data = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(folder.joinpath("explore.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        style=folder.joinpath("explore.css").read_text(encoding="utf-8"),
        script=script,
        data=data.replace("<", "\\u003c"),
        study=content["study"],
        problems=content["problems"],
        known=KNOWN,
        links=links,
    )
    with atomic(target) as file:
        file.write(page.encode())
