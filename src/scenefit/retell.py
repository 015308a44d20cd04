"""A run retold: its samples, a summary in numbers and a verdict in words, and from them the report.

Legend: k images shown; N photos.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

from scenefit import report
from scenefit.address import derive
from scenefit.attribute import Attribute
from scenefit.detections import read_detections
from scenefit.distance import floor, mmd2
from scenefit.features import compute
from scenefit.files import whole_file, write_json
from scenefit.grammar import Grammar
from scenefit.model import Model, pressed
from scenefit.objective import objective
from scenefit.photos import Photos
from scenefit.pictures import draw
from scenefit.prior import Choice, Prior
from scenefit.renderers import Renderer
from scenefit.report import Arm, AttributeStory, Interval, Story, Strangers, Table, TracePoint
from scenefit.report.sheet import contact_sheet
from scenefit.run import Run, RunError, fit_model, fit_reader, read_json, steps
from scenefit.scene import SceneBatch
from scenefit.scene_file import SceneFile
from scenefit.score import Band
from scenefit.score_file import read_score
from scenefit.strangers import FAR, NEAR, far_from, farthest
from scenefit.tensor_file import read_tensors, write_tensors

SHOWN = 24
STRANGERS = 6
LOOKED_AT = 256  # photos, and renders, to find them
FEW = 50  # photos
SAMPLED = 2048  # scenes behind the histograms
REDO = "run scenefit report on the folder with --real DIR, which measures it again"


class Summary(BaseModel):
    """What summary.json holds. Squared MMD of the renders of the grammar and of the learned distribution to the
    photos, and its floor; renders, trainings and cpu_seconds of the fit.  pressed: "kind.name" -> "low" or "high".
    run: identity of the run that it is of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prior: float
    learned: float
    floor: Band
    verdict: str
    pressed: dict[str, str]
    renders: int
    trainings: int
    cpu_seconds: float
    run: str


def measure(run: Run, grammar: Grammar, renderer: Renderer, real: Photos) -> Summary:
    """Measure what a finished fit learned; write summary.json, samples.safetensors and the contact sheets.

    Both distances are of as many renders as the fit's own checks, of scenes that it did not see, at the same
    addresses.
    """
    model, goal = fit_model(run, grammar), objective(fit_reader(run).features, real.images)
    seed, count = derive(run.record.seed, "summary"), run.settings.check_renders
    sets = {"prior": grammar.sample(seed, count), "learned": model.sample(count, seed)}
    images, distance = {"photos": real.images[_evenly(len(real.images), SHOWN)]}, {}
    drawn = {name: draw(renderer, scenes)[0] for name, scenes in sets.items()}
    for name, part in drawn.items():
        images[name] = part[:SHOWN]
        distance[name] = float(mmd2(compute(goal.extractor, part), goal.kernel))
    if count > NEAR:
        images |= find_strangers(real.images[_evenly(len(real.images), LOOKED_AT)],
                                 *(part[:LOOKED_AT] for part in drawn.values()))
    band = _floor(goal.photos, seed)
    last = steps(run)[-1]
    summary = Summary(**distance, floor=band, verdict=verdict(distance["prior"], distance["learned"], band, len(real)),
                      pressed={f"{kind}.{name}": side for (kind, name), side in
                               pressed(model, model.sample(SAMPLED, seed)).items()},
                      renders=last["renders"], trainings=last["trainings"], cpu_seconds=last["cpu_seconds"],
                      run=run.record.identity)
    write_tensors(run.path("samples.safetensors"),
                  {name: torch.from_numpy(part.copy()) for name, part in images.items()}, {"run": run.record.identity})
    for name in ("photos", *sets):
        with whole_file(run.path(f"{name}.png")) as file:
            contact_sheet(images[name], 6).save(file, "PNG")
    write_json(run.path("summary.json"), summary.model_dump(mode="json"))
    return summary


def verdict(prior: float, learned: float, band: Band, photos: int) -> str:
    """The distances in one or two plain sentences. Squared MMDs; band: their floor, of so many photos."""
    if photos < FEW:
        return (f"{photos} photos are too few to tell how close the renders are: MMD² {learned:.3g}, grammar "
                f"{prior:.3g}, where photos are {band.low:.3g} to {band.high:.3g} from photos. Give some hundreds, and "
                "look at the images.")
    known = f"MMD² {learned:.3g}, grammar {prior:.3g}, photos against photos {band.mean:.3g}"
    noise = band.high - band.low
    if prior <= band.high:
        return (f"Nothing to learn by this distance: renders of the grammar already cannot be told from photos "
                f"({known}). Look at the images.")
    if learned >= prior - noise:
        return f"Not learned: the renders are not clearly closer to the photos than the grammar's ({known})."
    closed = (prior - learned) / (prior - band.mean)
    if learned <= band.high:
        return (f"By this distance, renders of the learned distribution cannot be told from photos ({known}). "
                "A task on labelled photos is the proof: scenefit score.")
    return (f"Closer, but not there: {closed:.0%} of the way from the grammar to the photos ({known}). "
            "A task on labelled photos is the proof: scenefit score.")


def read_summary(run: Run) -> Summary:
    """RunError where it is missing, damaged, or of another run."""
    path = run.path("summary.json")
    found: Summary = read_json(path, Summary, REDO)
    _check_owner(run, path, found.run)
    return found


def _check_owner(run: Run, path: Path, owner: str | None) -> None:
    if owner != run.record.identity:
        raise RunError(f"{path} belongs to another run than {run.path('settings.json')}; {REDO}")


