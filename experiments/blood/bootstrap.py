"""Intervals over photos and seeds, paired between arms. Legend: B resamples; R seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.blood.figures import resampled
from scenefit.scenes.rng import generator

Floats = NDArray[np.float64]
Rows = Mapping[int, Mapping[str, Any]]  # seed -> figures of an arm


@dataclass(frozen=True, eq=False)
class Figure:
    """mean: over seeds, on all photos.  resampled [B]: of each resample of photos and seeds, paired between arms."""

    mean: float
    resampled: Floats

    def __sub__(self, other: "Figure") -> "Figure":
        return Figure(self.mean - other.mean, self.resampled - other.resampled)

    def __truediv__(self, other: "Figure") -> "Figure":
        """Ratio of the means. Ratios of single seeds are not used: a small denominator makes them unstable."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return Figure(self.mean / other.mean if other.mean else float("nan"), self.resampled / other.resampled)

    def interval(self) -> tuple[float, float]:
        """2.5 and 97.5 % quantiles of the resamples; NaN if some have no value."""
        if not np.isfinite(self.resampled).all():
            return float("nan"), float("nan")
        low, high = np.quantile(self.resampled, [0.025, 0.975])
        return float(low), float(high)

    def text(self, times: float = 100, digits: int = 1) -> str:
        """Mean and interval, multiplied by times."""
        low, high = self.interval()
        return f"{times * self.mean:.{digits}f} ({times * low:.{digits}f} to {times * high:.{digits}f})"


def figure(rows: Rows, name: str, seeds: Sequence[int]) -> Figure:
    """A figure of an arm over these seeds. Seeds are drawn with replacement, one fewer than there are, because drawing
    all of a few would underestimate their variance (Rao and Wu 1988); photos were drawn by `figures.row`."""
    values = np.stack([resampled(rows[seed], name) for seed in seeds])
    draws = max(len(seeds) - 1, 1)
    drawn = generator(len(seeds), "seeds").multinomial(draws, np.full(len(seeds), 1 / len(seeds)), values.shape[1])
    return Figure(float(np.mean([rows[seed][name] for seed in seeds])), np.einsum("br,rb->b", drawn / draws, values))


def common(*arms: Rows) -> list[int]:
    """Seeds that all these arms have."""
    return sorted(set.intersection(*(set(rows) for rows in arms)))
