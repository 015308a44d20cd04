"""Priors: the distribution of one attribute before learning.

A prior is its quantile function and its bounds. Parameters may be numbers or, where a prior depends on other
attributes, arrays with one entry a node. Legend: n nodes; u in (0, 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Array = NDArray[Any]
TURN = 360.0  # degrees; every circular attribute is in degrees
TAIL = 1e-7  # quantile at which an unbounded prior is cut, so that every prior has finite values


def wrap(angle: Array) -> Array:
    """Degrees brought to [-180, 180)."""
    return (np.asarray(angle, float) + TURN / 2) % TURN - TURN / 2


@dataclass(frozen=True)
class Prior:
    """Base of all priors. Subclasses give `quantile` and `bounds`.

    circular: the values are degrees and 180 is -180.  discrete: neighbouring values are apart.
    """

    circular: ClassVar[bool] = False
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
    """Every value between low and high is as likely. ValueError unless low < high, both finite."""

    low: Any
    high: Any

    def __post_init__(self) -> None:
        _need_finite(self, low=self.low, high=self.high)
        _need(np.all(np.asarray(self.low) < np.asarray(self.high)), self, "low < high", low=self.low, high=self.high)

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
        _need_finite(self, mean=self.mean, sd=self.sd)
        _need(np.all(np.asarray(self.sd) > 0), self, "sd > 0", sd=self.sd)
        _need(np.all(np.asarray(self.low) < np.asarray(self.high)), self, "low < high", low=self.low, high=self.high)
        mass = special.ndtr(self._z(self.high)) - special.ndtr(self._z(self.low))
        _need(np.all(mass > 1e-9), self, "some of its mass between low and high", low=self.low, high=self.high)

    def _z(self, value: Any) -> Any:
        return (np.asarray(value, float) - self.mean) / self.sd

    def quantile(self, u: Array) -> Array:
        a, b = special.ndtr(self._z(self.low)), special.ndtr(self._z(self.high))
        values = self.mean + self.sd * special.ndtri(np.clip(a + u * (b - a), TAIL, 1 - TAIL))
        return np.clip(values, self.low, self.high)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class Angle(Prior):
    """Circular angle in degrees: normal about mean with sd, or, without sd, uniform over the full turn."""

    mean: Any = 0.0
    sd: Any = None
    circular: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _need_finite(self, mean=self.mean)
        if self.sd is not None:
            _need(np.all(np.asarray(self.sd) > 0), self, "sd > 0 (or None for the full turn)", sd=self.sd)

    def quantile(self, u: Array) -> Array:
        if self.sd is None:
            return wrap(self.mean + TURN * (u - 0.5))
        return wrap(self.mean + self.sd * special.ndtri(np.clip(u, TAIL, 1 - TAIL)))

    @property
    def bounds(self) -> tuple[Any, Any]:
        return -TURN / 2, TURN / 2


@dataclass(frozen=True)
class Integer(Prior):
    """Integers from low to high, both included, each as likely."""

    low: Any
    high: Any
    discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _need_finite(self, low=self.low, high=self.high)
        low, high = np.asarray(self.low), np.asarray(self.high)
        _need(np.all(low == np.floor(low)) and np.all(high == np.floor(high)), self, "whole numbers",
              low=self.low, high=self.high)
        _need(np.all(low <= high), self, "low <= high", low=self.low, high=self.high)

    def quantile(self, u: Array) -> Array:
        span = np.asarray(self.high) - self.low + 1
        return (self.low + np.minimum(np.floor(u * span), span - 1)).astype(np.int64)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class Choice(Prior):
    """One of options (numbers or strings), with optional weights."""

    options: Sequence[Any]
    weights: Sequence[float] | None = None
    discrete: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))
        _need(len(self.options) > 0, self, "at least one option", options=self.options)
        _need(len(set(self.options)) == len(self.options), self, "options that differ", options=self.options)
        if self.weights is not None:
            weights = tuple(float(w) for w in self.weights)
            object.__setattr__(self, "weights", weights)
            _need(len(weights) == len(self.options), self, "one weight an option", weights=weights)
            _need(bool(np.all(np.isfinite(weights))) and min(weights) >= 0 and sum(weights) > 0, self,
                  "weights >= 0 with a positive sum", weights=weights)

    @property
    def probabilities(self) -> Array:
        """[options], summing to 1."""
        weights = np.ones(len(self.options)) if self.weights is None else np.asarray(self.weights)
        return weights / weights.sum()

    def codes(self, values: Array) -> Array:
        """Values [n] -> their position in options [n]."""
        order = np.argsort(np.asarray(self.options))
        return order[np.searchsorted(np.asarray(self.options)[order], values)]

    def quantile(self, u: Array) -> Array:
        return np.asarray(self.options)[pick(self.probabilities, u)]

    @property
    def bounds(self) -> tuple[Any, Any]:
        return min(self.options), max(self.options)


@dataclass(frozen=True)
class Constant(Prior):
    """Always value."""

    value: Any

    def quantile(self, u: Array) -> Array:
        value = np.asarray(self.value)
        return np.broadcast_to(value, np.shape(u)).copy() if value.ndim == 0 else value.copy()

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.value, self.value


@dataclass(frozen=True)
class Tabulated(Prior):
    """A frozen scipy.stats distribution, its quantiles tabulated once (scipy's own are slow in bulk)."""

    dist: Any
    grid: Array = field(init=False, repr=False, compare=False)
    table: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._counts:
            low, high = self.dist.ppf(1e-9), self.dist.ppf(1 - 1e-9)
            table = np.arange(low, high + 1)
            grid = self.dist.cdf(table)
        else:
            z = np.linspace(special.ndtri(TAIL), -special.ndtri(TAIL), 4097)  # dense in the tails
            grid = np.concatenate([special.ndtr(z), np.linspace(0, 1, 4099)[1:-1]])
            grid = np.unique(grid)
            table = self.dist.ppf(grid)
        _need(bool(np.all(np.isfinite(table))), self, "finite quantiles", dist=self.dist)
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "table", table)

    @property
    def _counts(self) -> bool:
        return isinstance(self.dist.dist, stats.rv_discrete)

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
    """An attribute that fitting may change: its prior, or the function that gives it, and its bounds."""

    prior: Prior | Conditional
    bounds: tuple[float, float] | None = None


