"""Files and settings that nobody would write: every parser reads them, or refuses them in one line, and leaves nothing
half-written. What was found so stands as a case in the other tests of the file that it was found in.

More of them: HOSTILE=10 pytest tests/test_hostile.py
"""

import copy
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from rnn_study import config
from rnn_study.config import OWN_FOLDER, Config, Data, memory
from rnn_study.config.reading import told
from rnn_study.data import tokens
from rnn_study.data.sources import SOURCES, airline, fetch, glove, mnist, tweets
from rnn_study.support.errors import StudyError

HOW_MANY = int(os.environ.get("HOSTILE", "1"))


def many(count: int):
    return settings(
        max_examples=count * HOW_MANY,
        deadline=None,
        derandomize=HOW_MANY == 1,  # the same ones at every run; more are others
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# fmt: off
NASTY = [
    b"\0", b'"', b",", b";", b"\t", b"\r", b"\n", b"\r\n\r\n", b"\xff", b"\x80\x93", "é☃👩‍🚀".encode(), b"\xef\xbb\xbf",
    b"\xff\xfe", b"\x1f\x8b\x08", b"PK\x03\x04", b"nan", b"inf", b"-1", b"1e999", b"9" * 500, b"0x10", b"1_0", b" ",
    b"=cmd|' /C calc'!A0", b"<script>", b"&#0;&amp;lt;", b"../../x", b"{" * 2000, b"[" * 2000, b"%s%n", b"\\", b"'" * 3,
]
# fmt: on
PIECES = st.one_of(st.sampled_from(NASTY), st.binary(max_size=20))
EDITS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 3, 30, 10**6]), PIECES), min_size=1, max_size=4)


def edited(content: bytes, edits) -> bytes:
    for place, cut, piece in edits:
        start = int(place * len(content))
        content = content[:start] + piece + content[start + cut :]
    return content


def one_line(do) -> bool:
    """Whether it was understood; else it was refused in one line."""
    said = ""
    try:
        do()
    except StudyError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 2000
    return not said


def lines(*found: str) -> bytes:
    return "\n".join([*found, ""]).encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def arrays(**found: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **found)
    return buffer.getvalue()


ROWS = [f'"{4 * (n % 2)}","{n}","Mon","q","u","so good {n}"' for n in range(12)]
NUMBERS = np.arange(2 * 3 * 3).reshape(2, 3, 3)
EMBEDDED = dict.fromkeys(SOURCES, "embedded")
# What is read: the source, its settings, the file, a valid one.
READ = {
    "series": (
        "airline",
        {"file": "a.csv", "title": "A", "unit": "l", "season": 3},
        "a.csv",
        lines("when,what", *(f"2020-{m:02},{m}.5" for m in range(1, 13))),
    ),
    "series in JSON": (
        "airline",
        {"file": "a.jsonl", "title": "A", "unit": "l", "season": 3, "value": "v"},
        "a.jsonl",
        lines(*(json.dumps({"d": f"2020-01-{d:02}", "v": d}) for d in range(1, 20))),
    ),
    "texts": (
        "tweets",
        {"file": "a.csv", "title": "A", "text": "said", "label": "stars"},
        "a.csv",
        lines("said,stars", *(f'"well, {n} ""so"" good",{n % 2}' for n in range(12))),
    ),
    "vectors": ("glove", {"file": "a.txt", "title": "A"}, "a.txt", lines("the 0.5 1 2", "of -1 2e-3 4", "café 1 2 3")),
    "images": (
        "mnist",
        {"file": "a.npz", "title": "A"},
        "a.npz",
        arrays(x_train=NUMBERS, y_train=np.array([0, 1]), x_test=NUMBERS, y_test=np.array([1, 0])),
    ),
    "upstream's series": ("airline", "upstream", airline.FILE, None),
    "upstream's tweets": ("tweets", "upstream", "trainingandtestdata.zip", None),
    "tweets in upstream's archive": (
        "tweets",
        "upstream",
        "trainingandtestdata.zip",
        zipped(**{tweets.TRAINING: lines(*ROWS), tweets.HAND_LABELLED: lines(*ROWS)}),
    ),
    "a mirror's about.json": ("airline", "upstream", "about.json", json.dumps({"title": "A", "note": "n"}).encode()),
}


