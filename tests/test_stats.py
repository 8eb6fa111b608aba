"""Statistics against SciPy, textbook numbers, hand calculations and a simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rnn_study.statistics import stats

T_3 = 3.182446305284263  # 97.5 % of Student's t with 3 degrees of freedom, from any table
T_2 = 0.95 * math.sqrt(2 / (1 - 0.95**2))  # the same with 2, which has a closed form


def draws(n, seed=0):
    return np.random.default_rng(seed).normal(0.8, 0.05, n)


@pytest.mark.parametrize("n", range(2, 15))
def test_the_value_is_the_trimmed_mean(n):
    assert stats.iqm(draws(n)).value == pytest.approx(scipy_stats.trim_mean(draws(n), 0.25), rel=1e-15)


def test_tukey_and_mclaughlin_by_hand():
    # Sorted 1 2 3 4 5 6 7 100: two off each end leave 3 4 5 6, mean 4.5. Winsorised 3 3 3 4 5 6 6 6: the sum of
    # squares about 4.5 is 6 * 1.5^2 + 2 * 0.5^2 = 14, over kept * (kept - 1) = 12.
    found = stats.iqm(np.array([100, 7, 1, 6, 2, 5, 3, 4]))
    half = T_3 * math.sqrt(14 / 12)
    assert found == pytest.approx((4.5, 4.5 - half, 4.5 + half), rel=1e-12)


def test_three_scores_have_the_plain_t_interval():
    # 1 2 6: mean 3, variance (4 + 1 + 9) / 2 = 7
    half = T_2 * math.sqrt(7 / 3)
    assert stats.iqm(np.array([6.0, 1.0, 2.0])) == pytest.approx((3, 3 - half, 3 + half), rel=1e-12)
    found = stats.iqm(draws(3), level=0.9)
    expected = scipy_stats.t.interval(0.9, 2, draws(3).mean(), scipy_stats.sem(draws(3)))
    assert found[1:] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [2, 8, 12])
def test_equal_scores_have_an_interval_without_width(n):
    assert stats.iqm(np.full(n, 0.75)) == (0.75, 0.75, 0.75)


@pytest.mark.parametrize("n", [3, 8])
def test_the_interval_covers_the_truth_as_often_as_it_says(n):
    samples = np.random.default_rng(n).normal(size=(2000, n))
    found = [stats.iqm(sample) for sample in samples]
    covered = np.mean([low <= 0 <= high for _, low, high in found])
    assert 0.93 <= covered <= 0.975


def test_from_ten_scores_the_interval_is_a_percentile_bootstrap():
    scores = np.random.default_rng(3).exponential(size=12)
    found = stats.iqm(scores)
    assert stats.iqm(scores) == found
    resampled = np.sort(np.random.default_rng(4).choice(scores, (20_000, 12)), axis=1)
    means = resampled[:, 3:9].mean(axis=1)
    # The two resamplings together have a standard error of 0.2 % at these shares.
    assert np.mean(means < found.low) == pytest.approx(0.025, abs=0.006)
    assert np.mean(means > found.high) == pytest.approx(0.025, abs=0.006)
    assert stats.iqm(scores[:9]).high - stats.iqm(scores[:9]).value == pytest.approx(
        stats.iqm(scores[:9]).value - stats.iqm(scores[:9]).low  # below ten: symmetric about the value
    )


def test_compare_is_the_paired_t_test():
    a, b = draws(8, seed=1), draws(8, seed=2) - 0.02
    found, expected = stats.compare(a, b), scipy_stats.ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert found.n == 8
    assert found.p == pytest.approx(expected.pvalue, rel=1e-12)
    assert found.difference == pytest.approx((np.mean(a - b), interval.low, interval.high), rel=1e-12)
    back = stats.compare(b, a)
    assert back.difference.value == pytest.approx(-found.difference.value)
    assert back.p == pytest.approx(found.p)
    assert back.probability_of_improvement == pytest.approx(1 - found.probability_of_improvement)


def test_compare_uses_the_pairs():
    a = np.arange(8.0)
    jitter = np.array([1, -1, 1, -1, 1, -1, 1, -1]) / 100
    found = stats.compare(a + 0.1 + jitter, a)
    assert found.p < 1e-5 < 0.5 < scipy_stats.ttest_ind(a + 0.1 + jitter, a).pvalue


@pytest.mark.parametrize(("shift", "p"), [(0.0, 1.0), (0.5, 2 / 2**8), (-0.5, 2 / 2**8)])
def test_a_constant_difference_has_no_spread(shift, p):
    """Without spread there is no t test; all eight signs alike have 2 chances in 2^8."""
    b = np.arange(8.0)
    found = stats.compare(b + shift, b)
    assert found.difference == (shift, shift, shift)
    assert found.p == p


def test_a_difference_that_is_constant_but_for_rounding_warns_of_nothing():
    correct = np.array([290, 301, 310, 322, 333, 340, 351, 355])
    found = stats.compare(correct / 360, (correct - 7) / 360)  # 7 images in each seed
    assert found.difference == pytest.approx((7 / 360,) * 3, rel=1e-9)
    assert found.p == scipy_stats.binomtest(0, 8).pvalue


def test_ties_in_the_middle_do_not_make_an_interval_of_no_width():
    found = stats.iqm(np.array([0.1, *[0.9] * 6, 0.99]))
    assert found.value == 0.9
    assert found.low < 0.9 < found.high


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (draws(8, 1), draws(8, 2)),
        (np.array([1, 1, 2, 3, 3]), np.array([1, 2, 2, 3])),
        (np.array([5, 6]), np.array([1, 2, 3])),
        (np.array([1, 1]), np.array([1, 1])),
    ],
)
def test_probability_of_improvement_is_mann_whitneys_u(a, b):
    expected = scipy_stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))
    assert stats.probability_of_improvement(a, b) == pytest.approx(expected, abs=1e-15)


def test_holm_by_a_worked_example():
    # 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, and 0.04 * 1 is raised to 0.06
    np.testing.assert_allclose(stats.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_holm_never_lowers_a_p_nor_changes_their_order():
    rng = np.random.default_rng(0)
    for m in (1, 2, 7):
        p = rng.random(m)
        adjusted = stats.holm(p)
        assert ((adjusted >= p) & (adjusted <= np.minimum(1, m * p + 1e-15))).all()
        assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    np.testing.assert_array_equal(stats.holm([0.9, 0.8]), [1, 1])
    np.testing.assert_array_equal(stats.holm([0.01, 0.01]), [0.02, 0.02])


def test_holm_bounds_the_error_of_the_family():
    p = np.random.default_rng(1).random((4000, 6))
    wrong = np.mean([(stats.holm(row) < 0.05).any() for row in p])
    assert wrong == pytest.approx(1 - (1 - 0.05 / 6) ** 6, abs=0.011)  # three standard errors


def pairs_of(differences):
    """Scores whose differences are these."""
    a = np.linspace(70, 80, len(differences))
    return a + differences, a


@pytest.mark.parametrize("shift", [-0.6, 0.0, 0.3, 2.0])
def test_equivalence_is_two_one_sided_t_tests(shift):
    differences = np.random.default_rng(0).normal(shift, 0.5, 10)
    found = stats.equivalence(*pairs_of(differences), margin=0.8)
    above = scipy_stats.ttest_1samp(differences, -0.8, alternative="greater").pvalue
    below = scipy_stats.ttest_1samp(differences, 0.8, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), rel=1e-9)
    interval = scipy_stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert found.interval == pytest.approx((differences.mean(), interval.low, interval.high), rel=1e-9)
    assert (found.p < 0.05) == (interval.low > -0.8 and interval.high < 0.8)
    assert found.n == 10


def test_equivalence_by_hand():
    # Differences -1 0 1 over 3 seeds: mean 0, error sqrt(1 / 3). Against a margin of sqrt(3): t = 3, two degrees of
    # freedom, whose distribution has a closed form: 1/2 - t / (2 sqrt(2 + t^2)).
    found = stats.equivalence(*pairs_of(np.array([-1.0, 0.0, 1.0])), margin=math.sqrt(3))
    assert found.p == pytest.approx(0.5 - 3 / (2 * math.sqrt(11)), rel=1e-9)


@pytest.mark.parametrize("margin", [0.3, 0.5, 0.8])
def test_the_power_of_equivalence_is_what_a_simulation_finds(margin):
    rng = np.random.default_rng(1)
    sample = rng.normal(0, 0.5, 10)
    sample = 0.5 * (sample - sample.mean()) / sample.std(ddof=1)  # its spread is the true one
    draws = rng.normal(0, 0.5, (20_000, 10))
    error = draws.std(axis=1, ddof=1) / math.sqrt(10)
    shown = np.abs(draws.mean(axis=1)) + scipy_stats.t.ppf(0.95, 9) * error < margin
    found = stats.equivalence(*pairs_of(sample), margin).power
    if margin > 0.3:
        assert found == pytest.approx(shown.mean(), abs=0.01)
    else:  # both tests are likely to fail at once: less is promised than there is
        assert shown.mean() - 0.15 < found < shown.mean()


@pytest.mark.parametrize(("shift", "p"), [(0.0, 2**-10), (0.5, 2**-10), (-2.0, 1.0)])
def test_equivalence_where_every_difference_is_the_same(shift, p):
    found = stats.equivalence(*pairs_of(np.full(10, shift)), margin=1.0)
    assert found.p == pytest.approx(p)
    assert found.interval == pytest.approx((shift,) * 3)


def test_wilson_by_hand():
    # 8 of 8: both bounds in closed form, n / (n + z^2) and 1
    z = scipy_stats.norm.ppf(0.975)
    assert stats.share(8, 8) == pytest.approx((1.0, 8 / (8 + z**2), 1.0), rel=1e-12)
    assert stats.share(0, 8) == pytest.approx((0.0, 0.0, z**2 / (8 + z**2)), abs=1e-12)
    # Newcombe 1998 (Statistics in Medicine 17, 857), table I: 81 of 263
    assert stats.share(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)


def test_the_difference_of_two_shares_as_published():
    # Newcombe 1998 (Statistics in Medicine 17, 873), table II, method 10: 56/70 against 48/80
    found = stats.compare_shares((56, 70), (48, 80))
    assert found.difference == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    # Fisher's tea: 3 of 4 against 1 of 4 has p 34/70, 4 of 4 against 0 of 4 has 2/70
    assert stats.compare_shares((3, 4), (1, 4)).p == pytest.approx(34 / 70)
    assert stats.compare_shares((4, 4), (0, 4)).p == pytest.approx(2 / 70)
