"""GloVe word vectors: a text file, a row each, the word and its numbers with one blank between.

Embedded: vectors made from the generated corpus, the positive pointwise mutual information of words and their
neighbours, reduced by a singular value decomposition (Levy & Goldberg 2014, section 3.3; GloVe's weighting of
a neighbour at distance d by 1/d), in the same format.
"""

import itertools
import math
import shutil
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from threadpoolctl import threadpool_limits

from rnn_study.config import Data, OwnVectors
from rnn_study.data.tokens import SPECIALS, tokenise
from rnn_study.support.errors import StudyError

from . import corpus
from . import own as own_files
from .download import Remote, obtain
from .raw import About, gunzip, gzip_to, label, lines, shown, unzip

URL = "https://nlp.stanford.edu/data/"
PUBLISHED: dict[str, str] = {}
GENERATED = "generated.25d"
ROWS = {"glove.6B": 400_000, "glove.twitter.27B": 1_193_514}
# How each family of vectors spells our special words.
SPECIAL: dict[str, dict[str, str]] = {
    "own": {},
    "generated": {word: word for word in SPECIALS},
    "glove.6B": {},
    "glove.twitter.27B": {
        "[URL]": "<url>",
        "[USER]": "<user>",
        "[NUM]": "<number>",
        "[HASHTAG]": "<hashtag>",
        "[ELONG]": "<elong>",
        "[SMILE]": "<smile>",
        "[LOL]": "<lolface>",
        "[SAD]": "<sadface>",
        "[NEUTRAL]": "<neutralface>",
        "[HEART]": "<heart>",
        "[UNK]": "<unknown>",
    },
}
ABOUT = {
    "embedded": About(
        title="Vectors of generated tweets",
        note="25 numbers a word, made from other tweets of the same grammar, not GloVe's; [UNK] is for rare words",
        licence="MIT, as this project",
        citation="this project, src/rnn_study/data/sources/glove.py",
        generated=True,
    ),
    "upstream": About(
        title="GloVe",
        note="pre-trained word vectors",
        licence="PDDL 1.0",
        citation="Pennington, Socher & Manning 2014, GloVe: Global Vectors for Word Representation",
    ),
}
_ROW = "expected a word and its numbers in each line"
_LARGEST = float(np.finfo(np.float32).max)
_SEEN, _WINDOW = 4, 5  # rarer words have no vector; neighbours up to this far


def full_rows(data: Data) -> dict[str, int]:
    return {"words": ROWS[_family(data.vectors)]}


def download(folder: Path, data: Data) -> dict[str, str]:
    """`<vectors>.txt.gz`, taken out of the family's archive where only that can be had."""
    archive = f"{_family(data.vectors)}.zip"
    target = folder / f"{data.vectors}.txt.gz"
    remotes = [Remote(f"glove/{target.name}"), Remote(f"glove/{archive}", (URL + archive,))]
    path, place = obtain("glove", remotes, folder)
    if path != target:
        with unzip(path) as zipped:
            members = [name for name in zipped.namelist() if PurePosixPath(name).name == f"{data.vectors}.txt"]
            if not members:
                raise StudyError(f"{label(path)}: holds {zipped.namelist()}: expected {data.vectors}.txt in it")
            with zipped.open(members[0]) as stream, gzip_to(target) as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
        path.unlink()
    return {target.name: place}


def embed(folder: Path) -> None:
    """Write vectors made from generated tweets, the commonest word first.

    The tweets are others than the task's: vectors that had seen its test part would leak it.
    """
    with threadpool_limits(1):  # the same sums in the same order on any number of cores
        words, vectors = _make(corpus.generate(corpus.UNLABELLED)[0])
    with gzip_to(folder / f"{GENERATED}.txt.gz") as stream:
        for word, vector in zip(words, vectors, strict=True):
            stream.write(" ".join([word, *(f"{value:.4f}" for value in vector)]).encode() + b"\n")


def copy_own(folder: Path, own: OwnVectors) -> None:
    """Write a reader's own vectors in GloVe's format."""
    given = own_files.vectors(own)
    _, first = next(given, (1, b""))
    width = len(first.split()) - 1
    if width < 1:
        raise StudyError(f"{own_files.path_of(own, 'glove')}:1: {shown(first.decode('utf-8', 'replace'))}: {_ROW}")
    with gzip_to(folder / f"own.{width}d.txt.gz") as stream:
        for line in itertools.chain([first], (line for _, line in given)):
            stream.write(line.rstrip(b" \t\r\n").replace(b"\t", b" ") + b"\n")


