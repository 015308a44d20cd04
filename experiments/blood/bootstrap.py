"""Bootstrap over photos and seeds: average precision of many resamples, with intervals paired between arms.

Whether a detection is true does not depend on other photos, so detections are matched once and a resample of photos
only changes their weights. Legend: N photos; d detections; t labels; C classes; B resamples; R seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import Match, match_boxes
from scenefit.metrics.resampled_precision import Ranked, ranked
from scenefit.scenes.rng import generator

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """One detector's predictions in N photos, matched with their labels at IoU 0.5.

    ranked: detections of each class.  counts [N, C, 3]: true positives, false positives and missed labels per photo, at
    the threshold.  match: of all detections.
    """

    ranked: tuple[Ranked, ...]
    counts: NDArray[np.int64]
    match: Match

    def ap50(self, weights: Floats) -> Floats:
        """AP50 of each class [B, C] for weights of photos [B, N]."""
        return np.array([[one.average_precision(weight) for one in self.ranked] for weight in weights])


def evaluate(predicted: Boxes, truth: Boxes, classes: Sequence[str], threshold: float) -> Evaluated:
    """Match predictions with labels: all of them for AP50, those from the threshold on for the counts."""
    match = match_boxes(predicted, truth)
    counts = np.zeros((truth.count, len(classes), 3), np.int64)
    confident = predicted.where(predicted.score >= threshold)
    confident_match = match_boxes(confident, truth)
    for code, name in enumerate(classes):
        labels = truth.name == name
        own = confident.name == name
        for column, image in enumerate((confident.image[own & confident_match.true],
                                        confident.image[own & ~confident_match.true],
                                        truth.image[labels & ~confident_match.detected])):
            counts[:, code, column] = np.bincount(image, minlength=truth.count)
    return Evaluated(tuple(ranked(predicted, truth, match, name) for name in classes), counts, match)


@dataclass(frozen=True, eq=False)
class Resamples:
    """Resamples shared by all arms. photos [B, N]: how often each photo is drawn.  seeds [B, R]: share of each seed."""

    photos: Floats
    seeds: Floats

    def mean(self, values: Floats) -> Floats:
        """Values of each seed and resample of photos [R, B, ...] -> mean over the drawn seeds [B, ...]."""
        return np.einsum("br,rb...->b...", self.seeds, values)


def resamples(photos: int, seeds: int, count: int, seed: int = 0) -> Resamples:
    """Photos and seeds drawn independently, with replacement. One seed fewer is drawn than there are, because drawing
    all of a few seeds would underestimate their variance (Rao and Wu 1988)."""
    random = generator(seed, "resamples")
    drawn = random.multinomial(photos, np.full(photos, 1 / photos), count).astype(float)
    draws = max(seeds - 1, 1)
    return Resamples(drawn, random.multinomial(draws, np.full(seeds, 1 / seeds), count) / draws)


@dataclass(frozen=True, eq=False)
class Figure:
    """values [R]: of each seed, on all photos.  resampled [B]: of each resample, paired between arms."""

    values: Floats
    resampled: Floats

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    def minus(self, other: "Figure") -> "Figure":
        return Figure(self.values - other.values, self.resampled - other.resampled)

    def record(self) -> dict[str, Any]:
        """Mean over seeds, 95 % interval, and the values of the seeds."""
        return {"mean": self.mean, **percentiles(self.resampled), "values": self.values.tolist()}


def ratio(numerator: Figure, denominator: Figure) -> dict[str, Any]:
    """Ratio of the means with its 95 % interval. Ratios of single seeds are not used: a small denominator makes them
    unstable."""
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = numerator.resampled / denominator.resampled
    return {"mean": numerator.mean / denominator.mean if denominator.mean else None, **percentiles(resampled)}


def percentiles(resampled: Floats) -> dict[str, Any]:
    """2.5 and 97.5 % quantiles of the resamples; None if some of them have no value."""
    if not np.isfinite(resampled).all():
        return {"low": None, "high": None}
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}


def figures(evaluated: Sequence[Evaluated], classes: Sequence[str], samples: Resamples) -> dict[str, Figure]:
    """Figures of one arm from its seeds: AP50 of each class and "mAP50", 0..1, and "mistakes": false and missed
    detections."""
    all_photos = np.ones((1, samples.photos.shape[1]))
    values = np.stack([one.ap50(all_photos)[0] for one in evaluated])
    resampled = np.stack([one.ap50(samples.photos) for one in evaluated])
    result = {name: Figure(values[:, code], samples.mean(resampled[..., code]))
              for code, name in enumerate(classes)}
    result["mAP50"] = Figure(np.nanmean(values, 1), samples.mean(np.nanmean(resampled, 2)))
    result["mistakes"] = errors([one.counts for one in evaluated], samples)
    return result


def errors(counts: Sequence[NDArray[np.int64]], samples: Resamples) -> Figure:
    """Number of false and missed detections, from the counts [N, C, 3] of each seed."""
    per_photo = np.stack([one[..., 1:].sum((1, 2)) for one in counts]).astype(float)  # [R, N]
    return Figure(per_photo.sum(1), samples.mean(per_photo @ samples.photos.T))


def percent(figure: dict[str, Any] | None) -> str:
    """Mean and interval in whole percent, "" if there is none."""
    return "" if figure is None or figure["mean"] is None else with_interval(figure, digits=0)


def with_interval(figure: dict[str, Any], times: float = 100, digits: int = 1) -> str:
    """Mean and 95 % interval as text, multiplied by times."""
    if figure["mean"] is None:
        return "not defined"
    text = f"{times * figure['mean']:.{digits}f}"
    if figure["low"] is None:
        return text
    return f"{text} ({times * figure['low']:.{digits}f} to {times * figure['high']:.{digits}f})"
