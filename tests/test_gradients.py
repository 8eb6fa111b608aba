"""From profiles and runs to figures and contrasts: by hand, and on networks whose behaviour is known."""

import json
from math import log10
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from test_diagnostics import linear

from rnn_study import config
from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.diagnostics.profile import profile, subject
from rnn_study.behaviour.gradients import ablations, contrasts, quantities
from rnn_study.data.tasks import adding, agreement
from rnn_study.model.init import Init
from rnn_study.model.optimisers import Optimiser, RmsProp
from rnn_study.model.task import Batch, Task
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.support.errors import StudyError

QUICK = config.load(ROOT / "studies/quick.yaml")
REAL = config.load(ROOT / "studies/real.yaml")


def a_task(name="adding"):
    part = Batch(np.zeros((4, 6, 2), np.float32), np.zeros((4, 1), np.float32))
    return Task(name, "squared_error", 1, part, part, {"test": part})


def changed(**update):
    """The quick study with another adding problem."""
    values = QUICK.problems.adding.model_dump(exclude_unset=True) | update
    problem = type(QUICK.problems.adding).model_validate(values | {"seeds": list(values["seeds"])})
    return QUICK.model_copy(update={"problems": QUICK.problems.model_copy(update={"adding": problem})})


# The problems


def test_the_adding_task_scores_in_its_own_unit():
    task, details = adding.prepare(None, QUICK.problems.adding.prepare)
    assert task.train.x.shape == (6400, 50, 2)
    always_one = np.ones((512, 1), np.float32)
    assert task.score(always_one, "validation") == pytest.approx(details["chance"]["rmse"], rel=0.1)
    assert task.score(task.validation.y, "validation") == 0
    again, _ = adding.prepare(None, QUICK.problems.adding.prepare)
    assert all(np.array_equal(a, b) for a, b in zip(task.train[:2], again.train[:2], strict=True))


def words_of(task, part):
    from rnn_study.data.prepared import unpack_texts

    known = unpack_texts(task.extras["words"], task.extras["words_offsets"])
    batch = task.parts()[part]
    return [
        ([known[word] for word in ids[mask]], agreement.CLASSES[y])
        for ids, mask, y in zip(batch.x, batch.mask, batch.y, strict=True)
    ]


def test_the_ideal_rule_solves_the_agreement_problem():
    """The last subject decides, or the country; no other word does."""
    task, _ = agreement.prepare(None, QUICK.problems.agreement.prepare)
    subjects = {noun: answer for answer, nouns in agreement.SUBJECTS.items() for noun in nouns}
    countries = {country: answer for answer, country in agreement.COUNTRIES.items()}
    said = {part: words_of(task, part) for part in task.parts()}
    for sentences in said.values():
        for words, answer in sentences:
            told = [subjects[word] for word in words if word in subjects]
            assert (told or [countries[word] for word in words if word in countries])[-1] == answer
    texts = {part: {" ".join(words) for words, _ in sentences} for part, sentences in said.items()}
    assert sum(map(len, texts.values())) == len(set().union(*texts.values()))  # each in one part
    two = [words for words, _ in said["train"] if sum(word in subjects for word in words) == 2]
    assert len(two) > 0.1 * len(said["train"])
    counts = np.bincount(task.train.y, minlength=6) / len(task.train.y)
    assert np.ptp(counts[:2]) < 0.03  # as many of each, though distinct sentences of a country are fewer
    assert np.ptp(counts[2:]) < 0.03
    longest = max(len(words) for words, _ in said["train"])
    assert 20 <= longest <= 30


def test_the_tutorials_sentences_are_there_with_their_cues():
    task, _ = agreement.prepare(None, QUICK.problems.agreement.prepare)
    said = words_of(task, "sentences")
    assert " ".join(said[0][0]) == "the man who ate my pizza"
    assert [words[cue] for (words, _), cue in zip(said, task.extras["cues"], strict=True)] == ["man", "france", "women"]
    assert [answer for _, answer in said] == ["has", "french", "have"]


def test_too_few_sentences_are_refused():
    params = QUICK.problems.agreement.prepare.model_copy(update={"distance": 4, "train": 3000})
    with pytest.raises(StudyError, match="distance 4 gives fewer than 3600 distinct sentences: expected a longer"):
        agreement.prepare(None, params)


# The runs


def test_the_cells_run_first_and_then_what_is_changed_in_them():
    task = a_task()
    cells = experiments.problem(QUICK, task)
    assert [(spec.variant, spec.seed) for spec in cells] == [
        (cell, seed) for cell in ("vanilla", "lstm", "gru") for seed in range(8)
    ]
    first = cells[0]
    assert (first.goal, first.backend, first.checkpoints) == (0.0408, "tensorflow", (1, 3))
    assert first.optimiser == Optimiser(0.01, 1.0)
    rest = experiments.problem(QUICK, task, {"vanilla": 2.0, "lstm": 3.0, "gru": 4.0})
    by_name = {spec.variant: spec for spec in rest}
    assert by_name["lstm-forget-0"].init == Init(forget_bias=0.0)
    assert by_name["vanilla-irnn-unclipped"].optimiser.clip is None
    assert by_name["vanilla-irnn"].network.activation == "relu"
    point = by_name["map-1-2"]
    assert (point.optimiser.learning_rate, point.optimiser.clip) == (0.01, 1.0)
    assert point.init == by_name["vanilla-irnn"].init
    assert [spec.seed for spec in rest if spec.variant == "map-1-2"] == [0]
    assert not any(spec.checkpoints for spec in rest)


