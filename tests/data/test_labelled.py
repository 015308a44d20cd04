"""Boxes move with their photos, the layout is told from the folder, and nothing is lost without a word."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenefit.data.formats import kitti_reader, voc_reader
from scenefit.data.formats.reading import NoPart
from scenefit.data.photos import read_boxes, read_few, read_part
from scenefit.data.photos.labelled import CropPolicy, first_size
from scenefit.data.photos.layouts import matching_layouts

pytestmark = pytest.mark.filterwarnings("ignore:.*area in")  # photos of many shapes
SIZE = (48, 64)
DATA = Path(os.environ.get("SCENEFIT_DATA", "nowhere"))  # a folder with bccd and kitti_sample, for the last tests


def photo(path, height=48, width=64, box=None, orientation=None, **options):
    """A black photo with a white box (x0, y0, x1, y1 as it is shown)."""
    image = np.zeros((height, width, 3), np.uint8)
    if box is not None:
        x0, y0, x1, y1 = box
        image[y0:y1, x0:x1] = 255
    if orientation:  # the way back from what is shown to what is stored
        back = {3: lambda a: a[::-1, ::-1], 6: np.rot90, 8: lambda a: np.rot90(a, -1)}[orientation]
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
        image = np.ascontiguousarray(back(image))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def annotate(folder, stem, boxes, size=None, name="cell"):
    """An annotation of Pascal VOC for boxes x0, y0, x1, y1; size: (height, width)."""
    sides = "" if size is None else f"<size><width>{size[1]}</width><height>{size[0]}</height></size>"
    objects = "".join(f"<object><name>{name}</name><bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax>"
                      f"<ymax>{y1}</ymax></bndbox></object>" for x0, y0, x1, y1 in boxes)
    (folder / "Annotations").mkdir(parents=True, exist_ok=True)
    (folder / f"Annotations/{stem}.xml").write_text(f"<annotation>{sides}{objects}</annotation>")


def shown(image):
    """The box of what is bright in an image."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


@pytest.mark.parametrize(("height", "width"), [(48, 64), (96, 128), (300, 200), (100, 500), (30, 40), (61, 64),
                                               (900, 1600)])
