"""Raw data: what is embedded, what the mirror holds, and the tokens of a text, against known facts."""

import csv
import gzip
import hashlib
import io
import itertools
import json
import os
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rnn_study.config import Data
from rnn_study.data.sources import SOURCES, airline, corpus, fetch, glove, mnist, tweets
from rnn_study.data.tokens import SPECIALS, plain, tokenise

MIRROR = os.environ.get("RNN_STUDY_MIRROR")
needs_mirror = pytest.mark.skipif(not MIRROR, reason="RNN_STUDY_MIRROR names no mirror of the upstream files")


def data(choice="embedded", vectors="glove.6B.50d"):
    return Data(**dict.fromkeys(SOURCES, choice), vectors=vectors)


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv("RNN_STUDY_MIRROR", raising=False)


@pytest.fixture(scope="module")
def generated():
    return corpus.generate()


# Tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n\u00a0", ""),
        ("Not good at all.", "not good at all ."),
        ("I don't, can't, won't; CANNOT", "i do n't , ca n't , wo n't ; can not"),
        ("it's i'm they're we've you'll he'd", "it 's i 'm they 're we 've you 'll he 'd"),
        ("couldn't've", "could n't 've"),
        ("it’s o'clock 'cause the dogs'", "it 's o'clock ' cause the dogs '"),
        ("@Ann_1 see http://t.co/aB3?x=1, ok", "[USER] see [URL] , ok"),
        ("(www.example.com/a) HTTPS://X.Y", "( [URL] ) [URL]"),
        ("@user's the 90's", "[USER] 's the [NUM] 's"),
        ("#FAIL #1 # c#", "[HASHTAG] fail [HASHTAG] [NUM] # c #"),
        ("10 1,000 3.5 7:30 -2 2nite 1st 5% $9", "[NUM] [NUM] [NUM] [NUM] [NUM] 2nite 1st [NUM] % $ [NUM]"),
        ("10-5", "[NUM] - [NUM]"),
        ("soooo goooood, aww hmmm", "so [ELONG] god [ELONG] , aww hm [ELONG]"),
        ("caaan't", "ca n't [ELONG]"),
        ("2000 11111", "[NUM] [NUM]"),
        (":) :-) ;D =] (: xD :)))", "[SMILE] [SMILE] [SMILE] [SMILE] [SMILE] [SMILE] [SMILE]"),
        (":( :'( :-[ ):", "[SAD] [SAD] [SAD] [SAD]"),
        (":p :-P ;p :/ :| <3 <333", "[LOL] [LOL] [LOL] [NEUTRAL] [NEUTRAL] [HEART] [HEART]"),
        ("a:dog (as said): 4<30", "a : dog ( as said ) : [NUM] < [NUM]"),
        ("well... ok.... … no. yes..", "well ... ok ... ... no . yes ..."),
        ('wow!!! "a" & b', 'wow ! ! ! " a " & b'),
        ("[URL] [UNK]", "[ url ] [ unk ]"),
        ("naïve café 日本", "naïve café 日本"),
        ("me@x.org", "me @ x . org"),
    ],
)
def test_tokens_are_those_written_by_hand(text, expected):
    assert tokenise(text) == expected.split()


def test_no_token_holds_white_space_and_none_is_empty():
    rng = np.random.default_rng(0)
    odd = " \t\n\u00a0\u2003\u0085ab1'.:;()@#<3/-_!x\u0130\u00e9\U0001f600[]"
    pool = [*odd, "http://", "n't", "www."]
    for _ in range(2000):
        for token in tokenise("".join(rng.choice(pool, size=rng.integers(0, 30)))):
            assert token
            assert token in SPECIALS or not re.search(r"\s", token)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("don\x92t \x93stop\x94", "do n't “ stop ”"),  # Windows' punctuation, read as Latin-1
        ("don’t", "do n't"),
        ("&amp;lt;3 &amp;amp;amp; &quot;", '[HEART] & "'),  # escaped twice, and three times
        ("cafe\u0301", "café"),
        ("\ufeffhi \u200bthere\u200c you\u00adth", "hi there youth"),
        ("x\x00y\x07", "xy"),
        ("I ❤\ufe0f u", "i ❤ u"),
        ("👍 👍🏽 👍🏿", "👍 👍 👍"),
        ("🇫🇷🇩🇪 🇫", "🇫🇷 🇩🇪 🇫"),
        ("👩\u200d👩\u200d👧x 👩🏽\u200d🚀", "👩\u200d👩\u200d👧 x 👩\u200d🚀"),
        ("a\u200db \u200d", "a b"),
        ("→ ✓ ☃!", "→ ✓ ☃ !"),
    ],
)
def test_text_is_read_as_people_write_it(text, tokens):
    assert tokenise(text) == tokens.split(" ")


