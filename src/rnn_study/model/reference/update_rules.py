"""The frameworks' update rules, from their documentation."""

import numpy as np

from rnn_study.model.optimisers import Optimiser

from .forward_pass import Tree


def _clipped(optimiser: Optimiser, gradients: Tree) -> Tree:
    clip = np.inf if optimiser.clip is None else optimiser.clip
    if optimiser.clip_by == "value":
        return {name: np.clip(g, -clip, clip) for name, g in gradients.items()}
    least = np.sqrt(sum((g**2).sum() for g in gradients.values())) + optimiser.clip_margin
    scale = 1.0 if least <= clip else clip / least
    return {name: scale * g for name, g in gradients.items()}


def update(optimiser: Optimiser, framework: str, weights: Tree, slots: Tree, gradients: Tree) -> tuple[Tree, Tree]:
    """Weights and slots after one update by the formulas of `optimisers.py` in the way of `framework`.

    `slots` is what `Backend.slots` describes; arrays without a gradient stay as they are.
    """
    rule, rate = optimiser.rule, optimiser.learning_rate
    gradients = _clipped(optimiser, gradients)
    weights, slots = dict(weights), dict(slots)
    slots["updates"] = slots["updates"] + 1
    t = int(slots["updates"])
    for name, g in gradients.items():
        if rule.kind == "sgd":
            step = g
            if rule.momentum:
                step = slots[f"velocity.{name}"] = rule.momentum * slots[f"velocity.{name}"] + g
        elif rule.kind == "rmsprop":
            s = slots[f"square.{name}"] = rule.rho * slots[f"square.{name}"] + (1 - rule.rho) * g**2
            step = g / (np.sqrt(s) + rule.epsilon) if framework == "pytorch" else g / np.sqrt(s + rule.epsilon)
        else:
            m = slots[f"mean.{name}"] = rule.beta_1 * slots[f"mean.{name}"] + (1 - rule.beta_1) * g
            s = slots[f"square.{name}"] = rule.beta_2 * slots[f"square.{name}"] + (1 - rule.beta_2) * g**2
            first, second = 1 - rule.beta_1**t, np.sqrt(1 - rule.beta_2**t)
            step = (m / first) / (
                (np.sqrt(s) + rule.epsilon) / second if rule.hat else np.sqrt(s) / second + rule.epsilon
            )
        weights[name] = weights[name] - rate * step
    return weights, slots
