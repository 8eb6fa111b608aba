"""A trained network as PyTorch's own modules, for others: to run it takes nothing of this package."""

import numpy as np
from torch import Tensor, nn

from rnn_study.model.backend import require_native
from rnn_study.model.network import Network
from rnn_study.model.optimisers import Optimiser

from . import set_weights
from .model import Net, Part
from .runtime import torch


class Stock(nn.Module):
    """Of numbers x (N, T, D), or of tokens (N, T) with 0 past a row's end, the outputs of the head (N, K)."""

    def __init__(self, part: Part):
        super().__init__()
        self.embedding = part.embedding
        self.layers = nn.ModuleList(layer.directions[0].layer for layer in part.layers)
        self.head = part.dense[-1]

    def forward(self, x: Tensor) -> Tensor:
        last = None
        if self.embedding is not None:
            last = (x != 0).sum(dim=1) - 1
            x = nn.functional.embedding(x, self.embedding)
        for layer in self.layers:
            x = layer(x)[0]
        return self.head(x[:, -1] if last is None else x[torch.arange(x.shape[0]), last])


def stock(network: Network, weights: dict[str, np.ndarray]) -> nn.Module:
    """The network with these weights; it has to be one of native layers that answers once."""
    require_native(network, "pytorch")
    net = Net(network, "squared_error", Optimiser(0.0, None), torch.float32, "cpu", "native")
    set_weights(net, weights)
    return Stock(net.parts[0]).eval()


def answers(model: nn.Module, x: np.ndarray) -> np.ndarray:
    """What `model` gives for x."""
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()
