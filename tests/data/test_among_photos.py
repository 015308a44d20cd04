"""What scenefit wrote among photos is left out and named; photos that are there twice are named."""

import os
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from scenefit.data import copies
from scenefit.data.image_files import find_photos
from scenefit.data.photos import Photos, read_boxes, read_few, read_labelled, read_part, read_photos
from scenefit.files.atomic import content_hash
from scenefit.tasks.training_data import read_data_set

SIZE = (6, 8)
READERS = {"photos": ("", lambda folder: read_photos(folder, SIZE)),
           "classes": ("cat/", lambda folder: read_labelled(folder, SIZE))}
either_reader = pytest.mark.parametrize("reader", READERS)
OWN = {"found": ({".found/plan.json": "{}"}, "the pictures that scenefit detect drew"),
       "copied": ({"found.json": "[]"}, "the pictures that scenefit detect drew"),
       "set": ({"provenance.json": '{"drawn_by": "1"}'}, "images that scenefit generate drew"),
       "begun": ({".scenefit-rows/plan.json": "{}"}, "images that scenefit generate drew"),
       "run": ({"settings.json": "{}", "steps.jsonl": ""}, "the results of a scenefit fit")}


def photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)).save(path)
    return path


def heard(read, *arguments):
    """What a reader gives, and its warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = read(*arguments)
    return found, [str(one.message) for one in said]


@either_reader
@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("place", ["zq7", "cat/zq7", "cat/deep/zq7"])
def test_folders_that_scenefit_wrote_hold_no_photos(tmp_path, reader, kind, place):
    prefix, read = READERS[reader]
    files, what = OWN[kind]
    photo(tmp_path / f"{prefix}a.png")
    photo(tmp_path / place / "train/b.png", 1)
    photo(tmp_path / place / "b.png.png", 2)
    for name, text in files.items():
        (tmp_path / place / name).parent.mkdir(exist_ok=True)
        (tmp_path / place / name).write_text(text)
    photos = read(tmp_path)
    assert photos.paths == (tmp_path / f"{prefix}a.png",) and set(photos.label) <= {"cat", ""}
    assert photos.skipped == ((tmp_path / place, f"holds {what}, which are no photos; give this folder itself if it is "
                                                 "meant"),)
    assert len(find_photos(tmp_path / place)[0]) == 2


def mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(path)


@pytest.mark.parametrize("photos, masks, end", [
    ("images", "masks", ".png"), ("JPEGImages", "SegmentationClass", ".png"), ("zq7/images", "zq7/Masks", "_mask.png"),
    ("train", "train_masks", ".bmp"), ("images/s", "annotations/s", ".TIF")])
def test_masks_of_photos_are_no_photos(tmp_path, photos, masks, end):
    for seed, name in enumerate("ab"):
        photo(tmp_path / photos / f"{name}.JPG", seed)
        mask(tmp_path / masks / f"{name}{end}")
    found = read_photos(tmp_path, SIZE)
    assert [path.parent for path in found.paths] == [tmp_path / photos] * 2
    (path, reason), = found.skipped
    home = tmp_path / photos.removesuffix("/s")
    assert path == tmp_path / masks.removesuffix("/s")
    assert reason == f"holds the masks of {home.name}, which are no photos; give this folder itself if it is meant"
    assert len(read_photos(path, SIZE)) == 2
    if path.name == "masks":
        with pytest.raises(ValueError, match=r"masks holds masks, but no table names their values: looked for labelm"):
            read_few(tmp_path, SIZE)
        with pytest.raises(ValueError, match=r"has class masks, and boxes are needed: looked for COCO: "):
            read_boxes(tmp_path, SIZE)
        (tmp_path / "train").mkdir()
        for name in ("images", "masks"):
            (tmp_path / name).rename(tmp_path / "train" / name)
        with pytest.raises(ValueError, match=r"train.masks holds masks, but no table names their values"):
            read_few(tmp_path, SIZE)


def test_photos_in_a_folder_called_masks_are_photos(tmp_path):
    for seed, name in enumerate(("masks/a", "no_masks/a", "gt/b")):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)).save(
            photo(tmp_path / f"{name}.png"))
    mask(tmp_path / "mask/c.png")  # no photo has its name
    assert len(read_photos(tmp_path, SIZE)) == 4
    assert sorted(set(read_few(tmp_path, SIZE).label.tolist())) == ["gt", "mask", "masks", "no_masks"]


def test_what_lies_in_a_folder_without_photos_is_told(tmp_path):
    (tmp_path / "zq7.mp4").touch()
    with pytest.raises(ValueError, match=r"no readable photo in .*; no file was skipped; it holds the file zq7\.mp4$"):
        read_photos(tmp_path, SIZE)


@pytest.mark.parametrize("name, text", [("found.json", '{"a": 1}'), ("provenance.json", '{"camera": 1}'),
                                        ("settings.json", "{}"), (".found/a.json", "{}")])
def test_files_of_others_with_such_names_change_nothing(tmp_path, name, text):
    photo(tmp_path / "a/zq7.png")
    (tmp_path / "a" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "a" / name).write_text(text)
    photos = read_photos(tmp_path, SIZE)
    assert photos.paths == (tmp_path / "a/zq7.png",) and photos.skipped == ()


def test_a_pipe_of_such_a_name_is_not_waited_for(tmp_path):
    photo(tmp_path / "a/zq7.png")
    os.mkfifo(tmp_path / "a/found.json")
    assert len(read_photos(tmp_path, SIZE)) == 1


@either_reader
@pytest.mark.parametrize("how", [os.symlink, os.link, lambda a, b: b.write_bytes(a.read_bytes())])
def test_photos_that_are_there_twice_are_named(tmp_path, reader, how):
    prefix, read = READERS[reader]
    for seed, name in enumerate("abc"):
        photo(tmp_path / f"{prefix}{name}.png", seed)
    assert heard(read, tmp_path)[1] == []
    how(tmp_path / f"{prefix}a.png", tmp_path / f"{prefix}zq7.png")
    photos, said = heard(read, tmp_path)
    assert len(photos) == 4 and said == [
        f"of 4 photos of {tmp_path}, 1 is a copy of another, byte by byte: {prefix}zq7.png is {prefix}a.png; each copy "
        "counts as a photo of its own; delete the copies unless that is meant"]
    (tmp_path / "provenance.json").write_text('{"drawn_by": "1"}')  # drawn scenes repeat at random
    assert heard(read, tmp_path)[1] == []


def test_a_photo_in_two_classes_is_named(tmp_path):
    photo(tmp_path / "cat/a.png")
    photo(tmp_path / "dog/zq7.png")
    assert "dog/zq7.png is cat/a.png" in heard(read_labelled, tmp_path, SIZE)[1][0]


def test_photos_with_equal_pixels_in_different_files_are_no_copies(tmp_path):
    for name, level in (("a", 1), ("b", 9)):
        Image.new("RGB", SIZE[::-1]).save(tmp_path / f"{name}.png", compress_level=level, optimize=False)
        with open(tmp_path / f"{name}.png", "ab") as file:
            file.write(name.encode())
    assert heard(read_photos, tmp_path, SIZE)[1] == []


def data_set(folder, val):
    for seed, name in enumerate(("train/a", "train/zq7", "val/c")):
        photo(folder / f"images/{name}.png", seed)
        (folder / f"labels/{name}.txt").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"labels/{name}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (folder / "data.yaml").write_text(f"train: images/train\nval: {val}\nnames: [cell]\n")
    return folder


@pytest.mark.parametrize("val, count", [("images/val", 0), ("images/train", 2), ("images/../images/train/", 2)])
def test_held_out_photos_that_are_training_photos_too_are_named(tmp_path, val, count):
    (train, held), said = heard(read_data_set, data_set(tmp_path, val), 9)
    assert len(train) == 2 and len(held) == (count or 1) and len(said) == bool(count)
    if count:
        assert said == [f"of 2 held-out photos of {tmp_path}, 2 are training photos too, byte by byte, such as "
                        f"{val.rstrip('/')}/a.png: scores on them say nothing about other photos; give the part val "
                        "photos of its own"]


def test_photos_of_different_sizes_are_not_read_to_find_copies(tmp_path, monkeypatch):
    paths = [photo(tmp_path / f"{name}.png", seed) for seed, name in enumerate("ab")]
    paths[1].write_bytes(paths[1].read_bytes() + b"longer")
    monkeypatch.setattr(copies, "_hash", pytest.fail)
    assert copies.find_copies(paths, np.zeros((2, *SIZE, 3), np.uint8)) == []


@pytest.mark.parametrize("read", [read_boxes, read_part])
def test_copies_in_a_data_set_of_boxes_are_named(tmp_path, read):
    folder = data_set(tmp_path, "images/val")
    (folder / "images/val/c.png").write_bytes((folder / "images/train/zq7.png").read_bytes())
    photos, said = heard(read, folder, SIZE)
    assert len(photos) == 3 and "images/val/c.png is images/train/zq7.png" in said[0] and len(said) == 1


def test_a_photo_is_known_by_its_files_bytes_whatever_its_name_and_size(tmp_path):
    photo(tmp_path / "a/one.png", 1)
    shutil.copyfile(tmp_path / "a/one.png", tmp_path / "a/two.png")
    photo(tmp_path / "a/three.png", 2)
    (photos, _), (smaller, _) = (heard(read_photos, tmp_path / "a", size) for size in (SIZE, (4, 4)))
    found = copies.photo_hashes(photos)
    assert len(found) == 3 and found[0] == found[2] != found[1], "one, three, two"
    assert found == copies.photo_hashes(smaller)
    arrays = Photos(np.stack([np.full((8, 8, 3), level, np.uint8) for level in (1, 2, 1)]))
    found = copies.photo_hashes(arrays)
    assert found[0] == found[2] != found[1] and found == [content_hash(image) for image in arrays.images]
