"""The 25 systems of the tutorials: of each the claim, the figure that this study found, and what that says.

A verdict follows from the figure by the rule that its function states; none is written by hand. The study's own
questions (`verdicts/`) are the only ones that are corrected for their number; what is compared here besides is
exploratory and says what was found in these runs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from rnn_study.behaviour.parity.checks import BOUNDS
from rnn_study.model.cells import CELLS

from .evidence import Evidence

Row = dict[str, Any]
NOT_RUN = "not run in this study"
TUTORIAL_RMSE = {"train": 22.93, "test": 47.53}  # of the airline LSTM(4), as its author printed it
_FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
CLAIMED = 0.98  # accuracy of MNIST by rows, 150 units


class Found(NamedTuple):
    """One figure: its value, interval and unit (accuracy, rmse, or what it counts), in how many seeds, what it says,
    and a note that a reader needs."""

    verdict: str
    value: float | None = None
    interval: list[float] | None = None
    unit: str = ""
    seeds: int | None = None
    note: str = ""


def _named(variant: str) -> str:
    """A cell, or a change of it, as one reads it: lstm-forget-0 is LSTM forget-0."""
    cell, _, change = variant.partition("-")
    return f"{CELLS[cell].label} {change}".strip()


def _scored(row: Row, verdict: str, note: str = "") -> Found:
    return Found(verdict, row["mean"], row["interval"], row["score"], row["seeds"], note)


def _exact(rows: list[Row], note: str = "") -> Found:
    """The worst deviation from the oracle of some parity checks: exact where every one is within its bound."""
    if not rows:
        return Found(NOT_RUN)
    worst = max(row["deviation"] for row in rows)
    within = all(row["deviation"] <= row["bound"] for row in rows)
    return Found("exact" if within else "not exact", worst, None, "deviation", None, note or f"{len(rows)} checks")


def _worked(evidence: Evidence, case: str) -> Found:
    return _exact([r for r in evidence.parity if r["check"] == "worked case" and r["case"].startswith(case)])


def _difference(a: Row, b: Row, holds: str, otherwise: str) -> str:
    """`holds` where a's interval lies above b's, `otherwise` where below, else that nothing is shown."""
    if a["interval"][0] > b["interval"][1]:
        return holds
    return otherwise if a["interval"][1] < b["interval"][0] else "no difference shown"


def _question(evidence: Evidence, name: str) -> Found:
    """One of the study's questions."""
    row = evidence.verdicts.get(name)
    if row is None:
        return Found(NOT_RUN)
    return Found(row["verdict"], row["value"], [row["low"], row["high"]], row["unit"], row["seeds"], row["claim"])


def two_steps(evidence: Evidence) -> Found:
    return _worked(evidence, "two steps by hand")


def unrolling(evidence: Evidence) -> Found:
    """Values are the same within rounding; the figure is how much larger the static graph of the longest sequence is
    than that of the shortest, per step."""
    static = [r for r in evidence.unrolling if r["framework"] == "tensorflow" and r["way"] == "static"]
    dynamic = [r for r in evidence.unrolling if r["framework"] == "tensorflow" and r["way"] == "dynamic"]
    same = all(r["deviation"] <= BOUNDS["float64"]["forward"] for r in evidence.unrolling)
    first, last = (sorted(static, key=lambda r: r["steps"])[place] for place in (0, -1))
    each = (last["nodes"] - first["nodes"]) / (last["steps"] - first["steps"])
    grows = each > 0 and len({r["nodes"] for r in dynamic}) == 1
    return Found(
        "holds" if same and grows else "does not hold",
        each,
        None,
        "nodes a step",
        None,
        f"from {first['steps']} to {last['steps']} steps its build takes {last['build_growth']:.0f} times as long and "
        f"{last['memory_mib'] - first['memory_mib']:.0f} MiB more; the dynamic one has {dynamic[0]['nodes']} nodes at "
        f"every length. What the claim leaves out: a call of the static one takes {last['step_ratio']:.2f} of native's",
    )


def unequal_lengths(evidence: Evidence) -> Found:
    checks = ("forward", "final states", "gradients")
    return _exact([r for r in evidence.parity if r["check"] in checks and "unequal lengths" in r["case"]])


def written_lengths(evidence: Evidence) -> Found:
    """The share of written answers that found an end."""
    rows = evidence.found["answers"]
    if not rows:
        return Found(NOT_RUN)
    ended, asked = (sum(row[key] for row in rows) for key in ("ended", "examples"))
    note = "answers that a network wrote up to its own end token"
    return Found("holds" if ended == asked else "nearly always", ended / asked, None, "accuracy", None, note)


