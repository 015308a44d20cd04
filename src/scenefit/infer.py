"""Warm start by reading: what a reader says of the photos becomes the transformer's starting curves.

A reading is not the truth: it errs, and it shrinks towards what it was trained on. So the photos' readings are never
taken at their word; they are compared with the readings of renders from the present distribution, whose truth is
known, and the distribution is moved until both sets of readings agree (indirect inference, Gourieroux, Monfort and
Renault 1993). Legend: S scenes; N photos; R readings; K knots of a curve.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import special
from torch import Tensor

from scenefit.attribute import Attribute, draw
from scenefit.prior import Choice, Prior
from scenefit.reader import Slot
from scenefit.scene import SceneBatch
from scenefit.transformer import KNOT_PLACES, SIGMA_FLOOR, SIGMA_START, Transformer, place

MASS = np.exp(-(KNOT_PLACES**2) / 2) / np.exp(-(KNOT_PLACES**2) / 2).sum()  # of a standard normal at the knots [K]
LEAST_SLOPE = 0.2  # a reader that answers less than this to the truth cannot be inverted; its correction is damped


def agree(transformer: Transformer, slots: Sequence[Slot], scenes: SceneBatch, renders: Tensor, photos: Tensor,
          truth: Tensor) -> None:
    """One round: move the transformer so that readings of its renders [S, R] come to those of the photos [N, R].

    scenes: what was rendered, drawn from the transformer; truth [S, R]: what a perfect reader would say of them.
    """
    at = 0
    for slot in slots:
        part = slice(at, at + slot.width)
        at += slot.width
        known = torch.isfinite(truth[:, part]).all(dim=1)
        if int(known.sum()) < 8:
            continue
        r, p, t = (x.double().numpy() for x in (renders[known, part], photos[:, part], truth[known, part]))
        if isinstance(slot.attribute.prior, Choice):
            _reweigh(transformer, slot.attribute, r, p)
        elif slot.form == "angle":
            _turn(transformer, slot.attribute, scenes, r, p)
        else:
            _stretch(transformer, slot, scenes, r, p, t)


def _stretch(transformer: Transformer, slot: Slot, scenes: SceneBatch, r: np.ndarray, p: np.ndarray,
             t: np.ndarray) -> None:
    """Numbers: move the mean by the readings' difference, the variance by the difference of theirs."""
    slope = float(np.clip(np.polyfit(t[:, 0], r[:, 0], 1)[0], LEAST_SLOPE, 1)) if np.ptp(t[:, 0]) > 0.05 else 1.0
    shift = (p[:, 0].mean() - r[:, 0].mean()) / slope / 2  # readings are in -1..1, moves in 0..1
    variance = (_spread(p) - _spread(r)) / slope**2 / 4
    _reshape(transformer, slot.attribute, scenes, shift, variance)


def _spread(reading: np.ndarray) -> float:
    """Variance over all nodes: between scenes, and within them where several nodes are read."""
    within = np.mean(np.maximum(reading[:, 1], 0) ** 2) if reading.shape[1] > 1 else 0.0
    return float(reading[:, 0].var() + within)


def _turn(transformer: Transformer, a: Attribute, scenes: SceneBatch, r: np.ndarray, p: np.ndarray) -> None:
    """Angles: turn by the difference of the mean directions; the variance about them by the difference of theirs."""
    mean_r, mean_p = (np.arctan2(*x.mean(0)) for x in (r, p))
    shift = (mean_p - mean_r + np.pi) % (2 * np.pi) - np.pi
    around = [((np.arctan2(x[:, 0], x[:, 1]) - m + np.pi) % (2 * np.pi) - np.pi) for x, m in ((r, mean_r), (p, mean_p))]
    _reshape(transformer, a, scenes, shift / (2 * np.pi), (_robust(around[1]) - _robust(around[0])) / (2 * np.pi) ** 2)


def _robust(error: np.ndarray) -> float:
    """A variance that a few upside-down readings do not fill."""
    low, high = np.quantile(error, [0.25, 0.75])
    return float(((high - low) / 1.349) ** 2)


def _reshape(transformer: Transformer, a: Attribute, scenes: SceneBatch, shift: float, variance: float) -> None:
    """Move an attribute's distribution by shift and change its variance (both in units of the bounds)."""
    prior = prior_at_knots(transformer, a, scenes)
    with torch.no_grad():
        now = prior + transformer.curve(a, KNOT_PLACES).double().numpy()
        noise = float(transformer.sigma(a))
    centre = float(MASS @ now)
    before = float(MASS @ (now - centre) ** 2)
    form = (now - centre) / np.sqrt(before) if before > (2 * SIGMA_FLOOR) ** 2 else KNOT_PLACES
    total = max(before + noise**2 + variance, 0.0)
    noise = float(np.clip(0.3 * np.sqrt(total), SIGMA_FLOOR, SIGMA_START))
    width = np.sqrt(max(total - noise**2, 0.0))
    transformer.set_curve(a, centre + shift + width * form - prior)
    transformer.set_sigma(a, noise)


def prior_at_knots(transformer: Transformer, a: Attribute, scenes: SceneBatch) -> np.ndarray:
    """Where the prior's own values stand in their bounds at the curve's knots [K]; of conditional ones, on average."""
    grammar = transformer.grammar
    if isinstance(a.prior, Prior):
        unit = draw(a, None, special.ndtr(KNOT_PLACES))[1]  # type: ignore[arg-type]
        assert unit is not None
        return np.unwrap(unit.unit, period=1.0) if a.prior.circular else unit.unit
    table = scenes.tables[a.kind]
    return at_knots(place(table.address, a.name), grammar.units(grammar.decode(scenes, {})[0])[a.key])


def at_knots(z: np.ndarray, values: np.ndarray) -> np.ndarray:
    """values [n], a noisy function of z [n], at the knots' places [K]: running means, straight beyond the data."""
    order = np.argsort(z)
    parts = np.array_split(order, max(2, min(64, len(z) // 4)))
    middle, level = (np.array([x[part].mean() for part in parts]) for x in (z, values))
    out = np.interp(KNOT_PLACES, middle, level)
    for outside, end, inner in ((middle[0] > KNOT_PLACES, 0, 1), (middle[-1] < KNOT_PLACES, -1, -2)):
        slope = (level[end] - level[inner]) / (middle[end] - middle[inner])
        out[outside] = level[end] + slope * (KNOT_PLACES[outside] - middle[end])
    return out


def _reweigh(transformer: Transformer, a: Attribute, r: np.ndarray, p: np.ndarray) -> None:
    """Choices: odds times the ratio of the mean readings."""
    ratio = np.clip(p.mean(0), 0.01, None) / np.clip(r.mean(0), 0.01, None)
    with torch.no_grad():
        transformer.logits[f"{a.kind}/{a.name}"].add_(torch.from_numpy(np.log(ratio)).float())
