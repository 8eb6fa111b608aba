"""A reader's own series, texts, vectors and images: what is understood, and the one line for what is not."""

import gzip
import json
import os
import struct
import time
import zipfile

import numpy as np
import pytest
from conftest import ROOT

from rnn_study import config
from rnn_study.config import OWN_FOLDER, Airline, Data, MnistRows, OwnTexts, Tweets
from rnn_study.data.data_card import card
from rnn_study.data.sources import airline, fetch, glove, mnist, tweets
from rnn_study.data.sources import own as own_files
from rnn_study.data.tasks import TASKS
from rnn_study.support.errors import StudyError

SERIES = {"file": "my.csv", "title": "A river", "unit": "litres", "season": 4}
TEXTS = {"file": "my.csv", "title": "Reviews", "text": "said", "label": "stars"}
IMAGES = {"file": "my.npz", "title": "Shapes"}
WINDOWS = {"look_back": 4, "logarithm": False, "first_difference": False, "seasonal_difference": False, "validation": 5}


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Write a file into the reader's folder; the test runs beside it."""
    monkeypatch.chdir(tmp_path)
    OWN_FOLDER.mkdir(parents=True)

    def write(content, name="my.csv"):
        (OWN_FOLDER / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def data(**chosen):
    embedded = dict.fromkeys(("mnist", "tweets", "glove", "airline"), "embedded")
    return Data(**(embedded | chosen), vectors="glove.6B.50d")


def fetched(tmp_path, name, **chosen):
    return fetch(name, data(**{name: chosen}), tmp_path / "raw")


def series_of(tmp_path, **changes):
    fetched(tmp_path, "airline", **SERIES | changes)
    return airline.read(tmp_path / "raw/airline")


# A series


@pytest.mark.parametrize(
    ("text", "dates", "values", "step"),
    [
        (
            "when,what\n2020-01,1.5\n2020-02,2\n2020-03,-3e2\n",
            ["2020-01", "2020-02", "2020-03"],
            [1.5, 2, -300],
            "month",
        ),
        ("d;v\n2020-01-01;1,5\n2020-01-08;2,25\n", ["2020-01-01", "2020-01-08"], [1.5, 2.25], "week"),
        ("\ufeffd\tv\r\n2020\t7\r\n2021\t8\r\n\r\n", ["2020", "2021"], [7, 8], "year"),
        (
            "d,v\n2020-01-31,1\n2020-02-29,2\n2020-03-31,3\n",
            ["2020-01-31", "2020-02-29", "2020-03-31"],
            [1, 2, 3],
            "month",
        ),
        ("d,v\n2020-01-31,1\n2020-04-30,2\n", ["2020-01-31", "2020-04-30"], [1, 2], "quarter"),
        ("d,v\n2020-01-01 23:00,1\n2020-01-02 00:00,2\n", ["2020-01-01 23:00", "2020-01-02 00:00"], [1, 2], "hour"),
        ("d,v\n2020-02-28,1\n2020-02-29,2\n", ["2020-02-28", "2020-02-29"], [1, 2], "day"),
        ("d,v\n2020-01-01,1\n2020-01-11,2\n", ["2020-01-01", "2020-01-11"], [1, 2], "step"),
        ("v\n4\n5\n", ["1", "2"], [4, 5], "step"),
    ],
)
def test_a_series_is_read_as_people_write_it(text, dates, values, step, put, tmp_path):
    put(text)
    found = series_of(tmp_path, test=0.5)
    assert (found.dates, found.values.tolist(), found.step) == (dates, values, step)
    assert (found.unit, found.season) == ("litres", 4)


def test_columns_are_chosen_by_name_and_the_test_part_by_date_or_share(put, tmp_path):
    put("a,when,b\n" + "".join(f"{k},{2000 + k},{k * k}\n" for k in range(10)))
    found = series_of(tmp_path, date="when", value="a", test="2007")
    assert (found.values[3], found.dates[3]) == (3, "2003")
    assert (found.training, found.test) == (7, range(7, 10))
    assert series_of(tmp_path, date="when", test=0.4).test == range(6, 10)
    assert series_of(tmp_path, date="when", test=0.4).values[3] == 9  # the last column


@pytest.mark.parametrize(
    ("text", "changes", "said"),
    [
        ("", {}, "data/own/my.csv:1: empty: expected a header"),
        ("d,v\n", {}, "data/own/my.csv: 0 values: expected a series"),
        ("d,v\n2020,1\n2021,\n", {}, "data/own/my.csv:3: value '': expected a number, and every step to have one"),
        ("d,v\n2020,1\n2021,nan\n", {}, "my.csv:3: value 'nan': expected a number"),
        ("d,v\n2020,1\n2021,1e999\n", {}, "my.csv:3: value '1e999': expected a number"),
        ('d,v\n2020,1\n2021,"1,234"\n', {}, "my.csv:3: value '1,234': expected a number"),
        ("d,v\n2020,1\n2021,1,2\n", {}, "my.csv:3: 3 columns: expected 2, as in the header"),
        ("d,v\n2020,1\n03/04/2021,2\n", {}, "my.csv:3: date '03/04/2021': expected one like 2020, 2020-01"),
        ("d,v\n2020,1\n2021,2\n2023,3\n2024,4\n", {}, "my.csv:4: 2023 after 2021: expected a step of 12 months"),
        ("d,v\n2021,1\n2020,2\n2019,3\n", {}, "my.csv:3: 2020 after 2021: expected the oldest first"),
        ("2019,0.5\n2020,1\n2021,2\n", {}, "data/own/my.csv:1: '2019,0.5': expected a header with the names of the"),
        ("0.5\n1\n2\n", {}, "data/own/my.csv:1: '0.5': expected a header"),
        ("d,v\n2021,1\n2021,2\n2021,3\n", {}, "my.csv:3: 2021 after 2021: expected a step of 0 months"),
        ("v,v\n2020,1\n2021,2\n", {}, "data/own/my.csv:1: two columns 'v': expected each name once"),
        ("d,v\n2020,1\n2021,2\n", {"date": "when"}, "date: got 'when': expected a column of data/own/my.csv: d, v"),
        ("d,v\n2020,1\n2021,2\n", {"value": "w"}, "data.airline.value: got 'w'"),
        ("d,v\n2020,1\n2021,2\n", {"test": "1990"}, "test: got '1990': expected a date after 2020, with 3 values at"),
        ("d,v\n2020,1\n2021,2\n2022,3\n", {"test": "2022"}, "test: got '2022': expected a date after 2020, with 3"),
        ("d,v\n2020,1\n2021,2\n", {"test": "2030"}, "data.airline.test: got '2030'"),
        ("d,v\n2020,1\n2021,2\n", {"file": "other.csv"}, "data.airline.file: data/own/other.csv: not found"),
    ],
)  # fmt: skip
def test_a_faulty_series_is_one_line(text, changes, said, put, tmp_path):
    put(text)
    with pytest.raises(StudyError) as error:
        series_of(tmp_path, **{"test": 0.5} | changes)
    assert said in str(error.value)
    assert not (tmp_path / "raw/airline").exists()


def test_a_test_part_has_three_values_at_least(put, tmp_path):
    """Of two that depend on each other no error of their mean is known."""
    put("d,v\n" + "".join(f"{2000 + value},{value}\n" for value in range(20)))
    assert series_of(tmp_path, test=0.01).test == range(17, 20)
    assert series_of(tmp_path, test="2017").test == range(17, 20)
    with pytest.raises(StudyError, match="with 3 values at least from it on"):
        series_of(tmp_path, test="2018")


def test_its_provenance_is_what_the_reader_says_and_what_was_counted(put, tmp_path):
    put("d,v\n2020,1\n2021,2\n2022,3\n")
    record = fetched(tmp_path, "airline", **SERIES, licence="CC0")
    assert (record["title"], record["origin"], record["licence"]) == ("A river", "own", "CC0")
    assert (record["rows"], record["complete"], record["generated"]) == ({"years": 3}, True, False)
    assert [file["from"] for file in record["files"]] == ["data/own/my.csv"]
    assert "Box" not in json.dumps(record)


def windows(put, tmp_path, values, **changes):
    put("v\n" + "".join(f"{value}\n" for value in values))
    asked = {key: changes.pop(key) for key in list(changes) if key in SERIES | {"test": 0}}
    fetched(tmp_path, "airline", **SERIES | asked)
    return TASKS["airline"].prepare(tmp_path / "raw", Airline(**WINDOWS | changes))


def test_a_series_of_any_length_unit_and_season_becomes_a_task(put, tmp_path):
    values = [100 + 0.25 * k + 0.01 * k**2 + [0, 3, -2, 7][k % 4] + k**3 % 5 for k in range(61)]
    task, details = windows(put, tmp_path, values, test=0.2, seasonal_difference=True, first_difference=True)
    assert (task.unit, int(task.extras["season"]), str(task.extras["step"])) == ("litres", 4, "step")
    assert task.extras["index_test"].tolist() == list(range(49, 61))
    assert task.extras["index_validation"].tolist() == list(range(44, 49))
    assert task.extras["index_train"].tolist() == list(range(5 + 4, 44))
    # Each value is the one before, what it was a season ago, and what that had been before.
    for name, part in task.parts().items():
        places = task.extras[f"index_{name}"]
        np.testing.assert_allclose(task.to_unit(part.y, name), np.array(values)[places], rtol=1e-5)
    assert details["test"] == ["50", "61"]
    told = card(task, details, ("airline",), tmp_path / "raw")
    assert told["provenance"][0]["title"] == "A river"


@pytest.mark.parametrize(
    ("values", "changes", "said"),
    [
        ([5, 4, 0, 2] * 9, {"logarithm": True}, "logarithm: true with 0 at 3: expected false, or a series above 0"),
        (range(40), {"season": 1, "seasonal_difference": True}, "seasonal_difference: true with data.airline.season 1"),
        (range(40), {"season": 30}, "data.airline.season: got 30: expected less than the training part, 27 values"),
        (range(16), {}, "11 training values: look_back 4, validation 5 and 0 for differences leave 2 to"),
        (range(15), {}, "leave 1 to learn from: expected 2 at least"),
        ([k * k for k in range(17)], {"first_difference": True}, "and 1 for differences leave 1 to learn from"),
        ([3] * 40, {}, "the training values do not vary"),
    ],
)  # fmt: skip
def test_a_series_that_the_settings_do_not_fit_is_one_line(values, changes, said, put, tmp_path):
    if len(list(values)) == 16:  # just enough
        windows(put, tmp_path, values, **changes)
        return
    with pytest.raises(StudyError, match="expected") as error:
        windows(put, tmp_path, values, **changes)
    assert said in str(error.value)


# Texts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("my.csv", 'stars,said,who\nfive,"good, really",a\none,bad,b\nfive,fine,c\n'),
        ("my.csv", "said;stars\ngood, really;five\nbad;one\nfine;five\n"),
        ("my.tsv", "said\tstars\ngood, really\tfive\nbad\tone\nfine\tfive\n"),
        ("my.jsonl", '{"said": "good, really", "stars": "five"}\n\n{"said": "bad", "stars": "one"}\n'
                     '{"stars": "five", "said": "fine", "id": 3}\n'),
        ("my.csv", "\ufeffsaid;stars\ngood, really;five\nbad;one\nfine;five\n".encode("utf-16")),
    ],
)  # fmt: skip
def test_texts_are_read_from_tables_and_json_lines(name, content, put, tmp_path):
    put(content, name)
    record = fetched(tmp_path, "tweets", **TEXTS | {"file": name})
    found = tweets.read(tmp_path / "raw/tweets")
    assert found.texts == ["good, really", "bad", "fine"]
    assert (found.classes, found.labels.tolist()) == (("five", "one"), [0, 1, 0])
    assert found.hand_texts is None
    assert record["rows"] == {"texts": 3}