def test_plain_text_ends_where_nothing_is_escaped():
    assert plain("&amp;" * 3 + "amp;lt;") == "&&<"
    assert plain("&" + "amp;" * 1_000_000 + "lt;").count("amp;") == 1_000_000 - 10  # ten passes, which take no time
    assert plain("a &notanentity b & c") == "a &notanentity b & c".replace("&not", "¬")  # as browsers read it


@pytest.mark.parametrize(
    "piece",
    [
        *"a1'.:;()@#<3/-_!x",
        "a'",
        "'s",
        "n't",
        "1.",
        "1.1x",
        "://",
        "http://",
        "www.",
        "((",
        ":d",
        "a-",
        "aaab",
        "(:x",
    ],
)
def test_tokenising_takes_linear_time(piece):
    started = time.perf_counter()
    tokenise("http://" + piece * (200_000 // len(piece)))
    tokenise(piece * (200_000 // len(piece)) + " x")
    assert time.perf_counter() - started < 5  # a quadratic scan of 200,000 characters takes minutes


# The embedded sources


def test_airline_totals_are_those_of_box_and_jenkins(tmp_path):
    fetch("airline", data(), tmp_path)
    found = airline.read(tmp_path / "airline")
    months, values = found.dates, found.values
    assert (found.unit, found.season, found.step) == ("thousand passengers", 12, "month")
    assert (months[0], months[11], months[12], months[-1]) == ("1949-01", "1949-12", "1950-01", "1960-12")
    assert values.dtype == np.float64
    # Totals of the years, published with the series.
    years = [1520, 1676, 2042, 2364, 2700, 2867, 3408, 3939, 4421, 4572, 5140, 5714]
    assert values.reshape(12, 12).sum(axis=1).tolist() == years
    assert (values.min(), values.max(), values[-1]) == (104, 622, 432)


def test_embedded_digits_are_scikit_learns(tmp_path):
    record = fetch("mnist", data(), tmp_path)
    arrays = mnist.read(tmp_path / "mnist")
    digits = load_digits()
    np.testing.assert_array_equal(
        np.concatenate([arrays["train_images"], arrays["test_images"]]), digits.images.astype(np.uint8)
    )
    np.testing.assert_array_equal(np.concatenate([arrays["train_labels"], arrays["test_labels"]]), digits.target)
    assert record["rows"] == {"train": 1437, "test": 360}
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.uint8)}
    header = gzip.decompress((tmp_path / "mnist/train-images-idx3-ubyte.gz").read_bytes())[:16]
    assert header == bytes.fromhex("00000803 0000059d 00000008 00000008")


def test_idx_written_by_hand_is_read(tmp_path):
    images = bytes(range(24))
    for part, name in (("train", "train"), ("test", "t10k")):
        content = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 3, 4) + images
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
        content = struct.pack(">BBBBI", 0, 0, 8, 1, 2) + bytes([9, 0 if part == "train" else 1])
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))
    arrays = mnist.read(tmp_path)
    assert arrays["train_images"].shape == (2, 3, 4)
    assert arrays["train_images"][1, 2].tolist() == [20, 21, 22, 23]
    assert arrays["train_labels"].tolist() == [9, 0]
    assert arrays["test_labels"].tolist() == [9, 1]


