"""scenefit fit: learns the distribution of scenes from photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.flat_field import FlatOption, GivenFlatField, flat_field_in, folder_of
from scenefit.cli.options import (
    ELSEWHERE,
    NO_WORKERS,
    DeviceOption,
    LabelledFolder,
    LabelledOption,
    LayoutOption,
    OutsideOption,
    ReadPolicyOption,
    SceneArgument,
    SeedOption,
    TaskOption,
    Workers,
    command_line,
    drawing,
    keep_apart,
    label_options,
    photos,
    resolve,
    settings,
    unused_options,
    worker_options,
)

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.inference.settings import Settings
    from scenefit.renderers.scene_file import SceneFile
    from scenefit.run.folder import Run


@console.command("Stopped. All but the last second or so is saved; run the same command again to resume.",
                 memory="draw smaller images, or fit anew (another --out) with --set max_photos=500 or --set "
                        "method.renders=400")
@worker_options
@label_options
def fit(
    context: typer.Context,
    scene: SceneArgument,
    real: Annotated[Path, typer.Option("--real", metavar="DIR", help="Photos, in subfolders too, or a list "
                                       "file in a data set of boxes; their labels are not read.",
                                       show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run folder to create or resume.",
                                      show_default=False)],
    labelled: LabelledOption = None,
    task: TaskOption = None,
    layout: LayoutOption = None,
    outside: OutsideOption = False,
    flat_field: FlatOption = None,
    seed: SeedOption = 0,
    max_renders: Annotated[int | None, typer.Option("--max-renders", help="Render at most this many images.",
                                                    show_default=False)] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="Begin no new step after this time. The result "
                                                  "then depends on the machine's speed.", show_default=False)] = None,
    device: DeviceOption = "cpu",
    method: Annotated[str | None, typer.Option("--method", metavar="auto|npe|meta-sim|none",
                                               help="How to learn. auto (npe): posteriors of images and objects, by "
                                               "networks trained on renders. meta-sim: as in the paper. none: only "
                                               "the MMD descent.",
                                               show_default="auto")] = None,
    gradient: Annotated[str | None, typer.Option("--gradient", metavar="auto|pathwise|finite-difference|spsa|"
                                                 "score-function", help="Gradient estimator of the MMD descent.",
                                                 show_default="auto")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of the MMD descent.",
                                              show_default="0; 400 in meta-sim, 60 in none")] = None,
    workers: Workers = NO_WORKERS,
    read_policy: ReadPolicyOption = True,
    label_policy: "LabelPolicy | None" = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of "
                                                   "scenefit.Settings, such as descent.batch=256; may be repeated.",
                                                   show_default=False)] = None,
) -> None:
    """Learn the distribution of scenes from photos.

    \b
      scenefit fit scenes/coins.py --real photos/ --out runs/coins
      scenefit fit scenes/coins.py --real photos/ --labelled few/ --out runs/coins2 --seed 1 --max-renders 20000

    With labelled photos, the fit also optimises the accuracy of a classifier (with boxes the AP50 of a detector, with
    class masks the mean IoU of a segmentation network) that is trained on renders, once in each of the task's steps
    (--set task.steps=20). The options from --min-pixels to --mask-border define which rendered objects get labels, and
    what boxes or masks. After the fit, the label policy is read from the labels; it then holds for the run's generate,
    evaluate and train.

    Where the photos share a few spots at the same places, such as dust on the camera, these are removed, and the run
    keeps them: its train, evaluate and report remove them likewise.

    Photos are scaled until they cover the renderer's size, and cropped at the centre. The run folder holds the
    learned distribution (model.safetensors) and report.html. If stopped or killed, run the same command again to
    resume: the result is the same.
    """
    chosen = settings(method, {"max_renders": max_renders, "minutes": minutes, "descent.gradient": gradient,
                               "descent.steps": steps, "device": resolve(device)}, set_ or [])
    _fit(context, scene, real, LabelledFolder(labelled, layout, outside), task, flat_field, out, seed, chosen, workers,
         label_policy, read_policy)


def _fit(context: typer.Context, scene: Path, real: Path, labelled: LabelledFolder, task: str | None,
         given: GivenFlatField | None, out: Path, seed: int, chosen: "Settings", workers: Workers,
         label_policy: "LabelPolicy | None", read_policy: bool) -> None:
    from scenefit.files.lock import lock
    from scenefit.files.text import counted
    from scenefit.inference.arguments import check_learned
    from scenefit.inference.conventions.policy import NoClass
    from scenefit.inference.cost import fit_cost
    from scenefit.renderers.batches import frame_size
    from scenefit.renderers.scene_file import load_scene
    from scenefit.report.progress import FIT_FIELDS, watched
    from scenefit.run.config import make_config
    from scenefit.run.folder import begin, find_run, fit_run, keep_flat_field
    from scenefit.run.label_policy import FILE, keep_label_policy
    from scenefit.run.report import fit_sentences, write_report, write_summary

    keep_apart(out, ELSEWHERE, real, labelled, folder_of(given))
    found = load_scene(scene)
    check_learned(found.grammar)
    with drawing(found, workers, chosen.device, networks=True) as renderer:
        size = frame_size(found.grammar, renderer)
        with console.busy("Reading the photos"):
            few, kind = labelled.of_task(size, task)
            images = photos(real, size, chosen.max_photos, labelled.outside)
            flat = flat_field_in(given, size, images)
            few, images = flat.correct(few), flat.correct(images)
        if kind is not None and (unused := unused_options(context, kind.foreign, kind.words.needs)):
            console.note(unused)
        if flat.found:
            console.say(flat.found)
        wanted = make_config(found, seed, chosen, size, images, real, few, labelled.place, command_line(),
                             label_policy, flat.hash, scene)
        known = find_run(out, wanted)  # before it is locked: what is finished may be in a folder that is read-only
        if known is not None and known.finished and (flat.every or known.keeps_flat_field):
            _say_finished(known, found, scene)
            return
        with lock(out):
            run = begin(out, wanted)
            keep_flat_field(run, flat.kept)
            if run.finished:  # by another process meanwhile
                _say_finished(run, found, scene)
                return
            warnings = _warn(run, found, scene)
            if not run.path("checkpoint.safetensors").exists() and not run.fitted:
                with console.busy("Estimating the cost"):
                    cost = fit_cost(found.grammar, renderer, images, few, seed=seed, settings=run.settings,
                                    label_policy=label_policy)
                console.say(cost.text)
            with console.bar(FIT_FIELDS) as progress:
                for _ in watched(fit_run(run, found.grammar, renderer, images, few, label_policy=label_policy),
                                 progress):
                    pass
            run.path(FILE).unlink(missing_ok=True)  # what an interrupted command read, perhaps with other options
            if read_policy and few is not None and kind is not None and kind.shown(kind.of_photos(few)):
                try:
                    with console.busy(f"Reading the label policy from {counted(len(few), 'labelled photo')} "
                                      f"({kind.words.reading})", long=True):
                        read = keep_label_policy(run, found.grammar, renderer, few, label_policy)
                except NoClass as error:  # learned scenes may hardly show a rare class; the fit holds anyway
                    warnings.append(f"the label policy was not read: {error}")
                    console.warn(warnings[-1])
                else:
                    console.listing("Labels of the photos:", read.lines())
            with console.busy("Summarising the fit"):
                summary = write_summary(run, found.grammar, renderer, images)
                page, picture = write_report(run, found, tuple(warnings))
            untold = fit_sentences(run, found.grammar)
    console.say(summary.verdict)
    for text in untold:
        console.say(text)
    console.say(f"Report: {page} (as a picture: {picture})")


def _say_finished(run: "Run", found: "SceneFile", scene: Path) -> None:
    """Print that a run is finished. CorruptFile where its results are damaged."""
    from scenefit.run.folder import fit_model, fit_regressor

    _warn(run, found, scene)
    fit_model(run, found.grammar)
    fit_regressor(run)
    console.say(f"{run.folder} is finished. Report: {run.path('report.html')}")


def _warn(run: "Run", found: "SceneFile", scene: Path) -> list[str]:
    """Warnings before a fit goes on; returns those that its report shows too."""
    from scenefit.run.folder import version_changes

    warnings = version_changes(run)
    if run.config.scene.hash != found.hash:
        warnings.append(f"{scene}, or what it imports, has changed since {run.folder} was begun; its grammar has not, "
                        f"but what it draws may have: to fit anew, remove {run.folder}")
    for text in warnings:
        console.warn(text)
    return warnings
