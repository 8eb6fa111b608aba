"""baseline@<task>: the scores of the naive rules and linear models into metrics/baselines/<task>.json."""

from pathlib import Path

from rnn_study import baselines, stage, task
from rnn_study.files import write_json


def main(name: str) -> None:
    scores = baselines.scores(task.load(task.prepared_file(name)))
    write_json(Path("metrics/baselines") / f"{name}.json", scores)


if __name__ == "__main__":
    stage.run(main)
