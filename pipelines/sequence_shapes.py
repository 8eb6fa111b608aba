"""sequence_shapes: what became of every system and its claim into metrics/sequence_shapes.json, samples that a person
can judge into data/sequence_shapes.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.shapes import study
from rnn_study.support import stage
from rnn_study.support.files import write_json


def main() -> None:
    figures, samples = study.look(config.load())
    write_json(Path("data/sequence_shapes.json"), samples)
    write_json(Path("metrics/sequence_shapes.json"), figures)


if __name__ == "__main__":
    stage.run(main)
