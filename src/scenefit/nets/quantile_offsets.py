"""A learned attribute's offset as a piecewise linear function of the value's quantile in its prior.

Legend: n nodes of a kind; K knots.
"""

import numpy as np
from scipy import special

from scenefit.scenes.attributes import Attribute, draw
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import SceneBatch

N_KNOTS = 17
REACH = 4.0  # the knots span z in -REACH..REACH
BEND = 0.3  # bends learn slower than shift and stretch, for single knots see little of a batch
KNOTS = np.linspace(-REACH, REACH, N_KNOTS)


def normal_score(address: np.ndarray, name: str) -> np.ndarray:
    """Where each node's value [n] stands in its prior, as a standard normal deviate."""
    return special.ndtri(uniform(address, name))


MASS = np.exp(-(KNOTS**2) / 2) / np.exp(-(KNOTS**2) / 2).sum()  # of a standard normal at the knots [K]


def prior_at_knots(grammar: Grammar, a: Attribute, scenes: SceneBatch) -> np.ndarray:
    """Where the prior's own values stand in their bounds at the curve's knots [K]; of conditional ones, on average."""
    if isinstance(a.prior, Prior):
        unit = draw(a, None, special.ndtr(KNOTS))[1]  # type: ignore[arg-type]
        assert unit is not None
        return np.unwrap(unit.unit, period=1.0) if a.circular else unit.unit
    table = scenes.tables[a.kind]
    return at_knots(normal_score(table.address, a.name), grammar.units(grammar.decode(scenes, {})[0])[a.key],
                    a.circular)


def at_knots(z: np.ndarray, values: np.ndarray, circular: bool = False) -> np.ndarray:
    """values [n], a noisy function of z [n], at the knots' places [K]: running means, straight beyond the data.

    circular: values are parts of a turn.
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
