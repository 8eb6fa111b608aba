"""What the search for settings tried, what it chose, and what that changed."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.figures import FAINT, INK, colour, legend, panels, show
from rnn_study.reports.elements.wording import data, decimals, label, number, scale_of, sequence
from rnn_study.reports.study import Study
from rnn_study.statistics.searches import BAND, band_of_best, best_so_far, expected_best

Row = dict[str, Any]

SETTINGS = {  # names, and whether they are searched on a logarithmic scale
    "learning_rate": ("learning rate", True),
    "clip": ("clip", True),
    "dropout": ("dropout", False),
    "batch_size": ("batch size", True),
    "depth": ("layers", False),
    "forget_bias": ("forget bias", False),
}


def _axis(task: Row) -> str:
    return f"{label(task['score'])}, {'%' if task['score'] == 'accuracy' else task['unit']}"


def _gains(study: Study, task: str) -> dict[str, Row]:
    """By cell its scores on the test part, tuned and untuned, and what tuning gained: above 0 where it helped."""
    about = study.tuning["tasks"][task]
    scale, sign = scale_of(about)[0], 1 if about["higher_is_better"] else -1
    found = {}
    for cell, one in about["cells"].items():
        (row,) = [row for row in one["against_untuned"] if row["part"] == "test"]
        low, high = sorted(sign * scale * bound for bound in row["interval"])
        found[cell] = row | {"gain": sign * scale * row["difference"], "low": low, "high": high}
    return found


def _gain(task: Row, row: Row) -> str:
    places = 1 if task["score"] == "accuracy" else decimals(row["low"], row["high"])
    found, low, high = (f"{row[key]:+z.{places}f}".replace("-", "−") for key in ("gain", "low", "high"))
    return f"{found} {scale_of(task)[1]} ({low} to {high})"


def _default(study: Study) -> str:
    given = study.tuning["untuned"]
    clip = "no clipping" if given["clip"] is None else f"clip {given['clip']:g}"
    dropout = f"dropout {given['dropout']:g}" if given["dropout"] else "no dropout"
    return f"a learning rate of {given['learning_rate']:g}, {clip}, {dropout}"


def lessons(study: Study) -> Iterator[tuple[str, str]]:
    """What tuning changed, each as a sentence and its numbers."""
    tables = study.tuning["tasks"]
    gains = {(task, cell): row for task in tables for cell, row in _gains(study, task).items()}
    clear = {key: row for key, row in gains.items() if row["low"] > 0 or row["high"] < 0}
    worse = [key for key, row in clear.items() if row["high"] < 0]
    lesson = f"Tuning changes the score in {len(clear)} of {len(gains)} cases beyond what seeds and examples explain."
    others = "In the others the interval holds 0. " if len(clear) < len(gains) else ""
    told = f"{others}Untuned is {_default(study)}; {study.given}."
    yield lesson, told
    if worse:
        named = sequence(
            [f"{label(cell)}, {label(task)}, {_gain(tables[task], gains[task, cell])}" for task, cell in worse]
        )
        yield "What was best on the validation part can be worse on the test part.", f"So it is here: {named}."
    moved = []
    for task, about in tables.items():
        pick = max if about["higher_is_better"] else min
        scores = {side: {cell: gains[task, cell][side] for cell in about["cells"]} for side in ("untuned", "tuned")}
        first = {side: pick(found, key=found.__getitem__) for side, found in scores.items()}
        if first["untuned"] != first["tuned"]:
            moved.append(f"{label(task)}, {label(first['untuned'])} untuned and {label(first['tuned'])} tuned")
    if moved:
        yield "Which cell comes first can hang on tuning.", f"By mean test score: {'; '.join(moved)}."
    else:
        yield "Which cell comes first does not hang on tuning here.", "By mean test score, on every task."


def changed(study: Study, task: str) -> None:
    """What tuning gained on the test part, a line a cell."""
    about, gains = study.tuning["tasks"][task], _gains(study, task)

    def draw(narrow: bool) -> Figure:
        figure, ((axes,),) = panels(narrow, height=0.5 + 0.35 * len(gains))
        for place, row in enumerate(_gains(study, task).values()):
            axes.plot([row["low"], row["high"]], [place, place], color=colour(place), linewidth=2)
            axes.plot(row["gain"], place, "o", color=colour(place))
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(gains)), [label(cell) for cell in gains])
        axes.set_ylim(len(gains) - 0.5, -0.5)
        end = "\n" if narrow else " "
        axes.set_xlabel(f"gained by tuning,{end}{scale_of(about)[1]} of {label(about['score'])}")
        return figure

    most = max(gains, key=lambda cell: abs(gains[cell]["gain"]))
    verb = "gains" if gains[most]["gain"] > 0 else "loses"
    lesson = f"{label(task)}: the {label(most)} {verb} most by tuning, {_gain(about, gains[most])}."
    told = sequence(
        [
            f"{label(cell)} {number(row['untuned'], about['score'])} to {number(row['tuned'], about['score'])}"
            for cell, row in gains.items()
        ]
    )
    seeds = next(iter(gains.values()))["n"]
    alt = (
        f"{label(task)}, test part: the score with the settings that the search chose, less that untuned "
        f"({_default(study)}), over the same {seeds} seeds and all test examples, with its 95 % interval; right of 0 "
        f"tuning helped. From untuned to tuned: {told}. {label(study.tuning['framework'])}; {study.given}."
    )
    show(study, draw, lesson=lesson, alt=alt, source=data(study.tasks[task]), task=task, name="tuned")


def _searched(study: Study, task: str) -> list[str]:
    rows = [row for searches in study.trials(task).values() for trials in searches for row in trials]
    return [name for name in SETTINGS if any(name in row for row in rows)]


def _ticks(low: float, high: float) -> list[float]:
    """1, 3, 10, ... times a power of ten, between two numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for tick in (10.0**power, 3 * 10.0**power) if low <= tick <= high]