def test_an_ablation_clips_at_a_multiple_of_its_cells_own_norm():
    rest = experiments.problem(REAL, a_task(), {"vanilla": 2.0, "lstm": 3.0, "gru": 4.0})
    clips = {spec.variant: spec.optimiser.clip for spec in rest}
    assert (clips["vanilla-clip-half"], clips["lstm-clip-5"], clips["gru-clip-10"]) == (1.0, 15.0, 40.0)
    by_name = {spec.variant: spec for spec in rest}
    assert len(by_name["gru-deep"].network.layers) == 3
    assert by_name["lstm-rmsprop"].optimiser.rule == RmsProp()
    assert by_name["gru-window"].network.window == 20
    assert by_name["gru-window"].impl == "equations"


def test_the_real_study_tries_every_stabiliser():
    tried = set()
    for ablation in REAL.problems.adding.ablations.values():
        tried |= ablation.model_fields_set
    assert tried >= {
        *("clip_by", "clip_times", "kernel", "recurrent", "activation", "forget_bias"),
        *("norm", "depth", "optimiser", "window"),
    }
    assert REAL.problems.adding.map


def test_an_ablation_changes_what_its_cell_says():
    own = changed(cells={"mine": {"cell": "lstm", "units": 5}}, ablations={"x": {"of": ["mine"], "depth": 2}}, map=None)
    variant = own.problems.adding.ablated["mine-x"]
    assert (variant.cell, variant.units, variant.depth, variant.of) == ("lstm", 5, 2, ["mine"])
    network = experiments.network(own.problems.adding, a_task(), "mine-x")
    assert [(layer.cell, layer.units) for layer in network.layers] == [("lstm", 5)] * 2


def test_outcomes():
    assert ablations.outcome(solved=True, diverged=False) == "solved"
    assert ablations.outcome(solved=False, diverged=False) == "stuck"
    assert ablations.outcome(solved=True, diverged=True) == "diverged"


# Figures


def test_the_slope_is_least_squares_from_lag_one_on():
    """Of every sequence alone, however long: three lags are enough, two are not."""
    flow = np.random.default_rng(0).normal(size=(3, 5, 12)).cumsum(axis=-1)
    lengths = [12, 9, 4, 3, 1]
    for place, length in enumerate(lengths):
        flow[:, place, length:] = np.nan
    found = quantities.slope(flow.astype(np.float32))
    assert found.shape == (3, 5)
    for seed, place in np.ndindex(3, 3):
        y = flow[seed, place, 1 : lengths[place]]
        assert found[seed, place] == pytest.approx(np.polyfit(np.arange(len(y)), y, 1)[0], rel=1e-5)
    assert np.isnan(found[:, 3:]).all()


def test_what_arrives_by_hand():
    """From lag 1 to the first step of each sequence; one of two steps keeps all, one of a single step says nothing."""
    nan = np.nan
    flow = [[5, -1, -2, -4.5], [5, 0.5, -1, nan], [5, -1, nan, nan], [5, nan, nan, nan]]
    found = quantities.arrives(np.array([flow, np.array(flow) * 2], np.float32))
    np.testing.assert_array_equal(found, [[-3.5, -1.5, 0, nan], [-7, -3, 0, nan]])


@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_what_arrives_in_a_linear_rnn_is_what_theory_says(scale):
    """Kernel a Q, Q orthogonal: all of the error for a = 1, else a^(L - 2) of that at lag 1; a factor a step of a."""
    net, tree = linear(scale)
    lengths = np.array([20, 12, 4])
    x = np.random.default_rng(1).normal(size=(3, 20, 1)).astype(np.float32)
    part = Batch(x, np.ones((3, 1), np.float32), np.arange(20) < lengths[:, None])
    found = profile(net, tree, subject(Task("t", "squared_error", 1, part, part, {}), 3), whole=False)
    flow = found["flow"][None]
    np.testing.assert_allclose(10 ** quantities.arrives(flow), [scale ** (lengths - 2.0)], rtol=1e-9)
    np.testing.assert_allclose(10 ** quantities.slope(flow), np.full((1, 3), scale), rtol=1e-9)


def test_measured_decays_stand_beside_theorys():
    rows = list(quantities.theory(30))
    assert [row["last"] for row in rows] == pytest.approx([row["scale"] ** 29 for row in rows], rel=1e-9)
    assert all(row["deviation"] < 1e-9 for row in rows)


def decaying(rates, lags=20, examples=3):
    """Profiles of seeds whose error changes by a factor a step, its size another in each example."""
    noise = np.array([-0.5, 0.0, 0.5])[:examples, None]
    return np.stack([np.log10(rate) * np.arange(lags) + noise for rate in rates])


def stage(rates, memory=None, seeds=None, **more):
    flow = decaying(rates)
    n = len(rates)
    return {
        "seeds": np.arange(n) if seeds is None else np.array(seeds),
        "flow": flow,
        "singular": np.zeros((n, 20, 4)) + np.array([0.0, -1, -2, -3]),
        "memory": np.array(memory if memory is not None else [3.0] * n, float),
        "exponents": np.zeros((n, 4)) - 0.1,
    } | more


def test_quantities_of_a_stage():
    carry = np.full((2, 4), np.exp(-1 / 5))
    saturated = np.zeros((2, 3, 4, 2))
    saturated[:, 1, :, 1] = 0.25
    more = {"retention": np.array([[1, 0.5, 0.4, np.nan]] * 2), "carry": carry, "saturated": saturated}
    one = stage([0.5, 0.8], radius=np.array([[1, 2, 3, 4]] * 2), **more)
    one["singular"][:, 10, -1] = -7  # half way: of lags 0 to 19
    found = quantities.quantities(one, "lstm", 0.5)
    assert found["condition"] == pytest.approx([7, 7])
    np.testing.assert_allclose(10 ** found["rate"], [[0.5] * 3, [0.8] * 3])
    np.testing.assert_allclose(10 ** found["arrives"], [[0.5**18] * 3, [0.8**18] * 3])  # from lag 1 to lag 19
    assert found["retained"].tolist() == [2, 2]
    assert quantities.quantities(one, "lstm", 0.25)["retained"].tolist() == [3, 3]
    assert found["time_constant"] == pytest.approx([5, 5])
    assert found["radius_g"].tolist() == [3, 3]
    assert (found["right_f"].tolist(), found["left_i"].tolist()) == ([0.25, 0.25], [0, 0])
    assert "left_g" not in found  # a candidate, no gate


