"""Results of pure functions, kept in the run store by what made them: a profile, a parity training.

What the study computes of finished runs is not trained, yet takes minutes. It lies in the store as runs do.
"""

import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rnn_study.model.network import Network
from rnn_study.support.files import Arrays, read_arrays, write_arrays

from . import code, store

FILE = "arrays.npz"


def _parts(value: Any) -> Iterable[bytes]:
    """`value` as bytes, no two values as the same."""
    if isinstance(value, np.ndarray):
        yield f"array {value.dtype.str} {value.shape} ".encode()
        yield np.ascontiguousarray(value).data
    elif is_dataclass(value):
        yield f"{type(value).__name__} {len(fields(value))} ".encode()
        for field in fields(value):
            yield from _parts(field.name)
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, dict):
        yield f"dict {len(value)} ".encode()
        for name in value:
            yield from _parts(name)
            yield from _parts(value[name])
    elif isinstance(value, tuple | list):
        yield f"{type(value).__name__} {len(value)} ".encode()
        for one in value:
            yield from _parts(one)
    elif value is None or isinstance(value, str | int | float):
        text = repr(value)
        yield f"{type(value).__name__} {len(text)} {text} ".encode()
    else:
        raise TypeError(f"{type(value).__name__}: expected arrays, numbers, strings, and what is made of them")


def _cells(value: Any) -> set[str]:
    """The cells of every network in `value`."""
    if isinstance(value, Network):
        return {layer.cell for part in value.parts for layer in part.layers}
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    return set().union(*map(_cells, value)) if isinstance(value, tuple | list) else set()


def libraries(*names: str) -> dict[str, str]:
    """The versions of these distributions, and Python's."""
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def key(
    function: Callable[..., Any], *arguments: Any, environment: dict[str, Any], backends: Sequence[str] = ()
) -> str:
    """The id of what `function`, a module's own, gives for `arguments`, by what they contain. It covers the code of
    the function's module and all that it imports, these `backends`, of the cells those of the arguments' networks, and
    the `environment`."""
    module = Path(function.__code__.co_filename)
    files = code.behind(module, *map(code.backend, backends))
    found = sha256()
    for part in _parts([function.__qualname__, environment, store.with_cells(files, _cells(arguments)), arguments]):
        found.update(part)
    return found.hexdigest()[:32]


def find(key: str) -> Arrays | None:
    """The arrays under this id, if there are any."""
    folder = store.find(key)
    return read_arrays(folder / FILE) if folder else None


def add(key: str, arrays: Arrays) -> Arrays:
    """Store `arrays`, and return them."""
    with store.entering(key) as folder:
        write_arrays(folder / FILE, arrays)
    return arrays
