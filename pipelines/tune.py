"""tune@<task>: each cell's settings into tuned/<task>.yaml, every trial into runs/tune-<task>/trials.json."""

from pathlib import Path

from rnn_study import config, experiments, stage, task, tuning
from rnn_study.executor import Executor
from rnn_study.files import write_json
from rnn_study.progress import watch
from rnn_study.tracking import Tracker, data_tags


def main(name: str) -> None:
    parameters = config.load()
    prepared = task.load(task.prepared_file(name))
    total = len(parameters.task(name).cells) * parameters.tuning.trials
    with Executor(tuning.BACKEND, f"tune-{name}", parameters.device) as executor:
        with Tracker(name, "tune", tuning.BACKEND, data_tags(name)) as tracker:
            for event in watch(tuning.tune(parameters, prepared, executor), f"tune {name}", total):
                tracker.log(event)
        table = tuning.trials(parameters, prepared)
    write_json(Path("runs") / f"tune-{name}" / "trials.json", table)
    experiments.write_tuned(name, tuning.best(parameters, prepared, table))


if __name__ == "__main__":
    stage.run(main)
