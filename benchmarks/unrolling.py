"""Static against dynamic unrolling: what a graph with nodes for every step costs, against a graph with a loop in it.

    python benchmarks/unrolling.py                      # writes results/unrolling.json beside this file
    python benchmarks/unrolling.py --quick [--to FILE]  # short sequences, few repeats, no file unless it is named

The tutorials' network, a vanilla RNN of 5 units, forward and back through T steps, the same weights and inputs for all:

    tensorflow static     a Python loop inside tf.function: every step is traced anew, as `static_rnn` did
    tensorflow dynamic    tf.while_loop over TensorArrays: one step is traced, as `dynamic_rnn` did
    tensorflow native     Keras' SimpleRNN inside tf.function
    pytorch loop          a Python loop, eager: there is no graph to build, autograd notes every step
    pytorch native        nn.RNN

One framework a process, one thread, float64, on the CPU. The loops take x_t W inside the step, as the tutorials' cell
does. Figures are ratios, for machines differ; a row has

    deviation             outputs, states and gradients against the oracle: largest difference, relative to the largest
                          number of its array
    build_ratio           time of a new function's first call less that of its second, to that of native at the same T
    build_growth          the same, to the same way at the smallest T
    nodes                 of the graph and its library functions; in PyTorch autograd's nodes that the loss reaches
    memory_mib            growth of the peak resident set (MiB) by building and running, in a fresh process each, from
                          when that process had imported the framework and made the arrays
    step_ratio, _low, _high   time of a call to native's at the same T: median and quartiles over rounds of alternating
                          calls
    step_growth           the same, to the same way at the smallest T
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import machine, rounded

from rnn_study.behaviour.parity.probes import tree_deviation
from rnn_study.model import reference
from rnn_study.model.cells import CELLS, Array, Ops
from rnn_study.model.init import SCHEMES, draw
from rnn_study.model.network import Layer, Network
from rnn_study.model.task import Batch
from rnn_study.running.execution import frameworks
from rnn_study.running.execution.workers import worker_count
from rnn_study.running.run.code import SRC
from rnn_study.support.files import write_tables
from rnn_study.support.progress import ticking

RESULT = Path(__file__).parent / "results" / "unrolling.json"
WAYS = {"pytorch": ("loop", "native"), "tensorflow": ("dynamic", "native", "static")}
CELL, UNITS, BATCH, INPUTS = "vanilla", 5, 4, 3
# A head that reads every step: every output counts, as those that `static_rnn` returns.
NETWORK = Network(INPUTS, (Layer(CELL, UNITS),), 1, every_step=True)
BOUND = 1e-10  # of a deviation
CALLS = 3  # of a function whose memory is measured
# For the processes that compute: one thread in every library, and no GPU.
ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "CUDA_VISIBLE_DEVICES": "-1"
}

Tree = dict[str, np.ndarray]
Call = Callable[[], dict[str, Array]]


class Effort(NamedTuple):
    """Lengths T in rising order; builds of each function; rounds of calls; processes that measure memory, of each."""

    lengths: tuple[int, ...]
    builds: int
    rounds: int
    processes: int


FULL = Effort((2, 10, 50, 100, 200, 400), 9, 101, 3)
QUICK = Effort((2, 10), 2, 5, 1)


class Made(NamedTuple):
    """One way at one length, its arrays in place.

    fresh: a function that was never called; it returns what it found by name, the framework's tensors.
    arrays: that as canonical arrays. nodes: how many nodes such a function has, once it was called.
    """

    fresh: Callable[[], Call]
    arrays: Callable[[dict[str, Array]], Tree]
    nodes: Callable[[Call], int]


def problem(steps: int) -> tuple[Tree, Batch]:
    """The weights, the same for every length, and a batch x (B, T, D), y (B, T, 1); all float64."""
    # A bias of zero could be left out, and nothing would show it.
    init = replace(SCHEMES["study"], biases="uniform", head="uniform")
    rng = np.random.default_rng(0)
    weights = draw(NETWORK, rng, init=init)
    return weights, Batch(rng.normal(size=(BATCH, steps, INPUTS)), rng.normal(size=(BATCH, steps, 1)))


def expected(steps: int) -> Tree:
    """What the oracle makes of it: `hidden` (B, T, H), `outputs`, `loss`, `inputs` (the gradient for x, B, T, D), and
    the gradient for every weight by its name."""
    found = reference.run(NETWORK, *problem(steps), "squared_error")
    named = {"hidden": found.hidden[0], "outputs": found.outputs, "loss": np.array(found.loss), "inputs": found.inputs}
    return named | found.gradients


def layer_arrays(tree: dict[str, Any]) -> list[Any]:
    return [tree[f"layers.0.{name}"] for name in ("W", "U", "b")]


def stepped(ops: Ops, weights: list[Array], h: Array, now: Array) -> Array:
    """h (B, H) after a step that reads `now` (B, D)."""
    W, U, b = weights
    return CELLS[CELL].step(ops, (h,), now @ W + b, h @ U)[0]


def static(weights: list[Array], x: Array) -> Array:
    """h at every step (B, T, H), by a loop in Python while TensorFlow traces."""
    from rnn_study.backends.tensorflow.layers import OPS
    from rnn_study.backends.tensorflow.runtime import tf

    h, seen = tf.zeros((BATCH, UNITS), x.dtype), []
    for now in tf.unstack(x, axis=1):
        h = stepped(OPS, weights, h, now)
        seen.append(h)
    return tf.stack(seen, axis=1)


def dynamic(weights: list[Array], x: Array) -> Array:
    """h at every step (B, T, H), by a loop of TensorFlow's."""
    from rnn_study.backends.tensorflow.layers import OPS
    from rnn_study.backends.tensorflow.runtime import tf

    steps = x.shape[1]
    read = tf.TensorArray(x.dtype, steps).unstack(tf.transpose(x, (1, 0, 2)))

    def step(t: Array, h: Array, seen: Array) -> tuple[Array, Array, Array]:
        h = stepped(OPS, weights, h, read.read(t))
        return t + 1, h, seen.write(t, h)

    start = tf.constant(0), tf.zeros((BATCH, UNITS), x.dtype), tf.TensorArray(x.dtype, steps)
    _, _, seen = tf.while_loop(lambda t, *_: t < steps, step, start, maximum_iterations=steps)
    return tf.transpose(seen.stack(), (1, 0, 2))


