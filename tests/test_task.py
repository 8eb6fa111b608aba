"""Losses, scores and units by scikit-learn and by hand; the prepared file; packed texts."""

import dataclasses
import zipfile

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error

from rnn_study.data.prepared import load_task, pack_texts, save_task, unpack_texts
from rnn_study.model.task import END, GO, WORST, Batch, Task, written

TEXTS = ["plain", "", "naïve café ☕", "👩‍👩‍👧 and 🇫🇷\n\ttab", "", "\0"]


def sequences(rng, count, outputs):
    ids = rng.integers(0, 9, (count, 5), np.int32)
    return Batch(ids, rng.integers(0, outputs, count), np.arange(5) < rng.integers(1, 6, count)[:, None])


@pytest.fixture
def words():
    rng = np.random.default_rng(0)
    data, offsets = pack_texts(TEXTS)
    return Task(
        name="tweets",
        loss="cross_entropy",
        outputs=3,
        train=sequences(rng, 20, 3),
        validation=sequences(rng, 8, 3),
        tests={"test": sequences(rng, 7, 3), "hand_labelled": sequences(rng, 6, 3)},
        embedding=rng.normal(size=(9, 4)).astype(np.float32),
        extras={"classes": np.array(["a", "b", "c"]), "texts_test": data, "offsets_test": offsets},
    )


def series(logarithm):
    """Outputs become unit values by exp?(offset + 2 * output)."""
    rng = np.random.default_rng(0)

    def part(count):
        x, y = rng.normal(size=(count, 3, 1)), rng.normal(size=(count, 1))
        return Batch(x.astype(np.float32), y.astype(np.float32))

    offsets = {f"offset_{name}": rng.normal(size=4) for name in ("train", "validation", "test")}
    inverse = {"scale": np.array(2.0), "logarithm": np.array(logarithm), **offsets}
    return Task("airline", "squared_error", 1, part(4), part(4), {"test": part(4)}, "thousands", inverse=inverse)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_equal(one, other):
    for key in ("name", "loss", "outputs", "unit", "score_name", "higher_is_better", "inputs"):
        assert getattr(one, key) == getattr(other, key)
    assert list(one.parts()) == list(other.parts())
    for name, batch in one.parts().items():
        for array, again in zip(batch, other.parts()[name], strict=True):
            assert (array is None and again is None) or same(array, again)
    assert (one.embedding is None) == (other.embedding is None)
    for kept, again in ((one.inverse, other.inverse), (one.extras, other.extras)):
        assert kept.keys() == again.keys()
        assert all(same(kept[key], again[key]) for key in kept)


@pytest.mark.parametrize("kind", ["words", "series"])
def test_a_saved_task_comes_back_the_same(kind, words, tmp_path):
    task = words if kind == "words" else series(logarithm=True)
    save_task(task, tmp_path / "task.npz")
    loaded = load_task(tmp_path / "task.npz")
    assert_equal(task, loaded)
    if task.embedding is not None:
        assert same(task.embedding, loaded.embedding)


