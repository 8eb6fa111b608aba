"""Yearly mean sunspot numbers, 1700 to 2008, from the installed package statsmodels."""

import csv
from importlib.resources import files

import numpy as np

ABOUT = {
    "source": "sunspots",
    "title": "Yearly mean sunspot numbers",
    "origin": "embedded",
    "note": "309 years, 1700 to 2008, as the package statsmodels brings them",
    "licence": "public domain",
    "citation": "National Geophysical Data Center",
    "rows": {"years": 309},
    "files": [],
    "complete": True,
    "generated": False,
}


def read() -> tuple[list[str], np.ndarray]:
    """The years, "1700" first, and their means (309,) float64."""
    text = files("statsmodels").joinpath("datasets/sunspots/sunspots.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return [row["YEAR"] for row in rows], np.array([float(row["SUNACTIVITY"]) for row in rows])
