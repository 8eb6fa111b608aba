"""docs/machines.md says what the code does."""

import re

from conftest import ROOT

TEXT = (ROOT / "docs/machines.md").read_text()
FILES = [*(ROOT / "src").rglob("*.py"), *(ROOT / "pipelines").glob("*.py"), ROOT / "Makefile"]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_line_that_is_explained_is_one_that_is_said():
    source = "\n".join(path.read_text() for path in FILES)
    said = re.sub(r'"\s*\n\s*f?"', "", source)  # strings that go on in the next line
    named = [re.findall(r"`([^`]+)`", cell) for cell, _ in rows("What is said, and what to do")]
    assert len(named) > 15
    for pieces in named:
        assert pieces
        for piece in pieces:
            assert piece in said, piece


def test_every_variable_of_the_study_is_named():
    used = {name for path in FILES for name in re.findall(r"RNN_STUDY_[A-Z]+", path.read_text())}
    named = {name for cell, _ in rows("What may be set") for name in re.findall(r"`(RNN_STUDY_[A-Z]+)", cell)}
    assert named == used
    assert len(used) > 4


def test_what_is_left_out_of_the_environment_is_what_is_said():
    from rnn_study.running.execution import workers

    said = " ".join(TEXT.partition("variables that begin with ")[2].partition("\n\n")[0].split())
    left, stay = said.partition("Those of memory and messages stay: ")[::2]
    prefixes = re.findall(r"`([A-Z]+_?)`", left)
    assert len(prefixes) > 10
    for prefix in prefixes:
        assert workers._FOREIGN.match(f"{prefix.rstrip('_')}_X"), prefix
    assert set(re.findall(r"`(\w+)`", stay)) == workers._HARMLESS
    for name in ("PATH", "HOME", "CUDA_VISIBLE_DEVICES", "HTTP_PROXY", "RNN_STUDY_WORKERS", "MLFLOW_TRACKING_URI"):
        assert not workers._FOREIGN.match(name)
