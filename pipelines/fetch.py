"""fetch@<source>: a raw source into data/raw/<source>/, verified, with its provenance record."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.sources import fetch
from rnn_study.support import stage


def main(source: str) -> None:
    fetch(source, config.load().data, Path("data/raw"))


if __name__ == "__main__":
    stage.run(main)
