"""Runs in processes: each once, the same on any number of them, nothing lost when one is killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import ROOT, Project, needs

from rnn_study import config
from rnn_study.running.execution import frameworks
from rnn_study.running.execution.local import Local
from rnn_study.running.execution.workers import Workers, worker_count
from rnn_study.running.run import code, results, store
from rnn_study.support.errors import StudyError

pytestmark = needs("torch")


def prepare(project: Project, *tasks: str) -> None:
    """Raw and prepared data without DVC."""
    sources = {"airline": ["airline"], "mnist_rows": ["mnist"]}
    for task in tasks:
        for source in sources[task]:
            project.run("python", "pipelines/fetch.py", source)
        project.run("python", "pipelines/prepare.py", task)


@pytest.fixture
def airline(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    prepare(project, "airline")
    monkeypatch.chdir(project.folder)
    return project


SETTINGS = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.2}


def specs(backend: str = "pytorch", seeds: tuple[int, ...] = (0, 1, 2)):
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import experiments

    parameters = config.load()
    prepared = load_task(prepared_file("airline"))
    return [
        experiments.spec(parameters, prepared, cell, backend, SETTINGS, seed)
        for cell in ("vanilla", "lstm")
        for seed in seeds
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """The published files of every stored run, by run and name."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in folder.glob("*/*")
        if path.name != "timing.json" and path.parent.name != "claims"
    }


@pytest.mark.parametrize("backend", ["pytorch", pytest.param("tensorflow", marks=needs("tensorflow"))])
def test_results_do_not_depend_on_the_number_of_processes(airline, monkeypatch, backend):
    """One process runs all six in turn, so this also shows that no run leaves anything to the next one."""
    found = {}
    for workers, order in (("1", 1), ("3", -1)):
        monkeypatch.setenv("RNN_STUDY_WORKERS", workers)
        with Local(backend, "test", "cpu") as executor:
            executor.run(specs(backend)[::order])
        found[workers] = contents(Path(".run-store"))
        os.rename(".run-store", f"store-{workers}")
    assert len(found["1"]) == 6 * (len(results.FILES) + 2)  # what determined it, and digests
    assert found["1"] == found["3"]


def test_a_finished_run_is_not_computed_again(airline):
    with Local("pytorch", "test", "cpu") as executor:
        first = executor.run(specs(seeds=(0, 1)))
        again = executor.run(specs(seeds=(0, 1, 2)))
    assert not any(run.reused for run in first)
    assert [run.reused for run in again] == [True, True, False] * 2
    assert [run.spec.seed for run in again] == [0, 1, 2] * 2
    with Local("pytorch", "test", "auto") as executor:  # auto is cpu here: the same runs
        assert executor.device != "cpu" or all(run.reused for run in executor.run(specs()))


@pytest.mark.parametrize("backend", ["pytorch", pytest.param("tensorflow", marks=needs("tensorflow"))])
def test_what_is_told_of_a_framework_is_what_a_worker_finds(backend):
    with Workers(backend, "test", 1) as workers:
        found = {key: value for key, value in workers.environment.items() if key != "device"}
    assert frameworks.environment(backend) == found
    assert {type(value) for value in found.values()} == {str}  # torch's own kind of string would import torch here


def test_a_replay_starts_no_process(airline):
    with Local("pytorch", "test", "cpu") as executor:
        assert executor._workers  # at once, while the stage reads its data
        executor.run(specs(seeds=(0,)))
    with Local("pytorch", "test", "cpu") as executor:
        assert all(run.reused for run in executor.run(specs(seeds=(0,))))
        assert executor._workers == []
        assert not any(run.reused for run in executor.run(specs(seeds=(1,))))  # then it does


@pytest.mark.skipif(not frameworks.surely_no_gpu(), reason="where there may be a GPU nothing is forked")
def test_workers_share_one_import_of_their_framework(tmp_path):
    """And look for garbage in what is their own. In a process of its own, for it can have one fork server only."""
    (tmp_path / "driver.py").write_text(
        "import gc, os\n"
        "from rnn_study.running.execution.local import Local\n"
        "if __name__ == '__main__':\n"
        "    os.environ['RNN_STUDY_WORKERS'] = '2'\n"
        "    with Local('pytorch', 'test', 'cpu') as executor:\n"
        "        parents = {worker.submit(os.getppid).result() for worker in executor._workers}\n"
        "        print(len(executor._workers), len(parents), os.getpid() in parents)\n"
        "        print({worker.submit(gc.isenabled).result() for worker in executor._workers})\n"
        "        print(executor._workers[0].submit(gc.get_freeze_count).result() > 100_000)\n"
    )
    done = subprocess.run([sys.executable, "driver.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "2 1 False\n{True}\nTrue\n"


@pytest.mark.parametrize("first", [True, False])
def test_a_worker_that_cannot_start_is_one_clear_line(airline, monkeypatch, first):
    """At once, or in a stage that found all it needed last time and then needs more; the one that started ends."""
    if not first:
        with Local("pytorch", "test", "cpu") as executor:
            executor.run(specs(seeds=(0,)))
    start, started = Workers.start, []

    def second_fails(self, *arguments):
        if started:
            raise StudyError("no more processes")
        started.append(self)
        start(self, *arguments)

    monkeypatch.setenv("RNN_STUDY_WORKERS", "2")
    monkeypatch.setattr(Workers, "start", second_fails)
    with (
        pytest.raises(StudyError, match="no more processes"),
        Local("pytorch", "test", "cpu") as executor,
    ):
        executor.run(specs(seeds=(1,)))
    with pytest.raises(RuntimeError, match="after shutdown"):
        started[0].submit(int)


DRIVER = """
import os
from dataclasses import replace

from test_executor import generated

from rnn_study.running.execution.local import Local
from rnn_study.support import stage
from rnn_study.support.errors import StudyError


def main() -> None:
    endless = replace(generated(), epochs=10**7, patience=10**7, goal=None)
    with Local("pytorch", "test", "cpu") as executor:
        for count, _ in enumerate(executor.stream([replace(endless, seed=seed) for seed in range(2)])):
            if count == 20:
                print(*(pid for worker in executor._workers for pid in worker._pool._processes), flush=True)
                if "FAULT" in os.environ:
                    raise StudyError("disk: full: expected room")


stage.run(main)
"""


@pytest.mark.parametrize("ends", ["fault", "SIGINT"])
def test_a_stage_that_ends_before_its_runs_ends_at_once(tmp_path, ends):
    """They would take hours: a fault of the driver's, or an interrupt of it alone, ends its workers with it."""
    (tmp_path / "driver.py").write_text(DRIVER)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "RNN_STUDY_WORKERS": "2"}
    driver = subprocess.Popen(
        [sys.executable, "driver.py"],
        cwd=tmp_path,
        env=environment | ({"FAULT": "1"} if ends == "fault" else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = [Path("/proc") / word for word in driver.stdout.readline().split()]
    assert len(workers) == 2
    if ends == "SIGINT":
        driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=30)
    assert driver.returncode != 0
    if ends == "fault":
        assert said == "error: disk: full: expected room\n"
    deadline = time.monotonic() + 10
    while any(worker.exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its stage"
        time.sleep(0.1)


def test_a_worker_that_is_not_what_was_told_is_one_clear_line(airline, monkeypatch):
    told = frameworks.environment("pytorch") | {"version": "0.1"}
    monkeypatch.setattr(frameworks, "environment", lambda backend: told)
    with Local("pytorch", "test", "cpu") as executor, pytest.raises(StudyError, match="a pytorch worker found"):
        executor.run(specs(seeds=(0,)))
    assert not list(Path(".run-store").glob("*/result.json"))


