"""What a state still tells of the past."""

import numpy as np

_PENALTIES = np.logspace(-8, 2, 6)
FEWEST = 40  # sequences: with fewer, half of them fit nothing


def retention(h: np.ndarray, x: np.ndarray) -> np.ndarray:
    """R² (K,) of a linear read-out of x (N, K, D), what was read k steps before, from h (N, H), the state now.

    Ridge regression, its penalty chosen by leave-one-out, fitted on the first half of the sequences and scored on the
    second; all D features together, each by its variance. x is NaN where a sequence had not begun, or had nothing to
    keep. NaN where fewer than `FEWEST` had, or nothing varies. The probe of short-term memory is Jaeger's (2001, memory
    capacity).
    """
    from sklearn import config_context  # here, for its import takes a second and few who import this need it
    from sklearn.linear_model import RidgeCV

    found = np.full(x.shape[1], np.nan)
    begun = ~np.isnan(x).any(axis=2)
    for there in np.unique(begun, axis=1).T:  # lags that the same sequences reach are fitted together
        lags, rows = np.flatnonzero((begun == there[:, None]).all(axis=0)), np.flatnonzero(there)
        if len(rows) < FEWEST:
            continue
        fit, test = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        true = x[test][:, lags]
        with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of the time of so many fits
            ridge = RidgeCV(_PENALTIES, alpha_per_target=True).fit(h[fit], x[fit][:, lags].reshape(len(fit), -1))
            told = ridge.predict(h[test]).reshape(true.shape)
        spread = ((true - true.mean(axis=0)) ** 2).sum(axis=(0, 2))
        missed = ((true - told) ** 2).sum(axis=(0, 2))
        found[lags] = np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), np.nan)
    return found
