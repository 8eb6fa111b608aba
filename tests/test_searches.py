"""How good a search is, and what it changed."""

from itertools import product

import numpy as np
import pytest

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.model.backend import BACKENDS
from rnn_study.running.run import results
from rnn_study.statistics import crossed
from rnn_study.statistics.searches import band_of_best, best_so_far, expected_best
from rnn_study.support.files import read_json


@pytest.mark.parametrize("higher", [True, False])
def test_the_expected_best_of_trials_is_what_draws_give(higher):
    scores = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    found = expected_best(scores, higher)
    rng = np.random.default_rng(0)
    for trials in (1, 2, 5):
        draws = scores[rng.integers(0, 5, (200_000, trials))]
        best = draws.max(axis=1) if higher else draws.min(axis=1)
        assert found[trials - 1] == pytest.approx(best.mean(), abs=0.03)
    assert found.shape == (5,)
    assert found[0] == pytest.approx(scores.mean())
    assert (np.diff(found) * (1 if higher else -1) > 0).all()


@pytest.mark.parametrize("higher", [True, False])
def test_the_band_holds_the_best_of_all_draws(higher):
    scores, level = np.array([3.0, 1.0, 4.0, 1.5, 9.0]), 0.8
    low, high = band_of_best(scores, higher, level)
    for trials in range(1, 6):
        bests = sorted((max if higher else min)(draw) for draw in product(scores, repeat=trials))
        if not higher:  # a quantile counts from the worst
            bests = bests[::-1]
        expected = sorted(bests[int(np.ceil(len(bests) * share - 1e-9)) - 1] for share in (0.1, 0.9))
        assert (low[trials - 1], high[trials - 1]) == tuple(expected)
    assert low[0] < high[0]
    assert low.shape == high.shape == (5,)


def test_the_band_of_one_draw_is_the_quantiles_of_the_scores():
    """Of ten scores a tenth is the lowest one, nine tenths are all but the highest."""
    low, high = band_of_best(np.arange(10.0), True, 0.8)
    assert (low[0], high[0]) == (0.0, 8.0)
    low, high = band_of_best(np.arange(10.0), False, 0.8)
    assert (low[0], high[0]) == (1.0, 9.0)


def test_the_best_so_far_goes_with_the_order():
    scores = np.array([3.0, 1.0, 4.0, 2.0])
    assert best_so_far(scores, True).tolist() == [3, 3, 4, 4]
    assert best_so_far(scores, False).tolist() == [3, 1, 1, 1]


def test_what_tuning_changed_is_a_difference_of_runs_with_the_same_seeds(study, monkeypatch):
    monkeypatch.chdir(study.folder)
    found, parameters = read_json(study.folder / "metrics/tuning.json"), config.load()
    assert found["framework"] == BACKENDS[0]
    assert found["untuned"] == {"learning_rate": 0.001, "clip": None, "dropout": 0.0, "seeds": 2}
    for name, about in found["tasks"].items():
        task = load_task(prepared_file(name))
        assert list(about["cells"]) == list(parameters.task(name).cells)
        for cell, one in about["cells"].items():
            folders = {
                side: [
                    results.run_folder(study.folder / root, name, BACKENDS[0], cell, seed) for seed in parameters.seeds
                ]
                for side, root in (("tuned", "runs"), ("untuned", "runs/untuned"))
            }
            for place, seed in enumerate(parameters.seeds):
                spec = read_json(folders["untuned"][place] / "spec.json")
                asked = spec["optimiser"]["learning_rate"], spec["optimiser"]["clip"], spec["network"]["dropout"]
                assert (*asked, spec["seed"]) == (0.001, None, 0.0, seed)
                chosen = read_json(folders["tuned"][place] / "spec.json")["optimiser"]["learning_rate"]
                assert chosen == one["searches"][place]["settings"]["learning_rate"]  # a search a seed
            for row in one["against_untuned"]:
                part, scores, right = row["part"], {}, {}
                for side, own in folders.items():
                    scores[side] = [results.read_summary(folder)["scores"][part] for folder in own]
                    assert row[side] == pytest.approx(np.mean(scores[side]), rel=1e-6)
                    if about["score"] == "accuracy":
                        outputs = [results.read_predictions(folder)[part] for folder in own]
                        right[side] = np.array([x.argmax(axis=1) == task.tests[part].y for x in outputs], float)
                assert row["difference"] == pytest.approx(np.mean(scores["tuned"]) - np.mean(scores["untuned"]))
                assert row["interval"][0] <= row["difference"] <= row["interval"][1]
                assert row["n"] == 2
                if right:
                    expected = crossed.mean(right["tuned"] - right["untuned"]).interval()
                    assert row["interval"] == pytest.approx(expected[1:])
