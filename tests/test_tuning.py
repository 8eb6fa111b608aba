"""The search for settings: resumed after a kill it is the one that was never killed."""

import json
import os
from pathlib import Path

import pytest
from conftest import Project, needs

from rnn_study.support.errors import StudyError

pytestmark = needs("optuna", "torch")


@pytest.fixture
def airline(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.run("python", "pipelines/fetch.py", "airline")
    project.run("python", "pipelines/prepare.py", "airline")
    monkeypatch.chdir(project.folder)
    return project


def search(stop_after: int | None = None, trials: int | None = None) -> dict[str, list[list[dict]]]:
    """Tune the airline task; with `stop_after`, give up after so many finished trials as a kill would."""
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning
    from rnn_study.running.events import Finished
    from rnn_study.running.executor import Executor

    parameters = config.load()
    if trials:
        changed = parameters.tuning.model_copy(update={"trials": trials})
        parameters = parameters.model_copy(update={"tuning": changed})
    prepared = load_task(prepared_file("airline"))
    finished = 0
    with Executor("pytorch", "tune", "cpu") as executor:
        for event in tuning.tune(parameters, prepared, executor):
            finished += isinstance(event, Finished)
            if finished == stop_after:
                return {}
        return tuning.trials(parameters, prepared)


def test_the_same_search_whatever_happens_to_it(airline, monkeypatch):
    monkeypatch.setenv("RNN_STUDY_WORKERS", "1")
    whole = search()
    for first, second in whole.values():
        assert [row["number"] for row in first] == [row["number"] for row in second] == list(range(8))
        assert not {row["learning_rate"] for row in first} & {row["learning_rate"] for row in second}  # independent
    os.rename("optuna.db", "whole.db")
    os.rename(".run-store", "whole-store")
    monkeypatch.setenv("RNN_STUDY_WORKERS", "2")
    search(stop_after=3)  # in the first round
    search(stop_after=19)  # in the second
    assert search() == whole
    Path("optuna.db").unlink()
    assert search() == whole
    Path("optuna.db").write_bytes(b"not a database")
    with pytest.raises(StudyError, match=r"optuna.db: .*: expected Optuna's studies"):
        search()


def test_every_cell_has_the_same_space_and_budget(airline):
    from rnn_study import config

    table = search()
    assert set(table) == {"vanilla", "lstm"}
    space = config.load().tuning
    assert {len(searches) for searches in table.values()} == {space.searches}
    for rows in (rows for searches in table.values() for rows in searches):
        assert len(rows) == space.trials
        for row in rows:
            for name in ("learning_rate", "clip", "dropout"):
                assert getattr(space, name).low <= row[name] <= getattr(space, name).high
    for one, other in zip(table["vanilla"], table["lstm"], strict=True):
        first = [[row[name] for name in ("learning_rate", "clip", "dropout")] for row in one[: space.round]]
        assert first == [[row[name] for name in ("learning_rate", "clip", "dropout")] for row in other[: space.round]]


def test_more_trials_go_on_where_the_study_stopped(airline):
    eight = search()
    twelve = search(trials=12)
    assert {cell: [rows[:8] for rows in searches] for cell, searches in twelve.items()} == eight
    assert search() == eight  # and fewer look at no more than they may


def test_trials_never_read_a_test_part(airline):
    search()
    summaries = [json.loads(path.read_text()) for path in Path(".run-store").glob("*/result.json")]
    assert summaries
    assert all(set(summary["scores"]) == {"validation"} for summary in summaries)


def test_the_best_trial_is_the_one_that_is_kept(airline):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import experiments, tuning

    parameters = config.load()
    prepared = load_task(prepared_file("airline"))
    row = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.1}
    first, second = (
        [{"number": i, **row, "clip": i + 1.0, "score": s} for i, s in enumerate(scores)]
        for scores in ([5.0, 3.0, 3.0, 4.0], [6.0, 7.0, 8.0, 2.0])
    )
    chosen = tuning.best(parameters, prepared, {"lstm": [first, second]})["lstm"]
    assert chosen == [
        {"settings": row | {"clip": 2.0}, "trials": 4, "validation_score": 3.0},  # RMSE: lower is better
        {"settings": row | {"clip": 4.0}, "trials": 4, "validation_score": 2.0},
    ]
    experiments.write_tuned("airline", {"vanilla": chosen, "lstm": chosen})
    assert experiments.read_tuned(parameters, "airline")["lstm"] == [row | {"clip": 2.0}, row | {"clip": 4.0}]
    thrice = parameters.model_copy(update={"tuning": parameters.tuning.model_copy(update={"searches": 3})})
    experiments.write_tuned("airline", {"vanilla": [*chosen, chosen[0]], "lstm": chosen})
    with pytest.raises(StudyError, match=r"tuned/airline.yaml: lstm: got 2 searches: expected 3; run: dvc repro tune"):
        experiments.read_tuned(thrice, "airline")


def test_the_studies_open_with_optuna_alone(airline):
    import optuna

    search()
    names = optuna.get_all_study_names("sqlite:///optuna.db")
    assert sorted(names) == ["airline/lstm/1", "airline/lstm/2", "airline/vanilla/1", "airline/vanilla/2"]
    study = optuna.load_study(study_name=names[0], storage="sqlite:///optuna.db")
    assert len(study.trials) == 8
    assert study.best_value == min(trial.value for trial in study.trials)
