"""The search for settings: resumed after a kill it is the one that was never killed."""

import json
import os
from pathlib import Path

import pytest
from conftest import TINY, needs
from stub import stubbed  # noqa: F401

from rnn_study.support.errors import StudyError

pytestmark = needs("optuna")


def prepare() -> None:
    """The airline task in this folder."""
    from rnn_study import config
    from rnn_study.data import prepare, sources

    Path("params.yaml").write_text(TINY.replace("  depth: [1, 2]\n", "  depth: [1, 2]\n  batch_size: [8, 16]\n"))
    parameters = config.load()
    sources.fetch("airline", parameters.data, Path("data/raw"))
    prepare.one(parameters, "airline")


@pytest.fixture
def airline(stubbed: Path) -> None:  # noqa: F811
    """Where a search is looked at, and a stub trains."""
    prepare()


def search(
    stop_after: int | None = None, trials: int | None = None, epochs: int | None = None, prune: int | None = None
) -> dict[str, list[list[dict]]]:
    """Tune the airline task; with `stop_after`, give up after so many finished trials as a kill would."""
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning
    from rnn_study.running.execution.local import Local
    from rnn_study.running.run.events import Finished

    parameters = config.load()
    changed = {key: value for key, value in (("trials", trials), ("prune", prune)) if value is not None}
    parameters = parameters.model_copy(update={"tuning": parameters.tuning.model_copy(update=changed)})
    if epochs:
        tuning_of = parameters.tasks.airline.tuning.model_copy(update={"epochs": epochs})
        own = parameters.tasks.airline.model_copy(update={"tuning": tuning_of})
        parameters = parameters.model_copy(update={"tasks": parameters.tasks.model_copy(update={"airline": own})})
    prepared = load_task(prepared_file("airline"))
    finished = 0
    with Local("pytorch", "tune", "cpu") as executor:
        for event in tuning.tune(parameters, prepared, executor):
            finished += isinstance(event, Finished)
            if finished == stop_after:
                return {}
        return tuning.trials(parameters, prepared)


@pytest.mark.parametrize("framework", [pytest.param("torch", marks=needs("torch")), "stub"])
def test_the_same_search_whatever_happens_to_it(framework, tmp_path, request, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare()
    if framework == "stub":
        request.getfixturevalue("stubbed")
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
    with pytest.raises(StudyError, match=r"^optuna.db: .*file is not a database: expected Optuna's studies"):
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
            assert row["batch_size"] in space.batch_size
            assert row["depth"] in space.depth
    for cell, has_it in (("vanilla", False), ("lstm", True)):
        assert all(("forget_bias" in row) == has_it for rows in table[cell] for row in rows)
    tried = [row for searches in table.values() for rows in searches for row in rows]
    assert {row["batch_size"] for row in tried} == {8, 16}
    assert {row["depth"] for row in tried} == {1, 2}
    assert len({row["forget_bias"] for row in tried if "forget_bias" in row}) > 8
    for one, other in zip(table["vanilla"], table["lstm"], strict=True):
        first = [[row[name] for name in ("learning_rate", "clip", "dropout")] for row in one[: space.round]]
        assert first == [[row[name] for name in ("learning_rate", "clip", "dropout")] for row in other[: space.round]]


def test_every_round_asks_for_what_tpe_proposes(airline):
    """Optuna alone, told the same scores: rates and clips by their logarithms, the others as they are."""
    import numpy as np
    import optuna
    from optuna.distributions import FloatDistribution

    from rnn_study import config

    table, given = search(), config.load().tuning
    for cell, searches in table.items():
        for number, rows in enumerate(searches):
            stored = optuna.load_study(study_name=f"airline/{cell}/{number + 1}", storage="sqlite:///optuna.db")
            assert stored.direction == optuna.study.StudyDirection.MINIMIZE
            space = stored.trials[0].distributions
            for name, log in {"learning_rate": True, "clip": True, "dropout": False}.items():
                between = getattr(given, name)
                assert space[name] == FloatDistribution(between.low, between.high, log=log)
            alone = optuna.create_study(direction="minimize")
            for start in range(0, len(rows), given.round):
                told = rows[start : start + given.round]
                asked = []
                for row in told:
                    seed = int(np.random.SeedSequence([given.seed + number, row["number"]]).generate_state(1)[0])
                    alone.sampler = optuna.samplers.TPESampler(
                        n_startup_trials=given.round, multivariate=True, constant_liar=True, seed=seed
                    )
                    asked.append(alone.ask(space))
                assert [trial.params for trial in asked] == [{name: row[name] for name in space} for row in told]
                for trial, row in zip(asked, told, strict=True):
                    if "pruned" in row:
                        trial.report(row["score"], row["pruned"])
                        alone.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    else:
                        alone.tell(trial, row["score"])


def test_a_search_begins_anew_and_leaves_those_of_other_tasks(airline):
    import optuna

    storage = "sqlite:///optuna.db"
    for name in ("tweets/lstm/1", "airline/lstm/9", "airline/lstm-of-mine/1"):  # 9: of a time with more searches
        optuna.create_study(storage=storage, study_name=name)
    search()
    searched = {f"airline/{cell}/{number}" for cell in ("vanilla", "lstm") for number in (1, 2)}
    assert set(optuna.get_all_study_names(storage)) == searched | {"tweets/lstm/1", "airline/lstm-of-mine/1"}


def test_where_higher_is_better_the_highest_score_is_the_best(airline):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    parameters, prepared = config.load(), load_task(prepared_file("airline"))
    task = type("Accuracy", (), {"name": prepared.name, "higher_is_better": True})
    row = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.1, "batch_size": 16, "depth": 2}
    rows = [{"number": i, **row, "score": score} for i, score in enumerate([0.5, 0.8, 0.8, 0.7])]
    rows[2]["clip"] = 2.0
    chosen = tuning.best(parameters, task, {"vanilla": [rows]})["vanilla"]
    assert chosen == [{"settings": row, "trials": 4, "validation_score": 0.8}]
    (study,) = tuning._open(task, tuning._searches(parameters, prepared)[:1]).values()
    assert study.direction.name == "MAXIMIZE"


