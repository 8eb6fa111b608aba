"""Tweets: the sentiment of a short text, from its words in order; the last valid state decides."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Tweets
from rnn_study.data.prepared import pack_texts
from rnn_study.data.sources import glove, tweets
from rnn_study.data.tokens import tokenise
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = ("tweets", "glove")
PADDING, UNKNOWN = "[PAD]", "[UNK]"  # rows 0 and 1 of the table


def split(keys: list[str], params: Tweets) -> dict[str, np.ndarray]:
    """Indices of the tweets of each part. Tweets with one key (equal words) always share a part."""
    distinct = sorted(set(keys))
    order = np.random.default_rng(params.seed).permutation(len(distinct))
    test = round(params.test * len(distinct))
    validation = round(params.validation * len(distinct))
    part_of = dict.fromkeys((distinct[i] for i in order[:test]), "test")
    part_of |= dict.fromkeys((distinct[i] for i in order[test : test + validation]), "validation")
    parts = np.array([part_of.get(key, "train") for key in keys])
    return {name: np.flatnonzero(parts == name) for name in ("train", "validation", "test")}


def vocabulary(tokens: list[list[str]], size: int) -> list[str]:
    """Padding, the unknown word, and the most frequent words of the training part (ties by spelling)."""
    counts = Counter(word for words in tokens for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return [PADDING, UNKNOWN, *ranked[: size - 2]]


def encode(tokens: list[list[str]], index: dict[str, int], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids (N, length) int32, cut off or padded after, and their mask; a text without words is one [UNK]."""
    ids = np.zeros((len(tokens), length), np.int32)
    mask = np.zeros((len(tokens), length), bool)
    for row, words in enumerate(tokens):
        known = [index.get(word, 1) for word in words[:length]] or [1]
        ids[row, : len(known)] = known
        mask[row, : len(known)] = True
    return ids, mask


def table(words: list[str], folder: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The initial embedding (V, D) and which of its rows come from GloVe (V,).

    A word without a vector starts as normal noise of the spread of those that have one; padding is zero.
    """
    special = glove.special_words(folder)
    spelling = {word: special.get(word, word) for word in words[1:]}
    vectors = glove.read(folder, set(spelling.values()))
    if not vectors:
        raise StudyError(f"{folder.name}: no vector for any of {len(words)} words: expected vectors of their language")
    known = np.stack([vectors[name] for name in sorted(vectors)])
    embedding = rng.normal(0.0, known.std(), (len(words), known.shape[1])).astype(np.float32)
    embedding[0] = 0.0
    has_vector = np.zeros(len(words), bool)
    for row, word in enumerate(words[1:], start=1):
        if spelling[word] in vectors:
            embedding[row] = vectors[spelling[word]]
            has_vector[row] = True
    return embedding, has_vector


def _refuse(part: str, labels: np.ndarray, classes: tuple[str, str]) -> None:
    """A StudyError for a part that does not have both classes."""
    there = [classes[label] for label in np.unique(labels)]
    if len(there) < len(classes):
        found = f"{len(labels)} texts, of {' and '.join(there) or 'no class'}"
        ways = "more texts, or other shares in tasks.tweets.prepare; a file may be sorted by label, as Sentiment140's"
        raise StudyError(f"tweets: {part} part: {found}: expected some of {' and of '.join(classes)}: {ways}")


def prepare(raw: Path, params: Tweets) -> tuple[Task, dict[str, Any]]:
    """Token ids (N, max_tokens) with masks, labels, and the table of vectors.

    The hand-labelled tweets, where the source has them, are a test part of their own; the other parts hold
    none of their texts.
    """
    data = tweets.read(raw / "tweets")
    tokens = [tokenise(text) for text in data.texts]
    hand_tokens = [tokenise(text) for text in data.hand_texts or []]
    hand_keys = {" ".join(words) for words in hand_tokens}
    kept = [i for i, words in enumerate(tokens) if " ".join(words) not in hand_keys]
    keys = [" ".join(tokens[i]) for i in kept]
    rows = {name: [kept[i] for i in indices] for name, indices in split(keys, params).items()}

    for name, indices in rows.items():
        _refuse(name, data.labels[indices], data.classes)
    words = vocabulary([tokens[i] for i in rows["train"]], params.vocabulary)
    index = {word: row for row, word in enumerate(words)}
    embedding, has_vector = table(words, raw / "glove", np.random.default_rng(params.seed))

    chosen = {
        name: ([tokens[i] for i in indices], [data.texts[i] for i in indices], data.labels[indices])
        for name, indices in rows.items()
    }
    if data.hand_texts is not None:
        _refuse("hand_labelled", data.hand_labels, data.classes)
        chosen["hand_labelled"] = (hand_tokens, data.hand_texts, data.hand_labels)
    parts, extras, unknown, truncated = {}, {}, {}, {}
    for name, (part_tokens, texts, labels) in chosen.items():
        ids, mask = encode(part_tokens, index, params.max_tokens)
        parts[name] = Batch(ids, labels, mask)
        extras[f"texts_{name}"], extras[f"offsets_{name}"] = pack_texts(texts)
        unknown[name] = round(float((ids[mask] == 1).mean()), 6)
        truncated[name] = sum(len(part) > params.max_tokens for part in part_tokens)

    train = parts.pop("train")
    seen = train.x[train.mask]
    details = {
        "vocabulary": len(words),
        "vocabulary_with_vector": int(has_vector.sum()),
        "training_tokens_with_vector": round(float(has_vector[seen].mean()), 6),
        "unknown_share": unknown,
        "truncated": truncated,
        "distinct_texts": len(set(keys)),
        "dropped_as_hand_labelled": len(tokens) - len(kept),
        "texts_with_characters_left_out": data.shortened,
    }
    if has_vector.sum() < len(words) / 2:
        without = len(words) - int(has_vector.sum())
        details["warning"] = f"{without:,} of the texts' {len(words):,} words have no vector: they start at random"
    task = Task(
        name="tweets",
        loss="cross_entropy",
        outputs=2,
        train=train,
        validation=parts.pop("validation"),
        tests=parts,
        embedding=embedding,
        extras={"classes": np.array(data.classes), "words": np.array(words), **extras},
    )
    return task, details
