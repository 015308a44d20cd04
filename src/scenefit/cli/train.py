"""scenefit train: trains a detector on renders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    APART,
    NO_WORKERS,
    DeviceOption,
    FlatOption,
    LabelledFolder,
    LayoutOption,
    OutsideOption,
    SceneOption,
    SeedOption,
    Workers,
    drawing,
    keep_apart,
    label_options,
    name_skipped,
    one_thread,
    open_scene,
    photos,
    resolve,
    worker_options,
)

if TYPE_CHECKING:
    import numpy as np

    from scenefit.data.boxes import Boxes
    from scenefit.data.formats import LabelPolicy
    from scenefit.nets.centre_network import Detector
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_training import TrainingData

MIN_STEPS = 20
MIN_VALIDATION = 16  # renders that the threshold is set on


@console.command("Stopped. Run the same command again to resume after the last finished stage.",
                 memory="lower -n, or use smaller images")
@worker_options
@label_options
def train(
    source: Annotated[Path, typer.Argument(metavar="RUN|DATASET", help="The folder of a finished fit, or a data set of "
                                           "boxes (COCO, YOLO, Pascal VOC, KITTI).", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The detector to write, a .safetensors file.",
                                      show_default=False)],
    n: Annotated[int, typer.Option("-n", "--n", min=16, help="Images to train on.")] = 1000,
    labelled: Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False,
                                                  help="Photos with boxes, to fine-tune on at the end.")] = None,
    layout: LayoutOption = None,
    outside: OutsideOption = False,
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", show_default=False, help="Photos without "
                                              "labels, for self-training: confident detections in them become "
                                              "pseudo-labels.")] = None,
    flat_field: FlatOption = None,
    steps: Annotated[int, typer.Option("--steps", min=MIN_STEPS, help="Training steps.")] = 400,
    backbone: Annotated[str, typer.Option("--backbone", metavar="lite0|small", help="lite0: EfficientNet-Lite0 "
                                          "pre-trained on ImageNet, needs the extra lite0. small: a small network "
                                          "trained from scratch.")] = "lite0",
    train_backbone: Annotated[bool, typer.Option("--train-backbone",
                                                 help="Train the backbone too; best with --device cuda.")] = False,
    vertical_flip: Annotated[bool, typer.Option("--vertical-flip",
                                                help="Also flip vertically. Use for top-down images.")] = False,
    corruptions: Annotated[bool, typer.Option("--corruptions",
                                              help="Train on images with added dust and compression "
                                                  "artefacts, which photos have and renders lack.")] = False,
    scene: SceneOption = None,
    seed: SeedOption = 0,
    workers: Workers = NO_WORKERS,
    device: DeviceOption = "cpu",
    label_policy: "LabelPolicy | None" = None,
) -> None:
    """Train a detector on renders.

    \b
      scenefit train runs/smear -n 1000 --out detector.safetensors
      scenefit train runs/smear -n 1000 --real photos/ --out detector.safetensors
      scenefit train dataset/ --out detector.safetensors
      scenefit detect detector.safetensors photos/ --out found/

    Trains on n renders of a run's learned distribution, or on a written data set (its train part, if it has one). The
    confidence threshold maximises F1 on other renders, an eighth as many, or on the val part; with --labelled, on those
    photos.
    """
    from scenefit.files.lock import check_file
    from scenefit.metrics.average_precision import best_threshold, match_boxes
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
        if given is not None and not given.exists():  # now, not after rendering
            raise typer.BadParameter(f"--{name} {given} does not exist")
    check_file(out)  # now, not after training
    of_run = (source / "settings.json").exists()
    if label_policy is not None and not of_run:
        raise typer.BadParameter(f"{source} is a written data set: its labels were chosen when it was written; leave "
                                 "out --min-..., --max-truncation, --box and --margin")
    data_layout, few_layout = _layouts(None if of_run else source, labelled, layout)
    tuned_on = LabelledFolder(labelled, few_layout, outside)
    keep_apart(source, APART, real if of_run else None, tuned_on, flat_field if of_run else None)
    one_thread()
    where = resolve(device)
    with console.busy("Rendering, or reading"):
        images, labels, held, truth = (_of_run(source, scene, n, workers, where, label_policy)
                                       if of_run else _of_data(source, n, data_layout, outside))
    if not len(labels):
        raise ValueError(f"none of the {len(images)} images of {source} has a box, so there is nothing to learn")
    tuning = tuned_on.read(images.shape[1:3], flat_field)
    few = None if tuning is None else images_with_boxes(tuning, labelled)
    seen = None if real is None else photos(real, images.shape[1:3], flat=flat_field, outside=outside)
    names = {*labels.name.tolist(), *truth.name.tolist(), *([] if few is None else few[1].name.tolist())}
    task = Detect(tuple(sorted(names)), steps=steps, backbone=BACKBONES[backbone], train_backbone=train_backbone,
                  device=where, augment=Augment(vertical_flip=vertical_flip, corruptions=corruptions))
    data = TrainingData((images, labels), None if seen is None else seen.images, few)
    unfinished = out.with_suffix(".part.safetensors")
    network, (held, truth) = _train(task, data, seed, unfinished), few or (held, truth)
    match = match_boxes(task.predict(network, held), truth)
    threshold = best_threshold(match)
    true, false, missed = match.counts(threshold)
    info = {"source": str(source), "n": len(images), "seed": seed, "steps": steps}
    write_trained(out, TrainedDetector(task, network, (images.shape[1], images.shape[2]), threshold,
                                       flat_field is not None), info)
    unfinished.unlink(missing_ok=True)
    console.say(f"{out}: detects {', '.join(task.classes)}")
    images_of = "validation images" if few is None else "labelled photos, which it was trained on"
    console.say(f"On {len(held)} {images_of}: {true} found, {false} false, {missed} missed, at confidence "
                f"{threshold:.2f} or more")


def _train(task: "Detect", data: "TrainingData", seed: int, unfinished: Path) -> "Detector":
    from scenefit.tasks.detector_training import train_stages

    with console.bar() as progress:
        shown = progress.add_task("training", total=None)
        for stage in train_stages(task, data, seed, unfinished):
            progress.update(shown, completed=stage.done, total=stage.of, description=stage.text)
    return stage.network


def _of_run(source: Path, scene: Path | None, n: int, workers: Workers, device: str, label_policy: "LabelPolicy | None",
            ) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """Images and boxes of renders of a run's learned distribution, to train on and to set the threshold on."""
    import numpy as np

    from scenefit.renderers.batches import render_with_boxes
    from scenefit.run.folder import fit_model, open_run
    from scenefit.tasks.detector_data import VALIDATION

    opened = open_run(source)
    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    with drawing(found, workers, device, networks=True) as renderer:
        more = model.sample(np.arange(n, n + max(n // VALIDATION, MIN_VALIDATION)))
        return (*render_with_boxes(renderer, model.sample(np.arange(n)), label_policy),
                *render_with_boxes(renderer, more, label_policy))


def _layouts(source: Path | None, labelled: Path | None, layout: str | None) -> tuple[str | None, str | None]:
    """--layout for a data set and for labelled photos: it applies to those that have it, or to both if neither has."""
    from scenefit.data.photos.layouts import has_layout

    if layout is None:
        return None, None
    has = [place is not None and has_layout(place, layout) for place in (source, labelled)]
    source_has, labelled_has = has if any(has) else (True, True)
    return layout if source_has else None, layout if labelled_has else None


def _of_data(source: Path, n: int, layout: str | None, outside: bool,
             ) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """The same of a written data set."""
    from scenefit.tasks.detector_data import read_data_set

    learn, held = read_data_set(source, n, layout, outside=outside)
    name_skipped(tuple(dict.fromkeys((*learn.skipped, *held.skipped))))
    assert learn.boxes is not None and held.boxes is not None
    return learn.images, learn.boxes, held.images, held.boxes
