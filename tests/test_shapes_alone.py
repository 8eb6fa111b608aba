"""Networks of the sequence shapes looked at: weights written by hand, networks left alone, answers that are written,
words and their order, scores, and what the pipeline left read back; against loops over numbers."""

import functools
import itertools
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import naive
import numpy as np
import pytest
from conftest import ROOT, needs
from safetensors.numpy import save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from test_written_answers import attended, written_naively

from rnn_study import config
from rnn_study.behaviour.shapes import alone, by_hand, scores, study, systems, trained, tutorials, words, written
from rnn_study.behaviour.shapes.trained import System
from rnn_study.data.prepared import pack_texts, save_task
from rnn_study.data.problems import menu as memory
from rnn_study.data.shapes import menu, series
from rnn_study.model import reference
from rnn_study.model.init import SCHEMES, draw
from rnn_study.model.network import Attention, Dense, Embedding, Layer, Network, decoder_tree, shapes
from rnn_study.model.task import END, GO, Batch, Task
from rnn_study.running.run.spec import stream
from rnn_study.statistics import crossed
from rnn_study.support.files import write_arrays, write_json

VERSIONS = ("weather", "cycle", "both")
NEXT = {"apple pie": "burger", "burger": "chicken", "chicken": "apple pie"}
PIE, BURGER, CHICKEN = range(3)


@dataclass(frozen=True)
class Given(System):
    """A system whose weights are given, a tree a seed, by framework and variant."""

    trees: dict = field(default_factory=dict)

    def weights(self, backend, variant, place=0):
        return self.trees[backend, variant][place]


def left(folder, predictions=None, scores=None, weights=None):
    """What a run left in its folder."""
    folder.mkdir(parents=True)
    if predictions is not None:
        write_arrays(folder / "predictions.npz", predictions)
    if scores is not None:
        write_json(folder / "result.json", {"scores": scores})
    if weights is not None:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in weights.items()}, folder / "weights.safetensors"
        )
    return folder


# Weights by hand -----------------------------------------------------------------------------------------------------


def cooked(version, first, rain):
    """The dishes by the roommate's rule, day by day."""
    said, dish = [], memory.DISHES[first]
    for wet in rain:
        if version == "weather":
            dish = "burger" if wet else "apple pie"
        elif version == "cycle" or wet:
            dish = NEXT[dish]
        said.append(memory.DISHES.index(dish))
    return said


def every_weather(days):
    """Every first dish with every weather of so many days: (N,), (N, days)."""
    rows = np.array(list(itertools.product(range(3), *[(0, 1)] * days)))
    return rows[:, 0], rows[:, 1:]


def told(version, first, rain):
    """What the network reads where it is told the truth, and the truth: of the version with a memory the first dish
    comes alone, a day before the weather."""
    truth = np.array([cooked(version, *row) for row in zip(first, rain, strict=True)])
    if version != "memory":
        return menu.inputs(version, np.column_stack([first, truth[:, :-1]]), rain), truth
    x = np.zeros((len(first), rain.shape[1] + 1, 5))
    x[np.arange(len(first)), 0, first] = 1
    for row, day in np.ndindex(rain.shape):
        x[row, day + 1, 3 + rain[row, day]] = 1
    return x, np.column_stack([first, truth])


@pytest.mark.parametrize("version", VERSIONS)
def test_weights_by_hand_name_every_dish_of_every_weather_left_alone(version):
    """Eight days: every shorter weather is the beginning of one."""
    network, tree = by_hand.network(version)
    for first, rain in zip(*every_weather(8), strict=True):
        assert alone.courses(version, network, tree, rain, first).tolist() == cooked(version, first, rain)


@pytest.mark.parametrize("version", [*VERSIONS, "memory"])
def test_weights_by_hand_are_sure_of_every_dish(version):
    """Logits are 1 for the dish and 0 for the others, to the bit, in weathers of up to 8 days and of 60 at random."""
    network, tree = by_hand.network(version)
    rng = np.random.default_rng(5)
    weathers = [every_weather(days) for days in range(1, 9)]
    for first, rain in (*weathers, (rng.integers(0, 3, 50), rng.integers(0, 2, (50, 60)))):
        x, truth = told(version, first, rain)
        outputs = reference.forward(network, tree, Batch(x, np.zeros(truth.shape, np.int64)))
        np.testing.assert_array_equal(outputs, np.eye(3)[truth])


def test_the_memory_is_asked_what_the_problem_asks():
    network, tree = by_hand.network("memory")
    batch = memory.sample(np.random.default_rng(0), 30, 60)
    np.testing.assert_array_equal(reference.forward(network, tree, batch).argmax(axis=2), batch.y)


@pytest.mark.parametrize("version", VERSIONS)
def test_weights_by_hand_name_60_courses_left_alone(version):
    network, tree = by_hand.network(version)
    rng = np.random.default_rng(3)
    for first in range(3):
        rain = rng.integers(0, 2, 60)
        assert alone.courses(version, network, tree, rain, first).tolist() == cooked(version, first, rain)


@pytest.mark.parametrize("version", [*VERSIONS, "memory"])
def test_weights_by_hand_are_small_whole_numbers_of_a_plain_network(version):
    network, tree = by_hand.network(version)
    assert {name: array.shape for name, array in tree.items()} == shapes(network)
    assert {float(value) for array in tree.values() for value in array.ravel()} <= {-1.0, 0.0, 1.0, 2.0}
    assert [layer.cell for layer in network.layers] == ["vanilla"]
    assert (network.activation, network.every_step, network.outputs) == ("relu", True, 3)
    assert bool(tree["layers.0.U"].any()) is (version == "memory")  # the others remember nothing
    again = by_hand.network(version)[1]
    assert all(np.array_equal(again[name], array) for name, array in tree.items())


@needs("torch")
def test_they_name_every_dish_in_torchs_own_layer(pool):
    rng = np.random.default_rng(1)
    for version in (*VERSIONS, "memory"):
        x, truth = told(version, rng.integers(0, 3, 20), rng.integers(0, 2, (20, 30)))
        found = pool("pytorch").submit(_torch, by_hand.network(version)[1], x).result()
        np.testing.assert_array_equal(found, np.eye(3)[truth])


def _torch(tree, x):
    import torch

    layer = torch.nn.RNN(x.shape[2], len(tree["layers.0.U"]), nonlinearity="relu", batch_first=True).double()
    for name, array in (("weight_ih_l0", tree["layers.0.W"].T), ("weight_hh_l0", tree["layers.0.U"].T)):
        getattr(layer, name).data.copy_(torch.from_numpy(array.copy()))
    layer.bias_ih_l0.data.copy_(torch.from_numpy(tree["layers.0.b"]))
    layer.bias_hh_l0.data.zero_()
    with torch.no_grad():
        h = layer(torch.from_numpy(x).double())[0].numpy()
    return h @ tree["head.W"] + tree["head.b"]


# Left alone ----------------------------------------------------------------------------------------------------------


