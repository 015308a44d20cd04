"""scenefit train: trains a detector on renders, or on labelled photos alone."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
    grouped,
    keep_apart,
    label_options,
    name_skipped,
    one_thread,
    open_scene,
    photos,
    resolve,
    worker_options,
)
from scenefit.cli.randomisation import NAMES, NOTHING_RANDOM, OPTIONS, Randomisation, checked, randomised

if TYPE_CHECKING:
    import numpy as np

    from scenefit.data.boxes import Boxes
    from scenefit.data.formats import LabelPolicy
    from scenefit.data.photos import Photos
    from scenefit.nets.centre_network import Detector
    from scenefit.run.folder import Run
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_training import TrainingData

MIN_STEPS = 20
IMAGES = 1000  # to train on
MIN_VALIDATION = 16  # renders that the threshold is set on
PART = ".part.safetensors"  # ending of the file of the last finished stage, where a run's folder does not keep it
STAGES = "stages"  # the folder of finished stages in a run folder
LABELS = "--min-..., --max-truncation, --box and --margin"


class _Images(NamedTuple):
    """What a detector is trained on first. learn: images and boxes; held: those that its threshold is chosen on.
    held_out: what these are, "" where they are those of learn.  name: what an image is.  photos: those of the images
    that were read from files.  policy: by which renders got their labels, where it is not the default.  used: hashes of
    the photos that the distribution of renders was fitted to."""

    learn: "tuple[np.ndarray, Boxes]"
    held: "tuple[np.ndarray, Boxes]"
    held_out: str
    name: str = "render"
    photos: "tuple[Photos, ...]" = ()
    policy: "LabelPolicy | None" = None
    used: frozenset[str] = frozenset()


@console.command("Stopped. Run the same command again to resume after the last finished stage.",
                 memory="lower -n, or use smaller images (--size, with --labelled-only)")
@worker_options
@label_options
@partial(grouped, name="randomisation", options=OPTIONS, make=checked)
def train(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The detector to write, a .safetensors file.",
                                      show_default=False)],
    source: Annotated[Path | None, typer.Argument(metavar="RUN|DATASET", help="The folder of a finished fit, or a "
                                                  "data set of boxes (COCO, YOLO, Pascal VOC, KITTI).",
                                                  show_default=False)] = None,
    labelled_only: Annotated[Path | None, typer.Option("--labelled-only", metavar="DIR", show_default=False,
                                                       help="Instead of RUN or DATASET: train on these photos with "
                                                       "boxes alone, to see what renders could reach at best.")] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="HEIGHTxWIDTH", help="With --labelled-only: pixels that "
                                             "the photos are scaled to, such as 240x320; those of the renders, to "
                                             "compare with a detector trained on them.",
                                             show_default="that of the first photo")] = None,
    n: Annotated[int | None, typer.Option("-n", "--n", min=16, help="Images to train on.",
                                          show_default=str(IMAGES))] = None,
    labelled: Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False,
                                                  help="Photos with boxes, to fine-tune on at the end.")] = None,
    read_policy: Annotated[bool, typer.Option("--read-policy/--no-read-policy", help="Read the label policy of the "
                                              "renders from the --labelled photos.")] = True,
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
    randomisation: Randomisation = NOTHING_RANDOM,
) -> None:
    """Train a detector on renders, or on labelled photos alone.

    \b
      scenefit train runs/smear -n 1000 --out detector.safetensors
      scenefit train runs/smear -n 1000 --real photos/ --out detector.safetensors
      scenefit train dataset/ --out detector.safetensors
      scenefit train --labelled-only labelled/ --size 240x320 --out ceiling.safetensors
      scenefit evaluate detector.safetensors --labelled other_labelled/
      scenefit detect detector.safetensors photos/ --out found/

    Trains on n renders of a run's learned distribution, or on a written data set (its train part, if it has one). The
    confidence threshold maximises F1 on other renders, an eighth as many, or on the val part; with --labelled, on those
    photos.

    With --labelled, the label policy of a run's renders is read from the labels first: kind of boxes, margin of each
    class, and which objects have none. Options such as --box say what holds where the labels do not tell otherwise.

    --labelled-only trains the ceiling: the same network, steps and augmentation, on labelled photos in place of
    renders. The threshold is chosen on a fifth of them, which it is not trained on; with fewer than five, on all.

    Of a run, the networks after training on renders and after each round of self-training are kept in RUN/stages. A
    training that begins in the same way, such as one with other --labelled photos, goes on from there.

    The precision and recall that it prints are those on held-out renders, which say little about photos; scenefit
    evaluate measures a detector on photos.
    """
    from scenefit.data.copies import photo_hashes
    from scenefit.metrics.average_precision import best_threshold, match_boxes
    from scenefit.nets.augmentation import Augment
    from scenefit.run.folder import open_run
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_data import images_with_boxes
    from scenefit.tasks.detector_file import BACKBONES, TrainedDetector, write_trained
    from scenefit.tasks.detector_texts import figures, unmeasured
    from scenefit.tasks.detector_training import TrainingData

    _check_options(out, backbone, source, labelled_only, labelled, real, flat_field)
    of_run = source is not None and (source / "settings.json").exists()
    if source is None:
        _check_alone({"--labelled": labelled, "--real": real, "-n": n, "--scene": scene, LABELS: label_policy,
                      NAMES: randomisation if any(randomisation) else None})
    elif size is not None:
        raise typer.BadParameter("--size is for --labelled-only: renders have the size of the scene's renderer, and a "
                                 "data set is taken at that of its first image; leave it out")
    elif randomisation != NOTHING_RANDOM and not of_run:
        raise typer.BadParameter(f"{source} is a written data set, and only renders of a run can be randomised; leave "
                                 f"out {NAMES}")
    elif label_policy is not None and not of_run:
        raise typer.BadParameter(f"{source} is a written data set: its labels were chosen when it was written; leave "
                                 f"out {LABELS}")
    pixels = _size(size)
    data_layout, few_layout = _layouts(None if of_run else source, labelled, layout)
    tuned_on, tuning = LabelledFolder(labelled, few_layout, outside), None
    if source is not None:
        keep_apart(source, APART, real if of_run else None, tuned_on, flat_field if of_run else None)
    one_thread()
    where = resolve(device)
    if source is None:
        given = _of_photos(LabelledFolder(labelled_only, layout, outside), pixels, flat_field, seed)
    elif of_run:
        opened = open_run(source)
        tuning = tuned_on.read(opened.config.size, flat_field)
        policy = label_policy or opened.config.policy
        given = _of_run(opened, scene, n or IMAGES, workers, where, policy, tuning if read_policy else None, seed,
                        randomisation)
    else:
        given = _of_data(source, n or IMAGES, data_layout, outside)
    images, labels = given.learn
    if not len(labels):
        raise ValueError(f"none of the {len(images)} images of {source or labelled_only} has a box, so there is "
                         "nothing to learn")
    tuning = tuned_on.read(images.shape[1:3], flat_field) if tuning is None else tuning
    few = None if tuning is None else images_with_boxes(tuning, labelled)
    seen = None if real is None else photos(real, images.shape[1:3], flat=flat_field, outside=outside)
    used = given.used.union(*(photo_hashes(some) for some in (*given.photos, tuning, seen) if some is not None))
    names = {*labels.name.tolist(), *given.held[1].name.tolist(), *([] if few is None else few[1].name.tolist())}
    task = Detect(tuple(sorted(names)), steps=steps, backbone=BACKBONES[backbone], train_backbone=train_backbone,
                  device=where, augment=Augment(vertical_flip=vertical_flip, corruptions=corruptions))
    data = TrainingData((images, labels), None if seen is None else seen.images, few, given.name)
    unfinished = out.with_suffix(PART)
    network, (held, truth) = _train(task, data, seed, _kept(source, of_run, unfinished)), few or given.held
    match = match_boxes(task.predict(network, held), truth)
    threshold = best_threshold(match)
    info = {"source": str(source or labelled_only), "n": len(images), "seed": seed, "steps": steps,
            **({} if given.policy is None else {"label_policy": given.policy.to_dict()})}
    write_trained(out, TrainedDetector(task, network, (images.shape[1], images.shape[2]), threshold,
                                       flat_field is not None, used), info)
    unfinished.unlink(missing_ok=True)
    console.say(f"{out}: detects {', '.join(task.classes)}")
    console.say(unmeasured(len(held), threshold, alone=few is None) if few is not None or not given.held_out
                else figures(match, threshold, len(held), given.held_out))
    console.say(f"To measure it on labelled photos that it has not seen: scenefit evaluate {out} --labelled DIR")


def _check_options(out: Path, backbone: str, source: Path | None, labelled_only: Path | None, labelled: Path | None,
                   real: Path | None, flat_field: Path | None) -> None:
    """BadParameter where an option is wrong, or files are missing: now, not after rendering and training."""
    from scenefit.files.lock import check_file
    from scenefit.files.tensors import CorruptFile, read_tensors
    from scenefit.tasks.detector_file import BACKBONES

    if backbone not in BACKBONES:
        raise typer.BadParameter(f"--backbone must be one of {', '.join(BACKBONES)}, got {backbone}")
    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"--out must name a file that ends in .safetensors, got {out}")
    if source is None and labelled_only is None:
        raise typer.BadParameter("give the folder of a finished fit, or a data set, to train on; or --labelled-only "
                                 "DIR, to train on labelled photos alone")
    if source is not None and labelled_only is not None:
        raise typer.BadParameter(f"{source} and --labelled-only exclude each other: leave out {source} to train on the "
                                 f"labelled photos alone, or give them as --labelled {labelled_only} to fine-tune on "
                                 f"them after training on {source}")
    if flat_field is not None and labelled is None and real is None and labelled_only is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real or --labelled, or leave it out")
    for name, given in (("labelled", labelled), ("labelled-only", labelled_only), ("real", real),
                        ("flat-field", flat_field)):
        if given is not None and not given.exists():
            raise typer.BadParameter(f"--{name} {given} does not exist")
    check_file(out)
    part = out.with_suffix(PART)
    with suppress(CorruptFile):  # a damaged one is named where it would be gone on from
        if part.exists() and "classes" in read_tensors(part, "")[1]:
            raise typer.BadParameter(f"{part} is a detector, and the unfinished training of {out} would be kept by "
                                     "that name, and deleted at its end; rename one of them")


def _check_alone(others: "dict[str, object]") -> None:
    """BadParameter where options are given that do not go with --labelled-only."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise typer.BadParameter(f"--labelled-only trains on labelled photos alone, and on all of them; leave out "
                                 f"{', '.join(given)}")


