"""The summary and the report of a finished run: from the run folder to a `ReportContent`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit import report
from scenefit.data.flat_field import describe_spots
from scenefit.data.photos import Photos, few_photos
from scenefit.evaluation.summary import N_SAMPLES, OutlierPhotos, summarise
from scenefit.files.atomic import write_json
from scenefit.files.text import counted, printable
from scenefit.nets.model import Model
from scenefit.renderers import Renderer
from scenefit.renderers.scene_file import SceneFile
from scenefit.report.content import (
    AttributeContent,
    Baseline,
    Counts,
    Interval,
    Outliers,
    Prediction,
    Reconstructions,
    ReportContent,
    Table,
    TracePoint,
    brightened,
    brightening,
)
from scenefit.report.picture import write_contact_sheet
from scenefit.run.bounds import is_natural
from scenefit.run.config import PhotoSource
from scenefit.run.diagnostics import Diagnostics, sentences
from scenefit.run.folder import Run, fit_diagnostics, fit_model, fit_regressor, kept_flat_field, steps
from scenefit.run.label_policy_file import kept_label_policy
from scenefit.run.results import (
    SEGMENTATIONS,
    RunSummary,
    read_detections,
    read_evaluation,
    read_samples,
    read_segmentations,
    read_summary,
    write_samples,
)
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

N_SKIPPED = 3  # skipped files that a note names


def write_summary(run: Run, grammar: Grammar, renderer: Renderer, real: Photos) -> RunSummary:
    """Summarise a finished fit, on scenes that it has not seen, as many as it validates on.

    Writes summary.json, samples.safetensors and the contact sheets photos.png, prior.png and learned.png.
    """
    seed, owner = derive_seed(run.config.seed, "summary"), run.config.identity
    regressor = fit_regressor(run)
    summary, samples = summarise(fit_model(run, grammar), renderer, real.images, regressor.features, seed,
                                 run.settings.validation_renders, regressor.input_size)
    last = steps(run)[-1]
    found = RunSummary(**dict(summary), renders=last["renders"], trainings=last["trainings"],
                       cpu_seconds=last["cpu_seconds"], run=owner)
    write_samples(run.path("samples.safetensors"), samples, owner)
    for name in ("photos", "prior", "learned"):
        write_contact_sheet(getattr(samples, name), run.path(f"{name}.png"), 6)
    write_json(run.path("summary.json"), found.model_dump(mode="json"))
    return found


def write_report(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Write report.html and report.png into the run folder; returns their paths."""
    return report.write(report_content(run, scene, warnings), run.folder)