def test_a_network_that_errs_once_goes_on_from_its_error():
    """After chicken in rain it cooks a burger; all that follows is right of that burger, and wrong by the rule."""
    network, tree = by_hand.network("both")
    outcome = tree["head.W"].copy()
    outcome[3 + CHICKEN] = np.eye(3)[BURGER]
    rain, expected, dish = [1, 0, 1, 1, 0, 1], [], CHICKEN
    for wet in rain:
        dish = BURGER if wet and dish == CHICKEN else (dish + wet) % 3
        expected.append(dish)
    said = alone.courses("both", network, tree | {"head.W": outcome}, np.array(rain), CHICKEN)
    assert said.tolist() == expected == [BURGER, BURGER, CHICKEN, BURGER, BURGER, CHICKEN]
    assert cooked("both", CHICKEN, rain) == [PIE, PIE, BURGER, CHICKEN, CHICKEN, PIE]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_day_it_reads_all_days_before_with_what_it_said_itself(version, monkeypatch):
    """A network that says as many burgers as it has read, and rainy days, mod 3."""
    read = []

    def forward(network, tree, batch):
        read.append(batch.x[0].tolist())
        said = int(batch.x[0].sum(axis=0) @ (np.arange(batch.x.shape[2]) + 1)) % 3
        outputs = np.zeros((*batch.x.shape[:2], 3))
        outputs[0, :-1, 1 - said % 2], outputs[0, -1, said] = 9, 1  # only the last day's answer counts
        return outputs

    monkeypatch.setattr(alone, "reference", SimpleNamespace(forward=forward))
    rain = [1, 0, 0, 1, 1, 0, 1]
    found = alone.courses(version, None, {}, np.array(rain), BURGER).tolist()
    rows = []
    for dish, wet in zip([BURGER, *found], rain, strict=False):
        dish, weather = np.eye(3)[dish].tolist(), np.eye(2)[wet].tolist()
        rows.append({"weather": weather, "cycle": dish, "both": dish + weather}[version])
    assert read == [rows[: day + 1] for day in range(7)]
    sums = [sum((place + 1) * value for row in rows[: day + 1] for place, value in enumerate(row)) for day in range(7)]
    assert found == [int(total) % 3 for total in sums]


def cook(version, *dishes):
    """A trained system of a version: the weights of each seed are those by hand, or say one dish for ever."""
    network, tree = by_hand.network(version)
    always = [tree if dish is None else tree | {"head.b": 9 * np.eye(3)[dish]} for dish in dishes]
    half = len(dishes) // 2
    folders = {"pytorch": {"vanilla": [Path()] * half}, "tensorflow": {"vanilla": [Path()] * (len(dishes) - half)}}
    trees = {("pytorch", "vanilla"): always[:half], ("tensorflow", "vanilla"): always[half:]}
    return Given(f"menu_{version}", None, {"vanilla": network}, {}, (0,), folders, trees)


def test_courses_are_counted_seed_by_seed():
    rows = alone.roommate({f"menu_{name}": cook(name, None, PIE, CHICKEN, None) for name in ("cycle", "weather")})
    assert [(row["version"], row["courses"], row["by_hand"]) for row in rows] == [
        (name, 60, 60) for name in (*VERSIONS, "memory")
    ]
    weather, cycle, both, remembered = (row["trained"] for row in rows)
    assert cycle == {"pytorch": [60, 20], "tensorflow": [20, 60]}  # each dish comes every third day
    sunny, chicken = weather["pytorch"][1], weather["tensorflow"][0]
    assert (weather["pytorch"][0], weather["tensorflow"][1], chicken) == (60, 60, 0)  # no weather asks for chicken
    assert 0 < sunny < 60
    assert both == remembered == {}


def test_weights_by_hand_that_fail_are_counted_too(monkeypatch):
    """Without its memory the network knows the first dish alone; of 60 days one is named rightly in every menu."""
    own = by_hand.network

    def forgetful(version):
        network, tree = own(version)
        if version == "memory":
            return network, tree | {"layers.0.U": 0 * tree["layers.0.U"]}
        return network, tree | {"head.b": 9 * np.eye(3)[CHICKEN]}

    monkeypatch.setattr(by_hand, "network", forgetful)
    weather, cycle, _, remembered = alone.roommate({})
    assert (weather["by_hand"], cycle["by_hand"], remembered["by_hand"]) == (0, 20, 1)


WINDOW, SEASON, OFFSET, SCALE = 3, 4, 50.0, 10.0
HABITS = ((0.03, 0.2), (-0.2, 1.5))  # a seed each: the next value is a times the sum of all before, plus b


class Habit(Given):
    """Seeds that forecast from all they have read."""

    def predictor(self, backend, variant, place=0):
        assert (backend, variant) == ("pytorch", "linear")
        a, b = HABITS[place]
        return lambda batch: a * batch.x.cumsum(axis=1) + b


def a_series(length):
    values = [60.0 + 0.3 * t + 4 * (t % SEASON) + (t * t % 7) for t in range(length)]
    part = Batch(np.zeros((2, WINDOW, 1), np.float32), np.zeros((2, WINDOW, 1), np.float32))
    inverse = {"scale": np.array(SCALE), "logarithm": np.array(False)}
    inverse |= {f"offset_{name}": np.array(offset) for name, offset in (("train", 1.0), ("test", OFFSET))}
    dates = [f"year {1900 + t}" for t in range(length)]
    extras = {"series": np.array(values), "dates": np.array(dates), "season": np.array(SEASON)}
    task = Task("series", "squared_error", 1, part, part, {"test": part}, "", None, inverse, extras, scored=1)
    system = Habit("invented", task, {"linear": None}, {}, (0, 1), {"pytorch": {"linear": [Path()] * len(HABITS)}})
    return values, alone.continued(system, "linear")


@pytest.mark.parametrize("length", [40, 200, 400])
def test_a_series_is_continued_from_its_training_part(length):
    """Its end comes before that of the forecast, or does not; by hand."""
    values, row = a_series(length)
    cut, networks = 67 * length // 100, []
    for a, b in HABITS:
        said = [(value - OFFSET) / SCALE for value in values[cut - WINDOW : cut]]
        for _ in range(100):
            said.append(a * math.fsum(said) + b)
        networks.append([OFFSET + SCALE * value for value in said[WINDOW:]])
    naive_forecast = [values[cut - SEASON + step % SEASON] for step in range(100)]
    truth = values[cut : cut + 100]

    def error(forecast):
        return math.sqrt(sum((forecast[step] - true) ** 2 for step, true in enumerate(truth)) / len(truth))

    assert row["steps"] == min(100, length - cut)
    assert (row["system"], row["variant"], row["from"], row["season"]) == (
        "invented",
        "linear",
        f"year {1900 + cut}",
        4,
    )
    assert row["errors"] == pytest.approx([error(one) for one in networks], rel=1e-9)
    assert row["naive_error"] == pytest.approx(error(naive_forecast), rel=1e-12)
    assert row["series"]["before"] == values[cut - 2 * WINDOW : cut]
    assert (row["series"]["truth"], row["series"]["naive"]) == (truth, naive_forecast)
    np.testing.assert_allclose(row["series"]["networks"], networks, rtol=1e-9)


SYMBOLS = ["[UNK]", "a", "b", "é", "\n"]


def a_text(train, test):
    """A system of a text: rows of x; what follows each place is the next symbol, after the last one symbol 4."""

    def part(rows, last):
        flat = [*itertools.chain(*rows), last]
        y = np.array(flat[1:]).reshape(len(rows), -1)
        return Batch(np.array(rows, np.int32), y.astype(np.int64))

    packed, offsets = pack_texts(SYMBOLS)
    task = Task(
        "language",
        "cross_entropy",
        len(SYMBOLS),
        part(train, 4),
        part(train, 4),
        {"test": part(test, 3)},
        embedding=np.zeros((5, 2), np.float32),
        extras={"words": packed, "words_offsets": offsets},
        scored=999,
        continues=True,
    )
    return System("text", task, {"gru": None}, {}, (0,), {"tensorflow": {"gru": [Path()]}, "pytorch": {"gru": []}})


class Speaks(System):
    """Says the next symbol of `SYMBOLS`, nearly always; after the last one the first."""

    def predictor(self, backend, variant, place=0):
        assert (backend, variant, place) == ("tensorflow", "gru", 0)
        return lambda batch: 40.0 * np.eye(5)[(batch.x + 1) % 5]


