"""YOLO held against a reader written from the format's description, and data.yaml as others write it."""

from collections import defaultdict

import numpy as np
import pytest
import yaml
from checks import contents
from painted import CLASSES, PARTS, SCENES, H, W, frames, half_seen, write
from PIL import Image

from scenefit.data.formats import FORMATS, LabelPolicy, label_boxes, yolo_format
from scenefit.data.formats.data_yaml import read_yaml
from scenefit.data.formats.yolo import label_file
from scenefit.data.photos import read_boxes


def described(out, part):
    """Image -> class number and box, by the description: class x_center y_center width height, normalised."""
    found = defaultdict(list)
    for image in sorted((out / "images" / part).iterdir()):
        width, height = Image.open(image).size
        for line in (out / "labels" / part / f"{image.stem}.txt").read_text().splitlines():
            number, *shares = line.split()
            x, y, w, h = (float(share) for share in shares)
            found[int(image.stem)].append((int(number), (x - w / 2) * width, (y - h / 2) * height,
                                           (x + w / 2) * width, (y + h / 2) * height))
    return found


@pytest.mark.parametrize("box", ["visible", "amodal"])
def test_an_independent_reader_finds_every_box(tmp_path, box):
    out = write(yolo_format(LabelPolicy(box=box)), tmp_path, half_seen())
    wanted = label_boxes(half_seen(), LabelPolicy(box=box))
    found = {**described(out, "train"), **described(out, "val")}
    for row, scene in enumerate(SCENES):
        mine = wanted.take([row])
        assert [CLASSES[number] for number, *_ in found[scene]] == mine.name.tolist()
        assert np.allclose([box for _, *box in found[scene]], mine.box, atol=1e-5)
        assert scene in described(out, PARTS[row])


def test_files(tmp_path):
    odd, none = np.full(6, "a: 'b' #\"ü\""), np.full(9, "")
    out = write(FORMATS["yolo"], tmp_path, frames(classes={"star": odd, "coin": none}), classes=[str(odd[0]), "never"])
    assert sorted(contents(out)) == sorted([
        "images/train/00000003.png", "images/train/00000900.png", "images/val/00000004.png", "data.yaml",
        "labels/train/00000003.txt", "labels/train/00000900.txt", "labels/val/00000004.txt", "objects.csv",
        "provenance.json"])
    assert (out / "data.yaml").read_text() == (
        'train: images/train\nval: images/val\nnames:\n  0: "a: \'b\' #\\"ü\\""\n  1: "never"\n')
    names = {0: "a: 'b' #\"ü\"", 1: "never"}
    assert read_yaml(out / "data.yaml")["names"] == names
    assert yaml.safe_load((out / "data.yaml").read_text("utf-8")) == {"train": "images/train", "val": "images/val",
                                                                      "names": names}
    assert (out / "labels/train/00000003.txt").read_text() == "0 0.2333333 0.2750000 0.2666667 0.3500000\n"
    write(FORMATS["yolo"], tmp_path / "none", frames(classes={"star": none[:6], "coin": none}), classes=[])
    assert (tmp_path / "none/labels/train/00000003.txt").read_bytes() == b""
    assert (tmp_path / "none/data.yaml").read_text() == "train: images/train\nval: images/val\nnames: {}\n"


def test_where_labels_stand():
    assert label_file("images/train/1.png") == "labels/train/1.txt"
    assert label_file("/a/images/b/images/x.y.jpg") == "/a/images/b/labels/x.y.txt"
    assert label_file("/a/photos/1.jpg") == "/a/photos/1.txt"


@pytest.mark.parametrize("text", [
    "names: [cat, 'big dog', \"o'x\"]", "names: ['cat', 'big dog',\n   \"o'x\"]  # three",
    "names:\n- cat\n- big dog\n- o'x",
    "nc: 3\nnames:\n  0: cat # a cat\n  1: 'big dog'\n  2: 'o''x'\n", "names: {0: cat, 1: big dog, 2: \"o'x\"}",
    "# head\n---\nnames:\n    - cat\n    - \"big dog\"\n    - o'x\ndownload: |\n  import os\n  x: [1\n"])
