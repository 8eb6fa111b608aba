"""A recurrent layer in PyTorch: the library's own, or the equations of `cells.py`.

torch's kernels are the canonical ones transposed, with the same gate order. Its RNN and LSTM have a second
bias that duplicates the first: unless the network asks for it, it stays at zero here, for under Adam two biases
move twice as far as one.
"""

from functools import partial

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnn_study.cells import CELLS, Ops
from rnn_study.network import step_weights

from .runtime import torch

_LAYERS = {
    "vanilla": nn.RNN,
    "vanilla_relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
_OPS = Ops(tanh=torch.tanh, sigmoid=torch.sigmoid, relu=torch.relu)


class Native(nn.Module):
    """torch's own layer. `arrays` names what holds each canonical array, and whether it stands transposed."""

    def __init__(self, cell: str, width: int, units: int, second_bias: bool, make: dict):
        super().__init__()
        self.layer = _LAYERS[cell](width, units, batch_first=True, **make)
        self.arrays = {
            "W": (self.layer.weight_ih_l0, True),
            "U": (self.layer.weight_hh_l0, True),
            "b": (self.layer.bias_ih_l0, False),
        }
        if CELLS[cell].recurrent_bias or second_bias:
            self.arrays["b_rec"] = (self.layer.bias_hh_l0, False)
        else:
            nn.init.zeros_(self.layer.bias_hh_l0.requires_grad_(False))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]

    def states(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """h at every step (N, T, H), zero past a row's end, and each state (N, H) at the end of its row."""
        if lengths is None:
            hidden, final = self.layer(x)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
            hidden, final = self.layer(packed)
            hidden = pad_packed_sequence(hidden, batch_first=True, total_length=x.shape[1])[0]
        return hidden, tuple(state[0] for state in (final if isinstance(final, tuple) else (final,)))


class Equations(nn.Module):
    """A cell of `cells.py`, stepped over time by PyTorch; the canonical arrays as they are."""

    def __init__(self, cell: str, width: int, units: int, second_bias: bool, make: dict):
        super().__init__()
        self.cell = CELLS[cell]
        columns = len(self.cell.gates) * units
        shapes = {"W": (width, columns), "U": (units, columns), "b": (columns,)}
        if self.cell.recurrent_bias or second_bias:
            shapes["b_rec"] = (columns,)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, **make)))
        self.arrays = {name: (getattr(self, name), False) for name in shapes}

    def _scan(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        w = step_weights(self.cell, **{name: tensor for name, (tensor, _) in self.arrays.items()})
        state = (x.new_zeros(len(x), self.U.shape[0]),) * self.cell.states
        history = []
        for now in x.unbind(1):
            state = self.cell.step(_OPS, w, state, now)
            history.append(state)
        return history

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([state[0] for state in self._scan(x)], dim=1)

    def states(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `Native.states`."""
        every = [torch.stack(states, dim=1) for states in zip(*self._scan(x), strict=True)]
        if lengths is None:
            return every[0], tuple(states[:, -1] for states in every)
        valid = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        rows = torch.arange(len(x), device=x.device)
        return every[0] * valid[..., None], tuple(states[rows, lengths - 1] for states in every)


IMPLS = {"native": Native, "equations": Equations}
