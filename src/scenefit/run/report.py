"""A run retold: its samples, a summary in numbers and a verdict in words, and from them the report.

Legend: k images shown; N photos.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from scenefit import report
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import Band
from scenefit.evaluation.misspecification import N_NEIGHBOURS
from scenefit.evaluation.summary import MAX_IMAGES, MIN_PHOTOS, Summary, find_outliers, verdict
from scenefit.files.atomic import atomic_write, write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.metrics.features import compute
from scenefit.metrics.mmd import mmd2, noise_floor
from scenefit.metrics.objective import objective
from scenefit.nets.model import Model, at_bounds
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_images
from scenefit.renderers.scene_file import SceneFile
from scenefit.report import AttributeContent, Baseline, Interval, Outliers, ReportContent, Table, TracePoint
from scenefit.report.picture import contact_sheet
from scenefit.run.detections import read_detections
from scenefit.run.folder import Run, RunError, fit_model, fit_regressor, read_json, steps
from scenefit.run.results import read_evaluation
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

N_SHOWN = 24
N_SAMPLES = 2048  # scenes behind the histograms
EVALUATE_AGAIN = "run scenefit report on the folder with --real DIR, which measures it again"


def measure(run: Run, grammar: Grammar, renderer: Renderer, real: Photos) -> Summary:
    """Measure what a finished fit learned; write summary.json, samples.safetensors and the contact sheets.

    Both distances are of as many renders as the fit's own checks, of scenes that it did not see, at the same
    addresses.
    """
    model, goal = fit_model(run, grammar), objective(fit_regressor(run).features, real.images)
    seed, count = derive_seed(run.config.seed, "summary"), run.settings.check_renders
    sets = {"prior": grammar.sample(seed, count), "learned": model.sample(count, seed)}
    images, distance = {"photos": real.images[_evenly(len(real.images), N_SHOWN)]}, {}
    drawn = {name: render_images(renderer, scenes)[0] for name, scenes in sets.items()}
    for name, part in drawn.items():
        images[name] = part[:N_SHOWN]
        distance[name] = float(mmd2(compute(goal.extractor, part), goal.kernel))
    if count > N_NEIGHBOURS:
        images |= find_outliers(real.images[_evenly(len(real.images), MAX_IMAGES)],
                                *(part[:MAX_IMAGES] for part in drawn.values()))
    band = _floor(goal.photo_features, seed)
    last = steps(run)[-1]
    summary = Summary(**distance, floor=band, verdict=verdict(distance["prior"], distance["learned"], band, len(real)),
                      at_bound={f"{kind}.{name}": side for (kind, name), side in
                               at_bounds(model, model.sample(N_SAMPLES, seed)).items()},
                      renders=last["renders"], trainings=last["trainings"], cpu_seconds=last["cpu_seconds"],
                      run=run.config.identity)
    write_tensors(run.path("samples.safetensors"),
                  {name: torch.from_numpy(part.copy()) for name, part in images.items()}, {"run": run.config.identity})
    for name in ("photos", *sets):
        with atomic_write(run.path(f"{name}.png")) as file:
            contact_sheet(images[name], 6).save(file, "PNG")
    write_json(run.path("summary.json"), summary.model_dump(mode="json"))
    return summary


def read_summary(run: Run) -> Summary:
    """RunError where it is missing, damaged, or of another run."""
    path = run.path("summary.json")
    found: Summary = read_json(path, Summary, EVALUATE_AGAIN)
    _check_owner(run, path, found.run)
    return found


def _check_owner(run: Run, path: Path, owner: str | None) -> None:
    if owner != run.config.identity:
        raise RunError(f"{path} belongs to another run than {run.path('settings.json')}; {EVALUATE_AGAIN}")


def report_content(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> ReportContent:
    """The story of a measured run, from what its folder holds."""
    summary, model = read_summary(run), fit_model(run, scene.grammar)
    path = run.path("samples.safetensors")
    tensors, facts = read_tensors(path, EVALUATE_AGAIN)
    _check_owner(run, path, facts.get("run"))
    samples = {name: value.numpy() for name, value in tensors.items()}
    trace = [TracePoint(step["renders"], step["distance"], step["stage"]) for step in steps(run)
             if step["distance"] is not None]
    band = summary.floor
    return ReportContent(
        title=f"What {scene.path.stem} learned from {run.config.real.count} photos", verdict=summary.verdict,
        subtitle=f"{run.config.real.path}", command=run.config.command, facts=_facts(run, summary),
        photos=samples.get("photos"), prior=samples.get("prior"), learned=samples.get("learned"),
        trace=trace, floor=Interval(band.mean, band.low, band.high), prior_distance=summary.prior,
        attributes=attributes(model, summary.at_bound), table=_table(run), outliers=outlier_content(samples),
        detections=read_detections(run.path("detections.safetensors"), run.config.identity),
        notes=(*warnings, *notes(run)))


def write_report(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Write report.html and report.png into the run folder; returns their paths."""
    return report.write(report_content(run, scene, warnings), run.folder)


