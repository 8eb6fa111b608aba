"""What a driver meets when a worker's framework is missing or a worker dies, and what a worker inherits."""

import errno
import importlib.util
import os
import signal
import subprocess
import sys

import pytest

from rnn_study.behaviour.parity import probes, problems
from rnn_study.behaviour.parity.run import Parity
from rnn_study.running.execution import frameworks
from rnn_study.running.execution.workers import Workers, spread
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


def test_a_framework_that_cannot_be_loaded_is_one_clear_line(tmp_path, monkeypatch):
    backend = installed()
    (tmp_path / f"{FRAMEWORK[backend]}.py").write_text("raise ImportError('libx.so.3: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with Workers(backend, "train", 1) as workers, pytest.raises(StudyError) as caught:
        workers.wait()
    assert str(caught.value).startswith(f"{sys.executable}: libx.so.3: cannot open shared object file: expected what")


def test_settings_of_libraries_that_could_change_results_do_not_reach_a_worker(tmp_path, monkeypatch):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text('{"floatx": "float16", "backend": "torch", "epsilon": 0.5}')
    for name, value in {
        "HOME": str(tmp_path),
        "XLA_FLAGS": "--xla_gpu_enable_triton_softmax_fusion=true",  # a CPU build ends at a flag that it does not know
        "KERAS_BACKEND": "torch",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TORCHDYNAMO_DISABLE": "1",
        "OMP_NUM_THREADS": "7",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TFX": "mine",
    }.items():
        monkeypatch.setenv(name, value)
    backend = "tensorflow" if importlib.util.find_spec("tensorflow") else installed()
    with Workers(backend, "train", 1) as workers:
        assert workers.environment["framework"] == backend
        own = workers.submit(eval, "dict(__import__('os').environ)").result()
        if backend == "tensorflow":
            for name, value in {"floatx": "float32", "epsilon": 1e-7, "backend": "tensorflow"}.items():
                assert workers.submit(eval, f"__import__('keras').config.{name}()").result() == value
    assert own["OMP_NUM_THREADS"] == "1"
    assert own["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert own["TFX"] == "mine"
    assert not {"TORCHDYNAMO_DISABLE", "TF_ENABLE_ONEDNN_OPTS"} & own.keys()
    assert "triton" not in own.get("XLA_FLAGS", "")
    assert not (tmp_path / ".keras/keras.json").read_text().startswith("{\n")  # Keras has not written it anew


def test_without_unix_sockets_workers_are_spawned(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("socket.socket.bind", refuse)
    monkeypatch.setattr("rnn_study.running.execution.workers._forked", None)
    backend = installed()
    with Workers(backend, "train", 1, fork=True) as workers:
        assert type(workers.context).__name__ == "SpawnContext"
        assert workers.submit(os.getpid).result() != os.getpid()


def test_a_system_that_lets_processes_share_nothing_is_one_clear_line(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("_multiprocessing.SemLock", refuse)
    line = r"^train: workers: Read-only file system: expected a system that lets processes start and share memory"
    with pytest.raises(StudyError, match=line), Workers(installed(), "train", 1):
        pass
    with pytest.raises(StudyError, match=r"^processes: workers: Read-only file system: expected a system that lets"):
        list(spread(len, [[1]]))


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
        "from rnn_study.running.execution.workers import Workers\n"
        "print('the driver runs')\n"
        "before = __main__.__file__, __main__.__spec__, list(sys.path)\n"
        f"with Workers({backend!r}, 'test', 1) as workers:\n"
        "    print(workers.environment['threads'])\n"
        "print(before == (__main__.__file__, __main__.__spec__, sys.path))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "driver.py"], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["the driver runs", "1", "True", ""]


def test_a_framework_is_called_as_it_calls_itself(tmp_path, monkeypatch):
    """PyPI's torch says less in its metadata than when it is imported, which it is not to be asked for."""
    for name in ("torch", "keras"):
        package, told = tmp_path / name, tmp_path / f"{name}-2.13.0.dist-info"
        package.mkdir()
        told.mkdir()
        (package / "__init__.py").write_text("raise SystemExit('imported')\n")
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.13.0\n")
    (tmp_path / "torch/version.py").write_text(
        "from typing import Optional\n\n__version__ = '2.13.0+cu130'\ncuda = 1\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    *_, versions = frameworks.ask(sys.executable, "torch", "keras", "no-such-package")
    assert versions == {"torch": "2.13.0+cu130", "keras": "2.13.0", "no-such-package": None}