def verify(folder: Path, data: Data) -> dict[str, int]:
    """Rows, after parsing every one."""
    name, before = "", 0
    if isinstance(data.glove, OwnVectors):  # faults are told of the reader's own file
        name, before = str(own_files.path_of(data.glove, "glove")), next(own_files.vectors(data.glove))[0] - 1
    count = sum(1 for _ in _rows(folder, name=name, before=before))
    if not count:
        raise StudyError(f"{label(_file(folder))}:1: empty: {_ROW}")
    return {"words": count}


def read(folder: Path, words: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors (D,) float32 of those of `words` that the file has; it is streamed, not loaded."""
    return dict(_rows(folder, frozenset(words)))


def special_words(folder: Path) -> dict[str, str]:
    """Our special words -> how the file in `folder` spells them; those without a vector are left out."""
    return SPECIAL[_family(_name(folder))]


def _file(folder: Path) -> Path:
    paths = sorted(folder.glob("*.txt.gz"))
    if len(paths) != 1:
        raise StudyError(f"{folder.name}: {len(paths)} files of vectors: expected one <vectors>.txt.gz")
    return paths[0]


def _name(folder: Path) -> str:
    return _file(folder).name.removesuffix(".txt.gz")


def _family(vectors: str) -> str:
    """glove.6B.50d -> glove.6B"""
    return vectors.rpartition(".")[0]


def _rows(
    folder: Path, wanted: frozenset[str] | None = None, name: str = "", before: int = 0
) -> Iterator[tuple[str, np.ndarray]]:
    """Words and vectors, all or the wanted; a `StudyError` names the line of a row that is not one, in the file `name`,
    if it was copied from that, which has lines `before`."""
    path = _file(folder)
    name = name or label(path)
    width = int(_name(folder).rpartition(".")[2].removesuffix("d"))
    with gunzip(path) as stream:
        for number, line in enumerate(lines(stream, name), start=1 + before):
            # No word that is asked for has a blank in it, so the first blank ends it.
            if wanted is not None and line.partition(b" ")[0].decode("utf-8", "replace") not in wanted:
                continue
            try:
                yield _row(line, width)
            except ValueError as error:
                raise StudyError(f"{name}:{number}: {error}") from None


def _row(line: bytes, width: int) -> tuple[str, np.ndarray]:
    """Split from the right, for a word of GloVe's may hold a blank, or any other character."""
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte 0x{line[error.start]:02x}: expected UTF-8") from None
    word, *numbers = text.rsplit(" ", width)
    if len(numbers) != width:
        raise ValueError(f"{len(numbers)} numbers: expected a word and {width}")
    if " " in word and _finite(word.rpartition(" ")[2]):
        raise ValueError(f"more than {width} numbers: expected a word and {width}")
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = [math.nan]
    if not sum(map(abs, values)) <= _LARGEST:  # at once, for there may be 240 million; NaN compares false
        value = next((number for number in numbers if not _finite(number)), numbers[0])
        raise ValueError(f"value {shown(value)}: expected a finite number")
    return word, np.array(values, dtype=np.float32)


def _finite(text: str) -> bool:
    try:
        return abs(float(text)) <= _LARGEST
    except ValueError:
        return False


def _make(texts: list[str]) -> tuple[list[str], np.ndarray]:
    """Words, the commonest first, and their vectors (V, 25)."""
    tweets = [tokenise(text) for text in texts]
    counts = Counter(token for tweet in tweets for token in tweet)
    tweets = [[token if counts[token] >= _SEEN else "[UNK]" for token in tweet] for tweet in tweets]
    counts = Counter(token for tweet in tweets for token in tweet)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    row = {word: index for index, word in enumerate(words)}
    ids = np.array([row[token] for tweet in tweets for token in tweet])
    tweet_of = np.repeat(np.arange(len(tweets)), [len(tweet) for tweet in tweets])

    joint = np.zeros((len(words), len(words)))
    for distance in range(1, _WINDOW + 1):
        same = tweet_of[:-distance] == tweet_of[distance:]
        np.add.at(joint, (ids[:-distance][same], ids[distance:][same]), 1 / distance)
    joint += joint.T
    share = joint.sum(axis=1) / joint.sum()
    with np.errstate(divide="ignore"):
        information = np.maximum(np.log(joint / joint.sum() / np.outer(share, share)), 0)
    left, strength, _ = np.linalg.svd(information)
    vectors = left[:, :25] * np.sqrt(strength[:25])
    # A singular vector's sign is arbitrary: make its largest entry positive.
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(25)]
    return words, vectors * np.sign(largest)
