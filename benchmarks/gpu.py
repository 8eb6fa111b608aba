"""What a GPU computes, how exactly, and how fast: PyTorch alone, from a plain checkout.

    python benchmarks/gpu.py                          # writes results/gpu.json beside this file; some ten minutes
    python benchmarks/gpu.py --quick [--to FILE]      # a fraction of the work, no file unless it is named
    python benchmarks/gpu.py --device cpu --quick     # the same code where there is no GPU

Needs NumPy, SciPy, safetensors and PyTorch 2.11 or newer, and no installation: it finds `src` by itself. Each part's
rows are written as soon as it ends; a part that fails says so in its place and the next one begins. Parts:

    parity        the frameworks' and the study's layers against the oracle in NumPy, on the device: deviation and bound
    determinism   a training twice: whether weights, updates and predictions are the same bytes
    lengths       adding and pixels at the lengths kept for GPUs: milliseconds an update, and memory
    together      S seeds of one network: fused layers in turn, all seeds in batched products, and these captured as one
                  CUDA graph; milliseconds an update of all seeds, and the largest deviation of a seed from itself alone
    limit         products of large matrices, in float32 and by TF32: what the ratios are measured against
"""

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

import numpy as np
from measured import rounded
from speed import Case

from rnn_study.backends import pytorch as backend
from rnn_study.backends.pytorch.runtime import torch
from rnn_study.behaviour.parity import checks, probes, problems
from rnn_study.data.problems import adding
from rnn_study.data.problems.catalogue import load
from rnn_study.model.cells import CELLS, Ops
from rnn_study.model.init import SCHEMES, draw
from rnn_study.model.network import Layer, Network, layer_shapes
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.task import Batch, Generated
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.run.train import Training
from rnn_study.support.files import write_tables

RESULT = Path(__file__).parent / "results" / "gpu.json"
RULE = Optimiser(0.001, 0.1)  # a clip that is reached
STEPS, INPUTS, OUTPUTS, BATCH = 28, 28, 10, 128  # images by rows
Row = dict[str, Any]


def synchronised(device: str) -> None:
    if device == "gpu":
        torch.cuda.synchronize()


def milliseconds(do: Callable[[], object], device: str, count: int) -> float:
    """Of one call: the median of five times `count` calls, after as many that do not count."""
    found = []
    for _ in range(6):
        synchronised(device)
        start = time.perf_counter()
        for _ in range(count):
            do()
        synchronised(device)
        found.append((time.perf_counter() - start) / count * 1000)
    return statistics.median(found[1:])


def parity(device: str, quick: bool) -> Iterator[Row]:
    for chosen in problems.options()[:: 8 if quick else 1]:
        made = problems.layer_problem(chosen)
        expected = problems.oracle(made)
        for tf32 in (False, True) if device == "gpu" and chosen.dtype == "float32" else (False,):
            problem = replace(made, device=device, tf32=tf32)
            yield from checks.layer_rows("pytorch", chosen, problem, expected, probes.probe("pytorch", problem))
    backend.allow_tf32(False)