def _size(text: str | None) -> tuple[int, int] | None:
    """A size (height, width) from its text, None from None. BadParameter."""
    from scenefit.tasks.detector_file import MAX_SIDE

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    height, width = (int(side) for side in found.groups()) if found else (0, 0)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise typer.BadParameter(f"--size must be a height and a width in pixels, such as 240x320, got {text}")
    return height, width


def _kept(source: Path | None, of_run: bool, unfinished: Path) -> Callable[[str], Path]:
    """The file of a finished stage by its identity: in the run's folder, where other trainings find it. Without a run,
    or where nothing can be written there, it is the one file of the last stage, beside the detector."""
    folder = None if source is None or not of_run else _stages_folder(source)
    return lambda identity: unfinished if folder is None else folder / f"{identity}.safetensors"


def _stages_folder(run: Path) -> Path | None:
    """The folder of what trainings of a run keep; None where nothing can be written there."""
    folder = run / STAGES
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        return folder if os.access(folder, os.W_OK) else None
    return None


def _train(task: "Detect", data: "TrainingData", seed: int, kept: Callable[[str], Path]) -> "Detector":
    from scenefit.report.progress import TRAINING_FIELDS, trained
    from scenefit.tasks.detector_training import train_stages

    with console.bar(TRAINING_FIELDS) as progress:
        for step in trained(train_stages(task, data, seed, kept), progress):
            if step.stored:
                console.note(f"Kept from an earlier command, not trained again: {step.text}")
            if step.pseudo_labels is not None:
                _say_believed(step.text, step.pseudo_labels, data)
    assert step.network is not None
    return step.network


