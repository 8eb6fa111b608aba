"""How good a search for settings is, and how much of that is luck."""

import numpy as np


def expected_best(scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """The best score (T,) to expect of 1 to T trials that are drawn, with replacement, from scores (T,) of all that
    were made (Dodge et al. 2019, arXiv 1909.03004, eq. 5 and 6)."""
    ordered = np.sort(scores) if higher_is_better else np.sort(scores)[::-1]
    total = len(scores)
    below = np.arange(total + 1) / total  # the chance that a trial is among the i worst
    chances = np.diff(below[None, :] ** np.arange(1, total + 1)[:, None], axis=1)  # of the best of n being the i-th
    return chances @ ordered