def told(task, one):
    """The rows of metrics/gradients.json about one stage, by quantity."""
    found = quantities.rows(task, {"lstm": {"trained": one}}, {"lstm": "lstm"})
    return {row["quantity"]: row for row in found}


def test_intervals_end_where_the_quantity_does():
    found = told("t", stage([0.5] * 3, memory=[0.1, 0.2, 18.9]))["memory"]
    assert (found["low"], found["high"]) == (0.0, 18)
    assert found["n"] == 3


def test_a_figure_of_seeds_has_students_interval():
    memory = [3.0, 5.5, 4.0, 6.0]
    found = told("t", stage([0.5] * 4, memory))["memory"]
    bounds = stats.ttest_1samp(memory, 0).confidence_interval()
    assert (found["value"], found["low"], found["high"]) == pytest.approx((4.625, bounds.low, bounds.high))
    alone = told("t", stage([0.5], [3.0]))
    assert {row["n"] for row in alone.values()} == {1}
    assert [alone["memory"][key] for key in ("value", "low", "high")] == [3, 3, 3]
    assert [alone["rate"][key] for key in ("value", "low", "high")] == pytest.approx([log10(0.5)] * 3)


def test_a_figure_of_sequences_is_crossed():
    """By hand: mean squares of seeds 3 * 2, of sequences 2 * 4, of the rest 2; a sequence that is too short for one
    seed is left out for all."""
    x = np.array([[1.0, 2.0, np.nan, 3.0], [1.0, 4.0, 9.0, 7.0]])
    found = quantities.over_both(x)
    assert (found.value, found.error**2, found.fresh**2) == pytest.approx((3, 12 / 6, 1))
    half = stats.t.ppf(0.975, 12**2 / (6**2 / 1 + 8**2 / 2)) * 2**0.5
    assert quantities.with_interval(x) == pytest.approx((3, 3 - half, 3 + half))
    # of two sequences: seeds 4, sequences 16, rest 4
    assert quantities.over_both(np.array([[1.0, 3.0], [1.0, 7.0]])).error == pytest.approx((16 / 4) ** 0.5)
    assert quantities.with_interval(np.array([[1.0, 3.0, np.nan]])) == (2, 2, 2)  # one seed has no interval


def test_of_one_sequence_seeds_alone_differ():
    x = np.array([[1.0, np.nan], [2.0, np.nan], [4.0, 1.0]])
    bounds = stats.ttest_1samp([1, 2, 4], 0).confidence_interval()
    assert quantities.over_both(x).interval() == pytest.approx((7 / 3, bounds.low, bounds.high))


def test_of_a_sum_less_is_asked():
    """The sum of two numbers tells half of the variance of either: on the adding problem a quarter counts."""
    more = {"retention": np.array([[0.5, 0.3, 0.2]] * 2), "carry": np.zeros((2, 4)), "radius": np.ones((2, 4))}
    one = stage([0.5, 0.5], saturated=np.zeros((2, 3, 4, 2)), **more)
    assert told("adding", one)["retained"]["value"] == 2
    assert told("airline", one)["retained"]["value"] == 1


def test_sequences_of_few_steps_have_no_rate():
    """No slope of fewer than three lags from 1 on, and nothing of it in a contrast."""
    for lags, rated in ((1, False), (3, False), (4, True)):
        short = stage([0.5, 0.6, 0.7], memory=np.zeros(3))
        short |= {"flow": short["flow"][:, :, :lags], "singular": short["singular"][:, :lags]}
        found = quantities.quantities(short, "lstm", 0.5)
        assert ("rate" in found) == ("arrives" in found) == rated
        assert found["memory"].tolist() == [0, 0, 0]
        both = {cell: {"initial": short, "trained": short} for cell in ("vanilla", "lstm")}
        rows = list(contrasts.error("t", both, dict.fromkeys(both)))
        assert [row["claim"] for row in rows] == (["vanishes", "vanishes", "keeps"] * 2 if rated else [])


def in_pairs(values, seeds):
    """Rows that are independent, as of two searches in turn: of the first and third seed, of the second and fourth."""
    return np.stack([values[0::2].mean(axis=0), values[1::2].mean(axis=0)])


def test_intervals_stand_on_rows_that_are_independent():
    one, other = stage([0.5, 0.7, 0.4, 0.9], [3.0, 5.5, 4.0, 6.0]), stage([0.3, 0.2, 0.3, 0.1])
    rows = quantities.rows("t", {"lstm": {"trained": one}}, {"lstm": "lstm"}, in_pairs)
    found = {row["quantity"]: row for row in rows}
    bounds = stats.ttest_1samp([3.5, 5.75], 0).confidence_interval()
    assert estimate(found["memory"]) == pytest.approx((4.625, max(bounds.low, 0), min(bounds.high, 18)))
    pairs = quantities.over_both(in_pairs(quantities.slope(one["flow"]), None)).interval()
    assert estimate(found["rate"]) == pytest.approx(pairs)
    assert {row["n"] for row in found.values()} == {4}  # seeds
    both = {"lstm": {"trained": one}, "vanilla": {"trained": other}}
    for row in contrasts.error("t", both, dict.fromkeys(both), in_pairs):
        if row["claim"] == "keeps":
            gap = quantities.slope(one["flow"]) - quantities.slope(other["flow"])
        else:
            gap = quantities.arrives(both[row["a"]]["trained"]["flow"])
        assert estimate(row) == pytest.approx(quantities.over_both(in_pairs(gap, None)).interval())
        assert row["n"] == 4
    alike = contrasts.error("t", both, dict.fromkeys(both), lambda values, seeds: values.mean(axis=0, keepdims=True))
    assert list(alike) == []  # all of one search


