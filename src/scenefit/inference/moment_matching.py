"""Warm start by reading: what a reader says of the photos becomes the transformer's starting curves.

A reading is not the truth: it errs, and it shrinks towards what it was trained on. So the photos' readings are never
taken at their word. First `propose` finds the renders that read like the photos, and takes the truth of those: too
wide, but safe, for where the reader is blind nothing is narrowed (approximate Bayesian computation with learned
summaries, Fearnhead and Prangle 2012). Then `agree` compares the photos' readings with those of renders from the
present distribution, and moves it until both agree (indirect inference, Gourieroux, Monfort and Renault 1993).
Legend: S scenes; N photos; R readings; K knots of a curve.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from scipy import special
from torch import Tensor

from scenefit.nets.attribute_regressor import Target
from scenefit.nets.quantile_offsets import KNOTS, MASS, prior_at_knots
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SIGMA_START, SceneDistribution
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.scene import SceneBatch

CLOSE = 0.5  # length of a mean direction; a normal spread of 67 degrees has it
NEIGHBOURS = 4  # renders taken for each photo
LEAST_SPREAD = 0.04  # of the bounds: what a reader that looks closely should still see
LEAST_SHARE = 0.01  # of a choice's option: what is not seen may still be there
REVIVED = 0.2  # of a count's renders, spread over all its values before the photos speak
TELLINGS = 20  # steps of expectation and maximisation: more would fit the noise of single photos
SLOPE_TRUST = 0.3  # how far a reader's answer to a count may lie from 1 before its renders have shown it
LEAST_SLOPE = 0.2  # a reader that answers less than this to the truth cannot be inverted; its correction is damped


def nearest_neighbour_abc(distribution: SceneDistribution, scenes: SceneBatch, renders: Tensor, photos: Tensor) -> None:
    """Give every learned attribute the values of those scenes whose readings lie next to a photo's.

    scenes: any sample of the grammar or of its broad prior; renders [S, R] and photos [N, R]: readings.
    """
    scale = renders.std(dim=0).clamp(min=1e-6)
    near = torch.cdist(photos / scale, renders / scale).topk(min(NEIGHBOURS, len(renders)), largest=False).indices
    times = torch.bincount(near.flatten(), minlength=len(renders)).numpy()
    units = distribution.grammar.normalised(scenes)
    for a in distribution.grammar.learned:
        table = scenes.tables[a.kind]
        rows = np.repeat(np.arange(len(table)), times[table.scene])
        if len(rows) == 0:
            continue
        if a.form == "choice":
            share = np.bincount(a.choice.codes(table[a.name])[rows], minlength=len(a.choice.options)) / len(rows)
            distribution.set_odds(a, np.maximum(share, LEAST_SHARE))
        else:
            distribution.set_offsets(a, _quantiles(a, units[a.key][rows]) - prior_at_knots(distribution.grammar, a,
                                                                                           scenes))


def _quantiles(a: Attribute, unit: np.ndarray) -> np.ndarray:
    """Of values [n] in units of the bounds, at the knots [K]; angles at both ends of their axes, cut open somewhere.

    Readings confuse the ends; so a reader that is trained on the proposal has to see both.
    """
    if a.circular:
        unit = np.concatenate([unit, unit + 0.5])
        centre = float(np.angle(np.exp(4j * np.pi * unit).mean())) / (4 * np.pi) + 0.25
        return centre + np.quantile((unit - centre + 0.5) % 1.0 - 0.5, special.ndtr(KNOTS))
    return np.quantile(unit, special.ndtr(KNOTS))


def widened(distribution: SceneDistribution) -> SceneDistribution:
    """A copy whose learned numbers spread twice as wide, and at least a little: where a reader should look closely."""
    wide = deepcopy(distribution)
    scenes = distribution.sample(0, 64)
    for a in distribution.numbers:
        prior = prior_at_knots(distribution.grammar, a, scenes)
        with torch.no_grad():
            now = prior + distribution.offset(a, KNOTS).double().numpy()
        centre = float(MASS @ now)
        spread = float(np.sqrt(MASS @ (now - centre) ** 2 + float(distribution.sigma(a).detach()) ** 2))
        least = max(LEAST_SPREAD, 1 / _bins(a)) if a.form == "integer" and not a.conditional else LEAST_SPREAD
        wide.set_offsets(a, centre + max(2 * spread, least) * KNOTS - prior)
    return wide


def match_moments(distribution: SceneDistribution, targets: Sequence[Target], scenes: SceneBatch, renders: Tensor,
                  photos: Tensor,
                  truth: Tensor, keep_ends: bool = False) -> None:
    """One round: move the transformer so that readings of its renders [S, R] come to those of the photos [N, R].

    scenes: what was rendered, drawn from the transformer; truth [S, R]: what a perfect reader would say of them.
    keep_ends: angles stay at the end of their axis where they are.
    """
    at = 0
    for target in targets:
        part = slice(at, at + target.width)
        at += target.width
        known = torch.isfinite(truth[:, part]).all(dim=1)
        if int(known.sum()) < 8:
            continue
        r, p, t = (x.double().numpy() for x in (renders[known, part], photos[:, part], truth[known, part]))
        if target.form == "choice":
            _match_choice(distribution, target.attribute, r, p)
        elif target.single and target.form == "integer" and not target.attribute.conditional:
            _match_count(distribution, target.attribute, scenes, r[:, 0], p[:, 0], t[:, 0])
        elif target.form == "angle":
            _match_angle(distribution, target.attribute, scenes, r, p, t, keep_ends)
        else:
            _match_number(distribution, target, scenes, r, p, t)


def _match_number(distribution: SceneDistribution, target: Target, scenes: SceneBatch, r: np.ndarray, p: np.ndarray,
                  t: np.ndarray) -> None:
    """Numbers: move the mean by the readings' difference, the variance by the difference of theirs."""
    slope = float(np.clip(np.polyfit(t[:, 0], r[:, 0], 1)[0], LEAST_SLOPE, 1)) if np.ptp(t[:, 0]) > 0.05 else 1.0
    shift = (p[:, 0].mean() - r[:, 0].mean()) / slope / 2  # readings are in -1..1, moves in 0..1
    variance = (_spread(p) - _spread(r)) / slope**2 / 4
    a, prior = target.attribute, prior_at_knots(distribution.grammar, target.attribute, scenes)
    with torch.no_grad():
        now = prior + distribution.offset(a, KNOTS).double().numpy()
        noise = float(distribution.sigma(a))
    centre = float(MASS @ now)
    before = float(MASS @ (now - centre) ** 2)
    form = (now - centre) / np.sqrt(before) if before > (2 * SIGMA_FLOOR) ** 2 else KNOTS
    _reshape(distribution, a, prior, centre + shift, before + noise**2 + variance, form)


