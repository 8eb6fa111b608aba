"""What trained networks do on their own: write, go on, group words, notice an order."""

from rnn_study.behaviour.shapes.evidence import Evidence
from rnn_study.model.cells import CELLS

from .found import NOT_RUN, Found, error


def written_lengths(evidence: Evidence) -> Found:
    """The share of written answers that found an end."""
    rows = evidence.found["answers"]
    if not rows:
        return Found(NOT_RUN)
    ended, asked = (sum(row[key] for row in rows) for key in ("ended", "examples"))
    note = "answers that a network wrote up to its own end token"
    return Found("holds" if ended == asked else "nearly always", ended / asked, None, "accuracy", None, note)


def shifted(evidence: Evidence) -> Found:
    """Continued alone: against the last season, repeated."""
    runs = evidence.found["continued"]
    if not runs:
        return Found(NOT_RUN)
    run = runs[0]
    mean = sum(run["errors"]) / len(run["errors"])
    better = mean < run["naive_error"]
    note = f"{run['steps']} steps alone from {run['from']}; the last season repeated: {error(run['naive_error'])}"
    return Found(
        "better than the season" if better else "worse than the season", mean, None, "rmse", len(run["errors"]), note
    )


def embeddings(evidence: Evidence) -> Found:
    """How many of a word's neighbours lean its way, after training from random vectors."""
    rows = [row for row in evidence.found["vectors"] if row["table"] == "random"]
    if not rows:
        return Found(NOT_RUN)
    before, after = rows[0]["alike"]["before"], rows[0]["alike"]["after"]
    note = f"of a word's nearest words lean its way; {100 * before:.0f} % before training, chance about a half"
    return Found("holds" if after > max(before, 0.5) + 0.1 else "not shown", after, None, "accuracy", 1, note)


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
    verdict = "a plain RNN can, by weights written by hand" if by_hand else "the weights by hand fail"
    note = (
        f"weights by hand name {least} of {rows[0]['courses']} courses in every version, the one with a memory too; "
        f"trained and left alone, {full} of {len(counts)} networks name every course"
    )
    return Found(verdict, full / len(counts) if counts else None, None, "accuracy", None, note)


def word_order(evidence: Evidence) -> Found:
    """Points of accuracy lost when the words of the test tweets are shuffled, by the cell that loses most."""
    rows = evidence.found["order"]
    most = max(rows, key=lambda row: row["lost"])
    told = ", ".join(f"{CELLS[row['cell']].label} {100 * row['lost']:.1f}" for row in rows)
    note = f"points lost: {told}; single words by TF-IDF {100 * evidence.found['single_words']:.1f} %, which lose none"
    verdict = "order counts" if most["interval"][0] > 0 else "not shown"
    points = [100 * bound for bound in most["interval"]]
    return Found(verdict, 100 * most["lost"], points, "points", most["seeds"], note)
