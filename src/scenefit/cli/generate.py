"""scenefit generate: writes a labelled data set."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    NO_WORKERS,
    RESUME,
    DeviceOption,
    SceneOption,
    Workers,
    check_classes,
    drawing,
    grouped,
    label_options,
    open_scene,
    resolve,
    unused_options,
    worker_options,
)
from scenefit.cli.randomisation import NOTHING_RANDOM, OPTIONS, Randomisation, checked, randomised

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.nets.model import Model, PriorModel
    from scenefit.renderers.scene_file import SceneFile
    from scenefit.run.folder import Run

WITHOUT_BOXES = ("yolo-seg", "masks")  # formats


@console.command(RESUME, memory="draw smaller images or fewer objects")
@worker_options
@label_options
@partial(grouped, name="randomisation", options=OPTIONS, make=checked)
def generate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="RUN|SCENE.py", help="The folder of a finished fit; or a scene "
                                           "file, to sample its prior.", show_default=False)],
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Images to write.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.", show_default=False)],
    format: Annotated[str, typer.Option("--format", metavar="folder|coco|yolo|voc|kitti|coco-seg|yolo-seg|"
                                        "masks|cityscapes", help="folder: "
                                        "one subfolder per class. coco: boxes and masks. yolo, voc, kitti: boxes. "
                                        "coco-seg: boxes and polygons. yolo-seg: polygons. masks, cityscapes: "
                                        "the class of each pixel.")] = "coco",
    image_format: Annotated[str, typer.Option("--image-format", metavar="png|jpg", help="png: without loss. jpg: "
                                              "quality 95, smaller; not for kitti, cityscapes.")] = "png",
    depth: Annotated[bool, typer.Option("--depth", help="Also write depth (16-bit PNG, metres times 256, 0: none), and "
                                        "normals, where the renderer gives them.")] = False,
    validation: Annotated[float, typer.Option("--val", min=0, max=0.99, help="Fraction in the val part.")] = 0.1,
    scene: SceneOption = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**64 - 1, help="Of a scene file: the same seed "
                                             "gives the same bytes. Scenes of a run follow from the seed of its fit.",
                                             show_default="0")] = None,
    workers: Workers = NO_WORKERS,
    device: DeviceOption = "cpu",
    label_policy: "LabelPolicy | None" = None,
    randomisation: Randomisation = NOTHING_RANDOM,
) -> None:
    """Write a labelled data set.

    \b
      scenefit generate runs/coins -n 10000 --format coco --out dataset/
      scenefit generate runs/digits -n 60000 --format folder --out dataset/ --workers 8
      scenefit generate runs/smear -n 2000 --format voc --box amodal --min-visibility 0.3 --out dataset/
      scenefit generate coins.py -n 10000 --out baseline/

    Fails if the grammar of the scene file has changed since the fit. If stopped or killed, run the same command again
    to resume: the data set is the same, whatever the number of workers. provenance.json records where the data come
    from.
    """
    from scenefit.data.formats import FORMATS, OF_OBJECTS, as_format
    from scenefit.data.formats.format import ENDINGS
    from scenefit.data.label_policy import OF_BOXES, OF_MASKS
    from scenefit.generation.chunks import read_classes
    from scenefit.generation.dataset import check_out, generate_steps
    from scenefit.renderers import RenderError
    from scenefit.run.folder import open_run
    from scenefit.run.label_policy import policy_of

    if format not in FORMATS:
        raise typer.BadParameter(f"--format must be one of {', '.join(FORMATS)}, got {format}")
    if image_format not in ENDINGS:
        raise typer.BadParameter(f"--image-format must be one of {', '.join(ENDINGS)}, got {image_format}")
    opened = None if source.suffix == ".py" else open_run(source)
    if label_policy is None and opened is not None and format in OF_OBJECTS:
        label_policy = policy_of(opened)
    form = as_format(format, label_policy, image_format)
    if scene is not None and opened is None:
        raise typer.BadParameter(f"--scene is for a run; {source} is a scene file itself, so leave it out")
    if seed is not None and opened is not None:
        raise typer.BadParameter(f"--seed is for a scene file; {source} is a run, whose scenes follow from the seed of "
                                 "its fit, so leave it out")
    if opened is None and (randomisation.appearance or randomisation.prior):
        raise typer.BadParameter(f"{source} is a scene file, whose images are all drawn from the prior; leave out "
                                 "--random-appearance and --random-scenes")
    foreign = (*(OF_BOXES if format in WITHOUT_BOXES else ()), *(OF_MASKS if format != "masks" else ()))
    if unused := unused_options(context, foreign, f"of the format {format}"):
        console.note(unused)
    check_out(out)  # before it is locked, so that a folder that is refused stays as it is
    model, found, info = _prior(source, seed or 0) if opened is None else _learned(opened, scene)
    with drawing(found, workers, resolve(device)) as renderer, console.bar() as progress:
        shown = progress.add_task("images", total=n)
        written = 0
        try:
            wider, drawn = randomised(model, renderer, randomisation)
            for step in generate_steps(wider, drawn, n, out, form, validation=validation, info=info,
                                       drawn_by=found.hash, depth=depth):
                if not written:
                    check_classes(label_policy, read_classes(out), step.written)
                written = step.written
                progress.update(shown, completed=written, description=f"{written:,} images")
        except RenderError as error:
            if written:
                raise RenderError(f"{error.reason}. {written:,} of {n:,} images are written: while the scene file is "
                                  "the same, the same command goes on from there", error.seed, error.indices) from error
            raise
    console.say(f"{n:,} images in {out}")


def _learned(run: "Run", scene: Path | None) -> "tuple[Model | PriorModel, SceneFile, dict[str, Any]]":
    """A run's learned distribution, its scene file, and what the provenance of data sampled from it records."""
    from scenefit.run.folder import fit_model

    found, real = open_scene(run, scene), run.config.real
    return fit_model(run, found.grammar), found, {
        "run": str(run.folder), "scene": str(found.path), "versions": run.config.versions,
        "real": {"path": real.path, "hash": real.hash, "count": real.count}}


def _prior(scene: Path, seed: int) -> "tuple[Model | PriorModel, SceneFile, dict[str, Any]]":
    """The same for the prior of a scene file."""
    from scenefit.files.versions import versions
    from scenefit.nets.model import PriorModel
    from scenefit.renderers.scene_file import load_scene

    found = load_scene(scene)
    return PriorModel(found.grammar, seed), found, {"scene": str(found.path), "versions": versions()}
