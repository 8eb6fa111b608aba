"""Learning rate by length: how far each cell reaches at its own best rate, and whether that rate shrinks with
length."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnn_study.config import FrontierParams
from rnn_study.statistics import choice, survival
from rnn_study.statistics.shares import share

from .quantities import Found, Row, outcome


def _runs(params: FrontierParams, found: Found, cell: str, rate: float) -> list[Row]:
    """A cell's runs at one rate, of the seeds that every rate has."""
    single = rate == params.training.learning_rate
    name = cell if single else f"{cell}-rate-{rate:g}"
    of, seeds = ("budget" if single else "rate", name), params.seeds[: params.rates.seeds]
    return [row for row in found["runs"] if (row["axis"], row["variant"]) == of and row["seed"] in seeds]


def tried(params: FrontierParams, found: Found, cell: str) -> choice.Tried:
    """A cell's runs by rate, seed and length tried; one that it never came to, for two shorter ones had no seed solved,
    is censored at its budget."""
    rates, seeds, lengths = params.rates.learning_rates, params.seeds[: params.rates.seeds], found["tried"]
    updates = np.full((len(rates), len(seeds), len(lengths)), found["budget"])
    solved = np.zeros(updates.shape, bool)
    for place, rate in enumerate(rates):
        for row in _runs(params, found, cell, rate):
            at = place, seeds.index(row["seed"]), lengths.index(row["steps"])
            updates[at], solved[at] = row["updates"], row["solved"]
    return choice.Tried(updates, solved)


def rate_map(params: FrontierParams, found: Found) -> Iterator[Row]:
    """What became of each cell at each rate and length: a share with its Wilson interval, and median updates."""
    if params.rates is None:
        return
    for cell in params.cells:
        for rate in params.rates.learning_rates:
            rows = _runs(params, found, cell, rate)
            for steps in found["tried"]:
                here = [row for row in rows if row["steps"] == steps]
                about = {"problem": found["problem"], "variant": cell, "learning_rate": rate, "steps": steps}
                if not here:
                    yield about | {"not_run": "nothing solved at two lengths before"}
                    continue
                updates, solved = outcome(here)
                estimate = share(int(solved.sum()), len(here))
                yield about | {
                    "seeds": len(here),
                    "solved": int(solved.sum()),
                    "share": estimate.value,
                    "low": estimate.low,
                    "high": estimate.high,
                    "median_updates": survival.median_updates(updates, solved),
                    "diverged": sum(row["diverged"] for row in here),
                }


def chosen(params: FrontierParams, found: Found) -> Iterator[Row]:
    """Each cell at the rate that the validation part chooses at each length: its frontier, and the power of the length
    that the chosen rate grows with.

    rates: the choice of all seeds by length, None where no run solved it. shares: of seeds that solve a length at the
    rate that the other seeds choose. edge: at how many of the lengths it is the smallest or largest rate tried.
    """
    if params.rates is None:
        return
    rates, lengths, budget = params.rates.learning_rates, found["tried"], found["budget"]
    for cell in params.cells:
        runs = tried(params, found, cell)
        solvable = runs.solved.any(axis=(0, 1))
        choices = [place if solvable[at] else None for at, place in enumerate(choice.chosen(runs, budget))]
        power = choice.slope(lengths, rates, runs, budget)
        row: dict[str, Any] = {
            "problem": found["problem"],
            "variant": cell,
            "seeds": params.rates.seeds,
            "lengths": lengths,
            "rates": [None if place is None else rates[place] for place in choices],
            "edge": sum(place in (0, len(rates) - 1) for place in choices if place is not None),
            "shares": choice.shares(runs, budget).tolist(),
            "power": list(power) if power else None,
        }
        yield row | choice.frontier(lengths, runs, budget)._asdict()
