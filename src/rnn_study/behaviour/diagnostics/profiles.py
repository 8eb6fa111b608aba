"""The file of a task's profiles: what `diagnostics.profile` found of every variant, stage and seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rnn_study.support.files import read_arrays, write_arrays

INITIAL, TRAINED = "initial", "trained"  # between them the checkpoints, `epoch <n>`
SENTENCES = "sentences"  # the test part whose examples are looked at word by word

BINS = np.linspace(0, 1, 21)  # of gate values
LEAST = np.finfo(float).tiny  # what counts as the smallest number in a logarithm
LEFT, RIGHT = 0.1, 0.9  # a gate beyond these is saturated: Karpathy et al. 2015 (arXiv 1506.02078), section 4.2

Profiles = dict[str, dict[str, dict[str, np.ndarray]]]  # variant -> stage -> figure -> (seeds, ...)


def profiles_file(task: str) -> Path:
    """Where the pipeline keeps the profiles of `task`."""
    return Path("runs") / f"diagnose-{task}" / "profiles.npz"


def _time(stage: str) -> float:
    return {INITIAL: 0.0, TRAINED: np.inf}[stage] if stage in (INITIAL, TRAINED) else float(stage.split()[1])


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The arrays, a row each. Where tuning gave seeds different widths, what a narrower network has not is NaN."""
    shape = np.max([array.shape for array in arrays], axis=0).astype(int)
    whole = np.full((len(arrays), *shape), np.nan, np.float32)
    for place, array in enumerate(arrays):
        whole[(place, *map(slice, array.shape))] = array
    return whole


def write(path: Path, found: Mapping[tuple[str, str], list[tuple[int, dict[str, np.ndarray]]]]) -> None:
    """Write profiles, by variant and stage a list of (seed, profile), as one npz; `seeds` is a figure like others."""
    arrays, variants = {}, list(dict.fromkeys(name for name, _ in found))
    for name, stage in sorted(found, key=lambda key: (variants.index(key[0]), _time(key[1]))):
        seeds = found[name, stage]
        arrays[f"{name}/{stage}/seeds"] = np.array([seed for seed, _ in seeds])
        for key in seeds[0][1]:
            arrays[f"{name}/{stage}/{key}"] = _stacked([one[key] for _, one in seeds])
    write_arrays(path, arrays)


def load(path: Path) -> Profiles:
    """What `write` wrote."""
    found: Profiles = {}
    for key, array in read_arrays(path).items():
        name, stage, figure = key.split("/")
        found.setdefault(name, {}).setdefault(stage, {})[figure] = array
    return found
