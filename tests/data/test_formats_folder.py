"""The image folder: what is written, that it is the same bytes every time, and what it refuses."""

import csv
import json

import numpy as np
import pytest
from checks import altered_frames, contents
from PIL import Image

import scenefit as sf
import scenefit.data.formats
from scenefit.data.formats import FORMATS, Format, LabelPolicy, as_format
from scenefit.data.formats.folder import finish, save
from scenefit.data.frames import make_frames
from scenefit.data.photos import read_labelled
from scenefit.scenes.grammar import Grammar, Rule

PARTS = ["train", "val", "train", "train"]
INFO = {"run": "runs/a", "seed": 0}


def frames(label=("cat", "dog", "dög 2", "cat"), indices=(0, 1, 7, 123456789)):
    scenes = Grammar("pet", {"pet": {}}).sample(0, np.array(indices))
    images = np.random.default_rng(0).integers(0, 256, (len(indices), 6, 8, 3), np.uint8)
    return make_frames(scenes, images, label=list(label))


def write(out, some=None, parts=PARTS):
    rows = save(some or frames(), out, parts)
    finish(out, iter(json.loads(json.dumps(rows))), ["cat", "dog", "dög 2"], INFO)
    return rows


def test_images_stand_in_part_and_class_and_read_back_exactly(tmp_path):
    write(tmp_path)
    files = ["train/cat/00000000.png", "val/dog/00000001.png", "train/dög 2/00000007.png", "train/cat/123456789.png"]
    assert sorted(contents(tmp_path)) == sorted([*files, "labels.csv", "provenance.json", "train/metadata.jsonl",
                                                "val/metadata.jsonl"])
    for file, image in zip(files, frames().images, strict=True):
        assert np.array_equal(np.asarray(Image.open(tmp_path / file)), image)
    again = read_labelled(tmp_path / "train", (6, 8))
    assert again.label.tolist() == ["cat", "cat", "dög 2"]
    assert np.array_equal(again.images, frames().images[[0, 3, 2]])


def test_labels_and_provenance(tmp_path):
    write(tmp_path)
    lines = (tmp_path / "labels.csv").read_bytes()
    assert lines.startswith(b"file,part,label,scene\ntrain/cat/00000000.png,train,cat,0\n") and b"\r" not in lines
    with open(tmp_path / "labels.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["part"], row["label"], row["scene"]) for row in table] == [
        ("train", "cat", "0"), ("val", "dog", "1"), ("train", "dög 2", "7"), ("train", "cat", "123456789")]
    assert json.loads((tmp_path / "provenance.json").read_text()) == INFO
    for part in ("train", "val"):  # a metadata.jsonl for each split, names relative to it, as Hugging Face documents
        found = [json.loads(line) for line in (tmp_path / part / "metadata.jsonl").read_text().splitlines()]
        assert found == [{"file_name": row["file"].partition("/")[2], "label": row["label"]}
                         for row in table if row["part"] == part]
        assert found and all((tmp_path / part / entry["file_name"]).is_file() for entry in found)


def test_a_part_without_images_has_no_metadata(tmp_path):
    write(tmp_path, parts=["train"] * 4)
    assert not (tmp_path / "val").exists() and (tmp_path / "train/metadata.jsonl").read_text().count("\n") == 4


def test_chunks_in_any_size_and_a_second_run_give_the_same_bytes(tmp_path):
    write(tmp_path / "one")
    rows = []
    for i in (0, 1, 2, 3):
        rows += save(frames().take([i]), tmp_path / "two", [PARTS[i]])
    (tmp_path / "two/train/.scenefit-1-ab.part").write_bytes(b"left by a killed process")
    save(frames().take([2]), tmp_path / "two", ["train"])
    for _ in range(2):
        finish(tmp_path / "two", iter(rows), ["cat", "dog", "dög 2"], INFO)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_images_carry_no_metadata(tmp_path):
    write(tmp_path)
    data = (tmp_path / "train/cat/00000000.png").read_bytes()
    assert Image.open(tmp_path / "train/cat/00000000.png").info == {}
    assert [name for name in (b"tEXt", b"tIME", b"pHYs", b"eXIf") if name in data] == []


@pytest.mark.parametrize("label, reason", [
    ("", "scene 7 has no whole-image label, which the format folder needs; let the .* use the format coco"),
    ("a/b", "scene 7 has the label 'a/b', which cannot name a folder"), ("..", "cannot name a folder"),
    (".hidden", "cannot name a folder"), ("a\\b", "cannot name a folder"), ("a\nb", "cannot name a folder"),
    (" a", "cannot name a folder"), ("a:b", "cannot name a folder"),
    ("@eaDir", "scene 7 has the label '@eaDir', which cannot name .* names of system folders such as @eaDir")])
