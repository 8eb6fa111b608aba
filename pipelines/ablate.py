"""ablate: the generated problems' cells, their ablations and maps into runs/<problem>-<backend>/, what became of them
into metrics/ablate/<problem>.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running import experiments
from rnn_study.running.executor import Executor
from rnn_study.running.run import store
from rnn_study.running.tracking import Tracker, data_tags
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json


def main() -> None:
    parameters = config.load()
    framework = parameters.gradients.framework
    with Executor(framework, "ablate", parameters.device) as executor:
        # Here, for it takes a while, in which the workers import their framework.
        from rnn_study.behaviour.gradients import ablations

        for name in type(parameters.problems).model_fields:
            prepared, card = load_task(prepared_file(name)), read_json(Path(f"metrics/data/{name}.json"))
            with Tracker(name, "ablate", framework, data_tags(name)) as tracker:
                finished, norms = [], None
                for part in ("cells", "ablations"):
                    specs = experiments.problem(parameters, prepared, norms)
                    finished += tracker.follow(executor.stream(specs), specs, f"ablate {name}: {part}")
                    norms = norms or ablations.mean_norms(finished)
                store.publish_all(finished, Path("runs"))
                metrics = ablations.table(parameters, prepared, card, finished)
                tracker.summarise(finished, metrics)
            write_json(Path(f"metrics/ablate/{name}.json"), metrics)


if __name__ == "__main__":
    stage.run(main)
