"""Archives that unpack to far more than they are, and lines without an end: one line, and memory stays small."""

import gzip
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rnn_study.config import OwnImages
from rnn_study.data.sources import glove, mnist, own, raw, tweets
from rnn_study.support.errors import StudyError

MIB = 1 << 20


def bomb(path: Path, mebibytes: int, head: bytes = b"") -> None:
    """A gzip file of a thousandth of what it unpacks to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", 9) as stream:
        stream.write(head)
        for _ in range(mebibytes):
            stream.write(bytes(MIB))


def test_a_gzip_file_is_read_up_to_the_limit_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "LARGEST", 4 * MIB)
    bomb(tmp_path / "glove/large.gz", 5)
    bomb(tmp_path / "glove/whole.gz", 4)
    (whole,) = raw.digests(tmp_path / "glove/whole.gz")
    assert whole["bytes"] == 4 * MIB
    with pytest.raises(
        StudyError, match=r"^glove/large.gz: unpacks to more than 4194304 bytes: expected a data set's file$"
    ):
        raw.digests(tmp_path / "glove/large.gz")


def test_a_zip_file_is_refused_by_what_its_members_say(tmp_path, monkeypatch):
    monkeypatch.setattr(raw, "LARGEST", 2 * MIB)
    for name, sizes in (("whole", (MIB, MIB)), ("large", (MIB, MIB, 1))):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for number, size in enumerate(sizes):
                archive.writestr(str(number), bytes(size))
    assert len(raw.digests(tmp_path / "whole.zip")) == 2
    with pytest.raises(StudyError, match=r"large.zip: unpacks to more than 2097152 bytes: expected a data set's file$"):
        raw.digests(tmp_path / "large.zip")


def test_a_member_that_says_too_little_gives_no_more(tmp_path):
    """Its size is what the directory says; the rest is not read, and the sum over it is wrong."""
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(MIB))
    content = path.read_bytes()
    directory = content.index(b"PK\1\2")
    path.write_bytes(content[: directory + 24] + struct.pack("<I", 100) + content[directory + 28 :])
    with pytest.raises(StudyError, match=r"liar.zip: .*: expected a whole zip file$"):
        raw.digests(path)


@pytest.mark.parametrize("shape", [(2, 3, 3), (4_000_000_000, 4_000_000_000, 4_000_000_000)])
def test_images_take_no_more_than_their_header_says(shape, tmp_path):
    """In a process that may have 700 MiB: 1.5 GiB of zeros lie behind a header of 18 bytes, or of far too many."""
    bomb(tmp_path / mnist.FILES["train_images"], 1536, bytes([0, 0, 8, 3]) + struct.pack(">3I", *shape))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from rnn_study.data.sources import mnist\nfrom rnn_study.support.errors import StudyError\n"
        "limit = 700 << 20; before = resource.getrlimit(resource.RLIMIT_DATA)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))\n"
        "try:\n    mnist._read_idx(Path(sys.argv[1]), 3)\nexcept (StudyError, MemoryError) as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / mnist.FILES["train_images"])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if shape == (2, 3, 3):
        assert "bytes of data: expected 18, 2 x 3 x 3 by the header" in done.stdout
    else:  # what it asks for cannot be had here
        assert done.stdout.startswith("MemoryError")


def test_a_line_without_an_end_is_told_of(tmp_path, monkeypatch):
    bomb(tmp_path / "glove/glove.6B.50d.txt.gz", 2, b"the " + b"0.1 " * 49 + b"0.1\n")
    with pytest.raises(StudyError, match=r"^glove/glove.6B.50d.txt.gz:2: a line of more than 1048576 bytes: expected"):
        list(glove._rows(tmp_path / "glove"))
    (tmp_path / "tweets").mkdir()
    with zipfile.ZipFile(tmp_path / "tweets" / tweets.FILE, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(tweets.TRAINING, '"0","1","day","q","me","good"\n"4' + "x" * 2 * MIB)
    with pytest.raises(StudyError, match=r"csv:2: a line of more than 1048576 bytes: expected shorter ones$"):
        list(tweets._rows(tmp_path / "tweets", tweets.TRAINING))
    monkeypatch.chdir(tmp_path)
    bomb(tmp_path / "data/own/vectors.gz", 2)
    with pytest.raises(StudyError, match=r"^data/own/vectors.gz:1: a line of more than 1048576 bytes"):
        list(own.vectors(type("Own", (), {"file": "vectors.gz"})))


@pytest.mark.parametrize("size", [0, 1])
def test_the_longest_line_is_a_line(size, tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"a\n" + b"b" * (raw.LONGEST - 1 + size) + b"\nc")
    with path.open("rb") as stream:
        if size:
            with pytest.raises(StudyError, match=r"^lines:2: a line of more than"):
                list(raw.lines(stream, "lines"))
        else:
            assert list(raw.lines(stream, "lines")) == path.read_bytes().splitlines(keepends=True)


def test_own_images_are_refused_by_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/own").mkdir(parents=True)
    np.savez_compressed(tmp_path / "data/own/digits.npz", x_train=np.zeros((3000, 28, 28), np.uint8))
    monkeypatch.setattr(own, "LARGEST", 2 * MIB)
    with pytest.raises(StudyError, match=r"^data/own/digits.npz: unpacks to 23\d{5} bytes: expected 2097152 at most$"):
        own.images(OwnImages(file="digits.npz", title="Digits"))
