"""Raw data that is damaged, wrong, missing or does not fit: one clear line, and nothing half-written."""

import gzip
import io
import json
import os
import re
import shutil
import ssl
import struct
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest
import requests

from rnn_study.config import Data
from rnn_study.data.sources import SOURCES, airline, download, fetch, glove, mnist, tweets
from rnn_study.support.errors import StudyError, one_line_errors

AIRLINE = "airline/international-airline-passengers.csv"
TWEETS = "sentiment140/trainingandtestdata.zip"
GLOVE = "glove/glove.6B.50d.txt.gz"


def data(choice="upstream", vectors="glove.6B.50d"):
    return Data(**dict.fromkeys(SOURCES, choice), vectors=vectors)


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def airline_csv(**changed):
    """The series in upstream's format with its footer; `line2="..."` replaces a line, None cuts there."""
    months = [f'"{month}",{value}' for month, value in zip(airline.MONTHS, airline.PASSENGERS, strict=True)]
    lines = ['"Month","International airline passengers"', *months, "", "a footer", ""]
    for key, line in changed.items():
        lines[int(key.removeprefix("line")) - 1] = line
    if None in lines:
        lines = lines[: lines.index(None)]
    return "\r\n".join(lines).encode()


def tweets_zip(
    training=b'"0","1","d","q","u","t"\n', hand=b'"2","1","d","q","u","t"\n', compression=zipfile.ZIP_STORED
):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in ((tweets.TRAINING, training), (tweets.HAND_LABELLED, hand)):
            if content is not None:
                # The hour would stand in the bytes, and so in a test's name: every worker would collect another one.
                archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def gz(content):
    """Gzip without the hour in its header, as :func:`tweets_zip`."""
    return gzip.compress(content, mtime=0)


def vectors(*rows, width=50):
    rows = rows or ["the" + " 0.5" * width, "of" + " -1" * width]
    return gz("\n".join([*rows, ""]).encode())


def idx(values, *shape, kind=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + bytes(values)


def put_mnist(folder, **changed):
    files = {
        "train-images-idx3-ubyte": idx(range(8), 2, 2, 2),
        "train-labels-idx1-ubyte": idx([3, 4], 2),
        "t10k-images-idx3-ubyte": idx(range(4), 1, 2, 2),
        "t10k-labels-idx1-ubyte": idx([5], 1),
    }
    for name, content in files.items():
        put(
            folder,
            f"mnist/{name}.gz",
            gzip.compress(changed.get(name.split("-ubyte")[0].replace("-", "_"), content)),
        )


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("RNN_STUDY_MIRROR", str(folder))
    return folder


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "raw"


def line_of(name, root, choice=None):
    """The message of the failed fetch, which must be one line and leave nothing behind."""
    before = sorted(root.rglob("*"))
    with pytest.raises(StudyError) as caught:
        fetch(name, choice or data(), root)
    assert sorted(root.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Contents


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ":1: empty: expected a header"),
        (b"\n\n", ":1: '': expected a header"),
        (airline_csv(line1='"Date","Passengers"'), ':1: \'"Date","Passengers"\': expected a header'),
        (airline_csv(line3='"1949-02"'), ":3: 1 columns: expected 2"),
        (airline_csv(line3='"1949-02",118,7'), ":3: 3 columns: expected 2"),
        (airline_csv(line3='"1949-03",118'), ":3: month '1949-03': expected 1949-02"),
        (airline_csv(line5='"1949-04",many'), ":5: value 'many': expected a whole number"),
        (airline_csv(line5='"1949-04",12.5'), ":5: value '12.5': expected a whole number"),
        (airline_csv(line5='"1949-04",0'), ":5: value '0': expected a whole number of 1 to 10000"),
        (airline_csv(line5='"1949-04",10001'), ":5: value '10001': expected a whole number of 1 to 10000"),
        (airline_csv(line145=None), ":144: 143 rows of data: expected 144"),
        (airline_csv(line146='"1961-01",400', line147=None), ":146: 145 rows of data: expected 144"),
        (b"\x1f\x8b\x00\xff\xfe", ":1: "),
        (b"M" * 200_000, ":1: '" + "M" * 40 + "': expected a header"),
        (airline_csv(line4="9" * 200_000), ":4: 0 columns: expected 2"),
    ],
)
def test_faults_of_the_airline_file(content, expected, mirror, root):
    put(mirror, AIRLINE, content)
    assert line_of("airline", root).startswith(AIRLINE + expected)