@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("orientation", [None, 3, 6, 8])
def test_boxes_lie_where_the_photo_shows_them(tmp_path, height, width, ending, orientation):
    box = [width // 2 - width // 10, height // 2 - height // 8, width // 2 + width // 12, height // 2 + height // 10]
    photo(tmp_path / f"JPEGImages/a.{ending}", height, width, box, orientation)
    annotate(tmp_path, "a", [box], (height, width))
    found = read_boxes(tmp_path, SIZE)
    scale = max(48 / height, 64 / width)
    assert found.skipped == () and np.abs(found.boxes.box[0] - shown(found.images[0])).max() <= max(1, 0.6 * scale)
    assert found.images.shape == (1, *SIZE, 3) and found.label.tolist() == [""]
    assert found.boxes.name.tolist() == ["cell"]


def test_boxes_are_cut_at_the_crop_and_go_where_too_little_is_left(tmp_path):
    photo(tmp_path / "JPEGImages/a.png", 48, 128)  # columns 32 to 95 stay
    annotate(tmp_path, "a", [(40, 0, 60, 9), (22, 5, 42, 15), (18, 5, 38, 15), (0, 0, 30, 30), (95, 0, 99, 9)])

    def boxes(**cut):
        return read_boxes(tmp_path, SIZE, crop_policy=CropPolicy(**cut))

    assert boxes().boxes.box.tolist() == [[8, 0, 28, 9], [0, 5, 10, 15], [0, 5, 6, 15], [63, 0, 64, 9]]
    assert boxes().skipped == ((tmp_path, "1 box left out: at 64 x 48 pixels less than 25% of the area, or of 1 "
                                          "pixels of width or height, is left"),)
    assert boxes(min_share=0.5).boxes.box.tolist() == [[8, 0, 28, 9], [0, 5, 10, 15]]
    assert len(boxes(min_share=0.0, min_side=7.0).boxes) == 2
    for wrong in ({"min_share": 1.5}, {"min_side": 0}, {"min_share": float("nan")}):
        with pytest.raises(ValueError, match="CropPolicy needs min_"):
            CropPolicy(**wrong)


def test_boxes_that_are_none_are_named_and_others_are_cut_at_the_photo(tmp_path):
    photo(tmp_path / "JPEGImages/a.png")
    annotate(tmp_path, "a", [(5, 5, 9, 9), (9, 5, 5, 9), (7, 7, 7, 9), (70, 5, 80, 9), (float("nan"), 1, 5, 5),
                             (-9, -9, 5, 5), (60, 40, 900, 900), (0, 0, float("inf"), 9)])
    found = read_boxes(tmp_path, SIZE)
    assert found.boxes.box.tolist() == [[5, 5, 9, 9], [0, 0, 5, 5], [60, 40, 64, 48]]
    said = [reason.split(", it needs")[0] for path, reason in found.skipped if path.name == "a.xml"]
    assert said == ["object 2: its box is empty", "object 3: its box is empty",
                    "object 4: its box lies outside of the photo of 64 x 48 pixels: [70.0, 5.0, 80.0, 9.0]",
                    "object 5: its box has a value that is not finite: [nan, 1.0, 5.0, 5.0]",
                    "object 8: its box has a value that is not finite: [0.0, 0.0, inf, 9.0]"]


def test_photos_that_do_not_fit_their_labels_are_named(tmp_path):
    home = tmp_path / "JPEGImages"
    for stem in "abcd":
        photo(home / f"{stem}.png")
        annotate(tmp_path, stem, [(5, 5, 9, 9)], (48, 64))
    photo(home / "b.png", 64, 64)
    photo(home / "c.png", 64, 48, orientation=6)  # is stored as 64 x 48, shown as 48 x 64
    (home / "d.png").write_bytes(b"broken")
    photo(home / "e.png")
    annotate(tmp_path, "f", [])
    found = read_boxes(tmp_path, SIZE)
    assert [path.name for path in found.paths] == ["a.png"] and len(found.boxes) == 1
    said = {path.name: reason for path, reason in found.skipped}
    assert said["b.png"] == f"is 64 x 64 pixels, but {tmp_path}/Annotations/b.xml labels one of 64 x 48"
    assert said["c.png"].endswith("labels one of 64 x 48 before EXIF rotation; label it as it is shown")
    assert "is damaged, or no image" in said["d.png"]
    assert said["e.png"] == f"has no annotation {tmp_path}/Annotations/e.xml"
    assert said["f.xml"] == f"there is no photo f in {home}" and len(said) == 5


def test_the_first_size_is_of_the_first_photo_that_is_read(tmp_path):
    home = tmp_path / "JPEGImages"
    for stem, size in (("0", (9, 9)), ("a", (48, 64)), ("b", (48, 64)), ("c", (300, 200))):
        photo(home / f"{stem}.jpg", *size, orientation=6)
    for stem, size in (("a", (48, 64)), ("b", (9, 9)), ("c", (300, 200))):
        annotate(tmp_path, stem, [(5, 5, 9, 9)], size)
    assert first_size(tmp_path) == (48, 64)
    (home / "a.jpg").write_bytes((home / "a.jpg").read_bytes()[:300])
    assert first_size(tmp_path) == (300, 200)
    (home / "c.jpg").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"no labelled photo of .* could be read \(tried: 4\); 4 skipped: "):
        first_size(tmp_path)
    with pytest.raises(NoPart, match="there is no part 'train'"):
        first_size(tmp_path, "train")


def test_12_bit_photos_with_boxes_are_named(tmp_path):
    for stem in "ab":
        photo(tmp_path / f"JPEGImages/{stem}.png")
        annotate(tmp_path, stem, [(5, 5, 9, 9)])
    Image.fromarray(np.full(SIZE, 4000, np.uint16)).save(tmp_path / "JPEGImages/b.png")
    for read in (read_boxes, read_part):
        with pytest.warns(UserWarning, match="^1 16-bit photo of .* has no value above 4,095") as said:
            read(tmp_path, SIZE)
        assert len(said) == 1


def test_photos_with_boxes_that_lose_much_to_the_crop_are_told_as_others_are(tmp_path):
    photo(tmp_path / "JPEGImages/a.png", 48, 128, [50, 10, 70, 20])
    annotate(tmp_path, "a", [[50, 10, 70, 20]])
    with pytest.warns(UserWarning, match="^50% of the photos' area in .* is cut off"):
        read_boxes(tmp_path, SIZE)


