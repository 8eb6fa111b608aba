"""PyTorch: the network of `network.py`, its training and its probes."""

import numpy as np
from torch import Tensor, nn

from rnn_study.backends import EpochTrace, require_native
from rnn_study.network import Network, Pass
from rnn_study.optimisers import Adam, Optimiser, RmsProp, Sgd
from rnn_study.task import Batch

from .layers import Equations, Recurrent
from .runtime import allow_tf32, torch

__all__ = ["allow_tf32"]


_CHUNK = 1024  # rows predicted at a time: bounds memory, not results


class _Net(nn.Module):
    def __init__(self, network: Network, loss: str, optimiser: Optimiser, dtype: torch.dtype, device: str, impl: str):
        super().__init__()
        self.network, self.optimiser = network, optimiser
        self.measure = nn.functional.cross_entropy if loss == "cross_entropy" else nn.functional.mse_loss
        self.device = torch.device("cuda" if device == "gpu" else "cpu")
        make = {"dtype": dtype, "device": self.device}
        self.embedding = None
        if network.embedding:
            table = torch.empty(network.embedding.words, network.inputs, **make)
            self.embedding = nn.Parameter(table, requires_grad=network.embedding.trainable)
        depth = len(network.layers)
        self.layers = nn.ModuleList(Recurrent(network, index, make, impl) for index in range(depth))
        self.head = nn.Linear(network.width(depth), network.outputs, **make)
        self.trained = [tensor for tensor in self.parameters() if tensor.requires_grad]
        self.rule = _rule(self.trained, optimiser)
        kept = _SLOTS[optimiser.rule.kind]
        self.slots = {slot: kept[slot] for slot in optimiser.rule.slots}

    def embed(self, x: Tensor) -> Tensor:
        return x if self.embedding is None else nn.functional.embedding(x, self.embedding)

    def forward(self, x: Tensor, last: Tensor | None, keep: list[Tensor] | None) -> Tensor:
        """Outputs (N, K) from what the first layer reads (N, T, D); `last` (N,) is each row's last valid step."""
        for index, layer in enumerate(self.layers):
            x = layer(x, last)
            if keep is not None:
                x = x * keep[index][:, None, :]
        return self.head(self.layers[-1].ends(x, last))

    def arrays(self) -> dict[str, tuple[Tensor, bool]]:
        """Each array of the canonical tree: the tensor that holds it and whether it stands transposed."""
        found = {} if self.embedding is None else {"embedding": (self.embedding, False)}
        for index, layer in enumerate(self.layers):
            found |= {f"layers.{index}.{name}": held for name, held in layer.arrays.items()}
        return found | {"head.W": (self.head.weight, True), "head.b": (self.head.bias, False)}


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


def environment() -> dict[str, str]:
    device = "gpu" if torch.cuda.is_available() else "cpu"
    return {"framework": "torch", "version": torch.__version__, "device": device}


def build(
    network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str, impl: str
) -> _Net:
    if impl == "native":
        require_native(network, "pytorch")
    model = _Net(network, loss, optimiser, getattr(torch, str(weights["head.W"].dtype)), device, impl)
    set_weights(model, weights)
    zero = {f"{slot}.{name}": np.zeros(array.shape) for slot in model.slots for name, array in weights.items()}
    set_slots(model, {"updates": np.array(0), **zero})
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
    masks = None
    if keep is not None:
        masks = [torch.from_numpy(mask).to(model.device, model.head.weight.dtype) for mask in keep]
    rows = torch.from_numpy(order).to(model.device)
    seen = []
    model.train()
    for step, row in enumerate(rows):
        dropped = None if masks is None else [mask[step] for mask in masks]
        outputs = model(model.embed(x[row]), None if last is None else last[row], dropped)
        loss = model.measure(outputs, y[row])
        model.rule.zero_grad(set_to_none=True)
        loss.backward()
        health = _update(model)
        for layer in model.modules():
            if isinstance(layer, Equations):
                layer.learn()
        seen.append((loss.detach(), *health))
    return EpochTrace(*(torch.stack(found).cpu().numpy() for found in zip(*seen, strict=True)))


