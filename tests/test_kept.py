"""What is kept by what made it: ids that tell apart what differs, and nothing else."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from rnn_study.behaviour.diagnostics.profile import profile
from rnn_study.behaviour.gradients import diagnose
from rnn_study.behaviour.parity import trainings
from rnn_study.behaviour.parity.run import Parity
from rnn_study.behaviour.parity.trainings import Curves
from rnn_study.model.init import Init, draw
from rnn_study.model.network import Layer, Network
from rnn_study.model.task import Batch, Task
from rnn_study.running.run import code, kept, store


@dataclass(frozen=True)
class Asked:
    name: str
    size: float


class Pair(NamedTuple):
    a: object
    b: object


PLACE = {"numpy": "1"}
NETWORK = Network(2, (Layer("lstm", 3),), 1)


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def key(*arguments, environment=PLACE, backends=()):
    return kept.key(profile, *arguments, environment=environment, backends=backends)


def test_equal_arguments_have_one_id_however_they_lie_in_memory():
    array = np.arange(6.0).reshape(2, 3)
    turned = np.asfortranarray(array)
    assert not turned.flags.c_contiguous
    assert key(array, {"a": None}) == key(turned, {"a": None}) == key(array.copy(), {"a": None})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(3), np.zeros(3, np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array([0.0]), np.array([-0.0])),
        (np.array([1, 2]), np.array([2, 1])),
        ("ab", "a"),
        (1, 1.0),
        (1, True),
        (None, "None"),
        (["ab", "c"], ["a", "bc"]),
        ([["a"], "b"], [["a", "b"]]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"a": {"b": 1}}, {"a": {}, "b": 1}),
        (Asked("a", 1.0), Asked("a", 2.0)),
        (Asked("a", 1.0), ("a", 1.0)),
        (Pair(np.ones(2), None), Pair(None, np.ones(2))),
        (NETWORK, replace(NETWORK, outputs=2)),
        (NETWORK, replace(NETWORK, layers=(Layer("gru", 3),))),
    ],
)
def test_what_differs_has_another_id(one, other):
    assert key(one) == key(one)
    assert key(one) != key(other)


def test_functions_environments_and_backends_have_their_own():
    ids = {
        key(1),
        key(1, environment={"numpy": "2"}),
        key(1, backends=("pytorch",)),
        key(1, backends=("pytorch", "tensorflow")),
        kept.key(trainings.follow, 1, environment=PLACE),
        kept.key(trainings.defaults, 1, environment=PLACE),
    }
    assert len(ids) == 6


def test_what_has_no_content_that_can_be_told_is_refused():
    with pytest.raises(TypeError, match=r"^object: expected arrays, numbers, strings, and what is made of them$"):
        key(object())


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("rnn_study/behaviour/diagnostics/profile.py", True),
        ("rnn_study/behaviour/diagnostics/spectra.py", True),
        ("rnn_study/model/reference/__init__.py", True),
        ("rnn_study/backends/pytorch/layers.py", False),
        ("rnn_study/reports/study.py", False),
        ("rnn_study/config/study.py", False),
    ],
)
def test_the_id_covers_the_code_that_is_reached(file, counts, monkeypatch):
    before, does = key(1), code.does
    monkeypatch.setattr(code, "does", lambda path: "edited" if path.as_posix().endswith(file) else does(path))
    code.behind.cache_clear()
    try:
        assert (key(1) != before) == counts
    finally:
        code.behind.cache_clear()


def test_of_the_cells_it_covers_those_of_the_networks(monkeypatch):
    nested = Asked("a", 1.0), [Pair(NETWORK, {"n": replace(NETWORK, layers=(Layer("gru", 3),))})]
    plain, both = key(1), key(nested)
    part = code.part_does

    def edited(path, table, name, also):
        return "edited" if name == "gru" else part(path, table, name, also)

    monkeypatch.setattr(code, "part_does", edited)
    assert key(1) == plain
    assert key(NETWORK) == key(NETWORK)
    assert key(nested) != both


def test_what_is_stored_is_found_as_it_was_and_pruned_when_no_stage_needs_it():
    arrays = {"a": np.array([1.5, np.nan]), "b/c": np.array(2)}
    assert kept.find("x") is None
    assert kept.add("x", arrays) is arrays
    found = kept.find("x")
    assert list(found) == ["a", "b/c"]
    assert all(np.array_equal(found[name], arrays[name], equal_nan=True) for name in arrays)
    kept.add("x", {"a": np.zeros(1)})  # another process was first: its result stays
    np.testing.assert_array_equal(kept.find("x")["a"], arrays["a"])
    store.claim("diagnose", ["x"])
    assert store.prune() == []
    store.claim("diagnose", [])
    assert store.prune() == ["x"]
    assert kept.find("x") is None


def test_nothing_is_left_of_what_was_not_finished(monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(kept, "write_arrays", full)
    with pytest.raises(OSError, match="no space"):
        kept.add("x", {})
    assert list(store.ROOT.iterdir()) == []


class Refused:
    """A pool that must not be asked."""

    def __init__(self):
        self.environment = {"framework": "none"}

    def submit(self, *_):
        raise AssertionError("a training was asked for that is kept")

    def wait(self):
        pass


def test_a_parity_training_that_is_kept_is_not_asked_for():
    part = Batch(np.random.default_rng(0).normal(size=(16, 8, 2)).astype(np.float32), np.zeros((16, 1), np.float32))
    work = trainings.training(Task("t", "squared_error", 1, part, part, {}), "lstm", "float64", 3, 1)
    pools = dict.fromkeys(("pytorch", "tensorflow"), Refused())
    first = Parity(pools, keep=True)
    with pytest.raises(AssertionError, match="that is kept"):
        first.trainings([work])
    (curve,), curves = first.used, Curves(*(np.arange(3.0) + n for n in range(5)))
    kept.add(curve, vars(curves))
    assert store.prune() == []  # in the middle of the stage
    second = Parity(pools, keep=True)
    second.trainings([work])
    with pytest.raises(AssertionError, match="that is kept"):
        second.defaults([work])
    (gap,) = second.used - {curve}
    kept.add(gap, {"clipping": np.array(0.125)})
    third = Parity(pools, keep=True)
    third.trainings([work])
    third.defaults([work])
    list(third.finish())
    assert {name: a.tolist() for name, a in vars(third.curves["t", "lstm", "float64"]).items()} == {
        name: a.tolist() for name, a in vars(curves).items()
    }
    assert third.gaps == {("t", "lstm"): {"clipping": 0.125}}
    assert type(third.gaps["t", "lstm"]["clipping"]) is float
    assert {row["check"] for row in third.rows} == {"updates in step", "free-running gap"}
    third.write(Path("rows.json"), Path("parity"), {})
    assert store.prune() == []  # it is needed as long as the stage is as it was
    Parity(pools).write(Path("rows.json"), Path("parity"), {})  # who keeps nothing claims nothing
    assert store.claimed("parity") == {curve, gap}
    with pytest.raises(AssertionError, match="that is kept"):
        Parity(pools).trainings([work])  # who does not ask for it gets nothing kept


def test_a_profile_is_computed_once(monkeypatch):
    rng = np.random.default_rng(0)
    part = Batch(rng.normal(size=(9, 5, 2)).astype(np.float32), np.zeros((9, 1), np.float32))
    task = Task("t", "squared_error", 1, part, part, {})
    monkeypatch.setattr(diagnose, "_load", lambda _: task)
    params = SimpleNamespace(cells={"lstm": None})
    looked = SimpleNamespace(examples=4, framework="pytorch")
    config = SimpleNamespace(task=lambda _: params, gradients=looked, tuned=())
    monkeypatch.setattr(diagnose, "_config", config, raising=False)
    monkeypatch.setattr(diagnose.experiments, "network", lambda *_: NETWORK)
    monkeypatch.setattr(diagnose.experiments, "initialisation", lambda *_: Init())
    monkeypatch.setattr(diagnose, "_stages", lambda *_: [("initial", tree)])
    find, found, tree = kept.find, [], draw(NETWORK, rng, None)
    monkeypatch.setattr(kept, "find", lambda key: found.append(find(key)) or found[-1])
    ((_, _, _, first, figures),) = diagnose._work(("t", "lstm", 0))
    ((_, _, _, second, again),) = diagnose._work(("t", "lstm", 0))
    assert first == second
    assert [one is not None for one in found] == [False, True]
    assert all(np.array_equal(figures[name], again[name], equal_nan=True) for name in figures)
    tree = tree | {"head.b": tree["head.b"] + 1}
    ((_, _, _, third, _),) = diagnose._work(("t", "lstm", 0))
    assert third != first
    assert found[-1] is None
