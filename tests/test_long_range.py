"""The walk along lengths, and what is made of its runs: on outcomes that are given, and figures worked by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats as scipy_stats

from rnn_study import config
from rnn_study.behaviour.long_range import claims, frontier, problem_card, quantities
from rnn_study.config.frontier import DrawnFrontier
from rnn_study.data.problems import catalogue
from rnn_study.model.task import Generated
from rnn_study.reports import long_range as report
from rnn_study.reports.long_range.tables import bounds, reach
from rnn_study.reports.study import Study
from rnn_study.running import experiments
from rnn_study.running.events import Finished
from rnn_study.running.run import results
from rnn_study.support.errors import StudyError
from rnn_study.support.files import write_json, write_tables

QUICK = config.load(ROOT / "studies/quick.yaml")
REAL = config.load(ROOT / "studies/real.yaml")


def params(**update) -> DrawnFrontier:
    """A small frontier: three cells, two ablations, four lengths."""
    small = {
        "framework": "pytorch",
        "lengths": [6, 12, 24, 48],
        "gpu_lengths": [],
        "prepare": {"validation": 16, "test": 8, "seed": 0},
        "network": {"parameters": 200, "units": None, "depth": 1, "finetune": False},
        "width": 5,
        "training": {"batch_size": 4, "updates": 100, "check": 10, "learning_rate": 0.01, "clip": 1.0, "goal": 0.04},
        "seeds": [0, 1, 2, 3, 4, 5],
        "cells": {"vanilla": {}, "lstm": {}, "gru": {}},
        "ablations": {
            "irnn": {"of": ["vanilla"], "activation": "relu", "recurrent": "identity"},
            "bare": {"of": ["vanilla"], "recurrent": "glorot", "clip_by": "nothing", "seeds": 2},
        },
        "generalise": None,
    }
    return DrawnFrontier.model_validate(small | update)


def outcomes(spec):
    """vanilla solves T = 6 in half of its seeds, its ablations nothing, gated cells all: at 10 T updates, say."""
    steps = spec.data.steps
    cell = spec.network.layers[0].cell
    if cell == "vanilla":
        return spec.variant == "vanilla" and steps == 6 and spec.seed % 2 == 0
    return steps <= (48 if cell == "lstm" else 24)


@pytest.fixture
def follow(tmp_path):
    """Runs as a stage would find them, with the outcomes above; `follow.asked` are the lists it was given."""

    def run(specs, title):
        run.asked.append([(spec.variant, spec.data.steps, spec.seed) for spec in specs])
        found = []
        for number, spec in enumerate(specs):
            folder = tmp_path / f"{len(run.asked)}-{number}"
            folder.mkdir()
            solved, updates = outcomes(spec), spec.epochs * 10
            summary = {"solved": solved, "updates": updates, "epochs": spec.epochs, "parameters": 7, "diverged": False}
            scores = {"validation": 0.1, "test": 0.2} | {str(steps): steps / 100 for steps in spec.data.tests}
            summary |= {"scores": scores} | ({"solved_at": 10 * (1 + spec.seed)} if solved else {})
            (folder / "result.json").write_text(json.dumps(summary))
            found.append(Finished(f"{number}", spec, folder, {}, reused=False))
        return found

    run.asked = []
    return run


def test_a_cell_stops_after_two_lengths_with_nothing_solved(follow):
    found = frontier.walk(QUICK, params(), "adding", [6, 12, 24, 48], follow)
    rows = [one.row for one in found]
    lengths = {
        (axis, variant): sorted({r["steps"] for r in rows if (r["axis"], r["variant"]) == (axis, variant)})
        for axis, variant in params().contenders
    }
    assert lengths == {
        ("budget", "vanilla"): [6, 12, 24],  # solved once, then twice nothing
        ("budget", "lstm"): [6, 12, 24, 48],
        ("budget", "gru"): [6, 12, 24, 48],
        ("budget", "vanilla-irnn"): [6, 12],
        ("budget", "vanilla-bare"): [6, 12],
        ("width", "vanilla"): [6, 12, 24],
        ("width", "lstm"): [6, 12, 24, 48],
        ("width", "gru"): [6, 12, 24, 48],
    }
    contenders = list(params().contenders)
    order = [(row["steps"], contenders.index((row["axis"], row["variant"]))) for row in rows]
    assert order == sorted(order)
    # two lengths are sure for all; then 24 for whoever has solved one of them, and 48 for whoever solved the second
    assert [len(asked) for asked in follow.asked] == [2 * (5 * 6 + 2 + 2 * 6), 6 * 6 + 4 * 6]
    assert {r["seed"] for r in rows if r["variant"] == "vanilla-bare"} == {0, 1}
    (one,) = [r for r in rows if (r["axis"], r["variant"], r["steps"], r["seed"]) == ("budget", "vanilla", 6, 2)]
    assert (one["solved"], one["updates"]) == (True, 30)
    (other,) = [r for r in rows if (r["axis"], r["variant"], r["steps"], r["seed"]) == ("budget", "vanilla", 12, 2)]
    assert (other["solved"], other["updates"]) == (False, 100)  # censored at the budget


def test_a_length_solved_between_two_that_are_not_goes_on(follow, monkeypatch):
    monkeypatch.setattr(f"{__name__}.outcomes", lambda spec: spec.data.steps == 12)
    own = params(cells={"gru": {}}, ablations={}, width=None)
    rows = [one.row for one in frontier.walk(QUICK, own, "adding", own.lengths, follow)]
    assert sorted({row["steps"] for row in rows}) == [6, 12, 24, 48]


def test_runs_of_both_axes_are_trained_once(follow):
    """Where the width is the one that the budget gives, the specs are the same."""
    wide = frontier.walk(QUICK, params(), "adding", [6], follow)[0].row["units"]
    own = params(width=wide, ablations={})
    frontier.walk(QUICK, own, "adding", [6], follow)
    assert len(follow.asked[-1]) == 3 * 6 + 2 * 6  # vanilla's are the same


def specs_of(own, axis="budget", variant="vanilla", name="adding", steps=6):
    data = experiments.frontier_data(own, name, steps)
    return experiments.frontier(QUICK, own, catalogue.load(name, data), data, axis, variant, own.runs(variant))


def test_a_run_of_the_frontier_is_what_params_say():
    first, *_ = specs = specs_of(params())
    assert [spec.seed for spec in specs] == [0, 1, 2, 3, 4, 5]
    assert first.data == Generated("adding", 6, False, 40, 16, 8, (), 0)  # 10 updates of 4 sequences an epoch
    assert (first.epochs, first.patience, first.goal, first.beyond) == (10, 10, 0.04, False)
    assert (first.optimiser.learning_rate, first.optimiser.clip, first.backend) == (0.01, 1.0, "pytorch")
    assert not first.network.every_step
    assert specs_of(params(), name="menu")[0].network.every_step
    (wide,) = {spec.network.layers[0].units for spec in specs_of(params(), axis="width", variant="gru")}
    assert wide == 5
    bare = specs_of(params(), variant="vanilla-bare")
    assert [(spec.seed, spec.init.recurrent, spec.optimiser.clip) for spec in bare] == [
        (0, "glorot", None),
        (1, "glorot", None),
    ]


def test_cells_of_a_frontier_have_an_equal_budget():
    sizes = {}
    for name, own in QUICK.frontier.items():
        data = experiments.frontier_data(own, name, own.lengths[0])
        task = catalogue.load(name, data)
        for cell in own.cells:
            network = experiments.network(own, task, cell, 0.0)
            units = network.layers[0].units
            gates = {"vanilla": 1, "lstm": 4, "gru": 3}[cell]
            weights = gates * units * (task.inputs + units + 1 + (cell == "gru")) + units * task.outputs + task.outputs
            sizes[name, cell] = weights / own.network.parameters
    assert all(abs(share - 1) < 0.06 for share in sizes.values()), sizes


def test_generalisation_trains_at_all_lengths_and_tests_beyond(follow):
    own = params(generalise={"longest": 10, "factors": [1, 3, 10], "seeds": 2})
    finished = frontier.generalise(QUICK, own, "adding", follow)
    rows = frontier.tested(finished)
    (asked,) = follow.asked
    assert asked == [(cell, 10, seed) for cell in ("vanilla", "lstm", "gru") for seed in (0, 1)]
    assert len(rows) == 3 * 2 * 3
    assert {(row["steps"], row["score"], row["trained"]) for row in rows} == {
        (10, 0.1, 10),
        (30, 0.3, 10),
        (100, 1.0, 10),
    }
    assert frontier.generalise(QUICK, params(), "adding", follow) == []


def test_the_memory_of_a_run_is_its_networks(tmp_path, monkeypatch):
    """A linear RNN whose kernel is 0.8 Q forgets with a time constant of -1 / ln 0.8 = 4.5 steps."""
    spec = specs_of(params(), steps=30)[0]
    spec = replace(spec, network=replace(spec.network, activation="linear"))
    rng = np.random.default_rng(0)
    units = spec.network.layers[0].units
    q = np.linalg.qr(rng.normal(size=(units, units)))[0]
    tree = {"layers.0.W": rng.normal(size=(2, units)), "layers.0.U": 0.8 * q, "layers.0.b": np.zeros(units)}
    tree |= {"head.W": np.ones((units, 1)), "head.b": np.zeros(1)}
    ended = {"diverged": False, "best_epoch": 3}
    monkeypatch.setattr(results, "read_weights", lambda folder: tree)
    monkeypatch.setattr(results, "read_summary", lambda folder: ended)
    frontier._take(2)
    assert frontier._memory((spec, tmp_path)) == pytest.approx(-1 / np.log(0.8), rel=1e-6)
    monkeypatch.setattr(results, "read_weights", lambda folder: tree | {"head.b": np.full(1, np.nan)})
    assert frontier._memory((spec, tmp_path)) is None
    monkeypatch.setattr(results, "read_weights", lambda folder: tree)
    ended.update(diverged=True)
    assert frontier._memory((spec, tmp_path)) is not None  # weights of an epoch before it diverged
    ended.update(best_epoch=0)
    assert frontier._memory((spec, tmp_path)) is None


# From runs to figures


@pytest.fixture
def found(follow):
    own = params()
    rows = [
        one.row | {"memory": 1.0 * one.row["solved"]}
        for one in frontier.walk(QUICK, own, "adding", own.lengths, follow)
    ]
    about = problem_card.card(own, "adding") | {"device": "cpu", "tried": own.lengths}
    return about | {"runs": rows, "generalisation": []}


def test_success_by_length(found):
    rows = {(r["axis"], r["variant"], r["steps"]): r for r in quantities.successes(params(), found)}
    assert len(rows) == 8 * 4
    half = rows["budget", "vanilla", 6]
    wilson = scipy_stats.binomtest(3, 6).proportion_ci(0.95, "wilson")
    assert (half["solved"], half["seeds"], half["censored"], half["share"]) == (3, 6, 3, 0.5)
    assert (half["low"], half["high"]) == pytest.approx((wilson.low, wilson.high))
    assert half["median_updates"] == 50  # solved at 10, 30 and 50, the others censored at 100: half of six by 50
    assert rows["budget", "lstm", 48]["median_updates"] == 30
    assert rows["budget", "vanilla", 12]["median_updates"] is None
    assert half["held"] == 0  # a test score of 0.2 is no 0.04
    assert rows["budget", "vanilla", 48] == {
        "problem": "adding",
        "axis": "budget",
        "variant": "vanilla",
        "steps": 48,
        "seeds": 0,
        "not_run": "nothing solved at two lengths before",
    }


def test_a_length_that_wants_a_gpu_is_not_run(found):
    own = params(gpu_lengths=[96])
    rows = list(quantities.successes(own, found | {"lengths": [6, 12, 24, 48, 96]}))
    told = {(row["axis"], row["variant"]): row["not_run"] for row in rows if row["steps"] == 96}
    assert told["budget", "lstm"] == told["width", "gru"] == "no GPU"
    assert told["budget", "vanilla"] == "nothing solved at two lengths before"  # nor would it with one
    (lstm,) = [r for r in quantities.frontiers(own, found) if (r["axis"], r["variant"]) == ("budget", "lstm")]
    assert (lstm["length"], lstm["open"], lstm["high"]) == (48.0, "above", None)


def test_frontiers_hold_for_all_of_an_axis_together(found):
    rows = {(r["axis"], r["variant"]): r for r in quantities.frontiers(params(), found)}
    assert rows["budget", "vanilla"]["level"] == pytest.approx(1 - 0.05 / 5)
    assert rows["width", "vanilla"]["level"] == pytest.approx(1 - 0.05 / 3)
    assert rows["budget", "gru"]["length"] == pytest.approx(24 * 2**0.5)
    assert (rows["budget", "gru"]["low"], rows["budget", "gru"]["high"]) == (24, 48)
    assert rows["budget", "lstm"]["open"] == "above"
    assert (rows["budget", "vanilla-irnn"]["open"], rows["budget", "vanilla-irnn"]["high"]) == ("below", 6)
    assert rows["budget", "vanilla"]["length"] == pytest.approx(6)


def test_comparisons_are_corrected_within_an_axis(found):
    rows = quantities.comparisons(params(), found)
    pairs = {(r["a"], r["b"]) for r in rows if r["axis"] == "budget"}
    cells = {("lstm", "vanilla"), ("gru", "vanilla"), ("gru", "lstm")}
    assert pairs == cells | {("vanilla-irnn", "vanilla"), ("vanilla-bare", "vanilla")}
    assert {(r["a"], r["b"]) for r in rows if r["axis"] == "width"} == cells
    for axis in ("budget", "width"):
        family = [r for r in rows if r["axis"] == axis]
        ordered = sorted(r["p"] for r in family)
        smallest = min(family, key=lambda r: r["p"])
        assert smallest["p_adjusted"] == pytest.approx(min(1, len(family) * ordered[0]))
        assert all(r["p_adjusted"] >= r["p"] for r in family)
    (one,) = [r for r in rows if (r["axis"], r["a"], r["b"], r["steps"]) == ("budget", "lstm", "vanilla", 12)]
    assert one["updates"] == pytest.approx([35, 100])
    assert one["solved"] == [6, 0]
    interval = scipy_stats.ttest_1samp(np.array([10, 20, 30, 40, 50, 60]) - 100, 0).confidence_interval()
    assert (one["difference"], one["low"], one["high"]) == pytest.approx((-65, *interval))
    (few,) = [r for r in rows if (r["a"], r["b"], r["steps"]) == ("vanilla-bare", "vanilla", 6)]
    assert few["seeds"] == [2, 6]
    assert few["difference"] == pytest.approx(((100 - 10) + (100 - 100)) / 2)  # seeds 0 and 1


def test_reaches_count_the_lengths_that_a_seed_solves(found):
    rows = {(r["axis"], r["a"], r["b"]): r for r in quantities.reaches(params(), found)}
    one = rows["budget", "lstm", "vanilla"]
    assert one["lengths"] == [4.0, 0.5]
    assert one["p"] == 2 / 924
    family = [r["p"] for key, r in rows.items() if key[0] == "budget"]
    assert one["p_adjusted"] == pytest.approx(len(family) * 2 / 924)
    assert rows["width", "gru", "lstm"]["lengths"] == [3.0, 4.0]


def test_generalisation_is_the_median_of_seeds_between_lowest_and_highest(found):
    rows = [
        {"variant": "gru", "seed": seed, "solved": seed == 2, "trained": 6, "steps": steps, "score": score + steps}
        for seed, score in enumerate((0.5, 0.1, 0.2))
        for steps in (6, 60)
    ]
    near, far = quantities.generalisation(params(), found | {"generalisation": rows})
    assert (near["variant"], near["trained"], near["steps"], far["steps"]) == ("gru", 6, 6, 60)
    assert (near["score"], near["lowest"], near["highest"]) == pytest.approx((6.2, 6.1, 6.5))
    assert (near["seeds"], near["solved"]) == (3, 1)


def test_memory_against_success(found):
    (six, twelve, *_) = quantities.memories(found)
    assert (six["steps"], twelve["steps"]) == (6, 12)
    assert (twelve["runs"], twelve["medians"]) == ([24, 20], [1.0, 0.0])  # of runs on both axes one
    assert (twelve["probability"], twelve["most"], twelve["capped"]) == (1.0, 10, [0, 0])
    most = found | {"runs": [row | {"memory": row["steps"] - 2.0} for row in found["runs"]]}
    assert {(r["probability"], *r["medians"]) for r in quantities.memories(most) if r["steps"] == 12} == {(0.5, 10, 10)}
    assert [r["capped"] for r in quantities.memories(most)] == [r["runs"] for r in quantities.memories(most)]
    lost = found | {"runs": [row | {"memory": None} for row in found["runs"]]}
    assert list(quantities.memories(lost)) == []


# Claims


def judged(found, own=None):
    own = own or params()
    tables = {
        "frontiers": list(quantities.frontiers(own, found)),
        "reaches": quantities.reaches(own, found),
        "comparisons": quantities.comparisons(own, found),
    }
    rows = list(claims.claims(own, found, **tables))
    return {(r["claim"], r["axis"], r["a"], r.get("b"), r.get("steps")): r["verdict"] for r in rows}


def test_claims_of_reach(found):
    told = judged(found)
    assert told["reach", "budget", "lstm", "vanilla", None] == "confirmed"
    assert told["reach", "width", "gru", "vanilla", None] == "confirmed"
    assert told["irnn", "budget", "vanilla-irnn", "vanilla", None] == "not shown"
    assert not [key for key in told if "bare" in key[2] + str(key[3])]  # two changes at once are no remedy's
    assert told["converges", "budget", "lstm", "vanilla", 12] == "confirmed"
    assert told["easier", "budget", "gru", "lstm", 12] == "not shown"


def test_claims_that_the_runs_refute(found):
    """The plain RNN and the LSTM change places."""
    names = {"vanilla": "lstm", "lstm": "vanilla"}
    turned = found | {"runs": [r | {"variant": names.get(r["variant"], r["variant"])} for r in found["runs"]]}
    told = judged(turned, params(ablations={}))
    assert told["reach", "budget", "lstm", "vanilla", None] == "refuted"
    assert told["converges", "budget", "lstm", "vanilla", 12] == "refuted"


def renamed(found, **names):
    """The runs of vanilla-irnn, which solve nothing, and of the LSTM under other names."""
    return found | {
        "runs": [r | {"variant": names.get(r["variant"].replace("-", "_"), r["variant"])} for r in found["runs"]]
    }


@pytest.mark.parametrize(
    ("change", "claim"),
    [({"recurrent": "glorot"}, "orthogonal"), ({"clip_by": "nothing"}, "clipping")],
)
def test_a_remedy_that_is_taken_away(found, change, claim):
    """Without it the RNN solves what the LSTM did: the remedy is refuted; or nothing: it is not shown."""
    own = params(ablations={"without": {"of": ["vanilla"], **change}}, width=None)
    better = judged(renamed(found, lstm="vanilla-without", vanilla_irnn="lstm"), own)
    assert better[claim, "budget", "vanilla", "vanilla-without", None] == "refuted"
    worse = judged(renamed(found, vanilla_irnn="vanilla-without"), own)
    assert worse[claim, "budget", "vanilla", "vanilla-without", None] == "not shown"


def test_what_is_no_case_of_a_claim(found):
    """A slower LSTM is no remedy of a plain RNN, and a plain RNN under another name no gated cell."""
    own = params(ablations={"slow": {"of": ["lstm"], "learning_rate": 0.003}}, width=None)
    told = judged(renamed(found, vanilla_irnn="lstm-slow"), own)
    assert not [key for key in told if "slow" in key[2] + str(key[3])]
    cells = {"vanilla": {}, "lstm": {}, "irnn": {"cell": "vanilla", "activation": "relu"}}
    other = judged(renamed(found, gru="irnn"), params(ablations={}, cells=cells, width=None))
    assert [key[2] for key in other if key[0] == "reach"] == ["lstm"]


def courses(vanilla, lstm, lengths=(30, 60), seeds=6):
    """The verdicts on the menu, given how many seeds solve each length."""
    own = params(
        lengths=list(lengths), seeds=list(range(seeds)), width=None, ablations={}, cells={"vanilla": {}, "lstm": {}}
    )
    runs = [
        {
            **{"axis": "budget", "variant": name, "steps": steps, "seed": seed, "units": 3, "parameters": 9},
            **{"solved": seed < number, "updates": 50, "diverged": False, "scores": {"test": 0.5}, "memory": 1.0},
        }
        for name, numbers in (("vanilla", vanilla), ("lstm", lstm))
        for steps, number in zip(lengths, numbers, strict=False)
        for seed in range(seeds)
    ]
    about = problem_card.card(own, "menu") | {"tried": list(lengths), "runs": runs, "generalisation": []}
    told = claims.menu(own, about, list(quantities.frontiers(own, about)))
    return [(row["a"], row["verdict"]) for row in told]


def test_the_claim_about_sixty_courses():
    """It is two: a plain RNN cannot, an LSTM can."""
    assert courses((6, 0), (6, 6)) == [("vanilla", "confirmed"), ("lstm", "confirmed")]
    assert courses((6, 6), (6, 0)) == [("vanilla", "refuted"), ("lstm", "refuted")]
    assert courses((6, 1), (6, 5), seeds=6) == [("vanilla", "not shown"), ("lstm", "not shown")]  # 1 of 6: up to 60 %
    assert courses((6, 3), (6, 3)) == [("vanilla", "not shown"), ("lstm", "not shown")]
    assert courses((3, 0), (3, 3), seeds=3) == [("vanilla", "too few seeds"), ("lstm", "too few seeds")]
    shorter = courses((0, 0), (6, 6), lengths=(15, 30))  # 60 is not in the grid
    assert shorter == [("vanilla", "confirmed"), ("lstm", "not run")]


def test_the_problems_of_the_studies():
    """What the study promises: seeds for the claims, and the lengths."""
    assert len(QUICK.frontier["adding"].seeds) >= quantities.CLAIM_FROM
    assert QUICK.frontier["adding"].training.updates <= 2000
    assert len(QUICK.frontier["adding"].lengths) == 4
    for name in ("copy_memory", "temporal_order", "menu"):
        assert (len(QUICK.frontier[name].seeds), len(QUICK.frontier[name].lengths)) == (3, 3)
    assert set(REAL.frontier) == set(catalogue.PROBLEMS)
    assert set(REAL.images) == {"pixel_mnist", "permuted_mnist"}
    adding = REAL.frontier["adding"]
    assert adding.lengths[-1] == 400
    assert adding.gpu_lengths == [1000]
    assert len(adding.seeds) >= 8
    assert {784} == {steps for own in REAL.images.values() for steps in own.gpu_lengths}
    for own in [*QUICK.frontiers.items(), *REAL.frontiers.items()]:
        if own[0] in catalogue.PROBLEMS:
            assert min(own[1].lengths) >= catalogue.PROBLEMS[own[0]].shortest


def test_the_goal_of_the_adding_problem_is_a_hundredth_of_its_variance():
    for study in (QUICK, REAL):
        assert study.frontier["adding"].training.goal == pytest.approx((1 / 6 / 100) ** 0.5, rel=1e-3)


def test_a_length_that_no_sequence_has_is_one_clear_line():
    with pytest.raises(StudyError, match=r"frontier\.menu: got 2 steps: expected at least 3"):
        problem_card.card(params(lengths=[2, 6]), "menu")
    with pytest.raises(StudyError, match="adding: got 1 steps: expected at least 2"):
        frontier.generalise(QUICK, params(generalise={"longest": 1, "factors": [1, 2], "seeds": 1}), "adding", None)
    accuracy = params(training=params().training.model_dump() | {"goal": 99.0})
    with pytest.raises(StudyError, match=r"menu: training\.goal: got 99\.0: expected an accuracy, at most 1"):
        problem_card.card(accuracy, "menu")


def test_a_window_does_not_go_with_an_answer_for_every_step():
    cells = {"vanilla": {}, "short": {"cell": "lstm", "window": 3}}
    with pytest.raises(StudyError, match="menu: short: window 3 with an answer for every step: expected none"):
        problem_card.card(params(cells=cells, ablations={}), "menu")
    assert problem_card.card(params(cells=cells, ablations={}), "adding")["cells"] == ["vanilla", "short"]


def test_the_budget_is_what_runs_are_given():
    assert problem_card.card(params(), "adding")["budget"] == 100
    own = params(training=params().training.model_dump() | {"updates": 100, "check": 50})
    assert {spec.epochs * 50 for spec in specs_of(own)} == {100}


def test_what_the_card_says():
    told = problem_card.card(params(), "menu")
    assert told["chance"]["12"] == {"score": pytest.approx(1 / 3), "loss": pytest.approx(11 * np.log(3) / 12)}
    assert told["ablations"]["vanilla-bare"] == {
        "of": "vanilla",
        "label": "bare",
        "change": {"recurrent": "glorot", "clip_by": "nothing"},
    }
    assert problem_card.tags(told) == {"data": "generated"}


# The report's sentences


@pytest.fixture
def study(found, tmp_path):
    """A study whose figures come from the runs above, in its own folder."""
    own, root = params(), tmp_path / "study"
    rows = [
        {"variant": "lstm", "seed": s, "solved": s > 0, "trained": 6, "steps": n, "score": n / 100}
        for s in (0, 1, 2)
        for n in (6, 60)
    ]
    judged = {
        "frontiers": list(quantities.frontiers(own, found)),
        "reaches": quantities.reaches(own, found),
        "comparisons": quantities.comparisons(own, found),
    }
    tables = judged | {
        "claims": list(claims.claims(own, found, **judged)),
        "successes": list(quantities.successes(own, found)),
        "generalisation": list(quantities.generalisation(own, found | {"generalisation": rows})),
        "memories": list(quantities.memories(found)),
        "power": list(quantities.power()),
    }
    head = {"study": "quick", "seeds_for_a_claim": 6, "left_out": ["menu", "pixel_mnist"]}
    write_tables(root / "metrics/long_range.json", head, tables)
    write_json(root / "metrics/frontier/adding.json", found)
    write_json(root / "metrics/summary.json", {"study": "quick", "tasks": {}})
    return Study(root)


def test_sentences_say_what_the_statistics_say(study):
    told = dict(zip(report.CLAIMS, report.verdicts(study), strict=True))
    assert told["courses"] == "“A plain RNN cannot remember 60 courses, an LSTM can”: not run in the quick study."
    assert "of 4 cases, confirmed in 4. Adding problem, equal weights: " in told["reach"]
    assert "LSTM ≥ 48 (from 48) against vanilla RNN 6 (below 12), p = 0.0108: confirmed" in told["reach"]
    assert (
        "of the one case, not shown in 1. Adding problem, equal weights: vanilla RNN irnn < 6 (below 6)" in told["irnn"]
    )
    assert told["clipping"].endswith("not run in the quick study.")
    assert "LSTM against vanilla RNN -65 updates (-85 to -45), p = 0.0303: confirmed." in told["converges"]
    assert report.not_run(study) == ["Not run in the quick study: The roommate's menu and Pixel by pixel."]


def test_settings_name_chance_goal_and_what_is_changed(study):
    (told,) = (report.settings(study, name) for name in study.walked)
    assert "6 seeds, 100 updates at most, batches of 4, learning rate 0.01, PyTorch" in told
    assert "sees nothing of the sequence has an RMSE of 0.408; solved means at most 0.04 on the validation part" in told
    assert "; 0 of 90 solved runs hold it on the test part." in told
    assert "vanilla RNN bare: clip by nothing, recurrent glorot." in told
    assert "description" not in told


def test_few_seeds_are_a_description(study):
    study.frontier("adding")["seeds"] = 3
    assert "A description: too few seeds for a claim." in report.settings(study, "adding")
    (row, *_) = study.rows("frontiers", "adding")
    assert bounds(row | {"seeds": 3}, 6) == ""


def test_a_memory_to_the_start_is_at_least_that(study):
    told = report.memory_found(study, "adding")
    assert "T = 12: median memory 1 steps in 24 solved runs (0 reach the start) and 0 steps in 20 other runs" in told[1]
    study.rows("memories", "adding")[1].update(medians=[10.0, 4.0], capped=[23, 0])
    assert (
        "median memory at least 10 steps in 24 solved runs (23 reach the start) and 4 steps"
        in (report.memory_found(study, "adding")[1])
    )


def test_generalisation_stands_beside_chance(study):
    (told,) = report.generalised(study, "adding")
    assert told == (
        "Adding problem, LSTM: 0.06 at T = 6, 0.60 at T = 60 (medians of 3 seeds, of which 2 solved what they trained "
        "on); who sees nothing has 0.41."
    )


def test_how_a_frontier_is_written():
    inside = {"length": 8.49, "open": None, "low": 6, "high": 12, "seeds": 6}
    assert (reach(inside), bounds(inside, 6)) == ("8", "6 to 12")
    above = {"length": 48.0, "open": "above", "low": 24, "high": None, "seeds": 6}
    assert (reach(above), bounds(above, 6)) == ("≥ 48", "from 24")
    below = {"length": 6.0, "open": "below", "low": 0, "high": 12, "seeds": 6}
    assert (reach(below), bounds(below, 6)) == ("< 6", "below 12")
    assert bounds({"length": 6.0, "open": "below", "low": 0, "high": None, "seeds": 6}, 6) == "anywhere"
