"""Data sets as people really have them, each kind in every layout that can have it; `labelled_sets` writes them."""

import os
import re

import pytest
from labelled_sets import BOX, LAYOUTS, OTHER, SIZE, change, coco, every_layout, read, refused, text, yolo

from scenefit.data.photos import read_boxes


@every_layout
def test_a_box_that_comes_twice_is_read_once_and_named(tmp_path, layout):
    LAYOUTS[layout](tmp_path, {"zq7": [BOX, OTHER, BOX], "b": [BOX, ("dust", *BOX[1:])]})
    boxes, text = read(tmp_path)
    assert boxes == {"zq7.png": [BOX, OTHER], "b.png": [BOX, ("dust", *BOX[1:])]}
    where = {"coco": "annotation 3: left out, since it repeats class and box of annotation 1",
             "yolo": "zq7.txt: line 3: left out, since it repeats class and box of line 1",
             "voc": "zq7.xml: object 3: left out, since it repeats class and box of object 1",
             "kitti": "zq7.txt: line 3: left out, since it repeats class and box of line 1"}[layout]
    assert where in text and text.count("\n") == 0


@every_layout
def test_most_photos_missing_is_an_error(tmp_path, layout):
    LAYOUTS[layout](tmp_path, {f"zq{i}": [BOX] for i in range(10)})
    there = sorted(path for path in tmp_path.rglob("*.png"))
    for path in there[5:]:
        path.unlink()
    boxes, text = read(tmp_path)
    assert list(boxes) == [f"zq{i}.png" for i in range(5)] and text.count("there is no photo zq") == 5
    there[4].unlink()
    message = refused(tmp_path)
    assert f"of the 10 labelled photos of {tmp_path}, 6 are missing, such as " in message
    assert "there is no photo zq4" in message and str(there[0].parent) in message
    assert "put them there, or remove the labels of photos that are not there" in message


@every_layout
def test_photos_in_subfolders_are_read(tmp_path, layout):
    LAYOUTS[layout](tmp_path, {"a": [BOX], "cam2/zq7": [OTHER], "cam3/zq7": [BOX]})
    found = read_boxes(tmp_path, SIZE)
    assert [path.as_posix().endswith(end) for path, end in zip(
        found.paths, ["/a.png", "/cam2/zq7.png", "/cam3/zq7.png"], strict=True)] == [True] * 3
    assert found.boxes.name.tolist() == ["cell", "dust", "cell"] and found.skipped == ()


@pytest.mark.parametrize("ending, labels_end", [(".PNG", ".TXT"), (".Png", ".txt"), (".JPG", ".Txt")])
def test_endings_in_capitals_are_read(tmp_path, ending, labels_end):
    yolo(tmp_path / "yolo", {"zq7": [BOX], "s/b": [OTHER]}, ending, labels_end)
    (tmp_path / "yolo/data.yaml").rename(tmp_path / "yolo/data.YAML")
    coco(tmp_path / "coco", {"zq7": [BOX], "s/b": [OTHER]}, ending, "annotations/instances_train.JSON")
    for name in ("voc", "kitti"):
        LAYOUTS[name](tmp_path / name, {"zq7": [BOX], "s/b": [OTHER]}, ending, labels_end.replace(
            "TXT", "XML").replace("Txt", "Xml").replace("txt", "xml") if name == "voc" else labels_end)
    for layout in LAYOUTS:
        boxes, text = read(tmp_path / layout)
        assert boxes == {f"zq7{ending}": [BOX], f"b{ending}": [OTHER]} and text == "", layout


def test_a_photo_whose_ending_is_written_in_other_letters_is_found(tmp_path):
    coco(tmp_path / "coco", {"zq7": [BOX], "b": [OTHER]})
    yolo(tmp_path / "yolo", {"zq7": [BOX], "b": [OTHER]})
    (tmp_path / "coco/train/zq7.png").rename(tmp_path / "coco/train/zq7.PNG")
    (tmp_path / "yolo/images/train/zq7.png").rename(tmp_path / "yolo/images/train/zq7.PNG")
    text(tmp_path / "yolo/train.txt", "images/train/zq7.png\nimages\\train\\b.png\n")
    text(tmp_path / "yolo/data.yaml", "train: train.txt\nnames: [cell, dust]\n")
    change(tmp_path / "coco", images=lambda image: image | {"file_name": "train\\" + image["file_name"]})
    for layout in ("coco", "yolo"):
        assert read(tmp_path / layout) == ({"zq7.PNG": [BOX], "b.png": [OTHER]}, ""), layout