def test_more_trials_go_on_where_the_study_stopped(airline):
    eight = search()
    twelve = search(trials=12)
    assert {cell: [rows[:8] for rows in searches] for cell, searches in twelve.items()} == eight
    assert search() == eight  # and fewer look at no more than they may
    ten = search(trials=10)  # a round of two at the end
    assert {cell: [rows[:8] for rows in searches] for cell, searches in ten.items()} == eight
    assert {len(rows) for searches in ten.values() for rows in searches} == {10}


def test_trials_never_read_a_test_part(airline):
    search()
    summaries = [json.loads(path.read_text()) for path in Path(".run-store").glob("*/result.json")]
    assert summaries
    assert all(set(summary["scores"]) == {"validation"} for summary in summaries)


def test_the_best_trial_is_the_one_that_is_kept(airline):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import settings, tuning

    parameters = config.load()
    prepared = load_task(prepared_file("airline"))
    row = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.1, "batch_size": 16, "depth": 2, "forget_bias": 0.5}
    first, second = (
        [{"number": i, **row, "clip": i + 1.0, "score": s} for i, s in enumerate(scores)]
        for scores in ([5.0, 3.0, 3.0, 4.0], [6.0, 7.0, 8.0, 2.0])
    )
    first.append({"number": 4, **row, "score": 1.0, "pruned": 1})  # at what it had reached, which does not count
    chosen = tuning.best(parameters, prepared, {"lstm": [first, second]})["lstm"]
    assert chosen == [
        {"settings": row | {"clip": 2.0}, "trials": 5, "validation_score": 3.0},  # RMSE: lower is better
        {"settings": row | {"clip": 4.0}, "trials": 4, "validation_score": 2.0},
    ]
    settings.write_tuned("airline", {"vanilla": chosen, "lstm": chosen})
    assert settings.read_tuned(parameters, "airline")["lstm"] == [row | {"clip": 2.0}, row | {"clip": 4.0}]
    thrice = parameters.model_copy(update={"tuning": parameters.tuning.model_copy(update={"searches": 3})})
    settings.write_tuned("airline", {"vanilla": [*chosen, chosen[0]], "lstm": chosen})
    with pytest.raises(StudyError, match=r"tuned/airline.yaml: lstm: got 2 searches: expected 3; run: dvc repro tune"):
        settings.read_tuned(thrice, "airline")


def test_trials_run_with_the_settings_they_are_told_for(airline):
    table = search()
    for cell, searches in table.items():
        for number, rows in enumerate(searches, 1):
            for row in rows:
                folder = Path(f"runs/tune-airline/{cell}/search-{number}/trial-{row['number']}")
                spec = json.loads((folder / "spec.json").read_text())
                assert spec["optimiser"]["learning_rate"] == row["learning_rate"]
                assert spec["network"]["dropout"] == row["dropout"]
                assert spec["batch_size"] == row["batch_size"]
                assert len(spec["network"]["layers"]) == row["depth"]
                assert spec["init"]["forget_bias"] == row.get("forget_bias", 1.0)


