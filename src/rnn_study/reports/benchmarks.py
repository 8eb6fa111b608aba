"""How fast the study is: against what a user would write, and against what the machine could do."""

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.figures import INK, LINES, MARKERS, colour, legend, panels, show
from rnn_study.reports.elements.wording import label, machine, sequence
from rnn_study.reports.study import Study

Row = dict[str, Any]

THEIRS = {"keras fit": "Keras' fit", "torch loop": "a plain PyTorch loop"}
WORK = ("training", "diagnosing", "compiling")  # of the kinds of a study's time; the others are one


def _against(study: Study, way: str) -> dict[str, dict[str, Row]]:
    """By case and framework of ours the rows against one of theirs."""
    found: dict[str, dict[str, Row]] = {}
    for row in study.benchmark("speed")["rows"]:
        if row["theirs"] == way:
            found.setdefault(row["name"], {})[row["ours"]] = row
    return found


def lessons(study: Study) -> Iterator[tuple[str, str]]:
    """What was measured, each as a sentence and its numbers."""
    for way, called in THEIRS.items():
        best = {name: max(rows.values(), key=lambda row: row["ratio"]) for name, rows in _against(study, way).items()}
        faster = [row for row in best.values() if row["low"] > 1]
        told = "; ".join(
            f"{name}: {row['ratio']:g} times ({row['low']:g} to {row['high']:g}, {label(row['ours'])})"
            for name, row in best.items()
        )
        seeds = study.benchmark("speed")["seeds"]
        yield f"{seeds} seeds are done sooner than with {called} in {len(faster)} of {len(best)} cases.", f"{told}."
    rows = sorted(study.benchmark("speed")["rows"], key=lambda row: row["of_products"])
    low, high = rows[0], rows[-1]
    yield (
        "The smaller the network, the less of the processor it uses.",
        f"Of the machine's own matrix products it gets {100 * high['of_products']:.0f} % with the {high['name']} "
        f"({label(high['ours'])}), and {100 * low['of_products']:.2g} % with the {low['name']} ({label(low['ours'])}).",
    )
    most: dict[str, list[Row]] = {}  # by framework each case with its most seeds
    for (_, _, framework), found in _in_one_pass(study).items():
        most.setdefault(label(framework), []).append(found[max(found)])
    pays = [f"{sum(row['low'] > 1 for row in its)} of {len(its)} cases in {name}" for name, its in most.items()]
    reach = {name: sorted(row["ratio"] for row in its) for name, its in most.items()}
    times = [f"{ratios[0]:g} to {ratios[-1]:g} in {name}" for name, ratios in reach.items()]
    yield f"Seeds in one pass pay in {sequence(pays)}.", f"Times as fast as in turn: {'; '.join(times)}."
    costs = [row for row in study.benchmark("growth")["rows"] if row["name"] != "units"]
    steepest = max(costs, key=lambda row: row["slope"])
    yield (
        "Twice the seeds, the length or the examples take at most twice as long."
        if steepest["slope"] <= 1
        else f"The cost grows faster than the {steepest['name']}.",
        f"The steepest grows as the power {steepest['slope']:.2f} of the {steepest['name']}, "
        f"{label(steepest['framework'])}.",
    )


def ratios(study: Study, way: str) -> None:
    """How many times as many seeds a second as one of theirs, a line a case."""
    cases = _against(study, way)

    def draw(narrow: bool) -> Figure:
        figure, ((axes,),) = panels(narrow, height=0.7 + 0.5 * len(cases))
        for place, rows in enumerate(_against(study, way).values()):  # read here: a figure names its files
            for number, (ours, row) in enumerate(sorted(rows.items())):
                at, name = place + 0.24 * (number - 0.5), label(ours) if place == 0 else None
                style = {"color": colour(number), "linestyle": LINES[number]}
                axes.plot([row["low"], row["high"]], [at, at], linewidth=2, **style)
                axes.plot(row["ratio"], at, MARKERS[number], color=colour(number), label=name)
        axes.axvline(1, color=INK, linewidth=0.8)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_yticks(range(len(cases)), [name.replace(", ", ",\n") for name in cases])
        axes.set_ylim(len(cases) - 0.5, -0.5)
        axes.set_xlabel("times as many seeds a second")
        legend(figure, axes, narrow)
        return figure

    told = "; ".join(
        f"{name}: "
        + ", ".join(f"{label(ours)} {row['ratio']:g} ({row['low']:g} to {row['high']:g})" for ours, row in rows.items())
        for name, rows in cases.items()
    )
    every = [row for rows in cases.values() for row in rows.values()]
    faster, slower = sum(row["low"] > 1 for row in every), sum(row["high"] < 1 for row in every)
    lesson = f"Against {THEIRS[way]} the study is faster in {faster} of {len(every)} cases, right of 1" + (
        f", and slower in {slower}." if slower else ", and slower in none."
    )
    about = study.benchmark("speed")
    alt = (
        f"{about['seeds']} seeds with the study, in either framework, against {THEIRS[way]}, one seed after the other, "
        f"the same updates of the same network, alternating: the ratio of seeds a second, median and quartiles of "
        f"{about['rounds']} rounds. {told}. {machine(about['machine'])}."
    )
    source, name = "data: random numbers in the shape of each case", way.replace(" ", "-")
    show(study, draw, lesson=lesson, alt=alt, source=source, task="speed", name=name)


