"""Folders of classes as people have them: with parts, links, thumbnails, and names that are not UTF-8."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenefit as sf
from scenefit.data.formats.reading import NoPart
from scenefit.data.photos import as_labelled, read_few, read_labelled

SIZE = (6, 8)


def photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), np.uint8)).save(path)


def photos(folder, *names):
    for seed, name in enumerate(names):
        photo(folder / name, seed)


def labels(folder, part=None, **options):
    """The class of each photo, by its path below folder."""
    found = read_few(folder, SIZE, part, **options)
    again = read_labelled(folder, SIZE, part)
    assert found.label.tolist() == again.label.tolist() and found.skipped == again.skipped and found.boxes is None
    return dict(zip((path.relative_to(folder).as_posix() for path in found.paths), found.label.tolist(), strict=True))


def doubted(folder):
    """Why `read_few` does not take the folders as classes, which it does when it is told."""
    with pytest.raises(ValueError) as error:
        read_few(folder, SIZE)
    said = str(error.value)
    assert f"{folder} may have one subfolder for each class, but " in said
    assert 'If it has, choose with layout="folder" in Python, --layout folder on the command line. Looked for' in said
    return said


@pytest.mark.parametrize("parts", [("train", "val"), ("train", "valid", "test"), ("Training", "Testing"), ("train",)])
def test_folders_named_as_parts_hold_the_classes(tmp_path, parts):
    photos(tmp_path, *(f"{part}/{name}/zq7.png" for part in parts for name in ("cat", "dog")))
    assert labels(tmp_path) == {f"{part}/{name}/zq7.png": name for part in parts for name in ("cat", "dog")}
    assert list(labels(tmp_path, parts[-1])) == [f"{parts[-1]}/cat/zq7.png", f"{parts[-1]}/dog/zq7.png"]
    assert list(labels(tmp_path, "train")) == [f"{parts[0]}/cat/zq7.png", f"{parts[0]}/dog/zq7.png"]
    with pytest.raises(NoPart, match=f"has no part 'few'; its parts: {', '.join(sorted(parts))}"):
        read_few(tmp_path, SIZE, "few")


def test_a_part_may_lack_classes_and_a_class_may_be_called_as_a_part(tmp_path):
    photos(tmp_path, "a/train/cat/1.png", "a/train/dog/1.png", "a/val/dog/2.png", "b/train/1.png", "b/car/1.png")
    assert sorted(labels(tmp_path / "a").values()) == ["cat", "dog", "dog"]
    assert labels(tmp_path / "b") == {"train/1.png": "train", "car/1.png": "car"}


def test_what_scenefit_wrote_is_read_with_its_parts(tmp_path):
    grammar = sf.Grammar("image", {"image": {"shade": sf.Choice(("-dark", "light"))}}, [])

    def renderer(scenes):
        images = np.zeros((len(scenes), *SIZE, 3), np.uint8)
        return sf.make_frames(scenes, images, label=scenes.tables["image"]["shade"].tolist())

    sf.generate(grammar, renderer, 12, tmp_path, "folder", validation=0.4)
    assert set(labels(tmp_path).values()) == {"-dark", "light"} and len(labels(tmp_path)) == 12
    assert 0 < len(labels(tmp_path, "val")) < 12
    shutil.rmtree(tmp_path / "val")
    (tmp_path / "val").mkdir()
    (tmp_path / "train/-dark").rename(tmp_path / "val/-dark")  # small parts may lack classes
    assert {path.split("/")[0]: name for path, name in labels(tmp_path).items()} == {"train": "light", "val": "-dark"}


@pytest.mark.parametrize(("names", "doubt"), [
    (["train/cat/1.png", "val/zq7/1.png"], "train, val have the names of parts, but none holds all classes: train "
                                           "holds cat; val holds zq7"),
    (["train/cat/1.png", "train/zq7.png"], "train have the names of parts, but photos outside any class lie in train"),
    (["train/1.png", "test/2.png"], "parts, but photos outside any class lie in test, train"),
    (["training/image_2/zq7.png"], "parts, and image_2 is no name of a class, but of the photos of a data set of"),
    (["train/labels/zq7.png", "train/a/1.png"], "and labels is no name of a class, but of the labels of a data set"),
    (["images/zq7.png"], "images is no name of a class, but of the photos of a data set of boxes"),
    (["a/1.png", "Annotations/zq7.png"], "Annotations is no name of a class, but of the labels of a data set of boxes"),
    (["zq7/cat/1.png", "zq7/dog/1.png"], "it holds a single folder, zq7, with 2 subfolders; if these are the classes"),
    (["training_set/cat/1.png", "test_set/cat/1.png"], "test_set, training_set look like parts of a data set, not like "
                                                       "classes; give one of them, or rename them to train, val"),
    (["Training/zq7/1.png", "Validate/zq7/1.png"], "Training, Validate look like parts of a data set, not like"),
    (["seg_train/a/1.png", "seg_val/a/1.png", "zq7/1.png"], "seg_train, seg_val look like parts of a data set, not"),
    (["image_02/0/zq7.png", "label_02/zq7.png"], "label_02 is no name of a class, but of the labels of a data set of"),
    (["img/1.png", "ann/zq7.png"], "ann is no name of a class, but of the labels of a data set of boxes; it holds")])
def test_folders_that_may_be_something_else_are_doubted(tmp_path, names, doubt):
    photos(tmp_path, *names)
    assert doubt in doubted(tmp_path)


def test_classes_called_like_parts_are_classes_where_photos_lie_in_them(tmp_path):
    photos(tmp_path, "bullet_train/1.png", "test_tube/1.png")
    assert sorted(labels(tmp_path).values()) == ["bullet_train", "test_tube"]


def test_what_lies_in_a_doubted_folder_is_told(tmp_path):
    photos(tmp_path, "images/1.png")
    for name in ("zq7.csv", "labels/zq7.json.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    said = doubted(tmp_path)
    assert f"; it holds the folders images, labels and the file zq7.csv; unpack {tmp_path}/labels/zq7.json.gz. " in said


def test_folders_without_photos_are_no_classes(tmp_path):
    for name in ("zq7", "src"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("")
    assert "no photo lies in src, zq7" in doubted(tmp_path)


@pytest.mark.parametrize("above", ["", "train/"])
def test_thumbnails_and_hidden_folders_are_no_classes(tmp_path, above):
    photos(tmp_path, *(f"{above}{name}" for name in (
        "cat/1.png", "cat/@eaDir/1.png/SYNOPHOTO_THUMB_S.jpg", "@eaDir/2.png", "__MACOSX/cat/._1.png",
        ".thumbnails/1.png", "dog/1.png")), "@eaDir/3.png")
    assert list(labels(tmp_path).values()) == ["cat", "dog"]


def test_a_class_of_images_that_are_not_read_is_named_with_them(tmp_path):
    photos(tmp_path, "cat/1.png", "dog/1.png")
    for name in ("cat/2.heic", "zq7/1.heic", "zq7/2.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    with pytest.raises(ValueError, match=r"has classes without a readable photo: zq7; add photos or remove those "
                                         r"subfolders \(2 skipped: .*/zq7/1.heic \(images ending in .heic are not"):
        read_few(tmp_path, SIZE)


def test_one_folder_under_two_names(tmp_path):
    photos(tmp_path, "train/cat/1.png", "train/zq7/1.png")
    (tmp_path / "val").symlink_to(tmp_path / "train")
    assert list(labels(tmp_path)) == ["train/cat/1.png", "train/zq7/1.png"]
    assert read_few(tmp_path, SIZE).skipped == ((tmp_path / "val", f"is the same folder as {tmp_path}/train, by a "
                                                 "link; its photos are read once"),)
    assert list(labels(tmp_path, "val").values()) == ["cat", "zq7"]
    (tmp_path / "test").mkdir()
    (tmp_path / "test/zq7").symlink_to(tmp_path / "train/zq7")
    assert len(labels(tmp_path)) == 2
    (tmp_path / "train/emu").symlink_to(tmp_path / "train/zq7")
    with pytest.raises(ValueError, match=re.escape(f"train/emu and {tmp_path}/test/zq7 are the same folder, by a link, "
                                                   "so that its photos have two classes; remove one")):
        read_few(tmp_path, SIZE)


def test_a_class_whose_name_is_not_utf_8(tmp_path):
    photos(tmp_path, "cat/1.png", os.fsdecode(b"caf\xe9/1.png"))
    found = read_few(tmp_path, SIZE)
    assert found.label.tolist() == [r"caf\xe9", "cat"] and all(name.encode() for name in found.label.tolist())
    assert found.paths[0].parent == Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))


def test_few_of_many_are_spread_over_the_classes(tmp_path):
    photos(tmp_path, *(f"{name}/{i}.png" for name in ("cat", "dog") for i in range(4)))
    assert read_few(tmp_path, SIZE, max_photos=4).label.tolist() == ["cat", "cat", "dog", "dog"]
    with pytest.raises(ValueError, match="max_photos needs a whole number >= 1, or None for all photos; got int 0"):
        read_few(tmp_path, SIZE, max_photos=0)


def test_a_fit_warns_of_labelled_photos_that_are_skipped(tmp_path):
    photos(tmp_path, "cat/a.png")
    (tmp_path / "cat/zq7.gif").touch()
    with pytest.warns(UserWarning, match=r"^1 skipped: .*zq7\.gif \(images ending in \.gif are not read"):
        assert len(as_labelled(tmp_path, SIZE)) == 1