def tell(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> Story:
    """The story of a measured run, from what its folder holds."""
    summary, model = read_summary(run), fit_model(run, scene.grammar)
    path = run.path("samples.safetensors")
    tensors, facts = read_tensors(path, REDO)
    _check_owner(run, path, facts.get("run"))
    samples = {name: value.numpy() for name, value in tensors.items()}
    trace = [TracePoint(step["renders"], step["distance"], step["stage"]) for step in steps(run)
             if step["distance"] is not None]
    band = summary.floor
    return Story(
        title=f"What {scene.path.stem} learned from {run.record.real.count} photos", verdict=summary.verdict,
        subtitle=f"{run.record.real.path}", command=run.record.command, facts=_facts(run, summary),
        photos=samples.get("photos"), prior=samples.get("prior"), learned=samples.get("learned"),
        trace=trace, floor=Interval(band.mean, band.low, band.high), prior_distance=summary.prior,
        attributes=attributes(model, summary.pressed), table=_table(run), strangers=tell_strangers(samples),
        detections=read_detections(run.path("detections.safetensors"), run.record.identity),
        notes=(*warnings, *notes(run)))


def write_report(run: Run, scene: SceneFile, warnings: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Write report.html and report.png into the run folder; returns their paths."""
    return report.write(tell(run, scene, warnings), run.folder)


def attributes(model: Model, pressed: Mapping[str, str], scenes: int = SAMPLED) -> list[AttributeStory]:
    """Each learned attribute, and each learned choice of rules, before and after.

    pressed: "kind.name" -> "low" or "high".
    """
    after = model.sample(scenes)
    before = model.grammar.sample(after.seed, scenes)
    found = [_attribute(a, before, after, pressed.get(f"{a.kind}.{a.name}", "")) for a in model.grammar.learned]
    for kind in model.grammar.learned_heads:
        names = np.array([str(rule) for rule in model.grammar.rules_of(kind)])
        found.append(AttributeStory(kind, "rule", names[before.tables[kind].rule], names[after.tables[kind].rule]))
    return [story for story in found if len(story.before) and len(story.after)]


def notes(run: Run) -> list[str]:
    """What a reader of the report has to know: photos left out, work left undone."""
    found = []
    if run.record.real.count < FEW:
        found.append(f"Only {run.record.real.count} photos: a distribution needs some hundreds, and the floor of fewer "
                     f"than {FEW} tells little.")
    for name in ("real", "labelled"):
        source = getattr(run.record, name)
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
    score = read_score(run.path("score.json"))
    return found + (score.notes if score is not None and score.metric else [])


def _attribute(a: Attribute, before: SceneBatch, after: SceneBatch, pressed: str) -> AttributeStory:
    ends = a.bounds
    if ends is None and isinstance(a.prior, Prior) and not isinstance(a.prior, Choice) and not a.prior.circular:
        ends = a.prior.bounds
    low, high = ends if ends is not None and all(np.ndim(end) == 0 for end in ends) else (None, None)
    return AttributeStory(a.kind, a.name, before.tables[a.kind][a.name], after.tables[a.kind][a.name],
                          low=None if low is None else float(low), high=None if high is None else float(high),
                          circular=a.circular, pressed=pressed)


def _facts(run: Run, summary: Summary) -> dict[str, str]:
    record = run.record
    return {"renders": f"{summary.renders:,}", "trainings": f"{summary.trainings:,}",
            "CPU time": f"{summary.cpu_seconds:.1f} s", "seed": str(record.seed),
            "photos": f"{record.real.count} from {record.real.path}",
            "images": f"{record.size[0]} x {record.size[1]} pixels (height x width)",
            "scene file": f"{record.scene.path} ({record.scene.hash[:8]})",
            "versions": ", ".join(f"{name} {number}" for name, number in record.versions.items() if name != "threads")}


def _table(run: Run) -> Table | None:
    """The task's accuracy or AP50, if the run has been scored on labelled photos."""
    found = read_score(run.path("score.json"))
    if found is None or not found.metric:
        return None
    rows = [Arm(name, float(np.mean(values)), min(values), max(values), values)
            for name, values in found.values.items()]
    return Table(found.metric, rows, note=f"on {found.labelled} labelled photos; lowest to highest of "
                                        f"{len(rows[0].values)} trainings on {found.images} images each; one fit")


def find_strangers(photos: np.ndarray, prior: np.ndarray, learned: np.ndarray) -> dict[str, np.ndarray]:
    """Photos [N, H, W, 3] that no learned render is like: the farthest of them, "far" [k, H, W, 3], with their farness,
    "far_by" [k]; and the shares of all photos that are beyond `FAR` from renders of the grammar and from learned ones,
    "far_share" [2]."""
    both = far_from(photos, prior, learned)
    rows = farthest(both[1], STRANGERS)
    return {"far": photos[rows], "far_by": both[1][rows], "far_share": np.array([(one > FAR).mean() for one in both])}


def tell_strangers(found: Mapping[str, np.ndarray]) -> Strangers | None:
    """found: of `find_strangers`, or of a run too small to have any. None where no photo is far."""
    if "far" not in found or not len(found["far"]):
        return None
    before, after = found["far_share"].tolist()
    return Strangers(found["far"], [f"{one:.2f} times as far" for one in found["far_by"].tolist()],
                     f"{after:.0%} of the photos lie farther from the learned renders that are nearest to them than 99 "
                     f"of 100 renders lie from each other, where 1% would if photos were renders; from the grammar's, "
                     f"{before:.0%} do. Shown are the farthest: what they have and no render has is what the scene "
                     "lacks.")


def _floor(photos: torch.Tensor, seed: int) -> Band:
    found = floor(photos, seed)
    return Band(mean=found.mean, low=found.low, high=found.high, size=found.size)


def _evenly(count: int, most: int) -> np.ndarray:
    """At most so many rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, most).astype(int))