def test_a_text_may_hold_what_else_ends_a_line(put, tmp_path):
    """JSON has these unescaped within strings."""
    put('{"said": "one\u2028two\x85", "stars": 1}\r\n{"said": "b", "stars": 0}\r\n', "my.jsonl")
    fetched(tmp_path, "tweets", **TEXTS | {"file": "my.jsonl"})
    assert tweets.read(tmp_path / "raw/tweets").labels.tolist() == [1, 0]


def test_many_texts_are_read_in_little_time(put, tmp_path):
    """A set of all labels so far for every row would take a minute."""
    put("said,stars\n" + "".join(f"a,{row % 2}\n" for row in range(100_000)))
    begun = time.monotonic()
    texts, labels = own_files.texts(OwnTexts(**TEXTS))
    assert (len(texts), len(labels)) == (100_000, 100_000)
    assert time.monotonic() - begun < 10


def test_the_header_says_what_parts_the_columns(put, tmp_path):
    put("said;stars\na, b, c, d;1\ne, f, g, h;0\n")
    fetched(tmp_path, "tweets", **TEXTS)
    assert tweets.read(tmp_path / "raw/tweets").texts == ["a, b, c, d", "e, f, g, h"]


def test_numbers_and_windows_letters_are_read_too(put, tmp_path):
    put('{"said": "don\u2019t", "stars": 1}\n{"said": 5, "stars": 0}\n', "my.jsonl")
    fetched(tmp_path, "tweets", **TEXTS | {"file": "my.jsonl"})
    assert tweets.read(tmp_path / "raw/tweets").classes == ("0", "1")
    put("said,stars\ndon\u2019t,1\nna\u00efve,0\n".encode("cp1252"))
    fetched(tmp_path, "tweets", **TEXTS)
    assert tweets.read(tmp_path / "raw/tweets").texts == ["don\u2019t", "na\u00efve"]
    put("said,stars\na,b\u0153uf\nc,d\n".encode("cp1252"))
    fetched(tmp_path, "tweets", **TEXTS)
    assert tweets.read(tmp_path / "raw/tweets").classes == ("b\u0153uf", "d")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("my.csv", "text,stars\na,1\n", "text: got 'said': expected a column of data/own/my.csv: text, stars"),
        ("my.csv", "said,label\na,1\n", "data.tweets.label: got 'stars'"),
        ("my.csv", "said,stars\na,1\nb,1\n", "data/own/my.csv: labels '1': expected two different ones in all"),
        ("my.csv", "said,stars\n", "data/own/my.csv: labels none: expected two different ones"),
        ("my.csv", "said,stars\na,1\nb,2\nc,3\n", "data/own/my.csv:4: labels '1', '2', '3': expected two different"),
        ("my.csv", "said,stars\na,1\nb,\n", "data/own/my.csv:3: no label: expected one of two in each row"),
        ("my.jsonl", '{"said": "a", "stars": 1}\n[1]\n', "data/own/my.jsonl:2: '[1]': expected a JSON object"),
        ("my.jsonl", "{\n", "data/own/my.jsonl:1: '{': expected a JSON object in each line"),
        ("my.jsonl", "{}\n", "data/own/my.jsonl:1: '{}': expected a JSON object"),
        ("my.jsonl", '{"said": "\\ud800", "stars": 1}\n', "my.jsonl:1: '\\ud800': half a character: expected whole"),
        ("my.jsonl", '{"said": "a", "stars": null}\n', "my.jsonl:1: no label: expected one of two in each row"),
    ],
)  # fmt: skip
def test_faulty_texts_are_one_line(name, content, said, put, tmp_path):
    put(content, name)
    with pytest.raises(StudyError) as error:
        fetched(tmp_path, "tweets", **TEXTS | {"file": name})
    assert said in str(error.value)