def attributes(model: Model, at_bound: Mapping[str, str], scenes: int = N_SAMPLES) -> list[AttributeContent]:
    """Each learned attribute, and each learned choice of rules, before and after.

    pressed: "kind.name" -> "low" or "high".
    """
    after = model.sample(scenes)
    before = model.grammar.sample(after.seed, scenes)
    found = [_attribute(a, before, after, at_bound.get(f"{a.kind}.{a.name}", "")) for a in model.grammar.learned]
    for kind in model.grammar.learned_heads:
        names = np.array([str(rule) for rule in model.grammar.rules_of(kind)])
        found.append(AttributeContent(kind, "rule", names[before.tables[kind].rule], names[after.tables[kind].rule]))
    return [story for story in found if len(story.before) and len(story.after)]


def notes(run: Run) -> list[str]:
    """What a reader of the report has to know: photos left out, work left undone."""
    found = []
    if run.config.real.count < MIN_PHOTOS:
        found.append(f"Only {run.config.real.count} photos: a distribution needs some hundreds, and the floor of fewer "
                     f"than {MIN_PHOTOS} tells little.")
    for name in ("real", "labelled"):
        source = getattr(run.config, name)
        if source is not None and source.skipped:
            first = "; ".join(f"{Path(path).name} ({reason})" for path, reason in source.skipped[:3])
            more = f"; and {len(source.skipped) - 3} more" if len(source.skipped) > 3 else ""
            what = "photos" if name == "real" else "photos or labels"
            found.append(f"{len(source.skipped)} {name} {what} were left out: {first}{more}.")
    stages: dict[str, tuple[int, int]] = {step["stage"]: (step["done"], step["of"]) for step in steps(run)}
    start = run.settings.warm_start
    rounds = {"none": 0, "look": run.settings.looks}.get(start, run.settings.rounds)
    asked = {"match": run.settings.descent, start: rounds}
    for stage, of in asked.items():
        done = stages.get(stage, (0, of))[0]
        if done < of:
            found.append(f"The budget ended the stage {stage} after {done} of {of} pieces.")
    score = read_evaluation(run.path("evaluation.json"))
    return found + (score.notes if score is not None and score.metric else [])


def _attribute(a: Attribute, before: SceneBatch, after: SceneBatch, pressed: str) -> AttributeContent:
    ends = a.bounds
    if ends is None and isinstance(a.prior, Prior) and a.form not in ("choice", "angle"):
        ends = a.prior.bounds
    low, high = ends if ends is not None and all(np.ndim(end) == 0 for end in ends) else (None, None)
    return AttributeContent(a.kind, a.name, before.tables[a.kind][a.name], after.tables[a.kind][a.name],
                            low=None if low is None else float(low), high=None if high is None else float(high),
                            circular=a.circular, at_bound=pressed)


def _facts(run: Run, summary: Summary) -> dict[str, str]:
    record = run.config
    return {"renders": f"{summary.renders:,}", "trainings": f"{summary.trainings:,}",
            "CPU time": f"{summary.cpu_seconds:.1f} s", "seed": str(record.seed),
            "photos": f"{record.real.count} from {record.real.path}",
            "images": f"{record.size[0]} x {record.size[1]} pixels (height x width)",
            "scene file": f"{record.scene.path} ({record.scene.hash[:8]})",
            "versions": ", ".join(f"{name} {number}" for name, number in record.versions.items() if name != "threads")}


def _table(run: Run) -> Table | None:
    """The task's headline metric, if the run has been evaluated on labelled photos."""
    found = read_evaluation(run.path("evaluation.json"))
    if found is None or not found.metric:
        return None
    rows = [Baseline(name, float(np.mean(values)), min(values), max(values), values)
            for name, values in found.values.items()]
    return Table(found.metric, rows, note=f"on {found.labelled} labelled photos; lowest to highest of "
                                        f"{len(rows[0].values)} trainings on {found.images} images each; one fit")


def outlier_content(found: Mapping[str, np.ndarray]) -> Outliers | None:
    """found: of `find_strangers`, or of a run too small to have any. None where no photo is far."""
    if "far" not in found or not len(found["far"]):
        return None
    before, after = found["far_share"].tolist()
    return Outliers(found["far"], [f"{one:.2f} times as far" for one in found["far_by"].tolist()],
                    f"{after:.0%} of the photos lie farther from the learned renders that are nearest to them than 99 "
                    f"of 100 renders lie from each other, where 1% would if photos were renders; from the grammar's, "
                    f"{before:.0%} do. Shown are the farthest: what they have and no render has is what the scene "
                    "lacks.")


def _floor(photos: torch.Tensor, seed: int) -> Band:
    found = noise_floor(photos, seed)
    return Band(mean=found.mean, low=found.low, high=found.high, size=found.size)


def _evenly(count: int, n: int) -> np.ndarray:
    """At most so many rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, n).astype(int))
