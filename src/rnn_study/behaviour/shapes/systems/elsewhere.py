"""What other parts of the study measured of a system: its tasks, its ablations, its questions."""

from rnn_study.behaviour.shapes.evidence import Evidence

from .found import NOT_RUN, Found, images, named, question

CLAIMED, UNITS = 0.98, 150  # accuracy of MNIST by rows, and the LSTM's units


def rows_150(evidence: Evidence) -> Found:
    task = evidence.tasks["mnist_rows"]
    if "lstm" not in task["cells"]:
        return Found(NOT_RUN)
    found = task["cells"]["lstm"]["test"]
    record = next(record for record in task["card"]["provenance"] if record["source"] == "mnist")
    real = record["complete"] and record["origin"] not in ("embedded", "own")
    ran = next(iter(task["backends"].values()))["cells"]["lstm"]
    seeds = len(ran["seeds"])
    if not real:
        note = f"on {images(evidence)}, which the claim is not about"
        return Found("another data set", found["mean"], found["interval"], "accuracy", seeds, note)
    told = f"LSTM, {' + '.join(map(str, ran['units']))} units"
    if ran["units"] != [UNITS]:
        note = f"{told}, where the claim has {UNITS}"
        return Found("another network", found["mean"], found["interval"], "accuracy", seeds, note)
    verdict = "holds" if found["interval"][1] >= CLAIMED else "does not hold"
    return Found(verdict, found["mean"], found["interval"], "accuracy", seeds, told)


def stable(evidence: Evidence) -> Found:
    """How many seeds of each thing tried alone solve the adding problem."""
    cells = evidence.ablations
    told = [
        f"{named(name)} {sum(c['solved'])} of {len(c['solved'])}"
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
    return question(evidence, "speed-gru")


def vanishing(evidence: Evidence) -> Found:
    return question(evidence, "vanishes-vanilla")


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
