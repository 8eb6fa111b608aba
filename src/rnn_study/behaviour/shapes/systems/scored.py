"""What is a score on a test part, beside the score of another network, of a rule or of a publication."""

from rnn_study.behaviour.shapes.evidence import Evidence
from rnn_study.model.backend import LABELS

from .found import NOT_RUN, Found, difference, error, images, named, scored

TUTORIAL_RMSE = {"train": 22.93, "test": 47.53}  # of the airline LSTM(4), as its author printed it


def rows_30(evidence: Evidence) -> Found:
    row = evidence.score("digits_tutorial", "lstm")
    if row is None:
        return Found(NOT_RUN)
    examples = len(evidence.systems["digits_tutorial"].task.train.y)
    return scored(row, "measured", f"10 epochs of {examples:,} images, in batches of 128: {images(evidence)}")


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
        f"repeating the last value: {naive:.2f}"
    )
    if evidence.tasks["airline"]["card"]["provenance"][0]["origin"] == "own":
        return scored(row, "another series", note)
    return scored(row, "reproduced" if within else "not reproduced", note)


def deep(evidence: Evidence) -> Found:
    row = evidence.score("digits", "mixed-3")
    return scored(row, "runs", "vanilla RNN, GRU and LSTM on top of each other") if row else Found(NOT_RUN)


def translation(evidence: Evidence) -> Found:
    rows = [r for r in evidence.scores if r["system"] == "numbers" and r["part"] == "test"]
    if not rows:
        return Found(NOT_RUN)
    best = max(rows, key=lambda r: r["mean"])
    both = {r["backend"]: r["mean"] for r in rows if r["variant"] == best["variant"]}
    note = f"{named(best['variant'])}, unseen numbers, every word right and the end: " + ", ".join(
        f"{LABELS[backend]} {100 * value:.1f} %" for backend, value in both.items()
    )
    return scored(best, "works" if min(both.values()) >= 0.99 else "works in part", note)


def tweets(evidence: Evidence) -> Found:
    """As coded, against the embedding restored."""
    coded, restored = (evidence.score(f"tweets_{version}", "vanilla") for version in ("coded", "embedded"))
    if not (coded and restored):
        return Found(NOT_RUN)
    verdict = difference(restored, coded, "the code's own faults cost it", "the faults help")
    note = f"as coded; with its embedding restored {100 * restored['mean']:.1f} %"
    if cleaned := evidence.score("tweets_cleaned", "vanilla"):
        note += f", with stop words and lemmas applied {100 * cleaned['mean']:.1f} %"
    return scored(coded, verdict, note)


def window(evidence: Evidence) -> Found:
    """Where the fixed window of 5 loses against a GRU that reads the same 5 values."""
    airline = evidence.tasks["airline"]
    told, first = [], None
    for series, told_as in (("airline", "the series"), ("sunspots", "sunspots")):
        mlp, gru = (evidence.score(f"{series}_window", cell) for cell in ("mlp", "gru"))
        if not (mlp and gru):
            continue
        first = first or (mlp, gru)
        told.append(f"{told_as}: {error(mlp['mean'])} against the GRU's {error(gru['mean'])}")
    if first is None:
        return Found(NOT_RUN)
    verdict = difference(first[0], first[1], "the window loses", "the window wins")
    note = "RMSE on the same targets, " + "; ".join(told)
    own, steps = airline["cells"].get("lstm"), airline["card"]["details"]["look_back"]
    if own:
        note += f". Beyond the window: the study's LSTM, which reads {steps} values, has {error(own['test']['mean'])}"
    return scored(first[0], verdict, note)


def stacked(evidence: Evidence) -> Found:
    """Three layers against one, as many weights."""
    three, one = evidence.score("digits", "lstm-3"), evidence.score("digits", "lstm")
    if not (three and one):
        return Found(NOT_RUN)
    note = f"three layers; one layer with as many weights: {100 * one['mean']:.1f} %"
    return scored(three, difference(three, one, "holds", "the opposite"), note)


def attention(evidence: Evidence) -> Found:
    with_it, without = (evidence.score("numbers", variant) for variant in ("gru-attention", "gru"))
    if not (with_it and without):
        return Found(NOT_RUN)
    verdict = difference(with_it, without, "holds", "the opposite")
    note = f"without attention {100 * without['mean']:.1f} %, as wide"
    rows = [row for row in evidence.found.get("widths", []) if row["part"] == "test"]
    narrow = {row["attention"]: row for row in sorted(rows, key=lambda row: -row["units"])}  # the narrowest of each
    widths = {row["units"] for row in rows}
    if len(widths) > 1 and [narrow[side]["units"] for side in (True, False) if side in narrow] == 2 * [min(widths)]:
        one, other = (100 * sum(row["scores"]) / len(row["scores"]) for row in (narrow[True], narrow[False]))
        note += f"; at {narrow[True]['units']} units {one:.1f} % against {other:.1f} %"
    return scored(with_it, verdict, note)