def test_a_footer_need_not_follow_a_blank_line(mirror, root):
    put(mirror, AIRLINE, airline_csv(line146="Airline passengers: monthly totals in thousands", line147=None))
    assert fetch("airline", data(), root)["complete"]
    put(mirror, AIRLINE, airline_csv(line100="a note", line147=None))
    assert line_of("airline", root).startswith(AIRLINE + ":100: 1 columns: expected 2")


def test_a_largest_value_and_a_missing_footer_are_fine(mirror, root):
    put(mirror, AIRLINE, airline_csv(line5='"1949-04",10000', line146=None))
    assert fetch("airline", data(), root)["complete"]
    assert airline.read(root / "airline")[1][3] == 10000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tweets_zip(hand=None), "testdata.manual.2009.06.14.csv in it"),
        (tweets_zip(training=None), "expected training.1600000.processed.noemoticon.csv in it"),
        (tweets_zip(training=b""), "noemoticon.csv:1: empty: expected rows of six columns"),
        (
            tweets_zip(training=b'"0","1","d","q","u","t"\r\n"4","1"\r\n'),
            "noemoticon.csv:2: 2 columns: expected 6",
        ),
        (
            tweets_zip(training=b'"2","1","d","q","u","t"\n'),
            "noemoticon.csv:1: polarity '2': expected one of 0, 4",
        ),
        (tweets_zip(hand=b'"x","1","d","q","u","t"\n'), "14.csv:1: polarity 'x': expected one of 0, 2, 4"),
        (
            tweets_zip(hand=b'"0","1","d","q","u","t\n"4","1","d","q","u","t"\n'),
            "14.csv:2: 11 columns: expected 6",
        ),
        (tweets_zip(hand=b'"' + b"a" * 200_000), "14.csv:1: field larger than field limit"),
        (tweets_zip()[:-30], "expected a whole zip file"),
        (tweets_zip().replace(b'"u","t"', b'"u","T"', 1), "Bad CRC-32"),
        (b"<html>a page to log in</html>", "File is not a zip file: expected a whole zip file"),
        (b"", "File is not a zip file: expected a whole zip file"),
        (tweets_zip()[1:], "a member before the file's beginning: expected a whole zip file"),
    ],
)
def test_faults_of_the_tweets(content, expected, mirror, root):
    put(mirror, TWEETS, content)
    message = line_of("tweets", root)
    assert message.startswith("tweets/trainingandtestdata.zip")
    assert expected in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (vectors("the" + " 1" * 50, "of" + " 1" * 49), ":2: 49 numbers: expected a word and 50"),
        (vectors("the" + " 1" * 51), ":1: more than 50 numbers: expected a word and 50"),
        (vectors("the" + " 1" * 100), ":1: more than 50 numbers"),
        (vectors("the" + " 1" * 50, "of" + " 1" * 49 + " x"), ":2: value 'x': expected a finite number"),
        (vectors("the nan" + " 1" * 49), ":1: value 'nan': expected a finite number"),
        (vectors("the" + " 1" * 49 + " inf"), ":1: value 'inf': expected a finite number"),
        (vectors("the" + " 1" * 49 + " 1e39"), ":1: value '1e39': expected a finite number"),
        (vectors("the" + " 1" * 50, "", "of" + " 1" * 50), ":2: 0 numbers: expected a word and 50"),
        (gz(b"the" + b" 1" * 50 + b"\n\xff\xfe" + b" 1" * 50), ":2: byte 0xff: expected UTF-8"),
        (gz(b""), ":1: empty"),
        (vectors()[:-12], ": Compressed file ended before the end-of-stream marker"),
        (b"not gzip", ": Not a gzipped file (b'no'): expected a whole gzip file"),
    ],
)
def test_faults_of_the_vectors(content, expected, mirror, root):
    put(mirror, GLOVE, content)
    assert line_of("glove", root).startswith(GLOVE + expected)


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"train_images_idx3": idx([3, 4], 2)},
            "train-images-idx3-ubyte.gz: magic number 0x00000801: expected 0x00000803",
        ),
        (
            {"train_labels_idx1": idx([3, 4], 2, kind=9)},
            "train-labels-idx1-ubyte.gz: magic number 0x00000901",
        ),
        ({"train_labels_idx1": b""}, "train-labels-idx1-ubyte.gz: magic number 0x: expected 0x00000801"),
        (
            {"t10k_images_idx3": bytes([0, 0, 8, 3, 0, 0])},
            "t10k-images-idx3-ubyte.gz: 6 bytes: expected a header of 16",
        ),
        (
            {"t10k_images_idx3": idx(range(3), 1, 2, 2)},
            "3 bytes of data: expected 4, 1 x 2 x 2 by the header",
        ),
        (
            {"t10k_images_idx3": idx(range(5), 1, 2, 2)},
            "5 bytes of data: expected 4, 1 x 2 x 2 by the header",
        ),
        (
            {"t10k_images_idx3": idx([], *[2**32 - 1] * 3)},
            "0 bytes of data: expected 79228162458924105385300197375",
        ),
        (
            {"t10k_images_idx3": idx([], 0, 28, 28)},
            "t10k-images-idx3-ubyte.gz: no rows: expected at least one",
        ),
        (
            {"train_labels_idx1": idx([3, 10], 2)},
            "train-labels-idx1-ubyte.gz: label 10 in row 1: expected 0 to 9",
        ),
        (
            {"train_labels_idx1": idx([3], 1)},
            "train-labels-idx1-ubyte.gz: 1 labels: expected 2, one for each image",
        ),
        ({}, "train-images-idx3-ubyte.gz: 2 images: expected 60000"),
    ],
)
def test_faults_of_the_idx_files(changed, expected, mirror, root):
    put_mnist(mirror, **changed)
    message = line_of("mnist", root)
    assert message.startswith("mnist/")
    assert expected in message


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-10], lambda content: content[:40], flipped, lambda _: b""]
)
def test_damaged_gzip_files_are_named(damage, mirror, root):
    put_mnist(mirror)
    path = mirror / "mnist/t10k-labels-idx1-ubyte.gz"
    path.write_bytes(damage(gzip.compress(idx([i % 10 for i in range(100)], 100))))
    assert "mnist/t10k-labels-idx1-ubyte.gz: " in line_of("mnist", root)


