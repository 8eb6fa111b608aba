"""Subject-verb agreement with intervening clauses: the verb's number is the subject's, not that of nouns between.

    the men who ate my pizza and saw your dogs and liked the car today      have
    the man who ate my pizza and saw your dogs and liked the car today      has

A sentence of T words has as many clauses as fit and is filled with adverbs. Nouns of either number stand between, so
without a memory of the subject one verb is as good as the other: an accuracy of 1/2.
"""

import numpy as np

from rnn_study.model.task import Batch

from .problem import Chance, Problem

SUBJECTS = {
    "has": ("man", "woman", "boy", "girl", "friend", "teacher"),
    "have": ("men", "women", "boys", "girls", "friends", "teachers"),
}
VERBS = ("ate", "saw", "bought", "liked", "found", "lost")
OWNERS = ("my", "your", "the")
THINGS = ("pizza", "car", "house", "dog", "pizzas", "cars", "houses", "dogs")
_ADVERBS = ("today", "again", "once")
_ONES, _MANY = SUBJECTS.values()
WORDS = tuple(dict.fromkeys(("the", "who", "and", *_ONES, *_MANY, *VERBS, *OWNERS, *THINGS, *_ADVERBS)))
_SLOTS = tuple(np.array([WORDS.index(word) for word in kind]) for kind in (VERBS, OWNERS, THINGS, _ADVERBS))


def sample(rng: np.random.Generator, count: int, steps: int) -> Batch:
    """`count` sentences: token ids x (N, T) in the order of `WORDS`; y (N,), 0 for has, 1 for have."""
    verbs, owners, things, adverbs = _SLOTS
    y, which = rng.integers(0, 2, count), rng.integers(0, len(_ONES), count)
    x = np.empty((count, steps), np.int32)
    x[:, 0], x[:, 2] = WORDS.index("the"), WORDS.index("who")
    x[:, 1] = np.array([[WORDS.index(noun) for noun in kind] for kind in (_ONES, _MANY)])[y, which]
    clauses = (steps - 2) // 4
    for clause in range(clauses):
        start = 3 + 4 * clause
        for offset, kind in enumerate((verbs, owners, things)):
            x[:, start + offset] = rng.choice(kind, count)
        if clause:
            x[:, start - 1] = WORDS.index("and")
    x[:, 2 + 4 * clauses :] = rng.choice(adverbs, (count, steps - 2 - 4 * clauses))
    return Batch(x, y)


def chance(steps: int) -> Chance:
    return Chance(1 / 2, np.log(2))


PROBLEM = Problem("cross_entropy", len(SUBJECTS), sample, chance, shortest=6, words=len(WORDS))
