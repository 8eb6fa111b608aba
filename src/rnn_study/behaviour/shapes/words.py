"""What order and vectors of words are worth: tweets with their words shuffled, and words beside each other."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from rnn_study.config import Config
from rnn_study.data.prepared import load_task, prepared_file, unpack_texts
from rnn_study.model import reference
from rnn_study.model.backend import BACKENDS
from rnn_study.model.task import Batch, Task
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.running.settings import chosen
from rnn_study.statistics.crossed import mean
from rnn_study.statistics.marks import by_search

from .trained import System

Row = dict[str, Any]
NEAREST, MAPPED = 5, 60  # neighbours of a word; words on the map
FREQUENT = 20  # texts that hold a word


def shuffled(part: Batch, rng: np.random.Generator) -> Batch:
    """The same words of every row in another order; one that happens to stay the same stays."""
    x = part.x.copy()
    for row, length in zip(x, part.mask.sum(axis=1), strict=True):
        row[:length] = rng.permutation(row[:length])
    return Batch(x, part.y, part.mask)


def order(config: Config) -> list[Row]:
    """How much of its accuracy each cell loses when the words of every test tweet are shuffled: (a difference) example
    by example and seed by seed, in the study's own runs."""
    task = load_task(prepared_file("tweets"))
    part, rows, settings = task.tests["test"], [], chosen(config, "tweets", config.seeds)
    other = shuffled(part, np.random.default_rng(0))
    for cell in config.tasks.tweets.cells:
        whole, mixed = [], []
        for seed in config.seeds:
            tuned, right = settings(cell, seed) | {"dropout": 0.0}, {}
            network = experiments.network(config.tasks.tweets, task, cell, tuned)
            for backend in BACKENDS:
                folder = results.run_folder(Path("runs"), "tweets", backend, cell, seed)
                tree = {name: array.astype(np.float64) for name, array in results.read_weights(folder).items()}
                answers = results.read_predictions(folder)["test"], reference.forward(network, tree, other)
                right[backend] = [outputs.argmax(axis=1) == part.y for outputs in answers]
            whole.append(np.mean([both[0] for both in right.values()], axis=0))
            mixed.append(np.mean([both[1] for both in right.values()], axis=0))
        loss = mean(by_search(config, "tweets", np.array(whole) - np.array(mixed), config.seeds))
        low, high = loss.interval()[1:]
        scores = {"ordered": float(np.mean(whole)), "shuffled": float(np.mean(mixed))}
        rows.append({"cell": cell, **scores, "lost": loss.value, "interval": [low, high], "seeds": len(config.seeds)})
    return rows


def single_words(task: Task) -> float:
    """The accuracy of TF-IDF of single words with logistic regression, which no order can change."""

    def texts(part: str) -> list[str]:
        return unpack_texts(task.extras[f"texts_{part}"], task.extras[f"offsets_{part}"])

    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    model.fit(texts("train"), task.train.y)
    return float(np.mean(model.predict(texts("test")) == task.tests["test"].y))


def _unit(table: np.ndarray) -> np.ndarray:
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


def nearest(table: np.ndarray, row: int, among: np.ndarray) -> list[int]:
    """The rows of `among` whose vectors make the smallest angle with that of `row`."""
    close = _unit(table[among]) @ _unit(table[row : row + 1])[0]
    ranked = among[np.argsort(-close, kind="stable")]
    return [int(other) for other in ranked if other != row][:NEAREST]


def flat(table: np.ndarray) -> np.ndarray:
    """The two directions (N, 2) in which vectors (N, D) differ most; each points to where its largest number is."""
    centred = table - table.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    found = centred @ directions[:2].T
    return found * np.sign(found[np.abs(found).argmax(axis=0), [0, 1]])


def _alike(table: np.ndarray, among: np.ndarray, positive: dict[int, float]) -> float:
    """The share of nearest neighbours that lean the way the word itself does."""
    pairs = [(row, other) for row in among.tolist() for other in nearest(table, row, among)]
    return float(np.mean([(positive[other] > 0.5) == (positive[row] > 0.5) for row, other in pairs]))


def vectors(system: System, variant: str, table: str) -> Row:
    """A table, `glove` or `random`, before and after training: nearest neighbours of the frequent words that tell most,
    and a map of those. Frequent is what `FREQUENT` texts hold; where hardly a word is, the words that most hold.

    A word tells as much as the share of positive tweets among those that hold it is far from that of all.
    """
    task = system.task
    words = task.extras["words"].tolist()
    counts, told = np.zeros(len(words)), np.zeros(len(words))
    for row, label, mask in zip(task.train.x, task.train.y, task.train.mask, strict=True):
        held = np.unique(row[mask])
        counts[held] += 1
        told[held] += label
    often = np.flatnonzero(counts >= max(1, min(FREQUENT, np.sort(counts[2:])[-NEAREST - 1 :].min())))
    often = often[often > 1]
    share = told[often] / counts[often]
    among = often[np.argsort(-np.abs(share - task.train.y.mean()), kind="stable")][:MAPPED]
    before, after = task.embedding.astype(np.float64), system.weights(system.first, variant)["embedding"]
    positive = dict(zip(often.tolist(), share.tolist(), strict=True))
    return {
        "system": system.name,
        "table": table,
        "trained": system.networks[variant].embedding.trainable,
        "neighbours": [
            {
                "word": words[row],
                "before": [words[other] for other in nearest(before, row, often)],
                "after": [words[other] for other in nearest(after, row, often)],
            }
            for row in among[:8].tolist()
        ],
        "alike": {when: _alike(now, among, positive) for when, now in (("before", before), ("after", after))},
        "map": {
            "words": [words[row] for row in among.tolist()],
            "classes": task.extras["classes"].tolist(),
            "positive": [round(positive[row], 4) for row in among.tolist()],
            "before": flat(before[among]).round(4).tolist(),
            "after": flat(after[among]).round(4).tolist(),
        },
    }
