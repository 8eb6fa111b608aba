"""Where the time of a study goes: `python benchmarks/breakdown.py [--to FILE] [arguments of dvc repro]` in its folder.

Runs `dvc repro` and samples every Python process under it. A moment of wall time belongs to what the cores do in it, in
parts as they are used; a moment in which nothing computes is `idle`. Prints shares of the wall time in per cent, a row
a stage, and writes them to FILE; where nothing is asked of `dvc repro`, to results/breakdown.json beside this file. In
parity checks the compiling of XLA counts as diagnosing.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from measured import machine

from rnn_study.model.backend import BACKENDS
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "breakdown.json"
BIN = 0.1  # seconds
BUSY = 0.05  # of one core: with less of it nothing is computing
KINDS = ("training", "diagnosing", "compiling", "imports", "DVC", "MLflow", "Optuna", "rendering", "statistics", "data")
WORK = KINDS[:2]
COLUMNS = (*KINDS, "other", "idle")


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


def rows(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """The stages' seconds, and those of all together, in per cent of the whole."""
    every = {kind: sum(kinds.get(kind, 0.0) for kinds in found.values()) for kind in COLUMNS}
    total = sum(every.values())
    return [
        {"name": stage, "share": round(100 * sum(kinds.values()) / total, 1)}
        | {kind: round(100 * kinds[kind] / total, 1) for kind in COLUMNS if kinds.get(kind)}
        for stage, kinds in (found | {"all": every}).items()
    ]


def table(shown: list[dict[str, Any]]) -> str:
    lines = [f"| stage | share | {' | '.join(COLUMNS)} |", f"|---|{'---|' * (len(COLUMNS) + 1)}"]
    for row in shown:
        cells = (f"{row[kind]:.1f}" if kind in row else "" for kind in ("share", *COLUMNS))
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def sentence(about: dict[str, Any]) -> str:
    return (
        f"In {about['none']} % of the wall time no core trains or diagnoses. Counted by what the cores do in each "
        f"moment, {about['neither']} % of it is neither."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked, arguments = parser.parse_known_args()
    target = asked.to or (None if arguments else RESULT)
    with tempfile.TemporaryDirectory() as folder:
        found, without = shares(run(arguments, Path(folder)), Path(folder))
    total = sum(sum(kinds.values()) for kinds in found.values())
    work = sum(kinds[kind] for kinds in found.values() for kind in WORK)
    about = {"neither": round(100 * (1 - work / total)), "none": round(100 * without / total)}
    shown = rows(found)
    print(f"{table(shown)}\n\n{sentence(about)}")
    if target:
        write_tables(target, about | {"machine": machine(BACKENDS)}, {"rows": shown})


if __name__ == "__main__":
    main()