def trials(study: Study, task: str) -> None:
    """Every trial's validation score against each setting, a panel a setting, a colour a cell."""
    about = study.tuning["tasks"][task]
    names, scale = _searched(study, task), scale_of(about)[0]

    def draw(narrow: bool) -> Figure:
        figure, grid = panels(narrow, -(-len(names) // 3), min(len(names), 3), height=2.4, sharey=True)
        for axes, name in zip(grid.ravel(), names, strict=False):
            for place, (cell, searches) in enumerate(study.trials(task).items()):
                rows = [row for trials in searches for row in trials if name in row]
                for mark, own in (
                    ("o", [r for r in rows if "pruned" not in r]),
                    ("x", [r for r in rows if "pruned" in r]),
                ):
                    points = [row[name] for row in own], [scale * row["score"] for row in own]
                    axes.plot(*points, mark, color=colour(place), markersize=4, alpha=0.7)
                axes.plot([], [], "o", color=colour(place), label=label(cell))
            title, log = SETTINGS[name]
            axes.set(xlabel=title, xscale="log" if log else "linear")
            if log:
                axes.set_xticks(_ticks(*axes.get_xlim()), minor=False)
                axes.xaxis.set_minor_formatter(NullFormatter())
        for axes in grid.ravel()[len(names) :]:
            axes.set_visible(False)
        grid[0, 0].set_ylabel(f"validation\n{_axis(about)}")
        legend(figure, grid[0, 0], narrow)
        return figure

    spreads = {
        cell: np.ptp([row["score"] for rows in searches for row in rows if "pruned" not in row])
        for cell, searches in study.trials(task).items()
    }
    widest = max(spreads, key=spreads.__getitem__)
    unit, places = scale_of(about)[1], 1 if about["score"] == "accuracy" else decimals(spreads[widest])
    lesson = (
        f"{label(task)}: settings matter most to the {label(widest)}, whose best and worst trial are "
        f"{scale * spreads[widest]:.{places}f} {unit} apart."
    )
    count, pruned = (sum(found[key] for found in about["cells"].values()) for key in ("trials", "pruned"))
    alt = (
        f"{label(task)}: each of {count} trials, its setting against the score it reached on the validation part, in "
        "fewer epochs than a run of the study has."
        + (f" Crosses: {pruned} that were ended early, at what they had reached." if pruned else "")
    )
    show(study, draw, lesson=lesson, alt=alt, source=data(study.tasks[task]), task=task, name="trials")


def search_curve(study: Study, task: str) -> None:
    """The best validation score against the number of trials: as it came, and as it is to be expected."""
    about = study.tuning["tasks"][task]
    scale, higher = scale_of(about)[0], about["higher_is_better"]

    def scores(cell: str) -> list[np.ndarray]:
        searches = study.trials(task)[cell]
        return [np.array([scale * row["score"] for row in rows if "pruned" not in row]) for rows in searches]

    def draw(narrow: bool) -> Figure:
        cells = list(study.trials(task))
        figure, (line,) = panels(narrow, 1, len(cells), height=2.5, sharey=True)
        for place, (axes, cell) in enumerate(zip(line, cells, strict=True)):
            pooled = np.concatenate(scores(cell))
            longest = max(map(len, scores(cell)))
            count = np.arange(1, longest + 1)
            low, high = (bound[:longest] for bound in band_of_best(pooled, higher))
            axes.fill_between(count, low, high, color=colour(place), alpha=0.2, linewidth=0)
            axes.plot(count, expected_best(pooled, higher)[:longest], "o-", color=colour(place), markersize=3)
            for own in scores(cell):
                axes.step(np.arange(1, len(own) + 1), best_so_far(own, higher), where="post", color=FAINT, linewidth=1)
            axes.set(xlabel="trials", title=label(cell))
        line[0].set_ylabel(f"best validation\n{_axis(about)}")
        return figure

    gains = {}
    for cell in study.trials(task):
        curve = expected_best(np.concatenate(scores(cell)), higher)
        gains[cell] = abs(curve[-1] - curve[-2]) if len(curve) > 1 else 0.0
    most = max(gains, key=gains.__getitem__)
    places = 2 if about["score"] == "accuracy" else decimals(gains[most])
    lesson = (
        f"{label(task)}: one more trial would still gain most for the {label(most)}, "
        f"{gains[most]:.{places}f} {scale_of(about)[1]}."
    )
    alt = (
        f"{label(task)}: the best validation score against the number of trials, a panel a cell. Dots: what is to be "
        "expected of so many trials drawn from those that were made (Dodge et al. 2019); band: where "
        f"{100 * BAND:.0f} % of such draws lie; grey: the best so far, as each search went."
    )
    show(study, draw, lesson=lesson, alt=alt, source=data(study.tasks[task]), task=task, name="search")


def _written(name: str, settings: dict[str, float | None]) -> str:
    """A setting; a dash where the cell has none of that name."""
    value = settings.get(name)
    if value is None:
        return "none" if name in settings else "–"
    return str(value) if isinstance(value, int) else f"{value:.2g}"


def chosen_table(study: Study, task: str) -> None:
    """What each search chose for each cell."""
    about, names = study.tuning["tasks"][task], _searched(study, task)
    rows = [
        [
            label(cell),
            str(place + 1),
            *(_written(name, one["settings"]) for name in names),
            number(one["validation_score"], about["score"]),
        ]
        for cell, found in about["cells"].items()
        for place, one in enumerate(found["searches"])
    ]
    header = ["", "search", *(SETTINGS[name][0] for name in names), f"validation {label(about['score'])}"]
    show_table(header, rows, f"{label(task)}: the settings of each search's best trial; {data(study.tasks[task])}.")


def _cells(study: Study) -> Iterator[tuple[str, Row]]:
    """Every task and cell, as a sentence names them, and what its searches found."""
    for task, about in study.tuning["tasks"].items():
        for cell, found in about["cells"].items():
            yield f"{label(task)}, {label(cell)}", found


def by_chance(study: Study) -> list[str]:
    """How far the searches of a cell are apart: what another seed of the tuner would have changed."""
    told = []
    for name, found in _cells(study):
        searches = [one["settings"] for one in found["searches"]]
        if len(searches) == 1:
            return ["One search a cell: how far another would have chosen otherwise is not known."]
        apart = []
        for setting in searches[0]:
            ends = [pick(searches, key=lambda one, setting=setting: one[setting] or 0.0) for pick in (min, max)]
            if ends[0][setting] != ends[1][setting]:
                apart.append(f"{SETTINGS[setting][0]} {' to '.join(_written(setting, one) for one in ends)}")
        told.append(f"{name}: {sequence(apart) if apart else 'the same settings'}.")
    return told


def importance(study: Study) -> list[str]:
    """Which setting tells good trials from the others."""
    told, most = [], 0
    for name, found in _cells(study):
        most = max(most, found["trials"])
        if found["importance"] is not None:
            shares = sorted(found["importance"].items(), key=lambda one: -one[1])
            said = sequence([f"{SETTINGS[setting][0]} {100 * share:.0f} %" for setting, share in shares])
            told.append(f"{name}: {said}.")
    needed = study.tuning["needed"]
    return told or [
        f"Not told: a cell has {most} trials, and below {needed} a lucky one decides which setting looks important."
    ]
