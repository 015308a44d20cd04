"""Detection in folders as people have them: odd names, pages, damaged files of a stopped command."""

import json
import os
import shutil
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from blobs import call, contents
from PIL import Image

import scenefit as sf
from scenefit.data.image_files import Skipped, full_photo, try_photo
from scenefit.files.json_files import CorruptFile
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.folder_detection import Output, count_detections
from scenefit.tasks.photo_folders import finished_results, predict_steps, prediction_plan
from scenefit.tasks.training.network_file import write_trained

SIZE = (32, 32)


@pytest.fixture(scope="module")
def trained():
    task = sf.Detect(("coin",), backbone=SmallMaps)
    network = task.fresh(3).eval()
    with torch.no_grad():
        network.last.bias[0] = 3  # every photo has objects
    return TrainedDetector(task, network, SIZE, 0.0)


@pytest.fixture
def detector(trained, tmp_path):
    write_trained(tmp_path / "d.safetensors", trained)
    return tmp_path / "d.safetensors"


def photo(path, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)).save(path, **options)
    return path


def odd(folder, name=b"zq7\xe9.png"):
    """A path whose name is not UTF-8."""
    return folder / os.fsdecode(name)


def detect(trained, folder, paths, out, threshold=0.0, pictures=True):
    out.mkdir(exist_ok=True)
    *_, found = predict_steps(trained, folder, paths, out, Output(trained.task.classes, threshold, pictures=pictures),
                             plan=prediction_plan(folder, paths, {}))
    return found


def names(found):
    return [photo["file_name"] for photo in found.photos]


@pytest.mark.parametrize("broken", [False, True])
def test_a_name_that_is_not_utf8_is_written_so_that_it_can_be_read_back(trained, tmp_path, broken):
    """In a folder of such a name, too; and where such a photo is skipped, of a run that is resumed."""
    home = odd(tmp_path, b"photos\xff")
    a, b = photo(home / "a.png"), shutil.copy(photo(home / "c.png", 1), odd(home))
    if broken:
        b.write_bytes(b"")
    for _ in range(2):
        found = detect(trained, home, [a, b], odd(tmp_path, b"out\xe4"))
    images = json.loads((odd(tmp_path, b"out\xe4") / "found.json").read_text())["images"]
    assert [image["file_name"] for image in images] == names(found)
    assert [os.fsencode(name) for name in names(found)] == ([b"a.png"] if broken else [b"a.png", b"zq7\xe9.png"])
    assert [path for path, _ in found.skipped] == ([b] if broken else [])
    assert odd(odd(tmp_path, b"out\xe4"), b"zq7\xe9.png.png").exists() != broken


def test_the_command_names_photos_whose_names_are_not_utf8(detector, tmp_path):
    photo(tmp_path / "photos/a.png")
    odd(tmp_path / "photos").write_bytes(b"")
    odd(tmp_path / "photos", b"zq8\xe9.heic").write_bytes(b"")
    said = call("detect", detector, tmp_path / "photos", "--out", tmp_path / "out")
    assert "zq7\\xe9.png: is empty (0 bytes)" in said and "zq8\\xe9.heic: images ending in .heic are not read" in said
    assert "objects in 1 photo (2 skipped)" in said


def test_further_pages_are_named_and_the_photo_counts(detector, tmp_path):
    photo(tmp_path / "photos/a.png")
    photo(tmp_path / "photos/zq7.tif", 1, save_all=True, append_images=[Image.new("RGB", SIZE)])
    said = call("detect", detector, tmp_path / "photos", "--out", tmp_path / "out")
    assert "zq7.tif: has 2 frames or pages, of which only the first is read" in said
    assert "objects in 2 photos (1 skipped)" in said


def test_a_name_that_is_as_long_as_names_may_be_is_shortened(trained, tmp_path):
    paths = [photo(tmp_path / f"photos/{'z' * 250}{number}.png", number) for number in range(2)]
    assert names(detect(trained, tmp_path / "photos", paths, tmp_path / "out")) == [path.name for path in paths]
    pictures = [path.name for path in (tmp_path / "out").glob("*.png")]
    assert len(pictures) == 2 and all(name.startswith("z" * 50 + "-") and len(name) == 67 for name in pictures)


def with_value(chunk, name, value):
    """The photo of a chunk, or its first detection, with another value."""
    first = chunk["photos"][0]
    first = {**first, name: value} if name in first else {**first, "detections": [{**first["detections"][0],
                                                                                   name: value}]}
    return json.dumps({**chunk, "photos": [first]})


@pytest.mark.parametrize("change", [
    lambda _: "{", lambda _: "[" * 200000, lambda _: "[]", lambda chunk: json.dumps({**chunk, "photos": 3}),
    lambda chunk: json.dumps({**chunk, "photos": [3]}), lambda chunk: json.dumps({**chunk, "skipped": [["a"]]}),
    *(partial(with_value, name=name, value=value) for name, value in (
        ("bbox", None), ("bbox", [1]), ("bbox", ["a"] * 4), ("score", float("nan")), ("score", True),
        ("category", "zq7"), ("width", "32"), ("detections", [3]))),
    lambda chunk: json.dumps({**chunk, "n_12_bit": "1"}), lambda _: json.dumps({"photos": []})])
def test_damaged_detections_are_named_and_can_be_made_again(trained, tmp_path, change):
    paths = [photo(tmp_path / "photos/zq7.png")]
    first, out = detect(trained, tmp_path / "photos", paths, tmp_path / "out"), tmp_path / "out"
    chunk = out / ".found/00000000.json"
    chunk.write_text(change(json.loads(chunk.read_text())))
    text = (r"out/\.found/00000000\.json is damaged: .*; delete it and run the same command again: 16 photos are "
            "predicted again")
    with pytest.raises(CorruptFile, match=text):
        detect(trained, tmp_path / "photos", paths, out)
    chunk.unlink()
    assert detect(trained, tmp_path / "photos", paths, out) == first


