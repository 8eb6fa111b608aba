"""The prepared tasks against their raw data, published figures and hand-made tweets."""

import csv
import gzip
import io
import zipfile
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rnn_study import config
from rnn_study.data import baselines
from rnn_study.data.data_card import card, read_card
from rnn_study.data.prepared import unpack_texts
from rnn_study.data.sources import airline as airline_source
from rnn_study.data.sources import fetch
from rnn_study.data.tasks import TASKS, airline, mnist_rows, tweets
from rnn_study.support.errors import StudyError

STUDY = config.load(Path(__file__).parents[1] / "studies" / "quick.yaml")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "raw"
    for source in ("mnist", "airline"):
        fetch(source, STUDY.data, root)
    return root


def test_every_task_of_the_configuration_has_its_module():
    assert set(TASKS) == {*type(STUDY.tasks).model_fields, *type(STUDY.problems).model_fields}


# Images by rows


@pytest.fixture(scope="module")
def digits(raw):
    return mnist_rows.prepare(raw, STUDY.tasks.mnist_rows.prepare)


def test_shapes_and_scale_of_the_digits(digits):
    task, details = digits
    held_out = round(0.15 * (1797 - 360))
    sizes = {"train": 1797 - 360 - held_out, "validation": held_out, "test": 360}
    assert {name: batch.x.shape for name, batch in task.parts().items()} == {
        name: (size, 8, 8) for name, size in sizes.items()
    }
    assert details == {"largest_pixel": 16}
    assert (task.loss, task.outputs, task.inputs) == ("cross_entropy", 10, 8)
    for batch in task.parts().values():
        assert (batch.x.dtype, batch.y.dtype, batch.mask) == (np.float32, np.int64, None)
        assert (batch.x.min(), batch.x.max()) == (0, 1)
        assert set(np.unique(batch.y)) == set(range(10))


def bag(images, labels):
    """Images with their labels, whatever their order."""
    return sorted(image.tobytes() + bytes([label]) for image, label in zip(images, labels, strict=True))


def test_every_digit_is_in_one_part_with_its_label(digits):
    task, _ = digits
    source = load_digits()
    pixels = {name: np.rint(batch.x * 16).astype(np.uint8) for name, batch in task.parts().items()}
    images = source.images.astype(np.uint8)
    np.testing.assert_array_equal(pixels["test"], images[-360:])
    np.testing.assert_array_equal(task.tests["test"].y, source.target[-360:])
    found = bag(
        np.concatenate([pixels["train"], pixels["validation"]]), np.concatenate([task.train.y, task.validation.y])
    )
    assert found == bag(images[:-360], source.target[:-360])


def test_the_split_follows_its_seed(raw, digits):
    params = STUDY.tasks.mnist_rows.prepare
    again, _ = mnist_rows.prepare(raw, params)
    other, _ = mnist_rows.prepare(raw, params.model_copy(update={"seed": 1}))
    np.testing.assert_array_equal(again.validation.x, digits[0].validation.x)
    assert not np.array_equal(other.validation.y, digits[0].validation.y)


def test_the_card_counts_what_the_parts_hold(raw, digits):
    task, details = digits
    found = card(task, details, mnist_rows.SOURCES, raw)
    for name, batch in task.parts().items():
        assert found["parts"][name]["examples"] == len(batch.y)
        counts = found["parts"][name]["class_counts"]
        assert counts == {str(digit): int((batch.y == digit).sum()) for digit in range(10)}
    assert len({part["sha256"] for part in found["parts"].values()}) == 3
    assert found["provenance"][0]["rows"] == {"train": 1437, "test": 360}


def test_classes_that_nobody_named_are_one_line(raw, digits):
    task, details = digits
    bare = replace(task, extras={name: array for name, array in task.extras.items() if name != "classes"})
    with pytest.raises(StudyError, match="mnist_rows: extras: no classes: expected how pages write its 10 classes"):
        card(bare, details, mnist_rows.SOURCES, raw)


