"""Finished runs by id. The id covers all that can change a run's bytes, so a run is never computed twice."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path

from rnn_study.data import prepared
from rnn_study.model import cells
from rnn_study.model.task import Generated, Pixels
from rnn_study.running.events import Finished
from rnn_study.support.files import read_json, write_json
from rnn_study.support.files import sha256 as file_sha256

from . import code, results, train
from .spec import RunSpec

ROOT = Path(".run-store")
SPEC = "spec.json"  # what determined the run, see `RunSpec`
PUBLISHED = (*results.FILES, SPEC)


@cache
def _data_digest(path: str, changed: int) -> str:
    return file_sha256(Path(path))


@cache
def _files(backend: str, problem: str | None) -> dict[str, str]:
    """What every file of the package does that a run in `backend` imports, by its path under src; with those that read
    or make its data."""
    roots = [Path(train.__file__), code.SRC / code.PACKAGE / "backends" / backend / "__init__.py"]
    data = Path(prepared.__file__)
    roots.append(data.with_name("problems") / f"{problem}.py" if problem else data)
    found = {path.relative_to(code.SRC).as_posix(): code.does(path) for path in code.closure(*roots)}
    return {name: digest for name, digest in found.items() if digest}


def sources(spec: RunSpec) -> dict[str, str]:
    """SHA-256 of what the code behind a run does: every file it imports, but of `cells.py` its own cells' definitions
    alone, and of the problems its own, so that one that is added or edited leaves the others' runs as they are."""
    match spec.data:
        case Generated(problem=problem):
            pass
        case Pixels():
            problem = "pixels"
        case _:
            problem = None
    found, path = dict(_files(spec.backend, problem)), Path(cells.__file__)
    del found[path.relative_to(code.SRC).as_posix()]
    for name in sorted({layer.cell for layer in spec.network.layers}):
        found[f"cell {name}"] = code.part_does(path, "CELLS", name, also=("activated",))
    return found


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


def find(run: str) -> Path | None:
    """The folder of the finished run with this id, if there is one."""
    folder = ROOT / run
    return folder if folder.is_dir() else None


def add(run: str, spec: RunSpec, result: results.RunResult, seconds: float) -> Path:
    """Store a finished run; it appears under its id complete or not at all."""
    ROOT.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=ROOT, prefix=".unfinished-"))
    try:
        results.write(result, unfinished, _about(run, spec))
        write_json(unfinished / SPEC, asdict(spec))
        write_json(unfinished / "timing.json", {"seconds": seconds})  # never published: a clock is no result
        os.rename(unfinished, ROOT / run)
    except OSError:
        if not (ROOT / run).is_dir():  # else another process finished the same run first
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return ROOT / run


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


def claim(owner: str, runs: Iterable[str]) -> None:
    """Note that `owner` (a stage) needs these runs now; it replaces what `owner` claimed before."""
    write_json(ROOT / "claims" / f"{owner}.json", sorted(set(runs)))


def claimed(owner: str) -> set[str]:
    """The runs that `owner` needs."""
    path = ROOT / "claims" / f"{owner}.json"
    return set(read_json(path)) if path.is_file() else set()


def prune() -> list[str]:
    """Delete the runs that no stage claims, and what runs killed over an hour ago left; returns their ids."""
    needed = {run for path in (ROOT / "claims").glob("*.json") for run in claimed(path.stem)}
    recent = time.time() - 3600
    gone = [
        path
        for path in ROOT.glob("*")
        if path.is_dir()
        and path.name not in needed | {"claims"}
        and not (path.name.startswith(".unfinished-") and path.stat().st_mtime > recent)
    ]
    for folder in gone:
        shutil.rmtree(folder)
    return sorted(folder.name for folder in gone)
