"""How reports write names and numbers."""

import math
from collections.abc import Sequence
from typing import Any

from rnn_study.model.backend import LABELS
from rnn_study.model.cells import CELLS

NAMES = {
    "mnist_rows": "Images by rows",
    "tweets": "Tweets",
    "airline": "The series",
    "adding": "Adding problem",
    "agreement": "Agreement over a distance",
    "copy_memory": "Copy memory",
    "temporal_order": "Temporal order",
    "delayed_recall": "Delayed recall",
    "parity": "Parity",
    "menu": "The roommate's menu",
    "pixel_mnist": "Pixel by pixel",
    "permuted_mnist": "Permuted pixels",
    "digits": "Images by rows, shapes",
    "digits_tutorial": "Images by rows, LSTM(30)",
    "airline_tutorial": "The series, LSTM(4)",
    "airline_window": "The series, window of 5",
    "sunspots_window": "Sunspots, window of 5",
    "airline_shifted": "The series, shifted by one",
    "sunspots_shifted": "Sunspots, shifted by one",
    "frames": "A way for every frame",
    "spelled": "Spelled digits",
    "numbers": "Numbers, English to French",
    "numbers_reversed": "Numbers, source reversed",
    "numbers_longer": "Numbers, trained on short ones",
    "characters": "Characters",
    "words": "Words",
    "menu_weather": "Menu from the weather",
    "menu_cycle": "Menu from yesterday's dish",
    "menu_both": "Menu from both",
    "tweets_coded": "Tweets, as coded",
    "tweets_embedded": "Tweets, embedding restored",
    "tweets_cleaned": "Tweets, stop words and lemmas",
    "vectors_random": "Vectors from scratch",
    "vectors_frozen": "GloVe, frozen",
    "vectors_finetuned": "GloVe, fine-tuned",
    "longer": "longer numbers",
    "mlp": "MLP",
    "lstm-3": "LSTM, three layers",
    "mixed-3": "vanilla RNN, GRU, LSTM",
    "gru-attention": "GRU with attention",
    **LABELS,
    "both": "PyTorch against TensorFlow",
    "test": "test part",
    "hand_labelled": "hand-labelled tweets",
    "rmse": "RMSE",
}


def label(name: str) -> str:
    """How a report writes a cell, a framework, a task, a part or a score; anything else as it is."""
    return CELLS[name].label if name in CELLS else NAMES.get(name, name)


def machine(about: dict[str, Any]) -> str:
    """What a benchmark was measured on, as its results say."""
    versions = ", ".join(f"{label(name)} {its}" for name, its in about.items() if name not in ("cpu", "cores"))
    return f"{about['cpu']}, {about['cores']} cores" + (f"; {versions}" if versions else "")


def sequence(words: Sequence[str]) -> str:
    """Words in a row, the last one after `and`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def number(value: float, score: str) -> str:
    """A score as a report writes it: accuracy in per cent, an error as `digits`."""
    return f"{100 * value:.1f} %" if score == "accuracy" else digits(value)


def decimals(*values: float) -> int:
    """With how many decimals figures in a unit of their own are written: two, or two digits of the largest."""
    most = max(map(abs, values))
    return 2 if most >= 0.1 or most == 0 else 1 - math.floor(math.log10(most))


def digits(value: float) -> str:
    """A figure in a unit of its own, by `decimals`."""
    return f"{value:.{decimals(value)}f}"


def interval(bounds: Sequence[float], score: str) -> str:
    """Both ends of an interval, the unit once."""
    low, high = (number(bound, score) for bound in bounds)
    return f"{low.removesuffix(' %')} to {high}"


def p_value(p: float) -> str:
    """A p-value with its sign: three digits where it is small, never as 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3g}" if p < 0.1 else f"p = {p:.2f}"


def deviation(value: float, check: str) -> str:
    """A parity check's deviation or bound: a number of floors for a gap, else a power of ten."""
    return f"{value:.1f}" if check == "free-running gap" else f"{value:.1e}"


def origin(record: dict[str, Any]) -> str:
    """In one phrase, what a provenance record says a reader must know wherever figures stand."""
    kind = "generated" if record["generated"] else "all of it" if record["complete"] else "an excerpt"
    title = record["title"]
    source = record.get("source")
    if title == f"The {source} problem":  # its file's name is no title
        title = NAMES.get(source, title)
    where = "own file" if record["origin"] == "own" else record["origin"]
    return f"{title} ({where}, {kind})"


def scale_of(task: dict[str, Any]) -> tuple[float, str]:
    """What differences of the score are multiplied by to be written, and their unit."""
    return (100, "points") if task["score"] == "accuracy" else (1, task["unit"])


def data(task: dict[str, Any]) -> str:
    """The data behind a task of the summary, for captions."""
    return "data: " + "; ".join(origin(record) for record in task["card"]["provenance"])