@pytest.mark.parametrize("found", ["{}", "[]", "null", '{"task": "airline", "score": "rmse"}'])
def test_a_damaged_card_is_one_line(found, tmp_path):
    (tmp_path / "airline.json").write_text(found)
    with pytest.raises(StudyError, match=r"damaged \(no .*unit, parts, details, provenance\): expected a"):
        read_card(tmp_path / "airline.json")


# The series

MONTHS = [f"{year}-{month:02}" for year in range(1949, 1961) for month in range(1, 13)]
SERIES = np.array(airline_source.PASSENGERS, float)


def airline_task(raw, **changes):
    return airline.prepare(raw, STUDY.tasks.airline.prepare.model_copy(update=changes))


VARIANTS = [
    {"logarithm": a, "first_difference": b, "seasonal_difference": c} for a, b, c in product([False, True], repeat=3)
]


@pytest.mark.parametrize("look_back", [1, 12])
@pytest.mark.parametrize("variant", VARIANTS)
def test_targets_come_back_as_passengers(raw, variant, look_back):
    task, _ = airline_task(raw, look_back=look_back, **variant)
    for name, batch in task.parts().items():
        months = task.extras[f"index_{name}"]
        assert len(months) == len(batch.y) > 0
        np.testing.assert_allclose(task.to_unit(batch.y, name), SERIES[months], rtol=1e-4)
    assert [MONTHS[i] for i in task.extras["index_test"]] == MONTHS[MONTHS.index("1957-02") : MONTHS.index("1960-12")]
    assert len(task.tests["test"].y) == 46
    assert [MONTHS[i] for i in task.extras["index_validation"]] == [m for m in MONTHS if m.startswith("1956")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_differenced_target_is_the_change_it_says(raw, variant):
    """A zero output in the differenced scale is the rule that the differences stand for, in passengers."""
    task, details = airline_task(raw, **variant)
    zero = np.full((46, 1), -details["mean"] / details["scale"])
    months = np.arange(97, 143)
    level = np.log(SERIES) if variant["logarithm"] else SERIES
    expected = {
        (False, False): 0 * months,
        (True, False): level[months - 1],
        (False, True): level[months - 12],
        (True, True): level[months - 1] + level[months - 12] - level[months - 13],
    }[variant["first_difference"], variant["seasonal_difference"]]
    expected = np.exp(expected) if variant["logarithm"] else expected
    np.testing.assert_allclose(task.to_unit(zero, "test"), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("look_back", [1, 5, 12])
@pytest.mark.parametrize("variant", VARIANTS)
def test_windows_end_right_before_their_target(raw, variant, look_back):
    task, _ = airline_task(raw, look_back=look_back, **variant)
    values = {}
    for name, batch in task.parts().items():
        assert batch.x.shape == (len(batch.y), look_back, 1)
        values |= dict(zip(task.extras[f"index_{name}"].tolist(), batch.y[:, 0].tolist(), strict=True))
    compared = 0
    for name, batch in task.parts().items():
        for month, window in zip(task.extras[f"index_{name}"], batch.x[:, :, 0], strict=True):
            for back, value in enumerate(window[::-1], start=1):
                if month - back in values:
                    assert value == np.float32(values[month - back])
                    compared += 1
    assert compared > 100


def test_no_usable_month_is_left_out(raw):
    task, _ = airline_task(raw, look_back=12, first_difference=True, seasonal_difference=True)
    assert task.extras["index_train"].tolist() == list(range(13 + 12, 84))  # 13 months are lost to the differences
    task, _ = airline_task(raw, look_back=1, first_difference=False, seasonal_difference=False)
    assert task.extras["index_train"].tolist() == list(range(1, 84))


def test_the_rules_score_what_is_published(raw):
    task = airline_task(raw)[0]
    scores = list(baselines.scores(task, baselines.marks(task)).values())
    test = np.arange(MONTHS.index("1957-02"), MONTHS.index("1960-12"))
    rules = [SERIES[test - 1], SERIES[test - 12], SERIES[test - 12] + SERIES[test - 1] - SERIES[test - 13]]
    by_hand = [np.sqrt(((rule - SERIES[test]) ** 2).mean()) for rule in rules]
    np.testing.assert_allclose([score["test"] for score in scores], by_hand, rtol=1e-12)
    np.testing.assert_array_equal(np.round(by_hand, 2), [48.66, 42.32, 15.69])


@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-1]])
def test_the_scaler_sees_no_month_of_the_validation_part_or_later(raw, tmp_path, variant):
    def scaler(month):
        """Mean and scale with the total of `month` doubled."""
        folder = tmp_path / str(month) / "airline"
        folder.mkdir(parents=True)
        airline_source.embed(folder)
        path = folder / airline_source.FILE
        lines = path.read_text().splitlines()
        lines[1 + month] = f'"{MONTHS[month]}",{int(2 * SERIES[month])}'
        path.write_text("\n".join([*lines, ""]))
        _, details = airline_task(folder.parent, **variant)
        return details["mean"], details["scale"]

    _, details = airline_task(raw, **variant)
    unchanged = details["mean"], details["scale"]
    assert [scaler(month) for month in (84, 95, 96, 143)] == [unchanged] * 4
    assert scaler(83) != unchanged


