"""What a driver meets when a worker's framework is missing or a worker dies, and what a worker inherits."""

import importlib.util
import os
import signal
import subprocess
import sys

import pytest

from rnn_study.behaviour.parity import probes, problems
from rnn_study.behaviour.parity.run import Parity
from rnn_study.running.workers import Workers
from rnn_study.support.errors import StudyError

FRAMEWORK = {"pytorch": "torch", "tensorflow": "tensorflow"}


def installed() -> str:
    """A backend that can run here, the one whose import is shorter first."""
    for backend, framework in FRAMEWORK.items():
        if importlib.util.find_spec(framework) is not None:
            return backend
    pytest.skip("no framework is installed")


@pytest.mark.parametrize(("backend", "module"), [("pytorch", "torch"), ("tensorflow", "keras")])
def test_a_missing_framework_is_one_clear_line(tmp_path, monkeypatch, backend, module):
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}')")
    monkeypatch.syspath_prepend(tmp_path)
    line = rf"No module named {module}: expected what the {backend} backend imports: pip install -e '\.\[{backend}\]'"
    with Workers(backend, "parity", 1) as workers:
        parity = Parity({backend: workers})
        parity.updates()
        with pytest.raises(StudyError, match=line):
            list(parity.finish())


def test_a_worker_that_dies_is_one_clear_line():
    backend = installed()
    with Workers(backend, "parity", 1) as workers:
        process = workers.submit(os.getpid).result()
        parity = Parity({backend: workers})
        parity.layers(problems.options())
        os.kill(process, signal.SIGKILL)
        with pytest.raises(StudyError, match=f"^parity: a {backend} worker died "):
            list(parity.finish())


def test_what_goes_wrong_in_a_worker_reaches_the_driver():
    backend = installed()
    with Workers(backend, "test", 1) as workers:
        with pytest.raises(AttributeError):
            workers.submit(probes.probe, backend, None).result()
        assert workers.submit(os.getpid).result() != os.getpid()  # and the worker lives on
        threads = [workers.submit(os.getenv, f"{name}_NUM_THREADS").result() for name in ("OMP", "MKL")]
        assert threads == ["1", "1"]


def test_a_worker_does_not_run_its_drivers_script_again(tmp_path):
    backend = installed()
    (tmp_path / "driver.py").write_text(
        "import sys, __main__\n"
        "from rnn_study.running.workers import Workers\n"
        "print('the driver runs')\n"
        "before = __main__.__file__, __main__.__spec__, list(sys.path)\n"
        f"with Workers({backend!r}, 'test', 1) as workers:\n"
        "    print(workers.environment['threads'])\n"
        "print(before == (__main__.__file__, __main__.__spec__, sys.path))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "driver.py"], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["the driver runs", "1", "True", ""]
