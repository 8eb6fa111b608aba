"""Where the time of a study goes: `python benchmarks/breakdown.py [arguments of dvc repro]` in the project's folder.

Runs `dvc repro` and samples every Python process under it. A moment of wall time belongs to what the cores do in it, in
parts as they are used; a moment in which nothing computes is `idle`. Prints shares of the wall time, a row a stage. In
parity checks the compiling of XLA counts as diagnosing.
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

BIN = 0.1  # seconds
BUSY = 0.05  # of one core: with less of it nothing is computing
KINDS = ("training", "diagnosing", "compiling", "imports", "DVC", "MLflow", "Optuna", "rendering", "statistics", "data")
WORK = KINDS[:2]


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


def shares(marks: list[tuple[float, str]], folder: Path) -> tuple[dict[str, dict[str, float]], float]:
    """Seconds of wall time by stage and kind; and those in which no core trains or diagnoses."""
    used: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))  # seconds of CPU in a bin
    for file in folder.glob("*.csv"):
        for line in file.read_text().splitlines():
            at, kind, seconds = line.split(",")
            used[int(float(at) / BIN)][kind if kind in KINDS else "other"] += float(seconds)
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    without = 0.0
    for (start, stage), (end, _) in pairwise(marks):
        for bin in range(int(start / BIN), int(end / BIN)):
            kinds = used[bin] if sum(used[bin].values()) > BUSY * BIN else {"idle": 1.0}
            for kind, seconds in kinds.items():
                found[stage][kind] += BIN * seconds / sum(kinds.values())
            without += 0.0 if kinds.keys() & set(WORK) else BIN
    return found, without


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found, without = shares(run(sys.argv[1:], Path(folder)), Path(folder))
    columns = (*KINDS, "other", "idle")
    total = sum(sum(kinds.values()) for kinds in found.values())
    found["all"] = {kind: sum(kinds[kind] for kinds in list(found.values())) for kind in columns}
    print(f"| stage | share | {' | '.join(columns)} |")
    print(f"|---|{'---|' * (len(columns) + 1)}")
    for stage, kinds in found.items():
        cells = (f"{100 * kinds[kind] / total:.1f}" if kinds[kind] else "" for kind in columns)
        print(f"| {stage} | {100 * sum(kinds.values()) / total:.1f} | {' | '.join(cells)} |")
    work = sum(found["all"][kind] for kind in WORK)
    print(
        f"\nNeither training nor diagnosing: {100 * (1 - work / total):.0f} % of what the cores do; "
        f"in {100 * without / total:.0f} % of the wall time none of them does either"
    )


if __name__ == "__main__":
    main()
