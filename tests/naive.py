"""The cells once more, for one sequence and number by number: written from the papers, not from cells.py."""

import math

STATES = {"vanilla": 1, "lstm": 2, "gru": 1, "ugrnn": 1, "lstm_peephole": 2, "indrnn": 1, "mingru": 1, "minlstm": 1}
CELLS = tuple(STATES)


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def product(row, kernel, column):
    return math.fsum(value * float(kernel[d][column]) for d, value in enumerate(row))


def step(cell, w, state, x):
    """One step of `cell`, one of CELLS: `w` is a dict of W, U, b and b_rec, `state` a tuple of lists of H numbers."""
    h, units = state[0], len(state[0])

    def inputs(gate, j):
        return product(x, w["W"], gate * units + j) + float(w["b"][gate * units + j])

    def recurrent(gate, j):
        return product(h, w["U"], gate * units + j) + (float(w["b_rec"][gate * units + j]) if "b_rec" in w else 0.0)

    def both(gate, j):
        return inputs(gate, j) + recurrent(gate, j)

    new, memory = [], []
    for j in range(units):
        if cell == "vanilla":
            new.append(math.tanh(both(0, j)))
        elif cell == "lstm":
            take, keep, give = (sigmoid(both(gate, j)) for gate in (0, 1, 3))
            memory.append(keep * state[1][j] + take * math.tanh(both(2, j)))
            new.append(give * math.tanh(memory[j]))
        elif cell == "lstm_peephole":
            peep = {gate: float(w[f"p_{gate}"][j]) for gate in "ifo"}
            take, keep = sigmoid(both(0, j) + peep["i"] * state[1][j]), sigmoid(both(1, j) + peep["f"] * state[1][j])
            memory.append(keep * state[1][j] + take * math.tanh(both(2, j)))
            new.append(sigmoid(both(3, j) + peep["o"] * memory[j]) * math.tanh(memory[j]))
        elif cell == "ugrnn":
            keep = sigmoid(both(0, j))
            new.append(keep * h[j] + (1 - keep) * math.tanh(both(1, j)))
        elif cell == "gru":
            reset, keep = sigmoid(both(0, j)), sigmoid(both(1, j))
            proposal = math.tanh(inputs(2, j) + reset * recurrent(2, j))
            new.append(keep * h[j] + (1 - keep) * proposal)
        elif cell == "indrnn":
            new.append(max(inputs(0, j) + float(w["u"][j]) * h[j], 0.0))
        elif cell == "mingru":
            take = sigmoid(inputs(0, j))
            new.append((1 - take) * h[j] + take * inputs(1, j))
        elif cell == "minlstm":
            keep, take = sigmoid(inputs(0, j)), sigmoid(inputs(1, j))
            new.append(keep / (keep + take) * h[j] + take / (keep + take) * inputs(2, j))
    return (new, memory) if memory else (new,)


def forward(network, tree, x, length, keep=None):
    """Outputs of one sequence `x` (ids, or rows of numbers), of which `length` steps are read.

    `keep` holds a row of factors for each layer.
    """
    rows = [[float(v) for v in (tree["embedding"][row] if network.embedding else row)] for row in x[:length]]
    for index, layer in enumerate(network.layers):
        prefix = f"layers.{index}."
        w = {name.removeprefix(prefix): array for name, array in tree.items() if name.startswith(prefix)}
        state = tuple([0.0] * layer.units for _ in range(STATES[layer.cell]))
        outputs = []
        for row in rows:
            state = step(layer.cell, w, state, row)
            factors = [1.0] * layer.units if keep is None else keep[index]
            outputs.append([h * float(factor) for h, factor in zip(state[0], factors, strict=True)])
        rows = outputs
    return [product(rows[-1], tree["head.W"], k) + float(tree["head.b"][k]) for k in range(network.outputs)]
