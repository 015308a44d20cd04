"""Class masks of labelled photos in the layouts that are read, written by hand."""

import json
import warnings

import numpy as np
import pytest
from labelled_sets import HEIGHT, SIZE, WIDTH, photo, said, text
from labelled_sets import yolo as yolo_boxes
from PIL import Image

from scenefit.data.class_mask_files import voc_colours
from scenefit.data.image_files import find_photos
from scenefit.data.photos import read_boxes, read_few, read_masks, read_part, read_photos
from scenefit.data.photos.labelled import first_size, list_photos
from scenefit.data.photos.layouts import mask_layout
from scenefit.tasks.training_data import size_of_first

HALF = HEIGHT // 2, WIDTH // 2


def areas(values=(0, 1, 2), dtype=np.uint8):
    """[H, W]: the first value, with a square of the second and a bar of the third."""
    mask = np.full((HEIGHT, WIDTH), values[0], dtype)
    mask[10:20, 4:14], mask[30:34] = values[1], values[2]
    return mask


def write(path, mask, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask, mode).save(path)
    return path


def beside(folder, mask, names="abc", photos="images", masks="masks", end=".png"):
    """Photos and as many masks."""
    for seed, name in enumerate(names):
        photo(folder / photos / f"{name}.png", seed)
        write(folder / masks / f"{name}{end}", mask)


def refused(folder, **options):
    with pytest.raises(ValueError) as error:
        read_masks(folder, SIZE, **options)
    return str(error.value)


@pytest.mark.parametrize("table, content, values", [
    ("classes.txt", "coin\nnote\n", (0, 1, 2)), ("masks/class_names.txt", "_background_\ncoin\nnote\n", (0, 1, 2)),
    ("classes.csv", "name,number\ncoin,7\nnote,40\n", (0, 7, 40)),
    ("class_dict.csv", "name,r,g,b\nbackground,0,0,0\ncoin,9,9,9\nnote,255,255,255\n", (0, 9, 255)),
    ("labelmap.txt", "# label:color_rgb:parts\nbackground:0,0,0::\ncoin:128,0,0::\nnote:0,128,0::\n", (0, 1, 2)),
    (None, ["coin", "note"], (0, 1, 2)), (None, ["background", "coin", "note"], (0, 1, 2)),
    (None, {3: "coin", 255: "note"}, (0, 3, 255))])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tables_of_values(tmp_path, table, content, values, dtype):
    beside(tmp_path, areas(values, dtype))
    if table:
        text(tmp_path / table, content)
    photos = read_masks(tmp_path, SIZE, classes=None if table else content)
    assert photos.masks.classes == ("coin", "note") and photos.skipped == () and len(photos) == 3
    assert all(np.array_equal(mask, areas()) for mask in photos.masks.masks)


