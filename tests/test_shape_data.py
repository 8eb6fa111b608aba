"""What every sequence shape is shown with, against independent calculations; its options; the runs made of it."""

import itertools
import math
import statistics
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from rnn_study import config
from rnn_study.config import Frames, Language, Menu, Numbers, Series, Spelled, TweetsTutorial, Vectors
from rnn_study.data.prepared import load_task, save_task, unpack_texts
from rnn_study.data.shapes import (
    KINDS,
    frames,
    language,
    menu,
    numbers,
    origins,
    series,
    spelled,
    tweets_tutorial,
    vectors,
)
from rnn_study.data.sources import alice, fetch, sunspots
from rnn_study.data.sources import tweets as sentiment
from rnn_study.data.tasks import mnist_rows, tweets
from rnn_study.model.network import parameter_count, resized
from rnn_study.model.task import END, GO, Batch
from rnn_study.running import experiments, settings
from rnn_study.support.errors import StudyError


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The embedded sources."""
    root = tmp_path_factory.mktemp("raw")
    data = config.Data(
        mnist="embedded", tweets="embedded", glove="embedded", airline="embedded", vectors="glove.6B.50d"
    )
    for name in ("mnist", "tweets", "glove", "airline"):
        fetch(name, data, root)
    return root


def test_each_kind_has_a_file_and_its_sources(raw):
    own = {kind: module.__name__.rpartition(".")[2] for kind, module in KINDS.items()}
    assert own == {kind: kind for kind in own} | {"digits": "mnist_rows"}
    assert len(own) == 9
    assert origins(Spelled(kind="spelled", validation=0.15, seed=0)) == ("mnist",)
    assert origins(series_of(of="sunspots")) == ("sunspots",)
    assert origins(tutorial_of("coded")) == ("tweets", "glove")
    assert origins(numbers_of()) == ()


def test_a_digit_is_spelled_and_ended(raw):
    task, _ = spelled.prepare(raw, Spelled(kind="spelled", validation=0.15, seed=0))
    images, _ = mnist_rows.prepare(raw, config.MnistRows(validation=0.15, seed=0))
    for name, part in task.parts().items():
        np.testing.assert_array_equal(part.x, images.parts()[name].x)
        np.testing.assert_array_equal(part.y, spelled.spell(np.arange(10))[images.parts()[name].y])
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    letters = task.extras["classes"].tolist()
    assert letters[:2] == ["[GO]", "[END]"]
    rows = spelled.spell(np.arange(10))
    for digit, row in enumerate(rows):
        said = [letters[token] for token in row[: len(names[digit])]]
        assert "".join(said) == names[digit]
        assert row[len(names[digit]) :].tolist() == [END] + [GO] * (5 - len(names[digit]))
    assert task.outputs == len(letters) == 2 + len(set("".join(names)))
    assert task.writes


def test_a_dot_moves_one_step_and_stays_on_the_screen():
    ways, starts = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}, set()
    for seed in range(60):
        x, y = frames.film(np.random.default_rng(seed), 3, 40)
        starts.add(int(x[0].argmax()))
        assert (x.sum(axis=1) == 1).all()
        places = np.stack(np.divmod(x.argmax(axis=1), 3), axis=1)
        assert frames.WAYS[y[0]] == "still"
        for before, after, way in zip(places[:-1], places[1:], y[1:], strict=True):
            assert tuple(after - before) == ways[frames.WAYS[way]]
    assert starts == set(range(9))


def frames_of(**more):
    own = {"side": 3, "frames": 4, "train": 600, "validation": 1, "test": 1, "seed": 0}
    return Frames(kind="frames", **(own | more))


@pytest.mark.parametrize("more", [{"side": 2}, {"side": 13}, {"frames": 1}, {"frames": 201}])
def test_a_film_of_no_size_is_refused(more):
    ((key, value),) = more.items()
    with pytest.raises(ValueError, match=f"{key}\n.*input_value={value},"):
        frames_of(**more)
    assert frames_of(side=12, frames=200).side == 12


def test_films_are_as_often_of_every_length():
    task, _ = frames.prepare(None, frames_of())
    lengths = task.train.mask.sum(axis=1)
    assert np.bincount(lengths)[2:] == pytest.approx([200] * 3, abs=50)  # a spread of 12
    assert lengths[0] == task.validation.mask.sum() == task.tests["test"].mask.sum() == 4  # one has all
    assert (lengths <= task.scored).all()
    for x, y, mask in zip(*task.train, strict=True):
        assert not x[~mask].any()
        assert not y[~mask].any()


def test_what_one_frame_tells_is_counted_in_the_training_part():
    task, _ = frames.prepare(None, frames_of(train=40, validation=9, test=40, frames=20))
    seen = {}
    for x, y, mask in zip(*task.train, strict=True):
        for frame, way in zip(x[mask], y[mask], strict=True):
            seen.setdefault(int(frame.argmax()), []).append(int(way))
    often = {place: min(ways, key=lambda way: (-ways.count(way), way)) for place, ways in seen.items()}
    (marks,) = frames.baselines(task).values()
    for mark, x, y, mask in zip(marks, *task.tests["test"], strict=True):
        right = [often.get(int(frame.argmax()), 0) == way for frame, way in zip(x[mask], y[mask], strict=True)]
        assert mark == pytest.approx(sum(right) / len(right))


def test_one_frame_tells_what_enumeration_says():
    """On a screen of 3 by 3 a dot in the middle came from four sides alike, one at an edge from three, unalike."""
    params = Frames(kind="frames", side=3, frames=20, train=4000, validation=10, test=2000, seed=0)
    task, _ = frames.prepare(None, params)
    assert task.train.mask.sum(axis=1).min() == 2
    assert task.train.mask.sum(axis=1).max() == 20
    # From a corner 1/2 goes each way, from an edge 1/3, from the middle 1/4; the walk visits places by their degree.
    degree = {
        (r, c): sum(0 <= r + a < 3 and 0 <= c + b < 3 for a, b in ((0, 1), (0, -1), (1, 0), (-1, 0)))
        for r in range(3)
        for c in range(3)
    }
    arrive = {}
    for (r, c), n in degree.items():
        for a, b in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            if (r + a, c + b) in degree:
                arrive.setdefault((r + a, c + b), []).append(n / sum(degree.values()) / n)
    best = sum(max(ways) for ways in arrive.values()) / sum(map(sum, arrive.values()))
    assert best == pytest.approx(9 / 24)  # every place's ways are alike: one of its neighbours
    (marks,) = frames.baselines(task).values()
    counted = task.tests["test"].mask.sum(axis=1)
    moves = 1 - 1 / counted.mean()  # of the frames after the first, which is still
    assert np.average(marks, weights=counted) == pytest.approx(best * moves, abs=0.03)


FRENCH = {
    0: "zéro", 1: "un", 16: "seize", 21: "vingt et un", 22: "vingt deux", 70: "soixante dix", 71: "soixante et onze",
    80: "quatre vingts", 81: "quatre vingt un", 91: "quatre vingt onze", 99: "quatre vingt dix neuf", 100: "cent",
    101: "cent un", 200: "deux cents", 201: "deux cent un", 999: "neuf cent quatre vingt dix neuf", 1000: "mille",
    80_000: "quatre vingt mille", 200_000: "deux cent mille",
}  # fmt: skip


def test_numbers_are_spelled_by_the_rules():
    for number, words in FRENCH.items():
        assert numbers.words_of(number, "fr") == words.split(), number
    assert numbers.words_of(381, "en") == ["three", "hundred", "and", "eighty", "one"]
    below = ["nine", "hundred", "and", "ninety", "nine"]
    assert numbers.words_of(999_999, "en") == [*below, "thousand", *below]


def numbers_of(**more):
    own = {"below": 1000, "train": 400, "validation": 50, "test": 100, "longest": None, "longer": 0}
    own |= {"reversed": False, "inputs": 4, "seed": 0}
    return Numbers(kind="numbers", **(own | more))


def test_translations_hold_together():
    task, details = numbers.prepare(None, numbers_of())
    words = unpack_texts(task.extras["words"], task.extras["words_offsets"])
    french = task.extras["classes"].tolist()
    assert french[:2] == ["[GO]", "[END]"]
    parts = {name: task.extras[f"numbers_{name}"].tolist() for name in ("train", "validation", "test")}
    assert set(numbers.ELEMENTS) <= set(parts["train"])
    assert sum(map(len, parts.values())) == len(set(itertools.chain(*parts.values()))) == 550
    for name, part in task.parts().items():
        for number, x, y, mask in zip(parts[name], *part, strict=True):
            assert [words[token] for token in x[mask]] == numbers.words_of(number, "en")
            said = y[: y.tolist().index(END)]
            assert [french[token] for token in said] == numbers.words_of(number, "fr")
    assert details["elements_in_training"] == 109
    other, _ = numbers.prepare(None, numbers_of(reversed=True))
    for one, two in zip(task.train.x, other.train.x, strict=True):
        assert one[one > 0].tolist() == two[two > 0].tolist()[::-1]
    np.testing.assert_array_equal(task.train.y, other.train.y)


def test_longer_numbers_are_longer_than_any_trained_on():
    task, _ = numbers.prepare(None, numbers_of(below=3000, longest=5, longer=80, train=300))
    lengths = {name: part.mask.sum(axis=1) for name, part in task.parts().items()}
    assert len(lengths["longer"]) == 80
    assert max(lengths[name].max() for name in ("train", "validation", "test")) == 5
    assert lengths["longer"].min() == 6


@pytest.mark.parametrize(
    "more", [{"train": 100, "test": 10}, {"longest": 2, "train": 100}, {"longest": 5, "longer": 9, "train": 300}]
)
def test_too_few_numbers_are_one_line(more):
    with pytest.raises(StudyError, match=r"params\.yaml: numbers below 1000.*: expected at least"):
        numbers.prepare(None, numbers_of(**more))


def test_all_numbers_there_are_suffice():
    """One number fewer to train on, or one more of any part, is refused."""
    numbers.split(numbers_of(below=200, train=101, validation=50, test=49), np.random.default_rng(0))
    numbers.split(numbers_of(train=109), np.random.default_rng(0))
    with pytest.raises(StudyError, match="and 109 or more to train on"):
        numbers.split(numbers_of(train=108), np.random.default_rng(0))
    with pytest.raises(ValueError, match="below 200: 201 numbers asked for: expected at most"):
        numbers_of(below=200, train=101, validation=50, test=50)


def test_a_french_word_that_is_never_trained_on_is_one_line():
    with pytest.raises(StudyError, match=r"numbers: train 109: no mille among them: expected more"):
        numbers.prepare(None, numbers_of(below=2000, train=109))


def test_a_card_counts_words_without_padding_and_tokens():
    task, details = numbers.prepare(None, numbers_of())
    said = {side: [numbers.words_of(n, side) for n in itertools.chain(*(
        task.extras[f"numbers_{part}"].tolist() for part in task.parts()))] for side in ("en", "fr")}  # fmt: skip
    words = {side: set(itertools.chain(*texts)) for side, texts in said.items()}
    assert (details["english_words"], details["french_words"]) == (len(words["en"]), len(words["fr"]))
    longest = {side: max(map(len, texts)) for side, texts in said.items()}
    assert details["longest"] == {"x": longest["en"], "y": longest["fr"] + 1}  # and an end
    assert task.embedding.shape == (len(words["en"]) + 1, 4)
    assert not task.embedding[0].any()
    assert task.embedding[1:].all()


def series_of(**more):
    own = {"of": "airline", "window": 5, "shifted": False, "scale": "train", "validation": 12}
    return Series(kind="series", **(own | more))


@pytest.mark.parametrize("window", [1, 5, 20])
@pytest.mark.parametrize("shifted", [False, True])
def test_windows_end_before_what_they_answer(window, shifted, raw):
    task, _ = series.prepare(raw, series_of(window=window, shifted=shifted))
    values, scale = task.extras["series"], task.inverse
    for name, part in task.parts().items():
        for target, x, y in zip(task.extras[f"index_{name}"], part.x, part.y, strict=True):
            seen = scale["offset_test"] + scale["scale"] * x[:, 0].astype(float)
            np.testing.assert_allclose(seen, values[target - window : target], rtol=1e-5)
            told = scale["offset_test"] + scale["scale"] * y.astype(float).ravel()
            np.testing.assert_allclose(told, values[target - window + 1 : target + 1] if shifted else values[[target]],
                                       rtol=1e-5)  # fmt: skip
    dates = task.extras["dates"][task.extras["index_test"]]
    assert (len(dates), dates[0], dates[-1]) == (46, "1957-02", "1960-11")  # whatever the window
    assert task.extras["index_train"].max() < task.extras["index_validation"].min()
    assert task.extras["index_validation"].max() == 94
    assert task.scored == (1 if shifted else None)


def test_only_the_tutorials_scale_looks_at_the_test_part(raw):
    _, values = series.read(raw, "airline")[:2]
    before = {scale: series.scaling(values, scale) for scale in ("train", "all")}
    later = values.copy()
    later[96:] *= 3
    assert series.scaling(later, "train") == before["train"]
    assert series.scaling(later, "all") != before["all"]
    task, _ = series.prepare(raw, series_of(window=1, scale="all", validation=0))
    whole = np.concatenate([part.x.ravel() for part in task.parts().values()])
    assert 0 <= whole.min() <= whole.max() <= 1
    np.testing.assert_array_equal(task.validation.x, task.train.x)
    assert len(task.train.y) == 94


def test_a_series_is_standardised_by_two_thirds_of_it(raw):
    _, values = series.read(raw, "airline")[:2]
    first = values[:96].tolist()  # 67 % of 144 months, rounded down
    assert series.scaling(values, "train") == pytest.approx((statistics.fmean(first), statistics.pstdev(first)))
    assert series.scaling(values, "all") == (104, 622 - 104)
    task, _ = series.prepare(raw, series_of())
    assert task.inverse["scale"] == pytest.approx(statistics.pstdev(first))


def test_a_season_is_what_comes_back(raw):
    """The months whose changes are most alike; the strongest period of the sun."""
    planes, sun = (series.prepare(raw, series_of(of=of))[0].extras for of in ("airline", "sunspots"))
    change = np.diff(planes["series"])
    alike = {lag: np.corrcoef(change[lag:], change[:-lag])[0, 1] for lag in range(1, 25)}
    assert planes["season"] == max(alike, key=alike.get) == 12
    power = np.abs(np.fft.rfft(sun["series"] - sun["series"].mean()))
    assert sun["season"] == round(len(sun["series"]) / power.argmax()) == 11


def test_persistence_and_the_last_season_by_hand(raw):
    task, _ = series.prepare(raw, series_of())
    values = task.extras["series"]
    persistence, season = (np.sqrt(np.mean(marks)) for marks in series.baselines(task).values())
    assert persistence == pytest.approx(math.sqrt(sum((values[i] - values[i - 1]) ** 2 for i in range(97, 143)) / 46))
    assert season == pytest.approx(math.sqrt(sum((values[i] - values[i - 12]) ** 2 for i in range(97, 143)) / 46))
    assert f"{persistence:.2f}" == "48.66"


def test_a_series_without_a_season_has_one_rule(raw):
    task, _ = series.prepare(raw, series_of())
    task.extras["season"] = np.array(1)  # of a reader's own
    assert list(series.baselines(task)) == ["last value (persistence)"]


def test_a_season_longer_than_the_training_part_is_one_line(raw, monkeypatch):
    """What was a season ago would be what is to come."""
    dates, values, unit, _ = series.read(raw, "airline")
    monkeypatch.setattr(series, "read", lambda *_: (dates, values, unit, 96))
    with pytest.raises(StudyError, match="season: got 96: expected less than the 96 values to learn from"):
        series.prepare(raw, series_of())


def test_a_window_as_long_as_the_training_part_is_one_line(raw):
    with pytest.raises(StudyError, match=r"series: window 60: expected at most 53 in 96 training values"):
        series.prepare(raw, series_of(window=60, validation=40))
    task, _ = series.prepare(raw, series_of(window=53, validation=40))
    assert len(task.train.y) == 2
    with pytest.raises(StudyError, match="window 54"):
        series.prepare(raw, series_of(window=54, validation=40))


def test_the_sun_has_309_years():
    years, values = sunspots.read()
    assert (years[0], years[-1], len(years)) == ("1700", "2008", 309)
    assert dict(zip(years, values, strict=True))["1957"] == 190.2  # the highest on record


def language_of(**more):
    own = {"of": "alice", "unit": "characters", "symbols": 3000, "vocabulary": 40, "window": 20, "held_out": 0.1}
    return Language(kind="language", **(own | {"inputs": 3, "seed": 0} | more))


def test_pieces_of_a_text_follow_one_another(raw):
    params = language_of()
    task, _ = language.prepare(raw, params)
    words, text = unpack_texts(task.extras["words"], task.extras["words_offsets"]), language.symbols(raw, params)
    assert "".join(text).startswith("CHAPTER I\nDown the Rabbit-Hole\nAlice was beginning")
    train, held = text[:2400], text[2400:]
    read = [words[token] for token in task.train.x.ravel()]
    assert all(one in (other, "[UNK]") for one, other in zip(read, train, strict=False))
    assert task.train.x.shape == (119, 20)
    np.testing.assert_array_equal(task.train.y.ravel()[:-1], task.train.x.ravel()[1:])  # what comes next
    for name, part in (("validation", held[:300]), ("test", held[300:])):
        own = [words[token] for token in task.parts()[name].x.ravel()]
        assert all(one in (other, "[UNK]") for one, other in zip(own, part, strict=False))
        assert task.parts()[name].x.shape == (8, 36)
    assert set(words) - {"[UNK]"} <= set(train)
    assert task.continues
    assert task.scored >= 36


def test_the_most_frequent_symbols_of_the_training_part_are_told_apart(raw):
    params = language_of(unit="words", vocabulary=60, held_out=0.3)
    task, details = language.prepare(raw, params)
    text = language.symbols(raw, params)
    seen = Counter(text[:1200])  # of 3000, twice 900 held out
    unknown, *words = unpack_texts(task.extras["words"], task.extras["words_offsets"])
    assert (unknown, len(words), task.outputs, len(task.embedding)) == ("[UNK]", 59, 60, 60)
    assert [seen[word] for word in words] == sorted(seen.values(), reverse=True)[:59]
    told = set(words)
    for name, start, count in (("train", 0, 59 * 20), ("validation", 1200, 8 * 111), ("test", 2100, 8 * 111)):
        after = text[start + 1 : start + 1 + count]
        assert details["unknown_share"][name] == pytest.approx(sum(word not in told for word in after) / count)
    assert (details["symbols"], details["unit"], details["text"]) == (3000, "words", "alice")


@pytest.mark.parametrize("held_out", [0.01, 0.0154])
def test_a_held_out_part_of_less_than_two_symbols_a_row_is_one_line(held_out, raw):
    """Eight rows of one symbol have nothing that comes next."""
    params = Language(
        kind="language", of="alice", unit="characters", symbols=1000, vocabulary=40, window=20, held_out=held_out,
        inputs=3, seed=0,
    )  # fmt: skip
    with pytest.raises(StudyError, match="language: 1000 symbols: expected some windows of 20 of them"):
        language.prepare(raw, params)
    language.prepare(raw, params.model_copy(update={"held_out": 0.016}))


@pytest.mark.parametrize("window", [1200, 3000])
def test_a_text_of_less_than_two_windows_is_one_line(window, raw):
    """Of 2400 symbols to train on, the last is only ever an answer."""
    with pytest.raises(StudyError, match=f"language: 3000 symbols: expected some windows of {window} of them"):
        language.prepare(raw, language_of(window=window))
    task, _ = language.prepare(raw, language_of(window=1199))
    assert task.train.x.shape == (2, 1199)


def test_words_and_tweets_are_languages_too(raw):
    task, _ = language.prepare(raw, language_of(of="tweets", unit="words"))
    words = unpack_texts(task.extras["words"], task.extras["words_offsets"])
    assert "\n" in words  # where a tweet ends
    assert origins(language_of(of="tweets", unit="words")) == ("tweets",)
    assert origins(language_of()) == ("alice",)
    assert alice.read().count("CHAPTER") == 12


def slow_ngram(train, before, symbol, words, order):
    """Witten & Bell in fractions, from the definition."""
    p = Fraction(1, words)
    for k in range(order + 1):
        context = tuple(before[len(before) - k :]) if k <= len(before) else None
        followed = [
            train[t] for t in range(k, len(train)) if context is not None and tuple(train[t - k : t]) == context
        ]
        if not followed:
            break
        p = (followed.count(symbol) + len(set(followed)) * p) / (len(followed) + len(set(followed)))
    return p


@pytest.mark.parametrize("order", [0, 1, 3])
def test_ngrams_are_witten_and_bells(order):
    rng = np.random.default_rng(0)
    train, texts = rng.integers(0, 3, 60), rng.integers(0, 4, (6, 5))  # 3 was never seen
    found = language.ngram_bits(train, Batch(texts[:, :-1].astype(np.int32), texts[:, 1:]), 4, order)
    for row, text in enumerate(texts.tolist()):
        for t in range(4):
            odds = [slow_ngram(train.tolist(), text[: t + 1], symbol, 4, order) for symbol in range(4)]
            assert sum(odds) == 1
            assert found[row, t] == pytest.approx(-math.log2(odds[text[t + 1]]), rel=1e-12)


@pytest.mark.parametrize("version", ["weather", "cycle", "both"])
def test_the_menus_rules_by_a_loop(version):
    task, _ = menu.prepare(None, Menu(kind="menu", version=version, days=7, train=40, validation=5, test=5, seed=0))
    for x, y in zip(task.train.x, task.train.y, strict=True):
        for day, row in enumerate(x):
            weather = row[-2:].argmax() if version != "cycle" else None
            yesterday = row[:3].argmax() if version != "weather" else None
            if version == "weather":
                assert y[day] == (1 if weather else 0)  # rain: burger, sun: apple pie
            else:
                assert y[day] == (yesterday + (1 if version == "cycle" else weather)) % 3
            if day and version != "weather":
                assert yesterday == y[day - 1]


def test_every_dish_and_every_weather_occurs():
    params = Menu(kind="menu", version="both", days=2, train=60, validation=5, test=4, seed=0)
    task, details = menu.prepare(None, params)
    assert {name: len(part.y) for name, part in task.parts().items()} == {"train": 60, "validation": 5, "test": 4}
    days = {tuple(row) for row in task.train.x[:, 0].astype(int).tolist()}
    assert days == {(*dish, *sky) for dish in np.eye(3, dtype=int).tolist() for sky in ([1, 0], [0, 1])}
    assert (task.scored, details) == (2, {"version": "both"})


def tutorial_of(version, **more):
    own = {"version": version, "tweets": 500, "test": 0.3, "words": 300, "tokens": 6, "seed": 0}
    return TweetsTutorial(kind="tweets_tutorial", **(own | more))


def glove_width(raw):
    return tweets.prepare(raw, vectors_of(table="glove"))[0].embedding.shape[1]


def test_one_tutorials_tweets_are_cut_before_and_padded_after(raw):
    task, _ = tweets_tutorial.prepare(raw, tutorial_of("coded"))
    ids, _ = tweets_tutorial.prepare(raw, tutorial_of("embedded"))
    assert task.train.x.shape == (350, 6, 1)
    assert task.train.x.dtype == np.float32
    np.testing.assert_array_equal(task.train.x[..., 0], ids.train.x)
    assert task.train.mask is None
    for row in ids.train.x:
        zeros = np.flatnonzero(row == 0)
        assert not len(zeros) or (row[zeros[0] :] == 0).all()
    long, _ = tweets_tutorial.prepare(raw, tutorial_of("embedded", tokens=12))
    for short, whole in zip(ids.train.x, long.train.x, strict=True):
        assert whole[whole > 0][-6:].tolist() == short[short > 0].tolist()
    np.testing.assert_array_equal(task.validation.x, task.train.x[:150])
    assert ids.embedding.shape == (300, glove_width(raw))


@pytest.mark.parametrize("version", ["embedded", "cleaned"])
def test_its_tweets_are_the_sources_with_their_labels(version, raw, monkeypatch):
    """All there are, whole, in another order: how many words each has, and how often each number stands for one."""
    data = sentiment.read(raw / "tweets")
    data = data._replace(texts=[*data.texts[::30], "&"], labels=np.append(data.labels[::30], 1))
    monkeypatch.setattr(sentiment, "read", lambda folder: data)
    whole = tutorial_of(version, tweets=10**6, words=10**5, tokens=60)
    task, details = tweets_tutorial.prepare(raw, whole)
    said = [tweets_tutorial.words(text) for text in data.texts]
    said = [tweets_tutorial.cleaned(one) for one in said] if version == "cleaned" else said
    ids, y = (np.concatenate(pair) for pair in zip(task.tests["test"][:2], task.train[:2], strict=True))
    found = zip(np.count_nonzero(ids, axis=1).tolist(), y.tolist(), strict=True)
    assert Counter(found) == Counter(zip(map(len, said), data.labels.tolist(), strict=True))
    counts = Counter(itertools.chain(*said))
    assert np.bincount(ids.ravel())[1:].tolist() == sorted(counts.values(), reverse=True)
    assert details == {"version": version, "words": len(counts) + 1, "empty": sum(not one for one in said)}


def test_its_tweets_are_drawn_at_random(raw):
    one, other = (tweets_tutorial.prepare(raw, tutorial_of("coded", seed=seed))[0] for seed in (0, 1))
    assert not np.array_equal(one.train.x, other.train.x)
    assert len(one.train.y) == len(other.train.y)


def test_its_words_are_kerass():
    assert tweets_tutorial.words("Don't STOP, me-now!\t(50%)\n@you :) x_y") == [
        *("don't", "stop", "me", "now", "50", "you", "x", "y")
    ]


def test_stop_words_go_and_lemmas_come():
    said = ["the", "dogs", "were", "running", "in", "the", "houses", "and", "she", "loved", "it"]
    assert tweets_tutorial.cleaned(said) == ["dog", "run", "house", "love"]
    assert tweets_tutorial.cleaned(["lives", "feet"]) == ["live", "foot"]  # lives a verb, feet none


def vectors_of(**more):
    own = {"table": "random", "inputs": None, "validation": 0.15, "test": 0.2, "seed": 0, "vocabulary": 300}
    return Vectors(kind="vectors", **(own | {"max_tokens": 20} | more))


def test_random_vectors_replace_gloves(raw):
    glove, _ = vectors.prepare(raw, vectors_of(table="glove"))
    plain, _ = tweets.prepare(raw, vectors_of(table="glove"))
    np.testing.assert_array_equal(glove.embedding, plain.embedding)
    found, _ = vectors.prepare(raw, vectors_of())
    assert found.embedding.shape == glove.embedding.shape
    assert not found.embedding[0].any()
    drawn = np.random.default_rng(0).normal(size=glove.embedding.shape)
    np.testing.assert_allclose(found.embedding[1:], drawn[1:] * glove.embedding[1:].std(), rtol=1e-5)
    assert abs(np.corrcoef(found.embedding[1:].ravel(), glove.embedding[1:].ravel())[0, 1]) < 0.05
    wide, details = vectors.prepare(raw, vectors_of(inputs=40))
    assert wide.embedding.shape == (len(glove.embedding), 40)
    assert details["table"] == "random"


def test_random_vectors_are_drawn_anew_by_another_seed(raw):
    """The split changes too, the spread only as its words do."""
    one, other = (vectors.prepare(raw, vectors_of(seed=seed))[0].embedding[1:] for seed in (0, 1))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


# Options and runs --------------------------------------------------------------------------------------------------


def edited(tmp_path, system, **changes):
    """studies/quick.yaml with one system changed: keys with dots go deeper."""
    yaml = YAML(typ="safe", pure=True)
    whole = yaml.load((ROOT / "studies/quick.yaml").read_text())
    for key, value in changes.items():
        place, *rest = whole["shapes"][system], *key.split(".")
        *way, last = rest
        for one in way:
            place = place[one]
        place[last] = value
    with (tmp_path / "params.yaml").open("w") as file:
        yaml.dump(whole, file)
    return tmp_path / "params.yaml"


@pytest.mark.parametrize(
    ("system", "changes", "said"),
    [
        ("numbers", {"prepare.kind": "letters"}, "shapes.numbers.prepare: got"),
        ("numbers", {"prepare.train": 900}, "prepare: below 1000: 1260 numbers asked for: expected at most"),
        ("numbers", {"prepare.longer": 3}, "longer 3 with longest null: expected a number of words for longest"),
        ("numbers", {"seeds": {}}, "seeds: expected some for pytorch, tensorflow or both"),
        ("numbers", {"seeds": {"pytorch": []}}, "seeds.pytorch []: expected one or more, each once"),
        ("numbers", {"seeds": {"pytorch": [1, 1]}}, "seeds.pytorch [1, 1]: expected one or more, each once"),
        ("numbers", {"seeds": {"jax": [1]}}, "jax"),
        ("frames", {"cells": {"a": {"cell": "gru", "attention": True}}}, "attention in a task whose answers are not"),
        ("frames", {"cells": {"a": {"cell": []}}}, "cell []: expected the cell of each layer, or dense layers"),
        (
            "frames",
            {"cells": {"a": {"cell": [], "dense": [{"units": 3, "activation": "relu"}]}}},
            "every_step without a recurrent layer",
        ),
        (
            "spelled",
            {"cells": {"a": {"cell": "gru", "dense": [{"units": 3, "activation": "relu"}]}}},
            "a decoder of other layers",
        ),
        (
            "spelled",
            {"cells": {"a": {"cell": "gru", "attention": True, "dense": [{"units": None, "activation": "relu"}]}}},
            "attention with dense layers",
        ),
        ("numbers", {"cells": {"a": {"cell": "gru", "bidirectional": True}}}, "bidirectional with a decoder"),
        ("characters", {"prepare.window": 1}, "shapes.characters.prepare.window: got 1"),
        ("vectors_frozen", {"prepare.inputs": 5}, "inputs 5 with table glove: expected null"),
        ("digits", {"cells": {"a": {"cell": "gru", "activation": "sigmoid", "impl": "native"}}}, "impl native"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(system, changes, said, tmp_path):
    with pytest.raises(StudyError) as error:
        config.load(edited(tmp_path, system, **changes))
    assert said in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/params.yaml: shapes.{system}")
    assert "\n" not in str(error.value)


def test_what_a_system_answers_is_told_by_its_kind():
    for name in ("quick", "real"):
        for system in config.load(ROOT / f"studies/{name}.yaml").shapes.values():
            kind = system.prepare.kind
            step = kind in ("frames", "language", "menu") or (kind == "series" and system.prepare.shifted)
            written = kind in ("spelled", "numbers")
            assert system.answers == ("written" if written else "every step" if step else "one"), kind
            assert system.prepare.classifies == (kind != "series")


def test_a_system_needs_a_name_of_its_own(tmp_path):
    path = edited(tmp_path, "digits")
    whole = YAML(typ="safe", pure=True).load(path.read_text())
    whole["shapes"]["tweets"] = whole["shapes"].pop("digits")
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(whole, file)
    with pytest.raises(StudyError, match="shapes: tweets is a task or a problem as well: expected another name"):
        config.load(path)


def test_every_system_makes_its_runs(raw, tmp_path):
    parameters = config.load(edited(tmp_path, "numbers", seeds={"pytorch": [0, 7], "tensorflow": [3]}))
    task, _ = numbers.prepare(raw, parameters.shapes["numbers"].prepare)
    for backend, seeds in (("pytorch", [0, 7]), ("tensorflow", [3])):
        runs = experiments.shape(parameters, task, backend)
        assert [(run.variant, run.seed) for run in runs] == [(c, s) for c in ("gru", "gru-attention") for s in seeds]
        assert {run.data for run in runs} == {"data/shapes/numbers.npz"}
        assert {run.backend for run in runs} == {backend}
        assert not any(run.last or run.goal or run.checkpoints for run in runs)
        assert {run.optimiser.learning_rate for run in runs} == {0.01}
    plain, looks = (run.network for run in experiments.shape(parameters, task, "tensorflow"))
    assert plain.decoder.layers == plain.layers == looks.layers
    assert (plain.decoder.inputs, plain.decoder.outputs) == (task.outputs, task.outputs)
    assert plain.decoder.attention is None
    assert (looks.decoder.attention.units, looks.decoder.attention.memory) == (24, 24)
    assert experiments.shape(parameters, tweets_named(raw, parameters), "tensorflow") == []


def tweets_named(raw, parameters):
    task, _ = vectors.prepare(raw, parameters.shapes["vectors_random"].prepare)
    return replace(task, name="vectors_random")


def test_the_tutorials_keep_the_last_epoch_and_perceptrons_their_budget(raw, tmp_path):
    parameters = config.load(edited(tmp_path, "digits"))
    images, _ = mnist_rows.prepare(raw, parameters.shapes["digits"].prepare)
    runs = {run.variant: run for run in experiments.shape(parameters, replace(images, name="digits"), "pytorch")}
    mlp = runs["mlp"].network
    assert (mlp.layers, mlp.steps, mlp.dense[0].activation) == ((), 8, "relu")
    counts = [parameter_count(resized(replace(mlp, dense=(replace(mlp.dense[0], units=0),)), n), embedding=False)
              for n in range(1, 100)]  # fmt: skip
    assert abs(parameter_count(mlp, embedding=False) - 4000) == min(abs(count - 4000) for count in counts)
    assert [layer.cell for layer in runs["mixed-3"].network.layers] == ["vanilla", "gru", "lstm"]
    (run, *_) = experiments.shape(parameters, replace(images, name="digits_tutorial"), "pytorch")
    assert run.last
    assert run.optimiser.clip is None
    assert run.optimiser.rule.kind == "rmsprop"
    text, _ = language.prepare(raw, parameters.shapes["characters"].prepare)
    (run,) = experiments.shape(parameters, replace(text, name="characters"), "pytorch")
    assert run.network.carried
    assert run.network.every_step


def test_a_tuned_system_runs_at_what_its_searches_found(raw, tmp_path, monkeypatch):
    parameters = config.load(edited(tmp_path, "numbers", tuning={"epochs": 2, "examples": None}))
    monkeypatch.chdir(tmp_path)
    task, _ = numbers.prepare(raw, parameters.shapes["numbers"].prepare)
    with pytest.raises(StudyError, match=r"tuned/numbers\.yaml"):
        experiments.shape(parameters, task, "pytorch")
    chosen = {"learning_rate": 0.002, "clip": 2.0, "dropout": 0.25}
    found = {cell: [{"settings": chosen, "trials": 8, "validation_score": 1.0}] for cell in ("gru", "gru-attention")}
    settings.write_tuned("numbers", found)
    own, of_a_task = (parameters.searched(name, "gru") for name in ("numbers", "tweets"))
    assert of_a_task - own == {"depth"}  # which is what a system shows
    for run in experiments.shape(parameters, task, "pytorch"):
        assert (run.optimiser.learning_rate, run.optimiser.clip, run.network.dropout) == (0.002, 2.0, 0.25)


def test_both_studies_name_systems_for_every_kind():
    for name in ("quick", "real"):
        parameters = config.load(ROOT / f"studies/{name}.yaml")
        kinds = {shape.prepare.kind for shape in parameters.shapes.values()}
        assert len(kinds) == 9
    assert all(shape.seeds.keys() == {"pytorch", "tensorflow"} for shape in parameters.shapes.values())


@pytest.mark.parametrize("kind", ["numbers", "frames", "language"])
def test_a_prepared_system_comes_back_the_same(kind, raw, tmp_path):
    made = {
        "numbers": lambda: numbers.prepare(raw, numbers_of()),
        "frames": lambda: frames.prepare(
            raw, Frames(kind="frames", side=4, frames=6, train=20, validation=4, test=4, seed=1)
        ),
        "language": lambda: language.prepare(raw, language_of()),
    }
    task, _ = made[kind]()
    save_task(task, tmp_path / "task.npz")
    found = load_task(tmp_path / "task.npz")
    assert (found.writes, found.scored, found.continues) == (task.writes, task.scored, task.continues)
    for name, part in task.parts().items():
        for one, other in zip(part, found.parts()[name], strict=True):
            assert (one is None and other is None) or np.array_equal(one, other)
