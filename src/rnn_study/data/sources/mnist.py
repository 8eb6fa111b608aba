"""MNIST, four gzipped IDX files (http://yann.lecun.com/exdb/mnist/); embedded: scikit-learn's 1,797 digits.

IDX: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
32-bit number, then the bytes, last dimension fastest.
"""

import shutil
import struct
from pathlib import Path

import numpy as np

from rnn_study.config import Data, OwnImages
from rnn_study.support.errors import StudyError

from . import own as own_files
from .download import Remote, obtain
from .raw import About, gunzip, gzip_to, label

URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
PUBLISHED = {  # SHA-256 of the decompressed content
    "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ABOUT = {
    "embedded": About(
        title="Handwritten digits of scikit-learn, the last 360 as test: other writers, harder than the rest",
        note="1,797 images of 8 x 8 pixels with values 0 to 16, in file order: the test part has other writers, "
        "logistic regression names 90 % of it rightly, and 96 % of 360 images drawn at random",
        licence="CC BY 4.0",
        citation="Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI ML Repository",
    ),
    "upstream": About(
        title="MNIST",
        note="images of 28 x 28 pixels with values 0 to 255",
        licence="CC BY-SA 3.0",
        citation="LeCun et al. 1998, Gradient-based learning applied to document recognition",
    ),
}
_TEST = 360  # of the embedded digits


def full_rows(data: Data) -> dict[str, int]:
    return {"train": 60_000, "test": 10_000}


def download(folder: Path, data: Data) -> dict[str, str]:
    """The four files; returns where each came from."""
    return {
        name: obtain("mnist", [Remote(f"mnist/{name}", tuple(url + name for url in URLS))], folder)[1]
        for name in FILES.values()
    }


def embed(folder: Path) -> None:
    """Write scikit-learn's digits as four IDX files."""
    from sklearn.datasets import load_digits  # a second to import, and only needed here

    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    _write_idx(folder / FILES["train_images"], images[:-_TEST])
    _write_idx(folder / FILES["train_labels"], labels[:-_TEST])
    _write_idx(folder / FILES["test_images"], images[-_TEST:])
    _write_idx(folder / FILES["test_labels"], labels[-_TEST:])


def copy_own(folder: Path, own: OwnImages) -> None:
    """Write a reader's own images as four IDX files."""
    path = own_files.path_of(own, "mnist")
    if path.is_dir():
        for name in FILES.values():
            plain, packed = path / name.removesuffix(".gz"), path / name
            if not (plain.is_file() or packed.is_file()):
                raise StudyError(f"{packed}: not found: expected it, or {plain.name}, as MNIST's files are named")
            with gzip_to(folder / name) as copy, gunzip(packed) if packed.is_file() else plain.open("rb") as stream:
                shutil.copyfileobj(stream, copy)
    else:
        for name, array in own_files.images(own).items():
            _write_idx(folder / FILES[name], array)


def verify(folder: Path, data: Data) -> dict[str, int]:
    """Rows by part; `read`'s checks, and upstream's counts where the data is not embedded."""
    arrays = read(folder)
    _check_labels(arrays, folder, data.mnist if isinstance(data.mnist, OwnImages) else None)
    rows = {part: len(arrays[f"{part}_images"]) for part in ("train", "test")}
    for part, expected in full_rows(data).items():
        if data.mnist == "upstream" and rows[part] != expected:
            name = label(folder / FILES[f"{part}_images"])
            raise StudyError(f"{name}: {rows[part]} images: expected {expected}")
    return rows


def _check_labels(arrays: dict[str, np.ndarray], folder: Path, own: OwnImages | None) -> None:
    """A StudyError for a label that is no digit; of a reader's own for a class that the training part does not show."""

    def named(part: str) -> str:
        if own and (path := own_files.path_of(own, "mnist")).is_file():
            return f"{path}: y_{part}"
        return label(folder / FILES[f"{part}_labels"])

    known = np.unique(arrays["train_labels"])
    most = max(int(known[-1]), 1) if own else 9
    if own and (missing := sorted({*range(most + 1)} - {*known.tolist()})):
        raise StudyError(f"{named('train')}: no label {missing[0]} among them: expected all of 0 to {most}")
    if own and len(only := np.unique(arrays["test_labels"])) == 1:
        raise StudyError(f"{named('test')}: label {only[0]} alone: expected two classes at least")
    for part in ("train", "test"):
        labels = arrays[f"{part}_labels"]
        if (wrong := np.flatnonzero(labels > most)).size:
            raise StudyError(f"{named(part)}: label {labels[wrong[0]]} in row {wrong[0]}: expected 0 to {most}")


def read(folder: Path) -> dict[str, np.ndarray]:
    """train_images, test_images (N, R, C) and train_labels, test_labels (N,), all uint8.

    Raises a `StudyError` for a file that is not whole IDX, labels that match no images, or images of two sizes.
    """
    arrays = {}
    for key, name in FILES.items():
        arrays[key] = _read_idx(folder / name, dimensions=3 if key.endswith("images") else 1)
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        name = label(folder / FILES[f"{part}_labels"])
        if len(labels) != len(images):
            raise StudyError(f"{name}: {len(labels)} labels: expected {len(images)}, one for each image")
    sizes = {part: " x ".join(map(str, arrays[f"{part}_images"].shape[1:])) for part in ("train", "test")}
    if sizes["train"] != sizes["test"]:
        name = label(folder / FILES["test_images"])
        raise StudyError(f"{name}: images of {sizes['test']} pixels: expected {sizes['train']}, as those to learn from")
    return arrays


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    name, start = label(path), 4 + 4 * dimensions
    with gunzip(path) as stream:
        header, content = stream.read(start), bytearray()
        magic, expected = header[:4], bytes([0, 0, 8, dimensions])
        if magic != expected:
            raise StudyError(f"{name}: magic number 0x{magic.hex()}: expected 0x{expected.hex()}")
        if len(header) < start:
            raise StudyError(f"{name}: {len(header)} bytes: expected a header of {start}")
        shape = struct.unpack(f">{dimensions}I", header[4:])
        size = int(np.prod(shape, dtype=object))
        while len(content) <= size and (piece := stream.read(1 << 20)):  # hardly more than the header says
            content += piece
    if len(content) != size:
        sizes = " x ".join(map(str, shape))
        raise StudyError(f"{name}: {len(content)} bytes of data: expected {size}, {sizes} by the header")
    if size == 0:
        raise StudyError(f"{name}: no rows: expected at least one")
    return np.frombuffer(bytes(content), np.uint8).reshape(shape)


def _write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    with gzip_to(path) as stream:
        stream.write(header + values.tobytes())
