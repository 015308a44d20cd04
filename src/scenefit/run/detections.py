"""Detections of a run on labelled photos, for its report.

Legend: k photos shown.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import Predictions
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.metrics.average_precision import false_at_recall, match_boxes
from scenefit.report import BaselineDetections, Detections

N_SHOWN = 3
RECALLS = (0.5, 0.8, 0.9)
ARMS = ("grammar", "learned")  # side by side
NOTE = ("A detection is true where it overlaps an unfound object of its class by at least half (IoU 0.5). Each model's "
        "detections count from the score on that maximises F1 on its own synthetic validation part; at equal recall, "
        "from the score on that finds this share of the objects. The photos shown are spread evenly over all.")


def compare(photos: Photos, predictions: Mapping[str, Predictions], n_shown: int = N_SHOWN) -> Detections:
    """What each arm found in the photos, whose boxes are the truth, from its own threshold on.

    The photos shown are spread evenly over all that have a box, in their order; none is chosen for what was found.
    """
    assert photos.boxes is not None
    truth = photos.boxes
    having = np.unique(truth.image)
    most = min(n_shown, len(having))
    rows = having[(2 * np.arange(most) + 1) * len(having) // (2 * most)]
    told = []
    for arm, one in predictions.items():
        every = match_boxes(one.boxes, truth)
        believed = one.boxes.where(one.boxes.score >= one.threshold)
        match = match_boxes(believed, truth)
        told.append(BaselineDetections(
            arm, box=[believed.box[believed.rows(row)] for row in rows],
            true=[match.true[believed.rows(row)] for row in rows],
            hit=[match.detected[truth.rows(row)] for row in rows],
            counts=match.counts(-np.inf), false_at=[false_at_recall(every, recall) for recall in RECALLS],
            threshold=one.threshold))
    shown_truth = [truth.box[truth.rows(row)] for row in rows]
    return Detections(photos.images[rows], shown_truth, told, len(photos), RECALLS, NOTE)


def write_detections(path: str | Path, told: Detections, owner: str) -> None:
    """Keep it, as the run's with this identity."""
    tensors = {"images": torch.from_numpy(told.images.copy())}
    found = [{"arm": f.baseline, "box": [part.tolist() for part in f.box], "true": [part.tolist() for part in f.true],
              "hit": [part.tolist() for part in f.hit], "counts": list(f.counts), "false_at": list(f.false_at),
              "threshold": f.threshold} for f in told.baselines]
    write_tensors(path, tensors, {"run": owner, "truth": [part.tolist() for part in told.truth], "found": found,
                                  "photos": told.photos, "recalls": list(told.recalls), "note": told.note})


def read_detections(path: str | Path, owner: str) -> Detections | None:
    """What `write_detections` wrote; None where there is none, or one of another run. DamagedFile."""
    if not Path(path).exists():
        return None
    tensors, facts = read_tensors(path, "delete it, or run scenefit evaluate again")
    if facts.get("run") != owner:
        return None
    found = [BaselineDetections(f["arm"], [_boxes(part) for part in f["box"]],
                                [np.array(part, bool) for part in f["true"]],
                     [np.array(part, bool) for part in f["hit"]], tuple(f["counts"]), f["false_at"], f["threshold"])
             for f in facts["found"]]
    return Detections(tensors["images"].numpy(), [_boxes(part) for part in facts["truth"]], found, facts["photos"],
                      facts["recalls"], facts["note"])


def _boxes(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, float).reshape(-1, 4)
