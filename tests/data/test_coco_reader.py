"""COCO's annotation files as other programs write them: ids, flags, boxes, masks, places, and what comes twice."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import BOX, OTHER, SIZE, change, coco, photo, read, refused, text

from scenefit.data.formats.coco import encode_mask
from scenefit.data.photos import read_boxes, read_part


@pytest.mark.parametrize("one, two", [(1, "1"), ("1", 1), (1.0, 1), ("1.0", " 1 "), ("zq7", "zq7"), (0, "0")])
def test_ids_may_be_numbers_or_text(tmp_path, one, two):
    coco(tmp_path, {"a": [BOX]})
    change(tmp_path, images=lambda image: image | {"id": one}, categories=lambda entry: entry | {"id": two},
           annotations=lambda note: note | {"image_id": two, "category_id": one})
    assert read(tmp_path) == ({"a.png": [BOX]}, "")


@pytest.mark.parametrize("wrong, said", [(None, "None"), (True, "True"), (1.5, "1.5"), ({"zq": 7}, "{'zq': 7}"),
                                         ("", "''")])
def test_what_is_no_id_is_named(tmp_path, wrong, said):
    coco(tmp_path, {"a": [BOX]})
    change(tmp_path, annotations=lambda note: note | {"category_id": wrong})
    assert f"entry 1 of annotations needs a number as category_id, got {said}" in refused(tmp_path)


@pytest.mark.parametrize("key", ["iscrowd", "ignore"])
@pytest.mark.parametrize("flag, is_set", [(0, False), ("0", False), (False, False), ("false", False), (0.0, False),
                                          ("", False), (None, False), (1, True), ("1", True), (True, True),
                                          ("True", True), (1.0, True)])
def test_flags_in_any_writing(tmp_path, key, flag, is_set):
    coco(tmp_path, {"a": [BOX, OTHER]})
    change(tmp_path, annotations=lambda note: note | ({key: flag} if note["id"] == 2 else {}))
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [BOX] if is_set else [BOX, OTHER]}
    assert ("1 region left out, which evaluation ignores" in said) == is_set


def test_a_flag_that_is_none_is_named(tmp_path):
    coco(tmp_path, {"a": [BOX]})
    change(tmp_path, annotations=lambda note: note | {"iscrowd": "zq7"})
    assert "instances_train.json, annotation 1: iscrowd needs 0 or 1, got 'zq7'" in refused(tmp_path)


def mask_of(box):
    _, x0, y0, x1, y1 = box
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    mask[y0, x0] = False  # the box is the same
    return mask


def as_runs(mask):
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    edges = np.flatnonzero(np.diff(flat))
    return {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()}


WHOLE = ("cell", 0, 0, 64, 48)
SEGMENTATIONS = [([[10, 5, 30, 6, 20, 15]], BOX), ([[10, 5, 12, 9, 11, 8], [20, 7, 30, 15, 28, 8]], BOX),
                 ([[10, 5], [30, 6], [20, 15]], BOX), ([10, 5, 30, 6, 20, 15], BOX), (encode_mask(mask_of(BOX)), BOX),
                 (as_runs(mask_of(BOX)), BOX), (encode_mask(mask_of(WHOLE)), WHOLE), (as_runs(mask_of(WHOLE)), WHOLE)]


@pytest.mark.parametrize("segmentation, wanted", SEGMENTATIONS)
@pytest.mark.parametrize("bbox", [[], None, "left out"])
def test_without_a_bbox_it_is_the_box_around_the_segmentation(tmp_path, segmentation, wanted, bbox):
    coco(tmp_path, {"a": [BOX, OTHER]})

    def without(note):
        rest = {key: value for key, value in note.items() if key != "bbox"}
        return note if note["id"] == 2 else rest | {"segmentation": segmentation} | (
            {} if bbox == "left out" else {"bbox": bbox})

    change(tmp_path, annotations=without)
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [wanted, OTHER]}
    assert "1 polygon or mask is read as the upright box around each" in said


@pytest.mark.parametrize("empty", [{"bbox": []}, {"bbox": None}, {"bbox": [], "segmentation": []},
                                   {"bbox": [], "segmentation": [[]]},
                                   {"bbox": [], "segmentation": {"size": [48, 64], "counts": [48 * 64]}}])
def test_annotations_without_an_extent_are_left_out_and_named(tmp_path, empty):
    coco(tmp_path, {"a": [BOX, OTHER], "b": [BOX]})
    change(tmp_path, annotations=lambda note: note | empty if note["id"] != 2 else note)
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [OTHER], "b.png": []}
    assert "instances_train.json: annotation 1: left out, since its bbox is empty" in said and "annotation 3:" in said


@pytest.mark.parametrize("wrong", [[[1, 2, 3]], [["w", 2]], {"size": [48, 64]}, {"size": [48, 64], "counts": "é"}, 7,
                                   {"size": [4, 4], "counts": [10, 20]}, {"size": [48, 64], "counts": [5, -3]},
                                   {"size": "zq7", "counts": [1]}, {"size": [48, 64], "counts": "o" * 99}, [7], {}])
def test_segmentations_that_cannot_be_understood_are_named(tmp_path, wrong):
    coco(tmp_path, {"a": [BOX]})
    change(tmp_path, annotations=lambda note: note | {"bbox": [], "segmentation": wrong})
    assert "instances_train.json, annotation 1: segmentation needs " in refused(tmp_path)


def test_empty_lists(tmp_path):
    coco(tmp_path, {"a": []})
    assert read(tmp_path) == ({"a.png": []}, "")
    change(tmp_path, images=[])
    assert "lists no photo; no file was skipped" in refused(tmp_path)


def test_boxes_written_as_corners_are_told(tmp_path):
    labels = {"a": [("cell", 30 + i, 20 + i, 45 + i, 30 + i) for i in range(4)]}
    coco(tmp_path, labels)
    assert read(tmp_path) == ({"a.png": labels["a"]}, "")
    change(tmp_path, annotations=lambda note: note | {"bbox": [*note["bbox"][:2], note["bbox"][0] + 15,
                                                               note["bbox"][1] + 10]})
    _, said = read(tmp_path)
    assert ("4 of 4 boxes stick out of their photos, and would fit if their numbers were corners (x0, y0, x1, y1); "
            "COCO's bbox is x, y, width, height; write them so if they are corners") in said
    change(tmp_path, annotations=lambda note: note | {"bbox": [-9, -9, 90, 90 + note["id"]]})  # these are no corners
    assert read(tmp_path)[1] == ""


def test_images_that_come_twice(tmp_path):
    coco(tmp_path, {"zq7": [BOX], "b": [OTHER]})
    one = {"id": 0, "file_name": "zq7.png"}
    change(tmp_path, images=[one, {"id": 1, "file_name": "b.png"}, one | {"file_name": "./zq7.png"}])
    boxes, said = read(tmp_path)
    assert boxes == {"zq7.png": [BOX], "b.png": [OTHER]}
    assert said == ("instances_train.json: 1 image is named more than once, such as ./zq7.png (id 0); each is read "
                    "once")
    for name in ("./zq7.png", "../train/zq7.png", "train/zq7.png", "x/../zq7.png", str(tmp_path / "train/zq7.png")):
        change(tmp_path, images=[one, {"id": 1, "file_name": name}])
        (tmp_path / "train/x").mkdir(exist_ok=True)
        assert f"images 0 (zq7.png) and 1 ({name}) are the same photo; leave one of them out" in refused(tmp_path)


def test_annotation_ids_that_come_twice_are_told_and_all_boxes_read(tmp_path):
    coco(tmp_path, {"a": [BOX, OTHER]})
    change(tmp_path, annotations=lambda note: note | {"id": 7})
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [BOX, OTHER]}
    assert said == ("instances_train.json: 1 annotation has the id of an earlier one, the first: annotation 7; all "
                    "are read")
    change(tmp_path, annotations=lambda note: note | {"bbox": [1, 2, 3]} if note["category_id"] else note)
    assert "annotation 7 (entry 2): bbox needs x, y, width, height, got [1, 2, 3]" in refused(tmp_path)


def test_photos_of_two_parts_are_read_once_and_named(tmp_path):
    coco(tmp_path, {"zq7": [BOX], "b": [OTHER]})
    coco(tmp_path, {"zq7": [OTHER]}, file="annotations/instances_val.json")
    change(tmp_path, "annotations/instances_val.json", images=lambda image: image | {"file_name": "train/zq7.png"})
    boxes, said = read(tmp_path)
    assert boxes == {"zq7.png": [BOX], "b.png": [OTHER]}
    assert "1 photo is named more than once: " in said and "zq7.png; each is read once, with the labels that" in said
    assert read(tmp_path, part="val") == ({"zq7.png": [OTHER]}, "")
    os.symlink("zq7.png", tmp_path / "train/link.png")
    coco(tmp_path, {"c": [BOX]}, file="annotations/instances_val.json")
    change(tmp_path, "annotations/instances_val.json", images=lambda image: image | {"file_name": "train/link.png"})
    assert list(read(tmp_path)[0]) == ["zq7.png", "b.png"]


def test_a_part_whose_photos_are_not_there_is_named_once(tmp_path):
    coco(tmp_path, {"a": [BOX]})
    coco(tmp_path, {f"zq{i}": [BOX] for i in range(3)}, file="annotations/instances_val2017.json")
    for path in tmp_path.rglob("zq*.png"):
        path.unlink()
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [BOX]} and said.count("\n") == 0
    assert said.startswith("instances_val2017.json: none of the 3 photos of its part val2017 is there (image 0: there "
                           "is no photo zq0.png in ") and said.endswith("; the part is left out")
    with pytest.raises(ValueError, match=r"lists no photo in its part 'val'; 3 skipped: .*there is no photo zq0.png"):
        read_boxes(tmp_path, SIZE, "val")


@pytest.mark.parametrize("file, place, name", [
    ("annotations.json", "images", "images/zq7.png"), ("result.json", "images", "zq7.png"),
    ("train.JSON", "train", "zq7.png"), ("labels.json", ".", "zq7.png"), ("annotations/train.json", "train", "zq7.png"),
    ("annotations/instances_train2017.json", "images/train2017", "zq7.png"), ("x.json", ".", "deep/zq7.png"),
    ("valid/_annotations.coco.json", "valid", "zq7.png")])
def test_places_of_the_annotation_file(tmp_path, file, place, name):
    coco(tmp_path / "from", {"zq7": [BOX]}, file=file)
    (tmp_path / "from/train/zq7.png").unlink()
    photo(tmp_path / "from" / place / name.removeprefix(f"{place}/"))
    change(tmp_path / "from", file, images=lambda image: image | {"file_name": name})
    text(tmp_path / "from/provenance.json", json.dumps({"images": 4}))
    if file.startswith("annotations/"):
        text(tmp_path / "from/annotations/notes.json", json.dumps({"licenses": []}))
    assert read(tmp_path / "from") == ({"zq7.png": [BOX]}, "")
    if "valid" in file:
        assert read(tmp_path / "from", part="val") == ({"zq7.png": [BOX]}, "")


def rename_first(folder, name):
    change(folder, images=lambda image: image | {"file_name": name} if image["id"] == 0 else image)


@pytest.mark.parametrize("absolute", [False, True])
def test_photos_outside_of_the_data_set_are_refused_unless_asked_for(tmp_path, absolute):
    folder, name = tmp_path / "set", str(tmp_path / "zq7.png") if absolute else "../../zq7.png"
    photo(tmp_path / "zq7.png")
    coco(folder, {"a": [BOX], "b": [OTHER]})
    rename_first(folder, name)
    message = refused(folder)
    assert (f"{folder}/annotations/instances_train.json, image 0: {name} lies outside of the data set {folder}; move "
            "the photos into it, or allow this with outside=True (--outside)") in message
    with pytest.raises(ValueError, match="lies outside of the data set"):
        read_part(folder, SIZE)
    assert read(folder, outside=True) == ({"zq7.png": [BOX], "b.png": [OTHER]}, "")
    assert len(read_part(folder, SIZE, outside=True)) == 2


def test_photos_inside_are_read_however_they_are_named(tmp_path, monkeypatch):
    coco(tmp_path / "set", {"a": [BOX], "b": [OTHER]})
    (tmp_path / "elsewhere").mkdir()
    os.rename(tmp_path / "set/train", tmp_path / "elsewhere/train")
    os.symlink(tmp_path / "elsewhere/train", tmp_path / "set/train")  # the owner of the folder chose this
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("a.png", str(tmp_path / "set/train/a.png")):
        rename_first(tmp_path / "set", name)
        assert list(read(Path("../set"))[0]) == ["a.png", "b.png"]
    os.remove(tmp_path / "set/train")
    os.rename(tmp_path / "elsewhere/train", tmp_path / "set/train")
    for name in ("../train/a.png", str(tmp_path / "set/train/a.png")):
        rename_first(tmp_path / "set", name)
        assert list(read(Path("../set"))[0]) == ["a.png", "b.png"]


@pytest.mark.parametrize("changes, reason", [
    ({"images": {"zq": 7}}, "is no annotation file of COCO: it has no list 'images'"),
    ({"images": [["zq7"]]}, "entry 1 of images needs an object with id, file_name, got ['zq7']; export the file again"),
    ({"images": [{"id": 0, "file_name": ["zq7"]}]}, "entry 1 of images needs a text as file_name, got ['zq7']"),
    ({"images": [{"id": 0, "file_name": None}]}, "entry 1 of images needs a text as file_name, got None"),
    ({"categories": ["zq7"]}, "entry 1 of categories needs an object with id, name, got 'zq7'"),
    ({"categories": [{"id": 0, "name": ["zq7"]}]}, "entry 1 of categories, id 0, has no name but ['zq7']"),
    ({"categories": [{"id": 0, "name": "\ud800"}]}, "entry 1 of categories, id 0, has no name but '\\ud800'"),
    ({"annotations": [{"image_id": 0, "category_id": 0, "bbox": {"x": 1}}]}, "annotation 1: bbox needs x, y, width, "
     "height, got {'x': 1}"),
    ({"annotations": [{"image_id": 0, "category_id": 0}]}, "entry 1 of annotations has no bbox")])
def test_records_of_another_form_are_named(tmp_path, changes, reason):
    coco(tmp_path, {"a": [BOX]})
    change(tmp_path, **changes)
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path}/annotations/instances_train.json") and reason in message


def test_names_that_no_file_can_have_are_missing_photos(tmp_path):
    coco(tmp_path, {"a": [BOX], "b": [OTHER]})
    for name in ("zq7\0.png", "zq7" * 200):
        change(tmp_path, images=lambda image, name=name: image | {"file_name": name} if image["id"] else image)
        boxes, said = read(tmp_path)
        assert boxes == {"a.png": [BOX]} and "image 1: there is no photo zq7" in said


def test_a_missing_photo_that_is_there_with_another_ending_is_named(tmp_path):
    coco(tmp_path, {"a": [BOX], "zq7": [OTHER]})
    change(tmp_path, images=lambda image: image | {"file_name": image["file_name"].replace("zq7.png", "zq7.JPG")})
    boxes, said = read(tmp_path)
    assert boxes == {"a.png": [BOX]} and "there is no photo zq7.JPG in " in said
    assert said.endswith("zq7.png has its name with another ending")
