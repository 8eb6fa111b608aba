"""The words of the field that a page uses, explained once and linked where a page first meets them."""

import re
from html import escape

TERMS = {
    "vanilla RNN": "The simplest cell: its state is tanh of a sum of its input and its last state (Elman 1990).",
    "LSTM": "Long short-term memory: a second state that gates write, forget and read (Hochreiter & Schmidhuber 1997).",
    "GRU": "Gated recurrent unit: one state and two gates, which reset and update it (Cho et al. 2014).",
    "gate": "A number between 0 and 1 for each unit and step that lets something through.",
    "forget bias": "What the forget gate's sum starts with; 1 keeps most of the memory from the first update on.",
    "seed": "The number that all randomness of a run comes from: first weights, order of the examples, dropout.",
    "95 % interval": "In 95 of 100 such studies it would hold the true value; over seeds, of scores over examples too.",
    "baseline": "A simple rule that a trained network has to beat, such as the last value once more.",
    "persistence": "The baseline that says: what comes next is what was last.",
    "seasonal naive": "The baseline that says: what comes is what was a season ago, a month as the same one last year.",
    "gradient": "How the loss changes with each weight; training follows it downwards.",
    "back-propagation through time": "The gradient of a recurrent network, carried backwards from step to step.",
    "vanished": "Said of an error that has become too small to learn from on its way back; here less than 1 % arrives.",
    "clipping": "Scaling a gradient down to a largest norm, so that one step cannot ruin the weights.",
    "clipped": "Scaled down to the largest norm that is allowed.",
    "Jacobian": "The matrix of derivatives of one state by an earlier one.",
    "singular value": "By how much a matrix stretches one of its main directions.",
    "Lyapunov exponent": "The rate, in nats a step, at which nearby states part (above zero) or meet (below).",
    "update": "One step of the optimiser, on one batch of examples.",
    "epoch": "One pass over the training examples.",
    "validation part": "Examples that choose settings and the best epoch, and are neither trained on nor scored.",
    "test part": "Examples that are scored once, and never used to choose anything.",
    "accuracy": "The share of answers that are right.",
    "RMSE": "Root mean squared error, in the unit of what is forecast.",
    "censored": "Said of a run that had not solved its problem when its updates were spent: it needs more than these.",
    "frontier": "The length that half of the seeds solve.",
    "exploratory": "Looked at without having been asked for beforehand: an estimate, no verdict.",
    "equivalent": "Shown to differ by less than a margin that was set beforehand; more than “no difference found”.",
    "oracle": "The network written in NumPy, with derivatives by hand, that both frameworks are held against.",
    "attention": "A look back at all that was read, weighted anew for each word that is written.",
    "decoder": "The part of a network that writes an answer, each word read again before the next.",
    "exact match": "An answer counts only if every token of it is right.",
    "perplexity": "Among how many equally likely symbols a language model is as unsure; 2 to the power of its bits.",
    "AUC": "Of two, one that will succeed and one that will not, how often a number tells which; 0.5 is chance.",
    "reservoir": "A recurrent network whose recurrent layers stay as they start; only what reads them learns.",
    "time constant": "In how many steps what a unit holds falls to 1/e.",
    "condition number": "By how much more a matrix stretches its main direction than its smallest one.",
    "TF-IDF": "Word counts, weighted up where a word is rare; who reads them sees no order.",
}
_SKIPPED = ("a", "code", "pre", "svg", "h1", "h2", "h3", "summary", "th", "nav", "style", "script")


def anchor(term: str) -> str:
    """The id of a term on the page of all of them."""
    return re.sub(r"\W+", "-", term.lower()).strip("-")


def body() -> str:
    """All terms, as HTML."""
    told = "".join(
        f'<dt id="{anchor(term)}">{escape(term)}</dt><dd>{escape(told)}</dd>'
        for term, told in sorted(TERMS.items(), key=lambda item: item[0].lower())
    )
    return f"<h1>Glossary</h1><dl>{told}</dl>"


def linked(body: str) -> str:
    """`body`, HTML, with each term linked where it first stands in running text."""
    left, skipping, pieces = dict(TERMS), [], []
    for piece in re.split(r"(<[^>]+>)", body):
        tag = re.match(r"<(/?)(\w+)", piece)
        if tag and tag[2] in _SKIPPED:
            if tag[1]:
                skipping = skipping[:-1]
            elif not piece.endswith("/>"):
                skipping = [*skipping, tag[2]]
        elif not tag and not skipping and left and piece.strip():
            piece = _link(piece, left)
        pieces.append(piece)
    return "".join(pieces)


def _link(text: str, left: dict[str, str]) -> str:
    """`text` with the terms that are `left` linked, which are then no longer left."""
    words = "|".join(sorted((re.escape(escape(term)) for term in left), key=len, reverse=True))

    def link(found: re.Match) -> str:
        term = next((term for term in left if escape(term).lower() == found[1].lower()), None)
        if term is None:  # linked a moment ago
            return found[0]
        told = left.pop(term)
        return f'<a class="term" href="glossary.html#{anchor(term)}" title="{escape(told)}">{found[1]}</a>{found[2]}'

    return re.sub(rf"(?<![\w/-])({words})(s?)(?![\w/-])", link, text, flags=re.IGNORECASE)
