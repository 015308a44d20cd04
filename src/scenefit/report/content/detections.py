"""Detections on labelled photos, of one detector per baseline.

Legend: k photos; d detections; t true boxes; H, W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.report.content.error_analysis import ErrorAnalysis
from scenefit.report.content.images import Images, check_images


@dataclass(frozen=True, eq=False)
class LabelConvention:
    """How the boxes of renders were drawn. text: the label policy in words.  renders: uint8 [k, H, W, 3]; box: their
    boxes [t, 4] each. ValueError if lengths differ."""

    text: str
    renders: Images
    box: Sequence[NDArray[Any]]

    def __post_init__(self) -> None:
        check_images("labelled renders", self.renders)
        if len(self.box) != len(self.renders):
            raise ValueError(f"labelled renders need boxes each, got {len(self.box)} for {len(self.renders)}")


@dataclass(frozen=True, eq=False)
class BaselineDetections:
    """Detections of the detector trained on one baseline's renders: in the photos shown, one entry per photo, and
    their numbers in all photos.

    box: [d, 4] each.  true: [d] each, whether a true box matches the detection.  hit: [t] each, whether a detection
    matches the true box.  counts: true, false and missed in all photos.  false_at: false detections in all photos at
    each recall, None if it is never reached.  threshold: the minimum confidence, for all but false_at.
    """

    baseline: str
    box: Sequence[NDArray[Any]]
    true: Sequence[NDArray[np.bool_]]
    hit: Sequence[NDArray[np.bool_]]
    counts: tuple[int, int, int]
    false_at: Sequence[int | None] = ()
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections on labelled photos. images: uint8 [k, H, W, 3], the photos shown.  truth: their boxes [t, 4] each.
    photos: the number of all photos.  recalls: those of `BaselineDetections.false_at`.  errors: in all photos.
    convention: of the renders that detectors were trained on. ValueError if lengths differ."""

    images: Images
    truth: Sequence[NDArray[Any]]
    baselines: Sequence[BaselineDetections]
    photos: int
    recalls: Sequence[float] = ()
    note: str = ""
    errors: ErrorAnalysis | None = None
    convention: LabelConvention | None = None

    def __post_init__(self) -> None:
        check_images("detection images", self.images)
        for one in self.baselines:
            lengths = {len(part) for part in (self.truth, one.box, one.true, one.hit)}
            if lengths != {len(self.images)} or len(one.false_at) != len(self.recalls):
                raise ValueError(f"detections of {one.baseline} need one entry for each of {len(self.images)} photos, "
                                 f"and one false_at for each of {len(self.recalls)} recalls")
