"""PyTorch: the network of `network.py`, its training and its probes."""

import numpy as np
from torch import Tensor

from rnn_study.model.backend import EpochTrace, Pass, require_native
from rnn_study.model.cell_check import require_steps
from rnn_study.model.network import Network
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch

from .layers import Equations
from .model import Net, update
from .runtime import allow_tf32, torch

__all__ = ["allow_tf32"]

_CHUNK = 1024  # rows predicted at a time: bounds memory, not results


def environment() -> dict[str, str]:
    device = "gpu" if torch.cuda.is_available() else "cpu"
    # A plain string: to read torch's own kind from a worker, the driver would import torch.
    return {"framework": "torch", "version": str(torch.__version__), "device": device}


def build(
    network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str, impl: str
) -> Net:
    require_steps(network)
    if impl == "native":
        require_native(network, "pytorch")
    model = Net(network, loss, optimiser, getattr(torch, str(next(iter(weights.values())).dtype)), device, impl)
    set_weights(model, weights)
    zero = {f"{slot}.{name}": np.zeros(array.shape) for slot in model.slots for name, array in weights.items()}
    set_slots(model, {"updates": np.array(0), **zero})
    return model


def place(batch: Batch, model: Net) -> tuple[Tensor, Tensor, Tensor | None]:
    x = torch.from_numpy(batch.x)
    y = torch.from_numpy(batch.y)
    if x.is_floating_point():
        x = x.to(model.dtype)
    if y.is_floating_point():
        y = y.to(model.dtype)
    last = None if batch.mask is None else torch.from_numpy(batch.mask.sum(axis=1) - 1)
    return x.to(model.device), y.to(model.device), None if last is None else last.to(model.device)


def epoch(
    model: Net, data: tuple[Tensor, Tensor, Tensor | None], order: np.ndarray, keep: list[np.ndarray] | None
) -> EpochTrace:
    x, y, last = data
    masks = None
    if keep is not None:
        masks = [torch.from_numpy(mask).to(model.device, model.dtype) for mask in keep]
    rows = torch.from_numpy(order).to(model.device)
    carried, state = model.network.carried, None
    seen = []
    model.train()
    for step, row in enumerate(rows):
        dropped = None if masks is None else [mask[step] for mask in masks]
        ends = None if last is None else last[row]
        found = model(model.embed(x[row]), y[row], ends, dropped, state, carried)
        if carried:
            state = [tuple(one.detach() for one in states) for states in found.final]
        loss = model.measure(found.outputs, y[row], ends)
        model.rule.zero_grad(set_to_none=True)
        loss.backward()
        health = update(model)
        for layer in model.modules():
            if isinstance(layer, Equations):
                layer.learn()
        seen.append((loss.detach(), *health))
    return EpochTrace(*(torch.stack(found).cpu().numpy() for found in zip(*seen, strict=True)))


def apply(model: Net, gradients: dict[str, np.ndarray]) -> None:
    for name, (tensor, transposed) in model.arrays().items():
        if tensor.requires_grad:
            tensor.grad = torch.empty_like(tensor)
            _fill(tensor.grad, gradients[name], transposed)
    update(model)


@torch.no_grad()
def predict(model: Net, data: tuple[Tensor, Tensor, Tensor | None]) -> np.ndarray:
    x, y, last = data
    model.eval()
    chunks = []
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        chunks.append(model(model.embed(x[part]), y[part], None if last is None else last[part]).outputs)
    return torch.cat(chunks).cpu().numpy()


def probe(model: Net, data: tuple[Tensor, Tensor, Tensor | None]) -> Pass:
    x, y, last = data
    model.train()
    read = model.embed(x)
    if not read.requires_grad:
        read = read.detach().requires_grad_()
    outputs = model(read, y, last).outputs
    loss = model.measure(outputs, y, last)
    names = [name for name, (tensor, _) in model.arrays().items() if tensor.requires_grad]
    d_inputs, *gradients = torch.autograd.grad(loss, [read, *(model.arrays()[name][0] for name in names)])
    with torch.no_grad():
        counted = model.counted(outputs, y, last)
        if counted is not None:
            outputs = outputs * counted[..., None]
        ended = model(read, y, last, ends=True)
    return Pass(
        outputs=_numpy(outputs),
        loss=loss.item(),
        hidden=tuple(map(_numpy, ended.hidden)),
        final=tuple(tuple(map(_numpy, states)) for states in ended.final),
        gradients=_canonical(model, dict(zip(names, gradients, strict=True))),
        inputs=_numpy(d_inputs),
    )


def weights(model: Net) -> dict[str, np.ndarray]:
    return _canonical(model, {name: tensor for name, (tensor, _) in model.arrays().items()})


def set_weights(model: Net, weights: dict[str, np.ndarray]) -> None:
    for name, (tensor, transposed) in model.arrays().items():
        _fill(tensor, weights[name], transposed)


def slots(model: Net) -> dict[str, np.ndarray]:
    found = {"updates": np.array(model.updates)}
    for slot, own in model.slots.items():
        held = {name: model.rule.state[t][own] for name, (t, _) in model.arrays().items() if t.requires_grad}
        found |= {f"{slot}.{name}": array for name, array in _canonical(model, held).items()}
    return found


def set_slots(model: Net, slots: dict[str, np.ndarray]) -> None:
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


def _canonical(model: Net, tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors in torch's layout, by canonical name, in the canonical one."""
    arrays = model.arrays()
    return {name: _numpy(tensor.T if arrays[name][1] else tensor) for name, tensor in tensors.items()}


@torch.no_grad()
def _fill(tensor: Tensor, array: np.ndarray, transposed: bool) -> None:
    given = torch.from_numpy(np.ascontiguousarray(array))
    tensor.copy_(given.T if transposed else given)
