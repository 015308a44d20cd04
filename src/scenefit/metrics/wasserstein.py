"""Wasserstein-1 distance between samples of one attribute, angles included."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def wasserstein(a: Any, b: Any, circular: bool = False) -> float:
    """Wasserstein-1 distance between samples a and b of one attribute, in its units; degrees if circular.

    ValueError if a sample is empty or not finite.
    """
    a, b = (np.asarray(part, float).ravel() for part in (a, b))
    for name, part in (("a", a), ("b", b)):
        if not len(part) or not np.all(np.isfinite(part)):
            raise ValueError(f"wasserstein needs samples of finite numbers, at least 1, got {name}={part}")
    if not circular:
        return float(stats.wasserstein_distance(a, b))
    return _circular_wasserstein(a % 360.0, b % 360.0)


def _circular_wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """On the circle, mass may also cross the origin: the least over c of the integral of |F_a - F_b - c|, which the
    weighted median of F_a - F_b reaches (Rabin, Delon and Gousseau, J. Math. Imaging and Vision 2011)."""
    edges = np.sort(np.concatenate([a, b]))
    length = np.diff(edges, append=edges[0] + 360.0)
    gap = (np.searchsorted(np.sort(a), edges, side="right") / len(a)
           - np.searchsorted(np.sort(b), edges, side="right") / len(b))
    order = np.argsort(gap, kind="stable")
    median = gap[order][np.searchsorted(np.cumsum(length[order]), 180.0)]
    return float(np.sum(length * np.abs(gap - median)))
