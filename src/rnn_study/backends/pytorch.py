"""PyTorch: `torch.nn.RNN`, `LSTM` and `GRU` under the network of `network.py`.

torch's kernels are the canonical ones transposed, with the same gate order. Its RNN and LSTM have a second
bias that duplicates the first; it stays at zero here, for under Adam two biases move twice as far as one.
"""

import os

import numpy as np
import torch
from torch import Tensor, nn

from rnn_study.cells import CELLS
from rnn_study.network import Network
from rnn_study.task import Batch

from . import EpochTrace, Optimiser

_LAYERS = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
_CHUNK = 1024  # rows predicted at a time: bounds memory, not results

# What makes runs repeatable on one machine; one thread, for a study keeps its cores busy with processes.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
torch.use_deterministic_algorithms(True)
torch.backends.cudnn.benchmark = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False
torch.set_num_threads(1)


class _Net(nn.Module):
    def __init__(self, network: Network, loss: str, optimiser: Optimiser, dtype: torch.dtype, device: str):
        super().__init__()
        self.network, self.loss, self.clip = network, loss, optimiser.clip
        self.device = torch.device("cuda" if device == "gpu" else "cpu")
        make = {"dtype": dtype, "device": self.device}
        width = network.inputs
        self.embedding = None
        if network.embedding:
            table = torch.empty(network.embedding.words, width, **make)
            self.embedding = nn.Parameter(table, requires_grad=network.embedding.trainable)
        self.layers = nn.ModuleList()
        for layer in network.layers:
            self.layers.append(_LAYERS[layer.cell](width, layer.units, batch_first=True, **make))
            width = layer.units
        self.head = nn.Linear(width, network.outputs, **make)

    def forward(self, x: Tensor, last: Tensor | None, keep: list[Tensor] | None) -> Tensor:
        if self.embedding is not None:
            x = nn.functional.embedding(x, self.embedding)
        for index, layer in enumerate(self.layers):
            x = layer(x)[0]
            if keep is not None:
                x = x * keep[index][:, None, :]
        # Valid steps come first, so what padding does after them cannot reach the state that is read.
        x = x[:, -1] if last is None else x[torch.arange(len(x), device=x.device), last]
        return self.head(x)

    def parameter_views(self) -> dict[str, tuple[Tensor, bool]]:
        """Each array of the canonical tree: the tensor that holds it and whether it stands transposed."""
        views = {} if self.embedding is None else {"embedding": (self.embedding, False)}
        for index, (spec, layer) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            views[f"layers.{index}.W"] = (layer.weight_ih_l0, True)
            views[f"layers.{index}.U"] = (layer.weight_hh_l0, True)
            views[f"layers.{index}.b"] = (layer.bias_ih_l0, False)
            if CELLS[spec.cell].recurrent_bias:
                views[f"layers.{index}.b_rec"] = (layer.bias_hh_l0, False)
        views["head.W"] = (self.head.weight, True)
        views["head.b"] = (self.head.bias, False)
        return views


def environment() -> dict[str, str]:
    device = "gpu" if torch.cuda.is_available() else "cpu"
    return {"framework": "torch", "version": torch.__version__, "device": device}


def build(network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str) -> _Net:
    dtype = getattr(torch, str(weights["head.W"].dtype))
    model = _Net(network, loss, optimiser, dtype, device)
    with torch.no_grad():
        for spec, layer in zip(network.layers, model.layers, strict=True):
            if not CELLS[spec.cell].recurrent_bias:
                layer.bias_hh_l0.zero_().requires_grad_(False)
    set_weights(model, weights)
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    betas = (optimiser.beta_1, optimiser.beta_2)
    model.adam = torch.optim.Adam(trained, lr=optimiser.learning_rate, betas=betas, eps=optimiser.epsilon, fused=True)
    return model


def place(batch: Batch, model: _Net) -> tuple[Tensor, Tensor, Tensor | None]:
    x = torch.from_numpy(batch.x)
    y = torch.from_numpy(batch.y)
    if x.is_floating_point():
        x = x.to(model.head.weight.dtype)
    if y.is_floating_point():
        y = y.to(model.head.weight.dtype)
    last = None if batch.mask is None else torch.from_numpy(batch.mask.sum(axis=1) - 1)
    return x.to(model.device), y.to(model.device), None if last is None else last.to(model.device)


def epoch(
    model: _Net, data: tuple[Tensor, Tensor, Tensor | None], order: np.ndarray, keep: list[np.ndarray] | None
) -> EpochTrace:
    x, y, last = data
    measure = nn.functional.cross_entropy if model.loss == "cross_entropy" else nn.functional.mse_loss
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    masks = None
    if keep is not None:
        masks = [torch.from_numpy(mask).to(model.device, model.head.weight.dtype) for mask in keep]
    rows = torch.from_numpy(order).to(model.device)
    losses, norms = [], []
    for step, row in enumerate(rows):
        dropped = None if masks is None else [mask[step] for mask in masks]
        outputs = model(x[row], None if last is None else last[row], dropped)
        loss = measure(outputs, y[row])
        model.adam.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t.grad) for t in trained]))
        if model.clip is not None:
            # By hand: clip_grad_norm_ adds 1e-6 to the norm, which the other framework does not.
            scale = torch.where(norm > model.clip, model.clip / norm, 1.0)
            for tensor in trained:
                tensor.grad.mul_(scale)
        model.adam.step()
        losses.append(loss.detach())
        norms.append(norm)
    return EpochTrace(torch.stack(losses).cpu().numpy(), torch.stack(norms).cpu().numpy())


@torch.no_grad()
def predict(model: _Net, data: tuple[Tensor, Tensor, Tensor | None]) -> np.ndarray:
    x, _, last = data
    chunks = []
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        chunks.append(model(x[part], None if last is None else last[part], None))
    return torch.cat(chunks).cpu().numpy()


def weights(model: _Net) -> dict[str, np.ndarray]:
    views = model.parameter_views().items()
    return {
        name: (tensor.T if transposed else tensor).detach().cpu().contiguous().numpy().copy()
        for name, (tensor, transposed) in views
    }


@torch.no_grad()
def set_weights(model: _Net, weights: dict[str, np.ndarray]) -> None:
    for name, (tensor, transposed) in model.parameter_views().items():
        array = torch.from_numpy(np.ascontiguousarray(weights[name]))
        tensor.copy_(array.T if transposed else array)