def test_the_scaler_standardises(raw):
    plain = dict.fromkeys(("logarithm", "first_difference", "seasonal_difference"), False)
    _, details = airline_task(raw, **plain)
    assert details["mean"] == pytest.approx(SERIES[:84].mean())
    assert details["scale"] == pytest.approx(np.sqrt(((SERIES[:84] - SERIES[:84].mean()) ** 2).mean()))


# Tweets

VECTORS = {
    "good": [0.5, 1, -1],
    "bad": [-0.5, -1, 1],
    "film": [0.25, 0, 0.125],
    "<user>": [3, 2, 1],
    "<url>": [1, 2, 3],
    "unused": [9, 9, 9],
}
FILMS = [f"film{letter}" for letter in "abcdefghijklmnopqrst"]
TRAINING = [
    *[(4, f"good {film} @ann") for film in FILMS],
    *[(0, f"bad {film} http://x.y") for film in FILMS],
    *[(4, f"GOOD   {film} @someone_else") for film in FILMS[:8]],  # the same words, written otherwise
    *[(0, f"good {film} @bob") for film in FILMS[:4]],  # and labelled otherwise
    (4, "a b c d e f g h i"),
    (4, ""),
    (4, "This &amp; that film 👍"),
    (0, "Good film"),
]
HAND = [(4, "good FILM"), (2, "neutral film"), (0, "Bad filma http://a.b"), (4, "entirely new words")]


def write_raw(root, hand=HAND, vectors="glove.twitter.27B.3d"):
    """A raw folder in the formats of Sentiment140 and GloVe."""

    def rows(labelled):
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerows(
            [polarity, n, "date", "NO_QUERY", "user", words] for n, (polarity, words) in enumerate(labelled)
        )
        return text.getvalue().encode()

    for name in ("tweets", "glove"):
        (root / name).mkdir(parents=True)
    with zipfile.ZipFile(root / "tweets" / "trainingandtestdata.zip", "w") as archive:
        archive.writestr("training.1600000.processed.noemoticon.csv", rows(TRAINING))
        if hand is not None:
            archive.writestr("testdata.manual.2009.06.14.csv", rows(hand))
    lines = [" ".join([word, *map(str, numbers)]) for word, numbers in VECTORS.items()]
    (root / "glove" / f"{vectors}.txt.gz").write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return root


TWEETS = config.Tweets(validation=0.2, test=0.3, seed=0, vocabulary=12, max_tokens=5)


def texts(task, part):
    return unpack_texts(task.extras[f"texts_{part}"], task.extras[f"offsets_{part}"])


def words_of(text):
    """The words of these simple tweets."""
    words = text.lower().replace("&", " & ").split()
    return tuple("[USER]" if w.startswith("@") else "[URL]" if w.startswith("http") else w for w in words)


@pytest.fixture(scope="module")
def tweets_raw(tmp_path_factory):
    return write_raw(tmp_path_factory.mktemp("tweets") / "raw")