def _norm(tensors: list[Tensor]) -> Tensor:
    """The norm of all of them together."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


@torch.no_grad()
def _update(model: _Net) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clip the gradients, take the optimiser's step; of `EpochTrace` what comes after the losses."""
    optimiser, rule = model.optimiser, model.optimiser.rule
    gradients = [tensor.grad for tensor in model.trained]
    norm = _norm(gradients)
    clipped, clipped_norm = torch.zeros_like(norm, dtype=torch.bool), norm
    if optimiser.clip is not None and optimiser.clip_by == "value":
        clipped = torch.stack([gradient.abs().max() for gradient in gradients]).max() > optimiser.clip
        for gradient in gradients:
            gradient.clamp_(-optimiser.clip, optimiser.clip)
        clipped_norm = _norm(gradients)
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
    ratio = _norm(torch._foreach_sub(model.trained, before)) / _norm(before)
    return norm, clipped_norm, clipped, ratio


def apply(model: _Net, gradients: dict[str, np.ndarray]) -> None:
    for name, (tensor, transposed) in model.arrays().items():
        if tensor.requires_grad:
            tensor.grad = torch.empty_like(tensor)
            _fill(tensor.grad, gradients[name], transposed)
    _update(model)


@torch.no_grad()
def predict(model: _Net, data: tuple[Tensor, Tensor, Tensor | None]) -> np.ndarray:
    x, _, last = data
    model.eval()
    chunks = []
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        chunks.append(model(model.embed(x[part]), None if last is None else last[part], None))
    return torch.cat(chunks).cpu().numpy()


def probe(model: _Net, data: tuple[Tensor, Tensor, Tensor | None]) -> Pass:
    x, y, last = data
    model.train()
    read = model.embed(x)
    if not read.requires_grad:
        read = read.detach().requires_grad_()
    outputs = model(read, last, None)
    loss = model.measure(outputs, y)
    names = [name for name, (tensor, _) in model.arrays().items() if tensor.requires_grad]
    d_inputs, *gradients = torch.autograd.grad(loss, [read, *(model.arrays()[name][0] for name in names)])
    hidden, final = [], []
    with torch.no_grad():
        x = read
        for layer in model.layers:
            h, states = layer.states(x, last)
            hidden.append(_numpy(h))
            final.append(tuple(map(_numpy, states)))
            x = h
    return Pass(
        outputs=_numpy(outputs),
        loss=loss.item(),
        hidden=tuple(hidden),
        final=tuple(final),
        gradients=_canonical(model, dict(zip(names, gradients, strict=True))),
        inputs=_numpy(d_inputs),
    )


def weights(model: _Net) -> dict[str, np.ndarray]:
    return _canonical(model, {name: tensor for name, (tensor, _) in model.arrays().items()})


def set_weights(model: _Net, weights: dict[str, np.ndarray]) -> None:
    for name, (tensor, transposed) in model.arrays().items():
        _fill(tensor, weights[name], transposed)


def slots(model: _Net) -> dict[str, np.ndarray]:
    found = {"updates": np.array(model.updates)}
    for slot, own in model.slots.items():
        held = {name: model.rule.state[t][own] for name, (t, _) in model.arrays().items() if t.requires_grad}
        found |= {f"{slot}.{name}": array for name, array in _canonical(model, held).items()}
    return found


def set_slots(model: _Net, slots: dict[str, np.ndarray]) -> None:
    model.updates = int(slots["updates"])
    for name, (tensor, transposed) in model.arrays().items():
        if tensor.requires_grad:
            state = model.rule.state[tensor]  # filled here, for torch would do it at the first update only
            state["step"] = torch.tensor(float(model.updates), device=tensor.device)
            for slot, own in model.slots.items():
                state[own] = torch.empty_like(tensor)
                _fill(state[own], slots[f"{slot}.{name}"], transposed)


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().numpy().copy()


def _canonical(model: _Net, tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors in torch's layout, by canonical name, in the canonical one."""
    arrays = model.arrays()
    return {name: _numpy(tensor.T if arrays[name][1] else tensor) for name, tensor in tensors.items()}


@torch.no_grad()
def _fill(tensor: Tensor, array: np.ndarray, transposed: bool) -> None:
    given = torch.from_numpy(np.ascontiguousarray(array))
    tensor.copy_(given.T if transposed else given)
