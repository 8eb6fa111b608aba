"""PyTorch, set up for repeatable runs; import it from here."""

import os

import torch

__all__ = ["allow_tf32", "torch"]


def allow_tf32(allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed


# What makes runs repeatable on one machine; one thread, for a study keeps its cores busy with processes.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, without importing its compiler
torch.backends.cudnn.benchmark = False
allow_tf32(False)
torch.set_num_threads(1)