def make_tensorflow(way: str, steps: int) -> Made:
    from rnn_study.backends.tensorflow.runtime import keras, tf

    weights, batch = problem(steps)
    held = {name: tf.Variable(array) for name, array in weights.items()}
    if way == "native":
        layer = keras.layers.SimpleRNN(UNITS, return_sequences=True, dtype="float64")
        layer.build((None, None, INPUTS))
        layer.set_weights(layer_arrays(weights))
        own = [variable.value for variable in layer.trainable_variables]
        held |= zip(("layers.0.W", "layers.0.U", "layers.0.b"), own, strict=True)
    unroll = {"static": static, "dynamic": dynamic}.get(way)

    def run(x: Array, y: Array) -> dict[str, Array]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            # A variable is read once, not in every step.
            hidden = unroll([tf.convert_to_tensor(v) for v in layer_arrays(held)], x) if unroll else layer(x)
            outputs = hidden @ held["head.W"] + held["head.b"]
            loss = tf.reduce_mean(tf.square(outputs - y))
        inputs, *gradients = tape.gradient(loss, [x, *held.values()])
        found = {"hidden": hidden, "outputs": outputs, "loss": loss, "inputs": inputs}
        return found | dict(zip(held, gradients, strict=True))

    def nodes(call: partial) -> int:
        graph = call.func.get_concrete_function(*call.args).graph.as_graph_def()
        return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)

    x, y = tf.constant(batch.x), tf.constant(batch.y)
    return Made(
        fresh=lambda: partial(tf.function(run, autograph=False), x, y),
        arrays=lambda found: {name: tensor.numpy() for name, tensor in found.items()},
        nodes=nodes,
    )


