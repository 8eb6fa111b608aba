"""What a framework's own differentiation says of a stack of cells: asked of a worker by test_diagnostics.py.

Only the cells' steps are the study's; the loop, the loss and the derivatives are the framework's.
"""

import numpy as np

from rnn_study.model.cells import CELLS, Ops, activated


def error_flow(backend, network, tree, x, y, kind, mask):
    """dL/dz_t of every layer, [layer][state array] (N, T, H), and dL/dx (N, T, D), L each row's own loss."""
    return (_torch if backend == "pytorch" else _tensorflow)(network, tree, x, y, kind, mask)


def _unrolled(network, tree, ops, x, zeros, mark):
    """h of the last layer at every step, and the marked states [layer][t]; `mark` copies what a step hands on."""
    held = []
    for index, layer in enumerate(network.layers):
        cell, w = CELLS[layer.cell], {name: tree.get(f"layers.{index}.{name}") for name in ("W", "U", "b", "b_rec")}
        vectors = [tree[f"layers.{index}.{vector.name}"] for vector in cell.vectors]
        state, states = tuple(zeros(layer.units) for _ in range(cell.states)), []
        for read in x:
            products = [read @ w["W"] + w["b"]]
            if w["U"] is not None:
                s = state[0] @ w["U"]
                products.append(s if w["b_rec"] is None else s + w["b_rec"])
            state = cell.step(ops, state, *products, *vectors)
            state = tuple(mark(array) for array in state)
            states.append(state)
        held.append(states)
        x = [state[0] for state in states]
    return x, held


def _stacked(held, gradient, steps):
    return [
        [np.stack([gradient(states[t][k]) for t in range(steps)], axis=1) for k in range(len(states[0]))]
        for states in held
    ]


def _torch(network, tree, x, y, kind, mask):
    import torch

    def mark(array):
        array = array.clone()
        array.retain_grad()
        return array

    ops = activated(Ops(torch.tanh, torch.sigmoid, torch.relu), network.activation)
    tree = {name: torch.from_numpy(array) for name, array in tree.items()}
    read = [torch.from_numpy(x[:, t].copy()).requires_grad_() for t in range(x.shape[1])]
    h, held = _unrolled(network, tree, ops, read, lambda units: torch.zeros(len(x), units, dtype=torch.float64), mark)
    last = torch.from_numpy(mask.sum(axis=1) - 1)
    top = torch.stack(h, dim=1)[torch.arange(len(x)), last]
    outputs, target = top @ tree["head.W"] + tree["head.b"], torch.from_numpy(y)
    if kind == "cross_entropy":
        loss = torch.nn.functional.cross_entropy(outputs, target, reduction="sum")
    else:
        loss = ((outputs - target) ** 2).mean(dim=1).sum()
    loss.backward()

    def gradient(array):
        return np.zeros(array.shape) if array.grad is None else array.grad.numpy()

    return _stacked(held, gradient, x.shape[1]), np.stack([gradient(array) for array in read], axis=1)


def _tensorflow(network, tree, x, y, kind, mask):
    import tensorflow as tf

    ops = activated(Ops(tf.tanh, tf.sigmoid, tf.nn.relu), network.activation)
    tree = {name: tf.constant(array) for name, array in tree.items()}
    read = [tf.constant(x[:, t]) for t in range(x.shape[1])]
    with tf.GradientTape() as tape:
        tape.watch(read)
        h, held = _unrolled(network, tree, ops, read, lambda units: tf.zeros((len(x), units), tf.float64), tf.identity)
        rows = tf.range(len(x), dtype=tf.int64)
        top = tf.gather_nd(tf.stack(h, axis=1), tf.stack([rows, tf.constant(mask.sum(axis=1) - 1)], axis=1))
        outputs = top @ tree["head.W"] + tree["head.b"]
        if kind == "cross_entropy":
            loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=outputs))
        else:
            loss = tf.reduce_sum(tf.reduce_mean((outputs - y) ** 2, axis=1))
    flat = [array for states in held for state in states for array in state] + read
    found = {id(array): slope for array, slope in zip(flat, tape.gradient(loss, flat), strict=True)}

    def gradient(array):
        slope = found[id(array)]
        return np.zeros(array.shape) if slope is None else slope.numpy()

    return _stacked(held, gradient, x.shape[1]), np.stack([gradient(array) for array in read], axis=1)


def own_weights(backend, network, tree, x, mask):
    """dh_i/dw at each row's last step for each of unit i's own weights, (N, K, H), one row and one unit at a time."""
    (layer,) = network.layers
    cell, place = CELLS[layer.cell], np.arange(layer.units)
    names = ["layers.0.U"] if cell.recurrent else []
    names += [f"layers.0.{vector.name}" for vector in cell.vectors]
    gradients = (_torch_gradients if backend == "pytorch" else _tensorflow_gradients)(
        network, tree, x, mask, names or ["layers.0.b"]
    )
    found = []
    for row in gradients:  # [unit][name]
        own = []
        for name, *by_unit in zip(names or ["layers.0.b"], *row, strict=True):
            stacked = np.stack(by_unit)  # (H, ...)
            gates = stacked.shape[-1] // layer.units
            for gate in range(gates):
                columns = stacked[..., gate * layer.units + place] if stacked.ndim == 2 else None
                if name.endswith("U"):
                    columns = stacked[:, :, gate * layer.units : (gate + 1) * layer.units]
                    own.append(columns[place, place, place])
                else:
                    own.append(columns[place, place])
        found.append(np.stack(own))
    return np.stack(found)


def _torch_gradients(network, tree, x, mask, names):
    import torch

    ops = activated(Ops(torch.tanh, torch.sigmoid, torch.relu), network.activation)
    tree = {name: torch.from_numpy(array).requires_grad_() for name, array in tree.items()}
    found = []
    for row in range(len(x)):
        read = [torch.from_numpy(x[row : row + 1, t].copy()) for t in range(mask[row].sum())]
        h, _ = _unrolled(
            network, tree, ops, read, lambda units: torch.zeros(1, units, dtype=torch.float64), torch.clone
        )
        asked = [tree[name] for name in names]
        found.append(
            [
                [slope.numpy() for slope in torch.autograd.grad(one, asked, retain_graph=True, materialize_grads=True)]
                for one in h[-1][0]
            ]
        )
    return found


def _tensorflow_gradients(network, tree, x, mask, names):
    import tensorflow as tf

    ops = activated(Ops(tf.tanh, tf.sigmoid, tf.nn.relu), network.activation)
    tree = {name: tf.constant(array) for name, array in tree.items()}
    found = []
    for row in range(len(x)):
        read = [tf.constant(x[row : row + 1, t]) for t in range(mask[row].sum())]
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([tree[name] for name in names])
            h, _ = _unrolled(network, tree, ops, read, lambda units: tf.zeros((1, units), tf.float64), tf.identity)
            units = [h[-1][0, i] for i in range(network.layers[0].units)]
        asked, zero = [tree[name] for name in names], tf.UnconnectedGradients.ZERO
        slopes = [tape.gradient(one, asked, unconnected_gradients=zero) for one in units]
        found.append([[slope.numpy() for slope in one] for one in slopes])
    return found
