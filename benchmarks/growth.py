"""How the time of a study's runs grows with seeds, length, examples and units.

    python benchmarks/growth.py                      # writes results/growth.json beside this file; ten minutes
    python benchmarks/growth.py --quick [--to FILE]  # a fraction of the work, no file unless it is named

An LSTM on images by rows as `speed.py` trains it, from an empty store, compiling and waiting for workers included; one
size at a time is doubled three times. A row has

    slope            by which power of the size the seconds grow: least squares of logarithms; 1 is in proportion
    sizes, seconds   what was run, and the fewest seconds of the rounds
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import speed
from measured import machine

from rnn_study.data.prepared import save_task
from rnn_study.model.backend import BACKENDS
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "growth.json"
BASE, SEEDS = speed.Case("lstm", 32, (3200, 14, 28), 10, 128, 4), 4


def sized(what: str, factor: int, base: speed.Case = BASE, seeds: int = SEEDS) -> tuple[speed.Case, int]:
    """The case and its seeds with one size multiplied."""
    examples, steps, inputs = base.shape
    match what:
        case "seeds":
            return base, seeds * factor
        case "length":
            return base._replace(shape=(examples, steps * factor, inputs)), seeds
        case "examples":
            return base._replace(shape=(examples * factor, steps, inputs)), seeds
    return base._replace(units=base.units * factor), seeds


def size(what: str, case: speed.Case, seeds: int) -> int:
    examples, steps, _ = case.shape
    return {"seeds": seeds, "length": steps, "examples": examples, "units": case.units}[what]


def slope(sizes: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def rows(rounds: int, factors: tuple[int, ...], base: speed.Case, seeds: int) -> Iterator[dict[str, Any]]:
    for what in ("seeds", "length", "examples", "units"):
        cases = [sized(what, factor, base, seeds) for factor in factors]
        sizes = [size(what, *one) for one in cases]
        best = {backend: [np.inf] * len(cases) for backend in BACKENDS}
        for number in range(rounds):
            for place, (case, count) in enumerate(cases):
                save_task(speed.task(case), Path("data.npz"))
                for backend in BACKENDS:
                    seconds = count / speed.ours(backend, case, count, Path("data.npz"))
                    best[backend][place] = min(best[backend][place], seconds)
            print(f"{what}: {number + 1} of {rounds} rounds", file=sys.stderr, flush=True)
        for backend in BACKENDS:
            row = {"name": what, "framework": backend, "slope": round(slope(sizes, best[backend]), 3)}
            yield row | {"sizes": sizes, "seconds": [float(f"{one:.3g}") for one in best[backend]]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fraction of the work, and no file")
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked = parser.parse_args()
    target = asked.to or (None if asked.quick else RESULT)
    target = target and target.resolve()
    work = (
        (1, (1, 2), BASE._replace(shape=(256, 4, 28), epochs=2), 2) if asked.quick else (3, (1, 2, 4, 8), BASE, SEEDS)
    )
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        found = list(rows(*work))
    print("| size | in | from | to | slope |\n|---|---|---|---|---|")
    for row in found:
        print(f"| {row['name']} | {row['framework']} | {row['sizes'][0]} | {row['sizes'][-1]} | {row['slope']:g} |")
    if target:
        write_tables(target, {"machine": machine(BACKENDS)}, {"rows": found})


if __name__ == "__main__":
    main()
