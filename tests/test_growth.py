"""The benchmark of growth: one size at a time, slopes as by hand, and committed rows that keep what is promised."""

import json

import growth
import pytest
import speed

from rnn_study.model.backend import BACKENDS

BASE = speed.Case("lstm", 32, (3200, 14, 28), 10, 128, 4)


@pytest.mark.parametrize(
    ("what", "case", "seeds"),
    [
        ("seeds", BASE, 32),
        ("length", BASE._replace(shape=(3200, 112, 28)), 4),
        ("examples", BASE._replace(shape=(25600, 14, 28)), 4),
        ("units", BASE._replace(units=256), 4),
    ],
)
def test_one_size_alone_grows(what, case, seeds):
    assert growth.sized(what, 8, BASE, 4) == (case, seeds)
    assert growth.size(what, case, seeds) == 8 * growth.size(what, BASE, 4)


def test_slopes_are_those_by_hand():
    assert growth.slope([1, 2, 4], [3.0, 6.0, 12.0]) == pytest.approx(1)
    assert growth.slope([10, 20, 40, 80], [5.0, 20.0, 80.0, 320.0]) == pytest.approx(2)
    assert growth.slope([1, 10], [7.0, 7.0]) == pytest.approx(0)


def test_rows_hold_the_fewest_seconds_of_the_rounds(monkeypatch, tmp_path):
    """Seconds made up: in one framework in proportion to the seeds, else the same; the first round is slow."""
    monkeypatch.chdir(tmp_path)
    calls = []

    def ours(backend, case, seeds, data):
        calls.append((backend, case, seeds))
        slow = 5.0 if len(calls) <= 4 else 1.0  # two sizes in two frameworks
        return seeds / (slow * (seeds if backend == "pytorch" else 2.0))

    monkeypatch.setattr(speed, "ours", ours)
    small = speed.Case("lstm", 2, (8, 2, 3), 10, 4, 1)
    rows = {(row["name"], row["framework"]): row for row in growth.rows(2, (1, 2), small, 3)}
    assert len(rows) == 4 * len(BACKENDS)
    assert rows["seeds", "pytorch"] == {
        "name": "seeds",
        "framework": "pytorch",
        "slope": 1.0,
        "sizes": [3, 6],
        "seconds": [3.0, 6.0],
    }
    assert rows["seeds", "tensorflow"]["seconds"] == [2.0, 2.0]
    assert rows["length", "pytorch"]["sizes"] == [2, 4]
    assert rows["length", "pytorch"]["slope"] == 0


def test_the_committed_costs_grow_at_most_linearly():
    found = {(row["name"], row["framework"]): row for row in json.loads(growth.RESULT.read_text())["rows"]}
    for what in ("seeds", "length", "examples"):
        for backend in BACKENDS:
            row = found[what, backend]
            assert row["sizes"] == [size * row["sizes"][0] for size in (1, 2, 4, 8)]
            assert row["slope"] == pytest.approx(growth.slope(row["sizes"], row["seconds"]), abs=0.01)
            assert row["slope"] <= 1.05  # the last digits of a clock