def rows_150(evidence: Evidence) -> Found:
    task = evidence.tasks["mnist_rows"]
    found = task["cells"]["lstm"]["test"]
    complete = all(record["source"] != "mnist" or record["complete"] for record in task["card"]["provenance"])
    real = complete and any(record["origin"] != "embedded" for record in task["card"]["provenance"])
    seeds = len(next(iter(task["backends"].values()))["cells"]["lstm"]["seeds"])
    if not real:
        note = "on scikit-learn's small digits, which the claim is not about"
        return Found("another data set", found["mean"], found["interval"], "accuracy", seeds, note)
    verdict = "holds" if found["interval"][1] >= CLAIMED else "does not hold"
    return Found(verdict, found["mean"], found["interval"], "accuracy", seeds, "LSTM, 150 units")


def rows_30(evidence: Evidence) -> Found:
    row = evidence.score("digits_tutorial", "lstm")
    if row is None:
        return Found(NOT_RUN)
    examples = len(evidence.systems["digits_tutorial"].task.train.y)
    return _scored(row, "measured", f"10 epochs of {examples:,} images, in batches of 128")


def shifted(evidence: Evidence) -> Found:
    """Continued alone: against the last season, repeated."""
    runs = evidence.found["continued"]
    if not runs:
        return Found(NOT_RUN)
    run = runs[0]
    mean = sum(run["errors"]) / len(run["errors"])
    better = mean < run["naive_error"]
    note = f"{run['steps']} steps alone from {run['from']}; the last season repeated: {run['naive_error']:.1f}"
    return Found(
        "better than the season" if better else "worse than the season", mean, None, "rmse", len(run["errors"]), note
    )


def airline_tutorial(evidence: Evidence) -> Found:
    """Reproduced where the printed figure lies within the seeds' own range."""
    rows = [r for r in evidence.scores if r["system"] == "airline_tutorial" and r["part"] == "test"]
    if not rows:
        return Found(NOT_RUN)
    row = max(rows, key=lambda r: r["seeds"])
    within = min(row["by_seed"]) <= TUTORIAL_RMSE["test"] <= max(row["by_seed"])
    naive = evidence.found["baselines"]["airline_tutorial"]["last value (persistence)"]
    note = (
        f"seeds from {min(row['by_seed']):.2f} to {max(row['by_seed']):.2f}; printed: {TUTORIAL_RMSE['test']}; "
        f"repeating the last month: {naive:.2f}"
    )
    return _scored(row, "reproduced" if within else "not reproduced", note)


def deep(evidence: Evidence) -> Found:
    row = evidence.score("digits", "mixed-3")
    return _scored(row, "runs", "vanilla RNN, GRU and LSTM on top of each other") if row else Found(NOT_RUN)


def stable(evidence: Evidence) -> Found:
    """How many seeds of each thing tried alone solve the adding problem."""
    cells = evidence.ablations
    told = [
        f"{_named(name)} {sum(c['solved'])} of {len(c['solved'])}"
        for name, c in cells.items()
        if not name.startswith("map")
    ]
    solved = sum(any(c["solved"]) for name, c in cells.items() if c.get("of"))
    return Found("measured", float(solved), None, "of the changes solved it in any seed", None, "; ".join(told))


def forget_bias(evidence: Evidence) -> Found:
    """Solved with forget bias 1 less solved without."""
    cells = evidence.ablations
    if "lstm-forget-0" not in cells:
        return Found(NOT_RUN)
    with_bias, without = (cells[name]["solved"] for name in ("lstm", "lstm-forget-0"))
    gap = sum(with_bias) / len(with_bias) - sum(without) / len(without)
    note = f"solved: {sum(with_bias)} of {len(with_bias)} with bias 1, {sum(without)} of {len(without)} with 0"
    verdict = "holds" if gap > 0.5 else "does not hold" if gap <= 0 else "no difference shown"
    return Found(verdict, gap, None, "accuracy", len(with_bias), note)


def gru_easier(evidence: Evidence) -> Found:
    return _question(evidence, "speed-gru")


def embeddings(evidence: Evidence) -> Found:
    """How many of a word's neighbours lean its way, after training from random vectors."""
    rows = [row for row in evidence.found["vectors"] if row["table"] == "random"]
    if not rows:
        return Found(NOT_RUN)
    before, after = rows[0]["alike"]["before"], rows[0]["alike"]["after"]
    note = f"of a word's nearest words lean its way; {100 * before:.0f} % before training, chance about a half"
    return Found("holds" if after > max(before, 0.5) + 0.1 else "not shown", after, None, "accuracy", 1, note)


