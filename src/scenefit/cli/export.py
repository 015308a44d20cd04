"""scenefit export: the learned distribution as JSON, or a trained network as ONNX."""

from pathlib import Path
from typing import Annotated, Any

import typer

from scenefit.cli import console
from scenefit.cli.options import SceneOption, one_thread, open_scene, typed

OF_NETWORKS = {"source", "onnx"}  # options; all others are for runs


@console.command("Stopped; nothing was written.")
def export(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="RUN|NETWORK", help="The folder of a finished fit, or a network "
                                           "written by scenefit train.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Of a run: the file to write.",
                                             show_default="RUN/distribution.json")] = None,
    onnx: Annotated[Path | None, typer.Option("--onnx", metavar="FILE.onnx", help="Of a network: the file to write. "
                                              "Needs the extra onnx.", show_default=False)] = None,
    scene: SceneOption = None,
    scenes: Annotated[int, typer.Option("--scenes", min=100, help="Of a run: scenes sampled to compute it.")] = 4096,
) -> None:
    """Write the learned distribution as JSON, or a trained network as ONNX.

    For use with another simulator, or without scenefit.

    \b
      scenefit export runs/coins
      scenefit export runs/coins --out coins.json
      scenefit export detector.safetensors --onnx detector.onnx

    A run: ranges, quantiles, probabilities, counts and rank correlations of all attributes, of the learned distribution
    and of the prior. The docstring of scenefit.generation.export explains the keys.

    A detector: a model that any ONNX runtime runs, from the pixels of an image to its boxes. Input: images, uint8
    [N, H, W, 3], RGB, of the detector's size. Outputs: boxes, float32 [N, D, 4], as x0, y0, x1, y1 in pixels; scores,
    float32 [N, D]; classes, int64 [N, D]; D is 200, padded with score 0. Boxes count from the threshold on, which is in
    the metadata with the names of the classes.

    A segmentation network: input as above. Outputs: probabilities, float32 [N, C + 1, H, W], of no class, then of each
    of the C classes; masks, uint8 [N, H, W], the most likely one of each pixel, 0 for none.

    Where onnxruntime is installed, the model is checked with it before it is written.
    """
    of_run = (source / "settings.json").exists()
    if onnx is None:
        if source.is_file():
            raise typer.BadParameter(f"{source} is a file, and of a run its folder is exported; a network is exported "
                                     f"with --onnx, such as --onnx {source.with_suffix('.onnx')}")
        _export_run(source, out, scene, scenes)
        return
    if of_run:
        raise typer.BadParameter(f"--onnx is for networks, and {source} is the folder of a fit; train a network with "
                                 f"scenefit train {source} --out network.safetensors, and export that, or leave "
                                 "--onnx out to export the learned distribution")
    given = typed(context, context.params.keys() - OF_NETWORKS)
    if given:
        raise typer.BadParameter(f"{given}: only for runs; a network is exported with --onnx alone")
    if onnx.suffix != ".onnx":
        raise typer.BadParameter(f"--onnx must name a file that ends in .onnx, got {onnx}")
    if not source.is_file():
        raise ValueError(f"{source} is no file; give a network, a .safetensors file that scenefit train wrote")
    _export_network(source, onnx)


def _export_run(run: Path, out: Path | None, scene: Path | None, scenes: int) -> None:
    from scenefit.files.atomic import write_json
    from scenefit.generation.export import export as distribution
    from scenefit.run.folder import fit_model, open_run

    one_thread()
    opened = open_run(run)
    found = open_scene(opened, scene)
    path = out or opened.path("distribution.json")
    with console.busy(f"Computing the distribution of {scenes:,} scenes", long=True):
        value = distribution(fit_model(opened, found.grammar), scenes)
    write_json(path, value)
    console.say(f"Distribution: {path}")


def _export_network(source: Path, out: Path) -> None:
    from scenefit.files.atomic import write_bytes
    from scenefit.files.lock import check_file
    from scenefit.tasks.onnx_files import ONNX_FILES
    from scenefit.tasks.trained import read_network
    from scenefit.tasks.training.network_file import READERS

    check_file(out)
    one_thread()
    trained: Any = read_network(source)
    form = ONNX_FILES[trained.kind.name]
    model = form.make(trained)
    found = form.compare(model, trained)
    if found is not None and not found.agrees:
        raise ValueError(f"{out} was not written: in {found.images} test images, onnxruntime {found.runtime} "
                         f"{found.fault(source)}; try another version of onnxruntime, or report this")
    write_bytes(out, model)
    height, width = trained.size
    console.say(f"{out}: {trained.task.words.verb}s {', '.join(trained.task.classes)} in images of {height} x {width} "
                f"pixels; {form.counts(trained)}")
    if trained.corrected:
        reader = READERS[trained.kind.name]
        how = ("correct_flat_field" if trained.lost_flat_field else
               f'remove_flat_field(images, scenefit.{reader}("{source}").flat_field)')
        console.warn(f"{source} was trained on flat-field corrected photos, and {out} cannot correct any itself; "
                     f"correct those that it is given with scenefit.{how}")
    if found is None:
        console.warn(f"{out} was not checked, as onnxruntime is not installed; pip install onnxruntime, and run the "
                     "same command again")
    else:
        console.say(f"Checked with onnxruntime {found.runtime}: in {found.images} test images {found.text}")
