"""verdicts: the answers to the questions of params.yaml into metrics/verdicts.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.support import stage
from rnn_study.support.files import write_tables
from rnn_study.verdicts.answers import answers
from rnn_study.verdicts.measures import Evidence


def main() -> None:
    parameters = config.load()
    rows = answers(Evidence(parameters))
    write_tables(Path("metrics/verdicts.json"), {"study": parameters.study}, {"verdicts": rows})


if __name__ == "__main__":
    stage.run(main)