# Vectors


@pytest.mark.parametrize("header", ["", "3 2\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_vectors_come_in_gloves_format_or_in_word2vecs(header, packed, put, tmp_path):
    text = (header + "good 0.5 -1\nbad 2 3e-1 \nfine\t1\t2\n").encode()
    put(gzip.compress(text) if packed else text, "v.txt.gz" if packed else "v.txt")
    record = fetched(tmp_path, "glove", file="v.txt.gz" if packed else "v.txt", title="Bakery")
    assert record["rows"] == {"words": 3}
    found = glove.read(tmp_path / "raw/glove", {"good", "fine", "missing"})
    assert {word: vector.tolist() for word, vector in found.items()} == {"good": [0.5, -1], "fine": [1, 2]}
    assert glove.special_words(tmp_path / "raw/glove") == {}


def test_a_number_may_be_a_word_with_a_vector(put, tmp_path):
    put("7 1 2\n8 3 4\n", "v.txt")
    assert fetched(tmp_path, "glove", file="v.txt", title="Counts")["rows"] == {"words": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "own/v.txt:1: '': expected a word and its"), ("word\n", "own/v.txt:1: 'word\\n': expected a word and its"),
     ("a 1 2\nb 1\n", "own/v.txt:2: 1 numbers: expected a word and 2"),
     ("2 2\na 1 2\nb 1 x\n", "own/v.txt:3: value 'x': expected a finite")],
)  # fmt: skip
def test_faulty_vectors_are_one_line(text, said, put, tmp_path):
    put(text, "v.txt")
    with pytest.raises(StudyError) as error:
        fetched(tmp_path, "glove", file="v.txt", title="Bakery")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,1", "b,0"], "validation part: 0 texts, of no class"),
        (
            [f"only {'abcdefghij'[k % 10] * (1 + k // 10)},{int(k == 7)}" for k in range(30)],
            "texts, of 0: expected some of",
        ),
        ([f"word {'abcdefghij'[k % 10] * (1 + k // 10)},{k % 2}" for k in range(40)], None),
    ],
    ids=["two", "one of a class", "enough"],
)
def test_a_part_without_a_class_is_one_line(rows, said, put, tmp_path):
    put("said,stars\n" + "\n".join(rows) + "\n")
    put("word 1 2\nonly 2 1\na 1 1\nb 1 0\n", "v.txt")
    fetched(tmp_path, "tweets", **TEXTS)
    fetched(tmp_path, "glove", file="v.txt", title="Bakery")
    params = Tweets(validation=0.2, test=0.2, seed=0, vocabulary=100, max_tokens=5)
    if said is None:
        TASKS["tweets"].prepare(tmp_path / "raw", params)
        return
    with pytest.raises(StudyError, match=r"tweets: (train|validation|test) part: \d+ texts, of ") as error:
        TASKS["tweets"].prepare(tmp_path / "raw", params)
    assert said in str(error.value)