@pytest.mark.parametrize("name", SOURCES)
def test_embedded_data_is_the_same_bytes_each_time(name, tmp_path):
    first, second = (fetch(name, data(), tmp_path / run) for run in ("first", "second"))
    assert first == second
    files = {path.name: path.read_bytes() for path in (tmp_path / "first" / name).iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "second" / name).iterdir()}
    assert not list(tmp_path.rglob(".*"))
    for file, content in files.items():
        if file.endswith(".gz"):
            assert content[3:8] == bytes(5)  # no name and no time in the header


@pytest.mark.parametrize("name", SOURCES)
def test_provenance_says_all_that_a_report_needs_and_nothing_of_the_machine(name, tmp_path):
    record = fetch(name, data(), tmp_path)
    text = (tmp_path / name / "provenance.json").read_text()
    assert json.loads(text) == record
    assert str(tmp_path) not in text
    assert (record["source"], record["origin"], record["complete"]) == (name, "embedded", True)
    assert record["generated"] is (name in ("tweets", "glove"))
    assert all(record[key] for key in ("title", "note", "licence", "citation", "rows", "full_rows"))
    for entry in record["files"]:
        assert entry["from"] == "embedded"
        path = tmp_path / name / entry["file"].split("/")[0]
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        if path.suffix == ".zip":
            content = zipfile.ZipFile(io.BytesIO(content)).read(entry["file"].split("/")[1])
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)


def test_the_library_needs_no_framework():
    code = "import sys, rnn_study.data.sources; print({'torch', 'tensorflow', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# The generated corpus


def test_corpus_is_balanced_with_a_known_share_of_turned_labels(generated):
    texts, labels, meant = generated
    assert len(texts) == 4000
    assert labels.sum() == meant.sum() == 2000
    assert (labels != meant).sum() == 120  # 3 %, half in each class
    assert (labels > meant).sum() == 60


def test_corpus_exercises_the_tokeniser_and_has_a_long_tail(generated):
    tokens = [tokenise(text) for text in generated[0]]
    counts = Counter(token for tweet in tokens for token in tweet)
    assert 4 <= min(map(len, tokens)) <= max(map(len, tokens)) <= 24
    assert 400 <= len(counts) <= 800
    assert sum(count <= 3 for count in counts.values()) > 100
    assert set(SPECIALS) - set(counts) == {"[UNK]"}
    assert {"n't", "'s", "'m", "'re", "...", "2nite", "not", "but", "although", "never"} <= set(counts)
    assert len(set(map(tuple, tokens))) > 0.97 * len(tokens)


def test_a_bag_of_words_does_not_solve_the_corpus(generated):
    tokens = [tokenise(text) for text in generated[0]]
    labels = generated[1]

    def grams(tweet):
        return [*tweet, *map(" ".join, itertools.pairwise(tweet))]

    vectoriser = TfidfVectorizer(analyzer=grams)
    model = LogisticRegression(max_iter=1000).fit(vectoriser.fit_transform(tokens[800:]), labels[800:])
    assert 0.70 <= model.score(vectoriser.transform(tokens[:800]), labels[:800]) <= 0.88


NEGATIVE = {
    *(
        "bad",
        "awful",
        "boring",
        "sad",
        "terrible",
        "slow",
        "broken",
        "ugly",
        "horrible",
        "cold",
        "rude",
        "dull",
    ),
    *("noisy", "painful", "dirty", "hate", "dislike", "regret", "despise"),
}
POSITIVE = {
    *("good", "great", "fun", "happy", "lovely", "fast", "perfect", "pretty", "awesome", "warm", "kind"),
    *("bright", "quiet", "sweet", "clean", "love", "enjoy", "like", "adore"),
}


