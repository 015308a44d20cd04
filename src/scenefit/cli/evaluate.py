"""scenefit evaluate: evaluates a run, or a trained network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.flat_field import FlatOption, GivenFlatField, check_flat_field, flat_field_of, folder_of
from scenefit.cli.options import (
    APART,
    NO_WORKERS,
    RESUME,
    DeviceOption,
    LabelledFolder,
    LabelledOption,
    LayoutOption,
    OutsideOption,
    SceneOption,
    SeedOption,
    TaskOption,
    Workers,
    drawing,
    keep_apart,
    label_options,
    one_thread,
    open_scene,
    photos,
    resolve,
    typed,
    unused_options,
    worker_options,
)

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.evaluation.evaluate import Evaluation, EvaluationSettings
    from scenefit.evaluation.measured import Measured

OF_BOTH = {"source", "labelled", "layout", "outside", "flat_field", "device"}  # options
OF_NETWORKS = {"out", "force"}  # all others are for runs


@console.command(RESUME, memory="lower --renders and --images, use fewer photos")
@worker_options
@label_options
def evaluate(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="RUN|NETWORK", help="The folder of a finished fit, or a network "
                                           "written by scenefit train.", show_default=False)],
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", help="Photos to compare renders with; best "
                                              "those that the fit has not seen.",
                                              show_default="the labelled photos")] = None,
    labelled: LabelledOption = None,
    task: TaskOption = None,
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
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Of a network: a file for all "
                                             "results, with a row for each photo.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Of a network: measure it also on photos that it was made "
                                        "with.")] = False,
) -> None:
    """Evaluate a run, or a trained network.

    \b
      scenefit evaluate runs/coins --real held_out_photos/
      scenefit evaluate runs/digits --real held_out/ --labelled labelled_photos/
      scenefit evaluate detector.safetensors --labelled labelled_photos/ --out measured.json

    A run: compares the learned distribution with two baselines, the grammar's prior and "shrunk", all
    learned ranges shrunk about their centre to a quarter. A fit that does not beat "shrunk" has learned nothing useful.

    Distances between renders and photos, lower is better: MMD2 (with its noise floor, between photos and other
    photos), KID, and the AUC of a classifier that tells renders from photos (0.5 or below: it cannot). A lower
    distance does not prove that the data are better; with --labelled, a classifier (accuracy) or a detector (AP50, mean
    and per class) is trained on renders of each distribution and measured on the labelled photos. Without --real, the
    labelled photos are also those that renders are compared with. Writes evaluation.json into the run folder, and the
    detections for scenefit report. If stopped, run the same command again to resume.

    A detector: nothing is trained. Prints AP (mean over IoU 0.5 to 0.95) and AP50 on the labelled photos; precision and
    recall at the detector's confidence threshold, and at the best one for these photos; what the false detections are;
    how large detected boxes are beside the true ones; and the share of objects missed at 1, 2 and 4 false detections
    per photo. Of labels in KITTI's layout also AP of easy, moderate and hard objects, at IoU 0.5 and 0.7.

    A segmentation network: IoU of each class by the most likely class of each pixel, with a 95 % interval by resampling
    the photos; average precision over pixels; IoU at the thresholds that were set on renders, and at equal
    predicted area; false positives and false negatives in pixels, relative to the labelled area.

    Photos that fitted, trained or selected the network are refused without --force.
    """
    from scenefit.evaluation.evaluate import EvaluationSettings

    few = LabelledFolder(labelled, layout, outside)
    if (source / "settings.json").exists():
        given = typed(context, OF_NETWORKS)
        if given:
            raise typer.BadParameter(f"{given}: only for trained networks, and {source} is a run, whose results are "
                                     "written into its folder")
        if real is None and labelled is None:
            raise typer.BadParameter("a run is evaluated on photos; give some with --real or, if they are labelled, "
                                     "with --labelled")
        settings = EvaluationSettings(features, renders, images, repeats, seed)
        _evaluate_run(context, source, real, few, task, flat_field, scene, settings, workers, resolve(device),
                      label_policy)
    elif source.is_file():
        given = typed(context, context.params.keys() - OF_BOTH - OF_NETWORKS)
        if given:
            raise typer.BadParameter(f"{given}: only for runs, and {source} is a file; a network is evaluated with "
                                     "--labelled alone")
        if labelled is None:
            raise typer.BadParameter("a network is evaluated on labelled photos; give some with --labelled")
        if out is not None and out.suffix != ".json":
            raise typer.BadParameter(f"--out must name a file that ends in .json, got {out}")
        _evaluate_network(source, few, flat_field, resolve(device), out, force)
    else:
        raise ValueError(f"{source} is neither a run folder (it has no settings.json) nor a trained network (a file "
                         "that scenefit train wrote)")


def _evaluate_run(context: typer.Context, run: Path, real: Path | None, labelled: LabelledFolder, task: str | None,
                  given: GivenFlatField | None, scene: Path | None, settings: "EvaluationSettings", workers: Workers,
                  device: str, label_policy: "LabelPolicy | None") -> None:
    from scenefit.data.photos import Photos
    from scenefit.evaluation.evaluate import BASELINES
    from scenefit.files.lock import lock
    from scenefit.report.progress import evaluated
    from scenefit.run.evaluation import FEATURES, evaluate_run
    from scenefit.run.folder import kept_flat_field, open_run
    from scenefit.run.label_policy import policy_of

    if settings.features not in FEATURES:
        raise typer.BadParameter(f"--features must be one of {', '.join(FEATURES)}, got {settings.features}")
    opened = open_run(run)
    keep_apart(run, APART, real, labelled, folder_of(given))
    found, size = open_scene(opened, scene), opened.config.size
    flat = flat_field_of(given, size, kept_flat_field(opened))
    check_flat_field(opened, flat)
    reals = None if real is None else flat.correct(photos(real, size, outside=labelled.outside))
    read, kind = labelled.of_task(size, task)
    few = flat.correct(read)
    if kind is not None and (unused := unused_options(context, kind.foreign, kind.words.needs)):
        console.note(unused)
    if reals is None:
        assert few is not None
        reals = Photos(few.images, few.paths)  # without labels, as the fit's own photos are, so that these are noticed
    with drawing(found, workers, device, networks=True) as renderer, lock(run), console.bar() as progress:
        steps = evaluate_run(opened, found, renderer, reals, few, settings, device=device,
                             label_policy=label_policy or policy_of(opened))
        *_, step = evaluated(steps, progress, len(BASELINES))
    _show(step.evaluation, real is None)
    console.say(f"Written to {opened.path('evaluation.json')}")


def _evaluate_network(path: Path, labelled: LabelledFolder, given: GivenFlatField | None, device: str,
                      out: Path | None, force: bool) -> None:
    from scenefit.evaluation.trained import evaluate_trained
    from scenefit.files.atomic import content_hash, write_json
    from scenefit.files.lock import check_file
    from scenefit.files.text import printable
    from scenefit.files.versions import versions
    from scenefit.tasks.trained import read_network

    one_thread()
    if out is not None:
        check_file(out)  # now, not after the work
    network = read_network(path, device)
    flat = flat_field_of(given, network.size, network.flat_field)
    if network.corrected != (flat.field is not None):
        was = "flat-field corrected photos" if network.corrected else "photos that were not flat-field corrected"
        fix = "give --flat-field DIR" if network.lost_flat_field else "leave out --flat-field"
        console.warn(f"{path} was trained on {was}; treat these likewise: {fix}")
    if not network.photos:
        console.warn(f"{path} does not record which photos it was made with (an earlier version wrote it, or fitted "
                     "its run), so it is not checked whether these are among them")
    few = flat.correct(labelled.read(network.size, network.kind.read))
    assert few is not None
    found = evaluate_trained(network, few, force)
    _show_measured(found, network.word)
    if out is not None:
        write_json(out, {network.word: printable(path), f"{network.word}_hash": content_hash(path.read_bytes()),
                         "labelled": printable(labelled.place), "flat_field": flat.field is not None,
                         "versions": versions(), **found.model_dump(mode="json")})
        console.say(f"Written to {out}")


def _show_measured(found: "Measured", noun: str) -> None:
    if found.used:
        from scenefit.files.text import counted

        photos = counted(len(found.photos), "labelled photo")
        console.say(f"No test (--force): {found.used:,} of the {photos} fitted, trained or selected this {noun}; "
                    "expect it to be worse on others")
    for table in found.tables():
        console.table(*table)
    for line in found.lines():
        console.say(line)


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.1%}"


def _show(found: "Evaluation", labelled_alone: bool) -> None:
    """labelled_alone: whether renders are compared with the labelled photos."""
    floor = found.floor
    rows = [[name, console.number(d.mmd2), f"{d.kid:.4g} ± {d.kid_error:.2g}", f"{d.auc:.3f} ({d.auc_low:.3f} to "
             f"{d.auc_high:.3f})", *_headline(found, name)] for name, d in found.distances.items()]
    rows.append(["noise floor", f"{floor.mean:.3g} ({floor.low:.2g} to {floor.high:.2g})", "0", "0.5",
                 *[""] * bool(found.metric)])
    columns = ["", "MMD²", "KID ± error", "AUC (95 %)"]
    note = ("noise floor: between photos and other photos\n"
            "AUC: at 0.5 or below, a classifier cannot tell renders from photos")
    if labelled_alone:
        note = f"distances: between renders and the labelled photos, as no others were given with --real\n{note}"
    if found.metric:
        columns.append(found.metric)
        trainings = len(found.values["learned"])
        of = f"mean (lowest to highest) of {trainings} trainings" if trainings > 1 else "one training"
        note += f"\n{found.metric} on {found.labelled} labelled photos: {of} on {found.images} images each"
    console.table(f"{found.photos} {'labelled ' if labelled_alone else ''}photos, {found.renders} renders each, "
                  f"features: {found.features}", columns, rows, note)
    names = list(found.metrics.get("learned", ()))
    if len(names) > 1:
        console.table("All metrics", ["", *names],
                      [[baseline, *(_percent(metrics[name]) for name in names)]
                       for baseline, metrics in found.metrics.items()])
    for text in [*found.notes, *_no_gain(found)]:
        console.warn(text)


def _no_gain(found: "Evaluation") -> list[str]:
    """What is said where training on learned renders is no better than on a baseline's."""
    means = {name: sum(values) / len(values) for name, values in found.values.items()} if found.metric else {}
    return [f"trained on learned renders, the {found.metric} is {means['learned']:.1%}, no better than on those of "
            f"{'the grammar' if name == 'grammar' else 'the shrunk prior'} ({value:.1%}): for this task the fit has "
            "learned nothing useful, or it takes more --images and --repeats to see it"
            for name, value in means.items() if name != "learned" and means["learned"] <= value]


def _headline(found: "Evaluation", name: str) -> list[str]:
    if not found.metric:
        return []
    values = found.values[name]
    mean = _percent(found.metrics[name][found.metric])
    return [mean if len(values) < 2 else f"{mean} ({min(values):.1%} to {max(values):.1%})"]


def _percent(values: "list[float | None]") -> str:
    known = [value for value in values if value is not None]
    return _share(sum(known) / len(known) if known else None)
