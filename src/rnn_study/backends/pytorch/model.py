"""PyTorch: the network, its optimiser, and one update."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from rnn_study.model.cells import ACTIVATIONS, CELLS
from rnn_study.model.network import DECODER, Network, is_trained
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.model.task import GO

from .layers import OPS, Recurrent, States, valid_steps
from .runtime import torch

_ACTIVATIONS = {name: of(OPS) for name, of in ACTIVATIONS.items()}


class Climbed(NamedTuple):
    """What one part of a network found: outputs, or, of an encoder, what its decoder starts with and looks back at;
    and of each layer its h at every step and its states at each row's end, where these were asked for."""

    outputs: Tensor
    hidden: list[Tensor]
    final: list[States]


class Attention(nn.Module):
    """`network.Attention`; the canonical arrays as they are."""

    def __init__(self, network: Network, make: dict):
        super().__init__()
        units, memory, width = network.attention.units, network.attention.memory, network.found
        self.query = nn.Parameter(torch.empty(width, units, **make))
        self.key = nn.Parameter(torch.empty(memory, units, **make))
        self.score = nn.Parameter(torch.empty(units, **make))
        self.W = nn.Parameter(torch.empty(memory + width, width, **make))
        self.arrays = {name: (getattr(self, name), False) for name in ("query", "key", "score", "W")}

    def forward(self, h: Tensor, memory: Tensor, last: Tensor | None) -> Tensor:
        """What the head reads (N, T', H) of h (N, T', H), looking at memory (N, T, E)."""
        scores = torch.tanh((h @ self.query)[:, :, None] + (memory @ self.key)[:, None]) @ self.score
        if last is not None:
            scores = scores.masked_fill(~valid_steps(memory, last)[:, None], -torch.inf)
        context = torch.softmax(scores, dim=2) @ memory
        return torch.tanh(torch.cat([context, h], dim=2) @ self.W)


class Part(nn.Module):
    """One network of `network.py` without its decoder; `arrays` as those of a layer."""

    def __init__(self, network: Network, make: dict, impl: str):
        super().__init__()
        self.network = network
        self.embedding = None
        self.arrays: dict[str, tuple[Tensor, bool]] = {}
        if network.embedding:
            table = torch.empty(network.embedding.words, network.inputs, **make)
            self.embedding = nn.Parameter(table, requires_grad=is_trained(network, "embedding"))
            self.arrays["embedding"] = (self.embedding, False)
        self.layers = nn.ModuleList(Recurrent(network, index, make, impl) for index in range(len(network.layers)))
        if network.frozen:
            self.layers.requires_grad_(False)
        for index, layer in enumerate(self.layers):
            self.arrays |= {f"layers.{index}.{name}": held for name, held in layer.arrays.items()}
        self.attention = None
        if network.attention:
            self.attention = Attention(network, make)
            self.arrays |= {f"attention.{name}": held for name, held in self.attention.arrays.items()}
        widths = [network.found, *(dense.units for dense in network.dense)]
        names = [f"dense.{index}" for index in range(len(network.dense))]
        if network.decoder is None:
            widths.append(network.outputs)
            names.append("head")
        self.dense = nn.ModuleList(nn.Linear(*pair, **make) for pair in pairwise(widths))
        for name, layer in zip(names, self.dense, strict=True):
            self.arrays |= {f"{name}.W": (layer.weight, True), f"{name}.b": (layer.bias, False)}

    def embed(self, x: Tensor) -> Tensor:
        return x if self.embedding is None else nn.functional.embedding(x, self.embedding)

    def forward(
        self,
        x: Tensor,
        last: Tensor | None,
        keep: Iterator[Tensor] | None,
        start: list[States] | None,
        memory: tuple[Tensor, Tensor | None] | None,
        ends: bool,
    ) -> Climbed:
        """What it finds in what its first layer reads (N, T, D); `last` (N,) is each row's last valid step, `start`
        the states its layers start with, `memory` what attention looks at and the last valid steps of that."""
        network, hidden, final = self.network, [], []
        for index, layer in enumerate(self.layers):
            x, states = layer(x, last, start[index] if start else None, ends)
            hidden.append(x)
            final.append(states)
            if keep is not None:
                x = x * next(keep)[:, None, :]
        if self.attention is not None:
            x = self.attention(x, *memory)
        elif not self.layers:
            x = (x if last is None else x * valid_steps(x, last)[..., None]).flatten(1)
        elif not (network.every_step or network.decoder):
            x = self.layers[-1].ends(x, last)
        for dense, layer in zip(network.dense, self.dense, strict=False):  # the head has no activation
            x = _ACTIVATIONS[dense.activation](layer(x))
            if keep is not None:
                mask = next(keep)
                x = x * (mask[:, None, :] if network.every_step else mask)
        return Climbed(x if network.decoder else self.dense[-1](x), hidden, final)


