"""A detector measured on labelled photos, with predictions that are known."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenefit.data.boxes import make_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.copies import photo_hashes
from scenefit.data.photos import Photos
from scenefit.evaluation.detector import evaluate_detector
from scenefit.evaluation.measured import used_photos
from scenefit.metrics.average_precision import average_precision
from scenefit.metrics.detection_errors import KINDS
from scenefit.tasks.detector_file import TrainedDetector

IMAGES = np.zeros((2, 16, 16, 3), np.uint8)
TRUTH = make_boxes(2, [0, 0, 1], [[0, 0, 4, 4], [8, 8, 12, 12], [0, 0, 8, 8]], ["a", "b", "c"])
FOUND = make_boxes(2, [0, 0, 1], [[0, 0, 4, 4], [8, 8, 12, 12], [4, 4, 12, 12]], ["a", "b", "a"], [0.9, 0.3, 0.6])


class Fixed:
    """A task that predicts given boxes."""

    classes = ("a", "b")

    def __init__(self, found=FOUND):
        self.found = found

    def predict(self, network, images):
        assert len(images) == self.found.count
        return self.found


DETECTOR = TrainedDetector(Fixed(), None, (16, 16), 0.5)
PHOTOS = Photos(IMAGES, (Path("0.png"), Path("1.png")), (), np.array(["", ""]), TRUTH)


def numbers(one):
    return one.true, one.false, one.missed


def test_average_precision_of_each_class_and_counts_at_the_threshold():
    found = evaluate_detector(DETECTOR, PHOTOS)
    assert {name: one.ap50 for name, one in found.classes.items()} == pytest.approx({"a": 1, "b": 1, "c": 0})
    assert found.total.ap50 == pytest.approx(2 / 3) and found.threshold == 0.5 and found.used == 0
    assert found.ap == average_precision(FOUND, TRUTH, ("a", "b", "c"))["AP"]
    assert numbers(found.total) == (1, 1, 2), "at 0.5: one a is true, one false, b is below it"
    assert (found.total.precision, found.total.recall) == (1 / 2, 1 / 3)
    assert {name: (*numbers(one), one.precision, one.recall) for name, one in found.classes.items()} == {
        "a": (1, 1, 0, 1 / 2, 1), "b": (0, 0, 1, None, 0), "c": (0, 0, 1, None, 0)}
    assert [(one.path, *numbers(one)) for one in found.photos] == [("0.png", 1, 0, 1), ("1.png", 0, 1, 1)]
    assert [kind for kind in KINDS if found.photos[1].kinds[kind]] == ["other class"]


def test_the_best_threshold_is_that_of_these_photos():
    best = evaluate_detector(DETECTOR, PHOTOS).best
    assert numbers(best) == (2, 1, 1) and best.precision == best.recall == 2 / 3 and 0 < best.threshold < 0.3
    wrong = make_boxes(2, [0], [[12, 12, 14, 14]], ["a"], [0.9])
    found = evaluate_detector(replace(DETECTOR, task=Fixed(wrong)), PHOTOS)
    assert found.best is None and found.total.precision == found.ap == 0


def test_objects_missed_at_equal_numbers_of_false_detections():
    """Most confident first: one of three objects, false, one more, and three false, in two photos."""
    more = make_boxes(2, [0, 0, 0], [[12, 0, 16, 4]] * 3, ["a"] * 3, [0.2, 0.1, 0.05])
    found = evaluate_detector(replace(DETECTOR, task=Fixed(join(FOUND, more))), PHOTOS)
    assert found.missed_at == {"1": pytest.approx(1 / 3), "2": pytest.approx(1 / 3), "4": None}
    assert evaluate_detector(DETECTOR, PHOTOS).missed_at == {"1": None, "2": None, "4": None}


def join(*parts):
    """Boxes in the same photos."""
    fields = ([getattr(part, name) for part in parts] for name in ("image", "box", "name", "score"))
    return make_boxes(parts[0].count, *map(np.concatenate, fields))


def test_sizes_of_boxes_beside_the_true_ones():
    """a: sides of 1.1 and 1.2 of the objects'; one of 0.6, which is false. b: none."""
    objects = np.array([[0, 0], [50, 0], [100, 0], [150, 0]], float)
    truth = make_boxes(1, [0] * 4, np.concatenate([objects, objects + 20], 1), ["a", "a", "a", "b"])
    sides = 20 * np.array([[1.1], [1.2], [0.6]])
    boxes = make_boxes(1, [0] * 3, np.concatenate([objects[:3], objects[:3] + sides], 1), ["a"] * 3, [0.9, 0.8, 0.7])
    found = evaluate_detector(replace(DETECTOR, task=Fixed(boxes)), Photos(IMAGES[:1], boxes=truth)).classes
    assert found["a"].true_sides.boxes == 2 and found["a"].true_sides.quantiles["50"] == pytest.approx(1.15)
    assert list(found["a"].true_sides.quantiles) == ["5", "25", "50", "75", "95"]
    assert found["a"].false_sides.boxes == 1 and found["a"].false_sides.quantiles["50"] == pytest.approx(0.6)
    assert found["a"].kinds == {**dict.fromkeys(KINDS, 0), "too small": 1}
    assert found["b"].true_sides.boxes == 0 and found["b"].true_sides.quantiles == {}


