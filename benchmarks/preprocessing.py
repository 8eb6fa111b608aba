"""Preprocessing at full size: 1,600,000 tweets, and 1,200,000 vectors of 200 numbers.

    python benchmarks/preprocessing.py                      # writes results/preprocessing.json beside this file
    python benchmarks/preprocessing.py --quick [--to FILE]  # a hundredth of it, no file unless it is named

Tweets: the study's own way from the archive to the prepared task, which reads, tokenises, splits, encodes and looks up
vectors. They are those of the mirror that RNN_STUDY_MIRROR names, else the embedded ones, repeated, each copy with a
word of its own at its end, so that no two are alike. Vectors: random numbers in GloVe's format, gzipped, of which
20,000 words are looked up; theirs is what tutorials write, a dict of every row of the same file. A row has

    seconds, peak_gib     what it took in a process of its own, imports apart, and the most memory that process had
    theirs_seconds, theirs_peak_gib   of the tutorial's loader; null where there is none
"""

import argparse
import csv
import gzip
import io
import os
import resource
import string
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from measured import machine, rounded

from rnn_study import config
from rnn_study.data.sources import glove, tweets
from rnn_study.data.tasks import TASKS
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "preprocessing.json"
ROOT = Path(__file__).resolve().parents[1]
TWEETS, VECTORS, WIDTH, WORDS = 1_600_000, 1_200_000, 200, 20_000


def excerpt(folder: Path) -> tuple[list[tuple[str, str]], str]:
    """Polarity and text of the tweets that are repeated, and what they are."""
    mirror = os.environ.get("RNN_STUDY_MIRROR")
    if not mirror:
        tweets.embed(folder)
    found = tweets.read(Path(mirror) / "sentiment140" if mirror else folder)
    rows = [("4" if label else "0", text) for text, label in zip(found.texts, found.labels, strict=True)]
    return rows, f"{len(rows):,} {'of the mirror' if mirror else 'embedded, generated'}"


def write_tweets(folder: Path, count: int) -> str:
    """An archive of `count` tweets as upstream's; says what they are."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as made:
        rows, told = excerpt(Path(made))
    with (
        zipfile.ZipFile(folder / tweets.FILE, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(tweets.TRAINING, "w") as stream,
    ):
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        writer, written = csv.writer(text, quoting=csv.QUOTE_ALL), 0
        for copy in product(string.ascii_lowercase, repeat=3):
            for polarity, said in islice(rows, count - written):
                writer.writerow((polarity, written, "", "", "", f"{said} q{''.join(copy)}"))
                written += 1
        text.flush()
    return told


def write_vectors(folder: Path, count: int) -> None:
    """`count` rows of random numbers in GloVe's format."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with gzip.open(folder / f"glove.twitter.27B.{WIDTH}d.txt.gz", "wb", 1) as stream:
        for start in range(0, count, 1000):
            # Five digits each, as GloVe has them, cut from blocks: writing them out one by one takes ten times as long.
            rows = rng.integers(10_000, 99_999, (min(1000, count - start), WIDTH)).astype("U5")
            for number, row in enumerate(rows, start):
                stream.write(f"w{number} 0.{' -0.'.join(row)}\n".encode())


def our_tweets(folder: Path) -> int:
    parameters = config.load(ROOT / "studies/real.yaml").tasks.tweets.prepare
    task, _ = TASKS["tweets"].prepare(folder, parameters)
    return len(task.train.y) + len(task.validation.y) + len(task.tests["test"].y)


def our_vectors(count: int, folder: Path) -> int:
    """Of `count` vectors."""
    return len(glove.read(folder / "glove", {f"w{number}" for number in range(0, count, count // min(WORDS, count))}))


def their_vectors(folder: Path) -> int:
    """As tutorials write it."""
    embeddings_index = {}
    with gzip.open(next((folder / "glove").glob("*.gz")), "rt", encoding="utf8") as f:
        for line in f:
            values = line.split()
            embeddings_index[values[0]] = np.asarray(values[1:], dtype="float32")
    return len(embeddings_index)


def timed(do: Callable[[Path], int], folder: Path) -> tuple[float, float, int]:
    start = time.perf_counter()
    count = do(folder)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, count


def alone(do: Callable[[Path], int], folder: Path) -> tuple[float, float, int]:
    """`timed` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(timed, do, folder).result()


def rows(quick: bool) -> list[dict[str, Any]]:
    share = 100 if quick else 1
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        print("writing vectors", file=sys.stderr, flush=True)
        write_vectors(folder / "glove", VECTORS // share)
        print("reading them", file=sys.stderr, flush=True)
        seconds, peak, count = alone(partial(our_vectors, VECTORS // share), folder)
        theirs_seconds, theirs_peak, theirs_count = alone(their_vectors, folder)
        assert theirs_count == VECTORS // share
        found = [
            {
                "name": f"{VECTORS // share:,} vectors of {WIDTH} numbers, reduced to {count:,}",
                "seconds": seconds,
                "peak_gib": peak,
                "theirs_seconds": theirs_seconds,
                "theirs_peak_gib": theirs_peak,
            }
        ]
        print("writing tweets", file=sys.stderr, flush=True)
        told = write_tweets(folder / "tweets", TWEETS // share)
        for path in (folder / "glove").iterdir():
            path.unlink()
        glove.embed(folder / "glove")  # small: reading vectors is timed above
        print("preparing them", file=sys.stderr, flush=True)
        seconds, peak, count = alone(our_tweets, folder)
        assert count == TWEETS // share
        name = f"{count:,} tweets ({told}, repeated) to a task"
        found.append(
            {"name": name, "seconds": seconds, "peak_gib": peak, "theirs_seconds": None, "theirs_peak_gib": None}
        )
    return list(map(rounded, found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of it, and no file")
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked = parser.parse_args()
    found = rows(asked.quick)
    print("| work | seconds | peak GiB | theirs: seconds | peak GiB |\n|---|---|---|---|---|")
    for row in found:
        print("| " + " | ".join("-" if value is None else f"{value}" for value in row.values()) + " |")
    if target := asked.to or (None if asked.quick else RESULT):
        write_tables(target, {"machine": machine(())}, {"rows": found})


if __name__ == "__main__":
    main()
