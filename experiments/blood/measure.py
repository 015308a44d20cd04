"""Average precision of many resamples of photos, fast, and intervals paired between arms.

What a detection is worth in a photo does not depend on the other photos, so detections are matched once; a resample of
photos only weighs them. Legend: N photos; d detections; t true boxes; C classes; B resamples; R seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import Match, match_boxes
from scenefit.scenes.rng import generator

RECALLS = np.linspace(0, 1, 101)  # at which COCO reads the precision
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one class, surest first.  image [d]: their photos.  true: places of the true ones among them.

    truth [t]: photos of the true boxes.
    """

    image: NDArray[np.int64]
    true: NDArray[np.int64]
    truth: NDArray[np.int64]

    def ap50(self, weight: Floats) -> float:
        """Average precision where each photo counts weight [N] times; NaN where none with a true box does."""
        total = weight[self.truth].sum()
        if total == 0:
            return float("nan")
        found = np.cumsum(weight[self.image[self.true]])
        if not len(found) or found[-1] == 0:
            return 0.0
        told = np.cumsum(weight[self.image])[self.true]
        precision = found / np.maximum(told, 1e-12)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(found / total, RECALLS)
        return float(np.append(best, 0.0)[place].mean())


@dataclass(frozen=True, eq=False)
class Judged:
    """One detector's finds in N photos, held against their boxes at IoU 0.5.

    ranked: of each class.  counts [N, C, 3]: true, false and missed of each photo at the threshold.  match: of all.
    """

    ranked: tuple[Ranked, ...]
    counts: NDArray[np.int64]
    match: Match

    def ap50(self, weights: Floats) -> Floats:
        """weights [B, N] -> [B, C]."""
        return np.array([[one.ap50(weight) for one in self.ranked] for weight in weights])


def judge(found: Boxes, truth: Boxes, classes: Sequence[str], threshold: float) -> Judged:
    """Match once; all else follows."""
    match = match_boxes(found, truth)
    ranked, counts = [], np.zeros((truth.count, len(classes), 3), np.int64)
    believed = match_boxes(found.where(found.score >= threshold), truth)
    kept = np.flatnonzero(found.score >= threshold)
    for code, name in enumerate(classes):
        rows = np.flatnonzero(found.name == name)
        rows = rows[np.argsort(-found.score[rows], kind="stable")]
        real = truth.name == name
        ranked.append(Ranked(found.image[rows], np.flatnonzero(match.true[rows]), truth.image[real]))
        own = found.name[kept] == name
        for column, image in enumerate((found.image[kept][own & believed.true], found.image[kept][own & ~believed.true],
                                        truth.image[real & ~believed.detected])):
            counts[:, code, column] = np.bincount(image, minlength=truth.count)
    return Judged(tuple(ranked), counts, match)


@dataclass(frozen=True, eq=False)
class Resamples:
    """The same resamples for all arms. photos [B, N]: how often each photo counts.  seeds [B, R]: each seed's share."""

    photos: Floats
    seeds: Floats

    def of(self, values: Floats) -> Floats:
        """values [R, B, ...] of each seed and resample of photos -> [B, ...], the mean over the seeds drawn."""
        return np.einsum("br,rb...->b...", self.seeds, values)


def resamples(photos: int, seeds: int, count: int, seed: int = 0) -> Resamples:
    """Photos and seeds drawn with replacement, independently; of the seeds one fewer than there are, for drawing all
    would understate the spread of few (Rao and Wu 1988)."""
    random = generator(seed, "resamples")
    drawn = random.multinomial(photos, np.full(photos, 1 / photos), count).astype(float)
    draws = max(seeds - 1, 1)
    return Resamples(drawn, random.multinomial(draws, np.full(seeds, 1 / seeds), count) / draws)


@dataclass(frozen=True, eq=False)
class Figure:
    """values [R]: of each seed, on all photos.  drawn [B]: of the resamples, which arms share."""

    values: Floats
    drawn: Floats

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    def minus(self, other: "Figure") -> "Figure":
        return Figure(self.values - other.values, self.drawn - other.drawn)

    def record(self) -> dict[str, Any]:
        """Mean over seeds, the 95 % interval, and the seeds' own values."""
        return {"mean": self.mean, **ends(self.drawn), "values": self.values.tolist()}


def ratio(above: Figure, below: Figure) -> dict[str, Any]:
    """The means' ratio with its 95 % interval. Not that of each seed, which a small divisor makes wild."""
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = above.drawn / below.drawn
    return {"mean": above.mean / below.mean if below.mean else None, **ends(drawn)}


def ends(drawn: Floats) -> dict[str, Any]:
    """2.5 to 97.5 % of the resamples, None where some of them have no value."""
    if not np.isfinite(drawn).all():
        return {"low": None, "high": None}
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}


def figures(judged: Sequence[Judged], classes: Sequence[str], lots: Resamples) -> dict[str, Figure]:
    """Of one arm, one entry a seed: AP50 of each class and "mAP50", in 0..1, and "mistakes": false and missed ones."""
    whole = np.ones((1, lots.photos.shape[1]))
    values = np.stack([one.ap50(whole)[0] for one in judged])
    drawn = np.stack([one.ap50(lots.photos) for one in judged])
    found = {name: Figure(values[:, code], lots.of(drawn[..., code])) for code, name in enumerate(classes)}
    found["mAP50"] = Figure(np.nanmean(values, 1), lots.of(np.nanmean(drawn, 2)))
    found["mistakes"] = mistakes([one.counts for one in judged], lots)
    return found


def mistakes(counts: Sequence[NDArray[np.int64]], lots: Resamples) -> Figure:
    """False and missed ones together, from the counts [N, C, 3] of each seed."""
    wrong = np.stack([one[..., 1:].sum((1, 2)) for one in counts]).astype(float)  # [R, N]
    return Figure(wrong.sum(1), lots.of(wrong @ lots.photos.T))


def percent(one: dict[str, Any] | None) -> str:
    return "" if one is None or one["mean"] is None else spread(one, digits=0)


def spread(one: dict[str, Any], times: float = 100, digits: int = 1) -> str:
    """Mean and interval."""
    if one["mean"] is None:
        return "not defined"
    text = f"{times * one['mean']:.{digits}f}"
    if one["low"] is None:
        return text
    return f"{text} ({times * one['low']:.{digits}f} to {times * one['high']:.{digits}f})"
