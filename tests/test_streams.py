"""What an executor tells of its runs, claims and saves; the framework is a stub, so nothing here trains."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from stub import ENVIRONMENT, Inline, stubbed  # noqa: F401
from test_executor import generated

from rnn_study.running.execution import frameworks, local, start, workers
from rnn_study.running.execution.local import Local, _Shapes, _Worker
from rnn_study.running.run import results, store
from rnn_study.running.run.events import Finished, Progress
from rnn_study.support.errors import StudyError

pytestmark = pytest.mark.usefixtures("stubbed")
SPECS = [generated(seed=seed) for seed in (0, 1)]


def here(owner="test", device="cpu"):
    return Local("pytorch", owner, device)


def ids(*specs):
    return {store.run_id(spec, ENVIRONMENT) for spec in specs}


def test_every_epoch_and_every_end_is_told():
    with here() as one:
        events = list(one.stream(SPECS))
        again = list(one.stream([SPECS[1], generated(seed=2), SPECS[0]]))
    told = {spec: [event for event in events if event.spec == spec] for spec in SPECS}
    for spec, (*epochs, end) in told.items():
        (run,) = ids(spec)
        folder = Path(".run-store") / run
        assert end == Finished(run, spec, folder, ENVIRONMENT, reused=False)
        assert epochs == [Progress(run, spec, row) for row in results.read_history(folder)]
        assert [event.row["epoch"] for event in epochs] == [1, 2]
    assert sum(map(len, told.values())) == len(events)
    assert again[:2] == [replace(told[spec][-1], reused=True) for spec in reversed(SPECS)]  # at once
    assert [event.spec.seed for event in again[2:]] == [2, 2, 2]
    assert not again[-1].reused


def test_runs_come_in_the_order_that_was_asked_for_each_once():
    with here() as one:
        found = one.run([SPECS[1], SPECS[0], SPECS[1]])
    assert [run.spec for run in found] == [SPECS[1], SPECS[0], SPECS[1]]
    assert {path.name for path in Path(".run-store").iterdir()} == {"claims", *ids(*SPECS)}
    with here() as one:
        assert one.run([]) == []


def test_the_kind_of_device_is_a_part_of_a_run():
    with here(device="auto") as one:
        (run,) = one.run([replace(SPECS[0], device="auto")])
    assert run.spec == SPECS[0]
    assert store.read_spec(run.folder).device == "cpu"


def test_what_an_owner_needed_stays_until_its_next_end():
    with here() as one:
        one.run(SPECS)
    assert store.claimed("test") == ids(*SPECS)
    fresh = generated(seed=2)

    def ends_early():
        with here() as one:
            one.run([fresh])
            assert store.claimed("test") == ids(fresh, *SPECS)
            raise ValueError("on the way")

    with pytest.raises(ValueError, match="on the way"):
        ends_early()
    assert store.claimed("test") == ids(fresh, *SPECS)
    with here() as one:
        one.run([fresh])
        one.run(SPECS[:1])
    assert store.claimed("test") == ids(fresh, SPECS[0])
    assert store.claimed("other") == set()


def test_prune_in_the_middle_of_a_stage_takes_nothing_from_it():
    with here() as one:
        one.run(SPECS[:1])
        assert store.prune() == []
        assert [run.reused for run in one.run(SPECS)] == [True, False]
    with here() as one:
        one.run(SPECS[1:])
    assert store.prune() == sorted(ids(SPECS[0]))  # what it needed before, nothing needs now


def test_workers_start_at_once_unless_all_that_was_needed_is_there(monkeypatch):
    with here() as one:
        ((backend, owner),) = [(worker.backend, worker.owner) for worker in one._workers]  # nothing is known yet
        assert (backend, owner) == ("pytorch", "test")
        one.run(SPECS)
    monkeypatch.setattr(frameworks, "surely_no_gpu", lambda: True)
    for device in ("auto", "cpu"):
        with here(device=device) as one:
            assert one._workers == []
            one.run(SPECS)
            assert one._workers == []
    with here() as one:
        assert [run.reused for run in one.run([*SPECS, generated(seed=2)])] == [True, True, False]
    lost = store.find(next(iter(ids(SPECS[0]))))
    lost.rename("elsewhere")
    with here() as one:
        assert len(one._workers) == 1
        assert [run.reused for run in one.run(SPECS)] == [False, True]
    with here("another") as one:
        assert len(one._workers) == 1


def test_workers_end_with_the_block(monkeypatch):
    monkeypatch.setattr(local, "worker_count", lambda: 3)
    with here() as one:
        ended = one._workers
    assert [worker.closed for worker in ended] == [[True]] * 3
    early = here()
    ended = early._workers
    early.__exit__(ValueError)
    assert [worker.closed for worker in ended] == [[False]] * 3  # what waits is of no use


class OnGpu(Inline):
    environment = ENVIRONMENT | {"device": "gpu"}


@pytest.mark.parametrize(
    ("device", "asked", "kind", "workers", "ended"),
    [
        ("auto", None, "gpu", 1, 4),  # beside each other they would only share it
        ("gpu", None, "gpu", 1, 4),
        ("auto", "", "gpu", 1, 4),  # empty is not set
        ("auto", "4", "gpu", 4, 0),
        ("cpu", None, "cpu", 4, 0),
    ],
)
def test_one_process_keeps_a_gpu_busy(device, asked, kind, workers, ended, monkeypatch):
    made = []

    class Noted(OnGpu):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(local, "_Worker", Noted)
    monkeypatch.setattr(local, "worker_count", lambda: 4)
    monkeypatch.setattr(frameworks, "surely_no_gpu", lambda: False)
    monkeypatch.delenv("RNN_STUDY_WORKERS", raising=False)
    if asked is not None:
        monkeypatch.setenv("RNN_STUDY_WORKERS", asked)
    with here(device=device) as one:
        assert (one.device, one.environment) == (kind, ENVIRONMENT)
        assert len(one._workers) == workers
        assert sum(bool(worker.closed) for worker in made) == ended
        (run,) = one.run(SPECS[:1])
    assert run.spec.device == kind


def test_a_framework_that_only_a_worker_knows(monkeypatch):
    monkeypatch.setattr(frameworks, "environment", lambda backend: None)
    with here() as one:
        assert (one.device, one.environment) == ("cpu", ENVIRONMENT)
        one.run(SPECS)
    with here() as one:
        assert len(one._workers) == 1  # it has to be asked
        assert all(run.reused for run in one.run(SPECS))


def test_workers_end_where_a_device_is_not_there(monkeypatch):
    made = []
    monkeypatch.setattr(Inline, "start", lambda worker, *_: made.append(worker))
    with pytest.raises(StudyError, match="device: got 'gpu', but stub 1 finds none"):
        here(device="gpu")
    assert [worker.closed for worker in made] == [[False]]


def test_a_system_without_queues_is_one_clear_line(monkeypatch):
    def refused():
        raise PermissionError(13, "Permission denied")

    class Alone(Inline):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.context = SimpleNamespace(Queue=refused)

    monkeypatch.setattr(local, "_Worker", Alone)
    with pytest.raises(StudyError, match=r"^test: workers: Permission denied: expected a system that lets processes"):
        here()


def test_a_worker_that_is_not_what_was_told_computes_nothing(monkeypatch):
    monkeypatch.setattr(Inline, "environment", {"framework": "stub", "version": "2", "device": "cpu"})
    with here() as one:
        told = "^test: a pytorch worker found {'framework': 'stub', 'version': '2'}: expected {'framework': 'stub', "
        with pytest.raises(StudyError, match=told):
            one.run(SPECS)
        assert [worker.closed for worker in one._workers] == [[False]]
    assert not list(Path(".run-store").glob("*/result.json"))


@pytest.fixture
def clock(monkeypatch):
    """A second passes each time somebody looks at the clock."""
    seconds = iter(range(10**6))
    monkeypatch.setattr(local, "time", SimpleNamespace(perf_counter=lambda: float(next(seconds))))


@pytest.fixture
def saved(monkeypatch):
    """The states that were saved."""
    found, save = [], store.save_state

    def note(run, state):
        found.append((run, state))
        save(run, state)

    monkeypatch.setattr(store, "save_state", note)
    return found


def epochs_of(state):
    return len(json.loads(state["told"].tobytes())["history"])


@pytest.mark.parametrize(("every", "after"), [("0", [1, 2, 3, 4, 5, 6]), ("2", [2, 4, 6]), ("5", [5]), ("7", [])])
def test_a_run_is_saved_when_the_time_has_come(every, after, clock, saved, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", every)
    spec = generated(epochs=6, patience=6)
    with here() as one:
        one.run([spec])
    # A look at the beginning, one an epoch, one more where it is saved.
    assert [epochs_of(state) for _, state in saved] == after
    assert {run for run, _ in saved} <= ids(spec)
    assert not list(Path(".run-store/states").glob("*.npz"))


def test_the_seconds_of_a_run_that_was_stopped_are_those_of_its_parts(clock, saved, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_SAVE_SECONDS", "0")
    spec = generated(epochs=3, patience=3)
    with here() as one:
        (whole,) = one.run([spec])
    assert json.loads((whole.folder / "timing.json").read_text()) == {"seconds": 7.0}  # 1 + 3 x 2 looks, and this one
    assert [float(state["seconds"]) for _, state in saved] == [2.0, 4.0, 6.0]
    run, state = saved[1]
    whole.folder.rename("undisturbed")
    store.save_state(run, state)
    saved.clear()
    with here() as one:
        events = list(one.stream([spec]))
    assert [event.row["epoch"] for event in events[:-1]] == [3]
    assert json.loads((whole.folder / "timing.json").read_text()) == {"seconds": 4.0 + 3.0}
    assert [float(state["seconds"]) for _, state in saved] == [4.0 + 2.0]
    for name in store.PUBLISHED:
        assert (whole.folder / name).read_bytes() == Path("undisturbed", name).read_bytes()


def test_the_second_of_a_shape_tells_what_it_takes():
    """The first one compiles; the quickest is what a further one would take."""
    runs = {str(seed): generated(seed=seed) for seed in range(6)} | {"other": generated(steps=9)}
    waiting, one, other = _Shapes(runs, 2.0), set(), set()
    assert waiting.take(one, other) == "0"
    assert waiting.take(other, one) == "other"
    waiting.took("0", 9.0)
    assert waiting.take(one, other) == "1"
    waiting.took("1", 0.6)
    waiting.took("2", 5.0)
    assert len(waiting) == 4
    assert waiting.take(other, one) == "2"  # 4 x 0.6 s are worth 2 s
    waiting = _Shapes(runs, 2.0)
    one, other = set(), set()
    assert [waiting.take(one, other), waiting.take(other, one)] == ["0", "other"]
    waiting.took("0", 0.4)
    waiting.took("other", 9.0)
    assert waiting.take(other, one) is None  # 5 x 0.4 s are not more than 2 s
    waiting.took("0", 9.0)
    assert waiting.take(other, one) is None  # the quickest counts, not the last
    assert waiting.take(one, one) == "1"  # who has compiled it takes it, whoever else has


def test_a_worker_that_must_share_takes_the_shape_with_most_runs():
    sizes = {6: 2, 7: 4, 8: 3}
    runs = {f"{steps}-{seed}": generated(steps=steps, seed=seed) for steps, n in sizes.items() for seed in range(n)}
    waiting, theirs = _Shapes(runs, 0.0), {local._shape(generated(steps=steps)) for steps in sizes}
    own = set()
    assert waiting.take(own, theirs) == "7-0"
    assert own == {local._shape(generated(steps=7))}
    assert waiting.take(own, theirs) == "7-1"  # and stays with it
    waiting, own = _Shapes(runs, 0.0), set()
    assert waiting.take(own, theirs - {local._shape(generated(steps=6))}) == "6-0"  # nobody's comes before


def test_what_compiled_code_does_not_hold():
    plain = generated()
    shape = local._shape(plain)
    assert local._shape(replace(plain, goal=0.5, checkpoints=(1, 2))) == shape
    dropped = [local._shape(replace(plain, network=replace(plain.network, dropout=p))) for p in (0.1, 0.3)]
    assert dropped[0] == dropped[1] != shape  # masks are another argument
    for more in ({"batch_size": 4}, {"backend": "tensorflow"}, {"impl": "equations"}):
        assert local._shape(replace(plain, **more)) != shape


def test_a_worker_has_one_more_run_while_there_are_many(monkeypatch):
    """So that it need not wait for the driver; at the end the others are not kept from it."""
    given = []

    class Waits(Inline):
        def submit(self, function, run, *_):
            given.append((self, run))
            return SimpleNamespace(done=lambda: False)

    monkeypatch.setattr(local, "_Worker", Waits)
    monkeypatch.setattr(local, "worker_count", lambda: 2)
    with here() as one:
        fresh = {str(seed): generated(seed=seed) for seed in range(5)}
        one._waiting = _Shapes(fresh, 0.0)
        one._feed(one._waiting, fresh)
        assert [len(worker.given) for worker in one._workers] == [2, 1]
        assert len(one._waiting) == 2
    with here() as one:  # a shape of its own for each
        fresh = {f"{steps}-{seed}": generated(steps=steps, seed=seed) for steps in (6, 7) for seed in range(4)}
        one._waiting = _Shapes(fresh, 9.0)
        one._feed(one._waiting, fresh)
        assert [list(worker.given) for worker in one._workers] == [["6-0", "6-1"], ["7-0", "7-1"]]
    with here() as one:  # what is not worth the first one's while may be the second one's
        fresh = {"done": generated(seed=8), "left": generated(seed=9)}
        one._waiting = _Shapes(fresh, 2.0)
        second = one._workers[1]
        assert one._waiting.take(second.shapes, set()) == "done"
        one._waiting.took("done", 0.1)
        one._feed(one._waiting, fresh)
        assert [list(worker.given) for worker in one._workers] == [[], ["left"]]


@pytest.mark.parametrize("backend", ["pytorch", "tensorflow"])
def test_how_long_a_backend_compiles_is_known(backend):
    with Local(backend, "test", "cpu") as one:
        one.run([generated(backend=backend)])
        assert one._waiting._compiling == local._COMPILING[backend]


def test_what_goes_wrong_in_a_run_ends_the_stream(monkeypatch):
    def fails(worker, function, run, *_):
        return SimpleNamespace(done=lambda: True, result=lambda: (_ for _ in ()).throw(StudyError(f"{run}: no")))

    monkeypatch.setattr(Inline, "submit", fails)
    (run,) = ids(SPECS[0])
    with pytest.raises(StudyError, match=f"^{run}: no$"), here() as one:
        one.run(SPECS[:1])


def test_parameters_name_the_executor(monkeypatch):
    parameters = SimpleNamespace(executor="local", device="cpu")
    with start(parameters, "pytorch", "mine") as one:
        assert (type(one), one.backend, one.owner, one.device) == (Local, "pytorch", "mine", "cpu")
    cluster = SimpleNamespace(Cluster=lambda *asked: asked)
    monkeypatch.setitem(sys.modules, "rnn_study.running.execution.cluster", cluster)
    parameters = SimpleNamespace(executor="ray", device="gpu")
    assert start(parameters, "tensorflow", "mine") == ("tensorflow", "mine", "gpu")


@pytest.mark.skipif(not frameworks.surely_no_gpu(), reason="where there may be a GPU nothing is forked")
def test_a_worker_is_one_process_that_shares_an_import(monkeypatch):
    monkeypatch.setattr(workers, "_forked", None)
    one = _Worker("pytorch", "mine")
    assert (one.backend, one.owner, one.count, one.given, one.shapes) == ("pytorch", "mine", 1, {}, set())
    assert one.context.get_start_method() == "forkserver"
