"""Predicted class masks in a run's folder."""

from dataclasses import replace

import numpy as np
import pytest

from scenefit.data.class_masks import ClassMasks
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import Evaluation, Progress, shown_rows
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.metrics.mmd import NoiseFloor
from scenefit.report.content import MaskConvention
from scenefit.run.evaluation import segmentations_content
from scenefit.run.results import read_progress, read_segmentations, write_progress, write_segmentations

MASKS = np.zeros((6, 8, 8), np.uint8)
MASKS[1:, 2:5] = np.arange(1, 6)[:, None, None] % 2 + 1
PHOTOS = Photos(np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2).repeat(3, 3),
                masks=ClassMasks(("tree", "car"), MASKS))
FOUND = Evaluation.model_construct(metrics={
    name: {"mIoU": [first, 0.9], "IoU car": [0.25, 0.5], "IoU sky": [None, None]}
    for name, first in (("grammar", 0.125), ("learned", 0.75))})
PREDICTED = {name: ClassMasks(("car", "tree"), np.full((3, 8, 8), value, np.uint8))
             for name, value in (("grammar", 1), ("learned", 2))}
CONVENTION = MaskConvention("by policy", PHOTOS.images[:2], MASKS[:2])


def test_photos_are_evenly_spread_and_labels_have_the_networks_classes():
    told = segmentations_content(PHOTOS, PREDICTED, FOUND)
    assert told.images[:, 0, 0, 0].tolist() == shown_rows(np.arange(1, 6)).tolist() == [1, 3, 5], "not the empty one"
    assert told.truth.max(axis=(1, 2)).tolist() == [1, 1, 1] and told.classes == ("car", "tree"), "2, car, became 1"
    assert [(one.baseline, one.headline, one.details) for one in told.baselines] == [
        ("grammar", "mIoU 12.5%", "IoU car 25.0%"), ("learned", "mIoU 75.0%", "IoU car 25.0%")], "the first training"
    assert told.photos == 6 and shown_rows(np.arange(2)).tolist() == [0, 1] and len(shown_rows(np.arange(0))) == 0


def test_a_stopped_evaluation_keeps_them(tmp_path):
    step = Progress("", 1, 2, Evaluation(features="", photos=6, renders=2, floor=NoiseFloor(0.1, 0.0, 0.2, 3),
                                         distances={}), {}, PREDICTED)
    write_progress(tmp_path / "part", step, {})
    back = read_progress(tmp_path / "part", {}).masks
    assert list(back) == ["grammar", "learned"] and back["learned"].classes == ("car", "tree")
    assert all(np.array_equal(one.masks, PREDICTED[name].masks) for name, one in back.items())


def test_they_come_back_from_their_file(tmp_path):
    path = tmp_path / "zq7.safetensors"
    assert read_segmentations(path, "me") is None
    told = segmentations_content(PHOTOS, PREDICTED, FOUND, CONVENTION)
    write_segmentations(path, told, "me")
    back = read_segmentations(path, "me")
    assert (back.classes, back.photos, back.note) == (["car", "tree"], 6, told.note)
    for one, other in ((back, told), (back.convention, told.convention), *zip(back.baselines, told.baselines,
                                                                              strict=True)):
        assert all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items()
                   if isinstance(value, np.ndarray))
    assert [one.details for one in back.baselines] == ["IoU car 25.0%"] * 2 and back.convention.text == "by policy"
    write_segmentations(path, replace(told, convention=None), "me")
    assert read_segmentations(path, "me").convention is None and read_segmentations(path, "another") is None
    tensors, facts = read_tensors(path, "")
    del tensors["masks learned"]
    write_tensors(path, tensors, facts)
    with pytest.raises(CorruptFile, match=r"zq7\.safetensors is damaged: it has no masks learned; delete it, or run"):
        read_segmentations(path, "me")
