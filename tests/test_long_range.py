"""The walk along lengths, and what is made of its runs: on outcomes that are given, and figures worked by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats as scipy_stats
from test_survival import enumerated, enumerated_reaches, runs

from rnn_study import config
from rnn_study.behaviour.long_range import frontier, problem_card, quantities
from rnn_study.config.frontier import DrawnFrontier
from rnn_study.data.problems import catalogue
from rnn_study.model.task import Generated
from rnn_study.reports import long_range as report
from rnn_study.reports.long_range import tables
from rnn_study.reports.long_range.tables import bounds, reach
from rnn_study.reports.study import Study
from rnn_study.running import experiments
from rnn_study.running.run import results
from rnn_study.running.run.events import Finished
from rnn_study.running.tracking import card_tags
from rnn_study.statistics.verdict import DECIDES
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
        run.titles.append(title)
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

    run.asked, run.titles = [], []
    return run


def test_a_row_says_of_a_run_what_it_was_and_how_it_ended(follow):
    """Updates: those at which it solved the problem, else all it was given, also where it stopped before."""
    rows = {
        (one.row["axis"], one.row["variant"], one.row["steps"], one.row["seed"]): one.row
        for one in frontier.walk(QUICK, params(), "adding", [6, 12], follow)
    }
    solved, not_solved = rows["budget", "vanilla", 6, 2], rows["budget", "vanilla", 12, 2]
    assert solved | {"units": None} == {
        "axis": "budget",
        "variant": "vanilla",
        "cell": "vanilla",
        "learning_rate": params().training.learning_rate,
        "steps": 6,
        "seed": 2,
        "units": None,
        "parameters": 7,
        "solved": True,
        "updates": 30,
        "diverged": False,
        "scores": {"validation": 0.1, "test": 0.2},
    }
    assert (not_solved["solved"], not_solved["updates"]) == (False, params().training.updates)
    assert {type(row["updates"]) for row in rows.values()} == {int}
    assert follow.titles == ["frontier adding: 6, 12 steps"]


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
            network = experiments.network(own, task, cell)
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
    assert follow.titles == ["frontier adding: lengths up to 10"]
    assert asked == [(cell, 10, seed) for cell in ("vanilla", "lstm", "gru") for seed in (0, 1)]
    assert len(rows) == 3 * 2 * 3
    assert rows[-1] == {
        "variant": "gru",
        "seed": 1,
        "solved": True,
        "trained": 10,
        "steps": 100,
        "score": 1.0,
    }
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
    monkeypatch.setattr(results, "read_weights", {tmp_path: tree}.get)
    monkeypatch.setattr(results, "read_summary", {tmp_path: ended}.get)
    assert frontier._memory((spec, tmp_path)) == pytest.approx(-1 / np.log(0.8), rel=1e-6)
    monkeypatch.setattr(results, "read_weights", lambda folder: tree | {"head.b": np.full(1, np.nan)})
    assert frontier._memory((spec, tmp_path)) is None
    monkeypatch.setattr(results, "read_weights", lambda folder: tree)
    ended.update(diverged=True)
    assert frontier._memory((spec, tmp_path)) is not None  # weights of an epoch before it diverged
    ended.update(best_epoch=0)
    assert frontier._memory((spec, tmp_path)) is None


def test_runs_of_a_frontier_are_published_by_what_they_were_tried_at(follow, tmp_path, monkeypatch):
    placed = {}
    monkeypatch.setattr(frontier.store, "publish", lambda folder, place: placed.update({place: folder}))
    own = params(
        cells={"gru": {}}, ablations={}, seeds=[0, 3], generalise={"longest": 10, "factors": [1, 2], "seeds": 1}
    )
    found = frontier.walk(QUICK, own, "adding", [6], follow)
    mixed = frontier.generalise(QUICK, own, "adding", follow)
    frontier.publish(tmp_path / "runs", found, mixed)
    names = {place.relative_to(tmp_path / "runs").as_posix(): folder for place, folder in placed.items()}
    assert names == {
        "budget/gru/T-6/seed-0": found[0].run.folder,
        "budget/gru/T-6/seed-3": found[1].run.folder,
        "width/gru/T-6/seed-0": found[2].run.folder,
        "width/gru/T-6/seed-3": found[3].run.folder,
        "mixed/gru/T-10/seed-0": mixed[0].folder,
    }


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


def test_the_frontier_of_every_contender(found):
    rows = {(r["axis"], r["variant"]): r for r in quantities.frontiers(params(), found)}
    assert list(rows) == params().contenders
    assert rows["budget", "gru"]["length"] == pytest.approx(24 * 2**0.5)
    assert (rows["budget", "gru"]["low"], rows["budget", "gru"]["high"]) == (24, 48)
    assert rows["budget", "lstm"]["open"] == "above"
    assert (rows["budget", "vanilla-irnn"]["open"], rows["budget", "vanilla-irnn"]["high"]) == ("below", 6)
    assert rows["budget", "vanilla"]["length"] == pytest.approx(6)
    assert (rows["budget", "vanilla"]["low"], rows["budget", "vanilla"]["high"]) == (0, 12)  # half of six, resampled
    assert [rows["budget", name]["seeds"] for name in ("vanilla", "vanilla-bare")] == [6, 2]


BUDGET = 100


def drawn(tried=(10, 20, 40, 80), **contenders):
    """The file of a frontier. Of each contender, `width_` before its name at equal width, by length the updates of each
    seed; None: censored."""
    rows = []
    for name, lengths in contenders.items():
        axis, variant = ("width", name.removeprefix("width_")) if name.startswith("width_") else ("budget", name)
        about = {"axis": axis, "variant": variant.replace("_", "-"), "units": 3, "parameters": 9}
        for steps, column in lengths.items():
            rows += [
                about | {"steps": steps, "seed": seed, "solved": updates is not None, "updates": updates or BUDGET}
                for seed, updates in enumerate(column)
            ]
    return {"problem": "adding", "budget": BUDGET, "tried": list(tried), "runs": rows}


VANILLA = {10: [30, 45, 50, None, 70], 20: [None, 90, None, None, 95], 40: [None] * 5}
LSTM = {10: [20, 35, 40, 60, 55], 20: [50, 70, None, 65, 80], 40: [None, 85, 90, None, None], 80: [None] * 4 + [95]}
GRU = {10: [25, 30, 45, 40, 35], 20: [60, 55, 75, 85, 65], 40: [95, None, 80, None, 70], 80: [None, 90, None, 80, 75]}
IRNN = {10: [80, None], 20: [None, 85]}
TWO = {"cells": {"vanilla": {}, "lstm": {}}, "ablations": {}, "seeds": [0, 1, 2, 3, 4], "width": None}


def test_the_interval_of_a_frontier_holds_for_it_alone():
    """At 95 %: 1.0 % of the resamples of 6 in 7 seeds have fewer than half. For several together it would reach on."""
    most = {10: [5] * 6 + [None], 20: [None] * 7}
    own = drawn((10, 20), vanilla=most, lstm=most, gru=most)
    rows = list(quantities.frontiers(params(seeds=list(range(7)), ablations={}, width=None), own))
    assert [(row["low"], row["high"]) for row in rows] == [(10, 20)] * 3


def test_a_frontier_is_that_of_the_lengths_a_contender_ran():
    own = drawn((10, 20), vanilla={10: [5] * 5}, lstm={10: [5] * 5, 20: [5] * 5})
    told = [(row["length"], row["open"]) for row in quantities.frontiers(params(**TWO), own)]
    assert told == [(10.0, "above"), (20.0, "above")]


def test_the_runs_of_a_contender_stand_by_seed_and_length():
    own = drawn(lstm=LSTM, vanilla=VANILLA, width_vanilla={10: [1] * 5, 80: [2] * 5})
    names = {0: 7, 1: 3, 2: 9, 3: 4, 4: 1}  # of seeds
    own["runs"] = [row | {"seed": names[row["seed"]]} for row in own["runs"]]
    own["runs"].sort(key=lambda row: row["seed"] * (-1 if row["steps"] == 20 else 1))  # another order at each length
    order = list(dict.fromkeys(row["seed"] for row in own["runs"] if row["variant"] == "vanilla"))
    updates, solved, ran = quantities.seed_table(own, "budget", "vanilla", [20, 40, 10, 80, 5])
    expected = [[VANILLA[steps][seed] for steps in (20, 40, 10)] + [None, None] for seed in range(5)]
    by_seed = {names[seed]: row for seed, row in enumerate(expected)}
    assert updates.tolist() == [[100 if at is None else at for at in by_seed[seed]] for seed in order]
    assert solved.tolist() == [[at is not None for at in by_seed[seed]] for seed in order]
    assert ran.tolist() == [True, True, True, False, False]  # 40 with nothing solved is run, 80 it never came to


def test_a_length_never_come_to_is_censored_at_the_budget():
    """Whatever was spent at the others."""
    own = drawn(vanilla={10: [60, None]}, lstm={10: [5, 6], 20: [7, 8]}) | {"budget": 250}
    table = quantities.seed_table(own, "budget", "vanilla", [10, 20])
    assert table.updates.tolist() == [[60, 250], [100, 250]]
    assert table.solved.tolist() == [[True, False], [False, False]]
    assert [array.tolist() for array in table.at(table.ran)] == [[[60], [100]], [[True], [False]], [True]]


def welch(a, b):
    """The difference of the means and its interval, of scipy."""
    return [np.mean(a) - np.mean(b), *scipy_stats.ttest_ind(a, b, equal_var=False).confidence_interval()]


def lengths_solved(contender):
    return [sum(at is not None for at in seed) for seed in zip(*contender.values(), strict=True)]


def updates_a_length(contender, lengths):
    columns = [[BUDGET if at is None else at for at in contender[steps]] for steps in lengths]
    return [sum(seed) / len(lengths) for seed in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("a", "b", "named", "shared"),
    [
        (LSTM, VANILLA, ("lstm", "vanilla"), [10, 20, 40]),
        (GRU, VANILLA, ("gru", "vanilla"), [10, 20, 40]),
        (GRU, LSTM, ("gru", "lstm"), [10, 20, 40, 80]),
        (IRNN, VANILLA, ("vanilla-irnn", "vanilla"), [10, 20]),
    ],
)
def test_a_comparison_is_of_all_lengths(a, b, named, shared):
    """Reach over all of them, speed over those that both came to; of an ablation fewer seeds."""
    own = params(
        seeds=[0, 1, 2, 3, 4],
        ablations={"irnn": {"of": ["vanilla"], "activation": "relu", "recurrent": "identity", "seeds": 2}},
        width=None,
    )
    found = drawn(vanilla=VANILLA, lstm=LSTM, gru=GRU, vanilla_irnn=IRNN)
    (row,) = [row for row in quantities.comparisons(own, found) if (row["a"], row["b"]) == named]
    assert (row["problem"], row["axis"], row["shared"]) == ("adding", "budget", shared)
    assert row["seeds"] == [len(a[10]), len(b[10])]
    reaches, times = [lengths_solved(side) for side in (a, b)], [updates_a_length(side, shared) for side in (a, b)]
    assert row["lengths"] == pytest.approx([np.mean(side) for side in reaches])
    assert row["lengths_difference"] == pytest.approx(welch(*reaches))
    assert row["p_lengths"] == pytest.approx(enumerated_reaches(*map(np.array, reaches)))
    assert row["updates"] == pytest.approx([np.mean(side) for side in times])
    assert row["updates_difference"] == pytest.approx(welch(*times))
    assert row["p_updates"] == pytest.approx(enumerated(*(runs(*[side[steps] for steps in shared]) for side in (a, b))))
    assert min(row["p_lengths"], row["p_updates"]) < 1


def test_what_else_runs_changes_no_comparison():
    """A cell, ablations and an axis more: what is said of the others stays."""
    alone = list(quantities.comparisons(params(**TWO), drawn(vanilla=VANILLA, lstm=LSTM)))
    assert [(row["axis"], row["a"], row["b"]) for row in alone] == [("budget", "lstm", "vanilla")]
    irnn = {"of": ["vanilla", "lstm"], "recurrent": "identity", "seeds": 2}
    more = params(seeds=TWO["seeds"], ablations={"irnn": irnn}, width=5)
    of_cells = {"vanilla": VANILLA, "lstm": LSTM, "gru": GRU, "width_vanilla": IRNN, "width_lstm": LSTM}
    of_cells |= {"width_gru": VANILLA}
    rows = list(quantities.comparisons(more, drawn(**of_cells, vanilla_irnn=IRNN, lstm_irnn=IRNN)))
    assert [row for row in rows if (row["axis"], row["a"], row["b"]) == ("budget", "lstm", "vanilla")] == alone
    without = params(seeds=TWO["seeds"], ablations={}, width=5)
    assert [row for row in rows if "irnn" not in row["a"]] == list(quantities.comparisons(without, drawn(**of_cells)))


def test_each_axis_compares_its_own_runs():
    own = params(**TWO | {"width": 5})
    equal, wide = quantities.comparisons(own, drawn(vanilla=VANILLA, lstm=LSTM, width_vanilla=LSTM, width_lstm=GRU))
    assert (equal["axis"], wide["axis"]) == ("budget", "width")
    (other,) = quantities.comparisons(params(**TWO), drawn(vanilla=LSTM, lstm=GRU))
    assert wide == other | {"axis": "width"}
    assert equal["updates"] != wide["updates"]


def test_comparisons_of_the_walk(found):
    rows = {(r["axis"], r["a"], r["b"]): r for r in quantities.comparisons(params(), found)}
    cells = [("lstm", "vanilla"), ("gru", "vanilla"), ("gru", "lstm")]
    ablations = [("vanilla-irnn", "vanilla"), ("vanilla-bare", "vanilla")]
    assert list(rows) == [("budget", *pair) for pair in cells + ablations] + [("width", *pair) for pair in cells]
    one = rows["budget", "lstm", "vanilla"]
    assert (one["lengths"], one["p_lengths"]) == ([4.0, 0.5], 2 / 924)
    assert one["shared"] == [6, 12, 24]
    assert one["updates"] == pytest.approx([35, (65 + 100 + 100) / 3])
    assert rows["width", "gru", "lstm"]["lengths"] == [3.0, 4.0]
    assert rows["width", "gru", "lstm"]["lengths_difference"] == [-1.0, -1.0, -1.0]  # all seeds alike
    few = rows["budget", "vanilla-bare", "vanilla"]
    assert (few["seeds"], few["shared"]) == ([2, 6], [6, 12])
    assert few["updates"] == pytest.approx([100, (65 + 100) / 2])


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
    (six, twelve, *_) = quantities.memories(params(), found)
    assert (six["steps"], twelve["steps"]) == (6, 12)
    assert (twelve["runs"], twelve["medians"]) == ([24, 20], [1.0, 0.0])  # of runs on both axes one
    assert (twelve["probability"], twelve["most"], twelve["capped"]) == (1.0, 10, [0, 0])
    most = found | {"runs": [row | {"memory": row["steps"] - 2.0} for row in found["runs"]]}
    assert {(r["probability"], *r["medians"]) for r in quantities.memories(params(), most) if r["steps"] == 12} == {
        (0.5, 10, 10)
    }
    assert [r["capped"] for r in quantities.memories(params(), most)] == [
        r["runs"] for r in quantities.memories(params(), most)
    ]
    lost = found | {"runs": [row | {"memory": None} for row in found["runs"]]}
    assert list(quantities.memories(params(), lost)) == []


def test_the_problems_of_the_studies():
    """What the study promises: seeds for the questions, and the lengths."""
    assert (len(QUICK.frontier["adding"].seeds), len(QUICK.frontier["adding"].lengths)) == (8, 4)
    assert (len(QUICK.frontier["temporal_order"].seeds), len(QUICK.frontier["temporal_order"].lengths)) == (6, 3)
    assert QUICK.frontier["adding"].training.updates <= 2000
    for study in (QUICK, REAL):
        of_frontiers = [asked for asked in study.questions.values() if asked.measure in ("reach", "speed")]
        assert {asked.measure for asked in of_frontiers} == {"reach", "speed"}
        for asked in of_frontiers:
            own = study.frontiers[asked.of]
            assert min(len(own.runs(side)) for side in (asked.a, asked.b)) >= DECIDES
            assert asked.lengths == own.lengths
    assert set(REAL.frontier) == set(catalogue.PROBLEMS)
    assert set(REAL.images) == {"pixel_mnist", "permuted_mnist"}
    adding = REAL.frontier["adding"]
    assert adding.lengths[-1] == 200  # of what two cores do in an hour
    assert adding.gpu_lengths == [400, 1000]
    assert len(adding.seeds) >= 8
    assert {196, 784} == {steps for own in REAL.images.values() for steps in own.gpu_lengths}
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
    assert card_tags(told) == {"data": "generated"}


# The report's sentences and tables


@pytest.fixture
def study(found, tmp_path):
    """A study whose figures come from the runs above, in its own folder."""
    own, root = params(), tmp_path / "study"
    rows = [
        {"variant": "lstm", "seed": s, "solved": s > 0, "trained": 6, "steps": n, "score": n / 100}
        for s in (0, 1, 2)
        for n in (6, 60)
    ]
    tables = {
        "frontiers": list(quantities.frontiers(own, found)),
        "comparisons": list(quantities.comparisons(own, found)),
        "successes": list(quantities.successes(own, found)),
        "generalisation": list(quantities.generalisation(own, found | {"generalisation": rows})),
        "memories": list(quantities.memories(own, found)),
    }
    head = {"study": "quick", "left_out": ["menu", "pixel_mnist"]}
    write_tables(root / "metrics/long_range.json", head, tables)
    write_json(root / "metrics/frontier/adding.json", found)
    write_json(root / "metrics/summary.json", {"study": "quick", "tasks": {}})
    return Study(root)


def test_what_was_not_run_is_named(study):
    told = ["Not run in the quick study: The roommate's menu and Pixel by pixel."]
    assert report.not_run(study) == told
    study.frontier("adding")["lengths"] += [96, 192]
    assert report.not_run(study) == [*told, "Adding problem: T = 96 and 192 not run, for want of a GPU."]


def test_settings_name_chance_goal_and_what_is_changed(study):
    (told,) = (report.settings(study, name) for name in study.walked)
    assert "6 seeds, 100 updates at most, batches of 4, learning rate 0.01, PyTorch" in told
    assert "sees nothing of the sequence has an RMSE of 0.408; solved means at most 0.04 on the validation part" in told
    assert "; 0 of 90 solved runs hold it on the test part." in told
    assert "vanilla RNN (bare): clip by nothing, recurrent glorot." in told


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
        "Adding problem, LSTM: 0.060 at T = 6, 0.60 at T = 60 (medians of 3 seeds, of which 2 solved what they trained "
        "on); who sees nothing has 0.41."
    )


def test_how_a_frontier_is_written():
    inside = {"length": 8.49, "open": None, "low": 6, "high": 12}
    assert (reach(inside), bounds(inside)) == ("8", "6 to 12")
    above = {"length": 48.0, "open": "above", "low": 24, "high": None}
    assert (reach(above), bounds(above)) == ("≥ 48", "from 24")
    below = {"length": 6.0, "open": "below", "low": 0, "high": 12}
    assert (reach(below), bounds(below)) == ("< 6", "below 12")
    assert bounds({"length": 6.0, "open": "below", "low": 0, "high": None}) == "anywhere"


@pytest.fixture
def shown(monkeypatch):
    """The tables that are displayed: (header, rows, caption)."""
    found = []
    monkeypatch.setattr(tables, "show_table", lambda *table: found.append(table))
    return found


def test_the_table_of_frontiers(study, shown):
    report.frontier_table(study)
    ((header, rows, caption),) = shown
    assert len(rows) == 8
    assert {len(row) for row in rows} == {len(header)}
    size = f"{study.rows('frontiers', 'adding', axis='budget', variant='lstm')[0]['units']} units, 7 weights"
    assert rows[1] == ["Adding problem: LSTM", "equal weights", size, "100", "6", "≥ 48", "from 48"]
    bare = rows[4]
    assert (bare[0], bare[4:]) == ("Adding problem: vanilla RNN (bare)", ["2", "< 6", "below 6"])
    assert rows[5][:2] == ["Adding problem: vanilla RNN", "equal width"]
    assert "95 %" in caption


def test_the_table_of_comparisons(study, shown):
    """LSTM: 4 lengths, 10 to 60 updates; vanilla RNN: 1 or 0 lengths, 70, 100, 77, 100, 83 and 100 updates."""
    report.comparison_table(study, "adding")
    ((header, rows, caption),) = shown
    assert {len(row) for row in rows} == {len(header)}
    assert [row[0] for row in rows] == [
        "equal weights: LSTM against vanilla RNN",
        "equal weights: GRU against vanilla RNN",
        "equal weights: GRU against LSTM",
        "equal weights: vanilla RNN (IRNN) against vanilla RNN",
        "equal weights: vanilla RNN (bare) against vanilla RNN",
        "equal width: LSTM against vanilla RNN",
        "equal width: GRU against vanilla RNN",
        "equal width: GRU against LSTM",
    ]
    assert [rows[0][1], rows[4][1]] == ["6", "2 and 6"]
    reach, (value, low, high) = rows[0][2], welch(range(10, 70, 10), [70, 100, 230 / 3, 100, 250 / 3, 100])
    assert reach == "+3.5 (+2.9 to +4.1), p = 0.00216"
    assert rows[0][3] == f"{value:+.0f} ({low:+.0f} to {high:+.0f}), p = 0.00216".replace("-", "−")
    assert rows[2][2] == "−1.0 (all seeds alike), p = 0.00216"
    value, low, high = welch([(3 * at + 100) / 4 for at in range(10, 70, 10)], range(10, 70, 10))  # GRU: 48 is censored
    p = enumerated(*(runs(*[range(10, 70, 10)] * 3, last) for last in ([None] * 6, range(10, 70, 10))))
    assert rows[2][3] == f"{value:+.0f} ({low:+.0f} to {high:+.0f}), p = {p:.2f}".replace("-", "−")
    assert 0.1 < p < 1
    assert "Adding problem: a less b with 95 % intervals, exploratory, not corrected." in caption


def test_large_differences_have_commas(study, shown):
    study.rows("comparisons", "adding")[0].update(updates_difference=[-1234.6, -2000.2, 12.4], p_updates=0.0004)
    report.comparison_table(study, "adding")
    assert shown[0][1][0][3] == "−1,235 (−2,000 to +12), p < 0.001"


def test_pixels_stand_beside_the_literature(study, shown):
    report.pixel_table(study)
    rows = shown[-1][1]
    assert rows[0] == ["this study", "–", "–", "–", "not run in the quick study"]
    assert rows[1][:4] == ["Bai et al. 2018, arXiv 1803.01271", "vanilla RNN", "21.5 %", "25.3 %"]
    assert rows[4][2:4] == ["35 %", "–"]  # in order alone


@pytest.mark.parametrize(("problem", "columns"), [("pixel_mnist", slice(2, 4)), ("permuted_mnist", slice(3, 1, -1))])
def test_our_pixels_are_a_mean_over_seeds(study, shown, problem, columns):
    scores = [0.81, 0.84, 0.9]
    about = {"axis": "budget", "variant": "gru", "steps": 49}
    first, *others = [about | {"parameters": 9876, "scores": {"test": score}} for score in scores]
    card = {"budget": 2100, "images": 51000, "ablations": {}, "runs": [first, first | {"steps": 196}, *others]}
    write_json(study.root / f"metrics/frontier/{problem}.json", card)
    study.long_range["frontiers"].append({"problem": problem})
    ran, left = about | {"seeds": 3}, about | {"steps": 784, "seeds": 0, "not_run": "no GPU"}
    study.long_range["successes"] += [{"problem": problem} | row for row in (ran, left)]
    report.pixel_table(study)
    ours = [row for row in shown[0][1] if row[0] == "this study"]
    low, high = 100 * np.array(scipy_stats.t.interval(0.95, 2, np.mean(scores), scipy_stats.sem(scores)))
    (row,) = ours
    assert row[1] == "GRU"
    assert row[columns] == [f"85.0 % ({low:.1f} to {high:.1f} %)", "–"]
    assert row[4] == "49 steps, 9,876 weights, 2,100 updates at most, 51,000 training images, 3 seeds, equal weights"
