"""Evaluates a finished run and writes evaluation.json, and predictions for the report, into its folder.

Legend: k photos shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import ClassMasks
from scenefit.data.label_policy import LabelPolicy, label_boxes, label_masks
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import (
    CONTROL,
    N_SHOWN,
    Evaluation,
    EvaluationSettings,
    Predictions,
    Progress,
    evaluate_steps,
    shown_rows,
)
from scenefit.files.versions import versions
from scenefit.inference.conventions.policy import PolicyFit
from scenefit.metrics.average_precision import false_at_recall, match_boxes
from scenefit.metrics.features import Extractor, lite0, pixels
from scenefit.nets.model import Model
from scenefit.renderers import Renderer, render
from scenefit.renderers.scene_file import SceneFile
from scenefit.report.content import (
    BaselineDetections,
    BaselineMasks,
    Detections,
    LabelConvention,
    MaskConvention,
    Segmentations,
)
from scenefit.run.config import hash_photos
from scenefit.run.error_analysis import analyse_errors
from scenefit.run.folder import Run, fit_model, fit_regressor
from scenefit.run.label_policy_file import kept_label_policy
from scenefit.run.results import (
    SEGMENTATIONS,
    read_progress,
    write_detections,
    write_evaluation,
    write_progress,
    write_segmentations,
)
from scenefit.tasks.from_labels import task_for_labels

FEATURES = ("run", "lite0", "pixels")
N_RENDERS = 2  # shown with their labels, of so many:
N_DRAWN = 8
RECALLS = (0.5, 0.8, 0.9)
NOTE = ("A detection is true if its IoU with a box of its class that no other detection matches is at least 0.5. "
        "Each detector's confidence threshold maximises F1 on its own synthetic validation set; at equal recall, the "
        "threshold is the highest that reaches this recall. The photos shown are evenly spread over all.")
MASKS_NOTE = ("Each pixel is given its most likely class. The photos shown are evenly spread over all that show a "
              "class; the figures are of all photos, and of the first training on each of the training data.")


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
    detections, segmentations = run.path("detections.safetensors"), run.path(SEGMENTATIONS)
    for path in (detections, segmentations):
        path.unlink(missing_ok=True)
    if labelled is not None and step.predictions:
        shown = {name: one for name, one in step.predictions.items() if name != CONTROL}
        assert labelled.boxes is not None
        write_detections(detections, replace(
            detections_content(labelled, shown),
            errors=analyse_errors({name: one.boxes for name, one in step.predictions.items()}, labelled.boxes),
            convention=_convention(run, model, renderer, label_policy)), run.config.identity)
    if labelled is not None and step.masks:
        masks = {name: one for name, one in step.masks.items() if name != CONTROL}
        classes = next(iter(masks.values())).classes
        write_segmentations(segmentations, segmentations_content(
            labelled, masks, step.evaluation, _mask_convention(run, model, renderer, label_policy, classes)),
            run.config.identity)
    write_evaluation(run.path("evaluation.json"), step.evaluation)
    unfinished.unlink(missing_ok=True)


def detections_content(photos: Photos, predictions: Mapping[str, Predictions], n_shown: int = N_SHOWN) -> Detections:
    """Detections of each baseline above its own threshold, compared with the photos' boxes.

    The photos shown are evenly spread over all that have a box, whatever the detections in them.
    """
    assert photos.boxes is not None
    truth = photos.boxes
    rows = shown_rows(np.unique(truth.image), n_shown)
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


def segmentations_content(photos: Photos, masks: Mapping[str, ClassMasks], found: Evaluation,
                          convention: MaskConvention | None = None) -> Segmentations:
    """What each baseline's network predicts in the photos of `shown_rows`, beside their labels."""
    assert photos.masks is not None
    rows, classes = shown_rows(photos.masks.labelled), next(iter(masks.values())).classes
    baselines = []
    for name, one in masks.items():
        first, *others = [f"{metric} {values[0]:.1%}" for metric, values in found.metrics[name].items()
                          if values[0] is not None] or [""]
        baselines.append(BaselineMasks(name, one.masks, first, ", ".join(others)))
    return Segmentations(photos.images[rows], photos.masks.take(rows).of_classes(classes).masks, classes, baselines,
                         len(photos), MASKS_NOTE, convention)


def _convention(run: Run, model: Model, renderer: Renderer, label_policy: LabelPolicy | None) -> LabelConvention:
    """The label policy that detectors were trained by, and the first learned renders in which it labels something."""
    policy, text = _policy(run, label_policy)
    frames = render(renderer, model.sample(N_DRAWN))
    boxes = label_boxes(frames, policy)
    rows = _first(np.isin(np.arange(len(frames)), boxes.image))
    return LabelConvention(f"{text} {policy.words}", frames.images[rows],
                           [boxes.box[boxes.rows(row)] for row in rows.tolist()])


def _mask_convention(run: Run, model: Model, renderer: Renderer, label_policy: LabelPolicy | None,
                     classes: Sequence[str]) -> MaskConvention:
    """The same of class masks."""
    policy, text = _policy(run, label_policy)
    frames = render(renderer, model.sample(N_DRAWN))
    masks = label_masks(frames, classes, policy)
    rows = _first(np.isin(np.arange(len(frames)), masks.labelled))
    return MaskConvention(f"{text} {policy.mask_words}", frames.images[rows], masks.masks[rows])


def _policy(run: Run, label_policy: LabelPolicy | None) -> tuple[LabelPolicy, str]:
    policy = label_policy or LabelPolicy()
    return policy, (f"Label policy of the renders ("
                    f"{origin_of(policy, kept_label_policy(run.folder), run.config.policy)}):")


def _first(labelled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first renders that are labelled."""
    return np.argsort(~labelled, kind="stable")[:N_RENDERS]


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
