"""Data sets of YOLO as other programs write them: lines, classes, parts, list files and data.yaml."""

import json
import os

import pytest
from labelled_sets import BOX, HEIGHT, LAYOUTS, OTHER, SIZE, WIDTH, photo, read, refused, said, text, yolo

from scenefit.data.formats import data_yaml
from scenefit.data.formats.data_yaml import read_yaml
from scenefit.data.photos import read_boxes, read_part
from scenefit.data.photos.labelled import list_photos


def shares(box):
    _, x0, y0, x1, y1 = box
    return (x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT


def line(*numbers):
    return " ".join(map(str, numbers)) + "\n"


@pytest.mark.parametrize("word", ["1", "1.0", "1.000e+00", "01", "+1", "dust"])
def test_classes_written_as_other_numbers(tmp_path, word):
    yolo(tmp_path, {"zq7": [BOX, OTHER]})
    text(tmp_path / "labels/train/zq7.txt", line(word, *shares(OTHER)))
    assert read(tmp_path) == ({"zq7.png": [OTHER]}, "")


@pytest.mark.parametrize("word", ["0.5", "nan", "inf", "-1", "Dust", "9" * 5000, "1e400"])
def test_classes_that_are_none_are_named(tmp_path, word):
    yolo(tmp_path, {"zq7": [BOX, OTHER]})
    text(tmp_path / "labels/train/zq7.txt", line(word, *shares(OTHER)))
    assert f"zq7.txt, line 1: the class {word} is not among those of {tmp_path}/data.yaml: 0 cell" in refused(tmp_path)


@pytest.mark.parametrize("corners", [(10, 5, 30, 6, 20, 15), (10, 10, 20, 5, 30, 10, 20, 15),
                                     (12, 5, 30, 7, 28, 15, 10, 12, 11, 9, 12, 6)])
def test_polygons_and_turned_boxes_are_read_as_the_box_around(tmp_path, corners):
    yolo(tmp_path, {"zq7": [BOX, OTHER]})
    outline = [value / side for value, side in zip(corners, (WIDTH, HEIGHT) * 9, strict=False)]
    text(tmp_path / "labels/train/zq7.txt", line(0, *outline) + line(1, *shares(OTHER)) + line(0, *outline))
    boxes, words = read(tmp_path)
    assert boxes == {"zq7.png": [BOX, OTHER]}
    assert "zq7.txt: line 3: left out, since it repeats class and box of line 1" in words
    assert "2 polygons or masks are read as the upright box around each" in words


@pytest.mark.parametrize("count, hint", [(6, "; is the last a detector's confidence? leave it out"), (8, ""), (4, ""),
                                         (1, "")])
def test_lines_of_another_length_are_named(tmp_path, count, hint):
    yolo(tmp_path, {"zq7": [BOX]})
    text(tmp_path / "labels/train/zq7.txt", line(0, *[0.5] * (count - 1)))
    assert refused(tmp_path).endswith(f"zq7.txt, line 1: an object of YOLO has 5 columns (class, centre x, centre y, "
                                      f"width, height), or a class and at least 3 corners, got {count}{hint}")


def test_lines_separated_by_commas_are_told(tmp_path):
    yolo(tmp_path, {"zq7": [BOX]})
    text(tmp_path / "labels/train/zq7.txt", "0,0.5,0.5,0.2,0.2\n")
    assert refused(tmp_path).endswith("zq7.txt, line 1: an object of YOLO has 5 columns (class, centre x, centre y, "
                                      "width, height), or a class and at least 3 corners, got 1; separate them by "
                                      "blanks, not by commas")


@pytest.mark.parametrize("images, labels", [("Images", "Labels"), ("images", "LABELS"), ("IMAGES", "labels")])
def test_folders_in_capitals(tmp_path, images, labels):
    yolo(tmp_path, {"zq7": [BOX], "s/b": [OTHER]})
    (tmp_path / "labels").rename(tmp_path / labels)
    (tmp_path / "images").rename(tmp_path / images)
    text(tmp_path / "data.yaml", f"train: {images}/train\nnames: [cell, dust]\n")
    assert read(tmp_path) == ({"b.png": [OTHER], "zq7.png": [BOX]}, "")


def test_keypoints_follow_a_box(tmp_path):
    yolo(tmp_path, {"zq7": [BOX]})
    text(tmp_path / "labels/train/zq7.txt", line(0, *shares(BOX), 0.9, 0.9, 0.1, 0.1))
    text(tmp_path / "data.yaml", "train: images/train\nkpt_shape: [2, 2]\nnames: [cell]\n")
    assert read(tmp_path) == ({"zq7.png": [BOX]}, "")


def test_lines_in_pixels_are_left_out_and_named(tmp_path):
    yolo(tmp_path, {"zq7": [BOX, BOX, OTHER], "b": [OTHER]})
    text(tmp_path / "labels/train/zq7.txt", line(0, 20, 10, 20, 10) + line(1, *shares(OTHER)) + line(0, 30, 10, 20, 10))
    boxes, words = read(tmp_path)
    assert boxes == {"zq7.png": [OTHER], "b.png": [OTHER]}
    assert words == ("zq7.txt: 2 lines left out, such as line 1 with 20: the numbers are shares of the photo's width "
                     "and height, not pixels; divide them by these")


def test_corners_instead_of_centres_are_told(tmp_path):
    boxes = [("cell", 40 + i, 30 + i, 55 + i, 40 + i) for i in range(4)]
    yolo(tmp_path, {"zq7": boxes})
    text(tmp_path / "labels/train/zq7.txt", "".join(
        line(0, x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT) for _, x0, y0, x1, y1 in boxes))
    words = ("4 of 4 boxes stick out of their photos, and would fit if their numbers were corners (x0, y0, x1, y1); "
             "YOLO's columns are centre x, centre y, width, height; write them so if they are corners")
    assert words in read(tmp_path)[1]


def test_label_files_of_photos_in_other_folders(tmp_path):
    photo(tmp_path / "images/a.png")
    text(tmp_path / "labels/a.txt", line(0, *shares(BOX)))
    photo(tmp_path / "photos/zq7.png", 1)
    text(tmp_path / "annot/zq7.txt", line(0, *shares(BOX)))
    photo(tmp_path / "photos/c.png", 2)
    text(tmp_path / "photos/c.TXT", line(0, *shares(OTHER)))
    text(tmp_path / "train.txt", "images/a.png\nphotos/zq7.png\n./photos/c.png\n")
    text(tmp_path / "data.yaml", "train: train.txt\nnames: [cell]\n")
    boxes, words = read(tmp_path)
    assert boxes == {"a.png": [BOX], "zq7.png": [], "c.png": [("cell", *OTHER[1:])]}
    assert words.endswith(f"1 photo has no label file, which means no objects; the first: {tmp_path}/"
                          f"photos/zq7.png (there is no {tmp_path}/photos/zq7.txt)")


def test_a_photo_without_its_label_file_is_named(tmp_path):
    yolo(tmp_path, {"a": [BOX], "zq7": [BOX]})
    (tmp_path / "labels/train/zq7.txt").unlink()
    text(tmp_path / "labels/train/classes.txt", "cell\n")  # as labelling programs leave it
    boxes, words = read(tmp_path)
    assert boxes == {"a.png": [BOX], "zq7.png": []} and words.count("\n") == 0
    assert "1 photo has no label file, which means no objects; the first: " in words and "zq7" in words


@pytest.mark.parametrize("again", ["images/train/zq7.png", "./images/train/zq7.png", "images/../images/train/zq7.png",
                                   "ABSOLUTE"])
def test_photos_listed_twice_are_read_once_and_named(tmp_path, again):
    yolo(tmp_path, {"zq7": [BOX], "b": [OTHER]})
    again = again.replace("ABSOLUTE", str(tmp_path / "images/train/zq7.png"))
    text(tmp_path / "train.txt", f"images/train/zq7.png\n{again}\nimages/train/b.png\n")
    text(tmp_path / "data.yaml", "train: train.txt\nnames: [cell, dust]\n")
    boxes, words = read(tmp_path)
    assert boxes == {"zq7.png": [BOX], "b.png": [OTHER]}
    assert "1 photo is named more than once: " in words and "zq7.png; each is read once, with the labels" in words


@pytest.mark.parametrize("val", ["images/train", "./images/train/", "images", "link"])
def test_parts_that_are_the_same_folder_are_read_once_and_named(tmp_path, val):
    yolo(tmp_path, {"zq7": [BOX], "b": [OTHER]})
    os.symlink(tmp_path / "images/train", tmp_path / "link")
    text(tmp_path / "data.yaml", f"train: images/train\nval: {val}\nnames: [cell, dust]\n")
    boxes, words = read(tmp_path)
    assert boxes == {"zq7.png": [BOX], "b.png": [OTHER]}
    if val == "images":  # one folder in the other
        assert "2 photos are named more than once: " in words and "zq7.png" in words
        return
    wanted = (f"data.yaml: its parts train and val are the same photos, {val}; name others if one is to train and one "
              "to evaluate on")
    assert words == wanted
    if val != "link":
        assert read(tmp_path, part="val")[1] == read(tmp_path, part="train")[1] == wanted


@pytest.mark.parametrize("missing", ["../test/images", "test/images", "test.txt", "/nowhere/zq7/images"])
def test_parts_that_nobody_exported_are_named_and_the_rest_is_read(tmp_path, missing):
    yolo(tmp_path, {"a": [BOX]})
    text(tmp_path / "data.yaml", f"train: ../images/train\nval: {missing}\ntest: {missing}2\nnames: [cell]\n")
    boxes, words = read(tmp_path)
    assert boxes == {"a.png": [BOX]} and words.count("\n") == 1
    assert f"data.yaml: its part val is left out: {tmp_path}/data.yaml names the photos in {missing}, but " in words
    assert "is neither a folder nor a list of photos; export it, or correct the name" in words
    assert f"names the photos in {missing}, but " in refused(tmp_path, part="val")
    text(tmp_path / "data.yaml", f"train: {missing}\nnames: [cell]\n")
    message = refused(tmp_path)
    assert "lists no photo; 1 skipped: " in message and missing in message
    assert message.endswith("; put the photos there, or correct the names")


def test_a_part_without_labels_is_named_and_the_rest_is_read(tmp_path):
    yolo(tmp_path, {"a": [BOX]})
    photo(tmp_path / "images/zq7/b.png")
    text(tmp_path / "data.yaml", "train: images/train\ntest: images/zq7\nnames: [cell]\n")
    boxes, words = read(tmp_path)
    assert boxes == {"a.png": [BOX]}
    assert f"its part test is left out: {tmp_path}/data.yaml names the photos in {tmp_path}/images/zq7, but" in words
    assert f"their labels' folder {tmp_path}/labels/zq7 is missing" in words


def test_validation_is_val(tmp_path):
    yolo(tmp_path, {"a": [BOX]})
    text(tmp_path / "data.yaml", "validation: images/train\nnames: [cell]\n")
    assert read(tmp_path, part="val") == ({"a.png": [BOX]}, "")


@pytest.mark.parametrize("absolute", [False, True])
def test_lists_that_name_photos_outside_are_refused_unless_asked_for(tmp_path, absolute):
    folder, name = tmp_path / "set", str(tmp_path / "images/zq7.png") if absolute else "../images/zq7.png"
    yolo(folder, {"a": [BOX], "b": [OTHER]})
    photo(tmp_path / "images/zq7.png", 7)
    text(tmp_path / "labels/zq7.txt", line(0, *shares(BOX)))
    text(folder / "train.txt", f"{folder}/images/train/a.png\n{name}\n")
    text(folder / "data.yaml", "train: train.txt\nnames: [cell, dust]\n")
    message = f"{folder}/train.txt, line 2: {name} lies outside of the data set {folder}; move the photos into it, or"
    assert message in refused(folder)
    with pytest.raises(ValueError, match="lies outside of the data set"):
        read_part(folder, SIZE)
    assert read(folder, outside=True) == ({"a.png": [BOX], "zq7.png": [BOX]}, "")
    text(folder / "data.yaml", "train: ../images\nnames: [cell, dust]\n")  # a folder of data.yaml: as exports have it
    assert read(folder) == ({"zq7.png": [BOX]}, "")


def test_a_list_file_is_a_part_of_its_own(tmp_path, monkeypatch):
    yolo(tmp_path, {"a": [BOX], "zq7": [OTHER], "c": [BOX]})
    listed = text(tmp_path / "few.txt", "images/train/zq7.png\nimages/train/a.png\nimages/train/d.png\n")
    monkeypatch.chdir(tmp_path)
    for place, options in ((tmp_path, {"part": listed}), (tmp_path, {"part": "few.txt"}), (listed, {})):
        boxes, words = read(place, **options)
        assert boxes == {"zq7.png": [OTHER], "a.png": [BOX]}
        assert words == f"few.txt: line 3: there is no photo {tmp_path}/images/train/d.png"


def test_listed_photos_are_paths_below_their_data_set(tmp_path):
    """Whether they are named in full or by a link; labels are not opened."""
    folder = tmp_path / "set"
    yolo(folder, {"a": [BOX], "b": [OTHER], "c": [BOX]})
    text(folder / "labels/train/b.txt", "no label")
    (tmp_path / "link").symlink_to(folder)
    listed = text(folder / "few.txt", f"images/train/b.png\n{folder}/images/train/a.png\n{tmp_path}/link/images/"
                  "train/c.png\nimages/train/d.png\n")
    found, paths, skipped = list_photos(listed)
    assert (found, paths) == (folder, [folder / f"images/train/{name}.png" for name in "bac"])
    assert [entry.reason for entry in skipped] == [f"line 4: there is no photo {folder}/images/train/d.png"]
    photo(tmp_path / "zq7.png", 7)
    text(listed, f"images/train/b.png\n{tmp_path}/zq7.png\n")
    with pytest.raises(ValueError, match="lists 1 photo outside of the data set"):
        list_photos(listed)


def test_no_names(tmp_path):
    yolo(tmp_path, {"zq7": [BOX], "b": []})
    for names in ("names: []", "names:", "names: {}"):
        text(tmp_path / "data.yaml", f"train: images/train\n{names}\n")
        assert f"zq7.txt, line 1: the class 0 is not among those of {tmp_path}/data.yaml: none" in refused(tmp_path)
    text(tmp_path / "labels/train/zq7.txt", "\n\n")
    assert read(tmp_path) == ({"b.png": [], "zq7.png": []}, "")


@pytest.mark.parametrize("yaml, reason", [
    ("train: {zq: 7}\nnames: [cell]", "train needs a folder, a list file or a list of these, got ('zq', '7')"),
    ("names: [cell]\ntrain: [\nzq7", "data.yaml, line 2: the list of train is not closed; end it with ]"),
    ("names: {" + "9" * 5000 + ": zq}", "names needs lines such as '0: "),
    ("names: zq7", "names needs a list of classes, got 'zq7'"), ("names: [cell]\nzq7", "line 2: it needs key: value"),
    ("names: " + "[" * 200_000, "data.yaml, line 1: the list of names is not closed; end it with ]")])
def test_a_data_yaml_of_another_form_is_named(tmp_path, yaml, reason):
    yolo(tmp_path, {"a": [BOX]})
    text(tmp_path / "data.yaml", yaml + "\n")
    assert reason in refused(tmp_path, part="train")


def test_a_data_yaml_that_is_no_text_is_named_and_others_are_passed_over(tmp_path):
    yolo(tmp_path / "yolo", {"a": [BOX]})
    (tmp_path / "yolo/data.yaml").write_text("names: [zq7]\n", "utf-16")
    assert "data.yaml is no text in UTF-8" in refused(tmp_path / "yolo")
    LAYOUTS["coco"](tmp_path / "coco", {"a": [BOX]})
    (tmp_path / "coco/notes.yaml").write_text("names: [zq7]\n", "utf-16")
    assert read(tmp_path / "coco") == ({"a.png": [BOX]}, "")


class Counted(str):
    """A text that counts the letters that are copied from it."""

    copied = 0

    def __getitem__(self, at):
        found = str.__getitem__(self, at)
        Counted.copied += len(found)
        return found


def test_data_yaml_is_read_in_linear_time(tmp_path):
    for text_ in ("a" * 4000, "'a'," * 1000, "'" + "a\\\" " * 1000, " " * 4000):
        Counted.copied = 0
        assert len(list(data_yaml._bare(Counted(text_)))) <= len(text_)
        assert Counted.copied <= 6 * len(text_), text_[:9]
    names = [f"kind {number}" for number in range(5000)]
    for written in (json.dumps(names), json.dumps(names, indent=1)):
        text(tmp_path / "data.yaml", f"names: {written}\n")
        assert list(read_yaml(tmp_path / "data.yaml")["names"].values()) == names


def test_skipped_labels_keep_their_path(tmp_path):
    yolo(tmp_path, {"a": [BOX], "b": [BOX]})
    text(tmp_path / "labels/train/deep/zq7.txt", line(0, *shares(BOX)))
    found = read_boxes(tmp_path, SIZE)
    assert said(found.skipped) == f"zq7.txt: there is no photo deep/zq7 in {tmp_path}/images/train"


def test_a_listed_photo_that_is_there_with_another_ending_is_named(tmp_path):
    yolo(tmp_path, {"a": [BOX], "zq7": [OTHER]})
    listed = text(tmp_path / "few.txt", "images/train/zq7.jpg\nimages/train/a.png\n")
    boxes, words = read(listed)
    assert boxes == {"a.png": [BOX]} and words.endswith("zq7.png has its name with another ending")