def test_the_id_covers_the_files_that_a_run_imports(airline):
    """Against what a process that trains has really imported."""
    script = """
        import sys
        from pathlib import Path
        import rnn_study
        from rnn_study.data.prepared import load_task
        from rnn_study.model.init import Init
        from rnn_study.model.optimisers import Optimiser
        from rnn_study.model.network import Layer, Network
        from rnn_study.running.run.spec import RunSpec
        from rnn_study.running.run.train import Training

        data, network = "data/prepared/airline.npz", Network(1, (Layer("lstm", 3),), 1)
        adam = Optimiser(0.01, 1.0)
        layer = ("pytorch", "native", "cpu", network)
        spec = RunSpec("airline", "lstm", data, *layer, Init(), adam, 8, 2, 2, None, True, 0)
        list(Training(spec, load_task(Path(data))))
        files = [Path(m.__file__) for name, m in sys.modules.items() if name.split(".")[0] == "rnn_study"]
        print(*(path.relative_to(Path(rnn_study.__file__).parents[1]).as_posix() for path in files))
    """
    imported = airline.run("python", "-c", textwrap.dedent(script)).stdout.split()
    acting = {path for path in imported if code.does(ROOT / "src" / path)}
    assert {path for path in imported if path.endswith("/__init__.py")} - acting  # rooms that hold a docstring alone
    (named,) = (name for name in store.sources(specs()[0]) if name.startswith("cell "))
    assert acting == set(store.sources(specs()[0])) - {named} | {"rnn_study/model/cells.py"}
    assert {"rnn_study/model/cells.py", "rnn_study/backends/pytorch/layers.py"} <= acting


