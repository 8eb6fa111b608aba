"""Where the time of a study goes: `python benchmarks/breakdown.py [arguments of dvc repro]` in the project's folder.

Runs `dvc repro` and samples every Python process under it. A moment of wall time belongs to what is being done in it,
in equal parts where several things are; waiting for another process counts nowhere. Prints shares of the wall time, a
row a stage. In parity checks the compiling of XLA counts as diagnosing.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

BIN = 0.05  # seconds
KINDS = ("training", "diagnosing", "compiling", "imports", "DVC", "MLflow", "Optuna", "rendering", "statistics", "data")


def run(arguments: list[str], folder: Path) -> list[tuple[float, str]]:
    """`dvc repro`, sampled into `folder`: when each stage started, and the end."""
    path = os.pathsep.join([str(Path(__file__).parent / "sampling"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "BREAKDOWN": str(folder), "PYTHONUNBUFFERED": "1"}
    marks = [(time.time(), "start")]
    words = ["dvc", "repro", *arguments]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as dvc:
        for line in dvc.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            if found := re.match(r"Running stage '([^@']*)", line):
                marks.append((time.time(), found[1]))
    if dvc.returncode:
        sys.exit(dvc.returncode)
    return [*marks, (time.time(), "end")]


def shares(marks: list[tuple[float, str]], folder: Path) -> dict[str, dict[str, float]]:
    """Seconds of wall time by stage and kind."""
    active: dict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    for file in folder.glob("*.csv"):
        for line in file.read_text().splitlines():
            at, thread, kind = line.split(",")
            active[int(float(at) / BIN)][file.stem, thread] = kind
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (start, stage), (end, _) in pairwise(marks):
        for bin in range(int(start / BIN), int(end / BIN)):
            kinds = list(active[bin].values()) or ["other"]
            for kind in kinds:
                found[stage][kind if kind in KINDS else "other"] += BIN / len(kinds)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = shares(run(sys.argv[1:], Path(folder)), Path(folder))
    columns = (*KINDS, "other")
    total = sum(sum(kinds.values()) for kinds in found.values())
    found["all"] = {kind: sum(kinds[kind] for kinds in list(found.values())) for kind in columns}
    print(f"| stage | share | {' | '.join(columns)} |")
    print(f"|---|{'---|' * (len(columns) + 1)}")
    for stage, kinds in found.items():
        cells = (f"{100 * kinds[kind] / total:.1f}" if kinds[kind] else "" for kind in columns)
        print(f"| {stage} | {100 * sum(kinds.values()) / total:.1f} | {' | '.join(cells)} |")
    busy = found["all"]["training"] + found["all"]["diagnosing"]
    print(f"\nNeither training nor diagnosing: {100 * (1 - busy / total):.0f} % of {total:.0f} s of wall time")


if __name__ == "__main__":
    main()
