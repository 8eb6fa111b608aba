"""From profiles and runs to figures, claims and verdicts: by hand, and on networks whose behaviour is known."""

import numpy as np
import pytest
from conftest import ROOT

from rnn_study import config
from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients import ablations, claims, quantities
from rnn_study.data.tasks import adding, agreement
from rnn_study.model.init import Init
from rnn_study.model.optimisers import Optimiser, RmsProp
from rnn_study.model.task import Batch, Task
from rnn_study.running import experiments
from rnn_study.statistics import stats
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
    network = experiments.network(own.problems.adding, a_task(), "mine-x", 0.0)
    assert [(layer.cell, layer.units) for layer in network.layers] == [("lstm", 5)] * 2


def test_outcomes():
    assert ablations.outcome(solved=True, diverged=False) == "solved"
    assert ablations.outcome(solved=False, diverged=False) == "stuck"
    assert ablations.outcome(solved=True, diverged=True) == "diverged"


# Figures


def decaying(rates, lags=20, examples=3):
    """Profiles of seeds whose error changes by a factor a step, with noise between examples that cancels out."""
    noise = np.array([-0.5, 0.0, 0.5])[:examples, None]
    return np.stack([np.log10(rate) * np.arange(lags) + noise for rate in rates])


def test_the_rate_is_the_factor_of_an_exact_decay():
    flow = decaying([0.5, 0.9, 1.1])
    np.testing.assert_allclose(10 ** quantities.slope(flow), [0.5, 0.9, 1.1], rtol=1e-12)
    flow[:, ::2, 15:] = np.nan  # sequences that are shorter: the one in the middle goes on
    np.testing.assert_allclose(10 ** quantities.slope(flow), [0.5, 0.9, 1.1], rtol=1e-12)


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
    more = {"retention": np.array([[1, 0.6, 0.4, np.nan]] * 2), "carry": carry, "saturated": saturated}
    found = quantities.quantities(stage([0.5, 0.5], radius=np.array([[1, 2, 3, 4]] * 2), **more), "lstm")
    assert found["condition"] == pytest.approx([3, 3])
    assert found["lost"] == pytest.approx([19 * np.log10(2)] * 2)
    assert found["retained"].tolist() == [2, 2]
    assert found["time_constant"] == pytest.approx([5, 5])
    assert found["radius_g"].tolist() == [3, 3]
    assert (found["right_f"].tolist(), found["left_i"].tolist()) == ([0.25, 0.25], [0, 0])
    assert "left_g" not in found  # a candidate, no gate


def test_intervals_end_where_the_quantity_does():
    found = list(
        quantities.rows("t", {"lstm": {"trained": stage([0.5] * 3, memory=[0.1, 0.2, 18.9])}}, {"lstm": "lstm"})
    )
    memory = next(row for row in found if row["quantity"] == "memory")
    assert (memory["low"], memory["high"]) == (0.0, 18)
    assert memory["n"] == 3


def test_sequences_of_one_step_have_no_rate():
    flow = np.zeros((3, 2, 1))
    short = stage([0.5] * 3) | {"flow": flow, "singular": np.zeros((3, 1, 4)), "memory": np.zeros(3)}
    found = quantities.quantities(short, "lstm")
    assert "rate" not in found
    assert found["memory"].tolist() == [0, 0, 0]
    both = {"vanilla": {"initial": short, "trained": short}}
    assert not list(claims.error("t", both, {"vanilla": None}))


# Claims


def judged(rows):
    return claims.judge(list(rows))


def test_a_claim_holds_is_turned_round_or_is_not_shown():
    rng = np.random.default_rng(0)

    def around(rate, spread=0.01):
        return stage(rate + spread * rng.normal(size=8))

    cells = dict.fromkeys(("vanilla", "lstm", "gru", "ugrnn"))
    found = {"vanilla": around(0.8), "lstm": around(0.95), "gru": around(0.6), "ugrnn": around(0.8, 0.1)}
    both = {name: {"initial": one, "trained": one} for name, one in found.items()}
    rows = judged(claims.error("t", both, cells))
    verdicts = {(row["claim"], row["a"], row["stage"]): row["verdict"] for row in rows}
    for when in ("initial", "trained"):
        assert verdicts["vanishes", "vanilla", when] == "holds"
        assert verdicts["keeps", "lstm", when] == "holds"
        assert verdicts["keeps", "gru", when] == "opposite"
        assert verdicts["keeps", "ugrnn", when] == "not shown"
    (own,) = [row for row in rows if row["claim"] == "vanishes" and row["stage"] == "initial"]
    assert 10 ** own["value"] == pytest.approx(0.8, abs=0.02)
    assert own["low"] < own["value"] < own["high"] < 0


