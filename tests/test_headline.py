"""The small files that DVC's own commands show, and the notes in MLflow."""

import csv
import json
from types import SimpleNamespace

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from rnn_study.reports.front import notes
from rnn_study.running.experiments import TUNES
from rnn_study.statistics import headline


def test_figures_are_scores_by_cell_and_reach_by_problem():
    def task(**means):
        return {"cells": {cell: {"test": {"mean": mean}} for cell, mean in means.items()}}

    summary = {"tasks": {"tweets": task(lstm=0.75, gru=0.5), "airline": task(lstm=20.0)}}
    row = {"problem": "adding", "axis": "budget", "variant": "lstm", "length": 40.0}
    others = [
        row | {"axis": "width", "length": 99.0},
        row | {"variant": "lstm-frozen"},
        row | {"variant": "gru", "length": 10.0},
    ]
    assert headline.figures(summary, {"frontiers": [row, *others]}) == {
        "tweets": {"lstm": 0.75, "gru": 0.5},
        "airline": {"lstm": 20.0},
        "adding_reach": {"lstm": 40.0, "gru": 10.0},
    }


def test_curves_are_means_over_the_seeds_that_came_so_far(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scores = {("lstm", 0): [1.0, 2.0, 6.0], ("lstm", 1): [3.0, 4.0], ("gru", 0): [5.0], ("gru", 1): [7.0]}
    for (cell, seed), own in scores.items():
        folder = tmp_path / f"runs/tweets-{TUNES}/{cell}/seed-{seed}"
        folder.mkdir(parents=True)
        rows = "".join(f"{epoch},{score}\n" for epoch, score in enumerate(own, 1))
        (folder / "history.csv").write_text(f"epoch,validation_score\n{rows}")
    config = SimpleNamespace(task={"tweets": SimpleNamespace(cells=["lstm", "gru"])}.get, seeds=[0, 1])
    found = list(headline.curves(config, "tweets"))
    assert found == [
        {"epoch": 1, "lstm": 2.0, "gru": 6.0},
        {"epoch": 2, "lstm": 3.0, "gru": None},
        {"epoch": 3, "lstm": 6.0, "gru": None},
    ]
    headline.write(iter(found), tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_bytes() == b"epoch,lstm,gru\n1,2.0,6.0\n2,3.0,\n3,6.0,\n"
    headline.write(found[:1], tmp_path / "curves.csv")
    assert (tmp_path / "curves.csv").read_bytes() == b"epoch,lstm,gru\n1,2.0,6.0\n"


def test_what_is_solved_is_a_share_of_seeds_by_length():
    runs = [("budget", "lstm", 5, True), ("budget", "lstm", 5, False), ("width", "lstm", 5, True)]
    runs += [("budget", "lstm", 10, False), ("budget", "gru", 5, True), ("rate", "gru-rate-0.1", 10, True)]
    rows = [dict(zip(("axis", "variant", "steps", "solved"), run, strict=True)) for run in runs]
    found = list(headline.solved({"tried": [5, 10], "cells": ["lstm", "gru"], "runs": rows}))
    assert found == [{"steps": 5, "lstm": 0.5, "gru": 1.0}, {"steps": 10, "lstm": 0.0, "gru": None}]


def test_what_dvc_shows_is_there_in_the_committed_study():
    graph = YAML(typ="safe").load(ROOT / "dvc.yaml")
    assert graph["params"] == ["params.yaml"]
    (metrics,) = graph["metrics"]
    told = json.loads((ROOT / metrics).read_text())
    summary = json.loads((ROOT / "metrics/summary.json").read_text())["tasks"]
    for name, task in summary.items():
        assert told[name] == {cell: means["test"]["mean"] for cell, means in task["cells"].items()}
    assert len(graph["plots"]) == 4
    for plot in graph["plots"]:
        ((_, about),) = plot.items()
        ((file, columns),) = about["y"].items()
        with (ROOT / file).open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert len(rows) > 2
        assert {about["x"], *columns} <= rows[0].keys()


def test_an_experiment_says_what_it_is_what_was_found_and_where_to_read_on():
    row = {"of": "tweets", "claim": "An LSTM beats a GRU", "verdict": "holds", "seeds": 9, "otherwise": 0.02}
    row |= {"value": 0.03, "low": 0.01, "high": 0.05, "measure": "score", "unit": "accuracy", "part": "test"}
    study = SimpleNamespace(
        shape_cards={"spelled": {}},
        walked=["adding"],
        gradients={"figures": [{"task": "adding"}, {"task": "tweets"}, {"task": "adding"}]},
        tasks={"tweets": {}},
        verdicts=[row],
        shape_source=lambda name: f"data: the shape {name}",
        drawn=lambda name: "data: generated",
        source=lambda name: f"data: the card of {name}",
    )
    found = notes.notes(study)
    assert found.keys() == {"spelled", "adding", "tweets"}
    assert found["tweets"] == (
        "**Tweets**: a task, tuned and trained in both frameworks; data: the card of tweets.\n\n"
        "What was found:\n\n"
        "- “An LSTM beats a GRU”, Tweets: it holds, +3.0 points (+1.0 to +5.0), 9 seeds; fresh seeds would say "
        "otherwise with a chance of 2 %.\n\n"
        "More: `reports/comparison.html` in the project's folder."
    )
    assert all("What was found" not in found[name] for name in ("adding", "spelled"))  # of them nothing was asked
    assert found["adding"].startswith("**Adding problem**: a generated problem, and a length frontier; ")
    assert found["spelled"].endswith("More: `reports/sequence_shapes.html` in the project's folder.")


@pytest.mark.parametrize("cells", [("lstm", "gru"), ("gru",)])
def test_cells_of_one_task_alone_reach_too(cells):
    summary = {"tasks": {"tweets": {"cells": {cell: {"test": {"mean": 1.0}} for cell in cells}}}}
    rows = [{"problem": "menu", "axis": "budget", "variant": cell, "length": 3.0} for cell in ("lstm", "gru")]
    assert headline.figures(summary, {"frontiers": rows})["menu_reach"] == dict.fromkeys(cells, 3.0)
