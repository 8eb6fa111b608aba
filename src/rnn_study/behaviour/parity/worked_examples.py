"""Small cases worked by hand: the numbers are few enough to follow with a calculator.

Two steps of an RNN (3 inputs, 5 units, 4 sequences); "hello", letter by letter, with a full recurrent kernel and
with w times the identity; and back-propagation through time on "hell", term by term.
"""

from typing import Any

import numpy as np

from rnn_study.model import reference
from rnn_study.model.network import Layer, Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch

from .probes import Problem, deviation

LETTERS = "helo"
NETWORK = Network(4, (Layer("vanilla", 3),), 4)  # "hello": one-hot letters, 3 units, softmax over 4
_OPTIMISER = Optimiser(2**-7, None)


def two_steps() -> Problem:
    """Two time steps of 4 sequences through 5 tanh units; the head passes the final state on as it is."""
    network = Network(3, (Layer("vanilla", 5),), 5)
    first = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 0, 1]]
    second = [[9, 8, 7], [0, 0, 0], [6, 5, 4], [3, 2, 1]]
    rows, columns = np.ogrid[1:6, 1:6]
    weights = {
        "layers.0.W": np.array([[0.2, -0.3, 0.1, 0.4, -0.1], [0.3, 0.1, -0.4, 0.2, 0.5], [-0.2, 0.4, 0.3, -0.5, 0.1]]),
        "layers.0.U": (rows - columns) / 10,
        "layers.0.b": np.array([0.1, 0.2, 0.3, 0.4, 0.5]),
        "head.W": np.eye(5),
        "head.b": np.zeros(5),
    }
    x = np.stack([np.array(first), np.array(second)], axis=1) / 10
    return Problem(network, "squared_error", _OPTIMISER, weights, Batch(x, np.zeros((4, 5))))


_HELLO = {
    "layers.0.W": np.array([[0.3, 0.9, 0.5], [0.8, 0.9, 0.1], [0.6, 0.7, 0.6], [0.5, 0.2, 0.5]]),
    "head.W": np.array([[0.4, 0.9, -0.8, 0.3], [0.4, -0.3, 0.6, 0.7], [0.6, -0.5, 0.2, -0.9]]),
    "head.b": np.array([-0.5, 0.1, 0.2, -0.1]),
}
HELLO = {
    "full kernel": _HELLO
    | {
        "layers.0.U": np.array([[0.4, -0.2, 0.1], [0.3, 0.5, -0.6], [-0.1, 0.2, 0.7]]),
        "layers.0.b": np.array([0.1, -0.2, 0.3]),
    },
    "w I": _HELLO | {"layers.0.U": 0.4 * np.eye(3), "layers.0.b": np.full(3, 0.6)},
}


def _one_hot(letters: str, steps: int) -> np.ndarray:
    rows = np.zeros((steps, len(LETTERS)))
    rows[range(len(letters)), [LETTERS.index(letter) for letter in letters]] = 1
    return rows


def hello(variant: str) -> Problem:
    """The prefixes of "hell", each to be followed by its next letter."""
    x = np.stack([_one_hot("hell"[: n + 1], 4) for n in range(4)])
    y = np.array([LETTERS.index(letter) for letter in "ello"])
    mask = np.arange(4) <= np.arange(4)[:, None]
    return Problem(NETWORK, "cross_entropy", _OPTIMISER, HELLO[variant], Batch(x, y, mask))


def hell() -> Problem:
    """The error after "hell" alone: E_3 of the formulas below, whose steps are 0 to 3."""
    batch = Batch(_one_hot("hell", 4)[None], np.array([LETTERS.index("o")]))
    return Problem(NETWORK, "cross_entropy", _OPTIMISER, HELLO["full kernel"], batch)


def bptt() -> dict[str, np.ndarray]:
    """dE_3/dU of `hell` by the formula of back-propagation through time, and as it is found in print.

    With s_k the state after step k and d+ the immediate partial derivative, s_(k-1) held fixed, term k is

        dE_3/ds_3 * [product over j = k+1 .. 3 of ds_j/ds_(j-1)] * d+s_k/dU                            (corrected)

    and the gradient the sum of the terms k = 0 .. 3 (Pascanu et al. 2013, arXiv 1211.5063, eq. 3 to 5); the first
    of them is zero, for there is no state before it. In print one finds

    - `product twice`: the product and ds_3/ds_k, which is the same product, in one term;
    - `through the outputs`: the chain led through dy_j/dy_(j-1). No output is read by a later step of this network,
      so those factors are zero and the last term is left.

    Returns `terms` (4, H, H) and the three gradients (H, H).
    """
    problem = hell()
    w = reference.layer_weights(NETWORK, problem.weights, 0)
    s = reference.scan("vanilla", w, problem.batch.x)[0][0]
    slope, last = 1 - s**2, len(s) - 1
    odds = np.exp(s[last] @ problem.weights["head.W"] + problem.weights["head.b"])
    d_last = problem.weights["head.W"] @ (odds / odds.sum() - np.eye(4)[problem.batch.y[0]])
    before = np.vstack([np.zeros(3), s[:last]])
    terms, twice = [], []
    for k in range(last + 1):
        product = np.eye(3)
        for j in range(last, k, -1):
            product = product @ (slope[j][:, None] * w.U.T)  # ds_j/ds_(j-1), a row for each entry of s_j
        terms.append(np.outer(before[k], (d_last @ product) * slope[k]))
        twice.append(np.outer(before[k], (d_last @ product @ product) * slope[k]))
    return {
        "terms": np.array(terms),
        "corrected": np.sum(terms, axis=0),
        "product twice": np.sum(twice, axis=0),
        "through the outputs": terms[-1],
    }


def cases() -> dict[str, Problem]:
    """Every worked case by name."""
    return {
        "two steps by hand": two_steps(),
        **{f"hello, {variant}": hello(variant) for variant in HELLO},
        "back-propagation on hell": hell(),
    }


def figures() -> dict[str, Any]:
    """What the report shows of the cases, by the oracle: the final states of the two steps, the probabilities of
    "hello", gradients and their terms."""
    found = {}
    for variant in HELLO:
        problem = hello(variant)
        odds = np.exp(reference.forward(problem.network, problem.weights, problem.batch))
        found[variant] = (odds / odds.sum(axis=1, keepdims=True)).tolist()
    problem, formulas = hell(), bptt()
    exact = reference.run(problem.network, problem.weights, problem.batch, problem.loss).gradients["layers.0.U"]
    norms = {name: float(np.linalg.norm(formulas.get(name, exact))) for name in ("gradient", *list(formulas)[1:])}
    problem = two_steps()
    return {
        "two_steps": reference.forward(problem.network, problem.weights, problem.batch).tolist(),
        "hello": found,
        "bptt": {
            "terms": [float(np.linalg.norm(term)) for term in formulas["terms"]],
            "norms": norms,
            "deviations": {name: deviation(formulas[name], exact) for name in list(formulas)[1:]},
        },
    }