def _say_believed(text: str, believed: "Boxes", data: "TrainingData") -> None:
    """Print how many pseudo-labels there were, and warn of classes that have none, too many or too few."""
    from scenefit.data.boxes import class_counts
    from scenefit.files.text import counted
    from scenefit.tasks.detection import MIN_CONFIDENCE
    from scenefit.tasks.detector_texts import warnings_of_self_training

    have = len(set(believed.image.tolist()))
    console.note(f"{text[:1].upper()}{text[1:]}: {counted(len(believed), 'pseudo-label')} (confidence "
                 f"{MIN_CONFIDENCE:g} or more) in {have:,} of {counted(believed.count, 'photo')}"
                 f"{class_counts(believed.name)}")
    for warning in warnings_of_self_training(believed, data.rendered[1], data.name):
        console.warn(f"{text}: {warning}")


def _of_run(opened: "Run", scene: Path | None, n: int, workers: Workers, device: str,
            label_policy: "LabelPolicy | None", labelled: "Photos | None", seed: int, shares: Randomisation) -> _Images:
    """Renders of a run's learned distribution. labelled: photos that the label policy is read from, if any."""
    import numpy as np

    from scenefit.files.text import counted
    from scenefit.renderers.batches import render_with_boxes
    from scenefit.run.folder import fit_model
    from scenefit.run.label_policy import run_label_policy
    from scenefit.tasks.detector_data import VALIDATION
    from scenefit.tasks.detector_texts import HELD_OUT_RENDERS

    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    more = max(n // VALIDATION, MIN_VALIDATION)
    with drawing(found, workers, device, networks=True) as renderer:
        if labelled is not None:
            with console.busy(f"Reading the label policy from {counted(len(labelled), 'labelled photo')} (the first "
                              "time this trains a network, which takes minutes)", long=True):
                read = run_label_policy(opened, found.grammar, renderer, labelled, seed, label_policy,
                                        _stages_folder(opened.folder))
            console.note("\n".join(["Labels of the photos:", *(f"  {line}" for line in read.lines())]))
            label_policy = read.policy
        wider, cluttered = randomised(model, renderer, shares)
        with console.bar() as progress:
            shown = progress.add_task("renders", total=n + more)
            learn, held = (render_with_boxes(cluttered, wider.sample(rows), label_policy,
                                             lambda count: progress.update(shown, advance=count))
                           for rows in (np.arange(n), np.arange(n, n + more)))
    unknown = sorted(set(dict(label_policy.margins if label_policy else ())) - set(learn[1].name.tolist()))
    if unknown:
        console.warn(f"--class-margin names {', '.join(unknown)}, and the renders' classes are "
                     f"{', '.join(sorted(set(learn[1].name.tolist())))}")
    fitted = (opened.config.real, opened.config.labelled)
    used = frozenset(one for some in fitted if some is not None for one in some.files)
    return _Images(learn, held, HELD_OUT_RENDERS, policy=label_policy, used=used)


def _of_photos(few: LabelledFolder, size: tuple[int, int] | None, flat_field: Path | None, seed: int) -> _Images:
    """Labelled photos alone."""
    from scenefit.data.photos.labelled import first_size
    from scenefit.tasks.detector_data import hold_out, images_with_boxes

    assert few.place is not None
    size = size or first_size(few.place, layout=few.layout, outside=few.outside)
    with console.busy("Reading"):
        every = few.read(size, flat_field)
    assert every is not None
    images_with_boxes(every, few.place)
    learn, held = hold_out(every, seed)
    assert held.boxes is not None
    return _Images(images_with_boxes(learn, few.place), (held.images, held.boxes),
                   "" if held is learn else "held-out labelled photos", "labelled photo", (every,))


def _layouts(source: Path | None, labelled: Path | None, layout: str | None) -> tuple[str | None, str | None]:
    """--layout for a data set and for labelled photos: it applies to those that have it, or to both if neither has."""
    from scenefit.data.photos.layouts import has_layout

    if layout is None:
        return None, None
    has = [place is not None and has_layout(place, layout) for place in (source, labelled)]
    source_has, labelled_has = has if any(has) else (True, True)
    return layout if source_has else None, layout if labelled_has else None


def _of_data(source: Path, n: int, layout: str | None, outside: bool) -> _Images:
    """A written data set."""
    from scenefit.data.own_folders import what_scenefit_wrote
    from scenefit.tasks.detector_data import read_data_set
    from scenefit.tasks.detector_texts import HELD_OUT_RENDERS

    with console.busy("Reading"):
        learn, held = read_data_set(source, n, layout, outside=outside)
    name_skipped(tuple(dict.fromkeys((*learn.skipped, *held.skipped))))
    assert learn.boxes is not None and held.boxes is not None
    return _Images((learn.images, learn.boxes), (held.images, held.boxes),
                   HELD_OUT_RENDERS if what_scenefit_wrote(source) else "held-out images of the data set", "image",
                   (learn, held))
