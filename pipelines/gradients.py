"""gradients: from profiles, histories and ablations the figures and contrasts of metrics/gradients.json."""

from functools import partial
from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients import contrasts, quantities
from rnn_study.statistics.marks import by_search
from rnn_study.support import stage
from rnn_study.support.files import write_tables


def main() -> None:
    parameters = config.load()
    figures, rows = [], []
    for name in [*type(parameters.tasks).model_fields, *type(parameters.problems).model_fields]:
        params, found = parameters.task(name), profiles.load(profiles.profiles_file(name))
        last = {variant: params.variants[variant].cells(variant, params.network.depth)[-1] for variant in found}
        figures += quantities.rows(name, found, last, partial(by_search, parameters, name))
        rows += contrasts.of_task(parameters, name, found)
    head = {"study": parameters.study, "framework": parameters.gradients.framework}
    theory = quantities.theory(parameters.problems.adding.prepare.steps)
    tables = {"contrasts": rows, "theory": theory, "figures": figures}
    write_tables(Path("metrics/gradients.json"), head, tables)


if __name__ == "__main__":
    stage.run(main)
