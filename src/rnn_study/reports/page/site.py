"""The finished study as a site of static pages: its reports, and the project's documents beside them."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from importlib import resources
from os.path import normpath
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from tomllib import loads

import jinja2
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rnn_study.support.errors import StudyError

FRONT = "index.html"  # the page of the reports that links all others
DOCS = "docs"  # where the documents' pages are
STYLE = "site.css"
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//")  # how an address begins that leads out of the project
_ATTRIBUTE = re.compile(r'\b(href|src|srcset)="([^"]*)"')


def documents(root: Path) -> list[Path]:
    """The project's Markdown files, relative to `root`: those beside the README, then docs/."""
    return [path.relative_to(root) for folder in (root, root / DOCS) for path in sorted(folder.glob("*.md"))]


def slugs(headings: list[str]) -> Iterator[str]:
    """The fragment of each heading of a page, as GitHub gives it: `## One run, twice` is #one-run-twice."""
    seen: dict[str, int] = {}
    for heading in headings:
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        yield f"{slug}-{count}" if count else slug


@dataclass(frozen=True)
class _Links:
    """Where the links of one document lead in the site.

    repository: the address in which to find what has no page. pictures: collects what pages show.
    """

    root: Path
    document: Path
    repository: str | None
    pictures: set[Path]

    def _target(self, address: str) -> tuple[Path, str]:
        """The file of the project that a relative address names, and its fragment with the #."""
        place, mark, fragment = address.partition("#")
        target = Path(normpath(self.document.parent / place)) if place else self.document
        if target.parts[:1] == ("..",) or not (self.root / target).exists():
            raise StudyError(f"{self.document}: link {address!r}: expected a file of the project")
        return target, mark + fragment

    def page(self, address: str) -> str | None:
        """The address in the site; None for what has no page there and no repository to be found in."""
        if _OUTSIDE.match(address):
            return address
        target, fragment = self._target(address)
        if target in documents(self.root):
            return f"{target.stem}.html{fragment}"
        if target.parent == Path("reports") and target.suffix == ".html":
            return f"../{target.name}{fragment}"
        if self.repository is None:
            return None
        kind = "tree" if (self.root / target).is_dir() else "blob"
        return f"{self.repository}/{kind}/main/{target.as_posix()}{fragment}"

    def picture(self, address: str) -> str:
        """The address in the site of a picture, which comes along. A StudyError for one that lies elsewhere: pages ask
        no other host for anything."""
        if address.startswith("data:"):
            return address
        if _OUTSIDE.match(address):
            raise StudyError(f"{self.document}: picture {address!r}: expected a file of the project")
        target, _ = self._target(address)
        self.pictures.add(target)
        return PurePosixPath("..", target).as_posix()


def _as_code(children: list[Token], start: int, end: int) -> None:
    """Make a link, the tokens `start` to `end`, plain code."""
    coded = any(child.type == "code_inline" for child in children[start:end])
    for place, tag in ((start, "<code>"), (end, "</code>")):
        children[place] = Token("html_inline", "", 0, content="" if coded else tag)


def _in_html(text: str, links: _Links) -> str:
    """Markup in a document, its links and pictures led into the site."""

    def led(match: re.Match) -> str:
        name, address = match[1], unescape(match[2])
        found = links.page(address) if name == "href" else links.picture(address)
        return f'{name}="{escape(found)}"' if found else ""

    return _ATTRIBUTE.sub(led, text)


def _lead(tokens: list[Token], links: _Links) -> None:
    """Lead every link and picture among `tokens` into the site."""
    opened = None
    for place, token in enumerate(tokens):
        if token.type in ("html_block", "html_inline"):
            token.content = _in_html(token.content, links)
        elif token.type == "image":
            token.attrSet("src", links.picture(str(token.attrGet("src"))))
        elif token.type == "link_open":
            address = links.page(str(token.attrGet("href")))
            opened = place if address is None else None
            token.attrSet("href", address or "")
        elif token.type == "link_close" and opened is not None:
            _as_code(tokens, opened, place)
            opened = None
        if token.children:
            _lead(token.children, links)


def _text(heading: Token) -> str:
    return "".join(child.content for child in heading.children or () if child.type in ("text", "code_inline"))


def render(text: str, links: _Links) -> tuple[str, str]:
    """The title of a document and its body as HTML."""
    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    markdown.add_render_rule("table_open", lambda *_: '<div class="table"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = markdown.parse(text)
    _lead(tokens, links)
    opens = [place for place, token in enumerate(tokens) if token.type == "heading_open"]
    headings = [_text(tokens[place + 1]) for place in opens]
    if not headings:
        raise StudyError(f"{links.document}: no heading: expected a title '# Title'")
    for place, slug in zip(opens, slugs(headings), strict=True):
        tokens[place].attrSet("id", slug)
    return headings[0], markdown.renderer.render(tokens, markdown.options, {})


def _repository(root: Path) -> str | None:
    """The repository's address, where pyproject.toml names one."""
    urls = loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    found = {name.lower(): address.rstrip("/") for name, address in urls.items()}
    return found.get("repository") or found.get("source")


def _reports(root: Path) -> list[Path]:
    """The pages of the finished study: the front page, one a notebook, and whatever else lies beside them."""
    folder = root / "reports"
    for name in (FRONT, *(f"{path.stem}.html" for path in sorted((root / "notebooks").glob("*.ipynb")))):
        if not (folder / name).is_file():
            raise StudyError(f"reports/{name}: not found: expected the pages of a finished study; run: make study")
    return sorted(folder.glob("*.html"))


def _with_link(page: str) -> str:
    """A report's page whose navigation leads to the documents too."""
    return page.replace("</nav>", f' · <a href="{DOCS}/README.html">Documentation</a></nav>', 1)


def _fill(folder: Path, root: Path) -> None:
    """Write the whole site into `folder`."""
    for path in _reports(root):
        (folder / path.name).write_text(_with_link(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    here = resources.files(__package__)
    (folder / STYLE).write_bytes(here.joinpath(STYLE).read_bytes())
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(here.joinpath("site.html.j2").read_text(encoding="utf-8"))
    (folder / DOCS).mkdir()
    repository, pictures = _repository(root), set()
    for document in documents(root):
        links = _Links(root, document, repository, pictures)
        title, body = render((root / document).read_text(encoding="utf-8"), links)
        page = template.render(title=title, body=body, front=FRONT, style=STYLE)
        (folder / DOCS / f"{document.stem}.html").write_text(page, encoding="utf-8", newline="\n")
    for picture in sorted(pictures):
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / picture, folder / picture)


def build(root: Path, target: Path) -> int:
    """Put the site of the finished study in `root` at `target`, in the place of an older one; returns its pages.

    It appears whole or not at all. A StudyError where the study is not finished or a document's link leads nowhere.
    """
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as aside:
        fresh = Path(aside) / target.name
        fresh.mkdir()
        _fill(fresh, root)
        if target.exists():
            target.rename(Path(aside) / "older")
        fresh.rename(target)
    return len(list(target.rglob("*.html")))
