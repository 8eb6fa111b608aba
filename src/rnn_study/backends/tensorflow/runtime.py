"""TensorFlow and its Keras, set up for repeatable runs; import them from here."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _hushed() -> Iterator[None]:
    """TensorFlow's C++ start-up notes come before any setting that could hush them."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """As if these packages were not installed, if they are not imported yet."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA's older way of generating code takes a third less time to compile a network, the first level of LLVM's
# optimisations a sixth less again, two modules in the place of 32 a tenth less, and sums that go straight through an
# array, not through a tree of windows, another seventh; none is slower to run.
_XLA = (
    "cpu_use_fusion_emitters=false",
    "cpu_parallel_codegen_split_count=2",
    "backend_optimization_level=1",
    "disable_hlo_passes=tree_reduction_rewriter",
)
os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in _XLA))
# Keras looks whether it could plot and read tables: a third of its import, and nothing here asks it to.
with _hushed(), _without("IPython", "matplotlib", "pandas", "sklearn"):
    import keras
    import tensorflow as tf

__all__ = ["allow_tf32", "keras", "tf"]

tf.get_logger().setLevel("ERROR")  # several graphs, one for each shape, are meant


def allow_tf32(allowed: bool) -> None:
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


# What makes runs repeatable on one machine; one thread, for a study keeps its cores busy with processes.
tf.config.experimental.enable_op_determinism()
allow_tf32(False)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
for _gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(_gpu, True)
