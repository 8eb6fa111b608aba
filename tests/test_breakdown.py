"""Where the time of a study goes: shares as by hand, and a document that shows what was measured."""

import json

import breakdown
import pytest
from conftest import ROOT


def test_a_moment_belongs_to_what_the_cores_do_in_it(tmp_path):
    """Two stages of 0.2 s: one trains and compiles at once, then waits; one imports, then trains."""
    (tmp_path / "1.csv").write_text("0.05,training,0.09\n0.25,imports,0.1\n0.35,training,0.1\n")
    (tmp_path / "2.csv").write_text("0.05,compiling,0.03\n0.15,training,0.004\n0.35,another,0.1\n")
    found, without = breakdown.shares([(0.0, "a"), (0.2, "b"), (0.4, "end")], tmp_path)
    assert found["a"] == pytest.approx({"training": 0.075, "compiling": 0.025, "idle": 0.1})
    assert found["b"] == pytest.approx({"imports": 0.1, "training": 0.05, "other": 0.05})
    assert without == pytest.approx(0.2)  # the waiting and the imports
    a, b, every = breakdown.rows(found)
    assert a == {"name": "a", "share": 50.0, "training": 18.8, "compiling": 6.2, "idle": 25.0}
    assert b == {"name": "b", "share": 50.0, "training": 12.5, "imports": 25.0, "other": 12.5}
    assert every["name"] == "all"
    assert every["training"] == 31.2
    lines = breakdown.table([a, b, every]).splitlines()
    assert lines[0].startswith("| stage | share | training | diagnosing | compiling | imports |")
    assert lines[2].startswith("| a | 50.0 | 18.8 |  | 6.2 |  |")


def test_the_document_shows_the_committed_table():
    about = json.loads(breakdown.RESULT.read_text())
    text = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert breakdown.table(about["rows"]) in text
    assert breakdown.sentence(about) in " ".join(text.split())
