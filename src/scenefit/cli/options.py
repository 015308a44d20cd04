"""What commands are given, turned into what the library takes."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenefit.cli.console import warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scenefit.data.formats import LabelPolicy
    from scenefit.data.image_files import Skipped
    from scenefit.data.photos import Photos
    from scenefit.inference.settings import Settings
    from scenefit.renderers import Renderer
    from scenefit.renderers.scene_file import SceneFile
    from scenefit.run.folder import Run

DEVICES = ("auto", "cpu", "cuda")
APART = "give a folder of photos alone, or move the run elsewhere"
SKIPPED = 20  # photos, or boxes, that are named each
_SWITCH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

SceneArgument = Annotated[Path, typer.Argument(metavar="SCENE.py", help="A Python file that defines grammar and "
                                               "renderer. It is run.", show_default=False)]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished fit.", show_default=False)]
SceneOption = Annotated[Path | None, typer.Option("--scene", metavar="FILE", help="The scene file, if it is no longer "
                                                  "where the run found it.", show_default=False)]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Processes that draw; 0 draws in this one, where "
                                            "nothing can end a renderer that hangs. The images are the same.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda|auto", help="Where the renderer draws, if it "
                                           "can choose. Results differ between devices in their last digits.")]
LabelledOption = Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False, help=
                                                     "A few labelled photos: one subfolder a class; or a data set of "
                                                     "boxes (COCO, YOLO, Pascal VOC or KITTI), or a list file in one.")]
PixelsOption = Annotated[int, typer.Option("--min-pixels", help="Label objects seen in at least so many pixels.")]
SeenOption = Annotated[float, typer.Option("--min-visibility", help="... of which at least this share is seen.")]
SideOption = Annotated[int, typer.Option("--min-side", help="... seen at least so many pixels wide and high.")]
CutOption = Annotated[float, typer.Option("--max-truncation", help="... of which at most this share lies outside the "
                                          "image.")]
ContrastOption = Annotated[float, typer.Option("--min-contrast", help="... and which stand out from what is around "
                                               "them by at least this, 0 to 1; 0.06 leaves out what hardly shows.")]
BoxOption = Annotated[str, typer.Option("--box", metavar="visible|amodal", help="Boxes around what is seen, or around "
                                        "the whole object; take what those who labelled your photos did.")]
MarginOption = Annotated[float, typer.Option("--margin", help="Boxes are wider at each side by this share of their "
                                             "width, and higher; people who draw them leave some 0.05.")]
FlatOption = Annotated[Path | None, typer.Option("--flat-field", metavar="DIR", show_default=False, help="Photos of "
                                                 "the same camera, 20 or more (the same folder will do): what they "
                                                 "share at the same place, as dust on a lens, is taken out of all "
                                                 "photos. Give it to every command that reads photos.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**64 - 1, help="The same seed gives the same bytes.")]


@contextmanager
def drawing(scene: "SceneFile", workers: int = 0, device: str = "cpu") -> Iterator["Renderer"]:
    """The scene file's renderer, on a device (resolved, see `resolve`) or spread over processes."""
    one_thread()
    from scenefit.renderers import renderer_info, renderer_name

    info = renderer_info(scene.renderer)
    if device != "cpu":
        if workers:
            raise typer.BadParameter(f"--workers {workers} and --device {device} exclude each other")
        if info.to is None:
            raise ValueError(f"--device {device}: the scene's {renderer_name(scene.renderer)} cannot choose its "
                             "device, as its info has no `to`; use --device cpu, or choose it in the scene file")
        yield info.to(device)
    elif workers:
        from scenefit.renderers.processes import Pool

        with Pool(scene.path, workers, info=info) as pool:
            yield pool
    else:
        yield scene.renderer


def one_thread() -> None:
    """Sums of several threads differ in their last digits with the number of cores, and small networks gain nothing
    from them; `--workers` is the way to use more cores."""
    import torch

    torch.set_num_threads(1)


def resolve(device: str) -> str:
    """ "cpu" or "cuda". ValueError where CUDA is asked for and is not there."""
    if device not in DEVICES:
        raise typer.BadParameter(f"--device must be one of {', '.join(DEVICES)}, got {device}")
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        built = "this PyTorch is a CPU build" if torch.version.cuda is None else "PyTorch finds no GPU"
        raise ValueError(f"--device cuda: there is no CUDA here ({built}, version {torch.__version__}); use --device "
                         "cpu, or install PyTorch's CUDA build on a machine with an NVIDIA GPU")
    return "cpu"


def photos(folder: Path, size: tuple[int, int], most: int | None = None, flat: Path | None = None) -> "Photos":
    """Photos of a folder, or of a list file in a data set, at size, with a warning for each that was skipped; without
    what the photos in flat share. ValueError for fewer than four."""
    from scenefit.data.photos import read_photos

    found = read_photos(folder, size, most)
    name_skipped(found.skipped)
    if len(found) < 4:
        raise ValueError(f"{folder} holds {len(found)} readable photos; a distribution needs at least 4, and some "
                         "hundreds to be learned well")
    return found.correct_flat_field(flat_field_of(flat, size))


