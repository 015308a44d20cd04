"""Priors: the distribution of one attribute before learning.

A prior is its quantile function and its bounds. Parameters may be numbers or, where a prior depends on other
attributes, arrays with one entry a node. Legend: n nodes; u in (0, 1).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scenefit.scenes.arguments import (
    MAX_FLOAT,
    MAX_INTEGER,
    Brief,
    as_float,
    as_floats,
    brief,
    is_finite,
    is_plain,
    need,
    need_finite,
    need_numbers,
    need_tails,
    no_prior,
)

Array = NDArray[Any]
TURN = 360.0  # degrees; every circular attribute is in degrees
MAX_COUNTS = 1_000_000  # values that a discrete scipy.stats distribution may have
TAIL = 1e-7  # quantile at which an unbounded prior is cut, so that every prior has finite values


def wrap(angle: Array) -> Array:
    """Degrees brought to [-180, 180)."""
    turned = (np.asarray(angle, float) + TURN / 2) % TURN - TURN / 2
    return np.where(turned < TURN / 2, turned, -TURN / 2)  # the rest of a tiny negative number rounds up to a turn


@dataclass(frozen=True)
class Prior:
    """Base of all priors. Subclasses give `quantile` and `bounds`.

    circular: the values are degrees, and 180 is -180.  discrete: the values are integers or options.
    logarithmic: the values are positive, and learning moves them on a logarithmic scale.
    """

    circular: ClassVar[bool] = False
    logarithmic: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

    def quantile(self, u: Array) -> Array:
        """u [n] in (0, 1) -> values [n]."""
        raise NotImplementedError

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Lowest and highest value, numbers or arrays [n]."""
        raise NotImplementedError


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform between low and high. ValueError unless low < high, both finite."""

    low: Any
    high: Any

    def __post_init__(self) -> None:
        need_finite(self, low=self.low, high=self.high)
        need(np.asarray(self.low) < np.asarray(self.high), self, "low < high", low=self.low, high=self.high)
        with np.errstate(over="ignore"):
            need(np.isfinite(np.asarray(self.high, float) - self.low), self, "a range of at most 1.8e308",
                 low=self.low, high=self.high)

    def quantile(self, u: Array) -> Array:
        return self.low + u * (np.asarray(self.high, float) - self.low)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class Normal(Prior):
    """Normal with mean and standard deviation sd, truncated to [low, high] (both optional)."""

    mean: Any
    sd: Any
    low: Any = -np.inf
    high: Any = np.inf

    def __post_init__(self) -> None:
        need_finite(self, mean=self.mean, sd=self.sd)
        need_numbers(self, low=self.low, high=self.high)
        need(np.asarray(self.sd) > 0, self, "sd > 0", sd=self.sd)
        need_tails(self, self.mean, self.sd)
        need(np.asarray(self.low) < np.asarray(self.high), self, "low < high", low=self.low, high=self.high)
        _, a, b = self._tail()
        need(np.abs(b - a) > 1e-300, self, "some of its mass between low and high", low=self.low,
              high=self.high)

    def _tail(self) -> tuple[Array, Array, Array]:
        """Side (1 or -1) and the mass below both bounds, or, where low is above the mean, the mass above them.

        Floating point represents the smaller tail exactly.
        """
        low, high = ((np.asarray(bound, float) - self.mean) / self.sd for bound in (self.low, self.high))
        side = np.where(low > 0, -1.0, 1.0)
        return side, special.ndtr(side * low), special.ndtr(side * high)

    def quantile(self, u: Array) -> Array:
        side, a, b = self._tail()
        z = special.ndtri(a + np.clip(u, TAIL, 1 - TAIL) * (b - a))
        return np.clip(self.mean + side * self.sd * z, self.low, self.high)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class Angle(Prior):
    """Circular angle in degrees: normal about mean with sd, or, without sd, uniform over `width` about mean."""

    mean: Any = 0.0
    sd: Any = None
    width: Any = TURN
    circular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need_finite(self, mean=self.mean, width=self.width)
        need((np.asarray(self.width) > 0) & (np.asarray(self.width) <= TURN), self, "0 < width <= 360",
              width=self.width)
        if self.sd is not None:
            need_finite(self, sd=self.sd)
            need(np.asarray(self.sd) > 0, self, "sd > 0 (or None for the full turn)", sd=self.sd)
            need_tails(self, self.mean, self.sd)

    def quantile(self, u: Array) -> Array:
        if self.sd is None:
            return wrap(self.mean + self.width * (u - 0.5))
        return wrap(self.mean + self.sd * special.ndtri(np.clip(u, TAIL, 1 - TAIL)))

    @property
    def bounds(self) -> tuple[Any, Any]:
        return -TURN / 2, TURN / 2


@dataclass(frozen=True)
class Integer(Prior):
    """Uniform integers from low to high, both included."""

    low: Any
    high: Any
    discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need_finite(self, low=self.low, high=self.high)
        low, high = np.asarray(self.low), np.asarray(self.high)
        small = (np.abs(low) <= MAX_INTEGER) & (np.abs(high) <= MAX_INTEGER)
        need(small, self, "integers from -2**53 to 2**53, which floats can hold", low=self.low, high=self.high)
        need((low == np.floor(low)) & (high == np.floor(high)), self, "integers", low=self.low, high=self.high)
        need(low <= high, self, "low <= high", low=self.low, high=self.high)

    def quantile(self, u: Array) -> Array:
        span = np.asarray(self.high) - self.low + 1
        return (self.low + np.minimum(np.floor(u * span), span - 1)).astype(np.int64)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class Choice(Prior):
    """One of options (numbers or strings) in no order, with optional weights. Of numbers in order: see `Integer`."""

    options: Sequence[Any]
    weights: Sequence[float] | None = None
    discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need(isinstance(self.options, Iterable) and not isinstance(self.options, str | bytes | Set | Mapping), self,
              "a list of options", options=Brief(self.options))
        object.__setattr__(self, "options", tuple(self.options))
        need(len(self.options) > 0, self, "at least one option", options=self.options)
        words = [isinstance(option, str) for option in self.options]
        need(all(words) or (not any(words) and all(np.ndim(option) == 0 for option in self.options)), self,
              "options that are all numbers or all strings", options=self.options)
        need(all(words) or all(is_plain(option) for option in self.options), self,
              "options that are finite numbers, integers below 2**63 among them", options=Brief(self.options))
        need(len(set(self.options)) == len(self.options), self, "options that differ", options=self.options)
        if self.weights is not None:
            need(isinstance(self.weights, Iterable) and not isinstance(self.weights, str | Set | Mapping), self,
                  "a list of weights", weights=Brief(self.weights))
            weights = tuple(as_float(self, w) for w in self.weights)
            object.__setattr__(self, "weights", weights)
            need(len(weights) == len(self.options), self, "one weight an option", weights=weights)
            need(bool(np.all(np.isfinite(weights))) and min(weights) >= 0 and 0 < sum(weights) < np.inf,
                  self, "weights >= 0 with a positive sum", weights=weights)

    @property
    def probabilities(self) -> Array:
        """[options], summing to 1."""
        weights = np.ones(len(self.options)) if self.weights is None else np.asarray(self.weights)
        return weights / weights.sum()

    def codes(self, values: Array) -> Array:
        """Values [n] -> their position in options [n]. ValueError if one is not among them."""
        options = np.asarray(self.options)
        order = np.argsort(options)
        codes = order[np.minimum(np.searchsorted(options[order], values), len(order) - 1)]
        strange = np.asarray(values)[options[codes] != values]
        need(len(strange) == 0, self, f"values among its options {list(self.options)}", values=strange[:3])
        return codes

    def quantile(self, u: Array) -> Array:
        return np.asarray(self.options)[pick(self.probabilities, u)]

    @property
    def bounds(self) -> tuple[Any, Any]:
        return min(self.options), max(self.options)


@dataclass(frozen=True)
class Constant(Prior):
    """Always value: a number or a text, or an array with one a node. ValueError for what no column can hold."""

    value: Any

    def __post_init__(self) -> None:
        array = np.asarray(self.value)
        beyond = array.dtype.kind == "f" and bool(np.any(np.isfinite(array) & (np.abs(array) > MAX_FLOAT)))
        need(array.dtype.kind in "iufbU" and not beyond, self, "a text, or a number that a float or a 64-bit integer "
             "can hold", value=Brief(self.value))
        if array.dtype.kind == "f":
            as_floats(self, "value")

    def quantile(self, u: Array) -> Array:
        value = np.asarray(self.value)
        return np.broadcast_to(value, np.shape(u)).copy() if value.ndim == 0 else value.copy()

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.value, self.value


@dataclass(frozen=True, repr=False)
class Tabulated(Prior):
    """A frozen scipy.stats distribution, its quantiles tabulated once (scipy's own are slow in bulk)."""

    dist: Any
    grid: Array = field(init=False, compare=False)
    table: Array = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if self._counts:
            low = self.dist.ppf(1e-9)
            need(self.dist.cdf(low + MAX_COUNTS) >= 1 - 1e-9, self, f"nearly all of its mass on {MAX_COUNTS} values",
                  dist=self)  # scipy's own search for the other end may exhaust the memory
            table = np.arange(low, self.dist.ppf(1 - 1e-9) + 1)
            grid = self.dist.cdf(table)
        else:
            z = np.linspace(special.ndtri(TAIL), -special.ndtri(TAIL), 4097)  # dense in the tails
            grid = np.unique(np.concatenate([special.ndtr(z), np.linspace(0, 1, 4099)[1:-1]]))
            table = self.dist.ppf(grid)
        need(bool(np.all(np.isfinite(table))), self, "finite quantiles", dist=self)
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "table", table)

    def __repr__(self) -> str:
        given = [repr(a) for a in self.dist.args] + [f"{k}={v!r}" for k, v in self.dist.kwds.items()]
        return f"{self.dist.dist.name}({', '.join(given)})"

    @property
    def _counts(self) -> bool:
        return hasattr(self.dist, "pmf")  # importing scipy.stats to ask for its class takes longer than all the rest

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self._counts

    def quantile(self, u: Array) -> Array:
        if self._counts:
            at = np.minimum(np.searchsorted(self.grid, u), len(self.table) - 1)
            return self.table[at].astype(np.int64)
        return np.interp(u, self.grid, self.table)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.dist.support()