def test_names_as_others_write_them(tmp_path, text):
    (tmp_path / "data.yaml").write_text("train: images\n" + text)
    found = read_yaml(tmp_path / "data.yaml")
    assert found["names"] == {0: "cat", 1: "big dog", 2: "o'x"} and found["train"] == "images"


@pytest.mark.parametrize("text, reason", [
    ("names: cat", "data.yaml: names needs a list of classes, got 'cat'"),
    ("names:\n  0: a\n  1: a", "data.yaml: names has 1: a twice"),
    ("names:\n  x: a", "names needs lines such as '0: cat'"),
    ("names: [a]\nnonsense", "data.yaml, line 2: it needs key: value, got 'nonsense'")])
def test_names_that_cannot_be_understood(tmp_path, text, reason):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_yaml(tmp_path / "data.yaml")


def photo(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frames().images[0] if image is None else image).save(path)


def test_other_ways_to_name_the_photos(tmp_path):
    for name in ("train/images/a.png", "valid/images/b.png", "valid/images/c.png"):
        photo(tmp_path / name)
        text = tmp_path / name.replace("images", "labels").replace("png", "txt")
        text.parent.mkdir(exist_ok=True)
        text.write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "few.txt").write_text("valid/images/c.png\n./train/images/a.png\nvalid/images/z.png\n")
    (tmp_path / "any.yaml").write_text("train: ../train/images\nval: [valid/images, train/images]\ntest: few.txt\n"
                                       "names: [cat]\n")
    found = {part: read_boxes(tmp_path, (H, W), part) for part in ("train", "val", "test")}
    assert {part: [path.name for path in photos.paths] for part, photos in found.items()} == {
        "train": ["a.png"], "val": ["b.png", "c.png", "a.png"], "test": ["c.png", "a.png"]}
    assert [reason for _, reason in found["val"].skipped] == [
        "its parts train and val are the same photos, train/images; name others if one is to train and one to evaluate "
        "on"]
    (place, reason), = found["test"].skipped
    assert place.name == "few.txt" and reason.startswith("line 3: there is no photo ")


@pytest.mark.parametrize("line, reason", [
    ("0 0.5 0.5 0.1", r"a.txt, line 2: an object of YOLO has 5 columns .* got 4"),
    ("1 0.5 0.5 0.1 0.1", r"a.txt, line 2: the class 1 is not among those of .*data.yaml: 0 cat"),
    ("-1 0.5 0.5 0.1 0.1", "line 2: the class -1 is not among"),
    ("0 0.5 half 0.1 0.1", "line 2: centre y needs a number, got 'half'")])
def test_lines_that_cannot_be_understood(tmp_path, line, reason):
    photo(tmp_path / "images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat]")
    with pytest.raises(ValueError, match=reason):
        read_boxes(tmp_path, (H, W))


def test_folders_and_parts_that_are_missing(tmp_path):
    photo(tmp_path / "images/a.png")
    (tmp_path / "data.yaml").write_text("train: images\nval: nowhere\nnames: [cat]")
    with pytest.raises(ValueError, match=r"but their labels' folder .*labels is missing"):
        read_boxes(tmp_path, (H, W), "train")
    with pytest.raises(ValueError, match=r"names the photos in nowhere, but .*nowhere is neither a folder nor a list"):
        read_boxes(tmp_path, (H, W), "val")
    with pytest.raises(ValueError, match=r"data.yaml has no part 'few'; its parts: train, val"):
        read_boxes(tmp_path, (H, W), "few")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/stray.txt").write_text("")
    found = read_boxes(tmp_path, (H, W), "train")
    assert len(found) == 1 and len(found.boxes) == 0
    assert found.skipped == (
        (tmp_path / "labels/stray.txt", f"there is no photo stray in {tmp_path / 'images'}"),
        (tmp_path, f"1 photo has no label file, which means no objects; the first: "
                   f"{tmp_path}/images/a.png (there is no {tmp_path}/labels/a.txt)"))
