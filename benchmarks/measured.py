"""What stands beside every figure of a benchmark: the machine, and how many digits it has."""

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rnn_study.running.execution import frameworks
from rnn_study.running.execution.workers import worker_count


def _cpu() -> str:
    """The name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def machine(backends: Iterable[str]) -> dict[str, Any]:
    """What the figures were measured on: processor, cores, and the versions of these frameworks."""
    found: dict[str, Any] = {"cpu": _cpu(), "cores": worker_count()}
    for backend in backends:
        its = frameworks.environment(backend) or {}
        found |= {backend: its.get("version")} | {key: its[key] for key in ("keras", "python") if key in its}
    return dict(sorted(found.items()))


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """To three significant digits."""
    return {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in row.items()}
