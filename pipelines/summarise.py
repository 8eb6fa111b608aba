"""summarise: what the runs of both frameworks make of every test example, compared, into metrics/summary.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.data_card import read_card
from rnn_study.model.backend import BACKENDS
from rnn_study.statistics import marks, summary
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json

METRICS = Path("metrics")


def main() -> None:
    parameters = config.load()
    tasks = {}
    for name in type(parameters.tasks).model_fields:
        stages = [read_json(METRICS / "train" / f"{name}-{backend}.json") for backend in BACKENDS]
        card, margin = read_card(METRICS / "data" / f"{name}.json"), parameters.task(name).margin
        tasks[name] = summary.task_summary(marks.of_task(parameters, name), card, stages, margin)
    write_json(
        METRICS / "summary.json", {"study": parameters.study, "searches": parameters.tuning.searches, "tasks": tasks}
    )


if __name__ == "__main__":
    stage.run(main)
