"""Masks of photos in folders: their size, names and areas, and what a stopped command goes on with."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from blobs import contents
from PIL import Image

import scenefit as sf
from scenefit.data.class_mask_files import label_map, voc_colours
from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.data.image_files import fit_photo
from scenefit.files.json_files import CorruptFile
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.folder_outputs import Wanted, folder_output
from scenefit.tasks.folder_segmentation import full_mask, mask_names
from scenefit.tasks.photo_folders import finished_results, predict_steps, prediction_plan
from scenefit.tasks.segmenter_file import TrainedSegmenter

SIZE, CLASSES = (24, 32), ("car", "road")


@pytest.fixture
def trained(monkeypatch):
    """Calls bright red pixels car, and bright green ones road."""
    monkeypatch.setattr(sf.Segment, "segment", lambda task, network, images: ClassMasks(CLASSES, np.where(
        images[..., 0] > 128, 1, np.where(images[..., 1] > 128, 2, 0)).astype(np.uint8)))
    task = sf.Segment(CLASSES, backbone=SmallMaps)
    return TrainedSegmenter(task, None, SIZE, (0.5, 0.5))


def photo(path, size=(72, 116), **options):
    """A red box and a green stripe, whose edges lie on the pixels of the network's image, and 10 columns at each side
    that the crop cuts off."""
    image = np.full((*size, 3), 60, np.uint8)
    image[9:39, 10 + 12:10 + 48] = (230, 20, 20)
    image[60:, :] = (20, 230, 20)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)
    return path


def segment(trained, folder, paths, out, pictures=True):
    out.mkdir(exist_ok=True)
    output = folder_output(trained, Wanted(folder, [path.relative_to(folder).as_posix() for path in paths], "",
                                           pictures))
    plan = prediction_plan(folder, paths, {})
    *_, found = predict_steps(trained, folder, paths, out, output, plan=plan)
    assert finished_results(paths, out, output, plan=plan) == found
    return found, output, plan


def test_masks_have_the_size_of_their_photos_and_255_where_the_crop_was(trained, tmp_path):
    paths = [photo(tmp_path / "photos/deep/a.png"), photo(tmp_path / "photos/b.jpg", quality=95)]
    found, *_ = segment(trained, tmp_path / "photos", paths, tmp_path / "out")
    with Image.open(tmp_path / "out/masks/deep/a.png") as image:
        mask = np.asarray(image)
        assert image.mode == "P" and image.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
    expected = np.zeros((72, 116), np.uint8)
    expected[9:39, 22:58], expected[60:], expected[:, :10], expected[:, -10:] = 1, 2, IGNORED, IGNORED
    assert (mask == expected).all()
    assert (tmp_path / "out/masks/b.png").exists() and (tmp_path / "out/b.jpg.png").exists()
    rows = list(csv.reader((tmp_path / "out/areas.csv").read_text().splitlines()))
    assert rows[:3] == [["photo", "class", "pixels", "share"],
                        ["deep/a.png", "car", "1080", f"{1080 / (72 * 96):.6f}"],
                        ["deep/a.png", "road", str(12 * 96), f"{12 / 72:.6f}"]]
    assert (tmp_path / "out/labelmap.txt").read_bytes() == label_map(CLASSES)
    assert "road:0,128,0::\n" in label_map(CLASSES).decode() and "void:224,224,192::\n" in label_map(CLASSES).decode()
    assert found.photos[0]["seen"] == 72 * 96 and tuple(voc_colours()[IGNORED]) == (224, 224, 192)


def test_a_mask_of_any_size_lies_where_the_photo_was(tmp_path):
    """A photo that is smaller, larger, wider or higher than the network's images."""
    small = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE) % 200
    for height, width in ((24, 32), (48, 64), (12, 16), (24, 40), (40, 32), (31, 47), (100, 50)):
        Image.new("RGB", (width, height)).save(tmp_path / "a.png")
        fitted = fit_photo(tmp_path / "a.png", SIZE)
        mask = full_mask(small, fitted)
        assert mask.shape == (height, width)
        for x, y in np.random.default_rng(0).integers(0, (width, height), (40, 2)):
            u, v = np.floor((np.array([x, y]) + 0.5) * fitted.scale + fitted.shift + 1e-6).astype(int)
            inside = 0 <= u < SIZE[1] and 0 <= v < SIZE[0]
            assert mask[y, x] == (small[v, u] if inside else IGNORED)


def test_photos_that_differ_in_their_ending_have_masks_of_their_own():
    assert mask_names(["a.jpg", "b/a.png", "a.png", "c.d.tif"]) == {
        "a.jpg": "a.jpg.png", "b/a.png": "b/a.png", "a.png": "a.png.png", "c.d.tif": "c.d.png"}
    assert mask_names(["d.png", "d.jpg", "d.jpg.png", "e.jpg"]) == {
        "d.png": "d.png.png", "d.jpg": "d.jpg.png", "d.jpg.png": "d.jpg.png.png", "e.jpg": "e.jpg.png"}


def test_classes_that_a_labelmap_cannot_name_are_refused_before_the_work(trained, tmp_path):
    for name in ("traffic:light", "background", "#x"):
        other = replace(trained, task=sf.Segment(("car", name)))
        with pytest.raises(ValueError, match=f"the class '{name}' cannot be named in labelmap.txt; .*to rename"):
            folder_output(other, Wanted(tmp_path, [], ""))


def test_what_was_lost_is_made_again_and_pictures_may_come_later(trained, tmp_path, monkeypatch):
    folder, out = tmp_path / "photos", tmp_path / "out"
    paths = [photo(folder / f"{name}.png") for name in "abc"]
    monkeypatch.setattr("scenefit.tasks.photo_folders.CHUNK", 2)
    segment(trained, folder, paths, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    segment(trained, folder, paths, out, pictures=False)
    assert {name for name in whole if name not in contents(out)} == {
        "a.png.png", "b.png.png", "c.png.png", ".found/00000000-drawn.json", ".found/00000002-drawn.json"}
    _, output, plan = segment(trained, folder, paths, out)
    for lost in ("masks/b.png", "areas.csv", "labelmap.txt", "c.png.png", ".found/00000000.json"):
        (out / lost).unlink()
        assert finished_results(paths, out, output, plan=plan) is None
        segment(trained, folder, paths, out)
        assert contents(out) == whole
    (out / ".found/00000000.json").write_text('{"photos": [{"file_name": "a.png", "width": 1, "height": 1}]}')
    with pytest.raises(CorruptFile, match="does not hold the masks of 2 photos; delete it and run"):
        segment(trained, folder, paths, out)


def test_options_of_detectors_are_refused(trained, tmp_path):
    for wanted in (Wanted(tmp_path, [], "", threshold=0.5), Wanted(tmp_path, [], "", like=tmp_path)):
        with pytest.raises(ValueError, match="only for detectors, and this is a segmentation network, whose masks"):
            folder_output(replace(trained), wanted)
