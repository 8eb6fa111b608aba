"""Does the start foretell the end? Gradients before training against what training made of them."""

from collections.abc import Iterator

import numpy as np

from rnn_study.config import FrontierParams
from rnn_study.statistics.foretell import foretold
from rnn_study.statistics.shares import share

from .quantities import Found, Row

_AXES = ("budget", "width", "rate")


def _runs(found: Found, cell: str) -> list[Row]:
    """All runs of a cell, at every width, learning rate and gain of its recurrent kernel; not of its other ablations,
    which are other networks, nor of controls, in which no error goes back."""
    others = {name for name, one in found["ablations"].items() if set(one["change"]) != {"gain"}}
    return [
        row for row in found["runs"] if row["cell"] == cell and row["axis"] in _AXES and row["variant"] not in others
    ]


def cells(found: Found) -> list[str]:
    """The cells that ran, in order."""
    return list(dict.fromkeys(row["cell"] for row in found["runs"]))


def auc(params: FrontierParams, found: Found) -> Iterator[Row]:
    """By cell and measure how well it foretells, before training, which runs will solve their problem: among runs of
    one length and learning rate."""
    for cell in cells(found):
        rows = _runs(found, cell)
        solved, seeds = (np.array([row[key] for row in rows]) for key in ("solved", "seed"))
        strata = np.unique([f"{row['steps']} {row['learning_rate']}" for row in rows], return_inverse=True)[1]
        for measure in found["runs"][0]["initial"]:  # the fields of `diagnostics.profile.Start`
            values = np.array([row["initial"][measure] for row in rows])
            result = foretold(values, solved, strata, seeds)
            about = {"problem": found["problem"], "cell": cell, "measure": measure, "runs": len(rows)}
            yield about | (result._asdict() if result else {"auc": None})


def reaching(params: FrontierParams, found: Found) -> Iterator[Row]:
    """Of the runs whose gradient reached the first step before training, how many solved their problem, and of the
    others; by cell, over all lengths."""
    for cell in cells(found):
        rows = _runs(found, cell)
        for reached in (True, False):
            here = [
                row
                for row in rows
                if (row["initial"]["memory"] >= found["sequence"][str(row["steps"])] - 2 - 1e-9) == reached
            ]
            if here:
                estimate = share(sum(row["solved"] for row in here), len(here))
                yield {
                    "problem": found["problem"],
                    "cell": cell,
                    "reached": reached,
                    "runs": len(here),
                    "solved": sum(row["solved"] for row in here),
                    "share": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                }
