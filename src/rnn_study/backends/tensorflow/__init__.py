"""TensorFlow: the network of `network.py`, its training and its probes.

An epoch is one compiled function, a loop over its updates, which is several times faster than `fit` for networks of
this size. Models of one shape share these functions: their weights, slots and settings
are assigned into them.
"""

import weakref
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from rnn_study.model.backend import EpochTrace, Pass, require_native
from rnn_study.model.cell_check import require_steps
from rnn_study.model.network import Network
from rnn_study.model.optimisers import Adam, Optimiser
from rnn_study.model.task import Batch

from .graph import Graph, flattened
from .runtime import allow_tf32, keras, tf

__all__ = ["allow_tf32"]

_CHUNK = 1024  # rows predicted at a time: bounds memory, not results


@dataclass(eq=False)
class _Model:
    graph: Graph


_free: dict[tuple, list[Graph]] = defaultdict(list)  # graphs whose model is gone, by what shaped them


def environment() -> dict[str, str]:
    device = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    return {
        "framework": "tensorflow",
        "version": tf.__version__,
        "keras": keras.__version__,
        "device": device,
    }


def build(
    network: Network, loss: str, optimiser: Optimiser, weights: dict[str, np.ndarray], device: str, impl: str
) -> _Model:
    require_steps(network)
    if impl == "native":
        require_native(network, "tensorflow")
    rule = optimiser.rule
    adam = isinstance(rule, Adam)
    # What is assigned below does not shape the graph.
    shape = (
        replace(network, dropout=0.0),
        loss,
        replace(rule, epsilon=0.0, hat=False) if adam else rule,
        optimiser.clip_by,
        str(next(iter(weights.values())).dtype),
        device,
        impl,
    )
    graph = _free[shape].pop() if _free[shape] else Graph(*shape)
    model = _Model(graph)
    weakref.finalize(model, _free[shape].append, graph)
    set_weights(model, weights)
    for slot in graph.rule.variables:
        slot.assign(tf.zeros_like(slot))
    graph.rule.learning_rate = optimiser.learning_rate
    graph.clip.assign(np.inf if optimiser.clip is None else optimiser.clip)
    graph.clip_margin.assign(optimiser.clip_margin)
    if adam:
        graph.epsilon.assign(rule.epsilon)
        graph.hat.assign(rule.hat)
    return model


def place(batch: Batch, model: _Model) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    dtype = model.graph.clip.dtype
    with tf.device(model.graph.device):
        x, y = tf.constant(batch.x), tf.constant(batch.y)
        x = tf.cast(x, dtype) if x.dtype.is_floating else x
        y = tf.cast(y, dtype) if y.dtype.is_floating else y
        return x, y, None if batch.mask is None else tf.constant(batch.mask.sum(axis=1) - 1)


def epoch(
    model: _Model,
    data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None],
    order: np.ndarray,
    keep: list[np.ndarray] | None,
) -> EpochTrace:
    with tf.device(model.graph.device):
        masks = None if keep is None else [tf.constant(mask, model.graph.clip.dtype) for mask in keep]
        found = model.graph.epoch(*data, tf.constant(order), masks)
    return EpochTrace(*(array.numpy() for array in found))


def apply(model: _Model, gradients: dict[str, np.ndarray]) -> None:
    graph = model.graph
    with tf.device(graph.device):
        graph.begin_updates()
        graph.apply(flattened(tf.constant(array, graph.clip.dtype) for array in graph.own(gradients, trained=True)))
        graph.end_updates()


def predict(model: _Model, data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]) -> np.ndarray:
    starts = range(0, len(data[0]), _CHUNK)
    with tf.device(model.graph.device):
        if len(starts) > 1:
            chunks = ([None if array is None else array[at : at + _CHUNK] for array in data] for at in starts)
        else:
            chunks = [data]
        return np.concatenate([model.graph.predict(*chunk).numpy() for chunk in chunks])


def probe(model: _Model, data: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]) -> Pass:
    graph, (x, y, last) = model.graph, data
    with tf.device(graph.device):
        with tf.GradientTape() as tape:
            read = graph.embed(x)
            tape.watch(read)
            outputs = graph.forward(read, y, last, True).outputs
            loss = graph.measure(outputs, y, last)
        variables = [variable.value for variable in graph.variables(trained=True)]
        d_inputs, *gradients = tape.gradient(loss, [read, *variables])
        counted = graph.counted(outputs, y, last)
        if counted is not None:
            outputs = tf.where(counted[..., None], outputs, 0)
        ended = graph.forward(read, y, last, True, ends=True)
    return Pass(
        outputs=outputs.numpy(),
        loss=float(loss),
        hidden=tuple(h.numpy() for h in ended.hidden),
        final=tuple(tuple(state.numpy() for state in states) for states in ended.final),
        gradients=graph.canonical((tf.convert_to_tensor(g).numpy() for g in gradients), trained=True),
        inputs=d_inputs.numpy(),
    )


def weights(model: _Model) -> dict[str, np.ndarray]:
    held = model.graph.variables(trained=False)
    return model.graph.canonical((variable.numpy().copy() for variable in held), trained=False)


def set_weights(model: _Model, weights: dict[str, np.ndarray]) -> None:
    held = model.graph.variables(trained=False)
    for variable, array in zip(held, model.graph.own(weights, trained=False), strict=True):
        variable.value.assign(array)


def _slots(graph: Graph) -> dict[str, tuple[keras.Variable, float]]:
    """Keras' variable of each slot, `flattened`, and what it is of the canonical slot: its momentum is the
    step itself, -rate times the others'."""
    own = graph.rule.variables[2:]  # after the number of updates and the learning rate
    scale = -float(graph.rule.learning_rate) if graph.slots == ("velocity",) else 1.0
    return {slot: (variable, scale) for slot, variable in zip(graph.slots, own, strict=True)}


def slots(model: _Model) -> dict[str, np.ndarray]:
    graph, found = model.graph, {"updates": np.array(int(model.graph.rule.iterations))}
    for slot, (variable, scale) in _slots(graph).items():
        # In float64, from which the way back gives the same float32.
        exact = (array.numpy().astype(np.float64) / scale for array in graph.shaped(variable.value))
        found |= {f"{slot}.{name}": array for name, array in graph.canonical(exact, trained=True).items()}
    return found


def set_slots(model: _Model, slots: dict[str, np.ndarray]) -> None:
    graph = model.graph
    graph.rule.iterations.assign(int(slots["updates"]))
    for slot, (variable, scale) in _slots(graph).items():
        prefix = f"{slot}."
        tree = {name.removeprefix(prefix): array for name, array in slots.items() if name.startswith(prefix)}
        own = (tf.constant(scale * array, variable.dtype) for array in graph.own(tree, trained=True))
        variable.value.assign(flattened(own))
