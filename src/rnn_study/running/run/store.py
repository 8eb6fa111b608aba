"""Finished runs by id. The id covers all that can change a run's bytes, so a run is never computed twice."""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from rnn_study.data import prepared
from rnn_study.model import cells
from rnn_study.model.task import Generated, Pixels
from rnn_study.support.errors import StudyError
from rnn_study.support.files import Arrays, read_arrays, read_json, whole, write_arrays, write_json
from rnn_study.support.files import sha256 as file_sha256

from . import code, results, train
from .events import Finished
from .spec import RunSpec

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SHARED = os.environ.get("RNN_STUDY_STORE")  # a folder that several checkouts use
ROOT = Path(_SHARED or ".run-store")
SPEC = "spec.json"  # what determined the run, see `RunSpec`
CLOCK = "timing.json"  # the seconds it took, never published: a clock is no result
STATES = "states"  # where unfinished runs stand
DIGESTS = "digests.json"  # SHA-256 of each other file, as it was stored
PUBLISHED = (*results.FILES, SPEC)


@cache
def _data_digest(path: str, changed: int) -> str:
    return file_sha256(Path(path))


def with_cells(files: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """`files` (`code.behind`), but of `cells.py` the definitions of these cells alone."""
    path = Path(cells.__file__)
    found = {name: digest for name, digest in files.items() if name != path.relative_to(code.SRC).as_posix()}
    for name in sorted(set(names)):
        found[f"cell {name}"] = code.part_does(path, "CELLS", name, also=("activated",))
    return found


def sources(spec: RunSpec) -> dict[str, str]:
    """SHA-256 of what the code behind a run does: every file it imports, but of `cells.py` its own cells' definitions
    alone, and of the problems its own, so that one that is added or edited leaves the others' runs as they are."""
    data = Path(prepared.__file__)
    match spec.data:
        case Generated(problem=problem):
            data = data.with_name("problems") / f"{problem}.py"
        case Pixels():
            data = data.with_name("problems") / "pixels.py"
    files = code.behind(Path(train.__file__), code.backend(spec.backend), data)
    return with_cells(files, (layer.cell for part in spec.network.parts for layer in part.layers))


def run_id(spec: RunSpec, environment: dict[str, str]) -> str:
    """The id of `spec`, its device resolved, in `environment` (versions of Python, NumPy and the framework)."""
    file = spec.data.source if isinstance(spec.data, Pixels) else spec.data
    described = {
        "spec": asdict(spec),
        "data": None if isinstance(file, Generated) else _data_digest(file, Path(file).stat().st_mtime_ns),
        "environment": environment,
        "sources": sources(spec),
    }
    return sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _changed(folder: Path) -> str | None:
    """The first of a stored run's files that is not as it was stored. Published files are links to these."""
    try:
        stored = read_json(folder / DIGESTS)
    except StudyError:
        return DIGESTS
    needed = PUBLISHED if (folder / SPEC).is_file() else (path.name for path in folder.iterdir())
    if not isinstance(stored, dict) or {*needed} - {DIGESTS, CLOCK} - stored.keys():
        return DIGESTS
    return next((name for name, digest in stored.items() if _digest(folder / name) != digest), None)


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None


_whole: set[Path] = set()  # what this process has looked at


def find(run: str) -> Path | None:
    """The folder of the finished run with this id, if there is one. One whose files are not as they were stored is
    deleted, and a line says so: it is no result of the study."""
    folder = ROOT / run
    if not folder.is_dir():
        return None
    if folder not in _whole:
        if name := _changed(folder):
            print(f"{folder / name}: not as it was stored: computed again", file=sys.stderr, flush=True)
            shutil.rmtree(folder)
            return None
        _whole.add(folder)
    return folder


@contextmanager
def entering(key: str) -> Iterator[Path]:
    """A folder to write into, which is found under `key` when the block ends well: complete, or not at all."""
    ROOT.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=ROOT, prefix=".unfinished-"))
    try:
        yield unfinished
        stored = {path.name: file_sha256(path) for path in sorted(unfinished.iterdir()) if path.name != CLOCK}
        write_json(unfinished / DIGESTS, stored)
        os.rename(unfinished, ROOT / key)
    except OSError:
        if not (ROOT / key).is_dir():  # else another process finished the same first
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def add(run: str, spec: RunSpec, result: results.RunResult, seconds: float) -> Path:
    """Store a finished run."""
    with entering(run) as folder:
        results.write(result, folder, _about(run, spec))
        write_json(folder / SPEC, asdict(spec))
        write_json(folder / CLOCK, {"seconds": seconds})
    with suppress(OSError):  # what is left of it is pruned
        _state(run).unlink()
    return ROOT / run