# Contrasts


def estimate(row):
    return row["value"], row["low"], row["high"]


def student(x, other=None):
    """SciPy's interval of the mean of x, or of its difference from what is paired with it."""
    x = np.asarray(x, float) if other is None else np.asarray(x, float) - other
    return (x.mean(), *stats.ttest_1samp(x, 0).confidence_interval())


def welch(a, b):
    """SciPy's interval of the difference of two groups."""
    return (np.mean(a) - np.mean(b), *stats.ttest_ind(a, b, equal_var=False).confidence_interval())


def test_what_vanishes_and_what_is_kept():
    """Every cell's own share from lag 1 to the first step; every other cell's rate against the vanilla RNN's, seed by
    seed. Sequences that all decay alike leave the seeds' spread."""
    rates = {"vanilla": [0.7, 0.8, 0.75, 0.9], "lstm": [0.95, 0.9, 0.99, 0.97]}
    both = {name: {"initial": stage(one), "trained": stage(one[::-1])} for name, one in rates.items()}
    rows = list(contrasts.error("t", both, {"vanilla": None, "lstm": None}))
    assert [(row["claim"], row["stage"], row["a"], row.get("b")) for row in rows] == [
        (claim, when, a, b)
        for when in ("initial", "trained")
        for claim, a, b in (
            ("vanishes", "vanilla", None),
            ("vanishes", "lstm", None),
            ("keeps", "lstm", "vanilla"),
        )
    ]
    for row in rows:
        logs = {name: np.log10(one) for name, one in rates.items()}
        expected = (
            student(18 * logs[row["a"]]) if row["claim"] == "vanishes" else student(logs["lstm"], logs["vanilla"])
        )
        assert estimate(row) == pytest.approx(expected)
        assert (row["n"], row["task"]) == (4, "t")
        assert set(row) <= {"claim", "value", "low", "high", "n", "task", "stage", "a", "b"}  # no p, no verdict


def test_sequences_differ_as_well_as_seeds():
    """Of a share that differs between sequences, twice as many seeds that all agree make nothing surer."""
    noise = np.random.default_rng(0).normal(0, 0.2, (6, 20)).cumsum(axis=-1)
    share = noise[:, -1] - noise[:, 1]

    def row(seeds):
        one = {"seeds": np.arange(seeds), "flow": np.broadcast_to(noise, (seeds, 6, 20))}
        (found,) = contrasts.error("t", {"gru": {"trained": one}}, {"gru": None})
        return found

    assert estimate(row(4)) == pytest.approx(student(share))
    assert estimate(row(8)) == pytest.approx(student(share))
    assert row(8)["n"] == 8


def test_what_was_not_looked_at_is_left_out():
    """Networks that read both ways, those whose every run diverged at once, and those of which one run is left:
    two are enough."""
    one = {"initial": stage([0.5] * 8), "trained": stage([0.6] * 8)}
    found = {"vanilla": one, "lstm": {"initial": stage([0.5] * 2), "trained": stage([0.6])}}
    found["gru"] = {"initial": one["initial"]}
    rows = list(contrasts.error("t", found, dict.fromkeys(("vanilla", "lstm", "gru", "both"))))
    assert [(row["claim"], row["stage"], row["a"]) for row in rows] == [
        ("vanishes", "initial", "vanilla"),
        ("vanishes", "initial", "lstm"),
        ("vanishes", "initial", "gru"),
        ("keeps", "initial", "lstm"),
        ("keeps", "initial", "gru"),
        ("vanishes", "trained", "vanilla"),
    ]
    alone = list(contrasts.error("t", {"lstm": one}, {"vanilla": None, "lstm": None}))
    assert [(row["claim"], row["a"]) for row in alone] == [("vanishes", "lstm")] * 2
    ablated = {"vanilla": one, "vanilla-irnn": one}
    assert {row["a"] for row in contrasts.error("t", ablated, {"vanilla": None})} == {"vanilla"}


def test_seeds_are_paired_by_their_numbers():
    """A seed that one side lost is left out on both; where one seed is left there is no contrast."""
    rates = {0: 0.9, 1: 0.5, 2: 0.8, 3: 0.7, 4: 0.95}

    def of(seeds, factor=1.0):
        return {"trained": stage([factor * rates[seed] for seed in seeds], seeds=seeds)}

    found = {"vanilla": of([0, 2, 3], 0.9), "lstm": of([0, 1, 2, 4])}
    *_, row = contrasts.error("t", found, dict.fromkeys(found))
    assert (row["claim"], row["n"]) == ("keeps", 2)
    assert row["value"] == pytest.approx(-log10(0.9))
    assert (row["low"], row["high"]) == pytest.approx((row["value"],) * 2)  # both pairs differ by the same
    found["lstm"] = of([0, 1, 4])
    assert [row["claim"] for row in contrasts.error("t", found, dict.fromkeys(found))] == ["vanishes", "vanishes"]


def counted(level, curve, every, budget):
    """Updates as a reader would count them, epoch by epoch."""
    before = False
    for epoch, value in enumerate(curve, 1):
        if before and value <= level:
            return epoch * every
        before = value <= level
    return budget


