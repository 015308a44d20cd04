"""Priors of positive numbers whose ratios matter, not their differences: sizes, brightnesses, counts of photons.

Learning moves them on a logarithmic scale: half-way between 1 and 100 is 10. Legend: n nodes; u in (0, 1).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from scenefit.scenes.arguments import need, need_finite, need_numbers
from scenefit.scenes.priors import TAIL, Array, Normal, Prior


@dataclass(frozen=True)
class LogUniform(Prior):
    """Uniform in the logarithm between low and high: as likely in 1..10 as in 10..100 (`scipy.stats.loguniform`).

    ValueError unless 0 < low < high, both finite.
    """

    low: Any
    high: Any
    logarithmic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need_finite(self, low=self.low, high=self.high)
        need(np.asarray(self.low) > 0, self, "low > 0, since its logarithm is uniform (Uniform takes 0 and below)",
             low=self.low, high=self.high)
        need(np.asarray(self.low) < np.asarray(self.high), self, "low < high", low=self.low, high=self.high)

    def quantile(self, u: Array) -> Array:
        low, high = np.log(np.asarray(self.low, float)), np.log(np.asarray(self.high, float))
        return np.clip(np.exp(low + u * (high - low)), self.low, self.high)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high


@dataclass(frozen=True)
class LogNormal(Prior):
    """A number whose logarithm is normal, about the logarithm of the median, truncated to [low, high] (both optional).

    sd: standard deviation of the natural logarithm: 0.1 is about 10 % of the median. ValueError unless median > 0,
    sd > 0 and 0 <= low < high.
    """

    median: Any
    sd: Any
    low: Any = 0.0
    high: Any = np.inf
    logarithmic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        need_finite(self, median=self.median, sd=self.sd)
        need_numbers(self, low=self.low, high=self.high)
        need(np.asarray(self.median) > 0, self, "median > 0", median=self.median)
        need(np.asarray(self.sd) > 0, self, "sd > 0, of the natural logarithm", sd=self.sd)
        need(np.asarray(self.low) >= 0, self, "low >= 0", low=self.low)
        need(np.asarray(self.low) < np.asarray(self.high), self, "low < high", low=self.low, high=self.high)
        with np.errstate(over="ignore"):
            ends = np.exp(np.log(np.asarray(self.median, float)) - special.ndtri(TAIL) * np.asarray(self.sd, float))
        need(np.isfinite(ends), self, "median and sd far below 1.8e308, the largest float", median=self.median,
             sd=self.sd)
        self._normal()

    def _normal(self) -> Normal:
        """The distribution of the logarithm."""
        with np.errstate(divide="ignore"):
            median, low, high = (np.log(np.asarray(end, float)) for end in (self.median, self.low, self.high))
        return Normal(median, self.sd, low, high)

    def quantile(self, u: Array) -> Array:
        return np.clip(np.exp(self._normal().quantile(u)), self.low, self.high)

    @property
    def bounds(self) -> tuple[Any, Any]:
        return self.low, self.high
