"""The problems of the study, each one file: raw data in, a `Task` and its data card out."""

from . import airline, mnist_rows, tweets

TASKS = {"mnist_rows": mnist_rows, "tweets": tweets, "airline": airline}
