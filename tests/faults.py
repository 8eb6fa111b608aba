"""Kills what the study does, at every crash point and at random, and looks at what is lost: `make faults`.

With a stub framework every crash point of every scenario of `crash_worker.py`; with each framework `train` at random
moments, the stage alone, its whole process group, or one of its workers; then `dvc repro` in the same ways. After each
kill nothing may run on, and the same command must end with the outputs of an undisturbed one. Takes about an hour.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import Project
from crash_worker import SCENARIOS, contents
from test_crash_points import PARAMS, crash

from rnn_study.model.backend import BACKENDS

LEAVING = 20.0  # seconds in which all processes of what was killed must be gone
LONG = PARAMS.replace(
    "training: {batch_size: 8, epochs: 3, patience: 2}", "training: {batch_size: 8, epochs: 60, patience: 60}"
)


def processes(folder: Path) -> dict[int, str]:
    """The command lines of all processes that work in `folder`, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):  # it ended, or is not ours
            continue
    return found


def killed(project: Project, words: list[str], after: float, rng: random.Random) -> str | None:
    """Start `words` and kill them `after` so many seconds, in a way that `rng` chooses; what was killed, None where
    they had ended."""
    environment = project.environment | {"RNN_STUDY_SAVE_SECONDS": "0"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, cwd=project.folder, env=environment, start_new_session=True, **quiet) as process:
        time.sleep(after)
        if process.poll() is not None:
            return None
        way = rng.choice(["the process", "its group", "one below it"])
        below = [other for other in processes(project.folder) if other != process.pid]
        try:
            if way == "its group":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                os.kill(rng.choice(below) if below and way == "one below it" else process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        if way == "one below it":  # the others are told, or notice, and end with an error
            process.wait(120)
    return way


def left_running(folder: Path) -> dict[int, str]:
    """What still runs in `folder` after the time that it has to leave."""
    end = time.monotonic() + LEAVING
    while (found := processes(folder)) and time.monotonic() < end:
        time.sleep(0.2)
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def at_random(project: Project, words: list[str], kills: int, rng: random.Random, title: str) -> list[str]:
    """The faults after so many kills of `words` in `project`, which is put back for each."""
    start = project.folder.with_name(f"{project.folder.name}-start")
    shutil.copytree(project.folder, start, symlinks=True)
    begun = time.monotonic()
    project.run(*words)
    seconds, expected, faults, made = time.monotonic() - begun, contents(project.folder), [], 0
    while made < kills:
        shutil.rmtree(project.folder)
        shutil.copytree(start, project.folder, symlinks=True)
        after = rng.uniform(0.02, seconds)
        way = killed(project, words, after, rng)
        if way is None:
            continue
        made += 1
        told = f"{title}, {way} after {after:.2f} of {seconds:.1f} s"
        faults += [f"{told}: runs on: {line}" for line in left_running(project.folder).values()]
        again = project.run(*words, check=False)
        if again.returncode:
            faults.append(f"{told}: does not run again: {again.stderr.strip().splitlines()[-1:]}")
        found = contents(project.folder)
        names = sorted(name for name in found.keys() | expected.keys() if "/states/" not in name)
        faults += [f"{told}: {name}: differs" for name in names if found.get(name) != expected.get(name)]
        print(f"{told}: {made}/{kills}, faults so far: {len(faults)}", flush=True)
    shutil.rmtree(start)
    return faults


def project(folder: Path, params: str) -> Project:
    folder.mkdir()
    found = Project.fresh(folder)
    found.write("params.yaml", params)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="of the crash points, each so many")
    parser.add_argument("--kills", type=int, default=20, help="with each framework")
    parser.add_argument("--repro", type=int, default=10, help="of dvc repro")
    asked = parser.parse_args()
    rng, faults, points = random.Random(asked.seed), [], 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        root = Path(name).resolve()
        for scenario in SCENARIOS:
            found = crash(root / f"crash-{scenario}", scenario, asked.every)
            points += found["points"]
            faults += [f"{scenario}: {fault}" for fault in found["faults"]]
            print(f"{scenario}: {found['points']} crash points, {len(found['faults'])} faults", flush=True)
        for backend in BACKENDS if asked.kills else ():
            own = project(root / backend, LONG)
            for words in ("fetch.py airline", "prepare.py airline", "tune.py airline"):
                own.run("python", *f"pipelines/{words}".split())
            words = ["python", "pipelines/train.py", backend, "airline"]
            faults += at_random(own, words, asked.kills, rng, f"train {backend}")
        if asked.repro:
            words = ["dvc", "repro", "summarise"]
            faults += at_random(project(root / "repro", PARAMS), words, asked.repro, rng, "dvc repro")
    kills = len(BACKENDS) * asked.kills + asked.repro
    print(
        f"{points} crash points, {kills} kills at random (seed {asked.seed}): {len(faults)} faults", *faults, sep="\n"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