@pytest.mark.parametrize("form", ["RGB", "P", "RGBA"])
def test_tables_of_colours_whatever_the_order_of_the_palette(tmp_path, form):
    """CVAT's export, with another order of classes than of values, and a colour that is ignored."""
    colours = np.array([[0, 0, 0], [0, 128, 0], [128, 0, 0], [224, 224, 192]], np.uint8)
    values = areas()
    values[40:] = 3
    if form == "P":
        for seed, name in enumerate("ab"):
            photo(tmp_path / f"JPEGImages/{name}.png", seed)
            mask = Image.fromarray(values)
            mask.putpalette(colours.tobytes())
            (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
            mask.save(tmp_path / f"SegmentationClass/{name}.png")
    else:
        rgba = np.concatenate([colours[values], np.full((HEIGHT, WIDTH, 1), 255, np.uint8)], axis=2)
        beside(tmp_path, rgba[..., :len(form)], "ab", "JPEGImages", "SegmentationClass")
    text(tmp_path / "labelmap.txt", "background:0,0,0::\nnote:128,0,0::\ncoin:0,128,0::\nignored:224,224,192::\n")
    text(tmp_path / "ImageSets/Segmentation/few.txt", "b\n")
    masks = read_masks(tmp_path, SIZE, "few").masks
    wanted = areas((0, 2, 1))
    wanted[40:] = 255
    assert masks.classes == ("note", "coin") and np.array_equal(masks.masks, wanted[None])


@pytest.mark.parametrize("values", [(0, 255, 255), (0, 1, 1), (0, 1, 255)])
def test_binary_masks(tmp_path, values):
    """255 is the class where all is 0 or 255, and ignored beside 1."""
    beside(tmp_path, areas(values))
    masks = read_masks(tmp_path, SIZE, classes=["crack"]).masks
    assert np.array_equal(masks.masks[0], areas((0, 1, 255 if values == (0, 1, 255) else 1)))
    write(tmp_path / "masks/b.png", areas((0, 1, 0)))
    write(tmp_path / "masks/c.bmp", areas((0, 1, 0)) > 0)  # not one of the masks, which end in .png
    assert np.array_equal(read_masks(tmp_path, SIZE, classes=["crack"]).masks.masks[1], areas((0, 1, 0)))


def test_binary_masks_after_many_that_show_nothing(tmp_path):
    beside(tmp_path, areas((0, 0, 0)), [f"{i:02}" for i in range(25)])
    beside(tmp_path, areas((0, 255, 255)), "z")
    masks = read_masks(tmp_path, SIZE, classes=["crack"]).masks
    assert not masks.masks[:25].any() and np.array_equal(masks.masks[25], areas((0, 1, 1)))


def with_palette(path, values, palette):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(values)
    mask.putpalette(palette.tobytes())
    mask.save(path)


@pytest.mark.parametrize("border", [False, True])
def test_the_value_255_leaves_the_colours_of_a_palette_as_they_are(tmp_path, border):
    """CVAT's labelmap.txt with another order than that of the values, and no void."""
    values = areas()
    values[9, :] = 255 if border else 0
    for seed, name in enumerate("ab"):
        photo(tmp_path / f"images/{name}.png", seed)
        with_palette(tmp_path / f"masks/{name}.png", values, voc_colours())
    text(tmp_path / "labelmap.txt", "car:128,0,0::\nbackground:0,0,0::\ntree:0,128,0::\n")
    masks = read_masks(tmp_path, SIZE).masks
    assert masks.classes == ("car", "tree") and np.array_equal(masks.masks[0], values)
    text(tmp_path / "labelmap.txt", "car:128,0,0::\nbackground:0,0,0::\ntree:0,128,0::\nedge:224,224,192::\n")
    assert (read_masks(tmp_path, SIZE).masks.masks[0, 9] == 3).all() == border, "a named colour is a class"


def test_a_data_set_has_either_colours_or_numbers(tmp_path):
    """One mask with a colour that no class has is refused; it does not bring the numbers of the lines in."""
    beside(tmp_path, areas())
    for name in "abc":
        with_palette(tmp_path / f"masks/{name}.png", areas(), voc_colours())
    with_palette(tmp_path / "masks/b.png", areas((0, 1, 3)), voc_colours())
    lines = "car:128,0,0::\nbackground:0,0,0::\ntree:0,128,0::\nrock:5,5,5::\n"
    text(tmp_path / "labelmap.txt", lines)
    assert refused(tmp_path).startswith(
        f"{tmp_path}/masks/b.png has the colour (128, 128, 0), which {tmp_path}/labelmap.txt (by colour, as in the "
        "first masks) does not name; add it there")
    beside(tmp_path, areas((1, 0, 2)))  # in grey, so that the numbers of the lines count
    write(tmp_path / "masks/b.png", areas((1, 0, 9)))
    assert "b.png has the value 9, which " in refused(tmp_path)
    write(tmp_path / "masks/b.png", areas((1, 0, 3)))
    assert np.array_equal(read_masks(tmp_path, SIZE).masks.masks, [areas((0, 1, end)) for end in (2, 3, 2)])


@pytest.mark.parametrize("channels", [3, 4])
def test_equal_channels_are_values(tmp_path, channels):
    full = np.full((HEIGHT, WIDTH, 1), 255, np.uint8)
    beside(tmp_path, np.concatenate([*[areas()[..., None]] * 3, full], axis=2)[..., :channels])
    assert np.array_equal(read_masks(tmp_path, SIZE, classes=["coin", "note"]).masks.masks[0], areas())
    beside(tmp_path, np.repeat(areas((0, 255, 255))[..., None], 3, axis=2))
    assert np.array_equal(read_masks(tmp_path, SIZE, classes=["crack"]).masks.masks[0], areas((0, 1, 1)))


def test_masks_of_several_kinds_are_named(tmp_path):
    beside(tmp_path, areas(), "bcd")
    beside(tmp_path, areas(), "a", end=".bmp")
    photos = read_masks(tmp_path, SIZE, classes=["coin", "note"])
    assert len(photos) == 3, "most masks are PNG"
    assert f"has no mask {tmp_path}/masks/a.png, but a.bmp; save all masks of a folder in one format" in said(
        photos.skipped)


def test_cityscapes(tmp_path):
    for part, city, seed in (("train", "ulm", 0), ("train", "bonn", 1), ("val", "lindau", 2)):
        stem = f"{part}/{city}/{city}_000001_000019_"
        photo(tmp_path / f"leftImg8bit/{stem}leftImg8bit.png", seed)
        write(tmp_path / f"gtFine/{stem}gtFine_labelIds.png", areas((7, 26, 4)))
        for other in ("color", "instanceIds"):
            write(tmp_path / f"gtFine/{stem}gtFine_{other}.png", areas((9, 9, 9)))
    photo(tmp_path / "leftImg8bit/train/ulm/ulm_000002_000019_leftImg8bit.png", 3)
    photos = read_few(tmp_path, SIZE, "train")
    assert mask_layout(tmp_path).name == "cityscapes" and len(read_masks(tmp_path, SIZE)) == 3
    assert [path.parent.name for path in photos.paths] == ["bonn", "ulm"]
    assert len(photos.masks.classes) == 19 and photos.masks.present == ("road", "car")
    code = photos.masks.classes.index
    assert np.array_equal(photos.masks.masks[0], areas((code("road") + 1, code("car") + 1, 255)))
    assert "ulm_000002_000019_leftImg8bit.png: has no mask " in said(photos.skipped)
    assert "names its own classes; leave classes= out" in refused(tmp_path, classes=["road"])
    plain = read_photos(tmp_path, SIZE)
    assert len(plain) == 4 and said(plain.skipped).count("gtFine: holds the masks of leftImg8bit, which are no") == 1


def test_roboflow(tmp_path):
    for part, seed in (("train", 0), ("valid", 1)):
        photo(tmp_path / part / "a_jpg.rf.7.jpg", seed)
        write(tmp_path / part / "a_jpg.rf.7_mask.png", areas())
        text(tmp_path / part / "_classes.csv", "Pixel Value, Class\n0, background\n1, coin\n2, note\n")
    photos = read_few(tmp_path, SIZE)
    assert photos.masks.classes == ("coin", "note") and len(photos) == 2 and photos.skipped == ()
    assert np.array_equal(photos.masks.masks[1], areas())
    assert [path.parent.name for path in read_masks(tmp_path, SIZE, "val").paths] == ["valid"]
    plain = read_photos(tmp_path, SIZE)
    assert [path.suffix for path in plain.paths] == [".jpg", ".jpg"]
    left_out = "valid: holds 1 mask beside photos, such as a_jpg.rf.7_mask.png, which are no photos"
    assert left_out in said(plain.skipped)
    paths, skipped = find_photos(tmp_path)
    assert tuple(paths) == plain.paths and left_out in said(skipped)
    text(tmp_path / "valid/_classes.csv", "Pixel Value, Class\n0, background\n1, note\n2, coin\n")
    assert "valid/_classes.csv name different classes; make them equal, or read one" in refused(tmp_path)


def test_a_photo_whose_own_name_ends_as_those_of_masks_stays(tmp_path):
    text(tmp_path / "_classes.csv", "Pixel Value, Class\n0, background\n1, coin\n")
    for name in ("A_MASK.PNG", "b_mask.png", "c_mask.jpg", "c_mask_mask.png", "e.jpg", "e_MASK.PNG"):
        Image.new("L", SIZE).save(tmp_path / name)
    assert [path.name for path in find_photos(tmp_path)[0]] == [
        "A_MASK.PNG", "b_mask.png", "c_mask.jpg", "e.jpg"]


def test_parts_in_folders_of_photos_and_of_masks(tmp_path):
    for part, name in (("training", "a"), ("training", "b"), ("validation", "c")):
        beside(tmp_path, areas(), name, f"images/{part}", f"annotations/{part}")
    text(tmp_path / "classes.txt", "coin\nnote")
    assert len(read_masks(tmp_path, SIZE)) == 3
    assert [path.name for path in read_masks(tmp_path, SIZE, "val").paths] == ["c.png"]


def test_the_photos_of_masks_are_read_alone_from_a_list(tmp_path, monkeypatch):
    """Without a table of classes, and without opening a mask."""
    beside(tmp_path, areas(), "abcd", "JPEGImages", "SegmentationClass")
    few = text(tmp_path / "ImageSets/Segmentation/few.txt", "d\nb\n")
    monkeypatch.setattr("scenefit.data.formats.index_masks.mask_values", None)
    for photos in (read_photos(few, SIZE), read_part(few, SIZE), read_part(tmp_path, SIZE, "few")):
        assert [path.stem for path in photos.paths] == ["d", "b"] and photos.masks is None and photos.boxes is None
    assert list_photos(few) == (tmp_path, [tmp_path / f"JPEGImages/{name}.png" for name in "db"], ())
    assert len(read_part(tmp_path, SIZE)) == 4 and len(read_part(tmp_path, SIZE, layout="masks")) == 4
    with pytest.raises(ValueError, match="has class masks, and boxes are needed"):
        read_boxes(few, SIZE)


def test_masks_move_as_their_photos_do(tmp_path):
    """A photo that shows its mask as colours stays equal to it after scaling down, scaling up and a crop."""
    mask = areas((0, 1, 2))
    write(tmp_path / "images/a.png", np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)[mask])
    write(tmp_path / "masks/a.png", mask)
    for size in (HALF, (HEIGHT, HEIGHT), (2 * HEIGHT, 2 * WIDTH), (HEIGHT, WIDTH // 2), (36, 40)):
        photos = read_masks(tmp_path, size, classes=["coin", "note"])
        image = photos.images[0].astype(int)
        shown = np.where(image.max(axis=2) < 128, 0, 1 + image[..., :2].argmax(axis=2))
        assert photos.masks.masks.shape == (1, *size)
        # Where the size does not divide the photo's, edges fall on centres and a line of them may go either way.
        assert (shown != photos.masks.masks[0]).mean() < (0.06 if size == (36, 40) else 1e-9)


def test_a_pixel_has_the_value_that_its_centre_lies_in(tmp_path):
    """Each second row and column, the ones with odd numbers, at half the size."""
    mask = np.zeros((48, 64), np.uint8)
    mask[1::2, 1::2] = 1
    write(tmp_path / "images/a.png", np.zeros((48, 64, 3), np.uint8))
    write(tmp_path / "masks/a.png", mask)
    assert (read_masks(tmp_path, (24, 32), classes=["coin"]).masks.masks == 1).all()


def test_what_is_wrong_with_a_mask_is_named(tmp_path):
    beside(tmp_path, areas(), "abcdef")
    (tmp_path / "masks/d.png").unlink()
    write(tmp_path / "masks/e.png", areas()[:40])
    (tmp_path / "masks/f.png").write_bytes((tmp_path / "masks/a.png").read_bytes()[:60])
    write(tmp_path / "masks/x.png", areas())
    assert "names their values: looked for labelmap.txt, classes.txt and classes.csv there" in refused(tmp_path)
    photos = read_masks(tmp_path, SIZE, classes=["coin", "note"])
    assert [path.stem for path in photos.paths] == list("abc")
    words = said(photos.skipped)
    assert f"d.png: has no mask {tmp_path}/masks/d.png" in words
    assert f"e.png: is 64 x 48 pixels, but {tmp_path}/masks/e.png labels one of 64 x 40" in words
    assert f"f.png: its mask {tmp_path}/masks/f.png cannot be read: " in words
    assert f"x.png: there is no photo x in {tmp_path}/images" in words
    assert refused(tmp_path, classes=["coin"]) == (
        f"{tmp_path}/masks/a.png has the value 2, which classes does not name (it has 1 coin); add it there, or "
        "correct the mask")
    assert refused(tmp_path, classes="coin").startswith("classes needs names of the values from 1 on, such as")
    write(tmp_path / "masks/a.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8) + np.uint8([9, 8, 7]))
    assert "has colours, such as (9, 8, 7), but classes names values; write labelmap" in refused(
        tmp_path, classes=["coin"])
    text(tmp_path / "labelmap.txt", "coin:1,2,3::\n")
    assert "has the colour (9, 8, 7), which " in refused(tmp_path)


@pytest.mark.parametrize("name, content, reason", [
    ("labelmap.txt", "coin:1,2", "labelmap.txt, line 1: it needs name:r,g,b::"),
    ("labelmap.txt", "coin:1,2,3::\nnote:1,2,3::", "line 2: (1, 2, 3) stands for coin already"),
    ("classes.txt", "coin\ncoin", "names the class coin twice"),
    ("classes.txt", "background", "names 0 classes; class masks need 1 to 254"),
    ("classes.csv", "a,b\n1,2", "classes.csv needs the columns class and value, or class, r, g and b"),
    ("classes.csv", "class,value\ncoin,x", "row 2: values and colours need whole numbers"),
    ("classes.csv", "class,value\n,1\ncoin,2", "classes.csv, row 2: the name of the class is empty"),
    ("classes.csv", "class,r,g,b\n,1,2,3", "classes.csv, row 2: the name of the class is empty"),
    ("labelmap.txt", "coin:1,2,3::\n:4,5,6::", "labelmap.txt, line 2: the name of the class is empty"),
    ("classes.csv", "class,value\ncoin", "row 2: it has 1 of 2 columns")])
def test_tables_that_cannot_be_understood(tmp_path, name, content, reason):
    beside(tmp_path, areas())
    text(tmp_path / name, content)
    assert reason in refused(tmp_path)


@pytest.mark.parametrize("flaw", ["broken", "no photo", "text"])
def test_one_flaw_among_the_first_masks_does_not_hide_them(tmp_path, flaw):
    beside(tmp_path, areas())
    if flaw == "no photo":
        (tmp_path / "images/a.png").unlink()
    else:
        (tmp_path / "masks/a.png").write_bytes(b"" if flaw == "broken" else b"coin")
    assert [path.stem for path in read_masks(tmp_path, SIZE, classes=["coin", "note"]).paths] == ["b", "c"]
    assert {path.parent.name for path in read_photos(tmp_path, SIZE).paths} == {"images"}


def test_masks_as_jpeg_are_named(tmp_path):
    beside(tmp_path / "train", areas(), end=".jpg")
    text(tmp_path / "train/classes.txt", "coin\nnote\n")
    assert "; masks holds JPEG, which changes the values of masks; save them as PNG. Looked for" in refused(tmp_path)
    assert "; masks holds JPEG, which changes" in refused(tmp_path, layout="masks")


def test_a_mask_before_exif_rotation_is_named(tmp_path):
    beside(tmp_path, areas(), "a")
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "images/a.png") as image:
        image.save(tmp_path / "images/a.jpg", exif=exif)
    (tmp_path / "images/a.png").unlink()
    reason = refused(tmp_path, classes=["coin", "note"])
    assert "labels one of 64 x 48 before EXIF rotation; label it as it is shown" in reason
    write(tmp_path / "masks/a.png", np.ascontiguousarray(areas().T))
    masks = read_masks(tmp_path, (WIDTH, HEIGHT), classes=["coin", "note"]).masks
    assert np.array_equal(masks.masks[0], areas().T)


def coco(folder, notes, names=None):
    photo(folder / "train/a.png")
    text(folder / "annotations/instances_train.json", json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)] if names else [
            {"id": 5, "name": "coin"}, {"id": 2, "name": "note"}],
        "annotations": [{"id": i, "image_id": 1, "bbox": [0, 0, 64, 48], **note} for i, note in enumerate(notes, 1)]}))