class Wavers(System):
    """Says a, or, with e^-2 of its odds, b."""

    def predictor(self, backend, variant, place=0):
        return lambda batch: np.broadcast_to([-99.0, 2, 0, -99, -99], (*batch.x.shape, 5))


TRAIN = [[1, 2, 1, 2, 2], [1, 2, 3, 1, 2]]
TEST = [[1, 2, 3, 3] + [1, 2, 1, 2, 3] * 4 + [2], [2, 1, 2, 1, 2] * 5]


def test_bits_are_the_mean_loss_by_the_logarithm_of_two(tmp_path):
    system = a_text(TRAIN, TEST)
    rng, expected, folders = np.random.default_rng(0), [], []
    for seed in range(2):
        outputs = rng.normal(size=(2, 25, 5)).astype(np.float32)
        folders.append(left(tmp_path / f"seed-{seed}", {"validation": outputs, "test": outputs}))
        needed = []
        for row, t in np.ndindex(2, 25):
            odds = [math.exp(value) for value in outputs[row, t].tolist()]
            needed.append(-math.log2(odds[system.task.tests["test"].y[row, t]] / sum(odds)))
        expected.append(sum(needed) / 50)
    system = replace(system, folders={"pytorch": {"gru": folders}})
    assert alone.bits(system, "pytorch", "gru") == pytest.approx(expected, rel=1e-6)


def witten_bell(text, before, symbol):
    """Method C from the uniform distribution up: the share of what was seen, the rest to shorter contexts."""
    p = Fraction(1, len(SYMBOLS))
    for k in range(len(before) + 1):
        context = before[len(before) - k :]
        after = [text[t + k] for t in range(len(text) - k) if text[t : t + k] == context]
        if not after:
            break
        kinds = len(set(after))
        p = Fraction(after.count(symbol), len(after) + kinds) + Fraction(kinds, len(after) + kinds) * p
    return p


@pytest.mark.parametrize(("unit", "order"), [("characters", 4), ("words", 2)])
def test_a_text_is_written_beside_what_n_grams_need(unit, order):
    plain = a_text(TRAIN, TEST)
    row = alone.written(Speaks(**vars(plain)), "gru", unit)
    assert (row["system"], row["unit"]) == ("text", unit)
    assert row["start"] == [SYMBOLS[token] for token in TEST[0][:20]]
    assert [sample["temperature"] for sample in row["samples"]] == [0, 0.5, 1]
    last = TEST[0][19]
    for sample in row["samples"]:  # at logits of 40 every temperature says the same
        assert sample["text"] == [SYMBOLS[(last + 1 + place) % 5] for place in range(160)]
    text, y = [*itertools.chain(*TRAIN), 4], plain.task.tests["test"].y
    needed = {k: [] for k in (order, 0)}
    for most, t, (x, answers) in itertools.product(needed, range(25), zip(TEST, y.tolist(), strict=True)):
        before = x[max(0, t + 1 - most) : t + 1]
        needed[most].append(-math.log2(witten_bell(text, before, answers[t])))
    assert row["ngram"] == {"order": order, "bits": pytest.approx(sum(needed[order]) / 50, rel=1e-12)}
    assert row["unigram_bits"] == pytest.approx(sum(needed[0]) / 50, rel=1e-12)


def test_what_is_written_is_drawn_at_its_temperature():
    cold, cool, warm = alone.written(Wavers(**vars(a_text(TRAIN, TEST))), "gru", "characters")["samples"]
    assert cold["text"] == ["a"] * 160
    shares = [sample["text"].count("a") / 160 for sample in (cool, warm)]
    assert shares[0] == pytest.approx(1 / (1 + math.exp(-4)), abs=0.03)
    assert shares[1] == pytest.approx(1 / (1 + math.exp(-2)), abs=0.08)
    assert shares[1] < shares[0]


# Answers that are written --------------------------------------------------------------------------------------------

CLASSES = ["[GO]", "[END]", "un", "deux", "trois"]
SPOKEN = ["[PAD]", "a", "b", "c", "d", "e"]
ROWS, WIDTH = 24, 4


def translator(attention=True, seed=12, spread=2.5):
    """A system with random weights, not trained by anybody; its test part has every length read and answered."""
    layers = (Layer("gru", 4),)
    decoder = Network(5, layers, 5, every_step=True, attention=Attention(3, 4) if attention else None)
    network = Network(3, layers, 0, Embedding(6, True), decoder=decoder)
    rng = np.random.default_rng(seed)
    tree = {name: spread * rng.normal(size=shape) for name, shape in shapes(network).items()}
    mask = np.arange(WIDTH) < rng.permutation(np.resize([1, 2, 3, 4], ROWS))[:, None]
    x = np.where(mask, rng.integers(1, 6, (ROWS, WIDTH)), 0).astype(np.int32)
    part = Batch(x, np.full((ROWS, 1), END), mask)
    packed, offsets = pack_texts(SPOKEN)
    extras = {"classes": np.array(CLASSES), "words": packed, "words_offsets": offsets}
    table = tree["embedding"]
    task = Task("numbers", "cross_entropy", 5, part, part, {"test": part}, "", table, {}, extras, writes=True)
    folders = {"tensorflow": {"gru": [Path()]}, "pytorch": {"gru": [Path()]}}
    trees = {("tensorflow", "gru"): [tree], ("pytorch", "gru"): [{name: 0 * a for name, a in tree.items()}]}
    system = Given("numbers", task, {"gru": network}, {"gru": SCHEMES["study"]}, (7,), folders, trees)
    return system, network, tree


def logits(network, tree, x, length, said):
    """Of the token after `said`, by loops."""
    read = [tree["embedding"][token] for token in x]
    return written_naively(network, tree, read, length, [*said, END])[0][-1]


def greedily(network, tree, x, length, longest):
    said = []
    while len(said) < longest and END not in said:
        odds = logits(network, tree, x, length, said)
        said.append(odds.index(max(odds)))
    return said


def beam(network, tree, x, length, longest, width=4):
    """The likeliest answer among the `width` likeliest beginnings of each length."""
    found = [(0.0, [])]
    while len(found[0][1]) < longest and not all(END in said for _, said in found):
        after = []
        for total, said in found:
            if END in said:
                after.append((total, [*said, GO]))
                continue
            odds = logits(network, tree, x, length, said)
            norm = math.log(sum(map(math.exp, odds)))
            after += [(total + value - norm, [*said, token]) for token, value in enumerate(odds)]
        found = sorted(after, key=lambda one: -one[0])[:width]
    return found[0][1]


def ended(said):
    """Up to the end token; an answer without one stays as it is."""
    return said[: said.index(END) + 1] if END in said else said


def clean(said):
    """Whether it can be an answer: an end, in time, and no GO before it."""
    return END in said and len(ended(said)) <= WIDTH and GO not in ended(said)


def answered(system, y):
    """The same system with other answers, rows of tokens."""
    rows = np.full((len(y), WIDTH), GO, np.int64)
    for row, said in zip(rows, y, strict=True):
        row[: len(said)] = said
    part = system.task.tests["test"]
    return replace(system, task=replace(system.task, tests={"test": Batch(part.x, rows, part.mask)}))


