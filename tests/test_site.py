"""The site: every page reached, every link and fragment there, nothing asked of another host; and what is not built."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT, asked_for, browser_needed, needs

from rnn_study.support.errors import StudyError

pytestmark = needs("markdown_it", "jinja2")

REPORTS = ("comparison", "gradients")


class Page(HTMLParser):
    """What a page asks for, links to, and can be linked at."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.asked, self.ids, self.tags, self.code = [], [], set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids |= {found["id"]} if "id" in found else set()
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("link", "img", "script", "source", "iframe"):
            self.asked += [found[key] for key in ("href", "src", "srcset") if key in found]

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "code":
            self.code.append(data)


def report(title: str, *links: str) -> str:
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return f"<!doctype html><title>{title}</title><nav>The study</nav><main>{anchors}</main>"


@pytest.fixture
def project(tmp_path):
    """The project's own documents beside the reports of a finished study, written by hand."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for path in [*ROOT.glob("*.md"), *(ROOT / name for name in ("pyproject.toml", "LICENSE", "CITATION.cff"))]:
        shutil.copy(path, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    for folder in ("notebooks", "reports"):
        (tmp_path / folder).mkdir()
    for name in REPORTS:
        (tmp_path / f"notebooks/{name}.ipynb").write_text("{}")
        (tmp_path / f"reports/{name}.html").write_text(report(name, "index.html"))
        (tmp_path / f"reports/{name}.ipynb").write_text("{}")
    (tmp_path / "reports/index.html").write_text(report("front", *(f"{name}.html" for name in REPORTS)))
    return tmp_path


def build(project: Path) -> dict[str, Page]:
    from rnn_study.reports.page import site

    count = site.build(project, project / "site")
    pages = {path.relative_to(project / "site").as_posix(): Page(path) for path in (project / "site").rglob("*.html")}
    assert count == len(pages)
    return pages


def document(project: Path, text: str, name: str = "docs/one.md") -> Page:
    """The page of one document."""
    (project / name).write_text(text, encoding="utf-8")
    return build(project)[f"docs/{Path(name).stem}.html"]


def test_every_page_is_reached_and_every_link_leads_somewhere(project):
    pages = build(project)
    site, reached, waiting = project / "site", set(), ["index.html"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for link in pages[name].links:
            parts = urlsplit(link)
            if parts.scheme:
                assert parts.scheme == "https"
                continue
            target = (site / name).parent / unquote(parts.path) if parts.path else site / name
            other = target.resolve().relative_to(site.resolve()).as_posix()
            assert other in pages, f"{name}: {link}"
            assert not parts.fragment or parts.fragment in pages[other].ids, f"{name}: {link}"
            waiting.append(other)
    documents = [path.stem for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]]
    fronts = {f"{name}.html" for name in ("index", *REPORTS)}
    assert reached == set(pages) == fronts | {f"docs/{name}.html" for name in documents}


def test_pages_ask_for_the_style_sheet_and_nothing_else(project):
    pages = build(project)
    for name, page in pages.items():
        assert "script" not in page.tags
        for asked in page.asked:
            if not asked.startswith("data:"):
                assert ((project / "site" / name).parent / asked).resolve().is_relative_to(project / "site")
                assert ((project / "site" / name).parent / asked).is_file(), f"{name}: {asked}"
        if name.startswith("docs/"):
            assert "../site.css" in page.asked
    style = (project / "site/site.css").read_text()
    assert "prefers-color-scheme: dark" in style
    assert "url(" not in style
    assert "@import" not in style


@browser_needed
@pytest.mark.parametrize("width", [390, 1280])
def test_documents_in_a_browser(project, browser, width):
    """Light and dark; what does not fit scrolls on its own."""
    build(project)
    style = (project / "site/site.css").as_uri()
    picture = (project / "site/docs/one-figure.svg").as_uri()
    for page in sorted((project / "site/docs").glob("*.html")):
        pictures = {picture} if page.name == "README.html" else set()
        assert asked_for(browser, page.as_uri(), width) == {page.as_uri(), style} | pictures
    papers = []
    for scheme in ("light", "dark"):
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
        script = "const found = getComputedStyle(document.body); return [found.backgroundColor, found.color]"
        papers.append([sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in browser.execute_script(script)])
    (light, on_light), (dark, on_dark) = papers
    assert light > on_light + 400
    assert on_dark > dark + 400


def test_reports_are_as_they_were_but_for_their_way_to_the_documents(project):
    build(project)
    for name in ("index", *REPORTS):
        before = (project / f"reports/{name}.html").read_text()
        after = (project / f"site/{name}.html").read_text()
        assert after.replace(' · <a href="docs/README.html">Documentation</a>', "") == before != after


def test_links_of_a_document(project):
    text = """# A title

