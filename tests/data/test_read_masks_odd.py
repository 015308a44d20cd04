"""Masks of odd kinds and places: what is stored is read, or the file or folder is named."""

import json

import numpy as np
import pytest
from labelled_sets import HEIGHT, SIZE, WIDTH, photo, text
from painted import PARTS, frames
from PIL import Image
from raw_png import png
from test_read_masks import areas, beside, write

from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.data.formats import FORMATS
from scenefit.data.formats.segmentation import NotPainted, paint
from scenefit.data.label_policy import label_masks
from scenefit.data.mask_outlines import redraw
from scenefit.data.photos import read_masks

NAMES = "\n".join(f"c{number}" for number in range(1, 21))


def stored_grey(path, mask, bits):
    """A grey PNG of so many bits, whose values are those of a mask."""
    each = 8 // bits
    padded = np.pad(mask, ((0, 0), (0, -mask.shape[1] % each))).reshape(len(mask), -1, each)
    packed = (padded << (bits * np.arange(each)[::-1])).sum(-1).astype(np.uint8)
    path.write_bytes(png(*mask.shape[::-1], bits, 0, np.pad(packed, ((0, 0), (1, 0))).tobytes()))


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_masks_of_few_bits_have_their_own_values(tmp_path, bits):
    beside(tmp_path, areas(), "a")
    text(tmp_path / "classes.txt", NAMES)
    stored_grey(tmp_path / "masks/a.png", areas(), bits)
    photos = read_masks(tmp_path, SIZE)
    assert photos.skipped == () and np.array_equal(photos.masks.masks[0], areas())


@pytest.mark.parametrize("coin", [1, 2**30])
def test_values_below_0_and_above_a_table_of_all(tmp_path, coin):
    beside(tmp_path, areas((0, -1, coin), np.int32), "a", end=".tif")
    text(tmp_path / "classes.csv", f"name,value\ncoin,{coin}\nvoid,-1\n")
    assert np.array_equal(read_masks(tmp_path, SIZE).masks.masks[0], areas((0, IGNORED, 1)))
    write(tmp_path / "masks/a.tif", np.full((HEIGHT, WIDTH), -2, np.int32))
    with pytest.raises(ValueError, match=r"a\.tif has the value -2, which .*classes\.csv does not name"):
        read_masks(tmp_path, SIZE)


def test_masks_of_floats_hold_whole_numbers_or_are_skipped(tmp_path):
    beside(tmp_path, areas((0, 300, 600), np.float32), "ab", end=".tif")
    write(tmp_path / "masks/b.tif", areas((0, 1, 2), np.float32) * 0.5)
    text(tmp_path / "classes.csv", "name,value\ncoin,300\nnote,600\n")
    photos = read_masks(tmp_path, SIZE)
    assert np.array_equal(photos.masks.masks, areas()[None])
    (path, reason), = photos.skipped
    assert path.name == "b.png" and "b.tif cannot be read: its values are no whole numbers" in reason


@pytest.mark.parametrize("layout", ["more folders", "loose", "no masks", "part without masks"])
def test_photos_in_places_without_masks_are_named(tmp_path, layout):
    text(tmp_path / "classes.txt", "coin\nnote\n")
    beside(tmp_path, areas(), "ab", "images/train", "masks/train")
    beside(tmp_path, areas(), "c", "images/val", "masks/val")
    photo(tmp_path / "images/val/c.png", 9)
    other = tmp_path / "images/more"
    if layout == "more folders":
        beside(tmp_path, areas(), "de", "images/more", "masks/more")
    elif layout == "loose":
        other = tmp_path / "images"
        beside(tmp_path, areas(), "de")
    elif layout == "no masks":
        photo(other / "d.png", 4), photo(other / "e.png", 5)
    else:
        (tmp_path / "masks/val/c.png").unlink()
        (tmp_path / "masks/val").rmdir()
        photo(tmp_path / "images/val/d.png", 4)
        other = tmp_path / "images/val"
    (path, reason), = read_masks(tmp_path, SIZE).skipped
    assert path == other and reason.startswith("2 photos are left out, since masks were found for ")
    assert read_masks(tmp_path, SIZE, "train").skipped == ()


def test_photos_of_cityscapes_without_masks_are_named(tmp_path):
    place = "{}/{}/zurich/zurich_000000_000000_{}.png"
    for part in ("train", "val"):
        photo(tmp_path / place.format("leftImg8bit", part, "leftImg8bit"))
    write(tmp_path / place.format("gtFine", "train", "gtFine_labelIds"), areas((7, 26, 23)))
    (path, reason), = read_masks(tmp_path, SIZE).skipped
    assert path == tmp_path / "leftImg8bit/val/zurich" and reason.startswith("1 photo is left out")


