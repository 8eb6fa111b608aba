"""train@<backend>: every cell and seed into runs/<task>-<backend>/, their digests into data/digests/, their scores into
metrics/train/; of all tasks, or of those named."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import experiments, runs_table
from rnn_study.running.execution import start
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import write_json


def main(backend: str, names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    parameters = config.load()
    with start(parameters, backend, "-".join(["train", backend, *(names or [])])) as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.statistics import summary

        prepared = {name: load_task(prepared_file(name)) for name in names or type(parameters.tasks).model_fields}
        specs = [spec for task in prepared.values() for spec in experiments.grid(parameters, task, backend)]
        with Tracker("train", backend, {name: data_tags(name) for name in prepared}) as tracker:
            # All tasks in one list: no core waits at the end of each.
            finished = tracker.follow(executor, specs, f"train {backend}")
            store.publish_all(finished, Path("runs"))
            tables = summary.trained(parameters, prepared, finished)
            tracker.summarise(finished, tables)
    folders = [Path(f"runs/{name}-{backend}") for name in type(parameters.tasks).model_fields]
    runs_table.write_digests(folders, Path(f"data/digests/train-{backend}.sha256"))
    for name, table in tables.items():
        write_json(Path(f"metrics/train/{name}-{backend}.json"), table)


if __name__ == "__main__":
    stage.run(main)
