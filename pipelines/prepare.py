"""prepare@<task>, generate@<problem>: data into data/prepared/<task>.npz, its card into metrics/data/<task>.json, what
a result must beat into metrics/baselines/<task>.json (a generated problem's card says what chance reaches)."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.data_card import card
from rnn_study.data.prepared import prepared_file, save_task
from rnn_study.data.tasks import TASKS
from rnn_study.support import stage
from rnn_study.support.files import write_json

RAW, METRICS = Path("data/raw"), Path("metrics")


def main(name: str) -> None:
    parameters = config.load()
    params = parameters.task(name)
    prepared, details = TASKS[name].prepare(RAW, params.prepare)
    save_task(prepared, prepared_file(name))
    write_json(METRICS / "data" / f"{name}.json", card(prepared, details, TASKS[name].SOURCES, RAW))
    if name in type(parameters.tasks).model_fields:
        from rnn_study.data import baselines, baselines_file  # a second to import, and only needed here

        found = baselines.marks(prepared)
        baselines_file.write(name, found)
        write_json(METRICS / "baselines" / f"{name}.json", baselines.scores(prepared, found))


if __name__ == "__main__":
    stage.run(main)
