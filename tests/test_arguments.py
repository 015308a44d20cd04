"""Arguments of another kind, swapped ones among them: which one it is, what it takes, and what it got."""

import numpy as np
import pytest
import torch
from PIL import Image
from toys import dot, dots

import scenefit as sf
from scenefit.data.boxes import no_boxes
from scenefit.evaluation.evaluate import evaluate
from scenefit.metrics.features import pixels
from scenefit.nets.scene_distribution import SceneDistribution

GRAMMAR, RENDERER = dot(sf.learned(sf.Uniform(2, 14))), dots()
MODEL = sf.Model(SceneDistribution(GRAMMAR))
PHOTOS = sf.Photos(np.zeros((12, 16, 16, 3), np.uint8), (), (), np.full(12, ""), no_boxes(12))
READERS = [sf.read_photos, sf.read_few, sf.read_labelled, sf.read_boxes, sf.read_masks, sf.read_part]


def refused(text, call, *given, **more):
    with pytest.raises(ValueError) as caught:
        call(*given, **more)
    assert text in str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_readers_of_photos(read, tmp_path):
    (tmp_path / "a").mkdir()
    place = "place" if read is sf.read_photos else "folder"
    call, of_size = f"{read.__name__}({place}, size): ", "size needs (height, width) in pixels, both whole numbers >= 1"
    refused(f'{call}{place} needs the name of a folder, such as "photos/"; got tuple (6, 8)', read, (6, 8), tmp_path)
    refused("got a value of type Photos", read, PHOTOS, (16, 16))
    refused("got an array of uint8 [12, 16, 16, 3]", read, PHOTOS.images, (16, 16))
    refused("got None", read, None, (16, 16))
    for size, got in ((64, "int 64"), ((64,), "tuple (64,)"), ((48.0, 64), "tuple (48.0, 64)"), (None, "None"),
                      ((48, 64, 3), "tuple (48, 64, 3)"), ("train", "str 'train'"), ((True, 8), "tuple (True, 8)"),
                      (("48", "64"), "tuple ('48', '64')"), ((-6, 8), "tuple (-6, 8)")):
        refused(f"{call}{of_size}, such as (48, 64); got {got}", read, str(tmp_path), size)
    if read is not sf.read_labelled:
        for most in (0, 2.5, "all", True):
            refused("max_photos needs a whole number >= 1, or None for all photos; got", read, tmp_path, (6, 8),
                    max_photos=most)


@pytest.mark.parametrize("size", [[6, 8], np.array([6, 8]), (np.int64(6), 8)])
def test_a_size_may_be_a_list(size, tmp_path, recwarn):  # of the crop
    Image.fromarray(PHOTOS.images[0]).save(tmp_path / "zq7.png")
    assert sf.read_photos(tmp_path, size).images.shape[1:3] == (6, 8)


@pytest.mark.parametrize("given, text", [
    ((RENDERER, GRAMMAR, 8, "zq7"), "model needs a model, as scenefit.fit returns it, or a scenefit.Grammar for scenes "
                                    "of its prior; got a value of type Sprites"),
    ((GRAMMAR.sample(0, 4), RENDERER, 8, "zq7"), "got a value of type SceneBatch"),
    ((MODEL, GRAMMAR, 8, "zq7"), "renderer needs a renderer: a function below @scenefit.each"),
    ((MODEL, RENDERER, "zq7", 8), "n needs a whole number >= 1, of images; got str 'zq7'"),
    ((MODEL, RENDERER, 1e3, "zq7"), "got float 1000.0"), ((MODEL, RENDERER, 0, "zq7"), "got int 0"),
    ((MODEL, RENDERER, 8, None), 'out needs the name of a folder, such as "dataset/"; got None'),
    ((MODEL, RENDERER, 8, "zq7", ["coco"]), "format needs one of folder, coco, yolo, voc, kitti, coco-seg, yolo-seg, "
     "masks, cityscapes, or"),
    ((MODEL, RENDERER, 8, "zq7", sf.LabelPolicy()), "got a value of type LabelPolicy")])
def test_generate(given, text):
    refused("generate(model, renderer, n, out, format): ", sf.generate, *given)
    refused(text, sf.generate, *given)


def test_generate_says_what_its_options_take():
    refused("validation needs a share in 0..1", sf.generate, MODEL, RENDERER, 8, "zq7", validation="0.1")
    refused("info needs a dictionary, or None; got list", sf.generate, MODEL, RENDERER, 8, "zq7", info=["zq8"])