def _match_count(distribution: SceneDistribution, a: Attribute, scenes: SceneBatch, r: np.ndarray, p: np.ndarray,
                 t: np.ndarray) -> None:
    """Whole numbers: the share of each value that makes the photos' readings likeliest (Saerens et al. 2002).

    Mean and spread will not do: a spread narrower than a bin is none, and counts have two peaks as often as one.
    """
    bins = _bins(a)
    place = 2 * (np.arange(bins) + 0.5) / bins - 1
    present = np.bincount(np.rint((t + 1) / 2 * bins - 0.5).astype(int), minlength=bins) / len(t)
    # What is read of each value: a line, which leans to the truth itself where renders hardly differ.
    noise = max(float((r - t).var()), 1e-6)
    lean = noise / SLOPE_TRUST**2 / len(t)
    slope = float((np.cov(t, r, bias=True)[0, 1] + lean) / (t.var() + lean))
    if slope < LEAST_SLOPE:
        return  # the reader is blind to it: nothing is known, so nothing is changed
    expected = r.mean() + slope * (place - t.mean())
    error = max(float((r - r.mean() - slope * (t - t.mean())).std()), 1 / bins / 4)
    likely = np.exp(-(((p[:, None] - expected) / error) ** 2) / 2) + 1e-12
    share = (1 - REVIVED) * present + REVIVED / bins
    for _ in range(TELLINGS):
        part = share * likely
        share = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    edges = np.arange(bins + 1) / bins
    unit = np.interp(special.ndtr(KNOTS), np.concatenate([[0], np.cumsum(share)]), edges)
    distribution.set_offsets(a, unit - prior_at_knots(distribution.grammar, a, scenes))
    distribution.set_sigma(a, SIGMA_FLOOR)