@pytest.fixture(scope="module")
def prepared(tweets_raw):
    return tweets.prepare(tweets_raw, TWEETS)


@pytest.mark.parametrize("seed", range(10))
def test_equal_keys_share_a_part(seed):
    rng = np.random.default_rng(seed)
    keys = [str(key) for key in rng.integers(0, 40, 200)]
    parts = tweets.split(keys, TWEETS.model_copy(update={"seed": seed}))
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(200))
    homes = defaultdict(set)
    for name, rows in parts.items():
        for row in rows:
            homes[keys[row]].add(name)
    assert all(len(home) == 1 for home in homes.values())
    counts = {name: len({keys[row] for row in rows}) for name, rows in parts.items()}
    distinct = len(set(keys))
    assert counts["test"] == round(0.3 * distinct)
    assert counts["validation"] == round(0.2 * distinct)


def test_the_split_does_not_depend_on_the_order_of_the_tweets():
    keys = [f"key {n % 30}" for n in range(90)]
    forwards, backwards = tweets.split(keys, TWEETS), tweets.split(keys[::-1], TWEETS)
    for name, rows in forwards.items():
        assert {keys[row] for row in rows} == {keys[::-1][row] for row in backwards[name]}


def test_no_text_straddles_the_parts(prepared):
    task, details = prepared
    keys = {name: {words_of(text) for text in texts(task, name)} for name in task.parts()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not keys[one] & keys[other]
    for name in ("train", "validation", "test"):
        assert not keys[name] & keys["hand_labelled"]
    kept = [text for _, text in TRAINING if words_of(text) not in keys["hand_labelled"]]
    assert len(kept) == len(TRAINING) - 2  # "Good film" and "bad filma [URL]" were labelled by hand
    assert details["dropped_as_hand_labelled"] == 2
    assert details["distinct_texts"] == len(set.union(*(keys[name] for name in ("train", "validation", "test"))))


def test_a_part_labelled_by_hand_without_both_classes_is_one_line(tmp_path):
    """As where all of its tweets are neutral, and none is left."""
    for place, hand in enumerate(([(2, "so so"), (2, "film")], [(4, "well"), (2, "film")])):
        raw = write_raw(tmp_path / str(place), hand=hand)
        with pytest.raises(
            StudyError, match=r"^tweets: hand_labelled part: \d texts, of .*: expected some of negative and"
        ):
            tweets.prepare(raw, TWEETS)


def test_texts_of_which_characters_were_left_out_are_counted(tmp_path, prepared):
    assert prepared[1]["texts_with_characters_left_out"] == 0
    hand = [*HAND, (0, "bad\x00 film"), (4, "go\u00adod fi\u200blm"), (4, "good film 👍🏽")]
    _, details = tweets.prepare(write_raw(tmp_path, hand=hand), TWEETS)
    assert details["texts_with_characters_left_out"] == 2


def test_texts_and_labels_stay_together(prepared):
    task, _ = prepared
    source = defaultdict(list)
    for polarity, text in TRAINING:
        source[text.replace("&amp;", "&")].append(polarity // 4)
    seen = 0
    for name in ("train", "validation", "test"):
        for text, label in zip(texts(task, name), task.parts()[name].y, strict=True):
            assert label in source[text]
            seen += 1
    assert seen == len(TRAINING) - 2
    assert texts(task, "hand_labelled") == [HAND[0][1], HAND[2][1], HAND[3][1]]  # the neutral one is left out
    assert task.tests["hand_labelled"].y.tolist() == [1, 0, 1]


def test_the_vocabulary_is_the_training_parts_commonest_words(prepared):
    task, _ = prepared
    counts = defaultdict(int)
    for text in texts(task, "train"):
        for word in words_of(text):
            counts[word] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    assert task.extras["words"].tolist() == ["[PAD]", "[UNK]", *(word for word, _ in ranked[:10])]
    assert len(task.embedding) == 12


def test_vocabulary_by_hand():
    tokens = [["b", "a", "b"], ["c", "a", "d"], ["c"]]
    assert tweets.vocabulary(tokens, 5) == ["[PAD]", "[UNK]", "a", "b", "c"]
    assert tweets.vocabulary(tokens, 99) == ["[PAD]", "[UNK]", "a", "b", "c", "d"]


def test_encoding_by_hand():
    ids, mask = tweets.encode([["b", "x", "a"], [], ["a", "a", "b", "b", "a"]], {"a": 2, "b": 3}, 4)
    np.testing.assert_array_equal(ids, [[3, 1, 2, 0], [1, 0, 0, 0], [2, 2, 3, 3]])
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]])
    assert (ids.dtype, mask.dtype) == (np.int32, bool)


