"""Quantile offsets: a learned number's offset from its prior as a function of its quantile there (a shift function).

offset(z) = a + b z + bend(z), with z the quantile as a standard normal score and bend linear between K knots, so that
shifting, stretching and reshaping a distribution each take a few numbers. Legend: n nodes of a kind; K knots.
"""

import numpy as np
import torch
from scipy import special
from torch import Tensor

from scenefit.scenes.attributes import Attribute, View, draw
from scenefit.scenes.rng import uniform

N_KNOTS = 17
REACH = 4.0  # the knots span z in -REACH..REACH
BEND = 0.3  # scale of the bend: it learns more slowly than shift and stretch, as each knot sees few nodes of a batch
KNOTS = np.linspace(-REACH, REACH, N_KNOTS)


def normal_score(address: np.ndarray, name: str) -> np.ndarray:
    """The quantile of each node's value [n] in its prior, as a standard normal score."""
    return special.ndtri(uniform(address, name))


def quantile_offset(coefficients: Tensor, z: np.ndarray) -> Tensor:
    """Offsets [n] at normal scores z [n], linear beyond the knots. coefficients: a, b and the bend [2 + K]."""
    position = (torch.from_numpy(z) + REACH) * ((N_KNOTS - 1) / (2 * REACH))
    left = position.floor().clamp(0, N_KNOTS - 2).long()
    part = (position - left).float()
    bend = coefficients[2 + left] * (1 - part) + coefficients[3 + left] * part
    return coefficients[0] + coefficients[1] * torch.from_numpy(z).float() + BEND * bend


def fit_coefficients(offsets: np.ndarray) -> Tensor:
    """Coefficients [2 + K], float64, whose offsets at the knots are these [K]."""
    slope, level = np.polyfit(KNOTS, offsets, 1, w=np.exp(-0.25 * KNOTS**2))
    bend = (offsets - level - slope * KNOTS) / BEND
    return torch.from_numpy(np.concatenate([[level, slope], bend]))


def from_median(a: Attribute, view: View | None, u: np.ndarray) -> np.ndarray:
    """The median of each node's prior [n] less its value at quantiles u [n], in units of the bounds. view: of the
    nodes; None for a prior that is not conditional."""
    middle, at = (draw(a, view, where)[1] for where in (np.full(len(u), 0.5), u))  # type: ignore[arg-type]
    assert middle is not None and at is not None
    return middle.value - at.value
