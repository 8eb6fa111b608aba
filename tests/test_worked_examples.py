"""The worked cases against plain Python: numbers typed here once more, one formula a line, no matrix products."""

import cmath
import json
import math

import numpy as np
import pytest

from rnn_study.behaviour.parity import worked_examples
from rnn_study.model import reference

# Two steps by hand: the data of the four sequences, and the kernels as numbers
FIRST = [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.8], [0.9, 0.0, 0.1]]
SECOND = [[0.9, 0.8, 0.7], [0.0, 0.0, 0.0], [0.6, 0.5, 0.4], [0.3, 0.2, 0.1]]
WX = [[0.2, -0.3, 0.1, 0.4, -0.1], [0.3, 0.1, -0.4, 0.2, 0.5], [-0.2, 0.4, 0.3, -0.5, 0.1]]
WY = [
    [0.0, -0.1, -0.2, -0.3, -0.4],
    [0.1, 0.0, -0.1, -0.2, -0.3],
    [0.2, 0.1, 0.0, -0.1, -0.2],
    [0.3, 0.2, 0.1, 0.0, -0.1],
    [0.4, 0.3, 0.2, 0.1, 0.0],
]
B = [0.1, 0.2, 0.3, 0.4, 0.5]

# "hello": one row of the input kernel a letter
LETTERS = {
    "h": [0.3, 0.9, 0.5],
    "e": [0.8, 0.9, 0.1],
    "l": [0.6, 0.7, 0.6],
    "o": [0.5, 0.2, 0.5],
}
HEAD = [[0.4, 0.9, -0.8, 0.3], [0.4, -0.3, 0.6, 0.7], [0.6, -0.5, 0.2, -0.9]]
HEAD_BIAS = [-0.5, 0.1, 0.2, -0.1]
KERNEL = [[0.4, -0.2, 0.1], [0.3, 0.5, -0.6], [-0.1, 0.2, 0.7]]
BIAS = [0.1, -0.2, 0.3]
PREFIXES = ["h", "he", "hel", "hell"]


def by_hand():
    """h1 = tanh(x0 Wx + b), h2 = tanh(h1 Wy + x1 Wx + b) for each sequence."""
    rows = []
    for x0, x1 in zip(FIRST, SECOND, strict=True):
        h1 = [math.tanh(sum(x0[d] * WX[d][j] for d in range(3)) + B[j]) for j in range(5)]
        rows.append(
            [
                math.tanh(sum(h1[k] * WY[k][j] for k in range(5)) + sum(x1[d] * WX[d][j] for d in range(3)) + B[j])
                for j in range(5)
            ]
        )
    return rows


def states(word, kernels=None):
    """The state after each letter with the full kernel: one for each letter, all KERNEL unless given."""
    s, found = [0.0] * 3, []
    for letter, U in zip(word, kernels or [KERNEL] * len(word), strict=True):
        s = [cmath.tanh(LETTERS[letter][j] + sum(s[i] * U[i][j] for i in range(3)) + BIAS[j]) for j in range(3)]
        found.append(s)
    return found


def scalar_states(word):
    """The state after each letter where w = 0.4 alone stands for the recurrent kernel, and 0.6 for the bias."""
    s, found = [0.0] * 3, []
    for letter in word:
        s = [math.tanh(LETTERS[letter][j] + 0.4 * s[j] + 0.6) for j in range(3)]
        found.append(s)
    return found


STATES = {"full kernel": states, "w I": scalar_states}


def probabilities(s):
    """Softmax of the four outputs."""
    odds = [cmath.exp(sum(s[i] * HEAD[i][k] for i in range(3)) + HEAD_BIAS[k]) for k in range(4)]
    return [odd / sum(odds) for odd in odds]


def moved(i, j, change):
    """KERNEL with `change` added to one entry."""
    return [[KERNEL[a][b] + (change if (a, b) == (i, j) else 0) for b in range(3)] for a in range(3)]