@pytest.mark.parametrize(
    ("curve", "updates"),
    [
        ([0.9, 0.4, 0.3, 0.9, 0.9], 30),
        ([0.5, 0.5, 0.5], 20),  # at the level, from the first
        ([0.9, 0.4, 0.9, 0.4, 0.4], 50),  # one dip is not enough
        ([0.9, 0.4, 0.9, 0.4], 80),  # nor are two apart
        ([0.9, 0.9, 0.4], 80),  # nor the last look alone
        ([0.9, 0.8], 80),  # stopped early, never there: the whole budget
        ([0.4], 80),
        ([0.4, np.nan, 0.4], 80),
        ([np.nan, 0.4, 0.4], 30),
    ],
)
def test_updates_to_a_level(curve, updates):
    assert counted(0.5, curve, 10, 80) == updates
    assert contrasts.updates_to(0.5, [np.array(curve)], 10, 80).tolist() == [updates]


def test_each_curve_has_updates_of_its_own():
    """Where settings were searched for, batches differ in size, and so do the updates of an epoch."""
    curves = [np.array([0.9, 0.4, 0.4]), np.array([0.4, 0.4]), np.array([0.9])]
    assert contrasts.updates_to(0.5, curves, np.array([10, 40, 20]), np.array([80, 320, 160])).tolist() == [30, 80, 160]
    found = {"vanilla": curves, "gru": curves[:2]}
    every = {"vanilla": np.array([10, 40, 20]), "gru": np.array([10, 40])}
    (row,) = contrasts.converges("t", found, every, 8)
    assert estimate(row) == pytest.approx(welch(np.log10([30, 80]), np.log10([30, 80, 160])))


def test_updates_to_a_level_of_many_curves():
    rng = np.random.default_rng(0)
    curves = [rng.random(rng.integers(1, 12)) for _ in range(200)]
    found = contrasts.updates_to(0.4, curves, 7, 84)
    assert found.tolist() == [counted(0.4, curve, 7, 84) for curve in curves]
    assert 20 < (found == 84).sum() < 180


def test_convergence_is_counted_in_updates_to_a_level_that_both_reach():
    """By hand: the best losses of the vanilla RNN's seeds are 5, 9 and 4, of the LSTM's 3, 3.1 and 2; the level for all
    is 1.05 times the vanilla RNN's median, 5.25."""
    slow = [[10, 9, 5.2, 5], [10, 9.5, 9, 9], [6, 4, 4, 4]]
    quick = [[9, 6, 4, 3], [5, 3.1], [9, 2, 6, 6]]
    curves = {"vanilla": [np.array(one) for one in slow], "lstm": [np.array(one) for one in quick]}
    (row,) = contrasts.converges("t", curves, {"vanilla": 10, "lstm": 20}, 5)
    own, other = [80, 40, 100], [40, 50, 30]  # one of each side spends its budget, of 5 epochs
    assert estimate(row) == pytest.approx(welch(np.log10(own), np.log10(other)))
    assert (row["claim"], row["a"], row["b"], row["n"], row["reached"]) == ("converges", "lstm", "vanilla", 3, [2, 2])
    # the same where the LSTM is the worse one: the level is one, the sides change
    swapped = {"vanilla": curves["lstm"], "lstm": curves["vanilla"]}
    (back,) = contrasts.converges("t", swapped, {"vanilla": 20, "lstm": 10}, 5)
    assert back["value"] == pytest.approx(-row["value"])
    assert not list(contrasts.converges("t", {"lstm": curves["lstm"]}, {"lstm": 10}, 5))
    last = contrasts.converges("t", curves, {"vanilla": 10, "lstm": 20}, 5, lambda x: x[1:])  # of other rows
    (row,) = last
    assert estimate(row) == pytest.approx(welch(np.log10(own[1:]), np.log10(other[1:])))
    assert row["n"] == 3


@pytest.mark.parametrize(("times", "updates"), [(1.04, 20), (1.06, 50)])
def test_close_to_the_best_is_within_five_per_cent(times, updates):
    curve = np.array([0.4 * times, 0.4 * times, 0.8, 0.4, 0.4])
    (row,) = contrasts.converges(
        "t", {"vanilla": [curve] * 2, "gru": [np.array([0.1, 0.1])] * 2}, {"vanilla": 10, "gru": 10}, 9
    )
    assert 10 ** row["value"] == pytest.approx(20 / updates)


@pytest.mark.parametrize("broken", [[np.nan], [np.inf], [1.0, np.nan]])
def test_convergence_where_runs_diverged(broken):
    """A side that diverged spends its budget."""
    curves = {"vanilla": [np.array(broken)] * 8, "lstm": [np.array([0.9, 0.6])] * 8}
    for one, other in (("vanilla", "lstm"), ("lstm", "vanilla")):
        found = {"vanilla": curves[one], "lstm": curves[other]}
        (row,) = contrasts.converges("t", found, {"vanilla": 10, "lstm": 10}, 6)
        assert 10 ** row["value"] == pytest.approx(20 / 60 if one == "vanilla" else 60 / 20)
        assert row["reached"] == ([8, 0] if one == "vanilla" else [0, 8])


def test_noise_on_a_plateau_is_no_convergence():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        plateau = {
            name: [low * (1 + 0.02 * rng.random(7)) for _ in range(8)]
            for name, low in (("vanilla", 0.165), ("lstm", 0.162))
        }
        (row,) = contrasts.converges("t", plateau, dict.fromkeys(plateau, 100), 7)
        wrong += row["low"] > 0 or row["high"] < 0
    assert wrong <= 10  # the level of the interval, and some


