"""A whole study of a reader's own data, with tiny parameters."""

import json
import math
import re
from datetime import date, timedelta
from html import unescape

from conftest import needs

pytestmark = needs("dvc", "mlflow", "optuna", "papermill", "torch", "tensorflow")


def test_a_study_of_the_readers_own_series_and_texts_speaks_of_these_alone(changed):
    """300 decimals of another unit, a week apart, and reviews of two other labels: through every stage to the pages."""
    days = [date(2015, 1, 5) + timedelta(weeks=week) for week in range(300)]
    flow = [f"{312.4 + 60 * math.sin(week * math.tau / 52) + 7 * math.sin(week**2):.2f}" for week in range(300)]
    table = "".join(f"{day};{value}\n" for day, value in zip(days, flow, strict=True))
    changed.write("data/own/river.csv", "week;flow\n" + table)
    words = ("crumb", "crust", "loaf", "bun", "rye", "salt", "seed", "oven")
    texts = [
        {"review": f"{words[n % 8]} {words[n // 8 % 8]} {words[n // 64]}, {('stale', 'fresh')[n % 2]} &amp; <b>{n}</b>"}
        | {"verdict": ("meh", "yum")[n % 2]}
        for n in range(400)
    ]
    changed.write("data/own/reviews.jsonl", "".join(json.dumps(row) + "\n" for row in texts))
    own = "tweets: {file: reviews.jsonl, text: review, label: verdict, title: Reviews of a bakery}, glove: embedded"
    own += ", airline: {file: river.csv, title: Flow of a river, unit: cubic metres, season: 52, test: '2019-11-01'}"
    changed.edit("params.yaml", "tweets: embedded, glove: embedded, airline: embedded", own)
    changed.edit("params.yaml", "look_back: 12, logarithm", "look_back: 26, logarithm")
    assert "adding" not in {name.partition("@")[2] for name in changed.repro()}

    found = {path.name: unescape(path.read_text()) for path in (changed.folder / "reports").glob("*.html")}
    pages = {name: re.sub(r"<svg.*?</svg>|[+-]?\d+[.]\d+", "", page, flags=re.S) for name, page in found.items()}
    assert len(pages) == 10
    for name, page in pages.items():
        for word in ("assenger", "Jenkins", "emoticon", "1949", "Sentiment140"):
            assert word not in page, f"{name}: {word}"
    page = pages["comparison.html"]
    for said in ("Flow of a river (own file, all of it)", "Reviews of a bakery (own file, all of it)", "cubic metres"):
        assert said in page
    assert "Beware:" in page  # few of the reviews' words have a vector
    assert "<b>7</b>" not in (changed.folder / "reports/comparison.html").read_text()
    assert "in the series from 2015-01-05 to 2020-09-28" in page.replace("Above, the", "in the")
    assert "seasonal naive" in page
    card = json.loads((changed.folder / "metrics/data/airline.json").read_text())
    assert (card["unit"], card["details"]["test"]) == ("cubic metres", ["2019-11-04", "2020-09-28"])
    assert card["provenance"][0]["rows"] == {"weeks": 300}
    texts = json.loads((changed.folder / "metrics/data/tweets.json").read_text())
    assert texts["parts"]["train"]["class_counts"].keys() == {"meh", "yum"}
    # Another file is noticed.
    changed.write("data/own/river.csv", "week;flow\n" + table.replace("312", "313", 1))
    assert "fetch@airline" in json.loads(changed.run("dvc", "status", "--json").stdout)
