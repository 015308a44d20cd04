"""Selection of training images by labelled photos."""

from dataclasses import replace

import numpy as np
import pytest
from toys import COLOURS, coloured_boxes

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.photos import Photos
from scenefit.metrics.resampled_precision import DetectionScore
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks import Detect
from scenefit.tasks.selection import FOLDS, Selection, can_select, select, select_steps
from scenefit.tasks.training_stages import TrainingData, train_stages

TASK = Detect(COLOURS, steps=4, batch=2, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps)


def photos(count: int, seed: int) -> Photos:
    images, boxes = coloured_boxes(count, seed)
    return Photos(images, (), (), np.full(count, ""), boxes)


def truth(count: int) -> Boxes:
    return make_boxes(count, range(count), [[0, 0, 10, 10]] * count, ["a"] * count)


def detections(hits: np.ndarray, doubtful: float = 0.9) -> Boxes:
    """One box for each photo, on its object or beside it."""
    box = np.where(hits[:, None], [[0, 0, 10, 10]], [[30, 30, 40, 40]])
    return make_boxes(len(hits), range(len(hits)), box, ["a"] * len(hits), np.full(len(hits), doubtful))


def selected(detections: dict[str, Boxes], count: int) -> Selection:
    return select({name: DetectionScore(boxes, truth(count)) for name, boxes in detections.items()}, 0)


def test_the_default_is_left_only_for_what_is_better_by_a_standard_error():
    hits = np.arange(20) % 2 == 0
    lucky = hits ^ np.isin(np.arange(20), [1, 2, 3])  # finds two others, and misses one
    clearly = np.arange(20) % 8 != 1
    found = selected({"default": detections(hits), "lucky": detections(lucky)}, 20)
    gain, error = found.gains["lucky"]
    assert 0 < gain < error and found.scores["lucky"] - found.scores["default"] == pytest.approx(gain)
    assert found.chosen == "default"
    three = {"default": detections(hits), "lucky": detections(lucky), "good": detections(clearly)}
    found = selected(three, 20)
    assert found.chosen == "good" and found.gains["good"][0] > found.gains["good"][1] > 0
    assert selected({"default": detections(clearly), "other": detections(hits)}, 20).chosen == "default"


def test_differences_are_paired_so_photos_that_are_hard_for_both_do_not_count():
    hits = np.random.default_rng(0).random(30) < 0.5
    same = selected({"default": detections(hits), "same": detections(hits)}, 30)
    assert same.gains["same"] == (0.0, 0.0) and same.chosen == "default"


def test_the_texts_say_what_was_chosen_and_why():
    hits = np.arange(12) < 6
    kept = selected({"learned": detections(hits), "wide": detections(hits[::-1] & hits)}, 12)
    assert kept.lines()[-1] == "chosen: learned, as no other is better by more than a standard error"
    left = selected({"learned": detections(hits & False), "wide": detections(hits | True)}, 12)
    assert left.lines() == ["learned: AP 0.0", "wide: AP 100.0 (+100.0, standard error 0.0)",
                            "chosen: wide, as it is better by more than a standard error"]


def test_each_photo_is_scored_by_detectors_that_were_not_tuned_on_it(tmp_path, monkeypatch):
    labelled, trained, scored = photos(11, 1), [], []
    data = {name: TrainingData(coloured_boxes(4, seed), None, None) for name, seed in (("a", 0), ("b", 5))}
    own_steps, own_predict = Detect.train_steps, Detect.predict
    monkeypatch.setattr(Detect, "train_steps", lambda self, images, labels, seed, start=None, **more: (
        trained.append(images) if start is not None else None, own_steps(self, images, labels, seed, start, **more))[1])
    monkeypatch.setattr(Detect, "predict", lambda self, network, images: (
        scored.append(images), own_predict(self, network, images))[1])
    steps = list(select_steps(TASK, data, labelled, 0, lambda one: tmp_path / one, lambda one: tmp_path / f"s{one}"))
    assert len(trained) == len(scored) == 2 * FOLDS
    for tuned, held in zip(trained, scored, strict=True):
        assert len(tuned) + len(held) == 11 and not {one.tobytes() for one in tuned} & {one.tobytes() for one in held}
    assert sorted(one.tobytes() for held in scored[::2] for one in held) == sorted(
        one.tobytes() for one in labelled.images)
    assert [one.done for one in steps] == sorted(one.done for one in steps) and steps[-1].done == steps[-1].of
    trained.clear()
    (again,) = select_steps(TASK, data, labelled, 0, lambda one: tmp_path / one, lambda one: tmp_path / f"s{one}")
    assert again.selection == steps[-1].selection and not trained, "it is kept"
    *_, other = select_steps(TASK, data, labelled.take(range(10)), 0, lambda one: tmp_path / one,
                             lambda one: tmp_path / f"s{one}")
    assert len(trained) == 2 * FOLDS and other.selection is not None, "other photos select anew"
    assert next(train_stages(TASK, data["b"], 0, lambda one: tmp_path / one)).stored, "a training goes on from there"


def test_few_photos_copies_and_photos_without_objects_select_nothing():
    assert can_select(Detect, photos(10, 0)) and not can_select(Detect, photos(9, 0)) and not can_select(Detect, None)
    copies = photos(1, 0).take([0] * 12)
    assert not can_select(Detect, copies)
    assert not can_select(Detect, Photos(copies.images, (), (), np.full(12, "cat"), None))
    many = photos(12, 0)
    assert many.boxes is not None
    for shown, enough in ((10, True), (9, False)):  # the others show no object
        assert can_select(Detect, replace(many, boxes=many.boxes.where(many.boxes.image < shown))) is enough