def translation(evidence: Evidence) -> Found:
    rows = [r for r in evidence.scores if r["system"] == "numbers" and r["part"] == "test"]
    if not rows:
        return Found(NOT_RUN)
    best = max(rows, key=lambda r: r["mean"])
    both = {r["backend"]: r["mean"] for r in rows if r["variant"] == best["variant"]}
    note = f"{_named(best['variant'])}, unseen numbers, every word right and the end: " + ", ".join(
        f"{_FRAMEWORKS[backend]} {100 * value:.1f} %" for backend, value in both.items()
    )
    return _scored(best, "works" if min(both.values()) >= 0.99 else "works in part", note)


def tweets(evidence: Evidence) -> Found:
    """As coded, against the embedding restored."""
    coded, restored = (evidence.score(f"tweets_{version}", "vanilla") for version in ("coded", "embedded"))
    if not (coded and restored):
        return Found(NOT_RUN)
    verdict = _difference(restored, coded, "the code's own faults cost it", "the faults help")
    note = f"as coded; with its embedding restored {100 * restored['mean']:.1f} %"
    if cleaned := evidence.score("tweets_cleaned", "vanilla"):
        note += f", with stop words and lemmas applied {100 * cleaned['mean']:.1f} %"
    return _scored(coded, verdict, note)


def hello(evidence: Evidence) -> Found:
    return _worked(evidence, "hello")


def through_time(evidence: Evidence) -> Found:
    """The corrected formula equals automatic differentiation, the printed ones do not."""
    worked = evidence.worked["bptt"]["deviations"]
    wrong = {name: value for name, value in worked.items() if name != "corrected"}
    right = worked["corrected"] <= BOUNDS["float64"]["gradients"]
    verdict = "holds" if right and min(wrong.values()) > 0.01 else "does not hold"
    note = "; ".join(f"{name}: off by {100 * value:.0f} %" for name, value in wrong.items())
    return Found(verdict, worked["corrected"], None, "deviation", None, f"the corrected formula; {note}")


def vanishing(evidence: Evidence) -> Found:
    return _question(evidence, "vanishes-vanilla")


def language(evidence: Evidence) -> Found:
    """Bits a symbol, beside an n-gram model's."""
    rows = evidence.found["language"]
    if not rows:
        return Found(NOT_RUN)
    row = rows[0]
    mean = sum(row["bits"]) / len(row["bits"])
    grams = row["written"]["ngram"]
    better = "better than n-grams" if mean < grams["bits"] else "worse than n-grams"
    note = f"bits a {row['written']['unit'].removesuffix('s')}; {grams['order'] + 1}-grams: {grams['bits']:.2f}"
    return Found(better, mean, None, "bits", len(row["bits"]), note)


def roommate(evidence: Evidence) -> Found:
    """Weights written by hand name every course; trained ones are counted beside them."""
    rows = evidence.found["roommate"]
    by_hand = all(row["by_hand"] == row["courses"] for row in rows)
    counts = [count for row in rows for own in row["trained"].values() for count in own]
    full = sum(count == rows[0]["courses"] for count in counts)
    least = min(row["by_hand"] for row in rows)
    verdict = "a plain RNN can" if by_hand else "the weights by hand fail"
    note = (
        f"weights by hand name {least} of {rows[0]['courses']} courses in every version, the one with a memory too; "
        f"trained and left alone, {full} of {len(counts)} networks name every course"
    )
    return Found(verdict, full / len(counts) if counts else None, None, "accuracy", None, note)


def five_shapes(evidence: Evidence) -> Found:
    """How many of the five shapes have a trained system: all of one network code."""
    shapes = {
        "one to one": ("digits",),
        "one to many": ("spelled",),
        "many to one": ("digits", "digits_tutorial", "tweets_embedded"),
        "many to many": ("numbers",),
        "synced": ("frames", "airline_shifted"),
    }
    run = [shape for shape, names in shapes.items() if any(name in evidence.systems for name in names)]
    return Found(
        "holds" if len(run) == len(shapes) else "in part", float(len(run)), None, "of 5 shapes", None, ", ".join(run)
    )


def window(evidence: Evidence) -> Found:
    """Where the fixed window of 5 loses against a GRU that reads the same 5 values."""
    airline = evidence.tasks["airline"]
    told, first = [], None
    for series in ("airline", "sunspots"):
        mlp, gru = (evidence.score(f"{series}_window", cell) for cell in ("mlp", "gru"))
        if not (mlp and gru):
            continue
        first = first or (mlp, gru)
        told.append(f"{series}: {mlp['mean']:.1f} against the GRU's {gru['mean']:.1f}")
    if first is None:
        return Found(NOT_RUN)
    verdict = _difference(first[0], first[1], "the window loses", "the window wins")
    note = "RMSE on the same targets, " + "; ".join(told)
    own, months = airline["cells"].get("lstm"), airline["card"]["details"]["look_back"]
    if own:
        note += f". Beyond the window: the study's LSTM, which reads {months} months, has {own['test']['mean']:.1f}"
    return _scored(first[0], verdict, note)