def test_trials_are_pruned_where_optunas_median_pruner_would_end_them(airline):
    import optuna
    from optuna.trial import TrialState, create_trial

    from rnn_study.running.run import results

    table, pruned = search(trials=12, epochs=4), 0
    for cell, searches in table.items():
        for number, rows in enumerate(searches, 1):
            before = optuna.create_study(direction="minimize")  # the completed trials of the rounds before
            for start in range(0, 12, 4):
                curves = []
                for row in rows[start : start + 4]:
                    folder = Path(f"runs/tune-airline/{cell}/search-{number}/trial-{row['number']}")
                    curves.append([one["validation_score"] for one in results.read_history(folder)])
                    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2)  # steps count from 1
                    judged = optuna.create_study(direction="minimize", pruner=pruner)
                    judged.add_trials(before.get_trials())
                    trial, ended = judged.ask(), None
                    for epoch, score in enumerate(curves[-1], 1):
                        trial.report(score, epoch)
                        if ended is None and trial.should_prune():
                            ended = epoch
                    assert row.get("pruned") == ended
                    assert len(curves[-1]) == (ended or 4)
                    pruned += ended is not None
                for row, curve in zip(rows[start : start + 4], curves, strict=True):
                    if "pruned" not in row:
                        seen = dict(enumerate(curve, 1))
                        done = {"state": TrialState.COMPLETE, "value": curve[-1], "intermediate_values": seen}
                        before.add_trial(create_trial(**done))
    assert pruned > 3
    assert not any(
        "pruned" in row for searches in search(epochs=4, prune=0).values() for rows in searches for row in rows
    )
    search(trials=12, epochs=4)
    stored = optuna.load_study(study_name="airline/lstm/1", storage="sqlite:///optuna.db")
    states = [trial.state == TrialState.PRUNED for trial in stored.get_trials()]
    assert states == ["pruned" in row for row in table["lstm"][0]]


def test_importance_is_told_of_enough_trials_alone(airline):
    import numpy as np

    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    rng, parameters = np.random.default_rng(0), config.load()
    prepared = load_task(prepared_file("airline"))
    rows = [
        {
            "number": number,
            "learning_rate": float(rate),
            "clip": float(rng.uniform(0.25, 8)),
            "dropout": float(rng.uniform(0, 0.4)),
            "batch_size": int(rng.choice([8, 16])),
            "depth": int(rng.choice([1, 2])),
            "score": float(abs(np.log(rate / 0.005))),  # of the rate alone
        }
        for number, rate in enumerate(np.exp(rng.uniform(np.log(0.001), np.log(0.03), 60)))
    ]
    assert tuning.importance(parameters, prepared, "vanilla", [rows[:25], rows[25:49]]) is None
    ended = [row | {"pruned": 1} for row in rows[50:]]
    assert tuning.importance(parameters, prepared, "vanilla", [rows[:49], ended]) is None
    found = tuning.importance(parameters, prepared, "vanilla", [rows[:25], rows[25:50]])
    assert found.keys() == {"learning_rate", "clip", "dropout", "batch_size", "depth"}
    assert sum(found.values()) == pytest.approx(1)
    assert found["learning_rate"] > 0.6


def test_the_studies_open_with_optuna_alone(airline):
    import optuna

    search()
    names = optuna.get_all_study_names("sqlite:///optuna.db")
    assert sorted(names) == ["airline/lstm/1", "airline/lstm/2", "airline/vanilla/1", "airline/vanilla/2"]
    study = optuna.load_study(study_name=names[0], storage="sqlite:///optuna.db")
    assert len(study.trials) == 8
    assert study.best_value == min(trial.value for trial in study.trials)


def test_a_trial_is_a_short_run_on_a_seed_of_its_own(airline):
    from rnn_study.running.run import store

    search(epochs=4)
    for cell in ("vanilla", "lstm"):
        for number in (1, 2):
            spec = store.read_spec(Path(f"runs/tune-airline/{cell}/search-{number}/trial-0"))
            assert (spec.task, spec.variant, spec.backend, spec.device) == ("airline", cell, "pytorch", "cpu")
            assert (spec.epochs, spec.patience, spec.examples) == (4, 4, 32)
            assert (spec.tests, spec.checkpoints) == (False, ())
            assert spec.seed == 1000 + number - 1  # the study's own are 0 and 1
            assert spec.bar == ()  # nothing was reached before the first round


