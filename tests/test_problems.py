"""The generated problems: what is drawn is solved by the rule that defines it, and by nothing without a memory."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import stock_worker

from rnn_study.config.frontier import BY_RMSE, GENERATED
from rnn_study.data.prepared import save_task
from rnn_study.data.problems import agreement, catalogue, menu, pixels, temporal_order
from rnn_study.data.problems.catalogue import PROBLEMS
from rnn_study.data.problems.problem import QUARTERS, draw, draw_mixed, generate, quarter
from rnn_study.model.backend import BACKENDS
from rnn_study.model.task import Batch, Generated, Pixels, Task
from rnn_study.support.errors import StudyError

LENGTHS = {"adding": 50, "copy_memory": 7, "temporal_order": 40, "delayed_recall": 20, "parity": 12, "menu": 15}
LENGTHS["agreement"] = 23


def sampled(name, count=400, steps=None, seed=0):
    return PROBLEMS[name].sample(np.random.default_rng(seed), count, steps or LENGTHS[name])


# The rules, one sequence at a time, from the definitions


def adding_rule(x):
    return [sum(number for number, mark in x if mark == 1)]


def copy_rule(x):
    symbols = [int(row.argmax()) for row in x]
    place = symbols.index(9)
    return [0] * (place + 1) + symbols[:10] + [0] * (len(x) - place - 11)


def order_rule(x):
    shown = ["abcdXYEB"[int(row.argmax())] for row in x]
    assert shown[0] == "E"
    assert shown[-1] == "B"
    code = {"X": "0", "Y": "1"}
    return int("".join(code[symbol] for symbol in shown if symbol in code), 2)


def recall_rule(x):
    (place,) = [step for step, row in enumerate(x) if row[8] == 1]
    return int(x[place, :8].argmax())


def parity_rule(x):
    return int(sum(x[:, 0])) % 2


def menu_rule(x):
    dishes = ["apple pie", "burger", "chicken"]
    today = [dishes[int(x[0, :3].argmax())]]
    following = {"apple pie": "burger", "burger": "chicken", "chicken": "apple pie"}
    for row in x[1:]:
        sunny, rainy = row[3:]
        assert sunny + rainy == 1
        today.append(following[today[-1]] if rainy else today[-1])
    return [dishes.index(dish) for dish in today]


def agreement_rule(x):
    words = [agreement.WORDS[token] for token in x]
    assert words[0] == "the"
    assert words[2] == "who"
    return 0 if words[1] in ("man", "woman", "boy", "girl", "friend", "teacher") else 1


RULES = {
    "adding": adding_rule,
    "copy_memory": copy_rule,
    "temporal_order": order_rule,
    "delayed_recall": recall_rule,
    "parity": parity_rule,
    "menu": menu_rule,
    "agreement": agreement_rule,
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_goal_is_held_against_the_score_that_a_problem_has(name):
    """Seen in `config`, which knows no problem but by its name."""
    assert (name in BY_RMSE) == (PROBLEMS[name].loss == "squared_error")


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("longer", [False, True])
def test_the_ideal_rule_solves_every_example(name, longer):
    steps = LENGTHS[name] if longer else PROBLEMS[name].shortest
    batch = sampled(name, steps=steps)
    found = np.array([RULES[name](row) for row in batch.x])
    np.testing.assert_allclose(found, batch.y, rtol=1e-6)
    assert batch.x.shape[1] == steps + (20 if name == "copy_memory" else 0)


def test_the_examples_of_the_docstrings():
    assert order_rule(np.eye(8)[["abcdXYEB".index(c) for c in "EaXdbYcadXbcB"]]) == 2
    given = np.zeros((5, 5))
    given[0, 1] = given[1, 3] = given[2, 4] = given[3, 4] = given[4, 3] = 1
    assert menu_rule(given) == [1, 1, 2, 0, 0]
    assert parity_rule(np.array([[1], [0], [1], [1], [0]])) == 1
    for name in PROBLEMS:
        text = getattr(catalogue, name).__doc__
        assert "\n    " in text, f"{name}: no example in its docstring"


@pytest.mark.parametrize("steps", [2, 7, 50])
def test_one_number_of_each_half_is_marked(steps):
    batch = sampled("adding", 20_000, steps)
    marks, half = batch.x[..., 1], steps // 2
    assert (marks[:, :half].sum(axis=1) == 1).all()
    assert (marks[:, half:].sum(axis=1) == 1).all()
    assert set(marks[:, :half].argmax(axis=1)) == set(range(half))
    assert set(marks[:, half:].argmax(axis=1)) == set(range(steps - half))
    loss = PROBLEMS["adding"].chance(steps).loss
    assert batch.y.var() == pytest.approx(loss, rel=0.03)
    assert np.mean((batch.y - 1) ** 2) == pytest.approx(loss, rel=0.03)


@pytest.mark.parametrize("steps", [6, 12, 40, 100])
def test_the_three_symbols_stand_where_the_paper_puts_them(steps):
    shown = sampled("temporal_order", 3000, steps).x.argmax(axis=2)
    places = np.array([np.flatnonzero((row == 4) | (row == 5)) for row in shown])  # three in every row
    for (low, high), column in zip(temporal_order.WINDOWS, places.T, strict=True):
        first = math.ceil(low * steps / 100)
        assert set(column) == set(range(first, max(first, high * steps // 100) + 1))


@pytest.mark.parametrize("name", ["copy_memory", "temporal_order", "delayed_recall", "menu", "parity", "agreement"])
def test_no_answer_is_likelier_than_another(name):
    """So that the chance level is exact: of the answer that is scored, whatever is read at the last step."""
    problem, batch = PROBLEMS[name], sampled(name, 40_000)
    y = batch.y if problem.scored is None else batch.y[:, -1]
    values, counts = np.unique(y, return_counts=True)
    chance = problem.chance(LENGTHS[name])
    assert len(values) == round(1 / chance.score)
    spread = math.sqrt(chance.score * (1 - chance.score) / len(y))
    assert np.abs(counts / len(y) - chance.score).max() < 4.5 * spread
    last = batch.x.reshape(len(y), batch.x.shape[1], -1)[:, -1]
    for symbol in np.unique(last, axis=0):
        here = y[(last == symbol).all(axis=1)]
        share = np.bincount(here).max() / len(here)
        assert share < chance.score + 4.5 * math.sqrt(chance.score / len(here)), symbol


def test_the_chance_levels_by_hand():
    assert PROBLEMS["adding"].chance(50) == (pytest.approx(math.sqrt(1 / 6)), pytest.approx(1 / 6))
    assert PROBLEMS["copy_memory"].chance(80).loss == pytest.approx(10 * math.log(8) / 100)
    assert PROBLEMS["menu"].chance(4).loss == pytest.approx(3 * math.log(3) / 4)  # the first dish is given
    assert PROBLEMS["parity"].chance(9) == (0.5, pytest.approx(math.log(2)))
    assert PROBLEMS["temporal_order"].chance(9) == (0.125, pytest.approx(math.log(8)))
    # of all sequences of four days: predicting any dish for the last is right once in three
    days = [(first + sum(rain)) % 3 for first in range(3) for rain in itertools.product((0, 1), repeat=3)]
    assert {days.count(dish) for dish in range(3)} == {len(days) // 3}


def test_the_memoryless_loss_of_copy_memory_is_what_its_rule_has():
    """Blanks until the answer, then eight symbols alike."""
    task = generate(PROBLEMS["copy_memory"], described("copy_memory", 30))
    outputs = np.full((*task.validation.y.shape, 9), -50.0)
    outputs[:, :-10, 0] = 0
    outputs[:, -10:, 1:] = 0
    assert task.mean_loss(outputs, "validation") == pytest.approx(PROBLEMS["copy_memory"].chance(30).loss, rel=1e-9)
    assert task.score(np.eye(9)[task.validation.y], "validation") == 1


def described(name, steps, mixed=False, tests=()):
    return Generated(name, steps, mixed, 300, 100, 80, tests, 0)


def rows(batch):
    return {row.tobytes() for row in batch.x}


@pytest.mark.parametrize("name", PROBLEMS)
def test_parts_share_no_example(name):
    """At the shortest length that a space allows: there chance would put the same example into two parts."""
    problem = PROBLEMS[name]
    for steps in (problem.shortest + 2, LENGTHS[name]):
        task = generate(problem, described(name, steps))
        more = [task.fresh(np.random.default_rng(seed)) for seed in range(5)]
        seen = set().union(*map(rows, [task.train, *more]))
        assert not seen & rows(task.validation)
        assert not seen & rows(task.tests["test"])
        assert not rows(task.validation) & rows(task.tests["test"])


def test_the_hash_gives_every_part_its_share():
    found = quarter(sampled("delayed_recall", 40_000).x)
    assert np.abs(np.bincount(found, minlength=4) / 40_000 - 0.25).max() < 0.01
    one = np.zeros((1, 6, 2), np.float32)
    moved = np.repeat(one, 12, axis=0)
    moved.reshape(12, 12)[np.arange(12), np.arange(12)] = 1
    assert len(set(quarter(moved))) == 4  # every place counts
    assert sorted(itertools.chain(*QUARTERS.values())) == [0, 1, 2, 3]


def test_a_part_without_an_example_is_one_clear_line():
    with pytest.raises(StudyError, match="2 steps: no example left for the test part: expected more steps"):
        draw(menu.PROBLEM._replace(sample=lambda rng, count, steps: zeros(count)), None, 5, 2, "test")


def zeros(count):
    """One example over and over, which belongs to one part; not to that of the tests."""
    x = np.full((count, 2, 5), 3, np.float32)
    assert quarter(x[:1])[0] not in QUARTERS["test"]
    return Batch(x, np.zeros((count, 2), np.int64))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_gives_the_same_bytes_whatever_the_framework(backend, pool):
    for name in PROBLEMS:
        of = described(name, LENGTHS[name], mixed=True, tests=(2 * LENGTHS[name],))
        here = stock_worker.problem_digest(of)
        assert pool(backend).submit(stock_worker.problem_digest, of).result() == here
        assert stock_worker.problem_digest(replace(of, seed=1)) != here


def test_a_part_does_not_depend_on_the_size_of_another():
    small, large = (generate(PROBLEMS["adding"], Generated("adding", 9, False, n, 50, 40, (), 3)) for n in (10, 500))
    np.testing.assert_array_equal(small.validation.x, large.validation.x)
    np.testing.assert_array_equal(small.tests["test"].x, large.tests["test"].x)


@pytest.mark.parametrize("name", PROBLEMS)
def test_mixed_lengths_are_all_there_and_each_is_an_example_of_its_own(name):
    problem, longest = PROBLEMS[name], LENGTHS[name]
    batch = draw_mixed(problem, np.random.default_rng(0), 600, longest, "train")
    extra = 20 if name == "copy_memory" else 0
    lengths = batch.mask.sum(axis=1)
    assert set(lengths - extra) == set(range(problem.shortest, longest + 1))
    assert (batch.mask == (np.arange(longest + extra) < lengths[:, None])).all()
    for row in range(0, 600, 7):
        x = batch.x[row, : lengths[row]]
        y = batch.y[row] if problem.scored is None else batch.y[row, : lengths[row]]
        np.testing.assert_allclose(RULES[name](x), y, rtol=1e-6)
        assert not batch.x[row, lengths[row] :].any()


def test_a_generated_task_has_the_tests_it_is_asked_for():
    task = generate(PROBLEMS["menu"], described("menu", 8, mixed=True, tests=(8, 80)))
    assert list(task.tests) == ["test", "8", "80"]
    assert task.tests["80"].x.shape == (80, 80, 5)
    assert task.validation.mask is not None
    assert (task.scored, task.loss, task.outputs) == (1, "cross_entropy", 3)
    words = generate(PROBLEMS["agreement"], described("agreement", 10))
    assert words.embedding.shape == (len(agreement.WORDS), 12)
    assert words.train.x.dtype == np.int32


# Pixels


def images(size=4, count=6):
    x = np.random.default_rng(0).random((count, size, size)).astype(np.float32)
    part = Batch(x, np.arange(count) % 3)
    return Task("mnist_rows", "cross_entropy", 3, part, part, {"test": part})


def test_pixels_come_row_by_row_or_all_in_one_order(tmp_path):
    source = tmp_path / "rows.npz"
    save_task(images(), source)
    plain = catalogue.load("pixel_mnist", Pixels(str(source), 4, None))
    assert plain.name == "pixel_mnist"
    np.testing.assert_array_equal(plain.train.x[..., 0], images().train.x.reshape(6, 16))
    mixed = catalogue.load("permuted_mnist", Pixels(str(source), 4, 5))
    order = pixels.order(16, 5)
    assert sorted(order) == list(range(16))
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(mixed.parts()[part].x, plain.parts()[part].x[:, order])
    assert not np.array_equal(order, pixels.order(16, 6))


def test_smaller_images_are_means_of_blocks(tmp_path):
    source = tmp_path / "rows.npz"
    save_task(images(), source)
    small = catalogue.load("pixel_mnist", Pixels(str(source), 2, None)).train.x
    whole = images().train.x
    assert small.shape == (6, 4, 1)
    expected = [whole[0, :2, :2].mean(), whole[0, :2, 2:].mean(), whole[0, 2:, :2].mean(), whole[0, 2:, 2:].mean()]
    np.testing.assert_allclose(small[0, :, 0], expected, rtol=1e-6)
    with pytest.raises(StudyError, match="9 steps: images are 4 by 4: expected the square of a divisor of 4"):
        catalogue.load("pixel_mnist", Pixels(str(source), 3, None))
    for oblong in (np.zeros((6, 4, 8)), np.zeros((6, 8, 4))):
        with pytest.raises(StudyError, match=r"16 steps: images are \d by \d: expected square ones"):
            pixels.read(oblong, 4, None)


def test_the_chance_level_of_images_is_that_of_the_most_frequent_digit():
    rows = images(count=8)  # classes 0 1 2 0 1 2 0 1
    found = pixels.chance(rows)
    assert found.score == 3 / 8
    assert found.loss == pytest.approx(-(3 * math.log(3 / 8) * 2 + 2 * math.log(2 / 8)) / 8)


def test_every_problem_is_a_file_of_its_name():
    folder = Path(catalogue.__file__).parent
    others = {"__init__", "catalogue", "problem", "pixels"}
    assert {path.stem for path in folder.glob("*.py")} - others == set(PROBLEMS)
    assert set(PROBLEMS) == set(get_args(GENERATED))  # what params.yaml may name
