"""The training loop with PyTorch: repeatable, paired, stopped in time, and blind where it should be."""

import importlib.util
import json
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import train_worker
from train_worker import BASE, LONG, NETWORKS

from rnn_study.model.network import shapes
from rnn_study.running.run import results
from rnn_study.running.run.results import FILES
from rnn_study.running.run.spec import stream

TASK = train_worker.classification()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder for each run of the worker."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    folder = tmp_path_factory.mktemp("runs")
    done = subprocess.run([sys.executable, train_worker.__file__, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def watched(folder):
    with np.load(folder / "watched.npz", allow_pickle=False) as file:
        return dict(file)


def test_the_same_spec_gives_the_same_bits(root):
    for name in FILES:
        assert (root / "once" / name).read_bytes() == (root / "twice" / name).read_bytes()
    assert (root / "once" / "history.csv").read_bytes() != (root / "other_seed" / "history.csv").read_bytes()


def test_streams_are_paired_and_apart():
    one, same = stream(7, "order"), stream(7, "order")
    for _ in range(3):
        np.testing.assert_array_equal(one.permutation(50), same.permutation(50))
    draws = [stream(seed, purpose).random(4) for seed in (7, 8) for purpose in ("order", "weights", "dropout")]
    assert len({draw.tobytes() for draw in draws}) == 6


@pytest.mark.parametrize("run", [*(f"cell_{cell}" for cell in NETWORKS), "cell_other_framework"])
def test_cells_and_frameworks_see_the_same_orders_and_masks(run, root):
    found, expected = watched(root / run), watched(root / "once")
    np.testing.assert_array_equal(found["order"], expected["order"])
    np.testing.assert_array_equal(found["mask"], expected["mask"])


def test_frameworks_start_from_the_same_weights(root):
    np.testing.assert_array_equal(watched(root / "cell_other_framework")["head"], watched(root / "once")["head"])
    assert not np.array_equal(watched(root / "other_seed")["head"], watched(root / "once")["head"])


@pytest.mark.parametrize(
    ("run", "steps", "size", "examples"), [("once", 5, 8, 45), ("few", 1, 8, 13), ("tiny", 1, 45, 45)]
)
def test_an_epoch_sees_every_example_at_most_once(run, steps, size, examples, root):
    orders = watched(root / run)["order"]
    assert orders.shape == (4, steps, size)
    for order in orders:
        assert len(np.unique(order)) == steps * size
        assert 0 <= order.min() <= order.max() < examples
    assert len({order.tobytes() for order in orders}) == 4
    summary = results.read_summary(root / run)
    assert (summary["updates"], summary["examples_seen"]) == (4 * steps, 4 * steps * size)


def test_who_waits_for_the_next_epoch_changes(root):
    left_out = [set(range(45)) - set(order.ravel().tolist()) for order in watched(root / "once")["order"]]
    assert all(len(left) == 5 for left in left_out)
    assert len(set(map(frozenset, left_out))) == 4


def test_masks_keep_the_mean(root):
    masks = watched(root / "once")["mask"]  # dropout 0.25
    np.testing.assert_allclose(np.unique(masks), [0, 1 / 0.75], rtol=1e-6)
    kept = np.mean(masks > 0)
    assert abs(kept - 0.75) < 4 * math.sqrt(0.25 * 0.75 / masks.size)


def ranks(history):
    return [(row["validation_score"], -row["validation_loss"]) for row in history]


def test_training_stops_after_patience_epochs_without_improvement(root):
    history, summary = results.read_history(root / "stopped"), results.read_summary(root / "stopped")
    found = ranks(history)
    best = 1 + found.index(max(found))
    assert [row["epoch"] for row in history] == list(range(1, len(history) + 1))
    assert (summary["best_epoch"], summary["epochs"]) == (best, len(history))
    assert len(history) == best + LONG.patience < LONG.epochs
    for end in range(1, best):  # at no earlier epoch had it waited as long
        seen = found[: end + 1]
        assert end - seen.index(max(seen)) < LONG.patience


def test_of_equal_scores_the_lower_loss_is_best(root):
    history = results.read_history(root / "tied")
    top = max(row["validation_score"] for row in history)
    tied = [row for row in history if row["validation_score"] == top]
    lowest = min(tied, key=lambda row: row["validation_loss"])
    assert lowest is not tied[0]
    assert results.read_summary(root / "tied")["best_epoch"] == lowest["epoch"]


def test_the_best_epochs_weights_are_kept(root):
    """A run that ends at the best epoch has them in the model anyhow."""
    stopped, best = root / "stopped", root / "until_best"
    summary = results.read_summary(stopped)
    assert results.read_summary(best)["epochs"] == summary["best_epoch"] < summary["epochs"]
    assert results.read_history(best) == results.read_history(stopped)[: summary["best_epoch"]]
    for read in (results.read_weights, results.read_predictions):
        one, other = read(stopped), read(best)
        assert one.keys() == other.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])
    assert (
        summary["scores"]["validation"] == results.read_history(stopped)[summary["best_epoch"] - 1]["validation_score"]
    )


def test_scores_are_those_of_the_predictions(root):
    predictions, scores = results.read_predictions(root / "once"), results.read_summary(root / "once")["scores"]
    assert list(predictions) == list(scores) == ["validation", "test"]
    for name, outputs in predictions.items():
        assert scores[name] == np.mean(outputs.argmax(axis=1) == TASK.parts()[name].y)
    assert {name: a.shape for name, a in results.read_weights(root / "once").items()} == shapes(BASE.network)


def test_training_learns(root):
    losses = [row["train_loss"] for row in results.read_history(root / "stopped")]
    assert losses[0] > 0.6 > min(losses)  # chance is log 2 = 0.69


