"""scenefit generate, score, report and export: what can be done with a finished run."""

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
    LabelledOption,
    MarginOption,
    PixelsOption,
    RunArgument,
    SceneOption,
    SeedOption,
    SeenOption,
    SideOption,
    WorkersOption,
    drawing,
    keep_apart,
    keep_of,
    labelled_photos,
    one_thread,
    open_scene,
    photos,
    resolve,
    same_camera,
)

if TYPE_CHECKING:
    from scenefit.evaluation.evaluate import Evaluation
    from scenefit.metrics.features import Extractor
    from scenefit.nets.model import Model, PriorModel
    from scenefit.renderers.scene_file import SceneFile
    from scenefit.run.folder import Run

FEATURES = ("run", "lite0", "pixels")


@console.command("Stopped. The same command goes on where it stood.")
def generate(
    source: Annotated[Path, typer.Argument(metavar="RUN|SCENE.py", help="The folder of a finished fit; or a scene "
                                           "file, for data of its prior.", show_default=False)],
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Images to write.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set's folder.", show_default=False)],
    format: Annotated[str, typer.Option("--format", metavar="folder|coco|yolo|voc|kitti", help="folder: one subfolder "
                                        "a class. coco: boxes and masks. yolo, voc, kitti: boxes.")] = "coco",
    validation: Annotated[float, typer.Option("--val", min=0, max=0.99, help="Share of the val part.")] = 0.1,
    scene: SceneOption = None,
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
    """Write a labelled data set.

    \b
      scenefit generate runs/coins -n 10000 --format coco --out dataset/
      scenefit generate runs/digits -n 60000 --format folder --out dataset/ --workers 8
      scenefit generate runs/smear -n 2000 --format voc --box amodal --min-visibility 0.3 --out dataset/
      scenefit generate coins.py -n 10000 --out baseline/

    Refuses a scene file whose grammar has changed since the fit. Stopped or killed, the same command goes on where it
    stood, and ends in the same bytes, whatever the number of workers. provenance.json says where the data come from.
    """
    from scenefit.data.formats import FORMATS, as_format
    from scenefit.files.lock import lock
    from scenefit.generation.dataset import generate_steps

    if format not in FORMATS:
        raise typer.BadParameter(f"--format must be one of {', '.join(FORMATS)}, got {format}")
    form = as_format(format, keep_of(min_pixels, min_visibility, min_side, max_truncation, min_contrast, box, margin))
    if scene is not None and source.suffix == ".py":
        raise typer.BadParameter(f"--scene is for a run; {source} is a scene file itself, so leave it out")
    model, found, info = _prior(source) if source.suffix == ".py" else _learned(source, scene)
    with drawing(found, workers, resolve(device)) as renderer, lock(out), console.bar() as progress:
        shown = progress.add_task("images", total=n)
        for step in generate_steps(model, renderer, n, out, form, validation=validation, info=info,
                                   drawn_by=found.hash):
            progress.update(shown, completed=step.written, description=f"{step.written:,} images")
    console.say(f"{n:,} images in {out}")


@console.command("Stopped. The same command goes on where it stood.")
def score(
    run: RunArgument,
    real: Annotated[Path, typer.Option("--real", metavar="DIR", help="Photos; best those that the fit has not seen.",
                                       show_default=False)],
    labelled: LabelledOption = None,
    flat_field: FlatOption = None,
    scene: SceneOption = None,
    features: Annotated[str, typer.Option("--features", metavar="run|lite0|pixels", help="What distances are measured "
                                          "in: the run's own network, EfficientNet-Lite0 (ImageNet), or an 8 x 8 "
                                          "thumbnail.")] = "run",
    renders: Annotated[int, typer.Option("--renders", min=10, help="Images drawn for the distances.")] = 512,
    images: Annotated[int, typer.Option("--images", min=2, help="Images each classifier or detector is trained "
                                           "on.")] = 1024,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Trainings of each.")] = 3,
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
    """Measure what a run learned.

    \b
      scenefit score runs/coins --real held_out_photos/
      scenefit score runs/digits --real held_out/ --labelled labelled_photos/

    The learned distribution stands beside the grammar and a control: the wide prior shrunk about its centre. What does
    not beat the control is not worth the name learned.

    Distances, all lower is better: MMD2 (beside the floor that photos reach against other photos), KID, and AUC of a
    classifier that tells renders from photos (0.5 or below: it cannot). A lower distance is no proof of better data;
    what a classifier (accuracy) or a detector (AP50, mean and per class) that learned from renders gets right in
    labelled photos is. Writes score.json into the run folder, and what the detectors found, for scenefit report.
    Stopped, the same command goes on where it stood.
    """
    from dataclasses import asdict

    from scenefit.evaluation.evaluate import evaluate_steps
    from scenefit.files.lock import lock
    from scenefit.files.versions import versions
    from scenefit.run.config import hash_photos
    from scenefit.run.detections import ARMS, compare, write_detections
    from scenefit.run.folder import fit_model, open_run
    from scenefit.run.results import read_piece, write_piece, write_score
    from scenefit.tasks.from_labels import task_for_labels

    if features not in FEATURES:
        raise typer.BadParameter(f"--features must be one of {', '.join(FEATURES)}, got {features}")
    keep = keep_of(min_pixels, min_visibility, min_side, max_truncation, min_contrast, box, margin)
    opened = open_run(run)
    keep_apart(run, APART, real, labelled, flat_field)
    found = open_scene(opened, scene)
    model = fit_model(opened, found.grammar)
    size, where = opened.record.size, resolve(device)
    same_camera(opened, flat_field)
    reals, few = photos(real, size, flat=flat_field), labelled_photos(labelled, size, flat_field)
    asked = {"run": opened.record.identity, "scene": found.hash, "real": hash_photos(reals),
             "labelled": None if few is None else hash_photos(few), "features": features, "renders": renders,
             "images": images, "repeats": repeats, "seed": seed, "device": where,
             "label_policy": None if keep is None else asdict(keep), "versions": versions()}
    so_far = opened.path("score.part.safetensors")
    with drawing(found, workers, where) as renderer, lock(run):
        task = None if few is None else task_for_labels(few, found.grammar, renderer, where)
        with console.bar() as progress:
            shown = progress.add_task("measuring", total=None)
            for piece in evaluate_steps(model, renderer, reals, _extractor(opened, features), few, features=features,
                                      seed=seed, renders=renders, images=images, repeats=repeats, task=task,
                                      notes=_seen(opened, reals, few), label_policy=keep, start=read_piece(so_far,
                                                                                                           asked)):
                write_piece(so_far, piece, asked)
                progress.update(shown, completed=piece.done, total=piece.of, description=piece.text)
    opened.path("detections.safetensors").unlink(missing_ok=True)
    if few is not None and piece.found:
        told = compare(few, {arm: piece.found[arm] for arm in ARMS})
        write_detections(opened.path("detections.safetensors"), told, opened.record.identity)
    write_score(opened.path("score.json"), piece.score)
    so_far.unlink(missing_ok=True)
    _show(piece.score)
    console.say(f"Written to {opened.path('score.json')}")


@console.command("Stopped.")
def report(
    run: RunArgument,
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", help="Measure against these photos anew, for "
                                              "instance where summary.json was lost.", show_default=False)] = None,
    flat_field: FlatOption = None,
    scene: SceneOption = None,
) -> None:
    """Write the report of a run again.

    report.html and report.png, with the run's score if there is one.

    \b
      scenefit report runs/coins
    """
    from scenefit.run.folder import open_run
    from scenefit.run.report import measure, write_report

    if flat_field is not None and real is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real, or leave it out")
    one_thread()
    opened = open_run(run)
    keep_apart(run, APART, real, flat=flat_field)
    found = open_scene(opened, scene)
    with console.busy("Writing the report"):
        if real is not None:
            same_camera(opened, flat_field)
            measure(opened, found.grammar, found.renderer, photos(
                real, opened.record.size, opened.settings.most_photos, flat_field))
        page, picture = write_report(opened, found)
    console.say(f"Report: {page} (as a picture: {picture})")