def some_boxes(rng, count, n, scores=False):
    low = rng.uniform(0, 30, (n, 2))
    return make_boxes(count, rng.integers(0, count, n), np.concatenate([low, low + rng.uniform(8, 20, (n, 2))], 1),
                      rng.choice(["a", "b"], n), rng.random(n) if scores else None)


def test_the_result_of_a_photo_does_not_depend_on_the_labels_of_others():
    rng = np.random.default_rng(3)
    truth, boxes = some_boxes(rng, 6, 40), some_boxes(rng, 6, 300, scores=True)
    photos = Photos(np.zeros((6, 16, 16, 3), np.uint8), tuple(Path(f"{i}.png") for i in range(6)), boxes=truth)
    detector = replace(DETECTOR, task=Fixed(boxes))
    whole = evaluate_detector(detector, photos)
    assert len({numbers(one) for one in whole.photos}) > 3 and whole.total.true > 3
    moved = replace(truth, box=truth.box + 3, name=np.where(truth.name == "a", "b", "a"))
    for row in range(6):
        own = truth.image == row
        for changed in (truth.where(own), replace(truth, box=np.where(own[:, None], truth.box, moved.box),
                                                  name=np.where(own, truth.name, moved.name))):
            found = evaluate_detector(detector, replace(photos, boxes=changed))
            assert found.photos[row] == whole.photos[row]
            assert found.total != whole.total and found.threshold == whole.threshold


