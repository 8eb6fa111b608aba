"""Tweets in the way of one tutorial, and what it would be if it did what it says.

coded     what the code does: 2 % of the tweets (32,000), 70/30; the raw text's words of 16,000, the last 15 of a tweet,
          padded after and not masked; the words' numbers themselves, one a step, are what the network reads
embedded  its embedding layer, which is built and never added, restored: a vector a word, GloVe's to begin with
cleaned   and its stop words, whose filter is never called, left out, and its lemmas, of which only the number is used,
          in the place of the words
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from rnn_study.config import TweetsTutorial
from rnn_study.data.sources import tweets
from rnn_study.data.tasks.tweets import table
from rnn_study.model.task import Batch, Task

SOURCES = ("tweets", "glove")
_LEFT_OUT = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))  # what Keras' Tokenizer filters


def words(text: str) -> list[str]:
    """As `keras.preprocessing.text.text_to_word_sequence`, which the tutorial's Tokenizer calls."""
    return text.lower().translate(_LEFT_OUT).split()


def cleaned(said: list[str]) -> list[str]:
    """Without stop words, each word's lemma in its place: as a verb, if that changes it, else as a noun."""
    from lemminflect import getLemma  # reads its tables when it is imported, and only this needs them

    def lemma(word: str) -> str:
        for kind in ("VERB", "NOUN"):
            found = getLemma(word, kind)
            if found and found[0] != word:
                return found[0]
        return word

    return [lemma(word) for word in said if word not in ENGLISH_STOP_WORDS]


def prepare(raw: Path, params: TweetsTutorial) -> tuple[Task, dict[str, Any]]:
    """Words as numbers (N, tokens, 1), or as ids (N, tokens) with a table. The validation part is of the training
    part: the tutorial has none and chooses nothing by it."""
    data = tweets.read(raw / "tweets")
    rng = np.random.default_rng(params.seed)
    rows = rng.permutation(len(data.texts))[: params.tweets]
    said = [words(data.texts[row]) for row in rows]
    if params.version == "cleaned":
        said = [cleaned(one) for one in said]
    counts = Counter(word for one in said for word in one)
    ranked = ["[PAD]", *sorted(counts, key=lambda word: (-counts[word], word))[: params.words - 1]]
    index = {word: number for number, word in enumerate(ranked)}
    ids = np.zeros((len(rows), params.tokens), np.int32)
    for row, one in zip(ids, said, strict=True):
        known = [index[word] for word in one if word in index][-params.tokens :]
        row[: len(known)] = known
    labels, test = data.labels[rows], round(params.test * len(rows))
    x = ids[..., None].astype(np.float32) if params.version == "coded" else ids
    parts = {name: Batch(x[part], labels[part]) for name, part in (("test", slice(test)), ("train", slice(test, None)))}
    embedding = None
    if params.version != "coded":
        embedding, _ = table(["[PAD]", *ranked[1:]], raw / "glove", rng)
    task = Task(
        name="tweets_tutorial",
        loss="cross_entropy",
        outputs=2,
        train=parts["train"],
        validation=parts["train"].rows(slice(len(parts["test"].y))),
        tests={"test": parts["test"]},
        embedding=embedding,
        extras={"classes": np.array(data.classes)},
    )
    return task, {"version": params.version, "words": len(ranked), "empty": int((ids == 0).all(axis=1).sum())}