def test_images_of_kinds_that_are_not_read_are_told_as_such(tmp_path):
    for layout, place in (("coco", "train"), ("yolo", "images/train"), ("voc", "JPEGImages"),
                          ("kitti", "training/image_2")):
        LAYOUTS[layout](tmp_path / layout, {"a": [BOX], "zq7": [BOX]})
        photo = tmp_path / layout / place / "zq7.png"
        photo.rename(photo.with_suffix(".heic"))
    change(tmp_path / "coco", images=lambda image: image | {"file_name": image["file_name"].replace("7.png", "7.heic")})
    for layout in LAYOUTS:
        assert read(tmp_path / layout) == (
            {"a.png": [BOX]}, "zq7.heic: images ending in .heic are not read; convert them to PNG, or to JPEG")
    for layout in ("yolo", "voc", "kitti"):
        photo = next((tmp_path / layout).rglob("a.png"))
        photo.rename(photo.with_suffix(".avif"))
        assert "images ending in .avif are not read" in refused(tmp_path / layout)


def test_names_that_are_not_utf8_are_read(tmp_path):
    name = os.fsdecode(b"zq7\xe9")
    for layout in LAYOUTS:
        LAYOUTS[layout](tmp_path / layout, {name: [BOX], "b": [OTHER]})
    (tmp_path / "yolo/train.txt").write_bytes(b"images/train/zq7\xe9.png\nimages/train/\xff.png\n")
    text(tmp_path / "yolo/data.yaml", "train: train.txt\nnames: [cell, dust]\n")
    for layout in ("coco", "voc", "kitti"):
        boxes, words = read(tmp_path / layout)
        assert boxes == {f"{name}.png": [BOX], "b.png": [OTHER]} and words == ""
        if layout != "coco":
            (tmp_path / layout / "train.txt").write_bytes(b"zq7\xe9\n\xff\n")
    for layout, part in (("yolo", None), ("voc", "train"), ("kitti", "train")):
        boxes, words = read(tmp_path / layout, part=part)
        assert boxes == {f"{name}.png": [BOX]} and "line 2: there is no photo " in words
    (tmp_path / "yolo/train.txt").write_text("images/train/b.png\n", "utf-16")
    assert "train.txt is no list of file names in UTF-8 (it has bytes of 0, as UTF-16 " in refused(tmp_path / "yolo")


@pytest.mark.parametrize("layout, file, old, where", [
    ("yolo", "labels/train/zq7.txt", " 0.3125 ", "line 1: centre x"),
    ("voc", "Annotations/zq7.xml", "11<", "object 1: xmin"),
    ("kitti", "training/label_2/zq7.txt", " 10 ", "line 1: left")])
def test_decimal_commas_are_told(tmp_path, layout, file, old, where):
    LAYOUTS[layout](tmp_path, {"zq7": [BOX]})
    content = (tmp_path / file).read_text()
    new = re.sub("[0-9.]+", "10,5", old)
    assert old in content
    (tmp_path / file).write_text(content.replace(old, new))
    message = refused(tmp_path)
    assert f"{tmp_path / file}, {where}" in message
    assert message.endswith("needs a number, got '10,5'; write a decimal point, not a comma")


@pytest.mark.parametrize("layout, file", [("yolo", "data.yaml"), ("coco", "annotations/instances_train.json"),
                                          ("voc", "Annotations/zq7.xml")])
def test_a_file_of_labels_in_place_of_the_folder_is_told(tmp_path, layout, file):
    LAYOUTS[layout](tmp_path, {"zq7": [BOX]})
    assert refused(tmp_path / file) == (f"{tmp_path / file} is a file of labels; give the folder of its data set, "
                                        f"{tmp_path}")
    (tmp_path / "zq7.zip").write_bytes(b"")
    assert "zq7.zip is not a folder; unpack it, and give the folder (.jpg, " in refused(tmp_path / "zq7.zip")
