"""One training run from beginning to end, with neither DVC nor MLflow: the reader's door into the code.

    python examples/one_run.py [cell] [pytorch | tensorflow]

A `RunSpec` says everything that determines a run. `train` is the one loop that every run of the study goes through, in
either framework. What it returns, NumPy alone can use.
"""

import sys

import numpy as np

from rnn_study.data.problems import catalogue
from rnn_study.model.init import SCHEMES
from rnn_study.model.network import Layer, Network, default_impl, parameter_count
from rnn_study.model.optimisers import Optimiser
from rnn_study.model.reference import forward
from rnn_study.model.task import Generated
from rnn_study.running.run.spec import RunSpec
from rnn_study.running.run.train import Training

cell = sys.argv[1] if len(sys.argv) > 1 else "gru"
framework = sys.argv[2] if len(sys.argv) > 2 else "pytorch"

# Two numbers are marked in a sequence of 20: what is their sum? Every epoch draws new sequences.
data = Generated("adding", steps=20, mixed=False, train=1280, validation=500, test=500, tests=(), seed=0)
task = catalogue.load("adding", data)
network = Network(inputs=2, layers=(Layer(cell, units=24),), outputs=1)
spec = RunSpec(
    task="adding",
    variant=cell,
    data=data,
    backend=framework,
    impl=default_impl(network),  # the framework's own layer where it has one, else the equations of cells.py
    device="cpu",
    network=network,
    init=SCHEMES["study"],
    optimiser=Optimiser(0.01, clip=1.0),  # Adam
    batch_size=32,
    epochs=25,
    patience=25,
    examples=None,
    tests=True,
    seed=0,
    goal=0.0408,  # a tenth of what is reached without looking; two epochs in a row end the run
)
print(f"{cell}, {parameter_count(network, embedding=False)} weights; RMSE without looking: 0.408")

training = Training(spec, task)
for row in training:
    print(f"epoch {row['epoch']:2}: loss {row['train_loss']:.4f}, validation RMSE {row['validation_score']:.4f}")
result = training.result()

weights = {name: array.astype(np.float64) for name, array in result.weights.items()}
by_numpy = task.score(forward(network, weights, task.tests["test"]), "test")
print(f"test RMSE: {framework} {result.summary['scores']['test']:.5f}, NumPy with the same weights {by_numpy:.5f}")