@pytest.fixture(scope="module")
def spoken():
    """A translator, what it says greedily and by beam, and answers of which some are right, some lack their end, and
    some are what the beam alone says."""
    system, network, tree = translator()
    part = system.task.tests["test"]
    lengths = part.mask.sum(axis=1).tolist()
    asked = list(zip(part.x.tolist(), lengths, strict=True))
    said = [greedily(network, tree, x, length, 2 * WIDTH) for x, length in asked]
    by_beam = [beam(network, tree, x, length, 2 * WIDTH) for x, length in asked]
    y = []
    for place, (one, other) in enumerate(zip(said, by_beam, strict=True)):
        if clean(other) and other != one and place % 2:
            y.append(ended(other))
        elif clean(one) and place % 3:
            y.append(ended(one))
        else:  # the same words, and an end too early or in the place of a last word
            words_said = [token for token in one if token not in (GO, END)][: WIDTH - 1]
            y.append([*words_said[: max(len(words_said) - 1, 0)], END])
    return answered(system, y), said, by_beam, y, lengths


def test_what_is_right_is_right_to_its_end():
    y = np.array([[3, END, GO], [2, 2, END], [3, END, GO], [2, END, GO], [2, END, GO]])
    said = np.array([[3, END, GO, GO], [2, 2, END, GO], [3, 3, END, GO], [2, 2, 2, 2], [2, GO, GO, GO]])
    assert written.right(said, y).tolist() == [True, True, False, False, False]
    assert written.right(said[:, :1], y[:, :2]).tolist() == [False] * 5  # an end that was not written
    assert written.right(np.array([[END]]), np.array([[END, GO, GO]])).tolist() == [True]


def test_tokens_stand_before_the_end():
    assert written.tokens(np.array([3, 2, END, GO])) == [3, 2]
    assert written.tokens(np.array([3, 2, END, 4, END])) == [3, 2]
    assert written.tokens(np.array([3, 2, 2])) == [3, 2, 2]
    assert written.tokens(np.array([GO, 2, END])) == [2]
    assert written.tokens(np.array([END, 2])) == []


def test_answers_are_counted_by_what_is_written(spoken):
    system, said, by_beam, y, lengths = spoken
    good = [ended(one) == answer for one, answer in zip(said, y, strict=True)]
    better = [ended(one) == answer for one, answer in zip(by_beam, y, strict=True)]
    ends = [END in one for one in said]
    assert 6 < sum(good) < ROWS - 6  # the fixture shows what it is to show
    assert sum(good) != sum(better)
    assert sum(good) < sum(ends) < ROWS
    row = written.answers(system, "gru")
    assert (row["system"], row["variant"], row["examples"]) == ("numbers", "gru", ROWS)
    assert (row["greedy"], row["ended"]) == (sum(good), sum(ends))
    assert row["beam"] == {"width": 4, "right": sum(better)}
    assert row["by_length"] == [
        {
            "read": length,
            "right": sum(one for one, own in zip(good, lengths, strict=True) if own == length),
            "examples": ROWS // 4,
        }
        for length in (1, 2, 3, 4)
    ]
    chosen = [place for place in range(ROWS) if good[place]][:6] + [place for place in range(ROWS) if not good[place]][
        :6
    ]
    assert [one["place"] for one in row["samples"]] == chosen
    x = system.task.tests["test"].x
    for sample, place in zip(row["samples"], chosen, strict=True):
        assert sample["read"] == [SPOKEN[token] for token in x[place, : lengths[place]]]
        assert sample["expected"] == [CLASSES[token] for token in y[place][:-1]]
        assert sample["said"] == [CLASSES[token] for token in ended(said[place]) if token not in (GO, END)]
        assert sample["right"] is good[place]


def test_teacher_forcing_finds_the_same_answers_right(spoken):
    system, *_ = spoken
    outputs = reference.forward(system.networks["gru"], system.weights("tensorflow", "gru"), system.task.tests["test"])
    assert written.answers(system, "gru")["greedy"] == system.task.marks(outputs, "test").sum()


def test_of_an_image_nothing_is_read_word_by_word():
    """Nor do images differ in length."""
    decoder = Network(5, (Layer("vanilla", 3),), 5, every_step=True)
    network = Network(2, (), 0, dense=(Dense(3, "tanh"),), steps=4, decoder=decoder)
    rng = np.random.default_rng(0)
    tree = {name: rng.normal(size=shape) for name, shape in shapes(network).items()}
    part = Batch(rng.normal(size=(5, 4, 2)).astype(np.float32), np.full((5, 2), [2, END]))
    extras = {"classes": np.array(CLASSES)}
    task = Task("spelled", "cross_entropy", 5, part, part, {"test": part}, extras=extras, writes=True)
    system = Given("spelled", task, {"gru": network}, {}, (0,), {"pytorch": {"gru": []}}, {("pytorch", "gru"): [tree]})
    row = written.answers(system, "gru")
    assert [(one["read"], one["examples"]) for one in row["by_length"]] == [(4, 5)]
    assert all(one["read"] == [] and one["expected"] == ["un"] for one in row["samples"])


def test_attention_is_shown_of_the_longest_answer_that_is_right(spoken):
    """Over the words read alone; weights equal a loop over attention's formula."""
    system, said, _, y, lengths = spoken
    tree = system.weights("tensorflow", "gru")
    right = [len(answer) if ended(one) == answer else 0 for one, answer in zip(said, y, strict=True)]
    assert max(map(len, y)) >= max(right) > 1
    place = right.index(max(right))
    row = written.looked(system, "gru")
    x = system.task.tests["test"].x[place, : lengths[place]]
    assert row["read"] == [SPOKEN[token] for token in x]
    assert row["written"] == [CLASSES[token] for token in y[place]]
    vectors = [[float(v) for v in tree["embedding"][token]] for token in x]
    memories, state = [], ([0.0] * 4,)
    for vector in vectors:
        state = naive.step("gru", under(tree, "layers.0."), state, vector)
        memories.append(state[0])
    own, expected = decoder_tree(tree), []
    for token in [GO, *y[place][:-1]]:
        state = naive.step("gru", under(own, "layers.0."), state, [float(token == word) for word in range(5)])
        expected.append(attended(own, state[0], memories)[1])
    found = np.array(row["weights"])
    assert found.shape == (len(y[place]), lengths[place])
    np.testing.assert_allclose(found, expected, atol=5.1e-5)  # rounded to four places
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=3e-4)


def under(tree, prefix):
    return {name.removeprefix(prefix): array for name, array in tree.items() if name.startswith(prefix)}


def test_attention_is_shown_of_the_longest_answer_where_none_is_right(spoken):
    system, said, *_ = spoken
    wrong = [[3, END] if ended(one) != [3, END] else [2, END] for one in said]
    assert ended(said[5]) != [4, 3, 2, END]
    wrong[5] = [4, 3, 2, END]
    row = written.looked(answered(system, wrong), "gru")
    assert row["written"] == ["trois", "deux", "un", "[END]"]
    assert (row["system"], row["variant"]) == ("numbers", "gru")


def test_error_arrives_at_each_word_as_complex_steps_say(spoken, monkeypatch):
    """The mean over the longest sequences of what their loss changes by, over that for the last word read."""
    monkeypatch.setattr(written, "EXAMPLES", 9)
    system, *_, lengths = spoken
    part, network = system.task.tests["test"], system.networks["gru"]
    longest = sorted(range(ROWS), key=lambda place: -lengths[place])[:9]  # six of four words, three of three
    row = written.arrives(system, "gru")
    start = draw(network, stream(7, "weights"), system.task.embedding, SCHEMES["study"])
    for stage, tree in (("initial", start), ("trained", system.weights("tensorflow", "gru"))):
        sizes = {lag: [] for lag in range(4)}
        for place in longest:
            one = part.rows(slice(place, place + 1))
            inputs = reference.run(network, tree, one, "cross_entropy").inputs[0]
            for lag in range(lengths[place]):
                sizes[lag].append(float(np.linalg.norm(inputs[lengths[place] - 1 - lag])))
        assert [len(own) for own in sizes.values()] == [9, 9, 9, 6]
        means = [sum(own) / len(own) for own in sizes.values()]
        assert row[stage] == pytest.approx([mean / means[0] for mean in means], rel=1e-8)
    assert (row["system"], row["variant"], row["examples"]) == ("numbers", "gru", 9)


