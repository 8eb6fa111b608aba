"""The run store: what an id is made of, what an entry holds, and that there is a whole one or none."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from test_executor import generated

from rnn_study.data import prepared
from rnn_study.model import cells
from rnn_study.running.run import code, results, store
from rnn_study.running.run.events import Finished
from rnn_study.running.run.results import RunResult
from rnn_study.support.errors import StudyError

ENVIRONMENT = {"framework": "torch", "version": "2"}


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "_whole", set())


def result() -> RunResult:
    return RunResult(
        history=[{"epoch": 1, "train_loss": 0.5}],
        updates={"losses": np.arange(2.0)},
        weights={"layers.0.W": np.ones((2, 3), np.float32)},
        checkpoints={},
        predictions={"validation": np.zeros((3, 1), np.float32)},
        in_unit={},
        summary={"epochs": 1},
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_id_is_a_digest_of_spec_data_environment_and_sources(monkeypatch):
    """By hand. Stores and their ids outlive a version of this code, so a changed key is a changed store."""
    monkeypatch.setattr(store, "sources", lambda spec: {"b.py": "2", "a.py": "1"})
    Path("rows.npz").write_bytes(b"some rows")
    data = hashlib.sha256(b"some rows").hexdigest()
    for spec, digest in ((generated(), None), (generated(data="rows.npz"), data)):
        described = {"data": digest, "environment": ENVIRONMENT, "sources": {"a.py": "1", "b.py": "2"}}
        text = json.dumps(described | {"spec": asdict(spec)}, sort_keys=True)
        assert store.run_id(spec, ENVIRONMENT) == hashlib.sha256(text.encode()).hexdigest()[:32]
        assert store.run_id(spec, dict(reversed(ENVIRONMENT.items()))) == store.run_id(spec, ENVIRONMENT)


def test_of_the_cells_an_id_covers_its_own_and_what_all_of_them_go_through():
    path = Path(cells.__file__)
    own = {f"cell {name}": code.part_does(path, "CELLS", name, also=("activated",)) for name in ("gru", "lstm")}
    assert own["cell lstm"] != code.part_does(path, "CELLS", "lstm")
    files = {"rnn_study/model/cells.py": "all of them", "rnn_study/model/network.py": "other"}
    found = store.with_cells(files, ["lstm", "gru", "lstm"])
    assert found == own | {"rnn_study/model/network.py": "other"}
    assert list(found) == ["rnn_study/model/network.py", "cell gru", "cell lstm"]


def test_the_sources_of_a_run_are_its_backends_its_datas_and_its_cells():
    made, stored = store.sources(generated()), store.sources(generated(data="rows.npz"))
    assert any(name.startswith("rnn_study/backends/pytorch/") for name in made)
    assert not any(name.startswith("rnn_study/backends/tensorflow/") for name in made)
    other = store.sources(replace(generated(), backend="tensorflow"))
    assert any(name.startswith("rnn_study/backends/tensorflow/") for name in other)
    assert Path(prepared.__file__).relative_to(code.SRC).as_posix() in stored
    assert not any("/problems/" in name for name in stored)
    for found in (made, stored, other):
        assert "rnn_study/running/run/train.py" in found
        assert [name for name in found if name.startswith("cell ")] == ["cell vanilla"]


def test_what_is_stored_of_a_run():
    spec = generated(cell="lstm", seed=3)
    folder = store.add("abc", spec, result(), 1.5)
    assert folder == Path(".run-store/abc")
    assert {path.name for path in folder.iterdir()} == {*store.PUBLISHED, "timing.json", "digests.json"}
    assert json.loads((folder / "timing.json").read_text()) == {"seconds": 1.5}
    assert json.loads((folder / "spec.json").read_text()) == json.loads(json.dumps(asdict(spec)))
    digests = json.loads((folder / "digests.json").read_text())
    assert digests == {name: sha256(folder / name) for name in sorted(store.PUBLISHED)}  # a clock is no result
    assert store.read_spec(folder) == spec
    assert store.read_id(folder) == "abc"
    with safe_open(folder / "weights.safetensors", "np") as file:
        assert json.loads(file.metadata()["rnn_study"]) == {
            "task": "adding",
            "variant": "lstm",
            "framework": "pytorch",
            "seed": 3,
            "run": "abc",
            "layers": [{"cell": "lstm", "units": 3}],
            "layout": "kernels (inputs, outputs), gates side by side",
            "gates": {"lstm": list(cells.CELLS["lstm"].gates)},
        }


def test_where_a_run_stood_goes_with_its_end():
    store.save_state("abc", {"seconds": np.array(1.5)})
    store.save_state("other", {"seconds": np.array(1.5)})
    store.add("abc", generated(), result(), 1.0)
    assert store.load_state("abc") is None
    assert store.load_state("other") is not None


@pytest.mark.parametrize("damage", ["cut off", "of something else"])
def test_a_damaged_state_is_told_and_deleted(damage, capsys):
    store.save_state("abc", {"seconds": np.array(1.5)} if damage == "cut off" else {"x": np.zeros(3)})
    path = Path(".run-store/states/abc.npz")
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    assert store.load_state("abc") is None
    assert capsys.readouterr() == ("", f"{path}: damaged: its run begins anew\n")
    assert not path.exists()


def test_a_state_that_cannot_be_written_is_told(capsys):
    Path(".run-store").mkdir()
    Path(".run-store/states").write_text("no folder")
    store.save_state("abc", {"seconds": np.array(1.5)})
    assert capsys.readouterr() == ("", ".run-store/states/abc.npz: File exists: a run goes on unsaved\n")


def test_states_that_no_stage_needs_are_pruned():
    state = {"seconds": np.array(1.5)}
    for run in ("needed", "forgotten", "finished"):
        store.save_state(run, state)
    store.claim("test", ["needed", "finished"])
    Path(".run-store/finished").mkdir()  # by a process that was killed before it deleted the state
    for name in (".old.npz.abc", ".new.npz.abc"):  # of processes that were killed while they wrote
        (Path(".run-store/states") / name).touch()
    os.utime(".run-store/states/.old.npz.abc", (0, time.time() - 4000))
    store.prune()
    assert sorted(path.name for path in Path(".run-store/states").iterdir()) == [".new.npz.abc", "needed.npz"]
    assert store.load_state("forgotten") is None
    assert list(store.load_state("needed")) == ["seconds"]


def test_a_run_that_may_still_be_written_is_not_pruned():
    """After an hour it is what a killed process left."""
    for name, age in {".unfinished-a": 3500, ".unfinished-b": 3700}.items():
        folder = Path(".run-store") / name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text("{}")
        os.utime(folder, (0, time.time() - age))
    assert store.prune() == [".unfinished-b"]
    assert [path.name for path in Path(".run-store").iterdir()] == [".unfinished-a"]


def test_an_entry_is_whole_or_not_there():
    def ends_early(error):
        with store.entering("abc") as folder:
            assert folder.parent == Path(".run-store")
            assert folder.name.startswith(".unfinished-")  # by which `prune` knows it
            (folder / "result.json").write_text("{}")
            raise error

    for error in (ValueError("on the way"), OSError(28, "No space left on device")):
        with pytest.raises(type(error), match=str(error.args[-1])):
            ends_early(error)
        assert store.find("abc") is None
        assert list(Path(".run-store").iterdir()) == []


def test_of_two_that_finish_the_same_the_first_stays():
    for text in ("first", "second"):
        with store.entering("abc") as folder:
            (folder / "result.json").write_text(text)
    assert [path.name for path in Path(".run-store").iterdir()] == ["abc"]
    assert (store.find("abc") / "result.json").read_text() == "first"


def test_a_run_is_looked_at_once_a_process(capsys):
    folder = store.add("abc", generated(), result(), 1.0)
    assert store.find("none") is None
    assert store.find("abc") == folder
    (folder / "result.json").write_text("{}")
    assert store.find("abc") == folder  # its files were whole when this process began to use them
    store._whole.clear()
    assert store.find("abc") is None
    assert not folder.exists()
    assert capsys.readouterr() == ("", f"{folder}/result.json: not as it was stored: computed again\n")


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{")], ids=["gone", "cut"])
@pytest.mark.parametrize("name", ["digests.json", "history.csv"])
def test_a_run_that_lost_a_file_is_no_run(name, damage, capsys):
    folder = store.add("abc", generated(), result(), 1.0)
    damage(folder / name)
    assert store.find("abc") is None
    assert capsys.readouterr().err.startswith(f"{folder}/{name}: not as it was stored")


@pytest.mark.parametrize("digests", ["{}", "[]", "5", "null", '{"history.csv": "0"}'])
def test_a_result_is_not_taken_on_the_word_of_digests_that_leave_it_out(digests, capsys):
    """Nor what is kept beside the runs, which has other files."""
    folder = store.add("abc", generated(), result(), 1.0)
    (folder / "result.json").write_text("{}")
    (folder / "digests.json").write_text(digests)
    assert store.find("abc") is None
    assert capsys.readouterr().err == f"{folder}/digests.json: not as it was stored: computed again\n"
    with store.entering("profile") as kept:
        (kept / "arrays.npz").write_text("x")
    assert store.find("profile")
    store._whole.clear()
    (Path(".run-store/profile") / "digests.json").write_text("{}")
    assert store.find("profile") is None


@pytest.mark.parametrize("found", ["5", "null", "[[1]]", '{"a": 1}'])
def test_a_damaged_claim_is_one_clear_line(found):
    store.claim("train", ["a"])
    Path(".run-store/claims/train.json").write_text(found)
    for ask in (store.prune, lambda: store.claimed("train")):
        with pytest.raises(
            StudyError, match=r"^\.run-store/claims/train\.json: damaged: expected a list of ids; delete"
        ):
            ask()


@pytest.mark.parametrize(
    ("read", "name"), [(store.read_spec, store.SPEC), (store.read_id, "weights.safetensors")], ids=["spec", "id"]
)
def test_a_run_that_does_not_say_what_it_is_is_one_clear_line(read, name):
    folder = store.add("abc", generated(), result(), 1.0)
    for damage in (lambda path: path.write_bytes(b'{"task": 3}'), Path.unlink):
        damage(folder / name)
        with pytest.raises(StudyError, match=rf"^{folder}/{name}: .*expected a.*\Z"):  # one line
            read(folder)


def test_what_is_no_spec_says_where():
    folder = store.add("abc", generated(), result(), 1.0)
    described = json.loads((folder / "spec.json").read_text())
    described["network"]["inputs"] = "two"
    described["seed"] = "three"
    (folder / "spec.json").write_text(json.dumps(described))
    told = r"damaged \(network.inputs: Input should be a valid integer, .*\): expected a whole file; .*repro\Z"
    with pytest.raises(StudyError, match=told):
        store.read_spec(folder)


def test_published_files_are_those_of_the_store(monkeypatch):
    folder = store.add("abc", generated(), result(), 1.0)
    target = Path("runs/deep/here")
    target.mkdir(parents=True)
    (target / "result.json").write_text("of before")
    for links in (True, False):
        if not links:  # another file system
            monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
        store.publish(folder, target)
        assert {path.name for path in target.iterdir()} == set(store.PUBLISHED)
        for name in store.PUBLISHED:
            assert (target / name).read_bytes() == (folder / name).read_bytes()
            assert ((target / name).stat().st_ino == (folder / name).stat().st_ino) == links


def test_every_run_is_published_in_its_place():
    runs = []
    for seed in (0, 1):
        spec = generated(cell="lstm", seed=seed)
        folder = store.add(f"run{seed}", spec, result(), 1.0)
        runs.append(Finished(f"run{seed}", spec, folder, ENVIRONMENT, reused=False))
    store.publish_all(runs, Path("runs"))
    for seed in (0, 1):
        assert store.read_id(Path(f"runs/adding-pytorch/lstm/seed-{seed}")) == f"run{seed}"
    assert results.run_folder(Path("runs"), "adding", "pytorch", "lstm", 1) == Path("runs/adding-pytorch/lstm/seed-1")


def test_a_claim_is_what_its_owner_needs_now():
    assert store.claimed("train") == set()
    store.claim("train", ["b", "a", "b"])
    store.claim("tune", ["c"])
    assert Path(".run-store/claims/train.json").read_text() == '[\n  "a",\n  "b"\n]\n'
    store.claim("train", ["d"])
    assert store.claimed("train") == {"d"}
    assert store.claimed("tune") == {"c"}


def test_in_a_shared_store_each_checkout_claims_for_itself(monkeypatch):
    monkeypatch.setattr(store, "_SHARED", ".run-store")
    for name in ("one", "other"):
        Path(name).mkdir()
    shared = Path.cwd() / ".run-store"
    monkeypatch.setattr(store, "ROOT", shared)
    for name in ("one", "other"):
        monkeypatch.chdir(shared.parent / name)
        store.claim("train", [f"of-{name}"])
        assert store.claimed("train") == {f"of-{name}"}
    places = {path.parent.name for path in (shared / "claims").rglob("*.json")}
    assert places == {
        hashlib.sha256(str((shared.parent / name).resolve()).encode()).hexdigest()[:12] for name in ("one", "other")
    }
    for run in ("of-one", "of-other", "of-nobody"):
        store.add(run, generated(), result(), 1.0)
    assert store.prune() == ["of-nobody"]
    shutil.rmtree(shared / "claims")
    assert store.prune() == ["of-one", "of-other"]
    assert store.prune() == []