def stacked(evidence: Evidence) -> Found:
    """Three layers against one, as many weights."""
    three, one = evidence.score("digits", "lstm-3"), evidence.score("digits", "lstm")
    if not (three and one):
        return Found(NOT_RUN)
    note = f"three layers; one layer with as many weights: {100 * one['mean']:.1f} %"
    return _scored(three, _difference(three, one, "holds", "the opposite"), note)


def attention(evidence: Evidence) -> Found:
    with_it, without = (evidence.score("numbers", variant) for variant in ("gru-attention", "gru"))
    if not (with_it and without):
        return Found(NOT_RUN)
    verdict = _difference(with_it, without, "holds", "the opposite")
    note = f"without attention {100 * without['mean']:.1f} %, as wide"
    rows = [row for row in evidence.found.get("widths", []) if row["part"] == "test"]
    narrow = {row["attention"]: row for row in sorted(rows, key=lambda row: -row["units"])}  # the narrowest of each
    widths = {row["units"] for row in rows}
    if len(widths) > 1 and [narrow[side]["units"] for side in (True, False) if side in narrow] == 2 * [min(widths)]:
        one, other = (100 * sum(row["scores"]) / len(row["scores"]) for row in (narrow[True], narrow[False]))
        note += f"; at {narrow[True]['units']} units {one:.1f} % against {other:.1f} %"
    return _scored(with_it, verdict, note)


def word_order(evidence: Evidence) -> Found:
    """Points of accuracy lost when the words of the test tweets are shuffled, by the cell that loses most."""
    rows = evidence.found["order"]
    most = max(rows, key=lambda row: row["lost"])
    told = ", ".join(f"{CELLS[row['cell']].label} {100 * row['lost']:.1f}" for row in rows)
    note = f"points lost: {told}; single words by TF-IDF {100 * evidence.found['single_words']:.1f} %, which lose none"
    verdict = "order counts" if most["interval"][0] > 0 else "not shown"
    points = [100 * bound for bound in most["interval"]]
    return Found(verdict, 100 * most["lost"], points, "points", most["seeds"], note)


# number: what it is, what is claimed of it, where the tutorials say it, and the figure.
SYSTEMS: dict[int, tuple[str, str, Callable[[Evidence], Found]]] = {
    1: ("Two steps of an RNN by hand", "equals the library's cell, unrolled", two_steps),
    2: ("Static and dynamic unrolling", "same outputs; the static graph grows with the steps", unrolling),
    3: ("Input of variable length", "padding changes nothing", unequal_lengths),
    4: ("Output of variable length", "an end token ends it", written_lengths),
    5: ("MNIST by rows, 150 units", "98 %", rows_150),
    6: ("MNIST by rows, LSTM(30), RMSprop", "what that code reaches", rows_30),
    7: ("A series, sequence to sequence, then alone", "it continues the series", shifted),
    8: ("Airline passengers, LSTM(4), look-back 1", "test RMSE 47.53", airline_tutorial),
    9: ("Deep RNN, layers of different kinds", "one final state a layer", deep),
    10: ("Stable gradients, each remedy alone", "each helps", stable),
    11: ("LSTM, forget bias 1", "prevents forgetting everything at the start", forget_bias),
    12: ("GRU", "simpler and easier to train", gru_easier),
    13: ("Word embeddings", "similar words end up close", embeddings),
    14: ("Translation, encoder and decoder", "it translates", translation),
    15: ("Tweets, as one tutorial codes it", "it classifies", tweets),
    16: ("“hello”, four letters", "matches the calculation by hand", hello),
    17: ("Back-propagation through time", "the corrected sum is the gradient, the printed ones are not", through_time),
    18: ("Vanishing gradients", "the error vanishes over a sentence", vanishing),
    19: ("Language model", "it writes by feeding its prediction back", language),
    20: ("The roommate's menu", "a plain RNN cannot remember 60 courses", roommate),
    21: ("The five shapes", "each runs through the same network", five_shapes),
    22: ("Feed-forward window of 5", "limits of a fixed window", window),
    23: ("Stacked LSTMs", "great when stacked into a deep configuration", stacked),
    24: ("Attention", "a decoder that looks back translates better", attention),
    25: ("Word order", "shuffled words make no sense", word_order),
}


def table(evidence: Evidence) -> list[Row]:
    """A row for every system."""
    return [
        {"number": number, "system": system, "claim": claim, **figure(evidence)._asdict()}
        for number, (system, claim, figure) in SYSTEMS.items()
    ]