def labelled_photos(folder: Path | None, size: tuple[int, int], flat: Path | None = None) -> "Photos | None":
    """Photos with classes or boxes, without what the photos in flat share; None where none are given."""
    if folder is None:
        return None
    from scenefit.data.photos import read_few

    found = read_few(folder, size)
    name_skipped(found.skipped)
    return found.correct_flat_field(flat_field_of(flat, size))


def keep_apart(run: Path, fix: str, real: Path | None = None, labelled: Path | None = None, flat: Path | None = None,
               ) -> None:
    """BadParameter, ending in fix, where a run's pictures lie among photos, and would count as such."""
    from scenefit.data.image_files import is_searched
    from scenefit.data.photos.labelled import matching_layouts

    for name, folder in (("real", real), ("labelled", labelled), ("flat-field", flat)):
        if folder is None or not is_searched(folder, run) or (name == "labelled" and matching_layouts(folder)):
            continue  # of a data set of boxes only the photos that it names are read
        raise typer.BadParameter(f"{run} lies in the folder of --{name}, {folder}, where its pictures would count as "
                                 f"photos; {fix}")


def flat_field_of(folder: Path | None, size: tuple[int, int]) -> "NDArray[np.float32] | None":
    """The pattern of the camera that took a folder's photos, at size; None for no folder."""
    return None if folder is None else _flat_field(folder.resolve(), size)


@cache  # a command asks for it once for each kind of photos
def _flat_field(folder: Path, size: tuple[int, int]) -> "NDArray[np.float32]":
    from scenefit.data.flat_field import MOST, flat_field
    from scenefit.data.photos import read_photos

    try:
        found = read_photos(folder, size, MOST)
        name_skipped(found.skipped)
        field = flat_field(found.images)
    except ValueError as error:
        raise ValueError(f"--flat-field {folder}: {error}") from None
    field.setflags(write=False)
    return field


def flat_field_hash(folder: Path | None, size: tuple[int, int]) -> str | None:
    """Of the pattern: tells whether two commands took out the same one."""
    from scenefit.files.atomic import content_hash

    field = flat_field_of(folder, size)
    return None if field is None else content_hash(field)


def same_camera(run: "Run", flat: Path | None) -> None:
    """A warning where photos are not treated as the fit's were."""
    fitted = run.record.flat_field
    if fitted != flat_field_hash(flat, run.record.size):
        then, now = ("given" if some else "not given" for some in (fitted, flat))
        warn(f"--flat-field is not what it was for the fit ({then} then, {now} now, or of other photos), so distances "
             "measure the camera's dust too; give what the fit was given")


def keep_of(min_pixels: int, min_visibility: float, min_side: int, max_truncation: float, min_contrast: float,
            box: str, margin: float) -> "LabelPolicy | None":
    """Which objects become labels; None where all is the default. BadParameter, naming what is wrong."""
    from scenefit.data.formats import LabelPolicy

    try:
        keep = LabelPolicy(min_pixels, min_visibility, min_side, max_truncation, min_contrast, box, margin)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return None if keep == LabelPolicy() else keep


def name_skipped(skipped: "Sequence[Skipped]") -> None:
    """A warning for each file that was skipped, up to some."""
    for path, reason in skipped[:SKIPPED]:
        warn(f"skipped {path}: {reason}")
    if len(skipped) > SKIPPED:
        warn(f"{len(skipped) - SKIPPED} more were skipped")


def open_scene(run: "Run", given: Path | None) -> "SceneFile":
    """The run's scene file, its warnings said."""
    from scenefit.run.folder import scene_of

    scene, warnings = scene_of(run, given)
    for text in warnings:
        warn(text)
    return scene


def settings(options: dict[str, Any], others: Sequence[str]) -> "Settings":
    """Settings from options (None: not given) and from "name=value" texts. BadParameter, naming what is wrong."""
    from scenefit.inference.settings import Settings

    known = Settings().record()
    values = {name: value for name, value in options.items() if value is not None}
    for text in others:
        name, _, value = text.partition("=")
        if name not in known or name in options:
            free = ", ".join(sorted(set(known) - set(options)))
            raise typer.BadParameter(f"--set {text}: settings that can be set so are {free}")
        kind = float if known[name] is None else type(known[name])
        try:
            values[name] = _SWITCH[value.lower()] if kind is bool else kind(value)
        except (KeyError, ValueError):
            wanted = "true or false" if kind is bool else f"a value of type {kind.__name__}"
            raise typer.BadParameter(f"--set {text}: {name} needs {wanted}") from None
    try:
        return Settings(**values)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def command_line() -> str:
    """The command as it was typed, to be typed again."""
    return shlex.join(["scenefit", *sys.argv[1:]])
