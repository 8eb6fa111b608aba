"""Whole files or none."""

import errno
import hashlib
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rnn_study.data import prepared
from rnn_study.running.run import results, store
from rnn_study.support.errors import StudyError, one_line_errors
from rnn_study.support.files import atomic, read_arrays, read_json, sha256, write_arrays, write_json, write_rows


def test_a_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "folder" / "file"
    with atomic(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"

    def fail() -> None:
        with atomic(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_arrays_and_json_come_back_and_repeat_to_the_byte(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "text": np.array(["ä", "bc"])}
    for name in ("one.npz", "two.npz"):
        write_arrays(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    for key, value in read_arrays(tmp_path / "one.npz").items():
        np.testing.assert_array_equal(value, arrays[key])
    write_json(tmp_path / "x.json", {"ü": [1, 0.1]})
    assert read_json(tmp_path / "x.json") == {"ü": [1, 0.1]}


def test_rows_are_json_a_line_a_row(tmp_path):
    rows = [{"ü": 1, "v": 1e-16}, {"ü": 2, "v": 0.0}]
    write_rows(tmp_path / "rows.json", rows)
    assert read_json(tmp_path / "rows.json") == rows
    assert len((tmp_path / "rows.json").read_text().splitlines()) == 4
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_rows(tmp_path / "rows.json", [{"v": float("nan")}])
    assert read_json(tmp_path / "rows.json") == rows


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_arrays(tmp_path / "x.npz", {"o": np.array([{}], dtype=object)})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", float("nan"))


def test_the_headers_of_arrays_say_nothing_of_machine_or_time(tmp_path):
    """PKZIP's application note, 4.3.7: version at 4, flags at 6, time and date at 10, name's and extra's lengths."""
    write_arrays(tmp_path / "x.npz", {"a": np.zeros(3), "scalar": np.array(2)})
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        starts = [member.header_offset for member in archive.infolist()]
    content = (tmp_path / "x.npz").read_bytes()
    for start, name in zip(starts, ("a.npy", "scalar.npy"), strict=True):
        version, flags, _, moment, day = struct.unpack_from("<5H", content, start + 4)
        assert (version, flags, moment, day) == (20, 0, 0, 0x21)  # 1 January 1980
        assert struct.unpack_from("<2H", content, start + 26) == (len(name), 0)


def test_digest(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (StudyError("a\nb"), "error: a b\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.npz"),
            "error: x.npz: No space left on device: expected room to write it\n",
        ),
        (
            PermissionError(errno.EROFS, "Read-only file system", "runs"),
            "error: runs: Read-only file system: expected a place that may be read and written\n",
        ),
        (OSError(errno.EIO, "Input/output error"), "error: the system: Input/output error: expected a system that can"),
        (MemoryError("Unable to allocate 3 TiB"), "error: memory: Unable to allocate 3 TiB: expected sizes that"),
    ],
)
def test_errors_are_one_line(capsys, error, expected):
    with pytest.raises(SystemExit) as exit_, one_line_errors():
        raise error
    assert exit_.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(expected)
    assert said.count("\n") == 1


def test_a_store_that_is_full_is_one_line(tmp_path, capsys):
    """SQLite's own error, wrapped as MLflow and Optuna wrap it."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}")

    def fill() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("pragma max_page_count = 4")
            connection.exec_driver_sql("create table t (x)")
            try:
                connection.exec_driver_sql("insert into t values (zeroblob(100000))")
            except sqlalchemy.exc.SQLAlchemyError as error:
                raise RuntimeError("a library's own words") from error

    with pytest.raises(SystemExit) as exit_, one_line_errors():
        fill()
    assert exit_.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: mlflow.db or optuna.db: database or disk is full")
    assert said.count("\n") == 1


def test_other_errors_keep_their_traceback():
    with pytest.raises(ValueError, match="a fault of ours"), one_line_errors():
        raise ValueError("a fault of ours")


def test_a_traceback_stands_before_the_line_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_DEBUG", "1")
    with pytest.raises(SystemExit), one_line_errors():
        raise StudyError("x: got 1: expected 2")
    before, *_, line = capsys.readouterr().err.splitlines()
    assert line == "error: x: got 1: expected 2"
    assert before == "Traceback (most recent call last):"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"PK\x03\x04"])
@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_json, "a.json"),
        (read_arrays, "a.npz"),
        (prepared.load_task, "t.npz"),
        (results.read_weights, "weights.safetensors"),
        (results.read_checkpoints, "checkpoints.safetensors"),
        (results.read_updates, "updates.npz"),
        (results.read_predictions, "predictions.npz"),
        (results.read_summary, "result.json"),
        (store.read_spec, "spec.json"),
        (store.read_id, "weights.safetensors"),
    ],
)
def test_a_damaged_file_is_named(read, name, content, tmp_path):
    path = tmp_path / name
    given = path if read in (read_json, read_arrays, prepared.load_task) else tmp_path
    with pytest.raises(StudyError, match=f"^{path}: not found: expected "):
        read(given)
    path.write_bytes(content)
    with pytest.raises(StudyError, match=rf"^{path}: damaged \("):
        read(given)


def test_a_task_of_other_arrays_is_named(tmp_path):
    write_arrays(tmp_path / "t.npz", {"x": np.ones(3)})
    with pytest.raises(StudyError, match=r"t\.npz: damaged"):
        prepared.load_task(tmp_path / "t.npz")


def test_what_a_killed_writer_left_is_cleared_and_nothing_else(tmp_path):
    left, others = (
        tmp_path / ".result.json.ab_d3fgh",
        [".result.json.kept", ".other.json.abcdefgh", "result.json.abcdefgh"],
    )
    for name in (left.name, *others):
        (tmp_path / name).touch()
    with atomic(tmp_path / "result.json") as file:
        file.write(b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "result.json"])


@pytest.mark.parametrize("when", ["while it writes", "before it takes its name"])
def test_a_writer_that_lives_is_not_taken_for_one_that_was_killed(when, tmp_path, monkeypatch):
    path, replace = tmp_path / "result.json", os.replace

    def other() -> None:
        with atomic(path) as file:
            file.write(b"other")

    def late(name: str, target: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)
        other()
        replace(name, target)

    if when != "while it writes":
        monkeypatch.setattr(os, "replace", late)
    with atomic(path) as file:
        file.write(b"one")
        if when == "while it writes":
            other()
            assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert [found.name for found in tmp_path.iterdir()] == ["result.json"]
