"""scenefit train and detect: a detector from renders, and what it finds in photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from numpy.typing import NDArray

    from scenefit.data.boxes import Boxes
    from scenefit.data.formats import LabelPolicy
    from scenefit.data.photos import Photos
    from scenefit.nets.centre_network import Detector
    from scenefit.tasks import Detect
    from scenefit.tasks.detector_file import TrainedDetector
    from scenefit.tasks.detector_training import TrainingData

LEAST = 20  # steps of a training
CHUNK = 16  # photos looked at between two notes of what was found
WORK = ".found"  # folder of those notes
COLOURS = ("#d9480f", "#2b3fd6", "#1f9d55", "#9c36b5", "#0b7285", "#c2255c", "#5f3dc4", "#846358")


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
    few = _with_boxes(labelled_photos(labelled, images.shape[1:3], flat_field), labelled)
    seen = None if real is None else photos(real, images.shape[1:3], flat=flat_field)
    names = {*labels.name.tolist(), *truth.name.tolist(), *([] if few is None else few[1].name.tolist())}
    task = Detect(tuple(sorted(names)), steps=steps, backbone=BACKBONES[backbone], train_backbone=train_backbone,
                  device=where,
                  augment=Augment(vertical_flip=vertical_flip, corruptions=corruptions))
    lessons = TrainingData((images, labels), None if seen is None else seen.images, few)
    network, (held, truth) = _learn(task, lessons, seed, out), few or (held, truth)
    match = matched(task.predict(network, held), truth)
    threshold = best_threshold(match)
    true, false, missed = match.counts(threshold)
    info = {"source": str(source), "n": len(images), "seed": seed, "steps": steps}
    write_trained(out, TrainedDetector(task, network, (images.shape[1], images.shape[2]), threshold,
                                       flat_field is not None), info)
    _part_of(out).unlink(missing_ok=True)
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
    from scenefit.data.photos import ENDINGS, check_folder, find_photos, say_skipped, warn_faint
    from scenefit.files.atomic import content_hash, write_json
    from scenefit.files.lock import lock
    from scenefit.tasks.detector_file import read_trained

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
                         f"{', '.join(ENDINGS)}; {say_skipped(others)}")
    plan = {"detector": content_hash(detector.read_bytes()), "threshold": least,
            "flat field": flat_field_hash(flat_field, trained.size),
            "photos": content_hash("\n".join(f"{path.relative_to(photos)} {_contents(path)}"
                                             for path in paths).encode())}
    with lock(out):
        _claim(out, plan)
        with console.bar() as progress:
            shown = progress.add_task("photos", total=len(paths))
            for first in range(0, len(paths), CHUNK):
                note = out / WORK / f"{first:08d}.json"
                if not note.exists():
                    write_json(note, _found(trained, photos, out, paths, first, least, field))
                progress.update(shown, completed=min(first + CHUNK, len(paths)))
        notes = [json.loads(note.read_text()) for note in sorted((out / WORK).glob("[0-9]*.json"))]
        rows = [row for note in notes for row in note["rows"]]
        write_json(out / "found.json", rows)
    unread = [(Path(path), reason) for note in notes for path, reason in note["skipped"]]
    skipped = (*others, *unread)
    name_skipped(skipped)
    warn_faint(photos, sum(note["faint"] for note in notes))
    more = f" ({len(skipped):,} skipped)" if skipped else ""
    console.say(f"{len(rows):,} objects in {len(paths) - len(unread):,} photos{more}: {out / 'found.json'}")


def _part_of(out: Path) -> Path:
    """Where the stages that are done are kept while a detector learns."""
    return out.with_suffix(".part.safetensors")


def _learn(task: "Detect", lessons: "TrainingData", seed: int, out: Path) -> "Detector":
    from scenefit.tasks.detector_training import asked, read_stage, stages, write_stage

    wanted = asked(task, lessons, seed)
    with console.bar() as progress:
        shown = progress.add_task("learning", total=None)
        for stage in stages(task, lessons, seed, read_stage(_part_of(out), task, wanted)):
            progress.update(shown, completed=stage.done, total=stage.of, description=stage.text)
            if stage.whole and stage.done < stage.of:
                write_stage(_part_of(out), stage, wanted)
    return stage.network


def _with_boxes(few: "Photos | None", place: Path | None) -> "tuple[np.ndarray, Boxes] | None":
    """Images and boxes of labelled photos, if there are any. ValueError where they have none."""
    if few is None:
        return None
    if few.boxes is None:
        raise ValueError(f"{place} has classes of whole photos; a detector needs photos with boxes")
    if not len(few.boxes):
        raise ValueError(f"the {len(few)} labelled photos in {place} have no box at all; leave them out, or give "
                         "photos that show objects")
    return few.images, few.boxes


def _of_run(source: Path, scene: Path | None, n: int, workers: int, device: str, keep: "LabelPolicy | None",
            ) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """Images and boxes of renders of what a run learned, to learn from and to set the threshold on."""
    import numpy as np

    from scenefit.evaluation.evaluate import VALIDATION
    from scenefit.renderers.batches import render_with_boxes
    from scenefit.run.folder import fit_model, open_run

    opened = open_run(source)
    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    with drawing(found, workers, device) as renderer:
        more = model.sample(np.arange(n, n + max(n // VALIDATION, CHUNK)))
        return (*render_with_boxes(renderer, model.sample(np.arange(n)), keep), *render_with_boxes(renderer, more,
                                                                                                   keep))


def _of_data(source: Path, n: int) -> "tuple[np.ndarray, Boxes, np.ndarray, Boxes]":
    """The same of a written data set: its parts train and val, or seven eighths and the rest."""
    import numpy as np

    from scenefit.data.formats.reading import NoPart
    from scenefit.data.photos.labelled import first_size, matching, read_boxes
    from scenefit.evaluation.evaluate import VALIDATION

    if not source.is_dir() or not matching(source):
        raise ValueError(f"{source} is no run folder (it has no settings.json), and no data set of boxes in COCO, "
                         "YOLO, Pascal VOC or KITTI layout; give one that scenefit fit or scenefit generate made")
    try:
        size = first_size(source, "train")
        learn, held = read_boxes(source, size, "train", most=n), read_boxes(source, size, "val")
        name_skipped((*learn.skipped, *held.skipped))
    except NoPart:
        every = read_boxes(source, first_size(source), most=n)
        name_skipped(every.skipped)
        if len(every) < 2:
            raise ValueError(f"{source} holds one labelled image; a detector needs more to learn from") from None
        rows = np.arange(len(every)) % VALIDATION == 1
        learn, held = every.take(np.flatnonzero(~rows)), every.take(np.flatnonzero(rows))
    assert learn.boxes is not None and held.boxes is not None
    return learn.images, learn.boxes, held.images, held.boxes


def _contents(path: Path) -> str:
    """The hash of a file; "" of what is none, such as a link that leads nowhere."""
    from scenefit.files.atomic import content_hash

    try:
        return content_hash(path.read_bytes()) if path.is_file() else ""
    except OSError:  # such photos are skipped and named when their turn comes
        return ""


def _claim(out: Path, plan: dict[str, Any]) -> None:
    """Make out this search's folder. ValueError if it is another's."""
    from scenefit.files.atomic import write_json
    from scenefit.files.lock import NAME

    path = out / WORK / "plan.json"
    if path.exists():
        before = json.loads(path.read_text())
        differing = [name for name in plan if before.get(name) != plan[name]]
        if differing:
            raise ValueError(f"{out} holds what was found in another search (it differs in: {', '.join(differing)}); "
                             "give another folder, or remove this one")
        return
    if any(entry.name != NAME for entry in out.iterdir()):
        raise ValueError(f"{out} is not empty; give another folder with --out")
    write_json(path, plan)


def _found(trained: "TrainedDetector", folder: Path, out: Path, paths: list[Path], first: int, least: float,
           field: "NDArray[np.float32] | None") -> dict[str, Any]:
    """What to note of one chunk of the photos: rows of found.json, what was skipped, and how many are
    `Fitted.faint`. Pictures are written on the way."""
    import numpy as np

    from scenefit.data.flat_field import correct_flat_field
    from scenefit.data.photos import fit_photo

    fitted, kept, skipped = [], [], []
    for number in range(first, min(first + CHUNK, len(paths))):
        try:
            fitted.append(fit_photo(paths[number], trained.size))
            kept.append(number)
        except Exception as error:  # decoders raise nearly anything on a broken file
            skipped.append((str(paths[number]), str(error) or type(error).__name__))
    if not kept:
        return {"rows": [], "skipped": skipped, "faint": 0}
    images = np.stack([photo.image for photo in fitted])
    found = trained.task.predict(trained.network, images if field is None else correct_flat_field(images, field))
    found = found.where(found.score >= least)
    rows = []
    for place, number in enumerate(kept):
        own, photo = found.rows(place), fitted[place]
        box = (found.box[own] - np.tile(photo.shift, 2)) / np.tile(photo.factor, 2)
        box = np.clip(box, 0, np.tile(photo.whole[::-1], 2))
        name = paths[number].relative_to(folder)
        _draw(paths[number], out / name.with_name(name.name + ".png"), box, found.name[own].tolist(),
              found.score[own].tolist(), trained.task.classes)
        for (x0, y0, x1, y1), label, score in zip(box.tolist(), found.name[own].tolist(), found.score[own].tolist(),
                                                  strict=True):
            rows.append({"file_name": name.as_posix(), "image_id": number,
                         "category_id": trained.task.classes.index(label) + 1, "category": label,
                         "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)], "score": round(score, 4)})
    return {"rows": rows, "skipped": skipped, "faint": sum(photo.faint for photo in fitted)}


def _draw(source: Path, path: Path, box: "np.ndarray", names: list[str], scores: list[float],
          classes: tuple[str, ...]) -> None:
    from scenefit.data.photos import whole_photo
    from scenefit.files.atomic import atomic_write
    from scenefit.report.detections import plain

    texts = [f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True)]
    colours = [COLOURS[classes.index(name) % len(COLOURS)] for name in names]
    with atomic_write(path) as file:
        plain(whole_photo(source), box.tolist(), texts, colours).save(file, "PNG")
