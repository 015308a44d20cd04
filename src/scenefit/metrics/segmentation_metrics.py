"""Metrics of semantic segmentation: intersection over union (IoU), and average precision over pixels.

All come from counts of pixels in each image, so that photos are never held with their probabilities, and a resample of
photos only changes their weights. Legend: N images; H, W pixels; C classes; B bins of confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import IGNORED

BINS = 512
UNSET_THRESHOLD = 0.5
MAX_LOGIT = 12.0  # confidences beyond +-12 logits fall into the outermost bins
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """What a network predicts in N images, compared with their class masks; ignored pixels are left out.

    classes: their names.  confusion [N, C + 1, C + 1]: pixels by true and by predicted value of the mask, 0 for no
    class.  scores [N, C, 2, B]: pixels without and with a class, by the confidence that they show it; bins of equal
    width in logits.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    scores: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.confusion)

    def take(self, images: Sequence[int] | NDArray[np.int64]) -> "PixelCounts":
        """Of some of the images."""
        return PixelCounts(self.classes, self.confusion[images], self.scores[images])

    def iou(self, weights: Floats | None = None) -> Floats:
        """IoU of each class [C], of all images' pixels together, where each pixel is given its most likely class; NaN
        for a class that no pixel shows. weights [N]: how often each image counts."""
        total = _weighted(self.confusion, weights)
        true, predicted, both = total.sum(1)[1:], total.sum(0)[1:], np.diagonal(total)[1:]
        return np.where(true > 0, both / np.maximum(true + predicted - both, 1), np.nan)

    def resampled(self, weights: Floats) -> Floats:
        """Mean IoU [B] of the classes that pixels show, as of `iou`, for weights of the images [B, N]; NaN where no
        pixel shows any."""
        values = np.array([self.iou(weight) for weight in weights])
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return np.where(known, values, 0).sum(1) / known.sum(1)

    def average_precision(self, weights: Floats | None = None) -> Floats:
        """Area under the curve of precision over recall [C], of all pixels; NaN for a class that no pixel shows."""
        wrong, right = self._predicted(weights)
        found = right / np.maximum(right[:, -1:], 1)
        precision = right / np.maximum(right + wrong, 1)
        area = (np.diff(found, axis=1, prepend=0.0) * precision).sum(1)
        return np.where(right[:, -1] > 0, area, np.nan)

    def iou_at(self, thresholds: Floats, weights: Floats | None = None) -> Floats:
        """IoU of each class [C] where a pixel shows it from a threshold of confidence [C] on, whatever else it shows;
        NaN for a class that no pixel shows. Thresholds are rounded to bins."""
        return self._at(self._curve(weights), _bins(np.asarray(thresholds)))

    def best_thresholds(self) -> Floats:
        """Thresholds [C] of the highest IoU: to be set on renders, and to be applied to photos; 0.5 of a class that no
        pixel shows, as no threshold is better than another then."""
        curve = self._curve(None)
        best = edges()[BINS - 1 - np.nan_to_num(curve).argmax(1)]
        return np.where(np.isnan(curve).any(1), UNSET_THRESHOLD, best)

    def equal_area_thresholds(self, weights: Floats | None = None) -> Floats:
        """Thresholds [C] from which on the class is predicted in as many pixels as show it, or in as few more as bins
        allow."""
        wrong, right = self._predicted(weights)
        enough = wrong + right >= right[:, -1:]
        return edges()[BINS - 1 - enough.argmax(1)]

    def false_and_missed(self, thresholds: Floats, weights: Floats | None = None) -> tuple[Floats, Floats]:
        """False positives [C], pixels where the class is predicted that do not show it, and false negatives [C], the
        reverse."""
        (wrong, right), at = self._predicted(weights), BINS - 1 - _bins(np.asarray(thresholds))
        rows = np.arange(len(self.classes))
        return wrong[rows, at], right[:, -1] - right[rows, at]

    def _predicted(self, weights: Floats | None) -> tuple[Floats, Floats]:
        """Pixels without and with each class where it is predicted, by falling threshold [C, B]."""
        total = _weighted(self.scores, weights)[:, :, ::-1].cumsum(2)
        return total[:, 0], total[:, 1]

    def _curve(self, weights: Floats | None) -> Floats:
        """IoU by falling threshold [C, B]."""
        wrong, right = self._predicted(weights)
        return np.where(right[:, -1:] > 0, right / np.maximum(right[:, -1:] + wrong, 1), np.nan)

    @staticmethod
    def _at(curve: Floats, bins: NDArray[np.int64]) -> Floats:
        return curve[np.arange(len(curve)), BINS - 1 - bins]


def count_pixels(classes: Sequence[str], logits: NDArray[np.float32], masks: NDArray[np.uint8]) -> PixelCounts:
    """Counts of images from the logits [N, C + 1, H, W] of no class and each class, and true masks uint8 [N, H, W]."""
    count, outputs = logits.shape[:2]
    confusion = np.zeros((count, outputs, outputs), np.int64)
    scores = np.zeros((count, outputs - 1, 2, BINS), np.int32)
    for n, (each, mask) in enumerate(zip(logits, masks, strict=True)):
        known = mask != IGNORED
        values, truth = each[:, known].astype(np.float64), mask[known].astype(np.int64)
        confusion[n] = np.bincount(truth * outputs + values.argmax(0), minlength=outputs**2).reshape(outputs, outputs)
        for c in range(outputs - 1):
            others = np.logaddexp.reduce(np.delete(values, c + 1, axis=0), axis=0)
            place = _place(values[c + 1] - others) + BINS * (truth == c + 1)
            scores[n, c] = np.bincount(place, minlength=2 * BINS).reshape(2, BINS)
    return PixelCounts(tuple(classes), confusion, scores)


def join_counts(parts: Sequence[PixelCounts]) -> PixelCounts:
    """Counts of several sets of images as those of one set."""
    return PixelCounts(parts[0].classes, np.concatenate([part.confusion for part in parts]),
                       np.concatenate([part.scores for part in parts]))


def edges() -> Floats:
    """The lower end of each bin as a confidence in 0..1 [B]."""
    return 1 / (1 + np.exp(-(np.arange(BINS) / BINS * 2 - 1) * MAX_LOGIT))


def _place(logit: Floats) -> NDArray[np.int64]:
    return np.clip(np.floor((logit / MAX_LOGIT + 1) / 2 * BINS), 0, BINS - 1).astype(np.int64)


def _bins(thresholds: Floats) -> NDArray[np.int64]:
    """The bins that thresholds in 0..1 lie nearest to the lower end of."""
    return np.abs(edges()[None] - thresholds[:, None]).argmin(1)


def _weighted(counts: NDArray[np.int64] | NDArray[np.int32], weights: Floats | None) -> Floats:
    return counts.sum(0).astype(float) if weights is None else np.tensordot(np.asarray(weights, float), counts, 1)
