"""train@<task>-<backend>: every cell and seed into runs/<task>-<backend>/, their scores into metrics/train/."""

from pathlib import Path

from rnn_study import config, experiments, run_store, stage, summary, task
from rnn_study.executor import Executor
from rnn_study.files import read_json, write_json
from rnn_study.tracking import Tracker, data_tags


def main(name: str, backend: str) -> None:
    parameters = config.load()
    prepared = task.load(task.prepared_file(name))
    card = read_json(Path(f"metrics/data/{name}.json"))
    baselines = read_json(Path(f"metrics/baselines/{name}.json"))
    tuned = experiments.read_tuned(name, list(parameters.task(name).cells))
    specs = experiments.grid(parameters, prepared, backend, tuned)
    title = f"{name}-{backend}"
    with (
        Executor(backend, f"train-{title}", parameters.device) as executor,
        Tracker(name, "train", backend, data_tags(name)) as tracker,
    ):
        finished = tracker.follow(executor.stream(specs), specs, f"train {title}")
        run_store.publish_all(finished, Path("runs"))
        metrics = summary.training(prepared, card, baselines, finished)
        tracker.summarise(finished, metrics)
    write_json(Path(f"metrics/train/{title}.json"), metrics)


if __name__ == "__main__":
    stage.run(main)