def some_voc(folder, count=6):
    for i in range(count):
        photo(folder / f"JPEGImages/p{i}.png", box=(i + 5, 5, i + 15, 15))
        annotate(folder, f"p{i}", [(i + 5, 5, i + 15, 15)])
    (folder / "ImageSets/Main").mkdir(parents=True)
    (folder / "ImageSets/Main/few.txt").write_text("p4\n\np1\np9\np2.png\n")
    (folder / "ImageSets/cell_val.txt").write_text("p0 -1\np3  1\n")
    return folder


def test_a_list_chooses_the_photos_in_its_order(tmp_path):
    some_voc(tmp_path)

    def stems(*place, **options):
        return [path.stem for path in read_boxes(*place, **options).paths]

    assert stems(tmp_path, SIZE) == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert stems(tmp_path, SIZE, "few") == ["p4", "p1", "p2"] == stems(tmp_path, SIZE, "few.txt")
    assert stems(tmp_path, SIZE, "few", max_photos=2) == ["p4", "p1"]
    assert stems(tmp_path / "ImageSets/Main/few.txt", SIZE) == ["p4", "p1", "p2"]
    assert stems(tmp_path, SIZE, tmp_path / "ImageSets/Main/few.txt", layout="voc") == ["p4", "p1", "p2"]
    assert stems(tmp_path, SIZE, "cell_val") == ["p0", "p3"]
    found = read_boxes(tmp_path, SIZE, "few")
    assert found.skipped == ((tmp_path / "ImageSets/Main/few.txt",
                              f"line 4: there is no photo p9 in {tmp_path}/JPEGImages"),)
    assert [found.boxes.take([i]).box[0, 0] for i in range(3)] == [9, 6, 7]
    (tmp_path / "ImageSets/twice.txt").write_text("p4\np4\n")
    with pytest.raises(ValueError, match=r"twice.txt, line 2: p4 is named twice"):
        read_boxes(tmp_path, SIZE, "twice")
    with pytest.raises(ValueError, match=r"there is no part 'none': looked for none.txt in .*ImageSets/Main, .*; lists "
                                         r"that are there: cell_val, few, twice"):
        read_boxes(tmp_path, SIZE, "none")
    with pytest.raises(ValueError, match=r"few\.txt is a list of photos, which is a part of its own"):
        read_boxes(tmp_path / "ImageSets/Main/few.txt", SIZE, "few")
    with pytest.raises(ValueError, match="max_photos needs a whole number >= 1, or None for all photos; got int 0"):
        read_boxes(tmp_path, SIZE, max_photos=0)
    (tmp_path / "other").mkdir()
    photo(tmp_path / "JPEGImages/p1.bmp")
    with pytest.raises(ValueError, match=r"holds both p1.bmp and p1.png, so that p1 names two photos"):
        read_boxes(tmp_path, SIZE)


@pytest.mark.parametrize("module", [voc_reader, kitti_reader])
def test_photos_of_a_part_are_read_without_opening_labels(tmp_path, monkeypatch, module):
    some_voc(tmp_path)
    if module is kitti_reader:
        (tmp_path / "JPEGImages").rename(tmp_path / "image_2")
        (tmp_path / "Annotations").rename(tmp_path / "label_2")
    opened = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.name) or real(path))
    found = read_part(tmp_path, SIZE, "few", max_photos=2, layout="kitti" if module is kitti_reader else None)
    assert [path.stem for path in found.paths] == ["p4", "p1"] and found.boxes is None and opened == ["few.txt"]
    if module is voc_reader:
        read_boxes(tmp_path, SIZE, "few", max_photos=2)
        assert opened[2:] == ["p4.xml", "p1.xml"]


def refused(folder, **options):
    """The message of `read_boxes`, which is that of `read_few`."""
    messages = []
    for read in (read_boxes, read_few):
        with pytest.raises(ValueError) as error:
            read(folder, SIZE, **options)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    return messages[0]


