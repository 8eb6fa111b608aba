"""PyTorch: the network, its optimiser, and one update."""

from torch import Tensor, nn

from rnn_study.model.network import Network
from rnn_study.model.optimisers import Adam, Optimiser, RmsProp, Sgd

from .layers import Recurrent, valid_steps
from .runtime import torch


class Net(nn.Module):
    def __init__(self, network: Network, loss: str, optimiser: Optimiser, dtype: torch.dtype, device: str, impl: str):
        super().__init__()
        self.network, self.optimiser = network, optimiser
        self.loss = loss
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
        """Outputs (N, K), or (N, T, K), from what the first layer reads (N, T, D); `last` (N,) is each row's last
        valid step."""
        for index, layer in enumerate(self.layers):
            x = layer(x, last)
            if keep is not None:
                x = x * keep[index][:, None, :]
        return self.head(x if self.network.every_step else self.layers[-1].ends(x, last))

    def measure(self, outputs: Tensor, y: Tensor, last: Tensor | None) -> Tensor:
        """The loss: the mean over rows, or over all their valid steps."""
        if last is not None and self.network.every_step:
            counted = valid_steps(outputs, last)
            outputs, y = outputs[counted], y[counted]
        if self.loss == "cross_entropy":
            return nn.functional.cross_entropy(outputs.flatten(0, -2), y.flatten())
        return nn.functional.mse_loss(outputs, y)

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
