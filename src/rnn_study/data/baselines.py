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


def seasonal_rules(series: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """One-step forecasts (N,) of monthly `series` at indices `targets` by rules that fit nothing."""
    last, year_ago = series[targets - 1], series[targets - 12]
    return {
        "last month (persistence)": last,
        "same month last year (seasonal naive)": year_ago,
        "same month last year + last month's change over the year": year_ago + last - series[targets - 13],
    }


def _seasonal(task: Task) -> Marks:
    series, targets = task.extras["series"], task.extras["index_test"]
    return {
        name: {"test": (forecast - series[targets]) ** 2} for name, forecast in seasonal_rules(series, targets).items()
    }


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
