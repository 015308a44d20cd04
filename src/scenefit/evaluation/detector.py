"""How good a trained detector is on labelled photos, and what its mistakes are. Nothing is trained or fitted.

Legend: N photos; d detections.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.data.photos import Photos
from scenefit.evaluation.measured import Record, Table, check_unused, percent, photo_paths
from scenefit.files.text import counted
from scenefit.metrics.average_precision import Match, average_precision, best_threshold, match_boxes
from scenefit.metrics.detection_errors import DetectionErrors, detection_errors
from scenefit.metrics.froc import FALSE_PER_PHOTO, froc
from scenefit.metrics.kitti_precision import DIFFICULTIES, counted_objects, has_difficulties, kitti_precision
from scenefit.tasks.detector_file import TrainedDetector

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KITTI_IOUS = {"0.5": 0.5, "0.7": 0.7}  # that of Kar et al. 2019 (Meta-Sim), and KITTI's for cars


class PhotoCounts(Record):
    """Of one photo, at the detector's threshold: numbers of true and false detections, of missed objects, and of false
    detections of each kind (`detection_errors`)."""

    path: str
    true: int
    false: int
    missed: int
    kinds: dict[str, int]


class SideRatios(Record):
    """Sides of detected boxes over those of the true boxes. boxes: their number.  quantiles: percent -> ratio."""

    boxes: int
    quantiles: dict[str, float]


class ClassMeasures(Record):
    """Of one class, or of all together, at the detector's threshold. None is undefined.

    ap50: average precision at IoU 0.5, 0..1, at all thresholds; of all classes: their mean.  kinds: as of
    `PhotoCounts`.  true_sides: of the true detections.  false_sides: of false ones that overlap a box of their class.
    """

    ap50: float | None
    true: int
    false: int
    missed: int
    precision: float | None
    recall: float | None
    kinds: dict[str, int]
    true_sides: SideRatios
    false_sides: SideRatios


class BestThreshold(Record):
    """The threshold with the highest F1 on the photos, which were looked at to choose it."""

    threshold: float
    true: int
    false: int
    missed: int
    precision: float
    recall: float


class DifficultyMeasures(Record):
    """KITTI's easy, moderate and hard objects of one class. objects: difficulty -> number of objects that count.  ap:
    IoU -> difficulty -> average precision as of `kitti_precision`, 0..1; None where no object counts."""

    objects: dict[str, int]
    ap: dict[str, dict[str, float | None]]


class DetectorEvaluation(Record):
    """ap: mean over classes and over IoU 0.5..0.95, 0..1.  threshold: the detector's.  total: over all classes.  best:
    None where no detection is true.  missed_at: false detections per photo -> share of the objects missed, at the
    lowest threshold with at most so many; None where all detections have fewer.  difficulties: class -> KITTI's easy,
    moderate and hard objects, where labels tell them apart.  used: how many of the photos fitted, trained or selected
    the detector."""

    ap: float
    threshold: float
    total: ClassMeasures
    classes: dict[str, ClassMeasures]
    best: BestThreshold | None
    missed_at: dict[str, float | None]
    difficulties: dict[str, DifficultyMeasures]
    used: int
    photos: list[PhotoCounts]

    def tables(self) -> list[Table]:
        """Detections, mistakes, sides of boxes, and KITTI's difficulties, by class."""
        total, photos = self.total, counted(len(self.photos), "labelled photo")
        rows = [*self.classes.items(), *([("all", total)] if len(self.classes) > 1 else [])]
        ratio = "median (25 to 75 %)"
        return [
            Table(f"Detections in {photos}: AP {self.ap:.1%} (mean over IoU 0.5 to 0.95), AP50 {percent(total.ap50)}",
                  ["class", "objects", "AP50", "precision", "recall"],
                  [[name, f"{one.true + one.missed:,}", *map(percent, (one.ap50, one.precision, one.recall))]
                   for name, one in rows],
                  f"precision, recall: at confidence {self.threshold:.2f} or more, the detector's own threshold, and "
                  f"IoU 0.5{'; AP50 of all: mean over the classes' if len(rows) > 1 else ''}"),
            Table(f"{total.true:,} found, {total.false:,} false, {total.missed:,} missed, at confidence "
                  f"{self.threshold:.2f} or more", ["class", "missed", "false", *total.kinds],
                  [[name, *map(str, (one.missed, one.false, *one.kinds.values()))] for name, one in rows],
                  "too small, too large, misplaced: IoU 0.1 to 0.5 with an object of its class, and less than 0.8 of "
                  "its area, more than 1.25, or neither\ndoubled: the object is found already; other class: on an "
                  "object of another class; background: IoU below 0.1 with all objects"),
            Table("Side of detected boxes relative to that of the labels", ["class", "true", ratio, "false", ratio],
                  [[name, *_sides(one)] for name, one in rows],
                  "true: of true detections; false: of false ones that overlap an object of their class"),
            *([_difficulty_table(self.difficulties)] if self.difficulties else [])]

    def lines(self) -> list[str]:
        """Misses at equal false detections, and the best threshold."""
        missed = [f"{false}: {'never reached' if share is None else f'{share:.1%}'}"
                  for false, share in self.missed_at.items()]
        said = [f"Objects missed, by false detections per photo (FROC): {'; '.join(missed)}"]
        best = self.best
        return said if best is None else [
            *said, f"Best threshold on these photos: {best.threshold:.3f} (precision {best.precision:.1%}, recall "
                   f"{best.recall:.1%}; highest F1). It was chosen on these photos, so this is no result to report"]


