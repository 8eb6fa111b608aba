"""A framework by name. Importing it costs seconds, so only the process that computes with it does."""

from importlib import import_module

from rnn_study.model.backend import BACKENDS, Backend


def load(name: str) -> Backend:
    """The backend `name`; importing it imports its framework, so one process should load one."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: expected one of {', '.join(BACKENDS)}")
    return import_module(f"rnn_study.backends.{name}")
