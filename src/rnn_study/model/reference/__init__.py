"""The oracle: the network of `network.py` in plain NumPy float64, forward and back through time, and the frameworks'
update rules."""

from .backward_pass import back_through_time, by_hand, complex_step, loss, loss_gradient, run
from .forward_pass import (
    OPS,
    Normal,
    Tree,
    Weights,
    climb,
    forward,
    last_valid,
    layer_weights,
    read,
    scan,
    sigmoid,
    turned,
)
from .update_rules import update

__all__ = [
    "OPS",
    "Normal",
    "Tree",
    "Weights",
    "back_through_time",
    "by_hand",
    "climb",
    "complex_step",
    "forward",
    "last_valid",
    "layer_weights",
    "loss",
    "loss_gradient",
    "read",
    "run",
    "scan",
    "sigmoid",
    "turned",
    "update",
]