def test_mnist_with_the_right_counts_and_other_bytes_is_refused(mirror, root):
    put_mnist(
        mirror,
        train_images_idx3=idx(bytes(60_000), 60_000, 1, 1),
        train_labels_idx1=idx(bytes(60_000), 60_000),
        t10k_images_idx3=idx(bytes(10_000), 10_000, 1, 1),
        t10k_labels_idx1=idx(bytes(10_000), 10_000),
    )
    message = line_of("mnist", root)
    assert message.startswith("mnist/train-images-idx3-ubyte.gz: SHA-256 of the content is ")
    assert "expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db" in message


@pytest.mark.parametrize("name", SOURCES)
def test_a_raw_file_that_is_not_there_is_named(name, root):
    folder = root / name
    folder.mkdir(parents=True)
    with pytest.raises(StudyError, match=f"^{name}.*: expected [^\\n]*$"):
        SOURCES[name].read(*((folder, ["the"]) if name == "glove" else (folder,)))


# Pins


def test_content_is_pinned_on_first_use_and_a_change_is_refused(mirror, root):
    put(mirror, GLOVE, vectors())
    first = fetch("glove", data(), root)["files"][0]["sha256"]
    pins = root.parent / "pins.json"
    assert json.loads(pins.read_text()) == {f"mirror:{GLOVE}": first}
    (mirror / GLOVE).write_bytes(gzip.compress(gzip.decompress(vectors()), compresslevel=1, mtime=7))
    assert fetch("glove", data(), root)["files"][0]["sha256"] == first  # another wrapper, the same content

    (mirror / GLOVE).write_bytes(vectors("a" + " 1" * 50))
    message = line_of("glove", root)
    assert message.startswith(f"mirror:{GLOVE}: SHA-256")
    assert first in message
    assert f"remove its line in {pins}" in message
    assert glove.read(root / "glove", ["the"]).keys() == {"the"}  # what stood there is still there

    pins.write_text("{}")
    assert fetch("glove", data(), root)["files"][0]["sha256"] != first


