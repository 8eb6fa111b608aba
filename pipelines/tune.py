"""tune: each cell's settings into tuned/<task>.yaml, every trial into runs/tune-<task>/trials.json; of all tasks and of
the systems of shapes that ask for it, or of those named."""

from typing import Annotated

import typer

from rnn_study import config
from rnn_study.data.prepared import load_task
from rnn_study.running import experiments, settings
from rnn_study.running.execution import start
from rnn_study.running.execution.watch import watch
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import write_json


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    parameters, backend = config.load(), experiments.TUNES
    with start(parameters, backend, "-".join(["tune", *(names or [])])) as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.running import tuning

        for name in names or parameters.tuned:
            prepared = load_task(experiments.data_file(parameters, name))
            total = len(parameters.task(name).cells) * parameters.tuning.searches * parameters.tuning.trials
            with Tracker("tune", backend, {name: data_tags(name)}) as tracker:
                for event in watch(tuning.tune(parameters, prepared, executor), f"tune {name}", total):
                    tracker.log(event)
            table = tuning.trials(parameters, prepared)
            write_json(tuning.folder(name) / "trials.json", table)
            settings.write_tuned(name, tuning.best(parameters, prepared, table))


if __name__ == "__main__":
    stage.run(main)