def test_what_changes_an_id(airline):
    from dataclasses import replace

    spec, environment = specs()[0], {"framework": "torch", "version": "2"}
    base = store.run_id(spec, environment)
    assert store.run_id(spec, environment) == base
    others = [
        store.run_id(replace(spec, seed=9), environment),
        store.run_id(replace(spec, device="gpu"), environment),
        store.run_id(replace(spec, optimiser=replace(spec.optimiser, clip=2.0)), environment),
        store.run_id(spec, environment | {"version": "3"}),
    ]
    data = Path(spec.data)
    data.write_bytes(data.read_bytes() + b"\0")
    others.append(store.run_id(spec, environment))
    assert len({base, *others}) == 6


CODE = """
def activated(ops):
    return ops


LEAK = 0.1


def leaky(ops, a):
    return ops.relu(a) - LEAK * ops.relu(-a)


def one_step(ops, state, a, s):
    return (leaky(ops, a + s),)


def make(sign):
    return lambda ops, state, a, s: (sign * ops.tanh(a + s),)


def other_step(ops, state, a, s):
    return (ops.tanh(a + s),)


CELLS = {
    "one": Cell("one", gates=("h",), states=1, step=one_step),
    "other": Cell("other", gates=("h",), states=1, step=other_step),
    "plus": Cell("plus", gates=("h",), states=1, step=make(1.0)),
    "minus": Cell("minus", gates=("h",), states=1, step=make(-1.0)),
}
"""


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ('    "plus":', '    "new": Cell("new", gates=("h",), states=1, step=one_step),\n    "plus":', set()),
        ("    return (ops.tanh(a + s),)", "    return (ops.sigmoid(a + s),)", {"other"}),
        ("LEAK = 0.1", "LEAK = 0.2", {"one"}),
        ("- LEAK *", "+ LEAK *", {"one"}),
        ("sign * ops.tanh", "sign * ops.sigmoid", {"plus", "minus"}),
        ("make(-1.0)", "make(-2.0)", {"minus"}),
        ('"other", gates=("h",)', '"other", gates=("k",)', {"other"}),
        ("def leaky(ops, a):\n", "def leaky(ops, a):\n    # a comment\n", set()),
        ("def leaky(ops, a):\n", 'def leaky(ops, a):\n    """A docstring."""\n', set()),
        ("    return ops\n", "    return ops.other\n", {"one", "other", "plus", "minus"}),
    ],
)
def test_an_edit_of_the_cells_touches_the_runs_it_can_change(tmp_path, old, new, stale):
    assert CODE.count(old) == 1
    found = []
    for name, text in (("before.py", CODE), ("after.py", CODE.replace(old, new))):
        (tmp_path / name).write_text(text)
        cells = ("one", "other", "plus", "minus")
        found.append({cell: code.part_does(tmp_path / name, "CELLS", cell, also=("activated",)) for cell in cells})
    before, after = found
    assert len(set(before.values())) == 4
    assert {cell for cell in before if before[cell] != after[cell]} == stale