def sentiment_by_rules(words):
    """A reader that knows the order of words: which clause counts, and what a negation before a word does."""
    text = " ".join(words)
    if " but " in text:
        text = text.partition(" but ")[2]
    elif concession := re.search(r"(although|even if) ", text):
        before = text[: concession.start()]
        text = before if set(before.split()) & (NEGATIVE | POSITIVE) else text.rpartition(" , ")[2]
        if not set(text.split()) & (NEGATIVE | POSITIVE):  # the last comma stood within the clause
            text = " ".join(words).split(" , ", 2)[-1]
    elif re.search(r"went from|expected|used to be|first .* then", text):
        text = re.split(r" to (?!be)| got | now | then ", text)[-1]
    negations = re.compile(r"\b(not|n't|never|nobody|no)\b")
    for match in re.finditer(r"[a-z']+", text):
        if match[0] in NEGATIVE | POSITIVE:
            return (match[0] in POSITIVE) ^ bool(negations.search(text[: match.start()].replace("'", " n'")))
    return None


def test_a_reader_who_minds_the_order_of_words_understands_the_corpus(generated):
    texts, labels, meant = generated
    read = np.array([sentiment_by_rules(tokenise(text)) for text in texts])
    assert np.mean(read == meant) > 0.93
    assert np.mean(read == labels) > 0.90


def test_tweets_are_read_back_as_they_were_generated(generated, tmp_path):
    fetch("tweets", data(), tmp_path)
    raw = tweets.read(tmp_path / "tweets")
    assert raw.texts == generated[0]
    np.testing.assert_array_equal(raw.labels, generated[1])
    assert raw.labels.dtype == np.int64
    assert raw.hand_texts is raw.hand_labels is None
    content = zipfile.ZipFile(tmp_path / "tweets/trainingandtestdata.zip").read(tweets.TRAINING).decode()
    rows = list(csv.reader(io.StringIO(content)))
    assert {len(row) for row in rows} == {6}
    assert Counter(row[0] for row in rows) == {"0": 2000, "4": 2000}
    assert "&quot;" in content
    assert "&lt;3" in content


# The generated vectors


def test_generated_vectors_cover_common_words_only(generated, tmp_path):
    record = fetch("glove", data(), tmp_path)
    others = corpus.generate(corpus.UNLABELLED)[0]
    assert len(set(others) & set(generated[0])) < 0.02 * len(others)  # the vectors have not seen the tweets
    counts = Counter(token for text in others for token in tokenise(text))
    vectors = glove.read(tmp_path / "glove", [*counts, "zeppelin"])
    assert "zeppelin" not in vectors
    assert set(vectors) == {word for word, count in counts.items() if count >= 4}
    assert {vector.shape for vector in vectors.values()} == {(25,)}
    assert {vector.dtype for vector in vectors.values()} == {np.dtype(np.float32)}
    assert record["rows"] == {"words": len(vectors) + 1}  # and [UNK]
    assert set(SPECIALS) <= set(glove.read(tmp_path / "glove", SPECIALS))
    assert glove.special_words(tmp_path / "glove") == {word: word for word in SPECIALS}


def test_generated_vectors_put_words_of_one_sentiment_together(tmp_path):
    fetch("glove", data(), tmp_path)
    words = [sorted(NEGATIVE), sorted(POSITIVE)]
    vectors = glove.read(tmp_path / "glove", [*words[0], *words[1]])
    unit = [np.array([vectors[w] / np.linalg.norm(vectors[w]) for w in group[:15]]) for group in words]
    between = (unit[0] @ unit[1].T).mean()
    for group in unit:
        assert (group @ group.T)[~np.eye(len(group), dtype=bool)].mean() > between


@pytest.mark.parametrize(("vectors", "words"), [("glove.6B.50d", 0), ("glove.twitter.27B.50d", 11)])
def test_special_words_of_published_vectors(vectors, words, tmp_path):
    (tmp_path / f"{vectors}.txt.gz").write_bytes(gzip.compress(b""))
    special = glove.special_words(tmp_path)
    assert len(special) == words
    if words:
        spelled = [special[word] for word in ("[URL]", "[LOL]", "[UNK]")]
        assert spelled == ["<url>", "<lolface>", "<unknown>"]