SQUARE = [4, 10, 14, 10, 14, 20, 4, 20]
RUNS = {"size": [HEIGHT, WIDTH], "counts": [30] + [4, HEIGHT - 4] * (WIDTH - 1) + [4]}  # rows 30 to 33


def test_polygons_and_runs_of_coco(tmp_path):
    square, bar = {"category_id": 5, "segmentation": [SQUARE]}, {"category_id": 2, "segmentation": RUNS}
    coco(tmp_path, [square, bar])
    masks = read_masks(tmp_path, SIZE).masks
    assert masks.classes == ("coin", "note") and np.array_equal(masks.masks[0], areas())
    over = {"category_id": 2, "segmentation": [[10, 0, 12, 0, 12, 48, 10, 48], [20, 0, 21, 0, 21, 1, 20, 1]]}
    crowd = {"category_id": 2, "iscrowd": 1, "segmentation": {"size": [48, 64], "counts": [0, 48 * 64]}}
    coco(tmp_path, [square, over, crowd, {"category_id": 5, "bbox": [50, 40, 5, 5]}])
    found = read_masks(tmp_path, SIZE)
    wanted = np.full((HEIGHT, WIDTH), 255)
    wanted[10:20, 4:14], wanted[:, 10:12], wanted[0, 20] = 1, 2, 2
    assert np.array_equal(found.masks.masks[0], wanted)
    assert "1 object has a box and no polygon or mask; the pixels of the box are ignored" in said(found.skipped)
    assert "the pixels of 1 region are ignored" in said(found.skipped)
    coco(tmp_path, [square, {"category_id": 2, "segmentation": {"size": [2, 2], "counts": [1, 3]}}])
    assert "annotation 2: left out, since its mask is of 2 x 2 pixels, and its photo of 64 x 48" in said(
        read_masks(tmp_path, SIZE).skipped)
    assert len(read_few(tmp_path, SIZE).boxes) == 2, "boxes are read where there are any"