def months() -> bytes:
    rows = [f'"{month}",{value}' for month, value in zip(airline.MONTHS, airline.PASSENGERS, strict=True)]
    return lines('"Month","International airline passengers"', *rows, "", "a footer")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A project's folder with a mirror beside it."""
    folder = tmp_path_factory.mktemp("hostile")
    before = Path.cwd()
    os.chdir(folder)
    os.environ["RNN_STUDY_MIRROR"] = str(folder / "mirror")
    OWN_FOLDER.mkdir(parents=True)
    yield folder
    os.chdir(before)
    del os.environ["RNN_STUDY_MIRROR"]


@pytest.mark.parametrize("name", READ)
def test_data_is_read_or_refused_in_one_line(name, place):
    source, said, file, valid = READ[name]
    upstream = said == "upstream"
    folder = place / "mirror" / {"tweets": "sentiment140"}.get(source, source) if upstream else OWN_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if upstream and source == "airline":
        (folder / airline.FILE).write_bytes(months())
    asked = Data(**EMBEDDED | {source: said}, vectors="glove.6B.50d")
    valid = valid or (months() if source == "airline" else zipped(**{tweets.TRAINING: lines(*ROWS)}))
    raw, understood = place / "data/raw", 0

    @many(1000)
    @given(EDITS)
    def read(edits):
        nonlocal understood
        (folder / file).write_bytes(edited(valid, edits))
        (raw.parent / "pins.json").unlink(missing_ok=True)
        before = sorted(path.name for path in raw.iterdir()) if raw.exists() else []
        if one_line(lambda: fetch(source, asked, raw)):
            understood += 1
            one_line(lambda: _use(source, raw / source))
        else:
            assert sorted(path.name for path in raw.iterdir()) == before  # nothing half-written

    read()
    if name != "upstream's tweets":  # of which one file is missing
        assert understood


def _use(source: str, folder: Path) -> None:
    """What `prepare` does with a source."""
    match source:
        case "glove":
            glove.read(folder, {"the", "of"})
        case "airline":
            assert np.isfinite(airline.read(folder).values).all()
        case "mnist":
            mnist.read(folder)
        case "tweets":
            for text in tweets.read(folder).texts:
                tokens.tokenise(text)


@many(1000)
@given(
    st.text(max_size=200), st.sampled_from(["", "&amp;" * 40, "@" * 50, "a'" * 60, "\u200d" * 9, "!?." * 40, "://x"])
)
def test_every_text_has_tokens_without_white_space(text, more):
    found = tokens.tokenise(text + more)
    assert all(token and not any(map(str.isspace, token)) for token in found)


def leaves(value: object, way: tuple = ()) -> list[tuple]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(deeper for key, one in inner for deeper in leaves(one, (*way, key)))] if way or inner else [way]


PARAMETERS = YAML(typ="safe", pure=True).load(TINY)
PLACES = [way for way in leaves(PARAMETERS) if way]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["lstm", "vanilla", "native", "adding", 10**30, 1e300, -0.0, "../x", "a\nb", "<b>", "é"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@many(2000)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "set", "drop", "add"]), VALUES),
        min_size=1,
        max_size=3,
    )
)
def test_every_study_can_run_or_is_told_why_not(changes):
    asked = copy.deepcopy(PARAMETERS)
    for way, what, value in changes:
        inner = asked
        try:
            for key in way[:-1]:
                inner = inner[key]
            if what == "set":
                inner[way[-1]] = value
            elif what == "drop":
                del inner[way[-1]]
            else:
                inner[str(value)[:9]] = value
        except (KeyError, TypeError, IndexError):  # an earlier change took it away
            continue
    try:
        found = Config.model_validate(asked)
    except ValidationError as error:
        faults = list(told(asked, error.errors()))
        assert faults
    else:
        faults = list(memory.faults(found))
    assert all(line and "\n" not in line and len(line) < 2000 for line in faults)


def test_every_text_of_parameters_is_told_of(tmp_path):
    path = tmp_path / "params.yaml"

    @many(150)
    @given(EDITS)
    def look(edits):
        path.write_bytes(edited(TINY.encode(), edits))
        for line in config.faults(path):
            assert line.startswith(str(path))

    look()
