"""The 25 systems of the tutorials: of each the claim, the figure that this study found, and what that says.

A verdict follows from the figure by the rule that its function states; none is written by hand. The study's own
questions (`verdicts/`) are the only ones that are corrected for their number; what is compared here besides is
exploratory and says what was found in these runs.
"""

from collections.abc import Callable

from rnn_study.behaviour.shapes.evidence import Evidence, Row

from . import alone, elsewhere, exact, scored
from .found import Found

# number: what it is, what is claimed of it, where the tutorials say it, and the figure.
SYSTEMS: dict[int, tuple[str, str, Callable[[Evidence], Found]]] = {
    1: ("Two steps of an RNN by hand", "equals the library's cell, unrolled", exact.two_steps),
    2: ("Static and dynamic unrolling", "same outputs; the static graph grows with the steps", exact.unrolling),
    3: ("Input of variable length", "padding changes nothing", exact.unequal_lengths),
    4: ("Output of variable length", "an end token ends it", alone.written_lengths),
    5: ("MNIST by rows, 150 units", "98 %", elsewhere.rows_150),
    6: ("MNIST by rows, LSTM(30), RMSprop", "what that code reaches", scored.rows_30),
    7: ("A series, sequence to sequence, then alone", "it continues the series", alone.shifted),
    8: ("A series, LSTM(4), look-back 1", "test RMSE 47.53", scored.airline_tutorial),
    9: ("Deep RNN, layers of different kinds", "one final state a layer", scored.deep),
    10: ("Stable gradients, each remedy alone", "each helps", elsewhere.stable),
    11: ("LSTM, forget bias 1", "prevents forgetting everything at the start", elsewhere.forget_bias),
    12: ("GRU", "simpler and easier to train", elsewhere.gru_easier),
    13: ("Word embeddings", "similar words end up close", alone.embeddings),
    14: ("Translation, encoder and decoder", "it translates", scored.translation),
    15: ("Tweets, as one tutorial codes it", "it classifies", scored.tweets),
    16: ("“hello”, four letters", "matches the calculation by hand", exact.hello),
    17: (
        "Back-propagation through time",
        "the corrected sum is the gradient, the printed ones are not",
        exact.through_time,
    ),
    18: ("Vanishing gradients", "the error vanishes over a sentence", elsewhere.vanishing),
    19: ("Language model", "it writes by feeding its prediction back", alone.language),
    20: ("The roommate's menu", "a plain RNN cannot remember 60 courses", alone.roommate),
    21: ("The five shapes", "each runs through the same network", elsewhere.five_shapes),
    22: ("Feed-forward window of 5", "limits of a fixed window", scored.window),
    23: ("Stacked LSTMs", "great when stacked into a deep configuration", scored.stacked),
    24: ("Attention", "a decoder that looks back translates better", scored.attention),
    25: ("Word order", "shuffled words make no sense", alone.word_order),
}


def table(evidence: Evidence) -> list[Row]:
    """A row for every system."""
    return [
        {"number": number, "system": system, "claim": claim, **figure(evidence)._asdict()}
        for number, (system, claim, figure) in SYSTEMS.items()
    ]