def test_ids_spell_the_texts(prepared):
    task, details = prepared
    words = task.extras["words"]
    for name, batch in task.parts().items():
        cut = unknown = seen = 0
        for text, ids, mask in zip(texts(task, name), batch.x, batch.mask, strict=True):
            spelled = list(words_of(text))
            cut += len(spelled) > 5
            expected = [word if word in words else "[UNK]" for word in spelled[:5]] or ["[UNK]"]
            assert words[ids[mask]].tolist() == expected
            assert words[ids[~mask]].tolist() == ["[PAD]"] * (5 - len(expected))
            unknown, seen = unknown + expected.count("[UNK]"), seen + len(expected)
        assert details["truncated"][name] == cut
        assert details["unknown_share"][name] == pytest.approx(unknown / seen, abs=1e-6)
    assert sum(details["truncated"].values()) == 1  # "a b c d e f g h i"


def test_rows_of_the_table_are_the_vectors(prepared):
    task, details = prepared
    words = task.extras["words"].tolist()
    spelling = {"[USER]": "<user>", "[URL]": "<url>"}
    known = [word for word in words if spelling.get(word, word) in VECTORS]
    assert {"good", "bad", "[USER]", "[URL]"} <= set(known)
    for word in known:
        np.testing.assert_array_equal(task.embedding[words.index(word)], VECTORS[spelling.get(word, word)])
    np.testing.assert_array_equal(task.embedding[0], 0)
    others = [row for row, word in enumerate(words) if row and word not in known]
    assert 0 < np.abs(task.embedding[others]).max() < 10
    assert details["vocabulary_with_vector"] == len(known)
    tokens = [word for text in texts(task, "train") for word in (words_of(text)[:5] or ["[UNK]"])]
    assert details["training_tokens_with_vector"] == pytest.approx(np.mean([t in known for t in tokens]), abs=1e-6)


def test_words_without_a_vector_are_spread_like_those_with_one(tweets_raw):
    known = np.array([VECTORS["good"], VECTORS["bad"]])
    words = ["[PAD]", "[UNK]", "good", "bad", *(f"rare{n}" for n in range(3000))]
    embedding, has_vector = tweets.table(words, tweets_raw / "glove", np.random.default_rng(0))
    assert np.flatnonzero(has_vector).tolist() == [2, 3]
    noise = embedding[4:]
    assert noise.std() == pytest.approx(known.std(), rel=0.03)  # 9,000 draws: a standard error of 0.75 %
    assert abs(noise.mean()) < 4 * known.std() / np.sqrt(noise.size)


def test_vectors_without_special_words(tmp_path):
    """The 6B files have none: `<user>` is a word like any other there, and [USER] has no vector."""
    raw = write_raw(tmp_path, hand=None, vectors="glove.6B.3d")
    embedding, has_vector = tweets.table(["[PAD]", "[UNK]", "[USER]", "good"], raw / "glove", np.random.default_rng(0))
    assert has_vector.tolist() == [False, False, False, True]
    assert not np.array_equal(embedding[2], VECTORS["<user>"])


def test_without_hand_labels_there_is_no_such_part(tmp_path):
    task, details = tweets.prepare(write_raw(tmp_path, hand=None), TWEETS)
    assert list(task.tests) == ["test"]
    assert details["dropped_as_hand_labelled"] == 0
