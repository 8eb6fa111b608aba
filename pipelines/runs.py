"""runs: every training run of the study, a row a run, into metrics/runs.csv."""

from pathlib import Path

from rnn_study.running import runs_table
from rnn_study.support import stage


def main() -> None:
    runs_table.write(runs_table.rows(Path("runs"), Path("metrics")), Path("metrics/runs.csv"))


if __name__ == "__main__":
    stage.run(main)
