"""The page to play with, of a whole study: its runs, whatever cells, seeds and sizes it has."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import browser_needed, needs, requested
from test_explore import asked, choose, show

from rnn_study.data.prepared import load_task
from rnn_study.model.cells import CELLS
from rnn_study.model.network import shapes
from rnn_study.reports.explore.content import KNOWN, SEEDS, moments, plain
from rnn_study.reports.study import Study
from rnn_study.running.run import results

pytestmark = needs("dvc", "mlflow", "optuna", "papermill", "torch", "tensorflow", "selenium")


@browser_needed
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_a_study(study, browser, width):
    page = study.folder / "reports/explore.html"
    show(browser, page, width)
    data = json.loads(browser.execute_script("return document.getElementById('data').textContent"))
    assert [problem["name"] for problem in data["problems"]] == ["adding", "agreement"]
    for problem in data["problems"]:
        assert [cell["name"] for cell in problem["cells"]] == ["vanilla", "lstm", "ugrnn"]
        for cell in problem["cells"]:
            assert [one["seed"] for one in cell["seeds"]] == [0, 1][:SEEDS]
            for one in cell["seeds"]:
                assert {"initial", "epoch 1", "trained"} == {moment["name"] for moment in one["moments"]}
                assert one["curve"][0][0] == 0
        choose(browser, "problem", problem["name"])
        assert browser.execute_script("return document.querySelectorAll('#error .line').length") == 4
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.get_log("browser") == []
    assert requested(browser) == {page.as_uri()}
    assert page.stat().st_size < 2_000_000


@browser_needed
def test_the_page_of_a_study_computes_with_its_weights(study, browser):
    """The prediction that the run wrote down for the first test sequence."""
    show(browser, study.folder / "reports/explore.html")
    for problem in ("adding", "agreement"):
        task = load_task(study.folder / f"data/prepared/{problem}.npz")
        part = task.tests["test"]
        length = None if part.mask is None else int(part.mask[0].sum())
        y = part.y[0].tolist()
        for cell in ("vanilla", "lstm", "ugrnn"):
            folder = results.run_folder(study.folder / "runs", problem, "pytorch", cell, 1)
            found = asked(browser, problem, cell, 1, "trained", part.x[0][:length].tolist(), y)
            np.testing.assert_allclose(found["outputs"], results.read_predictions(folder)["test"][0], atol=1e-5)


def test_a_network_of_a_study_that_the_page_would_not_compute_is_left_out(study):
    """A variant may have options that its weights do not show: then its profile is another than the page's."""
    whole = Study(study.folder)
    task = whole.prepared("adding")
    network = plain(task, "lstm", whole.ablation("adding")["cells"]["lstm"]["units"][0])
    found = moments(whole, task, network, 1)
    assert set(found) == {"initial", "epoch 1", "trained"}
    assert all(tree.keys() == shapes(network).keys() for _, tree in found.values())
    whole.profiles("adding")["lstm"]["trained"]["flow"][1] += 0.1
    assert set(moments(whole, task, network, 1)) == {"initial", "epoch 1"}
    assert moments(whole, task, replace(network, activation="relu"), 1) == {}


def test_the_page_knows_cells_of_the_study_alone():
    assert set(KNOWN) <= set(CELLS)