BOX = {"bbox": [30, 10, 20, 10]}
NAN = [float("nan"), 0, 3, 0, 5, 40]


@pytest.mark.parametrize("note, reason", [
    ({"iscrowd": 1}, "the pixels of 1 region are ignored"), ({"ignore": 1}, "the pixels of 1 region are ignored"),
    ({"iscrowd": 1, "segmentation": [[]]}, "the pixels of 1 region are ignored"),
    ({"segmentation": [[]]}, "1 object has a polygon or mask that covers no pixel; the pixels of the box are ignored"),
    ({"segmentation": [[30, 10, 50, 20]]}, "1 object has a polygon or mask that covers no pixel"),
    ({"segmentation": {"size": [2, 2], "counts": [1, 3]}},
     "its mask is of 2 x 2 pixels, and its photo of 64 x 48; the pixels of its box are ignored"),
    ({"segmentation": [NAN]}, "a value that is not finite; the pixels of its box are ignored")])
def test_the_box_of_what_is_not_painted_is_ignored(tmp_path, note, reason):
    coco(tmp_path, [{"category_id": 5, "segmentation": [SQUARE]}, {"category_id": 2, **BOX, **note}])
    photos = read_masks(tmp_path, SIZE)
    wanted = areas((0, 1, 0))
    wanted[10:20, 30:50] = 255
    assert np.array_equal(photos.masks.masks[0], wanted) and reason in said(photos.skipped)


