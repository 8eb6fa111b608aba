"""Kills a stage at every one of its crash points: `crash_worker.py <project> <scenario> [every]`.

A crash point lies before each opening for writing, rename, link, removal, new folder and commit that the stage makes in
the project, and in the middle of what it writes; so before one is after the one before it. With `every` above 1 only
each so many of them are tried. The framework is a stub in the stage's own process. Every point has a process of its
own, forked, that is killed there with SIGKILL; what is left is looked at, then the stage runs again and must end where
an undisturbed one ends. Prints a line of JSON: how many points were tried, and the faults found.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import stub
from sqlalchemy import Engine, event

from rnn_study import config
from rnn_study.data import prepared
from rnn_study.running import tuning  # noqa: F401  # here, so that no process forked imports it
from rnn_study.running.run import code
from rnn_study.running.run import train as run_train
from rnn_study.running.run.events import in_order
from rnn_study.statistics import summary  # noqa: F401
from rnn_study.support.errors import StudyError
from rnn_study.support.files import read_arrays, read_json

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipelines"))
import fetch
import prepare
import runs
import train
import tune

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MEANT = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


class NoTracker:
    """MLflow is a mirror only; its own faults: test_tracking_faults.py."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def follow(self, executor, specs, title):
        return in_order(specs, executor.stream(specs))

    def log(self, event):
        pass

    def summarise(self, finished, tables):
        pass


SCENARIOS: dict[str, Callable[[], None]] = {
    "fetch": lambda: fetch.main("airline"),
    "prepare": lambda: prepare.main(["airline"]),
    "tune": lambda: tune.main(["airline"]),
    "train": lambda: train.main("pytorch", ["airline"]),
    "runs": runs.main,
}


class Kill:
    """Counts the crash points of this process, and kills it at one of them."""

    def __init__(self, root: Path, at: int | None):
        self.root, self.at, self.count = str(root), at, 0
        sys.addaudithook(self._hear)
        event.listen(Engine, "commit", lambda connection: self.here())
        self._open, os.fdopen = os.fdopen, self._fdopen

    def here(self, before: Callable[[], None] = lambda: None) -> None:
        self.count += 1
        if self.count == self.at:
            before()
            os.kill(os.getpid(), signal.SIGKILL)

    def _hear(self, name: str, arguments: tuple) -> None:
        if name in MEANT or (name == "open" and arguments[2] & WRITES):
            place = arguments[0]
            if isinstance(place, str | os.PathLike) and os.path.abspath(place).startswith(self.root):
                self.here()

    def _fdopen(self, *arguments, **options):
        file = self._open(*arguments, **options)
        return _Half(file, self) if file.writable() else file


class _Half:
    """A file in the middle of whose first write there is a crash point."""

    def __init__(self, file, kill: Kill):
        self._file, self._kill, self._begun = file, kill, False

    def write(self, data):
        if not self._begun:
            self._begun = True

            def half() -> None:
                self._file.write(data[: len(data) // 2])
                self._file.flush()

            self._kill.here(half)
        return self._file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


def forked(do: Callable[[], None]) -> int:
    """Exit code of `do` in a process of its own; -9 where it was killed."""
    child = os.fork()
    if not child:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            do()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(root: Path) -> dict[str, bytes]:
    """Every file of the project that a stage writes, but clocks and what a killed process was writing in the store."""
    found = {}
    for top in ("data", "metrics", "runs", "tuned", ".run-store"):
        for path in (root / top).rglob("*"):
            name = path.relative_to(root).as_posix()
            passing = path.name == "timing.json" or ".unfinished-" in name or "/states/." in name
            if path.is_file() and not passing:
                found[name] = path.read_bytes()
    return found


def main(root: Path, scenario: str, every: int = 1) -> None:
    stub.put_in(pytest.MonkeyPatch())
    train.Tracker = tune.Tracker = NoTracker
    os.fsync = lambda handle: None  # a process dies here, not the machine
    os.environ["RNN_STUDY_SAVE_SECONDS"] = "0"
    os.chdir(root)
    # What every process would find out for itself, once: parameters, and what the code behind a run does.
    parameters = config.load()
    config.load = lambda: parameters
    code.behind(Path(run_train.__file__), code.backend("pytorch"), Path(prepared.__file__))
    aside, stage = root.with_name(f"{root.name}-aside"), SCENARIOS[scenario]
    for before in SCENARIOS:
        if before == scenario:
            break
        assert forked(SCENARIOS[before]) == 0, before
    shutil.copytree(root, aside)

    def put_back() -> None:
        shutil.rmtree(root)
        shutil.copytree(aside, root)
        os.chdir(root)

    old = contents(root)
    assert forked(stage) == 0
    new = contents(root)
    at, tried, faults = 0, 0, []
    while True:
        at += every
        put_back()

        def killed(at: int = at) -> None:
            Kill(root, at)
            stage()

        ended = forked(killed)
        if ended == 0:
            break
        tried += 1
        if ended != -signal.SIGKILL:
            faults.append(f"point {at}: exit code {ended}")
            continue
        for name, data in contents(root).items():
            place = root / name
            if "/." in name:
                continue  # what was being written
            if name.startswith((".run-store/states", ".run-store/claims")):  # whole, though of the middle of a stage
                with suppress(FileNotFoundError):
                    try:
                        (read_arrays if place.suffix == ".npz" else read_json)(place)
                    except StudyError as error:
                        faults.append(f"point {at}: {error}")
            elif data not in (old.get(name), new.get(name)):
                faults.append(f"point {at}: {name}: {len(data)} bytes that no whole file has")
        if forked(stage) != 0:
            faults.append(f"point {at}: does not run again")
        found = contents(root)
        for name in [name for name in found if "/states/" in name and (root / ".run-store" / Path(name).stem).is_dir()]:
            del found[name]  # of a run that was killed when it had finished: pruned
        different = [name for name in found.keys() | new.keys() if found.get(name) != new.get(name)]
        faults += [f"point {at}: {name}: differs after the stage ran again" for name in sorted(different)]
    print(json.dumps({"points": tried, "faults": faults}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], *map(int, sys.argv[3:]))