def test_a_blind_run_never_touches_the_test_part(root):
    """Its test part is None, so to read it would be an error."""
    assert list(results.read_predictions(root / "blind")) == ["validation"]
    assert list(results.read_summary(root / "blind")["scores"]) == ["validation"]
    one, other = results.read_weights(root / "blind"), results.read_weights(root / "once")
    assert all(np.array_equal(one[name], other[name]) for name in other)


def test_a_diverged_run_is_marked_and_its_curve_is_kept(root):
    summary, history = results.read_summary(root / "diverged"), results.read_history(root / "diverged")
    assert summary["diverged"] is True
    assert not math.isfinite(history[-1]["train_loss"])
    assert len(history) == summary["epochs"] < 9
    assert all(math.isfinite(score) for score in summary["scores"].values())
    assert all(np.isfinite(array).all() for array in results.read_weights(root / "diverged").values())
    json.loads((root / "diverged" / "result.json").read_text(), parse_constant=pytest.fail)
    assert results.read_summary(root / "once")["diverged"] is False


def test_a_score_beyond_the_largest_number_does_not_break_the_run(root):
    assert (root / "overflowed" / "result.json").is_file()


def test_gradient_norms_and_clipping_are_told(root):
    for row in results.read_history(root / "once"):
        assert row["gradient_norm"] > 0
        assert row["clipped_share"] in [k / 5 for k in range(6)]


def test_checkpoints_are_the_weights_of_their_epochs(root):
    found = results.read_checkpoints(root / "checked")
    assert list(found) == [0, 1, 3]  # the run ends before a ninth epoch
    best = results.read_summary(root / "checked")["best_epoch"]
    last = results.read_weights(root / "checked")
    assert {name: array.shape for name, array in found[1].items()} == shapes(BASE.network)
    np.testing.assert_array_equal(found[0]["head.W"], watched(root / "checked")["head"][0])
    for epoch, tree in found.items():
        assert all(np.array_equal(tree[name], last[name]) for name in tree) == (epoch == best)
    assert results.read_checkpoints(root / "once") == {}
    for name in set(FILES) - {"checkpoints.safetensors"}:
        assert (root / "checked" / name).read_bytes() == (root / "once" / name).read_bytes()


def test_a_goal_ends_a_run_that_reaches_it(root):
    summary, history = results.read_summary(root / "solved"), results.read_history(root / "solved")
    scores = [row["validation_score"] for row in history]
    assert summary["solved"] is True
    assert min(scores[-2:]) >= 0.6
    assert all(min(pair) < 0.6 for pair in pairwise(scores[:-1]))
    assert summary["solved_at"] == summary["updates"] == 5 * len(scores)  # at the second of the two
    assert results.read_summary(root / "unsolved")["solved"] is False
    assert "solved" not in results.read_summary(root / "once")


def test_a_goal_that_one_look_reaches_is_not_reached(root):
    best = results.read_summary(root / "stopped")["scores"]["validation"]
    scores = [row["validation_score"] for row in results.read_history(root / "at_one_look")]
    assert best in scores
    assert all(min(pair) < best for pair in pairwise(scores))
    assert results.read_summary(root / "at_one_look")["solved"] is False


def test_every_update_leaves_its_health(root):
    updates, history = results.read_updates(root / "once"), results.read_history(root / "once")
    assert {len(values) for values in updates.values()} == {20}
    assert (updates["clipped_norms"] <= np.minimum(updates["norms"], 1.0) * (1 + 1e-6)).all()
    np.testing.assert_array_equal(updates["clipped"], updates["norms"] > 1.0)
    means = {
        "losses": "train_loss",
        "norms": "gradient_norm",
        "clipped_norms": "clipped_norm",
        "ratios": "update_ratio",
    }
    for kind, column in means.items():
        expected = updates[kind].reshape(4, 5).mean(axis=1)
        np.testing.assert_allclose([row[column] for row in history], expected, rtol=1e-6)


def test_a_diverged_run_keeps_its_updates(root):
    losses = results.read_updates(root / "diverged")["losses"]
    assert not np.isfinite(losses[-1])


def test_fresh_data_is_another_part_for_every_epoch_and_the_same_for_all_cells(root):
    parts = watched(root / "fresh")["placed"]
    assert len(parts) == 4  # one an epoch, and the task's own not at all
    assert len({part.tobytes() for part in parts}) == 4
    for run in ("fresh_again", "fresh_other_cell"):
        np.testing.assert_array_equal(watched(root / run)["placed"], parts)
    others = watched(root / "fresh_other_seed")["placed"]
    assert not {part.tobytes() for part in others} & {part.tobytes() for part in parts}
    assert (root / "fresh" / "weights.safetensors").read_bytes() == (
        root / "fresh_again" / "weights.safetensors"
    ).read_bytes()
    assert len(watched(root / "once")["placed"]) == 1  # a prepared part is placed once


def test_a_run_tells_when_it_was_solved(root):
    summary = results.read_summary(root / "solved")
    assert summary["solved_at"] == summary["updates"] == 5 * summary["epochs"]
    beyond, history = results.read_summary(root / "beyond"), results.read_history(root / "beyond")
    assert (beyond["solved"], beyond["solved_at"]) == (True, summary["solved_at"])
    assert len(history) > summary["epochs"]  # it went on
    assert "solved_at" not in results.read_summary(root / "unsolved")


def test_answers_for_every_step_are_trained_and_kept(root):
    assert results.read_predictions(root / "every_step")["test"].shape == (20, 4, 2)
    history = results.read_history(root / "every_step")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
