"""The same runs on a Ray cluster of two nodes, started on this machine, one of which dies."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import Project, needs
from test_executor import airline, contents, generated, specs  # noqa: F401

from rnn_study import config
from rnn_study.running.execution import start
from rnn_study.running.execution.local import Local
from rnn_study.running.run.events import Finished, Progress
from rnn_study.support.errors import StudyError

pytestmark = needs("ray", "torch")
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


@pytest.fixture(scope="module")
def nodes():
    """A cluster of one core on its first node; more may be added."""
    before = {name: os.environ.get(name) for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED")}
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE | {"include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    yield cluster
    ray.shutdown()
    cluster.shutdown()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@pytest.fixture
def second(nodes):
    """Its second node, and how that one is killed."""
    node = nodes.add_node(**NODE)
    nodes.wait_for_nodes()
    gone = []

    def kill() -> None:
        gone.append(node)
        nodes.remove_node(node, allow_graceful=False)

    yield kill
    if not gone:
        kill()


def kept(store: Path) -> dict[str, bytes]:
    """The files of every run in a store, which is put away."""
    found = contents(store)
    store.rename(store.with_name(f"store-{len(list(store.parent.glob('store-*')))}"))
    return found


def on_cluster(backend: str = "pytorch"):
    from rnn_study.running.execution.cluster import Cluster

    return Cluster(backend, "test", "cpu")


def test_runs_are_what_they_are_on_this_machine(airline, second):  # noqa: F811
    """Of a prepared file, which no worker there finds under its name, and of data that is drawn."""
    asked = [*specs(), generated("parity", 8)]
    with Local("pytorch", "test", "cpu") as executor:
        here = executor.environment
        executor.run(asked)
    expected = kept(Path(".run-store"))
    with on_cluster() as executor:
        assert (executor.environment, executor.device) == (here, "cpu")
        events = list(executor.stream(asked))
        again = executor.run(asked)
    assert kept(Path(".run-store")) == expected
    told = [event for event in events if isinstance(event, Progress)]
    assert {event.run for event in told} == {event.run for event in again}
    assert [event.row["epoch"] for event in told if event.run == again[0].run] == [1, 2, 3]
    assert all(run.reused for run in again)


def test_a_node_that_dies_costs_no_run(airline, second):  # noqa: F811
    """With a process on the other one. What was finished is not computed again, and nothing is another number."""
    asked = [generated(seed=seed, epochs=150, patience=150) for seed in range(8)]
    with Local("pytorch", "test", "cpu") as executor:
        executor.run(asked)
    expected, finished, killed = kept(Path(".run-store")), [], []
    with on_cluster() as executor:
        for event in executor.stream(asked):
            if isinstance(event, Finished):
                finished.append(event.run)
            elif finished and not killed:  # in the middle of another one
                second()
                at_work = subprocess.run(["pgrep", "-f", "^ray::_train"], capture_output=True, text=True).stdout.split()
                killed = at_work[:1]
                os.kill(int(killed[0]), signal.SIGKILL)
    assert killed
    assert len(finished) == len(set(finished)) == 8
    assert kept(Path(".run-store")) == expected


def test_a_search_and_a_frontier_find_the_same(project: Project, nodes):
    """Where what runs next depends on what ran before: the pipeline's own scripts."""
    project.run("python", "pipelines/fetch.py", "airline")
    project.run("python", "pipelines/prepare.py", "airline")
    written, found = ("tuned/airline.yaml", "metrics/frontier/adding.json"), {}
    for executor in ("local", "ray"):
        if executor == "ray":
            project.edit("params.yaml", "executor: local", "executor: ray")
        project.run("python", "pipelines/tune.py", "airline", RAY_ADDRESS=nodes.address)
        project.run("python", "pipelines/frontier.py", "adding", RAY_ADDRESS=nodes.address)
        files = {name: (project.folder / name).read_bytes() for name in written}
        found[executor] = files | kept(project.folder / ".run-store")
    assert found["local"] == found["ray"]
    assert json.loads(found["ray"][written[1]])["runs"]


def test_a_node_with_other_packages_is_one_clear_line(airline, second):  # noqa: F811
    with on_cluster() as executor:
        executor.environment = executor.environment | {"version": "1.0"}
        with pytest.raises(StudyError, match=r"^test: on the cluster: a node of the cluster has .*: expected .*'1\.0'"):
            executor.run([generated()])
    from rnn_study.running.execution.cluster import Cluster

    with pytest.raises(StudyError, match=r"device: got 'gpu', but torch .* finds none: expected auto or cpu here"):
        Cluster("pytorch", "test", "gpu")


@pytest.mark.parametrize("share", ["0", "1.5", "-1", "half", "nan"])
def test_a_share_of_a_gpu_that_is_none_is_one_clear_line(share, monkeypatch):
    from rnn_study.running.execution import cluster

    monkeypatch.setenv(cluster.SHARE, share)
    with pytest.raises(StudyError, match=rf"{cluster.SHARE}: got '{share}': expected a share of a GPU, 0.01 to 1"):
        cluster._share()


def test_no_cluster_is_one_clear_line(airline):  # noqa: F811
    """In a process that is connected to none."""
    airline.edit("params.yaml", "executor: local", "executor: ray")
    done = airline.run("python", "pipelines/tune.py", "airline", check=False, RAY_ADDRESS="127.0.0.1:9")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: params.yaml: executor: got 'ray', but no cluster answers at 127.0.0.1:9 (")
    assert line.endswith("): expected one that RAY_ADDRESS names, or local")


def test_parameters_choose(airline):  # noqa: F811
    with start(config.load(), "pytorch", "test") as executor:
        assert type(executor) is Local
