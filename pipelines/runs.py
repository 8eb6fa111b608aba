"""runs: every training run of the study, a row a run, into metrics/runs.csv, and the digests of all files below runs/
into data/runs.sha256, for stages that read any of them."""

from pathlib import Path

from rnn_study.running import runs_table
from rnn_study.support import stage

RUNS = Path("runs")


def main() -> None:
    runs_table.write(runs_table.rows(RUNS, Path("metrics")), Path("metrics/runs.csv"))
    runs_table.write_digests([RUNS], Path("data/runs.sha256"))


if __name__ == "__main__":
    stage.run(main)
