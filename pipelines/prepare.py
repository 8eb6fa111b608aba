"""prepare@<task>: raw data into data/prepared/<task>.npz and the data card metrics/data/<task>.json."""

from pathlib import Path

from rnn_study import config, stage, task
from rnn_study.files import write_json
from rnn_study.tasks import TASKS
from rnn_study.tasks.card import card

RAW = Path("data/raw")


def main(name: str) -> None:
    prepared, details = TASKS[name].prepare(RAW, config.load().task(name).prepare)
    task.save(prepared, task.prepared_file(name))
    write_json(Path("metrics/data") / f"{name}.json", card(prepared, details, TASKS[name].SOURCES, RAW))


if __name__ == "__main__":
    stage.run(main)
