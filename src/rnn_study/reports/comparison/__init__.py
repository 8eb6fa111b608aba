"""What the comparison of the cells and frameworks shows: figures in `plots`, tables in `tables`, sentences made from
the statistics in `findings`."""

from .findings import findings
from .plots import confusion_matrix, forecast, learning_curves, seed_scores
from .tables import equivalence_table, results_table, table, worst_tweets

__all__ = [
    "confusion_matrix",
    "equivalence_table",
    "findings",
    "forecast",
    "learning_curves",
    "results_table",
    "seed_scores",
    "table",
    "worst_tweets",
]