def test_the_layout_is_told_from_the_folder(tmp_path):
    some_voc(tmp_path / "voc")
    photo(tmp_path / "kitti/image_2/a.png")
    (tmp_path / "kitti/label_2").mkdir()
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo/data.yaml").write_text("names: [a]")
    (tmp_path / "coco/annotations").mkdir(parents=True)
    (tmp_path / "coco/annotations/instances_train2017.json").write_text("{}")
    assert {name: matching_layouts(tmp_path / name) for name in ("voc", "kitti", "yolo", "coco")} == {
        name: [name] for name in ("voc", "kitti", "yolo", "coco")}
    looked = (r"Looked for COCO: .*; YOLO: .*; Pascal VOC: .*; KITTI: .*; class masks: .*; Cityscapes: .*; classes: "
              r"one subfolder for each class, such as cat/1.jpg, or such subfolders in train/, val/ and test/")
    assert re.search(rf"may have one subfolder for each class, but it holds data sets of boxes; give one of them: "
                     rf"{tmp_path}/coco \(coco\), .*/kitti \(kitti\), .* and 1 more; it holds the folders coco, .*\. "
                     rf'If it has, choose with layout="folder" in Python, --layout folder on the command line\. '
                     rf"{looked}$", refused(tmp_path))
    (tmp_path / "zq7").mkdir()
    for name in ("a.png", "notes.md"):
        (tmp_path / "zq7" / name).touch()
    assert re.search("zq7 has no layout of labelled photos that is read: it holds 1 photo and the file notes.md"
                     rf"\. {looked} \(.*zq7 holds 1 photo outside any class \(a.png\)", refused(tmp_path / "zq7"))
    assert re.search(r"voc does not have the layout kitti: it holds the folders Annotations, ImageSets, JPEGImages; "
                     "looked for KITTI: the folders image_2 and", refused(tmp_path / "voc", layout="kitti"))
    assert refused(tmp_path / "voc", layout="dota") == (
        "no layout 'dota'; there are coco, yolo, voc, kitti, masks, cityscapes, and folder for one subfolder for each "
        "class")
    (tmp_path / "voc/data.yaml").write_text("names: [a]")
    assert re.search(r"has labels in several layouts, yolo and voc: it holds the folders .* and the file data.yaml; "
                     "choose with layout= in Python, --layout on the command line, or move one of them away",
                     refused(tmp_path / "voc"))
    assert len(read_boxes(tmp_path / "voc", SIZE, layout="voc")) == 6
    (tmp_path / "list.txt").write_text("a")
    with pytest.raises(ValueError, match=r"list.txt is a list of photos, but neither its folder nor the two above it"):
        read_boxes(tmp_path / "list.txt", SIZE)
    with pytest.raises(ValueError, match="nowhere is missing; give a folder of photos"):
        read_boxes(tmp_path / "nowhere", SIZE)
    with pytest.raises(ValueError, match=r"few.txt is missing; give a list of photos that exists, or a folder"):
        read_boxes(tmp_path / "few.txt", SIZE)


def test_classes_or_boxes(tmp_path):
    some_voc(tmp_path / "voc")
    photo(tmp_path / "classes/cat/1.png")
    assert len(read_few(tmp_path / "voc", SIZE).boxes) == 6
    assert len(read_few(tmp_path / "voc", SIZE, "few", max_photos=1)) == 1
    assert len(read_few(tmp_path / "voc/ImageSets/Main/few.txt", SIZE)) == 3
    found = read_few(tmp_path / "classes", SIZE)
    assert found.label.tolist() == ["cat"] and found.boxes is None
    assert len(read_few(tmp_path / "classes", SIZE, max_photos=1)) == 1
    with pytest.raises(NoPart, match="classes has no part 'train'; its parts: none"):
        read_few(tmp_path / "classes", SIZE, "train")
    with pytest.raises(ValueError, match=r"classes has one subfolder for each class \(cat\), labels of whole photos, "
                                         "and boxes are needed: looked for COCO: .*; read_few and read_labelled read"):
        read_boxes(tmp_path / "classes", SIZE)


def coco(folder, **changes):
    photo(folder / "train/a.png")
    data = {"images": [{"id": 7, "file_name": "a.png", "height": 48, "width": 64}],
            "categories": [{"id": 3, "name": "cell"}],
            "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 11.5]},
                            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 1}], **changes}
    path = folder / "annotations/instances_train2017.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def test_coco_of_others(tmp_path):
    coco(tmp_path)
    for part in (None, "train", "train2017"):
        found = read_boxes(tmp_path, SIZE, part)
        assert found.boxes.box.tolist() == [[1, 2, 11, 13.5]] and found.boxes.name.tolist() == ["cell"]
    assert found.skipped == ((tmp_path, "1 region left out, which evaluation ignores (KITTI's DontCare, COCO's crowds, "
                                          "objects that Pascal VOC marks as difficult)"),)
    with pytest.raises(ValueError, match="has no part 'val'; its parts: train2017"):
        read_boxes(tmp_path, SIZE, "val")
    coco(tmp_path, images=[{"id": 7, "file_name": "a.png", "height": 48.0, "width": 63.0}])
    with pytest.raises(ValueError, match=r"is 64 x 48 pixels, but .* labels one of 63 x 48"):
        read_boxes(tmp_path, SIZE)
    path = coco(tmp_path, images=[{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "z.png"}])
    (place, reason), _ = read_boxes(tmp_path, SIZE).skipped
    assert place == path and reason.startswith("image 8: there is no photo z.png in ")
    photo(tmp_path / "rf/train/b.png")
    coco(tmp_path / "x", images=[{"id": 7, "file_name": "b.png"}]).rename(tmp_path / "rf/train/_annotations.coco.json")
    assert len(read_boxes(tmp_path / "rf", SIZE, "train")) == 1