def limit(study: Study) -> None:
    """Table: seeds a second, and what share of the machine's matrix products that is."""
    about = study.benchmark("speed")
    rows = [
        (row["name"], label(row["ours"]), f"{row['ours_a_second']:g}", f"{100 * row['of_products']:.1f} %")
        for row in about["rows"]
        if row["theirs"] == "torch loop"
    ]
    header = ("case", "in", "seeds a second", "of the machine's matrix products")
    show_table(header, rows, f"What is computed a second, and what could be. {machine(about['machine'])}.")


def growth(study: Study) -> None:
    """Table: by which power of its sizes the time of a study's runs grows."""
    about = study.benchmark("growth")
    rows = [
        (
            row["name"],
            label(row["framework"]),
            f"{row['sizes'][0]:,} to {row['sizes'][-1]:,}",
            f"{row['seconds'][0]:g} s to {row['seconds'][-1]:g} s",
            f"{row['slope']:.2f}",
        )
        for row in about["rows"]
    ]
    header = ("what grows", "in", "from and to", "takes", "as this power of it")
    show_table(header, rows, f"An LSTM on images by rows, compiling included. {machine(about['machine'])}.")


def _in_one_pass(study: Study) -> dict[tuple[str, str, str], dict[int, Row]]:
    """By problem, cell and framework the rows of seeds together, by how many seeds."""
    found: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in study.benchmark("seeds_together")["rows"]:
        found.setdefault((row["name"], row["cell"], row["framework"]), {})[row["seeds"]] = row
    return found


def together(study: Study) -> None:
    """Table: how many times faster the seeds of one length train in one pass than in turn."""
    cases = _in_one_pass(study)
    counts = sorted({count for rows in cases.values() for count in rows})
    shown = []
    for (name, cell, framework), rows in cases.items():
        times = [f"{rows[count]['ratio']:g} ({rows[count]['low']:g} to {rows[count]['high']:g})" for count in counts]
        shown.append((name, label(cell), label(framework), *times))
    header = ("problem", "cell", "in", *(f"seeds: {count}" for count in counts))
    told = (
        "Times as fast, a seed: one update of several networks in one pass against updates in turn; median, quartiles."
    )
    about = study.benchmark("seeds_together")["machine"]
    show_table(header, shown, f"{told} {machine(about)}.")


def shares(study: Study) -> None:
    """Where the wall time of the quick study goes, a bar a stage."""
    about = study.benchmark("breakdown")
    stages = [row for row in about["rows"] if row["name"] != "all"]
    every = {kind: [row.get(kind, 0.0) for row in stages] for kind in WORK}
    every["all else"] = [row["share"] - sum(parts) for row, *parts in zip(stages, *every.values(), strict=True)]

    def draw(narrow: bool) -> Figure:
        study.benchmark("breakdown")  # a figure names its files
        figure, ((axes,),) = panels(narrow, height=0.7 + 0.22 * len(stages))
        left = [0.0] * len(stages)
        for number, (kind, parts) in enumerate(every.items()):
            axes.barh(range(len(stages)), parts, left=left, height=0.7, color=colour(number), label=kind)
            left = [start + part for start, part in zip(left, parts, strict=True)]
        axes.set_yticks(range(len(stages)), [row["name"] for row in stages])
        axes.set_ylim(len(stages) - 0.5, -0.5)
        axes.set_xlabel("% of the wall time")
        legend(figure, axes, narrow)
        return figure

    longest, total = max(stages, key=lambda row: row["share"]), about["rows"][-1]
    told = "; ".join(f"{row['name']} {row['share']:g} %" for row in stages)
    show(
        study,
        draw,
        lesson=f"In {about['none']} % of the time no core trains or diagnoses; the longest stage is {longest['name']}.",
        alt=f"The quick study from an empty store, without a GPU, by stage: {told}. Of all, training is "
        f"{total['training']:g} %, diagnosing {total['diagnosing']:g} %, compiling {total['compiling']:g} %. "
        f"{machine(about['machine'])}.",
        source="data: what every process did, noted fifty times a second",
        task="breakdown",
        name="stages",
    )


def preprocessing(study: Study) -> None:
    """Table: tweets and vectors at full size."""

    def cell(value: float | None, unit: str) -> str:
        return "–" if value is None else f"{value:g} {unit}"

    about = study.benchmark("preprocessing")
    rows = [
        (
            row["name"],
            cell(row["seconds"], "s"),
            cell(row["peak_gib"], "GiB"),
            cell(row["theirs_seconds"], "s"),
            cell(row["theirs_peak_gib"], "GiB"),
        )
        for row in about["rows"]
    ]
    header = ("work", "time", "memory", "the tutorials' loader: time", "memory")
    show_table(header, rows, f"Data at full size. {machine(about['machine'])}.", prose=(0,))