def learned(prior: Any, bounds: tuple[float, float] | None = None) -> Learned:
    """Mark an attribute as learnable ("mutable" in Kar et al. 2019).

    prior: a Prior, a number (a Constant), a frozen scipy.stats distribution, or a function of the node that
    returns one.  bounds: the values that learning may reach; needed where the prior has none of its own.
    ValueError if there are no finite bounds, or low >= high.
    """
    inner = as_prior(prior)
    if bounds is not None:
        low, high = bounds
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"learned needs finite bounds with low < high, got bounds={bounds}")
    if isinstance(inner, Prior):
        check_learnable(inner, bounds)
    return Learned(inner, bounds)


def check_learnable(prior: Prior, bounds: tuple[float, float] | None) -> None:
    """ValueError if prior (with bounds, if given) leaves nothing, or something endless, to learn."""
    if isinstance(prior, Choice) or prior.circular:
        if bounds is not None:
            raise ValueError(f"learned({prior}) takes no bounds: a choice or an angle has its own")
        return
    low, high = (np.asarray(b, float) for b in (bounds or prior.bounds))
    if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high)) and np.all(low < high)):
        raise ValueError(
            f"learned({prior}) has no finite bounds with low < high; say how far learning may go: "
            "learned(prior, bounds=(low, high))"
        )
    if bounds is not None:
        u = np.array([1e-3, 0.5, 1 - 1e-3])
        values = prior.quantile(u) if np.ndim(prior.bounds[0]) == 0 else np.asarray(prior.bounds)
        if not np.any((values >= bounds[0]) & (values <= bounds[1])):
            raise ValueError(f"learned({prior}, bounds={bounds}): the prior lies outside its bounds")


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
                    f"function of the node), got {value!r}")


def pick(probabilities: Array, u: Array) -> Array:
    """Inverse of a categorical distribution: u [n] -> codes [n]; probabilities [k] or [n, k]."""
    edges = np.cumsum(probabilities, axis=-1)[..., :-1]
    if edges.ndim == 1:
        return np.searchsorted(edges, u, side="right")
    return (edges <= np.asarray(u)[:, None]).sum(axis=1)


def _need(good: Any, prior: Prior, rule: str, **got: Any) -> None:
    if not good:
        values = ", ".join(f"{k}={v}" for k, v in got.items())
        raise ValueError(f"{type(prior).__name__} needs {rule}, got {values}")


def _need_finite(prior: Prior, **got: Any) -> None:
    for name, value in got.items():
        try:
            finite = bool(np.all(np.isfinite(np.asarray(value, float))))
        except (TypeError, ValueError):
            finite = False
        _need(finite, prior, "finite numbers", **{name: value})
