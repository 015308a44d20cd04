"""Quantile offsets: a learned number's offset from its prior as a function of its quantile there (a shift function).

offset(z) = a + b z + bend(z), with z the quantile as a standard normal score and bend linear between K knots, so that
shifting, stretching and reshaping a distribution each take a few numbers. Legend: n nodes of a kind; K knots.
"""

import numpy as np
import torch
from scipy import special
from torch import Tensor

from scenefit.scenes.attributes import Attribute, View, draw
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import SceneBatch

N_KNOTS = 17
REACH = 4.0  # the knots span z in -REACH..REACH
BEND = 0.3  # scale of the bend: it learns more slowly than shift and stretch, as each knot sees few nodes of a batch
KNOTS = np.linspace(-REACH, REACH, N_KNOTS)
MASS = np.exp(-(KNOTS**2) / 2) / np.exp(-(KNOTS**2) / 2).sum()  # of a standard normal at the knots [K]


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


def prior_at_knots(grammar: Grammar, a: Attribute, scenes: SceneBatch) -> np.ndarray:
    """The prior's quantile function at the knots [K], in units of the bounds; of a conditional prior, its mean over
    scenes, which are of the grammar."""
    if isinstance(a.prior, Prior):
        unit = draw(a, None, special.ndtr(KNOTS))[1]  # type: ignore[arg-type]
        assert unit is not None
        return np.unwrap(unit.value, period=1.0) if a.circular else unit.value
    table = scenes.tables[a.kind]
    return at_knots(normal_score(table.address, a.name), grammar.normalised(grammar.decode(scenes, {})[0])[a.key],
                    a.circular)


def from_median(a: Attribute, view: View | None, u: np.ndarray) -> np.ndarray:
    """The median of each node's prior [n] less its value at quantiles u [n], in units of the bounds. view: of the
    nodes; None for a prior that is not conditional."""
    middle, at = (draw(a, view, where)[1] for where in (np.full(len(u), 0.5), u))  # type: ignore[arg-type]
    assert middle is not None and at is not None
    return middle.value - at.value


def at_knots(z: np.ndarray, values: np.ndarray, circular: bool = False) -> np.ndarray:
    """values [n], a noisy function of z [n], at the knots [K]: running means, linear beyond the data.

    circular: values are angles, in turns.
    """
    order = np.argsort(z)
    parts = np.array_split(order, max(2, min(64, len(z) // 4)))
    middle = np.array([z[part].mean() for part in parts])
    if circular:
        level = np.unwrap([np.angle(np.exp(2j * np.pi * values[part]).mean()) for part in parts]) / (2 * np.pi)
    else:
        level = np.array([values[part].mean() for part in parts])
    out = np.interp(KNOTS, middle, level)
    for outside, end, inner in ((middle[0] > KNOTS, 0, 1), (middle[-1] < KNOTS, -1, -2)):
        slope = (level[end] - level[inner]) / (middle[end] - middle[inner])
        out[outside] = level[end] + slope * (KNOTS[outside] - middle[end])
    return out
