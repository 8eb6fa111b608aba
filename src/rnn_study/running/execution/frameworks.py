"""What a framework is on this machine, told without importing it, which costs seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rnn_study.support.errors import StudyError

# By backend the packages whose versions can change a run's bytes, the framework first.
_PACKAGES = {"pytorch": ("torch", "numpy"), "tensorflow": ("tensorflow", "keras", "numpy")}
# What a fork server imports for its workers, in this order; torch's optimisers at their first use its compiler.
MODULES = {
    "pytorch": (
        "rnn_study.running.execution.uncollected",
        "rnn_study.running.execution.local",
        "rnn_study.backends.pytorch",
        "torch._dynamo",
    ),
    "tensorflow": (
        "rnn_study.running.execution.uncollected",
        "rnn_study.running.execution.local",
        "rnn_study.backends.tensorflow",
    ),
}
# Without one of these no framework finds a GPU under Linux: NVIDIA's, AMD's, that of Windows around it.
_GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
# A torch of PyPI is 2.13.0 in its metadata and 2.13.0+cu130 in its own words, which are those of a worker.
_QUESTION = r"""
import json, platform, re, sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
def installed(name):
    try:
        told = version(name)
    except PackageNotFoundError:
        return None
    found = find_spec(name)
    own = Path(found.origin).with_name("version.py") if found and found.origin else None
    text = own.read_text() if own and own.is_file() else ""
    said = re.search(r"^__version__ = ['\"](.+)['\"]$", text, re.MULTILINE)
    return said[1] if said else told
print(json.dumps([sys.path, platform.python_version(), {name: installed(name) for name in sys.argv[1:]}]))
"""


def interpreter(backend: str) -> str:
    """The Python that computes in `backend`: what RNN_STUDY_PYTHON_<BACKEND> names, else this one. A StudyError
    for another backend, and for what is no file."""
    if backend not in _PACKAGES:
        raise StudyError(f"backend: got {backend!r}: expected one of {', '.join(_PACKAGES)}")
    variable = f"RNN_STUDY_PYTHON_{backend.upper()}"
    found = os.environ.get(variable) or sys.executable
    if not Path(found).is_file():
        raise StudyError(f"{variable}: got {found!r}: expected the path of a Python interpreter")
    return found


def ask(python: str, *packages: str) -> tuple[list[str], str, dict[str, str | None]]:
    """Of an interpreter its import path, its version, and those of `packages` (None: not installed)."""
    question = [python, "-c", _QUESTION, *packages]
    try:
        path, its, versions = json.loads(subprocess.run(question, capture_output=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        raise StudyError(f"{python}: does not answer: expected a Python interpreter") from None
    return path, its, versions


def environment(backend: str) -> dict[str, str] | None:
    """What a worker of `backend` would find but for its device: framework, versions, threads. None where only a
    worker can tell, for a framework may come under another name (tensorflow-cpu) or be missing."""
    its = interpreter(backend)
    packages = _PACKAGES[backend]
    _, python, versions = ask(its, *packages)
    if None in versions.values():
        return None
    more = {name: versions[name] for name in packages[1:]}
    return {"framework": packages[0], "version": versions[packages[0]], **more, "python": python, "threads": "1"}


def surely_no_gpu() -> bool:
    """Whether no framework can find a GPU here; where this is False a worker has to be asked."""
    return sys.platform == "linux" and not any(map(os.path.exists, _GPUS))