def term(k):
    """dE_3/dU where only step k reads it, by a complex step: d+s_k/dU and all that follows from it."""

    def error(i, j):
        kernels = [moved(i, j, 1e-30j) if step == k else KERNEL for step in range(4)]
        return -cmath.log(probabilities(states("hell", kernels)[-1])[3])  # after "hell" comes "o"

    return [[error(i, j).imag / 1e-30 for j in range(3)] for i in range(3)]


def twice(k):
    """Term k as it is printed with the product of the ds_j/ds_(j-1) in it twice."""
    s = [[value.real for value in state] for state in states("hell")]
    error = [odds.real - (letter == 3) for letter, odds in enumerate(probabilities(s[3]))]
    d = [sum(HEAD[i][letter] * error[letter] for letter in range(4)) for i in range(3)]
    for _ in range(2):
        for step in range(3, k, -1):  # from the gradient for s_step to the one for s_(step-1)
            d = [sum(d[j] * (1 - s[step][j] ** 2) * KERNEL[i][j] for j in range(3)) for i in range(3)]
    before = [0.0] * 3 if k == 0 else s[k - 1]
    return [[before[i] * d[j] * (1 - s[k][j] ** 2) for j in range(3)] for i in range(3)]


def total(matrices):
    return [[math.fsum(matrix[i][j] for matrix in matrices) for j in range(3)] for i in range(3)]


def norm(matrix):
    return math.sqrt(math.fsum(value**2 for row in matrix for value in row))


def off(found, exact):
    """The largest difference, relative to the largest number that should stand there."""
    return np.abs(np.subtract(found, exact)).max() / np.abs(exact).max()


def run(problem):
    return reference.run(problem.network, problem.weights, problem.batch, problem.loss)


