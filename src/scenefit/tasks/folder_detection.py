"""Detection in a folder of photos: found.json, and pictures with outlines around the objects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.boxes import Boxes
from scenefit.data.image_files import Fitted
from scenefit.files.text import counted
from scenefit.report.overlay import overlay
from scenefit.tasks.coco_results import CocoIds, coco_results, coco_set, to_lines
from scenefit.tasks.photo_folders import FolderOutput, Photo, has

DETECTION = {"category": str, "bbox": list, "score": int | float}


@dataclass(frozen=True)
class Output(FolderOutput):
    """What is written about detections. A photo has `detections` of all confidences, each with category, bbox (x, y,
    width, height in pixels of the whole photo) and score.

    classes: of the detector, by which found.json numbers them.  threshold: confidence from which detections are drawn.
    detector: name of its file.  ids: of an annotation file, for results; None: a whole set of COCO."""

    classes: tuple[str, ...]
    threshold: float
    detector: str = ""
    ids: CocoIds | None = None
    pictures: bool = True
    results: ClassVar[str] = "detections"

    def found(self, trained: Any, photos: Sequence[Fitted], images: NDArray[np.uint8], folder: Path,
              out: Path) -> list[dict[str, Any]]:
        predicted = trained.task.predict(trained.network, images)
        return [{"detections": _detections(predicted.take([row]), photo)} for row, photo in enumerate(photos)]

    def is_found(self, photo: Photo) -> bool:
        return has(photo, {"detections": list}) and all(_is_detection(one, self.classes) for one in photo["detections"])

    @property
    def drawn_with(self) -> dict[str, Any]:
        return {"threshold": self.threshold}

    def draw(self, photo: Photo, image: NDArray[np.uint8], out: Path) -> Image.Image:
        shown = [one for one in photo["detections"] if one["score"] >= self.threshold]
        box = np.array([one["bbox"] for one in shown], float).reshape(-1, 4)
        box[:, 2:] += box[:, :2]
        codes = np.array([self.classes.index(one["category"]) for one in shown], int)
        return overlay(image, box, codes, np.array([one["score"] for one in shown], float), self.classes,
                       f"confidence {self.threshold:.2f} or more")

    def files(self, photos: Sequence[Photo], out: Path) -> dict[Path, bytes]:
        path = out / "found.json"
        value = (coco_set(photos, self.classes, self.detector, self.threshold) if self.ids is None
                 else coco_results(photos, self.ids))
        return {path: (to_lines(value, path) + "\n").encode()}

    def summary(self, photos: Sequence[Photo], skipped: str, out: Path) -> str:
        count, every = count_detections(photos, self.threshold), count_detections(photos)
        return (f"{counted(count, 'object')} in {counted(len(photos), 'photo')}{skipped} at confidence "
                f"{self.threshold:.2f} or more, and {every - count:,} below: {out / 'found.json'}")


def count_detections(photos: Sequence[Photo], threshold: float = 0.0) -> int:
    """How many detections have at least this confidence."""
    return sum(one["score"] >= threshold for photo in photos for one in photo["detections"])


def _is_detection(one: Any, classes: Sequence[str]) -> bool:
    return (has(one, DETECTION) and one["category"] in classes and len(one["bbox"]) == 4
            and all(type(v) in (int, float) and math.isfinite(v) for v in (*one["bbox"], one["score"])))


def _detections(boxes: Boxes, photo: Fitted) -> list[dict[str, Any]]:
    """Boxes of one fitted photo in pixels of the photo as it was, cut at its border."""
    box = (boxes.box - np.tile(photo.shift, 2)) / np.tile(photo.scale, 2)
    box = np.clip(box, 0, np.tile(photo.full_size[::-1], 2))
    return [{"category": name, "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)], "score": round(score, 6)}
            for (x0, y0, x1, y1), name, score in zip(box.tolist(), boxes.name.tolist(), boxes.score.tolist(),
                                                     strict=True)]