def make_pytorch(way: str, steps: int) -> Made:
    from rnn_study.backends.pytorch.layers import OPS
    from rnn_study.backends.pytorch.runtime import torch

    weights, batch = problem(steps)
    held = {name: torch.from_numpy(array).requires_grad_() for name, array in weights.items()}
    native = way == "native"
    if native:
        layer = torch.nn.RNN(INPUTS, UNITS, batch_first=True, dtype=torch.float64)
        own = dict(zip(("layers.0.W", "layers.0.U", "layers.0.b"), layer.parameters(), strict=False))
        with torch.no_grad():
            layer.bias_hh_l0.zero_().requires_grad_(False)  # doubles the first bias
            for name, parameter in own.items():
                parameter.copy_(torch.from_numpy(weights[name].T))
        held |= own

    def loop(x: Array) -> Array:
        h, seen = x.new_zeros(BATCH, UNITS), []
        for now in x.unbind(1):
            h = stepped(OPS, layer_arrays(held), h, now)
            seen.append(h)
        return torch.stack(seen, dim=1)

    x, y = torch.from_numpy(batch.x).requires_grad_(), torch.from_numpy(batch.y)

    def run() -> dict[str, Array]:
        hidden = layer(x)[0] if native else loop(x)
        outputs = hidden @ held["head.W"] + held["head.b"]
        loss = (outputs - y).square().mean()
        inputs, *gradients = torch.autograd.grad(loss, [x, *held.values()])
        found = {"hidden": hidden, "outputs": outputs, "loss": loss, "inputs": inputs}
        return found | dict(zip(held, gradients, strict=True))

    def arrays(found: dict[str, Array]) -> Tree:
        plain = {name: tensor.detach().numpy() for name, tensor in found.items()}
        return {name: array.T if native and name.startswith("layers.") else array for name, array in plain.items()}

    def nodes(call: Call) -> int:
        found, todo = set(), [call()["loss"].grad_fn]
        while todo:
            node = todo.pop()
            if node is not None and node not in found:
                found.add(node)
                todo += [reached for reached, _ in node.next_functions]
        return len(found)

    return Made(fresh=lambda: run, arrays=arrays, nodes=nodes)


def make(framework: str, way: str, steps: int) -> Made:
    return {"pytorch": make_pytorch, "tensorflow": make_tensorflow}[framework](way, steps)


def seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak() -> float:
    """The largest resident set of this process so far, in MiB. Linux tells it; `getrusage` would count what was there
    before this program was."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def checks(framework: str, lengths: Iterable[int]) -> list[dict[str, Any]]:
    """Deviation and nodes of every way at every length."""
    found = []
    for way, steps in product(WAYS[framework], lengths):
        made = make(framework, way, steps)
        call = made.fresh()
        deviation = tree_deviation(made.arrays(call()), expected(steps))
        found.append({"way": way, "steps": steps, "deviation": deviation, "nodes": made.nodes(call)})
    return found


def relative(spent: dict[tuple[str, int], np.ndarray], shortest: int) -> dict[tuple[str, int], tuple[np.ndarray, ...]]:
    """Of the seconds that a way took at a length in each round: its ratios to native at that length, and to the same
    way at the shortest. Within a round, for what slows the machine slows neighbours alike."""
    return {
        (way, steps): (array / spent["native", steps], array / spent[way, shortest])
        for (way, steps), array in spent.items()
    }


def times(framework: str, lengths: list[int], builds: int, rounds: int) -> list[dict[str, Any]]:
    """What building and calling cost, all ways at all lengths in turns."""
    made = {(way, steps): make(framework, way, steps) for steps, way in product(lengths, WAYS[framework])}
    built: dict[tuple[str, int], list[float]] = {key: [] for key in made}
    spent: dict[tuple[str, int], list[float]] = {key: [] for key in made}
    calls = {key: one.fresh() for key, one in made.items()}
    for call in calls.values():
        call()  # the first one in a process loads what all share
    gc.freeze()  # the collector need not look through all these graphs in the midst of a measurement
    if framework == "tensorflow":  # PyTorch builds nothing
        for _ in ticking(range(builds), f"{framework}: builds"):
            for key, one in made.items():
                gc.collect()  # what an earlier build left is not this one's
                call = one.fresh()
                built[key].append(seconds(call) - seconds(call))
    gc.collect()
    keys = list(made)
    for turn in ticking(range(-CALLS, rounds), f"{framework}: calls"):
        for key in keys:
            found = seconds(calls[key])
            if turn >= 0:  # before that they warm up
                spent[key].append(found)
        keys.reverse()  # none has always the same one before it
    step = relative({key: np.array(found) for key, found in spent.items()}, lengths[0])
    build = relative({key: np.array(found) for key, found in built.items()}, lengths[0])
    rows = []
    for way, steps in made:
        row: dict[str, Any] = {"way": way, "steps": steps, "build_ratio": None, "build_growth": None}
        if built[way, steps]:
            row["build_ratio"], row["build_growth"] = (float(np.median(found)) for found in build[way, steps])
        ratio, growth = step[way, steps]
        row["step_low"], row["step_ratio"], row["step_high"] = map(float, np.percentile(ratio, [25, 50, 75]))
        rows.append(row | {"step_growth": float(np.median(growth))})
    return rows


def memory(framework: str, way: str, steps: int) -> float:
    """MiB by which the peak of this process, which must be a fresh one, grows."""
    made = make(framework, way, steps)
    before, call = peak(), made.fresh()
    for _ in range(CALLS):
        call()
    return peak() - before


def ask(function: Callable[..., Any], framework: str, *arguments: Any) -> Any:
    """What `function` of this file answers in a fresh process, in the interpreter of its framework."""
    words = [frameworks.interpreter(framework), __file__, "--answer", function.__name__]
    path = os.pathsep.join([str(SRC), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*words, json.dumps([framework, *arguments])],
        env=os.environ | ALONE | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def memories(effort: Effort) -> dict[tuple[str, str, int], float]:
    """`memory` by framework, way and length, the median over processes; some of them at a time, for their memory is
    their own."""
    keys = [(name, way, steps) for name, ways in WAYS.items() for way in ways for steps in effort.lengths]
    with ThreadPoolExecutor(worker_count()) as pool:
        found = pool.map(lambda key: ask(memory, *key), keys * effort.processes)
        every = np.reshape(list(ticking(found, "memory")), (effort.processes, len(keys)))
    return dict(zip(keys, map(float, np.median(every, axis=0)), strict=True))


COLUMNS = (
    "framework",
    "way",
    "steps",
    "deviation",
    "build_ratio",
    "build_growth",
    "nodes",
    "memory_mib",
    "step_ratio",
    "step_low",
    "step_high",
    "step_growth",
)


def measure(effort: Effort) -> list[dict[str, Any]]:
    """A row a framework, way and length, in that order."""
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    for framework in WAYS:
        for row in ask(checks, framework, effort.lengths):
            rows[framework, row["way"], row["steps"]] = {"framework": framework, **row}
        for row in ask(times, framework, effort.lengths, effort.builds, effort.rounds):
            rows[framework, row["way"], row["steps"]] |= row
    for key, found in memories(effort).items():
        rows[key]["memory_mib"] = found
    return [rounded({name: rows[key][name] for name in COLUMNS}) for key in sorted(rows)]


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        lines.append(f"| {' | '.join('' if row[name] is None else f'{row[name]}' for name in COLUMNS)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="T = 2 and 10, few repeats")
    parser.add_argument("--to", type=Path, help=f"the file; {RESULT.name} where not --quick")
    parser.add_argument("--answer", nargs=2, help=argparse.SUPPRESS)  # what `ask` asks: a function, its arguments
    options = parser.parse_args()
    if options.answer:
        function, arguments = options.answer
        answers = {one.__name__: one for one in (checks, times, memory)}
        print(json.dumps(answers[function](*json.loads(arguments))))
        return
    rows = measure(QUICK if options.quick else FULL)
    print(table(rows))
    if wrong := [row for row in rows if row["deviation"] >= BOUND]:
        sys.exit(f"not the oracle's values, nothing is written:\n{table(wrong)}")
    path = options.to or (None if options.quick else RESULT)
    if path:
        head = {"batch": BATCH, "cell": CELL, "inputs": INPUTS, "units": UNITS, "machine": machine(WAYS)}
        write_tables(path, head, {"rows": rows})


if __name__ == "__main__":
    main()
