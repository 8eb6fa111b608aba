"""Runs in MLflow's store.

One experiment a task; in it a parent run for each cell and backend, for training and for tuning, and a child
for each seed or trial. A finished run is logged once; a store that was lost is filled again by `rnn-study track`.
"""

import json
import math
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from rnn_study.model.task import Generated, Pixels
from rnn_study.running.run import results, store
from rnn_study.running.run.events import Event, Finished, Progress
from rnn_study.running.run.spec import RunSpec
from rnn_study.support.files import read_json

from .connection import connect

_FLUSH_SECONDS = 30.0  # most runs are shorter, and written once, at their end: half the work
_PARENT = "mlflow.parentRunId"
RUN = "study.run"  # tag: the id in the run store
_GROUP = "study.group"  # what the children of a parent share
_CURRENT = "study.current"  # tag: whether the last execution of the stage had the run
# Of a history; all of its columns are in history.csv, among a run's files. On MLflow's page of a run what stands before
# a / is a heading, in alphabetical order: the curves, then what the run ended with.
_CURVES = ("train_loss", "validation_loss", "validation_score", "gradient_norm")


def git_state() -> dict[str, str]:
    """The commit, and whether the tree differs from it; nothing outside a git checkout."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"git.commit": git("rev-parse", "HEAD"), "git.dirty": str(bool(git("status", "--porcelain")))}
    except (FileNotFoundError, subprocess.CalledProcessError):
        return {}


def _flat(value: object, name: str = "") -> dict[str, object]:
    """Nested dicts and lists as one dict with dotted names."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: value}
    flat = {}
    for key, inner in items:
        flat |= _flat(inner, f"{name}.{key}" if name else str(key))
    return flat


def _lacks(key: str, value: object) -> bool:
    """Whether this says of a network no more than that it lacks something."""
    return key.startswith("network.") and (value is None or value is False)


def _steps(spec: RunSpec) -> str:
    """The length of a frontier's run, for its name."""
    match spec.data:
        case Generated(steps=steps, mixed=mixed):
            return f" T{' up to' * mixed} {steps}"
        case Pixels(side=side):
            return f" T {side * side}"
        case _:
            return ""


def _dataset(spec: RunSpec, tags: dict[str, str]) -> DatasetInput:
    """What `spec` trains on, so that runs can be filtered by it: a prepared file with its digest, or a generator, whose
    digest is that of what it is asked for."""
    if isinstance(spec.data, str):
        name, source, digest = spec.task, {"uri": spec.data}, tags.get("sha256.train", "")
    else:
        name, source = f"{spec.task}{_steps(spec)}", asdict(spec.data)
        digest = sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
    origins = {key: value for key, value in tags.items() if key == "data" or key.startswith("data.")}
    kind = "local" if isinstance(spec.data, str) else "code"
    dataset = Dataset(name, digest[:12], kind, json.dumps(source | origins, sort_keys=True))
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _metrics(row: dict[str, float]) -> list[Metric]:
    """What is drawn of a row of a history, at the step of its epoch."""
    now = int(time.time() * 1000)
    step = int(row["epoch"])
    return [Metric(f"curves/{key}", row[key], now, step) for key in _CURVES if math.isfinite(row[key])]


def _means(found: Sequence[dict[str, Any]]) -> list[Metric]:
    """What results have in common: how many they are, each score's mean, the share that solved the problem."""
    now = int(time.time() * 1000)
    values = {f"mean.{part}": [one["scores"].get(part, math.nan) for one in found] for part in found[0]["scores"]}
    values["solved"] = [one.get("solved", math.nan) for one in found]
    means = {key: math.fsum(own) / len(own) for key, own in values.items()}
    return [Metric(key, mean, now, 0) for key, mean in means.items() if math.isfinite(mean)] + [
        Metric("runs", len(found), now, 0)
    ]


