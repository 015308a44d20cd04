"""scenefit check: tests a scene file and draws a contact sheet with the objects' boxes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    learned attribute that changes no image. Writes a contact sheet, SCENE_check.png, with the objects' boxes.
    """
    from scenefit.renderers.scene_checks import check_scene
    from scenefit.renderers.scene_file import load_scene
    from scenefit.report.picture import write_contact_sheet

    found = load_scene(scene)
    with drawing(found, workers, resolve(device)) as renderer:
        frames, findings = check_scene(found.grammar, renderer, n, seed)
    for finding in findings:
        console.say(f"{MARKS[finding.mode]}{finding.text}")
    path = out / f"{scene.stem}_check.png"
    write_contact_sheet(boxed(frames.take(range(min(len(frames), N_SHOWN)))), path, 8)
    console.say(f"Contact sheet: {path}")
    wrong = sum(finding.mode == "wrong" for finding in findings)
    if wrong:
        raise ValueError(f"{scene} has {wrong} {'error' if wrong == 1 else 'errors'}, see above")


def boxed(frames: "Frames") -> Any:
    """Images [S, H, W, 3] with the boxes of the objects' visible parts; small images are enlarged."""
    import numpy as np

    times = max(1, round(96 / max(frames.images.shape[1:3])))
    images = frames.images.repeat(times, 1).repeat(times, 2)
    objects = frames.objects
    for row, box in zip(objects.scene[objects.pixels > 0], objects.box[objects.pixels > 0], strict=True):
        left, top, right, bottom = (box * times).astype(int)
        edge = np.zeros(images.shape[1:3], bool)
        edge[top:bottom, left:right] = True
        edge[top + 1:bottom - 1, left + 1:right - 1] = False
        images[row][edge] = (255, 64, 64)
    return images
