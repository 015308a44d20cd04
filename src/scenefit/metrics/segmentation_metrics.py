"""Metrics of semantic segmentation: intersection over union (IoU), and average precision over pixels.

All come from counts of pixels, so that photos are never held with their probabilities. Those of each image are three
numbers a class, by which a resample of photos only changes weights; confidences are counted over all images together.
Legend: N images; H, W pixels; C classes; B bins of confidence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import IGNORED

BINS = 512
UNSET_THRESHOLD = 0.5
MAX_LOGIT = 12.0  # confidences beyond +-12 logits fall into the outermost bins
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """What a network predicts in N images, compared with their class masks; ignored pixels are left out.

    classes: their names.  areas [N, C, 3]: pixels that are labelled with a class, predicted as it, where each pixel is
    given its most likely class, and both.  known [N]: pixels that are not ignored.  scores [C, 2, B]: pixels of all
    images without and with a class, by the confidence that they show it; bins of equal width in logits.  errors
    [N, C, 2]: false positives and false negatives at the thresholds that were given; [N, 0, 2] without.
    """

    classes: tuple[str, ...]
    areas: Ints
    known: Ints
    scores: Ints
    errors: Ints

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def area(self) -> Ints:
        """Labelled pixels of each class [C]."""
        out: Ints = self.areas[:, :, 0].sum(0)
        return out

    def iou(self, weights: Floats | None = None) -> Floats:
        """IoU of each class [C], of all images' pixels together, where each pixel is given its most likely class; NaN
        for a class that no pixel shows. weights [N]: how often each image counts."""
        total = self.areas.sum(0).astype(float) if weights is None else np.tensordot(np.asarray(weights, float),
                                                                                      self.areas, 1)
        labelled, predicted, both = total.T
        return np.where(labelled > 0, both / np.maximum(labelled + predicted - both, 1), np.nan)

    def resampled(self, weights: Floats) -> Floats:
        """Mean IoU [B] of the classes that pixels show, as of `iou`, for weights of the images [B, N]; NaN where no
        pixel shows any."""
        values = np.array([self.iou(weight) for weight in weights])
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return np.where(known, values, 0).sum(1) / known.sum(1)

    def average_precision(self) -> Floats:
        """Area under the curve of precision over recall [C], of all pixels; NaN for a class that no pixel shows."""
        wrong, right = self._predicted()
        found = right / np.maximum(right[:, -1:], 1)
        precision = right / np.maximum(right + wrong, 1)
        area = (np.diff(found, axis=1, prepend=0.0) * precision).sum(1)
        return np.where(right[:, -1] > 0, area, np.nan)

    def iou_at(self, thresholds: Floats) -> Floats:
        """IoU of each class [C] where a pixel shows it from a threshold of confidence [C] on, whatever else it shows;
        NaN for a class that no pixel shows. Thresholds are rounded to bins."""
        curve = self._curve()
        return curve[np.arange(len(curve)), BINS - 1 - _bins(np.asarray(thresholds))]

    def best_thresholds(self) -> Floats:
        """Thresholds [C] of the highest IoU: to be set on renders, and to be applied to photos; 0.5 of a class that no
        pixel shows, as no threshold is better than another then."""
        curve = self._curve()
        best = edges()[BINS - 1 - np.nan_to_num(curve).argmax(1)]
        return np.where(np.isnan(curve).any(1), UNSET_THRESHOLD, best)

    def equal_area_thresholds(self) -> Floats:
        """Thresholds [C] from which on the class is predicted in as many pixels as show it, or in as few more as bins
        allow."""
        wrong, right = self._predicted()
        enough = wrong + right >= right[:, -1:]
        return edges()[BINS - 1 - enough.argmax(1)]

    def false_and_missed(self, thresholds: Floats) -> tuple[Floats, Floats]:
        """False positives [C], pixels where the class is predicted that do not show it, and false negatives [C], the
        reverse."""
        false, missed = _errors(self.scores, _bins(np.asarray(thresholds)))
        return false.astype(float), missed.astype(float)

    def _predicted(self) -> tuple[Floats, Floats]:
        """Pixels without and with each class where it is predicted, by falling threshold [C, B]."""
        total = self.scores.astype(float)[:, :, ::-1].cumsum(2)
        return total[:, 0], total[:, 1]

    def _curve(self) -> Floats:
        """IoU by falling threshold [C, B]."""
        wrong, right = self._predicted()
        return np.where(right[:, -1:] > 0, right / np.maximum(right[:, -1:] + wrong, 1), np.nan)


def count_pixels(classes: Sequence[str], logits: NDArray[np.float32], masks: NDArray[np.uint8],
                 thresholds: Floats | None = None) -> PixelCounts:
    """Counts of images from the logits [N, C + 1, H, W] of no class and each class, and true masks uint8 [N, H, W].
    thresholds [C]: at which the errors of each image are counted."""
    count, outputs = logits.shape[:2]
    areas, known = np.zeros((count, outputs - 1, 3), np.int64), np.zeros(count, np.int64)
    scores = np.zeros((outputs - 1, 2, BINS), np.int64)
    errors = np.zeros((count, 0 if thresholds is None else outputs - 1, 2), np.int64)
    at = None if thresholds is None else _bins(np.asarray(thresholds))
    for n, (each, mask) in enumerate(zip(logits, masks, strict=True)):
        there = mask != IGNORED
        values, truth = each[:, there].astype(np.float64), mask[there].astype(np.int64)
        predicted, known[n] = values.argmax(0), len(truth)
        for part, codes in enumerate((truth, predicted, truth[truth == predicted])):
            areas[n, :, part] = np.bincount(codes, minlength=outputs)[1:outputs]
        own = np.zeros_like(scores)
        for c in range(outputs - 1):
            others = np.logaddexp.reduce(np.delete(values, c + 1, axis=0), axis=0)
            place = _place(values[c + 1] - others) + BINS * (truth == c + 1)
            own[c] = np.bincount(place, minlength=2 * BINS).reshape(2, BINS)
        scores += own
        if at is not None:
            errors[n] = np.stack(_errors(own, at), 1)
    return PixelCounts(tuple(classes), areas, known, scores, errors)


def join_counts(parts: Iterable[PixelCounts]) -> PixelCounts:
    """Counts of several sets of images, at least one, as those of one set; of all scores one sum is held."""
    rows, last, scores = list[tuple[Ints, Ints, Ints]](), None, np.zeros(1, np.int64)
    for last in parts:
        scores = scores + last.scores
        rows.append((last.areas, last.known, last.errors))
    assert last is not None
    areas, known, errors = (np.concatenate(column) for column in zip(*rows, strict=True))
    return PixelCounts(last.classes, areas, known, scores, errors)


def _errors(scores: Ints, at: Ints) -> tuple[Ints, Ints]:
    """Pixels without each class from its bin on, and with it below [C]. scores [C, 2, B].  at [C]: bins."""
    above = np.arange(BINS) >= at[:, None]
    return (scores[:, 0] * above).sum(1), (scores[:, 1] * ~above).sum(1)


def edges() -> Floats:
    """The lower end of each bin as a confidence in 0..1 [B]."""
    return 1 / (1 + np.exp(-(np.arange(BINS) / BINS * 2 - 1) * MAX_LOGIT))


def _place(logit: Floats) -> NDArray[np.int64]:
    return np.clip(np.floor((logit / MAX_LOGIT + 1) / 2 * BINS), 0, BINS - 1).astype(np.int64)


def _bins(thresholds: Floats) -> NDArray[np.int64]:
    """The bins that thresholds in 0..1 lie nearest to the lower end of."""
    return np.abs(edges()[None] - thresholds[:, None]).argmin(1)