def test_a_label_that_cannot_name_a_folder_is_refused_before_anything_is_written(tmp_path, label, reason):
    with pytest.raises(ValueError, match=reason):
        save(altered_frames(frames(), label=np.array(["cat", "dog", label, "cat"])), tmp_path, PARTS)
    assert contents(tmp_path) == {}


def test_parts_are_train_or_val_one_a_frame(tmp_path):
    with pytest.raises(ValueError, match="part needs 'train' or 'val' for each frame, got 'test'"):
        save(frames(), tmp_path, ["train", "val", "test", "val"])
    with pytest.raises(ValueError, match="part needs one entry for each frame, 4, got 1"):
        save(frames(), tmp_path, ["train"])


def test_an_unknown_class_writes_no_labels(tmp_path):
    rows = save(frames(), tmp_path, PARTS)
    with pytest.raises(ValueError, match=r"scene 1 has the class 'dog', which is not among the data set's classes"):
        finish(tmp_path, iter(rows), ["cat"], INFO)
    assert not (tmp_path / "labels.csv").exists() and not (tmp_path / "provenance.json").exists()


def test_formats_are_values_and_names():
    assert list(FORMATS) == ["folder", "coco", "yolo", "voc", "kitti", "coco-seg", "yolo-seg", "masks", "cityscapes"]
    assert as_format("folder") is FORMATS["folder"]
    mine = Format("mine", save, finish)
    assert as_format(mine) is mine
    with pytest.raises(ValueError, match=r"no format 'dota'; there are folder, coco, yolo, voc, kitti, coco-seg, "
                                         r"yolo-seg, masks, cityscapes, or pass a scenefit.data.formats.Format"):
        as_format("dota")
    assert all(hasattr(scenefit.data.formats, name) for name in scenefit.data.formats.__all__)


def test_a_format_by_name_takes_what_becomes_a_label():
    keep = LabelPolicy(min_side=3)
    for name in ("coco", "yolo", "voc", "kitti"):
        assert as_format(name, keep).settings["label_policy"] == {"min_pixels": 4, "min_visibility": 0.05,
                                                                  "min_side": 3,
                                                                  "max_truncation": 1.0, "min_contrast": 0.0,
                                                                  "box": "visible", "margin": 0.0}
        assert as_format(name, keep).save.keywords["label_policy"] == keep
    with pytest.raises(ValueError, match="the format folder has labels of whole images, and a label policy selects"):
        as_format("folder", keep)
    with pytest.raises(ValueError, match="label_policy needs a format given by its name; this coco has its own"):
        as_format(FORMATS["coco"], keep)


@pytest.mark.parametrize("form", ["folder", "coco", "yolo", "voc"])
def test_images_as_jpeg_in_every_format_that_has_them(tmp_path, form):
    grammar = Grammar("image", {"image": {}, "dot": {}}, [Rule("image", ["dot"])])

    def renderer(scenes):
        images = np.random.default_rng(0).integers(60, 200, (len(scenes), 1, 1, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        return make_frames(scenes, images, np.ones((len(scenes), 8, 8), int), label=["a"] * len(scenes))

    for ending in ("png", "jpg"):
        sf.generate(grammar, renderer, 4, tmp_path / ending, form, image_format=ending)
    images = [path.suffix for path in (tmp_path / "jpg").rglob("*") if path.is_file()]
    assert images.count(".jpg") == 4 and ".png" not in images
    exact, near = (sf.read_few(tmp_path / ending, (8, 8)) for ending in ("png", "jpg"))
    assert [path.stem for path in exact.paths] == [path.stem for path in near.paths] and near.skipped == exact.skipped
    assert np.abs(exact.images.astype(int) - near.images).max() <= 3 and not np.array_equal(exact.images, near.images)
    settings = [json.loads((tmp_path / ending / "provenance.json").read_text()) for ending in ("png", "jpg")]
    assert [entry.get("ending") for entry in settings] == [None if form != "voc" else "png", "jpg"]
    with pytest.raises(ValueError, match=r"holds another data set \(it differs in: .*ending"):
        sf.generate(grammar, renderer, 4, tmp_path / "png", form, image_format="jpg")
    with pytest.raises(ValueError, match="images are written as 'png' or 'jpg', got 'zq7'"):
        as_format(form, image_format="zq7")
    with pytest.raises(ValueError, match=r"image_format needs a format given by its name; this .* has its own"):
        as_format(FORMATS[form], image_format="jpg")


@pytest.mark.parametrize("name", ["KITTI", "Cityscapes"])
def test_images_that_are_png(name):
    with pytest.raises(ValueError, match=rf"of {name} are PNG, .*, got image_format='jpg'; leave it out, or choose"):
        as_format(name.lower(), image_format="jpg")
