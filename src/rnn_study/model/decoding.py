"""A trained network used on its own: it reads what it has written so far.

Everything here asks a function for outputs and nothing else, so NumPy's network and both frameworks' are decoded by the
same lines. Each token is asked for with all that was written before it, from the start: twice the work or more, and no
state to keep.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import log_softmax

from .task import END, GO, Batch

Predict = Callable[
    [Batch], np.ndarray
]  # outputs (N, T', V) of a decoder, (N, T, K) of a network that answers each step


def _next(predict: Predict, x: np.ndarray, mask: np.ndarray | None, said: np.ndarray) -> np.ndarray:
    """Logits (N, V) of the token that comes after `said` (N, t)."""
    asked = np.concatenate([said, np.full((len(x), 1), END)], axis=1)  # the last is not read
    return predict(Batch(x, asked, mask))[:, -1]


def greedy(predict: Predict, x: np.ndarray, mask: np.ndarray | None, longest: int) -> np.ndarray:
    """The likeliest token each time, up to END: (N, T') int64, `longest` at most, GO past each row's END. A row that
    found no end has none."""
    said, ended = np.empty((len(x), 0), np.int64), np.zeros(len(x), bool)
    while said.shape[1] < longest and not ended.all():
        token = np.where(ended, GO, _next(predict, x, mask, said).argmax(axis=1))
        said, ended = np.concatenate([said, token[:, None]], axis=1), ended | (token == END)
    return said


def beam(
    predict: Predict, x: np.ndarray, mask: np.ndarray | None, longest: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest of the answers that stay among the `width` likeliest beginnings at every length (Sutskever et al.
    2014, section 3.2): tokens as those of `greedy`, and the log of their probability (N,).

    An answer that has ended keeps its place. Nothing is added for length.
    """
    count = len(x)
    x, mask = np.repeat(x, width, axis=0), None if mask is None else np.repeat(mask, width, axis=0)
    said = np.empty((count * width, 0), np.int64)
    total = np.full((count, width), -np.inf)
    total[:, 0] = 0.0  # at the start all beginnings are the same one
    ended = np.zeros((count, width), bool)
    while said.shape[1] < longest and not ended.all():
        odds = log_softmax(_next(predict, x, mask, said).astype(np.float64), axis=1).reshape(count, width, -1)
        words = odds.shape[-1]
        stay = np.where(np.arange(words) == GO, 0.0, -np.inf)
        scores = total[..., None] + np.where(ended[..., None], stay, odds)
        chosen = np.argsort(-scores.reshape(count, -1), axis=1, kind="stable")[:, :width]
        total = np.take_along_axis(scores.reshape(count, -1), chosen, axis=1)
        before, token = np.divmod(chosen, words)
        said = said.reshape(count, width, -1)[np.arange(count)[:, None], before]
        ended = np.take_along_axis(ended, before, axis=1) | (token == END)
        said = np.concatenate([said, token[..., None]], axis=2).reshape(count * width, -1)
    best = said.reshape(count, width, -1)[:, 0]  # sorted: the first is the likeliest
    return best, total[:, 0]


def generate(
    predict: Predict, start: np.ndarray, count: int, temperature: float, rng: np.random.Generator
) -> np.ndarray:
    """`count` more tokens of each text `start` (N, T) int32, by a network that says at every step what comes next:
    drawn from the softmax of its logits over `temperature`; the likeliest where that is 0."""
    text = start
    for _ in range(count):
        logits = predict(Batch(text, np.zeros(text.shape, np.int64)))[:, -1].astype(np.float64)
        if temperature:  # the largest of logits and Gumbel noise is a draw from their softmax (Gumbel 1954)
            logits = logits / temperature + rng.gumbel(size=logits.shape)
        text = np.concatenate([text, logits.argmax(axis=1)[:, None].astype(text.dtype)], axis=1)
    return text[:, start.shape[1] :]


def go_on(predict: Predict, start: np.ndarray, count: int) -> np.ndarray:
    """`count` more values (N, count) of each series `start` (N, T, 1), by a network that says at every step what comes
    next, fed its own forecasts."""
    series = start
    for _ in range(count):
        value = predict(Batch(series, np.zeros_like(series)))[:, -1:]
        series = np.concatenate([series, value.astype(series.dtype)], axis=1)
    return series[:, start.shape[1] :, 0]