def report_content(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> ReportContent:
    """The content of a run's report, from the files in its folder. RunError or CorruptFile if one is unusable."""
    config, owner = run.config, run.config.identity
    summary, model = read_summary(run.path("summary.json"), owner), fit_model(run, scene.grammar)
    samples = read_samples(run.path("samples.safetensors"), owner)
    measured = fit_diagnostics(run)
    factor = brightening(samples.photos)
    trace = [TracePoint(step["renders"], step["distance"], step["stage"]) for step in steps(run)
             if step["distance"] is not None]
    floor = summary.floor
    return ReportContent(
        title=f"Distribution of {printable(scene.path.stem)}, learned from {config.real.count} photos",
        verdict=summary.verdict, subtitle=printable(config.real.shown), command=printable(config.command),
        facts=_facts(run, summary),
        photos=brightened(samples.photos, factor), prior=brightened(samples.prior, factor),
        learned=brightened(samples.learned, factor), brightness=factor,
        trace=trace, floor=Interval(floor.mean, floor.low, floor.high), prior_distance=summary.prior,
        attributes=attributes(model, summary.at_bound, renderer=scene.renderer, measured=measured), table=_table(run),
        counts=counts(model, measured), reconstructions=_reconstructions(measured, factor),
        untold=[*fit_sentences(run, scene.grammar), *_of_labels(run)],
        outliers=outlier_content(samples.outliers, factor), notes=tuple(map(printable, (*warnings, *notes(run)))),
        detections=read_detections(run.path("detections.safetensors"), owner),
        segmentations=read_segmentations(run.path(SEGMENTATIONS), owner))


def fit_sentences(run: Run, grammar: Grammar) -> list[str]:
    """Of which attributes photos told nothing, and why. CorruptFile."""
    return sentences(fit_diagnostics(run), run.config.size, grammar.learned)


def attributes(model: Model, at_bound: Mapping[str, str], scenes: int = N_SAMPLES, renderer: Renderer | None = None,
               measured: Diagnostics | None = None) -> list[AttributeContent]:
    """Each learned attribute, and each learned choice of rules, before and after, over so many scenes.

    at_bound: "kind.name" -> "low" or "high".  renderer: whose limits are natural bounds.  measured: of its predictions.
    """
    after = model.sample(scenes)
    before = model.grammar.sample(after.seed, scenes)
    found = [_attribute(a, before, after, at_bound.get(f"{a.kind}.{a.name}", ""), renderer, model.grammar.start,
                        _prediction(measured, f"{a.kind}.{a.name}")) for a in model.grammar.learned]
    for kind in model.grammar.learned_heads:
        names = np.array([str(rule) for rule in model.grammar.rules_of(kind)])
        found.append(AttributeContent(kind, "rule", names[before.tables[kind].rule], names[after.tables[kind].rule]))
    return [one for one in found if len(one.before) and len(one.after)]


def notes(run: Run) -> list[str]:
    """Warnings for a reader of the report: few or skipped photos, work that the budget cut, the evaluation's notes."""
    config = run.config
    few = few_photos(config.real.count)
    found = [few] if few else []
    found += _skipped(config.real, "real photos") + _skipped(config.labelled, "labelled photos or labels")
    found += stage_notes(steps(run))
    evaluation = read_evaluation(run.path("evaluation.json"))
    return found + (evaluation.notes if evaluation is not None and evaluation.metric else [])


def stage_notes(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the budget cut, from the lines of steps.jsonl: stages that it ended, and steps of stages left out."""
    done: dict[str, list[int]] = {}  # stage -> number of its steps, number planned
    for step in steps:
        done.setdefault(step["stage"], [0, step["of"]])[0] += 1
    found = [f"The budget ended the stage {stage} after {count} of {counted(of, 'step')}."
             for stage, (count, of) in done.items() if count < of]
    planned = steps[-1]["number"] + 1 if steps else 0
    missing = planned - sum(of for _, of in done.values())
    left_out = f"The budget left out {counted(missing, 'step')}, of stages that it did not begin."
    return [*found, left_out] if missing > 0 else found


def outlier_content(outliers: OutlierPhotos | None, factor: float = 1.0) -> Outliers | None:
    """The outliers as the report shows them, brightened by a factor; None if there are none."""
    if outliers is None or not len(outliers.images):
        return None
    learned, prior = (f"{100 * share:.0f} %" for share in (outliers.share_learned, outliers.share_prior))
    note = (f"{learned} of the photos have an outlier score above 1 among the learned renders (by chance: 1 %; among "
            f"those of the grammar: {prior}). The score is the distance to the nearest renders, in units of the 99 % "
            "quantile of that distance between renders. The photos with the highest scores show what the scene cannot "
            "express.")
    captions = [f"outlier score {score:.2f}" for score in outliers.score.tolist()]
    return Outliers(brightened(outliers.images, factor), captions, note)


def _of_labels(run: Run) -> list[str]:
    """How the labels that the fit was given were drawn, in a sentence."""
    read = kept_label_policy(run.folder)
    return [] if read is None else [f"Labels of the labelled photos: {'; '.join(read.lines())}."]


def _skipped(source: PhotoSource | None, what: str) -> list[str]:
    if source is None or not source.skipped:
        return []
    named = "; ".join(f"{Path(path).name} ({reason})" for path, reason in source.skipped[:N_SKIPPED])
    more = f"; and {len(source.skipped) - N_SKIPPED} more" if len(source.skipped) > N_SKIPPED else ""
    return [f"Skipped {len(source.skipped)} of the {what}: {named}{more}."]


def _attribute(a: Attribute, before: SceneBatch, after: SceneBatch, at_bound: str, renderer: Renderer | None, root: str,
               prediction: Prediction | None) -> AttributeContent:
    ends = a.bounds
    if ends is None and isinstance(a.prior, Prior) and a.form not in ("choice", "angle"):
        ends = a.prior.bounds
    low, high = ends if ends is not None and all(np.ndim(end) == 0 for end in ends) else (None, None)
    natural = (renderer is not None and low is not None and high is not None and at_bound != ""
               and is_natural(renderer, root, a.kind, a.name, float(low), float(high), at_bound))
    return AttributeContent(a.kind, a.name, before.tables[a.kind][a.name], after.tables[a.kind][a.name],
                            low=None if low is None else float(low), high=None if high is None else float(high),
                            circular=a.circular, at_bound=at_bound, natural=natural, prediction=prediction)


def _prediction(measured: Diagnostics | None, name: str) -> Prediction | None:
    if measured is None:
        return None
    return Prediction(bool(measured.inferred.get(name, 0.0)), *(part.get(name) for part in (
        measured.r2, measured.cover50, measured.cover90, measured.width90)))


def counts(model: Model, measured: Diagnostics | None) -> list[Counts]:
    """Of each kind with objects: how many an image has, in scenes and as predicted. Kinds that no label shows, such as
    trees without a class, are not predicted."""
    if measured is None:
        return []
    after = model.sample(N_SAMPLES)
    before = model.grammar.sample(after.seed, N_SAMPLES)

    def spread(counts: NDArray[Any]) -> tuple[float, float]:
        return float(counts.mean()), float(counts.std())

    def of_scenes(scenes: SceneBatch, kind: str) -> tuple[float, float]:
        return spread(np.bincount(scenes.tables[kind].scene, minlength=N_SAMPLES))

    return [Counts(kind, of_scenes(before, kind), of_scenes(after, kind), spread(found),
                   float(measured.count_renders[kind].mean()), float(measured.count_true[kind].mean()))
            for kind, found in measured.count_photos.items()
            if kind in after.tables and (found.any() or measured.count_true[kind].any())]


def _reconstructions(measured: Diagnostics | None, factor: float) -> Reconstructions | None:
    if measured is None or measured.photos is None or measured.reconstructions is None:
        return None
    return Reconstructions(brightened(measured.photos, factor), brightened(measured.reconstructions, factor), (
        "Each photo, and below it a render of the mode of its posterior, the most likely scene. Objects stand where "
        "they were predicted, if an attribute of theirs moves them. What a photo has and its reconstruction lacks is "
        "missing from the scene, or was not predicted."))


def _facts(run: Run, summary: RunSummary) -> dict[str, str]:
    config, field = run.config, kept_flat_field(run)
    return {"renders": f"{summary.renders:,}", "trainings": f"{summary.trainings:,}",
            "CPU time": f"{summary.cpu_seconds:.1f} s", "seed": str(config.seed),
            "photos": f"{config.real.count} from {printable(config.real.shown)}",
            **({} if field is None else {"removed from photos": describe_spots(field)}),
            "images": f"{config.size[0]} x {config.size[1]} pixels (height x width)",
            "scene file": f"{printable(config.scene.shown)} ({config.scene.hash[:8]})",
            "versions": ", ".join(f"{name} {number}" for name, number in config.versions.items() if name != "threads")}


def _table(run: Run) -> Table | None:
    """The task's headline metric, if the run has been evaluated on labelled photos."""
    found = read_evaluation(run.path("evaluation.json"))
    if found is None or not found.metric:
        return None
    rows = [Baseline(name, float(np.mean(values)),
                     *((min(values), max(values)) if len(values) > 1 else (np.nan, np.nan)), values)
            for name, values in found.values.items()]
    repeats = len(rows[0].values)
    trainings = (f"Intervals: lowest to highest of {repeats} trainings on {found.images} images each." if repeats > 1
                 else f"One training on {found.images} images each, so there is no interval.")
    return Table(found.metric, rows, note=f"Evaluated on {found.labelled} labelled photos. {trainings}")