def test_a_table_that_is_mostly_without_vectors_says_so(put, tmp_path):
    first, second = "abcdefgh", "stuvwxyz"
    rows = [f'"{first[number % 8]} {second[number // 8]} bun",{number % 2}' for number in range(64)]
    put("said,stars\n" + "\n".join(rows) + "\n")
    params = Tweets(validation=0.2, test=0.2, seed=0, vocabulary=100, max_tokens=5)
    whole = "".join(f"{letter} {place} 1\n" for place, letter in enumerate(first + second))
    for vectors, warned in (("bun 1 2\na 1 1\n", True), (whole, False)):
        put(vectors, "v.txt")
        fetched(tmp_path, "tweets", **TEXTS)
        fetched(tmp_path, "glove", file="v.txt", title="Bakery")
        task, details = TASKS["tweets"].prepare(tmp_path / "raw", params)
        assert task.extras["classes"].tolist() == ["0", "1"]
        assert ("warning" in details) is warned


# Images


def test_images_of_any_shape_and_number_of_classes(put, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.integers(0, 256, (30, 5, 4)), "y_train": np.arange(30) % 3,
              "x_test": rng.integers(0, 256, (6, 5, 4)).astype(float), "y_test": np.arange(6) % 3}  # fmt: skip
    np.savez(OWN_FOLDER / "my.npz", **arrays)
    record = fetched(tmp_path, "mnist", **IMAGES)
    assert (record["title"], record["rows"]) == ("Shapes", {"train": 30, "test": 6})
    found = mnist.read(tmp_path / "raw/mnist")
    np.testing.assert_array_equal(found["train_images"], arrays["x_train"])
    np.testing.assert_array_equal(found["test_labels"], arrays["y_test"])
    task, _ = TASKS["mnist_rows"].prepare(tmp_path / "raw", MnistRows(validation=0.2, seed=0))
    assert (task.outputs, task.inputs, task.extras["classes"].tolist()) == (3, 4, ["0", "1", "2"])