def test_members_of_an_archive_are_pinned_one_by_one_beside_other_pins(mirror, root):
    put(mirror, TWEETS, tweets_zip())
    put(mirror, AIRLINE, airline_csv())
    fetch("airline", data(), root)
    fetch("tweets", data(), root)
    assert sorted(json.loads((root.parent / "pins.json").read_text())) == [
        f"mirror:{AIRLINE}",
        "mirror:tweets/trainingandtestdata.zip/testdata.manual.2009.06.14.csv",
        "mirror:tweets/trainingandtestdata.zip/training.1600000.processed.noemoticon.csv",
    ]


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"<<<<<<< HEAD"])
def test_a_damaged_file_of_pins_is_named(content, mirror, root):
    put(root.parent, "pins.json", content)
    put(mirror, AIRLINE, airline_csv())
    assert line_of("airline", root).startswith(f"{root.parent / 'pins.json'}: not readable as a JSON object")


# The swap


def test_a_failed_fetch_leaves_what_stood_there(mirror, root):
    fetch("airline", data("embedded"), root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    put(mirror, AIRLINE, airline_csv(line9="?"))
    line_of("airline", root)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_fetch_replaces_the_folder_as_a_whole(mirror, root):
    put(root, "airline/stale.csv", b"")
    fetch("airline", data("embedded"), root)
    names = {"international-airline-passengers.csv", "provenance.json"}
    assert {path.name for path in (root / "airline").iterdir()} == names


def test_what_a_killed_fetch_left_is_cleared_and_what_it_moved_aside_comes_back(mirror, root):
    put(root, ".airline.partial/replaced/old.csv", b"old")
    put(root, ".airline.partial/airline/new.csv", b"new")
    put(mirror, AIRLINE, b"")
    with pytest.raises(StudyError):
        fetch("airline", data(), root)
    assert [path.name for path in root.rglob("*")] == ["airline", "old.csv"]


# Where files come from


def test_a_mirror_that_does_not_hold_the_file_says_so_and_names_the_ways_out(mirror, root):
    message = line_of("airline", root)
    assert message.startswith(f"{mirror / AIRLINE}: No such file or directory: ")
    assert "set RNN_STUDY_MIRROR to a folder or URL laid out like upstream" in message
    assert "set data.airline: embedded in params.yaml" in message
    (mirror / AIRLINE).mkdir(parents=True)
    assert f"{mirror / AIRLINE}: Is a directory" in line_of("airline", root)


def glove_zip(member="glove.6B.50d.txt"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("glove.6B.100d.txt", b"the" + b" 2" * 100)
        archive.writestr(member, gzip.decompress(vectors()))
    return buffer.getvalue()


@pytest.mark.parametrize("member", ["glove.6B.50d.txt", "../../glove.6B.50d.txt"])
def test_vectors_are_taken_out_of_the_archive_where_the_mirror_has_only_that(member, mirror, root):
    put(mirror, "glove/glove.6B.zip", glove_zip(member))
    record = fetch("glove", data(), root)
    assert record["files"][0]["from"] == "mirror:glove/glove.6B.zip"
    assert sorted(path.name for path in root.rglob("*.*")) == ["glove.6B.50d.txt.gz", "provenance.json"]
    assert glove.read(root / "glove", ["of"])["of"].tolist() == [-1] * 50


def test_an_archive_without_the_vectors_is_named(mirror, root):
    put(mirror, "glove/glove.6B.zip", glove_zip("other.txt"))
    message = line_of("glove", root)
    assert message.startswith("glove/glove.6B.zip: holds ")
    assert message.endswith("expected glove.6B.50d.txt in it")


class Answer(NamedTuple):
    body: bytes = b""
    status: int = 200
    length: int | None = None  # declared; None: the body's
    headers: dict = {}  # noqa: RUF012 (never changed)
    ranges: bool = False  # gives the part that is asked for


class Server(ThreadingHTTPServer):
    """A real server on the loopback; `answers[path]` are given in turn, the last one for ever."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.asked, self.ranges = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answers = self.server.answers.get(self.path, [Answer(status=404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        self.server.ranges.append(start and int(start[1]))
        if start and answer.ranges:
            size, body = len(answer.body), answer.body[int(start[1]) :]
            there = {"Content-Range": f"bytes {start[1]}-{size - 1}/{size}"}
            answer = answer._replace(body=body, status=206, headers=there)
        self.send_response(answer.status)
        if answer.length != -1:
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("RNN_STUDY_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BACKOFF", 0.01)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setattr(airline, "URL", f"{server.url}/airline.csv")
        monkeypatch.setattr(tweets, "URL", f"{server.url}/tweets.zip")
        monkeypatch.setattr(glove, "URL", f"{server.url}/")
        monkeypatch.setattr(mnist, "URLS", (f"{server.url}/first/", f"{server.url}/second/"))
        yield server
        server.shutdown()
        thread.join()


def test_a_public_url_is_downloaded_and_recorded(server, root, capfd):
    server.answers["/airline.csv"] = [Answer(airline_csv())]
    record = fetch("airline", data(), root)
    assert record["origin"] == "upstream"
    assert record["files"][0]["from"] == f"{server.url}/airline.csv"
    assert (root / "airline/international-airline-passengers.csv").read_bytes() == airline_csv()
    assert list(json.loads((root.parent / "pins.json").read_text())) == [f"upstream:{AIRLINE}"]
    assert capfd.readouterr().err == f"{AIRLINE}: 100 % of 0.0 MB\n"


def test_what_was_downloaded_is_not_asked_for_again(server, root, monkeypatch):
    """Not though DVC deletes its copy; but where a file is not as it was, or another one is wanted."""
    server.answers["/glove.6B.zip"] = [Answer(glove_zip())]
    monkeypatch.setitem(glove.ROWS, "glove.6B", len(gzip.decompress(vectors()).splitlines()))
    record = fetch("glove", data(), root)
    content = (root / "glove/glove.6B.50d.txt.gz").read_bytes()
    kept = root.parent / "downloads/glove.6B.50d"
    for damage in (None, b"", content[:-1], content + b"\0"):
        shutil.rmtree(root / "glove")
        if damage is not None:
            (kept / "glove.6B.50d.txt.gz").unlink()
            (kept / "glove.6B.50d.txt.gz").write_bytes(damage)
        server.asked.clear()
        assert fetch("glove", data(), root) == record
        assert (root / "glove/glove.6B.50d.txt.gz").read_bytes() == content
        assert server.asked == ([] if damage is None else ["/glove.6B.zip"])
        assert (kept / "glove.6B.50d.txt.gz").read_bytes() == content
    for text in ("", "[]", '{"../../x": 1}', '{"glove.6B.50d.txt.gz": {"from": "x"}}'):
        (kept / "places.json").write_text(text)
        assert fetch("glove", data(), root) == record
    server.asked.clear()
    monkeypatch.setenv("RNN_STUDY_MIRROR", f"{server.url}/pub")
    line_of("glove", root)
    assert f"/pub/{GLOVE}" in server.asked


def test_a_download_that_is_not_what_it_should_be_is_not_kept(server, root):
    server.answers["/airline.csv"] = [Answer(airline_csv()[:900])]
    line_of("airline", root)
    assert not (root.parent / "downloads").exists()
    server.answers["/airline.csv"] = [Answer(airline_csv())]
    assert fetch("airline", data(), root)["complete"]


def test_a_mirror_may_be_a_url(server, root, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_MIRROR", f"{server.url}/pub/")
    server.answers["/pub/glove/glove.6B.zip"] = [Answer(glove_zip())]
    record = fetch("glove", data(), root)
    assert server.asked == [f"/pub/{GLOVE}", "/pub/glove/glove.6B.zip", "/pub/glove/about.json"]
    assert record["origin"] == "mirror"
    assert record["files"][0]["from"] == "mirror:glove/glove.6B.zip"
    assert server.url not in json.dumps(record)


def test_progress_is_a_line_at_each_tenth_where_there_is_no_terminal(server, root, monkeypatch, capfd):
    monkeypatch.setenv("RNN_STUDY_MIRROR", server.url)
    body = tweets_zip(training=b'"0","1","d","q","u","t"\n' * 100_000)
    server.answers[f"/{TWEETS}"] = [Answer(body)]
    fetch("tweets", data(), root)
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"{TWEETS}: {tenth}0 % of 2.4 MB" for tenth in range(1, 11)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=404), "404 Not Found"),
        (Answer(status=403), "403 Forbidden"),
        (Answer(status=503), "503 Service Unavailable"),
        (Answer(airline_csv()[:100], length=2000), "the download broke off: "),
        (Answer(status=302, headers={"Location": "/airline.csv"}), "Exceeded 30 redirects"),
    ],
)
def test_an_answer_that_is_no_file_is_one_line(answer, expected, server, root):
    server.answers["/airline.csv"] = [answer]
    message = line_of("airline", root)
    assert message.startswith(f"{server.url}/airline.csv: {expected}")
    assert "set RNN_STUDY_MIRROR to a folder or URL" in message
    assert "data.airline: embedded" in message


@pytest.mark.parametrize(
    "transient",
    [
        [Answer(status=503)] * 2,
        [Answer(status=429, headers={"Retry-After": "86400"})],
        [Answer(airline_csv()[:700], length=len(airline_csv()))] * 2,
    ],
)
def test_passing_troubles_are_retried(transient, server, root):
    server.answers["/airline.csv"] = [*transient, Answer(airline_csv())]
    assert fetch("airline", data(), root)["complete"]
    assert len(server.asked) == len(transient) + 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_goes_on_where_it_broke_off_if_the_server_can(ranges, server, root):
    body = airline_csv()
    server.answers["/airline.csv"] = [
        Answer(body[:700], length=len(body)),
        Answer(body[: 1000 if ranges else 300], length=len(body) - (700 if ranges else 0), ranges=ranges),
        Answer(body, ranges=ranges),
    ]
    fetch("airline", data(), root)
    assert (root / "airline/international-airline-passengers.csv").read_bytes() == body
    assert server.ranges == [None, 700, 1000 if ranges else 300]


def redirected(start, location):
    response = requests.Response()
    response.url, response.status_code, response.headers["Location"] = start, 302, location
    with download._Session() as session:
        return session.get_redirect_target(response)


@pytest.mark.parametrize("location", ["http://a/y", "ftp://a/y", "file:///etc/passwd"])
def test_a_redirect_to_a_weaker_kind_of_address_is_refused(location, server, root):
    with pytest.raises(download._Unavailable, match=f"^redirects to {location.partition(':')[0]}://: expected https$"):
        redirected("https://a/x", location)
    if not location.startswith("http:"):
        server.answers["/airline.csv"] = [Answer(status=302, headers={"Location": location})]
        assert f"/airline.csv: redirects to {location.partition(':')[0]}://: expected http" in line_of("airline", root)


def test_other_redirects_are_followed(server, root):
    for start, location in [("https://a/x", "https://b/y"), ("https://a/x", "/y"), ("http://a/x", "https://a/x")]:
        assert redirected(start, location) == location
    server.answers["/airline.csv"] = [Answer(status=302, headers={"Location": "/there.csv"})]
    server.answers["/there.csv"] = [Answer(airline_csv())]
    assert fetch("airline", data(), root)["complete"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_that_nobody_vouches_for_is_named(server, root, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(airline, "URL", f"https://127.0.0.1:{server.server_port}/airline.csv")
    assert "/airline.csv: its certificate cannot be trusted; REQUESTS_CA_BUNDLE" in line_of("airline", root)


def test_what_is_wrong_on_the_way_is_told_apart(server, root, monkeypatch):
    monkeypatch.setattr(airline, "URL", "http://no.such.host.invalid/x.csv")
    assert "/x.csv: no such host is known here: expected" in line_of("airline", root)
    monkeypatch.setattr(airline, "URL", "http://127.0.0.1:9/x.csv")
    assert "/x.csv: cannot connect: expected" in line_of("airline", root)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert "/x.csv: the proxy that HTTP_PROXY or HTTPS_PROXY names does not answer" in line_of("airline", root)


def test_a_cut_download_without_a_length_is_caught_by_the_content(server, root):
    server.answers["/airline.csv"] = [Answer(airline_csv()[:700], length=-1)]
    assert line_of("airline", root).startswith(f"{AIRLINE}:")


def test_a_gzip_file_declared_as_an_encoding_is_stored_as_it_is(server, root, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_MIRROR", server.url)
    server.answers[f"/{GLOVE}"] = [Answer(vectors(), headers={"Content-Encoding": "gzip"})]
    fetch("glove", data(), root)
    assert (root / GLOVE).read_bytes() == vectors()


def test_the_second_public_address_is_tried(server, root):
    server.answers["/second/train-images-idx3-ubyte.gz"] = [Answer(gzip.compress(idx([0], 1, 1, 1)))]
    message = line_of("mnist", root)
    name = "train-labels-idx1-ubyte.gz"
    assert f"{server.url}/first/{name}: 404 Not Found; {server.url}/second/{name}: 404 Not Found" in message


def test_an_excerpt_from_a_public_address_is_refused(server, root):
    server.answers["/tweets.zip"] = [Answer(tweets_zip())]
    server.answers["/glove.6B.zip"] = [Answer(glove_zip())]
    message = line_of("tweets", root)
    assert message.startswith(f"{server.url}/tweets.zip: rows {{'training': 1, 'hand_labelled': 1}}: expected ")
    assert "1600000" in message
    assert "{'words': 2}: expected {'words': 400000}" in line_of("glove", root)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.csv", "http://no.such.host.invalid/x.csv", "http://[bad/x.csv"])
def test_an_unreachable_address_is_one_line_with_the_ways_out(url, server, root, monkeypatch):
    monkeypatch.setattr(airline, "URL", url)
    message = line_of("airline", root)
    assert message.startswith(f"{url}: ")
    assert "set RNN_STUDY_MIRROR to a folder or URL laid out like upstream, or set data.airline: embedded" in message


# A full disk


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("needs root and the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("choice", ["embedded", "upstream"])
def test_a_full_disk_is_one_line_and_leaves_nothing(choice, tiny_disk, mirror, capsys):
    put(mirror, TWEETS, tweets_zip(training=b'"0","1","d","q","u","t"\n' * 10_000))
    with pytest.raises(SystemExit) as stopped, one_line_errors():
        fetch("tweets", data(choice), tiny_disk / "raw")
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.endswith("trainingandtestdata.zip: No space left on device: expected room to write it\n")
    assert message.count("\n") == 1
    assert list((tiny_disk / "raw").iterdir()) == []


@pytest.mark.parametrize(("name", "choice"), [("tweets", "embedded"), ("glove", "embedded"), ("tweets", "upstream")])
def test_a_file_that_does_not_fit_is_one_line_and_leaves_nothing(name, choice, mirror, root):
    put(mirror, TWEETS, tweets_zip(training=b'"0","1","d","q","u","t"\n' * 10_000))
    code = """
import resource, sys
from pathlib import Path
from rnn_study.config import Data
from rnn_study.support.errors import one_line_errors
from rnn_study.data.sources import SOURCES, fetch
name, choice, root = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
with one_line_errors():
    fetch(name, Data(**dict.fromkeys(SOURCES, choice), vectors="glove.6B.50d"), Path(root))
"""
    done = subprocess.run([sys.executable, "-c", code, name, choice, str(root)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(": File too large: expected room to write it\n")
    assert done.stderr.count("\n") == 1
    assert list(root.iterdir()) == []
