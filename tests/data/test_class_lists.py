"""Data sets of YOLO without a data.yaml, and names of files as other programs and systems write them."""

import unicodedata

import pytest
from labelled_sets import BOX, LAYOUTS, OTHER, SIZE, change, coco, every_layout, photo, read, refused, text, yolo

from scenefit.data.photos import read_boxes, read_few, read_photos

LINES = {"zq7": "0 0.3125 0.20833333 0.3125 0.20833333\n", "b": "1 0.703125 0.625 0.15625 0.41666667\n"}  # BOX, OTHER
CVAT = {"obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "train.txt": "data/obj_train_data/zq7.png\ndata/obj_train_data/s/b.png\n", "obj.names": "cell\ndust\n"}
EXPORTS = {  # name -> photos, folder of label files, other files
    "labelImg": ("", "", {"classes.txt": "cell\r\ndust\r\n", "notes.txt": "by me\n"}),
    "labelImg in a folder called images": ("images/", "images/", {"classes.txt": "cell\ndust\n"}),
    "labelImg with a folder of labels": ("images/", "labels/", {"labels/classes.txt": "\ufeffcell\ndust\n"}),
    "Label Studio": ("images/", "labels/", {"classes.txt": "cell\ndust\n", "notes.json": '{"categories": []}'}),
    "CVAT": ("obj_train_data/", "obj_train_data/", CVAT)}


def export(folder, photos, labels, others, names=("zq7", "b")):
    for seed, name in enumerate(names):
        below = "s/" if "obj.data" in others and name == "b" else ""
        photo(folder / f"{photos}{below}{name}.png", seed)
        text(folder / f"{labels}{below}{name}.txt", LINES[name])
    for name, content in others.items():
        text(folder / name, content)


@pytest.mark.parametrize("program", EXPORTS)
def test_classes_in_a_file_of_their_own(tmp_path, program):
    export(tmp_path, *EXPORTS[program])
    assert read(tmp_path) == ({"zq7.png": [BOX], "b.png": [OTHER]}, "")
    assert len(read_photos(tmp_path, SIZE)) == 2


@pytest.mark.parametrize("inside, list_file", [("", "{}/_darknet.labels"), ("images/", "classes.txt"),
                                               ("images/", "{}/labels/classes.txt")])
def test_parts_in_folders(tmp_path, inside, list_file):
    for folder, name in (("train", "zq7"), ("valid", "b")):
        export(tmp_path, f"{folder}/{inside}", f"{folder}/{'labels/' if inside else ''}",
               {list_file.format(folder): "cell\ndust\n"}, (name,))
    assert read(tmp_path)[0] == {"zq7.png": [BOX], "b.png": [OTHER]}
    assert list(read(tmp_path, part="val")[0]) == ["b.png"]
    assert "its parts: train, val" in refused(tmp_path, part="test")


def test_label_files_without_a_photo_are_named(tmp_path):
    export(tmp_path, *EXPORTS["labelImg"])
    text(tmp_path / "c.txt", LINES["b"])
    boxes, said = read(tmp_path)
    assert list(boxes) == ["zq7.png", "b.png"][::-1] or list(boxes) == ["b.png", "zq7.png"]
    assert said == f"c.txt: there is no photo c in {tmp_path}"
    (tmp_path / "zq7.png").unlink()
    assert f"of the 3 labelled photos of {tmp_path}, 2 are missing" in refused(tmp_path)


def test_class_lists_that_say_too_little_or_nothing(tmp_path):
    export(tmp_path / "twice", "images/", "labels/", {"classes.txt": "cell\nzq7\nzq7\n"})
    assert "classes.txt names the class zq7 twice; remove or rename one" in refused(tmp_path / "twice")
    export(tmp_path / "few", "images/", "labels/", {"classes.txt": "cell\n"})
    assert f"the class 1 is not among those of {tmp_path}/few/classes.txt: 0 cell" in refused(tmp_path / "few")
    export(tmp_path / "none", "images/", "labels/", {})
    assert "or classes.txt, obj.names or _darknet.labels with one class a line, and label" in refused(tmp_path / "none")
    for seed, name in enumerate(("cat/1", "dog/1")):  # a list of the classes of whole photos
        photo(tmp_path / f"folders/{name}.png", seed)
    text(tmp_path / "folders/classes.txt", "cat\ndog\n")
    assert read_few(tmp_path / "folders", SIZE).label.tolist() == ["cat", "dog"]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
@every_layout
def test_accents_as_one_code_point_or_two(tmp_path, layout, forms):
    one, two = (unicodedata.normalize(form, "zq7\xe9") for form in forms)
    LAYOUTS[layout](tmp_path, {one: [BOX]})
    path, = tmp_path.rglob(f"{one}.png")
    path.rename(path.with_name(f"{two}.png"))
    assert read(tmp_path) == ({f"{two}.png": [BOX]}, "")


@pytest.mark.parametrize("layout, end", [("yolo", "txt"), ("voc", "xml"), ("kitti", "txt")])
def test_label_files_may_have_the_whole_name_of_their_photo(tmp_path, layout, end):
    LAYOUTS[layout](tmp_path, {"zq7": [BOX], "b": [OTHER], "c": []})
    path, = tmp_path.rglob(f"zq7.{end}")
    path.rename(path.with_name(f"zq7.png.{end}"))
    assert read(tmp_path) == ({"zq7.png": [BOX], "b.png": [OTHER], "c.png": []}, "")
    path, = tmp_path.rglob(f"c.{end}")
    path.rename(path.with_name(f"c.jpg.{end}"))  # of another photo
    assert f"c.jpg.{end}: there is no photo c.jpg in " in read(tmp_path)[1]


@pytest.mark.parametrize("start", ["/content/zq7/", "C:\\zq7\\"])
def test_paths_of_another_machine_are_read_where_the_data_set_has_them(tmp_path, start):
    yolo(tmp_path / "yolo", {"zq7": [BOX], "b": [OTHER]})
    text(tmp_path / "yolo/train.txt", f"{start}images/train/zq7.png\nimages/train/b.png\n")
    text(tmp_path / "yolo/data.yaml", "train: train.txt\nnames: [cell, dust]\n")
    coco(tmp_path / "coco", {"zq7": [BOX], "b": [OTHER]})
    change(tmp_path / "coco", images=lambda entry: {
        **entry, "file_name": f"{start}photos/zq7.png" if entry["id"] == 0 else "b.png"})
    for layout in ("yolo", "coco"):
        boxes, said = read(tmp_path / layout)
        assert boxes == {"zq7.png": [BOX], "b.png": [OTHER]}
        assert f"1 photo named by a path that is not there, such as {start}" in said and "train/zq7.png" in said


def test_a_part_of_fiftyone(tmp_path):
    coco(tmp_path, {"zq7": [BOX]}, file="labels.json")
    (tmp_path / "train").rename(tmp_path / "data")
    assert read(tmp_path) == ({"zq7.png": [BOX]}, "")
    assert len(read_boxes(tmp_path, SIZE)) == 1
