"""scenefit train: trains a detector or a segmentation network on renders, or on labelled photos alone."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenefit.cli import console
from scenefit.cli.flat_field import (
    FlatField,
    FlatOption,
    GivenFlatField,
    check_flat_field,
    flat_field_in,
    flat_field_of,
    folder_of,
)
from scenefit.cli.options import (
    APART,
    NO_WORKERS,
    DeviceOption,
    LabelledFolder,
    LayoutOption,
    OutsideOption,
    ReadPolicyOption,
    SceneOption,
    SeedOption,
    Workers,
    check_classes,
    drawing,
    grouped,
    keep_apart,
    label_options,
    one_thread,
    open_scene,
    photos,
    resolve,
    unused_options,
    worker_options,
)
from scenefit.cli.randomisation import NAMES, NOTHING_RANDOM, OPTIONS, Randomisation, checked, randomised
from scenefit.cli.train_checks import PART, check_alone, check_options, parse_size
from scenefit.files.text import counted

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.data.photos import Photos
    from scenefit.run.folder import Run
    from scenefit.tasks.selection import Selection
    from scenefit.tasks.training.dense_prediction import DensePrediction
    from scenefit.tasks.training_data import TrainingImages
    from scenefit.tasks.training_stages import TrainingData

MIN_STEPS = 20
IMAGES = 1000  # to train on
MIN_VALIDATION = 16  # renders that the threshold is set on
LEARNED = "learned"
# What is selected from with labelled photos, and the share of scenes of the prior; the default first, as `select_steps`
# takes it.
CANDIDATES = {LEARNED: 0.0, "half wide": 0.5, "wide": 1.0}
LABELS = "--min-..., --max-truncation, --box, --margin, --mask-... and --for-class"


@console.command("Stopped. Run the same command again to resume after the last finished stage.",
                 memory="lower -n, --no-select, or use smaller images (--size, with --labelled-only)")
@worker_options
@label_options
@partial(grouped, name="randomisation", options=OPTIONS, make=checked)
def train(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The network to write, a .safetensors file.",
                                      show_default=False)],
    source: Annotated[Path | None, typer.Argument(metavar="RUN|DATASET", help="The folder of a finished fit, or a "
                                                  "data set of boxes (COCO, YOLO, Pascal VOC, KITTI) or of class "
                                                  "masks.", show_default=False)] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="detection|segmentation", help="What the network does: "
                                             "find objects, or tell the class of each pixel.",
                                             show_default="what the labels of photos are for; without any, "
                                             "detection")] = None,
    labelled_only: Annotated[Path | None, typer.Option("--labelled-only", metavar="DIR", show_default=False,
                                                       help="Instead of RUN or DATASET: train on these labelled "
                                                       "photos alone, to see what renders could reach at "
                                                       "best.")] = None,
    size: Annotated[str | None, typer.Option("--size", metavar="HEIGHTxWIDTH", help="With --labelled-only: pixels that "
                                             "the photos are scaled to, such as 240x320; those of the renders, to "
                                             "compare with a detector trained on them.",
                                             show_default="that of the first photo")] = None,
    n: Annotated[int | None, typer.Option("-n", "--n", min=16, help="Images to train on.",
                                          show_default=str(IMAGES))] = None,
    labelled: Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False,
                                                  help="Photos with boxes or class masks, to fine-tune on at the "
                                                  "end.")] = None,
    read_policy: ReadPolicyOption = True,
    select: Annotated[bool, typer.Option("--select/--no-select", help="With 10 or more --labelled photos that "
                                         "show objects: select by them whether the renders are drawn from the learned "
                                         "distribution, from the prior, or half from each. Not with "
                                         "--random-appearance or --random-scenes, which say it.")] = True,
    layout: LayoutOption = None,
    outside: OutsideOption = False,
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", show_default=False, help="Photos without "
                                              "labels, for self-training: confident predictions in them become "
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
    corruptions: Annotated[bool, typer.Option("--corruptions/--no-corruptions",
                                              help="Train on images with added dust and compression "
                                                  "artefacts, which photos have and renders lack.")] = True,
    scene: SceneOption = None,
    seed: SeedOption = 0,
    workers: Workers = NO_WORKERS,
    device: DeviceOption = "cpu",
    label_policy: "LabelPolicy | None" = None,
    randomisation: Randomisation = NOTHING_RANDOM,
) -> None:
    """Train a detector or a segmentation network on renders, or on labelled photos alone.

    \b
      scenefit train runs/smear -n 1000 --out detector.safetensors
      scenefit train runs/smear -n 1000 --real photos/ --out detector.safetensors
      scenefit train runs/smear --task segmentation --out network.safetensors
      scenefit train dataset/ --out detector.safetensors
      scenefit train --labelled-only labelled/ --size 240x320 --out ceiling.safetensors
      scenefit evaluate detector.safetensors --labelled other_labelled/
      scenefit detect detector.safetensors photos/ --out found/

    Trains on n renders of a run's learned distribution, or on a written data set (its train part, if it has one).
    The confidence threshold maximises F1 (of class masks, the IoU) on other renders, an eighth as many, or on the
    val part; with --labelled, on those photos.

    With --task segmentation, or labelled photos with class masks, a network learns the class of each pixel; pixels of
    objects that the label policy leaves without a label are ignored.

    With --labelled, ten photos or more that show objects select what the renders are drawn from: the learned
    distribution, the prior, or half of each; three networks are trained and compared on the photos for that. Labels
    also tell the label policy of a run's renders, which is read first: boxes their kind, the margin of each class, and
    which objects have none; class masks their margin, and the border that is ignored. Options such as --box say what
    holds where the labels do not tell otherwise.

    --labelled-only trains the ceiling: the same network, steps and augmentation, on labelled photos in place of
    renders. The threshold is chosen on a fifth of them, which it is not trained on; with fewer than five, on all.

    Of a run, the networks after training on renders and after each round of self-training are kept in RUN/stages. A
    training that begins in the same way, such as one with other --labelled photos, goes on from there.

    The precision and recall, or the IoU, that it prints are those on held-out renders, which say little about photos;
    scenefit evaluate measures a network on photos.
    """
    from scenefit.data.copies import photo_hashes
    from scenefit.data.image_files import name_skipped
    from scenefit.data.photos.layouts import layout_of_each
    from scenefit.nets.augmentation import Augment
    from scenefit.run.folder import kept_flat_field, open_run
    from scenefit.run.label_policy import STAGES, policy_of
    from scenefit.tasks.selection import MIN_PHOTOS, can_select
    from scenefit.tasks.trained import TRAINED, needs, reader, task_kind
    from scenefit.tasks.training.network_file import BACKBONES, write_trained
    from scenefit.tasks.training_data import data_set, images_with_labels, read_data_set
    from scenefit.tasks.training_stages import TrainingData
    from scenefit.tasks.training_texts import disjoint_classes, figures, much_kept, unmeasured, unset_thresholds

    flat_folder = folder_of(flat_field)
    check_options(out, backbone, source, labelled_only, labelled, real, flat_folder, task)
    is_run = source is not None and (source / "settings.json").exists()
    if source is None:
        check_alone({"--labelled": labelled, "--real": real, "-n": n, "--scene": scene, LABELS: label_policy,
                     NAMES: randomisation if any(randomisation) else None})
    elif size is not None:
        raise typer.BadParameter("--size is for --labelled-only: renders have the size of the scene's renderer, and a "
                                 "data set is taken at that of its first image; leave it out")
    elif randomisation != NOTHING_RANDOM and not is_run:
        raise typer.BadParameter(f"{source} is a written data set, and only renders of a run can be randomised; leave "
                                 f"out {NAMES}")
    elif label_policy is not None and not is_run:
        raise typer.BadParameter(f"{source} is a written data set: its labels were chosen when it was written; leave "
                                 f"out {LABELS}")
    pixels = parse_size(size)
    data_layout, few_layout = layout_of_each(None if is_run else source, labelled, layout)
    tuned_on, tuning = LabelledFolder(labelled, few_layout, outside), None
    if source is not None:
        keep_apart(source, APART, real if is_run else None, tuned_on, flat_folder if is_run else None)
    one_thread()
    where, folder = resolve(device), None  # folder: of what trainings of a run keep
    flat, sets = FlatField(), dict[str, "TrainingImages"]()
    if source is None:
        with console.busy("Reading"):
            place = LabelledFolder(labelled_only, layout, outside)
            kind, sets[""], flat = _of_photos(place, task, pixels, flat_field, seed)
    elif is_run:
        opened, folder = open_run(source), _stages_folder(source)
        flat = flat_field_of(flat_field, opened.config.size, kept_flat_field(opened))
        if labelled is not None or real is not None:
            check_flat_field(opened, flat)
        tuning = flat.correct(tuned_on.read(opened.config.size, reader(task)))
        kind = task_kind(tuning, task, labelled)
        reads = read_policy and tuning is not None and bool(kind.shown(kind.of_photos(tuning)))
        if unused := unused_options(context, kind.foreign, kind.words.needs):
            console.note(unused)
        enough = can_select(kind, tuning)
        selects = select and enough and not randomisation.appearance and not randomisation.prior
        if select and tuning is not None and not enough:
            console.note(f"Fewer than {MIN_PHOTOS} different labelled photos show an object, so they do not select the "
                         "training images.")
        policy = label_policy or (opened.config.policy if reads else policy_of(opened))
        sets = _of_run(kind, opened, scene, n or IMAGES, workers, where, policy, tuning if reads else None, seed,
                      {name: Randomisation(prior=share, clutter=randomisation.clutter)
                       for name, share in CANDIDATES.items()} if selects else {LEARNED: randomisation}, folder)
    else:
        with console.busy("Reading"):
            parts = read_data_set(source, n or IMAGES, data_layout, outside=outside, read=reader(task),
                                  needs=needs(task))
            kind = task_kind(parts[0], task, source)
            sets = {"": data_set(kind, *parts, source)}
        name_skipped(tuple(dict.fromkeys(one for read in sets[""].photos for one in read.skipped)))
    given = next(iter(sets.values()))
    images = given.learn[0]
    if not kind.shown(given.learn[1]):
        raise ValueError(f"none of the {len(images)} images of {source or labelled_only} {kind.words.shows}, so there "
                         "is nothing to learn")
    shape = images.shape[1:3]
    seen = None if real is None else photos(real, shape, outside=outside)
    if source is not None and not is_run:
        flat = flat_field_in(flat_field, shape, seen)
    if flat.found and not is_run:
        console.say(flat.found)
    seen = flat.correct(seen)
    tuning = flat.correct(tuned_on.read(shape, reader(kind.name))) if tuning is None else tuning
    few = None if tuning is None else images_with_labels(kind, tuning, labelled)
    used = given.used.union(*(photo_hashes(some) for some in (*given.photos, tuning, seen) if some is not None))
    names = {*kind.shown(given.held[1]), *(name for one in sets.values() for name in kind.shown(one.learn[1]))}
    if few is not None:
        of_photos = kind.shown(few[1])
        if warning := disjoint_classes(names, of_photos, given.name):
            console.warn(warning)
        names.update(of_photos)
    augment = Augment(vertical_flip=vertical_flip, corruptions=corruptions)
    made = new_task(kind, tuple(sorted(names)), steps=steps, backbone=BACKBONES[backbone], device=where,
                    train_backbone=train_backbone, augment=augment)
    sets, few = {name: one.renumbered(made) for name, one in sets.items()}, few and (few[0], made.renumbered(few[1]))
    given = next(iter(sets.values()))
    selection = None
    if len(sets) > 1:
        assert tuning is not None
        selection = _selected(made, sets, tuning, seed, folder)
        given = sets[selection.chosen]
        sets.clear()  # the others are large
    images = given.learn[0]
    data = TrainingData(given.learn, None if seen is None else seen.images, few, given.name)
    unfinished = out.with_suffix(PART)
    network, (held, truth) = _train(made, data, seed, _kept(folder, unfinished)), few or given.held
    score = made.score(network, held, truth)
    threshold = made.best_threshold(score)
    info = {"source": str(source or labelled_only), "n": len(images), "seed": seed, "steps": steps,
            **({} if given.policy is None else {"label_policy": given.policy.to_dict()}),
            **({} if selection is None else {"selection": vars(selection)})}
    write_trained(out, TRAINED[made.name](made, network, (images.shape[1], images.shape[2]), threshold, flat.kept, used,
                                          flat.every), info)
    unfinished.unlink(missing_ok=True)
    console.say(f"{out}: {made.words.verb}s {', '.join(made.classes)}")
    console.say(unmeasured(threshold, len(held), alone=few is None) if few is not None or not given.held_out
                else figures(made, score, threshold, given.held_out))
    if unset := unset_thresholds(made, threshold, truth):
        console.note(unset)
    console.say(f"To measure it on labelled photos that it has not seen: scenefit evaluate {out} --labelled DIR")
    if source is not None and is_run and (kept := much_kept(source / STAGES)):
        console.say(kept)


def _kept(folder: Path | None, unfinished: Path) -> Callable[[str], Path]:
    """The file of a finished stage by its identity: in the run's folder, where other trainings find it. Without one it
    is the one file of the last stage, beside the network."""
    return lambda identity: unfinished if folder is None else folder / f"{identity}.safetensors"


def _stages_folder(run: Path) -> Path | None:
    """The folder of what trainings of a run keep; None where nothing can be written there."""
    from scenefit.run.label_policy import STAGES

    folder = run / STAGES
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        return folder if os.access(folder, os.W_OK) else None
    return None


def new_task(kind: "Callable[..., DensePrediction]", classes: tuple[str, ...], **settings: Any) -> "DensePrediction":
    return kind(classes, **settings)


def _train(task: "DensePrediction", data: "TrainingData", seed: int, kept: Callable[[str], Path]) -> Any:
    from scenefit.report.progress import TRAINING_FIELDS, trained
    from scenefit.tasks.training_stages import train_stages

    with console.bar(TRAINING_FIELDS) as progress:
        for step in trained(train_stages(task, data, seed, kept), progress):
            if step.stored:
                console.note(f"Kept from an earlier training, not trained again: {step.text}")
            if step.pseudo_labels is not None:
                found, warnings = task.describe_pseudo_labels(step.pseudo_labels, data.rendered[1], data.name)
                console.note(f"{step.text[:1].upper()}{step.text[1:]}: {found}")
                for warning in warnings:
                    console.warn(f"{step.text}: {warning}")
    assert step.network is not None
    return step.network


def _selected(task: "DensePrediction", sets: "Mapping[str, TrainingImages]", labelled: "Photos", seed: int,
              folder: Path | None) -> "Selection":
    """Which of the training sets of a run the labelled photos select. folder: of what its trainings keep."""
    from tempfile import TemporaryDirectory

    from scenefit.report.progress import TRAINING_FIELDS, trained
    from scenefit.tasks.selection import FOLDS, select_steps
    from scenefit.tasks.training_stages import TrainingData

    data = {name: TrainingData(given.learn, None, None) for name, given in sets.items()}
    console.note(f"Selecting the training images by {counted(len(labelled), 'labelled photo')}: at most {len(sets)} "
                 f"trainings, each fine-tuned {FOLDS} times (--no-select trains on the learned distribution at once)")
    with TemporaryDirectory() as other, console.bar(TRAINING_FIELDS) as progress:
        place = folder or Path(other)
        *_, last = trained(select_steps(task, data, labelled, seed, lambda one: place / f"{one}.safetensors",
                                        lambda one: place / f"selection-{one}.json"), progress)
    assert last.selection is not None
    console.listing(f"Training images, selected by {counted(len(labelled), 'labelled photo')} ({task.words.metric}: "
                    f"mean over {task.words.mean_of}):", last.selection.lines())
    return last.selection


def _of_run(kind: "type[DensePrediction]", opened: "Run", scene: Path | None, n: int, workers: Workers, device: str,
            label_policy: "LabelPolicy | None", labelled: "Photos | None", seed: int,
            sets: Mapping[str, Randomisation], stages: Path | None) -> "dict[str, TrainingImages]":
    """Renders of a run's learned distribution, as wide as each of these sets is. labelled: photos that the label policy
    is read from, if any.  stages: the folder of what trainings of the run keep, if any."""
    import numpy as np

    from scenefit.run.folder import fit_model
    from scenefit.run.label_policy import run_label_policy
    from scenefit.tasks.rendering import render_of_kind
    from scenefit.tasks.training_data import VALIDATION, TrainingImages
    from scenefit.tasks.training_texts import HELD_OUT_RENDERS

    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    more = max(n // VALIDATION, MIN_VALIDATION)
    with drawing(found, workers, device, networks=True) as renderer:
        if labelled is not None:
            with console.busy(f"Reading the label policy from {counted(len(labelled), 'labelled photo')} (the first "
                              f"time this {kind.words.reading})", long=True):
                read = run_label_policy(opened, found.grammar, renderer, labelled, seed, label_policy, stages)
            console.listing("Labels of the photos:", read.lines())
            label_policy = read.policy
        drawn = {}
        with console.bar() as progress:
            shown = progress.add_task("renders", total=(n + more) * len(sets))
            for name, shares in sets.items():
                wider, cluttered = randomised(model, renderer, shares)
                drawn[name] = [render_of_kind(kind, cluttered, wider.sample(rows), label_policy,
                                              lambda count: progress.update(shown, advance=count))
                               for rows in (np.arange(n), np.arange(n, n + more))]
    check_classes(label_policy, [name for learn, _ in drawn.values() for name in kind.shown(learn[1])], n * len(sets))
    fitted = (opened.config.real, opened.config.labelled)
    used = frozenset(one for some in fitted if some is not None for one in some.files)
    return {name: TrainingImages(learn, held, HELD_OUT_RENDERS, policy=label_policy, used=used)
            for name, (learn, held) in drawn.items()}


def _of_photos(few: LabelledFolder, task: str | None, size: tuple[int, int] | None, flat_field: GivenFlatField | None,
               seed: int) -> "tuple[type[DensePrediction], TrainingImages, FlatField]":
    """The task of labelled photos alone, these photos, and the flat field that they were corrected by. task: the name
    that was given."""
    from scenefit.tasks.trained import reader, task_kind
    from scenefit.tasks.training_data import photos_alone, size_of_first

    assert few.place is not None
    size = size or size_of_first(few.place, None, few.layout, few.outside)
    every = few.read(size, reader(task))
    assert every is not None
    kind, flat = task_kind(every, task, few.place), flat_field_in(flat_field, size, every)
    return kind, photos_alone(kind, flat.correct(every), few.place, seed), flat