@pytest.mark.parametrize("ignored, said", [(HEIGHT // 2 + 1, True), (HEIGHT // 2, False)])
def test_masks_that_are_mostly_ignored_are_told(tmp_path, ignored, said):
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    mask[:ignored] = IGNORED
    beside(tmp_path, mask, "a")
    text(tmp_path / "classes.txt", "coin\nnote\n")
    reasons = [reason for _, reason in read_masks(tmp_path, SIZE).skipped]
    assert [f"{ignored / HEIGHT:.0%} of the pixels are ignored" in reason for reason in reasons] == [True] * said


@pytest.mark.parametrize("counts", [[2**62] * 3 + [2**62 + 3], [10.7, 5.5], [2**70, 3]])
def test_runs_that_no_mask_has_are_refused(tmp_path, counts):
    with pytest.raises(ValueError, match=r"a\.json, object 1: segmentation needs polygons, or runs with size"):
        paint(np.zeros((8, 10), np.uint8), {"size": [8, 10], "counts": counts}, 1, tmp_path / "a.json", "object 1")


def test_polygons_far_outside_are_left_out(tmp_path):
    far = [0.0, 0.0, 1e308, 0.0, 1e308, 1e308]
    with pytest.raises(NotPainted, match="lies more than 1,000,000 pixels outside its photo"):
        paint(np.zeros((8, 10), np.uint8), [far], 1, tmp_path / "a.json", "object 1")


def test_a_border_lies_between_objects_that_only_meet_when_they_are_widened():
    ids = np.zeros((20, 30), np.int32)
    ids[5:15, 4:13], ids[5:15, 17:26] = 1, 2
    row = redraw((ids > 0).astype(np.uint8), ids, 3, 2)[10]
    assert row[10:20].tolist() == [1] * 4 + [IGNORED] * 2 + [1] * 4


def test_masks_of_too_many_classes_are_refused():
    with pytest.raises(ValueError, match=r"class masks of renders: 300 classes are too many, .* at most 254"):
        label_masks(frames(), [f"class {number}" for number in range(300)])


def test_names_with_line_separators_are_read_back_from_yolo(tmp_path):
    names = ["a\u2028b", "c\u0085d"]
    some = frames(classes={"star": np.full(6, names[0]), "coin": np.full(9, names[1])})
    form = FORMATS["yolo-seg"]
    form.finish(tmp_path, iter(form.save(some, tmp_path, PARTS)), names, {})
    assert set(read_masks(tmp_path, some.images.shape[1:3]).masks.classes) == set(names)
    assert len((tmp_path / "data.yaml").read_text().splitlines()) == 5


def test_classes_may_be_arrays_and_their_values_numbers_of_numpy(tmp_path):
    beside(tmp_path, areas(), "a")
    for classes in (np.array(["coin", "note"]), {np.int64(1): "coin", np.uint8(2): "note"}):
        found = read_masks(tmp_path, SIZE, classes=classes).masks
        assert isinstance(found, ClassMasks) and found.classes == ("coin", "note")


def test_crowds_that_cover_no_pixel_are_not_counted_as_ignored(tmp_path):
    photo(tmp_path / "images/a.png")
    square = [2, 2, 20, 2, 20, 20, 2, 20]
    entries = [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [square]},
               {"id": 2, "image_id": 1, "category_id": 1, "iscrowd": 1,
                "segmentation": {"size": [4, 5], "counts": [10, 10]}}]
    text(tmp_path / "annotations/instances_train.json", json.dumps(
        {"images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
         "categories": [{"id": 1, "name": "coin"}], "annotations": entries}))
    (_, reason), = read_masks(tmp_path, SIZE).skipped
    assert "left out, since its mask is of 5 x 4 pixels" in reason


def test_an_image_of_another_mode_is_read_by_its_colours(tmp_path):
    beside(tmp_path, areas(), "a", end=".tif")
    Image.fromarray(np.where(areas()[..., None] == 1, np.uint8(9), 0).repeat(3, 2)).convert("CMYK").save(
        tmp_path / "masks/a.tif")
    text(tmp_path / "classes.csv", "name,r,g,b\ncoin,9,9,9\n")
    assert np.array_equal(read_masks(tmp_path, SIZE).masks.masks[0] > 0, areas() == 1)