def test_exact_match_stands_with_its_width_and_the_first_system_of_the_same_data():
    def own(name, units, attention, marks):
        one = translator(attention)[0]
        network = one.networks["gru"]
        own = (Layer("gru", units),)
        narrow = replace(network, layers=own, decoder=replace(network.decoder, layers=own))

        class Marked(Given):
            def marks(self, backend, variant, part):
                return np.array(marks[backend, part], float)

        part = one.task.tests["test"]
        task = replace(one.task, tests={part_name: part for _, part_name in marks})
        folders = {backend: {"gru": []} for backend, _ in marks}
        return Marked(name, task, {"gru": narrow}, {}, (0,), folders)

    found = [
        own("numbers", 8, False, {("pytorch", "test"): [[1, 0, 0, 0], [1, 1, 1, 0]]}),
        own("longer", 9, True, {("pytorch", "test"): [[1, 1]], ("pytorch", "longer"): [[0, 1]]}),
        own("narrow", 2, True, {("tensorflow", "test"): [[1, 0]], ("pytorch", "test"): [[0, 0]]}),
    ]
    kinds = {"numbers": (1, 2), "longer": (1, 3), "narrow": (1, 2)}  # narrow has the numbers of the first
    given = SimpleNamespace(shapes={name: SimpleNamespace(prepare=prepare) for name, prepare in kinds.items()})
    keys = ("data", "backend", "variant", "units", "attention", "part", "scores")
    assert written.exact_by_width(found, given) == [
        dict(zip(keys, values, strict=True))
        for values in (
            ("numbers", "pytorch", "gru", 8, False, "test", [0.25, 0.75]),
            ("longer", "pytorch", "gru", 9, True, "test", [1.0]),
            ("longer", "pytorch", "gru", 9, True, "longer", [0.5]),
            ("numbers", "tensorflow", "gru", 2, True, "test", [0.5]),
            ("numbers", "pytorch", "gru", 2, True, "test", [0.0]),
        )
    ]


# Words and their order -----------------------------------------------------------------------------------------------


def test_shuffled_words_are_the_same_words():
    rng = np.random.default_rng(0)
    mask = np.arange(6) < rng.integers(1, 7, 50)[:, None]
    part = Batch(np.where(mask, rng.integers(1, 9, (50, 6)), 0), rng.integers(0, 2, 50), mask)
    before = part.x.copy()
    found = words.shuffled(part, np.random.default_rng(1))
    for own, after, valid in zip(before, found.x, mask, strict=True):
        assert sorted(own[valid]) == sorted(after[valid])
        assert not after[~valid].any()
    assert (found.x != before).any(axis=1).sum() > 25
    np.testing.assert_array_equal(part.x, before)  # what was given stays as it is
    np.testing.assert_array_equal(found.y, part.y)
    np.testing.assert_array_equal(found.mask, mask)
    moved = [words.shuffled(part, np.random.default_rng(seed)).x for seed in (1, 2)]
    np.testing.assert_array_equal(moved[0], found.x)
    assert (moved[0] != moved[1]).any()


SAID = np.array([0.0, 1, -1, 2, -2, 3])  # what each word of a tweet is worth


def reader(keeps):
    """A network that adds up what its words are worth, or forgets all but the last one."""
    network = Network(1, (Layer("vanilla", 1),), 2, Embedding(6, True), activation="linear")
    tree = {"embedding": SAID[:, None], "layers.0.W": np.ones((1, 1)), "layers.0.U": np.full((1, 1), float(keeps))}
    return network, tree | {"layers.0.b": np.zeros(1), "head.W": np.array([[0.0, 1.0]]), "head.b": np.array([0.5, 0])}


