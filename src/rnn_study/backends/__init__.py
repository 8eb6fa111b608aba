"""The frameworks, each one module with the same seven functions, NumPy at its boundary."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np

from rnn_study.network import Network
from rnn_study.task import Batch

BACKENDS = ("pytorch", "tensorflow")


@dataclass(frozen=True)
class Optimiser:
    """Adam (Kingma & Ba 2015, algorithm 1), the gradients' global norm clipped at `clip` (None: not clipped)."""

    learning_rate: float
    clip: float | None
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


class EpochTrace(NamedTuple):
    """What each of the S updates of an epoch saw: mean loss (S,), global gradient norm before clipping (S,)."""

    losses: np.ndarray
    norms: np.ndarray


class Backend(Protocol):
    """One framework. The dtype of the weight tree given to `build` is the dtype of the model."""

    def environment(self) -> dict[str, str]:
        """The framework's name and version, and the kind of device `auto` means here: cpu or gpu."""

    def build(
        self, network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str
    ) -> Any:
        """A model on `device` (cpu | gpu) holding `weights`, its optimiser at step 0; fused native layers."""

    def place(self, batch: Batch, model: Any) -> Any:
        """The arrays of `batch` where the model can read them, copied once for many epochs."""

    def epoch(self, model: Any, data: Any, order: np.ndarray, keep: list[np.ndarray] | None) -> EpochTrace:
        """One update for each row of `order` (S, B), indices into `data`.

        `keep` holds each layer's dropout masks (S, B, H), already scaled by 1 / (1 - p).
        """

    def predict(self, model: Any, data: Any) -> np.ndarray:
        """Outputs (N, K) of the whole of `data`, without dropout."""

    def weights(self, model: Any) -> dict[str, np.ndarray]:
        """The model's canonical weight tree, copied."""

    def set_weights(self, model: Any, weights: dict[str, np.ndarray]) -> None:
        """Put a canonical weight tree into the model."""


def load(name: str) -> Backend:
    """The backend `name`; importing it imports its framework, so one process should load one."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: expected one of {', '.join(BACKENDS)}")
    return import_module(f"{__name__}.{name}")