class Runs:
    """The runs of one stage of `task` in one backend, for its `Tracker`."""

    def __init__(self, task: str, kind: str, backend: str, tags: dict[str, str]):
        self._client, self._experiment = connect(task)
        self._kind = kind
        self._tags = tags
        self._about = tags | git_state() | {"study.kind": kind, "study.backend": backend, _CURRENT: "True"}
        self._parents: dict[RunSpec, str] = {}
        self._open: dict[str, str] = {}
        self._files: dict[str, str] = {}  # where those of an open run go
        self._logged: dict[str, set[float]] = defaultdict(set)  # epochs in MLflow, by run
        self._waiting: dict[str, list[Progress]] = defaultdict(list)
        self._flushed = time.monotonic()
        self._done: set[tuple[str, str]] = set()
        self._before: dict[str, Run] = {}
        self._heard: set[tuple[str, str]] = set()  # parent and id of what is logged now
        self._results: dict[str, list[dict[str, Any]]] = defaultdict(list)  # of the runs under a parent
        self._summarised: set[str] = set()
        self._groups: dict[str, str] = {}  # parents that are there
        for run in self._search(f"tags.`study.kind` = '{kind}' and tags.`study.backend` = '{backend}'"):
            self._before[run.info.run_id] = run
            if _GROUP in run.data.tags:
                self._groups.setdefault(run.data.tags[_GROUP], run.info.run_id)  # the last one made comes first
            if run.info.status == "RUNNING":  # its stage was killed
                self._client.set_terminated(run.info.run_id, "KILLED")
            elif run.info.status == "FINISHED" and RUN in run.data.tags:
                self._done.add((run.data.tags[_PARENT], run.data.tags[RUN]))

    def end(self, killed: bool) -> None:
        """Nothing more is logged; `killed`: though there was to be more."""
        if not killed:
            self._mark()
        if self._kind != "tune":  # trials have no mean that says anything
            for parent in self._results.keys() - self._summarised:
                self._client.log_batch(parent, metrics=_means(self._results[parent]))
        for run in [*self._open.values(), *self._parents.values()]:
            self._client.set_terminated(run, "KILLED" if killed else "FINISHED")

    def _mark(self) -> None:
        """Tell runs of before that the stage still has from those of other settings, data, code or versions."""
        for name, run in self._before.items() if self._heard else ():
            tags = run.data.tags
            if RUN in tags:
                now = (tags[_PARENT], tags[RUN]) in self._done & self._heard and run.info.status == "FINISHED"
            else:
                now = name in self._parents.values()
            if str(now) != tags.get(_CURRENT):
                self._client.set_tag(name, _CURRENT, str(now))

    def _search(self, text: str) -> Iterable[Run]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], text, max_results=1000, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _parent(self, spec: RunSpec) -> str:
        """The parent run of `spec`: the same for all specs that differ by seed (tuning: by settings) alone."""
        common = replace(spec, seed=0)
        if self._kind == "tune":  # whatever a trial may choose
            layers = tuple(replace(layer, units=1) for layer in spec.network.layers[:1])
            network = replace(spec.network, layers=layers, dropout=0.0)
            rule, init = replace(spec.optimiser, learning_rate=0.0, clip=None), replace(spec.init, forget_bias=None)
            common = replace(common, optimiser=rule, network=network, init=init, batch_size=0, bar=())
        if common not in self._parents:
            self._parents[common] = self._open_parent(common)
        return self._parents[common]

    def _open_parent(self, common: RunSpec) -> str:
        described = [asdict(common), self._tags, store.sources(common)]
        digest = sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
        group = f"{self._kind}/{common.variant}/{common.backend}/{digest}"
        if run := self._groups.get(group):
            self._client.update_run(run, "RUNNING")
            return run
        name = f"{self._kind} {common.variant} {common.backend}{_steps(common)}"
        run = self._client.create_run(self._experiment, tags=self._about | {_GROUP: group}, run_name=name).info.run_id
        fixed = {"task": common.task, "backend": common.backend, "variant": common.variant, "impl": common.impl}
        self._client.log_batch(run, params=[Param(key, value) for key, value in fixed.items()])
        return run

    def _child(self, event: Event, tags: Sequence[RunTag] = ()) -> tuple[str, list[Param]]:
        """The run of `event`, which `tags` are put on; and its parameters where they are still to be written."""
        if run := self._open.get(event.run):
            if tags:
                self._client.log_batch(run, tags=tags)
            return run, []
        spec, parent = event.spec, self._parent(event.spec)
        if self._kind == "tune":
            name = f"{spec.variant} lr {spec.optimiser.learning_rate:.2g}"
        else:
            name = f"{spec.variant} {spec.backend}{_steps(spec)} seed {spec.seed}"
        about = {
            key: value for key, value in self._about.items() if not key.startswith("sha256.")
        }  # its parent has them
        about |= {_PARENT: parent, RUN: event.run} | {tag.key: tag.value for tag in tags}
        info = self._client.create_run(self._experiment, tags=about, run_name=name).info
        run = self._open[event.run] = info.run_id
        self._files[run] = info.artifact_uri
        self._client.log_inputs(run, [_dataset(spec, self._tags)])
        return run, [Param(key, str(value)) for key, value in _flat(asdict(spec)).items() if not _lacks(key, value)]

    def _flush(self) -> None:
        """Write the rows that wait."""
        for events in self._waiting.values():
            run, params = self._child(events[0])
            self._write(run, [metric for event in events for metric in _metrics(event.row)], params)
            self._logged[events[0].run] |= {event.row["epoch"] for event in events}
        self._waiting.clear()
        self._flushed = time.monotonic()

    def _write(self, run: str, metrics: Sequence[Metric], params: Sequence[Param]) -> None:
        # A server takes 100 parameters and 1,000 things in one call.
        for part in range(max(math.ceil(len(params) / 100), math.ceil(len(metrics) / 900))):
            some, own = metrics[900 * part : 900 * (part + 1)], params[100 * part : 100 * (part + 1)]
            self._client.log_batch(run, metrics=some, params=own)

    def log(self, event: Event) -> None:
        """Log an event of the executor; rows of curves are written every few seconds."""
        parent = self._parent(event.spec)
        self._heard.add((parent, event.run))
        done = (parent, event.run) in self._done
        if isinstance(event, Finished):
            summary = results.read_summary(event.folder)
            self._results[parent].append(summary)
            if not done:
                self._finish(event, summary)
            return
        if done:
            return
        self._waiting[event.run].append(event)
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self._flush()

    def _finish(self, event: Finished, summary: dict[str, Any]) -> None:
        versions = [RunTag(f"version.{key}", value) for key, value in event.environment.items()]
        run, params = self._child(event, [*versions, RunTag("study.reused", str(event.reused))])
        self._waiting.pop(event.run, None)  # its rows are in its history
        logged = self._logged.pop(event.run, ())  # of a run that went on, not its first ones
        rows = [row for row in results.read_history(event.folder) if row["epoch"] not in logged]
        clock = event.folder / store.CLOCK  # of a run from the store
        timing = read_json(clock) if clock.is_file() else {}
        final = {f"final/{key}": float(value) for key, value in (_flat(summary) | timing).items()}
        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, 0) for key, value in final.items()]
        curves = [metric for row in rows for metric in _metrics(row)]
        self._write(run, [*curves, *metrics], params)
        # Not by the client, which would ask for the run to learn where its files go.
        get_artifact_repository(self._files.pop(run), self._client.tracking_uri).log_artifacts(str(event.folder))
        self._client.set_terminated(run, "FINISHED")
        del self._open[event.run]

    def summarise(self, finished: Sequence[Finished], metrics: dict[str, Any]) -> None:
        """Put each cell's mean and interval on its parent runs; `metrics` as `summary.training` gives them."""
        now = int(time.time() * 1000)
        parents = {self._parent(run.spec): run.spec.variant for run in finished}  # one for each search of a cell
        for parent, cell in parents.items():
            found = metrics["cells"][cell]
            values = _flat({key: found[key] for key in ("mean", "interval", "parameters")})
            rows = [Metric(key, float(value), now, 0) for key, value in values.items()]
            self._client.log_batch(parent, metrics=rows)
            self._summarised.add(parent)


def log_figures(task: str, report: str, figures: dict[str, bytes]) -> None:
    """Put a report's figures (SVG by name) into the task's experiment, replacing those of an earlier report."""
    client, experiment = connect(task)
    for old in client.search_runs([experiment], f"tags.`study.report` = '{report}'"):
        client.delete_run(old.info.run_id)
    tags = {"study.report": report, "study.kind": "report"} | git_state()
    run = client.create_run(experiment, tags=tags, run_name=f"report {report}").info.run_id
    with tempfile.TemporaryDirectory() as folder:
        for name, data in figures.items():
            (Path(folder) / f"{name}.svg").write_bytes(data)
        client.log_artifacts(run, folder, "figures")
    client.set_terminated(run, "FINISHED")


def note(task: str, text: str) -> None:
    """Put `text`, Markdown, at the head of the task's experiment."""
    client, experiment = connect(task)
    client.set_experiment_tag(experiment, "mlflow.note.content", text)
