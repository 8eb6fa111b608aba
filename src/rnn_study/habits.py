"""What each framework does by itself where nothing is asked for, as settings that either framework can run with."""

from dataclasses import dataclass

from .init import SCHEMES, Init
from .optimisers import Adam, RmsProp, Sgd


@dataclass(frozen=True)
class Habits:
    """init: how weights start. epsilon, hat: Adam's, see `optimisers.Adam`; RMSprop has the same epsilon, and keeps
    rho of its mean square. clip_margin: what clipping by norm adds to it. second_bias: RNN and LSTM have two biases,
    as the GRU has everywhere."""

    init: Init
    epsilon: float
    hat: bool
    rho: float
    clip_margin: float
    second_bias: bool


HABITS = {
    "matched": Habits(SCHEMES["study"], 1e-8, hat=False, rho=0.9, clip_margin=0.0, second_bias=False),
    "pytorch": Habits(SCHEMES["pytorch"], 1e-8, hat=False, rho=0.99, clip_margin=1e-6, second_bias=True),
    "keras": Habits(SCHEMES["keras"], 1e-7, hat=True, rho=0.9, clip_margin=0.0, second_bias=False),
}
OPTIMISERS = ("adam", "sgd", "momentum", "rmsprop")


def rule(name: str, habits: Habits) -> Sgd | RmsProp | Adam:
    """The rule of `OPTIMISERS` with the settings that these habits leave to it; momentum is 0.9."""
    return {
        "adam": Adam(epsilon=habits.epsilon, hat=habits.hat),
        "sgd": Sgd(),
        "momentum": Sgd(0.9),
        "rmsprop": RmsProp(habits.rho, habits.epsilon),
    }[name]