def test_updates_to_a_goal():
    found = {"vanilla": np.array([800, 700, 800, 500]), "lstm": np.array([400, 200, 300, 800])}
    (row,) = contrasts.solves("adding", found)
    assert estimate(row) == pytest.approx(welch(np.log10(found["lstm"]), np.log10(found["vanilla"])))
    geometric = {name: np.prod(one.astype(float)) ** 0.25 for name, one in found.items()}
    assert 10 ** row["value"] == pytest.approx(geometric["lstm"] / geometric["vanilla"])
    assert (row["claim"], row["a"], row["b"], row["n"]) == ("converges", "lstm", "vanilla", 4)
    assert not list(contrasts.solves("adding", {"lstm": found["lstm"]}))


def a_table(**cells):
    """Cells with (runs solved of 8, norm that one update in a hundred exceeds, clip)."""
    found = {}
    for name, (solved, norm, clip) in cells.items():
        runs = {"solved": [True] * solved + [False] * (8 - solved), "diverged": [False] * 8, "updates": [800] * 8}
        found[name.replace("_", "-")] = runs | {"norm_99": [norm] * 8, "clip": clip, "scores": {"test": [0.03] * 8}}
    return {"cells": found}


PLAIN = {"vanilla": (0, 3.0, 1.0), "lstm": (8, 3.0, 1.0), "gru": (8, 3.0, 1.0), "lstm_forget_0": (1, 3.0, 1.0)}


def test_clipping_is_held_against_the_same_network_that_explodes_without():
    params = QUICK.problems.adding
    table = a_table(**PLAIN, vanilla_irnn=(6, 40.0, 1.0), vanilla_irnn_unclipped=(1, 40.0, None))
    (row,) = contrasts.clipping("adding", params, table)
    assert (row["claim"], row["a"], row["b"]) == ("clipping", "vanilla-irnn", "vanilla-irnn-unclipped")
    assert (row["solved_a"], row["solved_b"]) == ([6, 8], [1, 8])
    bounds = confint_proportions_2indep(6, 8, 1, 8, method="newcomb", compare="diff")
    assert estimate(row) == pytest.approx((5 / 8, *bounds), rel=1e-6)
    fewer = table["cells"]["vanilla-irnn-unclipped"]
    fewer["solved"], fewer["diverged"] = fewer["solved"][:5], fewer["diverged"][:5]
    assert next(contrasts.clipping("adding", params, table))["n"] == 5
    never = a_table(**PLAIN, vanilla_irnn=(6, 40.0, None), vanilla_irnn_unclipped=(0, 40.0, None))
    assert not list(contrasts.clipping("adding", params, never))  # nothing was clipped


def test_gradients_explode_where_a_run_diverges_or_most_are_beyond_ten_times_the_clip():
    params = QUICK.problems.adding
    table = a_table(**PLAIN, vanilla_irnn=(6, 40.0, 2.0), vanilla_irnn_unclipped=(0, 4.0, None))
    without = table["cells"]["vanilla-irnn-unclipped"]
    assert not list(contrasts.clipping("adding", params, table))
    without["norm_99"] = [19.0] * 5 + [500.0] * 3  # the median seed is below 20
    assert not list(contrasts.clipping("adding", params, table))
    without["norm_99"] = [21.0] * 5 + [0.1] * 3
    assert len(list(contrasts.clipping("adding", params, table))) == 1
    without["norm_99"] = [0.1] * 8
    without["diverged"][3] = True
    assert len(list(contrasts.clipping("adding", params, table))) == 1


def test_clipping_is_held_against_what_differs_in_nothing_else():
    """Nor in the cell, nor by a clip of each number, which is another cure."""
    ablated = {
        "free": {"of": ["vanilla"], "clip_by": "nothing"},
        "value": {"of": ["vanilla"], "clip_by": "value", "clip": 0.1},
        "half": {"of": ["vanilla"], "clip_times": 0.5},
        "sgd": {"of": ["vanilla"], "optimiser": "sgd"},
    }
    params = changed(ablations=ablated, map=None).problems.adding
    clips = {"vanilla_free": None, "vanilla_value": 0.1, "vanilla_half": 0.4, "vanilla_sgd": 1.0}
    table = a_table(**PLAIN, **{name: (4, 40.0, clip) for name, clip in clips.items()})
    rows = [(row["a"], row["b"]) for row in contrasts.clipping("adding", params, table)]
    assert rows == [("vanilla", "vanilla-free"), ("vanilla-half", "vanilla-free")]


def test_clip_times_of_a_cell_without_a_finite_gradient_is_one_clear_line():
    with pytest.raises(StudyError, match=r"vanilla-clip-half: clip_times 0\.5, but no gradient of vanilla was finite"):
        experiments.problem(REAL, a_task(), {"lstm": 3.0, "gru": 4.0})


def test_forget_bias():
    """Steps, seed by seed; where most networks of either side reach the start of their sequences, these are too short
    to tell."""
    params = QUICK.problems.adding
    long, short = [10.0, 11.5, 12.0, 9.0], [4.0, 5.0, 18.0, 18.0]
    full, half = [18.0, 18.0, 18.0, 3.0], [18.0, 18.0, 2.0, 3.0]
    for sides, censored in (((long, short), False), ((long, full), True), ((full, short), True), ((half, long), False)):
        one, two = (stage([0.9] * 4, memory=memory) for memory in sides)
        found = {"lstm": {"initial": one, "trained": two}, "lstm-forget-0": {"initial": two, "trained": one}}
        first, last = contrasts.forgetting("adding", params, found)
        assert (first["claim"], first["stage"], last["stage"]) == ("forget bias", "initial", "trained")
        assert (first["a"], first["b"], first["n"]) == ("lstm", "lstm-forget-0", 4)
        assert estimate(first) == pytest.approx(student(*map(np.array, sides)))
        assert last["value"] == pytest.approx(-first["value"])
        assert (first["censored"], last["censored"]) == (censored, censored)


