"""The whole of Alice's Adventures in Wonderland, in the package."""

from pathlib import Path

ABOUT = {
    "source": "alice",
    "title": "Alice's Adventures in Wonderland",
    "origin": "embedded",
    "note": "All twelve chapters, a line a paragraph, without the line breaks of a page and the rows of asterisks",
    "licence": "public domain",
    "citation": "Lewis Carroll 1865",
    "rows": {"paragraphs": 815},
    "files": [],
    "complete": True,
    "generated": False,
}


def read() -> str:
    """The text, of ASCII characters; a paragraph ends with a line break."""
    return Path(__file__).with_name("alice.txt").read_text(encoding="ascii")