def idx(values):
    array = np.asarray(values, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_a_folder_of_idx_files_packed_or_not(put, tmp_path):
    (OWN_FOLDER / "shapes").mkdir()
    for name in ("train", "t10k"):
        put(idx(np.arange(24).reshape(4, 3, 2)), f"shapes/{name}-images-idx3-ubyte")
        put(gzip.compress(idx([0, 1, 1, 0])), f"shapes/{name}-labels-idx1-ubyte.gz")
    fetched(tmp_path, "mnist", file="shapes", title="Shapes")
    assert mnist.read(tmp_path / "raw/mnist")["test_images"][3].tolist() == [[18, 19], [20, 21], [22, 23]]
    (OWN_FOLDER / "shapes/t10k-images-idx3-ubyte").unlink()
    with pytest.raises(StudyError, match=r"shapes/t10k-images-idx3-ubyte.gz: not found: expected it, or t10k-images"):
        fetched(tmp_path, "mnist", file="shapes", title="Shapes")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": np.zeros((4, 6))}, "x_train: shape (4, 6), float64: expected numbers of shape (images, rows,"),
        ({"y_test": np.array(["a", "b"])}, "y_test: shape (2,), <U1: expected numbers of shape (images,)"),
        ({"x_test": np.full((2, 3, 2), 0.5)}, "x_test: 0.5 at [0, 0, 0]: expected whole numbers of 0 to 255"),
        ({"x_test": np.full((2, 3, 2), 256)}, "x_test: 256 at [0, 0, 0]: expected whole numbers of 0 to 255"),
        ({"x_test": np.array([0.0] * 7 + [np.nan] * 5).reshape(2, 3, 2)}, "x_test: nan at [1, 0, 1]: expected whole"),
        ({"y_train": np.array([0, 2, 0, 2])}, "own/my.npz: y_train: no label 1 among them: expected all of 0 to 2"),
        ({"y_train": np.zeros(4, int)}, "no label 1 among them: expected all of 0 to 1"),
        ({"y_test": np.array([0, 7])}, "own/my.npz: y_test: label 7 in row 1: expected 0 to 1"),
        ({"y_test": np.array([1, 1])}, "own/my.npz: y_test: label 1 alone: expected two classes at least"),
        ({"x_test": np.full((2, 3, 2), 1j)}, "x_test: shape (2, 3, 2), complex128: expected numbers"),
        ({"x_test": None}, "expected x_test in it"),
        ({"x_test": np.zeros((2, 2, 3), int)}, "images of 2 x 3 pixels: expected 3 x 2, as those to learn from"),
    ],
)  # fmt: skip
def test_faulty_images_are_one_line(changes, said, put, tmp_path):
    arrays = {"x_train": np.zeros((4, 3, 2), int), "y_train": np.arange(4) % 2, "x_test": np.zeros((2, 3, 2), int)}
    arrays |= {"y_test": np.array([0, 1])}
    np.savez(OWN_FOLDER / "my.npz", **{key: value for key, value in (arrays | changes).items() if value is not None})
    with pytest.raises(StudyError) as error:
        fetched(tmp_path, "mnist", **IMAGES)
    assert said in str(error.value)


