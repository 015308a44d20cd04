"""Quantile functions against scipy's, bounds, and the texts of errors."""

import math
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scenefit.scenes.priors import (
    TAIL,
    Angle,
    Choice,
    Constant,
    Integer,
    Learned,
    Normal,
    Prior,
    Tabulated,
    Uniform,
    as_prior,
    check_learnable,
    learned,
    pick,
    wrap,
)

U = (np.arange(999) + 1) / 1000
ENDS = np.array([2.0**-53, 1e-12, 1e-7, 0.5, 1 - 1e-7, 1 - 2.0**-53])
number = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)
inner = st.floats(2.0**-53, 1 - 2.0**-53)


# Quantiles

@given(number, positive)
def test_uniform_is_scipys(low: float, width: float) -> None:
    np.testing.assert_allclose(Uniform(low, low + width).quantile(U), stats.uniform(low, width).ppf(U), rtol=1e-9,
                               atol=1e-9)


@given(number, number, inner)
def test_uniform_stays_in_bounds(a: float, b: float, u: float) -> None:
    if a != b:
        low, high = sorted((a, b))
        values = Uniform(low, high).quantile(np.append(ENDS, u))
        assert low <= values.min() and values.max() <= high


@given(number, positive)
def test_normal_is_scipys(mean: float, sd: float) -> None:
    np.testing.assert_allclose(Normal(mean, sd).quantile(U), stats.norm(mean, sd).ppf(U), rtol=1e-9, atol=1e-9 * sd)


@given(st.floats(-50, 50), positive, st.floats(-12, 12), st.floats(0.01, 10))
def test_truncated_normal_is_scipys(mean: float, sd: float, a: float, width: float) -> None:
    b = a + width
    mine = Normal(mean, sd, low=mean + a * sd, high=mean + b * sd).quantile(U)
    np.testing.assert_allclose((mine - mean) / sd, stats.truncnorm(a, b).ppf(U), atol=1e-6)


@pytest.mark.parametrize(("low", "high"),
                         [(5, math.inf), (6, 8), (-math.inf, -5), (-8, -6), (5, 5.001), (-1, math.inf)])
def test_normal_keeps_its_shape_far_from_its_mean(low: float, high: float) -> None:
    """Where the mass is tiny, above the mean as well as below it."""
    values = Normal(0, 1, low=low, high=high).quantile(U)
    np.testing.assert_allclose(values, stats.truncnorm(low, high).ppf(U), atol=1e-6)
    assert len(np.unique(values)) == len(U)


@given(number, positive, st.floats(-12, 12), st.floats(0.01, 10), inner)
def test_normal_stays_in_bounds(mean: float, sd: float, a: float, width: float, u: float) -> None:
    low = mean + a * sd
    high = low + width * sd
    assert low <= Normal(mean, sd, low=low, high=high).quantile(np.array(u)) <= high


def test_unbounded_normal_is_finite_up_to_the_ends() -> None:
    values = Normal(1, 2).quantile(ENDS)
    assert np.all(np.isfinite(values)) and values.min() - 1 == pytest.approx(1 - values.max())
    assert (values.max() - 1) / 2 == pytest.approx(-stats.norm.ppf(TAIL))


@given(st.floats(-720, 720), st.floats(0.1, 400))
def test_angle_is_a_wrapped_normal(mean: float, sd: float) -> None:
    away = np.asarray(Angle(mean, sd).quantile(U)) - stats.norm(mean, sd).ppf(U)
    np.testing.assert_allclose(away / 360, np.round(away / 360), atol=1e-9)


def test_angle_near_180_stays_together() -> None:
    """The released code split N(0 degrees) to both ends of its scale; as directions ours stay together."""
    for mean in (0, 180, -180, 90):
        turn = np.deg2rad(Angle(mean, 10).quantile(U))
        together = np.hypot(np.cos(turn).mean(), np.sin(turn).mean())
        assert together == pytest.approx(math.exp(-np.deg2rad(10)**2 / 2), rel=1e-3)