def test_of_many_classes_those_that_objects_have(tmp_path):
    square = [{"category_id": i, "segmentation": [SQUARE]} for i in range(300)]
    coco(tmp_path, [square[270], square[299]], [f"c{i}" for i in range(300)])
    masks = read_masks(tmp_path, SIZE).masks
    assert masks.classes == ("c270", "c299") and np.array_equal(masks.masks[0], areas((0, 2, 0)))
    coco(tmp_path, square[:255], [f"c{i}" for i in range(300)])
    assert refused(tmp_path).startswith(f"{tmp_path}: 255 classes are too many, class masks hold at most 254; choose")
    coco(tmp_path, square[:254], [f"c{i}" for i in range(254)])
    assert np.array_equal(read_masks(tmp_path, SIZE).masks.masks[0], areas((0, 254, 0)))


def test_the_first_photos_are_those_that_have_a_mask(tmp_path):
    beside(tmp_path, areas(), "abcd")
    (tmp_path / "masks/a.png").unlink()
    photos = read_masks(tmp_path, SIZE, classes=["coin", "note"], max_photos=2)
    assert [path.stem for path in photos.paths] == ["b", "c"] and "a.png: has no mask" in said(photos.skipped)
    write(tmp_path / "images/a.png", np.zeros((20, 20, 3), np.uint8))
    text(tmp_path / "classes.txt", "coin\nnote\n")
    with warnings.catch_warnings():  # of photos that are cropped to 1 x 1 pixels
        warnings.simplefilter("error")
        assert first_size(tmp_path) == size_of_first(tmp_path, None, None, False) == SIZE
    for name in "bcd":
        write(tmp_path / f"masks/{name}.png", areas()[:40])
    with pytest.raises(ValueError, match=r"no labelled photo of .* could be read \(tried: 4\)"):
        first_size(tmp_path)