@pytest.fixture
def tweets(tmp_path, monkeypatch):
    """A finished study of tweets: three seeds, a cell that is blind to order and one that hears the last word alone.
    In one framework a seed says no to everything."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    mask = np.arange(5) < rng.integers(1, 6, 40)[:, None]
    x = np.where(mask, rng.integers(1, 6, (40, 5)), 0).astype(np.int32)
    y = (SAID[x[np.arange(40), mask.sum(axis=1) - 1]] > 0.5).astype(np.int64)
    part = Batch(x, y, mask)
    task = Task("tweets", "cross_entropy", 2, part, part, {"test": part}, embedding=SAID[:, None])
    save_task(task, Path("data/prepared/tweets.npz"))
    networks = {"gru": reader(True), "lstm": reader(False)}
    for (cell, (_, tree)), backend, seed in itertools.product(networks.items(), ("pytorch", "tensorflow"), (0, 1, 2)):
        no = {"head.b": np.array([99.0, 0])} if (backend, seed) == ("tensorflow", 2) else {}
        weights = {name: array.astype(np.float32) for name, array in (tree | no).items()}
        answers = {"test": reference.forward(networks[cell][0], tree | no, part)}
        left(Path(f"runs/tweets-{backend}/{cell}/seed-{seed}"), weights=weights, predictions=answers)
    monkeypatch.setattr(
        words, "experiments", SimpleNamespace(network=lambda params, task, cell, settings: networks[cell][0])
    )
    monkeypatch.setattr(words, "chosen", lambda *_: lambda cell, seed: {"dropout": 0.5})
    given = SimpleNamespace(tasks=SimpleNamespace(tweets=SimpleNamespace(cells={"gru": 0, "lstm": 0})), seeds=(0, 1, 2))
    given.tuned, given.tuning = ["tweets"], SimpleNamespace(searches=1)
    return given, part


def test_who_sees_no_order_loses_nothing_when_words_are_shuffled(tweets):
    given, part = tweets
    blind, last = words.order(given)
    sums = [sum(SAID[word] for word in row) for row in part.x.tolist()]
    right = np.mean([(total > 0.5) == label for total, label in zip(sums, part.y, strict=True)])
    no = np.mean(part.y == 0)
    assert blind["cell"] == "gru"
    assert blind["ordered"] == blind["shuffled"] == pytest.approx((5 * right + no) / 6)
    assert (blind["lost"], blind["interval"], blind["seeds"]) == (0, [0, 0], 3)
    # who hears the last word alone: right in order, and after that where the new last word says the same
    moved = words.shuffled(part, np.random.default_rng(0))
    ends = [row[: valid.sum()][-1] for row, valid in zip(moved.x, part.mask, strict=True)]
    kept = np.array([(SAID[word] > 0.5) == label for word, label in zip(ends, part.y, strict=True)], float)
    assert 0 < kept.mean() < 1
    lost = np.stack([1 - kept, 1 - kept, (1 - kept) / 2])  # the third seed's other framework says no, in any order
    assert last["ordered"] == pytest.approx((5 + no) / 6)
    assert last["shuffled"] == pytest.approx((5 * kept.mean() + no) / 6)
    assert last["lost"] == pytest.approx(lost.mean())
    assert last["interval"] == pytest.approx(list(crossed.mean(lost).interval()[1:]))
    given.tuning.searches = 2  # of which the first has the first seed and the third
    _, last = words.order(given)
    of_searches = np.stack([lost[[0, 2]].mean(axis=0), lost[1]])
    assert last["interval"] == pytest.approx(list(crossed.mean(of_searches).interval()[1:]))
    assert last["seeds"] == 3


def texts_of(train, test, labels):
    extras = {}
    for part, texts in (("train", train), ("test", test)):
        extras[f"texts_{part}"], extras[f"offsets_{part}"] = pack_texts(texts)
    y = [np.array(part, np.int64) for part in labels]
    parts = [Batch(np.ones((len(one), 1), np.int32), one) for one in y]
    return Task("tweets", "cross_entropy", 2, parts[0], parts[0], {"test": parts[1]}, extras=extras)


def test_single_words_are_judged_whatever_their_order():
    train = ["good day really", "bad day", "so good", "really bad so", "good good friend", "bad day friend"] * 3
    test = ["a good day", "so bad day", "bad bad", "good friend"]
    labels = ([1, 0, 1, 0, 1, 0] * 3, [1, 0, 1, 1])  # of the third one the label is wrong
    found = words.single_words(texts_of(train, test, labels))
    assert found == 0.75
    rng = np.random.default_rng(0)
    turned = [[" ".join(rng.permutation(text.split())) for text in texts] for texts in (train, test)]
    assert turned != [train, test]
    assert words.single_words(texts_of(*turned, labels)) == found


def test_single_words_are_judged_by_tf_idf_and_logistic_regression():
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(["cat", "dog", "sun", "rain", "tea", "pie", "car"], 4)) for _ in range(300)]
    labels = np.array([("cat" in text) ^ (rng.random() < 0.2) for text in texts], int)
    table = TfidfVectorizer().fit(texts[:200])
    model = LogisticRegression(max_iter=1000).fit(table.transform(texts[:200]), labels[:200])
    expected = np.mean(model.predict(table.transform(texts[200:])) == labels[200:])
    assert 0.5 < expected < 1
    assert words.single_words(texts_of(texts[:200], texts[200:], (labels[:200], labels[200:]))) == expected


def test_neighbours_make_the_smallest_angle():
    """However long they are; a word without a vector is near to nobody, and a word is not its own neighbour."""
    table = np.array([[0.0, 0.0], [1, 0], [9, 1], [0, 1], [-5, 0.1], [1, 1], [3, -4], [0, 0]])
    assert words.nearest(table, 1, np.arange(1, 8)) == [2, 5, 6, 3, 7]  # the sixth, straight on, is left out
    assert words.nearest(table, 1, np.array([4, 3, 1])) == [3, 4]
    assert words.nearest(table, 3, np.array([2, 1, 0])) == [2, 1, 0]  # as near as each other: as they came


def test_the_map_shows_the_two_largest_spreads():
    for seed in range(6):  # signs that a row gives by chance would not hold for all
        table = np.random.default_rng(seed).normal(size=(30, 4)) * [0.2, 1.0, 5.0, 0.1] + [10, 20, 30, 40]
        found = words.flat(table)
        axes = np.linalg.eigh(np.cov(table.T))[1][:, ::-1][:, :2]
        expected = (table - table.mean(axis=0)) @ axes
        np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-9)
        directions = np.linalg.lstsq(table - table.mean(axis=0), found, rcond=None)[0]
        np.testing.assert_allclose(directions.T @ directions, np.eye(2), atol=1e-9)
        assert found[:, 0].var() > 4 * found[:, 1].var()
        for column, turned in zip(found.T, words.flat(-table).T, strict=True):
            assert column[np.abs(column).argmax()] > 0
            assert turned[np.abs(column).argmax()] == pytest.approx(np.abs(column).max())


COUNT = 75  # frequent words


@functools.cache
def vocabulary():
    """Tweets whose words lean one way or the other: `COUNT` of 20 tweets or more, one of 19; what is unknown is in all
    of them."""
    rng = np.random.default_rng(0)
    rare, unknown = COUNT + 2, 1
    x, y = [], []
    negative = 40  # of this word no tweet is positive
    for word in range(2, COUNT + 2):
        positive = 0 if word == negative else int(rng.integers(0, 21))
        for tweet in range(20):
            x.append([word, unknown, word, 0])
            y.append(int(tweet < positive))
    x[:19] = [[*row[:3], rare] for row in x[:19]]
    x.append([2, 3, 3, negative])  # a tweet that ends before its last word, which is not in it
    y.append(1)
    mask = np.array([np.array(row) != 0 for row in x])
    mask[-1, 3] = False
    part = Batch(np.array(x, np.int32), np.array(y, np.int64), mask)
    names = ["[PAD]", "[UNK]", *(f"w{word}" for word in range(2, COUNT + 2)), "rare"]
    before, after = (rng.normal(size=(COUNT + 3, 3)).astype(np.float32) for _ in range(2))
    before[unknown], after[unknown] = before[negative], after[negative]  # near, and nobody's neighbour
    return part, names, before, after


@pytest.mark.parametrize("trainable", [True, False])
def test_the_words_that_tell_most_are_looked_at(trainable):
    """Of each of the 60 whose share of positive tweets is farthest from that of all: neighbours among all frequent
    words; and how many of the nearest of these 60 lean its way."""
    part, names, before, after = vocabulary()
    extras = {"words": np.array(names), "classes": np.array(["no", "yes"])}
    task = Task("tweets", "cross_entropy", 2, part, part, {"test": part}, "", before, {}, extras)
    network = Network(3, (Layer("gru", 2),), 2, Embedding(COUNT + 3, trainable))
    trees = {("tensorflow", "gru"): [{"embedding": after.astype(float)}]}
    system = Given("vectors_x", task, {"gru": network}, {}, (0,), {"tensorflow": {"gru": []}}, trees)
    row = words.vectors(system, "gru", "random")
    assert (row["system"], row["table"], row["trained"]) == ("vectors_x", "random", trainable)

    held = [
        {int(word) for word, valid in zip(*pair, strict=True) if valid} for pair in zip(part.x, part.mask, strict=True)
    ]
    labels = {
        word: [int(y) for own, y in zip(held, part.y, strict=True) if word in own] for word in range(2, COUNT + 3)
    }
    assert len(labels[COUNT + 2]) == 19
    often = [word for word, own in labels.items() if len(own) >= 20]
    assert len(often) == COUNT
    share = {word: sum(labels[word]) / len(labels[word]) for word in often}
    all_of_them = float(part.y.mean())
    told = sorted(often, key=lambda word: -abs(share[word] - all_of_them))[:60]
    assert row["map"]["words"] == [names[word] for word in told]
    assert row["map"]["positive"] == [round(share[word], 4) for word in told]
    assert 0 in row["map"]["positive"]
    assert row["map"]["classes"] == ["no", "yes"]

    def cosine(table, a, b):
        return float(table[a] @ table[b]) / math.sqrt(float(table[a] @ table[a]) * float(table[b] @ table[b]))

    def near(table, word, among):
        return sorted((w for w in among if w != word), key=lambda w: -cosine(table, word, w))[:5]

    tables = {"before": before.astype(float), "after": after.astype(float)}
    assert row["neighbours"] == [
        {"word": names[word]} | {when: [names[w] for w in near(table, word, often)] for when, table in tables.items()}
        for word in told[:8]
    ]
    for when, table in tables.items():
        lean = [(share[w] > 0.5) == (share[word] > 0.5) for word in told for w in near(table, word, told)]
        assert row["alike"][when] == pytest.approx(sum(lean) / 300)
        np.testing.assert_allclose(row["map"][when], words.flat(table[told]), atol=5.1e-5)


def test_of_few_texts_the_words_that_most_of_them_hold_are_looked_at():
    x = np.array([[word, 1, word % 7 + 2, 0] for word in range(2, 9)] * 3 + [[9, 9, 9, 0]], np.int32)
    part = Batch(x, np.arange(len(x)) % 2, x != 0)
    names = ["[PAD]", "[UNK]", *(f"w{word}" for word in range(2, 10)), "never"]
    extras = {"words": np.array(names), "classes": np.array(["no", "yes"])}
    table = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
    task = Task("tweets", "cross_entropy", 2, part, part, {"test": part}, "", table, {}, extras)
    networks = {"gru": Network(3, (Layer("gru", 2),), 2, Embedding(11, True))}
    trees = {("tensorflow", "gru"): [{"embedding": table.astype(float)}]}
    row = words.vectors(
        Given("vectors_x", task, networks, {}, (0,), {"tensorflow": {"gru": []}}, trees), "gru", "glove"
    )
    assert sorted(row["map"]["words"]) == names[2:9]
    assert all(len(one["before"]) == words.NEAREST for one in row["neighbours"])
    assert 0 <= row["alike"]["before"] <= 1


# Scores --------------------------------------------------------------------------------------------------------------


def classifier(tmp_path, marks):
    """A system whose runs name, of each test part, the examples rightly that `marks` says: by framework, seed, part."""
    parts = next(iter(marks.values()))[0]
    batch = {
        name: Batch(np.zeros((len(own), 2, 3), np.float32), np.zeros(len(own), int)) for name, own in parts.items()
    }
    first = batch["test"]
    task = Task("digits", "cross_entropy", 2, first, first, batch, "images")
    folders = {}
    for backend, seeds in marks.items():
        for seed, own in enumerate(seeds):
            outputs = {"validation": np.zeros((len(first.y), 2))}
            outputs |= {name: np.array([[right, 1 - right] for right in rights]) for name, rights in own.items()}
            kept = left(
                tmp_path / backend / f"seed-{seed}", outputs, {name: 0.1 * seed + (name == "longer") for name in own}
            )
            folders.setdefault(backend, {}).setdefault("lstm", []).append(kept)
    network = Network(3, (Layer("lstm", 2),), 2, Embedding(9, True))
    return System("digits", task, {"lstm": network}, {}, (0,), folders)


def wilson(right, n, z=1.959963984540054):
    """Wilson 1927, by hand."""
    middle = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(right * (n - right) / n + z * z / 4)
    return [middle - half, middle + half]


def test_scores_of_several_seeds_are_means_over_seeds_and_examples(tmp_path):
    rng = np.random.default_rng(0)
    marks = [
        {"test": (rng.random(30) < 0.7).astype(int), "longer": (rng.random(9) < 0.5).astype(int)} for _ in range(3)
    ]
    alone_of_one = {"test": np.array([1, 1, 0, 1] * 7 + [0, 1]), "longer": np.ones(9, int)}
    found = scores.scores([classifier(tmp_path, {"pytorch": marks, "tensorflow": [alone_of_one]})])
    assert [(row["backend"], row["variant"], row["part"]) for row in found] == [
        (backend, "lstm", part) for backend in ("pytorch", "tensorflow") for part in ("test", "longer")
    ]
    for row, part in zip(found[:2], ("test", "longer"), strict=True):
        table = crossed.mean(np.stack([own[part] for own in marks]))
        assert row["mean"] == pytest.approx(table.value)
        assert row["interval"] == pytest.approx([max(table.interval().low, 0), min(table.interval().high, 1)])
        assert (row["seeds"], row["examples"]) == (3, len(marks[0][part]))
        assert row["by_seed"] == pytest.approx([0.1 * seed + (part == "longer") for seed in range(3)])
    assert found[2]["mean"] == pytest.approx(22 / 30)
    assert found[2]["interval"] == pytest.approx(wilson(22, 30))
    assert (found[2]["seeds"], found[2]["score"], found[2]["unit"], found[2]["system"]) == (
        *(1, "accuracy", "images", "digits"),
    )
    assert found[3]["interval"] == pytest.approx(wilson(9, 9))  # all right, and not sure for that
    assert {row["parameters"] for row in found} == {4 * (3 * 2 + 2 * 2 + 2) + 2 * 2 + 2}  # without the table's words


def test_an_interval_of_accuracy_stays_within_0_and_1(tmp_path):
    right, wrong = np.ones(5, int), np.zeros(5, int)
    one_wrong, one_right = np.array([1, 1, 1, 1, 0]), np.array([0, 0, 1, 0, 0])
    (high,) = scores.scores([classifier(tmp_path / "a", {"pytorch": [{"test": one_wrong}, {"test": right}]})])
    (low,) = scores.scores([classifier(tmp_path / "b", {"pytorch": [{"test": one_right}, {"test": wrong}]})])
    assert high["interval"][1] == 1
    assert 0 < high["interval"][0] < 0.8
    assert low["interval"][0] == 0
    assert 0.2 < low["interval"][1] < 1


def forecaster(tmp_path, *outputs):
    """A system of a series whose targets are all 0, with what each seed forecasts in tens; and what each month counts
    for, r / 2 + e / 2r."""
    months = len(outputs[0])
    batch = Batch(np.zeros((months, 2, 1), np.float32), np.zeros((months, 1), np.float32))
    inverse = {"scale": np.array(10.0), "logarithm": np.array(False)}
    inverse |= {f"offset_{name}": np.array(3.0) for name in ("validation", "test")}
    extras = {"series": np.zeros(9)}
    task = Task("s", "squared_error", 1, batch, batch, {"test": batch}, "suns", None, inverse, extras)
    folders, tables = [], []
    for seed, one in enumerate(outputs):
        said = np.array(one, np.float32)[:, None]
        folders.append(left(tmp_path / f"seed-{seed}", {"validation": said, "test": said}, {"test": 1.0}))
        errors = (10 * said[:, 0].astype(float)) ** 2
        root = math.sqrt(errors.mean())
        tables.append(root / 2 + errors / (2 * root))
    networks = {"mlp": Network(1, (), 1, dense=(Dense(2, "relu"),), steps=2)}
    return System("s", task, networks, {}, (0,), {"pytorch": {"mlp": folders}}), np.stack(tables)


def test_an_error_is_that_of_a_series_whose_months_depend_on_each_other(tmp_path):
    years = np.repeat(np.random.default_rng(1).normal(size=4), 12)
    system, tables = forecaster(tmp_path / "both", 3 + years, 3 + 1.1 * years)
    (both,) = scores.scores([system])
    table = crossed.mean(tables, ordered=True)
    assert both["mean"] == pytest.approx(tables.mean())
    assert both["interval"] == pytest.approx(list(table.interval()[1:]), rel=1e-6)
    assert table.error > 1.5 * crossed.mean(tables).error
    assert both["interval"][1] > 1  # of an error there is no most
    assert (both["score"], both["unit"], both["parameters"]) == ("rmse", "suns", (2 * 2 + 2) + (2 + 1))
    (one,) = scores.scores([replace(system, folders={"pytorch": {"mlp": system.folders["pytorch"]["mlp"][:1]}})])
    assert one["interval"] == pytest.approx(list(crossed.of_one_seed(tables[0], ordered=True).interval()[1:]), rel=1e-6)


def test_an_error_is_never_below_0(tmp_path):
    """Where one month is nearly all of the error."""
    system, tables = forecaster(tmp_path, [0.1, 0.2, -0.1, 7, 0, 0.1])
    (one,) = scores.scores([system])
    expected = crossed.of_one_seed(tables[0], ordered=True).interval()
    assert expected.low < 0
    assert one["interval"] == [0, pytest.approx(expected.high, rel=1e-6)]


def test_rules_that_fit_little_are_scored_where_there_are_some():
    values = np.array([1.0, 4, 2, 8, 5, 7, 1, 9])
    targets = np.array([4, 5, 7])
    extras = {"series": values, "index_test": targets, "season": np.array(3)}
    part = Batch(np.zeros((3, 1, 1), np.float32), np.zeros((3, 1), np.float32))
    task = Task("series", "squared_error", 1, part, part, {"test": part}, extras=extras)
    kinds = {"suns": "series", "menu_both": "menu"}
    given = SimpleNamespace(shapes={k: SimpleNamespace(prepare=SimpleNamespace(kind=v)) for k, v in kinds.items()})
    found = scores.baselines(given, [System(name, task, {}, {}, (0,), {}) for name in kinds])
    squares = [(8 - 5) ** 2 + (5 - 7) ** 2 + (1 - 9) ** 2, (4 - 5) ** 2 + (2 - 7) ** 2 + (5 - 9) ** 2]
    assert list(found) == ["suns"]
    assert found["suns"] == {
        "last value (persistence)": pytest.approx(math.sqrt(squares[0] / 3)),
        "a season ago (seasonal naive)": pytest.approx(math.sqrt(squares[1] / 3)),
    }


# What the pipeline left ----------------------------------------------------------------------------------------------


@pytest.fixture
def suns(tmp_path, monkeypatch):
    """A system of params.yaml as the pipeline leaves it, its seeds its own; a run with weights."""
    parameters = config.load(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    shape = parameters.shapes["sunspots_window"]
    own = {"seeds": {"tensorflow": (4, 2), "pytorch": (3,)}}
    own["cells"] = shape.cells | {"gru": shape.cells["gru"].model_copy(update={"defaults": "keras"})}
    parameters = parameters.model_copy(update={"shapes": {"suns": shape.model_copy(update=own)}})
    task, _ = series.prepare(None, shape.prepare)
    save_task(task, Path("data/shapes/suns.npz"))
    return parameters, task


def test_a_trained_system_is_read_where_the_pipeline_left_it(suns):
    parameters, task = suns
    system = trained.system(parameters, "suns")
    assert system.name == "suns"
    np.testing.assert_array_equal(system.task.train.x, task.train.x)
    assert system.seeds == (3,)  # of the first framework
    assert system.first == "pytorch"
    variants = list(parameters.shapes["suns"].cells)
    assert list(system.trained()) == [(backend, v) for backend in ("pytorch", "tensorflow") for v in variants]
    assert system.folders["tensorflow"]["gru"] == [
        Path(f"runs/shapes-tensorflow/suns-tensorflow/gru/seed-{seed}") for seed in (4, 2)
    ]
    assert system.networks["mlp"].layers == ()
    assert [layer.cell for layer in system.networks["gru"].layers] == ["gru"]
    assert all(network.dropout == 0 for network in system.networks.values())


def test_a_framework_that_trains_nothing_has_no_folders(suns):
    parameters, _ = suns
    shape = parameters.shapes["suns"].model_copy(update={"seeds": {"tensorflow": (5, 6)}})
    system = trained.system(parameters.model_copy(update={"shapes": {"suns": shape}}), "suns")
    assert (list(system.folders), system.seeds, system.first) == (["tensorflow"], (5, 6), "tensorflow")


def test_weights_are_those_of_the_seed_asked_for(suns):
    system = trained.system(suns[0], "suns")
    network = system.networks["gru"]
    trees = [draw(network, np.random.default_rng(seed)) for seed in range(2)]
    for folder, tree in zip(system.folders["tensorflow"]["gru"], trees, strict=True):
        left(folder, weights={name: array.astype(np.float32) for name, array in tree.items()})
    part = system.task.tests["test"]
    for place, tree in enumerate(trees):
        single = {name: array.astype(np.float32).astype(float) for name, array in tree.items()}
        found = system.weights("tensorflow", "gru", place)
        assert all(np.array_equal(found[name], array) and found[name].dtype == float for name, array in single.items())
        expected = reference.forward(network, single, part)
        np.testing.assert_array_equal(system.predictor("tensorflow", "gru", place)(part), expected)
    start = system.initial("gru")
    expected = draw(network, stream(3, "weights"), None, SCHEMES["keras"])
    assert all(np.array_equal(start[name], array) for name, array in expected.items())
    assert system.inits["mlp"] == SCHEMES["study"]


def test_words_are_those_of_the_table():
    assert a_text(TRAIN, TEST).words == SYMBOLS


# All of it -----------------------------------------------------------------------------------------------------------


def test_every_system_is_looked_at_for_what_its_kind_shows(monkeypatch):
    """Metrics and samples: figures go into one, what a person reads into the other."""
    kinds = {
        "numbers": {"kind": "numbers"},
        "spelled": {"kind": "spelled"},
        "suns": {"kind": "series", "shifted": True},
        "window": {"kind": "series", "shifted": False},
        "text": {"kind": "language", "unit": "words"},
        "glove": {"kind": "vectors", "table": "glove"},
    }
    given = SimpleNamespace(
        study="quick", shapes={name: SimpleNamespace(prepare=SimpleNamespace(**kind)) for name, kind in kinds.items()}
    )
    decoder = Network(5, (Layer("gru", 2),), 5, every_step=True)
    looks = replace(decoder, attention=Attention(2, 2))
    networks = {
        "numbers": {
            name: Network(2, (Layer("gru", 2),), 0, decoder=own) for name, own in (("a", looks), ("b", decoder))
        }
    }

    def read(parameters, name):
        assert parameters is given
        return System(name, None, networks.get(name, {"a": None}), {}, (0,), {"pytorch": {}, "tensorflow": {}})

    def row(*also):
        return lambda one, *words: {"of": (one.name, *words)} | dict.fromkeys(also, "shown")

    monkeypatch.setattr(study, "system", read)
    monkeypatch.setattr(written, "answers", row("samples"))
    monkeypatch.setattr(written, "looked", row())
    monkeypatch.setattr(written, "arrives", row())
    monkeypatch.setattr(written, "exact_by_width", lambda found, parameters: [one.name for one in found])
    monkeypatch.setattr(alone, "continued", row("series"))
    monkeypatch.setattr(alone, "bits", lambda one, backend, variant: [backend, variant])
    monkeypatch.setattr(alone, "written", row())
    monkeypatch.setattr(alone, "roommate", lambda found: list(found))
    monkeypatch.setattr(words, "vectors", row("map"))
    monkeypatch.setattr(words, "order", lambda parameters: parameters.study)
    monkeypatch.setattr(words, "single_words", lambda task: task)
    monkeypatch.setattr(study, "load_task", str)
    monkeypatch.setattr(scores, "scores", lambda found: [one.name for one in found])
    monkeypatch.setattr(scores, "baselines", lambda parameters, found: [one.name for one in found])
    monkeypatch.setattr(systems, "table", lambda evidence: [list(evidence.systems), evidence.scores, evidence.found])
    monkeypatch.setattr(tutorials, "table", lambda evidence: "tutorials")
    figures, samples = study.look(given)
    both = [("numbers", "a"), ("numbers", "b")]
    answers = [*both, ("spelled", "a")]
    assert samples == {
        "answers": [{"of": own, "samples": "shown"} for own in answers],
        "looked": [{"of": ("numbers", "a")}],
        "continued": [{"of": ("suns", "a"), "series": "shown"}],
        "vectors": [{"of": ("glove", "a", "glove"), "map": "shown"}],
    }
    found = {
        "answers": [{"of": own} for own in answers],
        "continued": [{"of": ("suns", "a")}],
        "language": [
            {"system": "text", "variant": "a", "bits": ["pytorch", "a"], "written": {"of": ("text", "a", "words")}}
        ],
        "vectors": [{"of": ("glove", "a", "glove")}],
        "roommate": list(kinds),
        "order": "quick",
        "single_words": "data/prepared/tweets.npz",
        "arrives": [{"of": own} for own in both],
        "widths": ["numbers"],
        "baselines": list(kinds),
    }
    assert figures == {
        "study": "quick",
        "systems": [list(kinds), list(kinds), found],
        "tutorials": "tutorials",
        "scores": list(kinds),
        "found": found,
    }