def test_glove_words_may_hold_odd_characters(tmp_path):
    numbers = " ".join(["0.5"] * 49)
    rows = [". . . -1", "\u0085 2", "a\u00a0b 3", "caf\u00e9 4e-1"]
    content = "".join(f"{row} {numbers}\n" for row in rows).encode()
    (tmp_path / "glove.6B.50d.txt.gz").write_bytes(gzip.compress(content))
    assert glove.verify(tmp_path, data("upstream")) == {"words": 4}
    vectors = glove.read(tmp_path, {"caf\u00e9", "\u0085", "absent"})
    assert {word: vector[:2].tolist() for word, vector in vectors.items()} == {
        "\u0085": [2, 0.5],
        "caf\u00e9": [pytest.approx(0.4), 0.5],
    }


# Sentiment140's format, written by hand


def test_labels_entities_and_encodings_of_tweets(tmp_path):
    training = b'"0","1","d","q","u","I &quot;hate&quot; it &amp; you"\r\n"4","2","d","q","u","caf\xe9 \xc3\xa9"\r\n'
    hand = b'"4","1","d","q","u","caf\xc3\xa9"\n"2","2","d","q","u","so"\n"0","3","d","q","u","a ""b"", c"\n'
    with zipfile.ZipFile(tmp_path / tweets.FILE, "w") as archive:
        archive.writestr(tweets.TRAINING, training)
        archive.writestr(tweets.HAND_LABELLED, hand)
    raw = tweets.read(tmp_path)
    assert raw.texts == [
        'I "hate" it & you',
        "caf\u00e9 \u00c3\u00a9",
    ]  # a line is UTF-8 as a whole, or Latin-1
    assert raw.labels.tolist() == [0, 1]
    assert raw.hand_texts == ["caf\u00e9", 'a "b", c']
    assert raw.hand_labels.tolist() == [1, 0]
    assert tweets.verify(tmp_path, data("upstream")) == {"training": 2, "hand_labelled": 3}


# The mirror


@pytest.fixture
def mirrored(monkeypatch, tmp_path):
    monkeypatch.setenv("RNN_STUDY_MIRROR", MIRROR)

    def get(name):
        return fetch(name, data("upstream"), tmp_path / "raw"), tmp_path / "raw" / name

    return get


@needs_mirror
def test_mirror_airline_equals_the_embedded_totals(mirrored):
    record, folder = mirrored("airline")
    assert airline.read(folder).values.tolist() == list(airline.PASSENGERS)
    assert record["files"][0]["from"] == "mirror:airline/international-airline-passengers.csv"
    assert (record["origin"], record["complete"], record["generated"]) == ("mirror", True, False)


@needs_mirror
@pytest.mark.slow
def test_mirror_mnist_is_whole(mirrored):
    record, folder = mirrored("mnist")
    arrays = mnist.read(folder)
    assert arrays["train_images"].shape == (60000, 28, 28)
    assert arrays["test_labels"][:5].tolist() == [7, 2, 1, 0, 4]  # the well-known first test digits
    # Published counts of each training digit.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays["train_labels"]).tolist() == counts
    assert record["complete"]


@needs_mirror
def test_mirror_tweets_are_an_excerpt(mirrored):
    record, folder = mirrored("tweets")
    raw = tweets.read(folder)
    assert (len(raw.texts), int(raw.labels.sum())) == (20000, 10001)
    assert np.bincount(raw.hand_labels).tolist() == [177, 182]
    assert len(raw.hand_texts) == 359
    assert record["rows"] == {"training": 20000, "hand_labelled": 498}
    assert (record["complete"], record["full_rows"]["training"]) == (False, 1600000)
    assert not any("&quot;" in text for text in raw.texts)


@needs_mirror
def test_mirror_vectors_are_an_excerpt(mirrored):
    record, folder = mirrored("glove")
    vectors = glove.read(folder, ["the", "n't", "[URL]"])
    assert vectors["the"][:3].tolist() == pytest.approx([0.418, 0.24968, -0.41242])
    assert vectors.keys() == {"the", "n't"}
    assert (record["rows"], record["complete"]) == ({"words": 2987}, False)
    assert glove.special_words(Path(folder)) == {}
