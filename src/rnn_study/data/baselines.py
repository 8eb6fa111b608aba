"""What a result must beat: simple rules and linear models on the same parts, with their libraries' defaults."""

from collections.abc import Callable

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from rnn_study.data.baselines_file import Marks
from rnn_study.data.prepared import unpack_texts
from rnn_study.model.task import Task, score_of


def _softmax_regression(task: Task) -> Marks:
    """Multinomial logistic regression on all the pixels at once."""
    model = LogisticRegression(max_iter=200, tol=1e-3)
    model.fit(task.train.x.reshape(len(task.train.y), -1), task.train.y)
    return {
        "softmax regression": {
            name: model.predict(part.x.reshape(len(part.y), -1)) == part.y for name, part in task.tests.items()
        }
    }


def _bag_of_words(task: Task) -> Marks:
    """The majority class of the training part, and TF-IDF of words and word pairs with logistic regression."""

    def texts(part: str) -> list[str]:
        return unpack_texts(task.extras[f"texts_{part}"], task.extras[f"offsets_{part}"])

    majority = np.bincount(task.train.y).argmax()
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    model.fit(texts("train"), task.train.y)
    return {
        "majority class": {name: part.y == majority for name, part in task.tests.items()},
        "TF-IDF + logistic regression": {
            name: model.predict(texts(name)) == part.y for name, part in task.tests.items()
        },
    }


def seasonal_rules(series: np.ndarray, targets: np.ndarray, season: int) -> dict[str, np.ndarray]:
    """One-step forecasts (N,) of `series` at indices `targets` by rules that fit nothing."""
    last = series[targets - 1]
    found = {"last value (persistence)": last}
    if season > 1:
        ago, before = series[targets - season], series[targets - season - 1]
        found["a season ago (seasonal naive)"] = ago
        found["a season ago + the last value's change over a season"] = ago + last - before
    return found


def _seasonal(task: Task) -> Marks:
    series, targets, season = task.extras["series"], task.extras["index_test"], int(task.extras["season"])
    rules = seasonal_rules(series, targets, season)
    return {name: {"test": (forecast - series[targets]) ** 2} for name, forecast in rules.items()}


BASELINES: dict[str, Callable[[Task], Marks]] = {
    "mnist_rows": _softmax_regression,
    "tweets": _bag_of_words,
    "airline": _seasonal,
}


def marks(task: Task) -> Marks:
    """What each example of each test part counts for in the baselines of `task`."""
    with threadpool_limits(1):  # the same sums in the same order on any number of cores
        return {
            name: {part: values.astype(float) for part, values in parts.items()}
            for name, parts in BASELINES[task.name](task).items()
        }


def scores(task: Task, found: Marks) -> dict[str, dict[str, float]]:
    """The score of each baseline on each test part, in the task's own measure."""
    return {
        name: {part: score_of(task.score_name, values) for part, values in parts.items()}
        for name, parts in found.items()
    }
