"""What tests ask of a worker beyond `probes`: slots put in and read back, a training's end, layers as any user of a
framework builds them, without a line of the study, and the bytes of generated tasks."""

from hashlib import sha256

import numpy as np

from rnn_study.behaviour.parity.probes import Problem, Tree
from rnn_study.data.problems import catalogue
from rnn_study.model.backend import Backend
from rnn_study.model.cells import CELLS, Cell, Vector
from rnn_study.model.network import Dense, Layer, Network, shapes
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch, Generated
from rnn_study.running.run import backends


def _build(backend: str, problem: Problem) -> tuple[Backend, object]:
    module, p = backends.load(backend), problem
    return module, module.build(p.network, p.loss, p.optimiser, p.weights, p.device, p.impl)


def slots_read_back(backend: str, problem: Problem, slots: Tree) -> tuple[Tree, Tree]:
    """What a new model's optimiser remembers, and what it does after `slots` were put into it."""
    module, model = _build(backend, problem)
    fresh = module.slots(model)
    module.set_slots(model, slots)
    return fresh, module.slots(model)


def continued(backend: str, problem: Problem, slots: Tree, order: np.ndarray) -> tuple[Tree, Tree]:
    """Weights and slots after the updates of `order` in a new model whose optimiser starts with `slots`."""
    module, model = _build(backend, problem)
    module.set_slots(model, slots)
    module.epoch(model, module.place(problem.batch, model), order, None)
    return module.weights(model), module.slots(model)


def trained(backend: str, problem: Problem, order: np.ndarray, test: Batch) -> tuple[Tree, np.ndarray]:
    """The weights after the updates of `order`, and the outputs for `test`."""
    module, model = _build(backend, problem)
    module.epoch(model, module.place(problem.batch, model), order, None)
    return module.weights(model), module.predict(model, module.place(test, model))


def torch_both_ways(layer: str, arrays: list[Tree], x: np.ndarray) -> np.ndarray:
    """Every output (N, T, 2 H) of a bidirectional layer of torch.nn that holds the arrays of the two directions."""
    import torch

    first, *_ = arrays
    made = getattr(torch.nn, layer)(x.shape[2], first["U"].shape[0], batch_first=True, bidirectional=True).double()
    for suffix, tree in zip(("", "_reverse"), arrays, strict=True):
        held = {"weight_ih": tree["W"].T, "weight_hh": tree["U"].T, "bias_ih": tree["b"], "bias_hh": tree["b_rec"]}
        for name, array in held.items():
            getattr(made, f"{name}_l0{suffix}").data.copy_(torch.from_numpy(array))
    with torch.no_grad():
        return made(torch.from_numpy(x))[0].numpy()


def drawn(backend: str, layer: str, width: int, units: int) -> Tree:
    """The arrays that a layer of the framework starts with by itself, by the framework's names."""
    if backend == "pytorch":
        import torch

        torch.manual_seed(0)
        made = getattr(torch.nn, layer)(width, units)
        return {name: array.detach().numpy() for name, array in made.named_parameters()}
    import keras

    keras.utils.set_random_seed(0)
    made = getattr(keras.layers, layer)(units)
    made.build((None, None, width))
    return {variable.name: variable.numpy() for variable in made.trainable_variables}


def torch_outputs(layer: str, state: Tree, head: Tree, x: np.ndarray) -> np.ndarray:
    """A layer of torch.nn and a Linear on its last output, holding what `state` and `head` name."""
    import torch

    units, outputs = state["weight_hh_l0"].shape[1], len(head["bias"])
    recurrent = getattr(torch.nn, layer)(x.shape[2], units, batch_first=True)
    recurrent.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    dense = torch.nn.Linear(units, outputs)
    dense.load_state_dict({name: torch.from_numpy(array) for name, array in head.items()})
    with torch.no_grad():
        return dense(recurrent(torch.from_numpy(x))[0][:, -1]).numpy()


def keras_outputs(layer: str, arrays: list[np.ndarray], head: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """A layer of keras.layers and a Dense on its last output, holding `arrays` and `head`."""
    import keras

    recurrent = getattr(keras.layers, layer)(arrays[1].shape[0], return_sequences=False)
    model = keras.Sequential([keras.Input(x.shape[1:]), recurrent, keras.layers.Dense(head[1].shape[0])])
    model.set_weights([*arrays, *head])
    return model(x).numpy()


def problem_digest(of: Generated) -> str:
    """SHA-256 of every part of a generated task, and of a fresh one."""
    task, total = catalogue.load(of.problem, of), sha256()
    for part in (*task.parts().values(), task.fresh(np.random.default_rng(7))):
        for array in part:
            total.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def forgetful(backend: str, forgotten: str, decodes: bool) -> None:
    """A network, or its decoder, whose cell does not use one of its arrays."""

    def step(ops, state, a, s, p):
        used = {"W": a, "U": s, "p": p}
        return (ops.tanh(0.5 * state[0] + sum(array for name, array in used.items() if name != forgotten)),)

    CELLS[f"no_{forgotten}"] = Cell("Forgetful", gates=("h",), states=1, step=step, vectors=(Vector("p"),))
    layers = (Layer(f"no_{forgotten}", 3),)
    network = Network(2, layers, 2)
    if decodes:
        network = Network(2, (), 0, dense=(Dense(3, "tanh"),), steps=4, decoder=Network(5, layers, 5, every_step=True))
    weights = {name: np.zeros(shape) for name, shape in shapes(network).items()}
    backends.load(backend).build(network, "cross_entropy", Optimiser(0.1, None), weights, "cpu", "equations")
