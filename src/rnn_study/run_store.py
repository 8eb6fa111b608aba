"""Finished runs by id. The id covers all that can change a run's bytes, so a run is never computed twice."""

import ast
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

from . import backends, cells, problems, results, train
from .closure import SRC, closure
from .events import Finished
from .files import read_json, write_json
from .files import sha256 as file_sha256
from .task import Generated, Pixels

ROOT = Path(".run-store")


@cache
def _data_digest(path: str, changed: int) -> str:
    return file_sha256(Path(path))


@cache
def _files(backend: str, problem: str | None) -> dict[str, str]:
    """SHA-256 of every file of the package that a run in `backend` imports, by its path under src; with those that
    make the data where it is made."""
    roots = [Path(train.__file__), Path(backends.__file__).parent / backend / "__init__.py"]
    if problem:
        roots.append(Path(problems.__file__).with_name(f"{problem}.py"))
    return {path.relative_to(SRC).as_posix(): file_sha256(path) for path in closure(*roots)}


def cell_code(text: str, name: str) -> str:
    """What `text`, that of `cells.py`, says of the cell `name`: its entry in CELLS and every definition of the module
    that the entry leads to, directly or not, and how activations are chosen."""
    tree = ast.parse(text)
    defined: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                defined |= {found.id: node for found in ast.walk(target) if isinstance(found, ast.Name)}
    table = defined["CELLS"].value
    (entry,) = (value for key, value in zip(table.keys, table.values, strict=True) if key.value == name)
    reached, waiting = {"CELLS"}, [entry, *(defined[name] for name in ("activated",) if name in defined)]
    dumps = []
    while waiting:
        node = waiting.pop()
        dumps.append(ast.dump(node))
        for found in ast.walk(node):
            if isinstance(found, ast.Name) and found.id in defined and found.id not in reached:
                reached.add(found.id)
                waiting.append(defined[found.id])
    return "\n".join(sorted(dumps))


def sources(spec: train.RunSpec) -> dict[str, str]:
    """SHA-256 of the code behind a run: every file it imports, but of `cells.py` its own cells' definitions alone, and
    of the problems its own, so that one that is added or edited leaves the others' runs as they are."""
    match spec.data:
        case Generated(problem=problem):
            pass
        case Pixels():
            problem = "pixels"
        case _:
            problem = None
    found, path = dict(_files(spec.backend, problem)), Path(cells.__file__)
    del found[path.relative_to(SRC).as_posix()]
    text = path.read_text(encoding="utf-8")
    for name in sorted({layer.cell for layer in spec.network.layers}):
        found[f"cell {name}"] = sha256(cell_code(text, name).encode()).hexdigest()
    return found


def run_id(spec: train.RunSpec, environment: dict[str, str]) -> str:
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


def add(run: str, spec: train.RunSpec, result: results.RunResult, seconds: float) -> Path:
    """Store a finished run; it appears under its id complete or not at all."""
    ROOT.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=ROOT, prefix=".unfinished-"))
    try:
        results.write(result, unfinished)
        write_json(unfinished / "spec.json", asdict(spec))
        write_json(unfinished / "timing.json", {"seconds": seconds})  # never published: a clock is no result
        os.rename(unfinished, ROOT / run)
    except OSError:
        if not (ROOT / run).is_dir():  # else another process finished the same run first
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return ROOT / run


def publish(folder: Path, target: Path) -> None:
    """Put a stored run's files at `target` as hard links, so that they lie on disk once."""
    target.mkdir(parents=True, exist_ok=True)
    for name in results.FILES:
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
