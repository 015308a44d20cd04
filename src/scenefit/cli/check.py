"""scenefit check: tests a scene file and draws a contact sheet with the objects' boxes."""

from pathlib import Path
from typing import TYPE_CHECKING

from scenefit.cli import console
from scenefit.cli.options import (
    NO_WORKERS,
    CountOption,
    DeviceOption,
    SceneArgument,
    SeedOption,
    SheetOption,
    Workers,
    drawing,
    resolve,
    worker_options,
)

if TYPE_CHECKING:
    from PIL import Image

    from scenefit.data.frames import Frames

N_SHOWN = 48  # images of the contact sheet
MARKS = {"ok": "ok      ", "warning": "warning ", "wrong": "WRONG   "}


@console.command("Stopped.", memory="lower -n, or draw smaller images")
@worker_options
def check(
    scene: SceneArgument,
    n: CountOption = 64,
    out: SheetOption = Path(),
    seed: SeedOption = 0,
    workers: Workers = NO_WORKERS,
    device: DeviceOption = "cpu",
) -> None:
    """Check a scene file for errors.

    Checks bounds, labels, that rendering a scene twice gives the same image, and what a person would see: objects
    mostly hidden, outside the image, too faint or too small, and images nearly all black or white.

    \b
      scenefit check scenes/coins.py
      scenefit check scenes/coins.py -n 256 --out checks/

    The exit code is 1 if there is an error. A warning is something that works but may not be intended, such as a
    learned attribute that changes no image. Writes a contact sheet, SCENE_check.png, with the objects' boxes in
    a colour for each class.
    """
    from scenefit.files.atomic import atomic_write
    from scenefit.renderers.scene_checks import check_scene
    from scenefit.renderers.scene_file import load_scene

    found = load_scene(scene)
    with drawing(found, workers, resolve(device)) as renderer:
        frames, findings = check_scene(found.grammar, renderer, n, seed)
    for finding in findings:
        console.say(f"{MARKS[finding.mode]}{finding.text}")
    path = out / f"{scene.stem}_check.png"
    with atomic_write(path) as file:
        boxed_sheet(frames.take(range(min(len(frames), N_SHOWN)))).save(file, "PNG")
    console.say(f"Contact sheet: {path}")
    wrong = sum(finding.mode == "wrong" for finding in findings)
    if wrong:
        raise ValueError(f"{scene} has {wrong} {'error' if wrong == 1 else 'errors'}, see above")


def boxed_sheet(frames: "Frames") -> "Image.Image":
    """The images in a grid with the boxes of the objects' visible parts, and a legend of their classes; small images
    are enlarged."""
    import numpy as np

    from scenefit.report.charts.static import font
    from scenefit.report.overlay import outlined, with_legend
    from scenefit.report.picture import contact_sheet

    longest = max(frames.images.shape[1:3])
    times, width = max(1, round(96 / longest)), max(1, round(longest / 320))  # the sheet shrinks images above 320
    objects = frames.objects
    seen = objects.pixels > 0
    names, code = np.unique(objects.name[seen], return_inverse=True)
    pictures = [outlined(image, objects.box[seen][mine], code[mine], times, width)
                for row, image in enumerate(frames.images) for mine in [objects.scene[seen] == row]]
    sheet = contact_sheet(np.stack([np.asarray(picture) for picture in pictures]), 8)
    if not len(names):
        return sheet
    type_ = font(max(12, sheet.width // 64))
    return with_legend(sheet, np.bincount(code).tolist(), [name or "without a class" for name in names.tolist()],
                       f"boxes around visible parts in {len(frames)} images", 2, type_)
