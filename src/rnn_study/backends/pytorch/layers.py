"""A recurrent layer in PyTorch: the library's own, or the equations of `cells.py`; read forward or both ways.

torch's kernels are the canonical ones transposed, with the same gate order. Its RNN and LSTM have a second
bias that duplicates the first: unless the network asks for it, it stays at zero here, for under Adam two biases
move twice as far as one.
"""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnn_study.model.cells import CELLS, Ops, activated
from rnn_study.model.network import NORM_EPSILON, NORM_MOMENTUM, STATISTICS, Network, layer_shapes

from .runtime import torch

States = tuple[Tensor, ...]
_LAYERS = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
OPS = Ops(tanh=torch.tanh, sigmoid=torch.sigmoid, relu=torch.relu)


def valid_steps(x: Tensor, last: Tensor) -> Tensor:
    """Which steps (N, T) of x (N, T, ...) are not past `last` (N,), each row's last valid one."""
    return torch.arange(x.shape[1], device=x.device) <= last[:, None]


def turned(x: Tensor, last: Tensor | None) -> Tensor:
    """x (N, T, D) with the valid part of each row from its end to its start."""
    if last is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    places = torch.where(valid_steps(x, last), last[:, None] - steps, steps)
    return x.gather(1, places[..., None].expand_as(x))


class Native(nn.Module):
    """torch's own layer. `arrays` names what holds each canonical array, and whether it stands transposed."""

    def __init__(self, network: Network, index: int, make: dict):
        super().__init__()
        cell = network.layers[index].cell
        options = {"nonlinearity": network.activation} if cell == "vanilla" else {}
        width, units = network.width(index), network.layers[index].units
        self.layer = _LAYERS[cell](width, units, batch_first=True, **options, **make)
        self.arrays = {
            "W": (self.layer.weight_ih_l0, True),
            "U": (self.layer.weight_hh_l0, True),
            "b": (self.layer.bias_ih_l0, False),
        }
        if "b_rec" in layer_shapes(network, index):
            self.arrays["b_rec"] = (self.layer.bias_hh_l0, False)
        else:
            nn.init.zeros_(self.layer.bias_hh_l0.requires_grad_(False))

    def forward(self, x: Tensor, last: Tensor | None, start: States | None, ends: bool) -> tuple[Tensor, States | None]:
        """h at every step (N, T, H), anything past a row's end; with `ends` zero there, and each state (N, H) at the
        end of its row. start: the states (N, H) before the first step, zero if None."""
        if start is not None:
            first = tuple(state[None] for state in start)
            start = first if len(first) > 1 else first[0]
        if last is None or not ends:
            # Valid steps come first, so what padding does after them cannot reach them.
            hidden, final = self.layer(x, start)
            if not ends:
                return hidden, None
        else:
            packed = pack_padded_sequence(x, (last + 1).cpu(), batch_first=True, enforce_sorted=False)
            hidden, final = self.layer(packed, start)
            hidden = pad_packed_sequence(hidden, batch_first=True, total_length=x.shape[1])[0]
        return hidden, tuple(state[0] for state in (final if isinstance(final, tuple) else (final,)))


