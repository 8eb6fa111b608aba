"""What the tutorials' code really does: each fault, what it does, and what it costs, from this study's own figures."""

from typing import Any

from .evidence import Evidence

Row = dict[str, Any]


def _points(value: float) -> str:
    return f"{100 * value:.1f} %"


def _of(evidence: Evidence, system: str, variant: str) -> str:
    row = evidence.score(system, variant)
    return _points(row["mean"]) if row else "not run in this study"


def table(evidence: Evidence) -> list[Row]:
    """A row a fault: what the text says, what the code does, what was measured."""
    bptt = evidence.worked["bptt"]["deviations"]
    hello = evidence.worked["hello"]
    apart = max(
        abs(a - b)
        for full, small in zip(hello["full kernel"], hello["w I"], strict=True)
        for a, b in zip(full, small, strict=True)
    )
    rules = evidence.found["baselines"].get("airline_tutorial", {})
    tutorial = max(
        (r for r in evidence.scores if r["system"] == "airline_tutorial" and r["part"] == "test"),
        key=lambda r: r["seeds"],
        default=None,
    )
    persistence = rules.get("last value (persistence)")
    return [
        {
            "system": 15,
            "says": "an embedding of GloVe's vectors is learned from",
            "does": "the layer is built and never added: words' numbers are read as quantities",
            "measured": f"as coded {_of(evidence, 'tweets_coded', 'vanilla')}, restored "
            f"{_of(evidence, 'tweets_embedded', 'vanilla')}",
        },
        {
            "system": 15,
            "says": "stop words are removed, words are replaced by their lemmas",
            "does": "the filter is never called; of the lemmas only their number is used",
            "measured": f"really applied, with the embedding: {_of(evidence, 'tweets_cleaned', 'vanilla')}; without: "
            f"{_of(evidence, 'tweets_embedded', 'vanilla')}",
        },
        {
            "system": 17,
            "says": "the gradient is a sum of products of derivatives from step to step",
            "does": "one text multiplies the product and the derivative of the whole way: the way counts twice",
            "measured": f"off by {_points(bptt['product twice'])} of the true gradient's largest entry",
        },
        {
            "system": 17,
            "says": "the error goes back through time",
            "does": "another text sends it back through the outputs, which nothing reads",
            "measured": f"off by {_points(bptt['through the outputs'])}",
        },
        {
            "system": 16,
            "says": "three hidden units with a recurrent kernel",
            "does": "the kernel is one number for all units: no unit hears another",
            "measured": f"probabilities differ by up to {_points(apart)} from those of a full kernel",
        },
        {
            "system": 8,
            "says": "the LSTM forecasts the next value",
            "does": "it repeats this one, scaled: persistence in disguise",
            "measured": f"test RMSE {tutorial['mean']:.2f}; repeating the last value {persistence:.2f}"
            if tutorial and persistence
            else "not run in this study",
        },
        {
            "system": 8,
            "says": "the data are split before anything is learned from them",
            "does": "the scaling is fitted on all of it, test part and all",
            "measured": "reproduced so in this row alone; every other row scales by its training part",
        },
    ]