def test_the_file_holds_no_pickles_and_no_clock_reading(words, tmp_path):
    save_task(words, tmp_path / "one.npz")
    save_task(words, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as file:
        assert all(not file[key].dtype.hasobject for key in file.files)
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_array_of_objects_is_refused_and_leaves_nothing(words, tmp_path):
    words.extras["bad"] = np.array([{}, None])
    with pytest.raises(ValueError, match="allow_pickle"):
        save_task(words, tmp_path / "task.npz")
    assert list(tmp_path.iterdir()) == []


def test_texts_survive_packing():
    data, offsets = pack_texts(TEXTS)
    assert unpack_texts(data, offsets) == TEXTS
    assert data.dtype == np.uint8
    assert data.tobytes() == "".join(TEXTS).encode("utf-8")
    assert len(offsets) == len(TEXTS) + 1


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_nothing_survives_packing(texts):
    assert unpack_texts(*pack_texts(texts)) == texts


def test_classification_is_scored_as_scikit_learn_does(words):
    logits = np.random.default_rng(1).normal(0, 3, (7, 3)).astype(np.float32)
    y = words.tests["test"].y
    assert words.score(logits, "test") == accuracy_score(y, logits.argmax(axis=1))
    expected = log_loss(y, softmax(logits.astype(float), axis=1), labels=[0, 1, 2])
    assert words.mean_loss(logits, "test") == pytest.approx(expected, rel=1e-12)


def test_a_huge_logit_costs_its_distance_and_not_infinity(words):
    logits = np.zeros((7, 3), np.float32)
    logits[:, 0] = 1e4
    wrong = np.mean(words.tests["test"].y != 0)
    assert words.mean_loss(logits, "test") == pytest.approx(1e4 * wrong)


@pytest.mark.parametrize("logarithm", [False, True])
def test_regression_is_scored_in_its_unit(logarithm):
    task = series(logarithm)
    outputs = np.random.default_rng(1).normal(size=(4, 1)).astype(np.float32)
    y, offset = task.tests["test"].y, task.inverse["offset_test"]

    def in_unit(values):
        values = [offset[i] + 2.0 * float(values[i, 0]) for i in range(4)]
        return np.exp(values) if logarithm else np.array(values)

    np.testing.assert_allclose(task.to_unit(outputs, "test"), in_unit(outputs), rtol=1e-14)
    expected = root_mean_squared_error(in_unit(y), in_unit(outputs))
    assert task.score(outputs, "test") == pytest.approx(expected, rel=1e-12)
    squares = [(float(outputs[i, 0]) - float(y[i, 0])) ** 2 for i in range(4)]
    assert task.mean_loss(outputs, "test") == pytest.approx(sum(squares) / 4, rel=1e-12)


@pytest.mark.parametrize(
    ("output", "logarithm"),
    [(np.inf, False), (-np.inf, False), (np.nan, False), (1e200, False), (np.nan, True), (1e4, True), (200.0, True)],
)
def test_a_diverged_network_scores_worst(output, logarithm):
    """The exponential of 2e4 is infinite, and so is the square of 1e200 or of exp(400)."""
    task = series(logarithm)
    outputs = np.where(np.arange(4)[:, None] == 2, output, task.tests["test"].y.astype(float))  # one of four is enough
    assert task.score(outputs, "test") == WORST


def test_a_forecast_beyond_all_numbers_is_infinite_in_its_unit():
    assert series(logarithm=True).to_unit(np.full((4, 1), 1e4), "test").tolist() == [np.inf] * 4


def test_perfect_outputs_score_best(words):
    task = series(logarithm=True)
    assert task.score(task.train.y, "train") == 0
    assert words.score(np.eye(3)[words.validation.y], "validation") == 1


def test_inputs_are_the_features_of_a_step(words):
    assert words.inputs == 4  # of the embedding
    assert series(logarithm=False).inputs == 1


def answering(mask=None):
    """Four sequences of five steps with an answer for each, of which the last two are scored."""
    rng = np.random.default_rng(2)
    part = Batch(rng.normal(size=(4, 5, 2)).astype(np.float32), rng.integers(0, 3, (4, 5)), mask)
    return Task("copy", "cross_entropy", 3, part, part, {"test": part}, scored=2)


@pytest.mark.parametrize("masked", [False, True])
def test_an_answer_for_every_step_is_scored_at_the_last_valid_ones(masked):
    lengths = [5, 3, 4, 2] if masked else [5, 5, 5, 5]
    mask = np.arange(5) < np.array(lengths)[:, None] if masked else None
    task, logits = answering(mask), np.random.default_rng(3).normal(0, 2, (4, 5, 3)).astype(np.float32)
    y = task.validation.y
    valid = [(row, step) for row, length in enumerate(lengths) for step in range(length)]
    expected = log_loss(
        [y[place] for place in valid],
        softmax(np.array([logits[place] for place in valid], float), axis=1),
        labels=[0, 1, 2],
    )
    assert task.mean_loss(logits, "validation") == pytest.approx(expected, rel=1e-12)
    scored = [(row, step) for row, length in enumerate(lengths) for step in (length - 2, length - 1)]
    right = [logits[place].argmax() == y[place] for place in scored]
    assert task.score(logits, "validation") == np.mean(right)
    assert 0 < np.mean(right) < 1


X = np.zeros((3, 4, 2))


@pytest.mark.parametrize(
    ("x", "y", "mask", "said"),
    [
        (X, np.zeros(2), None, "3 sequences with 2 answers: expected as many"),
        (X[:, :0], np.zeros(3), None, "sequences of 0 steps: expected at least one"),
        (np.zeros((3, 0), np.int32), np.zeros(3), None, "sequences of 0 steps: expected at least one"),
        (X, np.zeros(3), np.ones((3, 3), bool), r"a mask of \(3, 3\) for sequences of \(3, 4\): expected the same"),
        (X, np.zeros(3), np.arange(4) < np.array([[2], [0], [4]]), "row 1: a sequence without a valid step"),
        (X, np.zeros(3), np.arange(4) >= np.array([[0], [0], [2]]), "row 2: a valid step after padding"),
        (X, np.zeros(3), np.array([[1, 0, 1, 0], [1] * 4, [1] * 4], bool), "row 0: a valid step after padding"),
    ],
    ids=["answers", "steps", "words", "shape", "empty", "left", "hole"],
)
def test_a_batch_checks_its_own_promise(x, y, mask, said):
    with pytest.raises(ValueError, match=said):
        Batch(x, y, mask)


def test_a_batch_of_lengths_one_and_all_is_right():
    mask = np.arange(4) < np.array([[1], [4], [2]])
    batch = Batch(X, np.arange(3), mask)
    part = batch.rows(np.array([2, 0]))
    assert part.y.tolist() == [2, 0]
    np.testing.assert_array_equal(part.mask, mask[[2, 0]])
    assert batch.rows(slice(1)).mask.tolist() == [[True, False, False, False]]


ANSWERS = [[3, 2, END, GO], [END, GO, GO, GO], [2, 2, 2, END]]


def test_a_written_answer_counts_up_to_its_end():
    expected = [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    np.testing.assert_array_equal(written(np.array(ANSWERS)), np.array(expected, bool))


@pytest.mark.parametrize("row", [[3, 2, 2, 2], [3, END, END, GO], [END, 3, GO, GO], [3, GO, 2, END], [GO] * 4])
def test_an_answer_without_its_one_end_is_refused(row):
    y = np.array([ANSWERS[0], row])
    with pytest.raises(ValueError, match=r"row 1: an answer of \d end tokens: expected one, after all"):
        written(y)
    good = Batch(X[:2], np.array(ANSWERS[:2]))
    with pytest.raises(ValueError, match="part test, row 1: an answer"):
        Task("t", "cross_entropy", 5, good, good, {"test": Batch(X[:2], y)}, writes=True)


def writing():
    part = Batch(X, np.array(ANSWERS))
    return Task("t", "cross_entropy", 5, part, part, {"test": part}, writes=True)


def test_an_answer_is_right_where_every_token_of_it_is():
    outputs = np.eye(5)[np.array([[3, 2, END, 4], [2, END, GO, GO], [2, 2, 3, END]])] * 9.0  # past the end: anything
    assert writing().marks(outputs, "test").tolist() == [1.0, 0.0, 0.0]
    assert writing().score(outputs, "test") == pytest.approx(1 / 3)


def test_the_loss_of_written_answers_is_the_mean_over_their_tokens():
    outputs = np.random.default_rng(0).normal(size=(3, 4, 5))
    places = [(row, t) for row, answer in enumerate(ANSWERS) for t in range(answer.index(END) + 1)]
    losses = [-np.log(softmax(outputs[row, t])[ANSWERS[row][t]]) for row, t in places]
    assert len(losses) == 8
    assert writing().mean_loss(outputs, "test") == pytest.approx(np.mean(losses), rel=1e-12)


def test_a_series_answered_at_every_step_is_scored_at_its_last():
    y = np.arange(6.0).reshape(2, 3, 1)
    part = Batch(np.zeros((2, 3, 1)), y)
    inverse = {"scale": np.array(2.0), "logarithm": np.array(False), "offset_test": np.array(5.0)}
    task = Task("t", "squared_error", 1, part, part, {"test": part}, inverse=inverse, scored=1)
    outputs = y + np.array([[[9.0], [9.0], [1.0]], [[9.0], [9.0], [-3.0]]])
    assert task.marks(outputs, "test").tolist() == [4.0, 36.0]  # twice the gap, squared
    np.testing.assert_array_equal(task.to_unit(y, "test"), 5 + 2 * y[..., 0])
    every = dataclasses.replace(task, scored=3)
    assert every.marks(outputs, "test").tolist() == [(324 + 324 + 4) / 3, (324 + 324 + 36) / 3]


@pytest.mark.parametrize("more", [{"writes": True}, {"scored": 2}, {"scored": 4, "continues": True}])
def test_what_shapes_a_network_is_saved_too(more, tmp_path):
    part = Batch(X, np.array(ANSWERS))
    task = Task("t", "cross_entropy", 5, part, part, {"test": part}, **more)
    save_task(task, tmp_path / "t.npz")
    found = load_task(tmp_path / "t.npz")
    for key in ("writes", "scored", "continues"):
        assert getattr(found, key) == getattr(task, key)
        assert type(getattr(found, key)) is type(getattr(task, key))