def spec(cell: str, device: str, updates: int) -> RunSpec:
    """A run on the adding problem, a look at the validation part every half of its `updates`."""
    data = Generated("adding", 20, False, 64 * (updates // 2), 256, 256, (), 0)
    network = Network(2, (Layer(cell, 32),), 1)
    layer = ("pytorch", "native", device, network, SCHEMES["study"], Optimiser(0.01, 1.0))
    return RunSpec("adding", cell, data, *layer, 64, 2, 2, None, True, 0)


def digest(result: Any) -> str:
    arrays = result.weights | result.updates | result.predictions
    return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()


def determinism(device: str, quick: bool) -> Iterator[Row]:
    for cell in ("vanilla", "lstm", "gru"):
        found = []
        for _ in range(2):
            asked = spec(cell, device, 20 if quick else 200)
            training = Training(asked, load(asked.task, asked.data))
            list(training)
            found.append(digest(training.result()))
        yield {"cell": cell, "equal": found[0] == found[1]}


def lengths(device: str, quick: bool) -> Iterator[Row]:
    sizes = {"adding": (40,) if quick else (100, 400, 1000), "pixels": (49,) if quick else (196, 784)}
    for name, each in sizes.items():
        for steps in each:
            for cell in ("vanilla", "lstm", "gru"):
                yield _length(name, steps, cell, device, 4 if quick else 40)


def _length(name: str, steps: int, cell: str, device: str, updates: int) -> Row:
    rng = np.random.default_rng(0)
    rows, width = (64, 2) if name == "adding" else (128, 1)
    network = Network(width, (Layer(cell, 128),), 1 if name == "adding" else OUTPUTS)
    batch = adding.sample(rng, rows, steps)
    if name == "pixels":
        batch = Batch(rng.random((rows, steps, 1), np.float32), rng.integers(0, OUTPUTS, rows))
    loss = "squared_error" if name == "adding" else "cross_entropy"
    weights = {key: array.astype(np.float32) for key, array in draw(network, rng, None, SCHEMES["study"]).items()}
    model = backend.build(network, loss, RULE, weights, device, "native")
    data, order = backend.place(batch, model), np.tile(np.arange(rows), (updates, 1))
    if device == "gpu":
        torch.cuda.reset_peak_memory_stats()
    took = milliseconds(lambda: backend.epoch(model, data, order, None), device, 1) / updates
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "gpu" else None
    row = {"problem": name, "steps": steps, "cell": cell, "units": 128, "batch": rows, "milliseconds": took}
    return row | {"memory_mib": memory}


class Together:
    """S seeds of one layer and its head, trained through the cell's equations in batched products with Adam.

    trees: the weights of each. x (S, B, T, D); y (S, B) classes, or (S, B, K) numbers. `update` makes one update of
    every seed; `capture` records it as one CUDA graph, which `update` then replays.
    """

    def __init__(self, network: Network, trees: list[dict[str, np.ndarray]], x: Any, y: Any, device: str, dtype: Any):
        self.cell, self.units = CELLS[network.layers[0].cell], network.layers[0].units
        self.names = [f"layers.0.{name}" for name in layer_shapes(network, 0)]
        where = {"device": "cuda" if device == "gpu" else "cpu", "dtype": dtype}
        self.held = {
            name: torch.tensor(np.stack([tree[name] for tree in trees]), **where).requires_grad_() for name in trees[0]
        }
        self.x = torch.tensor(x, **where)
        self.y = torch.tensor(y, **where if y.dtype.kind == "f" else {"device": where["device"]})
        self.rule = torch.optim.Adam(self.held.values(), RULE.learning_rate, fused=True, capturable=device == "gpu")
        self.graph = None

    def loss(self) -> Any:
        ops = Ops(torch.tanh, torch.sigmoid, torch.relu)
        W, U, b, *rec = (self.held[name] for name in self.names)
        seeds, batch, steps, _ = self.x.shape
        a = (self.x.flatten(1, 2) @ W + b[:, None]).unflatten(1, (batch, steps))
        state = (self.x.new_zeros(seeds, batch, self.units),) * self.cell.states
        for now in a.unbind(2):
            s = state[0] @ U
            state = self.cell.step(ops, state, now, s + rec[0][:, None] if rec else s)
        outputs = state[0] @ self.held["head.W"] + self.held["head.b"][:, None]
        if self.y.is_floating_point():
            return (outputs - self.y).square().mean(dim=(1, 2)).sum()  # a sum: no seed's gradient knows of another's
        each = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), self.y.flatten(), reduction="none")
        return each.unflatten(0, (seeds, batch)).mean(dim=1).sum()

    def _once(self) -> None:
        self.rule.zero_grad(set_to_none=False)
        self.loss().backward()
        self._clip()
        self.rule.step()

    def _clip(self) -> None:
        """Each seed's gradient to the rule's norm, as in a run."""
        gradients = [one.grad for one in self.held.values()]
        norms = torch.sqrt(sum(one.square().flatten(1).sum(dim=1) for one in gradients))
        scale = torch.clamp(RULE.clip / norms, max=1.0)
        for one in gradients:
            one.mul_(scale.reshape(-1, *[1] * (one.dim() - 1)))

    def capture(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._once()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._once()

    def update(self) -> None:
        if self.graph:
            self.graph.replay()
        else:
            self._once()

    def weights(self, seed: int) -> dict[str, np.ndarray]:
        return {name: array[seed].detach().cpu().numpy().copy() for name, array in self.held.items()}


def _seeds(cell: str, units: int, count: int) -> tuple[Network, list[dict[str, np.ndarray]], np.ndarray, np.ndarray]:
    network = Network(INPUTS, (Layer(cell, units),), OUTPUTS)
    trees = [draw(network, np.random.default_rng(seed), None, SCHEMES["study"]) for seed in range(count)]
    rng = np.random.default_rng(0)
    return network, trees, rng.random((count, BATCH, STEPS, INPUTS)), rng.integers(0, OUTPUTS, (count, BATCH))


def _alone(network: Network, tree: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, device: str, dtype: str) -> Any:
    """One seed as a run trains it, and its data."""
    weights = {name: array.astype(dtype) for name, array in tree.items()}
    model = backend.build(network, "cross_entropy", RULE, weights, device, "native")
    return model, backend.place(Batch(x.astype(dtype), y), model)


def apart(cell: str, device: str, seeds: int = 3, updates: int = 5, units: int = 16) -> float:
    """The largest deviation of a seed's weights from those it has alone, in float64, over some updates together."""
    network, trees, x, y = _seeds(cell, units, seeds)
    together, worst = Together(network, trees, x, y, device, torch.float64), 0.0
    order = np.arange(BATCH)[None]
    for _ in range(updates):
        before = [together.weights(seed) for seed in range(seeds)]
        slots = [_slots(together, seed) for seed in range(seeds)]
        together.update()
        for seed in range(seeds):
            model, data = _alone(network, before[seed], x[seed], y[seed], device, "float64")
            backend.set_slots(model, slots[seed])
            backend.epoch(model, data, order, None)
            worst = max(worst, probes.tree_deviation(together.weights(seed), backend.weights(model)))
    return worst


def _slots(together: Together, seed: int) -> dict[str, np.ndarray]:
    """Adam's running means of one seed, as a run names them."""
    found = {"updates": np.array(0)}
    for name, tensor in together.held.items():
        state = together.rule.state.get(tensor)
        for slot, own in (("mean", "exp_avg"), ("square", "exp_avg_sq")):
            found[f"{slot}.{name}"] = state[own][seed].cpu().numpy().copy() if state else np.zeros(tensor.shape[1:])
        if state:
            found["updates"] = np.array(int(state["step"]))
    return found


def together(device: str, quick: bool) -> Iterator[Row]:
    sizes = (
        [("lstm", 8, (2,))]
        if quick
        else [(cell, units, (1, 4, 16, 32)) for cell in ("vanilla", "lstm", "gru") for units in (128, 150)]
    )
    for cell, units, counts in sizes:
        deviation = float(f"{apart(cell, device):.1e}")
        for seeds in counts:
            network, trees, x, y = _seeds(cell, units, seeds)
            order, repeat = np.arange(BATCH)[None], 2 if quick else 20
            models = [_alone(network, tree, x[k], y[k], device, "float32") for k, tree in enumerate(trees)]

            def in_turn(models=models, order=order) -> None:
                for model, data in models:
                    backend.epoch(model, data, order, None)

            row = {"cell": cell, "units": units, "batch": BATCH, "seeds": seeds, "deviation": deviation}
            row["fused_in_turn"] = milliseconds(in_turn, device, repeat)
            batched = Together(network, trees, x, y, device, torch.float32)
            row["batched"] = milliseconds(batched.update, device, repeat)
            row["captured"] = None
            if device == "gpu":
                batched = Together(network, trees, x, y, device, torch.float32)
                batched.capture()
                row["captured"] = milliseconds(batched.update, device, repeat)
            one = Case(cell, units, (BATCH, STEPS, INPUTS), OUTPUTS, BATCH, 1)
            row["products"] = seeds * one.products  # of an update of all seeds
            yield row


def limit(device: str, quick: bool) -> Iterator[Row]:
    size = 256 if quick else 8192
    a = torch.rand(size, size, device="cuda" if device == "gpu" else "cpu")
    for name in ("float32", "TF32") if device == "gpu" else ("float32",):
        backend.allow_tf32(name == "TF32")
        took = milliseconds(lambda: a @ a, device, 3)
        yield {"precision": name, "products_a_second": 2 * size**3 / took * 1000}
    backend.allow_tf32(False)


PARTS = {
    "parity": parity,
    "determinism": determinism,
    "together": together,
    "lengths": lengths,
    "limit": limit,
}


def machine(device: str) -> Row:
    found = {"torch": str(torch.__version__), "python": sys.version.split()[0], "device": "CPU"}
    if device == "gpu":
        about = torch.cuda.get_device_properties(0)
        found |= {"device": about.name, "memory_gib": round(about.total_memory / 2**30), "cuda": torch.version.cuda}
        found |= {"cudnn": torch.backends.cudnn.version(), "processors": about.multi_processor_count}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--quick", action="store_true", help="a fraction of the work, and no file")
    parser.add_argument("--to", type=Path, help="where the rows go")
    asked = parser.parse_args()
    if asked.device == "gpu" and not torch.cuda.is_available():
        sys.exit("error: --device: got 'gpu', but PyTorch finds none: expected cpu here")
    target = asked.to or (None if asked.quick or asked.device == "cpu" else RESULT)
    tables: dict[str, list[Row]] = {}
    for name, part in PARTS.items():
        start = time.perf_counter()
        try:
            tables[name] = list(map(rounded, part(asked.device, asked.quick)))
        except Exception as error:  # what was found before is worth more than a clean end
            tables[name] = [{"failed": f"{type(error).__name__}: {error}"[:300]}]
        print(f"{name}: {len(tables[name])} rows, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        for row in tables[name]:
            print(f"{name}: {row}", flush=True)
        if target:
            write_tables(target, {"machine": machine(asked.device)}, tables)
    if any("failed" in row for rows in tables.values() for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
