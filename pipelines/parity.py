"""parity: every check into metrics/parity.json, the trainings' curves and the worked cases into runs/parity/."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.parity import checks, problems
from rnn_study.behaviour.parity.run import Parity
from rnn_study.behaviour.parity.trainings import SETTINGS, training
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.model.backend import BACKENDS
from rnn_study.running.execution.workers import Workers
from rnn_study.support import progress, stage


def main() -> None:
    parameters = config.load()
    short = parameters.parity
    tasks = [load_task(prepared_file(name)) for name in type(parameters.tasks).model_fields]
    with Workers(BACKENDS[0], "parity", 1) as first, Workers(BACKENDS[1], "parity", fork=True) as second:
        parity = Parity({BACKENDS[0]: first, BACKENDS[1]: second}, keep=True)
        for one in tasks:
            cells = {"float64": parameters.task(one.name).kinds, "float32": parameters.held("float32", one.name)}
            for dtype, chosen in cells.items():
                parity.trainings(training(one, cell, dtype, short.updates, short.perturbed) for cell in chosen)
            chosen = parameters.held("defaults", one.name)
            parity.defaults(training(one, cell, "float64", short.updates, short.perturbed) for cell in chosen)
        parity.layers(problems.options(parameters.kinds))
        parity.knobs()
        parity.worked()
        parity.updates()
        for one in tasks:
            parity.transfers(checks.trained(parameters, one, Path("runs")))
        progress.count(parity.finish(), "parity")
    settings = {"updates": short.updates, "perturbed": short.perturbed, **SETTINGS}
    parity.write(Path("metrics/parity.json"), Path("runs/parity"), settings)


if __name__ == "__main__":
    stage.run(main)
