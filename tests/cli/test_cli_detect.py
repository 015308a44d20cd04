"""Boxes through the command line: fit, evaluate, report, train, detect. Scenes of 32 pixels, few training steps."""

import json
import os
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import labelled_sets
import numpy as np
import pytest
import torch
from blobs import LARGE, call, contents, fit_command, pixels
from checks import same_weights
from PIL import Image

from scenefit.cli import options
from scenefit.cli.evaluate import _no_gain
from scenefit.cli.train import new_task
from scenefit.data.boxes import make_boxes, no_boxes
from scenefit.data.copies import photo_hashes
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos, read_boxes
from scenefit.data.photos.layouts import layout_of_each
from scenefit.evaluation.evaluate import evaluate_steps
from scenefit.files.atomic import content_hash
from scenefit.files.tensors import read_tensors
from scenefit.generation.dataset import generate
from scenefit.inference.conventions.policy import NoClass, PolicyFit
from scenefit.metrics.average_precision import average_precision, match_boxes
from scenefit.metrics.detection_errors import KINDS
from scenefit.metrics.froc import froc
from scenefit.nets.augmentation import NO_CHANGE, Augment
from scenefit.nets.model import Model
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.scene_file import load_scene
from scenefit.run.config import hash_photos
from scenefit.run.folder import open_run
from scenefit.run.label_policy import run_label_policy
from scenefit.tasks import Detect
from scenefit.tasks.detector_file import read_trained
from scenefit.tasks.selection import Selection
from scenefit.tasks.training.network_file import write_trained
from scenefit.tasks.training_data import read_data_set
from scenefit.tasks.training_stages import _steps as steps
from scenefit.tasks.training_texts import much_kept


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """scene.py, real/ and few/ for a fit, and held/; the last two are data sets of boxes in Pascal VOC layout."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "scene.py").write_text(LARGE)
    scene = load_scene(folder / "scene.py")
    (folder / "real").mkdir()
    for number, image in enumerate(scene.renderer(scene.grammar.sample(5, 24)).images):
        Image.fromarray(image).save(folder / "real" / f"{number:02}.png")
    for name, seed in (("few", 1), ("held", 2)):
        generate(Model(SceneDistribution(scene.grammar), seed), scene.renderer, 12, folder / name, "voc",
                 validation=0.3)
    return folder


@pytest.fixture(autouse=True)
def quick(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setattr("scenefit.tasks.from_labels.Detect", lambda classes, device: Detect(
        classes, steps=40, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE, backbone=SmallMaps,
        device=device))
    monkeypatch.setattr("scenefit.cli.train.new_task", partial(new_task, augmented_copies=1, batch=8))
    monkeypatch.setattr("scenefit.inference.conventions.policy.RENDERS", 24)
    monkeypatch.setattr("scenefit.inference.conventions.describe.STEPS", 2)


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenefit.tasks.from_labels.Detect", lambda classes, device: Detect(
            classes, steps=2, batch=8, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps, device=device))
        patch.setattr("scenefit.inference.conventions.policy.RENDERS", 24)
        patch.setattr("scenefit.inference.conventions.describe.STEPS", 2)
        folder = tmp_path_factory.mktemp("run") / "run"
        said = call(*fit_command(world, folder, "--labelled", world / "few", "--box", "amodal"))
        assert "Labels of the photos:" in said and (folder / "label_policy.json").exists()
    return folder


@pytest.fixture(scope="module")
def detector(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "d.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenefit.cli.train.new_task", lambda *given, augment, **more: new_task(
            *given, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE, **more))
        said = call("train", run, "--out", path, "-n", 96, "--backbone", "small", "--steps", 80)
    assert "detects blob" in said and "On 16 held-out renders: " in said
    return path


def test_a_fit_with_boxes_knows_them(world, run):
    record = json.loads((run / "settings.json").read_text())
    assert record["labelled"]["count"] == 12 and record["label_policy"]["box"] == "amodal"
    steps = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
    assert [0 <= step["metric"] <= 1 for step in steps if step["stage"] == "task-reward"] == [True, True]
    said = call(*fit_command(world, run, "--labelled", world / "few"), code=1)
    assert "label policy: {" in said and "'box': 'amodal'" in said and "-> the default" in said


def test_other_boxes_are_other_photos(world):
    """What a run is known by: images, and every box and name."""
    few = read_boxes(world / "few", (32, 32))
    assert hash_photos(few) == hash_photos(read_boxes(world / "few", (32, 32)))
    moved, named = few.boxes.box.copy(), few.boxes.name.copy()
    moved[3, 2] += 0.5
    named[2] = "blot"
    changed = (replace(few.boxes, box=moved), replace(few.boxes, name=named), None)
    assert len({hash_photos(replace(few, boxes=boxes)) for boxes in (few.boxes, *changed)}) == 4


def stopped(*_, **__):
    raise KeyboardInterrupt


def test_a_list_in_a_data_set_as_photos(world, monkeypatch):
    monkeypatch.setattr("scenefit.run.folder.fit_run", stopped)
    listed = world / "few" / "ImageSets" / "Main" / "train.txt"
    call(*fit_command(world, "run")[:2], "--real", listed, "--out", "run", *fit_command(world, "run")[6:],
         code=130)
    record = json.loads(Path("run/settings.json").read_text())
    assert record["real"]["path"] == str(listed) and record["real"]["count"] == len(listed.read_text().split())


def test_evaluate_gives_ap50_and_the_report_its_picture(world, run):
    said = call("evaluate", run, "--real", world / "real", "--labelled", world / "few", "--renders", 32, "--images", 32,
                "--repeats", 2)
    for text in ("mAP50 on 12 labelled photos: mean (lowest to highest) of 2 trainings on 32 images each",
                 "All metrics", "AP50 blob", "at 0.5 or below, a classifier cannot tell renders from photos"):
        assert text in said
    found = json.loads((run / "evaluation.json").read_text())
    assert found["metric"] == "mAP50" and set(found["metrics"]) == {"grammar", "shrunk", "learned"}
    assert all(set(values) == {"mAP50", "AP50 blob"} and len(values["mAP50"]) == 2
               and values["mAP50"] == values["AP50 blob"] for values in found["metrics"].values())
    assert max(found["metrics"]["grammar"]["mAP50"]) > 0.2, "a little is learned in 40 steps"
    before = (run / "report.png").stat().st_size
    call("report", run)
    page = (run / "report.html").read_text()
    assert "3 detectors, one training each, so there are no intervals; 12 labelled photos" in page
    assert 'id="chart-errors-curve"' in page and (
        "Label policy of the renders (that of the fit): " in page), "the fit read nothing from 12 labels"
    assert page.count('alt="render, labels by this policy"') == page.count('alt="labelled photo"') == 2
    assert "Detections in 12 labelled photos" in page and "trained on learned: " in page and "AP50" in page
    assert (run / "report.png").stat().st_size > before and pixels(run / "report.png").shape[1] == 1400


def test_an_evaluation_that_was_stopped_goes_on(world, run, monkeypatch):
    command = ["evaluate", run, "--labelled", world / "few", "--renders", 32, "--images", 32, "--repeats", 1]
    monkeypatch.setattr("scenefit.tasks.from_labels.Detect", partial(Detect, steps=2, batch=8, augmented_copies=1,
                                                                     augment=NO_CHANGE, backbone=SmallMaps))
    said = call(*command)
    assert "12 labelled photos, 32 renders each, features: run" in said, "photos that renders are compared with"
    assert "distances: between renders and the labelled photos, as no others were given with --real" in said
    assert "mAP50 on 12 labelled photos: one training on 32 images each" in said and "lowest to highest" not in said
    assert not re.search(r"% \(.*%", said), "no interval of one value"
    whole = [(run / name).read_bytes() for name in ("evaluation.json", "detections.safetensors")]
    begun = []

    def few_steps(*given, start=None, **more):
        begun.append(None if start is None else start.done)
        for step in evaluate_steps(*given, start=start, **more):
            yield step
            if step.done in (2, 5):
                raise KeyboardInterrupt

    monkeypatch.setattr("scenefit.run.evaluation.evaluate_steps", few_steps)
    for _ in range(2):
        assert "Stopped. Run the same command again to resume." in call(*command, code=130)
    call(*command)
    assert begun == [None, 2, 5] and not (run / "evaluation.part.safetensors").exists()
    assert [(run / name).read_bytes() for name in ("evaluation.json", "detections.safetensors")] == whole


def test_labelled_photos_that_renders_are_compared_with_are_known_as_photos_of_the_fit(world, run, monkeypatch):
    given = []
    monkeypatch.setattr("scenefit.run.evaluation.evaluate_run", lambda run, scene, renderer, real, few, *_, **__: (
        given.append((real, few)), stopped()))
    call("evaluate", run, "--labelled", world / "few", code=130)
    real, few = given[0]
    assert few.boxes is not None and hash_photos(real) == hash_photos(Photos(few.images)), "no labels, as those"


def test_evaluate_measures_a_detector_without_training(world, detector, monkeypatch):
    monkeypatch.setattr(Detect, "train", None)
    said = call("evaluate", detector, "--labelled", world / "held", "--out", "measured.json")
    trained, few = read_trained(detector), read_boxes(world / "held", (32, 32))
    found = trained.task.predict(trained.network, few.images)
    value = average_precision(found, few.boxes, ("blob",))
    true, false, missed = match_boxes(found, few.boxes).counts(trained.threshold)
    for text in (f"Detections in 12 labelled photos: AP {value['AP']:.1%} (mean over IoU 0.5 to 0.95), AP50 "
                 f"{value['mAP50']:.1%}", f"{true / (true + false):.1%}", f"{true / (true + missed):.1%}",
                 f"{true} found, {false} false, {missed} missed, at confidence {trained.threshold:.2f} or more",
                 *KINDS, "It was chosen on these photos, so this is no result to report", "Written to measured.json",
                 "Objects missed, by false detections per photo (FROC): 1: "):
        assert text in said, text
    assert true + missed == len(few.boxes) and true > 0 and value["mAP50"] > 0.2
    whole = Path("measured.json").read_bytes()
    record = json.loads(whole)
    assert record["ap"] == value["AP"] and record["classes"]["blob"]["true"] == true
    curve = froc(match_boxes(found, few.boxes), 12)
    assert record["missed_at"] == {str(false): curve.missed_at(false) for false in (1, 2, 4)}
    assert record["detector"] == str(detector) and record["threshold"] == trained.threshold and record["used"] == 0
    assert [Path(row["path"]).name for row in record["photos"]] == [path.name for path in few.paths]
    assert [sum(row[name] for row in record["photos"]) for name in ("true", "false", "missed")] == [true, false, missed]
    assert all(sum(row["kinds"].values()) == row["false"] for row in record["photos"])
    assert "Written" not in call("evaluate", detector, "--labelled", world / "held")
    call("evaluate", detector, "--labelled", world / "held", "--out", "measured.json")
    assert Path("measured.json").read_bytes() == whole


def test_evaluate_refuses_photos_that_the_detector_was_made_with(world, detector, monkeypatch):
    def knowing(*given):
        found = read_trained(*given)
        hashes = photo_hashes(read_boxes(world / "held", (32, 32)))
        object.__setattr__(found, "photos", frozenset(hashes[:3]))
        return found

    monkeypatch.setattr("scenefit.tasks.trained.read_network", knowing)
    command = ["evaluate", detector, "--labelled", world / "held", "--out", "measured.json"]
    said = " ".join(call(*command, code=1).split())
    assert "3 of the 12 labelled photos fitted, trained or selected this detector, by their content: " in said
    assert "give other photos, or measure on these all the same with force=True (--force)" in said
    assert not Path("measured.json").exists()
    said = call(*command, "--force")
    assert said.startswith("No test (--force): 3 of the 12 labelled photos fitted, trained or selected this detector;")
    assert json.loads(Path("measured.json").read_text())["used"] == 3
    monkeypatch.undo()
    said = " ".join(call("evaluate", detector, "--labelled", world / "few", code=1).split())
    assert "12 of the 12 labelled photos fitted, trained or selected this detector" in said, "the fit's, as reward"


def test_evaluate_says_where_the_learned_renders_are_no_better():
    found = SimpleNamespace(metric="mAP50", values={"grammar": [0.2, 0.3], "shrunk": [0.5], "learned": [0.4]})
    (said,) = _no_gain(found)
    assert "the mAP50 is 40.0%, no better than on those of the shrunk prior (50.0%)" in said
    assert _no_gain(SimpleNamespace(metric="", values={})) == []


def test_evaluate_says_where_it_cannot_know_the_photos_of_a_detector(world, detector):
    old = read_trained(detector)
    object.__setattr__(old, "photos", frozenset())
    write_trained("old.safetensors", old)
    for path, known in ((detector, True), ("old.safetensors", False)):
        said = " ".join(call("evaluate", path, "--labelled", world / "held").split())
        assert ("does not record which photos it was made with" not in said) == known


def test_wrong_usage_of_evaluate(world, run, detector, tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(detector.read_bytes()[:-9])
    for source, given, code, text in (
            (run, [], 2, "a run is evaluated on photos; give some with --real or, if they are labelled, with "
             "--labelled"),
            (run, ["--labelled", world / "held", "--out", "a.json", "--force"], 2, "--out, --force: only for "
             "trained networks, and"),
            (detector, ["--labelled", world / "held", "--out", detector], 2, "--out must name a file that ends in "
             ".json, got"),
            (detector, [], 2, "a network is evaluated on labelled photos; give some with --labelled"),
            (detector, ["--real", world / "real", "--labelled", world / "held", "--min-pixels", 9], 2,
             "--real, --min-pixels: only for runs, and"),
            (detector, ["--labelled", world / "real"], 1, "holds 24 photos outside any class"),
            (run / "model.safetensors", ["--labelled", world / "held"], 1, "model.safetensors is not a detector"),
            (tmp_path / "cut.safetensors", ["--labelled", world / "held"], 1, "cut.safetensors is damaged"),
            (world / "real", ["--real", world / "real"], 1, "is neither a run folder (it has no settings.json) nor a "
             "trained network"), ("nowhere", ["--real", world / "real"], 1, "nowhere is neither a run folder")):
        assert text in " ".join(call("evaluate", source, *given, code=code).replace("│", " ").split()), text


def test_the_whole_network_is_trained_where_asked_for(world):
    call("train", world / "few", "--out", "whole.safetensors", "-n", 16, "--steps", 20, "--train-backbone")
    ours, fresh = read_trained("whole.safetensors").network, Detect(("blob",)).fresh(0)
    pairs = zip(ours.backbone.parameters(), fresh.backbone.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(("option", "augment"), [("--vertical-flip", Augment(vertical_flip=True)),
                                                 ("--no-corruptions", Augment(corruptions=False))])
def test_images_are_changed_as_asked_for(world, monkeypatch, option, augment):
    given = []
    monkeypatch.setattr(Detect, "fresh", lambda task, seed: (given.append(task.augment), stopped()))
    call("train", world / "few", "--out", "d.safetensors", "-n", 16, "--steps", 20, "--backbone", "small", option,
         code=130)
    assert given[0] == augment != Augment()


def test_generate_keeps_what_it_is_told(run):
    call("generate", run, "-n", 4, "--format", "voc", "--out", "all")
    call("generate", run, "-n", 4, "--format", "voc", "--out", "none", "--min-side", 31)
    assert json.loads(Path("none/provenance.json").read_text())["label_policy"]["min_side"] == 31
    assert len(read_boxes("all", (32, 32)).boxes) == 4 and not len(read_boxes("none", (32, 32)).boxes)
    said = " ".join(call("generate", run, "-n", 4, "--out", "x", "--box", "round", code=2).split())
    assert "box='visible' or box='amodal'" in said
    assert "labels of whole images" in call("generate", run, "-n", 4, "--out", "x", "--format", "folder",
                                            "--min-pixels", 9, code=1)


def test_generate_draws_more_than_was_learned(world, run):
    """Shares of images with another appearance, other scenes, foreign objects: recorded, and a change refused."""
    wider = ["--random-appearance", 0.25, "--random-scenes", 0.5, "--clutter", 1]
    call("generate", run, "-n", 4, "--out", "plain")
    call("generate", run, "-n", 4, "--out", "wider", *wider)
    call("generate", run, "-n", 4, "--out", "cluttered", "--clutter", 1)
    plain, both, clutter = (json.loads(Path(name, "provenance.json").read_text()) for name in (
        "plain", "wider", "cluttered"))
    assert plain["randomised"] is plain["clutter"] is clutter["randomised"] is None
    assert both["randomised"] == {"appearance": 0.25, "prior": 0.5, "attributes": ["image.shade"]}
    assert both["clutter"] == clutter["clutter"] == 1
    for options_now, differs in (([], "randomised, clutter"), (wider[:4], "clutter"), (wider[2:], "randomised")):
        said = call("generate", run, "-n", 4, "--out", "wider", *options_now, code=1)
        assert f"(it differs in: {differs})" in " ".join(said.split())
    call("generate", world / "scene.py", "-n", 4, "--out", "prior", "--clutter", 1)
    for source, out in ((run, "x"), (world / "scene.py", "prior")):
        said = call("generate", source, "-n", 4, "--out", out, *wider[:2], "--random-scenes", 0.8, code=2)
        assert "1 together at most" in " ".join(said.replace("│", " ").split())
    said = call("generate", world / "scene.py", "-n", 4, "--out", "prior", "--random-scenes", 0.5, code=2)
    assert "leave out --random-appearance and --random-scenes" in " ".join(said.replace("│", " ").split())


def test_train_draws_more_than_was_learned(run, tiny, monkeypatch):
    trained = []
    monkeypatch.setattr("scenefit.cli.train._train",
                        lambda task, data, *_: (trained.append(data.rendered[0]), stopped()))
    for wider in ([], ["--clutter", 1], ["--random-scenes", 1]):
        call("train", run, *TRAIN, "d.safetensors", *wider, code=130)
    plain, clutter, prior = trained
    assert (plain != clutter).any((1, 2, 3)).all() and (plain != prior).any((1, 2, 3)).all()
    assert (plain == clutter).mean() > 0.6


def test_detect_writes_boxes_of_the_whole_photos(world, detector):
    """Photos three times as large, with a border that the crop cuts off: boxes are those of the photo."""
    scene = load_scene(world / "scene.py")
    frames = scene.renderer(scene.grammar.sample(9, 20))
    folder = Path("photos") / "deep"
    folder.mkdir(parents=True)
    for number, image in enumerate(frames.images):
        wide = np.zeros((96, 136, 3), np.uint8)
        wide[:, 20:116] = image.repeat(3, 0).repeat(3, 1)
        Image.fromarray(wide).save(folder / f"{number:02}.png")
    (folder / "broken.jpg").write_bytes(b"no")
    said = call("detect", detector, "photos", "--out", "found")
    assert "warning: skipped photos/deep/broken.jpg: " in said
    found, threshold = json.loads(Path("found/found.json").read_text()), read_trained(detector).threshold
    rows, info = found["annotations"], found["info"]
    assert info["detector"] == detector.name and info["threshold"] == threshold and info["min_score"] == 0.02
    assert found["categories"] == [{"id": 1, "name": "blob"}]
    assert found["images"] == [{"id": number + 1, "file_name": f"deep/{number:02}.png", "width": 136, "height": 96}
                               for number in range(20)]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["iscrowd"] == 0 and abs(row["area"] - row["bbox"][2] * row["bbox"][3]) < 0.01 for row in rows)
    above = sum(row["score"] >= threshold for row in rows)
    assert (f"{above} objects in 20 photos (1 skipped) at confidence {threshold:.2f} or more, and {len(rows) - above} "
            "below: found/found.json" in said and 0 < above < len(rows))
    truth, near = frames.objects.box * 3 + [20, 0, 20, 0], 0
    for number in range(20):
        mine = [row for row in rows if row["image_id"] == number + 1]
        assert all(row["category_id"] == 1 for row in mine)
        near += any(np.abs(np.array([x, y, x + w, y + h]) - truth[number]).max() < 9
                    for x, y, w, h in (row["bbox"] for row in mine))
    assert near >= 14
    assert pixels("found/deep/00.png.png").shape[1] == 680 and pixels("found/deep/00.png.png").shape[0] > 480
    whole = contents(Path("found"))
    for name in ("found.json", ".found/00000016.json"):
        (Path("found") / name).unlink()
    call("detect", detector, "photos", "--out", "found")
    assert contents(Path("found")) == whole
    for place in ("photos", "."):
        assert "is not empty; give another folder" in call("detect", detector, "photos", "--out", place, code=1)


def test_detect_takes_a_list_file(world, detector):
    call("detect", detector, world / "held", "--out", "all", "--no-pictures")
    listed = world / "held" / "ImageSets" / "Main" / "val.txt"
    names = [f"JPEGImages/{line}.png" for line in listed.read_text().split()]
    assert f" in {len(names)} photos at confidence " in call("detect", detector, listed, "--out", "found")
    assert sorted(path.relative_to("found").as_posix() for path in Path("found").rglob("*.png")) == [
        f"{name}.png" for name in names]
    whole, part = (json.loads(Path(name, "found.json").read_text()) for name in ("all", "found"))
    assert [image["file_name"] for image in part["images"]] == names and len(whole["images"]) == 12
    boxes = [{name: [row["bbox"] for row in rows["annotations"] if rows["images"][row["image_id"] - 1]["file_name"]
                     == name] for name in names} for rows in (whole, part)]
    assert boxes[0] == boxes[1]
    Path("list.txt").write_text("a.png\n")
    assert "list.txt is a list of photos, but" in call("detect", detector, "list.txt", "--out", "other", code=1)


def test_detect_finds_the_photos_that_fit_finds_and_names_the_others(world, detector, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/link").symlink_to(tmp_path / "far")
    image = Image.open(world / "real" / "00.png")
    for name in ("a.bmp", "../far/b.png"):
        image.save(tmp_path / "photos" / name)
    (tmp_path / "photos/c.gif").write_bytes(b"")
    (tmp_path / "photos/d.png").symlink_to(tmp_path / "nowhere")
    command = ["detect", detector, tmp_path / "photos", "--out", tmp_path / "photos" / "found", "--threshold", 1]
    for _ in range(2):
        said = call(*command)
        assert "0 objects in 2 photos (2 skipped) at confidence 1.00 or more, and " in said
        assert "c.gif: images ending in .gif are not read" in said
        assert "d.png: not a file (a link that leads nowhere?)" in said
    assert sorted(path.name for path in (tmp_path / "photos/found").rglob("*.png")) == ["a.bmp.png", "b.png.png"]
    image.rotate(180).save(tmp_path / "photos/a.bmp")
    assert "the detections of another command (it differs in: photos)" in call(*command, code=1)


def test_detect_draws_what_was_searched(detector, tmp_path):
    grey, clear = np.full((480, 640), 100 * 257, np.uint16), np.full((480, 640, 4), (100, 100, 100, 0), np.uint8)
    for name, image in (("grey.png", grey), ("float.tif", np.full((480, 640), 0.4, np.float32)), ("clear.png", clear)):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photos" / name)
    Image.fromarray(grey // 10).save(tmp_path / "photos" / "faint.png")
    for _ in range(2):
        said = call("detect", detector, tmp_path / "photos", "--out", "found", "--threshold", 1)
        assert said.count("warning: ") == said.count("warning: 1 16-bit photo of ") == 1
    for name, level in (("grey.png", 100), ("float.tif", 102), ("clear.png", 255), ("faint.png", 10)):
        assert np.all(pixels(f"found/{name}.png")[:480] == level)


@pytest.fixture(scope="module")
def dusty(world, tmp_path_factory):
    """The photos, each with the same dark square on it."""
    folder = tmp_path_factory.mktemp("dusty")
    for path in sorted((world / "real").iterdir()):
        image = np.array(Image.open(path))
        image[2:4, 2:4] = image[2:4, 2:4] * 0.3
        Image.fromarray(image).save(folder / path.name)
    return folder


def test_the_cameras_own_dust_is_taken_out_of_photos_to_search(world, detector, dusty, monkeypatch):
    predict, seen = Detect.predict, []
    monkeypatch.setattr(Detect, "predict", lambda self, network, images: (seen.append(images),
                                                                          predict(self, network, images))[1])
    for name, place, more in (("clean", world / "real", []), ("kept", dusty, []),
                              ("out", dusty, ["--flat-field", dusty])):
        call("detect", detector, place, "--out", name, *more)
    clean, kept, out = (np.concatenate(seen[at:at + 2])[:, 2:4, 2:4].astype(float) for at in (0, 2, 4))
    assert len(clean) == 24 and np.abs(kept - clean).mean() > 2 * np.abs(out - clean).mean()
    said = call("detect", detector, dusty, "--out", "out", code=1)
    assert "out holds the detections of another command (it differs in: flat field)" in said
    said = call("detect", detector, dusty, "--out", dusty / "found", "--flat-field", dusty, code=2)
    assert "would be read as photos; give --out a folder elsewhere" in " ".join(said.replace("│", " ").split())
    assert not (dusty / "found").exists()
    said = call("detect", detector, dusty, "--out", "other", "--flat-field", world / "few", code=1)
    assert "--flat-field" in said and "12 are too few; give at least 20" in said


def test_a_detector_remembers_that_its_photos_were_without_dust(world, dusty):
    call("train", world / "few", "--out", "d.safetensors", "--backbone", "small", "--steps", 20, "--real", dusty,
         "--flat-field", dusty)
    trained = read_trained("d.safetensors")
    assert trained.flat_field is None and trained.lost_flat_field, "a folder is given to each command"
    said = " ".join(call("detect", "d.safetensors", dusty, "--out", "a").split())
    assert f"--flat-field {dusty} corrects them" in said
    assert "not corrected" not in call("detect", "d.safetensors", dusty, "--out", "b", "--flat-field", dusty)
    call("train", world / "few", "--out", "e.safetensors", "--backbone", "small", "--steps", 20, "--real", dusty)
    assert Path("d.safetensors").read_bytes() != Path("e.safetensors").read_bytes()


def test_labelled_photos_come_last_alone_and_without_dust(world, dusty, monkeypatch, tmp_path):
    training, given = Detect.train_steps, []

    def noted(task, images, labels, seed, start=None, **more):
        if start is not None:
            given.append((images, labels))
        return training(task, images, labels, seed, start, **more)

    monkeypatch.setattr(Detect, "train_steps", noted)
    for more in ([], ["--flat-field", dusty]):
        call("train", world / "few", "--out", tmp_path / "d.safetensors", "--backbone", "small", "--steps", 20,
             "--labelled", world / "few", *more)
    (plain, labels), (flat, _) = given
    assert len(plain) == 12 == labels.count and len(labels) > 0
    assert flat[:, 2:4, 2:4].mean() > 1.3 * plain[:, 2:4, 2:4].mean(), "these had no dust, and get the light for it"


def test_a_fit_remembers_that_its_photos_were_without_dust(world, dusty):
    command = [*fit_command(world, "flat"), "--real", dusty]
    call(*command, "--flat-field", dusty)
    assert json.loads(Path("flat/settings.json").read_text())["flat_field"]
    assert "flat field (--flat-field): " in call(*command, code=1)
    evaluate = ["evaluate", "flat", "--real", dusty, "--renders", 32]
    said = " ".join(call(*evaluate, "--flat-field", dusty).split())
    assert "Evaluated on the photos that the fit was made with" in said and "photos were corrected" not in said
    assert "--flat-field is for photos; give some with --real" in " ".join(
        call("report", "flat", "--flat-field", dusty, code=2).replace("│", " ").split())
    assert not Path("flat/flat_field.safetensors").exists()
    for given in (evaluate, ["report", "flat", "--real", dusty]):
        assert "photos were corrected" not in call(*given, "--flat-field", dusty)
        for more in ([], ["--flat-field", "none"]):
            assert "photos were corrected for the camera's dust, and these are not" in " ".join(
                call(*given, *more).split())


def test_train_on_a_written_data_set_and_go_on_with_photos(world):
    call("train", world / "few", "--out", "a.safetensors", "--backbone", "small", "--steps", 20)
    said = call("train", world / "few", "--out", "b.safetensors", "--backbone", "small", "--steps", 20, "--labelled",
                world / "few")
    assert "chosen on the 12 labelled photos that it was trained on, as there are no others" in said
    assert "precision" not in said, "it would be that on photos that it knows"
    a, b = (Path(name).read_bytes() for name in ("a.safetensors", "b.safetensors"))
    assert a != b
    call("train", world / "few", "--out", "c.safetensors", "--backbone", "small", "--steps", 20, "--real",
         world / "real")
    assert Path("c.safetensors").read_bytes() not in (a, b)


def test_a_stopped_training_goes_on_after_its_last_stage(world, monkeypatch):
    """To the same bytes; one that was asked something else begins anew."""
    command = ["train", world / "few", "--backbone", "small", "--steps", 20, "--real", world / "real", "--labelled",
               world / "few", "--out"]
    call(*command, "whole.safetensors")
    begun, stop_at = [], []

    def some_steps(task, data, seed, over, network):
        begun.append(over)
        for number, step in enumerate(steps(task, data, seed, over, network), 1):
            if stop_at and number == stop_at[0]:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr("scenefit.tasks.training_stages._steps", some_steps)
    for stop_at[:] in ([19], [21], [9], [9]):  # of stages of 20, 7, 7 and 7 steps
        said = call(*command, "a.safetensors", code=130)
        assert "Stopped. Run the same command again to resume after the last finished stage." in said
        assert not Path("a.safetensors").exists()
    stop_at[:] = []
    call(*command[:-1], "--seed", 1, "--out", "b.safetensors")
    said = call(*command, "a.safetensors")
    assert "Kept from an earlier training, not trained again: self-training round 2 of 2" in said
    assert begun == [0, 0, 1, 2, 0, 3]
    assert Path("a.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()
    assert not list(Path().glob("*.part.*"))


def test_a_stopped_training_of_another_kind_begins_anew(world, monkeypatch):
    command = ["train", world / "few", "--backbone", "small", "--steps", 20, "--labelled", world / "few", "--out"]
    with monkeypatch.context() as patch:
        patch.setattr(Detect, "predict", stopped)
        call(*command, "a.safetensors", code=130)
    assert Path("a.part.safetensors").exists()
    call(*command, "a.safetensors", "--seed", 1)
    call(*command, "b.safetensors", "--seed", 1)
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    Path("a.part.safetensors").write_bytes(b"no")
    assert "delete it: the training begins anew" in call(*command, "a.safetensors", code=1)


def test_a_detector_of_the_name_of_an_unfinished_training_is_no_such_thing(world, detector):
    shutil.copy(detector, "a.part.safetensors")
    said = call("train", world / "few", "--backbone", "small", "--steps", 20, "--out", "a.safetensors", code=2)
    assert "a.part.safetensors is a trained network, and the unfinished training of a.safetensors" in said
    assert Path("a.part.safetensors").read_bytes() == detector.read_bytes() and not Path("a.safetensors").exists()


TRAIN = ("-n", 16, "--backbone", "small", "--steps", 20, "--out")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("scenefit.cli.train.new_task", partial(new_task, augmented_copies=1, batch=4))


def hashes(*folders):
    return {content_hash(path.read_bytes()) for folder in folders for path in folder.iterdir()}


def test_trainings_of_a_run_that_begin_alike_train_on_its_renders_once(world, run, tiny):
    """Other photos, another --out: the same bytes as without what is kept. Another seed begins anew."""
    kept, more = run / "stages", ["--real", world / "real", "--labelled", world / "few", "--no-read-policy",
                                     "--no-select"]
    shutil.rmtree(kept, ignore_errors=True)
    said = call("train", run, *TRAIN, "a.safetensors")
    assert "Kept from" not in said and len(list(kept.iterdir())) == 1
    said = call("train", run, *TRAIN, "b.safetensors", *more)
    assert "Kept from an earlier training, not trained again: training on 16 renders\n" in said
    assert len(list(kept.iterdir())) == 3 and not list(Path().glob("*.part.*"))
    shutil.rmtree(kept)
    assert "Kept from" not in call("train", run, *TRAIN, "c.safetensors", *more)
    assert Path("b.safetensors").read_bytes() == Path("c.safetensors").read_bytes()
    assert read_trained("a.safetensors").photos == hashes(world / "real", world / "few/JPEGImages"), "of the fit"
    assert read_trained("b.safetensors").photos == hashes(world / "real", world / "few/JPEGImages")
    for changed in (["--seed", 1], ["--box", "amodal", "--margin", 0.1]):
        assert "Kept from" not in call("train", run, *TRAIN, "d.safetensors", *changed)
    for path in kept.iterdir():
        path.write_bytes(b"no")
    assert "delete it: the training begins anew" in call("train", run, *TRAIN, "d.safetensors", code=1)
    shutil.rmtree(kept)


def test_a_run_that_keeps_much_is_told(run, tiny):
    (run / "stages").mkdir(exist_ok=True)
    large = run / "stages" / "zq7"
    large.touch()
    assert not much_kept(run / "stages")
    os.truncate(large, 1_234_000_000)  # it takes no space
    said = call("train", run, *TRAIN, "a.safetensors").splitlines()
    large.unlink()
    assert re.fullmatch(rf"{run}/stages holds 1,2\d\d MB of finished stages; they only save .* be deleted", said[-1])


def test_a_run_folder_that_is_read_only_is_left_alone(run, tiny, monkeypatch):
    shutil.copytree(run, "run", ignore=shutil.ignore_patterns("stages"))
    monkeypatch.setattr("os.access", lambda place, mode: Path(place).name != "stages")
    with monkeypatch.context() as patch:
        patch.setattr(Detect, "predict", stopped)
        call("train", "run", *TRAIN, "a.safetensors", code=130)
    assert Path("a.part.safetensors").exists() and not list(Path("run").glob("stages/*"))
    assert "Kept from an earlier training" in call("train", "run", *TRAIN, "a.safetensors")
    assert not Path("a.part.safetensors").exists()


def test_what_train_prints_says_what_its_figures_are_of(world, run, tiny):
    """Of renders, which say little of photos, also where they are a written data set; never of photos that it knows."""
    say = "scenefit evaluate d.safetensors --labelled DIR"
    shutil.copytree(world / "few", "photos")
    Path("photos/provenance.json").unlink()
    for source, held, means in ((run, "renders", "These are renders: how good it is on photos may be far from that."),
                                (world / "few", "renders", "These are renders: "),
                                (Path("photos"), "images of the data set", "The threshold was chosen on them, so ")):
        said = call("train", source, *TRAIN, "d.safetensors")
        found = re.search(rf"On \d+ held-out {held}: precision (.*), recall (.*) \((\d+) found, (\d+) false, (\d+) "
                          r"missed\), at confidence 0\.\d\d or more\. (.*)", said)
        assert found and found[6].startswith(means) and say in said
        true, false, missed = (int(found[number]) for number in (3, 4, 5))
        assert found[1] == (f"{true / (true + false):.1%}" if true + false else "undefined")
        assert found[2] == f"{true / (true + missed):.1%}"
    assert len(read_trained("d.safetensors").photos) == 12, "those of the val part too, which chose the threshold"


def test_train_says_how_many_pseudo_labels_were_believed_and_of_which_classes_none(world, tiny, monkeypatch):
    predicted = make_boxes(24, [0, 0, 3, 5], [[1, 2, 9, 9]] * 4, ["blob", "blob", "blob", "blob"], [0.5, 0.9, 0.6, 0.4])
    monkeypatch.setattr(Detect, "predict", lambda task, network, images: predicted if len(images) == 24 else
                        no_boxes(len(images)))
    command = ["train", world / "few", *TRAIN, "d.safetensors", "--real", world / "real"]
    said = call(*command)
    for number in (1, 2):
        assert (f"Self-training round {number} of 2: 3 pseudo-labels (confidence 0.5 or more) in 2 of 24 photos: 3 blob"
                in said)
    assert "warning: self-training round 1 of 2: 0.1 pseudo-labels of blob in a photo, and 1.0 labels in each" in said
    assert "no pseudo-label" not in said
    predicted = no_boxes(24)
    said = call(*command)
    assert "Self-training round 1 of 2: 0 pseudo-labels (confidence 0.5 or more) in 0 of 24 photos\n" in said
    assert "warning: self-training round 2 of 2: no pseudo-label of blob, though images show it; self-training" in said


def test_the_label_policy_is_read_from_labelled_photos_once(world, run, tiny, monkeypatch):
    found = PolicyFit(LabelPolicy(box="amodal", by_class={"blob": {"margin": 0.1}}), {"box": 9.0}, {"blob": 0.1},
                      {"blob": 0.01}, (), 30, 25)
    read: list[LabelPolicy | None] = []
    monkeypatch.setattr("scenefit.run.label_policy.fit_label_policy",
                        lambda *given: (read.append(given[-1]), found)[1])
    few = ["--labelled", world / "few", "--no-select"]
    shutil.rmtree(run / "stages", ignore_errors=True)  # what the fit read would do for the same start
    for number in range(2):
        said = call("train", run, *TRAIN, f"{number}.safetensors", *few)
        assert "Reading the label policy from 12 labelled photos (the first time" in said, "a log has no spinner"
        assert "Labels of the photos: boxes go around the whole object, with its hidden parts blob: boxes are " in (
            " ".join(said.split()))
        _, about = read_tensors(f"{number}.safetensors", "")
        assert about["info"]["label_policy"] == found.policy.to_dict()
    assert read == [LabelPolicy(box="amodal")], "the run's at first; the second command goes on with what is kept"
    call("train", run, *TRAIN, "c.safetensors", *few, "--min-contrast", 0.05)
    assert read[1:] == [LabelPolicy(min_contrast=0.05)], "what holds where labels do not tell otherwise"
    said = call("train", run, *TRAIN, "d.safetensors", *few, "--no-read-policy")
    assert "Labels of the photos" not in said and len(read) == 2
    Path("brighter.py").write_text(LARGE.replace("0.9", "0.95"))
    call("train", run, *TRAIN, "d.safetensors", *few, "--scene", "brighter.py")
    assert len(read) == 3, "renders of another renderer"
    kept = next((run / "stages").glob("label-policy-*.json"))
    good = json.loads(kept.read_text())
    for text in ("{", "{}", *(json.dumps({**good, **part}) for part in (
            {"margins": None}, {"errors": {}}, {"gains": {"box": "9"}}, {"matched": "25"}, {"outside": "blob"}))):
        kept.write_text(text)
        for path in (run / "stages").glob("label-policy-*.json"):
            path.write_text(text)
        assert "the policy is read from the labels again" in call("train", run, *TRAIN, "e.safetensors", *few, code=1)


def few_of(world, count):
    """A list of so many of the labelled photos."""
    shutil.copytree(world / "few", "set/few")
    names = [path.stem for path in read_boxes(world / "few", (32, 32)).paths[:count]]
    Path("set/few/ImageSets/Main/some.txt").write_text("\n".join(names))
    return "set/few/ImageSets/Main/some.txt"


def test_labelled_photos_select_the_training_images_once(world, run, tiny, monkeypatch):
    """What they select is trained on, goes on from what is kept, and is recorded; --random-... says it instead."""
    monkeypatch.setattr("scenefit.tasks.selection.RESAMPLES", 5)
    found = Selection("learned", "wide", {"learned": 0.5, "half wide": 0.5, "wide": 0.6},
                      {"half wide": (0.0, 0.1), "wide": (0.1, 0.02)})
    seen: list[Any] = []
    monkeypatch.setattr("scenefit.tasks.selection.select",
                        lambda scores, seed, metric: (seen.append(scores["learned"]), found)[1])
    few = ["--labelled", world / "few", "--no-read-policy"]
    for number in range(2):
        said = " ".join(call("train", run, *TRAIN, f"{number}.safetensors", *few).split())
        assert "by 12 labelled photos: at most 3 trainings, each fine-tuned 3 times (--no-select" in said
        assert ("selected by 12 labelled photos (AP: mean over IoU 0.5 to 0.95): learned: AP 50.0 half wide: AP 50.0 "
                "(+0.0, standard error 10.0) wide: AP 60.0 (+10.0, standard error 2.0) chosen: wide, " in said)
        assert "Kept from an earlier training, not trained again: training on 16 renders" in said
        assert read_tensors(f"{number}.safetensors", "")[1]["info"]["selection"]["chosen"] == "wide"
    assert [len(score) for score in seen] == [12], "each photo in one fold; the second command reads what is kept"
    call("train", run, *TRAIN, "2.safetensors", *few, "--random-scenes", 1)
    assert same_weights(*(read_trained(f"{number}.safetensors").network for number in (0, 2)))
    assert "selection" not in read_tensors("2.safetensors", "")[1]["info"]
    for text in ("{", "{}", json.dumps({**vars(found), "chosen": "none"})):
        next((run / "stages").glob("selection-*.json")).write_text(text)
        assert "the training images are selected again" in call("train", run, *TRAIN, "3.safetensors", *few, code=1)
    four = few_of(world, 4)
    said = call("train", run, *TRAIN, "4.safetensors", "--labelled", four, "--no-read-policy")
    assert "Fewer than 10 different labelled photos show an object, so they do not select" in said


def test_renders_that_a_kept_policy_is_known_by_are_drawn_a_few_at_a_time(world, run, tmp_path, monkeypatch):
    monkeypatch.setattr("scenefit.run.label_policy.fit_label_policy",
                        lambda *given: PolicyFit(LabelPolicy(), {}, {}, {}, (), 0, 0))
    scene, few, sizes = load_scene(world / "scene.py"), read_boxes(world / "few", (32, 32)), list[int]()

    def renderer(scenes):
        sizes.append(len(scenes))
        return scene.renderer(scenes)

    for at_once in (2**22, 2 * 32 * 32):
        monkeypatch.setattr("scenefit.renderers.batches.PIXELS", at_once)
        run_label_policy(open_run(run), scene.grammar, renderer, few, 0, None, tmp_path)
    assert sizes == [8, 2, 2, 2, 2] and len(list(tmp_path.iterdir())) == 1


def test_classes_of_the_label_policy_are_checked(world, run, tiny):
    wrong, kept = ["--for-class", "nosuch:margin=0.1"], ["--for-class", "blob:margin=0.1"]
    text = "warning: --for-class names nosuch, and the labels of the first 16 renders are of blob"
    for command in (["train", run, *TRAIN, "d.safetensors"], ["generate", run, "-n", 16, "--out", "set"]):
        assert text in " ".join(call(*command, *wrong, *kept).split())
    assert "warning" not in call("generate", run, "-n", 16, "--out", "set", *wrong, *kept), "it is finished"
    assert "warning" not in call("generate", run, "-n", 16, "--out", "other", *kept)
    for given, said in ((["blob:margin=0.1", "blob:margin=0.2"], "gives blob:margin twice"),
                        (["blob=0.1"], "takes CLASS:OPTION=VALUE, such as RBC:margin=0.1, got 'blob=0.1'"),
                        (["blob:min-side=2.5"], "with a whole number, got 'blob:min-side=2.5'")):
        options = [part for one in given for part in ("--for-class", one)]
        assert said in " ".join(call("train", run, *TRAIN, "d.safetensors", *options, code=2).replace("│", "").split())


def test_the_label_policy_of_a_run_holds_for_its_renders(world, run, tiny):
    """Of the fit: --box amodal. A given one takes its place, also where it is the default."""
    for out, given, box in (("a", [], "amodal"), ("b", ["--margin", 0.1], "visible"),
                            ("c", ["--box", "visible"], "visible")):
        call("generate", run, "-n", 2, "--format", "coco", "--out", out, *given)
        assert json.loads(Path(out, "provenance.json").read_text())["label_policy"]["box"] == box
        call("train", run, *TRAIN, "d.safetensors", *given)
        _, about = read_tensors("d.safetensors", "")
        assert about["info"]["label_policy"]["box"] == box


def no_class(*_):
    raise NoClass("no such class")


def test_the_label_policy_that_a_fit_read_holds_for_its_renders(world, run, tiny, monkeypatch):
    shutil.copytree(run, "run", ignore=shutil.ignore_patterns("stages"))
    path = Path("run/label_policy.json")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "policy": {**kept["policy"], "min_side": 5.0}}))
    call("generate", "run", "-n", 2, "--format", "coco", "--out", "read")
    assert json.loads(Path("read/provenance.json").read_text())["label_policy"]["min_side"] == 5
    for name, given in (("a", ["--no-read-policy", "--no-select", "--labelled", world / "few"]), ("b", [])):
        call("train", "run", *TRAIN, f"{name}.safetensors", *given)
        assert read_tensors(f"{name}.safetensors", "")[1]["info"]["label_policy"]["min_side"] == 5
    path.write_text("{}")
    said = call("generate", "run", "-n", 2, "--out", "c", code=1)
    assert "label_policy.json is damaged" in said and "delete it and report.html, and run the same scenefit fit" in said
    Path("run/report.html").unlink()
    again = [*fit_command(world, "run", "--labelled", world / "few", "--box", "amodal")]
    with monkeypatch.context() as rare:
        rare.setattr("scenefit.run.label_policy.fit_label_policy", no_class)
        assert "warning: the label policy was not read: no such class" in call(*again) and not path.exists()
    assert "the label policy was not read: no such class" in Path("run/report.html").read_text()
    Path("run/report.html").unlink()
    assert "Labels of the photos" not in call(*again, "--no-read-policy") and not path.exists()
    Path("run/report.html").unlink()
    assert "Labels of the photos" in call(*again) and json.loads(path.read_text()) == kept
    assert "Labels of the labelled photos: " in Path("run/report.html").read_text()


def test_labelled_photos_alone_train_the_ceiling(world, tiny):
    """All of them, a fifth held out, at the size of the first or one that is asked for; without a run or stages."""
    said = call("train", "--labelled-only", world / "few", *TRAIN[2:], "d.safetensors")
    assert "On 2 held-out labelled photos: precision " in said and "The threshold was chosen on them, so" in said
    found = read_trained("d.safetensors")
    assert found.size == (32, 32) and found.photos == hashes(world / "few/JPEGImages")
    assert len(found.photos) == 12 and not list(Path().glob("*.part.*"))
    call("train", "--labelled-only", world / "few", *TRAIN[2:], "e.safetensors", "--size", "24x40")
    assert read_trained("e.safetensors").size == (24, 40)
    said = call("train", "--labelled-only", few_of(world, 4), *TRAIN[2:], "f.safetensors")
    assert "chosen on the 4 labelled photos that it was trained on, as fewer than five leave none to hold out" in said
    assert "precision" not in said and len(read_trained("f.safetensors").photos) == 4


def test_a_data_set_is_learned_at_the_size_of_its_own_first_photo(world, tmp_path):
    """Upright; strays, hidden files and what is broken decide nothing, and what is skipped is named."""
    turned = tmp_path / "turned"
    shutil.copytree(world / "few", turned)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in sorted((turned / "JPEGImages").iterdir()):
        wide = np.pad(np.array(Image.open(path)), ((0, 0), (0, 16), (0, 0)))
        Image.fromarray(np.ascontiguousarray(np.rot90(wide))).save(path.with_suffix(".jpg"), exif=exif)
        path.unlink()
        labels = turned / "Annotations" / f"{path.stem}.xml"
        labels.write_text(labels.read_text().replace("<width>32</width>", "<width>48</width>"))
    for name in ("banner.png", "._x.png", "JPEGImages/._x.png", "JPEGImages/0 banner.png"):
        Image.new("RGB", (90, 20)).save(turned / name)
    first = min((turned / "JPEGImages").glob("*.jpg"))
    first.write_bytes(first.read_bytes()[:200])
    said = call("train", turned, "--out", "a.safetensors", "--backbone", "small", "--steps", 20)
    assert read_trained("a.safetensors").size == (32, 48)
    assert f"warning: skipped {first}: " in said


@pytest.mark.filterwarnings("ignore:.*4 photos have no label file")
def test_photos_outside_of_a_data_set_are_read_where_asked_for(tmp_path):
    folder = tmp_path / "set"
    labelled_sets.yolo(folder, {"a": [labelled_sets.BOX], "b": [labelled_sets.OTHER]})
    for number in range(4):
        labelled_sets.photo(tmp_path / f"zq{number}.png", number)
    labelled_sets.text(folder / "train.txt", "../zq0.png\n../zq1.png\n../zq2.png\n../zq3.png\n")
    labelled_sets.text(folder / "val.txt", "images/train/b.png\n")
    labelled_sets.text(folder / "data.yaml", "train: train.txt\nval: val.txt\nnames: [cell, dust]\n")
    said = call("train", folder, "--out", "zq.safetensors", code=1)
    assert "train.txt, line 1: ../zq0.png lies outside of the data set" in said and "(--outside)" in said
    images, held = read_data_set(folder, 8, outside=True)
    assert len(images) == 4 and held.boxes.name.tolist() == ["dust"]
    for few in (partial(options.LabelledFolder(folder).read, (48, 64)),
                partial(options.photos, folder / "train.txt", (48, 64))):
        with pytest.raises(ValueError, match=r"line 1: ../zq0.png lies outside of the data set .*outside=True"):
            few()
    assert len(options.LabelledFolder(folder, outside=True).read((48, 64))) == 5
    assert len(options.photos(folder / "train.txt", (48, 64), outside=True)) == 4


def test_a_run_among_the_boxes_of_a_data_set_is_none_of_its_photos(world, run, tmp_path):
    """But a folder that is searched holds it."""
    shutil.copytree(world / "few", tmp_path / "few")
    shutil.copytree(run, tmp_path / "few" / "run")
    options.keep_apart(tmp_path / "few/run", "", labelled=options.LabelledFolder(tmp_path / "few"))
    options.keep_apart(tmp_path / "few/run", "", real=tmp_path / "few/ImageSets/Main/train.txt")
    said = call("train", tmp_path / "few/run", "--real", tmp_path / "few", "--out", "d.safetensors", code=2)
    assert "be read as photos; give a folder that holds only photos, or" in " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize("command", [
    ["fit", "scene.py", "--real", "real", "--out", "fitted"], ["evaluate", "RUN", "--real", "real"],
    ["train", "RUN", "--out", "d.safetensors"], ["train", "zq7", "--out", "d.safetensors"]])
def test_a_layout_in_doubt_is_told_before_the_long_work_and_settled_by_an_option(world, run, monkeypatch, command):
    shutil.copytree(world / "few", "zq7")
    Path("zq7/data.yaml").write_text("train: images\nnames: [cell]\n")
    monkeypatch.setattr("scenefit.data.photos.read_photos", lambda *_: pytest.fail("long work"))
    places = {"RUN": run, "scene.py": world / "scene.py", "real": world / "real"}
    words = [places.get(word, word) for word in command] + ([] if "zq7" in command else ["--labelled", "zq7"])
    said = call(*words, code=1)
    assert "zq7 has labels in several layouts, yolo and voc: it holds the folders Annotations, " in said
    assert "choose with layout= in Python, --layout on the command line, or move one of them away" in said
    assert "zq7 does not have the layout kitti: it holds " in call(*words, "--layout", "kitti", code=1)
    assert "no layout 'zq8'; there are coco, yolo, voc, kitti, masks, cityscapes, and folder" in call(
        *words, "--layout", "zq8", code=1)
    found = options.LabelledFolder(Path("zq7"), "voc").read((32, 32))
    assert len(found.boxes) and "data.yaml" not in "".join(reason for _, reason in found.skipped)


def test_train_takes_one_layout_for_both_of_its_data_sets_where_it_fits(world, tmp_path):
    shutil.copytree(world / "few", tmp_path / "few")
    (tmp_path / "few/data.yaml").write_text("train: images\nnames: [cell]\n")
    for source, labelled in ((world / "few", tmp_path / "few"), (tmp_path / "few", world / "few")):
        assert layout_of_each(source, labelled, "voc") == ("voc", "voc")
        assert layout_of_each(source, labelled, None) == (None, None)
    assert layout_of_each(tmp_path / "few", world / "few", "yolo") == ("yolo", None)
    assert layout_of_each(None, world / "few", "yolo") == ("yolo", "yolo")


@pytest.mark.parametrize(("options", "code", "text"), [
    (["nowhere", "--out", "a.safetensors"], 1, "nowhere is missing; give the folder of a finished fit, or a data set"),
    (["scene.py", "--out", "a.safetensors"], 1, "scene.py is a scene file; fit it to photos first (scenefit fit"),
    (["real", "--out", "a.safetensors"], 1, "real is no run folder (it has no settings.json), nor a data set of boxes"),
    (["few", "--out", "a.pt"], 2, "--out must name a file that ends in .safetensors, got a.pt"),
    (["few", "--out", "zq7/a.safetensors"], 1, "zq7 is a link that leads nowhere, to nowhere; remove the link, or"),
    (["few", "--out", "a.safetensors", "--backbone", "huge"], 2, "--backbone must be one of lite0, small, got huge"),
    (["few", "--out", "a.safetensors", "--margin", 0.1], 2, "few is a written data set: its labels were chosen when"),
    (["few", "--out", "a.safetensors", "--clutter", 0.5], 2, "leave out --random-appearance, --random-scenes and --c"),
    (["few", "--out", "a.safetensors", "--real", "nowhere"], 2, "--real nowhere does not exist"),
    (["few", "--out", "a.safetensors", "--real", ".", "--flat-field", "nowhere"], 2, "--flat-field nowhere does not"),
    (["few", "--out", "a.safetensors", "--flat-field", "."], 2, "--flat-field is for photos; give some with --real or"),
    (["few", "--out", "a.safetensors", "--labelled", "nowhere"], 2, "--labelled nowhere does not exist"),
    (["few", "--out", "a.safetensors", "--labelled-only", "."], 2, "few and --labelled-only exclude each other: leave "
     "out"), (["few", "--out", "a.safetensors", "--size", "9x9"], 2, "--size is for --labelled-only: renders have the"),
    (["--out", "a.safetensors"], 2, "give the folder of a finished fit, or a data set, to train on; or --labelled-on"),
    (["--out", "a.safetensors", "--labelled-only", "nowhere"], 2, "--labelled-only nowhere does not exist"),
    (["--out", "a.safetensors", "--labelled-only", ".", "--real", ".", "-n", 16, "--margin", 0.1, "--clutter", 1],
     2, "leave out --real, -n, --min-..., --max-truncation, --box, --margin, --mask-... and --for-class, "
     "--random-appearance, --random-scenes"),
    (["--out", "a.safetensors", "--labelled-only", ".", "--size", "240"], 2, "a height and a width in pixels, such as "
     "240x320, got 240"), (["--out", "a.safetensors", "--labelled-only", ".", "--size", "0x9"], 2, "got 0x9")])
def test_wrong_usage_of_train(world, options, code, text):
    Path("zq7").symlink_to("nowhere")
    source = [world / options[0]] if options[0] in ("few", "real", "scene.py") else options[:1]
    assert text in " ".join(call("train", *source, *options[1:], code=code).replace("│", " ").split())


def test_wrong_usage_of_detect(world, run, detector, tmp_path):
    said = " ".join(call("detect", run, world / "real", "--out", "found", code=2).replace("│", " ").split())
    assert "is the folder of a fit, not a trained network; train one with scenefit train" in said
    (tmp_path / "bad.safetensors").write_bytes(detector.read_bytes()[:-9])
    said = call("detect", tmp_path / "bad.safetensors", world / "real", "--out", "found", code=1)
    assert "bad.safetensors is damaged" in said and "make it again with scenefit train" in said
    (tmp_path / "empty").mkdir()
    assert "no photo in " in call("detect", detector, tmp_path / "empty", "--out", "found", code=1)


@pytest.mark.parametrize("command", ["fit", "generate", "evaluate", "train"])
def test_each_say_in_what_becomes_a_label_is_heard(world, command):
    start = {"fit": ["scene.py", "--real", world / "real", "--out", "run"], "train": ["run", "--out", "a.safetensors"],
             "generate": ["run", "-n", 4, "--out", "set"], "evaluate": ["run", "--real", world / "real"]}[command]
    for option, value, wrong in (("--min-visibility", 1.5, "LabelPolicy needs min_visibility in 0..1"),
                                 ("--max-truncation", 1.5, "LabelPolicy needs max_truncation in 0..1"),
                                 ("--min-contrast", 1.5, "LabelPolicy needs min_contrast in 0..1"),
                                 ("--margin", 1.5, "LabelPolicy needs margins in -0.3..1"),
                                 ("--for-class", "coin:margin=-1", "got margin=-1.0 for 'coin'"),
                                 ("--for-class", "coin", "--for-class takes CLASS:OPTION=VALUE")):
        said = call(command, *start, option, value, code=2).replace("│", " ")
        assert wrong in " ".join(said.split())


def test_errors_in_the_val_part_are_told_and_not_got_round(world, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(world / "few", broken)
    lists = broken / "ImageSets" / "Main"
    names = [path.stem for path in sorted((broken / "Annotations").glob("*.xml"))]
    lists.mkdir(parents=True, exist_ok=True)
    for part, own in (("train", names[4:]), ("val", names[:4])):
        (lists / f"{part}.txt").write_text("\n".join(own))
    (broken / "Annotations" / f"{names[0]}.xml").write_text("<annotation>")
    said = call("train", broken, "--out", "a.safetensors", "--backbone", "small", "--steps", 20, code=1)
    assert f"{names[0]}.xml" in said


def test_labelled_photos_without_a_box_are_refused(world, tmp_path):
    blank = tmp_path / "blank"
    shutil.copytree(world / "few", blank)
    for path in (blank / "Annotations").glob("*.xml"):
        path.write_text(re.sub(r"<object>.*</object>", "", path.read_text(), flags=re.DOTALL))
    said = call("train", world / "few", "--out", "a.safetensors", "--backbone", "small", "--steps", 20,
                "--labelled", blank, code=1)
    assert "the 12 labelled photos have no box at all; leave them out" in " ".join(said.split())
