"""frontier@<problem>: every cell at every length, as far as it gets, into runs/frontier-<problem>/, what became of it
into metrics/frontier/<problem>.json."""

from pathlib import Path

from rnn_study import config, stage
from rnn_study.executor import Executor
from rnn_study.files import write_tables
from rnn_study.long_range import card, walk
from rnn_study.tracking import Tracker


def main(name: str) -> None:
    parameters = config.load()
    params = parameters.frontiers[name]
    about = card.card(params, name)
    with (
        Executor(params.framework, f"frontier-{name}", parameters.device) as executor,
        Tracker(name, "frontier", params.framework, card.tags(about)) as tracker,
    ):

        def follow(specs, title):
            return tracker.follow(executor.stream(specs), specs, title)

        lengths = [*params.lengths, *(params.gpu_lengths if executor.device == "gpu" else [])]
        found = walk.walk(parameters, params, name, lengths, follow)
        mixed = walk.generalise(parameters, params, name, follow)
        walk.publish(Path(f"runs/frontier-{name}"), found, mixed)
        device = executor.device
    runs = walk.with_memory(found, parameters.gradients.examples, f"frontier {name}: memory")
    tables = {"runs": runs, "generalisation": walk.tested(mixed)}
    write_tables(Path(f"metrics/frontier/{name}.json"), about | {"device": device, "tried": lengths}, tables)


if __name__ == "__main__":
    stage.run(main)
