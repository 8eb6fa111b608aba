"""ablate: the generated problems' cells, their ablations and maps into runs/<problem>-<backend>/, what became of them
into metrics/ablate/<problem>.json."""

from pathlib import Path

from rnn_study import config, experiments, results, run_store, stage, task
from rnn_study.events import in_order
from rnn_study.executor import Executor
from rnn_study.files import read_json, write_json
from rnn_study.gradients import ablations
from rnn_study.progress import watch
from rnn_study.tracking import Tracker, data_tags


def main() -> None:
    parameters = config.load()
    framework = parameters.gradients.framework
    with Executor(framework, "ablate", parameters.device) as executor:
        for name in type(parameters.problems).model_fields:
            prepared, card = task.load(task.prepared_file(name)), read_json(Path(f"metrics/data/{name}.json"))
            with Tracker(name, "ablate", framework, data_tags(name)) as tracker:
                finished, norms = [], None
                for part in ("cells", "ablations"):
                    specs, events = experiments.problem(parameters, prepared, norms), []
                    for event in watch(executor.stream(specs), f"ablate {name}: {part}", len(specs)):
                        tracker.log(event)
                        events.append(event)
                    finished += in_order(specs, events)
                    norms = norms or ablations.mean_norms(finished)
                for run in finished:
                    target = results.run_folder(Path("runs"), name, framework, run.spec.variant, run.spec.seed)
                    run_store.publish(run.folder, target)
                metrics = ablations.table(parameters, prepared, card, finished)
                tracker.summarise(finished, metrics)
            write_json(Path(f"metrics/ablate/{name}.json"), metrics)


if __name__ == "__main__":
    stage.run(main)
