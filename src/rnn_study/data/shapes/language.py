"""A language model: at every step what comes next, the state carried through the text from piece to piece."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.config import Language
from rnn_study.data.prepared import pack_texts
from rnn_study.data.sources import alice, tweets
from rnn_study.data.tokens import tokenise
from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError

UNKNOWN = "[UNK]"
_ROWS = 8  # that a held-out part is read in, each from its own beginning


def symbols(raw: Path, params: Language) -> list[str]:
    """The text as characters or as words; a tweet, or a paragraph, ends with a line break."""
    lines = alice.read().splitlines() if params.of == "alice" else tweets.read(raw / "tweets").texts
    if params.unit == "characters":
        found = [character for line in lines for character in (*" ".join(line.split()), "\n")]
    else:
        found = [word for line in lines for word in (*tokenise(line), "\n")]
    return found[: params.symbols]


def _pieces(ids: np.ndarray, steps: int) -> Batch:
    """Pieces (N, steps) of `ids` one after the other, and what follows each of their places."""
    count = (len(ids) - 1) // steps
    x, y = (ids[start : start + count * steps].reshape(count, steps) for start in (0, 1))
    return Batch(x.astype(np.int32), y.astype(np.int64))


def prepare(raw: Path, params: Language) -> tuple[Task, dict[str, Any]]:
    """Ids (N, T) of the training part in pieces of `window` steps; held-out parts in eight long ones."""
    text = symbols(raw, params)
    held = round(params.held_out * len(text))
    train = len(text) - 2 * held
    if held // _ROWS < 2 or train <= 2 * params.window:
        raise StudyError(
            f"params.yaml: language: {len(text)} symbols: expected some windows of {params.window} of them"
        )
    counts = Counter(text[:train])
    ranked = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    vocabulary = [UNKNOWN, *ranked[: params.vocabulary - 1]]
    index = {symbol: row for row, symbol in enumerate(vocabulary)}
    ids = np.array([index.get(symbol, 0) for symbol in text])
    pieces = {
        "train": _pieces(ids[:train], params.window),
        "validation": _pieces(ids[train : train + held], held // _ROWS - 1),
        "test": _pieces(ids[train + held :], held // _ROWS - 1),
    }
    table = np.random.default_rng(params.seed).normal(0.0, 1.0, (len(vocabulary), params.inputs)).astype(np.float32)
    packed, offsets = pack_texts(vocabulary)
    task = Task(
        name="language",
        loss="cross_entropy",
        outputs=len(vocabulary),
        train=pieces.pop("train"),
        validation=pieces.pop("validation"),
        tests=pieces,
        embedding=table,
        extras={"words": packed, "words_offsets": offsets},
        scored=max(params.window, held),
        continues=True,
    )
    unknown = {name: float(np.mean(part.y == 0)) for name, part in task.parts().items()}
    return task, {"unit": params.unit, "symbols": len(text), "unknown_share": unknown, "text": params.of}


def ngram_bits(train: np.ndarray, test: Batch, words: int, order: int) -> np.ndarray:
    """Bits (N, T) of each of the test part's next symbols by an interpolated n-gram model of up to `order` symbols
    before it, counted in `train` (L,).

    Witten & Bell 1991 (method C): the estimate after k symbols takes the share d / (n + d) from that after k - 1, n the
    times these k were seen and d the different symbols that followed; below stands the uniform distribution.
    """
    counts: list[dict[tuple, Counter]] = [{} for _ in range(order + 1)]
    sequence = train.tolist()
    for k, table in enumerate(counts):
        for t in range(k, len(sequence)):
            table.setdefault(tuple(sequence[t - k : t]), Counter())[sequence[t]] += 1
    bits = np.zeros(test.y.shape)
    for row, (x, y) in enumerate(zip(test.x.tolist(), test.y.tolist(), strict=True)):
        for t, symbol in enumerate(y):
            p = 1 / words
            for k in range(min(order, t + 1) + 1):
                seen = counts[k].get(tuple(x[t + 1 - k : t + 1]))
                if seen is None:
                    break
                total, different = seen.total(), len(seen)
                p = (seen[symbol] + different * p) / (total + different)
            bits[row, t] = -np.log2(p)
    return bits
