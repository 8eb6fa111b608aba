"""Agreement over a distance: the next word depends on one that was read long before, and not on those between.

    the man who ate my pizza ...                              has     (subject-verb agreement)
    i grew up in france and later i bought a car ... i speak fluent   french
    the man who ate my pizza slept and the women who ...      have    (a new subject: the old one no longer counts)

The sentence ends before the word that is asked for; the answers are the classes. Words in between are drawn
regardless of the answer, nouns of either number among them, so that only the cue tells.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Agreement
from rnn_study.data.prepared import pack_texts
from rnn_study.data.problems.agreement import OWNERS, SUBJECTS, THINGS, VERBS
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

SOURCES = ()
COUNTRIES = {"french": "france", "german": "germany", "italian": "italy", "russian": "russia"}
CLASSES = (*SUBJECTS, *COUNTRIES)
# The sentences of the tutorials, as this task spells them, and a change of subject; each with its cue and its answer.
SENTENCES = (
    ("the man who ate my pizza", "man", "has"),
    ("i grew up in france and later i bought a car and later i found a dog so i speak fluent", "france", "french"),
    ("the man who ate my pizza slept and the women who saw the dog", "women", "have"),
)
CUES = tuple(text.split().index(cue) for text, cue, _ in SENTENCES)  # where it stands
NEW_SUBJECT = 2  # the sentence whose cue is a new subject
PADDING = "[PAD]"


def vocabulary() -> list[str]:
    """Every word, padding first."""
    words = " ".join(text for text, *_ in SENTENCES).split()
    words += [noun for nouns in SUBJECTS.values() for noun in nouns]
    words += [*COUNTRIES.values(), *VERBS, *OWNERS, *THINGS]
    return [PADDING, *dict.fromkeys(words)]


def _clause(rng: np.random.Generator) -> list[str]:
    return [str(rng.choice(VERBS)), str(rng.choice(OWNERS)), str(rng.choice(THINGS))]


def _about_subject(rng: np.random.Generator, answer: str, words: int) -> list[str]:
    """A subject with relative clauses, `words` words from it to the end at most; half of the times another before."""
    said: list[str] = []
    if rng.random() < 0.5 and words >= 12:
        before = str(rng.choice(SUBJECTS[str(rng.choice(list(SUBJECTS)))]))
        said = ["the", before, "who", *_clause(rng), "slept", "and"]
        words -= len(said)
    said += ["the", str(rng.choice(SUBJECTS[answer])), "who", *_clause(rng)]
    for _ in range(int(rng.integers(0, (words - 4) // 4 + 1))):
        said += ["and", *_clause(rng)]
    return said


def _about_country(rng: np.random.Generator, answer: str, words: int) -> list[str]:
    said = ["i", "grew", "up", "in", COUNTRIES[answer]]
    for _ in range(int(rng.integers(0, max(words - 4, 0) // 6 + 1))):
        said += ["and", "later", "i", *_clause(rng)]
    return [*said, "so", "i", "speak", "fluent"]


def sentence(rng: np.random.Generator, distance: int) -> tuple[list[str], str]:
    """A sentence whose first cue stands at most `distance` words before its end, and the word that follows it."""
    kind = (SUBJECTS, COUNTRIES)[int(rng.integers(2))]
    answer = str(rng.choice(list(kind)))
    make = _about_subject if kind is SUBJECTS else _about_country
    return make(rng, answer, distance), answer


def _batch(sentences: Sequence[tuple[Sequence[str], str]], index: dict[str, int], longest: int) -> Batch:
    x = np.zeros((len(sentences), longest), np.int32)
    mask = np.zeros(x.shape, bool)
    for row, (words, _) in enumerate(sentences):
        x[row, : len(words)] = [index[word] for word in words]
        mask[row, : len(words)] = True
    return Batch(x, np.array([CLASSES.index(answer) for _, answer in sentences]), mask)


def prepare(raw: Path, params: Agreement) -> tuple[Task, dict[str, Any]]:
    """Token ids (N, T) with masks, answers as classes, a random table; distinct sentences, each in one part.

    The part `sentences` holds `SENTENCES`, which no other part does.
    """
    rng = np.random.default_rng(params.seed)
    shown = [(text.split(), answer) for text, _, answer in SENTENCES]
    sizes = {"train": params.train, "validation": params.validation, "test": params.test}
    known, drawn, spare = {tuple(words) for words, _ in shown}, [], 20 * sum(sizes.values())
    while len(drawn) < sum(sizes.values()) and spare:
        words, answer = sentence(rng, params.distance)
        spare -= 1
        if tuple(words) not in known:
            known.add(tuple(words))
            drawn.append((words, answer))
    if not spare:
        raise StudyError(
            f"params.yaml: problems.agreement.prepare: distance {params.distance} gives fewer than "
            f"{sum(sizes.values())} distinct sentences: expected a longer distance or fewer sentences"
        )
    words, longest = vocabulary(), max(len(said) for said, _ in drawn + shown)
    index = {word: row for row, word in enumerate(words)}
    parts, start = {}, 0
    for name, count in sizes.items():
        parts[name] = _batch(drawn[start : start + count], index, longest)
        start += count
    table = rng.normal(0.0, 1.0, (len(words), params.inputs)).astype(np.float32)
    table[0] = 0.0
    packed, offsets = pack_texts(words)
    task = Task(
        name="agreement",
        loss="cross_entropy",
        outputs=len(CLASSES),
        train=parts["train"],
        validation=parts["validation"],
        tests={"test": parts["test"], "sentences": _batch(shown, index, longest)},
        embedding=table,
        extras={
            "classes": np.array(CLASSES),
            "words": packed,
            "words_offsets": offsets,
            "cues": np.array(CUES),
        },
    )
    majority = np.bincount(task.train.y).argmax()
    chance = {name: float(np.mean(part.y == majority)) for name, part in task.tests.items()}
    return task, {"distance": params.distance, "words": len(words), "chance": {"accuracy": chance["test"]}}
