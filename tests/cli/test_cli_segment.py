"""Class masks through the command line: train, evaluate, segment. Scenes of 32 pixels, few training steps."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from blobs import LARGE, call, fit_command
from PIL import Image

import scenefit as sf
from scenefit.cli.train import new_task
from scenefit.data.class_mask_files import mask_png
from scenefit.data.mask_outlines import redraw
from scenefit.files.tensors import read_tensors
from scenefit.generation.dataset import generate
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.model import PriorModel
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.renderers.scene_file import load_scene

TRAIN = ("-n", 16, "--backbone", "small", "--steps", 20, "--out")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """scene.py, real/; few/ and held/ with class masks, and coco/ with boxes and masks; a fit of them in run/."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "scene.py").write_text(LARGE)
    scene = load_scene(folder / "scene.py")
    (folder / "real").mkdir()
    for number, image in enumerate(scene.renderer(scene.grammar.sample(5, 12)).images):
        Image.fromarray(image).save(folder / "real" / f"{number:02}.png")
    for name, seed, form in (("few", 1, "masks"), ("held", 2, "masks"), ("coco", 1, "coco")):
        generate(PriorModel(scene.grammar, seed), scene.renderer, 12, folder / name, form, validation=0.25)
    call(*fit_command(folder, folder / "run"))
    return folder


