"""scenefit detect: detects objects in photos."""

from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    ELSEWHERE,
    RESUME,
    DetectorDeviceOption,
    FlatOption,
    flat_field_hash,
    flat_field_of,
    keep_apart,
    name_skipped,
    one_thread,
    resolve,
)


@console.command(RESUME, memory="shrink the largest photos")
def detect(
    detector: Annotated[Path, typer.Argument(metavar="DETECTOR", help="A file that scenefit train wrote.",
                                             show_default=False)],
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos, searched with its subfolders.",
                                           show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of found.json and the pictures.",
                                      show_default=False)],
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1, help="Minimum confidence.",
                                                    show_default="the detector's own")] = None,
    flat_field: FlatOption = None,
    device: DetectorDeviceOption = "cpu",
) -> None:
    """Detect objects in photos.

    \b
      scenefit detect detector.safetensors photos/ --out found/

    Writes found/found.json, a list in the format of COCO results: file_name, image_id (index in the sorted list of
    photos), category_id (from 1, in the order of the sorted classes), category, bbox (x, y, width, height in pixels of
    the whole photo), score (confidence); and each photo as a PNG with its boxes drawn, small photos enlarged. Photos
    are scaled to the size that the detector was trained on and cropped at the centre; objects in the cropped margins
    are not found. Bytes of a file's name that are not UTF-8 are escaped in found.json, as Python's os.fsencode reads
    them.
    """
    from scenefit.data.image_files import check_folder, describe_skipped, find_photos, warn_12_bit
    from scenefit.data.image_kinds import ENDINGS
    from scenefit.files.atomic import content_hash
    from scenefit.files.lock import lock
    from scenefit.files.text import counted
    from scenefit.tasks.detector_file import read_trained
    from scenefit.tasks.folder_detection import check_out, detect_steps, finished_detections

    one_thread()
    trained = read_trained(detector, resolve(device))
    min_score = trained.threshold if threshold is None else threshold
    check_folder(photos)
    check_out(out)  # before it is locked, so that a folder that is refused stays as it is
    keep_apart(out, ELSEWHERE, flat=flat_field)
    field = flat_field_of(flat_field, trained.size)
    if trained.flat_field and field is None:
        console.warn(f"{detector} was trained on flat-field corrected photos, and these are not corrected; "
                     f"--flat-field {photos} corrects them")
    paths, others = find_photos(photos, out)  # not the pictures that it writes
    if not paths:
        raise ValueError(f"no photo in {photos}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(others)}")
    plan = {"detector": content_hash(detector.read_bytes()), "flat field": flat_field_hash(flat_field, trained.size)}
    done = finished_detections(photos, paths, out, threshold=min_score, plan=plan)
    if done is None:
        with lock(out), console.bar() as progress:
            shown = progress.add_task("photos", total=len(paths))
            for done in detect_steps(trained, photos, paths, out, threshold=min_score, flat_field=field, plan=plan):
                progress.update(shown, completed=done.photos)
    assert done is not None
    skipped = (*others, *done.skipped)
    name_skipped(skipped)
    warn_12_bit(photos, done.n_12_bit)
    more = f" ({len(skipped):,} skipped)" if skipped else ""
    console.say(f"{counted(len(done.rows), 'object')} in {counted(done.read, 'photo')}{more}: {out / 'found.json'}")
