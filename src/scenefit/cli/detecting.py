"""scenefit train and detect: a detector from renders, and what it finds in photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    APART,
    BoxOption,
    ContrastOption,
    CutOption,
    DeviceOption,
    FlatOption,
    MarginOption,
    PixelsOption,
    SceneOption,
    SeedOption,
    SeenOption,
    SideOption,
    WorkersOption,
    drawing,
    flat_field_hash,
    flat_field_of,
    keep_apart,
    keep_of,
    labelled_photos,
    name_skipped,
    one_thread,
    open_scene,
    photos,
    resolve,
)

if TYPE_CHECKING:
    import numpy as np

    from scenefit.data.boxes import Boxes
    from scenefit.data.formats import LabelPolicy
    from scenefit.nets.centre_network import Detector
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_training import TrainingData

LEAST = 20  # steps of a training
MIN_VALIDATION = 16  # renders to choose the threshold on


@console.command("Stopped. The same command goes on after the last stage that was done.")
def train(
    source: Annotated[Path, typer.Argument(metavar="RUN|DATASET", help="The folder of a finished fit, or a data set of "
                                           "boxes (COCO, YOLO, Pascal VOC, KITTI).", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The detector to write, a .safetensors file.",
                                      show_default=False)],
    n: Annotated[int, typer.Option("-n", "--n", min=16, help="Images to train on.")] = 1000,
    labelled: Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False,
                                                  help="Photos with boxes, to go on learning from at the end.")] = None,
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", show_default=False, help="Photos without "
                                              "labels, to go on learning from: what is surely found in them counts as "
                                              "their labels.")] = None,
    flat_field: FlatOption = None,
    steps: Annotated[int, typer.Option("--steps", min=LEAST, help="Steps of the training.")] = 400,
    backbone: Annotated[str, typer.Option("--backbone", metavar="lite0|small", help="lite0: EfficientNet-Lite0 as "
                                          "ImageNet trained it, needs the extra lite0. small: a small network that is "
                                          "trained from nothing.")] = "lite0",
    train_backbone: Annotated[bool, typer.Option("--train-backbone",
                                                 help="Train the backbone too; best with --device cuda.")] = False,
    vertical_flip: Annotated[bool, typer.Option("--vertical-flip",
                                                help="Also flip vertically. Use for top-down images.")] = False,
    corruptions: Annotated[bool, typer.Option("--corruptions",
                                              help="Add dust and compression to what it learns from, as photos "
                                       "have them and renders have not.")] = False,
    scene: SceneOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
    device: DeviceOption = "cpu",
    min_pixels: PixelsOption = 4,
    min_visibility: SeenOption = 0.05,
    min_side: SideOption = 1,
    max_truncation: CutOption = 1.0,
    min_contrast: ContrastOption = 0.0,
    box: BoxOption = "visible",
    margin: MarginOption = 0.0,
) -> None:
    """Train a detector on renders.

    \b
      scenefit train runs/smear -n 1000 --out detector.safetensors
      scenefit train runs/smear -n 1000 --real photos/ --out detector.safetensors
      scenefit train dataset/ --out detector.safetensors
      scenefit detect detector.safetensors photos/ --out found/

    On n renders of what a run learned, or on a written data set (its train part, if it has one). The threshold from
    which detections are believed is set on other renders, an eighth as many, or on the val part; with --labelled, on
    those photos.
    """
    from scenefit.metrics.average_precision import best_threshold, matched
    from scenefit.nets.augmentation import Augment
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_data import images_with_boxes
    from scenefit.tasks.detector_file import BACKBONES, TrainedDetector, write_trained
    from scenefit.tasks.detector_training import TrainingData

    if backbone not in BACKBONES:
        raise typer.BadParameter(f"--backbone must be one of {', '.join(BACKBONES)}, got {backbone}")
    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"--out must name a file that ends in .safetensors, got {out}")
    if flat_field is not None and labelled is None and real is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real or --labelled, or leave it out")
    for name, given in (("labelled", labelled), ("real", real), ("flat-field", flat_field)):
        if given is not None and not given.exists():  # found out now, not after the renders
            raise typer.BadParameter(f"--{name} {given} does not exist")
    keep = keep_of(min_pixels, min_visibility, min_side, max_truncation, min_contrast, box, margin)
    of_run = (source / "settings.json").exists()
    if keep is not None and not of_run:
        raise typer.BadParameter(f"{source} is a written data set: which objects have labels was settled when it was "
                                 "written; leave --min-... , --max-truncation, --box and --margin out")
    if of_run:
        keep_apart(source, APART, real, labelled, flat_field)
    one_thread()
    where = resolve(device)
    with console.busy("Drawing, or reading"):
        images, labels, held, truth = (_of_run(source, scene, n, workers, where, keep)
                                       if of_run else _of_data(source, n))
    if not len(labels):
        raise ValueError(f"no object of the {len(images)} images of {source} has a box, so there is nothing to learn")
    tuning = labelled_photos(labelled, images.shape[1:3], flat_field)
    few = None if tuning is None else images_with_boxes(tuning, labelled)
    seen = None if real is None else photos(real, images.shape[1:3], flat=flat_field)
    names = {*labels.name.tolist(), *truth.name.tolist(), *([] if few is None else few[1].name.tolist())}
    task = Detect(tuple(sorted(names)), steps=steps, backbone=BACKBONES[backbone], train_backbone=train_backbone,
                  device=where,
                  augment=Augment(vertical_flip=vertical_flip, corruptions=corruptions))
    data = TrainingData((images, labels), None if seen is None else seen.images, few)
    network, (held, truth) = _train(task, data, seed, out), few or (held, truth)
    match = matched(task.predict(network, held), truth)
    threshold = best_threshold(match)
    true, false, missed = match.counts(threshold)
    info = {"source": str(source), "n": len(images), "seed": seed, "steps": steps}
    write_trained(out, TrainedDetector(task, network, (images.shape[1], images.shape[2]), threshold,
                                       flat_field is not None), info)
    _kept(out).unlink(missing_ok=True)
    console.say(f"{out}: finds {', '.join(task.classes)}")
    told = "images like those it learned from" if few is None else "labelled photos, which it learned from"
    console.say(f"On {len(held)} {told}: {true} found, {false} false, {missed} missed, at scores from "
                f"{threshold:.2f} on")


@console.command("Stopped. The same command goes on where it stood.")
def detect(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="A file that scenefit train wrote.",
                                             show_default=False)],
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, in any depth.",
                                           show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where found.json and the pictures go.",
                                      show_default=False)],
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Leave out what is less sure.",
                                                    show_default="the detector's own")] = None,
    flat_field: FlatOption = None,
    device: DeviceOption = "cpu",
) -> None:
    """Find objects in photos.

    \b
      scenefit detect detector.safetensors photos/ --out found/

    Writes found/found.json, a list like COCO's results: file_name, image_id (the photo's place in the sorted list),
    category_id (from 1, in the order of the sorted classes), category, bbox (x, y, width, height in pixels of the whole
    photo), score; and each photo with its boxes drawn, as PNG, small ones enlarged. Photos are brought to the size that
    the detector was trained on, the centre cropped: what the crop cuts off is not searched.
    """
    from scenefit.data.image_files import ENDINGS, check_folder, describe_skipped, find_photos, warn_12_bit
    from scenefit.files.atomic import content_hash
    from scenefit.files.lock import lock
    from scenefit.tasks.detector_file import read_trained
    from scenefit.tasks.folder_detection import detect_steps

    one_thread()
    trained = read_trained(detector, resolve(device))
    least = trained.threshold if threshold is None else threshold
    check_folder(photos)
    keep_apart(out, "give --out a folder elsewhere", flat=flat_field)
    field = flat_field_of(flat_field, trained.size)
    if trained.flat_field and field is None:
        console.warn(f"{detector} learned from photos without their camera's pattern, and these keep theirs; "
                     f"--flat-field {photos} takes it out")
    paths, others = find_photos(photos, out)  # what was found is not searched
    if not paths:
        raise ValueError(f"no photo in {photos}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(others)}")
    plan = {"detector": content_hash(detector.read_bytes()), "flat field": flat_field_hash(flat_field, trained.size)}
    with lock(out), console.bar() as progress:
        shown = progress.add_task("photos", total=len(paths))
        for done in detect_steps(trained, photos, paths, out, threshold=least, flat_field=field, plan=plan):
            progress.update(shown, completed=done.photos)
    skipped = (*others, *done.skipped)
    name_skipped(skipped)
    warn_12_bit(photos, done.n_12_bit)
    more = f" ({len(skipped):,} skipped)" if skipped else ""
    console.say(f"{len(done.rows):,} objects in {len(paths) - len(done.skipped):,} photos{more}: {out / 'found.json'}")


def _train(task: "Detect", data: "TrainingData", seed: int, out: Path) -> "Detector":
    from scenefit.tasks.detector_training import train_stages

    with console.bar() as progress:
        shown = progress.add_task("learning", total=None)
        for stage in train_stages(task, data, seed, _kept(out)):
            progress.update(shown, completed=stage.done, total=stage.of, description=stage.text)
    return stage.network


def _kept(out: Path) -> Path:
    """Where the last finished stage is kept while a detector is trained."""
    return out.with_suffix(".part.safetensors")


def _of_run(source: Path, scene: Path | None, n: int, workers: int, device: str, keep: "LabelPolicy | None",
            ) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """Images and boxes of renders of what a run learned, to train on and to choose the threshold on."""
    import numpy as np

    from scenefit.renderers.batches import render_with_boxes
    from scenefit.run.folder import fit_model, open_run
    from scenefit.tasks.detector_data import VALIDATION

    opened = open_run(source)
    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    with drawing(found, workers, device) as renderer:
        more = model.sample(np.arange(n, n + max(n // VALIDATION, MIN_VALIDATION)))
        return (*render_with_boxes(renderer, model.sample(np.arange(n)), keep),
                *render_with_boxes(renderer, more, keep))


def _of_data(source: Path, n: int) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """The same of a written data set."""
    from scenefit.tasks.detector_data import read_data_set

    learn, held = read_data_set(source, n)
    name_skipped(tuple(dict.fromkeys((*learn.skipped, *held.skipped))))
    assert learn.boxes is not None and held.boxes is not None
    return learn.images, learn.boxes, held.images, held.boxes
