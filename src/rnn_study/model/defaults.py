"""What each framework does by itself where nothing is asked for, as settings that either framework can run with."""

from collections.abc import Callable
from dataclasses import dataclass

from .init import SCHEMES, Init
from .optimisers import Adam, RmsProp, Sgd


@dataclass(frozen=True)
class Defaults:
    """One way of leaving things open."""

    init: Init
    epsilon: float  # of Adam and RMSprop
    hat: bool  # Adam's epsilon before the bias correction, see `optimisers.Adam`
    rho: float  # what RMSprop keeps of its mean square
    clip_margin: float  # what clipping by norm adds to the norm
    second_bias: bool  # of RNN and LSTM; the GRU has two everywhere


DEFAULTS = {
    "matched": Defaults(SCHEMES["study"], 1e-8, hat=False, rho=0.9, clip_margin=0.0, second_bias=False),
    "pytorch": Defaults(SCHEMES["pytorch"], 1e-8, hat=False, rho=0.99, clip_margin=1e-6, second_bias=True),
    "keras": Defaults(SCHEMES["keras"], 1e-7, hat=True, rho=0.9, clip_margin=0.0, second_bias=False),
}
# The rules by name, with the settings that defaults leave to them.
OPTIMISERS: dict[str, Callable[[Defaults], Sgd | RmsProp | Adam]] = {
    "adam": lambda defaults: Adam(epsilon=defaults.epsilon, hat=defaults.hat),
    "sgd": lambda defaults: Sgd(),
    "momentum": lambda defaults: Sgd(0.9),
    "rmsprop": lambda defaults: RmsProp(defaults.rho, defaults.epsilon),
}
