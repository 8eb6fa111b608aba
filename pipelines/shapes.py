"""shapes@<backend>: every system of params.yaml's shapes that this framework trains into runs/shapes-<backend>/, their
scores into metrics/shapes/<backend>.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.prepared import load_task
from rnn_study.running import experiments
from rnn_study.running.executor import Executor
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, card_tags
from rnn_study.support import stage
from rnn_study.support.files import read_json

CARDS = Path("metrics/shapes/data.json")


def main(backend: str) -> None:
    parameters = config.load()
    files = {name: Path(f"data/shapes/{name}.npz") for name in parameters.shapes}
    with Executor(backend, f"shapes-{backend}", parameters.device) as executor:
        tasks = {name: load_task(path) for name, path in files.items()}
        specs = [
            spec for name, task in tasks.items() for spec in experiments.shape(parameters, task, files[name], backend)
        ]
        with Tracker("shapes", backend, {name: card_tags(card) for name, card in read_json(CARDS).items()}) as tracker:
            finished = tracker.follow(executor, specs, f"shapes {backend}")
            store.publish_all(finished, Path(f"runs/shapes-{backend}"))


if __name__ == "__main__":
    stage.run(main)
