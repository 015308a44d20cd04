"""scenefit evaluate: evaluates a run, or a detector."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    APART,
    NO_WORKERS,
    RESUME,
    DeviceOption,
    FlatOption,
    LabelledFolder,
    LabelledOption,
    LayoutOption,
    OutsideOption,
    SceneOption,
    SeedOption,
    Workers,
    check_flat_field,
    drawing,
    keep_apart,
    label_options,
    one_thread,
    open_scene,
    photos,
    resolve,
    worker_options,
)

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.evaluation.evaluate import Evaluation, EvaluationSettings

OF_DETECTORS = {"source", "labelled", "layout", "outside", "flat_field", "device"}  # options; all others are for runs


@console.command(RESUME, memory="lower --renders and --images, use fewer photos")
@worker_options
@label_options
def evaluate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="RUN|DETECTOR", help="The folder of a finished fit, or a detector "
                                           "written by scenefit train.", show_default=False)],
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", help="Photos to compare renders with; best "
                                              "those that the fit has not seen. Needed for a run.",
                                              show_default=False)] = None,
    labelled: LabelledOption = None,
    layout: LayoutOption = None,
    outside: OutsideOption = False,
    flat_field: FlatOption = None,
    scene: SceneOption = None,
    features: Annotated[str, typer.Option("--features", metavar="run|lite0|pixels", help="Features that distances are "
                                          "measured in: those of the run's own network, of EfficientNet-Lite0 "
                                          "(ImageNet), or an 8 x 8 thumbnail.")] = "run",
    renders: Annotated[int, typer.Option("--renders", min=10, help="Images rendered for the distances.")] = 512,
    images: Annotated[int, typer.Option("--images", min=2, help="Training images of each classifier or "
                                        "detector.")] = 1024,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Trainings per distribution.")] = 3,
    seed: SeedOption = 0,
    workers: Workers = NO_WORKERS,
    device: DeviceOption = "cpu",
    label_policy: "LabelPolicy | None" = None,
) -> None:
    """Evaluate a run, or a detector.

    \b
      scenefit evaluate runs/coins --real held_out_photos/
      scenefit evaluate runs/digits --real held_out/ --labelled labelled_photos/
      scenefit evaluate detector.safetensors --labelled labelled_photos/

    A run: compares the learned distribution with two baselines, the grammar's prior and "shrunk", all
    learned ranges shrunk about their centre to a quarter. A fit that does not beat "shrunk" has learned nothing useful.

    Distances between renders and photos, lower is better: MMD2 (with its noise floor, between photos and other
    photos), KID, and the AUC of a classifier that tells renders from photos (0.5 or below: it cannot). A lower
    distance does not prove that the data are better; with --labelled, a classifier (accuracy) or a detector (AP50, mean
    and per class) is trained on renders of each distribution and measured on the labelled photos. Writes
    evaluation.json into the run folder, and the detections for scenefit report. If stopped, run the same command again
    to resume.

    A detector: nothing is trained. Prints AP50 per class on the labelled photos, and how many objects it finds, misses
    and detects falsely at its confidence threshold.
    """
    from scenefit.evaluation.evaluate import EvaluationSettings

    few = LabelledFolder(labelled, layout, outside)
    if (source / "settings.json").exists():
        if real is None:
            raise typer.BadParameter("a run is evaluated on photos; give some with --real")
        settings = EvaluationSettings(features, renders, images, repeats, seed)
        _evaluate_run(source, real, few, flat_field, scene, settings, workers, resolve(device), label_policy)
    elif source.is_file():
        sources = {name: context.get_parameter_source(name) for name in context.params if name not in OF_DETECTORS}
        given = [name for name, origin in sources.items() if origin is not None and origin.name == "COMMANDLINE"]
        if given:
            options = ", ".join("--" + name.replace("_", "-") for name in given)
            raise typer.BadParameter(f"{options}: only for runs, and {source} is a file; a detector is evaluated with "
                                     "--labelled alone")
        if labelled is None:
            raise typer.BadParameter("a detector is evaluated on labelled photos; give some with --labelled")
        _evaluate_detector(source, few, flat_field, resolve(device))
    else:
        raise ValueError(f"{source} is neither a run folder (it has no settings.json) nor a detector (a file that "
                         "scenefit train wrote)")


def _evaluate_run(run: Path, real: Path, labelled: LabelledFolder, flat_field: Path | None, scene: Path | None,
                  settings: "EvaluationSettings", workers: Workers, device: str,
                  label_policy: "LabelPolicy | None") -> None:
    from scenefit.files.lock import lock
    from scenefit.run.evaluation import FEATURES, evaluate_run
    from scenefit.run.folder import open_run

    if settings.features not in FEATURES:
        raise typer.BadParameter(f"--features must be one of {', '.join(FEATURES)}, got {settings.features}")
    opened = open_run(run)
    keep_apart(run, APART, real, labelled, flat_field)
    found, size = open_scene(opened, scene), opened.config.size
    check_flat_field(opened, flat_field)
    reals = photos(real, size, flat=flat_field, outside=labelled.outside)
    few = labelled.read(size, flat_field)
    with drawing(found, workers, device, networks=True) as renderer, lock(run), console.bar() as progress:
        shown = progress.add_task("evaluating", total=None)
        for step in evaluate_run(opened, found, renderer, reals, few, settings, device=device,
                                 label_policy=label_policy):
            progress.update(shown, completed=step.done, total=step.of, description=step.text)
    _show(step.evaluation)
    console.say(f"Written to {opened.path('evaluation.json')}")


def _evaluate_detector(path: Path, labelled: LabelledFolder, flat_field: Path | None, device: str) -> None:
    from scenefit.evaluation.detector import evaluate_detector
    from scenefit.tasks.detector_file import read_trained

    one_thread()
    detector = read_trained(path, device)
    if detector.flat_field != (flat_field is not None):
        was = "flat-field corrected photos" if detector.flat_field else "photos that were not flat-field corrected"
        console.warn(f"{path} was trained on {was}; treat these likewise: "
                     f"{'give' if detector.flat_field else 'leave out'} --flat-field")
    few = labelled.read(detector.size, flat_field)
    assert few is not None
    found = evaluate_detector(detector, few)
    rows = [*found.ap50.items(), ("mean", found.mean_ap50)]
    console.table(f"AP50 on {found.photos} labelled photos", ["class", "AP50"],
                  [[name, _percent([None if value != value else value])] for name, value in rows])
    console.say(f"{found.true:,} found, {found.false:,} false, {found.missed:,} missed, at confidence "
                f"{found.threshold:.2f} or more")


def _show(found: "Evaluation") -> None:
    floor = found.floor
    rows = [[name, console.number(d.mmd2), f"{d.kid:.4g} ± {d.kid_error:.2g}", f"{d.auc:.3f} ({d.auc_low:.3f} to "
             f"{d.auc_high:.3f})", *_headline(found, name)] for name, d in found.distances.items()]
    rows.append(["noise floor", f"{floor.mean:.3g} ({floor.low:.2g} to {floor.high:.2g})", "0", "0.5",
                 *[""] * bool(found.metric)])
    columns = ["", "MMD²", "KID ± error", "AUC (95 %)"]
    note = ("noise floor: between photos and other photos\n"
            "AUC: at 0.5 or below, a classifier cannot tell renders from photos")
    if found.metric:
        columns.append(found.metric)
        note += (f"\n{found.metric} on {found.labelled} labelled photos: mean (lowest to highest) of "
                 f"{len(found.values['learned'])} trainings on {found.images} images each")
    console.table(f"{found.photos} photos, {found.renders} renders each, features: {found.features}", columns, rows,
                  note)
    names = list(found.metrics.get("learned", ()))
    if len(names) > 1:
        console.table("All metrics", ["", *names],
                      [[baseline, *(_percent(metrics[name]) for name in names)]
                       for baseline, metrics in found.metrics.items()])
    for text in found.notes:
        console.warn(text)


def _headline(found: "Evaluation", name: str) -> list[str]:
    if not found.metric:
        return []
    values = found.values[name]
    return [f"{sum(values) / len(values):.1%} ({min(values):.1%} to {max(values):.1%})"]


def _percent(values: "list[float | None]") -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.1%}" if known else "undefined"