@console.command("Stopped; nothing was written.")
def export(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to write.",
                                             show_default="RUN/distribution.json")] = None,
    scene: SceneOption = None,
    scenes: Annotated[int, typer.Option("--scenes", min=100, help="Scenes sampled for the numbers.")] = 4096,
) -> None:
    """Write the learned ranges as JSON.

    For someone who feeds a simulator of their own.

    \b
      scenefit export runs/coins
      scenefit export runs/coins --out coins.json

    Ranges, quantiles, probabilities, counts and rank correlations of all attributes, learned beside prior. The keys
    are documented in scenefit/export.py (python -c "import scenefit.generation.export;
    help(scenefit.generation.export)").
    """
    from scenefit.files.atomic import write_json
    from scenefit.generation.export import export as distribution
    from scenefit.run.folder import fit_model, open_run

    one_thread()
    opened = open_run(run)
    found = open_scene(opened, scene)
    path = out or opened.path("distribution.json")
    write_json(path, distribution(fit_model(opened, found.grammar), scenes))
    console.say(f"Distribution: {path}")


def _learned(run: Path, scene: Path | None) -> "tuple[Model | PriorModel, SceneFile, dict[str, Any]]":
    """What a run learned, what draws it, and what the record of data made from it says."""
    from scenefit.run.folder import fit_model, open_run

    opened = open_run(run)
    found, real = open_scene(opened, scene), opened.record.real
    return fit_model(opened, found.grammar), found, {
        "run": str(run), "scene": str(found.path), "versions": opened.record.versions,
        "real": {"path": real.path, "hash": real.hash, "count": real.count}}


