"""What a machine, a container or a file system has, or lacks."""

import math
import os
import socket
import tempfile
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")  # in a container: its own limits, as version 2 or version 1 names them


def _limit(name: str) -> list[float]:
    """The numbers that a limit of the control group says; none where there is no limit, or no such file."""
    try:
        words = (CONTROL_GROUP / name).read_text().split()
    except OSError:
        return []
    return [float(word) for word in words] if all(word.isdecimal() for word in words) else []


def cores() -> int:
    """Cores that this process may keep busy: those it may run on, and no more than its container's share of time is
    worth, rounded up."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _limit("cpu.max") or _limit("cpu/cpu.cfs_quota_us") + _limit("cpu/cpu.cfs_period_us")
    if len(share) == 2 and all(share):  # microseconds of work in so many that pass
        own = min(own, math.ceil(share[0] / share[1]))
    return own


def memory() -> int:
    """Bytes of memory: the machine's, or as many of these as its container may use."""
    own = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(min([own, *_limit("memory.max"), *_limit("memory/memory.limit_in_bytes")]))


def has_unix_sockets() -> bool:
    """Whether processes can meet at a Unix socket in the folder for temporary files."""
    try:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as own:
            own.bind(f"{folder}/listener")
    except (OSError, AttributeError):
        return False
    return True
