"""What the sequence shapes are shown with, each kind one file: `prepare(raw, params)` gives a `Task` and what a reader
must know of it; `baselines(task)`, where there are any, what each test example counts for in rules that fit little."""

from rnn_study.config import Kind
from rnn_study.data.tasks import mnist_rows

from . import frames, language, menu, numbers, series, spelled, tweets_tutorial, vectors


def origins(prepare: Kind) -> tuple[str, ...]:
    """The sources that a system's data come from."""
    if prepare.kind in ("series", "language"):
        return (prepare.of,)
    return KINDS[prepare.kind].SOURCES


KINDS = {
    "digits": mnist_rows,
    "spelled": spelled,
    "series": series,
    "frames": frames,
    "numbers": numbers,
    "language": language,
    "menu": menu,
    "tweets_tutorial": tweets_tutorial,
    "vectors": vectors,
}