def test_forget_bias_is_all_that_differs():
    """Not where something else is changed as well, or the cell's own bias is another, or is changed to another."""
    one = {"initial": stage([0.9] * 8), "trained": stage([0.9] * 8)}
    found = {"lstm": one, "lstm-forget-0": one}
    for cells, change in (
        ({"lstm": {}}, {"forget_bias": 0.0, "optimiser": "sgd"}),
        ({"lstm": {"forget_bias": 2.0}}, {"forget_bias": 0.0}),
        ({"lstm": {}}, {"forget_bias": 5.0}),
    ):
        own = changed(cells=cells, ablations={"forget-0": {"of": ["lstm"], **change}}, map=None)
        assert not list(contrasts.forgetting("adding", own.problems.adding, found))
    few = changed(
        cells={"lstm": {}}, ablations={"forget-0": {"of": ["lstm"], "forget_bias": 0.0, "seeds": 3}}, map=None
    )
    assert len(list(contrasts.forgetting("adding", few.problems.adding, found))) == 2
    assert len(list(contrasts.forgetting("adding", few.problems.adding, {"lstm": one} | {"lstm-forget-0": {}}))) == 0


def test_window():
    """Against the spread of a uniform number, of those that cannot see the first half and whose cell can solve it."""
    assert list(contrasts.truncation("adding", QUICK.problems.adding, {})) == []  # not in the quick study
    ablated = {name: {"of": ["gru"], "window": window} for name, window in (("w", 10), ("half", 25), ("wide", 26))}
    own = changed(ablations=ablated, map=None)
    scores = {"gru-w": [0.30, 0.31, 0.29, 0.3, 0.32, 0.3, 0.31, 0.33], "gru-half": [0.29, 0.28], "gru-wide": [0.1, 0.1]}
    cells = {name: {"scores": {"test": one}} for name, one in scores.items()}
    cells["gru"] = {"solved": [True] * 5 + [False] * 3}
    rows = list(contrasts.truncation("adding", own.problems.adding, {"cells": cells}))
    assert [(row["claim"], row["a"], row["window"], row["n"]) for row in rows] == [
        ("window", "gru-w", 10, 8),
        ("window", "gru-half", 25, 2),
    ]
    for row in rows:
        blind = np.random.default_rng(0).random(10**6).std()  # whoever answers the other number and a half
        assert row["value"] == pytest.approx(np.mean(scores[row["a"]]) - blind, abs=5e-4)
        assert estimate(row) == pytest.approx(student(np.array(scores[row["a"]]) - 12**-0.5))
    cells["gru"]["solved"] = [True] * 4 + [False] * 4  # most do not solve it: nothing to lose
    assert not list(contrasts.truncation("adding", own.problems.adding, {"cells": cells}))


def test_a_new_subject_is_held_against_the_other_words():
    """The share kept at word 2 of sentence 1 less the mean of the words beside it, past whose end there is none."""
    keeps = np.random.default_rng(0).random((8, 2, 5))
    keeps[:, 1, 4] = np.nan
    found = {"lstm": {"trained": {"keeps": keeps}}, "vanilla": {"trained": {"keeps": 0 * keeps}}}
    found |= {"gru": {"trained": {"keeps": keeps[:1]}}, "ugrnn": {"initial": {"keeps": keeps}}}
    (row,) = contrasts.new_subject("t", found, [*found, "both"], 1, 2)
    gaps = [keeps[seed, 1, 2] - (keeps[seed, 1, 0] + keeps[seed, 1, 1] + keeps[seed, 1, 3]) / 3 for seed in range(8)]
    assert estimate(row) == pytest.approx(student(gaps))
    assert (row["claim"], row["stage"], row["a"], row["n"]) == ("new subject", "trained", "lstm", 8)


# What a finished study has to say


def leave(parameters, task, table, curves):
    """What contrasts read of the runs of a task: of each cell the same curve in each seed, 10 updates an epoch."""
    for cell in parameters.task(task).cells:
        for seed in experiments.seeds(parameters, task, cell):
            folder = results.run_folder(Path("runs"), task, parameters.gradients.framework, cell, seed)
            folder.mkdir(parents=True, exist_ok=True)
            lines = [f"{epoch},{value + 0.001 * seed}" for epoch, value in enumerate(curves[cell], 1)]
            (folder / "history.csv").write_text("\n".join(["epoch,validation_loss", *lines]))
            rows = len(curves[cell])
            (folder / "result.json").write_text(json.dumps({"updates": 10 * rows, "epochs": rows}))
    folder = Path("metrics/ablate")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{task}.json").write_text(json.dumps(table))


def seen(*names, keeps=None):
    rng = np.random.default_rng(0)
    more = {} if keeps is None else {"keeps": keeps}
    return {
        name: {
            when: stage(rng.uniform(0.6, 1.0, 8), memory=rng.uniform(3, 12, 8), **more)
            for when in ("initial", "trained")
        }
        for name in names
    }