def evaluate_detector(detector: TrainedDetector, labelled: Photos, force: bool = False) -> DetectorEvaluation:
    """Detect objects in labelled photos [N, H, W, 3] of the detector's size, and compare with their boxes.

    ValueError for photos without boxes, if the detector knows none of their classes, or, unless force, for photos that
    it was made with.
    """
    if labelled.boxes is None:
        have = ("class masks" if labelled.masks is not None else "a class for each photo" if any(labelled.label) else
                "no labels")
        raise ValueError(f"the {len(labelled)} labelled photos have {have}, and a detector is evaluated on boxes; give "
                         "a data set of boxes (COCO, YOLO, Pascal VOC or KITTI)")
    known, present = set(detector.task.classes), set(labelled.boxes.name.tolist())
    if not present:
        raise ValueError(f"the {len(labelled)} labelled photos have no box at all, so no average precision is defined; "
                         "give photos that show objects")
    if not known & present:
        raise ValueError(f"the boxes of the labelled photos are of the classes {sorted(present)}, and the detector "
                         f"knows only {sorted(known)}; rename the classes in one of them")
    used = check_unused(detector, labelled, force)
    found, truth, classes = detector.task.predict(detector.network, labelled.images), labelled.boxes, known | present
    precision = average_precision(found, truth, sorted(classes))
    confident = found.where(found.score >= detector.threshold)
    errors, every = detection_errors(confident, truth), match_boxes(found, truth)
    curve = froc(every, len(labelled))
    return DetectorEvaluation(
        ap=precision["AP"], threshold=detector.threshold, best=_best(every), used=used,
        missed_at={str(false): curve.missed_at(false) for false in FALSE_PER_PHOTO},
        total=_measures(precision["mAP50"], errors, np.full(len(confident), True), np.full(len(truth), True)),
        classes={name: _measures(precision["AP50"][name], errors, confident.name == name, truth.name == name)
                 for name in sorted(classes)},
        difficulties=_difficulties(found, labelled, sorted(classes)),
        photos=_of_photos(labelled, confident, errors))