def test_what_was_not_looked_at_is_left_out():
    """Networks that read both ways, and those whose every run diverged at once."""
    one = {"initial": stage([0.5] * 8), "trained": stage([0.6] * 8)}
    assert not list(claims.error("t", {"lstm": one}, {"vanilla": None, "lstm": None}))
    found = {"vanilla": one, "lstm": {"initial": one["initial"]}}
    rows = list(claims.error("t", found, {"vanilla": None, "lstm": None, "both": None}))
    assert [(row["claim"], row["stage"]) for row in rows] == [
        ("vanishes", "initial"),
        ("keeps", "initial"),
        ("vanishes", "trained"),
    ]
    assert not list(claims.new_subject("t", found, {"lstm": None, "both": None}, 0, 2))


def test_seven_seeds_claim_nothing():
    few = {"initial": stage([0.5] * 7), "trained": stage([0.5, 0.51] * 3 + [0.5])}
    assert {row["verdict"] for row in judged(claims.error("t", {"vanilla": few}, {"vanilla": None}))} == {
        "too few seeds"
    }


def test_p_values_are_corrected_within_a_claim():
    rows = [{"claim": "a", "value": 1.0, "p": p, "n": 8, "expected": 1} for p in (0.01, 0.03)]
    rows.append({"claim": "b", "value": 1.0, "p": 0.03, "n": 8, "expected": 1})
    found = judged(rows)
    assert [row["p_adjusted"] for row in found] == pytest.approx([0.02, 0.03, 0.03])
    many = judged({"claim": "a", "value": 1.0, "p": 0.03, "n": 8, "expected": 1} for _ in range(2))
    assert {row["verdict"] for row in many} == {"not shown"}


def test_seeds_are_paired_by_their_numbers():
    """A seed that one side lost is left out on both."""
    one, other = stage([0.5, 0.6, 0.7], seeds=[0, 2, 3]), stage([0.9, 0.5, 0.6, 0.7], seeds=[1, 0, 2, 3])
    first, second = claims._shared(one, {key: value[np.argsort(other["seeds"])] for key, value in other.items()})
    assert first.tolist() == [0, 1, 2]
    assert second.tolist() == [0, 2, 3]


def test_convergence_is_counted_in_updates_to_a_level_that_both_reach():
    slow = [np.array([1.0, 0.9, 0.8, 0.5])] * 8
    quick = [np.array([0.9, 0.6, 0.4, 0.3])] * 8
    (row,) = judged(claims.converges("t", {"vanilla": slow, "lstm": quick}, {"vanilla": 10, "lstm": 20}))
    # level 1.05 * 0.5: the vanilla RNN after 4 epochs of 10 updates, the LSTM after 3 of 20
    assert 10 ** row["value"] == pytest.approx(60 / 40)
    assert row["verdict"] == "opposite"


@pytest.mark.parametrize("broken", [[np.nan], [np.inf], [1.0, np.nan]])
def test_convergence_where_runs_diverged(broken):
    curves = {"vanilla": [np.array(broken)] * 8, "lstm": [np.array([0.9, 0.6])] * 8}
    for one, other in (("vanilla", "lstm"), ("lstm", "vanilla")):
        found = {"vanilla": curves[one], "lstm": curves[other]}
        (row,) = judged(claims.converges("t", found, {"vanilla": 10, "lstm": 10}))
        assert np.isfinite([row["value"], row["p"]]).all()


def test_noise_on_a_plateau_is_no_convergence():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        plateau = {
            name: [low * (1 + 0.02 * rng.random(7)) for _ in range(8)]
            for name, low in (("vanilla", 0.165), ("lstm", 0.162))
        }
        (row,) = judged(claims.converges("t", plateau, dict.fromkeys(plateau, 100)))
        wrong += row["verdict"] != "not shown"
    assert wrong <= 10  # the level of the test, and some


def test_updates_to_a_goal():
    found = {"vanilla": np.array([800] * 8), "lstm": np.array([400, 200] * 4), "gru": np.array([800] * 8)}
    lstm, gru = judged(claims.solves("adding", found))
    assert 10 ** lstm["value"] == pytest.approx(0.5 * 0.5**0.5)
    assert (lstm["verdict"], gru["verdict"]) == ("holds", "not shown")
    assert not list(claims.solves("adding", {"lstm": found["lstm"]}))


def a_table(**cells):
    """Cells with (runs solved of 8, norm that one update in a hundred exceeds, clip)."""
    found = {}
    for name, (solved, norm, clip) in cells.items():
        runs = {"solved": [True] * solved + [False] * (8 - solved), "diverged": [False] * 8}
        found[name.replace("_", "-")] = runs | {"norm_99": [norm] * 8, "clip": clip, "scores": {"test": [0.03] * 8}}
    return {"cells": found}


