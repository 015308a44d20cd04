"""scenefit detect: detects objects in photos."""

from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.flat_field import FlatOption, flat_field_of, folder_of
from scenefit.cli.options import (
    ELSEWHERE,
    RESUME,
    DetectorDeviceOption,
    keep_apart,
    one_thread,
    resolve,
)


@console.command(RESUME, memory="shrink the largest photos")
def detect(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="A file that scenefit train wrote.",
                                             show_default=False)],
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, searched with its subfolders; "
                                           "or a list file in a data set.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of found.json and the pictures.",
                                      show_default=False)],
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Minimum confidence of the "
                                                    "detections that are drawn and counted; found.json has all.",
                                                    show_default="the detector's own")] = None,
    like: Annotated[Path | None, typer.Option("--like", metavar="FILE", show_default=False, help="A COCO annotation "
                                              "file that lists the photos: found.json becomes a list of COCO results "
                                              "with its image and category ids.")] = None,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Write found.json alone. Pictures that are there "
                                              "already stay.")] = False,
    flat_field: FlatOption = None,
    device: DetectorDeviceOption = "cpu",
) -> None:
    """Detect objects in photos.

    \b
      scenefit detect detector.safetensors photos/ --out found/
      scenefit detect detector.safetensors val/ImageSets/Main/val.txt --out found/
      scenefit detect detector.safetensors val/ --like instances_val.json --no-pictures --out found/

    Writes found/found.json, a data set in COCO format: info (the threshold and what it means), images (file_name,
    width, height), categories, annotations (bbox: x, y, width, height in pixels of the whole photo; score: confidence).
    It has all detections, also those below the threshold, and all photos that could be read. With --like, it is a list
    of COCO results (image_id, category_id, bbox, score), which pycocotools reads with loadRes.

    Each photo becomes a PNG with an outline around each object and the classes below it; small photos are enlarged.
    Another threshold draws the pictures anew, and detects nothing again. Photos are scaled to the size that the
    detector was trained on and cropped at the centre; objects in the cropped margins are not found. Bytes of a file's
    name that are not UTF-8 are escaped in found.json, as Python's os.fsencode reads them.
    """
    from scenefit.data.image_files import check_folder, describe_skipped, find_photos, name_skipped, warn_12_bit
    from scenefit.data.image_kinds import ENDINGS
    from scenefit.data.photos.labelled import list_photos
    from scenefit.files.atomic import content_hash
    from scenefit.files.lock import lock
    from scenefit.files.text import counted, printable
    from scenefit.scenes.arguments import first_few
    from scenefit.tasks.coco_results import match_ids
    from scenefit.tasks.detector_file import read_trained
    from scenefit.tasks.folder_detection import Output, check_out, detect_steps, detection_plan, finished_detections

    one_thread()
    if (detector / "settings.json").exists():
        raise typer.BadParameter(f"{detector} is the folder of a fit, not a detector; train one with scenefit train "
                                 f"{detector} --out detector.safetensors, and give that")
    trained = read_trained(detector, resolve(device))
    min_score = trained.threshold if threshold is None else threshold
    folder, paths, others = (list_photos(photos) if photos.is_file() else
                             (photos, *find_photos(check_folder(photos), out)))  # not the pictures that it writes
    check_out(out)  # before it is locked, so that a folder that is refused stays as it is
    keep_apart(out, ELSEWHERE, flat=folder_of(flat_field))
    flat = flat_field_of(flat_field, trained.size, trained.flat_field)
    if trained.corrected and flat.field is None:
        fix = f"--flat-field {photos}" if trained.lost_flat_field else "without --flat-field, detect"
        console.warn(f"{detector} was trained on flat-field corrected photos, and these are not corrected; "
                     f"{fix} corrects them")
    if not paths:
        raise ValueError(f"no photo in {photos}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(others)}")
    ids = None
    if like is not None:
        ids = match_ids(like, [path.relative_to(folder).as_posix() for path in paths], trained.task.classes)
        if ids.absent:
            console.warn(f"{like} lists {counted(len(ids.absent), 'photo')} that {photos} does not hold, such as "
                         f"{first_few(ids.absent)}; nothing is found in them")
    output = Output(trained.task.classes, min_score, printable(detector.name), ids, not no_pictures)
    plan = detection_plan(folder, paths, {"detector": content_hash(detector.read_bytes()),
                                          "flat field": flat.identity})
    found = finished_detections(paths, out, output, plan=plan)
    if found is None:
        with lock(out), console.bar() as progress:
            shown = progress.add_task("photos", total=len(paths))
            for found in detect_steps(trained, folder, paths, out, output, plan=plan, correct=flat.corrected):
                progress.update(shown, completed=found.done)
    assert found is not None
    skipped = (*others, *found.skipped)
    name_skipped(skipped)
    warn_12_bit(photos, found.n_12_bit)
    more = f" ({len(skipped):,} skipped)" if skipped else ""
    count, every = found.count(min_score), found.count()
    console.say(f"{counted(count, 'object')} in {counted(len(found.photos), 'photo')}{more} at confidence "
                f"{min_score:.2f} or more, and {every - count:,} below: {out / 'found.json'}")
