"""How reports write names and numbers."""

NAMES = {
    "mnist_rows": "Images by rows",
    "tweets": "Tweets",
    "airline": "Airline passengers",
    "vanilla": "vanilla RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "test": "test part",
    "hand_labelled": "hand-labelled tweets",
}


def label(name: str) -> str:
    """How a report writes a cell, a framework, a task or a part."""
    return NAMES.get(name, name)


def number(value: float, score: str) -> str:
    """A score as a report writes it: accuracy in per cent, an error with two decimals."""
    return f"{100 * value:.1f} %" if score == "accuracy" else f"{value:.2f}"
