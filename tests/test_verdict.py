"""What is said of a question, and how sure it is, against statsmodels, SciPy and simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from rnn_study.statistics import crossed, verdict
from rnn_study.statistics.crossed import Mean
from rnn_study.statistics.verdict import ALPHA, DECIDES, Case, judge


def case(value, error=1.0, smallest=5.0, expected=1, df=20.0, fresh=None, seeds=10, p=None):
    found = Mean(value, error, error if fresh is None else fresh, df, 10)
    return Case(found, found.p() if p is None else p, smallest, expected, seeds)


@pytest.mark.parametrize(
    ("value", "expected", "word"),
    [
        (9.0, 1, "holds"),
        (-9.0, -1, "holds"),
        (9.0, -1, "opposite"),
        (-9.0, 1, "opposite"),
        (0.1, 1, "no difference that matters"),
        (-0.1, 1, "no difference that matters"),
        (2.9, 1, "open"),
        (-2.9, -1, "open"),
    ],
)
def test_what_is_said(value, expected, word):
    assert judge([case(value, expected=expected)])[0].verdict == word


def test_a_difference_that_is_there_but_does_not_matter():
    """Surely not 0, and surely smaller than what matters: the latter is said."""
    assert judge([case(1.0, error=0.1)])[0].verdict == "no difference that matters"
    assert judge([case(4.9, error=0.1)])[0].verdict == "holds"


def test_the_bound_is_half_a_per_cent_after_correction():
    one = case(0.0, p=ALPHA * 0.99, smallest=0.001)._replace(found=Mean(9.0, 1.0, 1.0, 20.0, 10))
    assert judge([one])[0].verdict == "holds"
    assert judge([one._replace(p=ALPHA)])[0].verdict == "open"
    assert judge([one, one._replace(p=0.9)])[0].verdict == "open"  # a second question doubles it


def test_fewer_seeds_than_it_takes_decide_nothing():
    assert judge([case(9.0, seeds=7)])[0].verdict == "open"
    assert judge([case(9.0, seeds=8)])[0].verdict == "holds"
    # 6 against 6 cannot reach the bound by permutation, in a family of eight 8 against 8 can
    assert 2 / 924 * 8 > ALPHA > 2 / 12870 * 8


def test_the_correction_is_holms():
    rng = np.random.default_rng(0)
    for p in (rng.random(5) ** 4, [0.01, 0.04, 0.03, 0.005], [0.02, 0.02], [0.9, 0.8], [0.3]):
        adjusted, by = verdict.holm(p)
        np.testing.assert_allclose(adjusted, multipletests(p, method="holm")[1], rtol=1e-12)
        assert sorted(by) == list(range(1, len(p) + 1))
        assert np.argmax(by) == np.argmin(p)


def test_a_question_counts_once_with_the_smaller_p_of_its_two_tests():
    family = [case(9.0), case(0.1), case(2.9)]
    smaller = [min(one.p, verdict.equivalence(one.found, one.smallest)) for one in family]
    found = judge(family)
    assert [one.p for one in found] == pytest.approx(smaller)
    assert [one.p_adjusted for one in found] == pytest.approx(multipletests(smaller, method="holm")[1].tolist())


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.3, 2.0])
def test_equivalence_is_schuirmanns(shift):
    x = np.random.default_rng(0).normal(shift, 0.5, 10)
    expected = ttost_paired(x, np.zeros(10), -0.8, 0.8)[0]
    assert verdict.equivalence(crossed.over_seeds(x), 0.8) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("shift", "p"), [(0.0, 2**-10), (0.5, 2**-10), (-0.5, 2**-10), (-2.0, 1.0), (1.0, 1.0)])
def test_equivalence_without_spread(shift, p):
    assert verdict.equivalence(Mean(shift, 0.0, 0.0, 9.0, 10), 1.0) == p


def test_a_small_spread_is_one():
    """A ten-thousandth of a margin of a thousandth: Student's, not the signs'."""
    assert verdict.equivalence(Mean(0.0, 1e-7, 1e-7, 9.0, 10), 1e-3) == pytest.approx(stats.t.sf(1e4, 9))


def test_power_is_that_of_the_t_test():
    x = np.random.default_rng(1).normal(0, 2.0, 12)
    found, smallest = crossed.over_seeds(x), 1.1
    expected = TTestPower().power(smallest / x.std(ddof=1), 12, ALPHA, alternative="two-sided")
    assert verdict.power(found, smallest, ALPHA) == pytest.approx(expected, abs=1e-6)
    expected = TTestPower().power(smallest / x.std(ddof=1), 30, ALPHA, alternative="two-sided")
    assert verdict.power(found, smallest, ALPHA, rows=30) == pytest.approx(expected, abs=0.01)


def test_seeds_needed_are_those_of_the_t_test():
    x = np.random.default_rng(1).normal(0, 2.0, 12)
    needed = TTestPower().solve_power(2.0 / x.std(ddof=1), alpha=ALPHA, power=0.8, alternative="two-sided")
    assert verdict.seeds_needed(crossed.over_seeds(x), 2.0, ALPHA) == pytest.approx(needed, abs=2)
    more = TTestPower().solve_power(0.8 / x.std(ddof=1), alpha=ALPHA, power=0.8, alternative="two-sided")
    assert more > 2 * len(x)  # beyond what there is
    assert verdict.seeds_needed(crossed.over_seeds(x), 0.8, ALPHA) == pytest.approx(more, abs=2)
    assert verdict.seeds_needed(crossed.over_seeds(x), 200.0, ALPHA) == DECIDES
    assert verdict.seeds_needed(Mean(0.0, 0.0, 0.0, 9.0, 10), 1.0, ALPHA) == DECIDES


def test_no_number_of_seeds_makes_up_for_too_few_examples():
    found = Mean(0.0, 1.0, 0.5, 40.0, 10)  # of a variance of 1 the examples have 0.75
    assert verdict.power(found, 3.0, ALPHA, rows=10**6) == pytest.approx(
        stats.norm.cdf(3 / np.sqrt(0.75) - stats.norm.ppf(1 - ALPHA / 2)), abs=1e-3
    )
    assert verdict.seeds_needed(found, 3.0, ALPHA) is None


def test_power_with_other_seeds_by_hand():
    """Of a variance of 4 the seeds redraw 1. With twice the seeds that is one half, and 3 stay; there are twice the
    degrees of freedom, and never fewer than the seeds give."""
    for df, doubled in ((40.0, 80.0), (5.0, 19.0)):
        found = Mean(0.0, 2.0, 1.0, df, 10)
        bound = stats.t.ppf(1 - ALPHA / 2, doubled)
        expected = stats.nct.sf(bound, doubled, 6.0 / np.sqrt(0.5 + 3))
        assert verdict.power(found, 6.0, ALPHA, rows=20) == pytest.approx(expected, rel=1e-12)
    assert verdict.power(Mean(0.0, 0.0, 0.0, 9.0, 10), 1.0, ALPHA) == 1


@pytest.mark.parametrize("smallest", [0.9, 1.3, 1.7, 2.4, 5.0])
def test_the_seeds_needed_are_the_fewest(smallest):
    found = crossed.over_seeds(np.random.default_rng(1).normal(0, 2.0, 12))
    enough = [n for n in range(DECIDES, 1001) if verdict.power(found, smallest, ALPHA, n) >= verdict.POWER]
    assert verdict.seeds_needed(found, smallest, ALPHA) == enough[0]
    assert type(verdict.seeds_needed(found, smallest, ALPHA)) is int


def test_seeds_that_share_a_search_are_counted_as_seeds():
    """Nine seeds of three searches are three rows: so many rows as are needed, three seeds each."""
    found = crossed.over_seeds(np.random.default_rng(1).normal(0, 2.0, 3))
    (verdict_of,) = judge([Case(found, found.p(), 4.0, 1, 9)])
    rows = next(n for n in range(3, 334) if verdict.power(found, 4.0, ALPHA, n) >= verdict.POWER)
    assert rows > 3
    assert verdict_of.needs == 3 * rows
    assert verdict.seeds_needed(found, 200.0, ALPHA, 3) == 9  # the fewest of threes that decide


@pytest.mark.parametrize("value", [0.0, 1.5, -2.5])
def test_where_nothing_can_be_called_equal_a_rerun_differs_by_finding_something(value):
    """Nearer than 1 nothing matters, and the error is 1: no data show that. What is open stays so unless a difference
    is found, either way."""
    one = case(value, smallest=1.0)
    apart, spread = stats.t.ppf(1 - ALPHA / 2, 20), np.sqrt(2)
    found = stats.t.sf((apart - value) / spread, 9) + stats.t.cdf((-apart - value) / spread, 9)
    assert verdict.otherwise(one, "open", ALPHA) == pytest.approx(found, rel=1e-9)
    assert verdict.otherwise(one, "no difference that matters", ALPHA) == 1


@pytest.mark.parametrize("more", [0.2, 0.9])
def test_where_little_can_be_called_equal(more):
    """0.2 or 0.9 beyond what the error hides."""
    near = stats.t.ppf(1 - ALPHA, 20)
    one = case(0.0, smallest=near + more)
    within = stats.t.cdf(more / np.sqrt(2), 9) - stats.t.cdf(-more / np.sqrt(2), 9)
    assert verdict.otherwise(one, "no difference that matters", ALPHA) == pytest.approx(1 - within, rel=1e-9)


@pytest.mark.parametrize(("p", "again"), [(0.05, 0.50), (0.01, 0.66)])
def test_the_chance_of_another_verdict_as_published(p, again):
    """Goodman 1992, table 1: the chance that a repetition reaches p < 0.05 the same way, the truth unknown before."""
    z = stats.norm.ppf(1 - p / 2)
    one = Case(Mean(z, 1.0, 1.0, 1e9, 10**9), p, 1e-6, 1, 10)
    assert 1 - verdict.otherwise(one, "holds", 0.05) == pytest.approx(again, abs=0.01)


@pytest.mark.parametrize("value", [9.0, 4.4, 2.9, 0.3, -3.6, -9.0])
@pytest.mark.parametrize(("expected", "error"), [(1, 1.0), (-1, 1.0), (1, 0.4)])
def test_the_chance_of_another_verdict_is_what_repetitions_give(value, expected, error, monkeypatch):
    """Of a question on its own: verdicts on repetitions that differ by what fresh seeds redraw, in both of the two."""
    monkeypatch.setattr(verdict, "seeds_needed", lambda *_: None)  # not looked at here, and slow
    fresh = 0.6 * error
    found = judge([case(value, error, expected=expected, fresh=fresh)])[0]
    values = value + np.sqrt(2) * fresh * np.random.default_rng(0).standard_t(9, 2000)
    words = [judge([case(one, error, expected=expected, fresh=fresh)])[0].verdict for one in values]
    assert found.otherwise == pytest.approx(np.mean([word != found.verdict for word in words]), abs=0.035)


def test_seeds_that_all_agree_would_say_it_again():
    assert judge([case(9.0, error=0.5, fresh=0.0)])[0].otherwise == 0
    assert judge([case(2.9, fresh=0.0)])[0].otherwise == 0


def test_a_family_is_what_is_asked():
    """Judged alone or beside seven that say nothing, only the level changes; what is not asked is not there."""
    alone, beside = judge([case(9.0)])[0], judge([case(9.0), *[case(2.5, p=0.5)] * 7])[0]
    assert beside.p == alone.p
    assert beside.p_adjusted == pytest.approx(8 * alone.p_adjusted)
    assert beside.otherwise > alone.otherwise
    assert beside.otherwise == verdict.otherwise(case(9.0), "holds", ALPHA / 8)
    assert beside.power < alone.power
    assert judge([]) == []


def test_repetitions_are_as_wide_as_the_seeds_are_few():
    """Of two rows Student's distribution is Cauchy's."""
    one = Case(Mean(4.0, 1.0, np.sqrt(0.5), 1e9, 2), 1e-4, 1e-6, 1, 8)
    z = stats.norm.ppf(1 - ALPHA / 2)
    assert verdict.otherwise(one, "holds", ALPHA) == pytest.approx(stats.cauchy.cdf(z - 4.0), rel=1e-6)


def test_that_a_difference_does_not_matter_is_corrected_too():
    smallest = 6.0 + stats.norm.ppf(1 - 0.004)
    one = Case(Mean(6.0, 1.0, 1.0, 1e9, 10), 1e-9, smallest, 1, 10)
    assert verdict.equivalence(one.found, smallest) == pytest.approx(0.004)
    assert judge([one])[0].verdict == "no difference that matters"
    assert judge([one, case(2.9, p=0.9)])[0].verdict == "holds"  # 0.008 is too much for the former