@pytest.fixture(autouse=True)
def quick(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setattr("scenefit.cli.train.new_task", partial(new_task, augmented_copies=1, batch=4))


@pytest.fixture(scope="module")
def network(world, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "s.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenefit.cli.train.new_task", lambda *given, augment, **more: new_task(
            *given, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE, **more))
        said = call("train", world / "run", "--task", "segmentation", "-n", 64, "--backbone", "small", "--steps", 60,
                    "--out", path)
    assert "s.safetensors: segments blob" in said and "On 16 held-out renders: IoU " in said
    return path


def test_a_network_trained_on_renders_of_a_run_segments_photos(world, network):
    trained = sf.load_segmenter(network)
    few = sf.read_masks(world / "held", trained.size)
    assert trained.task.evaluate(trained.network, few.images, few.masks)["mIoU"] > 0.5
    assert trained.task.classes == ("blob",) and len(trained.threshold) == 1 and len(trained.photos) == 12


def test_masks_of_labelled_photos_ask_for_segmentation_and_come_last(world):
    run, few = world / "run", ["--labelled", world / "few"]
    call("train", run, "--task", "segmentation", *TRAIN, "a.safetensors")
    said = call("train", run, *TRAIN, "b.safetensors", *few, "--no-select", "--real", world / "real")
    assert "Kept from an earlier training, not trained again: training on 16 renders\n" in said
    assert "Self-training round 1 of 2: pseudo-labels (confidence 0.5 or more) on " in said
    assert "Its confidence threshold, 0." in said and "chosen on the 12 labelled photos that it was trained on" in said
    assert "masks have no border of ignored pixels" in said and "masks are as wide as what is visible (" in said
    assert "Labels of the photos" not in call("train", run, *TRAIN, "c.safetensors", *few, "--no-select",
                                              "--no-read-policy")
    said = call("train", run, "--task", "segmentation", *TRAIN, "c.safetensors", "--margin", 0.1, "--min-side", 2)
    assert "--margin: not used, as the labels are class masks." in said and "none of " not in said
    said = call("train", run, *TRAIN, "c.safetensors", "--mask-border", 2)
    assert "--mask-border: not used, as the labels are boxes." in said
    a, b = (read_tensors(f"{name}.safetensors", "")[0] for name in "ab")
    assert any((a[name] != b[name]).any() for name in a)
    said = call("train", run, *TRAIN, "d.safetensors", *few, "--task", "detection", code=1)
    assert "has class masks; detection needs photos with boxes" in " ".join(said.split())
    said = call("train", run, *TRAIN, "d.safetensors", "--task", "poses", code=2)
    assert "--task must be one of detection, segmentation, got poses" in " ".join(said.replace("│", " ").split())


def test_labelled_photos_of_other_classes_are_warned_of(world):
    shutil.copytree(world / "few", "other")
    for name in ("labelmap.txt", "objects.csv", "provenance.json"):
        path = Path("other", name)
        path.write_text(path.read_text().replace("blob", "coin"))
    command = ("train", world / "run", *TRAIN, "a.safetensors", "--labelled", "other", "--no-select")
    assert "are of the classes ['coin'], and 32 renders have ['blob']" in " ".join(call(*command, code=1).split())
    said = " ".join(call(*command, "--no-read-policy").split())
    assert "warning: no render shows a class of the labelled photos: renders show blob, the photos coin; the" in said
    assert "thresholds were chosen on do not show blob, so this threshold is 0.5" in said
    assert sf.load_segmenter("a.safetensors").task.classes == ("blob", "coin")


def test_labelled_photos_select_the_renders_by_iou(world, monkeypatch):
    monkeypatch.setattr("scenefit.tasks.selection.RESAMPLES", 5)
    said = " ".join(call("train", world / "run", *TRAIN, "a.safetensors", "--labelled", world / "few").split())
    assert "selected by 12 labelled photos (IoU: mean over the classes): learned: IoU " in said
    chosen = read_tensors("a.safetensors", "")[1]["info"]["selection"]
    assert chosen["metric"] == "IoU" and set(chosen["scores"]) == {"learned", "half wide", "wide"}


def test_labelled_photos_alone(world):
    said = call("train", "--labelled-only", world / "few", "--size", "32x32", *TRAIN[2:], "a.safetensors")
    assert "On 2 held-out labelled photos: IoU " in said


def test_evaluate_measures_a_network_without_training(world, network, monkeypatch):
    monkeypatch.setattr(sf.Segment, "train", None)
    said = call("evaluate", network, "--labelled", world / "held", "--out", "measured.json")
    record = json.loads(Path("measured.json").read_text())
    for text in ("Pixels of 12 labelled photos: IoU ", "pixel AP", "At one threshold for each class: IoU ",
                 f"{record['iou']:.1%}", "another training would differ, too", "Written to measured.json"):
        assert text in said, text
    assert record["network"] == str(network) and record["used"] == 0 and record["iou"] > 0.5
    assert [Path(row["path"]).name for row in record["photos"]] == [
        path.name for path in sf.read_masks(world / "held", (32, 32)).paths]
    call("train", world / "run", *TRAIN, "a.safetensors", "--labelled", world / "few", "--no-select")
    command = ["evaluate", "a.safetensors", "--labelled", world / "few"]
    assert "12 of the 12 labelled photos fitted, trained or selected this network" in " ".join(
        call(*command, code=1).split())
    assert call(*command, "--force").startswith("No test (--force): 12 of the 12 labelled photos fitted, trained or")


def test_detect_writes_masks_of_the_whole_photos(world, network):
    """Photos three times as large, with a border that the crop cuts off."""
    scene = load_scene(world / "scene.py")
    frames = scene.renderer(scene.grammar.sample(9, 4))
    Path("photos").mkdir()
    for number, image in enumerate(frames.images):
        wide = np.zeros((96, 136, 3), np.uint8)
        wide[:, 20:116] = image.repeat(3, 0).repeat(3, 1)
        Image.fromarray(wide).save(f"photos/{number}.png")
    Path("photos/broken.jpg").write_bytes(b"no")
    said = call("detect", network, "photos", "--out", "found")
    assert "warning: skipped photos/broken.jpg: " in said
    assert "4 photos (1 skipped): blob on " in said and "found/masks" in said
    found = np.stack([np.asarray(Image.open(f"found/masks/{number}.png")) for number in range(4)])
    assert (found[:, :, :20] == 255).all() and (found[:, :, 116:] == 255).all() and found.shape == (4, 96, 136)
    truth = (frames.instances > 0).repeat(3, 1).repeat(3, 2)
    both = ((found[:, :, 20:116] == 1) & truth).sum() / ((found[:, :, 20:116] == 1) | truth).sum()
    assert both > 0.5
    assert "blob:128,0,0::" in Path("found/labelmap.txt").read_text()
    assert len(Path("found/areas.csv").read_text().splitlines()) == 5 and Path("found/3.png.png").exists()
    call("detect", network, "photos", "--out", "plain", "--no-pictures")
    assert not list(Path("plain").glob("*.png")) and len(list(Path("plain/masks").iterdir())) == 4
    said = call("detect", network, "photos", "--out", "other", "--threshold", 0.5, code=1)
    assert "--threshold: only for detectors, and this is a segmentation network" in " ".join(said.split())


def test_masks_among_photos_are_not_segmented(world, network):
    """As Roboflow writes them; then photos of a list file."""
    for name in ("a", "b"):
        Path("photos").mkdir(exist_ok=True)
        shutil.copy(world / "real/00.png", f"photos/{name}.png")
        Image.new("L", (32, 32)).save(f"photos/{name}_mask.png")
    Path("photos/_classes.csv").write_text("Pixel Value, Class\n0, background\n1, blob\n")
    said = " ".join(call("detect", network, "photos", "--out", "found").split())
    assert "warning: skipped photos: holds 2 masks beside photos, such as a_mask.png, which are no photos" in said
    assert sorted(path.name for path in Path("found/masks").iterdir()) == ["a.png", "b.png"]
    held = world / "held/ImageSets/Segmentation/val.txt"
    call("detect", network, held, "--out", "listed", "--no-pictures")
    names = [path.stem for path in Path("listed").rglob("*.png")]
    assert sorted(names) == sorted(held.read_text().split())


def test_a_network_is_exported_as_onnx(world, network):
    said = " ".join(call("export", network, "--onnx", "a.onnx").split())
    assert "a.onnx: segments blob in images of 32 x 32 pixels; each pixel has its most likely class" in said
    assert "in 4 test images the same probabilities as scenefit, with differences of up to " in said
    photos = sf.read_masks(world / "held", (32, 32)).images
    masks = onnxruntime.InferenceSession("a.onnx").run(["masks"], {"images": photos})[0]
    assert (masks == sf.load_segmenter(network).segment(photos).masks).mean() > 0.999


def test_masks_reward_a_fit_and_a_run_is_evaluated_on_them(world, monkeypatch):
    monkeypatch.setattr("scenefit.tasks.from_labels.Segment", lambda classes, device: sf.Segment(
        classes, steps=10, batch=8, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps, device=device))
    shutil.copytree(world / "few", "few")
    for path in Path("few/SegmentationClass").iterdir():  # with a border, as Pascal VOC's
        mask = np.asarray(Image.open(path))
        path.write_bytes(mask_png(redraw(mask, mask.astype(np.int32), 0, 4)))
    said = call(*fit_command(world, "run", "--labelled", "few", "--box", "amodal"))
    assert "--box: not used, as the labels are class masks." in said
    assert "masks have a border of ignored pixels along outlines, 4 pixels wide" in said
    assert json.loads(Path("run/label_policy.json").read_text())["policy"]["mask_border"] == 4
    assert "a border of ignored pixels along outlines, 4 pixels wide" in Path("run/report.html").read_text()
    call("generate", "run", "-n", 4, "--format", "masks", "--out", "drawn")
    ignored = [(np.asarray(Image.open(path)) == 255).sum() for path in Path("drawn/SegmentationClass").iterdir()]
    assert min(ignored) > 60
    steps = [json.loads(line) for line in Path("run/steps.jsonl").read_text().splitlines()]
    assert [0 <= step["metric"] <= 1 for step in steps if step["stage"] == "task-reward"] == [True, True]
    said = call("evaluate", "run", "--real", world / "real", "--labelled", world / "held", "--renders", 16, "--images",
                16, "--repeats", 1, "--margin", 0.1)
    assert "--margin: not used, as the labels are class masks." in said
    assert "mIoU on 12 labelled photos: one training on 16 images each" in said and "pixel AP blob" in said
    found = json.loads(Path("run/evaluation.json").read_text())
    assert found["metric"] == "mIoU" and set(found["metrics"]) == {"grammar", "shrunk", "learned"}
    call("report", "run")
    page = Path("run/report.html").read_text()
    iou = found["metrics"]["learned"]["mIoU"][0]
    for text in ("Segmentation of 12 labelled photos, by training data", f"mIoU {iou:.1%}",
                 "How masks are drawn: in renders and by people"):
        assert text in page, text
    assert page.count('<img alt="trained on learned"') == 3 and "trained on shrunk" not in page


@pytest.mark.parametrize(("form", "unused"), [("masks", "--box"), ("coco", "--mask-margin, --mask-border"),
                                              ("yolo-seg", "--box, --mask-margin, --mask-border")])
def test_label_options_that_a_format_does_not_use_are_named(world, form, unused):
    said = call("generate", world / "scene.py", "-n", 1, "--format", form, "--out", form, "--min-side", 2, "--box",
                "amodal", "--mask-margin", 1, "--mask-border", 4)
    assert f"{unused}: not used, as the labels are of the format {form}." in said.splitlines()


def test_the_task_of_a_fit_and_of_an_evaluation_is_chosen_where_labels_are_of_both(world, monkeypatch):
    """COCO's, whose masks are read where segmentation is asked for; by default the task is detection."""
    monkeypatch.setattr("scenefit.tasks.from_labels.Segment", lambda classes, device: sf.Segment(
        classes, steps=2, batch=4, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps, device=device))
    monkeypatch.setattr("scenefit.tasks.from_labels.Detect", lambda classes, device: sf.Detect(
        classes, steps=2, batch=4, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps, device=device))
    coco, few = ("--labelled", world / "coco"), ("--labelled", world / "few")
    said = call(*fit_command(world, "run", *coco, "--task", "segmentation", "--set", "task.steps=1"))
    assert "masks have no border of ignored pixels" in said and "boxes go around" not in said
    command = ("evaluate", "run", *coco, "--renders", 16, "--images", 16, "--repeats", 1)
    assert "mIoU on 12 labelled photos" in call(*command, "--task", "segmentation")
    assert "mAP50 on 12 labelled photos" in call(*command) and not Path("run/segmentations.safetensors").exists()
    for words, code, text in (
            ((*command[:2], *few, "--task", "detection"), 1, "few has class masks; detection needs photos with boxes"),
            ((*command, "--task", "poses"), 2, "--task must be one of detection, segmentation, got poses"),
            ((*command[:2], "--real", world / "real", "--task", "detection"), 2, "--task says what labelled photos"),
            (fit_command(world, "b", *few, "--task", "detection"), 1, "detection needs photos with boxes"),
            (fit_command(world, "b", "--task", "detection"), 2, "give some with --labelled, or leave it out")):
        assert text in " ".join(call(*words, code=code).replace("│", " ").split()), words
    assert not Path("b").exists()


def test_a_data_set_with_masks_is_trained_on(world):
    said = call("train", world / "few", *TRAIN[2:], "a.safetensors")
    assert "a.safetensors: segments blob" in said and " held-out renders: IoU " in said
    assert sf.load_segmenter("a.safetensors").size == (32, 32)
    said = " ".join(call("train", world / "real", "--task", "segmentation", *TRAIN, "a.safetensors", code=1).split())
    assert "real is no run folder (it has no settings.json), nor a data set of class masks: " in said
    Path("classes/a").mkdir(parents=True)
    shutil.copy(world / "real/00.png", "classes/a")
    said = " ".join(call("train", "classes", *TRAIN, "a.safetensors", code=1).split())
    assert "it has labels of whole photos, one subfolder for each class, and boxes or class masks are needed" in said
    said = call("train", world / "few", *TRAIN[2:], "a.safetensors", "--task", "detection", code=1)
    assert "has class masks; detection needs photos with boxes" in " ".join(said.split())


def test_masks_of_data_sets_with_boxes_are_read_where_the_task_asks_for_them(world, network):
    only = ("--labelled-only", world / "coco", *TRAIN[2:])
    assert "segments blob" in call("train", *only, "masks.safetensors", "--task", "segmentation")
    assert "detects blob" in call("train", *only, "boxes.safetensors")
    assert "segments blob" in call("train", world / "coco", "--task", "segmentation", *TRAIN[2:], "set.safetensors")
    said = call("evaluate", network, "--labelled", world / "coco")
    assert "Pixels of 12 labelled photos: IoU " in said
