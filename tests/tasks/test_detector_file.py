"""Detectors in files: what comes back, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import scenefit as sf
from scenefit.data.boxes import make_boxes, no_boxes
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.detector_file import TrainedDetector, read_trained
from scenefit.tasks.training.network_file import write_trained

FIELD = np.random.default_rng(0).normal(0, 0.1, (24, 32, 3)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    task = sf.Detect(("a", "b"), backbone=SmallMaps)
    write_trained(tmp_path / "d.safetensors", TrainedDetector(task, task.fresh(3), (24, 32), 0.25, FIELD))
    return tmp_path / "d.safetensors"


def test_a_detector_comes_back(path):
    found, fresh = read_trained(path), sf.Detect(("a", "b"), backbone=SmallMaps).fresh(3)
    assert (found.task.classes, found.size, found.threshold) == (("a", "b"), (24, 32), 0.25)
    assert np.array_equal(found.flat_field, FIELD) and found.flat_field.dtype == np.float32 and found.corrected
    assert all(torch.equal(value, found.network.state_dict()[name]) for name, value in fresh.state_dict().items())
    assert found.task.predict(found.network, np.zeros((1, 24, 32, 3), np.uint8)).count == 1


def test_a_detector_removes_its_flat_field_from_photos(path, monkeypatch):
    detector, photos = read_trained(path), np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3), np.uint8)
    photos[1] = sf.correct_flat_field(np.full((1, 24, 32, 3), 120, np.uint8), -FIELD)[0]
    given = []
    monkeypatch.setattr(sf.Detect, "predict", lambda task, network, images: (given.append(images), no_boxes(3))[1])
    detector.predict(photos)
    replace(detector, flat_field=None).predict(photos)
    assert np.array_equal(given[0], sf.remove_flat_field(photos, FIELD)) and np.array_equal(given[1], photos)
    assert given[0][1].std() < 1 < photos[1].std() and np.array_equal(given[0][::2], photos[::2])


def test_whether_a_flat_field_was_corrected_is_known_of_each_version(path, tmp_path):
    """Earlier ones recorded only whether."""
    tensors, metadata = read_tensors(path, "")
    assert metadata["flat_field"] is True
    tensors.pop("flat_field")
    for recorded in (True, False):
        write_tensors(tmp_path / "old", tensors, metadata | {"flat_field": recorded})
        old = read_trained(tmp_path / "old")
        assert old.flat_field is None and old.lost_flat_field == old.corrected == recorded
    for field in (np.zeros((24, 31, 3), np.float32), np.zeros((24, 32, 3)), np.full((24, 32, 3), np.nan, np.float32)):
        write_tensors(tmp_path / "bad", tensors | {"flat_field": torch.tensor(field)}, metadata)
        with pytest.raises(CorruptFile, match=r"its flat field must be finite numbers \[24, 32, 3\] of torch.float32"):
            read_trained(tmp_path / "bad")


def test_what_a_detector_drops_of_its_boxes_comes_back(path):
    """Files of earlier versions, which did not record it, have the defaults."""
    detector = read_trained(path)
    replace(detector, task=replace(detector.task, nms_iou=0.3, max_detections=7)).save(path)
    tensors, metadata = read_tensors(path, "")
    write_tensors(path.with_name("old"), tensors, {name: value for name, value in metadata.items()
                                                   if name not in ("nms_iou", "max_detections")})
    for one, values in ((path, (0.3, 7)), (path.with_name("old"), (0.6, 200))):
        task = read_trained(one).task
        assert (task.nms_iou, task.max_detections) == values


def test_a_file_of_another_format_is_refused_in_one_sentence(path):
    """As it was written before formats were recorded ("enlarge" was renamed, too), and as a later version might."""
    tensors, now = read_tensors(path, "")
    old = {name: value for name, value in now.items() if name not in ("format", "upscale")} | {"enlarge": 2.0}
    for metadata, text in ((old, "its format is not recorded"), (now | {"format": 2}, "its format is 2")):
        write_tensors(path, tensors, metadata)
        with pytest.raises(CorruptFile) as caught:
            read_trained(path)
        assert str(caught.value) == (f"{path} was written by another version of scenefit ({text}, and this version "
                                     "reads format 1); make it again with scenefit train")


def test_the_photos_of_its_training_are_recorded_and_files_without_them_are_read(path, tmp_path):
    tensors, metadata = read_tensors(path, "")
    assert metadata["photos"] == [] and read_trained(path).photos == frozenset()
    replace(read_trained(path), photos=frozenset({"b", "a"})).save(tmp_path / "e.safetensors")
    assert sf.load_detector(tmp_path / "e.safetensors").photos == {"a", "b"}
    assert read_tensors(tmp_path / "e.safetensors", "")[1]["photos"] == ["a", "b"], "the same bytes each time"
    write_tensors(path, tensors, {name: value for name, value in metadata.items() if name != "photos"})
    assert read_trained(path).photos == frozenset()


def test_files_that_are_no_detector_are_refused(path):
    tensors, metadata = read_tensors(path, "")
    for changed, text in (({"info": {}}, "is not a detector; make it again with scenefit train"),
                          ({"run": "x"}, r"is not a detector; it is a model, which scenefit.load\(.* reads$"),
                          ({"model": 1}, r"is not a detector; it is a model, which scenefit.load\(.* reads$"),
                          (metadata | {"backbone": "huge"}, "does not fit this version of scenefit: its backbone must "
                           "be one of lite0, small, and is huge; make it again")):
        write_tensors(path, tensors, changed)
        with pytest.raises(CorruptFile, match=text):
            read_trained(path)
    with pytest.raises(CorruptFile, match="is a folder, and a file is needed; make it again with scenefit train"):
        read_trained(path.parent)


def test_a_detector_is_loaded_used_printed_and_saved_again(path, tmp_path, monkeypatch):
    detector = sf.load_detector(str(path))
    assert repr(detector) == "TrainedDetector(classes a, b; photos of 24 x 32 pixels; threshold 0.25)"
    detector.save(tmp_path / "again.safetensors")
    again, images = sf.load_detector(tmp_path / "again.safetensors"), np.zeros((3, 24, 32, 3), np.uint8)
    monkeypatch.setattr(sf.Detect, "predict", lambda task, network, photos: make_boxes(
        len(photos), [0, 2, 2], [[1, 2, 3, 4]] * 3, ["a", "b", "a"], [0.2, 0.25, 0.9]))
    for photos in (images, sf.Photos(images, (), (), np.full(3, ""))):
        found = again.predict(photos)
        assert found.count == 3 and found.image.tolist() == [2, 2] and found.name.tolist() == ["b", "a"]


@pytest.mark.parametrize("given, text", [
    ("photos/", "got str 'photos/'"), (np.zeros((2, 24, 24, 3), np.uint8), r"got an array of uint8 \[2, 24, 24, 3\]"),
    (np.zeros((24, 32, 3), np.uint8), r"got an array of uint8 \[24, 32, 3\]")])
def test_a_detector_says_what_it_takes(path, given, text):
    with pytest.raises(ValueError, match=r"photos needs Photos or uint8 images \[N, 24, 32, 3\], as "
                                         rf"scenefit.read_photos\(folder, \(24, 32\)\) reads them; {text}"):
        sf.load_detector(path).predict(given)


def test_arguments_of_load_detector():
    for given, text in (((sf.Detect(("a",)),), "path needs the name of a file that scenefit train wrote; got a value"),
                        (("zq7.safetensors",), "zq7.safetensors does not exist; give a file"),
                        (("zq7", 0), "device needs a text")):
        with pytest.raises(ValueError, match=text):
            sf.load_detector(*given)


@pytest.mark.parametrize("changed, text", [
    ({"size": [0, 32]}, r"its size must be a height and a width of 1 to 16384 pixels, and is \[0, 32\]"),
    ({"size": [24.5, 32]}, r"and is \[24.5, 32\]"), ({"size": [24]}, r"and is \[24\]"), ({"size": "ab"}, "and is ab"),
    ({"size": [1 << 20, 32]}, r"and is \[1048576, 32\]"), ({"size": None}, "and is None"),
    ({"threshold": float("nan")}, r"its threshold must be a number in 0\.\.1, and is nan"),
    ({"threshold": 1.5}, "and is 1.5"), ({"threshold": "0.5"}, "and is 0.5"), ({"threshold": True}, "and is True"),
    ({"classes": ["a", 3]}, r"its classes must be different texts, at least one, and is \['a', 3\]"),
    ({"classes": "ab"}, "and is ab"), ({"classes": []}, r"and is \[\]"), ({"classes": ["a", "a"]}, "is .'a', 'a'"),
    ({"classes": None}, "and is None"), ({"upscale": float("inf")}, "its upscale must be a number above 0, at most 64"),
    ({"upscale": 0}, "and is 0"), ({"nms_iou": 1.5}, r"its nms_iou must be a number in 0\.\.1, and is 1.5"),
    ({"max_detections": 0}, "its max_detections must be a whole number of 1 to 65536, and is 0"),
    ({"backbone": ["small"]}, "its backbone must be one of lite0, small"),
    ({"flat_field": "no"}, "its flat_field must be true or false, and is no"),
    ({"photos": "no"}, "its photos must be a list of texts, and is no"), ({"photos": [1]}, r"and is \[1\]"),
    ({"size": [0, 1], "threshold": -1}, r"its size must .*, and its threshold must be a number in 0\.\.1, and is -1")])
def test_a_detector_of_impossible_values_is_refused(path, changed, text):
    """With the right checksum, as a program of someone else may write it."""
    zq7 = path.with_name("zq7.safetensors")
    tensors, metadata = read_tensors(path, "")
    write_tensors(zq7, tensors, metadata | changed)
    for load in (read_trained, sf.load_detector):
        with pytest.raises(CorruptFile, match=rf"zq7.safetensors is damaged, or .*: .*{text}.*; make it again with sc"):
            load(zq7)


def test_a_detector_of_impossible_weights_is_refused(path):
    tensors, metadata = read_tensors(path, "")
    name = next(name for name, value in tensors.items() if value.ndim == 4)
    nan = tensors[name].clone()
    nan[0, 0, 0, 0] = float("nan")
    for changed, text in ((nan, "hold NaN or infinite numbers"), (nan.double(), "must be .*, and are .* of torch.flo"),
                          (tensors[name][:1], "must be .*, and are "), (None, "must be .*, and are missing")):
        others = {key: value for key, value in tensors.items() if key != name}
        write_tensors(path, others if changed is None else others | {name: changed}, metadata)
        with pytest.raises(CorruptFile, match=rf"its weights {name} {text}.*; make it again with scenefit train"):
            read_trained(path)
    write_tensors(path, tensors | {"zq7": nan}, metadata)
    with pytest.raises(CorruptFile, match="it has weights that the network lacks, zq7; make it again"):
        read_trained(path)
