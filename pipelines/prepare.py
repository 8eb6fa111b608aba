"""prepare: raw data and generated problems into data/prepared/<task>.npz and data/shapes/<system>.npz, their cards into
metrics/data and metrics/shapes, what a result must beat into metrics/baselines; of everything, or of the tasks and
problems that are named."""

from typing import Annotated

import typer

from rnn_study import config
from rnn_study.data import prepare
from rnn_study.support import stage


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    parameters = config.load()
    for name in names or [*type(parameters.tasks).model_fields, *type(parameters.problems).model_fields]:
        prepare.one(parameters, name)
    if not names:
        prepare.shapes(parameters)


if __name__ == "__main__":
    stage.run(main)
