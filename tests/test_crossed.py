"""Means over seeds and test examples, against statsmodels, SciPy and hand calculation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from rnn_study.statistics import crossed


def table(seeds=6, examples=9, of_seeds=1.0, of_examples=1.0, rest=0.5, seed=0):
    rng = np.random.default_rng(seed)
    a, b = of_seeds * rng.normal(size=(seeds, 1)), of_examples * rng.normal(size=examples)
    return 3 + a + b + rest * rng.normal(size=(seeds, examples))


def long(x):
    seeds, examples = np.indices(x.shape)
    return pd.DataFrame({"y": x.ravel(), "s": seeds.ravel(), "n": examples.ravel(), "one": 1})


def test_the_variance_is_that_of_a_two_way_analysis():
    x = table()
    squares = anova_lm(smf.ols("y ~ C(s) + C(n)", long(x)).fit())["mean_sq"]
    ms_s, ms_n, ms_e = squares["C(s)"], squares["C(n)"], squares["Residual"]
    found = crossed.mean(x)
    assert found.value == pytest.approx(x.mean(), rel=1e-12)
    assert found.error**2 == pytest.approx((ms_s + ms_n - ms_e) / x.size, rel=1e-9)
    assert found.fresh**2 == pytest.approx(ms_s / x.size, rel=1e-9)
    assert found.fresh**2 == pytest.approx(x.mean(axis=1).var(ddof=1) / len(x), rel=1e-9)
    # Satterthwaite: the seeds' part over what examples add to it, each with its own degrees of freedom
    expected = (ms_s + ms_n - ms_e) ** 2 / (ms_s**2 / 5 + ms_n**2 / 8)
    assert found.df == pytest.approx(expected, rel=1e-9)
    assert found.rows == 6


def test_the_error_is_that_of_a_mixed_model():
    """Crossed random effects by restricted likelihood: in a balanced table the same, where no variance is 0."""
    x = table(8, 12)
    parts = {"s": "0 + C(s)", "n": "0 + C(n)"}
    model = smf.mixedlm("y ~ 1", long(x), groups="one", vc_formula=parts).fit(reml=True)
    assert crossed.mean(x).error == pytest.approx(float(model.bse["Intercept"]), rel=1e-3)


def test_by_hand():
    # means of rows 2, 4, of columns 1, 3, 5; mean squares: seeds 3 * 2, examples 2 * 4, rest (1 + 0 + 1) * 2 / 2
    x = np.array([[1.0, 2.0, 3.0], [1.0, 4.0, 7.0]])
    found = crossed.mean(x)
    assert found.value == 3
    assert found.error**2 == pytest.approx((6 + 8 - 2) / 6)
    assert found.fresh**2 == pytest.approx(6 / 6)
    assert found.df == pytest.approx(12**2 / (6**2 / 1 + 8**2 / 2))


@pytest.mark.parametrize(("axis", "df"), [(0, 9), (1, 5)])
def test_no_variance_counts_as_less_than_none(axis, df):
    """Seeds that agree more than chance leave the examples' spread; examples that do leave the seeds'."""
    one = np.random.default_rng(1).normal(size=10 if axis == 0 else 6)
    x = np.broadcast_to(one if axis == 0 else one[:, None], (6, 10)).astype(float)
    found = crossed.mean(x)
    assert found.error == pytest.approx(one.std(ddof=1) / np.sqrt(len(one)), rel=1e-9)
    assert found.df == pytest.approx(df)
    assert found.fresh == pytest.approx(0 if axis == 0 else found.error, abs=1e-12)


def test_examples_that_differ_less_than_the_rest_do_not_narrow_an_interval():
    x = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]) + np.array([[0.0], [3.0]])
    found = crossed.mean(x)  # the columns' means are equal: their mean square is 0, that of the rest 2
    ms_s, ms_e = 3 * 4.5, 2.0
    assert found.error**2 == pytest.approx((ms_s - ms_e + ms_e) / 6)


def test_seeds_that_differ_less_than_the_rest_do_not_narrow_an_interval():
    x = np.array([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]) + np.array([0.0, 3.0])
    found = crossed.mean(x)  # the rows' means are equal
    assert found.error**2 == pytest.approx(3 * 4.5 / 6)
    assert found.df == 1
    # nor do months whose means are equal
    level = np.array([[1.0, -1.0], [-1.0, 1.0]]).repeat(10, axis=1)
    assert crossed.mean(level, ordered=True).error ** 2 == pytest.approx((40 / 19) / 40)


def test_more_seeds_never_make_a_score_surer_than_its_test_part_allows():
    errors = [crossed.mean(table(n, 20, of_seeds=0.3, of_examples=1, seed=3)).error for n in (3, 30, 1000)]
    assert errors[1] > errors[2] > 0.8 / np.sqrt(20)


def test_scores_beyond_all_squares_stay_numbers():
    x = table() * 1e100
    assert crossed.mean(x).error == pytest.approx(1e100 * crossed.mean(table()).error, rel=1e-9)
    assert crossed.mean(x).df == pytest.approx(crossed.mean(table()).df, rel=1e-9)
    assert crossed.mean(np.zeros((3, 4))) == (0, 0, 0, 2, 3)


@pytest.mark.parametrize("seed", range(6))
def test_seeds_that_add_nothing_take_no_degrees_of_freedom(seed):
    """Of pure noise the mean square of seeds is as often below the rest's as above: then examples alone count."""
    x = np.random.default_rng(seed).normal(size=(5, 40))
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
    below = 40 * x.mean(axis=1).var(ddof=1) <= (rest**2).sum() / (4 * 39)
    found = crossed.mean(x)
    assert (found.df == pytest.approx(39)) == below
    assert found.df <= 39 + 1e-9


