"""parity: every check into metrics/parity.json, the trainings' curves and the worked cases into runs/parity/."""

from pathlib import Path

from rnn_study import config, parity, progress, stage, task, worked
from rnn_study.backends import BACKENDS
from rnn_study.files import write_arrays, write_json, write_rows
from rnn_study.trainings import SETTINGS, training
from rnn_study.workers import Workers

RUNS = Path("runs")
SINGLE = "airline"  # trained in float32 too


def main() -> None:
    parameters = config.load()
    tasks = [task.load(task.prepared_file(name)) for name in type(parameters.tasks).model_fields]
    with Workers(BACKENDS[0], "parity", 1) as first, Workers(BACKENDS[1], "parity") as second:
        checks = parity.Parity({BACKENDS[0]: first, BACKENDS[1]: second})
        for one in tasks:
            for dtype in ("float64", "float32") if one.name == SINGLE else ("float64",):
                checks.trainings(training(one, cell, dtype) for cell in parameters.task(one.name).cells)
        checks.layers(parity.options())
        checks.worked()
        checks.updates()
        for one in tasks:
            checks.transfers(parity.trained(parameters, one, RUNS))
        progress.count(checks.finish(), "parity")
    write_rows(Path("metrics/parity.json"), checks.rows)
    curves = {"/".join((*key, name)): a for key, found in checks.curves.items() for name, a in vars(found).items()}
    write_arrays(RUNS / "parity" / "curves.npz", curves)
    write_json(RUNS / "parity" / "worked.json", worked.figures())
    write_json(RUNS / "parity" / "settings.json", SETTINGS)


if __name__ == "__main__":
    stage.run(main)