def test_a_bar_is_the_median_of_what_came_so_far():
    """By hand: epochs 2 and 3 of curves of different length; a median that is no number bars nobody."""
    from rnn_study.running.tuning import median_bar

    curves = [[9.0, 5.0], [8.0, 3.0, 4.0], [7.0, 1.0, 2.0], [6.0]]
    assert median_bar(curves, 1) == ((2, 3.0), (3, 3.0))
    assert median_bar(curves, 2) == ((3, 3.0),)
    assert median_bar(curves, 3) == ()
    assert median_bar([], 1) == ()
    assert median_bar([[1.0, float("inf")], [1.0, float("inf"), 2.0]], 0) == ((1, 1.0), (3, 2.0))


def test_what_a_cell_fixes_is_not_searched_and_stands_in_what_is_found(airline):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    text = Path("params.yaml").read_text()
    head, _, tail = text.rpartition("    cells: {vanilla: {}, lstm: {}}\n")
    Path("params.yaml").write_text(f"{head}    cells: {{vanilla: {{}}, lstm: {{learning_rate: 0.02}}}}\n{tail}")
    parameters, prepared = config.load(), load_task(prepared_file("airline"))
    table = search()
    assert all("learning_rate" not in row for rows in table["lstm"] for row in rows)
    assert all("learning_rate" in row for rows in table["vanilla"] for row in rows)
    for found in tuning.best(parameters, prepared, table)["lstm"]:
        assert found["settings"]["learning_rate"] == 0.02


def test_found_settings_have_six_digits_and_whole_numbers_stay_whole(airline):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    row = {"number": 0, "learning_rate": 0.0123456789, "clip": 1.23456789, "dropout": 0.0}
    row |= {"batch_size": 16, "depth": 2, "score": 3.123456789}
    (found,) = tuning.best(config.load(), load_task(prepared_file("airline")), {"vanilla": [[row]]})["vanilla"]
    assert found["settings"] == {
        "learning_rate": 0.0123457,
        "clip": 1.23457,
        "dropout": 0.0,
        "batch_size": 16,
        "depth": 2,
    }
    assert type(found["settings"]["depth"]) is int
    assert found["validation_score"] == 3.123456789


def test_the_summary_of_searches_by_hand(airline, monkeypatch):
    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    parameters, prepared = config.load(), load_task(prepared_file("airline"))
    asked = []
    monkeypatch.setattr(tuning, "importance", lambda *words: asked.append(words) or {"clip": 1.0})
    row = {"learning_rate": 0.01, "clip": 1.0, "dropout": 0.1, "batch_size": 16, "depth": 2}
    free = row | {"clip": float("inf")}
    table = {
        "vanilla": [
            [row | {"number": 0, "score": 5.0}, row | {"number": 1, "score": 9.0, "pruned": 1}],
            [free | {"number": 0, "score": 4.0}],
        ]
    }
    found = tuning.summary(parameters, prepared, table)
    assert found == {
        "vanilla": {
            "searches": [
                {"settings": row, "trials": 2, "validation_score": 5.0},
                {"settings": row | {"clip": None}, "trials": 1, "validation_score": 4.0},
            ],
            "importance": {"clip": 1.0},
            "trials": 3,
            "pruned": 1,
        }
    }
    assert asked == [(parameters, prepared, "vanilla", table["vanilla"])]


def test_importance_has_the_direction_of_the_score(airline):
    """Optuna's own evaluator asked by hand."""
    import numpy as np
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    from rnn_study import config
    from rnn_study.data.prepared import load_task, prepared_file
    from rnn_study.running import tuning

    rng, parameters, prepared = np.random.default_rng(1), config.load(), load_task(prepared_file("airline"))
    rows = [
        {
            "number": number,
            "learning_rate": float(np.exp(rng.uniform(np.log(0.001), np.log(0.03)))),
            "clip": float(rng.uniform(0.25, 8)),
            "dropout": float(rng.uniform(0, 0.4)),
            "batch_size": int(rng.choice([8, 16])),
            "depth": int(rng.choice([1, 2])),
        }
        for number in range(60)
    ]
    for row in rows:  # the low ones hang on the rate, the high ones on the dropout
        row["score"] = float(row["learning_rate"] * 100 if row["learning_rate"] < 0.01 else 5 + row["dropout"])
    space, found = tuning._space(parameters, "airline", "vanilla"), {}
    for direction, higher in (("minimize", False), ("maximize", True)):
        study = optuna.create_study(direction=direction)
        for row in rows:
            study.add_trial(
                optuna.trial.create_trial(params={k: row[k] for k in space}, distributions=space, value=row["score"])
            )
        task = type("Other", (), {"name": prepared.name, "higher_is_better": higher})
        found[direction] = tuning.importance(parameters, task, "vanilla", [rows])
        assert found[direction] == pytest.approx(get_param_importances(study, evaluator=PedAnovaImportanceEvaluator()))
    assert found["minimize"] != pytest.approx(found["maximize"])