def test_a_case_more_changes_no_other_case(tmp_path, monkeypatch):
    """Ablations, and a cell, that bring rows of every claim of their own."""
    monkeypatch.chdir(tmp_path)
    cells, ablated = (
        {"vanilla": {}, "lstm": {}},
        {
            "irnn": {"of": ["vanilla"], "activation": "relu", "recurrent": "identity"},
            "irnn-unclipped": {"of": ["vanilla"], "activation": "relu", "recurrent": "identity", "clip_by": "nothing"},
            "forget-0": {"of": ["lstm"], "forget_bias": 0.0},
            "window": {"of": ["lstm"], "window": 10},
        },
    )
    extra = {
        "unclipped": {"of": ["vanilla", "lstm"], "clip_by": "nothing"},
        "forget-none": {"of": ["lstm"], "forget_bias": 0.0},
        "window-20": {"of": ["lstm"], "window": 20},
    }
    few = changed(cells=cells, ablations=ablated, map=None)
    more = changed(cells=cells | {"gru": {}}, ablations=ablated | extra, map=None)
    names = list(more.problems.adding.variants)
    table = a_table(**{name: (7, 90.0, None if name.endswith("unclipped") else 1.0) for name in names})
    for place, name in enumerate(names):
        table["cells"][name]["scores"]["test"] = [0.3 + 0.001 * place * seed for seed in range(8)]
    profiled = seen(*names)
    leave(more, "adding", table, {cell: [0.9, 0.5] for cell in more.problems.adding.cells})
    before = list(contrasts.of_task(few, "adding", profiled))
    after = list(contrasts.of_task(more, "adding", profiled))
    assert {row["claim"] for row in before} == {"vanishes", "keeps", "converges", "clipping", "forget bias", "window"}
    new = {"gru", "vanilla-unclipped", "lstm-unclipped", "lstm-forget-none", "lstm-window-20"}
    assert [row for row in after if not new & {row["a"], row.get("b")}] == before
    assert {row["claim"] for row in after if row not in before} == {row["claim"] for row in before}


def test_runs_that_are_not_solved_count_with_their_budget(tmp_path, monkeypatch):
    """Of a problem with a goal: eight epochs of ten updates, wherever a run stopped."""
    monkeypatch.chdir(tmp_path)
    own = changed(cells={"vanilla": {}, "lstm": {}}, ablations={}, map=None)
    table = a_table(vanilla=(0, 3.0, 1.0), lstm=(6, 3.0, 1.0))
    table["cells"]["vanilla"]["updates"], table["cells"]["lstm"]["updates"] = [30] * 8, [20, 20, 40, 40, 40, 40, 50, 60]
    leave(own, "adding", table, {"vanilla": [0.9] * 3, "lstm": [0.9] * 2})
    (row,) = [row for row in contrasts.of_task(own, "adding", {}) if row["claim"] == "converges"]
    updates = [20, 20, 40, 40, 40, 40, 80, 80]
    assert estimate(row) == pytest.approx(welch(np.log10(updates), np.log10([80] * 8)))


def test_a_task_converges_to_a_loss_and_a_sentence_drops_its_subject(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    curves = {"vanilla": [0.9, 0.6, 0.5, 0.5], "lstm": [0.9, 0.5, 0.5], "gru": [0.9, 0.9, 0.4, 0.4]}
    leave(QUICK, "airline", {}, curves)
    rows = {row["a"]: row for row in contrasts.of_task(QUICK, "airline", {})}
    assert set(rows) == {"lstm", "gru"}
    assert 10 ** rows["lstm"]["value"] == pytest.approx(3 / 4)
    assert rows["gru"]["reached"] == [10, 10]
    keeps = np.random.default_rng(1).random((8, 3, 15))
    leave(QUICK, "agreement", a_table(**PLAIN), curves)
    rows = list(contrasts.of_task(QUICK, "agreement", seen("vanilla", "lstm", keeps=keeps)))
    (row,) = [row for row in rows if (row["claim"], row["a"]) == ("new subject", "lstm")]
    sentence = agreement.NEW_SUBJECT
    words = np.delete(keeps[:, sentence], agreement.CUES[sentence], axis=1)
    assert row["value"] == pytest.approx((keeps[:, sentence, agreement.CUES[sentence]] - words.mean(axis=1)).mean())


def test_profiles_are_read_as_they_were_written(tmp_path):
    seeds = [
        (3, {"flow": np.ones((2, 4)), "memory": np.array(1.5)}),
        (5, {"flow": np.zeros((2, 4)), "memory": np.array(2)}),
    ]
    order = ("initial", "trained", "epoch 10", "epoch 9", "epoch 1")
    profiles.write(tmp_path / "p.npz", {("lstm", stage): seeds for stage in order})
    found = profiles.load(tmp_path / "p.npz")
    assert list(found["lstm"]) == ["initial", "epoch 1", "epoch 9", "epoch 10", "trained"]
    assert found["lstm"]["epoch 1"]["seeds"].tolist() == [3, 5]
    assert found["lstm"]["epoch 1"]["memory"].tolist() == [1.5, 2.0]
    assert found["lstm"]["epoch 1"]["flow"].shape == (2, 2, 4)


def test_a_run_that_gets_there_at_its_very_end_got_there():
    """Its updates are the budget, like those of a run that never does."""
    late, never = np.array([9.0, 1.0, 1.0]), np.array([9.0, 9.0, 9.0])
    curves = {"vanilla": [np.array([1.0, 1.0, 1.0])] * 3, "lstm": [late, late, never]}
    (row,) = contrasts.converges("t", curves, {"vanilla": 10, "lstm": 10}, 3)
    assert row["reached"] == [2, 3]


def test_truncation_of_one_seed_says_nothing():
    """One seed has no spread; a row of NaN could not be written."""
    from types import SimpleNamespace

    ablation = SimpleNamespace(window=3, of=["lstm"])
    params = SimpleNamespace(ablated={"lstm-window": ablation}, prepare=SimpleNamespace(steps=8))
    cells = {"lstm": {"solved": [True, True]}, "lstm-window": {"scores": {"test": [0.3]}}}
    assert list(contrasts.truncation("adding", params, {"cells": cells})) == []
