"""How a pipeline script starts and ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import os, sys, time
from pathlib import Path
from rnn_study.support import stage


def main() -> None:
    Path("started").write_text(str(os.getpid()))
    time.sleep({seconds})
    print("done", file=sys.stderr)


stage.run(main)
"""


def started(
    tmp_path: Path, words: str, seconds: float, script: bool = True, **more: str
) -> subprocess.CompletedProcess:
    if script:
        (tmp_path / "script.py").write_text(SCRIPT.format(seconds=seconds))
    command = ["sh", "-c", words.replace("SCRIPT", f"'{sys.executable}' script.py")]
    return subprocess.run(command, cwd=tmp_path, env=os.environ | more, capture_output=True, text=True, timeout=60)


def first_adopts() -> bool:
    """Whether a process whose parent dies gets the first one as its parent, and that is not DVC."""
    words = f"'{sys.executable}' -c 'import os, time; time.sleep(0.3); print(os.getppid())' &"
    return subprocess.run(["sh", "-c", words], capture_output=True, text=True).stdout.strip() == "1"


@pytest.mark.skipif(not Path("/proc/1/cmdline").exists() or not first_adopts(), reason="needs Linux without a reaper")
def test_a_stage_whose_dvc_was_killed_while_it_started_leaves(tmp_path):
    """Its parent is gone before it can look: the shell ends at once."""
    before = time.monotonic()
    started(tmp_path, "SCRIPT </dev/null >/dev/null 2>&1 &", 50, DVC_STAGE="train")
    while not (tmp_path / "started").exists() and time.monotonic() - before < 5:
        time.sleep(0.1)
    deadline = time.monotonic() + 10
    if (tmp_path / "started").exists():  # else it left even before its work
        process = Path("/proc") / (tmp_path / "started").read_text()
        while process.exists():
            assert time.monotonic() < deadline, "the stage outlives DVC"
            time.sleep(0.2)


def test_a_stage_that_nobody_waits_for_runs_to_its_end(tmp_path):
    """Started by hand, in the background."""
    started(tmp_path, "SCRIPT </dev/null >out 2>&1 &", 1.5)
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() or "done" not in (tmp_path / "out").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&-"])
def test_a_stage_needs_no_open_streams(tmp_path, closed):
    done = started(tmp_path, f"SCRIPT {closed}", 0)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "started").exists()


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_what_a_stage_starts_has_streams_too(tmp_path, closed):
    asks = "import os; print(*[os.fstat(number).st_rdev for number in (0, 1, 2)], file=open('found', 'w'))"
    (tmp_path / "script.py").write_text(
        "import subprocess, sys\nfrom rnn_study.support import stage\n"
        f"stage.with_streams()\nsubprocess.run([sys.executable, '-c', {asks!r}], check=True)\n"
        "print('said', file=sys.stderr)\nprint('said')\n"
    )
    words = f"SCRIPT {' '.join(f'{number}>&-' for number in closed)}"
    assert started(tmp_path, words, 0, script=False).returncode == 0
    found = (tmp_path / "found").read_text().split()
    nowhere = str(os.stat(os.devnull).st_rdev)
    assert [found[int(number)] for number in closed] == [nowhere] * len(closed)


def test_of_two_that_run_the_same_command_the_second_says_who_is_at_it(tmp_path):
    """Another command runs beside it; the same one again after it."""
    (tmp_path / ".dvc").mkdir()
    both = "SCRIPT & first=$!; while [ ! -s started ]; do sleep 0.1; done; SCRIPT; echo $?; SCRIPT other; echo $?; wait"
    done = started(tmp_path, both, 8)
    first = (tmp_path / ".dvc/tmp/script.py.lock").read_text()
    assert (
        f"error: script.py: process {first} is at it: expected one at a time; wait for it, or end it\n" in done.stderr
    )
    assert done.stdout == "1\n2\n"  # the script takes no argument: it says so, and waits for nobody
    done = started(tmp_path, "SCRIPT; echo $?", 0)
    assert (done.stdout, done.stderr) == ("0\n", "done\n")


def test_one_that_is_about_to_leave_is_waited_for(tmp_path):
    (tmp_path / ".dvc").mkdir()
    done = started(tmp_path, "SCRIPT & while [ ! -s started ]; do sleep 0.1; done; SCRIPT; echo $?; wait", 2.0)
    assert (done.stdout, done.stderr) == ("0\n", "done\ndone\n")
