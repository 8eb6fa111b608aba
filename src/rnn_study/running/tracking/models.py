"""Trained networks as models that MLflow lists and loads, in each framework's own format."""

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from rnn_study.model.network import Network, why_not_native
from rnn_study.model.task import Task
from rnn_study.running.run import results, store
from rnn_study.support.errors import StudyError

from .connection import connect, mirroring
from .mlflow_runs import RUN

EXAMPLES = 4  # sequences that a model is stored with
_AGREE = 1e-5  # of the largest output: rounding, when a batch is cut otherwise
_FLAVOURS = {"pytorch": "mlflow.pytorch", "tensorflow": "mlflow.tensorflow"}
_NEEDS = {"pytorch": ("torch", "numpy"), "tensorflow": ("tensorflow", "keras", "numpy")}


def why_not(network: Network, backend: str) -> str | None:
    """What a framework's stock layers cannot do of `network`; None where they can do all."""
    for name in ("dense", "every_step", "decoder", "bidirectional", "carried"):
        if getattr(network, name):
            return name.replace("_", " ")
    return why_not_native(network, backend)


def best_seed(scores: Sequence[float], seeds: Sequence[int], higher_is_better: bool) -> int:
    """The seed with the best validation score, the first of equals."""
    return seeds[int(np.argmax(scores) if higher_is_better else np.argmin(scores))]


def _log(backend: str, model: Any, task: Task, name: str, run: str, about: dict[str, Any]) -> None:
    x = task.validation.x
    spec = TensorSpec(x.dtype, (-1, *x.shape[1:]), "x" if backend == "tensorflow" else None)
    signature = ModelSignature(Schema([spec]), Schema([TensorSpec(np.dtype("float32"), (-1, task.outputs))]))
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # Keras draws a bar for its trial of the example
        warnings.filterwarnings("ignore", "The tensor attributes .* were assigned during export")  # of nn.LSTM itself
        warnings.filterwarnings("ignore", "The structure of `inputs` doesn't match")  # a dict, as servers send it
        import_module(_FLAVOURS[backend]).log_model(
            model,
            name=name,
            signature=signature,
            input_example=x[:EXAMPLES],
            pip_requirements=[f"{package}=={metadata.version(package)}" for package in _NEEDS[backend]],
            params={key: str(value) for key, value in about.items()},
            tags={RUN: run},
        )


def publish(task: Task, folder: Path) -> str:
    """Log the run in `folder` as a model of the task's experiment, in the place of an older one of its name; its name.

    A StudyError where the model does not give the predictions that the run has stored. Where MLflow is not to be
    reached, or does not have the run, one line says so.
    """
    spec, run = store.read_spec(folder), store.read_id(folder)
    name = f"{spec.variant}-{spec.backend}"
    try:
        own = import_module(f"rnn_study.backends.{spec.backend}.stock")
    except ImportError as error:  # not installed, or a library that it needs is not
        raise StudyError(f"{spec.backend}: {error}: expected what its backend imports; run: make") from None
    model = own.stock(spec.network, results.read_weights(folder))
    for part, stored in results.read_predictions(folder).items():
        found = own.answers(model, task.parts()[part].x)
        if (far := float(np.abs(found - stored).max())) > _AGREE * max(1.0, float(np.abs(stored).max())):
            raise StudyError(f"{folder}: {part}: {far:.1e} from the stored predictions: expected the same")
    with mirroring(f"the model {name} of {task.name} is not logged"):
        client, experiment = connect(task.name)
        old = client.search_logged_models([experiment], f"name = '{name}'")
        asked = f"tags.`{RUN}` = '{run}' and tags.`study.kind` = 'train'"
        found = client.search_runs([experiment], asked, max_results=1)
        if not found:
            raise MlflowException(f"{folder} is not in the store")
        if any(one.tags.get(RUN) == run for one in old):
            return name
        mlflow.set_tracking_uri(client.tracking_uri)
        about = {"task": spec.task, "cell": spec.variant, "seed": spec.seed}
        with mlflow.start_run(run_id=found[0].info.run_id):
            _log(spec.backend, model, task, name, run, about)
        for one in old:
            client.delete_logged_model(one.model_id)
    return name
