"""Baselines by hand, and by scikit-learn called directly."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rnn_study.config.questions import BASELINES
from rnn_study.data import baselines
from rnn_study.data.prepared import pack_texts
from rnn_study.model.task import Batch, Task


def scored(task):
    return baselines.scores(task, baselines.marks(task))


def test_seasonal_rules_by_hand():
    series = np.arange(100.0, 116) ** 2
    found = list(baselines.seasonal_rules(series, np.array([13, 15]), 12).values())
    np.testing.assert_array_equal(found[0], [112**2, 114**2])
    np.testing.assert_array_equal(found[1], [101**2, 103**2])
    np.testing.assert_array_equal(found[2], [101**2 + 112**2 - 100**2, 103**2 + 114**2 - 102**2])


def test_without_a_season_there_is_one_rule():
    (found,) = baselines.seasonal_rules(np.arange(9.0), np.array([3, 8]), 1).items()
    assert found[0] == "last value (persistence)"
    np.testing.assert_array_equal(found[1], [2, 7])


def test_a_pure_season_with_a_trend_is_forecast_exactly():
    months = np.arange(60)
    series = 3.0 * months + 10 * np.cos(2 * np.pi * months / 12)
    targets = np.arange(20, 60)
    found = list(baselines.seasonal_rules(series, targets, 12).values())
    np.testing.assert_allclose(found[2], series[targets], rtol=1e-12)
    np.testing.assert_allclose(series[targets] - found[1], 36, rtol=1e-9)


def test_seasonal_scores_are_root_mean_squares_of_the_test_part():
    series, part = np.arange(40.0), Batch(np.zeros((2, 1, 1)), np.zeros((2, 1)))
    extras = {"series": series, "index_test": np.array([30, 35]), "season": np.array(12)}
    task = Task("airline", "squared_error", 1, part, part, {"test": part}, extras=extras)
    assert [scores["test"] for scores in scored(task).values()] == [1, 12, 0]
    assert [list(found["test"]) for found in baselines.marks(task).values()] == [[1, 1], [144, 144], [0, 0]]


WORDS = {0: ["bad", "not good", "so bad"], 1: ["good", "not bad", "so good"]}  # pairs of words matter


def text_task():
    rng = np.random.default_rng(0)
    parts, extras, texts = {}, {}, {}
    for name, count in {"train": 200, "validation": 5, "test": 100, "hand_labelled": 50}.items():
        y = (rng.random(count) < 0.4).astype(np.int64)  # the majority is 0
        texts[name] = [" ".join(rng.choice(WORDS[label if rng.random() < 0.9 else 1 - label], 3)) for label in y]
        parts[name] = Batch(np.zeros((count, 1), np.int32), y)
        extras[f"texts_{name}"], extras[f"offsets_{name}"] = pack_texts(texts[name])
    train, validation = parts.pop("train"), parts.pop("validation")
    return Task("tweets", "cross_entropy", 2, train, validation, parts, extras=extras), texts


def test_text_baselines():
    task, texts = text_task()
    found = scored(task)
    vectors = TfidfVectorizer(ngram_range=(1, 2))
    model = LogisticRegression(max_iter=1000).fit(vectors.fit_transform(texts["train"]), task.train.y)
    for name, part in task.tests.items():
        assert found["majority class"][name] == np.mean(part.y == 0)
        predicted = model.predict(vectors.transform(texts[name]))
        assert found["TF-IDF + logistic regression"][name] == np.mean(predicted == part.y)
    assert found["TF-IDF + logistic regression"]["test"] > found["majority class"]["test"]
    single = TfidfVectorizer()
    alone = LogisticRegression(max_iter=1000).fit(single.fit_transform(texts["train"]), task.train.y)
    predicted = alone.predict(single.transform(texts["test"]))
    assert np.mean(predicted == task.tests["test"].y) < found["TF-IDF + logistic regression"]["test"]


def test_the_majority_is_the_training_parts():
    task, _ = text_task()
    task.tests["test"].y[:] = 1
    assert scored(task)["majority class"]["test"] == 0


@pytest.mark.slow
def test_softmax_regression():
    digits = load_digits()
    images, labels = (digits.images / 16).astype(np.float32)[:500], digits.target[:500]
    cut = slice(0, 350), slice(350, 400), slice(400, 500)
    train, validation, test = (Batch(images[rows], labels[rows]) for rows in cut)
    task = Task("mnist_rows", "cross_entropy", 10, train, validation, {"test": test})
    model = LogisticRegression(max_iter=200, tol=1e-3).fit(images[:350].reshape(350, 64), labels[:350])
    expected = np.mean(model.predict(images[400:].reshape(100, 64)) == labels[400:])
    assert scored(task) == {"softmax regression": {"test": expected}}
    assert expected > 0.5  # chance is 0.1


def test_params_yaml_may_name_exactly_the_rules_that_a_task_has():
    """A question about another one is refused before anything runs."""
    task, _ = text_task()
    assert tuple(scored(task)) == BASELINES["tweets"]
    assert tuple(baselines.seasonal_rules(np.arange(40.0), np.array([30]), 12)) == BASELINES["airline"]
    part = Batch(np.eye(8).reshape(8, 2, 4), np.arange(8) % 2)
    assert tuple(scored(Task("mnist_rows", "cross_entropy", 2, part, part, {"test": part}))) == BASELINES["mnist_rows"]
