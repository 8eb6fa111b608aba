"""What is a calculation: held against the oracle, which it equals or not."""

from rnn_study.behaviour.parity.checks import BOUNDS
from rnn_study.behaviour.shapes.evidence import Evidence, Row

from .found import NOT_RUN, Found


def _exact(rows: list[Row], note: str = "") -> Found:
    """The worst deviation from the oracle of some parity checks: exact where every one is within its bound."""
    if not rows:
        return Found(NOT_RUN)
    worst = max(row["deviation"] for row in rows)
    within = all(row["deviation"] <= row["bound"] for row in rows)
    return Found("exact" if within else "not exact", worst, None, "deviation", None, note or f"{len(rows)} checks")


def _worked(evidence: Evidence, case: str) -> Found:
    return _exact([r for r in evidence.parity if r["check"] == "worked case" and r["case"].startswith(case)])


def two_steps(evidence: Evidence) -> Found:
    return _worked(evidence, "two steps by hand")


def unrolling(evidence: Evidence) -> Found:
    """Values are the same within rounding; the figure is how much larger the static graph of the longest sequence is
    than that of the shortest, per step."""
    static = [r for r in evidence.unrolling if r["framework"] == "tensorflow" and r["way"] == "static"]
    dynamic = [r for r in evidence.unrolling if r["framework"] == "tensorflow" and r["way"] == "dynamic"]
    same = all(r["deviation"] <= BOUNDS["float64"]["forward"] for r in evidence.unrolling)
    first, last = (sorted(static, key=lambda r: r["steps"])[place] for place in (0, -1))
    each = (last["nodes"] - first["nodes"]) / (last["steps"] - first["steps"])
    grows = each > 0 and len({r["nodes"] for r in dynamic}) == 1
    return Found(
        "holds" if same and grows else "does not hold",
        each,
        None,
        "nodes a step",
        None,
        f"from {first['steps']} to {last['steps']} steps its build takes {last['build_growth']:.0f} times as long and "
        f"{last['memory_mib'] - first['memory_mib']:.0f} MiB more; the dynamic one has {dynamic[0]['nodes']} nodes at "
        f"every length. What the claim leaves out: a call of the static one takes {last['step_ratio']:.2f} of native's",
    )


def unequal_lengths(evidence: Evidence) -> Found:
    checks = ("forward", "final states", "gradients")
    return _exact([r for r in evidence.parity if r["check"] in checks and "unequal lengths" in r["case"]])


def hello(evidence: Evidence) -> Found:
    return _worked(evidence, "hello")


def through_time(evidence: Evidence) -> Found:
    """The corrected formula equals automatic differentiation, the printed ones do not."""
    worked = evidence.worked["bptt"]["deviations"]
    wrong = {name: value for name, value in worked.items() if name != "corrected"}
    right = worked["corrected"] <= BOUNDS["float64"]["gradients"]
    verdict = "holds" if right and min(wrong.values()) > 0.01 else "does not hold"
    note = "; ".join(f"{name}: off by {100 * value:.0f} %" for name, value in wrong.items())
    return Found(verdict, worked["corrected"], None, "deviation", None, f"the corrected formula; {note}")