def test_a_stopped_command_goes_on_and_clears_what_a_killed_one_left(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("scenefit.tasks.photo_folders.CHUNK", 1)
    paths = [photo(tmp_path / f"photos/deep/{name}.png", seed) for seed, name in enumerate("abc")]
    whole = detect(trained, tmp_path / "photos", paths, tmp_path / "whole")
    out = tmp_path / "out"
    out.mkdir()
    steps = predict_steps(trained, tmp_path / "photos", paths, out, Output(trained.task.classes, 0.0),
                         plan=prediction_plan(tmp_path / "photos", paths, {}))
    assert next(steps).done == 1
    for place in (out, out / "deep", out / ".found"):
        (place / ".scenefit-0123456789ab.part").write_bytes(b"half")
    assert detect(trained, tmp_path / "photos", paths, out) == whole
    assert contents(out) == contents(tmp_path / "whole")


def test_another_threshold_or_pictures_later_detect_nothing_again(trained, tmp_path, monkeypatch):
    """And what was stopped while its pictures were drawn anew has none of the former threshold's left."""
    monkeypatch.setattr("scenefit.tasks.photo_folders.CHUNK", 2)
    folder, out = tmp_path / "photos", tmp_path / "out"
    paths = [photo(folder / f"{name}.png", seed) for seed, name in enumerate("abcd")]
    threshold = sorted(one["score"] for p in detect(trained, folder, paths, tmp_path / "low").photos
                       for one in p["detections"])[-3]
    assert count_detections(detect(trained, folder, paths, tmp_path / "high", threshold).photos, threshold) == 3
    low, high = contents(tmp_path / "low"), contents(tmp_path / "high")
    assert {name for name in low if low[name] != high[name]} >= {"found.json", ".found/00000000-drawn.json"}
    detect(trained, folder, paths, out, pictures=False)
    assert set(contents(out)) == {"found.json", ".found/plan.json", ".found/00000000.json", ".found/00000002.json"}
    monkeypatch.setattr(sf.Detect, "predict", None)
    detect(trained, folder, paths, out)
    assert contents(out) == low
    with monkeypatch.context() as patch:
        patch.setattr("scenefit.tasks.photo_folders.full_photo", stop_at("d.png"))
        with pytest.raises(KeyboardInterrupt):
            detect(trained, folder, paths, out, threshold)
    detect(trained, folder, paths, out)
    assert contents(out) == low
    plan, output = prediction_plan(folder, paths, {}), Output(trained.task.classes, threshold)
    for lost in ("d.png.png", "b.png.png"):
        (out / lost).unlink()
        assert finished_results(paths, out, output, plan=plan) is None
        detect(trained, folder, paths, out, threshold)
        assert contents(out) == high and finished_results(paths, out, output, plan=plan) is not None
    detect(trained, folder, paths, out, pictures=False)
    assert {name: data for name, data in contents(out).items() if data != high[name]}.keys() == {"found.json"}


def stop_at(name):
    def read(path):
        if path.name == name:
            raise KeyboardInterrupt
        return full_photo(path)

    return read


def test_pictures_that_detect_drew_are_no_photos_of_the_next_command(detector, tmp_path):
    """Neither of another detection, nor of a fit's photos."""
    photos = tmp_path / "photos"
    for seed, name in enumerate("abcd"):
        photo(photos / f"{name}.png", seed)
    call("detect", detector, photos, "--out", photos / "zq7")
    assert "skipped" not in call("detect", detector, photos, "--out", photos / "zq7")
    said = call("detect", detector, photos, "--out", photos / "other")
    assert "zq7: holds the pictures that scenefit detect drew, which are no photos" in said and "in 4 photos" in said
    assert len(sf.read_photos(photos, SIZE)) == 4


def test_the_limit_of_megapixels_is_an_option_of_every_command(detector, tmp_path, monkeypatch):
    monkeypatch.setenv("SCENEFIT_MAX_MEGAPIXELS", "")
    photo(tmp_path / "photos/a.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "photos/zq7.png")
    command = ["detect", detector, tmp_path / "photos", "--out"]
    said = call("--max-megapixels", 0.004, *command, tmp_path / "out")
    assert "zq7.png: has 64 x 64 pixels, 0.0 megapixels, and the limit is 0.004" in said and "in 1 photo" in said
    assert "in 2 photos" in call("--max-megapixels", 0.0041, *command, tmp_path / "other")
    for value in ("0", "-1", "nan"):
        assert "--max-megapixels needs a number above 0" in call("--max-megapixels", value, *command, "x", code=2)


def test_finished_detections_are_read_and_nothing_is_written(detector, tmp_path, monkeypatch):
    """So that their folder may be read-only. What was lost or changed is written again."""
    photo(tmp_path / "photos/zq7.png")
    command = ("detect", detector, tmp_path / "photos", "--out", tmp_path / "out")
    said, found = call(*command), tmp_path / "out/found.json"
    whole = found.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("scenefit.files.lock.lock", None)
        assert call(*command).splitlines()[-1] == said.splitlines()[-1]
    for damage in (b"", b"[]", None):
        found.unlink() if damage is None else found.write_bytes(damage)
        call(*command)
        assert found.read_bytes() == whole


def test_a_photo_that_cannot_be_read_says_why_without_a_number(monkeypatch, tmp_path):
    monkeypatch.setattr("scenefit.data.image_files.fit_photo", Mock(side_effect=PermissionError(13, "No right", "zq7")))
    assert try_photo(tmp_path / "zq7.png", SIZE) == Skipped(tmp_path / "zq7.png", "No right")
