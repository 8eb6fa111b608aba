"""shapes@<backend>: every system of params.yaml's shapes that this framework trains into runs/shapes-<backend>/."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.prepared import load_task
from rnn_study.running import experiments
from rnn_study.running.execution import start
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage


def main(backend: str) -> None:
    parameters = config.load()
    with start(parameters, backend, f"shapes-{backend}") as executor:
        tasks = [load_task(experiments.data_file(parameters, name)) for name in parameters.shapes]
        specs = [spec for task in tasks for spec in experiments.shape(parameters, task, backend)]
        with Tracker("shapes", backend, {name: data_tags(name) for name in parameters.shapes}) as tracker:
            finished = tracker.follow(executor, specs, f"shapes {backend}")
            store.publish_all(finished, Path(f"runs/shapes-{backend}"))


if __name__ == "__main__":
    stage.run(main)
