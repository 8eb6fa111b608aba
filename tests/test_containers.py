"""What a container may use of its machine, from files as the kernel writes them (cgroup v2 and v1)."""

import os

import pytest
from conftest import ROOT

from rnn_study import config
from rnn_study.config import memory
from rnn_study.running.execution.workers import worker_count
from rnn_study.support import machine

CORES = [
    ({}, 8),
    ({"cpu.max": "max 100000"}, 8),
    ({"cpu.max": "200000 100000"}, 2),
    ({"cpu.max": "150000 100000"}, 2),  # a share of a core is one that may be kept busy at times
    ({"cpu.max": "5000 100000"}, 1),
    ({"cpu.max": "6400000 100000"}, 8),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
]
GIB = 2**30
MEMORY = [
    ({}, 16 * GIB),
    ({"memory.max": "max"}, 16 * GIB),
    ({"memory.max": str(2 * GIB)}, 2 * GIB),
    ({"memory.max": str(64 * GIB)}, 16 * GIB),
    ({"memory/memory.limit_in_bytes": "9223372036854771712"}, 16 * GIB),
    ({"memory/memory.limit_in_bytes": str(3 * GIB)}, 3 * GIB),
]


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A machine of eight cores and 16 GiB, and on it the control group that the files given describe."""
    monkeypatch.delenv("RNN_STUDY_WORKERS", raising=False)
    monkeypatch.setattr(machine, "CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 2**12}.__getitem__)

    def limited(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(f"{text}\n")

    return limited


@pytest.mark.parametrize(("files", "cores"), CORES)
def test_a_worker_for_each_core_that_the_container_is_worth(files, cores, container):
    container(files)
    assert worker_count() == cores


@pytest.mark.parametrize(("files", "most"), MEMORY)
def test_the_memory_of_the_container_is_what_sizes_are_held_against(files, most, container):
    container(files)
    assert machine.memory() == most


def test_a_size_that_the_machine_bears_and_the_container_does_not_is_refused(container):
    parameters = config.load(ROOT / "studies/quick.yaml")
    assert list(memory.faults(parameters)) == []
    container({"memory.max": str(2**20)})
    assert any("expected at most the 1 MiB of this machine" in fault for fault in memory.faults(parameters))
