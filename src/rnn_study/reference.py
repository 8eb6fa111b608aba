"""The oracle: the network of `network.py` in plain NumPy, straight from the equations of `cells.py`."""

import numpy as np

from .cells import CELLS, Ops, Weights
from .network import Network
from .task import Batch


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(a / 2))  # the same function, without overflow


OPS = Ops(tanh=np.tanh, sigmoid=_sigmoid, relu=lambda a: np.where(a.real > 0, a, 0))


def layer_weights(tree: dict[str, np.ndarray], index: int) -> Weights:
    """The arrays of layer `index`, biases with the row axis the steps expect."""
    prefix = f"layers.{index}."
    b_rec = tree.get(prefix + "b_rec")
    return Weights(
        tree[prefix + "W"],
        tree[prefix + "U"],
        tree[prefix + "b"][..., None, :],
        None if b_rec is None else b_rec[..., None, :],
    )


def scan(cell: str, w: Weights, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run `cell` over x (N, T, D) from zero states; every state at every step, each (N, T, H)."""
    step, units = CELLS[cell].step, w.U.shape[-2]
    state = tuple(np.zeros((len(x), units), np.result_type(x, w.U)) for _ in range(CELLS[cell].states))
    history = []
    for t in range(x.shape[1]):
        state = step(OPS, w, state, x[:, t])
        history.append(state)
    return tuple(np.stack(states, axis=1) for states in zip(*history, strict=True))


def last_valid(h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """From h (N, T, H) the state (N, H) at each row's last valid step."""
    return h[:, -1] if mask is None else h[np.arange(len(h)), mask.sum(axis=1) - 1]


def forward(
    network: Network, tree: dict[str, np.ndarray], batch: Batch, keep: list[np.ndarray] | None = None
) -> np.ndarray:
    """Outputs (N, K) of the network; `keep` holds each layer's dropout masks (N, H), already scaled."""
    x = batch.x
    if network.embedding:
        x = tree["embedding"][x]
    for index, layer in enumerate(network.layers):
        x = scan(layer.cell, layer_weights(tree, index), x)[0]
        if keep is not None:
            x = x * keep[index][:, None, :]
    return last_valid(x, batch.mask) @ tree["head.W"] + tree["head.b"]