def test_polygons_of_yolo(tmp_path):
    photo(tmp_path / "images/a.png")
    text(tmp_path / "data.yaml", "train: images\nnames: [coin, note]\n")
    shares = " ".join(str(value / (HEIGHT if i % 2 else WIDTH)) for i, value in enumerate(SQUARE))
    bar = f"0 {30 / HEIGHT} 1 {30 / HEIGHT} 1 {34 / HEIGHT} 0 {34 / HEIGHT}"
    text(tmp_path / "labels/a.txt", f"0 {shares}\n1 {bar}\n")
    assert np.array_equal(read_masks(tmp_path, SIZE).masks.masks[0], areas())
    assert "2 polygons or masks are read as the upright box around each" in said(read_boxes(tmp_path, SIZE).skipped)
    half = read_masks(tmp_path, HALF).masks.masks[0]
    assert np.array_equal(half, areas()[1::2, 1::2])
    text(tmp_path / "labels/a.txt", f"0 {shares}\n1 nan {bar[2:]}\n")
    words = said(read_masks(tmp_path, SIZE).skipped)
    assert "line 2: left out, since its polygon has a value that is not finite" in words


def test_data_sets_without_masks_and_with_several_kinds(tmp_path):
    yolo_boxes(tmp_path / "yolo", {"a": [("cell", 10, 5, 30, 15)]})
    assert "yolo has a box, and none has a polygon or mask; scenefit.read_boxes reads boxes" in refused(
        tmp_path / "yolo")
    assert "no layout 'voc' has class masks; there are masks, cityscapes, coco, yolo" in refused(tmp_path, layout="voc")
    photo(tmp_path / "plain/a.png")
    assert "plain has no class masks that are read: it holds 1 photo. Looked for class masks: " in refused(
        tmp_path / "plain")
    assert "does not have the layout cityscapes: it holds 1 photo" in refused(tmp_path / "plain", layout="cityscapes")
    beside(tmp_path / "both", areas())
    text(tmp_path / "both/classes.txt", "coin\nnote\n")
    coco(tmp_path / "both", [{"category_id": 5, "segmentation": [SQUARE]}])
    assert "has labels in several layouts, masks and coco: " in refused(tmp_path / "both")
    assert len(read_masks(tmp_path / "both", SIZE, layout="masks")) == 3
    assert read_few(tmp_path / "both", SIZE).masks is None
    with pytest.raises(ValueError, match="both does not have the layout voc"):
        read_few(tmp_path / "both", SIZE, layout="voc")
