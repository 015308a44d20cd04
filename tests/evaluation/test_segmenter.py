"""A segmentation network measured on labelled photos, with outputs that are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import scenefit as sf
from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.data.copies import photo_hashes
from scenefit.data.photos import Photos
from scenefit.evaluation.segmenter import evaluate_segmenter
from scenefit.evaluation.trained import evaluate_trained
from scenefit.tasks.segmenter_file import TrainedSegmenter

CLASSES, SIZE = ("car", "road"), (8, 10)


class Fixed(sf.Segment):
    """Logits that are drawn from the image's own pixels: of an image alone."""

    def logits(self, network, images):
        for image in images:
            rng = np.random.default_rng(image.sum())
            mask = image[..., 0]
            out = rng.normal(0, 1, (1, 3, *SIZE)).astype(np.float32)
            for value in range(3):
                out[0, value] += 2.5 * (mask == value)
            yield torch.from_numpy(out)


def photos(count: int = 5, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Photos:
    """Photos whose first colour is their mask, and some of whose pixels are ignored."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 3, (count, *SIZE), np.uint8)
    images = np.repeat(masks[..., None], 3, 3)
    images[..., 1] = rng.integers(0, 255, images.shape[:3])
    return Photos(images, tuple(Path(f"{row}.png") for row in range(count)),
                  masks=ClassMasks(classes, np.where(rng.random(masks.shape) < 0.1, IGNORED, masks)))


NETWORK = TrainedSegmenter(Fixed(CLASSES), None, SIZE, (0.5, 0.7))
PHOTOS = photos()


def test_iou_areas_and_intervals_of_each_class():
    found, counts = evaluate_segmenter(NETWORK, PHOTOS), NETWORK.task.score(None, PHOTOS.images, PHOTOS.masks)
    assert [found.classes[name].iou for name in CLASSES] == counts.iou().tolist()
    assert found.iou == pytest.approx(counts.iou().mean()) and 0.5 < found.iou < 0.95
    assert found.ap == pytest.approx(counts.average_precision().mean()) and found.used == 0
    assert [found.classes[name].own_threshold.threshold for name in CLASSES] == [0.5, 0.7]
    assert found.own_threshold == pytest.approx(counts.iou_at((0.5, 0.7)).mean())
    masks = PHOTOS.masks.masks
    for code, name in enumerate(CLASSES, 1):
        one, equal = found.classes[name], found.classes[name].equal_area
        assert one.interval[0] < one.iou < one.interval[1]
        assert one.area == (masks == code).sum() / (masks != IGNORED).sum()
        assert equal.false_positives == pytest.approx(equal.false_negatives, abs=0.03), "as many as are labelled"
    assert found.interval[0] < found.iou < found.interval[1]
    assert evaluate_segmenter(NETWORK, PHOTOS.take([0])).interval is None
    assert evaluate_trained(NETWORK, PHOTOS) == found


def test_the_counts_of_photos_add_up_and_do_not_depend_on_the_labels_of_others():
    whole = evaluate_segmenter(NETWORK, PHOTOS)
    for name, one in whole.classes.items():
        rows = [photo.classes[name] for photo in whole.photos]
        both, labelled, predicted = (sum(getattr(row, part) for row in rows)
                                     for part in ("both", "labelled", "predicted"))
        assert one.iou == both / (labelled + predicted - both)
        for part in ("false_positives", "false_negatives"):
            assert getattr(one.own_threshold, part) == pytest.approx(sum(getattr(row, part) for row in rows) / labelled)
    assert [photo.path for photo in whole.photos] == [f"{row}.png" for row in range(5)]
    for row in range(5):
        masks = np.where(np.arange(5)[:, None, None] == row, PHOTOS.masks.masks, photos(5, 9).masks.masks)
        found = evaluate_segmenter(NETWORK, replace(PHOTOS, masks=ClassMasks(CLASSES, masks)))
        assert found.photos[row] == whole.photos[row] and found.iou != whole.iou


def test_a_class_that_the_network_does_not_know_counts_with_0():
    found = evaluate_segmenter(NETWORK, photos(classes=("car", "sky")))
    assert list(found.classes) == ["car", "road", "sky"] and found.classes["road"].iou is None
    sky = found.classes["sky"]
    assert sky.iou == sky.ap == 0 and sky.equal_area is None
    assert (sky.own_threshold.false_negatives, sky.own_threshold.false_positives) == (1, 0)
    assert found.iou == found.classes["car"].iou / 2 and found.ap == found.classes["car"].ap / 2
    assert json.loads(json.dumps(found.model_dump(mode="json"), allow_nan=False))["classes"]["road"]["ap"] is None
    first, second = found.tables()
    assert first.rows[-1][0] == "mean" and second.rows[2][-1] == "" and "undefined" in first.rows[1]
    assert "another training would differ" in first.note and "no result to report" in second.note


def test_photos_that_cannot_measure_a_network(tmp_path):
    none = replace(PHOTOS, masks=ClassMasks(CLASSES, np.zeros_like(PHOTOS.masks.masks)))
    for given, text in ((Photos(PHOTOS.images), "the 5 labelled photos have no class masks"),
                        (none, "the masks of the 5 labelled photos show no class"),
                        (photos(classes=("sky", "sea")), r"show the classes \['sea', 'sky'\], and the network knows")):
        with pytest.raises(ValueError, match=text):
            evaluate_segmenter(NETWORK, given)
    arrays = replace(PHOTOS, paths=())
    knowing = replace(NETWORK, photos=frozenset(photo_hashes(arrays)[:2]))
    with pytest.raises(ValueError, match="2 of the 5 labelled photos fitted, trained or selected this network"):
        evaluate_segmenter(knowing, arrays)
    assert evaluate_segmenter(knowing, arrays, force=True).used == 2
