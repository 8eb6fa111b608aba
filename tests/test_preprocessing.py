"""The benchmark of preprocessing does what it says, with a hundredth of the work; its committed rows are whole."""

import json
import subprocess
import sys

import numpy as np
import preprocessing
from conftest import ROOT

from rnn_study.data.sources import glove, tweets
from rnn_study.data.tokens import tokenise


def test_a_quick_run_has_a_row_for_each_work(tmp_path):
    command = [sys.executable, ROOT / "benchmarks/preprocessing.py", "--quick", "--to", tmp_path / "rows.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=tmp_path)
    vectors, texts = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert vectors["name"] == "12,000 vectors of 200 numbers, reduced to 12,000"
    assert texts["name"].startswith("16,000 tweets (")
    assert texts["theirs_seconds"] is None
    for row in (vectors, texts):
        assert row["seconds"] > 0
        assert 0.01 < row["peak_gib"] < 3
        assert row["name"] in done.stdout
    assert vectors["theirs_seconds"] > 0
    assert list(tmp_path.iterdir()) == [tmp_path / "rows.json"]


def test_every_copy_is_another_tweet_and_read_as_it_was(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_STUDY_MIRROR", raising=False)
    told = preprocessing.write_tweets(tmp_path / "tweets", 9000)
    found = tweets.read(tmp_path / "tweets")
    assert told == "4,000 embedded, generated"
    assert len(found.texts) == len(found.labels) == 9000
    copies = found.texts[0], found.texts[4000], found.texts[8000]
    assert copies == tuple(f"{copies[0].removesuffix(' qaaa')} {word}" for word in ("qaaa", "qaab", "qaac"))
    assert len({" ".join(tokenise(text)) for text in copies}) == 3
    assert 0.3 < found.labels.mean() < 0.7


def test_vectors_are_in_gloves_format(tmp_path):
    preprocessing.write_vectors(tmp_path / "glove", 1500)
    found = glove.read(tmp_path / "glove", {"w0", "w1499", "elsewhere"})
    assert set(found) == {"w0", "w1499"}
    for row in found.values():
        assert row.shape == (200,)
        assert row.dtype == np.float32
        assert 0 < np.abs(row).max() < 1


def test_the_committed_rows_are_whole_and_within_what_is_asked():
    found = json.loads(preprocessing.RESULT.read_text())
    vectors, texts = found["rows"]
    assert vectors["name"] == "1,200,000 vectors of 200 numbers, reduced to 20,000"
    assert texts["name"].startswith("1,600,000 tweets (20,000 of the mirror, repeated)")
    assert found["machine"]["cores"] == 2
    assert vectors["seconds"] <= 60 >= texts["seconds"]
    assert vectors["peak_gib"] <= 1
    assert texts["peak_gib"] <= 3