def test_a_gpu_that_is_not_there_is_one_clear_line(airline):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(StudyError, match=r"params.yaml: device: got 'gpu', but torch .* expected auto or cpu"):
        Local("pytorch", "test", "gpu")


def test_the_interpreter_switch(airline, tmp_path, monkeypatch):
    """The worker runs in the environment that the variable names, with that one's packages and no others."""
    monkeypatch.setenv("RNN_STUDY_PYTHON_PYTORCH", str(tmp_path / "nothing"))
    with pytest.raises(StudyError, match=r"RNN_STUDY_PYTHON_PYTORCH: got .*nothing"):
        Local("pytorch", "test", "cpu")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True)
    monkeypatch.setenv("RNN_STUDY_PYTHON_PYTORCH", str(tmp_path / "other/bin/python"))
    with pytest.raises(StudyError, match="pytorch worker died"):  # an environment without NumPy
        Local("pytorch", "test", "cpu")
    (site,) = (tmp_path / "other").glob("lib/python*/site-packages")
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "packages.pth").write_text(here)
    with Local("pytorch", "test", "cpu") as executor:
        assert executor.environment["framework"] == "torch"
        assert executor.run(specs(seeds=(0,)))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "1001", "10000000000000", "²"])
def test_a_bad_number_of_workers_is_one_clear_line(monkeypatch, text):
    monkeypatch.setenv("RNN_STUDY_WORKERS", text)
    with pytest.raises(StudyError, match=f"RNN_STUDY_WORKERS: got '{text}'"):
        worker_count()


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    found = [int(word) for word in listed.split()]
    return found + [grandchild for child in found for grandchild in children(child)]


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_killed_stage_leaves_no_process_and_does_only_the_rest(project):
    """Killed with SIGKILL in the middle, as by the kernel; the parent that DVC is dies, not the script itself."""
    prepare(project, "mnist_rows")
    project.edit("params.yaml", "local\nseeds: [0, 1]", "local\nseeds: [0, 1, 2, 3]")
    project.edit(
        "params.yaml",
        "training: {batch_size: 128, epochs: 2, patience: 2}\n    tuning: {epochs: 1, "
        "examples: 128}\n    cells: {vanilla: {}, lstm: {}}\n  tweets",
        "training: {batch_size: 16, epochs: 20, patience: 20}\n    tuning: {epochs: 1, "
        "examples: 128}\n    cells: {vanilla: {}, lstm: {}}\n  tweets",
    )
    settings = "[{settings: &x {learning_rate: 0.01, clip: 1.0, dropout: 0.0}}, {settings: *x}]"
    (project.folder / "tuned").mkdir()
    project.write("tuned/mnist_rows.yaml", f"vanilla: {settings}\nlstm: {settings}\n")
    stand_in = "import subprocess, sys; subprocess.run([sys.executable, 'pipelines/train.py', 'pytorch', 'mnist_rows'])"
    parent = subprocess.Popen(
        [sys.executable, "-c", stand_in],
        cwd=project.folder,
        env=project.environment | {"DVC_STAGE": "train"},
        stderr=subprocess.DEVNULL,
    )
    store = project.folder / ".run-store"
    deadline = time.monotonic() + 120
    while len(list(store.glob("*/result.json"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    family = children(parent.pid)
    assert len(family) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, family)):
        assert time.monotonic() < deadline, "processes outlive their parent"
        time.sleep(0.2)
    assert not (project.folder / "metrics/train").exists()
    whole = {path.parent.name for path in store.glob("*/result.json") if not path.parent.name.startswith(".")}
    assert 2 <= len(whole) < 8
    said = project.run("python", "pipelines/train.py", "pytorch", "mnist_rows").stderr
    assert f"8/8 runs, {len(whole)} reused" in said


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace('"updates": ', '"updates": 9', 1))


def longer(path: Path) -> None:
    with path.open("a") as file:  # in its place, as an editor or a shell does: the stored run is the same file
        file.write("9,9\n")


def cut(path: Path) -> None:
    os.truncate(path, 100)