def _prior(scene: Path) -> "tuple[Model | PriorModel, SceneFile, dict[str, Any]]":
    """The same of a scene file alone."""
    from scenefit.files.versions import versions
    from scenefit.nets.model import PriorModel
    from scenefit.renderers.scene_file import load_scene

    found = load_scene(scene)
    return PriorModel(found.grammar), found, {"scene": str(found.path), "versions": versions()}


def _extractor(run: "Run", features: str) -> "Extractor":
    from scenefit.metrics.features import lite0, pixels
    from scenefit.run.folder import fit_regressor

    if features == "run":
        return fit_regressor(run).features
    return lite0() if features == "lite0" else pixels(8)


def _seen(run: "Run", real: Any, few: Any) -> tuple[str, ...]:
    """What makes a score rosier than it is."""
    from scenefit.run.config import hash_photos

    found = []
    if hash_photos(real) == run.record.real.hash:
        found.append("These are the photos that the fit matched; photos it has not seen are the fairer test.")
    if few is not None and run.record.labelled is not None and hash_photos(few) == run.record.labelled.hash:
        found.append("The fit was steered by these very labelled photos; others are the fairer test.")
    return tuple(found)


def _show(found: "Evaluation") -> None:
    floor = found.floor
    rows = [[name, console.number(d.mmd2), f"{d.kid:.4g} ± {d.kid_error:.2g}", f"{d.auc:.3f} ({d.auc_low:.3f} to "
             f"{d.auc_high:.3f})", *_accuracy(found, name)] for name, d in found.distances.items()]
    rows.append(["floor", f"{floor.mean:.3g} ({floor.low:.2g} to {floor.high:.2g})", "0", "0.5",
                 *[""] * bool(found.metric)])
    columns = ["", "MMD²", "KID ± error", "AUC (95 %)"]
    note = "floor: photos against other photos\nAUC: at 0.5 or below, renders cannot be told from photos"
    if found.metric:
        columns.append(found.metric)
        note += (f"\n{found.metric} on {found.labelled} labelled photos: mean (lowest to highest) of "
                 f"{len(found.values['learned'])} trainings on {found.images} images each")
    console.table(f"{found.photos} photos, {found.renders} renders each, features: {found.features}", columns, rows,
                  note)
    names = list(found.metrics.get("learned", ()))
    if len(names) > 1:
        console.table("All metrics", ["", *names],
                      [[arm, *(_percent(metrics[name]) for name in names)] for arm, metrics in found.metrics.items()])
    for text in found.notes:
        console.warn(text)


def _accuracy(found: "Evaluation", arm: str) -> list[str]:
    if not found.metric:
        return []
    values = found.values[arm]
    return [f"{sum(values) / len(values):.1%} ({min(values):.1%} to {max(values):.1%})"]


def _percent(values: "list[float | None]") -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.1%}" if known else "undefined"
