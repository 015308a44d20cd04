"""scenefit detect: detects objects in photos, or segments them."""

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
    detector: Annotated[Path, typer.Argument(metavar="NETWORK", help="A file that scenefit train wrote.",
                                             show_default=False)],
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, searched with its subfolders; "
                                           "or a list file in a data set.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the results and the pictures.",
                                      show_default=False)],
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Minimum confidence of the "
                                                    "detections that are drawn and counted; found.json has all.",
                                                    show_default="the detector's own")] = None,
    like: Annotated[Path | None, typer.Option("--like", metavar="FILE", show_default=False, help="A COCO annotation "
                                              "file that lists the photos: found.json becomes a list of COCO results "
                                              "with its image and category ids.")] = None,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Draw no pictures. Pictures that are there already "
                                              "stay.")] = False,
    flat_field: FlatOption = None,
    device: DetectorDeviceOption = "cpu",
) -> None:
    """Detect objects in photos, or segment them.

    \b
      scenefit detect detector.safetensors photos/ --out found/
      scenefit detect detector.safetensors val/ImageSets/Main/val.txt --out found/
      scenefit detect detector.safetensors val/ --like instances_val.json --no-pictures --out found/
      scenefit detect segmentation.safetensors photos/ --out masks/

    A detector writes found/found.json, a data set in COCO format: info (the threshold and what it means), images
    (file_name, width, height), categories, annotations (bbox: x, y, width, height in pixels of the whole photo; score:
    confidence). It has all detections, also those below the threshold, and all photos that could be read. With --like,
    it is a list of COCO results (image_id, category_id, bbox, score), which pycocotools reads with loadRes.

    Each photo becomes a PNG with an outline around each object and the classes below it; small photos are enlarged.
    Another threshold draws the pictures anew, and detects nothing again. Photos are scaled to the size that the
    detector was trained on and cropped at the centre; objects in the cropped margins are not found. Bytes of a file's
    name that are not UTF-8 are escaped in found.json, as Python's os.fsencode reads them.

    A segmentation network writes found/masks/NAME.png, of the size of each photo: the number of the class of each
    pixel, from 1 in the order of found/labelmap.txt, 0 for none, 255 in the cropped margins. found/areas.csv has the
    share of each class in each photo, without these margins. Pictures show the classes in translucent colours.
    """
    from scenefit.data.image_files import check_folder, describe_skipped, find_photos, name_skipped, warn_12_bit
    from scenefit.data.image_kinds import ENDINGS
    from scenefit.data.photos.labelled import list_photos
    from scenefit.files.atomic import content_hash
    from scenefit.files.lock import lock
    from scenefit.files.text import printable
    from scenefit.tasks.folder_outputs import Wanted, folder_output
    from scenefit.tasks.photo_folders import check_out, finished_results, predict_steps, prediction_plan
    from scenefit.tasks.trained import read_network

    one_thread()
    if (detector / "settings.json").exists():
        raise typer.BadParameter(f"{detector} is the folder of a fit, not a trained network; train one with scenefit "
                                 f"train {detector} --out network.safetensors, and give that")
    trained = read_network(detector, resolve(device))
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
    names = [path.relative_to(folder).as_posix() for path in paths]
    output = folder_output(trained, Wanted(photos, names, printable(detector.name), not no_pictures, threshold, like))
    plan = prediction_plan(folder, paths, {"detector": content_hash(detector.read_bytes()),
                                           "flat field": flat.identity})
    found = finished_results(paths, out, output, plan=plan)
    if found is None:
        with lock(out), console.bar() as progress:
            shown = progress.add_task("photos", total=len(paths))
            for found in predict_steps(trained, folder, paths, out, output, plan=plan, correct=flat.corrected):
                progress.update(shown, completed=found.done)
    assert found is not None
    skipped = (*others, *found.skipped)
    name_skipped(skipped)
    warn_12_bit(photos, found.n_12_bit)
    more = f" ({len(skipped):,} skipped)" if skipped else ""
    console.say(output.summary(found.photos, more, out))