DAMAGES = {
    "result.json": edited,
    "history.csv": longer,
    "predictions.npz": cut,
    "weights.safetensors": cut,
    "spec.json": Path.unlink,
    "digests.json": cut,
}


@pytest.mark.parametrize("where", ["the store", "runs"])
def test_a_stored_run_that_was_changed_is_computed_again(airline, capfd, where):
    asked = specs(seeds=(0, 1))[:2]

    def run():
        with Local("pytorch", "test", "cpu") as executor:
            return executor.run(asked)

    first, _ = run()
    before = contents(Path(".run-store"))
    for name, damage in DAMAGES.items():
        if where == "runs" and name not in store.PUBLISHED:
            continue
        store.publish(first.folder, Path("runs/here"))
        damage((Path("runs/here") if where == "runs" else first.folder) / name)
        changed = contents(Path(".run-store")) != before
        assert changed == (where == "the store" or damage is not Path.unlink)  # a link that goes takes nothing with it
        store._whole.clear()  # as in the next stage
        capfd.readouterr()
        assert [one.reused for one in run()] == [not changed, True]
        assert contents(Path(".run-store")) == before
        told = [line for line in capfd.readouterr().err.splitlines() if "computed again" in line]
        assert told == [f".run-store/{first.run}/{name}: not as it was stored: computed again"] * changed


def test_prune_keeps_what_a_stage_needs(airline):
    with Local("pytorch", "one", "cpu") as executor:
        kept = executor.run(specs(seeds=(0,)))
    with Local("pytorch", "two", "cpu") as executor:
        executor.run(specs(seeds=(1,)))
    with Local("pytorch", "two", "cpu") as executor:  # what `two` needed before, nothing needs now
        kept += executor.run(specs(seeds=(2,)))
    said = airline.run("rnn-study", "prune").stdout
    assert said.startswith("2 runs deleted")
    left = {path.name for path in Path(".run-store").iterdir() if path.name != "claims"}
    assert left == {run.run for run in kept}


def test_an_interpreter_that_is_none_is_one_clear_line(airline, tmp_path, monkeypatch):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    for mode in (0o644, 0o755):
        (tmp_path / "python").chmod(mode)
        monkeypatch.setenv("RNN_STUDY_PYTHON_PYTORCH", str(tmp_path / "python"))
        with pytest.raises(StudyError, match="expected a Python interpreter"):
            Local("pytorch", "test", "cpu")


