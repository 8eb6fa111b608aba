"""untuned: the tasks' cells untuned, into runs/untuned/, and what their searches for settings changed, into
metrics/tuning.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import experiments
from rnn_study.running.execution import start
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json


def main() -> None:
    parameters, backend = config.load(), experiments.TUNES
    with start(parameters, backend, "untuned") as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.running import tuning
        from rnn_study.statistics import searches

        tasks = {name: load_task(prepared_file(name)) for name in type(parameters.tasks).model_fields}
        specs = [spec for task in tasks.values() for spec in experiments.untuned(parameters, task)]
        with Tracker("untuned", backend, {name: data_tags(name) for name in tasks}) as tracker:
            finished = tracker.follow(executor, specs, "untuned")
    folder = Path("runs/untuned")
    folder.mkdir(parents=True, exist_ok=True)
    store.publish_all(finished, folder)
    found = {
        name: tuning.summary(parameters, task, read_json(tuning.folder(name) / "trials.json"))
        for name, task in tasks.items()
    }
    tables = {name: searches.table(parameters, task, found[name], finished) for name, task in tasks.items()}
    head = {"framework": backend, "untuned": parameters.tuning.untuned.model_dump(), "needed": tuning.ENOUGH}
    write_json(Path("metrics/tuning.json"), head | {"tasks": tables})


if __name__ == "__main__":
    stage.run(main)