PLAIN = {"vanilla": (0, 3.0, 1.0), "lstm": (8, 3.0, 1.0), "gru": (8, 3.0, 1.0), "lstm_forget_0": (1, 3.0, 1.0)}


def test_clipping_is_held_against_the_same_network_that_explodes_without():
    params = QUICK.problems.adding
    table = a_table(**PLAIN, vanilla_irnn=(6, 40.0, 1.0), vanilla_irnn_unclipped=(0, 40.0, None))
    (row,) = judged(claims.clipping("adding", params, table))
    assert (row["a"], row["b"]) == ("vanilla-irnn", "vanilla-irnn-unclipped")
    assert (row["solved_a"], row["solved_b"]) == ([6, 8], [0, 8])
    assert row["value"] == 0.75
    assert row["p"] == pytest.approx(2 * 28 / 8008)  # Fisher: both tables as far out, of 16 choose 6
    assert row["verdict"] == "holds"
    calm = a_table(**PLAIN, vanilla_irnn=(6, 40.0, 1.0), vanilla_irnn_unclipped=(0, 4.0, None))
    assert not list(claims.clipping("adding", params, calm))
    calm["cells"]["vanilla-irnn-unclipped"]["diverged"][0] = True
    assert len(list(claims.clipping("adding", params, calm))) == 1
    never = a_table(**PLAIN, vanilla_irnn=(6, 40.0, None), vanilla_irnn_unclipped=(0, 40.0, None))
    assert not list(claims.clipping("adding", params, never))  # nothing was clipped


def test_clip_times_of_a_cell_without_a_finite_gradient_is_one_clear_line():
    with pytest.raises(StudyError, match=r"vanilla-clip-half: clip_times 0\.5, but no gradient of vanilla was finite"):
        experiments.problem(REAL, a_task(), {"lstm": 3.0, "gru": 4.0})


def test_forget_bias():
    params = QUICK.problems.adding
    rng = np.random.default_rng(0)
    long, short = stage([0.9] * 8, memory=10 + rng.random(8)), stage([0.9] * 8, memory=4 + rng.random(8))
    full = stage([0.9] * 8, memory=[18.0] * 8)
    found = {"lstm": {"initial": long, "trained": full}, "lstm-forget-0": {"initial": short, "trained": full}}
    rows = judged(claims.forgetting("adding", params, found))
    assert [(row["stage"], row["verdict"]) for row in rows] == [("initial", "holds"), ("trained", "censored")]
    # not where something else is changed as well, or the cell's own bias is another
    both = changed(ablations={"forget-0": {"of": ["lstm"], "forget_bias": 0.0, "optimiser": "sgd"}}, map=None)
    assert not list(claims.forgetting("adding", both.problems.adding, found))
    cells = {"lstm": {"forget_bias": 0.0}}
    none = changed(cells=cells, ablations={"forget-0": {"of": ["lstm"], "forget_bias": 0.0}}, map=None)
    assert not list(claims.forgetting("adding", none.problems.adding, found))


def test_window():
    assert list(claims.truncation("adding", QUICK.problems.adding, {})) == []  # not in the quick study
    own = changed(ablations={"w": {"of": ["gru"], "window": 10}, "wide": {"of": ["gru"], "window": 40}}, map=None)
    cells = {
        "gru": {"solved": [True] * 8},
        "gru-w": {"scores": {"test": [0.30, 0.31, 0.29, 0.3, 0.32, 0.3, 0.31, 0.33]}},
    }
    (row,) = judged(claims.truncation("adding", own.problems.adding, {"cells": cells}))
    assert row["value"] == pytest.approx(0.3075 - 12**-0.5)
    assert row["verdict"] == "holds"
    cells["gru"]["solved"] = [False] * 8  # nothing to lose
    assert not list(claims.truncation("adding", own.problems.adding, {"cells": cells}))


def test_a_new_subject_is_held_against_the_other_words():
    keeps = np.full((8, 1, 5), 0.9) + np.random.default_rng(0).normal(0, 0.01, (8, 1, 5))
    keeps[:, 0, 2], keeps[:, 0, 4] = 0.3, np.nan
    found = {"lstm": {"trained": {"keeps": keeps}}, "vanilla": {"trained": {"keeps": 0 * keeps}}}
    (row,) = judged(claims.new_subject("t", found, dict.fromkeys(found), 0, 2))
    assert row["value"] == pytest.approx(-0.6, abs=0.02)
    assert (row["a"], row["verdict"]) == ("lstm", "holds")


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


def test_the_smallest_p_of_a_sign_is_no_claim_by_itself():
    """A difference without spread has the sign test's p, which eight seeds bring below the level."""
    assert stats.compare(np.ones(8), np.zeros(8)).p == 2 / 2**8