class Net(nn.Module):
    def __init__(self, network: Network, loss: str, optimiser: Optimiser, dtype: torch.dtype, device: str, impl: str):
        super().__init__()
        self.network, self.optimiser = network, optimiser
        self.loss = loss
        self.device, self.dtype = torch.device("cuda" if device == "gpu" else "cpu"), dtype
        make = {"dtype": dtype, "device": self.device}
        self.parts = nn.ModuleList(Part(part, make, impl) for part in network.parts)
        self.trained = [tensor for tensor in self.parameters() if tensor.requires_grad]
        self.rule = _rule(self.trained, optimiser)
        kept = _SLOTS[optimiser.rule.kind]
        self.slots = {slot: kept[slot] for slot in optimiser.rule.slots}

    def embed(self, x: Tensor) -> Tensor:
        return self.parts[0].embed(x)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        last: Tensor | None,
        keep: list[Tensor] | None = None,
        start: list[States] | None = None,
        ends: bool = False,
    ) -> Climbed:
        """Outputs (N, K), (N, T, K) or (N, T', K) from what the first layer reads (N, T, D) and the answers, of which a
        decoder reads the tokens before; `last` (N,) is each row's last valid step. `start` as of `Part`; `ends` asks
        for h zero past a row's end, and states there; with a decoder, of the encoder's layers and then of its own."""
        masks = None if keep is None else iter(keep)
        writes = self.network.decoder
        found = self.parts[0](x, last, masks, start, None, ends or writes is not None)
        if writes is None:
            return found
        first, memory = found.final, (found.outputs, last)
        if not self.network.layers:
            h = found.outputs
            first = [(h, *[torch.zeros_like(h)] * (CELLS[layer.cell].states - 1)) for layer in writes.layers]
        before = nn.functional.pad(y[:, :-1], (1, 0), value=GO)
        words = nn.functional.one_hot(before, writes.inputs).to(x.dtype)
        end = (y != GO).sum(dim=1) - 1 if ends else None
        own = self.parts[1](words, end, masks, first, memory, ends)
        return Climbed(own.outputs, found.hidden + own.hidden, found.final + own.final)

    def counted(self, outputs: Tensor, y: Tensor, last: Tensor | None) -> Tensor | None:
        """Which steps (N, T) or tokens (N, T') of the answers count, None where all do."""
        if self.network.decoder:
            return y != GO
        return valid_steps(outputs, last) if last is not None and self.network.every_step else None

    def measure(self, outputs: Tensor, y: Tensor, last: Tensor | None) -> Tensor:
        """The loss: the mean over rows, or over all their valid steps or tokens."""
        counted = self.counted(outputs, y, last)
        if counted is not None:
            outputs, y = outputs[counted], y[counted]
        if self.loss == "cross_entropy":
            return nn.functional.cross_entropy(outputs.flatten(0, -2), y.flatten())
        return nn.functional.mse_loss(outputs, y)

    def arrays(self) -> dict[str, tuple[Tensor, bool]]:
        """Each array of the canonical tree: the tensor that holds it and whether it stands transposed."""
        found = dict(self.parts[0].arrays)
        for part in self.parts[1:]:
            found |= {DECODER + name: held for name, held in part.arrays.items()}
        return found


# Where torch's optimisers keep what `Backend.slots` names.
_SLOTS = {
    "sgd": {"velocity": "momentum_buffer"},
    "rmsprop": {"square": "square_avg"},
    "adam": {"mean": "exp_avg", "square": "exp_avg_sq"},
}


def _rule(trained: list[Tensor], optimiser: Optimiser) -> torch.optim.Optimizer:
    rate = optimiser.learning_rate
    match optimiser.rule:
        case Sgd(momentum=momentum):
            return torch.optim.SGD(trained, lr=rate, momentum=momentum)
        case RmsProp(rho=rho, epsilon=epsilon):
            return torch.optim.RMSprop(trained, lr=rate, alpha=rho, eps=epsilon)
        case Adam(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon):
            return torch.optim.Adam(trained, lr=rate, betas=(beta_1, beta_2), eps=epsilon, fused=True)


def norm_of(tensors: list[Tensor]) -> Tensor:
    """The norm of all of them together."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


@torch.no_grad()
def update(model: Net) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clip the gradients, take the optimiser's step; of `EpochTrace` what comes after the losses."""
    optimiser, rule = model.optimiser, model.optimiser.rule
    gradients = [tensor.grad for tensor in model.trained]
    norm = norm_of(gradients)
    clipped, clipped_norm = torch.zeros_like(norm, dtype=torch.bool), norm
    if optimiser.clip is not None and optimiser.clip_by == "value":
        clipped = torch.stack([gradient.abs().max() for gradient in gradients]).max() > optimiser.clip
        for gradient in gradients:
            gradient.clamp_(-optimiser.clip, optimiser.clip)
        clipped_norm = norm_of(gradients)
    elif optimiser.clip is not None:
        # By hand: clip_grad_norm_ has a fixed margin of 1e-6, which the other framework has not.
        scale = torch.clamp(optimiser.clip / (norm + optimiser.clip_margin), max=1.0)
        clipped, clipped_norm = scale < 1, scale * norm
        for gradient in gradients:
            gradient.mul_(scale)
    model.updates += 1
    if isinstance(rule, Adam) and rule.hat:
        # torch adds epsilon after the bias correction; divided by the correction it acts as if before.
        model.rule.param_groups[0]["eps"] = rule.epsilon / (1 - rule.beta_2**model.updates) ** 0.5
    before = [tensor.detach().clone() for tensor in model.trained]
    model.rule.step()
    ratio = norm_of(torch._foreach_sub(model.trained, before)) / norm_of(before)
    return norm, clipped_norm, clipped, ratio
