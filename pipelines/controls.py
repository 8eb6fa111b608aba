"""controls: the tasks' cells without credit through time, into runs/controls/, what became of them into
metrics/controls.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.long_range import controls
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import experiments
from rnn_study.running.execution import start
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import write_json


def main() -> None:
    parameters = config.load()
    backend = parameters.gradients.framework
    with start(parameters, backend, "controls") as executor:
        tasks = {name: load_task(prepared_file(name)) for name, task in parameters.tasks if task.controls}
        specs = [spec for task in tasks.values() for spec in experiments.controls(parameters, task)]
        with Tracker("controls", backend, {name: data_tags(name) for name in tasks}) as tracker:
            finished = tracker.follow(executor, specs, "controls")
    controls.FOLDER.mkdir(parents=True, exist_ok=True)
    store.publish_all(finished, controls.FOLDER)
    tables = {name: controls.table(task, finished) for name, task in tasks.items()}
    write_json(Path("metrics/controls.json"), {"framework": backend, "tasks": tables})


if __name__ == "__main__":
    stage.run(main)