@pytest.mark.parametrize("given, text", [
    ((GRAMMAR, RENDERER, PHOTOS, pixels(4)), "model needs a model, as scenefit.fit or scenefit.load returns it; got"),
    ((MODEL, PHOTOS, RENDERER, pixels(4)), "renderer needs a renderer"),
    ((MODEL, RENDERER, "photos/", pixels(4)), "real needs Photos, as scenefit.read_photos(folder, (height, width)) "
                                              "returns them; got str 'photos/'"),
    ((MODEL, RENDERER, PHOTOS, PHOTOS), "extractor needs a function from images [N, 3, H, W] to features [N, F]"),
    ((MODEL, RENDERER, PHOTOS, pixels(4), ["few/"]), "labelled needs Photos, as scenefit.read_few(folder, "),
    ((MODEL, RENDERER, PHOTOS, pixels(4), None, {"renders": 9}), "settings needs scenefit.evaluation.evaluate.")])
def test_evaluate(given, text):
    refused(text, evaluate, *given)


@pytest.mark.parametrize("given, text", [
    ((PHOTOS, PHOTOS.boxes, ["dot"]), "predicted needs Boxes, such as photos.boxes, scenefit.label_boxes(frames) or "),
    ((PHOTOS.boxes, PHOTOS, ["dot"]), "truth needs Boxes"),
    ((PHOTOS.boxes, PHOTOS.boxes, "dot"), "classes needs names of classes, such as [\"coin\"]; got str 'dot'"),
    ((PHOTOS.boxes, PHOTOS.boxes, 3), "got int 3"), ((PHOTOS.boxes, PHOTOS.boxes, [1, 2]), "got list [1, 2]")])
def test_average_precision(given, text):
    refused(text, sf.average_precision, *given)
    refused("average_precision(predicted, truth, classes): ", sf.average_precision, *given)


@pytest.mark.parametrize("task", [sf.Detect, sf.Classify])
def test_classes_of_a_task(task):
    for classes, got in (("coin", "str 'coin'"), ((), "tuple ()"), (3, "int 3"),
                         (["a", "b", "a"], "list ['a', 'b', 'a']"), ((1, 2), "tuple (1, 2)"),
                         ({"a": 1}, "dict {'a': 1}")):
        refused(f'{task.__name__}(classes): classes needs different names of classes, such as ("coin", "plate"); got '
                f"{got}", task, classes)
    assert task(["zq7", "zq8"]).classes == ("zq7", "zq8")


FRAMES = RENDERER(GRAMMAR.sample(0, 4))


@pytest.mark.parametrize("call, text", [
    (lambda: sf.Photos("photos/"), "Photos(images): images needs uint8 images [N, H, W, 3]; scenefit.read_photos(fold"),
    (lambda: sf.Model(GRAMMAR), "distribution needs a SceneDistribution; scenefit.load(path, grammar) reads a model;"),
    (lambda: MODEL.sample("8"), "indices needs a number of scenes >= 0, or a list of their indices; got str '8'"),
    (lambda: MODEL.sample(8.0), "got float 8.0"), (lambda: MODEL.sample(-1), "got int -1"),
    (lambda: sf.label_boxes(PHOTOS), "label_boxes(frames, label_policy=None): frames needs Frames, as scenefit.render"),
    (lambda: sf.label_boxes(FRAMES, {"min_pixels": 4}), "label_policy needs scenefit.LabelPolicy(...), or None; got"),
    (lambda: sf.fit_label_policy(MODEL, RENDERER, "few"), "fit_label_policy(model, renderer, labelled): labelled"),
    (lambda: sf.flat_field("photos/"), "flat_field(images): images needs uint8 images [N, H, W, 3], such as"),
    (lambda: sf.flat_field(PHOTOS), "got a value of type Photos"),
    (lambda: sf.correct_flat_field(PHOTOS.images, "zq7"), "field needs the array that flat_field(images) returns; got"),
    (lambda: sf.correct_flat_field(PHOTOS, None), "correct_flat_field(images, field): images needs"),
    (lambda: sf.Detect(("dot",)).train(FRAMES.images, FRAMES.objects, 0), "labels needs Boxes, such as scenefit."),
    (lambda: sf.Settings(device="gpu"), "device must be cpu, cuda or a certain GPU such as cuda:1, got 'gpu'")])
def test_more_functions(call, text):
    refused(text, call)


def test_photos_of_images_alone_and_no_scenes():
    photos = sf.Photos(PHOTOS.images)
    assert (photos.paths, photos.skipped, photos.label.tolist(), photos.boxes) == ((), (), [""] * 12, None)
    assert len(MODEL.sample(0)) == len(MODEL.sample([])) == 0 and MODEL.sample(0).kinds == MODEL.sample(1).kinds


def test_a_missing_gpu_is_named_before_the_work(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    labelled = sf.Photos(PHOTOS.images, label=np.full(12, "a"))
    refused('settings.device is "cuda", but ', sf.fit_steps, GRAMMAR, RENDERER, PHOTOS, labelled,
            settings=sf.Settings(device="cuda"))