def test_angle_without_sd_fills_its_width() -> None:
    full = Angle(30).quantile(U)
    assert stats.kstest((np.sort(full) + 180) / 360, "uniform").statistic < 0.01
    np.testing.assert_allclose(np.sort(wrap(Angle(170, width=40).quantile(U) - 170)), -20 + 40 * U, atol=1e-9)


@given(st.floats(-1e4, 1e4), st.none() | st.floats(1e-3, 1e3), inner)
def test_angle_stays_in_bounds(mean: float, sd: float | None, u: float) -> None:
    assert -180 <= Angle(mean, sd).quantile(np.array(u)) < 180


@given(st.floats(-1e12, 1e12))
def test_wrap(angle: float) -> None:
    turned = float(wrap(angle))
    assert -180 <= turned < 180
    assert math.isclose(math.remainder(angle - turned, 360), 0, abs_tol=1e-3)


def test_wrap_of_a_hair_below_the_seam() -> None:
    below = np.nextafter(-180.0, -np.inf)
    assert (below + 180) % 360 == 360.0  # or this test shows nothing
    assert wrap(below) == -180
    assert wrap(180) == -180 and wrap([190, -190, 720]).tolist() == [-170, 170, 0]


@given(st.integers(-1000, 1000), st.integers(0, 50), inner)
def test_integer_is_scipys_and_in_bounds(low: int, more: int, u: float) -> None:
    prior = Integer(low, low + more)
    values = prior.quantile(np.append(U, u))
    assert values.dtype == np.int64
    assert low <= values.min() and values.max() <= low + more
    off = values[:-1] != stats.randint(low, low + more + 1).ppf(U)
    assert np.all(np.isclose(U[off] * (more + 1) % 1, 0, atol=1e-6) | np.isclose(U[off] * (more + 1) % 1, 1, atol=1e-6))


def test_integers_are_as_likely() -> None:
    assert np.bincount(Integer(0, 3).quantile((np.arange(4000) + 0.5) / 4000)).tolist() == [1000] * 4
    assert Integer(3, 3).quantile(U).tolist() == [3] * len(U)


def test_choice_follows_its_weights() -> None:
    prior = Choice(["red", "grey", "blue"], [1, 0, 3])
    values, counts = np.unique(prior.quantile((np.arange(4000) + 0.5) / 4000), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {"red": 1000, "blue": 3000}
    assert prior.probabilities.tolist() == [0.25, 0, 0.75]
    assert set(Choice(("a", "b")).quantile(U).tolist()) == {"a", "b"}
    assert Choice([0.5, 2.5]).quantile(np.array([0.2, 0.8])).tolist() == [0.5, 2.5]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any), inner)
def test_pick_never_takes_what_has_no_weight(weights: list[int], u: float) -> None:
    odds = np.array(weights) / 7.3  # need not sum to 1
    assert weights[pick(odds, np.array([u]))[0]] > 0
    assert weights[pick(odds[None], np.array([u]))[0]] > 0


def test_pick_never_takes_a_last_option_of_no_weight() -> None:
    odds = np.array([0.1, 0.2, 0.3, 0.15, 0.25, 0.0])
    rounded = (odds / odds.sum()).cumsum()[-2]
    assert pick(odds * 3, np.array([1 - 2.0**-53])) == [4], rounded


def test_pick_with_odds_for_each() -> None:
    odds = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert pick(odds, np.array([0.9, 0.1, 0.6])).tolist() == [0, 1, 1]


def test_codes_are_places_among_the_options() -> None:
    prior = Choice(["red", "grey", "blue"])
    values = prior.quantile(U)
    assert np.array_equal(np.array(prior.options)[prior.codes(values)], values)
    with pytest.raises(ValueError, match=r"Choice needs values among its options \['red', 'grey', 'blue'\], got "):
        prior.codes(np.array(["red", "zebra"]))
    with pytest.raises(ValueError, match="Choice needs values among"):
        Choice([1, 2]).codes(np.array([1.5]))


def test_constant() -> None:
    assert Constant(3).quantile(U).tolist() == [3] * len(U)
    assert Constant("a").quantile(U[:2]).tolist() == ["a", "a"]
    kept = np.array([1.0, 2.0])
    drawn = Constant(kept).quantile(np.array([0.1, 0.9]))
    drawn[0] = 9
    assert kept.tolist() == [1, 2]


