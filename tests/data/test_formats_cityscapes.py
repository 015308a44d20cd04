"""Cityscapes: ids held against its table of labels, and read back."""

import numpy as np
import pytest
from checks import contents
from painted import H, W, frames, masks, write
from PIL import Image

from scenefit.data.formats import FORMATS, LabelPolicy, cityscapes_format
from scenefit.data.formats.cityscapes import id_masks, label_id
from scenefit.data.frames import make_frames
from scenefit.data.photos import read_few
from scenefit.data.photos.layouts import mask_layout
from scenefit.scenes.grammar import Grammar, Rule, repeat

STREET = {"star": np.full(6, "car"), "coin": np.tile(["Traffic_light", "person", "person"], 3)}
POLICY = LabelPolicy(min_pixels=1)


def ids(out, scene, part="train", what="labelIds"):
    with Image.open(out / f"gtFine/{part}/scenefit/scenefit_000000_{scene:06d}_gtFine_{what}.png") as image:
        return np.asarray(image)


def test_the_ids_are_those_of_cityscapes():
    """Of its evaluated classes, from its table of labels (cityscapesscripts, labels.py), and of kinds of streets."""
    known = {"road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
             "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26,
             "truck": 27, "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33}
    assert {name: label_id(name) for name in known} == known
    assert [label_id(kind) for kind in ("van", "pedestrian", "cyclist", "house", "tree", "sign", "bollard", "lane",
                                        "pavement", "verge", "cycle_lane")] == [26, 24, 25, 11, 21, 20, 17, 7, 8, 22, 7]
    assert (label_id("Traffic_Light"), label_id("zq7")) == (19, 0)


def test_files_and_ids(tmp_path):
    out = write(cityscapes_format(POLICY), tmp_path, frames(classes=STREET), classes=["Traffic_light", "car", "person"])
    places = [f"{part}/scenefit/scenefit_000000_{scene:06d}" for part, scene in (("train", 3), ("val", 4),
                                                                                 ("train", 900))]
    assert sorted(contents(out)) == sorted([
        *(f"leftImg8bit/{place}_leftImg8bit.png" for place in places), "objects.csv", "provenance.json",
        *(f"gtFine/{place}_gtFine_{what}.png" for place in places for what in ("labelIds", "instanceIds"))])
    for row, (scene, part) in enumerate(((3, "train"), (4, "val"), (900, "train"))):
        node = masks()[row]
        assert np.array_equal(ids(out, scene, part), np.array([0, 26, 26, 19, 24, 24])[node])
        found = ids(out, scene, part, "instanceIds")
        assert found.dtype == np.uint16 and np.array_equal(found, np.array([0, 26000, 26001, 19, 0, 24000])[node])


def test_objects_without_a_label_are_no_class(tmp_path):
    out = write(cityscapes_format(), tmp_path, frames(classes=STREET), classes=["Traffic_light", "car", "person"])
    assert ids(out, 3)[0, W - 1] == ids(out, 3, what="instanceIds")[0, W - 1] == 0, "a single pixel"
    assert ids(out, 3)[2, 3] == 26


def test_ground_goes_by_its_kind_and_sky_by_its_depth(tmp_path):
    kinds = {"star": np.full(6, ""), "coin": np.full(9, "car")}
    depth = np.where(np.arange(H) < 10, np.inf, 5.0)[None, :, None] * np.ones((3, 1, W))
    some = frames(classes=kinds, pixels={"depth": depth})
    out = write(FORMATS["cityscapes"], tmp_path / "1", some, classes=["car"])
    assert ids(out, 3)[2, 3] == 0, "Cityscapes has no stars"
    assert ids(out, 3)[1, 0] == ids(out, 3, what="instanceIds")[1, 0] == 23 and ids(out, 3)[15, 0] == 0
    out = write(FORMATS["cityscapes"], tmp_path / "2", paved(depth), classes=[])
    assert ids(out, 3)[2, 3] == ids(out, 3, what="instanceIds")[2, 3] == 8


def paved(depth):
    """One pavement in three scenes, without a class."""
    scenes = Grammar("street", {"street": {}, "pavement": {}}, [Rule("street", ["pavement"])]).sample(
        0, np.array([3, 4, 900]))
    return make_frames(scenes, np.zeros((3, H, W)), np.minimum(masks(), 1), classes={"pavement": [""] * 3},
                       pixels={"depth": depth})


def test_what_is_written_is_read(tmp_path):
    out = write(cityscapes_format(POLICY), tmp_path, frames(classes=STREET), classes=["Traffic_light", "car", "person"])
    assert mask_layout(out).name == "cityscapes"
    photos = read_few(out, (H, W), "train")
    assert len(photos) == 2 and photos.masks.present == ("traffic light", "person", "car")
    assert np.array_equal(photos.images, frames().images[[0, 2]])
    code = {name: 1 + photos.masks.classes.index(name) for name in photos.masks.present}
    of_node = np.array([255, code["car"], code["car"], code["traffic light"], 255, code["person"]])
    assert np.array_equal(photos.masks.masks, of_node[masks()[[0, 2]]])


def test_a_thousandth_object_has_no_number():
    scenes = Grammar("street", {"street": {}, "car": {}}, [Rule("street", [repeat("car", 1002)])]).sample(0, 1)
    numbers = np.arange(1, 1003).reshape(1, 1, 1002)
    labels, instances = id_masks(make_frames(scenes, np.zeros((1, 1, 1002)), numbers), POLICY)
    assert (labels == 26).all() and instances[0, 0, [0, 999, 1000, 1001]].tolist() == [26000, 26999, 26, 26]


def test_depth_of_another_shape_is_refused(tmp_path):
    some = frames(classes=STREET, pixels={"depth": np.ones((3, H, W, 1))})
    with pytest.raises(ValueError, match=r"'depth' needs the shape \[3, 20, 30\] to be written, got \[3, 20, 30, 1\]"):
        write(FORMATS["cityscapes"], tmp_path, some)
    assert contents(tmp_path) == {}


def test_a_class_that_cityscapes_does_not_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="scene 3 has the class 'star', which Cityscapes does not have; it has static"):
        write(FORMATS["cityscapes"], tmp_path)
    assert contents(tmp_path) == {}