def test_an_archive_of_something_else_is_one_line(put, tmp_path):
    with zipfile.ZipFile(OWN_FOLDER / "my.npz", "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name, "no array")
    with pytest.raises(StudyError, match=r"own/my.npz: x_train: shape \(\), .*: expected numbers of shape"):
        fetched(tmp_path, "mnist", **IMAGES)


def test_a_pipe_is_not_waited_for(put, tmp_path):
    os.mkfifo(OWN_FOLDER / "my.npz")
    with pytest.raises(StudyError, match=r"data/own/my.npz: neither a file nor a folder: expected one of the two"):
        fetched(tmp_path, "mnist", **IMAGES)


def test_a_mark_before_the_first_vector_is_no_part_of_its_word(put, tmp_path):
    put("\ufeffbread 1 2\nrye 3 4\n", "v.txt")
    fetched(tmp_path, "glove", file="v.txt", title="Bakery")
    assert glove.read(tmp_path / "raw/glove", ["bread"]).keys() == {"bread"}


def test_images_without_a_pixel_are_one_line(put, tmp_path):
    dark = np.zeros((8, 3, 2), int)
    labels = np.arange(8) % 2
    np.savez(OWN_FOLDER / "my.npz", x_train=dark, y_train=labels, x_test=dark + 1, y_test=labels)
    fetched(tmp_path, "mnist", **IMAGES)
    with pytest.raises(StudyError, match=r"^mnist: no pixel of the images to learn from is above 0: expected images$"):
        TASKS["mnist_rows"].prepare(tmp_path / "raw", MnistRows(validation=0.2, seed=0))


@pytest.mark.parametrize("content", [b"PK", b"", b"\x93NUMPY"])
def test_what_is_no_npz_is_one_line(content, put, tmp_path):
    put(content, "my.npz")
    with pytest.raises(StudyError, match=r"data/own/my.npz: .*expected a .npz file, or a folder of IDX files"):
        fetched(tmp_path, "mnist", **IMAGES)


def test_pickles_are_not_read(put, tmp_path):
    np.savez(OWN_FOLDER / "my.npz", x_train=np.array([{}]), y_train=[0], x_test=[0], y_test=[0])
    with pytest.raises(StudyError, match="Object arrays cannot be loaded"):
        fetched(tmp_path, "mnist", **IMAGES)


# What params.yaml may say


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("embeded", "data.airline: got 'embeded': expected embedded, upstream, or file: and what is in it"),
        ("{title: T, unit: u, season: 4}", "data.airline.file: missing: expected as in docs/own-data.md"),
        ("{file: a.csv, title: T, unit: u, season: 4, step: 3}", "step: unknown key: expected the keys of docs/own"),
        ("{file: ../a.csv, title: T, unit: u, season: 4}", "data.airline.file: got '../a.csv': expected the name of a"),
        ("{file: /etc/passwd, title: T, unit: u, season: 4}", "file: got '/etc/passwd': expected the name"),
        ("{file: a.csv, title: T, unit: u, season: 0}", "data.airline.season: got 0: expected at least 1"),
        ("{file: a.csv, title: T, unit: u, season: 4, test: 0.9}", "test: got 0.9: expected a share of 0.01"),
        ("{file: a.csv, title: T, unit: u, season: 4, test: soon}", "data.airline.test: got 'soon': expected a share"),
        ("{file: a.csv, title: T, unit: u, season: 4, test: 2020-01-01}", "data.airline.test: got datetime.date"),
    ],
)  # fmt: skip
def test_a_fault_of_an_own_source_is_one_line(said, fault, tmp_path):
    quick = (ROOT / "studies/quick.yaml").read_text()
    line = next(line for line in quick.splitlines() if line.startswith("  airline: embedded"))
    path = tmp_path / "params.yaml"
    path.write_text(quick.replace(line, f"  airline: {said}"))
    (found,) = config.faults(path)
    assert fault in found


