"""headline: the study's figures at a glance for DVC's own commands, into metrics/headline.json and metrics/plots/."""

from pathlib import Path

from rnn_study import config
from rnn_study.statistics import headline
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json

METRICS = Path("metrics")


def main() -> None:
    parameters = config.load()
    tables = (read_json(METRICS / f"{name}.json") for name in ("summary", "long_range"))
    write_json(METRICS / "headline.json", headline.figures(*tables))
    for name in type(parameters.tasks).model_fields:
        headline.write(headline.curves(parameters, name), METRICS / "plots" / f"{name}.csv")
    for name in parameters.frontier:
        found = read_json(METRICS / "frontier" / f"{name}.json")
        headline.write(headline.solved(found), METRICS / "plots" / f"{name}.csv")


if __name__ == "__main__":
    stage.run(main)
