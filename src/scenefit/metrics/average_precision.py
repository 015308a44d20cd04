"""Average precision of detections, and their true positives, false positives and misses.

Legend: d detections; t true boxes.
"""

import contextlib
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.iou_and_nms import iou
from scenefit.scenes.arguments import check_argument

NAN = float("nan")


def average_precision(predicted: Boxes, truth: Boxes, classes: Sequence[str]) -> dict[str, Any]:
    """COCO's average precision, 0..1: {"AP50": {class: value}, "mAP50": their mean, "AP": mean over IoU 0.5..0.95}.

    Computed by pycocotools, with no limit on the detections of an image. A class without a true box is NaN and left
    out of the means; without any, the means are NaN. ValueError for a set of other images, or a class not among
    classes; ImportError without pycocotools.
    """
    _check(predicted, truth, classes)
    present = [name for name in classes if np.any(truth.name == name)]
    if not present:
        return {"AP50": dict.fromkeys(classes, NAN), "mAP50": NAN, "AP": NAN}
    if not len(predicted):
        return {"AP50": {name: 0.0 if name in present else NAN for name in classes}, "mAP50": 0.0, "AP": 0.0}
    precision = _precision(predicted, truth, classes)  # [IoU, recall, class, all sizes, one limit], -1 for no truth
    value = np.where(precision[:, :, :, 0, 0] < 0, NAN, precision[:, :, :, 0, 0]).mean(1)  # [IoU, class]
    at50 = {name: float(value[0, number]) for number, name in enumerate(classes)}
    return {"AP50": at50, "mAP50": float(np.nanmean(value[0])), "AP": float(np.nanmean(value))}


@dataclass(frozen=True, eq=False)
class Match:
    """row [d]: of the true box that each detection is matched to, -1 if it is false.  detected [t]: whether each true
    box is matched.  score [d]: of the detections."""

    row: NDArray[np.int64]
    detected: NDArray[np.bool_]
    score: NDArray[np.float64]

    @property
    def true(self) -> NDArray[np.bool_]:
        """Whether each detection is matched to a true box [d]."""
        return self.row >= 0

    def counts(self, threshold: float) -> tuple[int, int, int]:
        """Numbers of (true positives, false positives, misses) of the detections with a score of at least threshold."""
        true, every = int((self.true & (self.score >= threshold)).sum()), int((self.score >= threshold).sum())
        return true, every - true, len(self.detected) - true


def match_boxes(predicted: Boxes, truth: Boxes, min_iou: float = 0.5) -> Match:
    """Match detections to true boxes of the same image and class, with an IoU of at least min_iou.

    In order of decreasing score, each takes the free true box with the highest IoU, as COCO does; so the matches at a
    threshold are those of all detections above it. Boxes keep their order.
    """
    _check(predicted, truth, None)
    partner, detected = np.full(len(predicted), -1), np.zeros(len(truth), bool)
    for image in range(truth.count):
        some, real = predicted.rows(image), truth.rows(image)
        if some.start == some.stop or real.start == real.stop:
            continue
        overlap = iou(torch.from_numpy(predicted.box[some]), torch.from_numpy(truth.box[real])).numpy()
        overlap[predicted.name[some][:, None] != truth.name[real][None]] = -1
        for row in np.argsort(-predicted.score[some], kind="stable"):
            best = int(overlap[row].argmax())
            if overlap[row, best] >= min_iou:
                partner[some.start + row], detected[real.start + best] = real.start + best, True
                overlap[:, best] = -1
    return Match(partner, detected, predicted.score)


def best_threshold(match: Match) -> float:
    """The score threshold with the highest F1 = 2 true / (2 true + false + missed).

    It lies half-way to the next lower score; 0.5 where there is no true detection.
    """
    if not match.true.any():
        return 0.5
    order = np.argsort(-match.score, kind="stable")
    score, true = match.score[order], np.cumsum(match.true[order])
    f1 = 2 * true / (np.arange(1, len(true) + 1) + len(match.detected))  # 2 true + false + missed = detections + truths
    f1[:-1][score[:-1] == score[1:]] = -1  # equal scores lie on the same side of a threshold
    best = int(f1.argmax())
    below = score[best + 1] if best + 1 < len(score) else 0.0
    return float((score[best] + below) / 2)


def false_at_recall(match: Match, recall: float) -> int | None:
    """False positives at the highest threshold with this recall; None where no threshold reaches it."""
    if not 0 <= recall <= 1:
        raise ValueError(f"a recall lies in 0..1, got {recall}")
    needed = int(np.ceil(recall * len(match.detected) - 1e-9))
    if needed == 0:
        return 0
    hits = np.sort(match.score[match.true])[::-1]
    return None if len(hits) < needed else match.counts(float(hits[needed - 1]))[1]


def _check(predicted: Boxes, truth: Boxes, classes: Sequence[str] | None) -> None:
    call = f"{'match_boxes(predicted, truth' if classes is None else 'average_precision(predicted, truth, classes'})"
    for name, given in (("predicted", predicted), ("truth", truth)):
        check_argument(call, name, given, isinstance(given, Boxes),
                       "Boxes, such as photos.boxes, scenefit.label_boxes(frames) or detector.predict(photos)")
    check_argument(call, "classes", classes, classes is None or (
        isinstance(classes, Collection) and not isinstance(classes, str) and all(isinstance(n, str) for n in classes)),
                   'names of classes, such as ["coin"]')
    if predicted.count != truth.count:
        raise ValueError(f"detections of {predicted.count} images cannot be compared with labels of {truth.count}; "
                         "both need the same images in the same order")
    unknown = [] if classes is None else sorted({*predicted.name.tolist(), *truth.name.tolist()} - set(classes))
    if unknown:
        raise ValueError(f"boxes of {unknown} are not among the classes {list(classes or [])}; add them, or leave "
                         "those boxes out")


def _precision(predicted: Boxes, truth: Boxes, classes: Sequence[str]) -> NDArray[np.float64]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ImportError('average precision needs pycocotools: pip install "scenefit[detect]"') from error
    ids = {name: number for number, name in enumerate(classes, 1)}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        sets = []
        for boxes in (truth, predicted):
            data = COCO()
            data.dataset = {"images": [{"id": i} for i in range(truth.count)], "annotations": _rows(boxes, ids),
                            "categories": [{"id": number, "name": name} for name, number in ids.items()]}
            data.createIndex()
            sets.append(data)
        evaluation = COCOeval(*sets, "bbox")
        evaluation.params.maxDets = [max(int(np.bincount(predicted.image).max()), 1)]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"]


def _rows(boxes: Boxes, ids: dict[str, int]) -> list[dict[str, Any]]:
    """COCO's annotations; their ids count from 1, as its evaluation takes 0 for none."""
    size = boxes.box[:, 2:] - boxes.box[:, :2]
    return [{"id": row + 1, "image_id": int(boxes.image[row]), "category_id": ids[str(boxes.name[row])], "iscrowd": 0,
             "bbox": [*boxes.box[row, :2].tolist(), *size[row].tolist()], "area": float(size[row].prod()),
             "score": float(boxes.score[row])} for row in range(len(boxes))]
