"""Pascal VOC and KITTI as people have them: where photos and label files lie, and which list files name them."""

import re
import shutil

import pytest
from labelled_sets import BOX, LAYOUTS, OTHER, SIZE, photo, read, refused, text

from scenefit.data.formats.reading import NoPart
from scenefit.data.photos import read_boxes, read_few, read_part
from scenefit.data.photos.layouts import matching_layouts

PLACES = {"voc": ("JPEGImages", "Annotations", ".xml"), "kitti": ("training/image_2", "training/label_2", ".txt")}
both = pytest.mark.parametrize("layout", PLACES)


def made(folder, layout, labels):
    """The data set's folder, that of its photos, that of its labels, and the ending of these."""
    LAYOUTS[layout](folder, labels)
    photos, home, ending = PLACES[layout]
    return folder / photos, folder / home, ending


def move(path, to):
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, to)


@both
def test_labels_in_other_folders_than_their_photos_are_found(tmp_path, layout):
    _, labels, ending = made(tmp_path, layout, {"a": [BOX], "zq7": [OTHER], "s/b": [BOX], "s/c": []})
    move(labels / f"zq7{ending}", labels / f"batch2/zq7{ending}")
    move(labels / f"s/b{ending}", labels / f"b{ending}")
    assert read(tmp_path) == ({"a.png": [BOX], "b.png": [BOX], "c.png": [], "zq7.png": [OTHER]}, "")


@both
def test_labels_that_may_be_of_several_photos_are_not_guessed(tmp_path, layout):
    photos, labels, ending = made(tmp_path, layout, {
        "a": [BOX], "c": [], "cam1/zq7": [OTHER], "cam2/zq7": [BOX], "cam3/b": [BOX], "d": []})
    move(labels / f"cam1/zq7{ending}", labels / f"zq7{ending}")
    move(labels / f"cam2/zq7{ending}", labels / f"x/zq7{ending}")
    move(labels / f"cam3/b{ending}", labels / f"cam4/b{ending}")
    found = read_boxes(tmp_path, SIZE)
    assert [path.name for path in found.paths] == ["a.png", "c.png", "d.png"]
    said = {str(path.relative_to(tmp_path)): reason for path, reason in found.skipped}
    for name in ("cam1/zq7", "cam2/zq7", "cam3/b"):
        assert said[f"{PLACES[layout][0]}/{name}.png"].endswith(f"{PLACES[layout][1]}/{name}{ending}")
    for name in ("zq7", "x/zq7", "cam4/b"):
        assert said[f"{PLACES[layout][1]}/{name}{ending}"] == f"there is no photo {name} in {photos}"


@both
def test_lists_name_photos_in_many_ways(tmp_path, layout):
    photos, _, _ = made(tmp_path, layout, {"a": [BOX], "b": [OTHER], "s/zq7": [BOX], "s/d": []})
    (tmp_path / "train.TXT").write_text("s/zq7.png\n./a\n")
    (tmp_path / "val.txt").write_text(f"{photos}/s/d.png\r\nzq7 1\nb.JPG\n\n")
    (tmp_path / "test.txt").write_text(f"{photos.name}\\s\\zq7.png\nother/a.png\nzq8\nb\n")
    assert list(read(tmp_path, part=tmp_path / "train.TXT")[0]) == ["zq7.png", "a.png"]
    assert [path.name for path in read_boxes(tmp_path / "train.TXT", SIZE).paths] == ["zq7.png", "a.png"]
    assert list(read(tmp_path, part="val")[0]) == ["d.png", "zq7.png", "b.png"]
    boxes, said = read(tmp_path, part="test")
    assert list(boxes) == ["zq7.png", "b.png"] and said == (
        f"test.txt: line 2: there is no photo other/a in {photos}\ntest.txt: line 3: there is no photo zq8 in {photos}")
    (tmp_path / "twice.txt").write_text("s/zq7\nb\nzq7.png\n")
    assert "twice.txt, line 3: s/zq7 is named twice; remove one of the lines" in refused(tmp_path, part="twice")


@both
def test_a_list_of_images_that_are_not_read_names_them(tmp_path, layout):
    photos, _, _ = made(tmp_path, layout, {"a": [BOX], "zq7": [OTHER]})
    (photos / "zq7.png").rename(photos / "zq7.heic")
    (tmp_path / "few.txt").write_text("zq7.heic\na\n")
    assert read(tmp_path, part="few") == (
        {"a.png": [BOX]}, "zq7.heic: images ending in .heic are not read; convert them to PNG, or to JPEG")