def test_two_steps_by_hand():
    found = run(worked_examples.two_steps())
    np.testing.assert_allclose(found.outputs, by_hand(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.final[0][0], by_hand(), rtol=0, atol=1e-14)


def test_two_steps_by_hand_to_twelve_digits():
    # the first sequence after one step: 0.1 times the second row of Wx, 0.2 times the third, and the bias
    sums = [0.03 - 0.04 + 0.1, 0.01 + 0.08 + 0.2, -0.04 + 0.06 + 0.3, 0.02 - 0.1 + 0.4, 0.05 + 0.02 + 0.5]
    np.testing.assert_allclose(
        run(worked_examples.two_steps()).hidden[0][0, 0], [math.tanh(a) for a in sums], rtol=1e-14
    )
    expected = [
        [0.646412013391, 0.484221462102, 0.352116278247, 0.467784874152, 0.582741802692],
        [0.495417986645, 0.434548537560, 0.369432449070, 0.300474276631, 0.228224924944],
        [0.652770151285, 0.475800649452, 0.349587141627, 0.398954355584, 0.388333531782],
        [0.549986674227, 0.401535282005, 0.356258364856, 0.413403652183, 0.333557072740],
    ]
    np.testing.assert_allclose(run(worked_examples.two_steps()).outputs, expected, rtol=0, atol=5.1e-13)


def softmax(outputs):
    return np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("variant", STATES)
def test_hello_letter_by_letter(variant):
    found = run(worked_examples.hello(variant))
    expected = [probabilities(STATES[variant](prefix)[-1]) for prefix in PREFIXES]
    np.testing.assert_allclose(softmax(found.outputs), np.real(expected), rtol=0, atol=1e-14)
    following = [expected[n]["helo".index(letter)].real for n, letter in enumerate("ello")]
    assert found.loss == pytest.approx(-sum(math.log(p) for p in following) / 4, rel=1e-13)


@pytest.mark.parametrize(
    ("variant", "first", "last"),
    [
        ("full kernel", [0.291076, 0.202363, 0.321470, 0.185091], [0.348937, 0.252816, 0.218166, 0.180080]),
        ("w I", [0.349209, 0.200270, 0.259030, 0.191490], [0.390059, 0.213740, 0.218436, 0.177766]),
    ],
)
def test_hello_to_six_digits(variant, first, last):
    found = softmax(run(worked_examples.hello(variant)).outputs)
    np.testing.assert_allclose(found[[0, 3]], [first, last], rtol=0, atol=5.1e-7)


@pytest.mark.parametrize("variant", STATES)
def test_a_prefixs_final_state_is_that_of_its_last_letter(variant):
    found = run(worked_examples.hello(variant))
    whole = np.real(STATES[variant]("hell"))
    np.testing.assert_allclose(found.final[0][0], whole, rtol=0, atol=1e-14)
    for n in range(4):
        np.testing.assert_allclose(found.hidden[0][n, : n + 1], whole[: n + 1], rtol=0, atol=1e-14)
        assert (found.hidden[0][n, n + 1 :] == 0).all()


def test_the_terms_are_what_one_steps_kernel_contributes():
    found = worked_examples.bptt()["terms"]
    assert found.shape == (4, 3, 3)
    for k in range(4):
        np.testing.assert_allclose(found[k], term(k), rtol=0, atol=1e-14)
    assert [norm(matrix) for matrix in found] == pytest.approx(
        [0, 0.058890400313, 0.240553418280, 0.501058626006], rel=1e-11
    )


def test_the_corrected_formula_is_the_gradient():
    found, exact = worked_examples.bptt(), run(worked_examples.hell()).gradients["layers.0.U"]
    np.testing.assert_allclose(found["corrected"], exact, rtol=0, atol=1e-12 * np.abs(exact).max())
    np.testing.assert_allclose(found["corrected"], found["terms"].sum(axis=0), rtol=0, atol=1e-15)

    def error(i, j, change):
        return -math.log(probabilities(states("hell", [moved(i, j, change)] * 4)[-1])[3].real)

    differences = [[(error(i, j, 1e-5) - error(i, j, -1e-5)) / 2e-5 for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(found["corrected"], differences, rtol=0, atol=1e-9)
    assert norm(found["corrected"]) == pytest.approx(0.769864114013, rel=1e-11)


@pytest.mark.parametrize(
    ("name", "expected", "deviation"),
    [
        ("product twice", lambda: total([twice(k) for k in range(4)]), 0.2958971),
        ("through the outputs", lambda: term(3), 0.4404433),
    ],
)
def test_the_printed_formulas_are_wrong(name, expected, deviation):
    found, exact = worked_examples.bptt()[name], total([term(k) for k in range(4)])
    np.testing.assert_allclose(found, expected(), rtol=0, atol=1e-14)
    assert off(found, exact) > 0.01
    assert off(found, exact) == pytest.approx(deviation, abs=1e-7)


def test_the_figures_are_those_of_the_cases():
    found = json.loads(json.dumps(worked_examples.figures(), allow_nan=False))
    np.testing.assert_allclose(found["two_steps"], by_hand(), rtol=0, atol=1e-14)
    assert list(found["hello"]) == list(STATES)
    for variant, rows in found["hello"].items():
        expected = [probabilities(s) for s in STATES[variant]("hell")]
        np.testing.assert_allclose(rows, np.real(expected), rtol=0, atol=1e-14)
    terms, printed = [term(k) for k in range(4)], total([twice(k) for k in range(4)])
    norms = {
        "gradient": total(terms),
        "corrected": total(terms),
        "product twice": printed,
        "through the outputs": terms[3],
    }
    assert found["bptt"]["terms"] == pytest.approx([norm(matrix) for matrix in terms], rel=1e-12)
    assert found["bptt"]["norms"] == pytest.approx({name: norm(matrix) for name, matrix in norms.items()}, rel=1e-12)
    deviations = {name: off(matrix, total(terms)) for name, matrix in norms.items() if name != "gradient"}
    assert found["bptt"]["deviations"] == pytest.approx(deviations, rel=1e-12, abs=1e-14)


def test_the_cases_hold_all_that_is_worked_here():
    assert list(worked_examples.cases()) == [
        "two steps by hand",
        "hello, full kernel",
        "hello, w I",
        "back-propagation on hell",
    ]
    for problem in worked_examples.cases().values():
        assert np.isfinite(run(problem).loss)