Conditional = Callable[[Any], Prior]  # of a view of the nodes: node["own"], node.parent["its"]


@dataclass(frozen=True)
class Learned:
    """An attribute that fitting may change: its prior, or the function that returns it, and its bounds."""

    prior: Prior | Conditional
    bounds: tuple[float, float] | None = None


class Compound:
    """A prior that becomes several attributes, such as `varying`; `as_learned` marks those as learned."""

    def as_learned(self) -> "Compound":
        raise NotImplementedError

    def attributes(self, prefix: str, name: str) -> tuple[Any, Mapping[str, Any]]:
        """The prior of the attribute itself, and attributes of the root by name."""
        raise NotImplementedError


def learned(prior: Any, bounds: tuple[float, float] | None = None) -> Learned | Compound:
    """Mark an attribute as learnable ("mutable" in Meta-Sim, Kar et al. 2019).

    prior: a Prior, a number (a Constant), a frozen scipy.stats distribution, or a function of the node that
    returns one.  bounds: the lowest and highest value that learning may reach; needed where the prior is unbounded.
    ValueError if there are no finite bounds, or low >= high.
    """
    if isinstance(prior, Compound):
        if bounds is not None:
            raise ValueError(f"learned({type(prior).__name__.lower()}(...)) takes no bounds; give them to its parts, "
                             "as learned(mean, bounds=(low, high))")
        return prior.as_learned()
    inner = as_prior(prior)
    if bounds is not None:
        bounds = _bounds(bounds)
    if isinstance(inner, Prior):
        check_learnable(inner, bounds)
        if bounds is not None:
            low, high = inner.quantile(np.array([TAIL])), inner.quantile(np.array([1 - TAIL]))
            if np.all(high < bounds[0]) or np.all(low > bounds[1]):
                raise ValueError(f"learned({inner}, bounds={bounds}): the prior lies outside its bounds")
    return Learned(inner, bounds)


