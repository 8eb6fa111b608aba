"""The roommate's menu with exact weights written by hand: three versions, and the one that needs a memory.

Dishes, and the inputs, as in `data/shapes/menu.py` and `data/problems/menu.py`.
"""

import numpy as np

from rnn_study.data.problems.menu import DISHES, WEATHER
from rnn_study.model.network import Layer, Network
from rnn_study.model.reference import Tree

K = len(DISHES)
_NEXT = np.roll(np.eye(K), 1, axis=1)  # row dish, column the one after it


def network(version: str) -> tuple[Network, Tree]:
    """A vanilla RNN of rectifiers that names the dish of every day rightly: `weather`, `cycle`, `both` or `memory`.

    `weather` and `cycle` need one matrix. `both` and `memory` have a unit for each dish of the day before with each
    weather, which is on where both are: relu(dish + weather - 1). Yesterday's dish comes from the input, or, in
    `memory`, from the units of the day before: U sends the unit of (dish, weather) to what it made the dish of its day.
    """
    if version in ("weather", "cycle"):
        kernel = np.eye(len(WEATHER), K) if version == "weather" else _NEXT
        return _vanilla(kernel, np.zeros((K, K)), np.zeros(K), np.eye(K))
    outcome = np.concatenate([np.eye(K), _NEXT])  # of (dish, sun), then (dish, rain): the dish of the day
    to_units = np.concatenate([np.eye(K), np.eye(K)], axis=1)  # a dish counts for its two units
    weather = np.repeat(np.eye(len(WEATHER)), K, axis=1)
    bias = -np.ones(2 * K)
    if version == "both":
        return _vanilla(np.concatenate([to_units, weather]), np.zeros((2 * K, 2 * K)), bias, outcome)
    given = np.concatenate([2 * np.eye(K), np.zeros((K, K))], axis=1)  # the first dish comes without weather: as in sun
    return _vanilla(np.concatenate([given, weather]), outcome @ to_units, bias, outcome)


def _vanilla(W: np.ndarray, U: np.ndarray, b: np.ndarray, head: np.ndarray) -> tuple[Network, Tree]:
    layers = (Layer("vanilla", len(U)),)
    found = Network(len(W), layers, K, activation="relu", every_step=True)
    return found, {"layers.0.W": W, "layers.0.U": U, "layers.0.b": b, "head.W": head, "head.b": np.zeros(K)}