def test_a_series_without_a_season_is_asked_nothing_of_a_season(put, tmp_path):
    """Told by `check`, not after all training."""
    put("a,b\n1,2\n", "a.csv")
    quick = (ROOT / "studies/quick.yaml").read_text()
    line = next(line for line in quick.splitlines() if line.startswith("  airline: embedded"))
    path = tmp_path / "params.yaml"
    seasonless = quick.replace(line, "  airline: {file: a.csv, title: T, unit: u, season: 1}")
    path.write_text(seasonless)
    assert config.faults(path) == [
        f"{path}: tasks.airline.prepare.seasonal_difference: true with data.airline.season 1: expected false",
        f"{path}: questions.airline-season: b 'a season ago (seasonal naive)': expected one of vanilla, lstm, gru, "
        "last value (persistence)",
    ]
    path.write_text(
        seasonless.replace("seasonal_difference: true", "seasonal_difference: false").replace(
            "a season ago (seasonal naive)", "last value (persistence)"
        )
    )
    assert config.faults(path) == []
    path.write_text(quick.replace(line, "  airline: {file: a.csv, title: T, unit: u, season: 2}"))
    assert config.faults(path) == []


def test_a_file_that_is_not_there_is_told_before_anything_runs(tmp_path, monkeypatch):
    """It lies in the project, wherever the study's parameters do."""
    monkeypatch.chdir(tmp_path)
    quick = (ROOT / "studies/quick.yaml").read_text()
    line = next(line for line in quick.splitlines() if line.startswith("  airline: embedded"))
    paths = tmp_path / "params.yaml", tmp_path / "studies/mine.yaml"
    (tmp_path / "studies").mkdir()
    for path in paths:
        path.write_text(quick.replace(line, "  airline: {file: a.csv, title: T, unit: u, season: 4}"))
        assert config.faults(path) == [f"{path}: data.airline.file: data/own/a.csv: not found: expected the file there"]
        config.load(path)  # what was fetched before can be used without it
    (tmp_path / OWN_FOLDER).mkdir(parents=True)
    (tmp_path / OWN_FOLDER / "a.csv").touch()
    assert [config.faults(path) for path in paths] == [[], []]