class Equations(nn.Module):
    """A cell of `cells.py`, stepped over time by PyTorch; the canonical arrays as they are."""

    def __init__(self, network: Network, index: int, make: dict):
        super().__init__()
        self.network, self.cell, self.units = network, CELLS[network.layers[index].cell], network.layers[index].units
        self.ops = activated(OPS, network.activation)
        shapes = layer_shapes(network, index)
        for name, shape in shapes.items():
            array = nn.Parameter(torch.empty(shape, **make), requires_grad=name not in STATISTICS)
            self.register_parameter(name, array)
        self.arrays = {name: (getattr(self, name), False) for name in shapes}
        self.seen: dict[str, Tensor] = {}

    def _normalised(self, kind: str, products: Tensor, steps: slice, valid: Tensor | None) -> Tensor:
        """products (N, T, G*H) of some steps, normalised; `valid` (N, T) says which count."""
        norm = self.network.norm
        if norm is None:
            return products
        gain = getattr(self, f"gain_{kind}")
        if norm == "layer":
            return nn.functional.layer_norm(products, gain.shape, gain, None, NORM_EPSILON)
        mean, variance = getattr(self, f"mean_{kind}"), getattr(self, f"variance_{kind}")
        if self.training:
            counted = torch.ones_like(products[..., :1]) if valid is None else valid[..., None].to(products.dtype)
            number = counted.sum(dim=0).clamp(min=1)
            found = (counted * products).sum(dim=0) / number
            spread = (counted * (products - found) ** 2).sum(dim=0) / number
            self._see(kind, steps, found.detach(), spread.detach(), counted.sum(dim=0) > 1)
        else:
            places = torch.arange(steps.start, steps.stop).clamp(max=len(mean) - 1)
            found, spread = mean[places], variance[places]
        return gain * (products - found) / torch.sqrt(spread + NORM_EPSILON)

    def _see(self, kind: str, steps: slice, mean: Tensor, variance: Tensor, counted: Tensor) -> None:
        """Note the running statistics as they are after these steps; `learn` puts them in place. A single row has no
        variance to learn from."""
        for name, found in ((f"mean_{kind}", mean), (f"variance_{kind}", variance)):
            running = self.seen.setdefault(name, getattr(self, name).detach().clone())
            here = running[steps]  # fewer steps than were read, if the sequence is longer than the statistics
            moved = NORM_MOMENTUM * here + (1 - NORM_MOMENTUM) * found[: len(here)]
            running[steps] = torch.where(counted[: len(here)], moved, here)

    @torch.no_grad()
    def learn(self) -> None:
        """Keep the running statistics of the last pass."""
        for name, running in self.seen.items():
            getattr(self, name).copy_(running)

    def _scan(self, x: Tensor, last: Tensor | None, start: States | None) -> list[States]:
        valid = None if last is None else valid_steps(x, last)
        steps, window = x.shape[1], self.network.window
        self.seen = {}
        read = self._normalised("a", x @ self.W, slice(0, steps), valid) + self.b
        b_rec, vectors = (
            self.arrays.get("b_rec", (None,))[0],
            [getattr(self, vector.name) for vector in self.cell.vectors],
        )
        state = start or (x.new_zeros(len(x), self.units),) * self.cell.states
        history = []
        for t, a in enumerate(read.unbind(1)):
            if window and last is None and t == steps - window:
                state = tuple(array.detach() for array in state)
            elif window and last is not None:
                here = (last + 1 - window == t)[:, None]
                state = tuple(torch.where(here, array.detach(), array) for array in state)
            products = (a,)
            if self.cell.recurrent:
                s = state[0] @ self.U
                if self.network.norm:
                    now = None if valid is None else valid[:, t : t + 1]
                    s = self._normalised("s", s[:, None], slice(t, t + 1), now)[:, 0]
                products = (a, s if b_rec is None else s + b_rec)
            state = self.cell.step(self.ops, state, *products, *vectors)
            history.append(state)
        return history

    def forward(self, x: Tensor, last: Tensor | None, start: States | None, ends: bool) -> tuple[Tensor, States | None]:
        """As `Native.forward`."""
        history = self._scan(x, last, start)
        if not ends:
            return torch.stack([state[0] for state in history], dim=1), None
        if last is None:
            return torch.stack([state[0] for state in history], dim=1), history[-1]
        every = [torch.stack(states, dim=1) for states in zip(*history, strict=True)]
        rows = torch.arange(len(x), device=x.device)
        return every[0] * valid_steps(x, last)[..., None], tuple(states[rows, last] for states in every)


_IMPLS = {"native": Native, "equations": Equations}


class Recurrent(nn.Module):
    """Layer `index` of `network`, in each of its directions."""

    def __init__(self, network: Network, index: int, make: dict, impl: str):
        super().__init__()
        self.directions = nn.ModuleList(_IMPLS[impl](network, index, make) for _ in network.directions)
        self.arrays = {
            prefix + name: held
            for prefix, layer in zip(network.directions, self.directions, strict=True)
            for name, held in layer.arrays.items()
        }

    def forward(
        self, x: Tensor, last: Tensor | None, start: States | None = None, ends: bool = False
    ) -> tuple[Tensor, States | None]:
        """As `Native.forward`, (N, T, 2 H) both ways, the states of the second direction after those of the first."""
        first, *back = self.directions
        hidden, final = first(x, last, start, ends)
        for layer in back:
            h, more = layer(turned(x, last), last, start, ends)
            hidden = torch.cat([hidden, turned(h, last)], dim=2)
            final = (*final, *more) if ends else None
        return hidden, final

    def ends(self, found: Tensor, last: Tensor | None) -> Tensor:
        """Of what it found at every step, the final state of each direction side by side."""
        end = found[:, -1] if last is None else found[torch.arange(len(found), device=found.device), last]
        if len(self.directions) == 1:
            return end
        units = found.shape[2] // 2
        return torch.cat([end[:, :units], found[:, 0, units:]], dim=1)
