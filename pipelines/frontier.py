"""frontier@<problem>: every cell at every length, as far as it gets, into runs/frontier-<problem>/, what became of it
into metrics/frontier/<problem>.json."""

from functools import partial
from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.long_range import frontier, problem_card
from rnn_study.running.execution import start
from rnn_study.running.tracking import Tracker, card_tags
from rnn_study.support import stage
from rnn_study.support.files import write_tables


def main(name: str) -> None:
    parameters = config.load()
    params = parameters.frontiers[name]
    with start(parameters, params.framework, f"frontier-{name}") as executor:
        about = problem_card.card(params, name)
        with Tracker("frontier", params.framework, {name: card_tags(about)}) as tracker:
            follow = partial(tracker.follow, executor)
            lengths = [*params.lengths, *(params.gpu_lengths if executor.device == "gpu" else [])]
            found = frontier.walk(parameters, params, name, lengths, follow)
            mixed = frontier.generalise(parameters, params, name, follow)
        frontier.publish(Path(f"runs/frontier-{name}"), found, mixed)
    runs = frontier.with_gradients(found, f"frontier {name}: gradients")
    tables = {"runs": runs, "generalisation": frontier.tested(mixed)}
    head = about | {"device": executor.device, "tried": lengths}
    write_tables(Path(f"metrics/frontier/{name}.json"), head, tables)


if __name__ == "__main__":
    stage.run(main)
