"""How good detections are: average precision, and which of them are true, false or missed.

Legend: d detections; t true boxes.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.iou_and_nms import iou

NAN = float("nan")


def average_precision(found: Boxes, truth: Boxes, classes: Sequence[str]) -> dict[str, Any]:
    """COCO's average precision, 0..1: {"AP50": {class: value}, "mAP50": their mean, "AP": mean over IoU 0.5..0.95}.

    Computed by pycocotools, with no limit on the detections of an image. A class without a true box is NaN and left
    out of the means; without any, the means are NaN. ValueError for a set of other images, or a class not among
    classes; ImportError without pycocotools.
    """
    _check(found, truth, classes)
    present = [name for name in classes if np.any(truth.name == name)]
    if not present:
        return {"AP50": dict.fromkeys(classes, NAN), "mAP50": NAN, "AP": NAN}
    if not len(found):
        return {"AP50": {name: 0.0 if name in present else NAN for name in classes}, "mAP50": 0.0, "AP": 0.0}
    precision = _precision(found, truth, classes)  # [IoU, recall, class, all sizes, one limit], -1 for no truth
    value = np.where(precision[:, :, :, 0, 0] < 0, NAN, precision[:, :, :, 0, 0]).mean(1)  # [IoU, class]
    at50 = {name: float(value[0, place]) for place, name in enumerate(classes)}
    return {"AP50": at50, "mAP50": float(np.nanmean(value[0])), "AP": float(np.nanmean(value))}


@dataclass(frozen=True, eq=False)
class Match:
    """true [d]: whether the detection has a true box of its own.  found [t]: whether the true box was found.

    score [d]: of the detections.
    """

    true: NDArray[np.bool_]
    found: NDArray[np.bool_]
    score: NDArray[np.float64]

    def counts(self, threshold: float) -> tuple[int, int, int]:
        """Numbers of (true, false, missed) when only detections of at least threshold are believed."""
        true, every = int((self.true & (self.score >= threshold)).sum()), int((self.score >= threshold).sum())
        return true, every - true, len(self.found) - true


def matched(found: Boxes, truth: Boxes, least: float = 0.5) -> Match:
    """Pair detections with true boxes of the same image and class, IoU at least `least`.

    Surest first, each takes the free true box that it overlaps most, as COCO does; so the pairs of a threshold are
    those of all detections, cut there. Boxes keep their order.
    """
    _check(found, truth, None)
    true, hit = np.zeros(len(found), bool), np.zeros(len(truth), bool)
    for image in range(truth.count):
        some, real = found.rows(image), truth.rows(image)
        if some.start == some.stop or real.start == real.stop:
            continue
        overlap = iou(torch.from_numpy(found.box[some]), torch.from_numpy(truth.box[real])).numpy()
        overlap[found.name[some][:, None] != truth.name[real][None]] = -1
        for row in np.argsort(-found.score[some], kind="stable"):
            best = int(overlap[row].argmax())
            if overlap[row, best] >= least:
                true[some.start + row], hit[real.start + best] = True, True
                overlap[:, best] = -1
    return Match(true, hit, found.score)


def best_threshold(match: Match) -> float:
    """The score from which on detections are to be believed, so that F1 = 2 true / (2 true + false + missed) is most.

    It lies half-way to the next lower score; 0.5 where there are no detections, or none is true.
    """
    if not match.true.any():
        return 0.5
    order = np.argsort(-match.score, kind="stable")
    score, true = match.score[order], np.cumsum(match.true[order])
    f1 = 2 * true / (np.arange(1, len(true) + 1) + len(match.found))  # 2 true + false + missed = found + truths
    f1[:-1][score[:-1] == score[1:]] = -1  # equal scores are believed together
    best = int(f1.argmax())
    below = score[best + 1] if best + 1 < len(score) else 0.0
    return float((score[best] + below) / 2)


def false_at_recall(match: Match, recall: float) -> int | None:
    """How many false detections come with the highest threshold that finds this share of the true boxes.

    None where no threshold finds so many.
    """
    if not 0 <= recall <= 1:
        raise ValueError(f"a recall lies in 0..1, got {recall}")
    needed = int(np.ceil(recall * len(match.found) - 1e-9))
    if needed == 0:
        return 0
    hits = np.sort(match.score[match.true])[::-1]
    return None if len(hits) < needed else match.counts(float(hits[needed - 1]))[1]


def _check(found: Boxes, truth: Boxes, classes: Sequence[str] | None) -> None:
    if found.count != truth.count:
        raise ValueError(f"detections of {found.count} images cannot be held against labels of {truth.count}; "
                         "both need the same images in the same order")
    unknown = [] if classes is None else sorted({*found.name.tolist(), *truth.name.tolist()} - set(classes))
    if unknown:
        raise ValueError(f"boxes of {unknown} are not among the classes {list(classes or [])}; add them, or leave "
                         "those boxes out")


def _precision(found: Boxes, truth: Boxes, classes: Sequence[str]) -> NDArray[np.float64]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ImportError('average precision needs pycocotools: pip install "scenefit[detect]"') from error
    ids = {name: number for number, name in enumerate(classes, 1)}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        sets = []
        for boxes in (truth, found):
            data = COCO()
            data.dataset = {"images": [{"id": i} for i in range(truth.count)], "annotations": _rows(boxes, ids),
                            "categories": [{"id": number, "name": name} for name, number in ids.items()]}
            data.createIndex()
            sets.append(data)
        judge = COCOeval(*sets, "bbox")
        judge.params.maxDets = [max(int(np.bincount(found.image).max()), 1)]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"]


def _rows(boxes: Boxes, ids: dict[str, int]) -> list[dict[str, Any]]:
    """COCO's annotations; their ids count from 1, as its evaluation takes 0 for none."""
    size = boxes.box[:, 2:] - boxes.box[:, :2]
    return [{"id": row + 1, "image_id": int(boxes.image[row]), "category_id": ids[str(boxes.name[row])], "iscrowd": 0,
             "bbox": [*boxes.box[row, :2].tolist(), *size[row].tolist()], "area": float(size[row].prod()),
             "score": float(boxes.score[row])} for row in range(len(boxes))]