def _bounds(bounds: Any) -> tuple[float, float]:
    try:
        low, high = bounds
        good = is_finite(low) and is_finite(high) and low < high and is_finite(float(high) - float(low))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"learned needs finite bounds (low, high) with low < high, got bounds={brief(bounds)}")
    return low, high


def check_learnable(prior: Prior, bounds: tuple[float, float] | None) -> None:
    """ValueError unless prior, or bounds if given, has finite bounds with low < high, integers if it is discrete."""
    if isinstance(prior, Choice) or prior.circular:
        if bounds is not None:
            raise ValueError(f"learned({prior}) takes no bounds: a choice or an angle has its own")
        return
    if isinstance(prior, Constant) and np.asarray(prior.value).dtype.kind not in "iufb":
        raise ValueError(f"learned({prior}): only numbers can be learned; for texts, give a Choice")
    low, high = (np.asarray(b, float) for b in (bounds or prior.bounds))
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(low < high)):
        raise ValueError(
            f"learned({prior}) has no finite bounds with low < high; give the range that learning may reach: "
            "learned(prior, bounds=(low, high))"
        )
    if prior.logarithmic and not np.all(low > 0):
        raise ValueError(f"learned({prior}) needs bounds above 0, since it is learned on a logarithmic scale; give "
                         "learned(prior, bounds=(low, high)) with low > 0")
    if prior.discrete and not (np.all(low % 1 == 0) and np.all(high % 1 == 0)):
        raise ValueError(f"learned({prior}, bounds={bounds}): integers need integer bounds")


def as_prior(value: Any) -> Prior | Conditional:
    """A number -> Constant; a frozen scipy distribution -> Tabulated; a Prior or a function -> itself."""
    if isinstance(value, Prior):
        return value
    if hasattr(value, "ppf") and hasattr(value, "dist"):
        return Tabulated(value)
    if callable(value):
        return value
    if isinstance(value, (int, float, str, np.number)):
        return Constant(value)
    raise TypeError(f"a prior is needed (Uniform, Normal, ..., a number, a frozen scipy.stats distribution or a "
                    f"function of the node), got {no_prior(value)}")


def pick(probabilities: Array, u: Array) -> Array:
    """Inverse of a categorical distribution: u [n] -> codes [n]; probabilities [k] or [n, k]."""
    edges = np.cumsum(probabilities, axis=-1)
    edges = (edges / edges[..., -1:])[..., :-1]  # so that rounding never picks a last option of probability 0
    if edges.ndim == 1:
        return np.searchsorted(edges, u, side="right")
    return (edges <= np.asarray(u)[:, None]).sum(axis=1)
