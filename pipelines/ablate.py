"""ablate: the generated problems' cells, their ablations and maps into runs/<problem>-<backend>/, their digests into
data/digests/, what became of them into metrics/ablate/<problem>.json."""

from functools import partial
from pathlib import Path

from rnn_study import config
from rnn_study.data.data_card import read_card
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import runs_table
from rnn_study.running.execution import start
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import write_json


def main() -> None:
    parameters = config.load()
    framework = parameters.gradients.framework
    with start(parameters, framework, "ablate") as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.behaviour.gradients import ablations

        prepared = {name: load_task(prepared_file(name)) for name in type(parameters.problems).model_fields}
        tables = {}
        with Tracker("ablate", framework, {name: data_tags(name) for name in prepared}) as tracker:
            runs = ablations.train(parameters, prepared.values(), partial(tracker.follow, executor))
            for name, own in runs.items():
                store.publish_all(own, Path("runs"))
                about = read_card(Path(f"metrics/data/{name}.json"))
                tables[name] = ablations.table(parameters, prepared[name], about, own)
                tracker.summarise(own, tables)
    runs_table.write_digests([Path(f"runs/{name}-{framework}") for name in tables], Path("data/digests/ablate.sha256"))
    for name, table in tables.items():
        write_json(Path(f"metrics/ablate/{name}.json"), table)


if __name__ == "__main__":
    stage.run(main)