# A mirror


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror of the passengers, some of them changed."""
    folder = tmp_path / "mirror/airline"
    folder.mkdir(parents=True)
    monkeypatch.setenv("RNN_STUDY_MIRROR", str(tmp_path / "mirror"))

    def make(changed=None, about=None):
        values = [changed if month == "1950-03" and changed else value for month, value in PASSENGERS]
        lines = [f'"{month}",{value}' for (month, _), value in zip(PASSENGERS, values, strict=True)]
        (folder / airline.FILE).write_text("\n".join(['"Month","Passengers"', *lines, ""]))
        if about is not None:
            (folder / "about.json").write_text(about if isinstance(about, str) else json.dumps(about))
        return fetch("airline", data(airline="upstream"), tmp_path / "raw")

    return make


PASSENGERS = list(zip(airline.MONTHS, airline.PASSENGERS, strict=True))


def test_a_mirror_with_the_published_values_is_called_by_their_name(mirror):
    record = mirror()
    assert (record["title"], record["origin"]) == ("International airline passengers", "mirror")


def test_a_mirror_with_other_values_is_not_called_upstreams(mirror):
    record = mirror(changed=142)
    assert record["title"] == "International airline passengers (not upstream's)"


def test_a_mirror_says_what_it_holds(mirror):
    record = mirror(changed=142, about={"title": "Ferry passengers", "licence": "CC BY 4.0"})
    assert (record["title"], record["licence"]) == ("Ferry passengers (not upstream's)", "CC BY 4.0")
    assert (record["note"], record["citation"]) == ("not stated", "none")  # nothing of upstream's


@pytest.mark.parametrize(
    "about",
    ['{"title": 3}', '{"name": "x"}', "[]", "{", '{"generated": "yes"}', '"title"', "[" * 100_000],
    ids=lambda text: text[:20],
)
def test_a_faulty_about_json_is_one_line(about, mirror):
    with pytest.raises(StudyError, match=r"mirror:airline/about.json: .*expected a JSON object of title, note"):
        mirror(about=about)
