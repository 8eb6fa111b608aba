"""params.yaml: what is committed loads, and a fault is one line with the file, the key and the value."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rnn_study import config
from rnn_study.behaviour.gradients.diagnose import looked_at
from rnn_study.support.errors import StudyError

ROOT = Path(__file__).parents[1]
DENSE = {"units": None, "activation": "relu"}
QUICK = (ROOT / "studies" / "quick.yaml").read_text(encoding="utf-8")
SEEDS = "seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
CELLS = "cells: {vanilla: {}, lstm: {}, gru: {}}"  # of the first task, mnist_rows


@pytest.mark.parametrize("study", ["quick", "real"])
def test_the_committed_studies_load(study):
    found = config.load(ROOT / "studies" / f"{study}.yaml")
    assert found.study == study
    assert set(found.task("tweets").cells) == {"vanilla", "lstm", "gru"}
    choice = "embedded" if study == "quick" else "upstream"
    assert {found.data.mnist, found.data.tweets, found.data.glove, found.data.airline} == {choice}


def committed(path):
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, check=True).stdout


def test_the_committed_parameters_are_the_quick_studys():
    assert committed("params.yaml") == committed("studies/quick.yaml")


def test_parameters_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        config.load(ROOT / "studies" / "quick.yaml").seeds = (1, 2)


AIRLINE = """\
    network: {parameters: 300, units: null, depth: 1, finetune: false}
    training: {batch_size: 8, epochs: 100, patience: 20}
    tuning: {epochs: 60, examples: null}
    margin: 1.0
    cells: {vanilla: {}, lstm: {}, gru: {}}
