"""Many to many: numbers in English words, translated into French ones.

    three hundred and eighty one        trois cent quatre vingt un [END]

Both sides are written by num2words (French: its spelling before 1990's reform, hyphens read as spaces).
"""

from pathlib import Path
from typing import Any

import numpy as np
from num2words import num2words

from rnn_study.config import Numbers
from rnn_study.data.prepared import pack_texts
from rnn_study.model.task import END, GO, Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = ()
PADDING = "[PAD]"
# Numbers whose words follow from no other number's: they are learned, not found, and always in the training part.
# 200 to 900 end in a plural s that they lose in every longer number.
ELEMENTS = (*range(100), *range(100, 1000, 100))


def words_of(number: int, language: str) -> list[str]:
    """The words of a number in `language`, en or fr."""
    return num2words(number, lang=language).replace(",", "").replace("-", " ").split()


def split(params: Numbers, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Distinct numbers of each part, drawn at random but for `ELEMENTS`, which are in the training part.

    Where `longest` is a number of English words, all parts have so many at most, but for `longer`, which has more.
    """
    order = rng.permutation(np.arange(params.below))
    longer = np.array([], np.int64)
    if params.longest is not None:
        lengths = np.array([len(words_of(int(number), "en")) for number in order])
        longer, order = order[lengths > params.longest][: params.longer], order[lengths <= params.longest]
    element = np.isin(order, ELEMENTS)
    order = np.concatenate([order[element], order[~element]])
    ends = np.cumsum([params.train, params.validation, params.test])
    if len(order) < ends[-1] or len(longer) < params.longer or params.train < element.sum():
        raise StudyError(
            f"params.yaml: numbers below {params.below}, of {params.longest} words: {len(order)} of them and "
            f"{len(longer)} longer ones: expected at least {ends[-1]} and {params.longer}, "
            f"and {element.sum()} or more to train on"
        )
    parts = dict(zip(("train", "validation", "test"), np.split(order[: ends[-1]], ends[:-1]), strict=True))
    return parts | ({"longer": longer} if params.longer else {})


def _ids(texts: list[list[str]], index: dict[str, int], most: int) -> np.ndarray:
    """Tokens (N, most), 0 past the end."""
    ids = np.zeros((len(texts), most), np.int64)
    for row, words in zip(ids, texts, strict=True):
        row[: len(words)] = [index[word] for word in words]
    return ids


def prepare(raw: Path, params: Numbers) -> tuple[Task, dict[str, Any]]:
    """English words (N, T) with masks and a random table, French ones (N, T') up to the end token."""
    rng = np.random.default_rng(params.seed)
    numbers = split(params, rng)
    read = {name: [words_of(int(n), "en") for n in part] for name, part in numbers.items()}
    if params.reversed:
        read = {name: [words[::-1] for words in texts] for name, texts in read.items()}
    said = {name: [[*words_of(int(n), "fr"), "[END]"] for n in part] for name, part in numbers.items()}
    source = [PADDING, *sorted({word for texts in read.values() for words in texts for word in words})]
    known = {word for words in said["train"] for word in words} - {"[END]"}
    target = sorted(known)
    target[GO:GO], target[END:END] = ["[GO]"], ["[END]"]
    if unknown := {word for texts in said.values() for words in texts for word in words} - set(target):
        raise StudyError(f"params.yaml: numbers: train {params.train}: no {min(unknown)} among them: expected more")
    sides = {"x": (read, source), "y": (said, target)}
    most = {side: max(len(words) for part in texts.values() for words in part) for side, (texts, _) in sides.items()}
    parts = {}
    for name in numbers:
        x, y = (
            _ids(texts[name], {word: row for row, word in enumerate(words)}, most[side])
            for side, (texts, words) in sides.items()
        )
        parts[name] = Batch(x.astype(np.int32), y, x > 0)
    table = rng.normal(0.0, 1.0, (len(source), params.inputs)).astype(np.float32)
    table[0] = 0.0
    packed, offsets = pack_texts(source)
    task = Task(
        name="numbers",
        loss="cross_entropy",
        outputs=len(target),
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        embedding=table,
        extras={
            "classes": np.array(target),
            "words": packed,
            "words_offsets": offsets,
            **{f"numbers_{name}": part for name, part in numbers.items()},
        },
        writes=True,
    )
    details = {"english_words": len(source) - 1, "french_words": len(known), "longest": most}
    return task, details | {"elements_in_training": len(ELEMENTS)}