@both
def test_parts_in_folders_of_their_own(tmp_path, layout):
    for part, name in (("train", "a"), ("valid", "zq7")):
        LAYOUTS[layout](tmp_path / part, {name: [BOX]})
        if layout == "kitti":
            for place in ("image_2", "label_2"):
                (tmp_path / part / "training" / place).rename(tmp_path / part / place)
            (tmp_path / part / "training").rmdir()
    photo(tmp_path / "valid" / ("image_2" if layout == "kitti" else "JPEGImages") / "zq7.png", 7)
    assert matching_layouts(tmp_path) == [layout]
    assert list(read(tmp_path)[0]) == ["a.png", "zq7.png"] and list(read(tmp_path, part="val")[0]) == ["zq7.png"]
    assert [path.name for path in read_part(tmp_path, SIZE, "valid").paths] == ["zq7.png"]
    with pytest.raises(NoPart, match=r"there is no part 'test': .*; folders of parts: train, valid"):
        read_boxes(tmp_path, SIZE, "test")
    (tmp_path / "test").symlink_to(tmp_path / "valid")
    boxes, said = read(tmp_path)
    assert list(boxes) == ["zq7.png", "a.png"] or list(boxes) == ["a.png", "zq7.png"]
    assert "1 photo is named more than once: " in said and "zq7.png; each is read once" in said


@pytest.mark.parametrize("part", ["", "train/"])
@pytest.mark.parametrize(("photos", "labels"), [
    ("", ""), ("images", "annotations"), ("images", "annotations/xmls"), ("Images", "ANNOTATIONS"),
    ("", "Annotations")])
def test_voc_of_other_programs(tmp_path, part, photos, labels):
    LAYOUTS["voc"](tmp_path / "made", {"a": [BOX], "zq7": [OTHER]})
    for name in ("a", "zq7"):
        move(tmp_path / f"made/JPEGImages/{name}.png", tmp_path / "set" / part / photos / f"{name}.png")
        move(tmp_path / f"made/Annotations/{name}.xml", tmp_path / "set" / part / labels / f"{name}.xml")
    assert matching_layouts(tmp_path / "set") == ["voc"]
    assert read(tmp_path / "set") == ({"a.png": [BOX], "zq7.png": [OTHER]}, "")


def test_xml_beside_photos_that_is_no_annotation_is_no_voc(tmp_path):
    photo(tmp_path / "cat/zq7.png")
    text(tmp_path / "zq7.xml", "<?xml version='1.0'?><metadata/>")
    assert matching_layouts(tmp_path) == [] and read_few(tmp_path, SIZE).label.tolist() == ["cat"]


def test_kitti_as_it_is_downloaded(tmp_path):
    LAYOUTS["kitti"](tmp_path, {"zq7": [BOX]})
    for place in ("image_2", "label_2"):
        move(tmp_path / "training" / place, tmp_path / f"data_object_{place}/training/{place}")
    assert read(tmp_path) == ({"zq7.png": [BOX]}, "")


def test_a_folder_above_a_data_set_is_told(tmp_path):
    for name in ("VOC2007", "VOC2012"):
        LAYOUTS["voc"](tmp_path / name, {"zq7": [BOX]})
    said = refused(tmp_path)
    assert re.search(r"it holds data sets of boxes; give one of them: .*/VOC2007 \(voc\), .*/VOC2012 \(voc\)", said)


def test_voc_that_counts_from_0_is_told_once(tmp_path):
    LAYOUTS["voc"](tmp_path, {"a": [("cell", -1, 5, 10, 20), BOX], "zq7": [("cell", 4, -1, 10, 20)]})
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [("cell", 0, 5, 10, 20), BOX], "zq7.png": [("cell", 4, 0, 10, 20)]}
    assert said.endswith(
        ": 2 boxes begin at pixel 0, where Pascal VOC counts from 1: if this data set counts from 0, all its boxes lie "
        "one pixel too far to the left and to the top; add 1 to its numbers") and said.count("\n") == 0


@both
def test_boxes_with_swapped_corners_are_left_out_and_named(tmp_path, layout):
    LAYOUTS[layout](tmp_path, {"a": [BOX], "zq7": [("cell", 30, 15, 10, 5), OTHER]})
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [BOX], "zq7.png": [OTHER]}
    assert re.search(r"zq7\.\w+: \w+ 1: its box is empty, it needs x0 < x1 and y0 < y1", said)