[other](options.md), [a part](statistics.md#the-error-model), [readme](../README.md), [own](#a-title),
[report](../reports/gradients.html), [out](https://example.org/a.md), [**file**](../src/rnn_study/cli.py),
[`code`](../LICENSE), <a href="options.md">raw</a> and <a href="../src">rest</a>
"""
    page = document(project, text)
    assert page.links[2:] == [
        "options.html",
        "statistics.html#the-error-model",
        "README.html",
        "one.html#a-title",
        "../gradients.html",
        "https://example.org/a.md",
        "options.html",
    ]
    html = (project / "site/docs/one.html").read_text()
    assert "<code><strong>file</strong></code>" in html
    assert "\n<code>code</code>," in html
    assert "<a >rest</a>" in html


def test_links_to_files_lead_to_the_repository_where_the_project_names_one(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text() + '\n[project.urls]\nRepository = "https://example.org/study/"\n')
    page = document(project, "# T\n\n[a](../src/rnn_study/cli.py) [b](../src)\n")
    assert page.links[2:] == [
        "https://example.org/study/blob/main/src/rnn_study/cli.py",
        "https://example.org/study/tree/main/src",
    ]


def test_a_link_to_the_project_itself_leads_to_the_repository(project):
    assert document(project, "# T\n\n[b](..)\n").links[2:] == []  # no address of a repository: none
    path = project / "pyproject.toml"
    path.write_text(path.read_text() + '\n[project.urls]\nRepository = "https://example.org/study"\n')
    assert document(project, "# T\n\n[b](..)\n").links[2:] == ["https://example.org/study/tree/main/."]


def test_an_address_in_markup_stays_what_it_was(project):
    page = document(project, '# T\n\n<a href="https://example.org/?a=1&amp;b=2">x</a>\n')
    assert page.links[2:] == ["https://example.org/?a=1&b=2"]
    assert 'href="https://example.org/?a=1&amp;b=2"' in (project / "site/docs/one.html").read_text()


def test_of_two_addresses_that_of_the_repository_is_taken(project):
    path = project / "pyproject.toml"
    path.write_text(path.read_text() + '\n[project.urls]\nSource = "https://a.org"\nrepository = "https://b.org"\n')
    assert document(project, "# T\n\n[a](../LICENSE)\n").links[2:] == ["https://b.org/blob/main/LICENSE"]


def test_a_page_is_called_as_its_first_heading(project):
    document(project, "# First & more\n\n## Second\n")
    assert "<title>First &amp; more" in (project / "site/docs/one.html").read_text()


def test_pictures_come_along(project):
    for name in ("docs/a.png", "light.svg", "dark.svg"):
        (project / name).write_bytes(name.encode())
    page = document(project, '# T\n\n![A](a.png)\n\n<img src="../light.svg">\n')
    assert page.asked[2:] == ["../docs/a.png", "../light.svg"]
    page = document(project, '# T\n\n<picture><source srcset="dark.svg"><img src="light.svg"></picture>\n', "own.md")
    assert page.asked[2:] == ["../dark.svg", "../light.svg"]
    for name in ("docs/a.png", "light.svg", "dark.svg"):
        assert (project / "site" / name).read_bytes() == name.encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# T\n\n[x](gone.md)\n", "docs/one.md: link 'gone.md': expected a file of the project"),
        ("# T\n\n[x](../../out.md)\n", "docs/one.md: link '../../out.md': expected a file of the project"),
        ("# T\n\n[x](../..)\n", "docs/one.md: link '../..': expected a file of the project"),
        ("# T\n\n![x](gone.png)\n", "docs/one.md: link 'gone.png': expected a file of the project"),
        (
            "# T\n\n![x](https://example.org/a.png)\n",
            "docs/one.md: picture 'https://example.org/a.png': expected a file of the project",
        ),
        ("no title\n", "docs/one.md: no heading: expected a title '# Title'"),
    ],
)
def test_a_document_that_is_wrong_is_one_clear_line_and_no_site(project, text, said):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(StudyError) as fault:
        document(project, text)
    assert str(fault.value) == said
    (project / "docs/one.md").unlink()
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_headings_have_the_fragments_that_github_gives_them(project):
    page = document(
        project, "# One run, from `params.yaml` to a sentence!\n\n## The idea\n\n## The idea\n\n## A_b – C\n"
    )
    assert page.ids == {"one-run-from-paramsyaml-to-a-sentence", "the-idea", "the-idea-1", "a_b--c"}


def test_tables_scroll_on_their_own_and_comments_do_not_show(project):
    page = document(project, "# T\n\n<!-- headline -->\n\n| a | b |\n|---|---|\n| `x` | 2 |\n")
    html = (project / "site/docs/one.html").read_text()
    assert '<div class="table"><table>' in html
    assert "&lt;!--" not in html
    assert page.code[0] == "x"


def test_a_second_build_replaces_the_first_and_gives_the_same(project):
    build(project)
    before = {path: path.read_bytes() for path in (project / "site").rglob("*") if path.is_file()}
    (project / "site/left.html").write_text("from before")
    build(project)
    assert {path: path.read_bytes() for path in (project / "site").rglob("*") if path.is_file()} == before
    assert not list(project.glob(".site*"))


@pytest.mark.parametrize("name", ["index", "gradients"])
def test_a_study_that_is_not_finished_leaves_the_site_as_it_was(project, name, monkeypatch, capsys):
    from rnn_study import cli

    build(project)
    before = {path: path.read_bytes() for path in (project / "site").rglob("*") if path.is_file()}
    (project / f"reports/{name}.html").unlink()
    monkeypatch.chdir(project)
    monkeypatch.setattr("sys.argv", ["rnn-study", "site"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 1
    said = f"error: reports/{name}.html: not found: expected the pages of a finished study; run: make study\n"
    assert capsys.readouterr() == ("", said)
    assert {path: path.read_bytes() for path in (project / "site").rglob("*") if path.is_file()} == before
    assert not list(project.glob(".site*"))


def test_the_workflow_publishes_what_make_site_builds():
    from ruamel.yaml import YAML

    workflow = YAML(typ="safe", pure=True).load((ROOT / ".github/workflows/site.yml").read_text())
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    runs = [step["run"] for step in build["steps"] if "run" in step]
    assert runs == ["make study", "make site"]
    (upload,) = [step for step in build["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^site: .*\n\t\$\(VENV\)/bin/rnn-study site$", makefile, re.M)
    assert f"/{upload['with']['path']}/" in (ROOT / ".gitignore").read_text().split()
    uses = [step["uses"] for job in (build, publish) for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in uses)
    assert workflow["permissions"] == {}
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert "write" not in json.dumps(build["permissions"])
    assert publish["needs"] == "build"