ARRAYS = {
    "uniform": (Uniform, {"low": [0.0, 5.0, -3.0], "high": [1.0, 9.0, 3.0]}),
    "normal": (Normal, {"mean": [0.0, 5.0, 20.0], "sd": [1.0, 0.1, 3.0], "low": [-1.0, 4.9, 30.0],
                        "high": [1.0, 9.0, 33.0]}),
    "normal, no bounds": (Normal, {"mean": [0.0, 5.0, 20.0], "sd": [1.0, 0.1, 3.0]}),
    "angle": (Angle, {"mean": [0.0, 175.0, 20.0], "sd": [1.0, 10.0, 3.0]}),
    "angle, width": (Angle, {"mean": [0.0, 175.0, 20.0], "width": [1.0, 10.0, 360.0]}),
    "integer": (Integer, {"low": [0, 5, -3], "high": [0, 9, 3]}),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_parameters_may_be_arrays(name: str) -> None:
    """One for each node, or one for all in some of them; the same as each alone."""
    make, several = ARRAYS[name]
    u = np.array([0.2, 0.5, 0.9])
    together = make(**{k: np.array(v) for k, v in several.items()})
    alone = [make(**{k: v[i] for k, v in several.items()}) for i in range(3)]
    assert together.quantile(u).tolist() == [float(p.quantile(np.array([x]))[0]) for p, x in zip(alone, u, strict=True)]
    low, high = (np.broadcast_to(b, 3) for b in together.bounds)
    assert low.tolist() == [p.bounds[0] for p in alone] and high.tolist() == [p.bounds[1] for p in alone]


@pytest.mark.parametrize("dist", [stats.norm(3, 2), stats.beta(2, 5), stats.beta(0.5, 0.5), stats.gamma(2, scale=3),
                                  stats.gamma(0.5), stats.lognorm(0.8), stats.uniform(-1, 5), stats.expon(2)],
                         ids=lambda d: d.dist.name)
def test_tabulated_continuous(dist: Any) -> None:
    prior = as_prior(dist)
    u = np.random.default_rng(0).random(5000) * (1 - 2e-6) + 1e-6
    exact = dist.ppf(u)
    np.testing.assert_allclose(prior.quantile(u), exact, rtol=2e-4, atol=2e-6 * dist.std())  # type: ignore[union-attr]
    assert not prior.discrete and prior.bounds == dist.support()  # type: ignore[union-attr]
    low, high = dist.support()
    ends = prior.quantile(ENDS)  # type: ignore[union-attr]
    assert np.all(np.isfinite(ends)) and low <= ends.min() and ends.max() <= high
    assert np.all(np.diff(prior.quantile(np.sort(u))) >= 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("dist", [stats.poisson(4.5), stats.poisson(100), stats.binom(9, 0.3), stats.geom(0.2),
                                  stats.binom(5, 0.5, loc=-2), stats.randint(3, 8)], ids=lambda d: d.dist.name)
def test_tabulated_discrete_is_exact(dist: Any) -> None:
    prior = as_prior(dist)
    u = np.random.default_rng(0).random(5000)
    values = prior.quantile(u)  # type: ignore[union-attr]
    assert values.dtype == np.int64
    assert np.array_equal(values, dist.ppf(u))
    assert prior.discrete and prior.bounds == dist.support()  # type: ignore[union-attr]
    assert np.all(np.isfinite(prior.quantile(ENDS)))  # type: ignore[union-attr]


def test_tabulated_tells_its_distribution_and_not_its_place_in_memory() -> None:
    assert repr(Tabulated(stats.gamma(2, scale=3))) == "gamma(2, scale=3)"
    for dist, name in ((stats.zipf(1.5), r"zipf\(1\.5\)"), (stats.poisson(np.nan), r"poisson\(nan\)")):
        text = rf"^Tabulated needs nearly all of its mass on 1000000 values, got dist={name}$"
        with pytest.raises(ValueError, match=text):
            Tabulated(dist)
    with pytest.raises(ValueError, match=r"^Tabulated needs finite quantiles, got dist=norm\(nan, 1\)$"):
        Tabulated(stats.norm(np.nan, 1))


@pytest.mark.parametrize("prior", [Uniform(0, 1), Normal(0, 1), Angle(0, 5), Integer(0, 4), Choice([1, 2]), Constant(3),
                                   Tabulated(stats.norm(0, 1)), Tabulated(stats.poisson(3))], ids=repr)
def test_one_number_is_enough_and_pickles(prior: Prior) -> None:
    assert np.shape(prior.quantile(np.float64(0.3))) == ()
    assert np.shape(prior.quantile(np.array([0.3, 0.4]))) == (2,)
    assert pickle.loads(pickle.dumps(prior)).quantile(U).tolist() == prior.quantile(U).tolist()


def test_a_prior_of_ones_own_has_to_say_its_quantiles() -> None:
    with pytest.raises(NotImplementedError):
        Prior().quantile(U)
    with pytest.raises(NotImplementedError):
        _ = Prior().bounds


# Errors

ERRORS = {
    "Uniform needs low < high, got low=3, high=1": lambda: Uniform(3, 1),
    "Uniform needs low < high, got low=3, high=3": lambda: Uniform(3, 3),
    "Uniform needs finite numbers, got high=inf": lambda: Uniform(0, math.inf),
    "Uniform needs finite numbers, got low=nan": lambda: Uniform(math.nan, 1),
    "Uniform needs finite numbers, got low='a'": lambda: Uniform("a", 1),
    "Uniform needs low < high, which does not hold for 1 of 2 nodes: the first has low=5, high=2":
        lambda: Uniform(np.array([0, 5]), np.array([1, 2])),
    "Uniform needs low < high, which does not hold for 1 of 2 nodes: the first has low=1, high=0.5":
        lambda: Uniform(np.array([False, True]), 0.5),
    "Normal needs sd > 0, which does not hold for 2 of 3 nodes: the first has sd=-0.333333":
        lambda: Normal(0, np.array([1, -1 / 3, 0])),
    "Uniform needs finite numbers, which does not hold for 1 of 3 nodes: the first has high=nan":
        lambda: Uniform(0, np.array([1, np.nan, 2])),
    "Uniform needs finite numbers, got low=['a', 'b', 'a', 'b', 'a', 'b', ...]": lambda: Uniform(["a", "b"] * 50, 1),
    "Integer needs integers, which does not hold for 1 of 2 nodes: the first has low=1, high=4.5":
        lambda: Integer(1, np.array([3, 4.5])),
    "Normal needs sd > 0, got sd=0": lambda: Normal(0, 0),
    "Normal needs finite numbers, got sd=nan": lambda: Normal(0, math.nan),
    "Normal needs low < high, got low=2, high=1": lambda: Normal(0, 1, low=2, high=1),
    "Normal needs some of its mass between low and high, got low=50, high=60": lambda: Normal(0, 1, low=50, high=60),
    "Angle needs sd > 0 (or None for the full turn), got sd=-1": lambda: Angle(0, -1),
    "Angle needs finite numbers, got sd=inf": lambda: Angle(0, math.inf),
    "Angle needs 0 < width <= 360, got width=361": lambda: Angle(0, width=361),
    "Angle needs finite numbers, got width=nan": lambda: Angle(0, width=math.nan),
    "Integer needs low <= high, got low=3, high=1": lambda: Integer(3, 1),
    "Integer needs integers, got low=0.5, high=1": lambda: Integer(0.5, 1),
    "Choice needs at least one option, got options=()": lambda: Choice([]),
    "Choice needs options that differ, got options=(1, 1)": lambda: Choice([1, 1]),
    "Choice needs options that are all numbers or all strings, got options=(1, 'a')": lambda: Choice([1, "a"]),
    "Choice needs options that are all numbers or all strings, got options=([1], [2])": lambda: Choice([[1], [2]]),
    "Choice needs a list of options, got options='red'": lambda: Choice("red"),
    "Choice needs one weight an option, got weights=(1.0,)": lambda: Choice([1, 2], [1]),
    "Choice needs weights >= 0 with a positive sum, got weights=(0.0, 0.0)": lambda: Choice([1, 2], [0, 0]),
    "Choice needs weights >= 0 with a positive sum, got weights=(2.0, -1.0)": lambda: Choice([1, 2], [2, -1]),
    "learned needs finite bounds (low, high) with low < high, got bounds=(5, 1)":
        lambda: learned(Uniform(0, 1), bounds=(5, 1)),
    "learned needs finite bounds (low, high) with low < high, got bounds=(0, inf)":
        lambda: learned(Normal(0, 1), bounds=(0, math.inf)),
    "learned needs finite bounds (low, high) with low < high, got bounds=5": lambda: learned(3, bounds=5),
          # type: ignore[arg-type]
    "learned(Normal(mean=0, sd=1, low=-inf, high=inf)) has no finite bounds with low < high; give the range that "
    "learning may reach: learned(prior, bounds=(low, high))": lambda: learned(Normal(0, 1)),
    "learned(Constant(value=3)) has no finite bounds with low < high; give the range that learning may reach: "
    "learned(prior, bounds=(low, high))": lambda: learned(3),
    "learned(Constant(value='a')): only numbers can be learned; for texts, give a Choice":
        lambda: learned("a", bounds=(0, 1)),
    "learned(Uniform(low=0, high=1), bounds=(5, 6)): the prior lies outside its bounds":
        lambda: learned(Uniform(0, 1), bounds=(5, 6)),
    "learned(Constant(value=9), bounds=(5, 6)): the prior lies outside its bounds":
        lambda: learned(9, bounds=(5, 6)),
    "learned(Angle(mean=0, sd=5, width=360.0)) takes no bounds: a choice or an angle has its own":
        lambda: learned(Angle(0, 5), bounds=(-90, 90)),
    "learned(Choice(options=(1, 2), weights=None)) takes no bounds: a choice or an angle has its own":
        lambda: learned(Choice([1, 2]), bounds=(1, 2)),
    "learned(Integer(low=0, high=4), bounds=(0.5, 3)): integers need integer bounds":
        lambda: learned(Integer(0, 4), bounds=(0.5, 3)),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error_texts(text: str) -> None:
    with pytest.raises(ValueError) as error:
        ERRORS[text]()
    assert str(error.value) == text


def test_what_is_no_prior() -> None:
    with pytest.raises(TypeError, match=r"a prior is needed \(Uniform, Normal, \.\.\., a number.*got None"):
        as_prior(None)


def test_as_prior() -> None:
    assert as_prior(3) == Constant(3) and as_prior("a") == Constant("a") and as_prior(np.float32(2)) == Constant(2)
    assert isinstance(as_prior(stats.norm(0, 1)), Tabulated)
    own = Uniform(0, 1)
    assert as_prior(own) is own
    assert as_prior(_conditional) is _conditional


def _conditional(node: Any) -> Prior:
    return Uniform(0, node["x"])


def test_learned() -> None:
    assert learned(Uniform(0, 1)) == Learned(Uniform(0, 1), None)
    assert learned(3, bounds=(0, 9)) == Learned(Constant(3), (0, 9))
    assert learned(_conditional) == Learned(_conditional, None)
    assert learned(Choice(["a", "b"])).prior == Choice(["a", "b"])
    assert learned(stats.poisson(3), bounds=(0, 9)).prior.discrete  # type: ignore[union-attr]
    assert learned(stats.beta(2, 2)).bounds is None


def test_parameters_for_many_nodes_are_checked_whatever_their_number() -> None:
    many = Normal(np.linspace(0, 9, 17), 1)
    check_learnable(many, (0, 9))
    with pytest.raises(ValueError, match="has no finite bounds"):
        check_learnable(many, None)
    check_learnable(Uniform(np.zeros(17), np.ones(17)), None)


HUGE = {"an integer": 10**400, "a fraction": Fraction(10**400), "a decimal": Decimal("1e400"),
        "a long double": np.longdouble("1e400"), "a text": "3", "None": None, "a complex": 1j}


@pytest.mark.parametrize("what", HUGE)
@pytest.mark.parametrize(("make", "name"), [
    (lambda value: Uniform(0, value), "high"), (lambda value: Uniform(value, 1), "low"),
    (lambda value: Normal(value, 1), "mean"), (lambda value: Normal(0, value), "sd"),
    (lambda value: Angle(value), "mean"), (lambda value: Angle(0, width=value), "width"),
    (lambda value: Integer(0, value), "high")])
def test_numbers_beyond_float_are_named(make, name, what):
    with pytest.raises(ValueError, match=rf"^[A-Z]\w+ needs finite numbers, got {name}=") as error:
        make(HUGE[what])
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(("make", "text"), [
    (lambda: Uniform(-1e308, 1e308), r"Uniform needs a range of at most 1.8e308, got low=-1e\+308, high=1e\+308"),
    (lambda: Normal(1e308, 1e308), r"Normal needs mean and sd far below 1.8e308, the largest float, got mean=1e\+308"),
    (lambda: Normal(0, 1, high=10**400), r"Normal needs numbers, got high=10+\.\.\.0+"),
    (lambda: Normal(0, 1, low=np.nan), "Normal needs numbers, got low=nan"),
    (lambda: Angle(0, 1e308), r"Angle needs mean and sd far below"),
    (lambda: Integer(0, 2**60), r"Integer needs integers from -2\*\*53 to 2\*\*53, which floats can hold, got low=0"),
    (lambda: Choice([1, 10**30]), r"Choice needs options that are finite numbers, .* got options=\(1, 10+\)"),
    (lambda: Choice([1.0, np.inf]), r"Choice needs options that are finite numbers, .* got options=\(1.0, inf\)"),
    (lambda: Choice([1, None]), "Choice needs options that are finite numbers"),
    (lambda: Choice([1, Decimal(2)]), "Choice needs options that are finite numbers"),
    (lambda: Choice([b"a", b"b"]), "Choice needs options that are finite numbers"),
    (lambda: Choice({"a", "b"}), "Choice needs a list of options, got options={'a', 'b'}"),
    (lambda: Choice(5), "Choice needs a list of options, got options=5"),
    (lambda: Choice(["a", "b"], [1, 10**400]), r"Choice needs weights >= 0 with a positive sum, got 10+\.\.\.0+ among"),
    (lambda: Choice(["a", "b"], [1e308, 1e308]), "Choice needs weights >= 0 with a positive sum"),
    (lambda: Choice(["a", "b"], 3), "Choice needs a list of weights, got weights=3"),
    (lambda: Constant(10**30), r"Constant needs a text, or a number that .* can hold, got value=10+$"),
    (lambda: Constant(np.longdouble("1e400")), "Constant needs a text, or a number"),
    (lambda: Constant(b"zq7"), "Constant needs a text, or a number .* got value=b'zq7'"),
    (lambda: Constant(None), "Constant needs a text, or a number .* got value=None"),
    (lambda: learned(Uniform(0, 1), bounds=(0, 10**400)), r"learned needs finite bounds .* got bounds=\(0, 10+\.\.\.0"),
    (lambda: learned(Normal(0, 1), bounds=(-1e308, 1e308)), "learned needs finite bounds"),
    (lambda: learned(Normal(0, 1), bounds=("0", "1")), r"learned needs finite bounds .* got bounds=\('0', '1'\)")])
def test_parameters_that_no_column_can_hold_are_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("number", [Decimal("0.5"), Fraction(1, 2), np.longdouble("0.5"), np.float32(0.5)])
def test_numbers_of_other_types_are_as_floats(number):
    u = np.array([0.1, 0.5, 0.9])
    for odd, plain in ((Uniform(0, number), Uniform(0, 0.5)), (Normal(number, number), Normal(0.5, 0.5))):
        assert odd.quantile(u).dtype == np.float64 and np.array_equal(odd.quantile(u), plain.quantile(u))
    if isinstance(number, np.floating):
        assert Constant(number).quantile(u).astype(float).tolist() == [0.5] * 3


def test_integers_that_python_does_not_write_are_named_by_their_length():
    with pytest.raises(ValueError, match="Uniform needs finite numbers, got high=an integer of 33220 bits"):
        Uniform(0, 10**10_000)
