"""The oracle: the network of `network.py` in plain NumPy float64, forward and back through time, and the frameworks'
update rules."""

from .backward_pass import SLOPES, back_through_time, by_hand, complex_step, loss, loss_gradient, run
from .forward_pass import (
    OPS,
    Memory,
    Normal,
    Tree,
    Weights,
    attend,
    climb,
    forward,
    last_valid,
    layer_weights,
    one_hot,
    read,
    scan,
    sigmoid,
    turned,
)
from .update_rules import update

__all__ = [
    "OPS",
    "SLOPES",
    "Memory",
    "Normal",
    "Tree",
    "Weights",
    "attend",
    "back_through_time",
    "by_hand",
    "climb",
    "complex_step",
    "forward",
    "last_valid",
    "layer_weights",
    "loss",
    "loss_gradient",
    "one_hot",
    "read",
    "run",
    "scan",
    "sigmoid",
    "turned",
    "update",
]
