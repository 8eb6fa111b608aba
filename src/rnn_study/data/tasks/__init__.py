"""The tasks and the generated problems, each one file: raw data in, a `Task` and its data card out."""

from . import adding, agreement, airline, mnist_rows, tweets

TASKS = {
    "mnist_rows": mnist_rows,
    "tweets": tweets,
    "airline": airline,
    "adding": adding,
    "agreement": agreement,
}