@pytest.mark.parametrize("changes, reason", [
    ({"images": None}, "is no annotation file of COCO: it has no list 'images'"),
    ({"images": [{"id": 7}]}, "entry 1 of images has no file_name"),
    ({"images": [{"id": [7], "file_name": "a.png"}]}, r"entry 1 of images needs a number as id, got \[7\]"),
    ({"images": [{"id": 7, "file_name": "a.png"}, {"id": 7, "file_name": "b.png"}]},
     "two images have the same id 7, a.png and b.png; give each its own"),
    ({"images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "a.png"}]},
     "the images 7 and 8 have the same file_name a.png; leave one of them out"),
    ({"categories": [{"id": 3, "name": "cell"}, {"id": 3, "name": "dog"}]},
     "the categories cell and dog have the same id 3; give each its own"),
    *(({"categories": [{"id": 1, "name": "cell"}, {"id": 3, "name": name}]},
       f"entry 2 of categories, id 3, has no name but {name!r}; name the class") for name in (None, "", " ")),
    *(({"images": [{"id": 7, "file_name": "a.png", "height": side, "width": 64}]},
       f"image 7: height needs a whole number of pixels, got {side!r}; write that of the photo as a number")
      for side in ("48", 48.5, -48, float("nan"))),
    ({"categories": []}, "annotation 1: there is no category 3; there are "),
    ({"annotations": [{"id": 5, "image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4]}]}, "ion 5: there is no image 9"),
    ({"annotations": [{"id": 5, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]}, "ion 5: bbox needs x, y, width"),
    ({"annotations": [{"id": 5, "image_id": 7, "category_id": 3, "bbox": [1, "w", 2, 4]}]}, "needs a number, got 'w'"),
    ({"annotations": [{"category_id": 3}]}, "entry 1 of annotations has no image_id"),
    ({"annotations": [3]}, "entry 1 of annotations needs an object with image_id, category_id, got 3")])
def test_coco_that_cannot_be_understood(tmp_path, changes, reason):
    coco(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"instances_train2017.json.*{reason}"):
        read_boxes(tmp_path, SIZE)


def test_coco_that_is_no_json(tmp_path):
    path = coco(tmp_path)
    for text, reason in (("{", "is damaged: it is no JSON .*line 1.*; export it again"),
                         ("[]", "is damaged: it holds a list, and needs an object in braces; export it again, "
                                "with the lists images, annotations and categories"),
                         ("[" * 200_000, "is damaged: its lists or objects are nested too deeply; export it again"),
                         ('{"images": ' * 200_000, "is damaged: its lists or objects are nested too deeply")):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"instances_train2017.json {reason}"):
            read_boxes(tmp_path, SIZE)


@pytest.mark.skipif(not (DATA / "kitti_sample").is_dir(), reason="SCENEFIT_DATA names no folder with kitti_sample")
def test_real_kitti_labels():
    found = read_boxes(DATA / "kitti_sample", (375, 1242))
    assert len(found) == 3 and found.boxes.name.tolist() == ["Pedestrian", "Truck", "Car", "Cyclist", "Misc", "Car"]
    assert found.boxes.take([1]).box[0].tolist() == [599.41, 156.40, 629.75, 189.25]
    assert "4 regions left out" in found.skipped[-1][1]


@pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="SCENEFIT_DATA names no folder with bccd")
def test_real_voc_labels():
    found = read_boxes(DATA / "bccd", (240, 320), "few", max_photos=10)
    assert len(found) == 10 and found.paths[0].name == "BloodImage_00257.jpg"
    assert set(found.boxes.name) == {"Platelets", "RBC", "WBC"}
    assert found.boxes.box[0].tolist() == [212.5, 176, 271, 228]
    everything = read_part(DATA / "bccd", (240, 320), "match")
    assert len(everything) == 155 and everything.boxes is None