def _bins(a: Attribute) -> int:
    """How many values a whole number may take."""
    low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
    return int(high - low) + 1


def _spread(reading: np.ndarray) -> float:
    """Variance over all nodes: between scenes, and within them where several nodes are read."""
    within = np.mean(np.maximum(reading[:, 1], 0) ** 2) if reading.shape[1] > 1 else 0.0
    return float(reading[:, 0].var() + within)


def _match_angle(distribution: SceneDistribution, a: Attribute, scenes: SceneBatch, r: np.ndarray, p: np.ndarray,
                 t: np.ndarray, keep_end: bool) -> None:
    """Angles, as complex numbers: reading = answer * truth + error, so the photos' mean over the answer is theirs.

    Twice the angle, an axis, is read far better than the angle itself; so it tells where the angles lie and how wide,
    and the angle itself only at which end of the axis. Where no axis stands out, the angle has to do alone.
    """
    once, twice = (_means(*(x[:, at + 1] + 1j * x[:, at] for x in (r, p, t))) for at in (0, 2))
    if abs(twice[0]) > CLOSE:
        angle, variance = np.angle(twice[0]) / 2, twice[1] / 4
        towards = t[:, 1].mean() + 1j * t[:, 0].mean() if keep_end else once[0]
        if np.cos(np.angle(towards) - angle) < 0:
            angle += np.pi
    else:
        angle, variance = np.angle(once[0]), once[1]
    # A normal form, whatever the present one: a proposal has both ends of the axis.
    _reshape(distribution, a, prior_at_knots(distribution.grammar, a, scenes), angle / (2 * np.pi) + 0.5,
             variance / (2 * np.pi) ** 2, KNOTS)


def _means(reading: np.ndarray, photo: np.ndarray, true: np.ndarray) -> tuple[complex, float]:
    """Mean direction of the photos' angles as a complex number, at most 1 long, and their variance in radians^2.

    A long mean is that of angles close together: the spread of single readings then tells more than its length.
    """
    answer = (reading * true.conj()).sum() / (abs(true) ** 2).sum()
    mean = complex(photo.mean() / answer)
    mean *= min(1.0, 1 / max(abs(mean), 1e-9))
    if abs(mean) > CLOSE:
        return mean, _robust(np.angle(photo / mean / answer)) - _robust(np.angle(reading / true / answer))
    return mean, -2 * float(np.log(max(abs(mean), 0.02)))  # of a wrapped normal distribution


def _robust(error: np.ndarray) -> float:
    """A variance that a few upside-down readings do not fill."""
    low, high = np.quantile(error, [0.25, 0.75])
    return float(((high - low) / 1.349) ** 2)


def _reshape(distribution: SceneDistribution, a: Attribute, prior: np.ndarray, centre: float, variance: float,
             form: np.ndarray) -> None:
    """Give an attribute a distribution: its centre and variance in units of the bounds, its form [K] with spread 1."""
    sigma = float(np.clip(0.3 * np.sqrt(max(variance, 0.0)), SIGMA_FLOOR, SIGMA_START))
    width = np.sqrt(max(variance - sigma**2, 0.0))
    distribution.set_offsets(a, centre + width * form - prior)
    distribution.set_sigma(a, sigma)


def _match_choice(distribution: SceneDistribution, a: Attribute, r: np.ndarray, p: np.ndarray) -> None:
    """Choices: odds times the ratio of the mean readings."""
    ratio = np.clip(p.mean(0), 0.01, None) / np.clip(r.mean(0), 0.01, None)
    distribution.set_odds(a, distribution.odds(a) * ratio)