"""

ADDING = "    seeds: [0, 1, 2, 3, 4, 5, 6, 7]\n    cells: {vanilla: {}, lstm: {}, gru: {}}\n    ablations: # each"
FORGET = "forget-0: {of: [lstm], forget_bias: 0.0}"
MAP = "map: {of: vanilla-irnn, learning_rates"
FRONTIER = "generalise: {longest: 10, factors: [1, 2, 4, 10], seeds: 3}"
IRNN = "clipped\n      irnn: {of: [vanilla], activation: relu, recurrent: identity}\n"  # of the frontier
DIGITS = "of: mnist_rows, a: lstm, b: vanilla, smallest: 0.035}"
REACH = "measure: reach, of: adding, a: lstm, b: vanilla, lengths: [5, 10, 20, 40], smallest: 1.0}"
LSTM_CELL = "    cells: {vanilla: {}, lstm: {}, gru: {}}\n    ablations: # each"
IDLE = (
    "forget_bias: 1.0",
    "clip_by: norm",
    "depth: 1, seeds: 3",
    "clip: 1.0",
    "learning_rate: 0.01",
    "recurrent: orthogonal",
    "gain: 1.0",
    "dropout: 0.0",
)
FAULTS = {
    **{
        f"an ablation that changes nothing: {said}": (
            FORGET,
            f"idle: {{of: [lstm], {said}}}",
            "problems.adding: ablations.idle: changes nothing in lstm: expected it to differ",
        )
        for said in IDLE
    },
    "two ablations of one name": (
        LSTM_CELL,
        LSTM_CELL.replace("gru: {}}", "lstm-a: {cell: lstm, depth: 2}}")
        + " of\n      a-b: {of: [lstm], gain: 0.5}\n      b: {of: [lstm-a], gain: 0.5} #",
        "problems.adding: ablations.b: lstm-a-b is another one's name as well: expected another name",
    ),
    "a cell with the name of a point of the map": (
        LSTM_CELL,
        LSTM_CELL.replace("gru: {}}", "map-0-0: {cell: gru}}"),
        "problems.adding: map: map-0-0 is in cells, ablations or controls as well: expected another name",
    ),
    "a round of more trials than there are": (
        "round: 4",
        "round: 9",
        "tuning: round: got 9: expected at most 8, as many as trials",
    ),
    "a question of another measure": ("measure: reach", "measure: guess", "questions.reach-lstm: "),
    "a question of an unknown cell": (
        DIGITS,
        DIGITS.replace("a: lstm", "a: ugrnn"),
        "questions.digits-lstm: a 'ugrnn': expected one of vanilla, lstm, gru",
    ),
    "a question of no task": (
        DIGITS,
        DIGITS.replace("mnist_rows", "digits"),
        "questions.digits-lstm: of: got 'digits': expected one of mnist_rows, tweets, airline",
    ),
    "a question of error in nothing that is looked at": (
        "of: agreement, a: vanilla, when",
        "of: numbers, a: vanilla, when",
        "questions.vanishes-vanilla: of: got 'numbers': expected one of mnist_rows, tweets, airline, adding, agreement",
    ),
    "a question of a cell against itself": (
        DIGITS,
        DIGITS.replace("b: vanilla", "b: lstm"),
        "questions.digits-lstm: b 'lstm': expected another one than a",
    ),
    "a question of more than all accuracy": (
        DIGITS,
        DIGITS.replace("0.035", "5.0"),
        "questions.digits-lstm: smallest 5: expected at most 1, a difference of accuracies",
    ),
    "a question of one length twice": (
        REACH,
        REACH.replace("20, 40", "20, 20"),
        "questions.reach-lstm: lengths [5, 10, 20, 20]: expected each once",
    ),
    "a question of more lengths than there are": (
        REACH,
        REACH.replace("smallest: 1.0", "smallest: 5.0"),
        "questions.reach-lstm: smallest 5: expected at most 4, as many as lengths",
    ),
    "an ablation of nothing": (FORGET, FORGET.replace("[lstm]", "[]"), "ablations.forget-0.of: got []"),
    "a question without what matters": (
        DIGITS,
        DIGITS.replace("0.035", "0"),
        "questions.digits-lstm.smallest: got 0",
    ),
    "a question of a problem that is not run": (
        REACH,
        REACH.replace("adding", "parity"),
        "questions.reach-lstm: of parity: expected a problem of frontier: adding, temporal_order",
    ),
    "a question of a length that is not run": (
        REACH,
        REACH.replace("20, 40", "20, 80"),
        "questions.reach-lstm: lengths: got 80: expected some of frontier.adding.lengths",
    ),
    "a question of an unknown contender": (
        REACH,
        REACH.replace("b: vanilla", "b: vanilla-slow"),
        "questions.reach-lstm: b 'vanilla-slow': expected one of vanilla, lstm, gru, vanilla-irnn",
    ),
    "a question of more than the budget": (
        "smallest: 100.0}",
        "smallest: 951.0}",
        "questions.speed-gru: smallest 951: expected at most the budget, 950 updates",
    ),
    "a ninth question": (
        "questions:\n",
        f"questions:\n  ninth: {{claim: x, measure: score, {DIGITS}\n",
        "questions: got ",
    ),
    "seeds that searches cannot share": (
        "searches: 1",
        "searches: 3",
        "tuning.searches 3, 10 seeds: expected as many seeds for each search",
    ),
    "unknown problem": ("  temporal_order:\n    framework", "  cafe:\n    framework", "frontier.cafe"),
    "falling lengths": (
        "lengths: [5, 10, 20, 40]",
        "lengths: [5, 20, 10]",
        "frontier.adding: lengths [5, 20, 10], gpu",
    ),
    "lengths twice": (
        "lengths: [5, 10, 20, 40]\n    gpu_lengths: []",
        "lengths: [5, 10]\n    gpu_lengths: [10]",
        "gpu_lengths [10]: expected rising numbers",
    ),
    "budget of no whole looks": (
        "updates: 950, check: 50",
        "updates: 950, check: 300",
        "frontier.adding.training: updates 950, check 300: expected a multiple of check",
    ),
    "reading both ways": (
        IRNN,
        f"{IRNN}      both: {{of: [lstm], bidirectional: true}}\n",
        "frontier.adding: lstm-both: bidirectional: expected a network that reads forward",
    ),
    "factors that do not start at 1": (
        FRONTIER,
        FRONTIER.replace("[1, 2, 4, 10]", "[2, 10]"),
        "frontier.adding.generalise: factors [2, 10]: expected rising numbers from 1",
    ),
    "more seeds to generalise than there are": (
        FRONTIER,
        FRONTIER.replace("seeds: 3", "seeds: 9"),
        "frontier.adding: generalise.seeds: got 9: expected at most 8",
    ),
    "ablation by an unknown norm": (
        IRNN,
        f"{IRNN}      slow: {{of: [vanilla], clip_times: 2.0}}\n",
        "frontier.adding: ablations: vanilla-slow: clip_times 2.0: expected clip, no norm is known",
    ),
    "an ablation of one seed": (
        IRNN,
        f"{IRNN}      one: {{of: [lstm], clip: 2.0, seeds: 1}}\n",
        "frontier.adding: ablations: lstm-one: seeds 1: expected 2 or more",
    ),
    "no square": (
        "images: {}",
        "images: {pixel_mnist: {framework: pytorch, lengths: [50], gpu_lengths: [], prepare: {permutation: null}, "
        "network: {parameters: 900, units: null, depth: 1, finetune: false}, width: null, training: {batch_size: 8, "
        "updates: 9, learning_rate: 0.01, clip: 1.0, goal: 0.9}, seeds: [0, 1], cells: {gru: {}}, ablations: {}}}",
        "images.pixel_mnist: lengths: got 50: expected squares",
    ),
    "framework of gradients": ("framework: tensorflow", "framework: jax", "gradients.framework: got 'jax': "),
    "checkpoint": ("checkpoints: [1, 3]", "checkpoints: [0, 3]", "gradients.checkpoints.0: got 0: "),
    "ablation of no cell": (
        FORGET,
        "forget-0: {of: [rnn], forget_bias: 0.0}",
        "ablations.forget-0: of 'rnn': expected one of",
    ),
    "ablation without a cell": (
        FORGET,
        "forget-0: {forget_bias: 0.0}",
        "problems.adding.ablations.forget-0.of: missing",
    ),
    "ablation that names one": (
        FORGET,
        "forget-0: {of: [lstm], cell: gru}",
        "forget-0: cell gru: expected none, `of` names",
    ),
    "ablation that cannot be": (
        FORGET,
        "forget-0: {of: [gru], forget_bias: 0.0}",
        "problems.adding: ablations.gru-forget-0: forget_bias with cell gru: no forget gate",
    ),
    "two clips": (
        FORGET,
        "x: {of: [lstm], clip_times: 2.0, clip: 1.0}",
        "clip_times 2.0 with another clip: expected one",
    ),
    "ablation of a cell that clips by nothing": (
        ADDING,
        ADDING.replace("lstm: {}", "lstm: {clip_by: nothing}") + "\n      x: {of: [lstm], clip: 1.0} #",
        "problems.adding: ablations.lstm-x: clip 1.0 with clip_by nothing: expected one of the two",
    ),
    "ablation with the name of a cell": (
        ADDING,
        ADDING.replace("lstm: {}", "lstm: {}, lstm-x: {cell: lstm}") + "\n      x: {of: [lstm], clip: 1.0} #",
        "problems.adding: ablations: lstm-x is in cells or controls as well: expected another name",
    ),
    "more seeds than there are": (
        FORGET,
        "x: {of: [lstm], seeds: 9}",
        "ablations.x.seeds: got 9: expected at most 8, as",
    ),
    "problem's seed twice": (
        ADDING,
        ADDING.replace("[0, 1,", "[1, 1,"),
        "seeds [1, 1, 2, 3, 4, 5, 6, 7]: expected each seed",
    ),
    "map of nothing": (
        MAP,
        "map: {of: irnn, learning_rates",
        "map.of: got 'irnn': expected one of vanilla, lstm, gru, vanilla-",
    ),
    "depth of a list": (
        CELLS,
        "cells: {x: {cell: [gru, gru], depth: 2}}",
        "depth 2 with a list of cells: expected one of the",
    ),
    "a key named as its kind": ("frames: 12, train", "frames: 1, train", "shapes.frames.prepare.frames: got 1: "),
    "a key beside such a one": ("side: 5", "side: 2", "shapes.frames.prepare.side: got 2: "),
    "sentences too short": ("distance: 24", "distance: 3", "problems.agreement.prepare.distance: got 3: "),
    "unknown key": ("study: quick", "study: quick\nspeed: 9", "speed: unknown key"),
    "unknown key below": ("trials: 8", "trials: 8\n  pruner: x", "tuning.pruner: unknown key"),
    "missing key": ("  round: 4\n", "", "tuning.round: missing"),
    "missing task": ("  airline:\n    prepare", "  airlines:\n    prepare", "tasks.airline: missing"),
    "not one of": ("device: auto", "device: tpu", "device: got 'tpu': "),
    "text for a number": ("trials: 8", "trials: eight", "tuning.trials: got 'eight': "),
    "number in quotes": ("trials: 8", "trials: '9'", "tuning.trials: got '9': "),
    "number for a bool": ("logarithm: true", "logarithm: 1", "tasks.airline.prepare.logarithm: got 1: "),
    "bool for a number": ("look_back: 12", "look_back: true", "tasks.airline.prepare.look_back: got True: "),
    "fraction for a count": ("trials: 8", "trials: 8.5", "tuning.trials: got 8.5: "),
    "YAML 1.1 bool": ("logarithm: true", "logarithm: yes", "tasks.airline.prepare.logarithm: got 'yes': "),
    "null": ("batch_size: 64, epochs: 30", "batch_size: null, epochs: 30", "batch_size: got None: "),
    "too few trials": ("trials: 8", "trials: 7", "tuning.trials: got 7: "),
    "zero": ("epochs: 30", "epochs: 0", "tasks.mnist_rows.training.epochs: got 0: "),
    "share above one": ("validation: 0.15, seed", "validation: 1.5, seed", "mnist_rows.prepare.validation: got 1.5: "),
    "negative seed": (SEEDS, "seeds: [0, -1]", "seeds.1: got -1: "),
    "one seed": (SEEDS, "seeds: [5]", "seeds: got [5]: "),
    "seeds not a list": (SEEDS, "seeds: 5", "seeds: got 5: "),
    "cell's dropout": (CELLS, "cells: {lstm: {dropout: 1.0}}", "mnist_rows.cells.lstm.dropout: got 1.0: "),
    "cell's impl": (CELLS, "cells: {lstm: {impl: fast}}", "mnist_rows.cells.lstm.impl: got 'fast': "),
    "cell's unknown key": (CELLS, "cells: {lstm: {unit: 3}}", "mnist_rows.cells.lstm.unit: unknown key"),
    "unknown cell": (
        CELLS,
        "cells: {rnn: {}}",
        "mnist_rows: cells.rnn: unknown cell 'rnn': expected one of vanilla, lstm, gru",
    ),
    "no cell": (CELLS, "cells: {}", "tasks.mnist_rows: expected at least one cell"),
    "both widths": (
        "parameters: 300, units: null",
        "parameters: 300, units: 8",
        "tasks.airline.network: parameters 300, units 8: expected a number for one",
    ),
    "neither width": (
        "parameters: 300",
        "parameters: null",
        "tasks.airline.network: parameters None, units None: expected",
    ),
    "interval": ("clip: {low: 0.25", "clip: {low: 9.5", "tuning.clip: low 9.5, high 8.0: expected low <= high"),
    "not a number": ("clip: {low: 0.25", "clip: {low: .nan", "tuning.clip.low: got nan: "),
    "untuned seeds": ("0.0, seeds: 5}", "0.0, seeds: 11}", "tuning.untuned.seeds: got 11: expected at most 10"),
    "untuned seeds by search": (
        "searches: 1 #",
        "searches: 2 #",
        "untuned.seeds: got 5: expected at most 10, as many for",
    ),
    "an accuracy of 1.01": ("goal: 0.99", "goal: 1.01", "temporal_order.training.goal: got 1.01: expected an accuracy"),
    "a problem's goal": ("goal: 1.0}", "goal: 2.0}", "problems.agreement.training.goal: got 2: expected an accuracy,"),
    "a choice twice": ("round: 4\n", "round: 4\n  depth: [1, 2, 1]\n", "tuning: depth: got [1, 2, 1]: expected each"),
    "one choice": ("round: 4\n", "round: 4\n  batch_size: [8]\n", "tuning.batch_size: got [8]: "),
    "no bias": ("round: 4\n", "round: 4\n  forget_bias: {low: 2, high: 30}\n", "tuning.forget_bias.high: got 30"),
    "seed twice": (SEEDS, "seeds: [0, 4, 4]", "seeds [0, 4, 4]: expected each seed once"),
    "tuning seed": ("seed: 1000", "seed: 3", "tuning.seed 3: search with 3: expected a seed not in seeds"),
    "a name that is no folder": (
        CELLS,
        'cells: {"../x": {cell: lstm}}',
        "cells.../x: got the name '../x'",
    ),
    "no layer": (CELLS, "cells: {lstm: {cell: []}}", "cells.lstm: cell []: expected the cell of each layer"),
    "unknown cell of a variant": (
        CELLS,
        "cells: {mine: {cell: rnn}}",
        "cells.mine: unknown cell 'rnn': expected one of vanilla, lstm, gru",
    ),
    "variant without a cell": (CELLS, "cells: {mine: {}}", "cells.mine: unknown cell 'mine': expected one of vanilla"),
    "native normalisation": (CELLS, "cells: {lstm: {impl: native, norm: layer}}", "impl native with norm layer: "),
    "native window": (CELLS, "cells: {gru: {impl: native, window: 5}}", "impl native with window 5: pytorch has no"),
    "native rectifier": (
        CELLS,
        "cells: {lstm: {impl: native, activation: relu}}",
        "cells.lstm: impl native with activation relu with cell lstm: pytorch has no such layer: expected equations",
    ),
    "native cell of ours": (
        CELLS,
        "cells: {ugrnn: {impl: native}}",
        "impl native with cell ugrnn: pytorch has",
    ),
    "native second bias": (
        CELLS,
        "cells: {lstm: {impl: native, defaults: pytorch}}",
        "impl native with a second bias with cell lstm: tensorflow has no such layer: expected equations",
    ),
    "forget bias without a gate": (
        CELLS,
        "cells: {gru: {forget_bias: 1.0}}",
        "forget_bias with cell gru: no forget gate",
    ),
    "both ways into the future": (
        AIRLINE,
        AIRLINE.replace("lstm: {}", "lstm: {bidirectional: true}"),
        "cells.lstm: bidirectional in a task that forecasts: expected a classification",
    ),
    "a batch of one": (
        AIRLINE,
        AIRLINE.replace("batch_size: 8", "batch_size: 1").replace("lstm: {}", "lstm: {norm: batch}"),
        "cells.lstm: norm batch with training.batch_size 1: expected at least 2",
    ),
    "a baseline that no task has": (
        "b: a season ago (seasonal naive)",
        "b: a year ago",
        "questions.airline-season: b 'a year ago': expected one of vanilla, lstm, gru, last value (persistence), a",
    ),
    "a recurrent kernel where none is": (
        CELLS,
        "cells: {mingru: {recurrent: identity}}",
        "cells.mingru: recurrent with cell mingru: no recurrent kernel: expected none",
    ),
    "clipping and not": (
        CELLS,
        "cells: {lstm: {clip: 1.0, clip_by: nothing}}",
        "clip 1.0 with clip_by nothing",
    ),
    "a name that is another cell": (CELLS, "cells: {lstm: {cell: gru}}", "cells.lstm: cell gru: expected another name"),
    "a value that is tuned": (
        CELLS,
        "cells: {lstm: {clip_by: value}}",
        "cells.lstm: clip_by value without clip: expected",
    ),
    "two depths": (
        AIRLINE,
        AIRLINE.replace("depth: 1", "depth: 3").replace("lstm: {}", "deep: {cell: [lstm, gru]}"),
        "cells.deep: 2 cells with network.depth 3: expected as many, or depth 1",
    ),
    "nothing in a list of cells": (CELLS, "cells: {lstm: {cell: [null]}}", "tasks.mnist_rows.cells.lstm.cell"),
    "no such kernel": (CELLS, "cells: {lstm: {recurrent: zeros}}", "cells.lstm.recurrent: got 'zeros': "),
    "no margin": ("margin: 0.01", "margin: 0.0", "tasks.mnist_rows.margin: got 0.0: "),
    "parity of a cell that does not run": (
        "float32: {airline: [lstm]}",
        "float32: {airline: [gnu]}",
        "parity.float32.airline: got 'gnu': expected a cell: vanilla, lstm, gru, ",
    ),
    "parity of no task": ("float32: {airline: [lstm]}", "float32: {airlines: []}", "parity.float32.airlines: unknown"),
    "value over two lines": ("device: auto", 'device: "a\\nb"', r"device: got 'a\nb': "),
    "repeated key": ("device: auto", "device: auto\ndevice: cpu", ':6: found duplicate key "device" with value "cpu"'),
    "no date": ("seed: 1000", "seed: 2020-13-45", "a value that cannot be read"),
    "open bracket": (SEEDS, "seeds: [0, 1", "expected ',' or ']'"),
    "tab": ("device: auto", "device:\n\tauto", "found character '\\t'"),
    "alias of nothing": ("trials: 8", "trials: *x", ":18: found undefined alias 'x'"),
    "a tag of Python's": ("trials: 8", "trials: !!python/name:os.system", ":18: could not determine a constructor"),
    "two documents": ("device: auto", "device: auto\n---\na: 1", "found another document"),
    "a list": (QUICK, "- 1\n- 2\n", "expected a mapping at the top, got list"),
    "nothing": (QUICK, "", "expected a mapping at the top, got NoneType"),
}


def changed(old, new):
    assert old in QUICK
    return QUICK.replace(old, new, 1)


def fault_of(path):
    """The one line that loading `path` is refused with."""
    with pytest.raises(StudyError) as caught:
        config.load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line(name, tmp_path):
    old, new, expected = FAULTS[name]
    path = tmp_path / "params.yaml"
    path.write_text(changed(old, new), encoding="utf-8")
    assert expected in fault_of(path)


UNNAMED = {
    "both widths": ("parameters: 300, units: null", "parameters: 300, units: 77", "77"),
    "interval": ("clip: {low: 0.25", "clip: {low: 9.5", "9.5"),
    "seed twice": (SEEDS, "seeds: [0, 44, 44]", "44"),
    "tuning seed": ("seed: 1000", "seed: 3", "3"),
}


@pytest.mark.parametrize("name", UNNAMED)
def test_a_fault_names_the_value(name, tmp_path):
    old, new, value = UNNAMED[name]
    (tmp_path / "params.yaml").write_text(changed(old, new), encoding="utf-8")
    assert value in fault_of(tmp_path / "params.yaml").replace("expected 0 <= low <= high", "")


IMPOSSIBLE = {
    "no training part": ("validation: 0.15, test: 0.2", "validation: 0.6, test: 0.6"),
    "logarithm of zero": ("learning_rate: {low: 0.001", "learning_rate: {low: 0"),
    "clip at zero": ("clip: {low: 0.25", "clip: {low: 0"),
    "all dropped": ("dropout: {low: 0.0, high: 0.4}", "dropout: {low: 0.0, high: 1.4}"),
    "infinite": ("clip: {low: 0.25, high: 8.0}", "clip: {low: 0.25, high: .inf}"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_work_is_refused(name, tmp_path):
    (tmp_path / "params.yaml").write_text(changed(*IMPOSSIBLE[name]), encoding="utf-8")
    fault_of(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("tasks.airline.cells", {"mlp": {"cell": [], "dense": [DENSE]}}, "cell []: expected a cell: a network without"),
        ("problems.adding.cells.mlp", {"cell": [], "dense": [DENSE]}, "cell []: expected a cell"),
        ("frontier.adding.cells.vanilla", {"dense": [DENSE]}, "dense: expected none along lengths"),
        ("questions.airline-season.claim", " ", "questions.airline-season.claim: got ' '"),
        ("parity.perturbed", 500, "parity.perturbed: got 500: expected at most 100"),
        ("tasks.airline.prepare.validation", 2, "tasks.airline.prepare.validation: got 2: expected at least 3"),
    ],
)
def test_what_only_failed_later_is_refused(place, value, fault, tmp_path):
    values = YAML(typ="safe").load(QUICK)
    *path, last = place.split(".")
    inner = values
    for key in path:
        inner = inner[key]
    inner[last] = value
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    assert any(fault in line for line in config.faults(tmp_path / "params.yaml"))


def test_a_task_may_have_dense_layers_after_its_cells(tmp_path):
    """With controls of it, and a problem with an ablation of it."""
    values = YAML(typ="safe").load(QUICK)
    values["tasks"]["airline"]["cells"]["lstm-dense"] = {"cell": "lstm", "dense": [DENSE]}
    values["tasks"]["airline"]["controls"] = {"of": ["lstm-dense"], "kinds": ["frozen"], "seeds": 2}
    values["problems"]["adding"]["cells"]["lstm-dense"] = {"cell": "lstm", "dense": [DENSE]}
    values["problems"]["adding"]["ablations"]["loose"] = {"of": ["lstm-dense"], "dense": [DENSE | {"units": 3}]}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    assert config.faults(tmp_path / "params.yaml") == []
    found = config.load(tmp_path / "params.yaml")
    (layer,) = found.tasks.airline.controlled["lstm-dense-frozen"].dense
    assert (layer.units, layer.activation) == (None, "relu")
    (layer,) = found.problems.adding.ablated["lstm-dense-loose"].dense
    assert layer.units == 3
    assert "lstm-dense" not in looked_at(found, "adding")  # an error's way back is followed through cells alone


# What no machine bears, and the reason that is given.
HUGE, LONG, MANY = "its weights and what training keeps of them take", "a batch of", "no machine gets through more"
SIZES = {
    "units": ("shapes.numbers.network.units", 10**6, HUGE),
    "units of a variant": ("tasks.airline.cells.lstm.units", 10**6, HUGE),
    "units of a dense layer": ("shapes.digits.cells.mlp.dense.0.units", 10**9, HUGE),
    "a budget": ("tasks.airline.network.parameters", 10**12, MANY),
    "tokens": ("tasks.tweets.prepare.max_tokens", 10**9, LONG),
    "steps": ("problems.adding.prepare.steps", 10**9, "sequences of 1,000,000,000 steps take"),
    "examples": ("problems.adding.prepare.train", 10**9, "sequences of 50 steps take"),
    "lengths": ("frontier.adding.gpu_lengths", [10**9], "sequences of 1,000,000,000 steps take"),
    "lengths beyond those trained": ("frontier.adding.generalise.factors", [1, 10**9], "10,000,000,000 steps take"),
    "a word's vector": ("shapes.numbers.prepare.inputs", 10**9, LONG),
    "a batch": ("frontier.adding.training.batch_size", 10**9, LONG),
    "epochs": ("tasks.airline.training.epochs", 10**30, "expected at most 10,000,000: training would not end"),
    "updates": ("frontier.adding.training.updates", 10**10, "expected at most 10,000,000: training would not end"),
    "trials": ("tuning.trials", 10**9, "expected at most 100,000: a search would not end"),
    "searches": ("tuning.searches", 10**10, MANY),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_size_that_fits_no_machine_is_refused_with_its_reason(name, tmp_path):
    key, value, reason = SIZES[name]
    path = tmp_path / "params.yaml"
    path.write_text(QUICK, encoding="utf-8")
    parameters = config.read_yaml(path)
    *way, last = key.split(".")
    place = parameters
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(parameters, file)
    first, *_ = config.faults(path)
    assert first.startswith(f"{path}: {'.'.join(key.split('.')[:2])}")
    assert reason in first


def test_rates_that_are_written_alike_are_refused(tmp_path):
    """One would be lost: runs are named by six digits."""
    (tmp_path / "params.yaml").write_text(QUICK, encoding="utf-8")
    parameters = config.read_yaml(tmp_path / "params.yaml")
    parameters["frontier"]["adding"]["rates"]["learning_rates"] = [0.01, 0.03, 0.0300000001]
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(parameters, file)
    (fault,) = config.faults(tmp_path / "params.yaml")
    assert fault.endswith("learning_rates [0.01, 0.03, 0.0300000001]: expected them to differ in six digits")


def test_a_cell_with_the_name_of_one_at_another_rate_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_text(QUICK, encoding="utf-8")
    parameters = config.read_yaml(tmp_path / "params.yaml")
    own = parameters["frontier"]["adding"]
    own["rates"]["learning_rates"] = [0.01, 1.0]
    own["cells"]["lstm-rate-1"] = {"cell": "gru"}
    with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(parameters, file)
    (line,) = config.faults(tmp_path / "params.yaml")
    assert line.endswith(
        "frontier.adding: rates: lstm-rate-1 is in cells, ablations or controls as well: expected another name"
    )


def test_memory_is_counted_as_by_hand(tmp_path, monkeypatch):
    """One LSTM layer of u units, one number in and out: 4 u (1 + u + 1) and u + 1 weights of 24 bytes each."""
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 10**6, "SC_PAGE_SIZE": 4096}.__getitem__)
    path, start = tmp_path / "params.yaml", QUICK.rindex("  airline:\n")

    def of(units):
        path.write_text(QUICK[:start] + QUICK[start:].replace("lstm: {}", f"lstm: {{units: {units}}}", 1))
        return config.faults(path)

    most = max(units for units in range(6000, 7000) if 24 * (4 * units * (units + 2) + units + 1) <= 4096 * 10**6)
    assert of(most) == []
    assert of(most + 1) == [
        f"{path}: tasks.airline: lstm: its weights and what training keeps of them take 4 GiB: expected at most the 4 "
        "GiB of this machine"
    ]


@pytest.mark.parametrize("faults", [FAULTS, UNNAMED, IMPOSSIBLE], ids=["faults", "unnamed", "impossible"])
def test_every_fault_is_told_in_lines_at_once(faults, tmp_path):
    path = tmp_path / "params.yaml"
    for old, new, *_ in faults.values():
        path.write_text(changed(old, new), encoding="utf-8")
        started = time.perf_counter()
        wrong = config.faults(path)
        assert time.perf_counter() - started < 1  # the command takes as long again to start
        assert wrong
        assert all(line.startswith(str(path)) and "\n" not in line for line in wrong)
        with pytest.raises(StudyError) as caught:
            config.load(path)
        assert str(caught.value) == wrong[0] + f" ({len(wrong) - 1} more: rnn-study check)" * (len(wrong) > 1)


def test_all_faults_are_told_at_once(tmp_path):
    text = QUICK.replace("trials: 8", "trials: 3").replace("depth: 1", "depth: 12", 1).replace("round: 4", "rund: 4")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("lstm: {}", "lstm: {clip_by: nothing, clip: 1.0}", 1), encoding="utf-8")
    told = [line.removeprefix(f"{path}: ") for line in config.faults(path)]
    assert [line.partition(":")[0] for line in told] == [
        "tuning.trials",
        "tuning.round",
        "tuning.rund",
        "tasks.mnist_rows.network.depth",
        "tasks.mnist_rows.cells.lstm",
    ]
    assert told[0].startswith("tuning.trials: got 3: expected at least 8: the first ones are drawn at random, and ")
    assert told[3] == "tasks.mnist_rows.network.depth: got 12: expected at most 8"


def test_what_one_section_says_of_another_is_told_at_once(tmp_path):
    text = QUICK.replace("seed: 1000", "seed: 8").replace(DIGITS, DIGITS.replace("a: lstm", "a: ugrnn"))
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("float32: {airline: [lstm]}", "float32: {airline: [gnu, gnat]}"), encoding="utf-8")
    told = [line.removeprefix(f"{path}: ") for line in config.faults(path)]
    of_parity = [f"parity.float32.airline: got '{cell}'" for cell in ("gnu", "gnat")]
    expected = ["tuning.seed 8: search with 8", *of_parity, "questions.digits-lstm: a 'ugrnn'"]
    assert [line for line, start in zip(told, expected, strict=True) if not line.startswith(start)] == []


def test_a_cell_taken_out_of_a_task_is_taken_out_of_parity(tmp_path):
    found = config.load(ROOT / "studies" / "quick.yaml")
    assert found.held("float32", "airline") == ("lstm",)
    path, start = tmp_path / "params.yaml", QUICK.rindex("  airline:\n")
    text = QUICK[:start] + QUICK[start:].replace("lstm: {}, ", "", 1)
    questions = text.index("\nquestions:")
    path.write_text(text[:questions] + "\nquestions: {}\n", encoding="utf-8")
    found = config.load(path)
    assert found.task("airline").kinds == ("vanilla", "gru")
    assert found.held("float32", "airline") == ()
    assert found.held("defaults", "tweets") == ()


def test_the_command_tells_every_fault_and_changes_nothing(tmp_path):
    path = tmp_path / "params.yaml"

    def check(text):
        path.write_text(text, encoding="utf-8")
        command = [Path(sys.executable).with_name("rnn-study"), "check"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]
        assert path.read_text() == text
        return done.returncode, done.stdout, done.stderr

    assert check(QUICK) == (0, "params.yaml: the quick study can run\n", "")
    code, out, err = check(QUICK.replace("trials: 8", "trials: 3").replace("round: 4", "round: no"))
    assert (code, out) == (1, "")
    first, second = err.splitlines()
    assert first.startswith("error: params.yaml: tuning.trials: got 3: expected at least 8: ")
    assert second == "error: params.yaml: tuning.round: got 'no': expected a valid integer"


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    path = tmp_path / "params.yaml"
    assert fault_of(path) == ": not found: expected a YAML file here"
    path.write_bytes(QUICK.encode()[:40] + b"\xff\xfe")
    assert fault_of(path) == ": byte 40: expected UTF-8 text"


@pytest.mark.parametrize(
    "content",
    [changed("trials: 8", "trials: eight"), changed("  round: 4\n", ""), changed(SEEDS, "seeds: [0"), None],
    ids=["value", "missing", "syntax", "no file"],
)
def test_a_stage_ends_with_one_line_and_writes_nothing(content, tmp_path):
    if content is not None:
        (tmp_path / "params.yaml").write_text(content, encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, ROOT / "pipelines" / "fetch.py", "mnist"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "DVC_STAGE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: params.yaml")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_stage_with_good_parameters_writes_its_data(tmp_path):
    (tmp_path / "params.yaml").write_text(QUICK, encoding="utf-8")
    command = [sys.executable, ROOT / "pipelines" / "fetch.py", "airline"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "data" / "raw" / "airline" / "provenance.json").is_file()


def test_systems_are_trained_in_both_frameworks(tmp_path):
    """Each has a stage, and a stage without work leaves nothing for the next one."""
    path = tmp_path / "params.yaml"
    start, end = QUICK.index("\nshapes:"), QUICK.index("\nquestions:")
    path.write_text(QUICK[:start] + "\nshapes: {}\n" + QUICK[end:], encoding="utf-8")
    assert config.faults(path) == [f"{path}: shapes: got {{}}: expected 1 entry at least"]
    own = re.sub(r"    seeds: {[^}]*}", "    seeds: {pytorch: [0]}", QUICK[start:end])
    path.write_text(QUICK[:start] + own + QUICK[end:], encoding="utf-8")
    told = "no seeds for tensorflow in any system: expected some, its stage has no other work"
    assert config.faults(path) == [f"{path}: shapes: {told}"]
