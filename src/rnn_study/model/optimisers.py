"""Update rules, g the gradient and w a weight; each framework applies its own implementation of them.

The frameworks agree on `Sgd` and `Adam`. `RmsProp` they place differently: no epsilon makes them equal.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sgd:
    """v = momentum v + g, w -= rate v: Polyak 1964; plain gradient descent where momentum is 0."""

    momentum: float = 0.0
    kind: str = field(default="sgd", init=False)

    @property
    def slots(self) -> tuple[str, ...]:
        """What is kept of every weight between updates, by the names of `Backend.slots`."""
        return ("velocity",) if self.momentum else ()


@dataclass(frozen=True)
class RmsProp:
    """s = rho s + (1 - rho) g²: Tieleman & Hinton 2012.

    PyTorch subtracts rate g / (sqrt(s) + epsilon), Keras rate g / sqrt(s + epsilon).
    """

    rho: float = 0.9
    epsilon: float = 1e-8
    kind: str = field(default="rmsprop", init=False)
    slots = ("square",)


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, algorithm 1, or with `hat` its variant above section 2.1, Keras' own.

    m and s are running means of g and g²; w -= rate m' / (sqrt(s') + epsilon), the primes their values corrected
    for the start. The variant adds epsilon to sqrt(s), before that correction.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    hat: bool = False
    kind: str = field(default="adam", init=False)
    slots = ("mean", "square")


@dataclass(frozen=True)
class Optimiser:
    """A rule, its learning rate, and where the gradients are clipped (None: nowhere).

    By `norm`: all are multiplied by min(1, clip / (norm + clip_margin)), the norm that of all of them together
    (Pascanu et al. 2013, arXiv 1211.5063, algorithm 1); PyTorch's `clip_grad_norm_` has a margin of 1e-6, Keras'
    `global_clipnorm` none. By `value`: each number is cut to between -clip and clip.
    """

    learning_rate: float
    clip: float | None
    rule: Sgd | RmsProp | Adam = Adam()
    clip_margin: float = 0.0
    clip_by: str = "norm"
