"""shape_data: what every system of params.yaml's shapes learns from into data/shapes/<system>.npz, its card into
metrics/shapes/data.json."""

from dataclasses import replace
from pathlib import Path

from rnn_study import config
from rnn_study.data.data_card import card
from rnn_study.data.prepared import save_task
from rnn_study.data.shapes import KINDS, origins
from rnn_study.support import stage
from rnn_study.support.files import write_json

RAW, SHAPES = Path("data/raw"), Path("data/shapes")


def main() -> None:
    cards = {}
    for name, shape in config.load().shapes.items():
        kind = KINDS[shape.prepare.kind]
        task, details = kind.prepare(RAW, shape.prepare)
        task = replace(task, name=name)
        save_task(task, SHAPES / f"{name}.npz")
        cards[name] = card(task, details, origins(shape.prepare), RAW)
    write_json(Path("metrics/shapes/data.json"), cards)


if __name__ == "__main__":
    stage.run(main)
