"""Prepared tasks as files."""

import itertools
from pathlib import Path

import numpy as np

from rnn_study.model.task import Batch, Task
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_arrays, whole, write_arrays


def prepared_file(name: str) -> Path:
    """Where the pipeline keeps the prepared task `name`."""
    return Path("data/prepared") / f"{name}.npz"


def save_task(task: Task, path: Path) -> None:
    """Write `task` as one npz without pickles."""
    arrays = {"name": np.array(task.name), "loss": np.array(task.loss), "outputs": np.array(task.outputs)}
    arrays |= {"unit": np.array(task.unit), "writes": np.array(task.writes)}
    arrays["continues"] = np.array(task.continues)
    if task.scored is not None:
        arrays["scored"] = np.array(task.scored)
    if task.embedding is not None:
        arrays["embedding"] = task.embedding
    for part, batch in task.parts().items():
        arrays |= {f"part/{part}/{key}": value for key, value in batch._asdict().items() if value is not None}
    arrays |= {f"inverse/{key}": value for key, value in task.inverse.items()}
    arrays |= {f"extra/{key}": value for key, value in task.extras.items()}
    write_arrays(path, arrays)


def load_task(path: Path) -> Task:
    """The task that `save_task` wrote; a StudyError where it wrote none."""
    if not path.is_file():
        raise StudyError(f"{path}: not found: expected a prepared task; run: dvc repro prepare")
    with whole(path):
        return _task(read_arrays(path))


def _task(arrays: dict[str, np.ndarray]) -> Task:
    def under(prefix: str) -> dict[str, np.ndarray]:
        return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

    names = dict.fromkeys(key.split("/")[0] for key in under("part/"))  # in the order they were written
    parts = {name: Batch(**under(f"part/{name}/")) for name in names}
    return Task(
        name=str(arrays["name"]),
        loss=str(arrays["loss"]),
        outputs=int(arrays["outputs"]),
        train=parts.pop("train"),
        validation=parts.pop("validation"),
        tests=parts,
        unit=str(arrays["unit"]),
        embedding=arrays.get("embedding"),
        inverse=under("inverse/"),
        extras=under("extra/"),
        scored=int(arrays["scored"]) if "scored" in arrays else None,
        writes=bool(arrays["writes"]),
        continues=bool(arrays["continues"]),
    )


def pack_texts(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts as UTF-8 bytes and N + 1 offsets: strings in an npz without pickles or padding."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def unpack_texts(data: np.ndarray, offsets: np.ndarray) -> list[str]:
    """The texts that `pack_texts` packed."""
    raw = data.tobytes()
    return [raw[start:end].decode() for start, end in itertools.pairwise(offsets)]
