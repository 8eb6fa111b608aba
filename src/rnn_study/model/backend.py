"""What a framework must offer to train a network: each package of `backends` does, NumPy at its boundary."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from .network import Network, why_not_native
from .optimisers import Optimiser
from .task import Batch

LABELS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}  # each backend as one reads it
BACKENDS = tuple(LABELS)


class EpochTrace(NamedTuple):
    """What each of the S updates of an epoch saw, all (S,).

    losses: mean loss. norms, clipped_norms: the gradients' global norm before and after clipping. clipped: whether
    clipping changed any. ratios: the norm of the change of all trained weights over their norm before it.
    """

    losses: np.ndarray
    norms: np.ndarray
    clipped_norms: np.ndarray
    clipped: np.ndarray
    ratios: np.ndarray


class Pass(NamedTuple):
    """All that one pass of a network over a batch computes, forward and back, without dropout.

    N sequences of T steps, a layer of H units at a time. The loss is a mean: over the batch, or over its valid steps
    where each has an output, and over the outputs where it is squared.
    """

    outputs: np.ndarray  # (N, K), or (N, T, K), zero past a row's end
    loss: float
    hidden: tuple[np.ndarray, ...]  # a layer's h at every step (N, T, H), both ways side by side, zero past a row's end
    final: tuple[tuple[np.ndarray, ...], ...]  # a layer's states (N, H) at each row's last valid step
    # of both, a decoder's layers after the encoder's; a written answer ends with END
    gradients: dict[str, np.ndarray]  # of the loss, for every array that is trained
    inputs: np.ndarray  # its gradient for what the first layer reads (N, T, D)


class Backend(Protocol):
    """One framework. The dtype of the weight tree given to `build` is the dtype of the model."""

    def environment(self) -> dict[str, str]:
        """The framework's name and version, and the kind of device `auto` means here: cpu or gpu."""

    def build(
        self,
        network: Network,
        loss: str,
        optimiser: Optimiser,
        weights: dict[str, np.ndarray],
        device: str,
        impl: str,
    ) -> Any:
        """A model on `device` (cpu | gpu) holding `weights`, its optimiser before the first update.

        `impl` says what computes the layers: `native`, the framework's own, or `equations`, those of `cells.py`.
        A ValueError where the framework's own cannot (`why_not_native`).
        """

    def place(self, batch: Batch, model: Any) -> Any:
        """The arrays of `batch` where the model can read them, copied once for many epochs."""

    def epoch(self, model: Any, data: Any, order: np.ndarray, keep: list[np.ndarray] | None) -> EpochTrace:
        """One update for each row of `order` (S, B), indices into `data`.

        `keep` holds the dropout masks (S, B, H) of all that `Network.dropped` names, already scaled by 1 / (1 - p).
        """

    def apply(self, model: Any, gradients: dict[str, np.ndarray]) -> None:
        """One update by these gradients, of every trained array, clipped as the optimiser says."""

    def predict(self, model: Any, data: Any) -> np.ndarray:
        """Outputs (N, K), or (N, T, K), of the whole of `data`, without dropout.

        A decoder reads the answers that `data` holds, so these say what it would write next after each of their tokens.
        A network whose state is carried starts every row with zero states here.
        """

    def probe(self, model: Any, data: Any) -> Pass:
        """One pass over the whole of `data`, forward and back, with everything it computes; no update.

        Batch normalisation takes the statistics of `data`, as an update would, and keeps none.
        """

    def weights(self, model: Any) -> dict[str, np.ndarray]:
        """The model's canonical weight tree, copied."""

    def set_weights(self, model: Any, weights: dict[str, np.ndarray]) -> None:
        """Put a canonical weight tree into the model."""

    def slots(self, model: Any) -> dict[str, np.ndarray]:
        """What the optimiser remembers, in the canonical layout: `updates`, the number made, and for each trained
        array `velocity.<name>` (momentum), `square.<name>` (RMSprop, Adam), `mean.<name>` (Adam)."""

    def set_slots(self, model: Any, slots: dict[str, np.ndarray]) -> None:
        """Put back what `slots` gave, from either framework."""

    def allow_tf32(self, allowed: bool) -> None:
        """Let products of float32 matrices be rounded to TensorFloat-32 on a GPU; off unless this is called."""


def require_native(network: Network, backend: str) -> None:
    """A ValueError that says what the framework's own layers cannot do."""
    if reason := why_not_native(network, backend):
        raise ValueError(f"impl native: {backend} has no layer for {reason}: expected equations")
