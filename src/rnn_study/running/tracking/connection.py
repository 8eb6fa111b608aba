"""Where MLflow's runs go: the store at the project's root, or the server that MLFLOW_TRACKING_URI names."""

import logging
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
# A server that does not answer is told of within seconds, not after minutes of retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from rnn_study.support.errors import StudyError

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # of each retry


class Unreachable(StudyError):
    """There is no way to MLflow's store."""


# What a store that is gone, locked or full is told by.
FAULTS = (MlflowException, SQLAlchemyError, OSError)
_STORE, _FILES = Path("mlflow.db"), Path("mlartifacts")


def _server() -> str | None:
    """The server that is asked for; an empty name asks for none. `Unreachable` where it is no address."""
    found = os.environ.get("MLFLOW_TRACKING_URI") or None
    try:
        urlsplit(found or "")
    except ValueError as error:
        raise Unreachable(f"MLFLOW_TRACKING_URI: got {_without_passwords(found)!r}: {error}") from None
    return found


def _create(store: Path) -> None:
    """MLflow's tables under the name `store` only once they are all there: MLflow takes seconds to write them, and
    does not open a store whose writing was cut short."""
    fresh = store.with_name(f".{store.name}.new")
    with FileLock(f"{fresh}.lock"):
        if not store.exists():
            fresh.unlink(missing_ok=True)
            MlflowClient(f"sqlite:///{fresh}").search_experiments()
            fresh.rename(store)


# Every table that holds where files are, and its column.
_PLACES = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


def _follow(store: Path, here: str) -> None:
    """Let the store find its files where the project is now, whose folder may have been moved: MLflow keeps absolute
    addresses."""
    ours = f"{here}/{_FILES}/"
    with closing(sqlite3.connect(store)) as database, database:
        found = database.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%'")
        old = {place.rpartition(f"/{_FILES}/")[0] for (place,) in found if f"/{_FILES}/" in place} - {here}
        for before in old:
            start = f"{before}/{_FILES}/"
            for table, column in _PLACES:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (ours, len(start) + 1, len(start), start),
                )


def _client() -> MlflowClient:
    if server := _server():
        return MlflowClient(server)
    store = Path.cwd() / _STORE
    if store.exists():
        try:
            _follow(store, Path.cwd().as_uri())
        except sqlite3.Error as error:
            raise MlflowException(str(error)) from None
    else:
        _create(store)
    return MlflowClient(f"sqlite:///{store}")


def _experiment(client: MlflowClient, task: str) -> str:
    found = client.get_experiment_by_name(task)
    if found is None:
        place = None if _server() else (Path.cwd() / _FILES / task).as_uri()
        return client.create_experiment(task, place, {"mlflow.experimentKind": "custom_model_development"})
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        print(f"mlflow: experiment {task} had been deleted: restored", file=sys.stderr, flush=True)
    return found.experiment_id


def _without_passwords(text: str) -> str:
    """`text` without the names and passwords of its addresses."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def told(error: BaseException) -> str:
    """What went wrong, in a line of at most 200 characters, without the password of an address."""
    if isinstance(error, Unreachable):
        return str(error)  # made of one
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _without_passwords(line)[:200]


_said: set[str] = set()


@contextmanager
def mirroring(what: str) -> Iterator[None]:
    """A store that is not there, or lost meanwhile, costs `what` of it, never a result: one line says so."""
    try:
        yield
    except (*FAULTS, Unreachable) as fault:
        if told(fault) in _said:  # of the same store, by the same process
            return
        _said.add(told(fault))
        lost = f"mlflow: {told(fault)}: {what}; results are kept, log them with: rnn-study track"
        print(lost, file=sys.stderr, flush=True)


_dead: dict[str, Unreachable] = {}  # servers that this process did not reach: it waits for none of them twice


def connect(task: str) -> tuple[MlflowClient, str]:
    """A client and the id of the task's experiment; `Unreachable` where there is no way to them."""
    server = _server()
    if server in _dead:
        raise _dead[server]
    try:
        client = _client()
        return client, _experiment(client, task)
    except FAULTS as error:
        if server:
            _dead[server] = Unreachable(
                f"MLFLOW_TRACKING_URI: {_without_passwords(server)}: {told(error)}: expected a running MLflow server, "
                f"or none, then runs go to {_STORE}"
            )
            raise _dead[server] from None
        raise Unreachable(f"{_STORE}: {told(error)}: expected MLflow's store, or none: then one is made") from None
