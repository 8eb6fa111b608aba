"""CITATION.cff: valid CFF 1.2.0, and what pyproject.toml and LICENSE say."""

import tomllib

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

# Of the schema of CFF 1.2.0: what must be there, and what may be besides, of what this file could hold.
REQUIRED = {"cff-version", "message", "title", "authors"}
OPTIONAL = {"abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "version"}
OPTIONAL |= {"license-url", "preferred-citation", "references", "repository", "repository-artifact", "repository-code"}
OPTIONAL |= {"type", "url"}


@pytest.fixture(scope="module")
def citation():
    return YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_it_is_valid(citation):
    assert REQUIRED <= citation.keys() <= REQUIRED | OPTIONAL
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in ("software", "dataset")
    texts = [citation[key] for key in ("message", "title", "version", "license", "abstract")]
    assert all(isinstance(text, str) and text for text in texts)
    assert len(set(citation["keywords"])) == len(citation["keywords"]) > 0
    for author in citation["authors"]:  # an entity has a name; a person has family and given names
        assert "name" in author or {"family-names", "given-names"} <= author.keys()


def test_it_says_what_the_project_says(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("MIT License")
    assert all(author["name"] in licence for author in citation["authors"])