def test_the_result_is_json_without_nan():
    photos = replace(PHOTOS, boxes=TRUTH.where(TRUTH.name == "b"))
    found = evaluate_detector(DETECTOR, photos).model_dump(mode="json")
    assert found["classes"]["a"]["ap50"] is None and found["classes"]["a"]["recall"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_difficulties_of_labels_that_tell_them_apart():
    """Photos at a fifth of their size: boxes of 8, 5 and 4 pixels are 40, 25 and 20 high. Of class a, the easy object
    is found behind a false detection, the moderate one is not. Of class b, the false detection lies in a region."""
    truth = make_boxes(2, [0, 0, 1, 1], [[0, 0, 8, 8], [8, 8, 12, 13], [0, 0, 8, 8], [12, 0, 16, 4]],
                       ["a", "a", "b", "a"], more={"truncation": [0.15, 0.3, 0.5, 0], "occlusion": [0, 1, 2, 0]})
    found = make_boxes(2, [0, 0, 1, 1, 1], [[8, 0, 16, 8], [0, 0, 8, 6], [0, 0, 8, 8], [8, 8, 16, 16], [12, 0, 16, 4]],
                       ["a", "a", "b", "b", "a"], [0.9, 0.8, 0.7, 0.95, 0.99])
    regions = make_boxes(2, [1], [[7, 7, 16, 16]], ["ignored"])
    photos = replace(PHOTOS, boxes=truth, ignored=regions, scale=np.full(2, 0.2))
    result = evaluate_detector(replace(DETECTOR, task=Fixed(found)), photos)
    assert result.difficulties["a"].objects == {"easy": 1, "moderate": 2, "hard": 2}
    assert result.difficulties["b"].objects == {"easy": 0, "moderate": 0, "hard": 1}
    assert result.difficulties["a"].ap == {
        iou: {"easy": 1 / 2, "moderate": 1 / 4, "hard": 1 / 4} for iou in ("0.5", "0.7")}
    assert result.difficulties["b"].ap["0.7"] == {"easy": None, "moderate": None, "hard": 1}
    *_, table = result.tables()
    assert table.title == "KITTI's difficulties: objects, and AP at IoU 0.5 and 0.7"
    assert table.rows[0] == ["a", "1", "2", "2", *["50.0%", "25.0%", "25.0%"] * 2]
    assert table.rows[1][4:] == ["undefined", "undefined", "100.0%"] * 2
    assert json.loads(json.dumps(result.model_dump(mode="json"), allow_nan=False))["difficulties"]["b"]["objects"]
    plain = evaluate_detector(DETECTOR, PHOTOS)
    assert plain.difficulties == {} and len(plain.tables()) == 3


def test_photos_that_cannot_measure_a_detector():
    masks = ClassMasks(("a",), np.zeros(PHOTOS.images.shape[:3], np.uint8))
    for changed, text in (({}, "no labels, and a detector is evaluated on boxes"),
                          ({"label": np.array(["a", "b"])}, "a class for each photo, and a detector is evaluated on"),
                          ({"masks": masks}, "the 2 labelled photos have class masks, and a detector is evaluated on")):
        with pytest.raises(ValueError, match=text):
            evaluate_detector(DETECTOR, replace(PHOTOS, boxes=None, **changed))
    for boxes, text in ((TRUTH.where(TRUTH.name == "none"), "the 2 labelled photos have no box at all"),
                        (TRUTH.where(TRUTH.name == "c"), r"of the classes \['c'\], and the detector kn")):
        with pytest.raises(ValueError, match=text):
            evaluate_detector(DETECTOR, replace(PHOTOS, boxes=boxes))


def knowing(photos):
    """The detector, made with photos of these hashes."""
    found = replace(DETECTOR)
    object.__setattr__(found, "photos", frozenset(photos))
    return found


def test_photos_that_the_detector_was_made_with_are_refused(tmp_path):
    files = [tmp_path / name for name in ("0.png", "1.png")]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]))
    photos = replace(PHOTOS, paths=tuple(files))
    hashes = photo_hashes(photos)
    assert not used_photos(DETECTOR, photos).any() and not used_photos(knowing(["00"]), photos).any()
    one = knowing([hashes[1], "00"])
    assert used_photos(one, photos).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"1 of the 2 labelled photos fitted, trained or selected this detector, by "
                                         r"their content: \S+/1\.png; results on them are better .* give other photos, "
                                         r"or .* force=True \(--force\)"):
        evaluate_detector(one, photos)
    forced = evaluate_detector(one, photos, force=True)
    assert forced.used == 1 and forced.photos == evaluate_detector(DETECTOR, photos).photos
    with pytest.raises(ValueError, match=r"2 of the 2 labelled photos .*: photo 0, photo 1;"):
        arrays = replace(photos, paths=())
        evaluate_detector(knowing(photo_hashes(arrays)), arrays)
