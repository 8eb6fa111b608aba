"""Which transformation of the airline series to train on: validation RMSE of every combination, no test data read.

Run in the project's folder after `dvc repro prepare`: python benchmarks/airline_options.py > docs/airline-options.md
"""

import os
import tempfile
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from rnn_study import config
from rnn_study.data.prepared import save_task
from rnn_study.data.tasks import airline
from rnn_study.running import experiments
from rnn_study.running.execution.local import Local
from rnn_study.running.run import results

SETTINGS = {"learning_rate": 0.005, "clip": 1.0, "dropout": 0.0}  # one setting for all: this compares inputs
SEEDS = range(5)
OPTIONS = ("logarithm", "first_difference", "seasonal_difference")


def main() -> None:
    parameters = config.load()
    raw = Path("data/raw").resolve()
    cells = list(parameters.task("airline").cells)
    specs, places = [], {}
    os.chdir(tempfile.mkdtemp())  # a run store of its own
    for choice in product((False, True), repeat=len(OPTIONS)):
        params = parameters.task("airline").prepare.model_copy(update=dict(zip(OPTIONS, choice, strict=True)))
        prepared, _ = airline.prepare(raw, params)
        path = Path("-".join(map(str, choice)) + ".npz")
        save_task(prepared, path)
        for cell, seed in product(cells, SEEDS):
            spec = experiments.spec(parameters, prepared, cell, "pytorch", SETTINGS, seed)
            specs.append(replace(spec, data=str(path), tests=False))
            places[specs[-1]] = (choice, cell)
    scores: dict[tuple, list[float]] = {}
    with Local("pytorch", "airline-options", "cpu") as executor:
        for spec, run in zip(specs, executor.run(specs), strict=True):
            scores.setdefault(places[spec], []).append(results.read_summary(run.folder)["scores"]["validation"])
    print("# Options of the airline series\n")
    print(
        f"Mean RMSE in thousand passengers over {len(SEEDS)} seeds on the validation part (PyTorch, one setting for "
        "all, look-back and width of params.yaml). The test part was not read.\n"
    )
    print("| " + " | ".join([option.replace("_", " ") for option in OPTIONS] + cells) + " |")
    print("|" + "---|" * (len(OPTIONS) + len(cells)))
    for choice in product((False, True), repeat=len(OPTIONS)):
        row = ["yes" if chosen else "no" for chosen in choice]
        print("| " + " | ".join(row + [f"{np.mean(scores[choice, cell]):.2f}" for cell in cells]) + " |")


if __name__ == "__main__":
    main()
