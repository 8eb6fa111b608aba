"""train@<backend>: every cell and seed into runs/<task>-<backend>/, their scores into metrics/train/; of all tasks, or
of those named."""

from pathlib import Path
from typing import Annotated

import typer

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import experiments
from rnn_study.running.executor import Executor
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json


def main(backend: str, names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    parameters = config.load()
    with Executor(backend, "-".join(["train", backend, *(names or [])]), parameters.device) as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.statistics import summary

        for name in names or type(parameters.tasks).model_fields:
            prepared = load_task(prepared_file(name))
            tuned = experiments.read_tuned(name, list(parameters.task(name).cells))
            specs = experiments.grid(parameters, prepared, backend, tuned)
            with Tracker(name, "train", backend, data_tags(name)) as tracker:
                finished = tracker.follow(executor.stream(specs), specs, f"train {name}-{backend}")
                store.publish_all(finished, Path("runs"))
                card, baselines = (read_json(Path(f"metrics/{kind}/{name}.json")) for kind in ("data", "baselines"))
                metrics = summary.training(prepared, card, baselines, finished)
                tracker.summarise(finished, metrics)
            write_json(Path(f"metrics/train/{name}-{backend}.json"), metrics)


if __name__ == "__main__":
    stage.run(main)
