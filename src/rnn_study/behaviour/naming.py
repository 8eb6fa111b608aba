"""How a cell with one thing changed is called."""

from rnn_study.model.cells import CELLS


def changed(cell: str, change: str) -> str:
    """A cell and what an ablation of params.yaml is called: vanilla RNN (IRNN unclipped), LSTM (forget bias 0); a
    variant with attention."""
    if change == "attention":
        return f"{CELLS[cell].label} with attention"
    words = change.replace("_", "-").replace("irnn", "IRNN").replace("forget-", "forget bias ").replace("-", " ")
    return f"{CELLS[cell].label} ({words})"