def _measures(ap50: float, errors: DetectionErrors, detections: NDArray[np.bool_], objects: NDArray[np.bool_],
              ) -> ClassMeasures:
    """Of the chosen detections [d] and true boxes, those of one class or all."""
    match = errors.match
    true, missed = int((match.true & detections).sum()), int((~match.detected & objects).sum())
    false = int(detections.sum()) - true
    return ClassMeasures(
        ap50=None if np.isnan(ap50) else ap50, true=true, false=false, missed=missed,
        precision=_share(true, false), recall=_share(true, missed), kinds=errors.counts(detections),
        true_sides=_ratios(errors.side[detections & match.true]),
        false_sides=_ratios(errors.side[detections & ~match.true]))


def _difficulties(found: Boxes, labelled: Photos, classes: Sequence[str]) -> dict[str, DifficultyMeasures]:
    """By class; {} where the labels do not say how much of each object is occluded and truncated."""
    truth, scale = labelled.boxes, labelled.scale
    if truth is None or not has_difficulties(truth):
        return {}
    measured = {}
    for name in classes:
        counts = {one.name: counted_objects(truth, one, scale) & (truth.name == name) for one in DIFFICULTIES}
        ap = {text: {one.name: kitti_precision(found, truth, name, one, iou, labelled.ignored, scale)
                     for one in DIFFICULTIES if counts[one.name].any()} for text, iou in KITTI_IOUS.items()}
        measured[name] = DifficultyMeasures(
            objects={one: int(mask.sum()) for one, mask in counts.items()},
            ap={text: {one: values.get(one) for one in counts} for text, values in ap.items()})
    return measured


def _difficulty_table(measured: Mapping[str, DifficultyMeasures]) -> Table:
    names = [one.name for one in DIFFICULTIES]
    return Table(f"KITTI's difficulties: objects, and AP at IoU {' and '.join(KITTI_IOUS)}",
                 ["class", *names, *(f"{name} {iou}" for iou in KITTI_IOUS for name in names)],
                 [[kind, *(f"{one.objects[name]:,}" for name in names),
                   *(percent(one.ap[iou][name]) for iou in KITTI_IOUS for name in names)]
                  for kind, one in measured.items()],
                 "easy: at least 40 pixels high in the photo's file, fully visible, at most 15 % outside\n"
                 "moderate: 25 pixels, partly occluded, 30 %; hard: 25 pixels, largely occluded, 50 %\n"
                 "AP: mean of the interpolated precision at 40 recalls; other objects and DontCare count neither way")


def _sides(one: ClassMeasures) -> list[str]:
    """Number of boxes, and median with quartiles of their ratios, of true detections and of false ones."""
    texts: list[str] = []
    for ratios in (one.true_sides, one.false_sides):
        at = ratios.quantiles
        texts += [f"{ratios.boxes:,}", f"{at['50']:.2f} ({at['25']:.2f} to {at['75']:.2f})" if at else ""]
    return texts


def _share(part: int, others: int) -> float | None:
    return part / (part + others) if part + others else None


def _ratios(side: NDArray[np.float64]) -> SideRatios:
    known = side[~np.isnan(side)]
    values = np.quantile(known, QUANTILES).tolist() if len(known) else []
    return SideRatios(boxes=len(known), quantiles={f"{100 * at:.0f}": value for at, value in
                                                   zip(QUANTILES, values, strict=False)})


def _best(match: Match) -> BestThreshold | None:
    if not match.true.any():
        return None
    threshold = best_threshold(match)
    true, false, missed = match.counts(threshold)
    return BestThreshold(threshold=threshold, true=true, false=false, missed=missed, precision=true / (true + false),
                         recall=true / (true + missed))


def _of_photos(photos: Photos, confident: Boxes, errors: DetectionErrors) -> list[PhotoCounts]:
    assert photos.boxes is not None
    rows, match = [], errors.match
    for row, path in enumerate(photo_paths(photos)):
        ours = confident.image == row
        true = int((match.true & ours).sum())
        missed = int((~match.detected[photos.boxes.rows(row)]).sum())
        rows.append(PhotoCounts(path=path, true=true, false=int(ours.sum()) - true, missed=missed,
                                kinds=errors.counts(ours)))
    return rows
