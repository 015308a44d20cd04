"""Class masks and polygons that are written, held against readers written from the formats' descriptions."""

import numpy as np
import pytest
from checks import contents
from matplotlib.path import Path as Outline
from painted import CLASSES, PARTS, SCENES, H, W, frames, half_seen, write
from PIL import Image, ImageDraw

from scenefit.data.class_mask_files import voc_colours
from scenefit.data.formats import FORMATS, LabelPolicy, as_format
from scenefit.data.frames import make_frames
from scenefit.data.label_policy import label_masks
from scenefit.data.photos import read_boxes, read_few, read_masks
from scenefit.scenes.grammar import Grammar, Rule, repeat

STRICT = LabelPolicy(min_visibility=0.6)  # the stars of `half_seen` are ignored
ROWS = {"train": [0, 2], "val": [1], None: [0, 1, 2]}


@pytest.mark.parametrize("policy", [LabelPolicy(), STRICT])
def test_masks_are_read_back_as_label_masks_gives_them(tmp_path, policy):
    write(as_format("masks", policy), tmp_path, half_seen())
    wanted = label_masks(half_seen(), CLASSES, policy)
    assert (255 in wanted.masks) and (policy is STRICT) == (wanted.masks[0, 5, 5] == 255)
    for part, rows in ROWS.items():
        photos, few = read_masks(tmp_path, (H, W), part), read_few(tmp_path, (H, W), part)
        assert photos.skipped == few.skipped == () and np.array_equal(photos.images, half_seen().images[rows])
        assert photos.masks.classes == few.masks.classes == tuple(CLASSES)
        assert np.array_equal(photos.masks.masks, wanted.masks[rows])
        assert np.array_equal(few.masks.masks, wanted.masks[rows])
    listed = read_masks(tmp_path / "ImageSets/Segmentation/trainval.txt", (H, W))
    assert [path.stem for path in listed.paths] == [f"{scene:08d}" for scene in SCENES]


