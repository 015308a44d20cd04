"""Segmentation networks in files: what comes back, what is refused, and what detectors' files are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import scenefit as sf
from scenefit.data.class_masks import ClassMasks
from scenefit.data.photos import Photos
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.segmenter_file import TrainedSegmenter
from scenefit.tasks.trained import read_network, task_kind

FIELD = np.random.default_rng(0).normal(0, 0.1, (24, 32, 3)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3), np.uint8)


@pytest.fixture
def path(tmp_path):
    task = sf.Segment(("car", "road"), backbone=SmallMaps, upscale=2.0)
    TrainedSegmenter(task, task.fresh(3).eval(), (24, 32), (0.25, 0.5), FIELD, frozenset(["b", "a"])).save(
        tmp_path / "s.safetensors")
    return tmp_path / "s.safetensors"


@pytest.fixture
def detector(tmp_path):
    task = sf.Detect(("car",), backbone=SmallMaps)
    TrainedDetector(task, task.fresh(3).eval(), (24, 32), 0.25).save(tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def test_a_network_is_loaded_used_printed_and_saved_again(path, tmp_path):
    found = sf.load_segmenter(str(path))
    assert repr(found) == "TrainedSegmenter(classes car, road; photos of 24 x 32 pixels)"
    assert (found.threshold, found.size, found.task.upscale, found.photos) == ((0.25, 0.5), (24, 32), 2, {"a", "b"})
    fresh = found.task.fresh(3).state_dict()
    assert all(torch.equal(value, found.network.state_dict()[name]) for name, value in fresh.items())
    found.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    masks = found.segment(Photos(IMAGES))
    assert masks.classes == ("car", "road") and masks.masks.shape == (3, 24, 32)
    plain = replace(found, flat_field=None).segment(sf.remove_flat_field(IMAGES, FIELD))
    assert (masks.masks == plain.masks).all(), "the flat field is removed"
    with pytest.raises(ValueError, match=r"segmenter.segment.photos.*photos needs Photos or uint8 images \[N, 24, 32"):
        found.segment(IMAGES[:, :, :9])


def test_classes_of_a_network_are_renamed_as_the_refusal_of_their_names_says(path, tmp_path):
    network = sf.load_segmenter(path)
    replace(network, task=replace(network.task, classes=("van", "road"))).save(tmp_path / "renamed.safetensors")
    renamed = sf.load_segmenter(tmp_path / "renamed.safetensors")
    assert renamed.task.classes == ("van", "road") and renamed.segment(IMAGES).classes == ("van", "road")
    assert (renamed.segment(IMAGES).masks == network.segment(IMAGES).masks).all()


def test_each_refuses_the_files_of_the_other(path, detector):
    with pytest.raises(CorruptFile, match=r"s.safetensors is a network for segmentation, and not a detector; "
                                          r"scenefit.load_segmenter\(path\) reads it"):
        sf.load_detector(path)
    with pytest.raises(CorruptFile, match=r"d.safetensors is a network for detection, and not a segmentation network; "
                                          r"scenefit.load_detector\(path\) reads it"):
        sf.load_segmenter(detector)
    assert isinstance(read_network(path), TrainedSegmenter) and isinstance(read_network(detector), TrainedDetector)
    tensors, metadata = read_tensors(detector, "")
    write_tensors(detector, tensors, {name: value for name, value in metadata.items() if name != "task"})
    assert isinstance(read_network(detector), TrainedDetector), "of a version that knew no other task"
    write_tensors(detector, tensors, metadata | {"task": "poses"})
    with pytest.raises(CorruptFile, match="is a network for poses, and not a detector or a segmentation network; make"):
        read_network(detector)
    write_tensors(detector, {}, {"model": 1})
    with pytest.raises(CorruptFile, match="is not a detector or a segmentation network; it is a model"):
        read_network(detector)


@pytest.mark.parametrize("value", [0.5, [0.5], [0.5, 2], [0.5, "a"], None])
def test_thresholds_must_be_one_for_each_class(path, value):
    tensors, metadata = read_tensors(path, "")
    write_tensors(path, tensors, metadata | {"threshold": value})
    with pytest.raises(CorruptFile, match=r"its threshold must be a number in 0\.\.1 for each class, and is "):
        sf.load_segmenter(path)


def test_labels_of_photos_say_the_task_and_a_name_chooses_where_they_have_both():
    masks = ClassMasks(("car",), np.ones(IMAGES.shape[:3], np.uint8))
    boxes = sf.Boxes(3, *(np.zeros(0, kind) for kind in (np.int64, float, "U3", float)))
    masked, boxed, both = Photos(IMAGES, masks=masks), Photos(IMAGES, boxes=boxes), Photos(IMAGES, boxes=boxes,
                                                                                         masks=masks)
    assert [task_kind(one, None, None) for one in (None, masked, boxed, both)] == [sf.Detect, sf.Segment, sf.Detect,
                                                                                   sf.Detect]
    assert [task_kind(one, "segmentation", None) for one in (None, masked, both)] == [sf.Segment] * 3
    with pytest.raises(ValueError, match="few has boxes; segmentation needs photos with class masks"):
        task_kind(boxed, "segmentation", "few")
    with pytest.raises(ValueError, match="few has class masks; detection needs photos with boxes"):
        task_kind(masked, "detection", "few")
    with pytest.raises(ValueError, match="few has classes of whole photos; detection needs photos with boxes"):
        task_kind(Photos(IMAGES), None, "few")
