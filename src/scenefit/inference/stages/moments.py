"""Matching the moments of a regressor's predictions: the algorithm of the stage `moment_matching`.

Predictions on photos are biased towards the mean of the training data, so they are not used as estimates. First,
`nearest_neighbour_abc` takes the known parameters of the renders whose predictions lie nearest to those on the photos:
too wide, but safe, for where the regressor is blind nothing is narrowed (approximate Bayesian computation with learned
summary statistics, Fearnhead and Prangle 2012). Then `match_moments` compares the predictions on photos with those on
renders of the present distribution, and changes it until both agree (indirect inference, Gourieroux, Monfort and
Renault 1993).

Legend: S scenes; N photos; R predictions; K knots of an offset curve.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy import special
from torch import Tensor

from scenefit.nets.attribute_regressor import Target
from scenefit.nets.quantile_offsets import KNOTS, MASS, prior_at_knots
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SIGMA_START, SceneDistribution
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar.values import whole_ends
from scenefit.scenes.scene import SceneBatch

CLOSE = 0.5  # length of a mean direction; a normal spread of 67 degrees has it
NEIGHBOURS = 4  # renders taken for each photo
MIN_SPREAD = 0.04  # of the bounds: what a regressor trained close to the photos should still see
MIN_SHARE = 0.01  # of a choice's option: an option that is not predicted may still occur
REVIVED = 0.2  # of a count's renders, spread over all its values before the likelihood of the photos
EM_STEPS = 20  # of expectation and maximisation: more would fit the noise of single photos
SLOPE_TRUST = 0.3  # how far the slope of a count's predictions may lie from 1 before renders show it
MIN_SLOPE = 0.2  # predictions that depend less than this on the truth cannot be inverted; their correction is damped


def nearest_neighbour_abc(distribution: SceneDistribution, scenes: SceneBatch, renders: Tensor,
                          photos: Tensor) -> SceneDistribution:
    """Give every learned attribute the values of those scenes whose predictions lie nearest to a photo's.

    scenes: any sample of the grammar or of its uniform prior.  renders [S, R], photos [N, R]: predictions.
    """
    proposal, grammar = distribution.copy(), distribution.grammar
    scale = renders.std(dim=0).clamp(min=1e-6)
    near = torch.cdist(photos / scale, renders / scale).topk(min(NEIGHBOURS, len(renders)), largest=False).indices
    times = torch.bincount(near.flatten(), minlength=len(renders)).numpy()
    units = grammar.normalised(scenes)
    for a in grammar.learned:
        table = scenes.tables[a.kind]
        rows = np.repeat(np.arange(len(table)), times[table.scene])
        if len(rows) == 0:
            continue
        if a.form == "choice":
            share = np.bincount(a.choice.codes(table[a.name])[rows], minlength=len(a.choice.options)) / len(rows)
            proposal.set_odds(a, np.maximum(share, MIN_SHARE))
        else:
            proposal.set_offsets(a, _quantiles(a, units[a.key][rows]) - prior_at_knots(grammar, a, scenes))
    return proposal


def _quantiles(a: Attribute, unit: np.ndarray) -> np.ndarray:
    """Of normalised values [n], at the knots [K]; of angles at both ends of their axes, cut open somewhere.

    Predictions confuse the ends; so a regressor that is trained on the proposal has to see both.
    """
    if a.circular:
        unit = np.concatenate([unit, unit + 0.5])
        centre = float(np.angle(np.exp(4j * np.pi * unit).mean())) / (4 * np.pi) + 0.25
        return centre + np.quantile((unit - centre + 0.5) % 1.0 - 0.5, special.ndtr(KNOTS))
    return np.quantile(unit, special.ndtr(KNOTS))


def widened(distribution: SceneDistribution) -> SceneDistribution:
    """A copy whose learned numbers spread twice as wide, and at least a little: what a regressor is refined on."""
    wide = distribution.copy()
    scenes = distribution.sample(0, 64)
    for a in distribution.numbers:
        prior = prior_at_knots(distribution.grammar, a, scenes)
        with torch.no_grad():
            now = prior + distribution.offset(a, KNOTS).double().numpy()
        centre = float(MASS @ now)
        spread = float(np.sqrt(MASS @ (now - centre) ** 2 + float(distribution.sigma(a).detach()) ** 2))
        least = max(MIN_SPREAD, 1 / _bins(a)) if a.form == "integer" and not a.conditional else MIN_SPREAD
        wide.set_offsets(a, centre + max(2 * spread, least) * KNOTS - prior)
    return wide


def match_moments(distribution: SceneDistribution, targets: Sequence[Target], scenes: SceneBatch, renders: Tensor,
                  photos: Tensor, truth: Tensor, keep_ends: bool = False) -> SceneDistribution:
    """One round: the distribution changed so that predictions on its renders [S, R] come to those on photos [N, R].

    scenes: what was rendered, drawn from the distribution.  truth [S, R]: what a perfect regressor would predict.
    keep_ends: angles stay at the end of their axis where they are.
    """
    matched = distribution.copy()
    at = 0
    for target in targets:
        part = slice(at, at + target.width)
        at += target.width
        known = torch.isfinite(truth[:, part]).all(dim=1)
        if int(known.sum()) < 8:
            continue
        ours, theirs, true = (x.double().numpy() for x in (renders[known, part], photos[:, part], truth[known, part]))
        if target.form == "choice":
            _match_choice(matched, target.attribute, ours, theirs)
        elif target.single and target.form == "integer" and not target.attribute.conditional:
            _match_count(matched, target.attribute, scenes, ours[:, 0], theirs[:, 0], true[:, 0])
        elif target.form == "angle":
            _match_angle(matched, target.attribute, scenes, ours, theirs, true, keep_ends)
        else:
            _match_number(matched, target, scenes, ours, theirs, true)
    return matched


def _match_number(distribution: SceneDistribution, target: Target, scenes: SceneBatch, renders: np.ndarray,
                  photos: np.ndarray, truth: np.ndarray) -> None:
    """Numbers: shift the mean by the difference of the mean predictions, the variance by that of their variances."""
    slope = 1.0
    if np.ptp(truth[:, 0]) > 0.05:
        slope = float(np.clip(np.polyfit(truth[:, 0], renders[:, 0], 1)[0], MIN_SLOPE, 1))
    shift = (photos[:, 0].mean() - renders[:, 0].mean()) / slope / 2  # predictions are in -1..1, offsets in 0..1
    variance = (_spread(photos) - _spread(renders)) / slope**2 / 4
    a, prior = target.attribute, prior_at_knots(distribution.grammar, target.attribute, scenes)
    with torch.no_grad():
        now = prior + distribution.offset(a, KNOTS).double().numpy()
        noise = float(distribution.sigma(a))
    centre = float(MASS @ now)
    before = float(MASS @ (now - centre) ** 2)
    form = (now - centre) / np.sqrt(before) if before > (2 * SIGMA_FLOOR) ** 2 else KNOTS
    _reshape(distribution, a, prior, centre + shift, before + noise**2 + variance, form)


def _match_count(distribution: SceneDistribution, a: Attribute, scenes: SceneBatch, renders: np.ndarray,
                 photos: np.ndarray, truth: np.ndarray) -> None:
    """Whole numbers: the share of each value, by expectation and maximisation under label shift (Saerens et al. 2002).

    Two moments cannot represent a bimodal count, and a spread narrower than one value collapses.
    """
    bins = _bins(a)
    place = 2 * (np.arange(bins) + 0.5) / bins - 1
    present = np.bincount(np.rint((truth + 1) / 2 * bins - 0.5).astype(int), minlength=bins) / len(truth)
    # The prediction expected for each value: a line, regularised towards the identity where renders hardly differ.
    noise = max(float((renders - truth).var()), 1e-6)
    lean = noise / SLOPE_TRUST**2 / len(truth)
    slope = float((np.cov(truth, renders, bias=True)[0, 1] + lean) / (truth.var() + lean))
    if slope < MIN_SLOPE:
        return  # the regressor is blind to it, so the count stays as it is
    expected = renders.mean() + slope * (place - truth.mean())
    error = max(float((renders - renders.mean() - slope * (truth - truth.mean())).std()), 1 / bins / 4)
    likely = np.exp(-(((photos[:, None] - expected) / error) ** 2) / 2) + 1e-12
    share = (1 - REVIVED) * present + REVIVED / bins
    for _ in range(EM_STEPS):
        part = share * likely
        share = (part / part.sum(axis=1, keepdims=True)).mean(axis=0)
    edges = np.arange(bins + 1) / bins
    unit = np.interp(special.ndtr(KNOTS), np.concatenate([[0], np.cumsum(share)]), edges)
    distribution.set_offsets(a, unit - prior_at_knots(distribution.grammar, a, scenes))
    distribution.set_sigma(a, SIGMA_FLOOR)


def _bins(a: Attribute) -> int:
    """How many values a whole number may take."""
    low, high = whole_ends(a)
    return high - low + 1


def _spread(predicted: np.ndarray) -> float:
    """Variance over all nodes: between scenes, and within them where a scene has several nodes."""
    within = np.mean(np.maximum(predicted[:, 1], 0) ** 2) if predicted.shape[1] > 1 else 0.0
    return float(predicted[:, 0].var() + within)


def _match_angle(distribution: SceneDistribution, a: Attribute, scenes: SceneBatch, renders: np.ndarray,
                 photos: np.ndarray, truth: np.ndarray, keep_end: bool) -> None:
    """Angles, as complex numbers: prediction = response * truth + error, so the photos' mean prediction divided by the
    response is their mean angle.

    Twice the angle, an axis, is predicted far better than the angle itself; so it gives mean and spread, and the angle
    itself only the end of the axis. Where the axes have no mean direction, the angle is used alone.
    """
    once, twice = (_means(*(x[:, at + 1] + 1j * x[:, at] for x in (renders, photos, truth))) for at in (0, 2))
    if abs(twice[0]) > CLOSE:
        angle, variance = np.angle(twice[0]) / 2, twice[1] / 4
        towards = truth[:, 1].mean() + 1j * truth[:, 0].mean() if keep_end else once[0]
        if np.cos(np.angle(towards) - angle) < 0:
            angle += np.pi
    else:
        angle, variance = np.angle(once[0]), once[1]
    # A normal form, whatever the present one: a proposal has both ends of the axis.
    _reshape(distribution, a, prior_at_knots(distribution.grammar, a, scenes), angle / (2 * np.pi) + 0.5,
             variance / (2 * np.pi) ** 2, KNOTS)


def _means(render: np.ndarray, photo: np.ndarray, true: np.ndarray) -> tuple[complex, float]:
    """Mean direction of the photos' angles as a complex number, at most 1 long, and their variance in radians^2.

    A long mean is that of angles close together: the spread of single predictions is then more precise than its length.
    """
    response = (render * true.conj()).sum() / (abs(true) ** 2).sum()
    mean = complex(photo.mean() / response)
    mean *= min(1.0, 1 / max(abs(mean), 1e-9))
    if abs(mean) > CLOSE:
        return mean, _robust(np.angle(photo / mean / response)) - _robust(np.angle(render / true / response))
    return mean, -2 * float(np.log(max(abs(mean), 0.02)))  # of a wrapped normal distribution


def _robust(error: np.ndarray) -> float:
    """A variance that a few predictions at the wrong end of the axis do not inflate."""
    low, high = np.quantile(error, [0.25, 0.75])
    return float(((high - low) / 1.349) ** 2)


def _reshape(distribution: SceneDistribution, a: Attribute, prior: np.ndarray, centre: float, variance: float,
             form: np.ndarray) -> None:
    """Give an attribute a distribution: its centre and variance in units of the bounds, its form [K] with spread 1."""
    sigma = float(np.clip(0.3 * np.sqrt(max(variance, 0.0)), SIGMA_FLOOR, SIGMA_START))
    width = np.sqrt(max(variance - sigma**2, 0.0))
    distribution.set_offsets(a, centre + width * form - prior)
    distribution.set_sigma(a, sigma)


def _match_choice(distribution: SceneDistribution, a: Attribute, renders: np.ndarray, photos: np.ndarray) -> None:
    """Choices: odds times the ratio of the mean predictions."""
    ratio = np.clip(photos.mean(0), 0.01, None) / np.clip(renders.mean(0), 0.01, None)
    distribution.set_odds(a, distribution.odds(a) * ratio)
