"""Evaluates a finished run and writes evaluation.json, and detections for the report, into its folder.

Legend: k photos shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

import numpy as np

from scenefit.data.label_policy import LabelPolicy, label_boxes
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import CONTROL, EvaluationSettings, Predictions, Progress, evaluate_steps
from scenefit.files.versions import versions
from scenefit.inference.conventions.policy import PolicyFit
from scenefit.metrics.average_precision import false_at_recall, match_boxes
from scenefit.metrics.features import Extractor, lite0, pixels
from scenefit.nets.model import Model
from scenefit.renderers import Renderer, render
from scenefit.renderers.scene_file import SceneFile
from scenefit.report.content import BaselineDetections, Detections, LabelConvention
from scenefit.run.config import hash_photos
from scenefit.run.error_analysis import analyse_errors
from scenefit.run.folder import Run, fit_model, fit_regressor
from scenefit.run.label_policy_file import kept_label_policy
from scenefit.run.results import read_progress, write_detections, write_evaluation, write_progress
from scenefit.tasks.from_labels import task_for_labels

FEATURES = ("run", "lite0", "pixels")
N_SHOWN = 3
N_RENDERS = 2  # shown with their labels, of so many:
N_DRAWN = 8
RECALLS = (0.5, 0.8, 0.9)
NOTE = ("A detection is true if its IoU with a box of its class that no other detection matches is at least 0.5. "
        "Each detector's confidence threshold maximises F1 on its own synthetic validation set; at equal recall, the "
        "threshold is the highest that reaches this recall. The photos shown are evenly spread over all.")


def evaluate_run(run: Run, scene: SceneFile, renderer: Renderer, real: Photos, labelled: Photos | None = None,
                 settings: EvaluationSettings | None = None, *, device: str = "cpu",
                 label_policy: LabelPolicy | None = None) -> Iterator[Progress]:
    """Evaluate a run as `evaluate_steps` does, yielding likewise, and write evaluation.json at the end.

    settings.features: one of `FEATURES`.  device: of the task.  Hold `lock(run.folder)` meanwhile. A stopped evaluation
    resumes. RunError or CorruptFile if a file of the run is unusable.
    """
    settings = settings or EvaluationSettings("run")
    plan = {"run": run.config.identity, "scene": scene.hash, "real": hash_photos(real),
            "labelled": None if labelled is None else hash_photos(labelled), **asdict(settings), "device": device,
            "label_policy": None if label_policy is None else label_policy.to_dict(), "versions": versions()}
    unfinished = run.path("evaluation.part.safetensors")
    task = None if labelled is None else task_for_labels(labelled, scene.grammar, renderer, device)
    model = fit_model(run, scene.grammar)
    for step in evaluate_steps(model, renderer, real, _extractor(run, settings.features),
                               labelled, settings, task=task, notes=_notes(run, real, labelled),
                               label_policy=label_policy, start=read_progress(unfinished, plan)):
        write_progress(unfinished, step, plan)
        yield step
    detections = run.path("detections.safetensors")
    detections.unlink(missing_ok=True)
    if labelled is not None and step.predictions:
        shown = {name: one for name, one in step.predictions.items() if name != CONTROL}
        assert labelled.boxes is not None
        write_detections(detections, replace(
            detections_content(labelled, shown),
            errors=analyse_errors({name: one.boxes for name, one in step.predictions.items()}, labelled.boxes),
            convention=_convention(run, model, renderer, label_policy)), run.config.identity)
    write_evaluation(run.path("evaluation.json"), step.evaluation)
    unfinished.unlink(missing_ok=True)


def detections_content(photos: Photos, predictions: Mapping[str, Predictions], n_shown: int = N_SHOWN) -> Detections:
    """Detections of each baseline above its own threshold, compared with the photos' boxes.

    The photos shown are evenly spread over all that have a box, whatever the detections in them.
    """
    assert photos.boxes is not None
    truth = photos.boxes
    with_boxes = np.unique(truth.image)
    k = min(n_shown, len(with_boxes))
    rows = with_boxes[(2 * np.arange(k) + 1) * len(with_boxes) // (2 * k)]
    baselines = []
    for name, one in predictions.items():
        every = match_boxes(one.boxes, truth)
        confident = one.boxes.where(one.boxes.score >= one.threshold)
        match = match_boxes(confident, truth)
        baselines.append(BaselineDetections(
            name, box=[confident.box[confident.rows(row)] for row in rows],
            true=[match.true[confident.rows(row)] for row in rows],
            hit=[match.detected[truth.rows(row)] for row in rows], counts=match.counts(-np.inf),
            false_at=[false_at_recall(every, recall) for recall in RECALLS], threshold=one.threshold))
    shown_truth = [truth.box[truth.rows(row)] for row in rows]
    return Detections(photos.images[rows], shown_truth, baselines, len(photos), RECALLS, NOTE)


def _convention(run: Run, model: Model, renderer: Renderer, label_policy: LabelPolicy | None) -> LabelConvention:
    """The label policy that detectors were trained by, and the first learned renders in which it labels something."""
    policy = label_policy or LabelPolicy()
    origin = origin_of(policy, kept_label_policy(run.folder), run.config.policy)
    frames = render(renderer, model.sample(N_DRAWN))
    boxes = label_boxes(frames, policy)
    labelled = np.isin(np.arange(len(frames)), boxes.image)
    rows = np.argsort(~labelled, kind="stable")[:N_RENDERS]
    return LabelConvention(f"Label policy of the renders ({origin}): {policy.words}", frames.images[rows],
                           [boxes.box[boxes.rows(row)] for row in rows.tolist()])


def origin_of(policy: LabelPolicy, read: PolicyFit | None, given: LabelPolicy | None) -> str:
    """Where the label policy of an evaluation comes from. read, given: what its fit read from labels, and was given."""
    if read is not None and read.is_read and policy == read.policy:
        return "read from labelled photos by the fit"
    return ("default" if policy == LabelPolicy() else "that of the fit" if policy == given else
            "given to scenefit evaluate")


def _extractor(run: Run, features: str) -> Extractor:
    if features not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {features!r}")
    if features == "run":
        return fit_regressor(run).features
    return lite0() if features == "lite0" else pixels(8)


def _notes(run: Run, real: Photos, labelled: Photos | None) -> tuple[str, ...]:
    """What makes the results optimistic."""
    config, found = run.config, []
    if hash_photos(real) == config.real.hash:
        found.append("Evaluated on the photos that the fit was made with; photos it has not seen are a fairer test.")
    if labelled is not None and config.labelled is not None and hash_photos(labelled) == config.labelled.hash:
        found.append("Evaluated on the labelled photos that the fit was optimised on; others are a fairer test.")
    return tuple(found)