@pytest.mark.parametrize("n", [3, 10, 46, 64, 125, 200, 1000])  # of cubes the root is rounded down
def test_the_long_run_error_is_newey_wests_with_the_correction_of_harvey(n):
    rng = np.random.default_rng(n)
    x = np.zeros(n)
    for place in range(1, n):
        x[place] = 0.6 * x[place - 1] + rng.normal()
    horizon = next(lags for lags in range(n) if lags**3 > n)
    words = {"maxlags": horizon - 1, "use_correction": False}
    newey_west = sm.OLS(x, np.ones(n)).fit(cov_type="HAC", cov_kwds=words).bse[0]
    # Harvey, Leybourne & Newbold 1997, eq. 8, multiplies the statistic by the root of this
    harvey = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    assert crossed.long_run_error(x) == pytest.approx(newey_west / np.sqrt(harvey), rel=1e-9)


def test_months_that_depend_on_each_other_are_fewer_than_they_seem():
    rng = np.random.default_rng(0)
    months = np.cumsum(rng.normal(size=60))
    x = months + 0.01 * rng.normal(size=(5, 60))
    assert crossed.mean(x, ordered=True).error > 1.5 * crossed.mean(x).error
    ordered = crossed.mean(x, ordered=True)
    assert ordered.error == pytest.approx(crossed.long_run_error(x.mean(axis=0)), rel=1e-2)  # the seeds add nothing
    assert ordered.df == pytest.approx(59, rel=0.01)


def test_intervals_and_p_are_students():
    x = np.random.default_rng(2).normal(0.4, 1, 12)
    found, expected = crossed.over_seeds(x), stats.ttest_1samp(x, 0.0)
    assert found.p() == pytest.approx(expected.pvalue, rel=1e-9)
    assert crossed.over_seeds(-x).p() == pytest.approx(expected.pvalue, rel=1e-9)
    for level in (0.95, 0.99):
        bounds = expected.confidence_interval(level)
        assert found.interval(level) == pytest.approx((x.mean(), bounds.low, bounds.high), rel=1e-9)


@pytest.mark.parametrize(("shift", "p"), [(0.0, 1.0), (0.5, 2 / 2**8), (-0.5, 2 / 2**8)])
def test_without_spread_there_is_no_t_test(shift, p):
    assert crossed.over_seeds(np.full(8, shift)).p() == p


def test_the_difference_of_groups_is_welchs():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 1, 8), rng.normal(0, 3, 5)
    found, expected = crossed.between(a, b), stats.ttest_ind(a, b, equal_var=False)
    bounds = expected.confidence_interval()
    assert found.interval() == pytest.approx((a.mean() - b.mean(), bounds.low, bounds.high), rel=1e-9)
    assert found.p() == pytest.approx(expected.pvalue, rel=1e-9)
    assert (found.df, found.rows) == (pytest.approx(expected.df), 5)
    assert crossed.between(np.ones(4), np.zeros(3)) == (1, 0, 0, 5, 3)


def test_of_one_seed_the_examples_alone_are_drawn_anew():
    """Student's interval of the examples; nothing is said of seeds."""
    x = np.array([1.0, 0.0, 1.0, 1.0])  # mean 3/4, squares from it 3 (1/16) + 9/16 = 3/4, over 3: 1/4, over 4: 1/16
    found, bounds = crossed.of_one_seed(x), stats.ttest_1samp(x, 0).confidence_interval()
    assert found == (0.75, 0.25, 0.0, 3.0, 1)
    assert found.interval() == pytest.approx((0.75, *bounds), rel=1e-9)
    assert crossed.of_one_seed([2, 2, 2]) == (2.0, 0.0, 0.0, 2.0, 1)


def test_of_one_seed_months_depend_on_those_before():
    x = np.array([2.0, 2, 0, 0, 2, 2, 0, 0])  # mean 1; autocovariances 1, 1/8 and, of lag 2, -6/8, weighed by thirds
    variance = 1 + 2 * (2 / 3 * 1 / 8 + 1 / 3 * -6 / 8)
    harvey = (8 + 1 - 2 * 3 + 3 * 2 / 8) / 8
    found = crossed.of_one_seed(x, ordered=True)
    assert found == (1.0, pytest.approx(np.sqrt(variance / 8 / harvey), rel=1e-12), 0.0, 7.0, 1)
    alike = np.repeat([1.0, 0.0], 20)  # neighbours alike say less than as many alone
    assert crossed.of_one_seed(alike, ordered=True).error > 2 * crossed.of_one_seed(alike).error