def _state(run: str) -> Path:
    return ROOT / STATES / f"{run}.npz"


def save_state(run: str, state: Arrays) -> None:
    """Note where an unfinished run stands (`train.Training.state`). Where that fails, a line says so: the run itself
    goes on."""
    try:
        write_arrays(_state(run), state)
    except OSError as error:
        print(f"{_state(run)}: {error.strerror}: a run goes on unsaved", file=sys.stderr, flush=True)


def load_state(run: str) -> Arrays | None:
    """Where the run with this id stood when it was last saved, if it was. A damaged file is deleted, and a line says
    so."""
    path = _state(run)
    if not path.is_file():
        return None
    with suppress(StudyError):
        found = read_arrays(path)
        if "seconds" in found:
            return found
    print(f"{path}: damaged: its run begins anew", file=sys.stderr, flush=True)
    path.unlink(missing_ok=True)
    return None


def _about(run: str, spec: RunSpec) -> dict[str, object]:
    """What a reader of the weights alone must know."""
    named = {"task": spec.task, "variant": spec.variant, "framework": spec.backend, "seed": spec.seed, "run": run}
    layers = [layer for part in spec.network.parts for layer in part.layers]
    found = {layer.cell: cells.CELLS[layer.cell] for layer in layers}
    return named | {
        "layers": [{"cell": layer.cell, "units": layer.units} for layer in layers],
        "layout": "kernels (inputs, outputs), gates side by side",
        "gates": {name: list(cell.gates) for name, cell in found.items()},
    }


@cache
def _specs() -> "TypeAdapter[RunSpec]":
    from pydantic import TypeAdapter  # here, for workers have no use for it

    return TypeAdapter(RunSpec)


def read_spec(folder: Path) -> RunSpec:
    """What determined the run that is published in `folder`."""
    path = folder / SPEC
    found = read_json(path)
    with whole(path):
        try:
            return _specs().validate_python(found)
        except ValueError as error:  # pydantic's, of many lines
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def read_id(folder: Path) -> str:
    """The id of the run that is published in `folder`."""
    path = folder / "weights.safetensors"
    with whole(path, SafetensorError), safe_open(path, "np") as file:
        return json.loads(file.metadata()[results.ABOUT])["run"]


def publish(folder: Path, target: Path) -> None:
    """Put a stored run's files, `PUBLISHED`, at `target` as hard links, so that they lie on disk once."""
    target.mkdir(parents=True, exist_ok=True)
    for name in PUBLISHED:
        (target / name).unlink(missing_ok=True)
        try:
            os.link(folder / name, target / name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(folder / name, target / name)


def publish_all(finished: Iterable[Finished], root: Path) -> None:
    """`publish` every run under its place in `root`."""
    for run in finished:
        spec = run.spec
        publish(run.folder, results.run_folder(root, spec.task, spec.backend, spec.variant, spec.seed))


def _claims() -> Path:
    """Where this checkout notes what it needs; in a store that others share, apart from theirs."""
    if not _SHARED:
        return ROOT / "claims"
    here = Path.cwd().resolve()
    return ROOT / "claims" / sha256(str(here).encode()).hexdigest()[:12]


def claim(owner: str, runs: Iterable[str]) -> None:
    """Note that `owner` (a stage) needs these runs now; it replaces what `owner` claimed before."""
    write_json(_claims() / f"{owner}.json", sorted(set(runs)))


def _read_claim(path: Path) -> set[str]:
    found = read_json(path)
    if not (isinstance(found, list) and all(isinstance(run, str) for run in found)):
        raise StudyError(f"{path}: damaged: expected a list of ids; delete it and run: dvc repro")
    return set(found)


def claimed(owner: str) -> set[str]:
    """The runs that `owner` needs."""
    path = _claims() / f"{owner}.json"
    return _read_claim(path) if path.is_file() else set()


def prune() -> list[str]:
    """Delete the runs that no stage of any checkout claims, and what runs killed over an hour ago left; returns their
    ids."""
    needed = {run for path in (ROOT / "claims").rglob("*.json") for run in _read_claim(path)}
    recent = time.time() - 3600

    def being_written(path: Path) -> bool:
        return path.name.startswith(".") and path.stat().st_mtime > recent

    gone = [
        path
        for path in ROOT.glob("*")
        if path.is_dir() and path.name not in needed | {"claims", STATES} and not being_written(path)
    ]
    for folder in gone:
        shutil.rmtree(folder)
    for state in (ROOT / STATES).glob("*"):
        finished = (ROOT / state.stem).is_dir()  # and killed before its state was deleted
        if (finished or state.stem not in needed) and not being_written(state):
            state.unlink()
    return sorted(folder.name for folder in gone)