def test_files_of_masks(tmp_path):
    out = write(FORMATS["masks"], tmp_path, classes=["coin", "star"])
    assert {name.partition("/")[0] for name in contents(out)} == {
        "JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets", "labelmap.txt", "objects.csv",
        "provenance.json"}
    assert (out / "labelmap.txt").read_text() == (
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncoin:128,0,0::\nstar:0,128,0::\nvoid:224,224,192::\n")
    assert (out / "ImageSets/Segmentation/train.txt").read_text() == "00000003\n00000900\n"
    with Image.open(out / "SegmentationClass/00000004.png") as mask:
        assert mask.mode == "P" and mask.size == (W, H)
        values, colours = np.asarray(mask), np.asarray(mask.convert("RGB"))
    assert [values[13, 21], values[5, 4], values[5, 16], values[0, W - 1], values[11, 25]] == [1, 2, 2, 255, 0]
    assert colours[13, 21].tolist() == [128, 0, 0] and colours[0, W - 1].tolist() == [224, 224, 192]
    objects = np.asarray(Image.open(out / "SegmentationObject/00000004.png"))
    assert [objects[5, 4], objects[5, 16], objects[13, 21], objects[18, 27], objects[0, W - 1], objects[11, 25]] == [
        1, 2, 3, 3, 255, 0]


def test_colours_are_those_of_voc():
    """As VOC's devkit lists them."""
    assert voc_colours()[[0, 1, 2, 3, 4, 7, 8, 15, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 128, 128], [64, 0, 0], [192, 128, 128],
        [0, 64, 128], [224, 224, 192]]


@pytest.mark.parametrize("count", [254, 255])
def test_an_image_of_too_many_objects_has_class_masks_alone(tmp_path, count):
    grammar = Grammar("sky", {"sky": {}, "dot": {}}, [Rule("sky", [repeat("dot", count)])])
    ids = np.arange(256).reshape(1, 16, 16) % (count + 1)
    some = make_frames(grammar.sample(0, 1), ids / 256, ids)
    form = as_format("masks", LabelPolicy(min_pixels=1))
    form.finish(tmp_path, iter(form.save(some, tmp_path, ["train"])), ["dot"], {})
    found = [path.parent.name for path in sorted(tmp_path.glob("Segmentation*/*.png"))]
    assert found == ["SegmentationClass", "SegmentationObject"][:1 + (count == 254)]
    assert np.array_equal(read_masks(tmp_path, (16, 16)).masks.masks, ids > 0)


def test_rows_do_not_depend_on_the_classes_of_other_scenes(tmp_path):
    form = FORMATS["masks"]
    assert form.save(frames(), tmp_path, PARTS)[2] == form.save(frames().take([2]), tmp_path, ["train"])[0]


@pytest.mark.parametrize("name", ["background", "Void", "a:b", "#a", "a\nb"])
def test_classes_that_a_labelmap_cannot_name(tmp_path, name):
    with pytest.raises(ValueError, match=r"the class '.*' cannot be named in labelmap.txt; avoid names such as"):
        write(FORMATS["masks"], tmp_path, frames(classes={"star": np.full(6, name)}), classes=["coin", name])
    with pytest.raises(ValueError, match=r"300 classes are too many for the format masks, which has 254; use coco"):
        FORMATS["masks"].finish(tmp_path, iter(()), [str(number) for number in range(300)], {})
    assert contents(tmp_path) == {}


def polygons(out, scene, part):
    """Class and corners in pixels, by the description: a class and x y x y ... in shares."""
    for line in (out / f"labels/{part}/{scene:08d}.txt").read_text().splitlines():
        number, *shares = line.split()
        yield int(number), np.array(shares, float).reshape(-1, 2) * (W, H)


def test_polygons_hold_the_pixels_of_their_objects(tmp_path):
    """By matplotlib, at the centres of pixels; by Pillow, which fills the border too, on a finer grid."""
    out = write(FORMATS["yolo-seg"], tmp_path)
    centres = np.stack(np.meshgrid(np.arange(W) + 0.5, np.arange(H) + 0.5), -1).reshape(-1, 2)
    for row, (scene, part) in enumerate(zip(SCENES, PARTS, strict=True)):
        kept = [1, 2, 3] if row == 1 else [1, 3] if row == 0 else [1, 2]
        found = list(polygons(out, scene, part))
        assert [CLASSES[number] for number, _ in found] == ["coin" if node == 3 else "star" for node in kept]
        for node, (_, corners) in zip(kept, found, strict=True):
            wanted = frames().instances[row] == node
            closed = Outline(np.concatenate([corners, corners[:1]]))
            assert np.array_equal(closed.contains_points(centres).reshape(H, W), wanted)
            fine = Image.new("1", (8 * W + 1, 8 * H + 1))
            ImageDraw.Draw(fine).polygon([tuple(corner) for corner in np.rint(8 * corners).astype(int)], fill=1)
            assert np.array_equal(np.asarray(fine)[4::8, 4::8], wanted)


def test_polygons_are_read_back_as_the_masks_and_as_boxes(tmp_path):
    write(FORMATS["yolo-seg"], tmp_path)
    masks = read_masks(tmp_path, (H, W))
    wanted = label_masks(frames(), CLASSES).masks[[0, 2, 1]]
    assert masks.skipped == () and np.array_equal(masks.masks.masks, np.where(wanted == 255, 0, wanted))
    boxes = read_boxes(tmp_path, (H, W), "val").boxes
    assert np.abs(boxes.box - [[3, 2, 11, 9], [15, 0, 18, 20], [20, 12, 30, 20]]).max() < 1e-4


@pytest.mark.parametrize("name", ["coco", "coco-seg"])
def test_masks_of_coco_are_read_back(name, tmp_path):
    write(FORMATS[name], tmp_path)
    found = read_masks(tmp_path, (H, W))
    wanted = label_masks(frames(), CLASSES).masks[[0, 2, 1]]
    assert found.masks.classes == tuple(CLASSES)
    assert np.array_equal(found.masks.masks, np.where(wanted == 255, 0, wanted))
