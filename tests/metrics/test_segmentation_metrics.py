"""IoU and average precision over pixels, against a pixel-by-pixel computation."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from scenefit.data.class_masks import IGNORED
from scenefit.metrics.segmentation_metrics import BINS, PixelCounts, count_pixels, edges, join_counts

CLASSES = ("car", "tree")


def example(seed: int, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits [count, 3, 9, 7] that are often right, and masks with ignored pixels."""
    random = np.random.default_rng(seed)
    masks = random.choice([0, 1, 2, IGNORED], (count, 9, 7), p=[0.5, 0.2, 0.2, 0.1]).astype(np.uint8)
    logits = random.normal(0, 1.5, (count, 3, 9, 7)).astype(np.float32)
    for value in range(3):
        logits[:, value] += 2 * (masks == value)
    return logits, masks


def counted(seed: int) -> PixelCounts:
    return count_pixels(CLASSES, *example(seed))


def plain_iou(predicted: np.ndarray, true: np.ndarray, known: np.ndarray) -> float:
    return (predicted & true & known).sum() / ((predicted | true) & known).sum()


def test_iou_is_that_of_the_most_likely_classes():
    logits, masks = example(0)
    expected = [plain_iou(logits.argmax(1) == code, masks == code, masks != IGNORED) for code in (1, 2)]
    np.testing.assert_allclose(counted(0).iou(), expected)


def test_average_precision_is_scikit_learns():
    logits, masks = example(1)
    known, chance = masks != IGNORED, softmax(logits.astype(float), 1)
    expected = [average_precision_score(masks[known] == code, chance[:, code][known]) for code in (1, 2)]
    np.testing.assert_allclose(counted(1).average_precision(), expected, atol=0.01)


def test_thresholds_of_the_highest_iou_and_of_the_labelled_area():
    logits, masks = example(2)
    known, chance, counts = masks != IGNORED, softmax(logits.astype(float), 1), counted(2)
    best, equal = counts.best_thresholds(), counts.equal_area_thresholds()
    for c, code in enumerate((1, 2)):
        each = [plain_iou(chance[:, code] >= threshold, masks == code, known) for threshold in edges()]
        assert counts.iou_at(best)[c] == pytest.approx(max(each), abs=1e-6)
        predicted, true = ((chance[:, code] >= equal[c]) & known).sum(), ((masks == code) & known).sum()
        higher = ((chance[:, code] >= equal[c] + 0.05) & known).sum()
        assert higher < true <= predicted + 1
    false, missed = counts.false_and_missed(equal)
    for c, code in enumerate((1, 2)):
        at = chance[:, code] >= edges()[np.abs(edges() - equal[c]).argmin()]
        assert abs(false[c] - (at & (masks != code) & known).sum()) <= 1
        assert abs(missed[c] - (~at & (masks == code) & known).sum()) <= 1


def test_a_resample_counts_images_as_often_as_they_are_drawn():
    logits, masks = example(3)
    rows = [0, 0, 2, 3]
    np.testing.assert_allclose(counted(3).iou(np.array([2.0, 0.0, 1.0, 1.0])),
                               count_pixels(CLASSES, logits[rows], masks[rows]).iou())


def test_errors_of_each_image_add_up_to_those_of_all():
    logits, masks = example(6)
    thresholds = np.array([0.3, 0.7])
    counts = count_pixels(CLASSES, logits, masks, thresholds)
    false, missed = counts.false_and_missed(thresholds)
    assert (counts.errors.sum(0) == np.stack([false, missed], 1)).all() and (counts.errors > 0).any(0).all()
    known, chance = masks != IGNORED, softmax(logits.astype(float), 1)
    at = edges()[np.abs(edges()[None] - thresholds[:, None]).argmin(1)]
    for c, code in enumerate((1, 2)):
        predicted, true = chance[:, code] >= at[c], masks == code
        for part, wrong in enumerate((predicted & ~true, true & ~predicted)):
            assert np.abs(counts.errors[:, c, part] - (wrong & known).sum((1, 2))).max() <= 1, "but for the bin's edge"
    assert count_pixels(CLASSES, logits, masks).errors.shape == (4, 0, 2) and (counts.known == known.sum((1, 2))).all()
    assert counts.area.tolist() == [(masks == code).sum() for code in (1, 2)]


def test_a_class_that_no_pixel_shows_has_no_value():
    logits, masks = example(4)
    counts = count_pixels(CLASSES, logits, np.where(masks == 2, 0, masks))
    for values in (counts.iou(), counts.average_precision(), counts.iou_at(np.array([0.5, 0.5]))):
        assert np.isfinite(values[0]) and np.isnan(values[1])
    shown, absent = counts.best_thresholds()
    assert absent == 0.5 and shown == counted(4).best_thresholds()[0]


def test_parts_are_joined():
    logits, masks = example(5)
    parts = [count_pixels(CLASSES, logits[rows], masks[rows]) for rows in (slice(0, 1), slice(1, 4))]
    whole = counted(5)
    joined = join_counts(iter(parts))
    for name in ("areas", "known", "scores", "errors"):
        assert (getattr(joined, name) == getattr(whole, name)).all()
    assert len(joined) == 4 and joined.classes == CLASSES


def test_memory_does_not_grow_with_bins_and_photos():
    """Three numbers and two errors for each photo and class; all bins are held once."""
    counts = count_pixels(CLASSES, *example(0, 50), np.array([0.5, 0.5]))
    assert counts.scores.shape == (2, 2, BINS)
    assert sum(getattr(counts, name).nbytes for name in ("areas", "known", "errors")) == 50 * 8 * (1 + 2 * 5)


def test_resamples_are_means_over_classes_of_weighted_photos():
    counts = counted(0)
    count = len(counts)
    weights = np.array([np.ones(count), np.arange(count), np.eye(count)[0]])
    values = counts.resampled(weights)
    assert values.tolist() == [pytest.approx(np.nanmean(counts.iou(weight))) for weight in weights]
    assert np.isnan(counts.resampled(np.zeros((1, count))))[0]