def test_the_package_needs_one_framework_only():
    """Nothing but the backend imports a framework, and no stage's driver does."""
    script = (
        "import sys; sys.path.insert(0, 'pipelines'); import train, tune; "
        "print([m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def generated(problem="adding", steps=6, cell="vanilla", seed=0, **more):
    from dataclasses import replace

    from rnn_study.model.init import Init
    from rnn_study.model.network import Layer, Network
    from rnn_study.model.optimisers import Optimiser
    from rnn_study.model.task import Generated
    from rnn_study.running.run.spec import RunSpec

    data = Generated(problem, steps, False, 32, 16, 16, (), 0)
    network = Network(2 if problem == "adding" else 1, (Layer(cell, 3),), 1 if problem == "adding" else 2)
    adam = Optimiser(0.01, 1.0)
    layer = ("pytorch", "native", "cpu", network)
    spec = RunSpec(problem, cell, data, *layer, Init(), adam, 8, 2, 2, None, True, seed)
    return replace(spec, **more)


def test_runs_on_generated_data_need_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [generated(seed=seed) for seed in (0, 1)] + [generated("parity", 8)]
    with Local("pytorch", "test", "cpu") as executor:
        first = executor.run(asked)
        again = executor.run([*asked, generated(steps=7)])
    assert [run.reused for run in first] == [False] * 3
    assert [run.reused for run in again] == [True] * 3 + [False]
    assert [results.read_summary(run.folder)["updates"] for run in first] == [8, 8, 8]


def test_the_id_of_a_run_on_generated_data_covers_its_own_problem_alone():
    files = {name for name in store.sources(generated()) if "problems/" in name}
    assert files == {f"rnn_study/data/problems/{name}.py" for name in ("adding", "problem")}
    other = {name for name in store.sources(generated("parity")) if "problems/" in name}
    assert other ^ files == {f"rnn_study/data/problems/{name}.py" for name in ("adding", "parity")}
    environment = {"framework": "torch", "version": "2"}
    ids = {store.run_id(spec, environment) for spec in (generated(), generated(steps=7), generated(seed=1))}
    assert len(ids) == 3


def test_the_id_of_a_run_on_pixels_covers_the_images(tmp_path, monkeypatch):
    from rnn_study.model.task import Pixels

    monkeypatch.chdir(tmp_path)
    Path("rows.npz").write_bytes(b"one")
    environment = {"framework": "torch", "version": "2"}
    plain, mixed = (generated(data=Pixels("rows.npz", 4, seed)) for seed in (None, 0))
    assert "rnn_study/data/problems/pixels.py" in store.sources(plain)
    ids = [store.run_id(spec, environment) for spec in (plain, mixed)]
    Path("rows.npz").write_bytes(b"another")
    assert len({*ids, store.run_id(plain, environment)}) == 3


def test_a_worker_keeps_to_the_shapes_that_it_has_compiled():
    """Three shapes of four runs, two workers: each takes a shape of its own, then whatever is left of a third one is
    shared only if that is worth compiling it once more."""
    from rnn_study.running.execution.local import _Shapes

    runs = {f"{steps}-{seed}": generated(steps=steps, seed=seed) for steps in (6, 7, 8) for seed in range(4)}
    for seconds, shared in ((1.0, True), (0.1, False)):
        waiting, one, other = _Shapes(runs, 2.0), set(), set()
        assert len(waiting) == 12
        taken = [waiting.take(one, other), waiting.take(other, one)]
        assert [run[0] for run in taken] == ["6", "7"]
        mine = [waiting.take(one, other) for _ in range(3)]
        assert [run[0] for run in mine] == ["6"] * 3
        third = waiting.take(one, other)
        assert third[0] == "8"
        theirs = [waiting.take(other, one) for _ in range(3)]
        assert [run[0] for run in theirs] == ["7"] * 3
        waiting.took(third, seconds)
        last = waiting.take(other, one)
        assert (last is not None) == shared
        assert len(waiting) == (2 if shared else 3)
    alone, one, other = _Shapes({str(seed): generated(seed=seed) for seed in range(4)}, 2.0), set(), set()
    assert alone.take(one, other)
    assert alone.take(other, one)  # how long they take is not known yet, and a worker that waits wins nothing


def test_every_run_finds_a_worker():
    """Runs so short that no shape is worth compiling twice, on two workers, whichever is done first: all end."""
    import random
    from concurrent.futures import Future
    from types import SimpleNamespace

    from rnn_study.running.execution import local

    sizes = {6: 5, 7: 5}
    runs = {
        f"{steps}-{seed}": generated(steps=steps, seed=seed) for steps, size in sizes.items() for seed in range(size)
    }
    for seed in range(50):
        chance = random.Random(seed)
        workers = [SimpleNamespace(given={}, shapes=set(), submit=lambda *_: Future()) for _ in range(2)]
        waiting, done = local._Shapes(runs, 2.0), []
        local.Local._feed(SimpleNamespace(_workers=workers, _saving=60.0), waiting, runs)
        while busy := [worker for worker in workers if worker.given]:
            worker = chance.choice(busy)
            run = next(iter(worker.given))
            del worker.given[run]
            waiting.took(run, 0.01)
            done.append(run)
            local.Local._feed(SimpleNamespace(_workers=workers, _saving=60.0), waiting, runs)
        assert sorted(done) == sorted(runs)


def test_what_does_not_shape_a_network_shares_its_code():
    from dataclasses import replace

    from rnn_study.model.init import Init
    from rnn_study.running.execution.local import _shape

    spec = generated()
    rate = replace(spec, optimiser=replace(spec.optimiser, learning_rate=0.5, clip=3.0))
    assert {
        _shape(spec),
        _shape(rate),
        _shape(replace(spec, variant="x", seed=5, init=Init(recurrent="identity"))),
    } == {_shape(spec)}
    assert _shape(generated(steps=9)) != _shape(spec)
